"""From messages to decisions and back, with an executor that runs nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from pytest_cbx.config.model import Settings
from pytest_cbx.engine.dispatcher import Dispatcher
from pytest_cbx.engine.framing import FROM_CLIENT, FROM_ENGINE, Connection
from pytest_cbx.engine.ledger import Session
from pytest_cbx.engine.protocol import (
    VERSION,
    Abandon,
    CommandSpec,
    Environment,
    Farewell,
    Finished,
    FromEngine,
    Hello,
    JoinSpec,
    Leave,
    Queued,
    Retrying,
    Settle,
    Started,
    Submission,
    Welcome,
)
from pytest_cbx.errors import ProtocolError, SpawnError
from pytest_cbx.execute.executor import Executor
from pytest_cbx.execute.model import Cause, Exit, InstanceSpec
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.model import ClientId
from pytest_cbx.tier import Tier

TOKEN = "0123456789abcdef-1-00000000"
LOCK = Claim(domain=Domain.LOCK, mode=Mode.WRITE, target="db")


@dataclass
class FakeExecutor:
    """Notes what it is asked for; tests say how things end."""

    running: dict[int, InstanceSpec] = field(default_factory=dict)
    stopped: dict[int, tuple[str, float | None]] = field(default_factory=dict)
    ended: list[Exit] = field(default_factory=list)

    def start(self, key: int, spec: InstanceSpec) -> int:
        if spec.argv[0] == b"missing":
            raise SpawnError("its program missing is not on PATH")
        self.running[key] = spec
        return 1000 + key

    def start_ticks(self, key: int) -> int:
        return 7

    def stop(self, key: int, reason: str, *, grace: float | None = None) -> None:
        self.stopped[key] = (reason, grace)

    def handle(self) -> list[Exit]:
        ended, self.ended = self.ended, []
        return ended

    def end(self, key: int, code: int = 0, cause: Cause = Cause.EXIT) -> None:
        del self.running[key]
        self.ended.append(
            Exit(key=key, cause=cause, exit_code=code, signal=0, reason="", wall_s=1.0, cpu_s=0.5, max_rss=9, leaks=())
        )


class Bench:
    """A dispatcher with clients at the other end of real sockets."""

    def __init__(self) -> None:
        self.executor = FakeExecutor()
        self.sessions: list[Session] = []
        self.gone: list[Session] = []
        self.ends: dict[int, Connection[FromEngine]] = {}
        self.dispatcher = Dispatcher(
            TOKEN, Path("/tree"), cast(Executor, self.executor), lambda one: any(s is not one for s in self.sessions)
        )

    def client(self, name: str = "pytest", parent: str = "", jobs: int = 8, greet: bool = True) -> Session:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        number = len(self.ends) + 1
        session = Session(id=ClientId(number), connection=Connection(ours, FROM_CLIENT), greet_by=0.0)
        self.ends[number] = Connection(theirs, FROM_ENGINE)
        self.sessions.append(session)
        if greet:
            base = Settings()
            self.dispatcher.take(session, Hello(version=VERSION, pid=40 + number, name=name, parent=parent))
            self.dispatcher.take(
                session,
                Settle(
                    instances=base.instances,
                    limits=base.limits,
                    timeouts=base.timeouts,
                    policy=base.policy,
                    jobs=jobs,
                ),
            )
            self.dispatcher.take(session, Environment(number=1, variables={b"PATH": b"/bin"}))
            (welcome,) = self.told(session)
            assert isinstance(welcome, Welcome)
        return session

    def submit(self, session: Session, *nodes: CommandSpec | JoinSpec, fail_fast: bool = False) -> None:
        self.dispatcher.take(session, Submission(nodes=list(nodes), fail_fast=fail_fast))

    def end(self, key: int, **how: Any) -> None:
        self.executor.end(key, **how)
        self.dispatcher.advance()

    def lose(self, session: Session) -> None:
        """Its connection is closed."""
        self.sessions.remove(session)
        self.gone.append(session)
        self.dispatcher.forget(session)

    def told(self, session: Session) -> list[FromEngine]:
        session.connection.flush()
        return self.ends[session.id].receive()

    def finished(self, session: Session) -> dict[int, Finished]:
        return {message.id: message for message in self.told(session) if isinstance(message, Finished)}

    def close(self) -> None:
        for session in self.sessions + self.gone:
            session.connection.close()
        self.dispatcher.undo_everything()
        for end in self.ends.values():
            end.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def command(number: int, **fields: Any) -> CommandSpec:
    given: dict[str, Any] = {
        "id": number,
        "name": f"c{number}",
        "argv": [b"true"],
        "cwd": b"/",
        "umask": 0o22,
        "environment": 1,
        "tier": Tier.SAFE_PARALLEL,
        "claims": [],
        "cpus": 0.1,
        "memory": 0,
        "timeout": 10.0,
        "stdout": b"/out",
        "stderr": b"/out",
    }
    return CommandSpec(**{**given, **fields})


def test_a_command_runs_and_its_end_is_told_once(bench: Bench) -> None:
    one = bench.client()
    bench.submit(one, command(5))
    (started,) = bench.told(one)
    assert isinstance(started, Started)
    assert (started.id, started.pid, started.start_ticks, started.attempt) == (5, 1001, 7, 1)
    environment = bench.executor.running[1].environment
    assert environment[b"PATH"].endswith(b"/safe/bin:/bin")
    assert environment[b"CBX_INSTANCE"] == f"{TOKEN}.1".encode()
    assert environment.keys() == {b"PATH", b"CBX_INSTANCE", b"CBX_JOBSERVER", b"CBX_JOBS", b"CARGO_MAKEFLAGS"}
    bench.end(1, code=3)
    (done,) = bench.told(one)
    assert isinstance(done, Finished)
    assert (done.status, done.exit_code, done.cause, done.reason, done.attempts) == ("failed", 3, "exit", "", 1)
    assert (done.wall_s, done.cpu_s, done.max_rss, done.slot) == (1.0, 0.5, 9, 0)


def test_order_joins_and_skips(bench: Bench) -> None:
    one = bench.client()
    bench.submit(one, command(1), command(2), JoinSpec(id=3, name="both", after=[1, 2]), command(4, after=[3]))
    bench.submit(one, command(5, needs=[1]))
    assert sorted(bench.executor.running) == [1, 2]
    bench.end(1, code=1)
    assert sorted(bench.executor.running) == [2]
    bench.end(2)
    assert sorted(bench.executor.running) == [4]
    bench.end(4)
    done = bench.finished(one)
    assert {number: each.status for number, each in done.items()} == {
        1: "failed",
        2: "passed",
        4: "passed",
        5: "skipped",
    }
    assert "c1" in done[5].reason
    assert (done[5].exit_code, done[5].attempts, done[5].slot) == (None, 0, -1)
    assert set(done[4].waited_for) == {"c1", "c2"}


def test_retries_are_told(bench: Bench) -> None:
    one = bench.client()
    bench.submit(one, command(1, retries=1))
    bench.told(one)
    bench.end(1, code=1)
    (retrying,) = bench.told(one)
    assert isinstance(retrying, Retrying)
    assert retrying.attempt == 2
    assert 0 < retrying.delay < 1
    assert bench.dispatcher.next_wake() is not None


def test_what_cannot_be_started_has_failed(bench: Bench) -> None:
    one = bench.client()
    bench.submit(one, command(1, argv=[b"missing"], retries=5), command(2, needs=[1]))
    done = bench.finished(one)
    assert (done[1].status, done[1].cause, done[1].exit_code) == ("failed", "start-failed", None)
    assert done[1].reason == "its program missing is not on PATH"
    assert done[2].status == "skipped"


def test_whoever_waits_hears_for_whom(bench: Bench) -> None:
    one, two = bench.client("cbx run"), bench.client("pytest")
    bench.submit(one, command(1, name="build", claims=[LOCK]))
    bench.submit(two, command(1, claims=[LOCK]))
    (queued,) = bench.told(two)
    assert isinstance(queued, Queued)
    assert queued.reason == "lock db, held by build (cbx run, pid 41)"
    assert queued.blockers == ["build (cbx run, pid 41)"]
    bench.submit(one, command(2, claims=[LOCK]))
    own = [message for message in bench.told(one) if isinstance(message, Queued)]
    assert "pid" not in own[0].reason


def test_a_submission_is_taken_whole_or_not_at_all(bench: Bench) -> None:
    one = bench.client()
    for bad in (command(2, cwd=b"x"), command(1), command(2, needs=[3]), command(2, timeout=float("nan"))):
        with pytest.raises(ProtocolError):
            bench.submit(one, command(1), bad)
    assert bench.executor.running == {}
    bench.submit(one, command(1))
    assert list(bench.executor.running) == [1]


def test_leaving_stops_in_good_order_and_dying_at_once(bench: Bench) -> None:
    one, two = bench.client(), bench.client()
    bench.submit(one, command(1))
    bench.submit(two, command(1))
    bench.told(one)
    bench.dispatcher.take(one, Leave())
    assert bench.executor.stopped[1][1] is None
    assert bench.told(one) == []
    with pytest.raises(ProtocolError, match="after Leave"):
        bench.submit(one, command(2))
    bench.end(1, cause=Cause.CANCELLED)
    finished, farewell = bench.told(one)
    assert isinstance(finished, Finished)
    assert farewell == Farewell(last=False)
    bench.lose(one)
    assert 2 not in bench.executor.stopped
    bench.lose(two)
    assert bench.executor.stopped[2] == ("its client was killed", 0)
    bench.end(2, cause=Cause.CANCELLED)


def test_the_last_one_to_leave_is_told_so(bench: Bench) -> None:
    one = bench.client()
    bench.dispatcher.take(one, Leave())
    assert bench.told(one) == [Farewell(last=True)]
    assert bench.dispatcher.ending


def test_abandoned_commands_that_are_over_or_unknown_do_no_harm(bench: Bench) -> None:
    one = bench.client()
    bench.submit(one, command(1), command(2))
    bench.end(1)
    bench.dispatcher.take(one, Abandon(ids=[1, 2, 77], reason="why"))
    assert bench.executor.stopped == {2: ("why", None)}


def test_nested_clients_are_tied_to_the_command_around_them(bench: Bench) -> None:
    one = bench.client()
    bench.submit(one, command(1, claims=[LOCK]))
    inner = bench.client("inner", parent=f"{TOKEN}.1")
    bench.submit(inner, command(1, claims=[LOCK]))
    assert sorted(bench.executor.running) == [1, 2]
    assert bench.client("stranger", parent="fedcba9876543210-1-00000000.1").parent is None
    with pytest.raises(ProtocolError, match="has ended"):
        bench.client("late", parent=f"{TOKEN}.99")
    with pytest.raises(ProtocolError, match="has ended"):
        bench.client("odd", parent=f"{TOKEN}.x")


def test_nothing_is_done_before_the_greeting(bench: Bench) -> None:
    session = bench.client(greet=False)
    with pytest.raises(ProtocolError, match="before Hello"):
        bench.dispatcher.take(session, Leave())


def test_messages_survive_the_way() -> None:
    spec = command(1, claims=[LOCK])
    there = msgspec.msgpack.encode(Submission(nodes=[spec, JoinSpec(id=2, name="j")]))
    assert FROM_CLIENT.decode(there) == Submission(nodes=[spec, JoinSpec(id=2, name="j")])
