"""`cbx.transaction()` beside commands of the same work tree: who waits for whom, and what is left when somebody is killed."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.engine.protocol import Finished, FromEngine, Granted, HoldSpec, Lost, Started
from pytest_cbx.execute.ladder import probe
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.tier import Tier
from tests.inodes import portrait
from tests.system.engines import ROOMY, Driver, finish, in_a_process, kill_what_is_left, python, runtime_directory
from tests.system.helpers import wait_for

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
guarded = pytest.mark.skipif(probe().level == "off", reason=f"no guard here: {probe().reason}")
ONE = dataclasses.replace(ROOMY, jobs=1)
GUARD: dict[str, Any] = {"isolation": "guard", "tier": Tier.CONDITIONAL_PARALLEL}

# For `in_a_process`: a `cbx` as tests have it, bound to the tree that the first argument names.
CBX = """
import signal
from pytest_cbx.client.api import Cbx
from pytest_cbx.execute import processes
from pytest_cbx.client.runner import Runner
from pytest_cbx.config.model import Settings
from pytest_cbx.errors import TransactionConflict
tree = Path(sys.argv[1])
meeting = tree.parent
runner = Runner(tree, Settings(jobs=8, learn=False), name="test")
cbx = Cbx(tree, root=tree, settings=runner.settings, connect=lambda: runner)
def tell(what):
    (meeting / what).touch()
def wait_for(what):
    until = time.monotonic() + 20
    while not (meeting / what).exists():
        assert time.monotonic() < until, what
        time.sleep(0.002)
"""


def write(path: str) -> Claim:
    return Claim(domain=Domain.FILE, mode=Mode.WRITE, target=path)


def read(path: str) -> Claim:
    return Claim(domain=Domain.FILE, mode=Mode.READ, target=path)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A work tree whose journals and engine are private; beside it the files by which processes tell each other things."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "tree"
    folder.mkdir()
    with runtime_directory():
        yield folder
        kill_what_is_left(folder)
    left = [path for path in (tmp_path / "state").rglob("*") if not path.is_dir()]
    assert not left, f"journals are left: {left}"


@pytest.fixture
def drive(tree: Path) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(**options: Any) -> Client:
        made.append(Client(tree, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


class Client(Driver):
    """One that holds, too. Output goes beside the tree, so that it is no part of what is held."""

    def output(self, number: int) -> Path:
        return self.workspace.parent / f"out-{id(self)}-{number}"

    def hold(self, *claims: Claim, **fields: Any) -> HoldSpec:
        number, self._next = self._next, self._next + 1
        spec = HoldSpec(id=number, name=f"h{number}", claims=list(claims), **fields)
        self.submit(spec)
        return spec

    def reach(self, hold: HoldSpec, number: int, *claims: Claim) -> None:
        self.client.reach(hold.id, number, claims)

    def release(self, hold: HoldSpec, *, committed: bool = True) -> None:
        self.client.release(hold.id, committed=committed)

    def wait_held(self, hold: HoldSpec) -> Started:
        return self._wait(Started, hold.id)

    def wait_granted(self, hold: HoldSpec, number: int) -> Granted:
        found: list[FromEngine] = []

        def came() -> bool:
            self.messages += self.client.receive(0.02)
            found[:] = [m for m in self.messages if isinstance(m, Granted) and (m.id, m.number) == (hold.id, number)]
            return bool(found)

        wait_for(came, f"{hold.name} is granted {number}")
        assert isinstance(found[0], Granted)
        return found[0]

    def wait_lost(self, hold: HoldSpec) -> Lost:
        return self._wait(Lost, hold.id)

    def heard(self, kind: type[FromEngine], number: int) -> bool:
        """Whether such a message has come."""
        self.messages += self.client.receive(0.05)
        return any(isinstance(message, kind) and getattr(message, "id", 0) == number for message in self.messages)


class TestTurns:
    def test_a_command_waits_for_what_is_held(self, drive: Callable[..., Client], tree: Path) -> None:
        holder, other = drive(name="pytest"), drive()
        hold = holder.hold(write("a"))
        assert holder.wait_held(hold).pid == 0
        command = other.start("cat a", claims=[read("a")])
        queued = other.wait_queued(command)
        assert queued.reason == f"a, held by h1 (pytest, pid {os.getpid()})"
        (tree / "a").write_text("done")
        holder.release(hold)
        assert other.text(other.wait(command)) == "done"
        assert holder.wait(hold).status == "passed"

    def test_a_hold_waits_for_a_command(self, drive: Callable[..., Client], tree: Path) -> None:
        holder, other = drive(), drive()
        command = other.start("until [ -e go ]; do sleep 0.01; done; echo done > a", claims=[write("a")])
        other.wait_started(command)
        hold = holder.hold(read("a"))
        assert holder.wait_queued(hold).reason.startswith("a, held by c1")
        assert not holder.heard(Started, hold.id)
        (tree / "go").touch()
        holder.wait_held(hold)
        assert (tree / "a").read_text() == "done\n"
        holder.release(hold)

    def test_holds_take_no_seat(self, drive: Callable[..., Client]) -> None:
        holder = drive(settings=ONE)
        holds = [holder.hold(write(f"f{number}")) for number in range(5)]
        for hold in holds:
            holder.wait_held(hold)
        assert holder.run("true").status == "passed"
        for hold in reversed(holds):
            holder.release(hold)

    def test_a_command_of_its_own_does_not_wait_for_what_it_holds(self, drive: Callable[..., Client]) -> None:
        holder = drive()
        hold = holder.hold(write("a"))
        holder.wait_held(hold)
        assert holder.run("echo text > a", claims=[write("a")]).status == "passed"
        holder.release(hold)

    @guarded
    def test_a_trapped_write_waits_for_what_is_held(self, drive: Callable[..., Client], tree: Path) -> None:
        holder, other = drive(), drive()
        command = other.start("until [ -e ../go ]; do sleep 0.01; done; echo command >> a", **GUARD)
        other.wait_started(command)
        hold = holder.hold()
        holder.wait_held(hold)
        holder.reach(hold, 1, write("a"))
        holder.wait_granted(hold, 1)
        (tree.parent / "go").touch()
        assert other.wait_queued(command).reason.startswith("a, held by h1")
        assert not (tree / "a").exists()
        (tree / "a").write_text("hold\n")
        holder.release(hold)
        done = other.wait(command)
        assert (done.status, done.restarts) == ("passed", 1), "it may have read what was there before"
        assert (tree / "a").read_text() == "hold\ncommand\n"

    @guarded
    def test_a_reach_waits_for_a_trapped_write(self, drive: Callable[..., Client], tree: Path) -> None:
        holder, other = drive(), drive()
        hold = holder.hold()
        holder.wait_held(hold)
        command = other.start("echo 1 > a; until [ -e ../go ]; do sleep 0.01; done; echo 2 >> a", **GUARD)
        wait_for((tree / "a").exists, "the command has written")
        holder.reach(hold, 1, read("a"))
        assert holder.wait_queued(hold).reason.startswith("a, held by c1")
        (tree.parent / "go").touch()
        holder.wait_granted(hold, 1)
        assert (tree / "a").read_text() == "1\n2\n"
        holder.release(hold)
        assert other.wait(command).restarts == 0

    @guarded
    def test_a_serializable_command_does_not_look_into_the_middle(
        self, drive: Callable[..., Client], tree: Path
    ) -> None:
        for name in "xy":
            (tree / name).write_text("0")
        holder, other = drive(), drive()
        hold = holder.hold(write("x"))
        holder.wait_held(hold)
        (tree / "x").write_text("1")
        look = python("print(*(open(name).read() for name in 'yx'))")
        command = other.start(look, isolation="serializable", tier=Tier.CONDITIONAL_PARALLEL)
        assert other.wait_queued(command).reason.startswith("x, held by h1")
        holder.reach(hold, 1, write("y"))
        holder.wait_granted(hold, 1)
        (tree / "y").write_text("1")
        holder.release(hold)
        done = other.wait(command)
        assert (other.text(done), done.restarts) == ("1 1\n", 1), "it had read y before"

    def test_whoever_has_waited_too_long_is_told(self, drive: Callable[..., Client]) -> None:
        holder, other = drive(), drive()
        first = holder.hold(write("a"))
        holder.wait_held(first)
        never = other.hold(write("a"), lock_timeout=0.0)
        assert other.wait(never).status == "lock-timeout"
        hold = other.hold(write("b"), lock_timeout=0.0)
        other.wait_held(hold)
        other.reach(hold, 1, write("a"))
        assert other.wait_lost(hold).reason == "waited 0 s for a, held by h1"
        assert not other.heard(Finished, hold.id), "it is over when its client has undone what it did"
        other.release(hold, committed=False)
        assert other.wait(hold).status == "lock-timeout"
        holder.release(first)


@guarded
class TestCircles:
    def test_the_younger_hold_gives_way_to_a_command(self, drive: Callable[..., Client], tree: Path) -> None:
        holder, other = drive(), drive()
        command = other.start("echo c > b; until [ -e ../go ]; do sleep 0.01; done; echo c > a", **GUARD)
        other.wait_started(command)
        hold = holder.hold(write("a"))
        holder.wait_held(hold)
        wait_for((tree / "b").exists, "the command has written")
        holder.reach(hold, 1, write("b"))
        holder.wait_queued(hold)
        (tree.parent / "go").touch()
        assert "waited for one another" in holder.wait_lost(hold).reason
        holder.release(hold, committed=False)
        assert other.wait(command).status == "passed"
        assert holder.wait(hold).status == "failed"

    def test_the_younger_command_gives_way_to_a_hold(self, drive: Callable[..., Client], tree: Path) -> None:
        holder, other = drive(), drive()
        hold = holder.hold(write("a"))
        holder.wait_held(hold)
        command = other.start("echo c > b; until [ -e ../go ]; do sleep 0.01; done; echo c > a", **GUARD)
        wait_for((tree / "b").exists, "the command has written")
        (tree.parent / "go").touch()
        other.wait_queued(command)
        holder.reach(hold, 1, write("b"))
        holder.wait_granted(hold, 1)
        assert not (tree / "b").exists(), "the command was rolled back"
        holder.release(hold)
        done = other.wait(command)
        assert (done.status, done.restarts) == ("passed", 1)
        assert (tree / "a").read_text() == (tree / "b").read_text() == "c\n"


INCREMENT = "for i in $(seq 100); do n=$(cat counter); echo $((n + 1)) > counter; done"
WRITER = """
for _ in range(100):
    with cbx.transaction() as tx:
        tx.modify("counter", lambda text: f"{int(text) + 1}\\n")
runner.close()
"""


@guarded
def test_no_update_is_lost_between_transactions_and_commands(drive: Callable[..., Client], tree: Path) -> None:
    (tree / "counter").write_text("0\n")
    writers = [in_a_process(CBX + WRITER, tree) for _ in range(4)]
    driver = drive()
    commands = [driver.start(INCREMENT, **GUARD) for _ in range(4)]
    assert [driver.wait(command).status for command in commands] == ["passed"] * 4
    finish(*writers)
    assert (tree / "counter").read_text() == "800\n"


TRANSFERS = """
import random
chance = random.Random(int(sys.argv[2]))
def transfer(tx):
    one, other = chance.sample("abc", 2)
    amount = chance.randint(1, 5)
    tx.modify(one, lambda text: str(int(text) - amount))
    tx.modify(other, lambda text: str(int(text) + amount))
def audit(tx):
    amounts = [int(tx.read(name)) for name in chance.sample("abc", 3)]
    assert sum(amounts) == 300, amounts
for _ in range(int(sys.argv[3])):
    for task in (transfer, audit):
        try:
            cbx.transact(task)
        except TransactionConflict:
            pass
runner.close()
"""
# What it writes nobody can tell before. One in three fails, and is undone.
TRANSFER = """
import os, random, sys, time
chance = random.Random(int(sys.argv[1]))
one, other = chance.sample("abc", 2)
for name, amount in ((one, -7), (other, 7)):
    with open(name) as file:
        number = int(file.read())
    time.sleep(0.01)
    with open(name, "w") as file:
        file.write(str(number + amount))
sys.exit(int(sys.argv[1]) % 3 == 0)
"""


@guarded
def test_money_is_neither_made_nor_lost_whoever_is_killed(drive: Callable[..., Client], tree: Path) -> None:
    for name in "abc":
        (tree / name).write_text("100")
    driver = drive()
    steady = [in_a_process(CBX + TRANSFERS, tree, seed, 15) for seed in range(2)]
    killed = [in_a_process(CBX + TRANSFERS, tree, seed, 100_000) for seed in range(10, 13)]
    done = []
    for number in range(18):
        script = ["python3", "-S", "-c", TRANSFER, str(number)]
        done.append(driver.run(script, rollback="on-failure", **GUARD))
        if number % 6 == 5:
            killed[number // 6].kill()
    assert [one.exit_code for one in done] == [int(number % 3 == 0) for number in range(18)]
    finish(*steady)
    assert [one.wait() for one in killed] == [-signal.SIGKILL] * 3
    seen = driver.text(driver.run("cat a; echo; cat b; echo; cat c", claims=[read("a"), read("b"), read("c")]))
    assert sum(map(int, seen.split())) == 300


BOTH = """
for number in range(40):
    with cbx.transaction() as tx:
        tx.write("x", f"tx {number}")
        time.sleep(0.002)
        tx.write("y", f"tx {number}")
    with cbx.transaction() as tx:
        assert tx.read("x") == tx.read("y"), "half of a command's changes"
runner.close()
"""


@guarded
def test_nobody_sees_half_of_what_the_other_changes(drive: Callable[..., Client], tree: Path) -> None:
    for name in "xy":
        (tree / name).write_text("0")
    process = in_a_process(CBX + BOTH, tree)
    driver = drive()
    changing = "for i in 1 2 3; do echo -n $$.$i > x; sleep 0.002; echo -n $$.$i > y; done"
    for _ in range(8):
        assert driver.run(changing, **GUARD).status == "passed"
        seen = driver.text(driver.run("cat x; echo; cat y", claims=[read("x"), read("y")])).split("\n")
        assert seen[0] == seen[1]
    finish(process)


DIES = """
tx = cbx.transaction().__enter__()
tx.write("a", "half")
tx.delete("b")
tx.mkdir("folder")
tx.write("folder/new", "text")
tell("half")
wait_for("die")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_transaction_is_undone_before_anybody_else_goes_on(drive: Callable[..., Client], tree: Path) -> None:
    (tree / "a").write_text("whole")
    (tree / "b").write_text("there")
    before = portrait([tree])
    driver = drive()
    process = in_a_process(CBX + DIES, tree)
    wait_for((tree.parent / "half").exists, "half of it is done")
    assert (tree / "a").read_text() == "half"
    command = driver.start("cat a b; ls", claims=[read("a"), read("b")])
    driver.wait_queued(command)
    (tree.parent / "die").touch()
    assert driver.text(driver.wait(command)) == "wholetherea\nb\n"
    assert process.wait() == -signal.SIGKILL
    assert portrait([tree]) == before


IDLE = """
tx = cbx.transaction().__enter__()
tell("idle")
wait_for("die")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_journal_that_was_not_used_yet_is_removed(drive: Callable[..., Client], tree: Path) -> None:
    driver = drive()
    process = in_a_process(CBX + IDLE, tree)
    wait_for((tree.parent / "idle").exists, "it has begun")
    journals = [path for path in (tree.parent / "state").rglob("*") if path.is_file()]
    assert journals
    (tree.parent / "die").touch()
    process.wait()
    wait_for(lambda: not any(path.exists() for path in journals), "the living engine has removed it")
    assert driver.run("true").status == "passed"


FORKS = """
tx = cbx.transaction().__enter__()
tx.write("a", "half")
(lock,) = [fd for fd in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{fd}").endswith("/owner.lock")]
os.dup(int(lock))
tell("half")
if os.fork():
    wait_for("die")
    os.kill(os.getpid(), signal.SIGKILL)
wait_for("free")
os._exit(0)
"""


def test_a_child_that_has_the_journal_s_lock_is_waited_for(drive: Callable[..., Client], tree: Path) -> None:
    (tree / "a").write_text("whole")
    driver = drive()
    process = in_a_process(CBX + FORKS, tree)
    wait_for((tree.parent / "half").exists, "half of it is done")
    command = driver.start("cat a", claims=[read("a")])
    driver.wait_queued(command)
    (tree.parent / "die").touch()
    assert process.wait() == -signal.SIGKILL
    assert not driver.heard(Started, command.id), "nobody knows whether the child still writes"
    (tree.parent / "free").touch()
    assert driver.text(driver.wait(command)) == "whole"


def test_the_engine_ends_with_a_killed_client_and_leaves_nothing(tree: Path) -> None:
    (tree / "a").write_text("whole")
    (tree.parent / "die").touch()
    process = in_a_process(CBX + DIES.replace('tx.delete("b")', ""), tree)
    assert process.wait() == -signal.SIGKILL
    runtime = Path(os.environ["XDG_RUNTIME_DIR"])
    wait_for(lambda: not list(runtime.iterdir()), "the engine has ended")
    assert (tree / "a").read_text() == "whole"
    assert sorted(path.name for path in tree.iterdir()) == ["a"]


LOSES_ITS_ENGINE = """
try:
    with cbx.transaction() as tx:
        tx.write("a", "half")
        os.kill(runner.welcome.pid, signal.SIGKILL)
        while runner.welcome.pid in {stat.pid for stat in processes.all_processes() if stat.state not in "ZX"}:
            time.sleep(0.002)
except Exception as error:
    print(type(error).__name__)
"""


def test_without_its_engine_a_transaction_is_not_committed(drive: Callable[..., Client], tree: Path) -> None:
    (tree / "a").write_text("whole")
    assert finish(in_a_process(CBX + LOSES_ITS_ENGINE, tree)) == ["EngineLost\n"]
    assert (tree / "a").read_text() == "whole"
    drive()  # the next engine clears up after the killed one


GIVES_WAY = """
calls = []
def change(tx):
    calls.append(0)
    tx.write("a", "tx")
    tell("a")
    wait_for("b")
    tx.write("b", tx.read("b") + "tx")
    return len(calls)
print(cbx.transact(change))
runner.close()
"""


@guarded
def test_transact_tries_again(drive: Callable[..., Client], tree: Path) -> None:
    (tree / "b").write_text("0")
    driver = drive()
    script = "echo c > b; touch ../b; until [ -e ../a ]; do sleep 0.01; done; echo c > a"
    command = driver.start(script, **GUARD)
    wait_for((tree.parent / "b").exists, "the command has written")
    assert finish(in_a_process(CBX + GIVES_WAY, tree)) == ["2\n"]
    assert driver.wait(command).status == "passed"
    one_after_the_other = [("tx", "c\ntx"), ("c\n", "c\n")]
    assert ((tree / "a").read_text(), (tree / "b").read_text()) in one_after_the_other


RUNS_ONE = """
calls = []
def change(tx):
    calls.append(0)
    tx.write("a", "tx")
    tell("a")
    outcome = cbx.run("echo tx > b")
    assert outcome.ok, outcome
    return len(calls)
print(cbx.transact(change))
runner.close()
"""


@guarded
def test_a_block_that_waits_for_its_own_command_gives_way(drive: Callable[..., Client], tree: Path) -> None:
    driver = drive()
    script = "echo c > b; touch ../b; until [ -e ../a ]; do sleep 0.01; done; echo c > a"
    command = driver.start(script, **GUARD)
    wait_for((tree.parent / "b").exists, "the command has written")
    assert finish(in_a_process(CBX + RUNS_ONE, tree)) == ["2\n"]
    assert driver.wait(command).status == "passed"
    one_after_the_other = [("tx", "tx\n"), ("c\n", "c\n")]
    assert ((tree / "a").read_text(), (tree / "b").read_text()) in one_after_the_other


INTERRUPTED = """
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with cbx.transaction() as tx:
        tx.write("a", "half")
        tell("half")
        tx.write("b", "half")
except KeyboardInterrupt:
    tell("undone")
    wait_for("leave")
"""


def test_an_interrupt_ends_a_wait(drive: Callable[..., Client], tree: Path) -> None:
    holder = drive()
    hold = holder.hold(write("b"))
    holder.wait_held(hold)
    process = in_a_process(CBX + INTERRUPTED, tree)
    wait_for((tree.parent / "half").exists, "half of it is done")
    after = holder.start("ls", claims=[write("a")])
    process.send_signal(signal.SIGINT)
    wait_for((tree.parent / "undone").exists, "it was interrupted")
    assert holder.wait(after).status == "passed"
    assert holder.text_of(after) == ""
    holder.release(hold)
    other = drive()
    again = other.hold(write("b"))
    other.wait_held(again)
    other.release(again)
    (tree.parent / "leave").touch()
    finish(process)


OLDER = """
with cbx.transaction() as outer:
    outer.write("a", "outer")
    with cbx.transaction() as inner:
        inner.write("a", inner.read("a") + " inner")
    outcome = cbx.run("cat a; echo ' command' >> a", writes=["a"])
    assert outcome.ok and outcome.stdout == "outer inner", outcome
    assert outer.read("a") == "outer inner command\\n"
runner.close()
"""


def test_what_is_done_inside_a_block_does_not_wait_for_it(tree: Path) -> None:
    finish(in_a_process(CBX + OLDER, tree))
    assert (tree / "a").read_text() == "outer inner command\n"


NESTED = """
with cbx.transaction() as tx:
    tx.write("a", "inner")
    tx.create("new", "inner")
    {more}
runner.close()
"""
DEAF = """
with cbx.transaction() as tx:
    tx.read("a")
    tell("a")
    os.system("echo inner > b")
runner.close()
"""


@guarded
class TestInsideCommands:
    def call(self, tree: Path, text: str) -> str:
        """What calls a program in bash."""
        program = tree.parent / "program.py"
        program.write_text("import os, sys, time\nfrom pathlib import Path\n" + CBX + text)
        return f"{sys.executable} {program} {tree} 2> ../stderr"

    def run(self, driver: Client, tree: Path, more: str, after: str, **fields: Any) -> Finished:
        script = f"echo outer > a; {self.call(tree, NESTED.format(more=more))}; {after}"
        return driver.run(script, **GUARD, **fields)

    def test_it_is_part_of_the_command(self, drive: Callable[..., Client], tree: Path) -> None:
        (tree / "a").write_text("before")
        before = portrait([tree])
        driver = drive()
        done = self.run(driver, tree, "pass", "cat a new; exit 3", rollback="always")
        assert driver.text(done) == "innerinner", (tree.parent / "stderr").read_text()
        assert done.rolled_back
        assert portrait([tree]) == before

    def test_it_stays_with_the_command(self, drive: Callable[..., Client], tree: Path) -> None:
        done = self.run(drive(), tree, "pass", "true")
        assert done.status == "passed", (tree.parent / "stderr").read_text()
        assert ((tree / "a").read_text(), (tree / "new").read_text()) == ("inner", "inner")

    def test_a_killed_one_is_undone_though_the_command_goes_on(self, drive: Callable[..., Client], tree: Path) -> None:
        driver = drive()
        # It sees its files come back one after the other, and `new` goes before `a` is as it was.
        wait = 'until [ ! -e new ] && [ "$(cat a)" = outer ]; do sleep 0.01; done; cat a'
        done = self.run(driver, tree, "os.kill(os.getpid(), signal.SIGKILL)", wait)
        assert driver.text(done).endswith("\nouter\n"), "bash tells that it was killed, then"
        assert (tree / "a").read_text() == "outer\n"

    def test_a_killed_one_is_undone_and_so_is_the_command(self, drive: Callable[..., Client], tree: Path) -> None:
        (tree / "a").write_text("before")
        before = portrait([tree])
        wait = "until [ ! -e new ]; do sleep 0.01; done; echo more > a; exit 1"
        done = self.run(drive(), tree, "os.kill(os.getpid(), signal.SIGKILL)", wait, rollback="on-failure")
        assert done.rolled_back
        assert not done.rollback_incomplete
        assert portrait([tree]) == before

    def test_one_that_cannot_hear_gives_way_with_its_command(self, drive: Callable[..., Client], tree: Path) -> None:
        driver, other = drive(), drive()
        script = "echo c > b; touch ../b; until [ -e ../a ]; do sleep 0.01; done; echo c > a"
        (tree / "a").write_text("0")
        older = other.start(script, **GUARD)
        wait_for((tree.parent / "b").exists, "the command has written")
        done = driver.run(self.call(tree, DEAF), **GUARD)
        assert (done.status, done.restarts) == ("passed", 1), (tree.parent / "stderr").read_text()
        assert other.wait(older).status == "passed"
        assert ((tree / "a").read_text(), (tree / "b").read_text()) == ("c\n", "inner\n")

    def test_others_wait_until_the_command_around_it_ends(self, drive: Callable[..., Client], tree: Path) -> None:
        driver, other = drive(), drive()
        script = f"{self.call(tree, NESTED.format(more='pass'))}; touch ../done; until [ -e ../go ]; do sleep 0.01; done; exit 1"
        command = driver.start(script, rollback="on-failure", **GUARD)
        wait_for((tree.parent / "done").exists, "the transaction in the command is over")
        asked = other.start("cat new || echo none", claims=[read("new")])
        other.wait_queued(asked)
        (tree.parent / "go").touch()
        assert other.text(other.wait(asked)).endswith("none\n")
        assert driver.wait(command).rolled_back
