"""`prctl(2)` calls that Python does not offer."""

from __future__ import annotations

import ctypes
import sys

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""Source: linux/prctl.h."""


def become_subreaper() -> bool:
    """Adopt every orphan among this process's descendants; False where the kernel cannot."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def die_with_parent(number: int) -> bool:
    """Get a signal when the thread that started this process ends. The caller checks afterwards that its parent is still there."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) == 0)
