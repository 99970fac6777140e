"""Trapped calls of real processes: what they would do, and that the answers change nothing about how they end."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cbx.execute.kernel.seccomp import notification_sizes
from pytest_cbx.execute.supervision.deeds import Deed, Trap
from tests.supervisor import Verdict, supervise
from tests.system.supervised_calls import CASES, MARK, Case, clear_outside, directory_of, make_tree, possible

REPOSITORY = Path(__file__).parent.parent.parent


def _works() -> bool:
    try:
        notification_sizes()
    except OSError:
        return False
    return sys.platform == "linux"


pytestmark = pytest.mark.skipif(not _works(), reason="no seccomp notification here")


def told(trap: Trap, base: Path) -> str:
    """A trap as the table of cases writes it."""
    if trap.deed is Deed.SIGNAL:
        return f"signal {trap.number} to {trap.target}"
    if trap.deed is Deed.BIND:
        return f"bind {trap.number}"
    parts = [*(["outside"] if trap.outside and trap.deed is not Deed.NONE else []), trap.deed.value]
    parts += [errno.errorcode[trap.error]] if trap.error else []
    parts += [_shown(trap.path, base)] if trap.path else []
    if trap.other:
        parts += ["<" if trap.deed is Deed.CREATE else ">", _shown(trap.other, base)]
    return " ".join(
        [
            *parts,
            *(["!"] if trap.structural else []),
            *(["tree"] if trap.tree else []),
            *(["bars"] if trap.bars else []),
        ]
    )


def _shown(path: bytes, base: Path) -> str:
    inside = path.startswith(os.fsencode(base))
    return repr(os.path.relpath(path, os.fsencode(base)) if inside else path)[2:-1]


@dataclass
class Ran:
    """All cases, made once with and once without a supervisor."""

    told: dict[int, list[str]]
    supervised: list[list[int]]
    bare: list[list[int]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    base = Path(os.path.realpath(tmp_path_factory.mktemp("calls")))
    for name in ("supervised", "bare"):
        for number in range(len(CASES)):
            make_tree(directory_of(base / name, number))
    seen: dict[int, list[str]] = {}
    current = -1

    def before(trap: Trap) -> Verdict:
        nonlocal current
        if trap.deed is Deed.SIGNAL and trap.target >= MARK - 1:
            current = trap.target - MARK
            seen[current] = []
            return errno.ESRCH
        seen.setdefault(current, []).append(told(trap, directory_of(base / "supervised", current)))
        return None

    script = [sys.executable, "-m", "tests.system.supervised_calls"]
    environment = {**os.environb, b"PYTHONDONTWRITEBYTECODE": b"1", b"PYTHONPATH": os.fsencode(REPOSITORY)}
    done = supervise(
        [*script, str(base / "supervised")],
        REPOSITORY,
        before=before,
        roots=(os.fsencode(base),),
        environment=environment,
    )
    assert done.exit_code == 0, done.output
    bare = subprocess.run(
        [*script, str(base / "bare")], cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True
    )
    clear_outside()
    return Ran(told=seen, supervised=json.loads(done.output), bare=json.loads(bare.stdout))


@pytest.mark.parametrize(
    ("number", "case"),
    [pytest.param(number, case, id=case.name.replace(" ", "-")) for number, case in enumerate(CASES)],
)
def test_a_call_is_seen_for_what_it_does_and_ends_as_it_would(ran: Ran, number: int, case: Case) -> None:
    if not possible(case):
        pytest.skip(f"this machine has no {' '.join(case.needs)}")
    assert ran.told[number] == list(case.expected)
    assert (ran.supervised[number] == ran.bare[number]) is not case.differs
