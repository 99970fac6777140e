"""From the engine's last word to an outcome."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_cbx.client.ending import changes_of, outcome_of, without_our_own
from pytest_cbx.client.outcome import Changes, Outcome, told
from pytest_cbx.engine.protocol import ChangeList, Finished
from tests.unit.client.making import make_jobs, make_outcome


def ended(root: Path, **fields: object) -> Outcome:
    (job,) = make_jobs(root, "make")
    given = {"id": 1, "status": "failed", "exit_code": 2, "cause": "exit", "attempts": 1, **fields}
    return outcome_of(job, Finished(**given), root=root, isolation="guard")  # type: ignore[arg-type]


def test_what_was_not_observed_is_none_and_what_is_empty_is_empty(tmp_path: Path) -> None:
    assert ended(tmp_path).changes is None
    assert ended(tmp_path, changes=ChangeList()).changes == Changes()


def test_changes_are_sorted_texts(tmp_path: Path) -> None:
    listed = ChangeList(created=[b"b", b"a/\xff"], modified=[b"m"], deleted=[b"d"], truncated=True)
    changes = ended(tmp_path, changes=listed).changes
    assert changes == Changes(created=("a/\udcff", "b"), modified=("m",), deleted=("d",), truncated=True)
    assert list(changes.lines()) == [
        "created  a/\\xff", "created  b", "deleted  d", "modified m", "… and more: only 4 are listed",
    ]  # fmt: skip


def test_changes_are_relative_to_the_command_s_own_work_tree() -> None:
    listed = ChangeList(created=[b"/tmp/t0/out", b"top", b"/tmp/t0x/other"])
    found = changes_of(listed, root=Path("/work"), base=Path("/tmp/t0"))
    assert found.created == ("/tmp/t0x/other", "/work/top", "out")
    inner = changes_of(ChangeList(modified=[b"sub/x", b"y"]), root=Path("/work"), base=Path("/work/sub"))
    assert inner.modified == ("/work/y", "x")


def test_everything_else_is_handed_on(tmp_path: Path) -> None:
    outcome = ended(
        tmp_path, changes=ChangeList(created=[b"a"]), rolled_back=True, rollback_incomplete=["b: busy"], restarts=2,
        restart_reasons=["format changed a after it had started", "two waited for one another: b"],
        surprises=["wrote a"], refused=["signal 9 to x (pid 3): not its own"], outside=[b"/z", b"/y"], diff="+a\n",
    )  # fmt: skip
    assert outcome.isolation == "guard"
    assert outcome.outside == ("/y", "/z")
    assert outcome.diff == "+a\n"
    assert str(outcome).splitlines()[1:] == [
        "its changes were rolled back: 1 file",
        "not undone: b: busy",
        "rolled back and started again 2 times because format changed a after it had started; because two waited for one another: b",
        "surprise: wrote a",
        "refused: signal 9 to x (pid 3): not its own",
        "wrote outside the work tree, which is never undone: /y, /z",
    ]


def test_what_a_nested_client_keeps_for_itself_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    finished = Finished(id=1, status="passed", outside=[b"/caches/pytest-cbx/1/runs/a", b"/caches/pytest-cbx2", b"/x"])
    assert without_our_own(finished).outside == [b"/caches/pytest-cbx2", b"/x"]
    assert without_our_own(Finished(id=1, status="passed", outside=[b"/x"])).outside == [b"/x"]


def test_nothing_is_told_of_what_did_not_happen() -> None:
    assert told(make_outcome()) == []
    assert told(make_outcome(rolled_back=True, changes=Changes())) == []


@pytest.mark.parametrize(("count", "said"), [(1, "1 file"), (3, "3 files")])
def test_how_much_was_undone(count: int, said: str) -> None:
    outcome = make_outcome(rolled_back=True, changes=Changes(modified=tuple(f"f{n}" for n in range(count))))
    assert outcome.undone == said
    assert replace(outcome, rolled_back=False).undone == ""
    more = replace(outcome, changes=Changes(created=("x",), truncated=True))
    assert more.undone == "more than 1 file"


def test_names_that_do_not_print_stay_on_their_line() -> None:
    changes = Changes(created=("a\nb", "\x1b[31mred", "grün"))
    assert list(changes.lines()) == ["created  \\x1b[31mred", "created  a\\nb", "created  grün"]
