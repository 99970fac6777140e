"""Interpreters of programming languages: python (with `-m TOOL`), node, perl, ruby and others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.catalogue import is_listed
from pytest_cbx.effects.languages.hints import BYTECODE, hints
from pytest_cbx.effects.languages.javascript import javascript_reads
from pytest_cbx.effects.languages.python import imported, python_touches
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
    "http.server": "python-http-server", "zipfile": "python-archiver", "timeit": "python-timeit", "site": "python-site",
    "tabnanny": "python-tabnanny", "platform": "python-site", "this": "python-site", "ensurepip": "python-ensurepip",
    "calendar": "python-site", "sysconfig": "python-site", "ast": "python-reader", "tokenize": "python-reader", "dis": "python-reader",
    "base64": "python-reader", "tarfile": "python-archiver",
    "pip_audit": "pip-audit", "codespell_lib": "codespell", "PyInstaller": "pyinstaller", "nose2": "nose2", "behave": "behave",
    "robot": "robot", "pipenv": "pipenv", "hatch": "hatch", "pdm": "pdm", "papermill": "papermill",
    "cProfile": "python-profile", "profile": "python-profile",
    "trace": "python-trace", "gzip": "python-gzip", "autoflake": "autoflake", "docformatter": "docformatter", "interrogate": "interrogate",
    "djlint": "djlint", "sqlfluff": "sqlfluff", "refurb": "refurb", "radon": "radon", "xenon": "xenon", "pdoc": "pdoc",
    "towncrier": "towncrier", "mypy.stubtest": "stubtest", "mypy.stubgen": "stubgen", "uvicorn": "uvicorn",
    "celery": "celery", "flask": "flask",
    "jupyter": "jupyter",
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
    elif call.host.stdin.known:
        _code(call, call.host.stdin)
    else:
        call.effect(Kind.EXECUTE, "runs the program on its standard input", call.host.stdin)


def _code(call: Call, text: Field | None) -> None:
    """Program text: closed readers know short ones, all others may do anything."""
    touches = python_touches(text.text) if text is not None and text.known else None
    if touches is None or text is None or _shadowed(call, text.text):
        call.effect(Kind.EXECUTE, "runs program text that is not analysed", text)
        hint(call, "python", text.text if text is not None and text.known else None)
        return
    for kind, path, scope in touches:
        call.touch(kind, Field(path), scope, "the program opens it" if kind is not Kind.READ else "")


def _shadowed(call: Call, text: str) -> bool:
    """Whether a module of the working directory, or of a path that the text sets, stands before one of the library's.

    Python itself imports `sitecustomize` when it starts, from wherever it lies first.
    """
    if {"PYTHONPATH", "PYTHONHOME"} & call.host.state.variables.keys():
        return True
    return any(_lies_there(call, name) for name in imported(text))


def _lies_there(call: Call, module: str) -> bool:
    files = call.host.context.files
    if files is None or not call.base.known:
        return False
    place = f"{call.base.text}/{module}"
    return files.directory(place) is True or files.directory(f"{place}.py") is not None


def _module(call: Call, module: Field, arguments: list[Field]) -> None:
    name = MODULES.get(module.text) if module.known else None
    if name is None or not is_listed(name) or _lies_there(call, module.text.partition(".")[0]):
        call.effect(Kind.EXECUTE, f"runs the module {module.text or 'that is not known beforehand'}")
        hint(call, "python", f"import {module.text}")
        return
    call.output = call.host.run_listed(name, arguments)


def _script(call: Call, file: Field) -> None:
    call.touch(Kind.READ, file)
    told = file if file.origin is not None else None
    call.effect(Kind.EXECUTE, f"the text of {file.text or 'the script'} is not seen", told)
    name = call.entry.name if call.entry.name in ("node", "ruby") else "python"
    hint(call, name, call.host.file_text(file, call.base, call.name))


def hint(call: Call, language: str, text: str | None) -> None:
    """What a text that is not followed plainly names, beside its being able to do anything."""
    quiet = call.given("-B") or call.exported("PYTHONDONTWRITEBYTECODE") is not None
    for found in hints(language, text or ""):
        if found is not BYTECODE or not quiet:
            kind, path, scope = found
            call.touch(kind, path, scope, "its text names it")


def language(call: Call) -> None:
    """node, lua …: an option with program text, a script file, or standard input. `-c` style checks are data."""
    program = call.value("-e", "-p")
    if program is not None and call.entry.name == "node":
        files = javascript_reads(program.text) if program.known else None
        for file in files or ():
            call.touch(Kind.READ, Field(file))
        if files is None:
            call.effect(Kind.EXECUTE, "runs program text that is not analysed", program)
            hint(call, "node", program.text if program.known else None)
        return
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
    elif call.entry.name.startswith("coverage") or _names_script(call, operands[0]):
        _script(call, operands[0])
    else:
        with call.process():
            call.output = call.host.run(operands)


def _names_script(call: Call, first: Field) -> bool:
    return call.given("-s", "--script", "--gui-script") or first.text.endswith(".py")


def unseen(call: Call) -> None:
    """A word that names a script, task or alias of the project (`composer test`, `rails x:y`): its text is not seen."""
    call.effect(Kind.EXECUTE, f"the text of {call.chosen} is not seen")


INTERPRETERS: dict[str, Callable[[Call], None]] = {
    "python": python,
    "python-run": python_run,
    "execute-unseen": unseen,
    "language": language,
}
