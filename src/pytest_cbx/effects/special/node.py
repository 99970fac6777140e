"""Package runners: npx, npm exec, uvx, pipx run: the tool comes from a registry, whatever the machine has under its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.catalogue import family_of
from pytest_cbx.effects.model import Kind

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


_PACKAGED = frozenset({"linters", "docs", "security", "python_lint"})
"""Families with tools that come as npm packages too, beside JavaScript's own."""


_SCOPED = {
    "@biomejs/biome": "biome", "@changesets/cli": "changeset", "@commitlint/cli": "commitlint", "@playwright/test": "playwright",
    "@tailwindcss/cli": "tailwindcss", "@11ty/eleventy": "eleventy", "@babel/cli": "babel", "@swc/cli": "swc", "@angular/cli": "ng",
    "@vercel/ncc": "ncc", "@lhci/cli": "lhci", "@redocly/cli": "redocly", "@stoplight/spectral-cli": "spectral", "@nestjs/cli": "nest",
    "@arethetypeswrong/cli": "attw", "@microsoft/api-extractor": "api-extractor", "@typescript/native-preview": "tsgo",
}  # fmt: skip
"""Scoped packages, and the program that each has."""


def is_package(name: str) -> bool:
    """Whether the npm package of that name is the listed program (and not, like `cowsay` or `rm`, something else of that name)."""
    family = family_of(name)
    return family.startswith("javascript") or family in _PACKAGED


def npx(call: Call) -> None:
    """`npx [OPTION…] TOOL ARGUMENT…`: the tool's own entry; it may be fetched when it is not installed."""
    operands = call.parsed.operands
    if call.given("-c", "--call"):
        text = call.value("-c", "--call")
        if text is not None:
            call.host.run_text(text, call.name)
        return
    if not operands:
        return
    tool = operands[0]
    if not tool.known:
        call.effect(Kind.EXECUTE, "the tool is not known beforehand")
        return
    name = tool.text
    versioned = "@" in name[1:]
    if versioned:
        name = name[0] + name[1:].split("@", 1)[0]
    if versioned or not call.given("--no", "--no-install", "--offline"):
        call.effect(Kind.NETWORK, "the package registry")
    name = _SCOPED.get(name, name)
    if is_package(name):
        call.output = call.host.run([type(tool)(name), *operands[1:]])
    else:
        call.effect(Kind.EXECUTE, f"runs the package {name}")


_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[\w,-]*\])?(?:(?:@|==|>=|<=|~=|<|>).*)?")
"""A package of PyPI, with extras or a version."""

_WHEELS = frozenset({"cmake", "ninja", "meson", "clang-format", "clang-tidy", "python", "python3"})
"""Programs of other families that PyPI has under their own names, and Python, which uvx knows itself."""


def is_python_package(name: str) -> bool:
    """Whether PyPI's package of that name is the listed program (and not, like `ls` or `rm`, something else of that name)."""
    return family_of(name).startswith("python_") or family_of(name) in _PACKAGED or name in _WHEELS


def uvx(call: Call) -> None:
    """`uvx [OPTION…] TOOL ARGUMENT…`, `pipx run`: the tool's own entry, where the package can be what it says."""
    operands = call.parsed.operands
    if not operands:
        return
    tool, source = operands[0], call.value("--from", "--spec")
    name = _REQUIREMENT.fullmatch(tool.text) if tool.known else None
    listed = source is None or (source.known and _REQUIREMENT.fullmatch(source.text) is not None)
    if name is None or not listed:
        call.effect(Kind.EXECUTE, "the tool is not known beforehand")
    elif is_python_package(name[1]):
        call.output = call.host.run([type(tool)(name[1]), *operands[1:]])
    else:
        call.effect(Kind.EXECUTE, f"runs the package {name[1]}")


INTERPRETERS: dict[str, Callable[[Call], None]] = {"npx": npx, "uvx": uvx}
