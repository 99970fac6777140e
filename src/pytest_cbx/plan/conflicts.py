"""The conflict matrix of the founding documents, and whether two claims conflict."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from types import MappingProxyType

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.plan.regions import Region, containing, meet, region


class Operation(Enum):
    """Rows of the matrix."""

    READ = "read"
    WRITE = "write"
    CREATE = "create"
    DELETE = "delete"
    MODIFY = "modify"
    SYSTEM = "system"


class Resource(Enum):
    """Columns of the matrix."""

    FILE = "file"
    DIRECTORY = "directory"
    PROCESS = "process"
    NETWORK = "network"
    MEMORY = "memory"


class Verdict(IntEnum):
    """Cells of the matrix. For two operations on one resource the higher verdict counts."""

    SAFE = 0
    """✓: never conflicts."""
    CONDITIONAL = 1
    """⚠: conflicts when the resources overlap."""
    RESTRICTED = 2
    """✗: exclusive; the overlap is taken with the containing directory too."""


def _rows(table: str) -> Mapping[tuple[Operation, Resource], Verdict]:
    marks = {"✓": Verdict.SAFE, "⚠": Verdict.CONDITIONAL, "✗": Verdict.RESTRICTED}
    cells = {}
    for line in table.strip().splitlines():
        name, *row = line.split()
        for resource, mark in zip(Resource, row, strict=True):
            cells[Operation(name), resource] = marks[mark]
    return MappingProxyType(cells)


MATRIX: Mapping[tuple[Operation, Resource], Verdict] = _rows(
    # file dir process network memory; source: founding documents, "Conflict Detection Matrix"
    """
    read    ✓ ✓ ✓ ✓ ✓
    write   ⚠ ⚠ ⚠ ⚠ ✓
    create  ⚠ ⚠ ✓ ⚠ ✓
    delete  ✗ ✗ ⚠ ⚠ ✓
    modify  ⚠ ⚠ ⚠ ⚠ ✓
    system  ✗ ✗ ✗ ✗ ⚠
    """
)

_OPERATIONS = {
    Mode.READ: Operation.READ,
    Mode.CACHE: Operation.MODIFY,
    Mode.APPEND: Operation.MODIFY,
    Mode.WRITE: Operation.WRITE,
    Mode.CREATE: Operation.CREATE,
    Mode.DELETE: Operation.DELETE,
}
_COLUMNS = {Domain.FILE: Resource.FILE, Domain.PORT: Resource.NETWORK, Domain.PROCESS: Resource.PROCESS}


def verdict(mode: Mode, domain: Domain) -> Verdict:
    """The matrix's word on one use of one kind of resource.

    A named lock is no column of the matrix: it is safe to share for reading, conditional otherwise. Files and
    directories have the same cells. The row `system` has no mode: such commands claim the whole work tree to write.
    """
    if domain is Domain.LOCK:
        return Verdict.SAFE if mode is Mode.READ else Verdict.CONDITIONAL
    return MATRIX[_OPERATIONS[mode], _COLUMNS[domain]]


def _clashes(domain: Domain, a: Mode, b: Mode) -> bool:
    if a is b is Mode.CACHE:
        return False  # the tool itself keeps its cache whole
    return max(verdict(a, domain), verdict(b, domain)) > Verdict.SAFE


CLASHES: Mapping[Domain, Mapping[Mode, frozenset[Mode]]] = MappingProxyType(
    {
        domain: MappingProxyType({a: frozenset(b for b in Mode if _clashes(domain, a, b)) for a in Mode})
        for domain in Domain
    }
)
"""For each domain and mode: the modes that do not get along with it on an overlapping resource."""


def conflict(a: Claim, b: Claim) -> str | None:
    """Why the two claims cannot be held at once, `a` being the earlier one; None when they can.

    Names (locks, ports, processes) overlap when equal or when one is `*`. Files overlap when some path lies in both
    (`regions.region`). SOURCES leaves out targets that git ignores, unless its own directory is ignored. A DELETE also
    overlaps with a reader of the directory that holds its target, because that reader may list it.

    >>> conflict(write("src/a.py"), read("src/a.py"))  # doctest: +SKIP
    'src/a.py: read after write'
    """
    if a.domain is not b.domain or b.mode not in CLASHES[a.domain][a.mode] or not overlap(a, b):
        return None
    return f"{shared(a, b)}: {b.mode.value} after {a.mode.value}"


def overlap(a: Claim, b: Claim) -> bool:
    """Whether two claims of one domain are on resources that touch, whatever their modes (see `conflict`)."""
    if a.domain is not Domain.FILE:
        return a.target == b.target or "*" in (a.target, b.target)
    if (leaves_ignored(a) and b.ignored) or (leaves_ignored(b) and a.ignored):
        return False
    here, there = region(a), region(b)
    return meet(here, there) or _lists(a, b, here, there) or _lists(b, a, there, here)


def leaves_ignored(claim: Claim) -> bool:
    """Whether the claim does not cover what git ignores."""
    return claim.scope is Scope.SOURCES and not claim.ignored


def _lists(deleter: Claim, reader: Claim, deleted: Region, read: Region) -> bool:
    if reader.mode is not Mode.READ or verdict(deleter.mode, Domain.FILE) is not Verdict.RESTRICTED:
        return False
    return meet(containing(deleted), read)


def shared(a: Claim, b: Claim) -> str:
    """The narrower of two overlapping targets, for people."""
    if a.domain is not Domain.FILE:
        name = b.target if a.target == "*" else a.target
        return f"{a.domain.value} {name}"
    narrow = max((a, b), key=_narrowness)
    return place(narrow)


def _narrowness(claim: Claim) -> tuple[bool, int]:
    return claim.scope is Scope.PATH, len(region(claim).prefix)


def place(claim: Claim) -> str:
    """A FILE claim's target for people: a directory with what is below it ends with `/**`."""
    if claim.scope not in (Scope.TREE, Scope.SOURCES):
        return claim.target
    return "**" if claim.target == "." else f"{claim.target.rstrip('/')}/**"
