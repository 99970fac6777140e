"""From a notification to a `Trap`: one small function for each system call that may be trapped.

Runs for every trapped call, so it makes few objects and few system calls: a plain `open` or `unlink` costs one read of the
caller's memory, one `readlink` and one `lstat`.

Sources: open(2), rename(2), link(2), unlink(2), mkdir(2), chmod(2), chown(2), utimensat(2), setxattr(2), bind(2), kill(2)
for which arguments are paths, and when a link at the end is followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection

from pytest_cbx.execute.kernel.memory import read_bytes, read_string
from pytest_cbx.execute.kernel.seccomp import Listener, Notification
from pytest_cbx.execute.kernel.syscalls import Treatment, table
from pytest_cbx.execute.supervision.deeds import Deed, Trap
from pytest_cbx.execute.supervision.looks import Looks
from pytest_cbx.execute.supervision.other_calls import OTHER_CALLS
from pytest_cbx.execute.supervision.resolve import HERE, Fails, Found, Nameless, Unreachable

_O_PATH = getattr(os, "O_PATH", 0)
_O_TMPFILE = getattr(os, "O_TMPFILE", 0)
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC
_NEW = os.O_CREAT | os.O_EXCL
_NO_FOLLOW, _REMOVE_DIRECTORY, _FOLLOW, _EMPTY_PATH = 0x100, 0x200, 0x400, 0x1000
"""AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR (also AT_EACCESS), AT_SYMLINK_FOLLOW, AT_EMPTY_PATH. Source: linux/fcntl.h."""
_NOREPLACE, _EXCHANGE, _WHITEOUT = 1, 2, 4
"""Of renameat2(2)."""
_DEVICES = frozenset({b"/dev/null", b"/dev/tty", b"/dev/zero", b"/dev/full"})
"""What shells open all the time; not looked at twice."""

_Call = Callable[[Notification], Trap]


class Decoder:
    """Tells what trapped calls would do. `workspace_roots` are canonical; `reads`: reading is trapped, too."""

    def __init__(self, workspace_roots: tuple[bytes, ...], reads: bool) -> None:
        calls = table()
        self._architecture = calls.architecture
        self._names = calls.names
        self._reads = reads
        self._roots = frozenset(workspace_roots)
        self.inside = tuple(root.rstrip(b"/") + b"/" for root in workspace_roots)
        """Prefixes of paths in the work trees."""
        self._looks = Looks(self._is_inside)
        known = {**self._file_calls(), **(self._looking_calls() if reads else {})}
        self._calls: dict[int, _Call] = {number: known[name] for name, number in calls.numbers.items() if name in known}
        for name, decode in OTHER_CALLS.items():
            if name in calls.numbers:
                self._calls[calls.numbers[name]] = decode
        if "bind" in calls.numbers:
            self._calls[calls.numbers["bind"]] = self._bind
        self._refused = {n: rule for n, rule in calls.rules.items() if rule.treatment is Treatment.REFUSED}
        self._calls.update(dict.fromkeys(self._refused, self._refuse))

    @property
    def known(self) -> Collection[int]:
        """Numbers of the calls that it can tell something of."""
        return self._calls.keys()

    def decode(self, listener: Listener, notification: Notification) -> Trap | None:
        """What a call would do; None when its caller is gone."""
        n = notification
        self._looks.clear()
        call = self._calls.get(n.number) if n.arch == self._architecture else None
        try:
            trap = call(n) if call is not None else self._unknown(n)
        except Fails as failure:
            trap = Trap(n.id, n.pid, self._names[n.number], Deed.NONE, error=failure.number)
        except Nameless:
            trap = Trap(n.id, n.pid, self._names[n.number], Deed.NONE)
        except Unreachable:
            trap = Trap(n.id, n.pid, self._names[n.number], Deed.UNREADABLE)
        except OSError as error:
            if not listener.valid(n.id):
                return None
            # Whoever hands over a bad address is told so by the kernel, too.
            bad = error.errno in (errno.EFAULT, errno.ENAMETOOLONG)
            deed = Deed.NONE if bad else Deed.UNREADABLE
            trap = Trap(n.id, n.pid, self._names[n.number], deed, error=error.errno or 0 if bad else 0)
        trap.notification = n
        if self._reads:
            self._looks.tell(trap)
        return trap

    def _unknown(self, n: Notification) -> Trap:
        if n.arch != self._architecture or n.number not in self._names:
            return Trap(n.id, n.pid, f"system call {n.number:#x}", Deed.FOREIGN)
        return Trap(n.id, n.pid, self._names[n.number], Deed.UNREADABLE)

    def _refuse(self, n: Notification) -> Trap:
        rule = self._refused[n.number]
        trap = Trap(n.id, n.pid, self._names[n.number], Deed.REFUSED, error=rule.error)
        trap.why = rule.reason
        return trap

    # --- the tables ----------------------------------------------------------------------------------------

    def _file_calls(self) -> dict[str, _Call]:
        """Calls that may change something."""
        return {
            "open": lambda n: self._open(n, HERE, n.args[0], n.args[1]),
            "openat": lambda n: self._open(n, n.args[0], n.args[1], n.args[2]),
            "creat": lambda n: self._open(n, HERE, n.args[0], os.O_CREAT | os.O_WRONLY | os.O_TRUNC),
            "truncate": self._truncate,
            "mkdir": lambda n: self._make(n, HERE, n.args[0], directory=True),
            "mkdirat": lambda n: self._make(n, n.args[0], n.args[1], directory=True),
            "mknod": lambda n: self._make(n, HERE, n.args[0]),
            "mknodat": lambda n: self._make(n, n.args[0], n.args[1]),
            "symlink": lambda n: self._make(n, HERE, n.args[1], link=True),
            "symlinkat": lambda n: self._make(n, n.args[1], n.args[2], link=True),
            "link": lambda n: self._link(n, HERE, n.args[0], HERE, n.args[1], 0),
            "linkat": lambda n: self._link(n, *n.args[:5]),
            "unlink": lambda n: self._unlink(n, HERE, n.args[0]),
            "rmdir": lambda n: self._rmdir(n, HERE, n.args[0]),
            "unlinkat": lambda n: (self._rmdir if n.args[2] & _REMOVE_DIRECTORY else self._unlink)(
                n, n.args[0], n.args[1]
            ),
            "rename": lambda n: self._rename(n, HERE, n.args[0], HERE, n.args[1], 0),
            "renameat": lambda n: self._rename(n, n.args[0], n.args[1], n.args[2], n.args[3], 0),
            "renameat2": lambda n: self._rename(n, *n.args[:5]),
            "chmod": lambda n: self._metadata(n, HERE, n.args[0], 0),
            "fchmod": lambda n: self._metadata_of_open(n, n.args[0]),
            "fchmodat": lambda n: self._metadata(n, n.args[0], n.args[1], 0),
            "fchmodat2": lambda n: self._metadata(n, n.args[0], n.args[1], n.args[3]),
            "chown": lambda n: self._metadata(n, HERE, n.args[0], 0),
            "lchown": lambda n: self._metadata(n, HERE, n.args[0], _NO_FOLLOW),
            "fchown": lambda n: self._metadata_of_open(n, n.args[0]),
            "fchownat": lambda n: self._metadata(n, n.args[0], n.args[1], n.args[4]),
            "utime": lambda n: self._metadata(n, HERE, n.args[0], 0),
            "utimes": lambda n: self._metadata(n, HERE, n.args[0], 0),
            "futimesat": lambda n: self._times(n, 0),
            "utimensat": lambda n: self._times(n, n.args[3]),
            "setxattr": lambda n: self._metadata(n, HERE, n.args[0], 0),
            "lsetxattr": lambda n: self._metadata(n, HERE, n.args[0], _NO_FOLLOW),
            "fsetxattr": lambda n: self._metadata_of_open(n, n.args[0]),
            "removexattr": lambda n: self._metadata(n, HERE, n.args[0], 0),
            "lremovexattr": lambda n: self._metadata(n, HERE, n.args[0], _NO_FOLLOW),
            "fremovexattr": lambda n: self._metadata_of_open(n, n.args[0]),
            "setxattrat": lambda n: self._metadata(n, n.args[0], n.args[1], n.args[2]),
            "removexattrat": lambda n: self._metadata(n, n.args[0], n.args[1], n.args[2]),
            "file_setattr": lambda n: self._metadata(n, n.args[0], n.args[1], n.args[4]),
        }

    def _looking_calls(self) -> dict[str, _Call]:
        """Calls that only look."""
        return {
            "stat": lambda n: self._read(n, HERE, n.args[0], 0),
            "lstat": lambda n: self._read(n, HERE, n.args[0], _NO_FOLLOW),
            "newfstatat": lambda n: self._read(n, n.args[0], n.args[1], n.args[3]),
            "statx": lambda n: self._read(n, n.args[0], n.args[1], n.args[2]),
            "access": lambda n: self._read(n, HERE, n.args[0], 0),
            "faccessat": lambda n: self._read(n, n.args[0], n.args[1], 0),
            "faccessat2": lambda n: self._read(n, n.args[0], n.args[1], n.args[3]),
            "readlink": lambda n: self._read(n, HERE, n.args[0], _NO_FOLLOW),
            "readlinkat": lambda n: self._read(n, n.args[0], n.args[1], _NO_FOLLOW | _EMPTY_PATH),
            "getxattr": lambda n: self._read(n, HERE, n.args[0], 0),
            "lgetxattr": lambda n: self._read(n, HERE, n.args[0], _NO_FOLLOW),
            "getxattrat": lambda n: self._read(n, n.args[0], n.args[1], n.args[2]),
            "listxattr": lambda n: self._read(n, HERE, n.args[0], 0),
            "llistxattr": lambda n: self._read(n, HERE, n.args[0], _NO_FOLLOW),
            "listxattrat": lambda n: self._read(n, n.args[0], n.args[1], n.args[2]),
            "file_getattr": lambda n: self._read(n, n.args[0], n.args[1], n.args[4]),
            "execve": lambda n: self._execute(n, HERE, n.args[0], 0),
            "execveat": lambda n: self._execute(n, n.args[0], n.args[1], n.args[4]),
            "chdir": lambda n: self._read(n, HERE, n.args[0], 0),
            "statfs": lambda n: self._read(n, HERE, n.args[0], 0),
            "inotify_add_watch": lambda n: self._read(n, HERE, n.args[1], 0),
            "name_to_handle_at": lambda n: self._read(
                n, n.args[0], n.args[1], n.args[4] if n.args[4] & _FOLLOW else _NO_FOLLOW
            ),
        }

    # --- one path ------------------------------------------------------------------------------------------

    def _trap(self, n: Notification, deed: Deed, path: bytes, structural: bool = False, error: int = 0) -> Trap:
        outside = not path.startswith(self.inside) and path not in self._roots
        return Trap(n.id, n.pid, self._names[n.number], deed, path, b"", outside, structural, False, error)

    def _open(self, n: Notification, descriptor: int, address: int, flags: int) -> Trap:
        text = read_string(n.pid, address)
        if text in _DEVICES:
            return Trap(n.id, n.pid, self._names[n.number], Deed.NONE)
        if flags & _O_PATH or not flags & _CHANGES:
            return self._open_to_read(n, descriptor, text, flags)
        if _O_TMPFILE and flags & _O_TMPFILE == _O_TMPFILE:
            return Trap(n.id, n.pid, self._names[n.number], Deed.NONE)  # no name yet; `linkat` may give it one
        new = flags & _NEW == _NEW
        path, info, slash = self._looks.thing(n.pid, descriptor, text, not new and not flags & os.O_NOFOLLOW)
        if info is None:
            if not flags & os.O_CREAT:
                raise Fails(errno.ENOENT)
            if slash:
                raise Fails(errno.EISDIR)
            return self._trap(n, Deed.CREATE if new else Deed.WRITE, path)
        mode = info.st_mode
        if new:
            raise Fails(errno.EEXIST)
        if stat.S_ISREG(mode):
            if flags & _FOR_WRITING:
                return self._trap(n, Deed.WRITE, path)
            return self._trap(n, Deed.READ if self._reads else Deed.NONE, path)
        if stat.S_ISLNK(mode):
            raise Fails(errno.ELOOP)
        if stat.S_ISDIR(mode):
            raise Fails(0 if flags & os.O_DIRECTORY else errno.EISDIR)
        return self._trap(n, Deed.NONE, path)

    def _truncate(self, n: Notification) -> Trap:
        path, info, _ = self._looks.thing(n.pid, HERE, read_string(n.pid, n.args[0]))
        if info is None:
            raise Fails(errno.ENOENT)
        return self._trap(n, Deed.WRITE if stat.S_ISREG(info.st_mode) else Deed.NONE, path)

    def _make(
        self, n: Notification, descriptor: int, address: int, *, directory: bool = False, link: bool = False
    ) -> Trap:
        path, info, slash = self._looks.entry(n.pid, descriptor, read_string(n.pid, address))
        if info is not None:
            raise Fails(errno.EEXIST)
        if slash and not directory:
            raise Fails(errno.ENOENT)
        return self._trap(n, Deed.CREATE, path, structural=link)

    def _unlink(self, n: Notification, descriptor: int, address: int) -> Trap:
        path, info, slash = self._looks.entry(n.pid, descriptor, read_string(n.pid, address))
        if info is None:
            raise Fails(errno.ENOENT)
        if stat.S_ISDIR(info.st_mode):
            raise Fails(errno.EISDIR)
        if slash:
            raise Fails(errno.ENOTDIR)
        return self._trap(n, Deed.REMOVE, path, structural=stat.S_ISLNK(info.st_mode))

    def _rmdir(self, n: Notification, descriptor: int, address: int) -> Trap:
        # Not structural: a call on its way through an empty directory that goes away finds nothing.
        path, info, _ = self._looks.entry(n.pid, descriptor, read_string(n.pid, address))
        if info is None:
            raise Fails(errno.ENOENT)
        if not stat.S_ISDIR(info.st_mode):
            raise Fails(errno.ENOTDIR)
        self._looks.listed(path)
        if not _is_empty(path):
            raise Fails(errno.ENOTEMPTY)
        trap = self._trap(n, Deed.REMOVE, path)
        trap.bars = True
        return trap

    def _metadata(self, n: Notification, descriptor: int, address: int, flags: int) -> Trap:
        text = read_string(n.pid, address)
        path, info, _ = (
            self._looks.open_thing(n.pid, descriptor)
            if not text and flags & _EMPTY_PATH
            else self._looks.thing(n.pid, descriptor, text, not flags & _NO_FOLLOW)
        )
        if info is None:
            raise Fails(errno.ENOENT)
        return self._change_of(n, path, info)

    def _metadata_of_open(self, n: Notification, descriptor: int) -> Trap:
        if descriptor & 0xFFFFFFFF == HERE:
            raise Fails(errno.EBADF)
        path, info, _ = self._looks.open_thing(n.pid, descriptor)
        return self._change_of(n, path, info)

    def _change_of(self, n: Notification, path: bytes, info: os.stat_result | None) -> Trap:
        trap = self._trap(n, Deed.METADATA, path)
        trap.bars = info is None or stat.S_ISDIR(info.st_mode)
        return trap

    def _times(self, n: Notification, flags: int) -> Trap:
        if n.args[1]:
            return self._metadata(n, n.args[0], n.args[1], flags)
        return self._metadata_of_open(n, n.args[0])

    # --- two paths -----------------------------------------------------------------------------------------

    def _pair(  # noqa: PLR0917 - called for every rename; keywords cost
        self, n: Notification, deed: Deed, path: bytes, other: bytes, structural: bool, tree: bool = False
    ) -> Trap:
        outside = not any(one.startswith(self.inside) or one in self._roots for one in (path, other))
        return Trap(n.id, n.pid, self._names[n.number], deed, path, other, outside, structural, tree)

    def _link(  # noqa: PLR0917 - the arguments of linkat(2) in their order
        self, n: Notification, source_at: int, source: int, target_at: int, target: int, flags: int
    ) -> Trap:
        path, info, slash = self._looks.entry(n.pid, target_at, read_string(n.pid, target))
        text, mode = read_string(n.pid, source), 0
        try:
            old, found, _ = (
                self._looks.open_thing(n.pid, source_at)
                if not text and flags & _EMPTY_PATH
                else self._looks.thing(n.pid, source_at, text, bool(flags & _FOLLOW))
            )
        except Nameless:
            old = b""  # made by O_TMPFILE: this is its first name
        else:
            if found is None:
                raise Fails(errno.ENOENT)
            mode = found.st_mode
        if info is not None:
            raise Fails(errno.EEXIST)
        if slash:
            raise Fails(errno.ENOENT)
        if stat.S_ISDIR(mode):
            raise Fails(errno.EPERM)
        if old and self._is_inside(old) and not self._is_inside(path):
            raise Fails(errno.EXDEV)  # what is written by way of a name outside would not be seen
        trap = self._pair(n, Deed.CREATE, path, old, structural=stat.S_ISLNK(mode))
        trap.outside = not path.startswith(self.inside) and trap.outside
        return trap

    def _rename(  # noqa: PLR0917 - the arguments of renameat2(2) in their order
        self, n: Notification, source_at: int, source: int, target_at: int, target: int, flags: int
    ) -> Trap:
        path, info, slash = self._looks.entry(n.pid, source_at, read_string(n.pid, source))
        other, there, other_slash = self._looks.entry(n.pid, target_at, read_string(n.pid, target))
        if flags & _WHITEOUT:
            raise Fails(errno.EINVAL)  # as a file system without it answers; a rolling back could not undo it
        if info is None or (there is None and flags & _EXCHANGE):
            raise Fails(errno.ENOENT)
        if there is not None and flags & _NOREPLACE:
            raise Fails(errno.EEXIST)
        moved, replaced = info.st_mode, there.st_mode if there is not None else 0
        exchange = bool(flags & _EXCHANGE)
        if not stat.S_ISDIR(moved) and (slash or (other_slash and not exchange)):
            raise Fails(errno.ENOTDIR)
        if other.startswith(path + b"/"):
            raise Fails(errno.EINVAL)
        if path.startswith(other + b"/"):
            raise Fails(errno.EINVAL if exchange else errno.ENOTEMPTY)
        if there is not None and not exchange:
            # Two names of one file: nothing happens, unless another call takes one of them away before. So it is told as a rename.
            if stat.S_ISDIR(moved) != stat.S_ISDIR(replaced):
                raise Fails(errno.ENOTDIR if stat.S_ISDIR(moved) else errno.EISDIR)
            if stat.S_ISDIR(replaced) and not _is_empty(other):
                self._looks.listed(other)
                raise Fails(errno.ENOTEMPTY)
        tree = stat.S_ISDIR(moved) or stat.S_ISDIR(replaced)
        structural = tree or stat.S_ISLNK(moved) or stat.S_ISLNK(replaced)
        if self._is_inside(path) != self._is_inside(other):
            return self._across(n, path, other, exchange or tree, structural, there is not None)
        return self._pair(n, Deed.EXCHANGE if exchange else Deed.RENAME, path, other, structural, tree)

    def _across(  # noqa: PLR0917 - the rest of `_rename`
        self, n: Notification, path: bytes, other: bytes, refused: bool, structural: bool, replaces: bool
    ) -> Trap:
        """A rename over the border of the work trees. To undo it would need a place outside, which nobody keeps: for what
        is inside, outside is another file system, as `/tmp` often is. A single file may come in: its name is then new.
        """
        if refused or self._is_inside(path):
            raise Fails(errno.EXDEV)
        return self._trap(n, Deed.REMOVE if replaces else Deed.CREATE, other, structural)

    def _is_inside(self, path: bytes) -> bool:
        return path.startswith(self.inside) or path in self._roots

    # --- looking -------------------------------------------------------------------------------------------

    def _open_to_read(self, n: Notification, descriptor: int, text: bytes, flags: int) -> Trap:
        if not self._reads:
            return Trap(n.id, n.pid, self._names[n.number], Deed.NONE)
        follow = not flags & os.O_NOFOLLOW
        of_directory = Deed.READ if flags & _O_PATH else Deed.LIST
        return self._looked_at(n, lambda: self._looks.thing(n.pid, descriptor, text, follow), of_directory)

    def _read(self, n: Notification, descriptor: int, address: int, flags: int, *, starts: bool = False) -> Trap:
        text = read_string(n.pid, address) if address else b""
        if not text:
            if not flags & _EMPTY_PATH or not (starts or descriptor & 0xFFFFFFFF == HERE):
                raise Fails(0)  # what is open was looked at when it was opened, as it is for `fstat`
            return self._looked_at(n, lambda: self._looks.open_thing(n.pid, descriptor))
        return self._looked_at(n, lambda: self._looks.thing(n.pid, descriptor, text, not flags & _NO_FOLLOW))

    def _execute(self, n: Notification, descriptor: int, address: int, flags: int) -> Trap:
        trap = self._read(n, descriptor, address, flags, starts=True)
        self._looks.interpreters(n.pid, trap.path)
        return trap

    def _looked_at(self, n: Notification, find: Callable[[], Found], of_directory: Deed = Deed.READ) -> Trap:
        """What is missing is read, too: it must not appear meanwhile. The kernel tells the caller itself."""
        try:
            path, info, _ = find()
        except Fails as failure:
            if not failure.path:
                raise Fails(0) from None
            path, info = failure.path, None
        return self._trap(n, of_directory if info is not None and stat.S_ISDIR(info.st_mode) else Deed.READ, path)

    # --- sockets -------------------------------------------------------------------------------------------

    def _bind(self, n: Notification) -> Trap:
        """A path is made, or a port is taken."""
        size = n.args[2] & 0xFFFFFFFF
        address = read_bytes(n.pid, n.args[1], min(size, 128)) if 2 <= size <= 128 else b""
        family = int.from_bytes(address[:2], "little")
        if family == _AF_UNIX and address[2:3] not in (b"", b"\0"):
            path, info, slash = self._looks.entry(n.pid, HERE, address[2:].partition(b"\0")[0])
            if info is not None or slash:
                raise Fails(errno.EADDRINUSE if info is not None else errno.ENOENT)
            return self._trap(n, Deed.CREATE, path)
        port = int.from_bytes(address[2:4], "big") if family in _AF_INET else 0
        if not port:
            return Trap(n.id, n.pid, "bind", Deed.NONE)
        return Trap(n.id, n.pid, "bind", Deed.BIND, number=port)


_AF_UNIX = 1
_AF_INET = (2, 10)
"""AF_INET and AF_INET6: both have the port in the same place."""


def _is_empty(directory: bytes) -> bool:
    """Whether a directory has no entries; a doubt counts as empty, since the kernel decides then."""
    try:
        with os.scandir(directory) as entries:
            return next(entries, None) is None
    except OSError:
        return True
