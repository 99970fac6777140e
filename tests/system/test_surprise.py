"""SAFE commands that turn out to change something, and those that only seem to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.client.api import Cbx
from pytest_cbx.client.runner import Runner
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.engine.protocol import Finished, Observed
from pytest_cbx.tier import Tier
from tests.system.engines import (
    ROOMY,
    Driver,
    OutsideDriver,
    S,
    sleeping,
    tidy_tree,
)
from tests.system.helpers import wait_for

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a guard")
SAFE: dict[str, Any] = {"tier": Tier.SAFE_PARALLEL, "isolation": "guard"}


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    with tidy_tree(tmp_path) as folder:
        yield folder


@pytest.fixture
def driver(tree: Path) -> Iterator[Driver]:
    made = OutsideDriver(tree, settings=ROOMY, subscribe=True)
    yield made
    made.close()


def events(driver: Driver, kind: str) -> list[str]:
    """What was told of one kind."""
    found = [one.event.decode() for one in driver.messages if isinstance(one, Observed)]
    return [event for event in found if f'"{kind}"' in event]


def assert_surprised(done: Finished, what: str) -> None:
    assert (done.status, done.restarts, done.attempts) == ("passed", 1, 1), done
    assert [what in surprise for surprise in done.surprises] == [True], done.surprises


# --- surprises -------------------------------------------------------------------------------------------


def test_it_starts_again_under_its_true_tier(driver: Driver, tree: Path) -> None:
    (tree / "kept").write_text("before\n")
    done = driver.run("echo said; cat kept; echo new >> kept; echo x > made; echo over", **SAFE)
    assert_surprised(done, "writes kept")
    assert (tree / "kept").read_text() == "before\nnew\n"
    assert driver.text(done) == "said\nbefore\nover\n"
    assert done.changes is not None
    assert (done.changes.created, done.changes.modified) == ([b"made"], [b"kept"])
    assert {one.path for one in done.observed} >= {b"kept", b"made"}
    assert len(events(driver, "CommandSurprised")) == len(events(driver, "CommandRestarted")) == 1
    assert len(events(driver, "CommandStarted")) == 2


DEEDS = {
    "make a file": ("> made", "made"),
    "make a directory": ("mkdir made", "made"),
    "remove": ("rm old", "old"),
    "rename": ("mv old made", "old"),
    "link": ("ln old made", "made"),
    "symlink": ("ln -s nowhere made", "made"),
    "fifo": ("mkfifo made", "made"),
    "chmod": ("chmod 700 old", "old"),
    "touch": ("touch -d yesterday old", "old"),
    "truncate": ("truncate -s 1 old", "old"),
    "socket": ("python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('made')\"", "made"),
}


@pytest.mark.parametrize(("text", "path"), DEEDS.values(), ids=DEEDS.keys())
def test_every_kind_of_change_is_stopped_before_it_happens(driver: Driver, tree: Path, text: str, path: str) -> None:
    """With a dry run, the tree shows what the first attempt did: nothing at all."""
    (tree / "old").write_text("old")
    before = (tree / "old").stat()
    done = driver.run(f"{text}", rollback="always", **SAFE)
    assert_surprised(done, path)
    after = (tree / "old").stat()
    assert os.listdir(tree) == ["old"]
    assert (after.st_mode, after.st_mtime_ns, after.st_size, after.st_ino) == (
        before.st_mode, before.st_mtime_ns, before.st_size, before.st_ino,
    )  # fmt: skip


def test_one_of_many_at_once(driver: Driver, tree: Path) -> None:
    quiet = [driver.start(f"sleep 0.3; echo {n}", **SAFE) for n in range(6)]
    loud = driver.start("sleep 0.1; echo x > made", **SAFE)
    more = [driver.start(f"sleep 0.1; echo {n}", **SAFE) for n in range(20)]
    assert_surprised(driver.wait(loud), "made")
    for spec in (*quiet, *more):
        done = driver.wait(spec)
        assert (done.status, done.restarts, done.surprises) == ("passed", 0, [])
    assert (tree / "made").read_text() == "x\n"


def test_all_of_many_at_once(driver: Driver, tree: Path) -> None:
    specs = [driver.start(f"echo said; echo {n} >> log; echo {n} > made-{n}", **SAFE) for n in range(12)]
    for spec in specs:
        assert driver.wait(spec).status == "passed"
        assert driver.text_of(spec) == "said\n"
    assert sorted((tree / "log").read_text().split(), key=int) == [str(n) for n in range(12)]


def test_by_a_child_after_its_leader_has_ended(driver: Driver, tree: Path) -> None:
    done = driver.run("(sleep 0.1; echo x > made) & exit 0", **SAFE)
    assert_surprised(done, "made")
    assert (tree / "made").read_text() == "x\n"


HIDDEN = "import os,time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\ntime.sleep(0.1); open('made', 'w').write('x')"


@pytest.mark.parametrize("before", ["", "env -i "], ids=["marked", "without environment"])
def test_by_one_that_forked_away(driver: Driver, tree: Path, before: str) -> None:
    done = driver.run(f'{before}{sys.executable} -S -c "{HIDDEN}"; sleep 0.4', **SAFE)
    assert_surprised(done, "made")
    assert (tree / "made").read_text() == "x"


def test_one_that_forked_away_and_cannot_be_told_whose_it_is(driver: Driver, tree: Path) -> None:
    """Then it is refused, and nobody hangs."""
    other = driver.start("sleep 1", **SAFE)
    driver.wait_started(other)
    done = driver.run(f'env -i {sys.executable} -S -c "{HIDDEN}"; sleep 0.4', **SAFE)
    assert done.status == "passed"
    assert (tree / "made").exists() == bool(done.restarts)
    assert driver.wait(other).surprises == []


# --- none ------------------------------------------------------------------------------------------------

QUIET = {
    "nothing": "true",
    "mktemp": 'file=$(mktemp); echo x > "$file"; cat "$file"; rm "$file"',
    "mktemp -d": 'folder=$(mktemp -d); mkdir -p "$folder/a/b"; mv "$folder/a" "$folder/c"; rm -r "$folder"',
    "sort": "seq 200000 | sort -S 64k -r | head -n1 | cat",
    "tempfile": "python3 -c \"import tempfile; f = tempfile.TemporaryFile(); f.write(b'x'); "
    'd = tempfile.mkdtemp(); n = tempfile.NamedTemporaryFile(); print(n.name)"',
    "compile": "echo 'int main(void) { return 0; }' | gcc -x c -c - -o /dev/null",
    "link": "echo 'int main(void) { return 0; }' > $TMPDIR/a.c; gcc $TMPDIR/a.c -o $TMPDIR/a; $TMPDIR/a",
    "devices": "echo x > /dev/null; echo x 2> /dev/null; : < /dev/tty || true; echo x | tee /dev/null >&2",
    "metadata": "touch $TMPDIR/a; chmod 600 $TMPDIR/a; touch -d yesterday $TMPDIR/a; chown $(id -u) $TMPDIR/a; ln -s a $TMPDIR/b",
    "socket": 'python3 -c "import os, socket; '
    "s = socket.socket(socket.AF_UNIX); s.bind(os.environ['TMPDIR'] + '/s'); os.chmod(os.environ['TMPDIR'] + '/s', 0o600)\"",
    "here document": "cat <<< text",
    "process substitution": "cat <(echo x)",
    "what fails anyway": "rm -f nothing; rmdir nothing 2>/dev/null || mkdir . 2>/dev/null || true",
    "open to read and write what is not": 'python3 -c "import os, contextlib\n'
    "with contextlib.suppress(OSError): os.open('nothing/x', os.O_RDWR | os.O_CREAT)\"",
    "signals": "sleep 60 & kill $!; wait $! || true",
}  # fmt: skip


@pytest.mark.parametrize("text", QUIET.values(), ids=QUIET.keys())
def test_no_surprise(driver: Driver, tree: Path, text: str) -> None:
    (tree / "old").write_text("old")
    done = driver.run(text, **SAFE)
    assert (done.status, done.restarts, done.surprises, done.refused) == ("passed", 0, [], []), driver.text(done)
    assert os.listdir(tree) == ["old"]


# --- its end ---------------------------------------------------------------------------------------------

WRITES_AT_THE_END = "trap 'echo x > made; exit 0' TERM; sleep 60 & wait"


def test_a_time_out_stays_one(driver: Driver, tree: Path) -> None:
    """What it tries while it is being stopped is refused, and no reason to start it again."""
    done = driver.run(WRITES_AT_THE_END, timeout=0.3, **SAFE)
    assert (done.status, done.cause, done.restarts) == ("failed", "timeout", 0)
    assert os.listdir(tree) == []


def test_cancelled(driver: Driver, tree: Path) -> None:
    spec = driver.start(f"echo started; {WRITES_AT_THE_END}", **SAFE)
    wait_for(lambda: "started" in driver.text_of(spec) if driver.output(spec.id).exists() else False, "it runs")
    driver.client.abandon([spec.id], "not wanted")
    done = driver.wait(spec)
    assert (done.status, done.reason, done.restarts) == ("cancelled", "not wanted", 0)
    assert os.listdir(tree) == []


def test_cancelled_while_it_waits_to_start_again(driver: Driver, tree: Path) -> None:
    text = f"echo x > made; echo > ../holds; sleep {S}91"
    holder = driver.start(text, tier=Tier.CONDITIONAL_PARALLEL, isolation="guard", grace=0.1)
    wait_for((tree.parent / "holds").exists, "the other holds the file")
    spec = driver.start("echo y > made", **SAFE)
    driver.wait_queued(spec)
    driver.client.abandon([spec.id], "not wanted")
    done = driver.wait(spec)
    assert (done.status, done.reason) == ("cancelled", "not wanted")
    assert (tree / "made").read_text() == "x\n"
    driver.client.abandon([holder.id], "not wanted")
    driver.wait(holder)
    assert os.listdir(tree) == []
    assert sleeping("91") == []


def test_retries_count_attempts_and_not_the_surprise(driver: Driver, tree: Path) -> None:
    done = driver.run("echo x >> log; exit 1", retries=2, **SAFE)
    assert (done.status, done.attempts, done.restarts, len(done.surprises)) == ("failed", 3, 1, 1)
    assert (tree / "log").read_text() == "x\n" * 3


def test_a_surprise_that_fails_in_the_end(driver: Driver, tree: Path) -> None:
    done = driver.run("echo x > made; exit 3", rollback="on-failure", **SAFE)
    assert (done.status, done.exit_code, done.rolled_back, done.restarts) == ("failed", 3, True, 1)
    assert os.listdir(tree) == []


def test_a_nested_command_writes_inside_of_one_that_must_not(driver: Driver, tree: Path) -> None:
    """What is nested is part of it: it is a surprise of the outer one."""
    outer = driver.start("echo began >&2; while ! test -e ../end; do sleep 0.01; done", **SAFE)
    driver.wait_started(outer)
    inside = OutsideDriver(tree, parent=f"{driver.client.welcome.token}.{outer.id}")
    inner = inside.start("echo x > made", tier=Tier.CONDITIONAL_PARALLEL, isolation="guard")
    assert "which it was nested in, has ended" in inside.wait(inner).reason
    inside.close()
    (tree.parent / "end").touch()
    done = driver.wait(outer)
    assert_surprised(done, "nested in it, writes made")
    assert os.listdir(tree) == []


# --- through the front door ------------------------------------------------------------------------------


def test_what_was_learned_is_known_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / "tool.py").write_text("import sys; open('ma' + 'de', 'a').write(sys.argv[1])\n")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    command = CommandConfig(name="tool", run="python3 -S tool.py x", line=0, tier=Tier.SAFE_PARALLEL, trust=True)
    found = []
    for _ in range(2):
        with Runner(project, Settings(), name="test") as runner:
            cbx = Cbx(project, root=project, settings=Settings(), connect=lambda: runner)
            found += cbx.run_all([command])
    first, second = found
    assert (first.ok, first.restarts, second.ok) == (True, 1, True)
    assert first.surprises == ("writes made, which its text does not tell",)
    assert "surprise: writes made" in str(first)
    assert (project / "made").read_text() == "xx"
