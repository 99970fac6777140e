"""`cbx.transaction()`: where its journal lies, and what it covers."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from pytest_cbx.config.model import Settings
from pytest_cbx.engine.places import tree_of
from pytest_cbx.engine.temporary import temporary_root
from pytest_cbx.execute.kernel import files
from pytest_cbx.transaction.atomic import Begun, FileTransaction
from pytest_cbx.transaction.home import Home, find_home

_NESTED = "cbx-journals"


def file_transaction(path: Path, root: Path, settings: Settings) -> FileTransaction:
    """A transaction over plain file operations in `path`, with its journal in the home of the work tree `root`.

    It covers the work tree, `path`, and what `[cbx] protect` adds. When this process dies, the next engine of the work tree,
    or `cbx recover`, undoes it.
    """
    workspace = os.path.realpath(os.fsencode(root))
    home = _home(workspace)
    added = [os.path.realpath(os.path.join(workspace, os.fsencode(one))) for one in settings.protect]
    roots = tuple(dict.fromkeys((workspace, *added, os.path.realpath(os.fsencode(path)))))

    def begin() -> Begun:
        folder = home.open_engine(f"{tree_of(root)}-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            transaction = folder.begin(
                label=f"cbx.transaction() in {path}",
                roots=roots,
                durability=settings.durability.value,
                clone=files.clone,
            )
        except BaseException:
            folder.close()
            raise
        return Begun(transaction=transaction, release=folder.close)

    return FileTransaction(path, roots=roots, begin=begin, home=home.path)


def _home(workspace: bytes) -> Home:
    """Inside a supervised command its temporary directory: what happens to its files is decided by the transaction around it."""
    ours = temporary_root().name
    temporary = Path(tempfile.gettempdir())
    if os.environ.get("CBX_INSTANCE") and ours in temporary.parts:
        name = tree_of(Path(os.fsdecode(workspace)))
        return Home(path=os.fsencode(temporary / _NESTED / name), workspace=workspace, inside=False)
    return find_home(workspace, os.environb)
