"""Large pre-images, copied by threads while the engine's loop goes on."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Iterator

from pytest_cbx.engine.watched import Watched
from pytest_cbx.execute.supervision.deeds import Trap
from pytest_cbx.transaction.keeping import Preparation


class Copies:
    """Those that are being made. `fileno` becomes readable when one of them is complete: ask for `complete` then."""

    def __init__(self) -> None:
        self._making: dict[Preparation, tuple[Watched, Trap, threading.Thread]] = {}
        self._made: deque[tuple[Preparation, Exception | None]] = deque()
        self._bell, self._rope = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def fileno(self) -> int:
        """What to wait for."""
        return self._bell

    def begin(self, watched: Watched, trap: Trap, preparation: Preparation) -> None:
        """Make one, for a caller that is suspended meanwhile."""

        def work() -> None:
            error: Exception | None = None
            try:
                preparation.copy()
            except Exception as failed:  # whatever it is, the caller must not wait for ever
                error = failed
            self._made.append((preparation, error))
            with contextlib.suppress(BlockingIOError):  # then it rings already
                os.write(self._rope, b"!")

        thread = threading.Thread(target=work, daemon=True)
        self._making[preparation] = (watched, trap, thread)
        thread.start()

    def complete(self) -> Iterator[tuple[Watched, Trap, Preparation, Exception | None]]:
        """Those that are made, or failed, since it was asked last."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell, 4096)
        while self._made:
            preparation, error = self._made.popleft()
            found = self._making.pop(preparation, None)
            if found is not None:
                yield found[0], found[1], preparation, error

    def end(self, watched: Watched) -> None:
        """Give up those of an attempt: on return, nothing is put beside its journal any more."""
        mine = {one: thread for one, (whose, _, thread) in self._making.items() if whose is watched}
        for preparation in mine:
            preparation.give_up()
        for preparation, thread in mine.items():
            thread.join()
            del self._making[preparation]
            if watched.transaction is not None:
                watched.transaction.abandon_write(preparation)

    def close(self) -> None:
        """Give the descriptors back. None may be made any more."""
        os.close(self._bell)
        os.close(self._rope)
