"""The loop: commands run in the engine, Python tests on the main thread, reports come in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

import pytest

from pytest_cbx.errors import CbxError
from pytest_cbx.pytest_plugin import _compat
from pytest_cbx.pytest_plugin.board import Board
from pytest_cbx.pytest_plugin.items import CbxItem


def check_stop(session: pytest.Session) -> None:
    """End the session when `-x`, `--maxfail` or a plugin says so."""
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


@contextmanager
def stopping_commands(session: pytest.Session, board: Board) -> Iterator[None]:
    """However the block ends early, no command goes on. Trouble with the engine ends the session with a message."""
    try:
        yield
    except CbxError as error:
        # pytest prints what `shouldfail` says; of the exception itself it prints nothing.
        session.shouldfail = f"cbx: {error}"
        raise session.Failed(session.shouldfail) from error
    except BaseException:
        with suppress(CbxError):
            board.cancel("pytest was stopped")
        raise


class ParallelLoop:
    """Runs the items of one session with its commands at once."""

    def __init__(self, session: pytest.Session, board: Board, items: list[pytest.Item]) -> None:
        self._session = session
        self._board = board
        self._tests = deque(item for item in items if not isinstance(item, CbxItem))
        commands = [item for item in items if isinstance(item, CbxItem)]
        # A marked skip is decided in the item's set-up; its command must never start.
        self._ready = deque(item for item in commands if _compat.is_marked_skip(item))
        marked = set(self._ready)
        self._commands = [item for item in commands if item not in marked]

    def start(self) -> None:
        """Hand the commands to the engine."""
        self._board.start(self._commands)

    def run(self) -> None:
        """Report everything as it ends; returns when nothing is left."""
        current = self._choose(None, wait=True)
        while current is not None:
            following = self._choose(current, wait=False)
            # While commands still run any of them stands for the next item: all have the same
            # collectors above them, and these decide what is torn down between two items.
            stand_in = following or self._board.running_item()
            current.config.hook.pytest_runtest_protocol(item=current, nextitem=stand_in)
            check_stop(self._session)
            current = following or self._choose(None, wait=True)

    def _choose(self, current: pytest.Item | None, *, wait: bool) -> pytest.Item | None:
        """The next item to report, or None when there is none (with `wait` False: none yet)."""
        self._ready.extend(self._board.poll(0))
        if self._ready and (not self._tests or self._at_border(current)):
            return self._ready.popleft()
        if self._tests:
            return self._tests.popleft()
        while wait and self._board.outstanding:
            self._ready.extend(self._board.poll(None))
            if self._ready:
                return self._ready.popleft()
        return None

    def _at_border(self, current: pytest.Item | None) -> bool:
        """Whether a command's report fits in before the next test without tearing down what both tests share."""
        if current is None or isinstance(current, CbxItem):
            return True
        shared = set(current.listchain()) & set(self._tests[0].listchain())
        return shared <= set(self._ready[0].listchain())


class LoopPlugin:
    """Takes the place of pytest's own loop when commands run at once in this process."""

    def __init__(self, board: Board) -> None:
        self._board = board

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run everything, unless there is nothing for us to do."""
        config = session.config
        if _compat.is_xdist_controller(config) or config.option.collectonly:
            return None
        if session.testsfailed and not config.option.continue_on_collection_errors:
            return None
        commands = [item for item in session.items if isinstance(item, CbxItem)]
        if not commands or not self._board.options.parallel:
            return None
        loop = ParallelLoop(session, self._board, session.items)
        with stopping_commands(session, self._board):
            loop.start()
            loop.run()
        return True


class ControllerPlugin:
    """Under xdist the workers run the Python tests; this process runs the commands beside them."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.items: list[CbxItem] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Start the commands, let xdist run the tests, then report the commands."""
        config = session.config
        if not _compat.is_xdist_controller(config) or config.option.collectonly or not self.items:
            return (yield)
        loop = ParallelLoop(session, self._board, list(self.items))
        with stopping_commands(session, self._board):
            if self._board.options.parallel:
                loop.start()
            result = yield
            # Only now: xdist sets the count when its workers have collected.
            session.testscollected += len(self.items)
            if self._board.options.parallel:
                loop.run()
            else:
                self._one_by_one(session)
        return result

    def _one_by_one(self, session: pytest.Session) -> None:
        for position, item in enumerate(self.items):
            following = self.items[position + 1] if position + 1 < len(self.items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            check_stop(session)
