"""Gives the tier of a command, with its reasons."""

from pytest_cbx.safety.model import Assessment, Finding, Severity
from pytest_cbx.safety.tiers import assess

__all__ = ["Assessment", "Finding", "Severity", "assess"]
