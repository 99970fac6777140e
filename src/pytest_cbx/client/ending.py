"""From the engine's last word on a command to its outcome."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from pytest_cbx.client.jobs import Job
from pytest_cbx.client.outcome import Changes, Outcome, error_of
from pytest_cbx.client.output import cache_home
from pytest_cbx.client.results import NO_RESULTS, Results
from pytest_cbx.engine.protocol import ChangeList, Finished


def without_our_own(finished: Finished) -> Finished:
    """A command's end without what a client nested in it keeps in our cache directory."""
    ours = os.fsencode(os.path.join(cache_home(), "pytest-cbx")) + b"/"
    kept = [path for path in finished.outside if not path.startswith(ours)]
    return finished if len(kept) == len(finished.outside) else msgspec.structs.replace(finished, outside=kept)


def outcome_of(
    job: Job,
    finished: Finished,
    *,
    root: Path,
    isolation: str,
    stdout: str = "",
    stderr: str = "",
    log: Path | None = None,
    results: Results = NO_RESULTS,
) -> Outcome:
    """The outcome of a job. `root`: the engine's work tree; `isolation`: the rung that the job was given."""
    passed = finished.status == "passed"
    return Outcome(
        name=job.request.name,
        command=job.request.text,
        tier=job.request.tier,
        status="failed" if passed and results.bad else finished.status,
        exit_code=finished.exit_code,
        signal=finished.signal,
        cause=finished.cause,
        reason=results.bad if passed and results.bad else finished.reason,
        stdout=stdout,
        stderr=stderr,
        log=log,
        duration=finished.wall_s,
        queued=finished.queued_s,
        cpu=finished.cpu_s,
        max_rss=finished.max_rss,
        started_at=finished.started_at,
        ended_at=finished.ended_at,
        attempts=finished.attempts,
        slot=finished.slot,
        waited_for=tuple(finished.waited_for),
        leaks=tuple(finished.leaks),
        isolation=isolation,
        changes=changes_of(finished.changes, root=root, base=job.base) if finished.changes is not None else None,
        rolled_back=finished.rolled_back,
        rollback_incomplete=tuple(finished.rollback_incomplete),
        restarts=finished.restarts,
        restart_reasons=tuple(finished.restart_reasons),
        surprises=tuple(finished.surprises),
        refused=tuple(finished.refused),
        outside=tuple(sorted(os.fsdecode(path) for path in finished.outside)),
        diff=finished.diff,
        faults=tuple(finished.faults),
        cases=results.cases,
        results_problem=results.problem,
        error=error_of(status=finished.status, cause=finished.cause, reason=finished.reason, name=job.request.name),
    )


def changes_of(listed: ChangeList, *, root: Path, base: Path) -> Changes:
    """The engine's list with paths relative to `base`, absolute outside it. The engine's own are relative to `root`."""
    return Changes(
        created=_paths(listed.created, root, base),
        modified=_paths(listed.modified, root, base),
        deleted=_paths(listed.deleted, root, base),
        truncated=listed.truncated,
    )


def _paths(listed: Iterable[bytes], root: Path, base: Path) -> tuple[str, ...]:
    if root == base:
        return tuple(sorted(os.fsdecode(path) for path in listed))
    top = f"{os.fspath(base).rstrip('/')}/"
    absolute = (os.path.join(root, os.fsdecode(path)) for path in listed)
    return tuple(sorted(path.removeprefix(top) for path in absolute))
