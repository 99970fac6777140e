"""`cbx.transaction()` in tests that run beside commands."""

from __future__ import annotations

import pytest

from pytest_cbx.execute.ladder import probe
from tests.plugin.conftest import Project

guarded = pytest.mark.skipif(probe().level == "off", reason=f"no guard here: {probe().reason}")
# What it writes nobody can tell before it does.
COUNTS = """
name = "".join(["coun", "ter"])
for _ in range(50):
    with open(name) as file:
        number = int(file.read())
    with open(name, "w") as file:
        file.write(str(number + 1))
"""
TESTS = """
import pytest
@pytest.mark.parametrize("number", range(4))
def test_counts(cbx, number, pytestconfig):
    counter = pytestconfig.rootpath / "counter"
    for _ in range(25):
        cbx.transact(lambda tx: tx.modify(counter, lambda text: str(int(text) + 1)))
@pytest.fixture
def prepared(cbx, pytestconfig):
    with cbx.at(pytestconfig.rootpath).transaction() as tx:
        tx.create("prepared", "for this test")
        yield
        tx.roll_back()
def test_sees_what_a_fixture_has_done(cbx, prepared, pytestconfig):
    outcome = cbx.at(pytestconfig.rootpath).run("cat prepared")
    assert outcome.stdout == "for this test"
"""


@guarded
@pytest.mark.parametrize("xdist", [False, True], ids=["one process", "xdist"])
def test_tests_and_commands_take_turns(project: Project, xdist: bool) -> None:
    root = project.pytester.path
    (root / "counter").write_text("0")
    (root / "count.py").write_text(COUNTS)
    project.pytester.makepyfile(test_them=TESTS)
    count = "python3 count.py | tier = 'conditional' ;; trust = true"
    project.commands(f"one: {count}", f"two: {count}", f"three: {count}")
    project.run("cbx.toml", "test_them.py", xdist=xdist).assert_outcomes(passed=8)
    assert (root / "counter").read_text() == "250"
    assert not (root / "prepared").exists()
