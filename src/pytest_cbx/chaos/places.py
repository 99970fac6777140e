"""Private folders of chaos: records of strikes, copies of trees. Those of dead processes are removed by whoever makes the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from pytest_cbx.client.output import cache_directory


def make_folder() -> Path:
    """A new folder of this process. Its name tells whose it is."""
    home = cache_directory() / "chaos"
    home.mkdir(mode=0o700, exist_ok=True)
    sweep(home)
    return Path(tempfile.mkdtemp(prefix=f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-", dir=home))


def sweep(home: Path) -> None:
    """Remove the folders of processes that are gone."""
    for folder in home.iterdir():
        parts = folder.name.split("-")
        if len(parts) < 3 or not parts[2].isdecimal() or not os.path.exists(f"/proc/{parts[2]}"):
            shutil.rmtree(folder, ignore_errors=True)
