"""Real workloads under guard: the same end and the same tree as bare; and after a dry run the tree is as it was."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cbx.client.api import Cbx
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.client.runner import Runner
from pytest_cbx.config.model import CommandConfig, Isolation, Limits, Rollback, Settings
from tests.requirements import require
from tests.workloads import WORKLOADS, Workload, named
from tests.workloads.compare import Seen, differences, look, without_times
from tests.workloads.place import Place, available

GUARD = dataclasses.replace(Settings(), isolation=Isolation.GUARD, limits=Limits(memory_per_instance=2 << 30))
OFF = dataclasses.replace(GUARD, isolation=Isolation.OFF)
BY_HAND = (
    "git-rebase", "git-gc", "sed-i", "mv-trees", "rm-all", "odd-names", "descriptors", "fails", "killed", "tar-x", "sqlite",
    "python-links-and-descriptors", "make", "npm-ci",
)  # fmt: skip
"""Also run through the command line."""

Tree = dict[bytes, Seen]


@dataclass(frozen=True, slots=True)
class Bare:
    """What a workload does without us."""

    exit_code: int
    probe: str
    before: Tree
    after: Tree


class Stage:
    """The place, and what each workload does there without us."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._bare: dict[str, Bare] = {}

    def set_up(self, workload: Workload) -> Tree:
        """Make the tree; returns how it looks."""
        require(*workload.tools)
        if not available(workload):
            pytest.skip(f"not installed: one of {', '.join(workload.unpromised)}")
        self.place.set_up(workload)
        return self.look()

    def look(self) -> Tree:
        """The tree as it is now."""
        return look(os.fsencode(self.place.tree))

    def bare(self, workload: Workload) -> Bare:
        """What it does without us; measured once."""
        if workload.name not in self._bare:
            before = self.set_up(workload)
            ran = self.place.run_bare(workload)
            assert ran.exit_code == workload.exit_code, ran.output
            after = self.look()
            assert differences(before, after) or workload.name in QUIET
            self._bare[workload.name] = Bare(ran.exit_code, self.place.probe(workload), before, after)
        return self._bare[workload.name]

    def assert_as_bare(self, workload: Workload, exit_code: int | None, said: object) -> None:
        """It ended as it does without us, and left the same tree."""
        bare = self.bare_before_now(workload)
        after = self.look()
        wrong = differences(without_times(bare.after, workload), without_times(after, workload))
        assert wrong == [], said
        assert exit_code == bare.exit_code, said
        assert self.place.probe(workload) == bare.probe, said

    def bare_before_now(self, workload: Workload) -> Bare:
        """What was measured before this workload ran here."""
        return self._bare[workload.name]


QUIET = frozenset({"nothing"})
"""Workloads that leave everything as it was."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    place = Place(tmp_path_factory.mktemp("workloads"))
    kept = {name: os.environ[name] for name in ("XDG_RUNTIME_DIR",) if name in os.environ}
    variables = {**kept, **place.environment()}
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(tempfile, "tempdir", None)  # it was found before TMPDIR was set
        yield Stage(place)
        assert sorted(os.listdir(place.workspace)) in ([], ["tree"])
        assert [found for found in place.state.rglob("*") if not found.is_dir()] == []
        assert os.listdir(place.base / "tmp") == []


@pytest.fixture(scope="module")
def guarded(stage: Stage) -> Iterator[Cbx]:
    yield from _opened(stage, GUARD)


@pytest.fixture(scope="module")
def unguarded(stage: Stage) -> Iterator[Cbx]:
    yield from _opened(stage, OFF)


def _opened(stage: Stage, settings: Settings) -> Iterator[Cbx]:
    with Runner(stage.place.workspace, settings, name="test") as runner:
        yield Cbx(stage.place.workspace, root=stage.place.workspace, settings=settings, connect=lambda: runner)


def run(cbx: Cbx, workload: Workload, rollback: Rollback) -> Outcome:
    command = CommandConfig(name=workload.name, run=workload.script, line=0, rollback=rollback)
    return cbx.at("tree").run_all([command])[0]


every = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)


def test_there_are_enough() -> None:
    assert len(WORKLOADS) >= 40
    assert len({workload.name for workload in WORKLOADS}) == len(WORKLOADS)


@every
def test_kept_it_is_as_bare(stage: Stage, guarded: Cbx, workload: Workload) -> None:
    bare = stage.bare(workload)
    stage.set_up(workload)
    outcome = run(guarded, workload, Rollback.NEVER)
    assert_tells(outcome, bare.before, stage.look())
    stage.assert_as_bare(workload, outcome.exit_code, outcome)
    assert outcome.isolation == "guard"
    assert not outcome.rolled_back


@every
def test_undone_it_is_as_before(stage: Stage, guarded: Cbx, workload: Workload) -> None:
    bare = stage.bare(workload)
    before = stage.set_up(workload)
    outcome = run(guarded, workload, Rollback.ALWAYS)
    assert differences(before, stage.look()) == [], outcome
    assert outcome.exit_code == bare.exit_code, outcome
    assert outcome.rolled_back or workload.name == "nothing", outcome
    assert outcome.rollback_incomplete == ()


@pytest.mark.parametrize("workload", WORKLOADS[::3], ids=lambda workload: workload.name)
def test_without_isolation_it_is_as_bare(stage: Stage, unguarded: Cbx, workload: Workload) -> None:
    stage.bare(workload)
    stage.set_up(workload)
    outcome = run(unguarded, workload, Rollback.NEVER)
    stage.assert_as_bare(workload, outcome.exit_code, outcome)
    assert (outcome.isolation, outcome.changes, outcome.rolled_back) == ("off", None, False)


def assert_tells(outcome: Outcome, before: Tree, after: Tree) -> None:
    """What an outcome says of created and deleted paths is so."""
    assert outcome.changes is not None
    created, deleted = after.keys() - before.keys(), before.keys() - after.keys()
    assert set(outcome.changes.created) == set(map(os.fsdecode, created)), outcome
    assert set(outcome.changes.deleted) == set(map(os.fsdecode, deleted)), outcome
    told = set(map(os.fsencode, (*outcome.changes.modified, *outcome.changes.created)))
    # Of a file with several names the one is told by which it was changed.
    inodes = {after[path].linked for path in told & after.keys()} | {
        before[path].linked for path in told & before.keys()
    }
    for path in (before.keys() & after.keys()) - told:
        same = not _changed(before[path], after[path]) or {before[path].linked, after[path].linked} & inodes
        assert same or path == b".", f"{path!r} is not told to be modified: {outcome}"


def _changed(old: Seen, new: Seen) -> bool:
    return (old.mode, old.content, old.owner, old.xattrs) != (new.mode, new.content, new.owner, new.xattrs)


# --- the command line ------------------------------------------------------------------------------------


def cbx_run(
    stage: Stage, workload: Workload, rollback: str, isolation: str = "guard"
) -> subprocess.CompletedProcess[str]:
    """`cbx run` in the tree."""
    options = ["--workspace", str(stage.place.workspace), "--isolation", isolation, "--rollback", rollback]
    report = stage.place.base / "run.json"
    words = [sys.executable, "-m", "pytest_cbx.cli.main", "run", *options, "--json", str(report), "--", workload.script]
    return subprocess.run(
        words, cwd=stage.place.tree, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", BY_HAND)
def test_cbx_run_keeps_and_undoes(stage: Stage, name: str) -> None:
    workload = named(name)
    stage.bare(workload)
    before = stage.set_up(workload)
    tried = cbx_run(stage, workload, "always")
    assert differences(before, stage.look()) == [], tried
    assert tried.returncode == workload.exit_code, tried
    done = cbx_run(stage, workload, "never")
    stage.assert_as_bare(workload, done.returncode, done)
    assert sorted(os.listdir(stage.place.workspace)) == ["tree"]
    row = json.loads(Path(stage.place.base / "run.json").read_text())
    assert row["rolled_back"] is False
    assert row["changes"]
