"""What Rust's test programs print: the text of `cargo test`, or its JSON lines (`--format json`, of nightly toolchains).

nextest writes JUnit. Source: library/test of the Rust project, formatters `pretty.rs` and `json.rs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

import msgspec

from pytest_cbx.frameworks.cases import Case, CaseStatus, ResultsError, case

_TEST = re.compile(
    r"test (?P<name>.+?) \.\.\. (?P<end>ok|FAILED|ignored|bench:)(?:, (?P<why>.*))?(?: <(?P<time>[\d.]+)s>)?$"
)
_DOCUMENTED = re.compile(r"(?P<file>\S+) - (?P<name>.*?) ?\(line (?P<line>\d+)\)(?P<rest>.*)")
_PROGRAM = re.compile(r"\s*Running (?:unittests |benches )?(\S+)|\s*Doc-tests (\S+)")
_SAID = re.compile(r"---- (?P<name>.+?) (?:stdout|stderr) ----$")
_PANIC = re.compile(r"panicked at (?:'.*', )?(?P<file>[^:'\n]+):(?P<line>\d+)")
_ENDS = {
    "ok": CaseStatus.PASSED,
    "FAILED": CaseStatus.FAILED,
    "failed": CaseStatus.FAILED,
    "ignored": CaseStatus.SKIPPED,
}


class _Event(msgspec.Struct, frozen=True):
    type: str = ""
    event: str = ""
    name: str = ""
    stdout: str = ""
    exec_time: float = 0.0
    message: str = ""


def read(file: IO[bytes], where: str) -> Iterator[Case]:
    """The cases of an open file or output, in the order in which they are told.

    Raises:
        ResultsError: nothing in it is a result of such a program.
    """
    found: dict[str, Case] = {}
    texts: dict[str, list[str]] = {}
    program, listening, programs = "", "", 0
    for number, raw in enumerate(file, 1):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith(('{"type"', '{ "type"')):
            one = _event(raw, f"{where}:{number}")
            if one is not None:
                found[one.name] = one
            programs += 1
        elif running := _PROGRAM.match(line):
            program = running[1] or running[2]
        elif re.fullmatch(r"running \d+ tests?", line):
            programs += 1
            listening = ""
        elif (test := _TEST.match(line)) and test["end"] in _ENDS:
            name, place, at = _documented(test["name"])
            found[test["name"] + "\0" + str(programs)] = case(
                name, _ENDS[test["end"]], seconds=test["time"] or 0.0, message=test["why"] or "", file=place, line=at
            )
        elif said := _SAID.match(line):
            listening = said["name"] + "\0" + str(programs)
        elif line in ("failures:", "successes:"):
            listening = ""
        elif listening:
            texts.setdefault(listening, []).append(line)
    if not programs:
        raise ResultsError(
            f"{where} has no result of a Rust test program in it{f' ({program} ran)' if program else ''}"
        )
    for key, one in found.items():
        yield _told(one, "\n".join(texts.get(key, ())).strip())


def _event(raw: bytes, where: str) -> Case | None:
    try:
        event = msgspec.json.decode(raw, type=_Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ResultsError(f"{where}: no event of a test program: {error}") from error
    if event.type != "test" or event.event not in (*_ENDS, "timeout"):
        return None
    status = _ENDS.get(event.event, CaseStatus.ERROR)
    made = case(event.name, status, seconds=event.exec_time, message=event.message)
    return _told(made, event.stdout)


def _documented(name: str) -> tuple[str, str, str]:
    """Name, file and line; those of an example of a documentation are told: `src/lib.rs - add (line 5)`."""
    found = _DOCUMENTED.fullmatch(name.partition(" - compile")[0])
    if found is None:
        return name.removesuffix(" - should panic"), "", "0"
    return name, found["file"], found["line"]


def _told(one: Case, text: str) -> Case:
    if not text:
        return one
    bad = one.bad
    place = _PANIC.search(text)
    message = next((line for line in text.splitlines()[1:] if line.strip()), "") if place else ""
    return case(
        one.name,
        one.status,
        seconds=one.seconds,
        message=one.message or message,
        details=text if bad else "",
        output="" if bad else text,
        file=place["file"] if place else one.file,
        line=place["line"] if place else one.line,
    )
