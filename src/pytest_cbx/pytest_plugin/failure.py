"""What a person reads about one command."""

from __future__ import annotations

from pytest_cbx.client.denial import REFUSED, advice, findings_against, shown
from pytest_cbx.client.jobs import Job
from pytest_cbx.client.outcome import TAIL_LINES, Outcome, tail_of_file, told
from pytest_cbx.client.results import Results
from pytest_cbx.severity import Severity

_LABEL = 9
_CASES_SHOWN = 20


def describe_failure(outcome: Outcome, job: Job | None, deny: Severity | None = None) -> str:
    """Command, tier, end, waiting, leaks, and the last lines of output with the file that holds the rest."""
    lines = [*_row("command", outcome.command.rstrip().splitlines() or [""])]
    reasons = job.request.assessment.reasons if job and job.request.assessment else ()
    lines += _row("tier", [f"{outcome.tier.value}" + (f": {reasons[0]}" if reasons else "")])
    lines += _row("result", [how_it_ended(outcome)])
    if outcome.cause == REFUSED and job is not None:
        return "\n".join([*lines, *_refused(job, deny)])
    if outcome.cases or outcome.results_problem:
        lines += _row("cases", _cases(outcome))
    if outcome.attempts > 1:
        lines += _row("attempts", [str(outcome.attempts)])
    if outcome.waited_for:
        lines += _row("waited", [f"{outcome.queued:.2f} s for {', '.join(outcome.waited_for)}"])
    if outcome.leaks:
        lines += _row("leaked", [f"{leak} (killed)" for leak in outcome.leaks])
    beside = told(outcome)
    if beside:
        lines += _row("also", beside)
    if outcome.diff:
        lines += _row("dry run", ["what it would have changed:", *outcome.diff.splitlines()])
    return "\n".join([*lines, *_output(outcome)])


def _refused(job: Job, deny: Severity | None) -> list[str]:
    """The findings for which a command was refused, where they stand, and what to do."""
    against = findings_against(job, deny)
    if not against:
        return []
    return [*_row("found", shown(job, against, width=90)), *_row("to do", [advice(against)])]


def output_section(outcome: Outcome) -> str:
    """The tail of a command's output for pytest's own sections (`-rP`, junit)."""
    lines, more = _tail(outcome)
    return "\n".join([f"… the last {TAIL_LINES} lines:", *lines] if more else lines)


def _row(label: str, values: list[str]) -> list[str]:
    first, *rest = values
    return [f"{label:<{_LABEL}} {first}", *(f"{'':<{_LABEL}} {line}" for line in rest)]


def how_it_ended(outcome: Outcome) -> str:
    """One line, e.g. "exit code 3 after 0.52 s", "1 of 3 cases failed, exit code 1 after 2.10 s"."""
    if outcome.exit_code is None:
        return outcome.reason or f"{outcome.status}, never ran"
    bad = "" if outcome.reason else Results(cases=outcome.cases).bad
    cases = f"{bad}, " if bad else ""
    how = outcome.reason or (f"signal {outcome.signal}" if outcome.signal else f"exit code {outcome.exit_code}")
    if outcome.reason and f"{outcome.exit_code}" not in outcome.reason:
        how += f" (exit code {outcome.exit_code})"
    return f"{cases}{how} after {outcome.duration:.2f} s"


def _cases(outcome: Outcome) -> list[str]:
    if outcome.results_problem:
        return [outcome.results_problem]
    bad = [f"{one.status.value:<7} {one.name}" for one in outcome.cases if one.bad]
    more = [f"… and {len(bad) - _CASES_SHOWN} more"] if len(bad) > _CASES_SHOWN else []
    return [f"{len(bad)} of {len(outcome.cases)} failed", *bad[:_CASES_SHOWN], *more]


def _output(outcome: Outcome) -> list[str]:
    lines, more = _tail(outcome)
    if not lines:
        return [*_row("output", ["none"])]
    head = f"last {len(lines)} lines" if more else f"{len(lines)} line{'s' if len(lines) != 1 else ''}"
    where = f"; all of it in {outcome.log}" if outcome.log else ""
    return [*_row("output", [f"{head}{where}"]), *(f"  {line}" for line in lines)]


def _tail(outcome: Outcome) -> tuple[list[str], bool]:
    return tail_of_file(outcome.log) if outcome.log is not None else ([], False)
