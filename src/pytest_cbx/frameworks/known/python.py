"""Python: what `pyproject.toml`, `setup.cfg`, requirements and the tools' own files declare.

Nothing is installed: which environment is meant is not declared. A pytest that runs here already collects the tests of its own folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_cbx.frameworks.model import Found
from pytest_cbx.frameworks.project import Folder, Project, strings, table

_MANIFEST = "pyproject.toml"
_REQUIREMENTS = re.compile(r"(?:dev|test|lint)?[-_]?requirements(?:[-_.](?:dev|test|tests|lint|ci))?\.(?:txt|in)")
_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
_KINDS = ("unit", "integration", "e2e", "functional")
"""Folders of tests that are commands of their own."""


@dataclass(frozen=True, slots=True)
class _Tool:
    what: str
    package: str
    run: str
    tables: tuple[str, ...] = ()
    """Of `[tool]`."""
    files: tuple[str, ...] = ()
    results: str = ""
    kind: str = "lint"


_TOOLS = (
    _Tool("ruff", "ruff", "ruff check --output-format json .", ("ruff",), ("ruff.toml", ".ruff.toml"), "ruff:-"),
    _Tool("flake8", "flake8", "flake8 .", ("flake8",), (".flake8",), "lines:-"),
    _Tool("format-check", "black", "black --check --quiet .", ("black",)),
    _Tool("isort", "isort", "isort --check-only --quiet .", ("isort",), (".isort.cfg",)),
    _Tool("pyright", "pyright", "pyright", ("pyright",), ("pyrightconfig.json",)),
    _Tool("security", "bandit", "bandit -q -r .", ("bandit",), kind="security"),
    _Tool("audit", "pip-audit", "pip-audit --progress-spinner off", kind="security"),
)


def discover(folder: Folder, project: Project) -> Iterator[Found]:
    """The tools that a Python project names, or configures, and its tests."""
    if not folder.has(_MANIFEST, "setup.cfg", "setup.py", "tox.ini", "noxfile.py", "pytest.ini"):
        return
    tools = table(folder.toml(_MANIFEST), "tool")
    packages = _packages(folder)
    cfg = folder.text("setup.cfg") + folder.text("tox.ini")
    sections = set(re.findall(r"^\[(?:tool:)?([\w:-]+)\]", cfg, re.MULTILINE))
    for tool in _TOOLS:
        configured = next((f"[tool.{one}]" for one in tool.tables if one in tools), "")
        named = f"{tool.package} in the requirements" if tool.package in packages else ""
        by_file = next((one for one in tool.files if folder.has(one)), "")
        section = f"[{tool.package}]" if tool.package in sections else ""
        if source := configured or by_file or section or named:
            yield Found(
                language="py", what=tool.what, run=tool.run, source=source, results=tool.results, tags=(tool.kind,)
            )
    if "format" in table(tools, "ruff"):
        yield Found(
            language="py", what="ruff-format", run="ruff format --check .", source="[tool.ruff.format]", tags=("lint",)
        )
    if "mypy" in tools or "mypy" in packages or "mypy" in sections or folder.has("mypy.ini", ".mypy.ini"):
        yield _mypy(
            folder,
            bool(table(tools, "mypy").get("files") or re.search(r"^files\s*=", _mypy_text(folder), re.MULTILINE)),
        )
    tests = list(
        _tests(folder, tested="pytest" in tools or "pytest" in packages or folder.has("pytest.ini", "conftest.py"))
    )
    yield from tests or _environments(folder, "tox" in tools or bool(sections & {"tox", "testenv", "tox:tox"}))


def _environments(folder: Folder, tox: bool) -> Iterator[Found]:
    """tox or nox, which make environments and run in them what is found here otherwise: only where it is not."""
    if tox:
        yield _in_environments("tox", "tox run", "tox.ini" if folder.has("tox.ini") else _MANIFEST)
    elif folder.has("noxfile.py"):
        yield _in_environments("nox", "nox", "noxfile.py")


def _in_environments(what: str, run: str, source: str) -> Found:
    return Found(language="py", what=what, run=run, source=source, tags=("unit",), memory="1GB", timeout=1800)


def _mypy_text(folder: Folder) -> str:
    return folder.text("mypy.ini") + folder.text(".mypy.ini")


def _mypy(folder: Folder, told: bool) -> Found:
    what = "" if told else " src" if "src" in folder.folders else " ."
    return Found(
        language="py",
        what="types",
        run=f"mypy --output json{what}",
        source="mypy",
        results="mypy:-",
        tags=("lint",),
        memory="1GB",
    )


def _packages(folder: Folder) -> set[str]:
    """Normalised names of all that is required, for whatever purpose."""
    manifest = folder.toml(_MANIFEST)
    lines = strings(table(manifest, "project").get("dependencies"))
    groups = (table(manifest, "project", "optional-dependencies"), table(manifest, "dependency-groups"))
    for group in groups:
        for value in group.values():
            lines += strings(value)
    poetry = table(manifest, "tool", "poetry")
    lines += [*table(poetry, "dependencies"), *table(poetry, "dev-dependencies")]
    for group in table(poetry, "group").values():
        lines += list(table(group, "dependencies"))
    for name in folder.files:
        if _REQUIREMENTS.fullmatch(name):
            lines += folder.text(name).splitlines()
    found = (_NAME.match(line) for line in lines)
    return {re.sub(r"[-_.]+", "-", one[1]).lower() for one in found if one}


def _tests(folder: Folder, *, tested: bool) -> Iterator[Found]:
    """By kind where its folder of tests has such; else all at once."""
    home = next((name for name in ("tests", "test") if name in folder.folders), "")
    if not home:
        return
    if not tested:
        # Of a package its parts import each other by its name, for which its parent must be the top.
        top = " -t ." if (folder.path / home / "__init__.py").is_file() else ""
        yield Found(
            language="py",
            what="unit",
            run=f"python -m unittest discover -v -s {home}{top}",
            source=f"{home}/",
            results="unittest:-",
            tags=("unit",),
        )
        return
    kinds = [kind for kind in _KINDS if (folder.path / home / kind).is_dir()]
    for kind, where in [(kind, f"{home}/{kind}") for kind in kinds] or [("unit", home)]:
        yield Found(
            language="py",
            what=kind,
            # Nobody commits what is in `.pytest_cache`.
            run=f"pytest -q --junitxml=.pytest_cache/cbx-{kind}.xml {where}",
            source=f"pytest, {where}/",
            results=f"junit:.pytest_cache/cbx-{kind}.xml",
            tags=(kind,),
            runs_pytest=True,
        )
