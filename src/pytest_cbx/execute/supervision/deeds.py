"""What a trapped system call would do, in the words that locks and journals need."""

from __future__ import annotations

from enum import Enum

from pytest_cbx.execute.kernel.seccomp import Notification


class Deed(Enum):
    """The kinds of things that a trapped call would do."""

    # Looked up for every trapped call; that of Enum is written in Python.
    __hash__ = object.__hash__

    WRITE = "write"
    """Opens a file for writing, empties it, or makes it where there is none."""
    CREATE = "create"
    """Makes a new name: mkdir, mknod, symlink, link, bind of a path, open with O_EXCL."""
    REMOVE = "remove"
    RENAME = "rename"
    EXCHANGE = "exchange"
    """Two names swap what they stand for."""
    METADATA = "metadata"
    """Mode, owner, times, extended attributes."""
    READ = "read"
    """Looks at what is at a path, or starts it; only where reads are trapped."""
    LIST = "list"
    """Opens a directory; only where reads are trapped."""
    SIGNAL = "signal"
    BIND = "bind"
    """A port."""
    FOREIGN = "foreign"
    """A call of another architecture (32-bit, x32), whose arguments mean something else."""
    REFUSED = "refused"
    """What no command may do while it is supervised; `Trap.error` is the answer, `Trap.why` the reason."""
    UNREADABLE = "unreadable"
    """What it would do cannot be found out: its memory may not be read, or the path is too long to be named."""
    NONE = "none"
    """Nothing would change: see `Trap.error`."""


CHANGING = frozenset({Deed.WRITE, Deed.CREATE, Deed.REMOVE, Deed.RENAME, Deed.EXCHANGE, Deed.METADATA})
"""What changes something at a path."""
READING = frozenset({Deed.READ, Deed.LIST})


class Trap:
    """One trapped call that waits for its answer.

    It tells what the call would do *now*. After a wait, for a lock or for a call in flight, the paths may lead elsewhere:
    decode the notification again.
    """

    __slots__ = (
        "bars",
        "call",
        "deed",
        "error",
        "id",
        "inodes",
        "looked",
        "notification",
        "number",
        "other",
        "outside",
        "path",
        "pid",
        "structural",
        "target",
        "tree",
        "why",
    )

    def __init__(  # noqa: PLR0917 - made for every trapped call, and a dataclass takes twice the time
        self,
        id: int,  # noqa: A002 - the attribute's name
        pid: int,
        call: str,
        deed: Deed,
        path: bytes = b"",
        other: bytes = b"",
        outside: bool = False,
        structural: bool = False,
        tree: bool = False,
        error: int = 0,
        number: int = 0,
        target: int = 0,
        notification: Notification | None = None,
    ) -> None:
        self.id = id
        """The notification's."""
        self.pid = pid
        """Of the calling thread (a thread id)."""
        self.call = call
        """The system call's name."""
        self.deed = deed
        self.path = path
        """Absolute; the directory is canonical, and so is the whole where the call follows a link at its end."""
        self.other = other
        """Where a rename or an exchange leads; for a link, the file that gets another name ("" when it had none)."""
        self.outside = outside
        """Neither path is in a work tree."""
        self.structural = structural
        """It may change what other paths lead to: a link or a directory is made, moved, replaced or removed."""
        self.tree = tree
        """What is moved, or replaced by that, is a directory with all that is below."""
        self.bars = False
        """After it, what lies below may be out of reach: it removes a directory, or changes the mode of one."""
        self.error = error
        """With NONE, if not 0: the call can only fail with this, as of now. Refuse it with this number; letting it go on
        would let it look again, later, when it might no longer fail."""
        self.number = number
        """The signal, or the port."""
        self.target = target
        """Of a signal: a process (> 0), a group (< -1, negated), or -1 for everybody."""
        self.notification = notification
        """What it was decoded from."""
        self.why = ""
        """Of REFUSED: what the call would do, for people."""
        self.looked: tuple[bytes, ...] = ()
        """Only where reads are trapped: what else than `path` decides how it ends (links on the way, what is there where
        it fails); with a slash at the end: what lies in that directory."""
        self.inodes: tuple[bytes, ...] = ()
        """Only where reads are trapped: the identities of files with several names that it reads or changes."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("call", "deed", "path", "other", "error"))
        return f"Trap({shown}, pid={self.pid})"
