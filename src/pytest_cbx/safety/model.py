"""The verdict on one command."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pytest_cbx.severity import Severity
from pytest_cbx.shell.nodes import Span
from pytest_cbx.tier import Tier

__all__ = ["Assessment", "Finding", "Severity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a reviewer would want to see: an injection, a traversal, an escalation."""

    rule: str
    severity: Severity
    message: str
    """One short sentence. It repeats no secret."""
    span: Span | None = None
    """Where in the command's text; inside an inner text (`bash -c '…'`) where that text stands. None: the text as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Tier, the reasons for it (strictest first, one short sentence each), and the findings, the gravest first."""

    tier: Tier
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    def denied(self, limit: Severity | None, allowed: Collection[str] = ()) -> tuple[Finding, ...]:
        """The findings for which the command must not run: `limit` or graver, of a rule that is not allowed. None denies nothing."""
        if limit is None:
            return ()
        return tuple(each for each in self.findings if each.severity.reaches(limit) and each.rule not in allowed)
