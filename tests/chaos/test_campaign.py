"""Campaigns find what is wrong, and shrink it; what is right passes, the same each time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.chaos.model import OperationClass, TreeState
from pytest_cbx.errors import UsageError

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
SAVE = "printf new > note.new && mv note.new note"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "note").write_text("old")
    (tmp_path / "other").write_text("other")
    return tmp_path


def test_what_is_right_passes(chaos: Chaos, tree: Path) -> None:
    before = chaos.picture(tree)
    found = chaos.campaign([(SAVE, "save"), "sed -i s/other/another/ other"], trials=40, seed=11)
    print(found)
    assert found.ok, str(found)
    assert len(found.trials) == 40
    assert {trial.tree for trial in found.trials} <= {TreeState.PRE, TreeState.POST}
    assert sum(len(trial.hits) for trial in found.trials) >= 40
    assert {one.kind for trial in found.trials for one in trial.operations} == {"save", "sed"}
    chaos.assert_whole(before, tree)


def test_the_same_seed_gives_the_same_three_times(chaos: Chaos, tree: Path) -> None:
    runs = [chaos.campaign([(SAVE, "save")], trials=10, seed=4) for _ in range(3)]
    assert runs[0].schedules == runs[1].schedules == runs[2].schedules
    classes = [[[one.result for one in trial.operations] for trial in run.trials] for run in runs]
    assert classes[0] == classes[1] == classes[2]
    assert chaos.campaign([(SAVE, "save")], trials=10, seed=5).schedules != runs[0].schedules
    assert tree.is_dir()


def test_a_naive_program_is_found_out_and_the_schedule_shrinks_to_one_fault(pytester: pytest.Pytester) -> None:
    for path in (FIXTURES / "naive_save").iterdir():
        if path.is_file():
            shutil.copy(path, pytester.path)
    done = pytester.runpytest_subprocess("-p", "no:randomly")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            "*the least schedule that fails, each time, with 1 fault:*",
            "*def test_found_by_chaos(cbx, chaos):*",
            "*with chaos.*at=*as fault:*",
            "*--cbx-chaos-seed 3*",
        ]
    )
    assert len((FIXTURES / "naive_save" / "test_save.py").read_text().splitlines()) <= 10


def test_the_pasted_test_fails_by_itself(pytester: pytest.Pytester, chaos: Chaos, tree: Path) -> None:
    found = chaos.campaign(["printf new > note || true"], faults=["disk_full"], trials=20, seed=1)
    assert found.shrunk is not None, found
    assert found.shrunk.steady
    assert len(found.shrunk.schedule.strikes) == 1
    text = str(found)
    pasted = text[text.index("def test_found_by_chaos") : text.index("or again:")]
    pytester.makeconftest(
        "import pytest\n@pytest.fixture(autouse=True)\ndef before(tmp_path): (tmp_path / 'note').write_text('old')\n"
    )
    pytester.makepyfile(pasted)
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*it passed, and something is missing*"])
    assert tree.is_dir()


def test_a_fault_that_cannot_strike_is_not_planned(chaos: Chaos, tree: Path) -> None:
    found = chaos.campaign([SAVE], faults=["network", "disk"], trials=10)
    assert {fault.kind for trial in found.trials for fault in trial.faults}.isdisjoint({"refused", "partition"})
    assert tree.is_dir()


@pytest.mark.parametrize(
    ("commands", "faults", "says"),
    [
        (["false"], [], "a campaign needs commands that pass when nothing strikes"),
        (
            ["true"],
            ["flood"],
            "there is no fault 'flood'; there are clock, disk, instance, memory, network, and of these",
        ),
        ([], [], "there are no commands"),
        (["true"], ["network"], "can strike any of these commands"),
    ],
)
def test_what_makes_no_campaign_is_told(chaos: Chaos, commands: list[str], faults: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        chaos.campaign(commands, faults, trials=1)


def test_trials_that_do_not_fit_make_it_invalid(chaos: Chaos, tree: Path) -> None:
    found = chaos.campaign([SAVE], trials=1000, seconds=0.5)
    assert not found.ok
    assert "of 1000 trials were made in the 0.5 s that there were" in str(found)
    assert not any(one.result is OperationClass.WRONG for trial in found.trials for one in trial.operations)
    assert tree.is_dir()
