"""A table of system calls with what they would do, as the supervisor has to see it. Run as a program, it makes them.

Each case gets a directory of its own with the same files (`make_tree`), which is the current directory of its calls.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_cbx.execute.kernel.syscalls import table

MARK = 0x7F000000
"""A signal to this process and a case's number means that its calls follow: no process has such a number."""
R, W, RW, CREAT, EXCL, TRUNC = os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_EXCL, os.O_TRUNC
NOFOLLOW, DIRECTORY, TMPFILE, PATH = os.O_NOFOLLOW, os.O_DIRECTORY, os.O_TMPFILE, os.O_PATH
HERE, AT_NOFOLLOW, AT_REMOVEDIR, AT_FOLLOW, AT_EMPTY = -100, 0x100, 0x200, 0x400, 0x1000
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
_RUN = os.environ.setdefault("SUPERVISED_CALLS", str(os.getpid()))
"""The test's process, also in the one that it starts: several workers may run the cases at the same time."""
OUTSIDE, OUTSIDE_DIRECTORY = f"/tmp/supervised-outside-{_RUN}", f"/tmp/supervised-directory-{_RUN}"
"""A file and a directory outside of the tree, made anew for each case."""
LONG = "n" * 256
"""One byte more than a name may have."""


class Caller:
    """Makes system calls by name in one case's directory."""

    def __init__(self) -> None:
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long
        self._numbers = table().numbers
        self.errors: list[int] = []
        self.value = 0

    def __call__(self, name: str, *arguments: object) -> Caller:
        """Make a call; its error number (0: it worked) is added to `errors`, what it returned is `value`."""
        words = [
            ctypes.c_long(a) if isinstance(a, int) else os.fsencode(a) if isinstance(a, str) else a for a in arguments
        ]
        ctypes.set_errno(0)
        self.value = self._syscall(ctypes.c_long(self._numbers[name]), *words)
        self.errors.append(ctypes.get_errno() if self.value < 0 else 0)
        return self


@dataclass(frozen=True)
class Case:
    """One case: what is done, and the traps that are expected."""

    name: str
    act: Callable[[Caller], object]
    expected: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """System calls that not every machine has."""
    differs: bool = False
    """Its answer is not the kernel's: trees with a transaction are told to be another file system."""


def make_tree(folder: Path) -> None:
    """What every case finds."""
    folder.mkdir(parents=True)
    for name in ("f", "g", "dir/inner", "full/file", "exact name (deleted)"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    for name in ("empty", "empty2"):
        (folder / name).mkdir()
    links = {
        "link": "f",
        "dlink": "dir",
        "dangling": "new",
        "far": "missing/new",
        "loop": "loop",
        "chain": "link",
        "up": "dir/../g",
        "abs": str(folder / "dir"),
        "outlink": OUTSIDE,
        "self": "/proc/self/cwd",
        "slashed": "dir/",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.link(folder / "g", folder / "g2")
    os.mkfifo(folder / "fifo")


def opened(c: Caller, path: str, flags: int = R) -> int:
    """A descriptor, opened without a trap when the flags only read."""
    return os.open(path, flags)


def deleted_directory(c: Caller, path: str) -> Caller:
    """A call with a current directory that is gone."""
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir("../gone")
    return c("mkdir" if "mkdir" in c._numbers else "mkdirat", path, 0o700)


def open_unlinked(c: Caller) -> Caller:
    """Change what is open but has no name any more."""
    descriptor = os.open("f", R)
    os.unlink("f")
    return c("fchmod", descriptor, 0o600)


def unlinked_with_another_name(c: Caller) -> Caller:
    """Change what is open under a name that is gone, while another one is left."""
    descriptor = os.open("g", R)
    os.unlink("g")
    return c("fchmod", descriptor, 0o600)


def named_later(c: Caller) -> Caller:
    """O_TMPFILE, then a name."""
    c("openat", HERE, "dir", TMPFILE | W, 0o600)
    return c("linkat", HERE, f"/proc/self/fd/{c.value}", HERE, "dir/named", AT_FOLLOW)


def named_by_descriptor(c: Caller) -> Caller:
    """A second name for an open file, which needs a right that few have; with EPERM or ENOENT otherwise."""
    return c("linkat", opened(c, "f"), "", HERE, "dir/named", AT_EMPTY)


def reopened(c: Caller, through: str) -> Caller:
    """Open for writing what is open for reading."""
    return c("openat", HERE, through.format(opened(c, "f")), W)


def reopened_pipe(c: Caller) -> Caller:
    """Open a pipe's other name for writing."""
    _, end = os.pipe()
    return c("openat", HERE, f"/proc/self/fd/{end}", W)


def come_in(c: Caller, new: str, flags: int, call: str = "renameat2") -> Caller:
    """Give a file from outside a name inside."""
    return c(call, HERE, OUTSIDE, HERE, new, flags)


def bound(c: Caller, address: bytes, family: int = socket.AF_UNIX) -> Caller:
    """Bind a socket to an address."""
    with socket.socket(family) as made:
        return c("bind", made.fileno(), address, len(address))


def unix(path: str) -> bytes:
    """A socket address."""
    return struct.pack("=H", socket.AF_UNIX) + path.encode() + b"\0"


def inet(port: int) -> bytes:
    """Loopback, and a port."""
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + bytes([127, 0, 0, 1]) + bytes(8)


def dir_fd(name: str) -> int:
    """A directory, for the calls with `at` in their name."""
    return os.open(name, R | DIRECTORY)


def at_page_end(text: str) -> ctypes.Array[ctypes.c_char]:
    """A path that crosses the end of a page."""
    size = 3 * 4096
    block = ctypes.create_string_buffer(size)
    address = ctypes.addressof(block)
    offset = -address % 4096 + 4096 - len(text) // 2
    ctypes.memmove(address + offset, text.encode() + b"\0", len(text) + 1)
    return (ctypes.c_char * (size - offset)).from_buffer(block, offset)


def _case(name: str, act: Callable[[Caller], object], *expected: str, needs: str = "", differs: bool = False) -> Case:
    return Case(name=name, act=act, expected=expected, needs=tuple(needs.split()), differs=differs)


def _opens() -> list[Case]:
    def at(path: object, flags: int, folder: str = "") -> Callable[[Caller], object]:
        return lambda c: c("openat", dir_fd(folder) if folder else HERE, path, flags, 0o644)

    return [
        _case("read", at("f", R)),
        _case("O_PATH reads, whatever else is said", at("f", PATH | W | CREAT), "none"),
        _case("write", at("f", W), "write f"),
        _case("read and write", at("f", RW), "write f"),
        _case("append", at("f", W | os.O_APPEND), "write f"),
        _case("create what is there", at("f", W | CREAT | TRUNC), "write f"),
        _case("create", at("new", W | CREAT), "write new"),
        _case("create exclusively", at("new", W | CREAT | EXCL), "create new"),
        _case("create exclusively what is there", at("f", W | CREAT | EXCL), "none EEXIST"),
        _case("create exclusively, read only", at("new", R | CREAT | EXCL), "create new"),
        _case("create, read only", at("new", R | CREAT), "write new"),
        _case("create what is there, read only", at("f", R | CREAT), "none f"),
        _case("empty, read only", at("f", R | TRUNC), "write f"),
        _case("both access bits", at("f", W | RW), "write f"),
        _case("write what is missing", at("new", W), "none ENOENT"),
        _case("write where the directory is missing", at("nowhere/new", W | CREAT), "none ENOENT"),
        _case("write below a file", at("f/new", W | CREAT), "none ENOTDIR"),
        _case("write a directory", at("dir", W), "none EISDIR"),
        _case("create a directory's name", at("dir", R | CREAT), "none EISDIR"),
        _case("write a directory as such", at("dir", W | DIRECTORY), "none"),
        _case("write a fifo", at("fifo", RW), "none fifo"),
        _case("write a device", at("/dev/null", W), "none"),
        _case("write a device by another name", at("/dev/../dev/null", W), "none /dev/null"),
        _case("with a slash", at("f/", W), "none ENOTDIR"),
        _case("create with a slash", at("new/", W | CREAT), "none EISDIR"),
        _case("empty path", at("", W), "none ENOENT"),
        _case("dot", at(".", W), "none EISDIR"),
        _case("double dot", at("..", W), "none EISDIR"),
        _case("root", at("/", W), "none EISDIR"),
        _case("dots and slashes", at(".//dir/.././/f", W), "write f"),
        _case("through a directory", at("dir/inner", W), "write dir/inner"),
        _case("through a file and back", at("f/../g", W), "none ENOTDIR"),
        _case("through what is missing and back", at("nowhere/../g", W), "none ENOENT"),
        _case("a link", at("link", W), "write f"),
        _case("a link to a link", at("chain", W | CREAT), "write f"),
        _case("a link, not followed", at("link", W | NOFOLLOW), "none ELOOP"),
        _case("a link, exclusively", at("dangling", W | CREAT | EXCL), "none EEXIST"),
        _case("a dangling link", at("dangling", W), "none ENOENT"),
        _case("a dangling link makes its target", at("dangling", W | CREAT), "write new"),
        _case("a dangling link with a slash", at("dangling/", W | CREAT), "none EISDIR"),
        _case("a link to nowhere", at("far", W | CREAT), "none ENOENT"),
        _case("a loop", at("loop", W | CREAT), "none ELOOP"),
        _case("below a loop", at("loop/new", W | CREAT), "none ELOOP"),
        _case("through a link", at("dlink/inner", W), "write dir/inner"),
        _case("through a link with a slash", at("slashed/inner", W), "write dir/inner"),
        _case("through an absolute link", at("abs/inner", W), "write dir/inner"),
        _case("through a link with dots", at("up", W), "write g"),
        _case("double dot behind a link", at("dlink/../g", W), "write g"),
        _case("relative to a descriptor", at("inner", W, "dir"), "write dir/inner"),
        _case("up from a descriptor", at("../f", W, "dir"), "write f"),
        _case("a directory not open", lambda c: c("openat", 999, "f", W), "none EBADF"),
        _case("relative to a file", lambda c: c("openat", opened(c, "f"), "g", W), "none ENOTDIR"),
        _case(
            "absolute, so the descriptor does not matter", lambda c: c("openat", 999, os.getcwd() + "/f", W), "write f"
        ),
        _case("a name too long", at(LONG, W | CREAT), "none ENAMETOOLONG"),
        _case("a path too long", at("./" * 2100 + "f", W), "none ENAMETOOLONG"),
        _case("a long path", at("./" * 2000 + "f", W), "write f"),
        _case("a bad address", lambda c: c("openat", HERE, 8, W), "none EFAULT"),
        _case(
            "across the end of a page",
            lambda c: c("openat", HERE, at_page_end("dir/../dir/inner"), W),
            "write dir/inner",
        ),
        _case("strange bytes", lambda c: c("openat", HERE, b"\xff\n\x01", W | CREAT), "write \\xff\\n\\x01"),
        _case("outside", at(OUTSIDE + "/nothing", W), "none ENOTDIR"),
        _case("outside through a link", at("outlink", W | CREAT), f"outside write {OUTSIDE}"),
        _case("a file without a name", at("dir", W | TMPFILE), "none"),
        _case("a file named later", named_later, "none", "create dir/named"),
        _case("open", lambda c: c("open", "f", W), "write f", needs="open"),
        _case("creat", lambda c: c("creat", "link", 0o644), "write f", needs="creat"),
        _case("what is open, through /proc/self", lambda c: reopened(c, "/proc/self/fd/{}"), "write f"),
        _case("what is open, through /dev/fd", lambda c: reopened(c, "/dev/fd/{}"), "write f"),
        _case("what is open, through the thread", lambda c: reopened(c, "/proc/thread-self/fd/{}"), "write f"),
        _case("what is open, by its process", lambda c: reopened(c, f"/proc/{os.getpid()}/fd/{{}}"), "write f"),
        _case("what is open, with dots", lambda c: reopened(c, "/proc/self/task/../fd/{}"), "write f"),
        _case("a pipe that is open", reopened_pipe, "none"),
        _case("a descriptor that is not open", at("/proc/self/fd/999", W), "none ENOENT"),
        _case("through the current directory in /proc", at("/proc/self/cwd/f", W), "write f"),
        _case("through a link into /proc", at("self/f", W | CREAT), "write f"),
        _case(
            "through the root in /proc",
            lambda c: c("openat", HERE, "/proc/self/root" + os.getcwd() + "/f", W),
            "write f",
        ),
        _case("a name that looks deleted", at("exact name (deleted)", W), "write exact name (deleted)"),
        _case("truncate", lambda c: c("truncate", "f", 1), "write f"),
        _case("truncate a link", lambda c: c("truncate", "chain", 1), "write f"),
        _case("truncate what is missing", lambda c: c("truncate", "new", 1), "none ENOENT"),
        _case("truncate a directory", lambda c: c("truncate", "dir", 1), "none dir"),
    ]


def _names() -> list[Case]:
    def mkdir(path: str) -> Callable[[Caller], object]:
        return lambda c: c("mkdirat", HERE, path, 0o755)

    def unlink(path: str, flags: int = 0) -> Callable[[Caller], object]:
        return lambda c: c("unlinkat", HERE, path, flags)

    def symlink(target: str, path: str) -> Callable[[Caller], object]:
        return lambda c: c("symlinkat", target, HERE, path)

    def link(old: str, new: str, flags: int = 0) -> Callable[[Caller], object]:
        return lambda c: c("linkat", HERE, old, HERE, new, flags)

    return [
        _case("make a directory", mkdir("new"), "create new"),
        _case("make a directory with slashes", mkdir("new//"), "create new"),
        _case("make a directory that is there", mkdir("dir"), "none EEXIST"),
        _case("make a directory where a file is", mkdir("f"), "none EEXIST"),
        _case("make a directory where a link is", mkdir("dangling/"), "none EEXIST"),
        _case("make a directory below a missing one", mkdir("a/b"), "none ENOENT"),
        _case("make a directory through a link", mkdir("dlink/new"), "create dir/new"),
        _case("make a dot", mkdir("."), "none"),
        _case("make a dot at an end", mkdir("new/."), "none"),
        _case("make a double dot", mkdir("dir/.."), "none"),
        _case("make the root", mkdir("/"), "none"),
        _case("make with no name", mkdir(""), "none ENOENT"),
        _case("mkdir", lambda c: c("mkdir", "new", 0o755), "create new", needs="mkdir"),
        _case("mkdirat", lambda c: c("mkdirat", dir_fd("dir"), "new", 0o755), "create dir/new"),
        _case("mknod", lambda c: c("mknod", "new", 0o100644, 0), "create new", needs="mknod"),
        _case("mknodat a fifo", lambda c: c("mknodat", dir_fd("dir"), "new", 0o010644, 0), "create dir/new"),
        _case("mknodat with a slash", lambda c: c("mknodat", HERE, "new/", 0o100644, 0), "none ENOENT"),
        _case("mknodat what is there", lambda c: c("mknodat", HERE, "f", 0o100644, 0), "none EEXIST"),
        _case("symlink", lambda c: c("symlink", "f", "new"), "create new !", needs="symlink"),
        _case("symlinkat", symlink("anything", "dir/new"), "create dir/new !"),
        _case("symlinkat what is there", symlink("f", "link"), "none EEXIST"),
        _case("symlinkat with a slash", symlink("f", "new/"), "none ENOENT"),
        _case("link", lambda c: c("link", "f", "new"), "create new < f", needs="link"),
        _case("linkat", link("f", "dir/new"), "create dir/new < f"),
        _case("link a link", link("link", "new"), "create new < link !"),
        _case("link what a link leads to", link("link", "new", AT_FOLLOW), "create new < f"),
        _case("link a directory", link("dir", "new"), "none EPERM"),
        _case("link what is missing", link("nothing", "new"), "none ENOENT"),
        _case("link to what is there", link("f", "g"), "none EEXIST"),
        _case("link with a slash", link("f", "new/"), "none ENOENT"),
        _case("link an open file", named_by_descriptor, "create dir/named < f"),
        _case("unlink", lambda c: c("unlink", "f"), "remove f", needs="unlink"),
        _case("unlinkat", lambda c: c("unlinkat", dir_fd("dir"), "inner", 0), "remove dir/inner"),
        _case("unlink a link", unlink("link"), "remove link !"),
        _case("unlink a fifo", unlink("fifo"), "remove fifo"),
        _case("unlink through a link", unlink("dlink/inner"), "remove dir/inner"),
        _case("unlink what is missing", unlink("new"), "none ENOENT"),
        _case("unlink a directory", unlink("dir"), "none EISDIR"),
        _case("unlink a file with a slash", unlink("f/"), "none ENOTDIR"),
        _case("unlink a link with a slash", unlink("dlink/"), "none ENOTDIR"),
        _case("unlink a dot", unlink("."), "none"),
        _case("rmdir", lambda c: c("rmdir", "empty"), "remove empty bars", needs="rmdir"),
        _case("remove a directory", unlink("empty", AT_REMOVEDIR), "remove empty bars"),
        _case("remove a directory with a slash", unlink("empty/", AT_REMOVEDIR), "remove empty bars"),
        _case("remove a full directory", unlink("dir", AT_REMOVEDIR), "none ENOTEMPTY"),
        _case("remove a file as a directory", unlink("f", AT_REMOVEDIR), "none ENOTDIR"),
        _case("remove a link as a directory", unlink("dlink/", AT_REMOVEDIR), "none ENOTDIR"),
        _case("remove a missing directory", unlink("new", AT_REMOVEDIR), "none ENOENT"),
        _case("remove the dot", unlink(".", AT_REMOVEDIR), "none"),
        _case(
            "in a deleted directory", lambda c: deleted_directory(c, "new"),
            "create gone", "remove gone bars", "none ENOENT", needs="mkdir rmdir",
        ),
        _case(
            "out of a deleted directory", lambda c: deleted_directory(c, "../new"),
            "create gone", "remove gone bars", "create new", needs="mkdir rmdir",
        ),
    ]  # fmt: skip


def _renames() -> list[Case]:
    def rename(old: str, new: str, flags: int = 0) -> Callable[[Caller], object]:
        return lambda c: c("renameat2", HERE, old, HERE, new, flags)

    return [
        _case("rename", lambda c: c("rename", "f", "new"), "rename f > new", needs="rename"),
        _case("renameat", lambda c: c("renameat", dir_fd("dir"), "inner", HERE, "new"), "rename dir/inner > new",
              needs="renameat"),
        _case("rename over a file", rename("f", "g"), "rename f > g"),
        _case("rename over itself", rename("f", "f"), "rename f > f"),
        _case("rename over another name of the same", rename("g", "g2"), "rename g > g2"),
        _case("rename what is missing", rename("nothing", "f"), "none ENOENT"),
        _case("rename to a missing directory", rename("f", "a/b"), "none ENOENT"),
        _case("rename a directory", rename("dir", "new"), "rename dir > new ! tree"),
        _case("rename a directory with slashes", rename("dir/", "new/"), "rename dir > new ! tree"),
        _case("rename a directory over an empty one", rename("dir", "empty"), "rename dir > empty ! tree"),
        _case("rename a directory over a full one", rename("dir", "full"), "none ENOTEMPTY"),
        _case("rename a directory over a file", rename("dir", "f"), "none ENOTDIR"),
        _case("rename a directory into itself", rename("dir", "dir/new"), "none EINVAL"),
        _case("rename a directory onto what it is in", rename("dir/inner", "dir"), "none ENOTEMPTY"),
        _case("exchange a directory with what it is in", rename("dir/inner", "dir", EXCHANGE), "none EINVAL"),
        _case("rename a file over a directory", rename("f", "empty"), "none EISDIR"),
        _case("rename a file to a slash", rename("f", "new/"), "none ENOTDIR"),
        _case("rename a file with a slash", rename("f/", "new"), "none ENOTDIR"),
        _case("rename a link", rename("link", "new"), "rename link > new !"),
        _case("rename a link to a directory", rename("dlink", "new"), "rename dlink > new !"),
        _case("rename over a link", rename("f", "link"), "rename f > link !"),
        _case("rename through a link", rename("dlink/inner", "new"), "rename dir/inner > new"),
        _case("rename a dot", rename("dir/.", "new"), "none"),
        _case("rename without replacing", rename("f", "new", NOREPLACE), "rename f > new"),
        _case("rename without replacing what is there", rename("f", "g", NOREPLACE), "none EEXIST"),
        _case("exchange", rename("f", "g", EXCHANGE), "exchange f > g"),
        _case("exchange a file and a directory", rename("f", "dir", EXCHANGE), "exchange f > dir ! tree"),
        _case("exchange a link", rename("link", "g", EXCHANGE), "exchange link > g !"),
        _case("exchange what is missing", rename("f", "new", EXCHANGE), "none ENOENT"),
        _case("out of the tree", rename("f", OUTSIDE), "none EXDEV", differs=True),
        _case("into the tree", lambda c: come_in(c, "new", 0), "create new"),
        _case("into the tree, over a file", lambda c: come_in(c, "f", 0), "remove f"),
        _case("into the tree, over a link", lambda c: come_in(c, "link", 0), "remove link !"),
        _case("into the tree as an exchange", lambda c: come_in(c, "f", EXCHANGE), "none EXDEV", differs=True),
        _case("a directory into the tree", rename(OUTSIDE_DIRECTORY, "new"), "none EXDEV", differs=True),
        _case("a link out of the tree", lambda c: c("linkat", HERE, "f", HERE, OUTSIDE_DIRECTORY + "/new", 0), "none EXDEV", differs=True),
        _case("a link into the tree", lambda c: come_in(c, "new", 0, "linkat"), f"create new < {OUTSIDE}"),
    ]  # fmt: skip


def _attributes() -> list[Case]:
    times = b"\0" * 32
    return [
        _case("chmod", lambda c: c("chmod", "link", 0o600), "metadata f", needs="chmod"),
        _case("chmod a directory", lambda c: c("fchmodat", HERE, "dir/", 0o700), "metadata dir bars"),
        _case("chmod a dot", lambda c: c("fchmodat", HERE, "dir/.", 0o700), "metadata dir bars"),
        _case("chmod the current directory", lambda c: c("fchmodat", HERE, ".", 0o700), "metadata . bars"),
        _case("chmod what is missing", lambda c: c("fchmodat", HERE, "new", 0o700), "none ENOENT"),
        _case("chmod behind a loop", lambda c: c("fchmodat", HERE, "loop", 0o700), "none ELOOP"),
        _case("fchmodat2", lambda c: c("fchmodat2", HERE, "g", 0o600, 0), "metadata g"),
        _case("fchmodat2 of what is open", lambda c: c("fchmodat2", opened(c, "g"), "", 0o600, AT_EMPTY), "metadata g"),
        _case("fchmod", lambda c: c("fchmod", opened(c, "link"), 0o600), "metadata f"),
        _case("fchmod of a directory", lambda c: c("fchmod", dir_fd("dir"), 0o700), "metadata dir bars"),
        _case("fchmod of nothing", lambda c: c("fchmod", 999, 0o600), "none EBADF"),
        _case("fchmod of a pipe", lambda c: c("fchmod", os.pipe()[0], 0o600), "none"),
        _case("fchmod of a deleted file", open_unlinked, "remove f", "none"),
        _case("fchmod behind another name", unlinked_with_another_name, "remove g", "metadata g"),
        _case("fchmod of a name that looks deleted", lambda c: c("fchmod", opened(c, "exact name (deleted)"), 0o600),
              "metadata exact name (deleted)"),
        _case("chown", lambda c: c("chown", "link", -1, -1), "metadata f", needs="chown"),
        _case("lchown", lambda c: c("lchown", "link", -1, -1), "metadata link", needs="lchown"),
        _case("lchown with a slash", lambda c: c("lchown", "dlink/", -1, -1), "metadata dir bars", needs="lchown"),
        _case("fchown", lambda c: c("fchown", opened(c, "f"), -1, -1), "metadata f"),
        _case("fchownat", lambda c: c("fchownat", HERE, "link", -1, -1, 0), "metadata f"),
        _case("fchownat of a link", lambda c: c("fchownat", HERE, "link", -1, -1, AT_NOFOLLOW), "metadata link"),
        _case("fchownat of what is open", lambda c: c("fchownat", opened(c, "f"), "", -1, -1, AT_EMPTY), "metadata f"),
        _case("fchownat with no path", lambda c: c("fchownat", HERE, "", -1, -1, 0), "none ENOENT"),
        _case("fchownat of the current directory", lambda c: c("fchownat", HERE, "", -1, -1, AT_EMPTY), "metadata . bars"),
        _case("utime", lambda c: c("utime", "link", None), "metadata f", needs="utime"),
        _case("utimes", lambda c: c("utimes", "link", None), "metadata f", needs="utimes"),
        _case("futimesat", lambda c: c("futimesat", dir_fd("dir"), "inner", None), "metadata dir/inner", needs="futimesat"),
        _case("utimensat", lambda c: c("utimensat", HERE, "link", times, 0), "metadata f"),
        _case("utimensat of a link", lambda c: c("utimensat", HERE, "link", times, AT_NOFOLLOW), "metadata link"),
        _case("utimensat of what is open", lambda c: c("utimensat", opened(c, "f"), None, times, 0), "metadata f"),
        _case("setxattr", lambda c: c("setxattr", "link", "user.a", b"1", 1, 0), "metadata f"),
        _case("lsetxattr", lambda c: c("lsetxattr", "link", "user.a", b"1", 1, 0), "metadata link"),
        _case("fsetxattr", lambda c: c("fsetxattr", opened(c, "f"), "user.a", b"1", 1, 0), "metadata f"),
        _case("removexattr", lambda c: c("removexattr", "link", "user.a"), "metadata f"),
        _case("lremovexattr", lambda c: c("lremovexattr", "link", "user.a"), "metadata link"),
        _case("fremovexattr", lambda c: c("fremovexattr", opened(c, "f"), "user.a"), "metadata f"),
    ]  # fmt: skip


def _others() -> list[Case]:
    return [
        _case("bind a path", lambda c: bound(c, unix("socket")), "create socket"),
        _case("bind a path through a link", lambda c: bound(c, unix("dlink/socket")), "create dir/socket"),
        _case("bind a path that is there", lambda c: bound(c, unix("f")), "none EADDRINUSE"),
        _case("bind an abstract name", lambda c: bound(c, unix("\0" + f"supervised{os.getpid()}")), "none"),
        _case("bind any port", lambda c: bound(c, inet(0), socket.AF_INET), "none"),
        _case("bind a port", lambda c: bound(c, inet(39717), socket.AF_INET), "bind 39717"),
        _case("bind nonsense", lambda c: bound(c, b"\1"), "none"),
        _case("signal a process", lambda c: c("kill", 0x7E000001, 15), "signal 15 to 2113929217"),
        _case("signal a group", lambda c: c("kill", -0x7E000001, 1), "signal 1 to -2113929217"),
        _case("ask for a process", lambda c: c("kill", 0x7E000001, 0), "signal 0 to 2113929217"),
        _case("signal a thread", lambda c: c("tgkill", 0x7E000001, 0x7E000002, 15), "signal 15 to 2113929217"),
        _case("signal by a descriptor", lambda c: c("pidfd_send_signal", 999, 15, None, 0), "none EBADF"),
    ]


CASES = [*_opens(), *_names(), *_renames(), *_attributes(), *_others()]


def make_outside() -> None:
    """The file and the directory outside."""
    clear_outside()
    Path(OUTSIDE).touch()
    os.mkdir(OUTSIDE_DIRECTORY)


def clear_outside() -> None:
    """Leave nothing there."""
    Path(OUTSIDE).unlink(missing_ok=True)
    shutil.rmtree(OUTSIDE_DIRECTORY, ignore_errors=True)


def directory_of(base: Path, number: int) -> Path:
    """Where a case runs."""
    return base / f"case{number}"


def possible(case: Case) -> bool:
    """Whether this machine has the calls."""
    return all(name in table().numbers for name in case.needs)


def main(base: Path) -> None:
    """Make all calls; prints the error numbers of each case."""
    caller, found = Caller(), []
    for number, case in enumerate(CASES):
        caller.errors = []
        if possible(case):
            make_outside()
            os.chdir(directory_of(base, number))
            marks = Caller()
            marks("kill", MARK + number, 10)
            case.act(caller)
            marks("kill", MARK - 1, 10)
        found.append(caller.errors)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
