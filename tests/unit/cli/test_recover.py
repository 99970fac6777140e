"""`cbx recover`: what it says of each journal, and with which code it ends."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cbx.cli import main as cli
from pytest_cbx.cli import recover as module
from pytest_cbx.transaction.recovery import Action, JournalResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """As `engine.recover` gives it."""

    journals: tuple[JournalResult, ...] = ()
    killed: tuple[str, ...] = ()


def result(action: Action, *, label: str = "build", reason: str = "", restored: int = 0) -> JournalResult:
    return JournalResult(label=label, action=action, reason=reason, restored=restored, path="/state/t1")


@pytest.fixture
def place(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    return project


def recovered(
    monkeypatch: pytest.MonkeyPatch,
    *journals: JournalResult,
    killed: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
) -> tuple[int, list[Path]]:
    asked: list[Path] = []

    def recover(root: Path) -> Summary:
        asked.append(root)
        return Summary(journals=journals, killed=killed)

    monkeypatch.setattr(module, "recover", recover)
    return cli.main(["recover", *options]), asked


def test_nothing_to_do(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, asked = recovered(monkeypatch)
    assert (code, asked) == (0, [place])
    assert capsys.readouterr().out == f"nothing to recover in {place}\n"


@pytest.mark.parametrize(
    ("journal", "code", "said"),
    [
        (result(Action.ROLLED_BACK, restored=3), 0, "build: rolled back, 3 changes undone"),
        (result(Action.ROLLED_BACK, restored=1, label=""), 0, "a command: rolled back, 1 change undone"),
        (result(Action.COMPLETED), 0, "build: its changes had been kept already; the rest of its journal is gone"),
        (result(Action.REMOVED), 0, "build: it had changed nothing; its journal is gone"),
        (result(Action.BUSY), 0, "build: its engine is alive: nothing to do"),
        (result(Action.LEFT_ALONE, reason="it is torn"), 1, "build: left alone: it is torn (/state/t1)"),
        (result(Action.INCOMPLETE, restored=2, reason="no space"), 1, "build: rolled back in part, 2 changes undone: no space"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("place")
def test_each_journal_has_its_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    journal: JournalResult,
    code: int,
    said: str,
) -> None:
    other = result(Action.ROLLED_BACK, label="other")
    assert recovered(monkeypatch, journal, other, killed=("sleep 60 (pid 4711)",))[0] == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["killed sleep 60 (pid 4711), which a dead engine had left running", said]
    assert any("call cbx recover again" in line for line in lines) is (journal.action is Action.INCOMPLETE)


def test_json(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    torn = result(Action.LEFT_ALONE, label="a\udcff", reason="torn")
    code, _ = recovered(monkeypatch, torn, result(Action.BUSY), killed=("x (pid 1)",), options=("--json",))
    value = json.loads(capsys.readouterr().out)
    assert code == 1
    assert list(value) == ["workspace", "finished", "killed", "journals"]
    assert (value["workspace"], value["finished"], value["killed"]) == (str(place), False, ["x (pid 1)"])
    assert value["journals"][0] == {
        "label": "a\\xff", "action": "left alone", "reason": "torn", "restored": 0, "path": "/state/t1",
    }  # fmt: skip


def test_another_work_tree(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    _, asked = recovered(monkeypatch, options=("--workspace", os.fspath(tmp_path / "elsewhere")))
    assert asked == [tmp_path / "elsewhere"]
    assert recovered(monkeypatch, options=("--workspace", "nowhere"))[0] == 4


def test_a_faulty_configuration_is_no_obstacle(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "cbx.toml").write_text("[cbx\n")
    assert recovered(monkeypatch)[0] == 0
