"""Interpreters of programming languages: python (with `-m TOOL`), node, perl, ruby and others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects import dispatch
from pytest_cbx.effects.catalogue import is_listed
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import UNKNOWN, Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

MODULES = {
    "pytest": "pytest", "ruff": "ruff", "mypy": "mypy", "black": "black", "flake8": "flake8", "pip": "pip", "isort": "isort",
    "pylint": "pylint", "tox": "tox", "nox": "nox", "coverage": "coverage", "build": "pyproject-build", "virtualenv": "virtualenv",
    "pre_commit": "pre-commit", "bandit": "bandit", "twine": "twine", "pyright": "pyright", "yapf": "yapf", "sphinx": "sphinx-build",
    "mkdocs": "mkdocs", "pycodestyle": "pycodestyle", "pydocstyle": "pydocstyle", "pyflakes": "pyflakes", "autopep8": "autopep8",
    "vulture": "vulture", "cmake": "cmake", "ziglang": "zig", "uv": "uv", "pipx": "pipx", "poetry": "poetry", "yamllint": "yamllint",
    "importlinter": "lint-imports", "doctest": "python-doctest", "unittest": "python-unittest", "venv": "python-venv",
    "compileall": "python-compileall", "py_compile": "python-py-compile", "json.tool": "python-json-tool",
    "http.server": "python-http-server", "zipfile": "python-zipfile", "timeit": "python-timeit", "site": "python-site",
    "tabnanny": "python-tabnanny", "platform": "python-site", "this": "python-site", "ensurepip": "python-ensurepip",
}  # fmt: skip
"""Modules that `python -m` runs, and the entry that describes each."""


def python(call: Call) -> None:
    """`python [OPTION…] [-c TEXT | -m MODULE | FILE | -] [ARGUMENT…]`."""
    operands = call.parsed.operands
    if call.given("-c"):
        _code(call, call.value("-c"))
    elif call.given("-m"):
        _module(call, call.value("-m") or UNKNOWN, list(operands))
    elif call.given("-V", "-VV"):
        return
    elif operands and operands[0].text != "-":
        _script(call, operands[0])
    else:
        call.effect(Kind.EXECUTE, "runs the program on its standard input", call.host.stdin)


def _code(call: Call, text: Field | None) -> None:
    if text is not None and text.known and text.text.strip() in ("", "pass", "0", "1", "..."):
        return
    call.effect(Kind.EXECUTE, "runs program text that is not analysed", text)


def _module(call: Call, module: Field, arguments: list[Field]) -> None:
    name = MODULES.get(module.text) if module.known else None
    if name is None or not is_listed(name):
        call.effect(Kind.EXECUTE, f"runs the module {module.text or 'that is not known beforehand'}")
        return
    call.output = dispatch.program(call.host, name, arguments)


def _script(call: Call, file: Field) -> None:
    call.touch(Kind.READ, file)
    call.effect(Kind.EXECUTE, f"the text of {file.text or 'the script'} is not seen")


def language(call: Call) -> None:
    """node, perl, ruby, php, lua …: an option with program text, a script file, or standard input. `-c` style checks are data."""
    if any(option.option.rules for option in call.parsed.options):
        for operand in call.parsed.operands:
            call.touch(Kind.READ, operand)
        return
    operands = call.parsed.operands
    if operands and operands[0].text != "-":
        _script(call, operands[0])
    else:
        call.effect(Kind.EXECUTE, "runs the program on its standard input", call.host.stdin)


def python_run(call: Call) -> None:
    """`coverage run`, `uv run`: after `-m` a module with its arguments; else uv runs a command line and coverage a script."""
    operands = call.parsed.operands
    if not operands:
        return
    if call.given("-m", "--module"):
        with call.process():
            _module(call, operands[0], operands[1:])
    elif call.entry.name.startswith("coverage"):
        _script(call, operands[0])
    elif call.given("-s", "--script", "--gui-script") or operands[0].text.endswith(".py"):
        _script(call, operands[0])
    else:
        with call.process():
            call.output = call.host.run(operands)


INTERPRETERS: dict[str, Callable[[Call], None]] = {"python": python, "python-run": python_run, "language": language}
