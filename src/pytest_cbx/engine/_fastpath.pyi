from collections.abc import Callable
from threading import Lock

from pytest_cbx.engine.watched import Watched
from pytest_cbx.execute.kernel.seccomp import Notification
from pytest_cbx.execute.supervision.deeds import Deed
from pytest_cbx.execute.supervision.inflight import InFlight
from pytest_cbx.transaction.transaction import State, Transaction

class Lane:
    def __init__(
        self,
        watched: Watched,
        turn: Lock,
        inflight: InFlight,
        deeds: tuple[Deed, ...],
        numbers: dict[str, int],
        architecture: int,
        size: int,
        sleeps: bool,
        inside: tuple[bytes, ...],
        free: tuple[bytes, ...],
        make_notification: Callable[..., Notification],
        take: Callable[[Watched, Deed, bytes, bytes], bool],
    ) -> None: ...
    @property
    def is_armed(self) -> bool: ...
    @property
    def served(self) -> int: ...
    def arm(self, transaction: Transaction, running: State, home: bytes, direct: bool) -> None: ...
    def next(self) -> Notification | None: ...
