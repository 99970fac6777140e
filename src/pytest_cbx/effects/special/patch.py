"""patch: the patch names the files; where its text can be seen, just these. Facts: the manual of GNU patch 2.7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cbx.effects.languages.patches import NOTHING, Change, changes_in, stripped
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import resolve
from pytest_cbx.effects.values import Field, Shape, escape

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


def patch(call: Call) -> None:
    """`patch [OPTIONS] [FILE [PATCHFILE]]`; the patch comes from `-i`, the second operand or the input."""
    operands = call.parsed.operands
    file = call.value("-i") or (operands[1] if len(operands) > 1 else None)
    if file is not None:
        call.touch(Kind.READ, file)
    for operand in operands[2:]:
        call.doubt(f"more operands than the catalogue lists: {operand.text}")
    output = call.value("-o")
    if call.given("--dry-run"):
        if output is not None:
            call.touch(Kind.WRITE, output, why="it is emptied, dry run or not")
        return
    if output is not None:
        call.touch(Kind.WRITE, output)
        if operands:
            call.touch(Kind.READ, operands[0])
        return
    if operands:
        _beside(call, Kind.WRITE, operands[0])
        return
    text = _text(call, file)
    changes = changes_in(text) if text is not None else []
    if not changes or call.given("-e"):
        call.touch(Kind.WRITE, Field("."), "sources", "the patch names the files")
    strip = call.value("-p")
    count = int(strip.text) if strip is not None and strip.known and strip.text.isdigit() else None
    for change in changes:
        _change(call, change, count)


def _text(call: Call, file: Field | None) -> str | None:
    if call.host.context.files is None and (file is not None or not call.host.stdin.known):
        return None
    return call.host.input_text(call.name) if file is None else call.host.file_text(file, call.base, call.name)


def _change(call: Call, change: Change, count: int | None) -> None:
    old, new = change.old, change.new
    if call.given("-R"):
        old, new = new, old
    names = list(dict.fromkeys(stripped(name, count) for name in (old, new) if name != NOTHING))
    if change.moved and len(names) == 2:
        call.touch(Kind.DELETE, Field(names[0]), why="the patch renames it")
        call.touch(Kind.CREATE, Field(names[1]), "parents")
        call.touch(Kind.WRITE, Field(names[1]), why="the patch renames it")
        return
    for name in _there(call, names):
        if any(part == ".." for part in name.split("/")):
            call.touch(Kind.WRITE, Field("."), "sources", "the patch names a file above")
        elif old == NOTHING:
            call.touch(Kind.CREATE, Field(name), "parents")
            call.touch(Kind.CREATE, Field(name), why="the patch makes it")
            if call.given("-b"):
                call.touch(Kind.CREATE, Field(f"{name}.orig"), why="keeps an empty file")
        elif new == NOTHING:
            call.touch(Kind.DELETE, Field(name), why="the patch removes it")
        else:
            _beside(call, Kind.WRITE, Field(name))


def _there(call: Call, names: list[str]) -> list[str]:
    """Of two names of one file that which is there, where just one is: patch takes that."""
    files, places = (
        call.host.context.files,
        [resolve(Field(name), call.base, call.host.context, "path") for name in names],
    )
    if files is None or len(names) != 2:
        return names
    root = call.host.context.workspace.rstrip("/")
    found = [
        name for name, place in zip(names, places, strict=True)
        if place and files.directory(place[0].path if place[0].path.startswith("/") else f"{root}/{place[0].path}") is False
    ]  # fmt: skip
    return found if len(found) == 1 else names


def _beside(call: Call, kind: Kind, file: Field) -> None:
    """The file, and `.orig` and `.rej` beside it: a pattern, because they are there only when the patch does not fit."""
    backup = call.value("-z")
    prefix = call.given("-B", "-Y")
    if file.known and not prefix and (backup is None or backup.known):
        call.touch(kind, Field(f"{escape(file.text)}*", Shape.PATTERN), why="with .orig and .rej")
    else:
        call.touch(kind, file)
        call.touch(Kind.WRITE, Field("."), "sources", "keeps what was there")
