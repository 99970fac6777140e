"""Real domains, each entered by a thread that ends with its test."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from pytest_cbx.execute.kernel import landlock
from pytest_cbx.execute.kernel.landlock import Domain, abi, enter
from tests.unit.execute.kernel.supervised import in_thread

T = TypeVar("T")

pytestmark = pytest.mark.skipif(not abi(), reason="this kernel has no Landlock")


def inside(domain: Domain, deed: Callable[[], T]) -> T:
    def run() -> T:
        enter(domain)
        return deed()

    return in_thread(run)


def error_of(deed: Callable[[], object]) -> int:
    try:
        deed()
    except OSError as error:
        return error.errno or -1
    return 0


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A folder that may be written, and one that may not; each with a file and a folder."""
    for name in ("open", "closed"):
        (tmp_path / name / "folder").mkdir(parents=True)
        (tmp_path / name / "file").write_text("old")
    return tmp_path / "open", tmp_path / "closed"


def bind_path(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


WRITES: dict[str, Callable[[Path], object]] = {
    "write": lambda folder: (folder / "file").write_text("new"),
    "append": lambda folder: (folder / "file").open("a").close(),
    "create": lambda folder: (folder / "made").touch(),
    "unlink": lambda folder: (folder / "file").unlink(),
    "rmdir": lambda folder: (folder / "folder").rmdir(),
    "mkdir": lambda folder: (folder / "made").mkdir(),
    "symlink": lambda folder: (folder / "made").symlink_to("file"),
    "fifo": lambda folder: os.mkfifo(folder / "made"),
    "socket": lambda folder: bind_path(folder / "made"),
    # A device without a number is what anyone may make (a whiteout).
    "device": lambda folder: os.mknod(folder / "made", stat.S_IFCHR, 0),
    "rename": lambda folder: (folder / "file").rename(folder / "made"),
    "link": lambda folder: os.link(folder / "file", folder / "made"),
}


@pytest.mark.parametrize("what", WRITES)
def test_writes(places: tuple[Path, Path], what: str) -> None:
    free, closed = places
    before = {path: path.read_bytes() if path.is_file() else b"" for path in closed.rglob("*")}

    def both() -> tuple[int, int]:
        return error_of(lambda: WRITES[what](free)), error_of(lambda: WRITES[what](closed))

    assert inside(Domain(writable=(os.fsencode(free),)), both) == (0, errno.EACCES)
    assert {path: path.read_bytes() if path.is_file() else b"" for path in closed.rglob("*")} == before


@pytest.mark.skipif(abi() < 3, reason="needs ABI 3")
def test_truncating_is_a_write(places: tuple[Path, Path]) -> None:
    closed = places[1] / "file"
    assert inside(Domain(writable=()), lambda: error_of(lambda: os.truncate(closed, 0))) == errno.EACCES
    assert closed.read_text() == "old"


@pytest.mark.skipif(abi() < 2, reason="needs ABI 2")
def test_renames_between_writable_folders(places: tuple[Path, Path]) -> None:
    free, closed = places

    def moves() -> tuple[int, int]:
        out = error_of(lambda: (free / "file").rename(closed / "moved"))
        return error_of(lambda: (free / "file").rename(free / "folder" / "moved")), out

    assert inside(Domain(writable=(os.fsencode(free),)), moves) == (0, errno.EACCES)


def test_reading_and_programs_stay_free(places: tuple[Path, Path]) -> None:
    closed = places[1]

    def look() -> tuple[str, list[str], str]:
        done = subprocess.run(["cat", str(closed / "file")], capture_output=True, text=True, check=True)
        return (closed / "file").read_text(), sorted(os.listdir(closed)), done.stdout

    assert inside(Domain(writable=()), look) == ("old", ["file", "folder"], "old")


def test_what_it_starts_is_inside_and_others_are_not(places: tuple[Path, Path]) -> None:
    closed = places[1]
    command = ["sh", "-c", f"echo new > {closed}/file"]
    done = inside(Domain(writable=()), lambda: subprocess.run(command, capture_output=True, check=False))
    assert done.returncode != 0
    assert (closed / "file").read_text() == "old"
    (closed / "file").write_text("mine")


def test_devices_can_be_written() -> None:
    def write() -> list[bytes]:
        return [
            device
            for device in landlock.DEVICES
            if os.path.exists(device) and not os.path.isdir(device) and device != b"/dev/tty"
            if error_of(lambda device=device: os.close(os.open(device, os.O_RDWR))) == errno.EACCES  # type: ignore[misc]
        ]

    assert b"/dev/null" in landlock.DEVICES
    assert inside(Domain(writable=()), write) == []


def test_a_single_file_can_be_writable(places: tuple[Path, Path]) -> None:
    closed = places[1]

    def write() -> tuple[int, int]:
        return error_of(lambda: (closed / "file").write_text("new")), error_of((closed / "made").touch)

    assert inside(Domain(writable=(os.fsencode(closed / "file"),)), write) == (0, errno.EACCES)


def test_a_writable_path_that_is_not_there(places: tuple[Path, Path]) -> None:
    missing = os.fsencode(places[0] / "missing")
    with pytest.raises(FileNotFoundError, match=r"Landlock rule for .*missing cannot be added"):
        inside(Domain(writable=(missing,)), lambda: None)


def test_a_domain_without_limits_is_none(places: tuple[Path, Path]) -> None:
    free = places[0]
    assert inside(Domain(), lambda: error_of(lambda: (free / "file").write_text("new"))) == 0


@pytest.mark.skipif(abi() < landlock.SCOPE_ABI, reason="needs ABI 6")
def test_signals_stay_inside(places: tuple[Path, Path]) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:

        def send() -> tuple[int, int, int]:
            outside = error_of(lambda: os.kill(other.pid, signal.SIGKILL))
            with subprocess.Popen(["sleep", "60"]) as own:
                own.kill()
            return outside, own.wait(), error_of(lambda: (places[1] / "file").write_text("new"))

        assert inside(Domain(scope_signals=True), send) == (errno.EPERM, -signal.SIGKILL, 0)
        assert other.poll() is None
        other.kill()


@pytest.mark.skipif(abi() < landlock.SCOPE_ABI, reason="needs ABI 6")
def test_abstract_sockets_stay_inside() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(b"\0" + os.urandom(12).hex().encode())
        server.listen()

        def connect() -> int:
            with socket.socket(socket.AF_UNIX) as client:
                return error_of(lambda: client.connect(server.getsockname()))

        assert inside(Domain(scope_abstract_unix=True), connect) == errno.EPERM
        assert connect() == 0


@pytest.mark.skipif(abi() < landlock.NETWORK_ABI, reason="needs ABI 4")
def test_ports() -> None:
    def bind(port: int) -> int:
        with socket.socket() as own:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return error_of(lambda: own.bind(("127.0.0.1", port)))

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        free = found.getsockname()[1]
    other = 1024 if free != 1024 else 1025
    assert inside(Domain(bind_ports=(free,)), lambda: (bind(free), bind(other))) == (0, errno.EACCES)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def connect() -> int:
            with socket.socket() as client:
                return error_of(lambda: client.connect(("127.0.0.1", port)))

        assert inside(Domain(connect_ports=(port,)), connect) == 0
        assert inside(Domain(connect_ports=()), connect) == errno.EACCES


@pytest.mark.parametrize(
    ("domain", "least"),
    [
        (Domain(writable=()), 1),
        (Domain(bind_ports=()), 4),
        (Domain(connect_ports=()), 4),
        (Domain(scope_signals=True), 6),
        (Domain(scope_abstract_unix=True), 6),
    ],
)
def test_limits_that_an_old_kernel_does_not_know(domain: Domain, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, never left out in silence."""
    monkeypatch.setattr(landlock, "abi", lambda: least - 1)
    with pytest.raises(OSError, match=f"need Landlock ABI {least}; this kernel has") as caught:
        inside(domain, lambda: None)
    assert caught.value.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize("version", range(1, 8))
def test_the_rights_of_older_versions_are_taken(
    places: tuple[Path, Path], version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version > abi():
        pytest.skip(f"needs ABI {version}")
    monkeypatch.setattr(landlock, "abi", lambda: version)
    domain = Domain(writable=(os.fsencode(places[0]),))
    assert inside(domain, lambda: error_of((places[1] / "made").touch)) == errno.EACCES


def test_entering_leaves_no_descriptor(places: tuple[Path, Path]) -> None:
    def count() -> int:
        before = len(os.listdir("/proc/self/fd"))
        enter(Domain(writable=(os.fsencode(places[0]),)))
        return len(os.listdir("/proc/self/fd")) - before

    assert in_thread(count) == 0


def test_who_is_apart_reaches_into_nobody_and_is_limited_in_nothing_else(places: tuple[Path, Path]) -> None:
    _, folder = places
    outside = subprocess.Popen(["sleep", "60"])
    try:

        def look() -> None:
            Path(f"/proc/{outside.pid}/mem").open("rb").close()

        def deed() -> tuple[int, int]:
            refused = error_of(look)
            (folder / "file").rename(folder / "folder" / "moved")
            os.link(folder / "folder" / "moved", folder / "linked")
            bind_path(folder / "socket")
            os.kill(outside.pid, 0)
            return refused, error_of((folder / "folder" / "moved").read_bytes)

        assert error_of(look) == 0
        assert inside(Domain(apart=True), deed) == (errno.EACCES, 0)
        assert inside(Domain(), lambda: error_of(look)) == 0
    finally:
        outside.kill()
        outside.wait()
