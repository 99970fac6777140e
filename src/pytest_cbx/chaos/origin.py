"""A copy of a tree to come back to."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from pytest_cbx.chaos.places import make_folder
from pytest_cbx.chaos.tree import Snapshot, snapshot


class Origin:
    """A copy of a tree to come back to."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = make_folder()
        self.before: Snapshot = snapshot(root)

    def __enter__(self) -> Origin:
        _copy(self._root, self._folder / "tree")
        return self

    def restore(self) -> None:
        """Make the tree as it was, all metadata included."""
        for entry in self._root.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        _copy(self._folder / "tree", self._root)
        self.before = snapshot(self._root)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", f"{source}/.", str(target)], check=True, stdin=subprocess.DEVNULL)
