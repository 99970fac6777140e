"""What the scripting languages' package tools and runners add to the catalogue's format."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.catalogue import read_family
from pytest_cbx.effects.grammar import compile_entry
from pytest_cbx.effects.paths import Context, widen
from tests.unit.effects.help import compact_of


@pytest.mark.parametrize(
    ("pattern", "wide"),
    [
        ("src/**/*.{js,ts}", "src/**/*.*"),
        ("{a,b}/{c,d{e,f}}/x", "*/*/x"),
        ("src/{a,b/c}/*.js", "src/**"),
        ("a/[xy].js", "a/?.js"),
        ("plain", "plain"),
    ],
)
def test_braces_that_a_program_expands_are_wildcards(pattern: str, wide: str) -> None:
    assert widen(pattern) == wide


def test_a_report_goes_where_its_value_says_after_the_colon() -> None:
    effects = compact_of("pytest --cov-report xml:out/c.xml --cov-report html")
    assert "output out/c.xml" in effects
    assert "output htmlcov/**" in effects
    assert "output coverage.xml" not in effects


def test_what_follows_the_colon_may_be_unknown() -> None:
    assert "output ?" in compact_of('pytest --cov-report "xml:$where"')


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("yarn --frozen-lockfile", "yarn install --frozen-lockfile"),
        ("cspell --no-progress 'src/**'", "cspell lint --no-progress 'src/**'"),
        ("vite --port 3000", "vite dev --port 3000"),
        ("hugo -d out", "hugo build -d out"),
        ("bundle", "bundle install"),
    ],
)
def test_a_sub_command_may_be_assumed(short: str, long: str) -> None:
    assert compact_of(short) == compact_of(long)


def test_an_assumed_sub_command_exists_and_inherits() -> None:
    spec = read_family(
        """[[program]]
names = ["x"]
assumed = "look"
option = [{ names = "-o", value = "required", effects = ["output value"] }]
[[program.command]]
names = ["look"]
inherit = true
""",
        name="x.toml",
    ).program[0]
    entry = compile_entry(spec)
    assert "-o" in compile_entry(entry.commands[spec.assumed], entry).options


@pytest.mark.parametrize(
    ("command", "effect"),
    [
        ("coverage run -m unittest discover", "cache **/__pycache__/**"),
        ("coverage run -m frob", "execute"),
        ("coverage run t.py", "read t.py"),
        ("uv run -m pytest", "cache .pytest_cache/**"),
        ("uv run s.py", "execute"),
        ("uv run isort src", "write sources:src"),
    ],
)
def test_python_runners_run_modules_scripts_and_programs(command: str, effect: str) -> None:
    assert effect in compact_of(command)


@pytest.mark.parametrize(
    ("command", "effect"),
    [
        ("run-s lint build", "output dist/**"),
        ("run-p deploy", "execute"),
        ('run-s "$x"', "unknown"),
        ("concurrently 'rm a' npm:build", "delete a"),
        ("concurrently npm:deploy", "execute"),
        ("concurrently 'tool-x'", "unknown"),
    ],
)
def test_each_operand_of_a_script_runner_counts(command: str, effect: str) -> None:
    assert effect in compact_of(command)


@pytest.mark.parametrize("command", ["npx cowsay", "npx rm -rf x", "npx @scope/thing", "npx frob"])
def test_a_package_that_is_no_listed_tool_is_unseen_code(command: str) -> None:
    assert "execute" in compact_of(command)


def test_a_scoped_package_is_known_by_its_program() -> None:
    assert "read sources:src" in compact_of("npx @biomejs/biome@2 check src")


@pytest.mark.parametrize(
    ("command", "same"),
    [
        ("./node_modules/.bin/eslint src", "eslint src"),
        ("web/node_modules/.bin/tsc --noEmit", "tsc --noEmit"),
        (".venv/bin/pytest -q", "pytest -q"),
        (".venv/bin/python -m ruff check", "ruff check"),
        (".tox/py311/bin/mypy src", "mypy src"),
        ("vendor/bin/phpcs src", "phpcs src"),
    ],
)
def test_what_a_package_tool_installed_in_the_project_is_what_its_name_says(command: str, same: str) -> None:
    assert compact_of(command)[1:] == compact_of(same)


@pytest.mark.parametrize(
    "command",
    [
        "/tmp/node_modules/.bin/eslint src",
        "../node_modules/.bin/eslint src",
        "node_modules/.bin/rm a",
        "node_modules/.bin/frob",
        "bin/eslint src",
        "~/.venv/bin/pytest",
    ],
)
def test_any_other_program_with_a_path_is_unseen_code(command: str) -> None:
    assert "execute" in compact_of(command)


def test_below_the_workspace_a_parent_directory_may_hold_the_programs() -> None:
    inside = Context(cwd="/w/packages/a", workspace="/w", home="/home/u")
    assert "execute" not in compact_of("../../node_modules/.bin/eslint src", inside)
