"""cp, mv, ln and install: sources, and a destination that may be a directory. Facts: the GNU coreutils manual (9.x)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_cbx.effects.destinations import Target, destinations
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join
from pytest_cbx.effects.values import UNKNOWN, Field, Shape, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_NO_BACKUP = ("none", "off")


def _split(call: Call) -> tuple[list[Field], Field | None, bool]:
    """The sources, the destination, and whether the destination is surely a directory (`-t`)."""
    operands = call.parsed.operands
    directory = call.value("-t")
    if directory is not None:
        return operands, directory, True
    if len(operands) < 2 and not any(operand.many for operand in operands):
        return operands, None, False
    last = operands[-1]
    # What becomes several words may hold the last sources and the destination.
    return (operands if last.many else operands[:-1]), last, False


def _targets(call: Call, sources: Sequence[Field], destination: Field, *, tree: bool, directory: bool) -> list[Target]:
    if call.parsed.wild:
        # Some word may be `-t DIRECTORY`.
        return [(UNKNOWN, "tree"), *destinations(call, destination, sources, tree=tree)]
    if call.given("-T"):
        return [(destination, "tree" if tree else "path")]
    return list(destinations(call, destination, sources, tree=tree, directory=directory))


def _backups(call: Call, targets: Sequence[Target]) -> None:
    """`-b`, `--backup`, `-S`: what was there is kept beside it, as `x~`, `x.~1~` or `xSUFFIX`."""
    control, suffix = call.value("--backup"), call.value("-S")
    if not call.given("-b", "--backup", "-S") or (control is not None and control.text in _NO_BACKUP):
        return
    ending = suffix if suffix is not None else Field("~")
    for target, _ in targets:
        plain = Field(target.text.rstrip("/"), target.shape)
        if suffix is None:
            pattern = concat([plain, Field("*~", Shape.PATTERN)])
            call.touch(Kind.WRITE, pattern, "glob", "keeps what was there")
        else:
            call.touch(Kind.WRITE, concat([plain, ending]), why="keeps what was there")
            if control is None or control.text not in ("simple", "never"):
                call.touch(Kind.WRITE, concat([plain, Field(".~*~", Shape.PATTERN)]), "glob", "keeps what was there")


def _put(call: Call, kind: Kind, targets: Sequence[Target]) -> None:
    for target, scope in targets:
        call.touch(kind, target, scope)
    _backups(call, targets)


def copy(call: Call) -> None:
    """`cp [-r] SOURCE… DESTINATION`, `cp -t DIRECTORY SOURCE…`; `--parents` keeps the sources' directories."""
    tree = call.given("-r") or call.parsed.wild
    sources, destination, directory = _split(call)
    targets = []
    if destination is not None:
        if call.given("--parents"):
            targets = _with_parents(call, sources, destination, tree=tree)
        else:
            targets = _targets(call, sources, destination, tree=tree, directory=directory)
    for source in sources:
        call.touch(Kind.READ, source, "tree" if tree else "path")
    _put(call, Kind.WRITE, targets)


def _with_parents(call: Call, sources: Sequence[Field], destination: Field, *, tree: bool) -> list[Target]:
    targets: list[Target] = []
    for source in sources:
        if source.unknown or ".." in source.text.split("/"):
            targets.append((destination, "tree"))
            continue
        inner = Field(source.text.strip("/"), source.shape)
        parts = inner.text.split("/")
        for count in range(1, len(parts)):
            call.touch(Kind.CREATE, join(destination, Field("/".join(parts[:count]), source.shape)))
        targets.append((join(destination, inner), "tree" if tree else "path"))
    return targets


def move(call: Call) -> None:
    """`mv SOURCE… DESTINATION`, `mv -t DIRECTORY SOURCE…`; `--exchange` swaps both."""
    sources, destination, directory = _split(call)
    targets = _targets(call, sources, destination, tree=True, directory=directory) if destination is not None else []
    for source in sources:
        call.touch(Kind.WRITE if call.given("--exchange") else Kind.DELETE, source, "tree")
    _put(call, Kind.WRITE, targets)


def link(call: Call) -> None:
    """`ln [-s] TARGET… DESTINATION`, `ln TARGET` (its name, here), `ln -t DIRECTORY TARGET…`."""
    sources, destination, directory = _split(call)
    if destination is None:
        destination, directory = Field("."), True
    targets = _targets(call, sources, destination, tree=False, directory=directory)
    if call.given("-n") and not directory:
        targets.insert(0, (destination, "path"))  # A link to a directory is none.
    if not call.given("-s"):
        for source in sources:
            call.touch(Kind.READ, source)
    _put(call, Kind.WRITE if call.given("-f") or call.parsed.wild else Kind.CREATE, targets)


def install(call: Call) -> None:
    """`install SOURCE… DESTINATION`, `install -d DIRECTORY…`; `-D` makes the directories above."""
    operands = call.parsed.operands
    if call.given("-d"):
        for operand in operands:
            call.touch(Kind.CREATE, operand, "parents")
            call.touch(Kind.CREATE, operand)
        return
    sources, destination, directory = _split(call)
    targets = _targets(call, sources, destination, tree=False, directory=directory) if destination is not None else []
    for source in sources:
        call.touch(Kind.READ, source)
    if call.given("-D") and destination is not None:
        call.touch(Kind.CREATE, destination, "parents")
        if directory:
            call.touch(Kind.CREATE, destination)
    _put(call, Kind.WRITE, targets)


INTERPRETERS: dict[str, Callable[[Call], None]] = {"copy": copy, "move": move, "link": link, "install": install}
