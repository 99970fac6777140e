"""From a command's `results` to its cases: finds the files that this run of it wrote, and has them read."""

from __future__ import annotations

import glob
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_cbx.config.model import ResultFormat, parse_results
from pytest_cbx.frameworks.cases import Case, ResultsError, bounded, distinct
from pytest_cbx.frameworks.results.formats import MAY_BE_EMPTY, READERS, recognise

BYTES_MAX = 64 * 1024 * 1024
"""Bytes of all result files of one command."""
FILES_MAX = 2000
_HEAD = 64 * 1024
"""Bytes by which a format is recognised."""
_CLOCKS_DIFFER = 0.1
"""Seconds that a file system's clock may be behind: it moves once a tick, and on other machines as it likes."""
STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the results of one run of a command are."""

    results: str
    """As in the configuration: a glob, `-` for the output, with a format before it or not."""
    folder: Path
    """What the glob is relative to."""
    started_at: float
    """Unix seconds; an older file is left from another run."""
    output: Path | None = None
    """What the command printed."""
    moved_to: Path | None = None
    """Where copies of the files are, each at its absolute path below it, if the files themselves have been undone."""


def read_results(source: Source) -> tuple[Case, ...]:
    """All cases, in the order of the files' names.

    Raises:
        ResultsError: there is no file of this run, or one that cannot be read, or too much.
    """
    form, pattern = parse_results(source.results)
    cases: list[Case] = []
    left = BYTES_MAX
    for path, shown in _files(source, pattern):
        data, problem = _content(path, left)
        if problem:
            raise ResultsError(f"{shown} {problem}")
        left -= len(data)
        cases += bounded(_cases(data, form, shown), shown)
    here = tuple({f"{source.folder}/", f"{os.path.realpath(source.folder)}/"})
    cases = [_seen_from(one, here) for one in cases]
    return tuple(bounded(distinct(cases), source.results))


def _seen_from(one: Case, here: tuple[str, ...]) -> Case:
    """Linters name a file by its whole path; a case has the same name in every clone."""
    top = next((top for top in here if one.name.startswith(top)), "")
    return replace(one, name=one.name.removeprefix(top)) if top and one.name != top else one


def _cases(data: bytes, form: ResultFormat | None, shown: str) -> Iterator[Case]:
    found = form or recognise(data[:_HEAD])
    if not data.strip() and found not in MAY_BE_EMPTY:
        raise ResultsError(f"{shown} is empty: whoever should have written it died, or wrote elsewhere")
    if found is None:
        known = ", ".join(one.value for one in ResultFormat)
        raise ResultsError(
            f'{shown} is in no format that is known ({known}); say which by results = "FORMAT:…", or let the tool write JUnit XML'
        )
    return READERS[found](io.BytesIO(data), shown)


def _files(source: Source, pattern: str) -> list[tuple[Path, str]]:
    """The files with how to name them."""
    if pattern == STDOUT:
        if source.output is None:
            raise ResultsError("its output was not kept, so that no results can be read from it")
        return [(source.output, "its output")]
    before = str(source.moved_to) if source.moved_to is not None else ""
    place = glob.escape(before) + place_of(pattern, source.folder)
    paths = [Path(path) for path in sorted(glob.glob(place, recursive=True, include_hidden=True))]
    if not paths:
        raise ResultsError(f"it wrote no {pattern}: its results are unknown; look at its reporter, and at `results`")
    fresh = [path for path in paths if _written_at(path) >= source.started_at - _CLOCKS_DIFFER]
    if not fresh:
        raise ResultsError(
            f"{pattern} is older than this run: it was not written by it, so that its results are unknown"
        )
    if len(fresh) > FILES_MAX:
        raise ResultsError(f"{pattern} fits {len(fresh):,} files; at most {FILES_MAX:,} are read")
    return [(path, os.path.relpath(str(path).removeprefix(before), source.folder)) for path in fresh]


def place_of(pattern: str, folder: Path) -> str:
    """A glob that is relative to a folder, as an absolute one."""
    return os.path.normpath(os.path.join(glob.escape(str(folder)), pattern))


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _content(path: Path, most: int) -> tuple[bytes, str]:
    """Its bytes, and what is wrong; the file is never waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return b"", f"cannot be opened: {error.strerror}"
    info = os.fstat(descriptor)
    if not stat.S_ISREG(info.st_mode):
        os.close(descriptor)
        return b"", "is no file"
    with open(descriptor, "rb") as file:
        if info.st_size > most:
            return (
                b"",
                f"makes the results larger than {BYTES_MAX // 2**20} MB; let the tool leave out what its cases print",
            )
        try:
            return file.read(most + 1)[:most], ""
        except OSError as error:
            return b"", f"cannot be read: {error.strerror}"
