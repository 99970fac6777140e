"""Programs that unpack: the archive names the files. Where its list can be seen, just these; else all below the directory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join, resolve
from pytest_cbx.effects.seen import archive_members
from pytest_cbx.effects.values import Field, Shape, wild

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


def unpack(call: Call, archive: Field | None, directory: Field, *, flat: bool = False) -> None:
    """Note what unpacking `archive` into `directory` writes. `flat`: the members' directories are left out."""
    if flat:
        call.touch(Kind.WRITE, directory, "children", "the archive names the files")
        return
    members = None
    # Below any other directory everything is near enough, and needs no look at the archive.
    if archive is not None and resolve(directory, call.base, call.host.context, "path") == resolve(
        Field("."), Field(call.host.context.workspace), call.host.context, "path"
    ):
        members = archive_members(call.host, archive, call.base)
    if members is None:
        call.touch(Kind.WRITE, directory, "tree", "the archive names the files")
        return
    for member in members:
        scope = "tree" if member.endswith("/") else "path"
        call.touch(Kind.WRITE, join(directory, Field(member.rstrip("/"))), scope, "in the archive")


def unzip(call: Call) -> None:
    """`unzip [OPTIONS] ARCHIVE [MEMBER…] [-x MEMBER…] [-d DIRECTORY]`."""
    operands = call.parsed.operands
    if not operands:
        return
    archive = operands[0]
    named = archive if archive.text.lower().endswith(".zip") or not archive.known else Field(f"{archive.text}.zip")
    call.touch(Kind.READ, archive)
    if call.given("-T"):
        call.touch(Kind.METADATA, named)
    if call.given("-l", "-T"):
        return
    directory = call.value("-d")
    chosen = operands[1:]
    if directory is not None:
        call.touch(Kind.WRITE, directory, "tree", "the archive names the files")
    elif chosen and not call.given("-j", "-x") and all(member.known and not wild(member.text) for member in chosen):
        for member in chosen:
            call.touch(Kind.CREATE, member, "parents")
            call.touch(Kind.WRITE, member, why="in the archive")
    else:
        unpack(call, named if named.shape is Shape.KNOWN else None, Field("."), flat=call.given("-j"))


def seven(call: Call) -> None:
    """`7z x ARCHIVE [-oDIRECTORY]`, `unrar x ARCHIVE [MEMBER…] [DIRECTORY/]`."""
    operands = call.parsed.operands
    if not operands:
        return
    call.touch(Kind.READ, operands[0])
    directory = call.value("-o") or next((word for word in operands[1:] if word.text.endswith("/")), Field("."))
    if not call.given("-so"):
        unpack(call, operands[0], directory)


INTERPRETERS: dict[str, Callable[[Call], None]] = {"unzip": unzip, "unpack": seven}
