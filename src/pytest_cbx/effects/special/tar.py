"""tar: what goes into an archive, where it is unpacked, and which programs it starts. Facts: the manual of GNU tar 1.34."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join, stem_of
from pytest_cbx.effects.special.archives import unpack
from pytest_cbx.effects.special.sed import program_text
from pytest_cbx.effects.values import UNKNOWN, Field, Shape, wild

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_QUIET_ACTIONS = re.compile(r"(?:\.|dot|bell|echo(?:=.*)?|ttyout=.*|sleep=\d+|totals|wait=\w+)", re.DOTALL)


def tar(call: Call) -> None:
    """Note what one of tar's operations does."""
    archives = [given.value for given in call.parsed.options if "-f" in given.option.names and given.value is not None]
    _started(call)
    members = list(_members(call))
    if call.given("-T"):
        members += _listed(call)
    reading = call.given("-x", "-t", "-d")
    for archive in archives:
        _remote(call, archive)
        call.touch(Kind.READ if reading else Kind.WRITE, archive)
    if call.given("-x"):
        _extract(call, archives[-1] if archives else None, members)
    elif call.given("-d"):
        call.touch(Kind.READ, _directory(call), "tree")
    elif call.given("-c", "-r", "-u", "-A"):
        _archive(call, members)
    elif not call.given("-t", "--delete") and call.fields and not call.parsed.problems:
        call.doubt("none of its operations is given")


def _archive(call: Call, members: list[tuple[Field, Field]]) -> None:
    for folder, member in members:
        path = join(folder, member)
        call.touch(Kind.READ, path, "tree")
        if call.given("--remove-files"):
            call.touch(Kind.DESTROY, path, "tree", "--remove-files deletes what it archived")


def _members(call: Call) -> Iterator[tuple[Field, Field]]:
    """Each operand with the directory it is looked up in: `-C` counts for what stands behind it, from where the last one led."""
    folders = deque(
        given.value for given in call.parsed.options if "-C" in given.option.names and given.value is not None
    )
    operands = deque(call.parsed.operands)
    folder = Field(".")
    for word in call.fields:
        if folders and (word is folders[0] or (_attaches(word) and word.text.endswith(folders[0].text))):
            folder = join(folder, folders.popleft())
        elif operands and word is operands[0]:
            yield folder, operands.popleft()
    for operand in operands:
        yield UNKNOWN, operand


def _attaches(word: Field) -> bool:
    """Whether a word is `-C` with its value."""
    return re.match(r"-[A-Za-z]*C.|--d[a-z]*=", word.text) is not None


def _directory(call: Call) -> Field:
    """Where -x unpacks: each `-C` starts from the one before."""
    folder = Field(".")
    for given in call.parsed.options:
        if "-C" in given.option.names and given.value is not None:
            folder = join(folder, given.value)
    return folder


def _listed(call: Call) -> list[tuple[Field, Field]]:
    """The names in the files of -T. A line that begins with a dash is an option, unless `--verbatim-files-from` says otherwise."""
    found: list[tuple[Field, Field]] = []
    for given in call.parsed.options:
        if "-T" not in given.option.names or given.value is None:
            continue
        call.touch(Kind.READ, given.value)
        text = program_text(call, given.value)
        if text is None and given.value.text in ("-", "/dev/stdin") and call.host.stdin.shape is Shape.PATTERN:
            found.append((_directory(call), call.host.stdin))
            continue
        lines = [] if text is None else text.text.split("\0" if call.given("--null") else "\n")
        if (text is None or any(line.startswith("-") for line in lines)) and not call.given(
            "--verbatim-files-from", "--null"
        ):
            call.effect(Kind.EXECUTE, "the list of names may hold options")
        if text is None:
            found.append((_directory(call), UNKNOWN))
        found += [(_directory(call), Field(line)) for line in lines if line]
    return found


def _extract(call: Call, archive: Field | None, members: list[tuple[Field, Field]]) -> None:
    if call.given("-O", "--to-command"):
        return
    folder = _directory(call)
    if call.given("-P"):
        call.touch(Kind.WRITE, Field("/"), "tree", "-P lets members lie anywhere")
    if call.given("--recursive-unlink"):
        call.touch(Kind.DESTROY, folder, "tree", "--recursive-unlink empties directories")
    if call.given("--one-top-level"):
        top = call.value("--one-top-level")
        folder = join(folder, top if top is not None and top.text else _stem(archive))
    renamed = call.given("--transform", "--strip-components", "--one-top-level") or call.name == "bsdtar"
    named = [member for _, member in members if member.known and not wild(member.text)]
    if members and len(named) == len(members) and not renamed:
        for member in named:
            path = join(folder, member)
            call.touch(Kind.CREATE, path, "parents")
            call.touch(Kind.WRITE, path, "tree", "in the archive")
    elif renamed or members:
        call.touch(Kind.WRITE, folder, "tree", "the archive names the files")
    else:
        unpack(call, archive if archive is not None and archive.known and archive.text != "-" else None, folder)


def _stem(archive: Field | None) -> Field:
    """The archive's name without `.tar.gz` and the like."""
    if archive is None or not archive.known:
        return UNKNOWN
    return Field(re.sub(r"\.tar$", "", stem_of(archive).text))


def _remote(call: Call, archive: Field) -> None:
    if (":" in archive.text or archive.unknown) and archive.text != "-" and not call.given("--force-local"):
        remote = not archive.unknown or ":" in archive.text
        if remote:
            call.effect(Kind.EXECUTE, "a colon in the archive's name means another host")
            call.effect(Kind.NETWORK, archive.text.split(":", 1)[0])


def _started(call: Call) -> None:
    """What tar starts: compressors, and the commands of its hooks."""
    host = call.host
    for given in call.parsed.options:
        value, names = given.value, given.option.names
        if value is None:
            continue
        if "-I" in names:
            if value.known and re.fullmatch(r"[\w./+=, -]+", value.text):
                with host.maybe(), call.process(), host.input(UNKNOWN):
                    host.run(
                        [
                            *(Field(word) for word in value.text.split()),
                            *([Field("-d")] if call.given("-x", "-t") else []),
                        ]
                    )
            else:
                call.effect(Kind.EXECUTE, "the compressor is not known beforehand")
        elif "--to-command" in names:
            _shell(call, value)
        elif "--checkpoint-action" in names:
            if value.text.startswith("exec="):
                _shell(call, value.after(5))
            elif not value.known or not _QUIET_ACTIONS.fullmatch(value.text):
                call.effect(Kind.EXECUTE, "the action of a checkpoint is not known beforehand")


def _shell(call: Call, text: Field) -> None:
    with call.host.maybe(), call.process(), call.host.input(UNKNOWN):
        call.host.run_text(text, call.name)


INTERPRETERS: dict[str, Callable[[Call], None]] = {"tar": tar}
