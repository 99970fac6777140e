"""`cbx.transaction()`: where its journal lies, what it covers, and how it takes turns with commands."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from pytest_cbx.client.holding import Hold, claim_on
from pytest_cbx.client.runner import Runner
from pytest_cbx.config.model import Settings
from pytest_cbx.engine.places import tree_of
from pytest_cbx.engine.temporary import temporary_root
from pytest_cbx.execute.kernel import files
from pytest_cbx.plan.model import Claim
from pytest_cbx.transaction.atomic import Access, Begun, FileTransaction
from pytest_cbx.transaction.home import Home, find_home
from pytest_cbx.transaction.intents import State

_NESTED = "cbx-journals"


class Locks:
    """The claims of a transaction over files: on each path when it is first used, until its end."""

    def __init__(self, connect: Callable[[], Runner]) -> None:
        self._connect = connect
        self._hold: Hold | None = None
        self._seen: dict[Claim, None] = {}

    def begin(self, label: str, journal: bytes) -> Hold:
        """Hold what earlier attempts were seen to need."""
        self._hold = self._connect().hold(label, claims=tuple(self._seen), journal=journal)
        return self._hold

    def claim(self, path: bytes, access: Access, workspace: bytes) -> None:
        """Wait until nobody else uses a path. Raises: TransactionConflict, EngineLost."""
        assert self._hold is not None
        wanted = None
        # While it waited, what is there may have become something else.
        while wanted != (wanted := claim_on(path, access, workspace)):
            self._seen[wanted] = None
            self._hold.reach(wanted)


def file_transaction(path: Path, root: Path, settings: Settings, locks: Locks | None = None) -> FileTransaction:
    """A transaction over plain file operations in `path`, with its journal in the home of the work tree `root`.

    It covers the work tree, `path`, and what `[cbx] protect` adds. When this process dies, the engine that the locks are from undoes
    it before anybody else gets them; else the next engine of the work tree, or `cbx recover`. Without locks nobody else may work there.
    """
    workspace = os.path.realpath(os.fsencode(root))
    home = _home(workspace)
    added = [os.path.realpath(os.path.join(workspace, os.fsencode(one))) for one in settings.protect]
    roots = tuple(dict.fromkeys((workspace, *added, os.path.realpath(os.fsencode(path)))))

    label = f"cbx.transaction() in {path}"

    def journal(token: str) -> Begun:
        folder = home.open_engine(token)
        try:
            transaction = folder.begin(
                label=label, roots=roots, durability=settings.durability.value, clone=files.clone
            )
        except BaseException:
            folder.close()
            raise
        return Begun(transaction=transaction, release=folder.close)

    def begin() -> Begun:
        token = f"{tree_of(root)}-{os.getpid()}-{secrets.token_hex(4)}"
        if locks is None:
            return journal(token)
        hold = locks.begin(label, os.path.join(home.path, os.fsencode(token)))
        try:
            begun = journal(token)
        except BaseException:
            hold.release(committed=False)
            raise
        hold.undo = made.roll_back

        def release() -> None:
            begun.release()
            hold.release(committed=begun.transaction.state is State.COMMITTED)

        return Begun(transaction=begun.transaction, release=release, check=hold.look)

    def claim(place: bytes, access: Access) -> None:
        if locks is not None:
            locks.claim(place, access, workspace)

    made = FileTransaction(path, roots=roots, begin=begin, home=home.path, claim=claim)
    return made


def _home(workspace: bytes) -> Home:
    """Inside a supervised command its temporary directory: what happens to its files is decided by the transaction around it."""
    ours = temporary_root().name
    temporary = Path(tempfile.gettempdir())
    if os.environ.get("CBX_INSTANCE") and ours in temporary.parts:
        name = tree_of(Path(os.fsdecode(workspace)))
        return Home(path=os.fsencode(temporary / _NESTED / name), workspace=workspace, inside=False)
    return find_home(workspace, os.environb)
