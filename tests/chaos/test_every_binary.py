"""Every kind of fault strikes every kind of program: interpreted, static, npm, git, pipelines. Prints the table."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.chaos.faults.catalogue import own_kinds
from pytest_cbx.client.api import Cbx

GO = """
package main

import (
    "fmt"
    "net"
    "os"
    "time"
)

func main() {
    file, err := os.Create("made")
    if err != nil { fmt.Println(err); os.Exit(3) }
    fmt.Fprintln(file, time.Now().Unix())
    file.Sync()
    file.Close()
    for _, to := range [][2]string{{"tcp", "127.0.0.1:PORT"}, {"udp", "127.0.0.1:53"}} {
        if connection, err := net.Dial(to[0], to[1]); err == nil {
            fmt.Fprint(connection, "hallo")
            connection.Close()
        }
    }
}
"""
PYTHON = """
import os, socket, time
with open("made", "w") as file:
    file.write(str(time.time()))
    file.flush()
    os.fsync(file.fileno())
for kind, port in ((socket.SOCK_STREAM, PORT), (socket.SOCK_DGRAM, 53)):
    with socket.socket(socket.AF_INET, kind) as one:
        try:
            one.connect(("127.0.0.1", port))
            one.send(b"hallo")
        except OSError as error:
            print(error)
"""
NODE = """
const fs = require('fs'), net = require('net'), udp = require('dgram')
const file = fs.openSync('made', 'w')
fs.writeSync(file, String(Date.now())); fs.fsyncSync(file); fs.closeSync(file)
net.connect(PORT, '127.0.0.1').on('error', () => {}).on('connect', function () { this.end('hallo') })
const one = udp.createSocket('udp4'); one.on('error', () => {}); one.send('hallo', 53, '127.0.0.1', () => one.close())
"""
SHELL = (
    "date +%s | tee made > copy; { echo hallo > /dev/tcp/127.0.0.1/PORT; } 2>&1 | cat; { echo hallo > /dev/udp/127.0.0.1/53; } 2>&1 | cat; "
    "sync made"
)
GIT = (
    "git init -q . && git -c user.name=a -c user.email=a@b -c core.fsync=all -c core.fsyncMethod=fsync commit -q --allow-empty -m x; "
    "git ls-remote git://127.0.0.1:PORT/x || git ls-remote git://127.0.0.1:53/x"
)
BINARIES = ("python", "go", "npm", "git", "pipeline")
NEEDS: dict[str, dict[str, Any]] = {
    "exit_code": {"code": 3},
    "memory_limit": {"limit": 2**33, "by": "rlimit"},
    "memory_pressure": {"limit": 2**30},
    "clock_jump": {"seconds": 86400.0},
    "timed_out": {"seconds": 0.01},
    "latency": {"seconds": 0.01},
    "slow": {"seconds": 0.001},
    "stop": {"seconds": 0.02},
    "hang": {"lease": 0.5},
}
SLOW = {("npm", "hang"): {"lease": 5.0}}
"""A lease runs from the injection on, and on a busy machine npm has started nothing after half a second."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server that takes everything."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                with contextlib.suppress(OSError):
                    connection.recv(1000)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture(scope="module")
def static_program(tmp_path_factory: pytest.TempPathFactory, port: int) -> Path | None:
    """Written in Go, without a C library."""
    go = shutil.which("go")
    if go is None:
        return None
    folder = tmp_path_factory.mktemp("static")
    (folder / "work.go").write_text(GO.replace("PORT", str(port)))
    environment = {**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off"}
    subprocess.run([go, "build", "-o", "work", "work.go"], cwd=folder, check=True, env=environment)
    return folder / "work"


def command_of(binary: str, folder: Path, port: int, static: Path | None) -> str:
    """A command of the kind, and what it needs in the folder."""
    if binary == "go":
        assert static is not None
        shutil.copy(static, folder / "work")
        return "./work"
    if binary == "npm":
        (folder / "work.js").write_text(NODE.replace("PORT", str(port)))
        (folder / "package.json").write_text('{"name": "x", "version": "1.0.0", "scripts": {"work": "node work.js"}}')
        return "npm run -s work"
    if binary == "python":
        (folder / "work.py").write_text(PYTHON.replace("PORT", str(port)))
        return "python3 -S -I work.py"
    return (GIT if binary == "git" else SHELL).replace("PORT", str(port))


@pytest.mark.needs("node")
@pytest.mark.needs("npm")
@pytest.mark.needs("go")
@pytest.mark.timeout(200)
def test_every_fault_strikes_every_binary(
    cbx: Cbx, chaos: Chaos, tmp_path: Path, port: int, static_program: Path | None
) -> None:
    cells: dict[tuple[str, str], str] = {}
    for binary in BINARIES:
        for kind, about in own_kinds().items():
            folder = tmp_path / f"{binary}-{kind}"
            folder.mkdir()
            command = command_of(binary, folder, port, static_program)
            missing = about.missing()
            if missing:
                cells[binary, kind] = f"unsupported: {missing}"
                continue
            with chaos.inject(kind, **NEEDS.get(kind, {})) as fault:
                cbx.at(folder).run(command, timeout=20)
                cells[binary, kind] = "struck" if fault.fired else "-"
    width = max(map(len, own_kinds()))
    print(f"\n{'':<{width}}  " + "  ".join(f"{binary:<10}" for binary in BINARIES))
    for kind in own_kinds():
        row = [cells[binary, kind] for binary in BINARIES]
        print(f"{kind:<{width}}  " + "  ".join(f"{cell.split(':')[0]:<10}" for cell in row))
    for reason in sorted({cell for cell in cells.values() if cell.startswith("unsupported")}):
        print(reason)
    unstruck = [f"{kind} × {binary}" for (binary, kind), cell in cells.items() if cell == "-"]
    assert not unstruck, unstruck
