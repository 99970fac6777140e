"""What discovery proposes, run with the real tool: its cases are as many as the tool itself counts.

`pytest -s tests/frameworks` prints the table.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cbx.frameworks.discovery import discover
from tests.frameworks import counts
from tests.frameworks.tools import Counts, cases_of, copied, hold, run, run_needs
from tests.requirements import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    folder: str
    command: str
    """The name of what discovery is to propose."""
    needs: tuple[str, ...]
    plain: str
    """The command by which the tool tells people."""
    counts: Callable[[str], Counts]
    names: tuple[str, ...]
    """Some cases by their names."""
    ours: Counts = (0, 0, 0, 0)
    """What we count beside that."""
    before: str = ""
    """Run instead of what the command needs."""
    promised: bool = True


NODE = ("node", "npm", "npx")
ROWS = {
    "unittest": Row(
        folder="unittest", command="py-unit", needs=(), plain="python -m unittest discover -s tests -t .", counts=counts.unittest,
        names=("tests.test_shapes.TestArea.test_square", "tests.test_shapes.TestArea.test_sides [a side] (side=2)", "tests.test_broken"),
        ours=(1, 0, 0, 0),  # a set-up of a class that fails is an error, but no test that ran
    ),
    "pytest": Row(
        folder="pytest", command="py-unit", needs=(), plain="pytest -q", counts=counts.pytest,
        names=("tests.test_shapes::test_square[2]", "tests.test_shapes.TestOld::test_old"),
    ),
    "ruff": Row(
        folder="ruff", command="py-ruff", needs=("ruff",), plain="ruff check --output-format concise .",
        counts=counts.findings(r"^shapes\.py:\d+"), names=("shapes.py:1:8 F401",),
    ),
    "mypy": Row(
        folder="mypy", command="py-types", needs=("mypy",), plain="mypy .", counts=counts.findings(r"^shapes\.py:\d+: error"),
        names=("shapes.py:5:7 arg-type",),
    ),
    "shellcheck": Row(
        folder="shellcheck", command="sh-lint", needs=("shellcheck",), plain="shellcheck --format gcc shapes.sh",
        counts=counts.findings(r"\[SC\d+\]$"), names=("shapes.sh:4:4 SC2086",),
    ),
    "go test": Row(
        folder="go", command="go-test", needs=("go",), plain="go test -v ./...", counts=counts.go,
        names=("example.com/shapes::TestSquare/two", "example.com/shapes/broken"),
    ),
    "cargo test": Row(
        folder="cargo", command="rust-test", needs=("cargo",), plain="cargo test --no-fail-fast", counts=counts.cargo,
        names=("tests::two", "src/lib.rs - square (line 5)"), promised=False,
    ),
    "ctest": Row(
        folder="ctest", command="c-test", needs=("cmake", "ctest"), plain="ctest --test-dir build/cbx", counts=counts.ctest,
        names=("square", "circle"),
    ),
    "Meson": Row(
        folder="meson", command="c-meson-test", needs=("meson", "ninja", "gcc"), plain="meson test -C build/meson", counts=counts.meson,
        names=("shapes:area", "shapes:torus", "shapes.shapes:pencil::2 - point"),
        ours=(1, 0, 1, 0),  # of a test that prints TAP each of its cases
    ),
    "node": Row(
        folder="node", command="js-test", needs=("node",), plain="node --test --test-reporter=tap", counts=counts.node,
        names=("square > of two, # and all", "square > in colour > is red"),
    ),
    "Jest": Row(
        folder="javascript", command="js-unit", needs=NODE, plain="npx --no-install jest --ci", counts=counts.jest,
        names=("area of an oblong", "of a torus", "unit/broken.test.js"),
    ),
    "Vitest": Row(
        folder="javascript", command="js-unit-vitest", needs=NODE, plain="npx --no-install vitest run", counts=counts.vitest,
        names=("area of an oblong", "vite/broken.spec.js"),
    ),
    "Mocha": Row(
        folder="javascript", command="js-spec", needs=NODE, plain="npx --no-install mocha", counts=counts.mocha,
        names=("area::is that of an oblong", 'drawing::"before all" hook: sharpen for "takes a pen"'),
    ),
    "Playwright": Row(
        folder="javascript", command="js-e2e", needs=NODE, plain="npx --no-install playwright test --reporter=line",
        counts=counts.playwright, names=("shapes.spec.js::area › of an oblong", "shapes.spec.js::of a torus"),
    ),
    "bats": Row(
        folder="javascript", command="bats-test", needs=NODE, plain="../node_modules/bats/bin/bats --formatter pretty shapes.bats",
        counts=counts.bats, names=("area of an oblong", "area of a circle"),
    ),
    "ESLint": Row(
        folder="javascript", command="js-lint", needs=NODE, plain="npx --no-install eslint .",
        counts=counts.findings(r"^ +\d+:\d+ +error ", warnings=r"^ +\d+:\d+ +warning "), names=("src/area.js:2:9 no-unused-vars",),
    ),
    "tsc": Row(
        folder="javascript", command="js-types", needs=NODE, plain="npx --no-install tsc --noEmit --pretty",
        counts=lambda text: counts.said(text, "", r"Found (\d+) errors", "", ""), names=("src/types.ts:1:14 TS2322",),
    ),
    "flake8": Row(
        folder="formatters", command="py-flake8", needs=("flake8",), plain="flake8 --quiet --count .",
        counts=lambda text: counts.said(text, "", r"^(\d+)$", "", ""), names=("shapes.py:1:1 F401",),
    ),
    "Maven": Row(
        folder="maven", command="java-test", needs=("mvn", "javac"), plain="mvn -B -ntp -fae test", counts=counts.maven,
        names=("shapes.AreaTest::oblong", "shapes.DrawingTest"), promised=False,
    ),
    "nextest": Row(
        folder="nextest", command="rust-test", needs=("cargo", "cargo-nextest"), plain="cargo nextest run --no-fail-fast",
        counts=counts.nextest, names=("shapes::tests::area", "shapes::tests::one"), promised=False,
        ours=(0, 0, -1, 0),  # its report is silent of what is ignored
    ),
    "semgrep": Row(
        folder="semgrep", command="security-semgrep", needs=("semgrep",),
        plain="semgrep scan --metrics off --disable-version-check --config .semgrep.yml",
        counts=counts.semgrep, names=("shapes.py:5:12 no-eval",), promised=False,
        ours=(0, 0, 1, 0),  # what is suppressed in the source
    ),
    "RSpec": Row(
        folder="rspec", command="ruby-spec", needs=("bundle", "rspec"), plain="bundle exec rspec", counts=counts.rspec,
        names=("area is that of an oblong", "(outside of examples)"),
    ),
    "PHPUnit": Row(
        folder="phpunit", command="php-unit", needs=("phpunit",), plain="vendor/bin/phpunit", counts=counts.phpunit,
        names=("AreaTest::testOblong", 'AreaTest::testSquare with data set "two"'),
        before='mkdir -p vendor/bin; ln -s "$(command -v phpunit)" vendor/bin',  # the system's, as if Composer had put it there
    ),
}  # fmt: skip


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", list(ROWS))
def test_as_the_tool_itself_counts(
    name: str, tmp_path: Path, environment: dict[str, str], installed: Callable[[], Path]
) -> None:
    row = ROWS[name]
    require(*row.needs, promised=row.promised)
    began = time.monotonic()
    folder = installed() if row.folder == "javascript" else copied(row.folder, tmp_path)
    found = {one.command.name: one.command for one in discover(folder).commands}
    command = found[row.command]
    if row.before:
        assert run(row.before, folder, environment)[0] == 0
    elif row.folder != "javascript":
        run_needs(command, found, folder, environment)
    assert command.results
    place = folder / command.cwd
    cases = cases_of(command.run, command.results, place, tmp_path / "output", environment)
    _, text = run(row.plain, place, environment)
    expected = tuple(one + more for one, more in zip(row.counts(text), row.ours, strict=True))
    hold(name, cases, expected, row.names, text=text, began=began)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What tells by its exit code alone."""

    folder: str
    command: str
    needs: tuple[str, ...]
    says: str
    """Part of what it prints of the project as it is."""
    mend: str


CHECKS = {
    "Prettier": Check(
        folder="javascript", command="js-format-check", needs=NODE, says="src/area.js", mend="npx --no-install prettier --write .",
    ),
    "black": Check(folder="formatters", command="py-format-check", needs=("black",), says="", mend="black -q shapes.py"),
    "ruff format": Check(
        folder="formatters", command="py-ruff-format", needs=("ruff",), says="shapes.py", mend="ruff format -q shapes.py"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CHECKS))
def test_its_exit_code_tells(
    name: str, tmp_path: Path, environment: dict[str, str], installed: Callable[[], Path]
) -> None:
    check = CHECKS[name]
    require(*check.needs)
    began = time.monotonic()
    folder = copied(check.folder, tmp_path)
    if check.folder == "javascript":
        (folder / "node_modules").symlink_to(installed() / "node_modules")
    command = next(one.command for one in discover(folder).commands if one.command.name == check.command)
    assert not command.results  # whoever gives it some adds a row to the table
    code, text = run(command.run, folder, environment)
    assert code not in (0, 127), text
    assert check.says in text
    mended, text = run(f"{check.mend}; {command.run}", folder, environment)
    print(f"{name:18} exit code {code}, mended {mended} {'':22}  {time.monotonic() - began:5.1f} s")
    assert mended == 0, text
