"""What the results of a command say, once it has come to its own end."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pytest_cbx.client.jobs import Job
from pytest_cbx.config.model import parse_results
from pytest_cbx.engine.protocol import Finished
from pytest_cbx.frameworks.cases import Case, ResultsError
from pytest_cbx.frameworks.results.reading import STDOUT, Source, place_of, read_results


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The cases, or why there are none."""

    cases: tuple[Case, ...] = ()
    problem: str = ""
    """For people; empty: they were read, or the command has none."""

    @property
    def bad(self) -> str:
        """Why a command has failed though its exit code is 0; empty: it has not."""
        if self.problem:
            return "its results cannot be read"
        count = sum(one.bad for one in self.cases)
        return f"{count} of {len(self.cases)} case{'s' if len(self.cases) != 1 else ''} failed" if count else ""


NO_RESULTS = Results()


def result_files(job: Job) -> bytes:
    """Where a job's result files are, as an absolute glob; empty: it has none, or prints them."""
    if job.config.results is None:
        return b""
    _, pattern = parse_results(job.config.results)
    return b"" if pattern == STDOUT else os.fsencode(place_of(pattern, job.directory))


def results_of(job: Job, finished: Finished, *, output: Path | None, spared: Path) -> Results:
    """Read a job's results.

    Args:
        job: what was run.
        finished: what the engine said of it.
        output: the file that it printed to.
        spared: where its result files are if its changes were undone; removed.
    """
    if job.config.results is None or finished.exit_code is None or finished.status not in ("passed", "failed"):
        return NO_RESULTS
    source = Source(
        results=job.config.results,
        folder=job.directory,
        started_at=finished.started_at,
        output=output,
        moved_to=spared if finished.rolled_back else None,
    )
    try:
        return Results(cases=read_results(source))
    except ResultsError as error:
        return Results(problem=str(error))
    finally:
        shutil.rmtree(spared, ignore_errors=True)
