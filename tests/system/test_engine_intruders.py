"""Whatever is sent to an engine's socket, it says what is wrong and serves its clients on."""

from __future__ import annotations

import dataclasses
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.config.model import Settings
from pytest_cbx.engine.client import Client
from pytest_cbx.engine.places import rendezvous
from pytest_cbx.engine.protocol import (
    VERSION,
    CommandSpec,
    Environment,
    FromEngine,
    Hello,
    HoldSpec,
    JoinSpec,
    Journal,
    Leave,
    Message,
    Reach,
    Refused,
    Release,
    Settle,
    Submission,
)
from pytest_cbx.errors import ProtocolError
from tests.system.engines import ROOMY, Driver, runtime_directory

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
HELLO = Hello(version=VERSION, pid=1, name="intruder")


def settle(base: Settings = ROOMY, jobs: int = 2) -> Settle:
    return Settle(instances=base.instances, limits=base.limits, timeouts=base.timeouts, policy=base.policy, jobs=jobs)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with runtime_directory():
        made = Driver(tmp_path_factory.mktemp("tree"))
        yield made
        made.close()


def frame(message: Message) -> bytes:
    body = msgspec.msgpack.encode(message)
    return struct.pack(">I", len(body)) + body


def talk(driver: Driver, *parts: bytes, fds: tuple[int, ...] = ()) -> list[object]:
    """Send this, end sending, and read all answers until the engine closes."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(15)
        sock.connect(str(rendezvous(driver.workspace).socket))
        try:
            if fds:
                socket.send_fds(sock, [parts[0]], list(fds))
                parts = parts[1:]
            for part in parts:
                sock.sendall(part)
            sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it did not want to hear more
        data = b""
        try:
            while more := sock.recv(65536):
                data += more
        except ConnectionResetError:
            pass
    answers = []
    while data:
        (length,) = struct.unpack_from(">I", data)
        answers.append(msgspec.msgpack.decode(data[4 : 4 + length], type=FromEngine))
        data = data[4 + length :]
    return answers


def refusal(driver: Driver, *parts: bytes, fds: tuple[int, ...] = ()) -> str:
    *_, last = talk(driver, *parts, fds=fds)
    assert isinstance(last, Refused), last
    assert serves(driver)
    return last.reason


def serves(driver: Driver) -> bool:
    return driver.run("true").status == "passed"


@settings(max_examples=40)
@given(data=st.binary(max_size=300))
def test_random_bytes(driver: Driver, data: bytes) -> None:
    for answer in talk(driver, data):
        assert isinstance(answer, Refused)
    assert driver.client.receive(0) == []


@settings(max_examples=40)
@given(body=st.binary(min_size=1, max_size=100), greeted=st.booleans())
def test_random_frames(driver: Driver, body: bytes, greeted: bool) -> None:
    before = (frame(HELLO), frame(settle())) if greeted else ()
    *_, last = talk(driver, *before, struct.pack(">I", len(body)) + body)
    assert isinstance(last, Refused)


@settings(max_examples=30)
@given(cut=st.integers(min_value=0, max_value=10_000))
def test_truncated_frames(driver: Driver, cut: int) -> None:
    whole = frame(HELLO) + frame(settle())
    answers = talk(driver, whole[: cut % len(whole)])
    assert answers == []
    assert driver.client.receive(0) == []


def test_a_huge_length_is_refused_before_it_is_read(driver: Driver) -> None:
    assert "announced" in refusal(driver, struct.pack(">I", 0xFFFFFFFF), b"x" * 100)


def test_an_empty_frame(driver: Driver) -> None:
    assert "no message" in refusal(driver, struct.pack(">I", 0))


@pytest.mark.parametrize("version", [0, VERSION + 1])
def test_another_version_is_told_so(driver: Driver, version: int) -> None:
    reason = refusal(driver, frame(msgspec.structs.replace(HELLO, version=version)))
    assert f"protocol {VERSION}" in reason
    assert str(version) in reason


def test_a_client_of_another_version_gets_a_clear_error(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_cbx.engine.client.VERSION", VERSION + 1)
    with pytest.raises(ProtocolError, match="two versions of pytest-cbx"):
        Client.connect(driver.workspace, name="x", settings=ROOMY)


@pytest.mark.parametrize(
    "messages",
    [
        [settle()],
        [Leave()],
        [Submission(nodes=[])],
        [HELLO, HELLO],
        [HELLO, settle(), settle()],
        [HELLO, settle(), HELLO],
        [HELLO, settle(), Environment(number=1, variables={b"A=B": b""})],
        [HELLO, settle(), Environment(number=1, variables={b"A": b"\0"})],
        [HELLO, settle(), Environment(number=1, variables={b"": b""})],
        [HELLO, settle(), Reach(id=9, number=1, claims=[])],
        [HELLO, settle(), Release(id=9, committed=True)],
        [HELLO, settle(), Journal(folder=b"relative", open=True)],
        [HELLO, settle(), Submission(nodes=[HoldSpec(id=1, name="hold", journal=b"relative")])],
        [HELLO, settle(), Submission(nodes=[HoldSpec(id=1, name="hold", journal=b"/nul\0")])],
        [HELLO, settle(), Submission(nodes=[HoldSpec(id=1, name="hold", lock_timeout=float("nan"))])],
        [HELLO, settle(), *[Submission(nodes=[HoldSpec(id=1, name="hold")])] * 2],
        [HELLO, settle(jobs=-1)],
        [HELLO, settle(dataclasses.replace(ROOMY, limits=dataclasses.replace(ROOMY.limits, cpu_cores_per_instance=0)))],
        [HELLO, settle(dataclasses.replace(ROOMY, limits=dataclasses.replace(ROOMY.limits, spawn_rate=float("nan"))))],
        [
            HELLO,
            settle(dataclasses.replace(ROOMY, instances=dataclasses.replace(ROOMY.instances, safe_parallel_max=0))),
        ],
    ],
)
def test_messages_out_of_place_or_out_of_sense(driver: Driver, messages: list[Message]) -> None:
    assert refusal(driver, *map(frame, messages))


def of(driver: Driver, **fields: object) -> CommandSpec:
    return msgspec.structs.replace(driver.spec("true", id=1, environment=1), **fields)


FAULTS: list[dict[str, object]] = [
    {"argv": []},
    {"argv": [b"a\0b"]},
    {"cwd": b"relative"},
    {"cwd": b"/nul\0"},
    {"stdout": b"relative"},
    {"stderr": b""},
    {"umask": -1},
    {"umask": 0o1000},
    {"environment": 2},
    {"extra_env": {b"=": b""}},
    {"cpus": float("nan")},
    {"cpus": -1.0},
    {"memory": -1},
    {"memory": 2**63},
    {"timeout": float("nan")},
    {"timeout": float("inf")},
    {"grace": -1.0},
    {"lock_timeout": float("nan")},
    {"seconds": float("nan")},
    {"score": float("inf")},
    {"retries": -1},
    {"needs": [2]},
    {"needs": [1]},
    {"descriptors": 3},
    {"descriptors": 1},
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_commands_that_make_no_sense(driver: Driver, fault: dict[str, object]) -> None:
    greeting = [HELLO, settle(), Environment(number=1, variables={})]
    good = driver.spec("touch ran", id=7, environment=1)
    nodes: list[CommandSpec | JoinSpec | HoldSpec] = [good, of(driver, **fault)]
    assert refusal(driver, *map(frame, [*greeting, Submission(nodes=nodes)]))
    assert not (driver.workspace / "ran").exists(), "a submission is taken as a whole or not at all"


def test_the_same_id_twice(driver: Driver) -> None:
    greeting = [HELLO, settle(), Environment(number=1, variables={})]
    assert "twice" in refusal(driver, *map(frame, [*greeting, Submission(nodes=[of(driver), of(driver)])]))


def test_descriptors_that_nobody_asked_for(driver: Driver) -> None:
    engine = driver.client.welcome.pid
    before = len(os.listdir(f"/proc/{engine}/fd"))
    greeting = frame(HELLO) + frame(settle()) + frame(Environment(number=1, variables={}))
    submission = frame(Submission(nodes=[of(driver)]))
    assert "descriptors" in refusal(driver, greeting + submission, fds=(0, 1, 2))
    assert "descriptors" in refusal(driver, greeting, fds=tuple([0] * 40))
    assert len(os.listdir(f"/proc/{engine}/fd")) == before


def test_another_user_is_refused(driver: Driver) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    place = rendezvous(driver.workspace)
    text = (
        "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "try: s.connect(sys.argv[1])\n"
        "except PermissionError: print('kept out'); sys.exit()\n"
        "s.settimeout(10); print(s.recv(1000))"
    )

    def attempt() -> str:
        return subprocess.run(
            [sys.executable, "-I", "-c", text, str(place.socket)], cwd="/", capture_output=True, text=True, check=True
        ).stdout

    assert attempt() == "kept out\n", "the directory's mode already does"
    folders = [place.directory, place.directory.parent, place.directory.parent.parent]
    try:
        for folder in folders:
            folder.chmod(0o711)
        place.socket.chmod(0o666)
        assert "serves the user with id 0, not 65534" in attempt()
    finally:
        place.socket.chmod(0o600)
        for folder in folders:
            folder.chmod(0o700)
    assert serves(driver)
    assert Path(place.directory).stat().st_mode & 0o777 == 0o700
