"""How many cases passed, failed, were skipped and could not be tried, as each tool tells people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from tests.frameworks.tools import Counts


def said(text: str, *patterns: str) -> Counts:
    """The numbers that four patterns find in what a tool printed; an empty pattern is 0."""
    found = [re.search(pattern, text, re.MULTILINE) if pattern else None for pattern in patterns]
    passed, failed, skipped, error = (int(one[1]) if one else 0 for one in found)
    return passed, failed, skipped, error


def findings(pattern: str, *, warnings: str = "") -> Callable[[str], Counts]:
    """Of a linter: each finding is a failed case, and what it lets pass a skipped one."""

    def counts(text: str) -> Counts:
        passes = len(re.findall(warnings, text, re.MULTILINE)) if warnings else 0
        return 0, len(re.findall(pattern, text, re.MULTILINE)), passes, 0

    return counts


def pytest(text: str) -> Counts:
    return said(text, r"(\d+) passed", r"(\d+) failed", r"(\d+) skipped", r"(\d+) errors?")


def node(text: str) -> Counts:
    passed, failed, skipped, _ = said(text, r"# pass (\d+)", r"# fail (\d+)", r"# skipped (\d+)", "")
    todo = re.search(r"# todo (\d+)", text)
    return passed, failed, skipped + int(todo[1] if todo else 0), 0


def go(text: str) -> Counts:
    passed, failed, skipped = (len(re.findall(rf"--- {end}:", text)) for end in ("PASS", "FAIL", "SKIP"))
    return passed, failed, skipped, len(re.findall(r"\[build failed\]", text))


def ctest(text: str) -> Counts:
    ends = Counter(re.findall(r"Test +#\d+: .*?(Passed|\*\*\*Failed|\*\*\*Skipped|\*\*\*Not Run)", text))
    return ends["Passed"], ends["***Failed"], ends["***Skipped"] + ends["***Not Run"], 0


def cargo(text: str) -> Counts:
    totals = [sum(map(int, re.findall(rf"(\d+) {word}", text))) for word in ("passed", "failed", "ignored")]
    return totals[0], totals[1], totals[2], 0


def perl(text: str) -> Counts:
    """prove counts what is at the outermost level, a failed TODO as okay."""
    failed, of = map(int, re.findall(r"Failed (\d+)/(\d+) subtests", text)[0])
    skipped = int(re.findall(r"less (\d+) skipped", text)[0])
    return of - failed - skipped, failed, skipped, 0


def unittest(text: str) -> Counts:
    """It counts how many ran, and how many of them did not simply pass; unexpected success is failure."""
    number = {word: int(count) for word, count in re.findall(r"([a-z]+(?: [a-z]+)?)=(\d+)", text.splitlines()[-1])}
    _, failed, skipped, error = (0, number["failures"], number["skipped"], number["errors"])
    failed += number["unexpected successes"]
    skipped += number["expected failures"]
    return said(text, r"Ran (\d+) tests", "", "", "")[0] - failed - skipped - error, failed, skipped, error


def meson(text: str) -> Counts:
    ends = Counter(re.findall(r"^ *\d+/\d+ \S+ +([A-Z]+) ", text, re.MULTILINE))
    return (
        ends["OK"] + ends["EXPECTEDFAIL"],
        ends["FAIL"] + ends["UNEXPECTEDPASS"],
        ends["SKIP"],
        ends["ERROR"] + ends["TIMEOUT"],
    )


def jest(text: str) -> Counts:
    tests = next(line for line in text.splitlines() if line.startswith("Tests:"))
    passed, failed, skipped, _ = said(tests, r"(\d+) passed", r"(\d+) failed", r"(\d+) skipped", "")
    return passed, failed, skipped + said(tests, r"(\d+) todo", "", "", "")[0], text.count("Test suite failed to run")


def vitest(text: str) -> Counts:
    tests = next(line for line in text.splitlines() if line.lstrip().startswith("Tests "))
    passed, failed, skipped, _ = said(tests, r"(\d+) passed", r"(\d+) failed", r"(\d+) skipped", "")
    error = said(text, "", "", "", r"Failed Suites (\d+)")[3]
    return passed, failed, skipped + said(tests, r"(\d+) todo", "", "", "")[0], error


def mocha(text: str) -> Counts:
    return said(text, r"(\d+) passing", r"(\d+) failing", r"(\d+) pending", "")


def playwright(text: str) -> Counts:
    return said(text, r"^ +(\d+) passed", r"^ +(\d+) failed", r"^ +(\d+) skipped", "")


def bats(text: str) -> Counts:
    tests, failed, skipped, _ = said(text, r"(\d+) tests", r"(\d+) failure", r"(\d+) skipped", "")
    return tests - failed - skipped, failed, skipped, 0


def maven(text: str) -> Counts:
    """The sums of its modules."""
    sums = [
        map(int, one)
        for one in re.findall(
            r"^\S+ Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)$", text, re.MULTILINE
        )
    ]
    tests, failed, error, skipped = map(sum, zip(*sums, strict=True))
    return tests - failed - error - skipped, failed, skipped, error


def nextest(text: str) -> Counts:
    return said(text, r"run: .*?(\d+) passed", r"run: .*?(\d+) failed", r"run: .*?(\d+) skipped", "")


def semgrep(text: str) -> Counts:
    return said(text, "", r"Findings: (\d+) ", "", "")


def rspec(text: str) -> Counts:
    tests, failed, skipped, error = said(
        text, r"(\d+) examples", r"(\d+) failures", r"(\d+) pending", r"(\d+) errors? occ"
    )
    return tests - failed - skipped, failed, skipped, error


def phpunit(text: str) -> Counts:
    number = Counter({word: int(count) for word, count in re.findall(r"([A-Z][a-z]+): (\d+)", text.splitlines()[-1])})
    skipped = number["Skipped"] + number["Incomplete"] + number["Risky"]
    return (
        number["Tests"] - number["Failures"] - number["Errors"] - skipped,
        number["Failures"],
        skipped,
        number["Errors"],
    )
