"""Finishing what a crash left in a journals' home.

Whoever holds the lock of an engine's folder knows that its owner is dead, and finishes its transactions: what was committed stays,
everything else is undone. Killed in the middle, the next one goes on. A folder that is not what we would have written is left
alone and reported: nothing is guessed at.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import filelock

from pytest_cbx.errors import JournalDamaged, JournalError
from pytest_cbx.transaction import journal as journals
from pytest_cbx.transaction.copying import Clone, no_clone
from pytest_cbx.transaction.disk import DISK, Disk
from pytest_cbx.transaction.home import OWNER_LOCK, Home
from pytest_cbx.transaction.inspection import faults_of, half_made
from pytest_cbx.transaction.transaction import State, Transaction


class Action(Enum):
    """What was done with a journal."""

    COMPLETED = "completed"
    """It had been committed; what was left of it was removed."""
    ROLLED_BACK = "rolled back"
    REMOVED = "removed"
    """It was not even begun: nothing had been changed under it."""
    INCOMPLETE = "incomplete"
    """Rolling back stopped; the next recovery goes on."""
    LEFT_ALONE = "left alone"
    """It is damaged, or not ours."""
    BUSY = "busy"
    """Its owner lives, or another recovery is at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalResult:
    """What became of one journal."""

    label: str
    """The name of its command; empty where that cannot be told."""
    action: Action
    reason: str
    """For people: why, and what they can do. Empty when nothing is to be said."""
    restored: int
    """Records of the journal that were undone now."""
    path: str
    """Its folder."""


@dataclass(slots=True)
class _Owned:
    """An engine's folder whose owner is dead: we hold its lock."""

    path: bytes
    lock: filelock.BaseFileLock


def recover_home(home: Home, *, disk: Disk = DISK, clone: Clone = no_clone) -> tuple[JournalResult, ...]:
    """Finish every journal whose owner is dead, and remove what is empty then. Idempotent; may be killed, and called twice at once.

    Nothing may run any more that the dead owners had started.
    """
    results: list[JournalResult] = []
    with contextlib.ExitStack() as stack:
        owned: list[_Owned] = []
        for folder in _engine_folders(home, results):
            taken = _take(folder)
            if not isinstance(taken, _Owned):
                results += _not_taken(folder, taken)
                continue
            stack.callback(taken.lock.release)
            owned.append(taken)
        results += _finish_all(home, owned, disk, clone)
        for one in owned:
            _remove_folder(one.path)
    home.remove_if_empty()
    return tuple(results)


def recover_folder(
    home: Home, folder: bytes, *, disk: Disk = DISK, clone: Clone = no_clone
) -> tuple[JournalResult, ...]:
    """The same for the folder of one owner, as when a client of a living engine has died."""
    results: list[JournalResult] = []
    if not _is_sound(folder, results):
        return tuple(results)
    taken = _take(folder)
    if not isinstance(taken, _Owned):
        return tuple(_not_taken(folder, taken))
    try:
        results += _finish_all(home, [taken], disk, clone)
        _remove_folder(folder)
    finally:
        taken.lock.release()
    home.remove_if_empty()
    return tuple(results)


# --- engines' folders --------------------------------------------------------------------------------------


def _engine_folders(home: Home, results: list[JournalResult]) -> list[bytes]:
    """Those in the home that can be ours; what else lies there is reported."""
    if not os.path.lexists(home.path) or not _is_sound(home.path, results):
        return []
    return [folder for folder in _entries(home.path) if not home.is_note(folder) and _is_sound(folder, results)]


def _is_sound(folder: bytes, results: list[JournalResult]) -> bool:
    """Whether it is a directory of ours that nobody else may write."""
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return False
    reason = ""
    if not stat.S_ISDIR(found.st_mode):
        reason = "it is no directory; journals lie in directories. Remove it"
    elif found.st_uid != os.geteuid():
        reason = f"it belongs to the user with id {found.st_uid}: only that user can recover it"
    elif found.st_mode & 0o022:
        reason = "others may write it, so what is in it proves nothing. Look at it, then remove it"
    if reason:
        results.append(_result(folder, Action.LEFT_ALONE, reason))
    return not reason


def _take(folder: bytes) -> _Owned | OSError | None:
    """The lock of an engine's folder; None: somebody holds it, or the folder has gone; or why it cannot be had."""
    path = os.fsdecode(os.path.join(folder, OWNER_LOCK))
    lock = filelock.FileLock(path, mode=0o600, is_singleton=False)
    try:
        lock.acquire(timeout=0)
    except (filelock.Timeout, FileNotFoundError):
        return None
    except OSError as error:
        return error
    # Not on a file that its last holder has removed: a second lock would not be refused then.
    second = filelock.FileLock(path, mode=0o600, is_singleton=False)
    try:
        second.acquire(timeout=0)
    except (filelock.Timeout, FileNotFoundError):
        return _Owned(folder, lock)
    except OSError as error:
        lock.release()
        return error
    second.release()
    lock.release()
    return None


def _not_taken(folder: bytes, error: OSError | None) -> list[JournalResult]:
    if error is not None:
        reason = f"{error}. Remove the cause, then run `cbx recover`"
        return [_result(path, Action.INCOMPLETE, reason) for path in _transaction_folders(folder)]
    reason = "the process that it belongs to is at work, or another recovery is"
    return [_result(path, Action.BUSY, reason) for path in _transaction_folders(folder)]


def _remove_folder(folder: bytes) -> None:
    """The lock's name goes last, while the lock is held; a folder with something left in it stays, to be found again."""
    if _transaction_folders(folder):
        return
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(folder, OWNER_LOCK))
        os.rmdir(folder)


def _transaction_folders(folder: bytes) -> list[bytes]:
    return [path for path in _entries(folder) if os.path.basename(path) != OWNER_LOCK]


def _entries(folder: bytes) -> list[bytes]:
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    except FileNotFoundError:
        return []


# --- journals ----------------------------------------------------------------------------------------------


def _finish_all(home: Home, owned: list[_Owned], disk: Disk, clone: Clone) -> Iterator[JournalResult]:
    """Youngest first: where two name the same directory, the older one knows its first times."""
    loaded: list[Transaction] = []
    for one in owned:
        for folder in _transaction_folders(one.path):
            found = _load(home, os.path.basename(one.path), folder, disk, clone)
            if isinstance(found, JournalResult):
                yield found
            else:
                loaded.append(found)
    for transaction in sorted(loaded, key=lambda found: found.header.started, reverse=True):
        yield _finish(transaction)


def _load(home: Home, token: bytes, folder: bytes, disk: Disk, clone: Clone) -> Transaction | JournalResult:
    """The transaction in a folder; or what was done with the folder instead."""
    refused: list[JournalResult] = []
    if not _is_sound(folder, refused):
        return refused[0] if refused else _result(folder, Action.REMOVED, "")
    try:
        if half_made(folder):
            _remove_half_made(folder)
            return _result(
                folder, Action.REMOVED, "it was not begun when its process died; nothing was changed under it"
            )
        faults = faults_of(folder, token=os.fsdecode(token), workspace=home.workspace)
        if faults:
            return _result(
                folder, Action.LEFT_ALONE, f"{faults}. Look at it; remove this folder when nothing of it is needed"
            )
        return Transaction.load(folder, disk=disk, clone=clone)
    except JournalDamaged as error:
        return _result(folder, Action.LEFT_ALONE, str(error))
    except (JournalError, OSError) as error:
        return _result(folder, Action.INCOMPLETE, f"{error}. Remove the cause, then run `cbx recover`")


def _finish(transaction: Transaction) -> JournalResult:
    folder, label = transaction.folder, transaction.header.label
    committed = transaction.state is State.COMMITTED
    try:
        report = transaction.roll_back()
    except JournalDamaged as error:
        transaction.close()
        return _result(folder, Action.LEFT_ALONE, str(error), label=label)
    except (JournalError, OSError) as error:
        transaction.close()
        return _result(folder, Action.INCOMPLETE, f"{error}. Remove the cause, then run `cbx recover`", label=label)
    if report.incomplete:
        transaction.close()
        reason = "; ".join(report.incomplete) + ". Remove the cause, then run `cbx recover`"
        return _result(folder, Action.INCOMPLETE, reason, label=label, restored=report.restored)
    left = ", ".join(os.fsdecode(path) for path in report.left)
    reason = f"left as others have changed it meanwhile: {left}" if left else ""
    action = Action.COMPLETED if committed else Action.ROLLED_BACK
    return _result(folder, action, reason, label=label, restored=report.restored)


def _remove_half_made(folder: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, journals.FILE))
    os.rmdir(folder)


def _result(folder: bytes, action: Action, reason: str, *, label: str = "", restored: int = 0) -> JournalResult:
    return JournalResult(label=label, action=action, reason=reason, restored=restored, path=os.fsdecode(folder))


def waiting(home: Home, action: Action, reason: str) -> tuple[JournalResult, ...]:
    """The journals in a home, as results that say why nothing was done with them."""
    if os.path.islink(home.path):
        return ()
    folders = [folder for folder in _entries(home.path) if os.path.isdir(folder) and not os.path.islink(folder)]
    return tuple(_result(path, action, reason) for folder in folders for path in _transaction_folders(folder))
