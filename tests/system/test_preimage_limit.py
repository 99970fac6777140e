"""Room for pre-images: never exceeded, waited for, and nothing is left hanging or half-done where there is none."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.config.model import Limits
from pytest_cbx.engine.protocol import CommandSpec, Finished
from pytest_cbx.errors import EngineLost
from pytest_cbx.tier import Tier
from tests.system.engines import ROOMY, Driver, OutsideDriver, kill_what_is_left, python, runtime_directory, tidy_tree
from tests.system.helpers import run_cbx, wait_for

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a guard")
MEGABYTE = 1 << 20
LIMIT = dataclasses.replace(ROOMY, limits=Limits(preimage_bytes=2 * MEGABYTE))
GUARDED: dict[str, Any] = {"tier": Tier.CONDITIONAL_PARALLEL, "isolation": "guard"}


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    with tidy_tree(tmp_path) as folder:
        yield folder


@pytest.fixture
def driver(tree: Path) -> Iterator[Driver]:
    made = OutsideDriver(tree, settings=LIMIT)
    yield made
    made.close()


def big(path: Path, megabytes: float) -> Path:
    """A file without holes."""
    path.write_bytes(os.urandom(4096) * int(megabytes * 256))
    return path


def writer(text: str) -> list[str]:
    """Python with `write(name)`, `tell(name)` and `meet(name)`; to meet is to wait, in vain where the other cannot come."""
    return python(
        "import os, sys, time\n"
        "def write(name, text=b'new'):\n"
        "    with open(name, 'r+b') as file: file.write(text)\n"
        "def tell(name): open('../' + name, 'w').close()\n"
        "def meet(name, patience=10):\n"
        "    until = time.monotonic() + patience\n"
        "    while not os.path.exists('../' + name) and time.monotonic() < until: time.sleep(0.005)\n" + text
    )


def test_more_than_there_is_fails_before_the_write(driver: Driver, tree: Path) -> None:
    small, large = tree / "small", big(tree / "large", 3)
    small.write_text("before")
    before = large.stat(), large.read_bytes()
    done = driver.run(writer("write('small'); write('large'); tell('survived')"), **GUARDED)
    assert (done.status, done.rolled_back) == ("failed", True)
    assert "limits.preimage_bytes" in done.reason
    assert str(3 * MEGABYTE) in done.reason
    assert str(2 * MEGABYTE - 6) in done.reason  # what is left beside the copy of `small`
    assert small.read_text() == "before"
    assert (large.stat().st_mtime_ns, large.read_bytes()) == (before[0].st_mtime_ns, before[1])
    assert not (tree.parent / "survived").exists()
    assert driver.run(writer("write('small')"), **GUARDED).status == "passed"


def test_what_is_removed_or_replaced_needs_no_room(driver: Driver, tree: Path) -> None:
    large, other = big(tree / "large", 3), big(tree / "other", 3)
    assert driver.run("rm large; printf new > new; mv new other; exit 0", **GUARDED).status == "passed"
    assert not large.exists()
    assert other.read_text() == "new"


@pytest.mark.parametrize("ends", ["pass", "sys.exit(3)", "os.kill(os.getpid(), 9)"])
def test_room_that_another_takes_is_waited_for(driver: Driver, tree: Path, ends: str) -> None:
    big(tree / "first", 1.5)
    big(tree / "second", 1)
    old = (tree / "first").read_bytes()
    holder = driver.start(
        writer(f"import sys; write('first'); tell('holds'); meet('waits'); time.sleep(0.2); {ends}"),
        rollback="on-failure",
        name="holder",
        **GUARDED,
    )
    wait_for((tree.parent / "holds").exists, "the first holds its room")
    waiter = driver.start(writer("write('second')"), name="waiter", **GUARDED)
    told = driver.wait_queued(waiter)
    assert "room for pre-images" in told.reason
    assert told.blockers == ["holder"]
    assert (tree / "second").read_bytes()[:3] != b"new"
    (tree.parent / "waits").touch()
    assert driver.wait(holder).rolled_back == (ends != "pass")
    done = driver.wait(waiter)
    assert (done.status, done.restarts) == ("passed", 0)
    assert (tree / "second").read_bytes().startswith(b"new")
    assert ((tree / "first").read_bytes() == old) == (ends != "pass")


def test_others_need_not_end_for_one_that_finds_room(driver: Driver, tree: Path) -> None:
    """Several hold room; the first of them that ends may be enough, whichever it is."""
    for name, size in (("a", 1.0), ("b", 0.5), ("c", 0.75)):
        big(tree / name, size)
    stays = driver.start(writer("write('a'); tell('a'); meet('end')"), **GUARDED)
    goes = driver.start(writer("write('b'); tell('b'); meet('go')"), **GUARDED)
    wait_for(lambda: (tree.parent / "a").exists() and (tree.parent / "b").exists(), "both hold room")
    waiter = driver.start(writer("write('c')"), **GUARDED)
    driver.wait_queued(waiter)
    (tree.parent / "go").touch()
    assert driver.wait(goes).status == "passed"
    assert driver.wait(waiter).status == "passed"
    (tree.parent / "end").touch()
    assert driver.wait(stays).status == "passed"


def ended(driver: Driver, *specs: CommandSpec) -> list[Finished]:
    found = [driver.wait(spec) for spec in specs]
    assert [one.status for one in found] == ["passed"] * len(specs), [one.reason for one in found]
    return found


def test_two_that_starve_each_other_both_end(driver: Driver, tree: Path) -> None:
    for name in ("a1", "b1", "a2", "b2"):
        big(tree / name, 0.8)
    first = driver.start(writer("write('a1'); tell('a'); meet('b', 3); write('a2')"), **GUARDED)
    second = driver.start(writer("write('b1'); tell('b'); meet('a', 3); write('b2')"), **GUARDED)
    found = ended(driver, first, second)
    assert sum(one.restarts for one in found) == 1
    assert all((tree / name).read_bytes().startswith(b"new") for name in ("a1", "b1", "a2", "b2"))


def test_three_that_starve_each_other_all_end(driver: Driver, tree: Path) -> None:
    for name in ("a1", "b1", "c1", "a2", "b2", "c2"):
        big(tree / name, 0.6)
    all_here = "[meet(one, 3) for one in 'abc']"
    specs = [
        driver.start(writer(f"write('{one}1'); tell('{one}'); {all_here}; write('{one}2')"), **GUARDED) for one in "abc"
    ]
    found = ended(driver, *specs)
    assert sum(one.restarts for one in found) >= 1
    assert all((tree / f"{one}{n}").read_bytes().startswith(b"new") for one in "abc" for n in (1, 2))


def test_one_starves_for_room_the_other_for_a_file(driver: Driver, tree: Path) -> None:
    """A circle of two kinds of waits."""
    big(tree / "a", 1.5)
    big(tree / "b", 1)
    (tree / "shared").write_text("old")
    first = driver.start(writer("write('a'); tell('a'); meet('b', 3); write('shared', b'one')"), **GUARDED)
    second = driver.start(writer("meet('a', 3); write('shared', b'two'); tell('b'); write('b')"), **GUARDED)
    found = ended(driver, first, second)
    assert sum(one.restarts for one in found) >= 1


def test_the_room_of_one_that_waits_for_its_turn_to_commit(driver: Driver, tree: Path) -> None:
    """It comes later in program order and so gives way, else both would wait for ever."""
    big(tree / "a", 1)
    big(tree / "b", 1.5)
    ordered = {"tier": Tier.CONDITIONAL_PARALLEL, "isolation": "serializable"}
    first = driver.spec(writer("meet('b'); time.sleep(0.3); write('a'); tell('a')"), **ordered)
    second = driver.spec(writer("write('b'); tell('b')"), **ordered)
    driver.submit(first, second)
    one, other = ended(driver, first, second)
    assert (one.restarts, other.restarts) == (0, 1)
    assert (tree / "a").read_bytes().startswith(b"new")
    assert (tree / "b").read_bytes().startswith(b"new")


def test_who_starves_can_be_cancelled_and_time_out(driver: Driver, tree: Path) -> None:
    for name in ("a", "b", "c"):
        big(tree / name, 1.5)
    holder = driver.start(writer("write('a'); tell('a'); meet('end')"), **GUARDED)
    wait_for((tree.parent / "a").exists, "the first holds its room")
    cancelled = driver.start(writer("write('b')"), **GUARDED)
    late = driver.start(writer("write('c')"), **{**GUARDED, "timeout": 0.5})
    driver.wait_queued(cancelled)
    driver.client.abandon([cancelled.id], "not wanted")
    assert driver.wait(cancelled).status == "cancelled"
    assert driver.wait(late).cause == "timeout"
    (tree.parent / "end").touch()
    assert driver.wait(holder).status == "passed"


def test_a_caller_that_starves_and_is_killed_is_forgotten(driver: Driver, tree: Path) -> None:
    """A process of the command, not all of it: the rest goes on."""
    for name in ("a", "b"):
        big(tree / name, 1.5)
    holder = driver.start(writer("write('a'); tell('a'); meet('end')"), **GUARDED)
    wait_for((tree.parent / "a").exists, "the first holds its room")
    text = "pid = os.fork()\nif not pid: write('b')\ntime.sleep(0.5); os.kill(pid, 9); os.waitpid(pid, 0)"
    done = driver.run(writer(text), **GUARDED)
    assert done.status == "passed"
    (tree.parent / "end").touch()
    assert driver.wait(holder).status == "passed"
    assert not (tree / "b").read_bytes().startswith(b"new")


def test_nested_ones_do_not_wait_for_their_own_family(driver: Driver, tree: Path) -> None:
    """Room comes free at the end of the outermost command only, so nobody inside of it waits for that."""
    for name in ("a", "b"):
        big(tree / name, 1.5)
    outer = driver.start("while ! test -e ../over; do sleep 0.01; done", **GUARDED)
    driver.wait_started(outer)
    inside = OutsideDriver(tree, settings=LIMIT, parent=f"{driver.client.welcome.token}.1")
    first = inside.start(writer("write('a'); tell('a'); meet('end')"), **GUARDED)
    wait_for((tree.parent / "a").exists, "the first holds its room")
    done = inside.run(writer("write('b')"), **GUARDED)
    assert "limits.preimage_bytes" in done.reason
    (tree.parent / "end").touch()
    assert inside.wait(first).status == "passed"
    (tree.parent / "over").touch()
    assert driver.wait(outer).status == "passed"
    inside.close()


# --- large files -----------------------------------------------------------------------------------------

SLOW = """
import errno, os, sys, time
from pytest_cbx.engine.__main__ import main
from pytest_cbx.transaction import keeping
before = keeping.copy
def copy(disk, source, target, clone, *, go_on=lambda: True):
    before(disk, source, target, clone, go_on=go_on)
    open("COPYING", "w").close()
    while not os.path.exists("GO"):
        if not go_on():
            raise OSError(errno.ECANCELED, "given up")
        time.sleep(0.005)
keeping.copy = copy
main(sys.argv[1])
"""


@pytest.fixture
def slow(tree: Path) -> Iterator[Driver]:
    """An engine whose copies last until `go` is there; `copying` tells that one is being made."""
    text = SLOW.replace("COPYING", str(tree.parent / "copying")).replace("GO", str(tree.parent / "go"))
    engine = subprocess.Popen([sys.executable, "-c", text, str(tree)])
    runtime = Path(os.environ["XDG_RUNTIME_DIR"])
    wait_for(lambda: bool(list(runtime.rglob("engine.sock"))), "the engine listens")
    made = OutsideDriver(tree)
    yield made
    made.close()
    assert engine.wait(timeout=10) in (0, -signal.SIGKILL)


def copying(slow: Driver, tree: Path) -> CommandSpec:
    """A command whose large file is being copied."""
    big(tree / "large", 9)
    spec = slow.start(writer("write('large'); tell('written')"), **GUARDED)
    wait_for((tree.parent / "copying").exists, "the file is being copied")
    return spec


def test_others_are_served_while_a_large_file_is_copied(slow: Driver, tree: Path) -> None:
    spec = copying(slow, tree)
    for number in range(3):
        assert slow.run(f"echo new > small-{number}", **GUARDED).status == "passed"
    assert not (tree.parent / "written").exists()
    (tree.parent / "go").touch()
    assert slow.wait(spec).status == "passed"
    assert (tree / "large").read_bytes().startswith(b"new")


def test_stopped_in_the_middle_of_a_copy(slow: Driver, tree: Path) -> None:
    spec = copying(slow, tree)
    old = (tree / "large").read_bytes()
    slow.client.abandon([spec.id], "not wanted")
    done = slow.wait(spec)
    assert (done.status, done.rollback_incomplete) == ("cancelled", [])
    assert (tree / "large").read_bytes() == old
    assert kept_files(tree) == []
    assert slow.run("echo new > small", **GUARDED).status == "passed"


def test_the_engine_ends_in_the_middle_of_a_copy(slow: Driver, tree: Path) -> None:
    copying(slow, tree)
    old = (tree / "large").read_bytes()
    slow.close()
    assert (tree / "large").read_bytes() == old
    assert kept_files(tree) == []


def test_the_engine_is_killed_in_the_middle_of_a_copy(slow: Driver, tree: Path) -> None:
    copying(slow, tree)
    old = (tree / "large").read_bytes()
    assert len(kept_files(tree)) == 1
    os.kill(slow.client.welcome.pid, signal.SIGKILL)
    with contextlib.suppress(EngineLost):
        slow.close()
    done = run_cbx(tree, "recover")
    assert done.returncode == 0, done.stderr
    assert (tree / "large").read_bytes() == old
    assert kept_files(tree) == []
    assert not (tree.parent / "written").exists()


def kept_files(tree: Path) -> list[Path]:
    """What lies in journals."""
    return [found for found in (tree.parent / "state").rglob("*") if found.is_file() and found.name.isdecimal()]


def test_a_large_file_is_kept_and_put_back(driver: Driver, tree: Path) -> None:
    driver.close()
    roomy = OutsideDriver(tree)
    old = big(tree / "large", 40).read_bytes()
    done = roomy.run(writer("write('large'); os.truncate('large', 10); 1 / 0"), rollback="on-failure", **GUARDED)
    assert done.rolled_back
    assert (tree / "large").read_bytes() == old
    roomy.close()


# --- a journal that is damaged ---------------------------------------------------------------------------


def test_a_journal_that_is_damaged_meanwhile_is_left_alone(driver: Driver, tree: Path) -> None:
    """Its command fails and says that it could not be undone; others go on."""
    (tree / "kept").write_text("before")
    spec = driver.start(writer("write('kept'); tell('written'); meet('end'); sys.exit(0)"), **GUARDED)
    wait_for((tree.parent / "written").exists, "it has written")
    (journal,) = (tree.parent / "state").rglob("journal")
    journal.write_bytes(journal.read_bytes()[:-9] + b"something")
    (tree.parent / "end").touch()
    done = driver.wait(spec)
    assert done.status == "failed"
    assert "what it changed cannot be told" in done.reason
    assert str(journal) in done.rollback_incomplete[0]
    assert driver.run(writer("write('kept', b'after!')"), **GUARDED).status == "passed"
    driver.close()
    shutil.rmtree(journal.parent.parent)


# --- a disk that is full ---------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A work tree on a file system of 2 MiB, with its journal on it."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", place], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("may not mount a file system")
    folder = place / "tree"
    folder.mkdir()
    try:
        with runtime_directory(), pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
            yield folder
            kill_what_is_left(folder)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


class FarDriver(Driver):
    """Its commands' output goes to another disk."""

    def output(self, number: int) -> Path:
        return self.workspace.parent.parent / f"out-{number}"


@pytest.fixture
def far(small_disk: Path) -> Iterator[Driver]:
    made = FarDriver(small_disk)
    yield made
    made.close()
    assert not (small_disk / ".cbx").exists()


def state_of(folder: Path) -> dict[str, bytes]:
    """Its files, without our own, which may be swept away at this very moment."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".cbx"]
        for path in (Path(place, name) for name in names):
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


WRITES = "for n in range(120):\n    with open(f'f{n}', 'r+b') as file: file.write(b'new')\n"
RENAMES = "for n in range(120): os.rename(f'f{n}', f'g{n}')\n"


def take_all_but(folder: Path, pages: int) -> str:
    """For a command: fill the disk, beside the work tree so that it is not undone, but for so many pages."""
    return (
        f"file = open({str(folder.parent / 'filler')!r}, 'wb', 0)\n"
        "try:\n    while True: file.write(bytes(4096))\nexcept OSError: pass\n"
        f"file.truncate(file.tell() // 4096 * 4096 - 4096 * {pages})\n"
    )


@pytest.mark.parametrize("pages", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("text", [WRITES, RENAMES], ids=["writes", "renames"])
def test_a_disk_that_becomes_full_fails_a_command_and_undoes_it(
    small_disk: Path, far: Driver, pages: int, text: str
) -> None:
    for number in range(120):
        (small_disk / f"f{number}").write_bytes(bytes([number]) * 400)
    before = state_of(small_disk)
    first = "with open('f0', 'r+b') as file: file.write(b'first')\n"
    done = far.run(writer(first + take_all_but(small_disk, pages) + text), timeout=20, **GUARDED)
    assert (done.status, done.rolled_back, done.rollback_incomplete) == ("failed", True, []), done.reason
    assert "No space left" in done.reason
    assert state_of(small_disk) == before
    os.unlink(small_disk.parent / "filler")
    assert far.run("echo new > f0", **GUARDED).status == "passed"


def test_a_disk_that_is_full_from_the_start_lets_nothing_be_written(small_disk: Path, far: Driver) -> None:
    (small_disk / "f").write_bytes(b"before")
    subprocess.run(python(take_all_but(small_disk, 0)), check=True)
    done = far.run(writer("write('f')"), **GUARDED)
    assert done.status == "failed"
    assert "No space left" in done.reason
    assert state_of(small_disk) == {"f": b"before"}
    os.unlink(small_disk.parent / "filler")
    assert far.run(writer("write('f', b'after!')"), **GUARDED).status == "passed"


def test_a_command_may_end_well_on_a_disk_that_it_filled(small_disk: Path, far: Driver) -> None:
    """What it changed before can be committed, to which a record in the journal belongs."""
    (small_disk / "f").write_bytes(b"before")
    done = far.run(writer("write('f', b'after!')\n" + take_all_but(small_disk, 0)), **GUARDED)
    assert done.status == "passed", done.reason
    assert state_of(small_disk) == {"f": b"after!"}
    os.unlink(small_disk.parent / "filler")


def test_a_command_that_fills_the_disk_with_its_own_files(small_disk: Path, far: Driver) -> None:
    for number in range(120):
        (small_disk / f"f{number}").write_bytes(bytes([number]) * 3000)
    before = state_of(small_disk)
    hog = "file = open('hog', 'wb', 0)\ntry:\n    while True: file.write(bytes(999))\nexcept OSError: pass\n"
    done = far.run(writer(hog + WRITES), timeout=20, **GUARDED)
    assert (done.status, done.rollback_incomplete) == ("failed", [])
    assert state_of(small_disk) == before
