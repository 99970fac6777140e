"""Clearing up after dead engines: kill what they left running, finish their journals, remove their temporary files.

Done by each engine when it starts, and by `cbx recover`: always while the work tree's lock is held, so that every other engine of
the tree is dead.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_cbx.engine.election import clear_away, elect
from pytest_cbx.engine.own_disk import striking
from pytest_cbx.engine.places import Rendezvous
from pytest_cbx.engine.sweep import kill_of_dead_engines, left_by_dead_engines
from pytest_cbx.engine.temporary import remove_tree, temporary_root
from pytest_cbx.execute import cgroups, processes
from pytest_cbx.execute.kernel import files
from pytest_cbx.transaction.disk import DISK, Disk
from pytest_cbx.transaction.home import possible_homes
from pytest_cbx.transaction.recovery import Action, JournalResult, recover_home, waiting

_ENGINE_LIVES = "an engine is at work in this tree: it, or the next one to start, sees to this"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySummary:
    """What was found and done."""

    journals: tuple[JournalResult, ...] = ()
    killed: tuple[str, ...] = ()
    """Processes that dead engines had left running, for people."""


def recover(workspace: Path, disk: Disk = DISK) -> RecoverySummary:
    """Clear up in a work tree, unless an engine lives there: that one has done it already, and what it runs is not to be disturbed.

    Raises:
        UsageError: there is no private directory for the work tree's lock.
    """
    with _private_files():
        elected = elect(workspace)
        if elected is None:
            return RecoverySummary(journals=_seen(workspace))
        place, lock = elected
        try:
            return recover_locked(place, workspace, "", disk)
        finally:
            clear_away(place, lock)


def recover_locked(place: Rendezvous, workspace: Path, living_token: str, disk: Disk = DISK) -> RecoverySummary:
    """The same for who holds the work tree's lock. `living_token`: of its own engine, whose processes are spared."""
    living = living_token or f"{place.tree}-{os.getpid()}-none"
    orphans = {orphan.identity: processes.describe(orphan.pid) for orphan in left_by_dead_engines(place.tree, living)}
    stubborn = kill_of_dead_engines(place.tree, living=living)
    for survivor in stubborn:
        orphans.pop(survivor.identity, None)
    killed = tuple(orphans.values())
    if stubborn:
        who = ", ".join(processes.describe(survivor.pid) for survivor in stubborn)
        reason = f"{who} cannot be killed, and might still write; when it has ended, run `cbx recover`"
        return RecoverySummary(journals=_seen(workspace, Action.INCOMPLETE, reason), killed=killed)
    sweep_temporary(place.tree, living)
    cgroups.sweep(lambda pid: os.path.exists(f"/proc/{pid}"))
    journals: list[JournalResult] = []
    for home in possible_homes(_real(workspace), os.environb):
        with striking(disk, home.path):
            journals += recover_home(home, clone=files.clone, disk=disk)
    return RecoverySummary(journals=tuple(journals), killed=killed)


def journal_bytes(workspace: Path) -> int:
    """How much is kept of a work tree: by transactions that run, or that a dead engine has left."""
    size = 0
    for result in _seen(workspace):
        for folder, _, names in os.walk(result.path):
            for name in names:
                with contextlib.suppress(OSError):
                    size += os.lstat(os.path.join(folder, name)).st_size
    return size


def sweep_temporary(tree: str, living: str) -> None:
    """Remove the private temporary directories of a work tree's dead engines."""
    root = os.fsencode(temporary_root())
    try:
        found = os.lstat(root)
        names = os.listdir(root)
    except OSError:
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return  # somebody else's, or a link of theirs
    for name in names:
        if name.startswith(os.fsencode(f"{tree}-")) and name != os.fsencode(living):
            remove_tree(os.path.join(root, name))
    with contextlib.suppress(OSError):
        os.rmdir(root)


def _seen(workspace: Path, action: Action = Action.BUSY, reason: str = _ENGINE_LIVES) -> tuple[JournalResult, ...]:
    """The journals that are there, untouched."""
    homes = possible_homes(_real(workspace), os.environb)
    return tuple(result for home in homes for result in waiting(home, action, reason))


def _real(workspace: Path) -> bytes:
    return os.path.realpath(os.fsencode(workspace))


@contextlib.contextmanager
def _private_files() -> Iterator[None]:
    """filelock makes a missing directory as the umask allows."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
