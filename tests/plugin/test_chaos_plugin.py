"""The mark, the hook, and the strategies."""

from __future__ import annotations

import pytest

WORK = """
    done = cbx.run("echo a > a; echo b > b", rollback="on-failure")
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one-process", "xdist"])
def test_a_mark_puts_faults_in_force(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    pytester.makepyfile(
        f"""
import pytest

@pytest.mark.chaos("disk_full", at=3)
@pytest.mark.parametrize("number", [1, 2])
def test_struck(cbx, number):
    {WORK.strip()}
    assert "No space left" in done.stderr

@pytest.mark.chaos("exit_code", code=4)
class TestAll:
    def test_one(self, cbx):
        assert cbx.run("true").exit_code == 4

@pytest.mark.chaos("disk_full", path="nowhere/**")
def test_unstruck(cbx):
    {WORK.strip()}
    assert done.ok

def test_afterwards(cbx):
    {WORK.strip()}
    assert done.ok
"""
    )
    done = pytester.runpytest_subprocess(*workers)
    done.assert_outcomes(passed=4, failed=1)
    done.stdout.fnmatch_lines(["*INVALID: the planned fault did not strike: disk_full (at=1). The test shows nothing*"])


def test_a_wrong_mark_says_where(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import pytest

@pytest.mark.chaos("flood")
def test_kind(cbx): pass

@pytest.mark.chaos("disk_full", often=3)
def test_keyword(cbx): pass

@pytest.mark.chaos
def test_nothing(cbx): pass

@pytest.mark.chaos("kill")
def test_without(): pass
"""
    )
    done = pytester.runpytest_subprocess("--strict-markers", "-p", "no:randomly")
    done.assert_outcomes(failed=4)
    done.stdout.fnmatch_lines(
        [
            "*test_a_wrong_mark_says_where.py:*: @pytest.mark.chaos: there is no fault 'flood'; there are *",
            "*: @pytest.mark.chaos: chaos.disk_full: *often*",
            "*: @pytest.mark.chaos takes the kind of fault first, such as 'disk_full'",
            "*: @pytest.mark.chaos needs the cbx fixture in test_without",
        ]
    )


PLUGIN = """
import errno
from pytest_cbx.chaos.faults.kinds import Family, Kind, planned
from pytest_cbx.faults.model import Fail

def too_many(**when):
    return planned(Fail(error=errno.EMFILE), when, calls=("openat",), path="**")

def pytest_cbx_fault():
    return [Kind(name={name!r}, family=Family.INSTANCE, about="no descriptor left", build=too_many)]
"""


def test_a_plugin_adds_a_kind(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(PLUGIN.format(name="too_many_files"))
    pytester.makepyfile(
        """
def test_it(cbx, chaos):
    with chaos.inject("too_many_files", path="x") as fault:
        done = cbx.run("echo a > x")
    assert fault.fired
    assert "Too many open files" in done.stderr
"""
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_name_that_is_taken(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(PLUGIN.format(name="kill"))
    pytester.makepyfile("def test_it(cbx, chaos): chaos.kill()")
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["*UsageError: pytest_cbx_fault gives a fault 'kill', and there is one of that name already"]
    )


def test_hypothesis_shrinks_a_schedule(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
from hypothesis import HealthCheck, given, settings
from pytest_cbx.chaos import strategies

@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
@given(strategies.schedules(["disk_full", "disk_error"], calls=4, path="data"))
def test_save(cbx, chaos, schedule):
    cbx.run("echo old > data")
    with chaos.apply(schedule):
        cbx.run("echo new > data || true", rollback="never")
    assert (cbx.path / "data").read_text() in ("old\\n", "new\\n")
"""
    )
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*schedule=(Strike(kind='disk_full', keywords=(('at', *"])
    told = next(line for line in reversed(done.outlines) if "schedule=(Strike(" in line)
    assert told.count("Strike(") == 1, "the least schedule has one fault"
