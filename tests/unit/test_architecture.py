"""The arrows of the house: who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_cbx

SOURCE = Path(pytest_cbx.__file__).parent
ROOT = Path(__file__).parents[2]
MODULES = sorted(SOURCE.rglob("*.py"))
PURE = ("shell", "effects", "safety", "plan", "schedule")
IMPURE = frozenset(
    (
        "asyncio", "datetime", "filelock", "multiprocessing", "os", "pathlib", "psutil", "pytest", "random", "secrets",
        "select", "selectors", "shutil", "signal", "socket", "subprocess", "tempfile", "threading", "time",
    )
)  # fmt: skip
MAX_LINES = 500


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_contracts_of_import_linter_hold() -> None:
    lint = pytest.importorskip("importlinter.cli")
    assert lint.lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None) == 0


@pytest.mark.parametrize("path", [m for m in MODULES if m.relative_to(SOURCE).parts[0] in PURE], ids=lambda p: p.stem)
def test_core_imports_nothing_that_does_io(path: Path) -> None:
    used = {name.split(".")[0] for name in imports(path)} & IMPURE
    assert not used, f"{path.relative_to(SOURCE)} imports {used}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_private_pytest_and_ctypes_stay_in_their_place(path: Path) -> None:
    relative = path.relative_to(SOURCE).as_posix()
    roots = {name.split(".")[0] for name in imports(path)}
    if relative != "pytest_plugin/_compat.py":
        assert "_pytest" not in roots
    if not relative.startswith("pytest_plugin/"):
        assert "pytest" not in roots
    if not relative.startswith("execute/kernel/"):
        assert "ctypes" not in roots


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_module_grows_past_its_concept(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{path.relative_to(SOURCE)} has {lines} lines: split it"


def test_every_package_is_in_the_layers() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for package in (p for p in SOURCE.iterdir() if p.is_dir() and (p / "__init__.py").exists()):
        assert f"pytest_cbx.{package.name}" in text


def test_every_module_of_the_prediction_can_be_imported_first() -> None:
    names = [
        ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
        for package in ("shell", "effects", "safety")
        for file in sorted((SOURCE / package).rglob("*.py"))
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    for loaded in [one for one in sys.modules if one.startswith('pytest_cbx')]:\n"
        "        del sys.modules[loaded]\n"
        "    importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
