"""Hypothesis strategies for fault schedules: a failing one shrinks by itself. `with chaos.apply(strikes): ...` puts one in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from pytest_cbx.chaos.faults.catalogue import own_kinds
from pytest_cbx.chaos.schedules import Strike
from pytest_cbx.errors import UsageError

DISK = ("disk_full", "disk_error", "short_write", "torn_write", "kill")
"""Kinds by default: they strike any command that writes."""


def strikes(kinds: Sequence[str] = DISK, *, calls: int = 10, **keywords: Any) -> st.SearchStrategy[Strike]:
    """One fault of these kinds, at one of the first `calls` calls; it shrinks to the first kind, at the first call, once.

    Raises:
        UsageError: there is no such kind.
    """
    unknown = [kind for kind in kinds if kind not in own_kinds()]
    if unknown or not kinds:
        raise UsageError(f"there is no fault {', '.join(unknown)}; there are {', '.join(sorted(own_kinds()))}")
    base = tuple(sorted(keywords.items()))
    return st.builds(
        lambda kind, at, lasting: Strike(kind=kind, keywords=base).but(at=at, lasting=lasting or None),
        st.sampled_from(list(kinds)),
        st.integers(1, calls),
        st.booleans(),
    )


def schedules(
    kinds: Sequence[str] = DISK, *, calls: int = 10, most: int = 3, **keywords: Any
) -> st.SearchStrategy[tuple[Strike, ...]]:
    """Up to `most` faults at once, at least one; it shrinks to the fewest that still fail."""
    return st.lists(strikes(kinds, calls=calls, **keywords), min_size=1, max_size=most).map(tuple)
