"""How engines come, serve several clients, and go: nothing is left, whoever is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import pytest_cbx
from pytest_cbx.engine.client import Client
from pytest_cbx.engine.protocol import JoinSpec, Observed
from pytest_cbx.errors import EngineLost, InternalError
from pytest_cbx.events import AnyEvent, CommandEnded, CommandStarted, CommandSubmitted, EngineStarted
from pytest_cbx.execute import processes
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.tier import Tier
from tests.system.engines import (
    ROOMY,
    Driver,
    S,
    alive,
    finish,
    in_a_process,
    kill_what_is_left,
    runtime_directory,
    sleeping,
    wait_until_dead,
)
from tests.system.helpers import wait_for

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
STUBBORN = "trap '' TERM INT HUP; touch started-$$; while :; do sleep 0.05; done"
LOCK = Claim(domain=Domain.LOCK, mode=Mode.WRITE, target="counter")


@pytest.fixture
def runtime() -> Iterator[Path]:
    with runtime_directory() as folder:
        yield folder


@pytest.fixture
def tree(runtime: Path, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tree"
    folder.mkdir()
    yield folder
    kill_what_is_left(folder)


@pytest.fixture
def drive(tree: Path) -> Iterator[Callable[..., Driver]]:
    """Makes clients of the tree's engine; they leave at the end, if not before."""
    made: list[Driver] = []

    def make(**options: Any) -> Driver:
        made.append(Driver(tree, **options))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


def drain(driver: Driver) -> None:
    """Read until the engine is gone, which raises."""
    while True:
        driver.client.receive(5)


def started(tree: Path) -> list[int]:
    return [int(path.name.removeprefix("started-")) for path in tree.glob("started-*")]


def client_that_runs(tree: Path, script: str = STUBBORN, before: str = "pass") -> subprocess.Popen[str]:
    text = (
        f"d = Driver(Path(sys.argv[1]), name='other'); s = d.start(sys.argv[2]); d.wait_started(s); {before}; d.wait(s)"
    )
    return in_a_process(text, tree, script)


def engines(tree: Path) -> list[int]:
    return [pid for pid in alive("pytest_cbx.engine") if str(tree) in Path(f"/proc/{pid}/cmdline").read_text()]


# --- coming and going ------------------------------------------------------------------------------------


def test_first_client_starts_it_and_last_one_ends_it(tree: Path, drive: Callable[..., Driver], runtime: Path) -> None:
    one = drive()
    two = drive()
    assert one.client.welcome == two.client.welcome
    one.close()
    assert two.run("true").status == "passed"
    pid = two.client.welcome.pid
    two.close()
    assert processes.stat_of(pid) is None, "the engine is gone and reaped when the last client's close returns"
    assert list(runtime.rglob("*")) == []


def test_eight_at_once_elect_one(tree: Path) -> None:
    text = (
        "while time.time() < float(sys.argv[2]): pass\n"
        "d = Driver(Path(sys.argv[1]), name=sys.argv[3]); print(d.client.welcome.pid, d.run('true').status)\n"
        "open(sys.argv[1] + '/in-' + sys.argv[3], 'w')\n"
        "while len(list(Path(sys.argv[1]).glob('in-*'))) < 8: time.sleep(0.01)\n"
        "d.close()"
    )
    at = time.time() + 1.5
    seen = finish(*[in_a_process(text, tree, at, n) for n in range(8)])
    assert len(set(seen)) == 1, seen
    assert seen[0].endswith("passed\n")
    assert engines(tree) == []


def test_coming_while_the_last_one_leaves(tree: Path) -> None:
    text = "for _ in range(8): d = Driver(Path(sys.argv[1])); assert d.run('true').status == 'passed'; d.close()"
    finish(*[in_a_process(text, tree) for _ in range(3)])
    assert engines(tree) == []


def test_leaving_stops_what_still_runs(tree: Path, drive: Callable[..., Driver]) -> None:
    driver = drive()
    spec = driver.start(f"sleep {S}51 & sleep {S}51")
    driver.wait_started(spec)
    driver.close()
    assert sleeping("51") == []


def test_an_engine_needs_nothing_of_its_clients_directory(
    tree: Path, drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "msgspec.py").write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tree)
    monkeypatch.setenv("PYTHONPATH", str(tree))
    driver = drive()
    assert driver.run("true").status == "passed"
    driver.close()


def test_the_engine_is_the_clients_own_version(tree: Path, tmp_path: Path) -> None:
    """Not the one that is installed where the interpreter looks by itself."""
    copy = tmp_path / "copy"
    shutil.copytree(Path(pytest_cbx.__file__).parent, copy / "pytest_cbx", ignore=shutil.ignore_patterns("__pycache__"))
    places = copy / "pytest_cbx" / "engine" / "dispatcher.py"
    places.write_text(places.read_text().replace("isolation=reached.level", 'isolation="of the copy"'))
    text = "d = Driver(Path(sys.argv[1])); print(d.client.welcome.isolation); d.close()"
    assert finish(in_a_process(text, tree, PYTHONPATH=str(copy))) == ["of the copy\n"]


def test_an_engine_that_cannot_start_says_why(tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no library today >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(EngineLost, match="no library today"):
        Client.connect(tree, name="x", settings=ROOMY)
    for path in (os.environ["XDG_RUNTIME_DIR"] + "/pytest-cbx",):
        subprocess.run(["rm", "-r", path], check=True)


# --- killing ---------------------------------------------------------------------------------------------


def test_sigkill_of_a_client_ends_its_instances_at_once(tree: Path, drive: Callable[..., Driver]) -> None:
    survivor = drive()
    mine = survivor.start("sleep 0.8")
    other = client_that_runs(tree)
    wait_for(lambda: len(started(tree)) == 1, "the other's command runs")
    other.kill()
    other.communicate()
    wait_until_dead(started(tree), 1.5)
    assert survivor.wait(mine).status == "passed"
    survivor.close()


def test_a_child_of_the_client_does_not_keep_its_instances_alive(tree: Path, drive: Callable[..., Driver]) -> None:
    survivor = drive()
    other = client_that_runs(tree, before=f"os.fork() or os.execvp('sleep', ['sleep', '{S}61'])")
    # The forked child holds a copy of the socket open when its parent is killed, unless it executes something else.
    held = client_that_runs(tree, before=f"os.fork() or (Path(sys.argv[1], 'held').touch(), time.sleep({S}62))")
    wait_for(lambda: len(started(tree)) == 2 and (tree / "held").exists() and bool(sleeping("61")), "all run")
    for process in (other, held):
        process.kill()
        process.wait()
    wait_until_dead(started(tree), 1.5)
    for process in (other, held):
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    survivor.close()


def test_sigkill_of_the_engine(tree: Path, drive: Callable[..., Driver]) -> None:
    driver = drive()
    driver.wait_started(driver.start(STUBBORN))
    driver.start(f"setsid env -i sleep {S}71 & wait")
    driver.start(f"sleep {S}72 & wait")
    wait_for(lambda: bool(started(tree)) and len(sleeping("71", "72")) == 2, "all run")
    os.kill(driver.client.welcome.pid, signal.SIGKILL)
    with pytest.raises(EngineLost, match="its commands were stopped"):
        drain(driver)
    assert sleeping("72") == []
    wait_until_dead(started(tree), 0)
    with pytest.raises(EngineLost):
        driver.client.receive(0)
    driver.close()
    # What has wiped its mark and left its session cannot be known any more; nobody claims otherwise.
    for pid in sleeping("71"):
        os.kill(pid, signal.SIGKILL)
    drive().close()


def test_sigkill_of_both_is_cleaned_by_the_next_start(tree: Path, drive: Callable[..., Driver]) -> None:
    other = client_that_runs(tree)
    wait_for(lambda: len(started(tree)) == 1, "the command runs")
    (engine,) = engines(tree)
    os.kill(other.pid, signal.SIGSTOP)
    os.kill(engine, signal.SIGKILL)
    other.kill()
    other.communicate()
    pids = started(tree)
    assert processes.stat_of(pids[0]) is not None, "without a client and an engine it lives on"
    drive().close()
    wait_until_dead(pids, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_engine_that_is_told_to_stop_says_so(
    tree: Path, drive: Callable[..., Driver], number: signal.Signals
) -> None:
    driver = drive()
    driver.wait_started(driver.start(STUBBORN))
    wait_for(lambda: bool(started(tree)), "it runs")
    os.kill(driver.client.welcome.pid, number)
    with pytest.raises(EngineLost, match=number.name):
        drain(driver)
    wait_until_dead(started(tree), 0)
    driver.close()
    wait_for(lambda: engines(tree) == [], "the engine has ended")


BROKEN = """
import sys
from pytest_cbx.engine.dispatcher import Dispatcher
from pytest_cbx.engine.__main__ import main
before = Dispatcher.advance
def advance(self):
    before(self)
    if self._attempts and self._attempts._running.get("SEQUENTIAL_REQUIRED"):
        raise ZeroDivisionError("made for the test")
Dispatcher.advance = advance
main(sys.argv[1])
"""


def test_a_bug_in_the_engine_is_called_one(tree: Path, drive: Callable[..., Driver], runtime: Path) -> None:
    engine = subprocess.Popen([sys.executable, "-c", BROKEN, str(tree)], stderr=subprocess.DEVNULL)
    wait_for(lambda: bool(list(runtime.rglob("engine.sock"))), "the engine listens")
    driver = drive()
    driver.wait_started(driver.start(STUBBORN))
    wait_for(lambda: bool(started(tree)), "it runs")
    driver.start("sleep 5", tier=Tier.SEQUENTIAL_REQUIRED)
    with pytest.raises(InternalError, match="please report it with") as caught:
        drain(driver)
    wait_until_dead(started(tree), 0)
    engine.wait(timeout=10)
    (log,) = runtime.rglob("internal-error-*.log")
    assert str(log) in str(caught.value)
    assert "made for the test" in log.read_text()
    log.unlink()
    log.parent.rmdir()
    log.parent.parent.rmdir()


def test_a_forked_process_cannot_use_its_parents_client(tree: Path) -> None:
    text = (
        "d = Driver(Path(sys.argv[1])); pid = os.fork()\n"
        "if not pid:\n"
        "    try: d.run('true')\n"
        "    except Exception as e: print(type(e).__name__, flush=True)\n"
        "    d.close(); os._exit(0)\n"
        "os.waitpid(pid, 0); print(d.run('true').status); d.close()"
    )
    assert finish(in_a_process(text, tree)) == ["EngineLost\npassed\n"]


def test_a_process_that_ends_without_leaving_leaves_nothing(tree: Path) -> None:
    text = f"d = Driver(Path(sys.argv[1])); s = d.start('sleep {S}81'); d.wait_started(s); print('ok')"
    assert finish(in_a_process(text, tree)) == ["ok\n"]
    assert sleeping("81") == []
    assert engines(tree) == []


# --- several clients ---------------------------------------------------------------------------------------


def test_two_clients_share_locks_and_caps(tree: Path, drive: Callable[..., Driver]) -> None:
    watcher = drive(name="watcher", subscribe=True)
    (tree / "counter").write_text("0\n")
    text = (
        "from pytest_cbx.plan.model import Claim, Domain, Mode; from pytest_cbx.tier import Tier\n"
        "d = Driver(Path(sys.argv[1])); c = Claim(domain=Domain.LOCK, mode=Mode.WRITE, target='counter')\n"
        "add = 'n=$(cat counter); sleep 0.01; echo $((n + 1)) > counter'\n"
        "specs = [d.spec(add, claims=[c]) for _ in range(10)]\n"
        "specs += [d.spec('sleep 0.05', tier=Tier.DANGEROUS_ISOLATED) for _ in range(4)]\n"
        "d.submit(*specs); assert all(d.wait(s).status == 'passed' for s in specs); d.close()"
    )
    finish(*[in_a_process(text, tree) for _ in range(2)])
    assert (tree / "counter").read_text() == "20\n"
    watcher.run("true")
    events = list(events_of(watcher))
    watcher.close()
    starts = [event for event in events if isinstance(event, CommandStarted)]
    assert len(starts) == 29
    assert max(event.running.get("DANGEROUS_ISOLATED", 0) for event in starts) <= 2
    assert len({event.client for event in starts}) == 3


def events_of(driver: Driver) -> Iterator[AnyEvent]:
    for message in driver.messages:
        if isinstance(message, Observed):
            yield msgspec.json.decode(message.event, type=AnyEvent)


def test_events_are_numbered_without_gaps(tree: Path, drive: Callable[..., Driver]) -> None:
    driver = drive(subscribe=True)
    specs = [driver.spec(f"exit {n % 3}", retries=1) for n in range(5)]
    join = JoinSpec(id=1000, name="all of them", after=[spec.id for spec in specs])
    last = driver.spec("true", after=[1000])
    driver.submit(*specs, join, last)
    driver.wait(last)
    events = list(events_of(driver))
    assert isinstance(events[0], EngineStarted)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert {event.engine for event in events} == {driver.client.welcome.token}
    assert sum(isinstance(event, CommandSubmitted) for event in events) == 6
    assert sum(isinstance(event, CommandStarted) for event in events) == sum(
        isinstance(event, CommandEnded) for event in events
    )
    late = drive(subscribe=True)
    late.run("true")
    numbers = [event.number for event in events_of(late)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[0] > events[-1].number
    late.close()
    driver.close()


def test_who_waits_is_told_for_whom(tree: Path, drive: Callable[..., Driver]) -> None:
    holder, waiter = drive(name="cbx run"), drive(name="pytest")
    held = holder.start("sleep 60", name="build", claims=[LOCK])
    holder.wait_started(held)
    spec = waiter.start("true", claims=[LOCK])
    told = waiter.wait_queued(spec)
    whom = f"build (cbx run, pid {os.getpid()})"
    assert told.reason == f"lock counter, held by {whom}"
    assert told.blockers == [whom]
    holder.client.abandon(None, "done with it")
    done = waiter.wait(spec)
    assert (done.status, done.waited_for) == ("passed", [whom])
    holder.close()
    waiter.close()


def test_the_lock_time_out_names_the_holder(tree: Path, drive: Callable[..., Driver]) -> None:
    holder, waiter = drive(name="cbx run"), drive(name="pytest")
    holder.wait_started(holder.start("sleep 60", name="build", claims=[LOCK]))
    done = waiter.run("true", claims=[LOCK], lock_timeout=0.2)
    assert (done.status, done.exit_code, done.attempts) == ("lock-timeout", None, 0)
    assert done.reason == f"waited 0.2 s for lock counter, held by build (cbx run, pid {os.getpid()})"
    holder.close()
    waiter.close()


def test_abandoned_commands_end(tree: Path, drive: Callable[..., Driver]) -> None:
    driver = drive()
    running, waiting = driver.start("sleep 60", claims=[LOCK]), driver.start("true", claims=[LOCK])
    driver.wait_started(running)
    driver.client.abandon([running.id, waiting.id, 999], "not needed")
    assert [driver.wait(spec).status for spec in (running, waiting)] == ["cancelled", "cancelled"]
    assert driver.wait(running).reason == "not needed"
    driver.close()


# --- a cbx inside a cbx --------------------------------------------------------------------------------------

NESTED = (
    "import os, sys; from pathlib import Path; from tests.system.engines import Driver\n"
    "from pytest_cbx.plan.model import Claim, Domain, Mode\n"
    "c = Claim(domain=Domain.LOCK, mode=Mode.WRITE, target='counter')\n"
    "d = Driver(Path(sys.argv[1]), name='inner', parent=os.environ['CBX_INSTANCE'])\n"
    "done = d.run(sys.argv[2], claims=[c]); print(d.client.welcome.pid, done.status); d.close()"
)


def test_a_nested_command_gets_along_with_the_one_around_it(tree: Path, drive: Callable[..., Driver]) -> None:
    driver = drive()
    where = os.fsencode(Path(__file__).parents[2])
    done = driver.run([sys.executable, "-c", NESTED, str(tree), "true"], cwd=where, claims=[LOCK])
    assert driver.text(done) == f"{driver.client.welcome.pid} passed\n"
    assert (done.status, done.leaks) == ("passed", [])
    driver.close()


def test_a_nested_command_ends_with_the_one_around_it(tree: Path, drive: Callable[..., Driver]) -> None:
    driver = drive()
    where = os.fsencode(Path(__file__).parents[2])
    spec = driver.start([sys.executable, "-c", NESTED, str(tree), STUBBORN], cwd=where, claims=[LOCK], grace=0.2)
    wait_for(lambda: len(started(tree)) == 1, "the nested command runs")
    driver.client.abandon([spec.id], "enough")
    assert driver.wait(spec).status == "cancelled"
    wait_until_dead(started(tree), 2)
    assert driver.run("true", claims=[LOCK]).status == "passed"
    driver.close()
