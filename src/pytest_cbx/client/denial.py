"""Commands that must not run: because of what their text shows (`deny`), or because no rung can take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_cbx.client.isolation import Rung
from pytest_cbx.client.jobs import Job
from pytest_cbx.client.marked import Mark, marked, plain
from pytest_cbx.client.outcome import Outcome, error_of
from pytest_cbx.client.protection import unprotectable
from pytest_cbx.config.model import Settings
from pytest_cbx.safety.model import Finding
from pytest_cbx.severity import Severity

REFUSED = "denied"
"""The cause of an outcome."""


def findings_against(job: Job, deny: Severity | None) -> tuple[Finding, ...]:
    """The findings for which the job must not run; none where it may."""
    assessment = job.request.assessment
    return assessment.denied(deny, job.config.allow) if assessment is not None else ()


def refusal(job: Job, settings: Settings, rung: Rung) -> Outcome | None:
    """The outcome of a job that must not run; None where it may. Findings go first: they hold at every rung."""
    against = findings_against(job, settings.deny)
    if not against:
        reason = unprotectable(job, settings, rung)
        return never_ran(job, "failed", f"refused: {reason}", cause=REFUSED) if reason else None
    more = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
    reason = f"refused: {against[0].severity.value} finding {against[0].rule}: {against[0].message}{more}"
    return never_ran(job, "failed", reason, cause=REFUSED)


def never_ran(job: Job, status: str, reason: str, *, cause: str = "") -> Outcome:
    """The outcome of a command that is not started at all."""
    request = job.request
    error = error_of(status=status, cause=cause, reason=reason, name=request.name)
    return Outcome(
        name=request.name, command=request.text, tier=request.tier, status=status, reason=reason, cause=cause, error=error
    )  # fmt: skip


def refuse(jobs: Sequence[Job], settings: Settings, rung: Rung) -> Mapping[str, Outcome]:
    """By name the outcomes of all jobs that must not run, and of those that need one of them."""
    ended = {job.request.name: outcome for job in jobs if (outcome := refusal(job, settings, rung)) is not None}
    waiting = [job for job in jobs if job.config.needs and job.request.name not in ended]
    while True:
        stopped = {job.request.name: outcome for job in waiting if (outcome := without_need(job, ended)) is not None}
        if not stopped:
            return ended
        ended.update(stopped)
        waiting = [job for job in waiting if job.request.name not in stopped]


def without_need(job: Job, ended: Mapping[str, Outcome]) -> Outcome | None:
    """The outcome of a job that needs one which did not pass; None where nothing that it needs has failed so far."""
    for need in job.config.needs:
        earlier = ended.get(need)
        if earlier is not None and not earlier.ok:
            reason = f"needs {need}, which {earlier.status}" + (f": {earlier.reason}" if earlier.reason else "")
            return never_ran(job, "skipped", reason)
    return None


def advice(findings: Sequence[Finding]) -> str:
    """What to do about a refusal."""
    rules = ", ".join(f'"{rule}"' for rule in dict.fromkeys(finding.rule for finding in findings))
    return f"change the command, or write allow = [{rules}] in its table if you stand by it"


def shown(job: Job, findings: Sequence[Finding], *, width: int = 100) -> list[str]:
    """The command with the findings underlined; those without a place below."""
    marks = [Mark(span=f.span, says=(told(f),)) for f in findings if f.span is not None]
    lines = plain(marked(job.config.predicted, marks, width=width, indent=0))
    return [*lines, *(told(finding) for finding in findings if finding.span is None)]


def told(finding: Finding) -> str:
    """One line: severity, rule, message."""
    return f"{finding.severity.value} {finding.rule}: {finding.message}"
