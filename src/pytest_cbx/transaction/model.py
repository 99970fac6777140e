"""What a transaction tells its owner: values only."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a roll back went."""

    restored: int = 0
    """Records of the journal that were undone by this roll back; those a killed one had done before it do not count again."""
    left: tuple[bytes, ...] = ()
    """Absolute paths that stay as they are because others have touched them since."""
    incomplete: tuple[str, ...] = ()
    """What stopped the roll back, for people. Not empty: the journal is kept, and recovery goes on where it stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a transaction changed in the end: sorted paths, relative to the first root, or absolute outside of it."""

    created: tuple[bytes, ...] = ()
    modified: tuple[bytes, ...] = ()
    deleted: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.created or self.modified or self.deleted)


class Budget:
    """Bytes of copied pre-images that all transactions of an engine may hold together. Hard links and reflinks of names cost nothing."""

    __slots__ = ("_lock", "_used", "free_reserve", "limit")

    def __init__(self, limit: int, *, free_reserve: int = 64 << 20) -> None:
        """`limit`: bytes, 0 for none. `free_reserve`: bytes of the file system that copies leave free."""
        self.limit = limit
        self.free_reserve = free_reserve
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that are taken now."""
        return self._used

    def take(self, size: int) -> bool:
        """Reserve bytes; False when there are not that many left."""
        with self._lock:
            if self.limit and self._used + size > self.limit:
                return False
            self._used += size
            return True

    def give_back(self, size: int) -> None:
        """Release bytes that were taken."""
        with self._lock:
            self._used -= size
