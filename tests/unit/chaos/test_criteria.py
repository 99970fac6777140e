"""Each criterion passes what is good, and catches what is bad."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from pytest_cbx.chaos import report
from pytest_cbx.chaos.bounds import needed, ratio, upper_ratio, upper_share
from pytest_cbx.chaos.criteria import State, Verdict, judge
from pytest_cbx.chaos.model import (
    Evidence,
    Occupancy,
    Operation,
    OperationClass,
    Pair,
    Phase,
    TreeState,
    Trial,
)
from pytest_cbx.faults.model import Fail, Fault, Hit, Signal, Trigger

FAULT = Fault(id="f", kind="disk_full", trigger=Trigger(), action=Fail(error=28))
HIT = Hit(fault="f", kind="disk_full", at=0.0, command="c", task=1, attempt=1)


def operation(result: OperationClass = OperationClass.OK, **values: Any) -> Operation:
    return Operation(**{"name": "save", "command": "save", "kind": "write", "result": result, **values})


def trial(number: int = 1, **values: Any) -> Trial:
    base: dict[str, Any] = {
        "number": number, "seed": 7, "faults": (FAULT,), "hits": (HIT,), "operations": (operation(),),
        "tree": TreeState.POST, "recovery_s": 0.2,
    }  # fmt: skip
    return Trial(**base | values)


KILL = Fault(id="k", kind="kill", trigger=Trigger(), action=Signal(number=9))


def point(number: int, **values: Any) -> Trial:
    """A strike that the command did not survive."""
    struck = {"operations": (operation(OperationClass.INJECTED, hits=("f",)),), "tree": TreeState.PRE, "point": number}
    return trial(number, **struck | values)


GOOD = Evidence(
    seed=7,
    trials=(
        *(trial(number) for number in range(1, 500)),
        *(
            point(number, phase=phase, persistent=persistent)
            for number in range(1, 5)
            for phase in Phase
            for persistent in (False, True)
        ),
        point(9, faults=(KILL,), hits=(msgspec.structs.replace(HIT, fault="k"),)),
    ),
    pairs=tuple(Pair(bare_s=1.0 + 0.001 * n, cbx_s=1.01 + 0.001 * n, length_s=0.5) for n in range(12)),
    occupancy=Occupancy(wanted=1000.0, idle=0.5, reference_s=0.5, makespan_s=10.2, lower_bound_s=10.0),
    repeat="pytest --cbx-gate chaos/",
)


def verdict(evidence: Evidence, name: str) -> Verdict:
    (found,) = [one for one in judge(evidence).verdicts if name in one.name]
    return found


def with_trial(**values: Any) -> Evidence:
    return dataclasses.replace(GOOD, trials=(*GOOD.trials, trial(1000, **values)))


def test_all_six_pass() -> None:
    judgement = judge(GOOD)
    assert [one.state for one in judgement.verdicts] == [State.PASSED] * 6, list(report.lines(judgement))
    assert judgement.state is State.PASSED


BAD = {
    "corruption": with_trial(tree=TreeState.OTHER),
    "zero corruption": with_trial(tree=TreeState.PRE),  # success was reported
    "o corruption": with_trial(converged=False, recovery_s=None),  # nobody was killed, and it does not come right
    "failed operations": with_trial(operations=(operation(OperationClass.WRONG, reason="it lied"),)),
    "degradation": dataclasses.replace(GOOD, pairs=tuple(Pair(bare_s=1.0, cbx_s=1.2) for _ in range(12))),
    "recovery": with_trial(recovery_s=10.5),
    "utilisation": dataclasses.replace(GOOD, occupancy=Occupancy(wanted=1000.0, idle=2.0)),
    "rollback": with_trial(rolled_back=False),
}


@pytest.mark.parametrize("name", list(BAD))
def test_each_catches_what_is_bad(name: str) -> None:
    assert verdict(BAD[name], name).state is State.FAILED
    assert judge(BAD[name]).state is State.FAILED
    others = [one.state for one in judge(BAD[name]).verdicts if name not in one.name]
    assert others == [State.PASSED] * 5


NOT_ENOUGH = {
    "failed operations": dataclasses.replace(GOOD, trials=GOOD.trials[:400] + GOOD.trials[499:]),
    "corruption": dataclasses.replace(GOOD, trials=tuple(one for one in GOOD.trials if not one.point)),
    "degradation": dataclasses.replace(GOOD, pairs=GOOD.pairs[:3]),
    "recovery": dataclasses.replace(
        GOOD, trials=tuple(dataclasses.replace(one, recovery_s=0.1 if one.number < 29 else None) for one in GOOD.trials)
    ),
    "utilisation": dataclasses.replace(GOOD, occupancy=None),
    "rollback": dataclasses.replace(GOOD, trials=tuple(one for one in GOOD.trials if one.phase is Phase.COMMAND)),
    "100 % rollback": dataclasses.replace(GOOD, trials=tuple(one for one in GOOD.trials if not one.persistent)),
}


@pytest.mark.parametrize("name", list(NOT_ENOUGH))
def test_too_little_is_neither(name: str) -> None:
    found = verdict(NOT_ENOUGH[name], name)
    assert found.state is State.INVALID
    assert found.details
    assert judge(NOT_ENOUGH[name]).state is State.INVALID


@pytest.mark.parametrize(("trials", "state"), [(458, State.INVALID), (459, State.PASSED)])
def test_how_many_trials_without_a_failure_are_needed(trials: int, state: State) -> None:
    evidence = Evidence(seed=1, trials=tuple(trial(number) for number in range(trials)))
    assert verdict(evidence, "failed operations").state is state
    assert needed(0.01) == 459
    assert needed(0.01, alpha=0.05) == 299
    assert upper_share(0, 298, 0.05) >= 0.01 > upper_share(0, 299, 0.05)


def test_one_failure_needs_more_trials() -> None:
    bad = trial(0, operations=(operation(OperationClass.COLLATERAL),))
    few = Evidence(seed=1, trials=(bad, *(trial(number) for number in range(500))))
    many = Evidence(seed=1, trials=(bad, *(trial(number) for number in range(800))))
    assert verdict(few, "failed operations").state is State.FAILED
    assert verdict(many, "failed operations").state is State.PASSED


def test_an_injected_failure_counts_only_where_a_retry_should_have_masked_it() -> None:
    injected = with_trial(operations=(operation(OperationClass.INJECTED, hits=("f",)),))
    assert verdict(injected, "failed operations").counts["failed_trials"] == 0
    maskable = with_trial(operations=(operation(OperationClass.INJECTED, hits=("f",), maskable=True),))
    assert verdict(maskable, "failed operations").counts["failed_trials"] == 1


def test_what_a_fault_hit_is_no_part_of_the_population() -> None:
    survived = Evidence(
        seed=1, trials=tuple(trial(number, operations=(operation(hits=("f",)),)) for number in range(600))
    )
    found = verdict(survived, "failed operations")
    assert found.state is State.INVALID
    assert found.counts["trials"] == 0
    wrong = with_trial(operations=(operation(OperationClass.WRONG, hits=("f",)),))
    assert verdict(wrong, "failed operations").state is State.FAILED, "a wrong one fails wherever it is"


def test_unknown_fails() -> None:
    evidence = with_trial(operations=(operation(OperationClass.UNKNOWN),))
    assert verdict(evidence, "failed operations").state is State.FAILED


def test_a_fault_that_did_not_strike_makes_the_run_invalid() -> None:
    judgement = judge(with_trial(hits=()))
    assert judgement.state is State.INVALID
    assert judgement.invalid == ("planned faults did not strike: 1 × disk_full",)


def test_nothing_is_nothing() -> None:
    judgement = judge(Evidence(seed=1))
    assert judgement.state is State.INVALID
    assert all(one.state is State.INVALID for one in judgement.verdicts)
    assert Evidence(seed=1).empty


def test_what_was_completed_late_is_told_apart() -> None:
    found = verdict(with_trial(healed_late=True), "rollback")
    assert found.state is State.PASSED
    assert "1 reported incomplete and completed once healed" in found.measured


def test_a_ratio_is_of_medians_and_its_bound_is_above() -> None:
    pairs = [(1.0, 1.1), (1.2, 1.2), (0.9, 1.0), (1.0, 1.05)]
    assert ratio(pairs) == pytest.approx(1.075)
    assert upper_ratio(pairs) >= ratio(pairs)
    assert upper_ratio(pairs) == upper_ratio(pairs), "the same numbers, the same bound"
    assert upper_ratio(pairs[:2]) == float("inf")


def test_a_bad_run_is_not_hidden_by_a_good_one() -> None:
    full = Evidence(seed=1, occupancy=Occupancy(wanted=100, idle=0.01, reference_s=5))
    idle = Evidence(seed=1, occupancy=Occupancy(wanted=100, idle=5, reference_s=3))
    for both in (full + idle, idle + full):
        assert verdict(both, "utilisation").state is State.FAILED
        assert both.occupancy is not None
        assert both.occupancy.reference_s == 3


@pytest.mark.parametrize(("count", "state"), [(58, State.INVALID), (59, State.PASSED)])
def test_how_many_recoveries_are_needed(count: int, state: State) -> None:
    assert verdict(Evidence(seed=1, trials=tuple(trial(number) for number in range(count))), "recovery").state is state


def test_what_is_invalid_is_not_failed() -> None:
    assert judge(dataclasses.replace(BAD["corruption"], invalid=("interrupted",))).state is State.INVALID


def test_evidence_adds_up() -> None:
    both = Evidence(seed=7, trials=(trial(),)) + Evidence(seed=0, pairs=(Pair(bare_s=1, cbx_s=1),), repeat="again")
    assert (len(both.trials), len(both.pairs), both.seed, both.repeat) == (1, 1, 7, "again")


def test_it_survives_the_way_from_a_worker() -> None:
    assert msgspec.json.decode(msgspec.json.encode(GOOD), type=Evidence) == GOOD


def test_the_file_says_what_the_table_says() -> None:
    judgement = judge(GOOD)
    file = report.as_file(judgement)
    assert msgspec.json.decode(msgspec.json.encode(file), type=report.CriteriaFile) == file
    table = "\n".join(report.lines(judgement, plain=True))
    for row in file.criteria:
        assert row.measured in table
    assert "seed 7; again: pytest --cbx-gate chaos/" in table
    assert dict(report.properties(judgement))["cbx.chaos.state"] == "passed"
