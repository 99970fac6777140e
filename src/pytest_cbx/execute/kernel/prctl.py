"""`prctl(2)` calls that Python does not offer."""

from __future__ import annotations

import ctypes
import sys

PR_SET_CHILD_SUBREAPER = 36
"""Source: linux/prctl.h."""


def become_subreaper() -> bool:
    """Adopt every orphan among this process's descendants; False where the kernel cannot."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
