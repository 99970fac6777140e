"""The four tiers, from the laxest to the strictest."""

from __future__ import annotations

from enum import Enum


class Tier(Enum):
    """How freely a command may run beside others. Ordered: a later member is stricter."""

    SAFE_PARALLEL = "SAFE_PARALLEL"
    """Reads only."""
    CONDITIONAL_PARALLEL = "CONDITIONAL_PARALLEL"
    """Writes nothing but its own outputs and caches: builds, tests, package installs."""
    SEQUENTIAL_REQUIRED = "SEQUENTIAL_REQUIRED"
    """Changes sources or shared state; one at a time per resource it claims."""
    DANGEROUS_ISOLATED = "DANGEROUS_ISOLATED"
    """Destroys, or changes the system; runs alone in the work tree."""

    @property
    def strictness(self) -> int:
        """0 (SAFE_PARALLEL) … 3 (DANGEROUS_ISOLATED)."""
        return _STRICTNESS[self]

    def __lt__(self, other: Tier) -> bool:
        return self.strictness < other.strictness

    def __le__(self, other: Tier) -> bool:
        return self.strictness <= other.strictness

    def __gt__(self, other: Tier) -> bool:
        return self.strictness > other.strictness

    def __ge__(self, other: Tier) -> bool:
        return self.strictness >= other.strictness


_STRICTNESS = {tier: rank for rank, tier in enumerate(Tier)}
