"""`--cbx-shard I/N`: one part of the tests, so that N runs of the same pytest have each test once.

Files stay whole, as their fixtures are made for them. What each shard takes depends on nothing but the collected files and how
many tests each has: the largest file goes first, always to the shard that has the fewest tests so far.
Source: Graham, "Bounds on Multiprocessing Timing Anomalies" (1969): the longest first is at most 4/3 of the best there is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_cbx.pytest_plugin import _compat

_EMPTY = "cbx_shard_empty"
"""By which a worker of xdist tells its controller."""


def files_of(counts: Mapping[str, int], number: int, shards: int) -> frozenset[str]:
    """The files that the shard `number` (from 1) of `shards` takes; `counts` are tests by file."""
    loads = [0] * shards
    own: set[str] = set()
    for file, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        least = loads.index(min(loads))
        loads[least] += count
        if least == number - 1:
            own.add(file)
    return frozenset(own)


def parse_shard(text: str) -> tuple[int, int]:
    """`I/N` as numbers.

    Raises:
        pytest.UsageError: it is something else, or there is no such shard.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    number, shards = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= shards:
        raise pytest.UsageError(f'--cbx-shard: "{text}" is no shard; write 1/3 for the first of three')
    return number, shards


class ShardPlugin:
    """Deselects what other shards take."""

    def __init__(self, number: int, shards: int) -> None:
        self._number = number
        self._shards = shards
        self._empty = False
        """All tests are other shards'."""

    def pytest_report_header(self) -> str:
        """Which part this run has."""
        return f"cbx: shard {self._number} of {self._shards}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """First of all, so that no other choice (`--lf` remembers each shard's own failures) moves a file to another shard."""
        files = [item.nodeid.partition("::")[0] for item in items]
        own = files_of(Counter(files), self._number, self._shards)
        others = [item for item, file in zip(items, files, strict=True) if file not in own]
        if others:
            self._empty = len(others) == len(items)
            items[:] = [item for item, file in zip(items, files, strict=True) if file in own]
            config.hook.pytest_deselected(items=others)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        """Where all tests are other shards', nothing is missing. (Where `-k` finds none in this one, something is.)"""
        if _compat.is_xdist_worker(session.config):
            session.config.workeroutput[_EMPTY] = self._empty  # type: ignore[attr-defined]
        elif exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self._empty:
            session.exitstatus = pytest.ExitCode.OK

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """xdist's controller collects nothing itself."""
        self._empty |= getattr(node, "workeroutput", {}).get(_EMPTY, False)
