"""The `cbx` fixture."""

from __future__ import annotations

import pytest

from pytest_cbx.client.api import Cbx
from pytest_cbx.config.model import CommandConfig, Isolation, Rollback
from pytest_cbx.errors import CommandTimeout, SpawnError, UsageError
from pytest_cbx.tier import Tier
from tests.plugin.conftest import Project


def test_run_gives_an_outcome(cbx: Cbx) -> None:
    done = cbx.run("echo out; echo err >&2; exit 3")
    assert (done.ok, done.exit_code, done.stdout, done.stderr) == (False, 3, "out\n", "err\n")
    assert done.attempts == 1
    assert done.duration > 0
    assert done.error is None
    assert (done.changes is None) is (done.isolation == "off")
    assert not done.rolled_back


def test_a_dry_run_is_refused_where_nothing_can_be_undone(cbx: Cbx) -> None:
    with pytest.raises(UsageError, match="the changes would stay"):
        cbx.run("echo x > new", rollback="always", isolation="off")
    assert not (cbx.path / "new").exists()
    assert cbx.run("echo x > new; false", rollback=Rollback.ON_FAILURE, isolation=Isolation.OFF).exit_code == 1
    assert (cbx.path / "new").exists()


def test_words_that_are_none(cbx: Cbx) -> None:
    with pytest.raises(UsageError, match=r'rollback must be one of .*did you mean "always"'):
        cbx.run("true", rollback="allways")
    with pytest.raises(UsageError, match="isolation must be one of"):
        cbx.run_all(["true"], isolation="jail")


def test_a_dry_run_of_one_of_many_is_refused_alone(cbx: Cbx) -> None:
    dry = CommandConfig(name="dry", run="echo x > new", line=0, rollback=Rollback.ALWAYS)
    refused, other = cbx.run_all([dry, "true"], isolation="off")
    assert (refused.cause, refused.attempts) == ("denied", 0)
    assert other.ok
    assert not (cbx.path / "new").exists()


def test_bound_to_tmp_path_and_elsewhere(cbx: Cbx) -> None:
    assert cbx.run("pwd").stdout.strip() == str(cbx.path)
    (cbx.path / "sub").mkdir()
    assert cbx.at("sub").run("pwd").stdout.strip() == str(cbx.path / "sub")
    with pytest.raises(UsageError, match="no directory"):
        cbx.at("nowhere")


def test_run_all_keeps_the_given_order_and_orders_conflicts(cbx: Cbx) -> None:
    outcomes = cbx.run_all(["sleep 0.3; echo one >> log", "echo two >> log", "cat log", "true"])
    assert [o.ok for o in outcomes] == [True] * 4
    assert outcomes[2].stdout == "one\ntwo\n"


def test_same_text_twice(cbx: Cbx) -> None:
    assert all(o.ok for o in cbx.run_all(["true", "true"]))
    assert cbx.run_all([]) == []


def test_tier_runs_nothing(cbx: Cbx) -> None:
    assert cbx.tier("rm -rf build") is Tier.DANGEROUS_ISOLATED
    assert cbx.tier("cat x") is Tier.SAFE_PARALLEL


def test_timeout_signal_and_missing_shell(cbx: Cbx) -> None:
    late = cbx.run("sleep 30", timeout=0.3)
    assert not late.ok
    assert isinstance(late.error, CommandTimeout)
    killed = cbx.run("kill -9 $$")
    assert (killed.exit_code, killed.signal) == (137, 9)
    (cbx.path / "gone").mkdir()
    gone = cbx.at("gone")
    (cbx.path / "gone").rmdir()
    lost = gone.run("true")
    assert isinstance(lost.error, SpawnError)
    assert "gone" in str(lost.error)


def test_environment_and_bytes(cbx: Cbx) -> None:
    assert cbx.run('printf %s "$X"', env={"X": "a b"}).stdout == "a b"
    assert cbx.run(r"printf '\xff'").stdout == "\udcff"


def test_fail_fast_cancels_the_rest(cbx: Cbx) -> None:
    outcomes = cbx.run_all(["exit 1", "sleep 20", "sleep 20", "sleep 20"], fail_fast=True)
    assert outcomes[0].status == "failed"
    assert {o.status for o in outcomes[1:]} == {"cancelled"}


def test_message_of_a_failed_assert_is_readable(cbx: Cbx) -> None:
    done = cbx.run("echo hello; exit 4")
    assert str(done).splitlines()[0].startswith("`echo hello; exit 4` failed: exit code 4 (")
    assert "hello" in str(done)


def test_empty_text_and_nul(cbx: Cbx) -> None:
    with pytest.raises(UsageError, match="empty"):
        cbx.run("  \n")
    with pytest.raises(UsageError, match="NUL"):
        cbx.run("echo \0")


@pytest.mark.parametrize("xdist", [False, True], ids=["one-process", "xdist"])
def test_fixtures_and_items_are_clients_of_one_engine(project: Project, xdist: bool) -> None:
    project.commands("a: sleep 1; echo $CBX_INSTANCE > a.txt")
    project.pytester.makepyfile(
        test_x="""
        import pytest
        @pytest.mark.parametrize("n", range(4))
        def test_engine(cbx, n, request):
            done = cbx.run("echo $CBX_INSTANCE")
            engine = done.stdout.rsplit(".", 1)[0]
            (request.config.rootpath / f"engine{n}.txt").write_text(engine)
        """
    )
    project.run(xdist=xdist).assert_outcomes(passed=5)
    engines = {path.read_text() for path in project.pytester.path.glob("engine*.txt")}
    assert len(engines) == 1
    assert (project.pytester.path / "a.txt").read_text().rsplit(".", 1)[0] in engines
