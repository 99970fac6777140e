"""How grave a finding is, and which findings there are: the words that the configuration, the tools and `safety` share."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Severity(Enum):
    """How bad a finding is."""

    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return _RANKS[self]

    def reaches(self, limit: Severity) -> bool:
        """Whether this is `limit` or graver."""
        return self.rank >= limit.rank


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}

_N, _W, _C = Severity.NOTICE, Severity.WARNING, Severity.CRITICAL

RULES: Mapping[str, tuple[Severity, ...]] = MappingProxyType(
    {
        "destroys-root": (_C,),
        "disk": (_C,),
        "touches-system": (_C, _W),
        "touches-secret": (_C, _W),
        "touches-startup": (_C, _W),
        "persistence": (_C, _W),
        "discards": (_W,),
        "outside": (_W,),
        "traversal": (_W, _N),
        "reads-secret": (_W,),
        "exfiltration": (_C,),
        "secret-in-text": (_C, _W),
        "remote-code": (_C, _W),
        "decoded-code": (_C,),
        "injection": (_W, _N),
        "unquoted": (_W,),
        "empty-variable": (_C,),
        "escalation": (_C, _W),
        "world-writable": (_W,),
        "unverified": (_W,),
        "force-push": (_W,),
        "history": (_W,),
        "fork-bomb": (_C,),
        "obfuscation": (_W,),
        "deceptive-text": (_C, _W),
        "unreadable": (_W,),
    }
)
"""Every rule that a finding may name, with the severities that it may have, the gravest first."""
