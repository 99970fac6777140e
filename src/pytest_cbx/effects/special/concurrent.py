"""Programs whose operands are each a command: npm-run-all, run-s, run-p, concurrently. Facts: their manuals."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.special.npm_scripts import run_script, script_names
from pytest_cbx.effects.values import Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


def run_all(call: Call) -> None:
    """`run-s lint:* 'build -- --prod'`: scripts of the package.json by name or pattern, each with its own arguments."""
    for operand in call.parsed.operands:
        _scripts(call, operand)


def concurrently(call: Call) -> None:
    """`concurrently 'npm run a' npm:b 'node x.js'`: shell texts, and scripts after `npm:`."""
    for operand in call.parsed.operands:
        manager, colon, script = operand.text.partition(":")
        if operand.known and colon and manager in ("npm", "yarn", "pnpm", "bun", "node"):
            _scripts(call, Field(script))
        else:
            call.host.run_text(operand, call.name)


def _scripts(call: Call, words: Field) -> None:
    if not words.known:
        call.effect(Kind.EXECUTE, "the script is not known beforehand")
        return
    try:
        name, *arguments = shlex.split(words.text)
    except ValueError:
        call.doubt(f"the script {words.text} cannot be read")
        return
    rest = [Field(argument) for argument in arguments if argument != "--"]
    for found in script_names(call, name):
        run_script(call, Field(found), rest)


INTERPRETERS: dict[str, Callable[[Call], None]] = {"run-all": run_all, "concurrently": concurrently}
