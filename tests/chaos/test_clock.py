"""Clocks that jump, in programs of every kind."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
import time
from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.client.api import Cbx
from pytest_cbx.execute.kernel import vdso
from pytest_cbx.execute.kernel.vdso import symbols

YEAR = 365 * 86400.0
C = """
#include <stdio.h>
#include <time.h>
#include <sys/time.h>
int main(void) {
    struct timeval now;
    gettimeofday(&now, 0);
    printf("%ld %ld\\n", (long) time(0), (long) now.tv_sec);
    return 0;
}
"""
GO = """
package main

import (
    "fmt"
    "time"
)

func main() {
    done := make(chan int64)
    go func() { done <- time.Now().Unix() }()
    fmt.Println(<-done)
}
"""


def ahead(text: str) -> float:
    """By how many seconds each of the times printed is ahead; all are the same."""
    found = [float(word) - time.time() for word in text.split()]
    assert max(found) - min(found) < 20
    return found[0]


@pytest.mark.parametrize(
    "command",
    [
        "date +%s",
        "python3 -c 'import time; print(time.time(), time.clock_gettime(time.CLOCK_REALTIME))'",
        "bash -c 'echo $EPOCHSECONDS; date +%s | cat; (date +%s)'",
        "perl -e 'print time'",
        pytest.param("node -p 'Date.now() / 1000'", marks=pytest.mark.needs("node")),
    ],
)
def test_every_program_sees_it(cbx: Cbx, chaos: Chaos, command: str) -> None:
    with chaos.clock_jump(YEAR) as fault:
        done = cbx.run(command)
    assert fault.fired
    assert done.ok, done
    assert abs(ahead(done.stdout) - YEAR) < 60
    assert abs(ahead(cbx.run(command).stdout)) < 60, "healed"


@pytest.mark.needs("gcc")
def test_a_static_program_in_c(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    (tmp_path / "now.c").write_text(C)
    subprocess.run(["gcc", "-static", "-o", "now", "now.c"], cwd=tmp_path, check=True)
    with chaos.clock_jump(-YEAR) as fault:
        done = cbx.run("./now")
    assert fault.fired
    assert abs(ahead(done.stdout) + YEAR) < 60


@pytest.mark.needs("go")
def test_a_static_program_in_go(cbx: Cbx, chaos: Chaos, tmp_path: Path, builds: Path) -> None:
    (tmp_path / "now.go").write_text(GO)
    go = shutil.which("go")
    assert go
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=mod",
        "GO111MODULE": "off",
        "GOCACHE": str(builds / "go"),
    }
    subprocess.run([go, "build", "-o", "now", "now.go"], cwd=tmp_path, check=True, env=environment)
    with chaos.clock_jump(YEAR) as fault:
        done = cbx.run("./now")
    assert fault.fired
    assert abs(ahead(done.stdout) - YEAR) < 60


def test_a_commit_is_of_another_year(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with chaos.clock_jump(YEAR) as fault:
        done = cbx.run(
            "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git log -1 --format=%at --date=raw"
        )
    assert fault.fired
    assert done.ok, done
    assert abs(ahead(done.stdout) - YEAR) < 60


def test_it_jumps_in_the_midst(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    (tmp_path / "watch.py").write_text(
        textwrap.dedent("""
        import time
        steady, day = time.monotonic(), time.time()
        for _ in range(40):
            time.time()
        jumped = time.time() - day
        time.sleep(0.05)
        print(jumped > 1000, time.monotonic() - steady < 10)
        """)
    )
    with chaos.clock_jump(YEAR, at=20) as fault:
        done = cbx.run("python3 -S -I watch.py")
    assert fault.hits[0].nth == 20
    assert done.stdout in ("True True\n", "False True\n"), "the steady clock goes on"


def test_the_steady_clock_jumps_too(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    (tmp_path / "watch.py").write_text(
        "import time\nprint(time.monotonic())\ntime.sleep(0.1)\nprint(time.monotonic())\n"
    )
    before = time.monotonic()
    with chaos.clock_jump(1000, monotonic=True) as fault:
        done = cbx.run("python3 -S -I watch.py", timeout=20)
    assert fault.fired
    assert done.ok, done
    first, second = (float(word) for word in done.stdout.split())
    assert 990 < first - before < 1060
    assert 0.1 <= second - first < 20, "a sleep until a time of that clock is as long as it was to be"


def test_what_is_no_vdso_is_told() -> None:
    with pytest.raises(OSError, match="cannot be read"):
        symbols(b"\x7fELF\x01" + bytes(100))
    with pytest.raises(OSError, match="cannot be read"):
        symbols(b"\x7fELF\x02" + b"\xff" * 100)
    assert len(vdso.patches()) >= 2
