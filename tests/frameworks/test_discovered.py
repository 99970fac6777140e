"""What discovery proposes, run with the real tool: its cases are as many as the tool itself counts.

`pytest -s tests/frameworks` prints the table.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cbx.frameworks.discovery import discover
from tests.frameworks.tools import Counts, cases_of, copied, findings, hold, run, run_needs, said
from tests.requirements import require


def _unittest(text: str) -> Counts:
    """It counts how many ran, and how many of them did not simply pass; unexpected success is failure."""
    number = {word: int(count) for word, count in re.findall(r"([a-z]+(?: [a-z]+)?)=(\d+)", text.splitlines()[-1])}
    _, failed, skipped, error = (0, number["failures"], number["skipped"], number["errors"])
    failed += number["unexpected successes"]
    skipped += number["expected failures"]
    return said(text, r"Ran (\d+) tests", "", "", "")[0] - failed - skipped - error, failed, skipped, error


def _meson(text: str) -> Counts:
    ends = Counter(re.findall(r"^ *\d+/\d+ \S+ +([A-Z]+) ", text, re.MULTILINE))
    return (
        ends["OK"] + ends["EXPECTEDFAIL"],
        ends["FAIL"] + ends["UNEXPECTEDPASS"],
        ends["SKIP"],
        ends["ERROR"] + ends["TIMEOUT"],
    )


def _jest(text: str) -> Counts:
    tests = next(line for line in text.splitlines() if line.startswith("Tests:"))
    passed, failed, skipped, _ = said(tests, r"(\d+) passed", r"(\d+) failed", r"(\d+) skipped", "")
    return passed, failed, skipped + said(tests, r"(\d+) todo", "", "", "")[0], text.count("Test suite failed to run")


def _vitest(text: str) -> Counts:
    tests = next(line for line in text.splitlines() if line.lstrip().startswith("Tests "))
    passed, failed, skipped, _ = said(tests, r"(\d+) passed", r"(\d+) failed", r"(\d+) skipped", "")
    error = said(text, "", "", "", r"Failed Suites (\d+)")[3]
    return passed, failed, skipped + said(tests, r"(\d+) todo", "", "", "")[0], error


def _mocha(text: str) -> Counts:
    return said(text, r"(\d+) passing", r"(\d+) failing", r"(\d+) pending", "")


def _playwright(text: str) -> Counts:
    return said(text, r"^ +(\d+) passed", r"^ +(\d+) failed", r"^ +(\d+) skipped", "")


def _bats(text: str) -> Counts:
    tests, failed, skipped, _ = said(text, r"(\d+) tests", r"(\d+) failure", r"(\d+) skipped", "")
    return tests - failed - skipped, failed, skipped, 0


def _maven(text: str) -> Counts:
    """The sums of its modules."""
    sums = [
        map(int, one)
        for one in re.findall(
            r"^\S+ Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)$", text, re.MULTILINE
        )
    ]
    tests, failed, error, skipped = map(sum, zip(*sums, strict=True))
    return tests - failed - error - skipped, failed, skipped, error


def _nextest(text: str) -> Counts:
    return said(text, r"run: .*?(\d+) passed", r"run: .*?(\d+) failed", r"run: .*?(\d+) skipped", "")


def _semgrep(text: str) -> Counts:
    return said(text, "", r"Findings: (\d+) ", "", "")


def _rspec(text: str) -> Counts:
    tests, failed, skipped, error = said(
        text, r"(\d+) examples", r"(\d+) failures", r"(\d+) pending", r"(\d+) errors? occ"
    )
    return tests - failed - skipped, failed, skipped, error


def _phpunit(text: str) -> Counts:
    number = Counter({word: int(count) for word, count in re.findall(r"([A-Z][a-z]+): (\d+)", text.splitlines()[-1])})
    skipped = number["Skipped"] + number["Incomplete"] + number["Risky"]
    return (
        number["Tests"] - number["Failures"] - number["Errors"] - skipped,
        number["Failures"],
        skipped,
        number["Errors"],
    )


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
        folder="unittest", command="py-unit", needs=(), plain="python -m unittest discover -s tests -t .", counts=_unittest,
        names=("tests.test_shapes.TestArea.test_square", "tests.test_shapes.TestArea.test_sides [a side] (side=2)", "tests.test_broken"),
        ours=(1, 0, 0, 0),  # a set-up of a class that fails is an error, but no test that ran
    ),
    "Meson": Row(
        folder="meson", command="c-meson-test", needs=("meson", "ninja", "gcc"), plain="meson test -C build/meson", counts=_meson,
        names=("shapes:area", "shapes:torus", "shapes.shapes:pencil::2 - point"),
        ours=(1, 0, 1, 0),  # of a test that prints TAP each of its cases
    ),
    "Jest": Row(
        folder="javascript", command="js-unit", needs=NODE, plain="npx --no-install jest --ci", counts=_jest,
        names=("area of an oblong", "of a torus", "broken.test.js"),
    ),
    "Vitest": Row(
        folder="javascript", command="js-unit-vitest", needs=NODE, plain="npx --no-install vitest run", counts=_vitest,
        names=("area of an oblong", "broken.spec.js"),
    ),
    "Mocha": Row(
        folder="javascript", command="js-spec", needs=NODE, plain="npx --no-install mocha", counts=_mocha,
        names=("area::is that of an oblong", 'drawing::"before all" hook: sharpen for "takes a pen"'),
    ),
    "Playwright": Row(
        folder="javascript", command="js-e2e", needs=NODE, plain="npx --no-install playwright test --reporter=line", counts=_playwright,
        names=("shapes.spec.js::area › of an oblong", "shapes.spec.js::of a torus"),
    ),
    "bats": Row(
        folder="javascript", command="bats-test", needs=NODE, plain="../node_modules/bats/bin/bats --formatter pretty shapes.bats",
        counts=_bats, names=("area of an oblong", "area of a circle"),
    ),
    "ESLint": Row(
        folder="javascript", command="js-lint", needs=NODE, plain="npx --no-install eslint .",
        counts=findings(r"^ +\d+:\d+ +error ", warnings=r"^ +\d+:\d+ +warning "), names=(),
    ),
    "Maven": Row(
        folder="maven", command="java-test", needs=("mvn", "javac"), plain="mvn -B -ntp -fae test", counts=_maven,
        names=("shapes.AreaTest::oblong", "shapes.DrawingTest"), promised=False,
    ),
    "nextest": Row(
        folder="nextest", command="rust-test", needs=("cargo", "cargo-nextest"), plain="cargo nextest run --no-fail-fast",
        counts=_nextest, names=("shapes::tests::area", "shapes::tests::one"), promised=False,
        ours=(0, 0, -1, 0),  # its report is silent of what is ignored
    ),
    "semgrep": Row(
        folder="semgrep", command="security-semgrep", needs=("semgrep",),
        plain="semgrep scan --metrics off --disable-version-check --config .semgrep.yml",
        counts=_semgrep, names=("shapes.py:5:12 no-eval",), promised=False,
        ours=(0, 0, 1, 0),  # what is suppressed in the source
    ),
    "RSpec": Row(
        folder="rspec", command="ruby-spec", needs=("bundle", "rspec"), plain="bundle exec rspec", counts=_rspec,
        names=("area is that of an oblong", "(outside of examples)"),
    ),
    "PHPUnit": Row(
        folder="phpunit", command="php-unit", needs=("phpunit",), plain="vendor/bin/phpunit", counts=_phpunit,
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
    "tsc": Check(
        folder="javascript", command="js-types", needs=NODE, says="error TS2322", mend="echo 'export const side = 2;' > src/types.ts",
    ),
    "flake8": Check(folder="formatters", command="py-flake8", needs=("flake8",), says="F401", mend="sed -i 1,3d shapes.py"),
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
