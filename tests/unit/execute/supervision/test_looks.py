"""What else than its path decides how a call ends: told only where reads are claims, and only inside of the work tree."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

import pytest

from pytest_cbx.execute.kernel.seccomp import Notification
from pytest_cbx.execute.kernel.syscalls import table
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.deeds import Deed, Trap
from tests.unit.execute.supervision.test_decode import Waiting

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files, folders and links; the process stands in it."""
    (tmp_path / "d" / "full").mkdir(parents=True)
    (tmp_path / "d" / "full" / "x").write_text("x")
    (tmp_path / "f").write_text("f")
    (tmp_path / "empty").mkdir()
    (tmp_path / "l").symlink_to("d")
    (tmp_path / "ll").symlink_to("l/full")
    (tmp_path / "gone").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path)
    return Path(os.path.realpath(tmp_path))


def trap_of(tree: Path, name: str, *arguments: int | str, reads: bool = True) -> Trap:
    """What a call of this process would do."""
    calls = table()
    kept = [ctypes.create_string_buffer(os.fsencode(one)) for one in arguments if isinstance(one, str)]
    addresses = iter(kept)
    numbers = [ctypes.addressof(next(addresses)) if isinstance(one, str) else one for one in arguments]
    numbers += [0] * (6 - len(numbers))
    notification = Notification(7, os.getpid(), calls.architecture, calls.numbers[name], tuple(numbers))
    trap = Decoder((os.fsencode(tree),), reads).decode(Waiting(), notification)
    assert trap is not None
    return trap


def shown(tree: Path, paths: tuple[bytes, ...]) -> set[str]:
    """Paths as seen from the tree."""
    return {os.fsdecode(path).removeprefix(f"{tree}/") for path in paths}


HERE = 0xFFFFFF9C
READ, WRITE, NEW = os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT | os.O_EXCL


@pytest.mark.parametrize(
    ("call", "deed", "looked"),
    [
        (("openat", HERE, "f", READ), Deed.READ, set()),
        (("openat", HERE, "l/full/x", READ), Deed.READ, {"l"}),
        (("openat", HERE, "ll/x", READ), Deed.READ, {"l", "ll"}),
        (("openat", HERE, "gone", READ), Deed.READ, {"gone"}),
        (("openat", HERE, "f/x", READ), Deed.NONE, {"f"}),
        (("openat", HERE, "none/x", READ), Deed.READ, set()),
        (("openat", HERE, "l", os.O_DIRECTORY), Deed.LIST, {"l"}),
        (("openat", HERE, "f", WRITE), Deed.WRITE, set()),
        (("openat", HERE, "new", WRITE), Deed.WRITE, set()),
        (("openat", HERE, "d/new", WRITE), Deed.WRITE, set()),
        (("openat", HERE, "l/new", WRITE), Deed.WRITE, {"l"}),
        (("openat", HERE, "none/new", WRITE), Deed.NONE, {"none"}),
        (("openat", HERE, "f", NEW), Deed.NONE, {"f"}),
        (("mkdirat", HERE, "f"), Deed.NONE, {"f"}),
        (("mkdirat", HERE, "d/n"), Deed.CREATE, set()),
        (("unlinkat", HERE, "none", 0), Deed.NONE, {"none"}),
        (("unlinkat", HERE, "d", 0), Deed.NONE, {"d"}),
        (("unlinkat", HERE, "empty", 0x200), Deed.REMOVE, {"empty/"}),
        (("unlinkat", HERE, "d", 0x200), Deed.NONE, {"d", "d/"}),
        (("renameat2", HERE, "f", HERE, "d/f", 0), Deed.RENAME, set()),
        (("renameat2", HERE, "empty", HERE, "d", 0), Deed.NONE, {"empty", "d", "d/"}),
        (("renameat2", HERE, "f", HERE, "none/f", 0), Deed.NONE, {"f", "none"}),
        (("fchmodat", HERE, "none", 0o600), Deed.NONE, {"none"}),
        (("fchmodat", HERE, "l", 0o700), Deed.METADATA, {"l"}),
        (("linkat", HERE, "none", HERE, "g", 0), Deed.NONE, {"none", "g"}),
        (("linkat", HERE, "f", HERE, "d/f", 0), Deed.CREATE, set()),
        (("chdir", "l"), Deed.READ, {"l"}),
        (("newfstatat", HERE, "l", 0, 0x100), Deed.READ, set()),
        (("name_to_handle_at", HERE, "l", 0, 0, 0), Deed.READ, set()),
        (("name_to_handle_at", HERE, "l", 0, 0, 0x400), Deed.READ, {"l"}),
        (("inotify_add_watch", 3, "l"), Deed.READ, {"l"}),
        (("statfs", "l"), Deed.READ, {"l"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_what_is_looked_at(tree: Path, call: tuple[str, ...], deed: Deed, looked: set[str]) -> None:
    trap = trap_of(tree, *call)
    assert (trap.deed, shown(tree, trap.looked)) == (deed, looked)
    assert trap_of(tree, *call, reads=False).looked == ()


def test_links_outside_are_nobodys(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "l").symlink_to(tree / "l")
    trap = trap_of(tree, "openat", HERE, f"{outside}/l/full/x", READ)
    assert trap.path == os.fsencode(tree / "d" / "full" / "x")
    assert shown(tree, trap.looked) == {"l"}


def test_a_script_brings_the_programs_that_run_it(tree: Path) -> None:
    for name, line in (("one", "#! ./two -x"), ("two", "#!d/three"), ("d/three", "#!/bin/sh"), ("plain", "echo")):
        (tree / name).write_text(f"{line}\n")
        (tree / name).chmod(0o755)
    assert shown(tree, trap_of(tree, "execve", "one").looked) == {"two", "d/three"}
    assert trap_of(tree, "execve", "plain").looked == ()
    assert shown(tree, trap_of(tree, "openat", HERE, "one", READ).looked) == set()


def test_scripts_that_run_themselves_or_nothing_come_to_an_end(tree: Path) -> None:
    for name, line in (("self", "#!self"), ("none", "#!not/there"), ("bare", "#!"), ("folder", "#!d")):
        (tree / name).write_text(f"{line}\n")
    os.mkfifo(tree / "pipe")
    assert trap_of(tree, "execve", "self").looked == ()
    assert shown(tree, trap_of(tree, "execve", "none").looked) == {"not"}
    assert trap_of(tree, "execve", "bare").looked == ()
    assert shown(tree, trap_of(tree, "execve", "folder").looked) == {"d"}
    assert trap_of(tree, "execve", "pipe").looked == ()


def test_a_file_with_several_names_is_known_by_its_inode(tree: Path) -> None:
    assert trap_of(tree, "openat", HERE, "f", READ).inodes == ()
    os.link(tree / "f", tree / "g")
    info = os.stat(tree / "f")
    inode = b"%d:%d" % (info.st_dev, info.st_ino)
    for call in (
        ("openat", HERE, "f", READ),
        ("openat", HERE, "g", WRITE),
        ("unlinkat", HERE, "g", 0),
        ("newfstatat", HERE, "f", 0, 0),
        ("renameat2", HERE, "l", HERE, "g", 0),
    ):
        assert trap_of(tree, *call).inodes == (inode,), call
        assert trap_of(tree, *call, reads=False).inodes == (), call
    assert trap_of(tree, "openat", HERE, "d", os.O_DIRECTORY).inodes == ()


def test_a_bad_address_looks_at_nothing(tree: Path) -> None:
    trap_of(tree, "openat", HERE, "ll/x", READ)
    trap = trap_of(tree, "mkdirat", HERE, 8)
    assert (trap.error, trap.looked) == (errno.EFAULT, ())
