"""From a trapped call to the claim that it takes."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pytest_cbx.effects.model import Scope
from pytest_cbx.engine.coverage import shown
from pytest_cbx.execute.supervision.deeds import Deed, Trap
from pytest_cbx.plan.model import Claim, Domain, Mode

_WILD = frozenset("*?[\\{}()")


def changing(trap: Trap, path: bytes, workspace: bytes) -> Claim:
    """The claim for one path of a call that changes something.

    A new path is no part of the sources that others read: `ignored` says so (see "reads the project" in the design).
    """
    taken = trap.deed is Deed.REMOVE or (trap.deed is Deed.RENAME and path == trap.path)
    fresh = not taken and not os.path.lexists(path)
    mode = Mode.DELETE if taken else Mode.CREATE if fresh else Mode.WRITE
    scope = Scope.TREE if trap.tree else Scope.PATH
    return Claim(domain=Domain.FILE, mode=mode, target=shown(path, workspace), scope=scope, ignored=fresh)


def reading(path: bytes, deed: Deed, workspace: bytes) -> tuple[Claim, ...]:
    """The claims to read a path, or to list a directory: then nobody may add to it or take from it."""
    return looking(path + b"/" if deed is Deed.LIST else path, workspace)


def looking(path: bytes, workspace: bytes) -> tuple[Claim, ...]:
    """The same; a slash at the end says that a directory is listed."""
    target = shown(path.rstrip(b"/") or b"/", workspace)
    one = Claim(domain=Domain.FILE, mode=Mode.READ, target=target)
    if not path.endswith(b"/"):
        return (one,)
    if _WILD.intersection(target):
        return (Claim(domain=Domain.FILE, mode=Mode.READ, target=target, scope=Scope.TREE),)
    pattern = "*" if target == "." else f"{target}/*"
    return one, Claim(domain=Domain.FILE, mode=Mode.READ, target=pattern, scope=Scope.GLOB)


def same_file(inode: bytes, *, changes: bool) -> Claim:
    """The claim for a file with several names, whichever of them is used."""
    mode = Mode.WRITE if changes else Mode.READ
    return Claim(domain=Domain.LOCK, mode=mode, target=f"file {inode.decode()} with several names")


def changed(paths: Iterable[bytes], workspace: bytes) -> tuple[Claim, ...]:
    """What a transaction touched, as claims: whoever read it meanwhile may have read something that is no more."""
    return tuple(
        Claim(domain=Domain.FILE, mode=Mode.WRITE, target=shown(path, workspace), ignored=True) for path in paths
    )
