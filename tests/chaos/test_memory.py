"""Less memory, and none."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.chaos.ballast import Ballast, memory
from pytest_cbx.client.api import Cbx
from pytest_cbx.errors import EngineLost, FaultUnsupported, UsageError
from pytest_cbx.execute import cgroups

MB = 1024 * 1024
GREEDY = "open('made', 'w').write('x'); data = bytearray({size} * 1024 * 1024); data[::4096] = b'x' * len(data[::4096]); print(len(data))"


def greedy(folder: Path, size: int) -> str:
    (folder / "greedy.py").write_text(GREEDY.format(size=size))
    return "python3 greedy.py"


def groups() -> list[Path]:
    found = cgroups.here()
    return [] if isinstance(found, str) else list(found.folder.glob(f"{cgroups.PREFIX}*"))


def test_a_limit_on_address_space(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    command = greedy(tmp_path, 300)
    with chaos.memory_limit(200 * MB, by="rlimit") as fault:
        done = cbx.run(command, memory=2048 * MB)
    assert fault.fired
    assert "MemoryError" in done.stderr
    assert done.rolled_back
    assert not (tmp_path / "made").exists()
    assert cbx.run(command, memory=2048 * MB).ok


@pytest.mark.skipif(isinstance(cgroups.here(), str), reason="no group with a bound on memory can be made here")
def test_a_limit_on_all_processes_together(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    command = greedy(tmp_path, 100)
    with chaos.memory_limit(60 * MB, by="cgroup") as fault:
        done = cbx.run(f"{command} & sleep 0.1; {command}; wait", memory=2048 * MB)
        assert fault.fired
    assert not done.ok
    assert "Killed" in done.stderr or done.signal == 9
    assert done.rolled_back
    assert sorted(path.name for path in tmp_path.iterdir()) == ["greedy.py"]
    assert not groups()


@pytest.mark.skipif(isinstance(cgroups.here(), str), reason="no group with a bound on memory can be made here")
def test_a_group_goes_when_its_engine_was_killed(cbx: Cbx, chaos: Chaos) -> None:
    with (
        chaos.memory_limit(500 * MB, by="cgroup"),
        chaos.kill(whom="engine", at=2),
        pytest.raises(EngineLost),
    ):
        cbx.run("echo a > a; echo b > b")
    assert cbx.run("true").ok
    assert not groups()


def test_pressure_or_why_not(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    found = cgroups.here()
    if isinstance(found, str) or found.version == 1:
        with pytest.raises(FaultUnsupported, match="memory_pressure cannot be had here"):
            chaos.memory_pressure(50 * MB)
        return
    with chaos.memory_pressure(50 * MB) as fault:
        done = cbx.run(greedy(tmp_path, 80), memory=2048 * MB)
    assert fault.fired
    assert done.ok


def test_no_memory_at_each_of_the_first_requests(chaos: Chaos, tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text("open('made', 'w').write('x' * 10)\n")
    points = chaos.every_point("no_memory", "python3 -S -I work.py", step=5)
    assert points.count >= 5
    assert not points.wrong, str(points)
    assert {point.call for point in points.points} >= {"mmap"}


@pytest.mark.needs("gcc")
def test_no_memory_in_a_static_program(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    (tmp_path / "take.c").write_text(
        textwrap.dedent("""
        #include <sys/mman.h>
        #include <stdio.h>
        #include <string.h>
        int main(void) {
            FILE *file = fopen("made", "w");
            char *data = mmap(0, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (data == MAP_FAILED) { perror("mmap"); return 3; }
            memset(data, 1, 64 << 20);
            fprintf(file, "%d", data[100]);
            return fclose(file);
        }
        """)
    )
    subprocess.run(["gcc", "-static", "-o", "take", "take.c"], cwd=tmp_path, check=True)
    with chaos.no_memory(calls=("mmap",), lasting=True) as fault:
        done = cbx.run("./take", rollback="on-failure")
    assert fault.fired
    assert done.exit_code == 3
    assert "Cannot allocate memory" in done.stderr
    assert not (tmp_path / "made").exists()
    assert cbx.run("./take").ok


class TestBallast:
    """Memory that is taken away from everybody."""

    def test_it_holds_what_it_may_and_gives_it_back(self) -> None:
        with Ballast(40 * MB) as ballast:
            assert ballast.held == 40 * MB
            held = Path(f"/proc/{ballast.pid}/status").read_text()
            resident = next(int(line.split()[1]) for line in held.splitlines() if line.startswith("VmRSS"))
            assert resident * 1024 >= 40 * MB
            pid = ballast.pid
        assert not Path(f"/proc/{pid}").exists()

    def test_of_two_words_at_once_both_are_heard(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other = tmp_path / "other"
        other.write_text("#!/bin/sh\nprintf 'held 1\\nsettled 2\\n'\nexec sleep 60\n")
        other.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(other))
        began = time.monotonic()
        with Ballast(20 * MB) as ballast:
            assert ballast.settled
            assert ballast.held == 2
        assert time.monotonic() - began < 15, "it waited for a word that was there"

    def test_it_never_endangers_the_machine(self) -> None:
        with pytest.raises(UsageError, match="leaves too little"):
            Ballast(memory()[0])

    def test_it_dies_with_who_asked_for_it(self, tmp_path: Path) -> None:
        script = (
            "import time\nfrom pytest_cbx.chaos.ballast import Ballast\n"
            "with Ballast(20 * 2**20) as one: print(one.pid, flush=True); time.sleep(60)"
        )
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        deadline = time.monotonic() + 10
        while _runs(pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_it_ends_with_its_lease(self) -> None:
        with Ballast(20 * MB, lease=0.2) as ballast:
            deadline = time.monotonic() + 10
            while _runs(ballast.pid):
                assert time.monotonic() < deadline
                time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_nobody_else_is_bounded(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    with chaos.memory_limit(100 * MB, by="rlimit", command="other*") as fault:
        assert cbx.run("ulimit -v").stdout.strip() == "unlimited"
    assert not fault.fired
