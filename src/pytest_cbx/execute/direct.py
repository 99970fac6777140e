"""Starts a plain text (`ruff check src`) without the bash that would only put itself out of the way: a millisecond less.

What the program sees is what it would see behind `bash -eo pipefail -c TEXT`: the same words, directory, environment and
descriptors. Wherever bash has something to say itself (nothing is found, a script names no interpreter) it is started.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_cbx.shell.plain import plain_words

_SHELL = (b"bash", b"-eo", b"pipefail", b"-c")
_OWN = (b"BASH_ENV", b"SHELLOPTS", b"BASHOPTS", b"BASH_FUNC_")
"""Starts of names of variables by which bash would do more than start the program. Source: bash(1)."""
_LEVEL_MAX = 999
"""From there on bash warns, and begins anew."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be started."""

    path: bytes
    argv: tuple[bytes, ...]
    environment: Mapping[bytes, bytes]


def without_shell(argv: tuple[bytes, ...], environment: Mapping[bytes, bytes]) -> Program | None:
    """For the words and the environment of an instance, in whose directory this process stands now; None: start the shell."""
    if argv[:-1] != _SHELL or b"PATH" not in environment or any(name.startswith(_OWN) for name in environment):
        return None
    words = plain_words(argv[-1].decode("ascii", "replace"))
    if words is None:
        return None
    name = words[0].encode()
    program = _find(name, environment[b"PATH"])
    seen = _as_from_bash(environment, program) if program else None
    if seen is None:
        return None
    return Program(program, tuple(word.encode() for word in words), seen)


def _find(name: bytes, path: bytes) -> bytes:
    """The file that bash would run; empty when it would say something itself."""
    if b"/" in name:
        return name if _runs(name) else b""
    for folder in path.split(b":"):
        candidate = (folder or b".") + b"/" + name
        if os.access(candidate, os.F_OK):
            return candidate if folder.startswith(b"/") and _runs(candidate) else b""
    return b""


def _runs(candidate: bytes) -> bool:
    """Whether the kernel can run it: what has no header is a script for bash."""
    if not os.access(candidate, os.X_OK):
        return False
    try:
        # Without O_NONBLOCK a named pipe would keep us here.
        handle = os.open(candidate, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.fstat(handle).st_mode) and os.read(handle, 4).startswith((b"\x7fELF", b"#!"))
    except OSError:
        return False
    finally:
        os.close(handle)


def _as_from_bash(environment: Mapping[bytes, bytes], program: bytes) -> dict[bytes, bytes] | None:
    """The environment as bash 5 hands it on; None where it would warn. Source: initialize_shell_variables in its variables.c."""
    told = environment.get(b"SHLVL", b"")
    level = int(told) if told.isdigit() else 0
    if level >= _LEVEL_MAX:
        return None
    seen = {**environment, b"SHLVL": b"%d" % level, b"PWD": _directory(environment.get(b"PWD", b"")), b"_": program}
    if b"OLDPWD" in seen and not os.path.isdir(seen[b"OLDPWD"]):
        del seen[b"OLDPWD"]
    return seen


def _directory(told: bytes) -> bytes:
    """Where we stand: as we were told, if that is true."""
    if told.startswith(b"/"):
        try:
            if os.path.samestat(os.stat(told), os.stat(b".")):
                return told
        except OSError:
            pass
    return os.getcwdb()
