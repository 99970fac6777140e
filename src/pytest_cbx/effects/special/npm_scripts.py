"""Scripts of a `package.json`: npm run, npm test, yarn SCRIPT, pnpm SCRIPT. Facts: npm's manual, "scripts" and "run-script"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pytest_cbx.effects.catalogue import is_listed
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join, parent_of
from pytest_cbx.effects.values import Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

OUTPUT_SCRIPTS = frozenset(
    {"test", "tests", "t", "build", "lint", "check", "typecheck", "type-check", "types", "coverage", "unit", "e2e", "spec", "compile",
     "bundle", "docs", "ci"}
)  # fmt: skip
"""Script names that by convention only test, check or build. Any other script may do anything."""

_GENERIC = frozenset({"run", "run-script", "rum", "urn"})
"""Sub-commands whose operand names the script; any other sub-command that comes here is the script's name."""
_CANONICAL = {"t": "test", "tst": "test"}
_ELSEWHERE = (
    "-w", "--workspace", "--workspaces", "-ws", "--prefix", "-F", "--filter", "-r", "--recursive", "--script-shell", "-g", "--global",
)  # fmt: skip
"""Options by which the scripts of other packages run, or another shell runs them."""


def npm_run(call: Call) -> None:
    """The script as the nearest `package.json` has it, with its `pre` and `post`; its name tells where the file cannot be seen."""
    words = list(call.parsed.operands)
    if call.chosen in _GENERIC:
        if not words:
            return
        script = words.pop(0)
    else:
        words = words[1:] if call.unlisted else words
        script = Field(_CANONICAL.get(call.chosen, call.chosen))
    run_script(call, script, words)


def run_script(call: Call, script: Field, words: list[Field]) -> None:
    """One script by its name, with further arguments."""
    found = _scripts(call) if script.known and not call.given(*_ELSEWHERE) else None
    if found is not None:
        _follow(call, script.text, words, *found)
    elif call.unlisted and is_listed(script.text):
        _tool(call, script, words)
    else:
        _by_convention(call, script)


def script_names(call: Call, pattern: str) -> list[str]:
    """The scripts that a pattern of npm-run-all names: `*` stays within one part of a name, parts are parted by `:`."""
    found = _scripts(call)
    if found is None or "*" not in pattern:
        return [pattern]
    parts = [".*" if part == "**" else re.escape(part).replace(r"\*", "[^:]*") for part in pattern.split(":")]
    expression = re.compile(":".join(parts))
    return [name for name in found[1] if expression.fullmatch(name)]


def _follow(call: Call, name: str, words: list[Field], folder: Field, scripts: Mapping[str, str]) -> None:
    call.touch(Kind.READ, join(folder, Field("package.json")))
    if name not in scripts:
        if call.unlisted:
            _tool(call, Field(name), words)
        elif name in ("start", "restart"):
            call.effect(Kind.EXECUTE, "npm's own way to start, without a script of that name")
        else:
            # It fails now; the script may be there when it runs.
            _by_convention(call, Field(name))
        return
    for part in (f"pre{name}", name, f"post{name}"):
        if part in scripts:
            _run(call, part, scripts[part], folder, words if part == name else [])


def _scripts(call: Call) -> tuple[Field, Mapping[str, str]] | None:
    """The directory of the nearest `package.json` upwards in the workspace, and its scripts; None where none can be seen."""
    folder = call.base
    root = call.host.context.workspace
    while folder.known and (folder.text == root or folder.text.startswith(root.rstrip("/") + "/")):
        text = call.host.file_text(Field("package.json"), folder, call.name)
        if text is not None:
            return _read(folder, text)
        folder = parent_of(folder)
    return None


def _read(folder: Field, text: str) -> tuple[Field, Mapping[str, str]] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    scripts = value.get("scripts", {}) if isinstance(value, dict) else None
    if not isinstance(scripts, dict):
        return None
    return folder, {name: script for name, script in scripts.items() if isinstance(script, str)}


def _run(call: Call, name: str, text: str, folder: Field, words: list[Field]) -> None:
    """Run a script with further arguments behind its text, as npm hands it to `sh -c`."""
    host = call.host
    key = (f"npm:{folder.text}:{name}", 0)
    if key in host.active:
        call.doubt(f"the script {name} runs itself")
        return
    host.active.append(key)
    state = host.state.process(None if any(word.many for word in words) else tuple(words))
    state.cwd = folder
    with host.fork(state):
        call.output = host.run_text(Field(f'{text} "$@"' if words else text), call.name, isolated=False)
    host.active.pop()


def _tool(call: Call, tool: Field, words: list[Field]) -> None:
    """No script of that name: a program that a dependency has installed."""
    with call.process():
        call.output = call.host.run([tool, *words])


_CHANGING = re.compile(r"--?(?:fix|write|update|apply|w$|u$|i$|in-?place|accept|save|replace)", re.IGNORECASE)
"""Further arguments by which a tool changes what it otherwise looks at."""


def _by_convention(call: Call, script: Field) -> None:
    changes = any(_CHANGING.match(word.text) for word in call.fields)
    if script.known and script.text.split(":", 1)[0] in OUTPUT_SCRIPTS and "fix" not in script.text and not changes:
        call.touch(Kind.READ, Field("."), "sources")
        for folder in ("dist", "build", "coverage", "node_modules/.cache"):
            call.touch(Kind.OUTPUT, Field(folder), "tree", "the conventional output of such a script")
    else:
        call.effect(Kind.EXECUTE, f"the text of the script {script.text or ''} is not seen")


INTERPRETERS: dict[str, Callable[[Call], None]] = {"npm-run": npm_run}
