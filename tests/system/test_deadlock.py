"""Commands that wait for each other: found, one gives way, all end well, and the tree is as if one had run after the other."""

from __future__ import annotations

from pathlib import Path

from pytest_cbx.config.model import Isolation
from pytest_cbx.events import AnyEvent, CommandRestarted
from tests.system.guarded import commands_at, make_project, run_tests


def crossing(first: str, second: str, *others: str) -> str:
    """Write one file, wait until the others have written theirs, write the next one's."""
    waits = "\n".join(f"wait_for('{other}', 1.5)" for other in others)
    return f"append('{first}', ME)\ntell(ME)\n{waits}\nappend('{second}', ME)\nappend(f'own-{{ME}}', ME)"


AB = {"a": crossing("x", "y", "B"), "b": crossing("y", "x", "A")}


def test_two_commands_that_cross_end_as_if_serial(tmp_path: Path) -> None:
    project = make_project(tmp_path, AB, ignored=("x", "y", "own-*"))
    (project / "x").write_text("start ")
    (project / "y").write_text("start ")
    events: list[AnyEvent] = []
    with commands_at(project, Isolation.GUARD, events) as cbx:
        outcomes = run_tests(cbx, {"A": "a", "B": "b"})
    assert all(outcome.ok for outcome in outcomes.values()), list(map(str, outcomes.values()))
    assert (project / "x").read_text() == (project / "y").read_text()
    assert (project / "x").read_text() in ("start AB", "start BA")
    assert (project / "own-A").read_text() == "A"
    assert (project / "own-B").read_text() == "B"
    # One gives way. The other may have read what that one wrote before it was undone, so it starts again, too.
    assert sum(outcome.restarts for outcome in outcomes.values()) in (1, 2)
    told = [event for event in events if isinstance(event, CommandRestarted)]
    assert any("x" in claim or "y" in claim for claim in told[0].claims), told
    restarted = next(outcome for outcome in outcomes.values() if outcome.restarts)
    assert "started again" in str(restarted)


def test_without_isolation_they_do_not(tmp_path: Path) -> None:
    project = make_project(tmp_path, AB, ignored=("x", "y", "own-*"))
    with commands_at(project, Isolation.OFF) as cbx:
        outcomes = run_tests(cbx, {"A": "a", "B": "b"})
    assert all(outcome.ok for outcome in outcomes.values())
    assert (project / "x").read_text() == "AB"
    assert (project / "y").read_text() == "BA"


def test_what_the_victim_wrote_is_gone_before_it_starts_again(tmp_path: Path) -> None:
    """It made and changed and removed more than what they quarrel about."""
    more = """
    first, second, other = ("x", "y", "B") if ME == "A" else ("y", "x", "A")
    assert not os.path.exists("tree-" + ME), "what it did before is still there"
    assert open("kept-" + ME).read() == "kept"
    os.makedirs(f"tree-{ME}/deep")
    for n in range(20):
        append(f"tree-{ME}/{n}", str(n))
    os.rename("kept-" + ME, f"tree-{ME}/deep/kept")
    append(f"tree-{ME}/deep/kept", "more")
    append(first, ME)
    tell(ME)
    wait_for(other, 1.5)
    append(second, ME)
    """
    project = make_project(tmp_path, {"more": more}, ignored=("x", "y", "tree-*", "kept-*"))
    for name in ("kept-A", "kept-B"):
        (project / name).write_text("kept")
    with commands_at(project, Isolation.GUARD) as cbx:
        outcomes = run_tests(cbx, {"A": "more", "B": "more"})
    assert all(outcome.ok for outcome in outcomes.values()), list(map(str, outcomes.values()))
    assert sum(outcome.restarts for outcome in outcomes.values()) in (1, 2)
    for name in ("A", "B"):
        assert (project / f"tree-{name}/deep/kept").read_text() == "keptmore"
        assert not (project / f"kept-{name}").exists()
    assert (project / "x").read_text() == (project / "y").read_text()


def test_a_ring_of_three_ends_as_if_serial(tmp_path: Path) -> None:
    ring = {
        "a": crossing("x", "y", "B", "C"),
        "b": crossing("y", "z", "A", "C"),
        "c": crossing("z", "x", "A", "B"),
    }
    project = make_project(tmp_path, ring, ignored=("x", "y", "z", "own-*"))
    with commands_at(project, Isolation.GUARD) as cbx:
        outcomes = run_tests(cbx, {"A": "a", "B": "b", "C": "c"})
    assert all(outcome.ok for outcome in outcomes.values()), list(map(str, outcomes.values()))
    assert sum(outcome.restarts for outcome in outcomes.values()) >= 1
    pairs = [(project / name).read_text() for name in "xyz"]
    # Each file tells who came before whom; together they must not go round.
    before = {(text[0], text[1]) for text in pairs}
    assert sorted(map(sorted, pairs)) == [["A", "B"], ["A", "C"], ["B", "C"]]
    assert before not in ({("A", "B"), ("B", "C"), ("C", "A")}, {("B", "A"), ("C", "B"), ("A", "C")})
