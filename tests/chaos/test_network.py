"""Faults of the network, with real sockets."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.client.api import Cbx
from pytest_cbx.execute.supervision.endpoints import shown

ASK = """
import socket, sys, time
before = time.monotonic()
try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20) as one:
        for word in ("hallo", "again"):
            one.sendall(word.encode())
            assert one.recv(100).decode() == word
except OSError as error:
    print(type(error).__name__, error.errno, end=" ")
else:
    print("answered", end=" ")
print(round(time.monotonic() - before, 2))
"""


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that says what it hears."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(100):
                    connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def ask(tmp_path: Path, port: int) -> str:
    (tmp_path / "ask.py").write_text(ASK)
    return f"python3 ask.py {port}"


@pytest.mark.parametrize(
    ("kind", "said"),
    [("refused", "ConnectionRefusedError 111"), ("no_route", "OSError 113"), ("timed_out", "TimeoutError 110")],
)
def test_a_connection_that_fails(cbx: Cbx, chaos: Chaos, ask: str, kind: str, said: str) -> None:
    with chaos.inject(kind) as fault:
        done = cbx.run(ask)
    assert done.stdout.startswith(said), done
    assert fault.hits[0].call == "connect"
    assert fault.hits[0].path.startswith("127.0.0.1:")
    assert cbx.run(ask).stdout.startswith("answered")


def test_only_the_port_that_is_meant(cbx: Cbx, chaos: Chaos, ask: str, port: int) -> None:
    with chaos.refused(path=f"*:{port + 1}") as other, chaos.latency(0.001, path=f"*:{port}") as mine:
        assert cbx.run(ask).stdout.startswith("answered")
    assert not other.fired
    assert {hit.call for hit in mine.hits} >= {"connect", "sendto"}


def test_a_slow_network(cbx: Cbx, chaos: Chaos, ask: str) -> None:
    with chaos.latency(0.1, jitter=0.01) as fault:
        done = cbx.run(ask)
    word, took = done.stdout.split()
    assert word == "answered"
    assert float(took) >= 0.3, "to connect, and to send twice"
    assert len(fault.hits) == 3


def test_a_partition_concerns_its_commands_only(cbx: Cbx, chaos: Chaos, ask: str) -> None:
    with chaos.partition(["inside*", "also"]) as fault:
        cut = cbx.run(ask, name="inside 1")
        free = cbx.run(ask, name="outside")
    assert cut.stdout.startswith("OSError 113")
    assert free.stdout.startswith("answered")
    assert {hit.command for hit in fault.hits} == {"inside 1"}


def test_what_is_connected_is_cut_off_too(cbx: Cbx, chaos: Chaos, ask: str) -> None:
    with chaos.partition(at=3) as fault:  # to connect, to send, to send once more
        done = cbx.run(ask)
    assert done.stdout.startswith("OSError 113")
    assert fault.hits[0].call == "sendto"


def test_no_name_can_be_looked_up(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    (tmp_path / "look.py").write_text(
        "import socket\ntry: socket.getaddrinfo('nobody.example', 80)\nexcept OSError as error: print(type(error).__name__)\n"
    )
    with chaos.no_name() as fault:
        done = cbx.run("python3 look.py")
    assert done.stdout == "gaierror\n"
    assert all(hit.path.endswith(":53") for hit in fault.hits)
    assert fault.fired


@pytest.mark.needs("node")
def test_a_connection_that_does_not_wait(cbx: Cbx, chaos: Chaos, tmp_path: Path, port: int) -> None:
    (tmp_path / "ask.js").write_text(
        f"require('net').connect({port}, '127.0.0.1').on('connect', function() {{ console.log('there'); this.end() }})"
        ".on('error', error => console.log(error.code))\n"
    )
    with chaos.refused() as fault:
        done = cbx.run("node ask.js")
    assert fault.fired
    assert done.stdout == "ECONNREFUSED\n"


def test_the_shell_itself(cbx: Cbx, chaos: Chaos, port: int) -> None:
    with chaos.refused() as fault:
        done = cbx.run(f"echo hallo > /dev/tcp/127.0.0.1/{port}")
    assert fault.fired
    assert "Connection refused" in done.stderr


@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_an_address_of_version_4(host: object, port: int) -> None:
    raw = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_pton(socket.AF_INET, str(host))
    assert shown(raw + bytes(8)) == f"{host}:{port}"


@given(st.ip_addresses(v=6), st.integers(0, 65535))
def test_an_address_of_version_6(host: object, port: int) -> None:
    packed = socket.inet_pton(socket.AF_INET6, str(host))
    raw = struct.pack("=H", socket.AF_INET6) + struct.pack("!H", port) + bytes(4) + packed + bytes(4)
    assert shown(raw) == f"[{socket.inet_ntop(socket.AF_INET6, packed)}]:{port}"


@given(st.binary(max_size=130))
def test_whatever_stands_there_is_read_or_nothing(raw: bytes) -> None:
    assert isinstance(shown(raw), str)
    assert shown(struct.pack("=H", socket.AF_UNIX) + b"/run/x\0rest") == "unix:/run/x"
    assert shown(struct.pack("=H", socket.AF_UNIX) + b"\0name") == "unix:name"
