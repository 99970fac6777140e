"""Interpreters for programs whose command lines data cannot describe. An entry names one with `code = "…"`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_cbx.effects.special import (
    archives,
    awk,
    building,
    builtins,
    calculators,
    concurrent,
    containers,
    converted,
    copies,
    editors,
    fd,
    find,
    git,
    git_commands,
    git_repositories,
    languages,
    make,
    mktemp,
    node,
    npm_scripts,
    parallel,
    patch,
    perl,
    rsync,
    sed,
    shells,
    sql,
    tar,
    texts,
    variables,
    wrappers,
    xargs,
)
from pytest_cbx.errors import InternalError

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

INTERPRETERS: Mapping[str, Callable[[Call], None]] = MappingProxyType(
    {
        **builtins.INTERPRETERS, **variables.INTERPRETERS, **wrappers.INTERPRETERS, **shells.INTERPRETERS,
        **fd.INTERPRETERS, **xargs.INTERPRETERS, **parallel.INTERPRETERS, **rsync.INTERPRETERS, **tar.INTERPRETERS,
        **perl.INTERPRETERS, **languages.INTERPRETERS, **make.INTERPRETERS,
        **node.INTERPRETERS, **copies.INTERPRETERS, **archives.INTERPRETERS, **editors.INTERPRETERS,
        **npm_scripts.INTERPRETERS, **concurrent.INTERPRETERS,
        **containers.INTERPRETERS, **building.INTERPRETERS, **sql.INTERPRETERS, **calculators.INTERPRETERS,
        **git.INTERPRETERS, **git_commands.INTERPRETERS, **git_repositories.INTERPRETERS,
        "mktemp": mktemp.mktemp, "patch": patch.patch, "texts": texts.texts, "split": texts.split, "converted": converted.converted,
        "pdftk": converted.pdftk, "find": find.find, "sed": sed.sed, "awk": awk.awk,
    }
)  # fmt: skip
"""By the name that entries use."""


def interpreter_named(name: str) -> Callable[[Call], None]:
    """The interpreter of that name. Raises `InternalError` when the catalogue names one that does not exist."""
    try:
        return INTERPRETERS[name]
    except KeyError:
        raise InternalError(f"catalogue: there is no interpreter {name!r}") from None
