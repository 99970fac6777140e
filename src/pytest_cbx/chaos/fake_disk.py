"""A disk in memory, with faults, for Python code that runs in the test's own process: `open`, `os`, `pathlib`, `shutil`.

Backed by pyfakefs. Commands do not see it: they have real disks, and `chaos.disk_full` and its like.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from pytest_cbx.errors import UsageError
from pytest_cbx.faults.model import CHANGING, Trigger
from pytest_cbx.faults.trigger import Aim, Moment

_UNITS = {"KB": 2**10, "MB": 2**20, "GB": 2**30}
ROOT = "/disk"
_BY_NAME = 1
"""Where `change_disk_usage` has the name of the file."""


class Crashed(BaseException):
    """The machine stopped here. No `except Exception` of the code under test holds it up."""


@dataclass(slots=True)
class Planned:
    """One fault of a fake disk."""

    aim: Aim
    error: int
    """0: the machine crashes."""

    @property
    def fired(self) -> bool:
        """Whether it struck."""
        return self.aim.struck > 0


class FakeDisk:
    """A file system of a given size while the block lasts; everything below `root` is on it."""

    def __init__(self, size: int | str = "1MB") -> None:
        """`size`: bytes, or a text such as "4KB".

        Raises:
            UsageError: no size, or pyfakefs is not installed.
        """
        self.size = _bytes(size)
        self._stack = ExitStack()
        self._faults: list[Planned] = []
        self._fs: Any = None
        self._device = 0
        self._changes = 0
        self._inside = False

    @property
    def root(self) -> Path:
        """Where it begins, an empty folder."""
        return Path(ROOT)

    @property
    def used(self) -> int:
        """Bytes of all files."""
        return int(self._fs.get_disk_usage(ROOT).used)

    @property
    def changes(self) -> int:
        """How many changes were made or tried so far: each is a point at which a fault can strike."""
        return self._changes

    def fail(self, error: int = errno.EIO, *, at: int = 1, path: str = "**", lasting: bool = False) -> Planned:
        """Let the n-th change from now on fail (of paths below `root` that fit the glob); with `lasting` every one from it on."""
        planned = Planned(Aim(Trigger(calls=(CHANGING,), path=path, at=at, lasting=lasting)), error)
        self._faults.append(planned)
        return planned

    def read_only(self, *, at: int = 1) -> Planned:
        """EROFS from the n-th change on."""
        return self.fail(errno.EROFS, at=at, lasting=True)

    def crash(self, *, at: int = 1, path: str = "**") -> Planned:
        """Stop at the n-th change: `Crashed` is raised, and what was written before it is what is there."""
        return self.fail(0, at=at, path=path)

    def __enter__(self) -> FakeDisk:
        try:
            from pyfakefs.fake_filesystem_unittest import Patcher  # noqa: PLC0415
        except ImportError as error:
            raise UsageError("chaos.fake_disk needs pyfakefs: pip install 'pytest-cbx[chaos]'") from error
        patcher = self._stack.enter_context(Patcher())
        self._fs = patcher.fs
        assert self._fs is not None
        self._fs.add_mount_point(ROOT, self.size, can_exist=True)
        self._device = self._fs.mount_points[ROOT]["idev"]
        for name, path_at in (("change_disk_usage", _BY_NAME), ("add_object", 0), ("remove_object", 0), ("rename", 0)):
            setattr(self._fs, name, self._watched(getattr(self._fs, name), path_at))
        self._changes = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._fs = None

    def _watched(self, real: Callable[..., Any], path_at: int) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            path = os.fspath(arguments[path_at]) if len(arguments) > path_at else ""
            path = path.decode() if isinstance(path, bytes) else path
            if path_at == _BY_NAME:  # of a file whose size changes only its name is told, and its device
                path = f"{ROOT}/{path}" if arguments[2] == self._device else ""
            if self._inside or not (path == ROOT or path.startswith(ROOT + "/")):
                return real(*arguments, **keywords)
            self._meet(path)
            self._inside = True  # a rename removes and adds, at one stroke
            try:
                return real(*arguments, **keywords)
            finally:
                self._inside = False

        return call

    def _meet(self, path: str) -> None:
        self._changes += 1
        below = path.removeprefix(ROOT).lstrip("/")
        moment = Moment(call="change", changing=True, path=below, programs=(), command="", age=0.0)
        for planned in self._faults:
            if planned.aim.meets(moment):
                if not planned.error:
                    raise Crashed(f"the machine crashed at {below}")
                raise OSError(planned.error, os.strerror(planned.error), path)


def _bytes(size: int | str) -> int:
    text = str(size).strip().upper()
    unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
    number = text.removesuffix(unit).strip()
    if not number.isdecimal() or not int(number):
        raise UsageError(f"chaos.fake_disk: {size!r} is no size; take a number of bytes, or a text such as '4KB'")
    return int(number) * _UNITS.get(unit, 1)
