"""JavaScript's package runners: npx, npm exec."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.catalogue import is_listed
from pytest_cbx.effects.model import Kind

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


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
    if is_listed(name) and not name.startswith("@"):
        call.output = call.host.run([tool if not versioned else type(tool)(name), *operands[1:]])
    else:
        call.effect(Kind.EXECUTE, f"runs the package {name}")


INTERPRETERS: dict[str, Callable[[Call], None]] = {"npx": npx}
