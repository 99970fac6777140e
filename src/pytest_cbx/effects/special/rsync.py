"""rsync: `src/` stands for what is in it, `src` for the directory itself; a colon means another host. Facts: rsync(1) 3.2."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_cbx.effects.destinations import destinations
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join
from pytest_cbx.effects.values import Field, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_REMOTE = re.compile(r"[^/]*:|rsync://")
_PLAIN_SHELL = re.compile(r"(?:/usr/bin/)?ssh(?: -(?:[46CqTx]+|[pil] ?[\w./@~-]+))*")
_RECURSIVE = ("-a", "-r")
_DELETES = "--delete"


def rsync(call: Call) -> None:
    """`rsync [OPTION…] SOURCE… DESTINATION`; with one operand it only lists."""
    operands = call.parsed.operands
    _shells(call)
    batch = call.value("--write-batch", "--only-write-batch")
    if batch is not None:
        call.touch(Kind.WRITE, batch)
        call.touch(Kind.WRITE, concat([batch.single(), Field(".sh")]))
    sources = list(operands) if len(operands) < 2 else list(operands[:-1])
    for source in sources:
        if is_remote(source):
            call.effect(Kind.NETWORK, source.text.split(":", 1)[0])
        else:
            call.touch(Kind.READ, source, "tree")
    if len(operands) < 2:
        return
    target = operands[-1]
    changing = not call.given("-n", "--only-write-batch")
    if changing and call.given("--remove-source-files"):
        for source in sources:
            _remove(call, source)
    if is_remote(target):
        call.effect(Kind.NETWORK, target.text.split(":", 1)[0])
        if changing:
            call.effect(Kind.STATE, "a remote system")
    elif changing:
        _write(call, sources, target)


def is_remote(path: Field) -> bool:
    """Whether a path names another host: a colon before any slash."""
    return _REMOTE.match(path.text) is not None


def _shells(call: Call) -> None:
    for given in call.parsed.options:
        if "-e" in given.option.names and given.value is not None:
            if not given.value.known or not _PLAIN_SHELL.fullmatch(given.value.text):
                call.effect(Kind.EXECUTE, "the remote shell is a command of its own")
        elif "--rsync-path" in given.option.names:
            call.effect(Kind.EXECUTE, "--rsync-path is a command of its own")


def _write(call: Call, sources: Sequence[Field], target: Field) -> None:
    recursive = call.given(*_RECURSIVE, "--files-from", "-d")
    for source in sources:
        if call.given("-R", "--files-from") or source.text.endswith("/") or is_remote(source):
            call.touch(Kind.WRITE, target, "tree")
            continue
        for path, scope in list(destinations(call, target, [source], tree=recursive, directory=len(sources) > 1)):
            call.touch(Kind.WRITE, path, scope)
            if call.given("-b") and scope == "path" and not call.given("--backup-dir"):
                call.touch(
                    Kind.WRITE,
                    concat([path.single(), call.value("--suffix") or Field("~")]),
                    why="--backup keeps a copy",
                )
    if call.given(_DELETES):
        for source in sources:
            whole = source.text.endswith("/") or is_remote(source) or source.unknown or call.given("-R")
            paths = [(target, "tree")] if whole else destinations(call, target, [source], tree=True, directory=True)
            for path, scope in list(paths):
                call.touch(Kind.DESTROY, path, scope, "--delete removes what the source has not")
    for name in ("--backup-dir", "--partial-dir", "-T"):
        folder = call.value(name)
        if folder is not None:
            call.touch(Kind.WRITE, join(target, folder), "tree", f"{name} lies below the destination")


def _remove(call: Call, source: Field) -> None:
    if is_remote(source):
        call.effect(Kind.STATE, "a remote system")
    elif call.given(*_RECURSIVE) and (source.text.endswith("/") or "." not in source.text.rsplit("/", 1)[-1]):
        call.touch(Kind.DESTROY, source, "tree", "--remove-source-files")
    else:
        call.touch(Kind.DELETE, source, why="--remove-source-files")


INTERPRETERS: dict[str, Callable[[Call], None]] = {"rsync": rsync}
