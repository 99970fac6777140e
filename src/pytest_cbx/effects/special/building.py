"""Build programs whose words data cannot describe: `cmake -E`, and the Autotools, which each write files of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join
from pytest_cbx.effects.values import Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

COMMAND_MODE = "cmake-command-mode"
"""The entry of `cmake -E`: its first operand chooses a command."""

_ROOT = ("children:.", "tree:build-aux")
"""Scripts that it copies beside `configure.ac`, or where `AC_CONFIG_AUX_DIR` says."""

_WRITTEN: dict[str, tuple[str, ...]] = {
    "autoconf": ("glob:configure*", "tree:autom4te.cache"),
    "autoheader": ("glob:**/*.in*", "tree:autom4te.cache"),
    "aclocal": ("glob:aclocal.m4*", "tree:autom4te.cache"),
    "automake": (*_ROOT, "glob:**/Makefile.in", "tree:autom4te.cache"),
    "autoscan": ("autoscan.log", "configure.scan", "tree:autom4te.cache"),
    "autoupdate": ("glob:configure.*", "tree:autom4te.cache"),
    "autopoint": (*_ROOT, "tree:po", "tree:m4"),
    "gettextize": (*_ROOT, "tree:po", "tree:m4"),
    "intltoolize": (*_ROOT, "tree:po"),
    "libtoolize": (*_ROOT, "tree:m4"),
    "glibtoolize": (*_ROOT, "tree:m4"),
    "autom4te": ("tree:autom4te.cache",),
    "autoreconf": (*_ROOT, "glob:**/*.in*", "tree:autom4te.cache", "tree:m4"),
}


def cmake(call: Call) -> None:
    """`cmake -E COMMAND …`; all else is data."""
    if call.given("-E"):
        call.output = call.host.run_listed(COMMAND_MODE, list(call.parsed.operands))


def chdir(call: Call) -> None:
    """`cmake -E chdir DIRECTORY COMMAND …`: the command runs there."""
    directory, *command = call.parsed.operands or [Field(".")]
    call.base = join(call.base, directory)
    if command:
        with call.process():
            call.output = call.host.run(command)


def autotools(call: Call) -> None:
    """What each of the Autotools generates beside `configure.ac`, or below the directory that is its operand."""
    if call.given("-o", "--output"):
        return
    directories = [operand for operand in call.parsed.operands if call.name == "autoreconf"] or [Field(".")]
    for directory in directories:
        for place in _WRITTEN[call.name]:
            scope, colon, path = place.partition(":")
            target = Field(f"{directory.text}/{path if colon else place}", directory.shape)
            call.touch(Kind.WRITE, target, scope if colon else "path", "generates it")


INTERPRETERS: dict[str, Callable[[Call], None]] = {"cmake": cmake, "chdir": chdir, "autotools": autotools}
