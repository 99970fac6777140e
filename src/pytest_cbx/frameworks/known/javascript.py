"""JavaScript and TypeScript: what `package.json` declares, of npm, yarn, pnpm and bun.

A script that is a plain call of a tool is taken with its arguments; so is what it says about where things are.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytest_cbx.config.model import Phase
from pytest_cbx.frameworks.model import Found
from pytest_cbx.frameworks.project import Folder, Project, strings, table

_MANIFEST = "package.json"
_INSTALLS = (
    ("package-lock.json", "npm ci --no-audit --no-fund"),
    ("npm-shrinkwrap.json", "npm ci --no-audit --no-fund"),
    ("pnpm-lock.yaml", "pnpm install --frozen-lockfile"),
    ("yarn.lock", "yarn install --frozen-lockfile"),
    ("bun.lock", "bun install --frozen-lockfile"),
    ("bun.lockb", "bun install --frozen-lockfile"),
)
_PLAIN = re.compile(r"[\w@%+=:,./*!{}'\" -]+")
"""A script without operators, redirections and variables."""


@dataclass(frozen=True, slots=True)
class _Tool:
    what: str
    package: str
    program: str
    bare: str
    """Its arguments where no script tells them."""
    reporter: str = ""
    """Added, so that it reports its cases: where `{}` is the name of a file in `node_modules`, which git ignores."""
    results: str = ""
    kind: str = "lint"
    file: str = ""
    """Needed beside the package."""
    variable: str = ""
    """Of the environment: where a reporter writes to that no option tells."""


_TOOLS = (
    _Tool("unit", "jest", "jest", "--ci", "--json --outputFile={}", "jest:{}", "unit"),
    _Tool(
        "unit-vitest",
        "vitest",
        "vitest",
        "run",
        "--reporter=default --reporter=json --outputFile.json={}",
        "jest:{}",
        "unit",
    ),
    _Tool("spec", "mocha", "mocha", "", "--reporter xunit --reporter-option output={}", "junit:{}", "unit"),
    _Tool(
        "e2e-cypress",
        "cypress",
        "cypress",
        "run",
        "--reporter junit --reporter-options mochaFile={}",
        "junit:{}",
        "e2e",
    ),
    _Tool(
        "e2e",
        "@playwright/test",
        "playwright",
        "test",
        "--reporter=list,junit",
        "junit:{}",
        "e2e",
        variable="PLAYWRIGHT_JUNIT_OUTPUT_NAME={} ",
    ),
    _Tool("lint", "eslint", "eslint", ".", "--format json --output-file {}", "eslint:{}"),
    _Tool("format-check", "prettier", "prettier", "--check ."),
    _Tool("types", "typescript", "tsc", "--noEmit", results="lines:-", file="tsconfig.json"),
)
_NODE, _NODE_TAP = "node --test", "node --test --test-reporter=tap"
_SCRIPTS = {
    "build": (Phase.COMPILE, "build"),
    "typecheck": (Phase.CHECK, "lint"),
    "check": (Phase.CHECK, "lint"),
    "audit": (Phase.CHECK, "security"),
}
"""Scripts by name that are run as they are, whatever they call."""


def discover(folder: Folder, project: Project) -> Iterator[Found]:
    """What a package declares: its installation, its tools, its scripts."""
    manifest = folder.json(_MANIFEST)
    if not manifest:
        return
    packages = {**table(manifest, "dependencies"), **table(manifest, "devDependencies")}
    member = _workspace(folder, project)
    if (packages or manifest.get("workspaces")) and not member:
        yield Found(
            language="js", what="install", run=_install(folder), source=_MANIFEST, phase=Phase.DEPENDENCIES, tags=("install",),
            memory="1GB", cpus=1, timeout=600,
        )  # fmt: skip
    scripts = {name: text for name, text in table(manifest, "scripts").items() if isinstance(text, str)}
    used: set[str] = set()
    above = _packages_above(folder, project)
    for tool in _TOOLS:
        if manifest.get("workspaces") and tool.kind != "lint" and not _calls(scripts, tool):
            continue  # it is there for the members, which say so themselves
        if (tool.package in packages or (tool.package in above and _calls(scripts, tool))) and (
            not tool.file or folder.has(tool.file)
        ):
            yield _tool(tool, scripts, used)
    yield from _scripts(scripts, used)


def _install(folder: Folder) -> str:
    if folder.has("yarn.lock") and folder.has(".yarnrc.yml"):
        return "yarn install --immutable"  # since yarn 2
    return next(
        (text for lock, text in _INSTALLS if folder.has(lock)), "npm install --no-audit --no-fund --no-package-lock"
    )


def _workspace(folder: Folder, project: Project) -> bool:
    """Whether a package above installs this one too."""
    for one in project.above(folder):
        spaces = one.json(_MANIFEST).get("workspaces")
        globs = strings(table({"w": spaces}, "w").get("packages")) or strings(spaces)
        if one.has("pnpm-workspace.yaml") or globs:
            return True
    return False


def _packages_above(folder: Folder, project: Project) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in project.above(folder):
        found |= table(one.json(_MANIFEST), "devDependencies")
    return found


def _calls(scripts: dict[str, str], tool: _Tool) -> str:
    """The arguments with which some script plainly calls a tool; of several the shortest script's."""
    for text in sorted(scripts.values(), key=len):
        if not _PLAIN.fullmatch(text):
            continue
        try:
            words = shlex.split(text)
        except ValueError:
            continue
        if words[:1] == [tool.program] and not {"--fix", "--write", "--watch", "-w", "--coverage"} & set(words):
            return text
    return ""


def _tool(tool: _Tool, scripts: dict[str, str], used: set[str]) -> Found:
    text = _calls(scripts, tool) or f"{tool.program} {tool.bare}".strip()
    used.update(name for name, said in scripts.items() if said.split()[:1] == [tool.program])
    file = f"node_modules/.cbx-{tool.what}"
    reporter = tool.reporter.format(file) if "report" not in text and "--format" not in text else ""
    return Found(
        language="js",
        what=tool.what,
        run=f"{tool.variable.format(file) if reporter else ''}npx --no-install {text} {reporter}".strip(),
        source=f"{tool.package} in {_MANIFEST}",
        needs=("install", "build") if tool.kind == "e2e" else ("install",),
        results=tool.results.format(file) if reporter or not tool.reporter else "",
        tags=(tool.kind,),
        memory="1GB",
        cpus=1 if tool.kind != "lint" else None,
    )


def _scripts(scripts: dict[str, str], used: set[str]) -> Iterator[Found]:
    for name, (phase, kind) in _SCRIPTS.items():
        if name in scripts and name not in used:
            yield Found(
                language="js", what=name, run=f"npm run --silent {name}", source=f"scripts.{name} in {_MANIFEST}", phase=phase,
                needs=("install",), tags=(kind,), memory="1GB",
            )  # fmt: skip
    if "test" not in used and (run := _test_script(scripts.get("test", ""))):
        yield Found(
            language="js", what="test", run=run, source=f"scripts.test in {_MANIFEST}", needs=("install", "build"),
            results="tap:-" if _NODE_TAP in run else "", tags=("unit",), memory="1GB",
        )  # fmt: skip


def _test_script(text: str) -> str:
    """What runs a package's tests where none of the known tools does; empty where they do, or it only hands on to other scripts."""
    programs = {words[0] for part in re.split(r"[;&|]+", text) if (words := part.split())}
    known = {tool.program for tool in _TOOLS if tool.kind in ("unit", "e2e")}
    if programs & known or programs <= {"npm", "yarn", "pnpm"} or "no test specified" in text:
        return ""
    if text.startswith(_NODE) and _PLAIN.fullmatch(text):
        return text.replace(_NODE, _NODE_TAP, 1)
    return "npm test --silent"
