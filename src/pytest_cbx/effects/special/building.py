"""Build programs whose words data cannot describe: `cmake -E`, and the Autotools, which each write files of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects import dispatch
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

COMMAND_MODE = "cmake-command-mode"
"""The entry of `cmake -E`: its first operand chooses a command."""

_CACHE = ("tree:autom4te.cache",)
_AUXILIARY = tuple(
    f"{directory}{name}"
    for directory in ("", "build-aux/", "config/")
    for name in (
        "ar-lib", "compile", "config.guess", "config.sub", "depcomp", "install-sh", "ltmain.sh", "mdate-sh", "missing", "py-compile",
        "tap-driver.sh", "test-driver", "texinfo.tex", "ylwrap",
    )
)  # fmt: skip
_AUTOMAKE = ("glob:**/Makefile.in", *_AUXILIARY, "INSTALL", "COPYING", *_CACHE)
_LIBTOOL = (*_AUXILIARY, "glob:m4/*.m4", "aclocal.m4")
_GETTEXT = (
    "tree:po",
    "tree:m4",
    "tree:intl",
    "ABOUT-NLS",
    "config.rpath",
    "build-aux/config.rpath",
    "glob:Makefile.am*",
    "glob:configure.ac*",
)
_WRITTEN: dict[str, tuple[str, ...]] = {
    "autoconf": ("glob:configure*", *_CACHE),
    "autoheader": ("glob:**/*.in", "glob:**/*.in~", *_CACHE),
    "aclocal": ("aclocal.m4", *_CACHE),
    "automake": _AUTOMAKE,
    "autoscan": ("autoscan.log", "configure.scan", *_CACHE),
    "autoupdate": ("glob:configure.*", *_CACHE),
    "autopoint": _GETTEXT,
    "gettextize": _GETTEXT,
    "intltoolize": ("glob:intltool-*", "tree:po", *_CACHE),
    "libtoolize": _LIBTOOL,
    "glibtoolize": _LIBTOOL,
    "autom4te": _CACHE,
    "autoreconf": (*_AUTOMAKE, *_LIBTOOL, *_GETTEXT, "glob:configure*", "glob:**/*.in", "glob:**/*.in~"),
}


def cmake(call: Call) -> None:
    """`cmake -E COMMAND …`; all else is data."""
    if call.given("-E"):
        call.output = dispatch.program(call.host, COMMAND_MODE, list(call.parsed.operands))


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


INTERPRETERS: dict[str, Callable[[Call], None]] = {"cmake": cmake, "autotools": autotools}
