"""Result files of a command whose changes are undone: the tree is as before, and still it is known what failed."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import stat

BYTES_MAX = 64 * 1024 * 1024
"""Bytes of all of them; what is beyond is not spared, and whoever reads them says so."""
FILES_MAX = 2000


def spare(pattern: bytes, folder: bytes) -> None:
    """Copy the files that an absolute glob fits to their absolute paths below a folder, with their times."""
    left = BYTES_MAX
    for path in sorted(glob.glob(pattern, recursive=True, include_hidden=True))[:FILES_MAX]:
        with contextlib.suppress(OSError):  # it is missed by who looks for it
            info = os.stat(path)
            if stat.S_ISREG(info.st_mode) and info.st_size <= left:
                left -= info.st_size
                os.makedirs(folder + os.path.dirname(path), mode=0o700, exist_ok=True)
                shutil.copy2(path, folder + path)
