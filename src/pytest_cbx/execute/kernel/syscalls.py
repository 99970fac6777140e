"""The system calls of x86-64 and aarch64, and what becomes of each in a supervised command.

The facts are in `numbers.tbl` (the kernel's own numbers) and `treatments.tbl` (our judgement of each call, with its
reason, in the format that its head describes).
"""

from __future__ import annotations

import enum
import errno
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pytest_cbx.errors import InternalError

AUDIT_ARCHITECTURES: Mapping[str, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Machine (as `platform.machine()` says it) → what seccomp calls it. Source: linux/audit.h."""

X32_BIT = 0x40000000
"""Set in the number of a call by the x32 ABI of x86-64: the same call with 32-bit pointers. Source: asm/unistd.h."""


class Treatment(enum.Enum):
    """What becomes of a call. The meanings are at the head of `treatments.tbl`."""

    TRAPPED = "trapped"
    SIGNAL = "signal"
    READING = "reading"
    REFUSED = "refused"
    DENIED = "denied"
    HARMLESS = "harmless"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A test of one argument's low 32 bits, which is where all flags are."""

    argument: int
    """From 0."""
    bits: bool
    """True: one of the values' bits is set. False: the argument is one of the values."""
    values: frozenset[int]

    def holds(self, value: int) -> bool:
        """Whether an argument passes the test."""
        low = value & 0xFFFFFFFF
        return any(low & each for each in self.values) if self.bits else low in self.values


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What becomes of a call, and why."""

    treatment: Treatment
    """Of every call, or of those for which the condition holds."""
    error: int
    """The error number where the treatment is DENIED or REFUSED, else 0."""
    condition: Condition | None
    otherwise: Treatment
    """Where the condition does not hold; the treatment again where there is none."""
    reason: str

    def treat(self, arguments: tuple[int, ...]) -> Treatment:
        """What becomes of a call with these arguments."""
        if self.condition is None or self.condition.holds(arguments[self.condition.argument]):
            return self.treatment
        return self.otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All calls of one machine."""

    machine: str
    architecture: int
    """As seccomp calls it."""
    numbers: Mapping[str, int]
    names: Mapping[int, str]
    rules: Mapping[int, Rule]
    """By number; every number of `names` has one."""


def supported(machine: str | None = None) -> bool:
    """Whether there is a table for a machine; this one by default."""
    return (machine or platform.machine()) in AUDIT_ARCHITECTURES


@cache
def table(machine: str | None = None) -> Table:
    """The calls of a machine; of this one by default.

    Raises:
        OSError: ENOSYS for a machine without a table.
    """
    machine = machine or platform.machine()
    if machine not in AUDIT_ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"there is no table of system calls for {machine}")
    numbers = _numbers(machine)
    rules = read_rules(_text("treatments.tbl"))
    missing = numbers.keys() - rules.keys()
    if missing:
        raise InternalError(f"system calls without a treatment: {', '.join(sorted(missing))}")
    return Table(
        machine=machine,
        architecture=AUDIT_ARCHITECTURES[machine],
        numbers=numbers,
        names={number: name for name, number in numbers.items()},
        rules={number: rules[name] for name, number in numbers.items()},
    )


def _numbers(machine: str) -> dict[str, int]:
    column = list(AUDIT_ARCHITECTURES).index(machine) + 1
    rows = (line.split() for line in _lines(_text("numbers.tbl")))
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


_SET = re.compile(r"\{(\w+)\}")
_RULE = re.compile(
    r"\[(?P<treatment>\w+)(?: (?P<error>E\w+))?"
    r"(?: when (?P<argument>[0-5]) (?P<test>&|in) (?P<set>\w+) else (?P<otherwise>\w+))?\] (?P<reason>.+)"
)


def read_rules(text: str) -> dict[str, Rule]:
    """The rule of each call's name. Raises `InternalError` where the text breaks the format: it is our own."""
    rules: dict[str, Rule] = {}
    sets: dict[str, set[int]] = {}
    rule: Rule | None = None
    values: set[int] = set()
    for line in _lines(text):
        if line.startswith("{") and (opening := _SET.match(line)):
            values, rule = sets.setdefault(opening[1], set()), None
        elif line.startswith("["):
            rule = _read_rule(line, sets)
        elif rule is None:
            values.add(int(line.split()[1], 0))
        else:
            for name in line.split():
                if name in rules:
                    raise InternalError(f"treatments.tbl has {name} twice")
                rules[name] = rule
    return rules


def _read_rule(line: str, sets: Mapping[str, set[int]]) -> Rule:
    found = _RULE.fullmatch(line)
    if found is None or (found["error"] is None) == (found["treatment"] in ("denied", "refused")):
        raise InternalError(f"treatments.tbl has a rule that cannot be read: {line}")
    condition = None
    if found["set"]:
        values = frozenset(sets[found["set"]])
        condition = Condition(argument=int(found["argument"]), bits=found["test"] == "&", values=values)
    return Rule(
        treatment=Treatment(found["treatment"]),
        error=getattr(errno, found["error"]) if found["error"] else 0,
        condition=condition,
        otherwise=Treatment(found["otherwise"] or found["treatment"]),
        reason=found["reason"],
    )


def _lines(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if line and not line.startswith("#"))


def _text(name: str) -> str:
    return resources.files("pytest_cbx.execute.kernel").joinpath(name).read_text("utf-8")
