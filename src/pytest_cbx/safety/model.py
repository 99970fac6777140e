"""The verdict on one command."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pytest_cbx.shell.nodes import Span
from pytest_cbx.tier import Tier


class Severity(Enum):
    """How bad a finding is."""

    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a reviewer would want to see: an injection, a traversal, an escalation."""

    rule: str
    severity: Severity
    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Tier, the reasons for it (strictest first, one short sentence each), and the findings."""

    tier: Tier
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
