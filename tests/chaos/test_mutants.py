"""The gate proves itself: each known-bad product is caught by the criterion that is there for it; the good one is not."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.chaos.criteria import State, judge
from pytest_cbx.chaos.leases import Leases
from pytest_cbx.chaos.measures import measure
from pytest_cbx.chaos.model import Evidence, Operation, OperationClass, TreeState, Trial
from pytest_cbx.client import api
from pytest_cbx.client.api import Cbx
from pytest_cbx.client.connection import Connection
from pytest_cbx.client.jobs import plan
from pytest_cbx.config.model import CommandConfig, Durability, Settings
from tests.mutants.engine import MUTANTS
from tests.mutants.hook import mutate_engines

CORRUPTION, FAILED, RECOVERY, UTILISATION = (
    "zero corruption",
    "< 1 % failed operations",
    "< 10 s recovery",
    "99.9 % utilisation",
)
ROLLBACK = "100 % rollback"
CAUGHT_BY = {
    "roll_back_skips_a_file": (CORRUPTION, ROLLBACK),
    "roll_back_leaves_what_was_made": (CORRUPTION, ROLLBACK),
    "roll_back_forgets_renames": (CORRUPTION, ROLLBACK),
    "roll_back_forgets_removed_files": (CORRUPTION, ROLLBACK),
    "roll_back_forgets_modes": (CORRUPTION, ROLLBACK),
    "roll_back_forgets_times": (CORRUPTION, ROLLBACK),
    "journal_after_the_call": (CORRUPTION, ROLLBACK),
    "orphans_survive": (FAILED,),
    "says_passed_though_undone": (CORRUPTION, FAILED),
    "exit_codes_are_lost": (CORRUPTION, FAILED),
    "recovery_skips_journals": (CORRUPTION, ROLLBACK),
    "recovery_removes_journals": (CORRUPTION, ROLLBACK),
    "time_outs_are_not_kept": (FAILED,),
    "two_writers_at_once": (CORRUPTION,),
    "unconfirmed_is_called_kept": (FAILED,),
    "slots_stay_idle": (UTILISATION,),
}
WORK = "echo new > a; chmod 600 a; rm b; mv c d; mkdir e; echo made > e/f; chmod 700 g; echo end > h"
COUNT = "n=$(cat count); sleep 0.05; echo $((n + 1)) > count"


class Stand:
    """A work tree with an engine of its own."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings
        self.connection = Connection(root, settings, name="a mutant's client")
        self.leases = Leases(self.connection)
        self.cbx = Cbx(root, root=root, settings=settings, connect=self.connection, faults=self.leases.planted)
        self.evidence = Evidence(seed=1)
        self.chaos = Chaos(self.leases, self.cbx, renew=self.connection.close, record=self.record)

    def record(self, evidence: Evidence) -> None:
        self.evidence += evidence

    def close(self) -> None:
        self.leases.close()
        self.connection.close()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    root = tmp_path / "tree"
    root.mkdir()
    subprocess.run(["git", "init", "-q", root], check=True)
    for name in "abcg":
        (root / name).write_text(name)
    settings = dataclasses.replace(Settings(), learn=False, durability=Durability.POWER)
    made = Stand(root, settings)
    yield made
    made.close()


def killed(stand: Stand) -> None:
    stand.chaos.every_point("kill", WORK, work="work")


def killed_engine(stand: Stand) -> None:
    stand.chaos.every_point("kill", "echo new > a; rm b; echo more > a; mkdir e", work="work", whom="engine")


def full(stand: Stand) -> None:
    stand.chaos.every_point("disk_full", f"set -e; {WORK}", work="work")


def hung(stand: Stand) -> None:
    stand.chaos.every_point("hang", "echo new > a", work="work", timeout=0.3, lease=6.5)


def orphan(stand: Stand) -> None:
    stand.chaos.every_point("exit_code", "(exec >&-; exec sleep 3) & echo x > a", work="work", code=1)


def unconfirmed(stand: Stand) -> None:
    stand.chaos.every_point(
        "journal_error", "echo new > a", work="work", calls=("fsync",), phase="keep", lasting=(False, True)
    )


def counted(stand: Stand) -> None:
    """Several at once that read, and then write: as one after the other, by the locks alone, without an order from the plan."""
    (stand.root / "count").write_text("0")
    configs = [CommandConfig(name=f"count {number}", run=COUNT, line=0, reads=("count",)) for number in range(4)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "plan", lambda jobs, **more: dataclasses.replace(plan(jobs, **more), edges=(), joins=()))
        outcomes = stand.cbx.run_all(configs)
    right = (stand.root / "count").read_text().strip() == "4"
    operations = tuple(
        Operation(name=one.name, command=COUNT, kind="count", result=OperationClass.OK, status=one.status)
        for one in outcomes
    )
    tree = TreeState.POST if right and all(one.ok for one in outcomes) else TreeState.OTHER
    stand.record(
        Evidence(seed=1, trials=(Trial(number=1, seed=1, faults=(), hits=(), operations=operations, tree=tree),))
    )


def idle(stand: Stand) -> None:
    stand.record(measure(stand.root, stand.root, stand.settings, rounds=0, long=2.0))


SCENARIOS = {
    "recovery_skips_journals": killed_engine,
    "recovery_removes_journals": killed_engine,
    "exit_codes_are_lost": full,
    "time_outs_are_not_kept": hung,
    "orphans_survive": orphan,
    "two_writers_at_once": counted,
    "unconfirmed_is_called_kept": unconfirmed,
    "slots_stay_idle": idle,
}


def verdicts(stand: Stand) -> dict[str, State]:
    return {verdict.name: verdict.state for verdict in judge(stand.evidence).verdicts}


def test_there_are_as_many_as_were_asked_for() -> None:
    assert CAUGHT_BY.keys() == MUTANTS.keys()
    assert len(MUTANTS) >= 12


@pytest.mark.parametrize("name", list(MUTANTS))
def test_a_mutant_is_caught(name: str, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate_engines(monkeypatch, name)
    SCENARIOS.get(name, killed)(stand)
    found = verdicts(stand)
    caught = [criterion for criterion, state in found.items() if state is State.FAILED]
    told = [one.reason for trial in stand.evidence.trials for one in trial.operations if one.reason][:1]
    print(f"{name} → {', '.join(caught) or 'NOT CAUGHT'}{': ' + told[0] if told else ''}")
    assert set(CAUGHT_BY[name]) <= set(caught), (found, told)


@pytest.mark.parametrize("scenario", [killed, killed_engine, full, hung, orphan, unconfirmed, counted])
def test_without_a_mutant_it_is_green(scenario: object, stand: Stand) -> None:
    assert callable(scenario)
    scenario(stand)
    wrong = [one.reason for trial in stand.evidence.trials for one in trial.operations if one.reason]
    assert not wrong
    assert not [trial for trial in stand.evidence.trials if trial.tree is TreeState.OTHER]
    found = verdicts(stand)
    assert found[ROLLBACK] is not State.FAILED
    assert found[CORRUPTION] is not State.FAILED
