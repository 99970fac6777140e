"""Answers trapped calls: a lock first, then the pre-image, then the call may proceed.

A caller that is not answered stays suspended, which costs nobody anything but its own time. So whatever takes long here
(a lock that another command holds, a large copy, a race that must not be run) is put aside and answered later.

The loop of the engine is in `wait`; meanwhile each listener's receiver has the calls of its attempt served.
"""

from __future__ import annotations

import errno
import os
import select
import selectors
import time
from collections import deque
from collections.abc import Callable

from pytest_cbx.engine import fast_path
from pytest_cbx.engine.arbiter import Arbiter
from pytest_cbx.engine.borders import Borders
from pytest_cbx.engine.claiming import changing, looking, reading, same_file
from pytest_cbx.engine.copies import Copies
from pytest_cbx.engine.receivers import Receiver, Turn
from pytest_cbx.engine.safe_calls import DEVICE_FOLDERS, SafeCalls, let_go
from pytest_cbx.engine.watched import Watched
from pytest_cbx.errors import JournalError, PreimageLimit
from pytest_cbx.execute.kernel.seccomp import Listener, Notification
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.deeds import CHANGING, READING, Deed, Trap
from pytest_cbx.execute.supervision.inflight import InFlight, Way
from pytest_cbx.execute.supervision.strikes import only_for_faults
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.model import TaskId

LARGE = 8 * 1024 * 1024
"""Bytes; a larger pre-image is copied by a thread, while the loop goes on."""
RETRY = 0.0005
"""Seconds until a call that could run a race is looked at again."""
LOOK_EVERY = 0.25
"""Seconds between two looks whether suspended callers still live: nothing tells when one is killed."""
_LOOKED = b"\0looked:"
"""Before what a call only looks at, among the paths that it waits for."""
_MODES = {
    Deed.WRITE: "write",
    Deed.METADATA: "write",
    Deed.CREATE: "create",
    Deed.REMOVE: "delete",
    Deed.RENAME: "delete",
    Deed.EXCHANGE: "write",
    Deed.READ: "read",
    Deed.LIST: "read",
}


class Guard:
    """All listeners of one engine."""

    def __init__(
        self,
        arbiter: Arbiter,
        decoder: Decoder,
        *,
        workspace: bytes,
        home: Callable[[], bytes],
        safe_folder: bytes,
        private: bytes,
    ) -> None:
        self._arbiter = arbiter
        self._borders = Borders(arbiter)
        self._decoder = decoder
        self._workspace = workspace
        self._home = home
        self._safe_folder = safe_folder
        self._free = (private + b"/", *DEVICE_FOLDERS)
        """Nothing that is there outlives a command."""
        self._inflight = InFlight()
        self._epoll = select.epoll()
        self._outer = -1
        """The descriptor of the loop's own selector, once it is known: one engine has one."""
        self._receivers: dict[Watched, Receiver] = {}
        self._leaving: list[Receiver] = []
        self._turn = Turn()
        self._failure: BaseException | None = None
        self._safe: SafeCalls | None = None
        self._numbers = 0
        self._later: deque[tuple[Watched, Notification]] = deque()
        """Calls that could run a race now."""
        self._starved: dict[int, Watched] = {}
        """Calls whose pre-image waits for the room that other transactions take, by number."""
        self._has_room = False
        self._copies = Copies()
        self._epoll.register(self._copies.fileno(), select.EPOLLIN)
        self._epoll.register(self._turn.fileno(), select.EPOLLIN)
        self._look_at = 0.0
        self.stirred = False
        """Something was decided that the rest of the engine's loop has to act on."""

    # --- the loop ----------------------------------------------------------------------------------------

    def wait(self, selector: selectors.BaseSelector, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Like `selector.select(timeout)`, and answer trapped calls meanwhile."""
        if not self._receivers and not self._leaving and self._safe is None:
            return selector.select(timeout)
        outer = selector.fileno()  # type: ignore[attr-defined]
        if self._outer < 0:
            self._outer = outer
            self._epoll.register(outer, select.EPOLLIN)
        return self._wait(selector, outer, timeout)

    def _wait(
        self, selector: selectors.BaseSelector, outer: int, timeout: float | None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._safe is not None and self._safe.serve_put_off():
            self.stirred = True
        while True:
            left = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
            if self._later:
                left = RETRY if left < 0 else min(left, RETRY)
            other = False
            for descriptor, events in self._poll(left):
                if descriptor == outer:
                    other = True
                else:
                    self._serve_rest(descriptor, events)
            if self._failure is not None:
                raise self._failure
            if self._later:
                self._try_again()
            if other:
                return selector.select(0)
            if self.stirred or (deadline is not None and time.monotonic() >= deadline):
                self.stirred = False
                return []

    def _poll(self, timeout: float) -> list[tuple[int, int]]:
        """Give the turn to the receivers until something happens."""
        self._turn.lock.release()
        try:
            if self._leaving:
                self._see_off()
            return self._epoll.poll(timeout)
        finally:
            self._turn.lock.acquire()

    def _see_off(self) -> None:
        leaving, self._leaving = self._leaving, []
        for receiver in leaving:
            receiver.end()

    def _serve_rest(self, descriptor: int, events: int) -> None:
        if descriptor == self._turn.fileno():
            self._turn.answer()
        elif descriptor == self._copies.fileno():
            self._take_copies()
        elif self._safe is not None and descriptor == self._safe.fileno() and events & select.EPOLLIN:
            self.stirred |= self._safe.serve()

    def _fell(self, error: BaseException) -> None:
        self._failure = error
        self._turn.ring()

    # --- coming and going --------------------------------------------------------------------------------

    def watch(self, watched: Watched) -> None:
        """Answer the calls of an attempt from now on."""
        watched.lane = fast_path.lane_for(watched, self._turn.lock, self._inflight, self._take, free=self._free)
        self._receivers[watched] = Receiver(watched, self._turn, self._serve, self._fell)

    def watch_safe(self, listener: Listener) -> None:
        """Answer the calls of SAFE commands, which share one listener."""
        if self._safe is None:
            self._safe = SafeCalls(listener, self._decoder, self._arbiter, self._borders, self._safe_folder)
            self._epoll.register(listener.fileno(), select.EPOLLIN)

    def glance(self) -> None:
        """In the midst of longer work: let SAFE commands go on whose calls are harmless."""
        if self._safe is not None and self._safe.glance():
            self.stirred = True

    def forget(self, watched: Watched) -> None:
        """An attempt has ended: nothing of it runs any more."""
        watched.ended = True
        watched.waiting.clear()
        self._copies.end(watched)
        receiver = self._receivers.pop(watched, None)
        if receiver is not None:
            self._leaving.append(receiver)

    def room(self) -> None:
        """A transaction has ended: its pre-images take no room any more. `feed_starved` is to be called."""
        self._has_room = True

    def feed_starved(self) -> None:
        """Look whether there is room now for those who wait for some."""
        if not self._has_room:
            return
        self._has_room = False
        starved, self._starved = self._starved, {}
        for number, watched in starved.items():
            found = watched.waiting.pop(number, None)
            if found is not None:
                self._arbiter.withdraw(watched, number)
                self._answer(watched, _made(found[0]))

    def close(self) -> None:
        """Give everything back. Nothing may run any more."""
        for watched in list(self._receivers):
            self.forget(watched)
        self._turn.lock.release()
        self._see_off()
        self._epoll.close()
        self._copies.close()
        self._turn.close()

    def next_look(self) -> float | None:
        """When to ask for `dead_callers` at the latest, on the clock of `time.monotonic`; None: nobody waits."""
        return self._look_at if any(watched.waiting for watched in self._receivers) else None

    def dead_callers(self) -> list[tuple[TaskId, int]]:
        """Callers that waited for a claim and have died, each told once. Looks at most every quarter of a second."""
        now = time.monotonic()
        if now < self._look_at:
            return []
        self._look_at = now + LOOK_EVERY
        gone = []
        for watched in self._receivers:
            for number, (trap, _) in list(watched.waiting.items()):
                if not watched.listener.valid(trap.id):
                    del watched.waiting[number]
                    self._starved.pop(number, None)
                    gone.append((watched.task, number))
        return gone

    def granted(self, watched: Watched, number: int) -> None:
        """A caller has the claims that it waited for."""
        found = watched.waiting.pop(number, None)
        self._starved.pop(number, None)
        if found is None or watched.ended:
            return
        trap, paths = found
        self._cover(watched, trap, paths)
        self._answer(watched, _made(trap))

    # --- one call ----------------------------------------------------------------------------------------

    def _serve(self, watched: Watched, notification: Notification) -> None:
        """In its receiver's turn."""
        had = len(self._later)
        if watched.meet is not None:
            if watched.meet(watched, notification):
                self.stirred = True  # somebody may have been killed, or is to go on later
                self._turn.ring()
                return
            if only_for_faults(notification, reads=watched.reads is not None):
                watched.listener.proceed(notification.id)
                return
        self._inflight.arrived(notification.pid)
        self._answer(watched, notification)
        if self.stirred or len(self._later) > had:
            self._turn.ring()

    def resume(self, watched: Watched, notification: Notification) -> None:
        """A call that a fault held up goes on as ever."""
        self._inflight.arrived(notification.pid)
        if only_for_faults(notification, reads=watched.reads is not None):
            watched.listener.proceed(notification.id)
        else:
            self._answer(watched, notification)

    def _answer(self, watched: Watched, notification: Notification) -> None:
        """Answer a call, or put it aside. After a wait it comes here again: what its paths lead to may have changed."""
        trap = watched.decoder.decode(watched.listener, notification)
        if trap is None or ((trap.looked or trap.inodes) and not self._look(watched, trap)):
            return
        deed = trap.deed
        if deed is Deed.NONE and (trap.error or not trap.path):
            let_go(watched.listener, trap)
        elif trap.path and (way := self._inflight.way(trap)) is not Way.FREE:
            if way is Way.AGAIN:
                self._answer(watched, _made(trap))
            else:
                self._later.append((watched, _made(trap)))
        elif deed in CHANGING:
            self._change(watched, trap)
        elif deed is Deed.NONE:
            self._inflight.note(trap)
            watched.listener.proceed(trap.id)
        elif deed in READING:
            self._read(watched, trap)
        else:
            self._other(watched, trap)

    def _look(self, watched: Watched, trap: Trap) -> bool:
        """Get the claims for what decides how a call ends, beside its path. False: the caller waits until `granted`."""
        reads, writes = watched.reads, watched.writes
        if reads is None:
            return True
        missing = [path for path in trap.looked if path not in reads and path not in writes]
        claims = [claim for path in missing for claim in looking(path, self._workspace)]
        for path in missing:
            watched.note_beyond(path.rstrip(b"/"), "read")
        changes = trap.deed in CHANGING
        for inode in trap.inodes:
            key = b"\0inode:%s:%d" % (inode, changes)
            if key not in reads:
                missing.append(key)
                claims.append(same_file(inode, changes=changes))
        keys = tuple(_LOOKED + key for key in missing)
        return not missing or self._claim(watched, trap, keys, tuple(claims))

    def _change(self, watched: Watched, trap: Trap) -> None:
        path = trap.path
        if trap.outside:
            if not path.startswith(self._free) and path not in watched.outputs:
                watched.note_outside(path)
            self._inflight.note(trap)
            watched.listener.proceed(trap.id)
            return
        if self._is_ours(watched, trap):
            return
        if self._hold(watched, trap):
            self._record(watched, trap)

    def _hold(self, watched: Watched, trap: Trap) -> bool:
        """Get the claims for what a call changes. False: the caller waits until `granted`."""
        path, writes = trap.path, watched.writes
        # A link's other path is the file that gets one more name.
        missing: tuple[bytes, ...] = () if path in writes else (path,)
        names = trap.deed is Deed.CREATE and watched.reads is None
        if trap.other and not names and trap.other not in writes:
            missing += (trap.other,)
        for one in missing:
            watched.note_beyond(one, _MODES[trap.deed])
        return not missing or self._acquire(watched, trap, missing)

    def _take(self, watched: Watched, deed: Deed, path: bytes, other: bytes) -> bool:
        """For the fast path: get the claims for what a call changes, where no other command has to be asked."""
        return self._arbiter.alone(watched.task) and self._hold(watched, Trap(0, 0, "", deed, path, other))

    def _read(self, watched: Watched, trap: Trap) -> None:
        reads = watched.reads
        if reads is not None and not trap.outside:
            key = trap.path + b"/" if trap.deed is Deed.LIST else trap.path
            if key not in reads and key not in watched.writes:
                watched.note_beyond(trap.path, "read")
                if not self._acquire(watched, trap, (trap.path,)):
                    return
        self._inflight.note(trap)
        watched.listener.proceed(trap.id)

    def _acquire(self, watched: Watched, trap: Trap, paths: tuple[bytes, ...]) -> bool:
        """Get the claims for these paths. False: the caller waits until `granted`."""
        if trap.deed in READING:
            claims = tuple(claim for path in paths for claim in reading(path, trap.deed, self._workspace))
        else:
            claims = tuple(changing(trap, path, self._workspace) for path in paths)
        return self._claim(watched, trap, paths, claims)

    def _claim(self, watched: Watched, trap: Trap, paths: tuple[bytes, ...], claims: tuple[Claim, ...]) -> bool:
        if self._arbiter.alone(watched.task):
            watched.untold += claims
            self._cover(watched, trap, paths)
            return True
        self._numbers += 1
        watched.waiting[self._numbers] = (trap, paths)
        self.stirred = True
        self._arbiter.reach(watched, claims, self._numbers)
        return False

    @staticmethod
    def _cover(watched: Watched, trap: Trap, paths: tuple[bytes, ...]) -> None:
        for path in paths:
            if watched.reads is not None and path.startswith(_LOOKED):
                watched.reads.grant(path[len(_LOOKED) :])
            elif watched.reads is not None and trap.deed in READING:
                watched.reads.grant(path)
                if trap.deed is Deed.LIST:
                    watched.reads.grant(path + b"/")
            elif trap.tree:
                watched.writes.grant_tree(path)
            else:
                watched.writes.grant(path)

    def _try_again(self) -> None:
        later, self._later = self._later, deque()
        for watched, notification in later:
            if not watched.ended:
                self._answer(watched, notification)

    def _record(self, watched: Watched, trap: Trap) -> None:
        """Take the pre-image; then the call may happen."""
        try:
            transaction = watched.transaction or self._arbiter.begin(watched, trap)
            if transaction is None:
                self.stirred = True
                return
            if watched.lane is not None and not watched.lane.is_armed:
                fast_path.arm(watched.lane, transaction, self._home())
            match trap.deed:
                case Deed.WRITE:
                    while (preparation := transaction.prepare_write(trap.path)) is not None:
                        if preparation.cost > LARGE:
                            self._copies.begin(watched, trap, preparation)
                            return
                        preparation.copy()
                        transaction.finish_write(preparation)
                case Deed.CREATE:
                    transaction.create(trap.path)
                case Deed.REMOVE:
                    transaction.remove(trap.path)
                case Deed.RENAME | Deed.EXCHANGE:
                    transaction.rename(trap.path, trap.other, exchange=trap.deed is Deed.EXCHANGE)
                case _:
                    transaction.metadata(trap.path)
        except PreimageLimit as error:
            self._no_room(watched, trap, error)
            return
        except (JournalError, OSError) as error:
            self._fail(watched, str(error))
            return
        self._inflight.note(trap)
        watched.listener.proceed(trap.id)

    def _fail(self, watched: Watched, reason: str) -> None:
        # Its caller stays suspended, so nothing happens by itself that would wake up the engine's loop.
        self.stirred = True
        self._arbiter.fail(watched, reason)

    # --- what takes long ---------------------------------------------------------------------------------

    def _take_copies(self) -> None:
        for watched, trap, preparation, failure in self._copies.complete():
            assert watched.transaction is not None
            error = failure
            if error is None:
                try:
                    watched.transaction.finish_write(preparation)
                except (JournalError, OSError) as failed:
                    error = failed
            if error is not None:
                watched.transaction.abandon_write(preparation)
                self._fail(watched, f"the pre-image of {os.fsdecode(trap.path)} cannot be kept: {error}")
                continue
            self._answer(watched, _made(trap))

    def _no_room(self, watched: Watched, trap: Trap, error: PreimageLimit) -> None:
        """Others may end and give room; who is alone with its wish cannot have it."""
        self._numbers += 1
        watched.waiting[self._numbers] = (trap, ())
        self._starved[self._numbers] = watched
        self.stirred = True
        if not self._arbiter.starved(watched, self._numbers):
            del watched.waiting[self._numbers], self._starved[self._numbers]
            self._fail(watched, str(error))

    # --- other calls -------------------------------------------------------------------------------------

    def _is_ours(self, watched: Watched, trap: Trap) -> bool:
        """The journal may lie in the work tree. Whoever clears the tree away, or changes all modes, is told that it has; at the end
        the journal goes."""
        home = self._home()
        if not home:
            return False
        below = home + b"/"
        if not any(path == home or path.startswith(below) for path in (trap.path, trap.other)):
            return False
        if trap.deed in (Deed.REMOVE, Deed.METADATA):
            watched.listener.answer(trap.id, 0)
        else:
            watched.listener.refuse(trap.id, errno.EPERM)
        return True

    def _other(self, watched: Watched, trap: Trap) -> None:
        match trap.deed:
            case Deed.SIGNAL:
                self._borders.signal(watched, trap)
            case Deed.BIND:
                self._bind(watched, trap)
            case _:
                self._borders.refuse(watched, trap)

    def _bind(self, watched: Watched, trap: Trap) -> None:
        """A port that was not predicted is claimed like a path: whoever else has it is waited for."""
        key = b"\0port:%d" % trap.number
        claim = Claim(domain=Domain.PORT, mode=Mode.WRITE, target=str(trap.number))
        if key in watched.writes or claim in watched.ports or self._claim(watched, trap, (key,), (claim,)):
            watched.listener.proceed(trap.id)


def _made(trap: Trap) -> Notification:
    assert trap.notification is not None
    return trap.notification
