"""`Cbx.transaction`: over real files, recovered by the work tree's recovery."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.client.api import Cbx
from pytest_cbx.client.runner import Runner
from pytest_cbx.client.transactions import file_transaction
from pytest_cbx.config.model import Durability, Settings
from pytest_cbx.engine.recover import recover
from pytest_cbx.engine.temporary import temporary_root
from pytest_cbx.errors import UsageError
from pytest_cbx.transaction.atomic import FileTransaction
from pytest_cbx.transaction.recovery import Action
from tests.inodes import portrait
from tests.system.engines import runtime_directory


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where all is private: state, runtime directory, a project and another directory."""
    for name in ("state", "project", "other"):
        (tmp_path / name).mkdir(mode=0o700)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with runtime_directory():
        yield tmp_path
    assert not list((tmp_path / "state").iterdir())


def transaction(path: Path, root: Path, settings: Settings = Settings()) -> FileTransaction:  # noqa: B008
    """One of somebody who works there alone, without an engine."""
    return file_transaction(path, root, settings)


def test_it_covers_the_project_and_its_own_directory(folder: Path) -> None:
    (folder / "project" / "a").write_text("before")
    with transaction(folder / "other", folder / "project") as tx:
        tx.write("here", "text")
        tx.write(folder / "project" / "a", "after")
        assert (folder / "state").exists()
        assert [path.name for path in (folder / "project").iterdir()] == ["a"]
        with pytest.raises(UsageError, match="changes only"):
            tx.write(folder / "elsewhere", "text")
    assert (folder / "other" / "here").read_text() == "text"
    assert (folder / "project" / "a").read_text() == "after"


def test_protected_roots_are_covered(folder: Path) -> None:
    settings = Settings(protect=("../other",), durability=Durability.POWER)
    with transaction(folder / "project", folder / "project", settings) as tx:
        tx.write("../other/x", "text")
        tx.delete("../other/x")
    assert not list((folder / "other").iterdir())


def test_the_next_recovery_undoes_a_killed_one(folder: Path) -> None:
    project = folder / "project"
    (project / "a").write_text("before")
    before = portrait([project, folder / "other"])
    pid = os.fork()
    if pid == 0:
        with transaction(folder / "other", project) as tx:
            tx.delete(project / "a")
            tx.mkdir("b")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert not (project / "a").exists()
    summary = recover(project)
    assert [(result.action, result.label) for result in summary.journals] == [
        (Action.ROLLED_BACK, f"cbx.transaction() in {folder / 'other'}")
    ]
    assert portrait([project, folder / "other"]) == before


def test_one_that_runs_is_not_disturbed(folder: Path) -> None:
    project = folder / "project"
    with transaction(project, project) as tx:
        tx.write("a", "text")
        assert [result.action for result in recover(project).journals] == [Action.BUSY]
        tx.write("a", "more text")
    assert (project / "a").read_text() == "more text"


def test_inside_a_supervised_command_the_journal_lies_in_its_temporary_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = folder / temporary_root().name / "token" / "1"
    private.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(private))
    monkeypatch.setenv("CBX_INSTANCE", "0123456789abcdef-1-00c0ffee.1")
    project = folder / "project"
    (project / "a").write_text("before")
    before = portrait([project])
    with transaction(project, project) as tx:
        tx.write("a", "text")
        assert not list((folder / "state").iterdir())
        assert list(private.iterdir())
        tx.roll_back()
    assert portrait([project]) == before
    assert not list(private.iterdir())


DOCUMENT = (Path(__file__).parents[3] / "docs" / "transactions.md").read_text()


def test_the_documents_example_works(folder: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    with Runner(folder / "project", Settings(), name="test") as runner:
        cbx = Cbx(folder / "project", root=folder / "project", settings=Settings(), connect=lambda: runner)
        names["test_migration"](cbx)
    assert (folder / "project" / "backup" / "settings.json").read_text() == '{"version": 2}'


def test_the_document_tells_every_operation() -> None:
    operations = {name for name in vars(FileTransaction) if not name.startswith("_")}
    chapter = DOCUMENT.partition("## From Python")[2]
    assert operations == {
        name for row in re.findall(r"^\| (`.*?) \|", chapter, re.MULTILINE) for name in re.findall(r"`(\w+)\(", row)
    }
