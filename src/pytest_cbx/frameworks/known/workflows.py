"""Steps of GitHub's workflow files: what CI checks, where nothing else in the project says so.

Most steps name again what a manifest declares, or set something up, with secrets and expressions in between. So a step counts only if
it is one plain call of a program that checks, and a command that is found otherwise goes before it.
Source: docs.github.com, "Workflow syntax for GitHub Actions": `jobs.<id>.steps[*].run`, `working-directory`, `shell`, `defaults.run`.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator
from typing import Any

import yaml

from pytest_cbx.frameworks.model import Found
from pytest_cbx.frameworks.project import Folder, Project, table

WORKFLOWS = ".github/workflows"
_FILES_MAX = 50
_BYTES_MAX = 1 << 20
_PLAIN = re.compile(r"[\w@%+=:,./*'\" -]+")
"""A text without operators, redirections, variables and expressions."""
_CHECKS = frozenset(
    (
        "pytest", "tox", "nox", "ruff", "flake8", "black", "isort", "mypy", "pyright", "pylint", "bandit", "pip-audit", "codespell",
        "jest", "mocha", "vitest", "eslint", "prettier", "tsc", "ctest", "bats", "shellcheck", "golangci-lint", "staticcheck",
        "phpunit", "rspec", "rubocop", "hadolint", "yamllint", "actionlint",
    )
)  # fmt: skip
_VERBS = {
    "go": ("test", "vet"), "cargo": ("test", "clippy", "fmt", "nextest"), "npm": ("test",), "yarn": ("test", "lint"),
    "pnpm": ("test", "lint"), "make": ("test", "check", "lint"), "just": ("test", "check", "lint"), "task": ("test", "check", "lint"),
    "mvn": ("test", "verify"), "gradle": ("test", "check"), "bundle": ("exec",), "composer": ("test", "validate"),
}  # fmt: skip
"""Programs that do other things as well, and the words after which they check."""
_LAUNCHERS = (
    ("npx", "--no-install"),
    ("npx",),
    ("python", "-m"),
    ("python3", "-m"),
    ("npm", "run"),
    ("yarn", "run"),
    ("pnpm", "run"),
)
_SCRIPT_NAMES = frozenset({"test", "lint", "check", "typecheck", "types", "format-check", "fmt-check"})


def workflows(folder: Folder, project: Project) -> Iterator[Found]:
    """The steps of all workflow files, each once. They lie in a hidden folder of the project's own."""
    if folder.place != ".":
        return
    seen: set[tuple[str, str]] = set()
    for name, content in _documents(folder):
        defaults = _run_defaults(content)
        for job in table(content, "jobs").values():
            inherited = {**defaults, **_run_defaults(job)}
            for step in job.get("steps") or () if isinstance(job, dict) else ():
                found = _step(step, inherited) if isinstance(step, dict) else None
                if found is not None and found not in seen:
                    seen.add(found)
                    yield _found(*found, source=f"{WORKFLOWS}/{name}")


def _documents(folder: Folder) -> Iterator[tuple[str, dict[str, Any]]]:
    home = folder.path / WORKFLOWS
    try:
        names = sorted(one.name for one in home.iterdir() if one.suffix in (".yml", ".yaml"))[:_FILES_MAX]
    except OSError:
        return
    for name in names:
        try:
            with open(home / name, "rb") as file:
                content = yaml.safe_load(file.read(_BYTES_MAX))
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            said = " ".join(str(error).split())
            folder.notes.append(f"{WORKFLOWS}/{name} cannot be read, so that nothing is found by it: {said}")
            continue
        if isinstance(content, dict):
            yield name, content


def _run_defaults(where: object) -> dict[str, Any]:
    return table(where, "defaults", "run")


def _step(step: dict[str, Any], defaults: dict[str, Any]) -> tuple[str, str] | None:
    """Its directory and its text; None where it checks nothing, or what it does depends on where it runs."""
    text = step.get("run")
    place = step.get("working-directory", defaults.get("working-directory", "."))
    shell = step.get("shell", defaults.get("shell", "bash"))
    if not isinstance(text, str) or not isinstance(place, str) or shell not in ("bash", "sh") or "if" in step:
        return None
    text, place = text.strip(), posixpath.normpath(place)
    if not _PLAIN.fullmatch(text) or not _PLAIN.fullmatch(place) or place.startswith(("/", "..")):
        return None
    return (place, text) if _what(text) else None


def _what(text: str) -> str:
    """What a text checks, as a name; empty where it does not."""
    try:
        words = shlex.split(text)
    except ValueError:
        return ""
    for launcher in _LAUNCHERS:
        if tuple(words[: len(launcher)]) == launcher and len(words) > len(launcher):
            rest = words[len(launcher) :]
            if launcher[-1] == "run":
                return rest[0] if rest[0] in _SCRIPT_NAMES else ""
            return rest[0] if rest[0] in _CHECKS else ""
    if not words or "=" in words[0]:
        return ""
    program = posixpath.basename(words[0])
    if program in _CHECKS:
        return program
    verb = next((word for word in words[1:] if not word.startswith("-")), "")
    return f"{program}-{verb}" if verb in _VERBS.get(program, ()) else ""


def _found(place: str, text: str, *, source: str) -> Found:
    return Found(language="ci", what=_what(text), run=text, source=source, place=place, spare=True, tags=("ci",))
