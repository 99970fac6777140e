"""The seccomp filter of supervised commands: from the table of treatments to a program for the kernel.

The kernel runs the program before every system call of the command. So it looks the number up by a binary search over
ranges of numbers that are treated alike, and what follows a lookup depends on the number alone wherever it can: the
kernel then remembers "always allowed" per number and skips the program (Linux 5.11).
Sources: seccomp(2), `networking/filter.rst` (classic BPF), kernel/seccomp.c (`seccomp_is_const_allow`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pytest_cbx.execute.kernel.syscalls import X32_BIT, Rule, Table, Treatment, table

ALLOW = 0x7FFF0000
NOTIFY = 0x7FC00000
"""The supervisor is asked."""
DENY = 0x00050000
"""Plus the error number."""
UNKNOWN = DENY | 38
"""ENOSYS for numbers that the table does not have: a call newer than the table may change files, and programs fall back
from it. The number stands here because `errno` has other values on other systems, where filters are only built."""

_LOAD, _JUMP, _IF_EQUAL, _IF_AT_LEAST, _IF_BITS, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
_INSTRUCTION = struct.Struct("=HBBI")
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in `struct seccomp_data`."""
_FARTHEST = 255
"""How many instructions a conditional jump can skip."""
_TRACER_SKIPPED = 0xFFFFFFFF
"""The number that a tracer sets so that a call is not made. An error here would replace the tracer's answer."""

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""
Code = list[Instruction]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterPolicy:
    """Which of the treatments that depend on the command are traps."""

    reads: bool = False
    """Whether looking at paths is trapped, too (isolation "serializable")."""
    signals: bool = True
    """Whether signals are trapped. False where a Landlock domain keeps them in (ABI 6)."""
    calls: frozenset[str] = frozenset()
    """Names of calls that are trapped whatever their treatment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A filter as `seccomp(2)` takes it."""

    code: bytes
    """Instructions of 8 bytes, in this machine's byte order."""

    @property
    def length(self) -> int:
        """Number of instructions."""
        return len(self.code) // _INSTRUCTION.size


@cache
def build(policy: FilterPolicy, machine: str | None = None) -> Program:
    """The filter for commands on a machine; on this one by default.

    Raises:
        OSError: ENOSYS for a machine without a table of system calls.
    """
    calls = table(machine)
    code: Code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, calls.architecture),
        (_RETURN, 0, 0, NOTIFY),  # another architecture's calls have other numbers: the supervisor refuses them by name
        (_LOAD, 0, 0, _NUMBER),
        *_search(_ranges(_answers(calls, policy), foreign=calls.machine == "x86_64")),
    ]
    return Program(code=b"".join(_INSTRUCTION.pack(*instruction) for instruction in code))


def action(treatment: Treatment, error: int, policy: FilterPolicy) -> int:
    """What the filter returns for a treatment."""
    if treatment is Treatment.DENIED:
        return DENY | error
    trapped = {
        Treatment.TRAPPED: True,
        Treatment.REFUSED: True,
        Treatment.SIGNAL: policy.signals,
        Treatment.READING: policy.reads,
        Treatment.HARMLESS: False,
    }
    return NOTIFY if trapped[treatment] else ALLOW


def _answers(calls: Table, policy: FilterPolicy) -> dict[int, Code]:
    return {
        number: _give(NOTIFY) if calls.names[number] in policy.calls else _answer(rule, policy)
        for number, rule in calls.rules.items()
    }


def _answer(rule: Rule, policy: FilterPolicy) -> Code:
    """The code that decides about a call whose number was found."""
    answer = action(rule.treatment, rule.error, policy)
    otherwise = action(rule.otherwise, rule.error, policy)
    condition = rule.condition
    if condition is None or answer == otherwise:
        return _give(answer)
    # The low half of a 64-bit argument comes first: both machines are little-endian.
    load = (_LOAD, 0, 0, _ARGUMENTS + 8 * condition.argument)
    if condition.bits:
        mask = 0
        for value in condition.values:
            mask |= value
        return [load, (_IF_BITS, 0, 1, mask), *_give(answer), *_give(otherwise)]
    starts = {value: _give(answer) for value in condition.values}
    return [load, *_search(_fill(starts, _give(otherwise)))]


def _give(value: int) -> Code:
    return [(_RETURN, 0, 0, value)]


def _ranges(answers: Mapping[int, Code], *, foreign: bool) -> list[tuple[int, Code]]:
    """Starts of ranges of numbers, ascending from 0, each with the code for the range. `foreign`: there is an x32."""
    ranges = _fill({**answers, _TRACER_SKIPPED: _give(ALLOW)}, _give(UNKNOWN))
    if foreign:
        tail = [(start, code) for start, code in ranges if start >= X32_BIT]
        head = [(start, code) for start, code in ranges if start < X32_BIT]
        return [*head, (X32_BIT, _give(NOTIFY)), (2 * X32_BIT, _give(UNKNOWN)), *tail]
    return ranges


def _fill(answers: Mapping[int, Code], between: Code) -> list[tuple[int, Code]]:
    """Ranges for single numbers with something else between them; neighbours that are treated alike are one range."""
    ranges: list[tuple[int, Code]] = [(0, between)]
    for number in sorted(answers):
        for start, code in ((number, answers[number]), (number + 1, between)):
            if ranges[-1][0] == start:
                ranges.pop()
            if not ranges or ranges[-1][1] != code:
                ranges.append((start, code))
    if ranges[-1][0] > _TRACER_SKIPPED:
        ranges.pop()
    return ranges


def _search(ranges: Sequence[tuple[int, Code]]) -> Code:
    """A balanced binary search for the range that the loaded value lies in."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    lower, upper = _search(ranges[:middle]), _search(ranges[middle:])
    start = ranges[middle][0]
    if len(lower) <= _FARTHEST:
        return [(_IF_AT_LEAST, len(lower), 0, start), *lower, *upper]
    return [(_IF_AT_LEAST, 0, 1, start), (_JUMP, 0, 0, len(lower)), *lower, *upper]
