"""What `go test -json` prints: a JSON object a line.

Source: `go doc test2json`; `build-output` and `FailedBuild` since Go 1.24.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import msgspec

from pytest_cbx.frameworks.cases import Case, CaseStatus, ResultsError, case

_ENDS = {"pass": CaseStatus.PASSED, "fail": CaseStatus.FAILED, "skip": CaseStatus.SKIPPED}
_LINES_KEPT = 1000
"""Of what one test printed last."""
_NOISE = ("=== RUN", "=== PAUSE", "=== CONT", "--- PASS", "--- FAIL", "--- SKIP", "=== NAME")


class _Event(msgspec.Struct, frozen=True):
    action: str = msgspec.field(name="Action", default="")
    package: str = msgspec.field(name="Package", default="")
    test: str = msgspec.field(name="Test", default="")
    elapsed: float = msgspec.field(name="Elapsed", default=0.0)
    output: str = msgspec.field(name="Output", default="")
    build: str = msgspec.field(name="ImportPath", default="")
    failed_build: str = msgspec.field(name="FailedBuild", default="")


_DECODER = msgspec.json.Decoder(_Event)


def read(file: IO[bytes], where: str) -> Iterator[Case]:
    """The cases of an open file or output; a package that failed without a failing test is one, too.

    Raises:
        ResultsError: no line of it is such an object, or one that begins like it is broken.
    """
    reader = _Reader()
    lines = 0
    for number, raw in enumerate(file, 1):
        if not raw.lstrip().startswith(b"{"):
            continue  # what the build said
        try:
            event = _DECODER.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ResultsError(f"{where}:{number}: no event of go test: {error}") from error
        lines += 1
        yield from reader.take(event)
    if not lines:
        raise ResultsError(f"{where} has no event of go test -json in it")
    for package, test in reader.running:
        yield case(f"{package}::{test}", CaseStatus.ERROR, message="it did not end: the events stop before")


class _Reader:
    def __init__(self) -> None:
        self._said: dict[tuple[str, str], list[str]] = {}
        self._bad: set[str] = set()
        """Packages with a test that failed."""
        self.running: dict[tuple[str, str], None] = {}

    def take(self, event: _Event) -> Iterator[Case]:
        key = (event.package or event.build, event.test)
        if event.action in ("output", "build-output"):
            self._hear(key, event.output)
        elif event.action == "run":
            self.running[key] = None
        elif event.action in _ENDS and event.test:
            self.running.pop(key, None)
            if event.action == "fail":
                self._bad.add(event.package)
            yield _case(event, self._said.pop(key, []))
        elif event.action == "fail":
            yield from self._fail(event, key)

    def _hear(self, key: tuple[str, str], text: str) -> None:
        kept = self._said.setdefault(key, [])
        kept.append(text)
        if len(kept) > 2 * _LINES_KEPT:
            del kept[:_LINES_KEPT]

    def _fail(self, event: _Event, key: tuple[str, str]) -> Iterator[Case]:
        """A package failed: with its tests, in the midst of them (a panic, a time-out), or without any."""
        for one in [one for one in self.running if one[0] == event.package]:
            self.running.pop(one)
            self._bad.add(event.package)
            text = "".join(self._said.pop(one, []) + self._said.get(key, []))
            yield case("::".join(one), CaseStatus.ERROR, message="it did not end", details=text)
        if event.package not in self._bad:
            text = "".join(self._said.get((event.failed_build, ""), []) + self._said.get(key, []))
            yield case(event.package, CaseStatus.ERROR, seconds=event.elapsed, details=text or "the package failed")


def _case(event: _Event, said: list[str]) -> Case:
    text = "".join(line for line in said if not line.lstrip().startswith(_NOISE))
    status = _ENDS[event.action]
    first = text.strip().partition("\n")[0].strip()
    file, line, message = _place(first)
    return case(
        f"{event.package}::{event.test}",
        status,
        seconds=event.elapsed,
        message=message if status is not CaseStatus.PASSED else "",
        details=(text or "a part of it failed") if status is CaseStatus.FAILED else "",
        output=text if status is CaseStatus.PASSED else "",
        file=file,
        line=line,
    )


def _place(first: str) -> tuple[str, str, str]:
    """`sum_test.go:12: got 3` → file, line, message."""
    file, _, rest = first.partition(":")
    line, _, message = rest.partition(":")
    if file.endswith(".go") and line.isdecimal():
        return file, line, message.strip()
    return "", "0", first
