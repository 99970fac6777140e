"""What becomes of one instance: its exit, limits, leaks and output, seen through a real engine."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cbx.engine.protocol import Submission
from pytest_cbx.execute import processes
from tests.system.engines import Driver, S, alive, python, runtime_directory, sleeping, wait_until_dead
from tests.system.helpers import wait_for

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with runtime_directory():
        made = Driver(tmp_path_factory.mktemp("tree"))
        yield made
        made.close()


# --- how it ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code", "number", "cause"),
    [
        ("true", 0, 0, "exit"),
        ("exit 7", 7, 0, "exit"),
        ("kill -9 $$", 137, 9, "signal"),
        ("kill -TERM $$", 143, 15, "signal"),
    ],
)
def test_exit_status(driver: Driver, script: str, code: int, number: int, cause: str) -> None:
    done = driver.run(script)
    assert (done.exit_code, done.signal, done.cause) == (code, number, cause)
    assert done.status == ("passed" if code == 0 else "failed")
    assert done.leaks == []
    assert bool(done.reason) == (cause == "signal")


def test_time_out_of_a_process_that_ignores_sigterm(driver: Driver) -> None:
    done = driver.run("trap '' TERM INT HUP; while :; do sleep 0.05; done", timeout=0.3, grace=0.2)
    assert (done.status, done.cause, done.exit_code, done.signal) == ("failed", "timeout", 137, 9)
    assert "0.3 s" in done.reason
    assert done.wall_s >= 0.5


def test_time_out_leaves_time_to_clean_up(driver: Driver) -> None:
    done = driver.run("trap 'echo cleaned; exit 0' TERM; sleep 60 & wait", timeout=0.3, grace=10)
    assert (done.status, done.cause, done.exit_code) == ("failed", "timeout", 0)
    assert driver.text(done) == "cleaned\n"
    assert done.wall_s < 9


def test_a_stopped_process_is_ended(driver: Driver) -> None:
    done = driver.run("kill -STOP $$", timeout=0.2, grace=0.3)
    assert (done.cause, done.signal) == ("timeout", 15)


def test_ends_beside_a_time_out_stay_what_they_are(driver: Driver) -> None:
    stubborn = driver.spec("trap '' TERM; while :; do sleep 0.02; done", timeout=0.3, grace=0.2)
    others = [driver.spec(f"sleep 0.{480 + 3 * n:03d}") for n in range(20)]
    driver.submit(stubborn, *others)
    assert driver.wait(stubborn).cause == "timeout"
    assert {driver.wait(other).cause for other in others} == {"exit"}


def test_stopping_takes_all_that_descends_from_it(driver: Driver) -> None:
    text = f"trap '' TERM; set -m; sleep {S}11 & setsid sleep {S}12 & (setsid env -i sleep {S}13 &); echo ok; wait"
    spec = driver.start(text, grace=0.2)
    driver.wait_started(spec)
    # bash may tell of a finished job (`setsid`) in between.
    wait_for(lambda: "ok\n" in driver.text_of(spec) and len(sleeping("11", "12", "13")) == 3, "all of it runs")
    driver.client.abandon([spec.id], "not wanted")
    done = driver.wait(spec)
    assert (done.status, done.cause, done.reason) == ("cancelled", "cancelled", "not wanted")
    assert sleeping("11", "12", "13") == []


# --- what it leaves ----------------------------------------------------------------------------------


def test_it_has_ended_when_its_group_has(driver: Driver) -> None:
    done = driver.run("(sleep 0.1; echo late) & echo early")
    assert driver.text(done) == "early\nlate\n"
    assert done.leaks == []


LEAKS = {
    "background": f"sleep {S}21 & true",
    "own session": f"setsid sleep {S}21 & true",
    "daemon": f"setsid sh -c 'sleep {S}21 & exit 0'",
    "daemon that wiped its environment": f"env -i setsid sh -c 'sleep {S}21 & exit 0'; sleep 0.02",
    "job control": f"set -m; sleep {S}21 & true",
    "stubborn": f"(trap '' TERM; exec sleep {S}21) & sleep 0.05",
}


@pytest.mark.parametrize("script", LEAKS.values(), ids=LEAKS.keys())
def test_a_leak_is_named_and_killed(driver: Driver, script: str) -> None:
    done = driver.run(f"({script}) >/dev/null 2>&1 </dev/null", grace=0.3)
    assert done.status == "passed"
    (leak,) = done.leaks
    assert leak.startswith(f"sleep {S}21 (pid ")
    assert sleeping("21") == []


def test_a_leak_is_not_put_down_to_another_instance(driver: Driver) -> None:
    other = driver.start(f"sleep 0.1; setsid sleep {S}31 & sleep 1; kill $!")
    driver.wait_started(other)
    for _ in range(5):
        assert driver.run("sleep 0.05").leaks == []
    assert driver.wait(other).leaks == []


# --- output ------------------------------------------------------------------------------------------


def test_fifty_megabytes_of_output(driver: Driver) -> None:
    done = driver.run(f"head -c {50 * MEGABYTE} /dev/zero")
    assert done.exit_code == 0
    assert driver.output(done.id).stat().st_size == 50 * MEGABYTE
    driver.output(done.id).unlink()


def test_both_streams_in_one_file_keep_their_order(driver: Driver) -> None:
    done = driver.run("for i in 1 2 3; do echo out $i; echo err $i >&2; done")
    assert driver.text(done).split() == ["out", "1", "err", "1", "out", "2", "err", "2", "out", "3", "err", "3"]
    assert driver.output(done.id).stat().st_mode & 0o777 == 0o600


def test_separate_streams_are_appended_to(driver: Driver) -> None:
    out, err = driver.workspace / "o", driver.workspace / "e"
    out.write_text("before\n")
    driver.run("echo one; echo two >&2", stdout=os.fsencode(out), stderr=os.fsencode(err))
    assert (out.read_text(), err.read_text()) == ("before\none\n", "two\n")


def test_no_input(driver: Driver) -> None:
    assert driver.run("read x; test $? -eq 1").exit_code == 0


def test_handed_over_descriptors(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("hello\n")
    with (tmp_path / "in").open() as given, (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        spec = driver.spec("read x; echo got $x; echo bad >&2", descriptors=3, stdout=b"", stderr=b"")
        driver.client.submit(Submission(nodes=[spec]), (given.fileno(), out.fileno(), err.fileno()))
        assert driver.wait(spec).exit_code == 0
    assert ((tmp_path / "out").read_text(), (tmp_path / "err").read_text()) == ("got hello\n", "bad\n")


# --- figures and limits --------------------------------------------------------------------------------


def test_processor_time_is_counted_with_children(driver: Driver) -> None:
    idle = driver.run("sleep 0.3")
    # So much of its own time, however much of it others take meanwhile.
    words = python("import time\nwhile time.process_time() < 0.3: pass")
    busy = driver.run(f"{shlex.join(words)}; true")
    assert busy.cpu_s > idle.cpu_s + 0.1


def test_memory_use_is_seen(driver: Driver) -> None:
    small, large = driver.run("true"), driver.run(python("x = b'x' * 150_000_000"))
    assert small.max_rss < 100 * MEGABYTE < 140 * MEGABYTE < large.max_rss


def test_limits_of_files_and_cores(driver: Driver) -> None:
    done = driver.run("ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc")
    show = [
        ("unlimited" if n == resource.RLIM_INFINITY else str(n))
        for n in (resource.getrlimit(resource.RLIMIT_NOFILE)[1], resource.getrlimit(resource.RLIMIT_CORE)[1])
    ]
    assert driver.text(done).split() == ["1024", show[0], "0", show[1]]


def test_a_single_allocation_past_the_limit_fails(driver: Driver) -> None:
    for memory in (64 * MEGABYTE, 400 * MEGABYTE):
        done = driver.run(python(f"x = bytearray({memory + 100 * MEGABYTE})"), memory=memory)
        assert done.exit_code == 1
        assert "MemoryError" in driver.text(done)
    assert driver.run(python(f"x = bytearray({200 * MEGABYTE})"), memory=400 * MEGABYTE).exit_code == 0


def test_many_processes_past_the_limit_are_stopped(driver: Driver) -> None:
    hog = f"{sys.executable} -S -c 'x = b\"x\" * 60_000_000; import time; time.sleep({S}41)' &"
    done = driver.run(hog * 4 + " wait", memory=200 * MEGABYTE, timeout=20)
    assert (done.status, done.cause) == ("failed", "memory")
    assert "200 MB" in done.reason
    assert "memory =" in done.reason
    assert alive(f"time.sleep({S}41)") == []


def test_shared_pages_count_once(driver: Driver) -> None:
    text = "import os, time; x = b'x' * 80_000_000; [os.fork() for _ in range(2)]; time.sleep(1.8)"
    done = driver.run(python(text), memory=200 * MEGABYTE)
    assert (done.status, done.cause) == ("passed", "exit")
    assert done.leaks == []


@pytest.mark.parametrize(
    "argv", [["node", "-e", "console.log(1)"], ["go", "version"], ["java", "-version"]], ids=lambda a: a[0]
)
def test_runtimes_that_reserve_much_live_with_the_usual_limit(driver: Driver, argv: list[str]) -> None:
    if shutil.which(argv[0]) is None:
        pytest.skip(f"no {argv[0]} here")
    assert driver.run(argv, memory=512 * MEGABYTE).exit_code == 0


def test_low_priority_stands_back(driver: Driver) -> None:
    from pytest_cbx.config.model import Priority

    nice = {
        p: int(driver.text(driver.run("sleep 0.2; nice", priority=p)))
        for p in (Priority.NORMAL, Priority.LOW, Priority.DEFERRED)
    }
    base = nice[Priority.NORMAL]
    assert nice == {Priority.NORMAL: base, Priority.LOW: min(base + 5, 19) if base == 0 else 5, Priority.DEFERRED: 10}


# --- where and with what it runs ---------------------------------------------------------------------


def test_directory_umask_and_environment_are_exact(driver: Driver) -> None:
    odd = os.fsencode(driver.workspace) + b"/d\xff\n x"
    os.mkdir(odd)
    number = driver.client.environment({b"PATH": os.environb[b"PATH"], b"ODD": b"\xfe=\n", b"EMPTY": b""})
    out = odd + b"/o\xfd"
    done = driver.run(
        'umask; printf \'%s|%s|%s\\n\' "$ODD" "${EMPTY-unset}" "$MORE"; pwd; env | grep -ac \'^HOME=\'',
        cwd=odd,
        umask=0o137,
        environment=number,
        extra_env={b"MORE": b"\x80"},
        stdout=out,
        stderr=out,
    )
    with open(out, "rb") as file:
        assert file.read() == b"0137\n\xfe=\n||\x80\n" + odd + b"\n0\n"
    assert done.exit_code == 1


def test_bytes_of_arguments_are_exact(driver: Driver) -> None:
    spec = driver.spec("true", argv=[b"printf", b"%s", b"\xff\xfe \n"])
    driver.submit(spec)
    driver.wait(spec)
    assert driver.output(spec.id).read_bytes() == b"\xff\xfe \n"


def test_names_that_are_no_text_are_written_out(driver: Driver) -> None:
    assert driver.run("true", name="odd \udcff").status == "passed"


def test_the_engines_own_setting_is_untouched(driver: Driver) -> None:
    first = driver.client.welcome.pid
    driver.run("true", umask=0o777, memory=300 * MEGABYTE)
    assert os.readlink(f"/proc/{first}/cwd") == "/"
    assert driver.text(driver.run("umask")) == "0022\n"


# --- what cannot be started --------------------------------------------------------------------------


def executable(path: Path, text: bytes, mode: int = 0o755) -> str:
    path.write_bytes(text)
    path.chmod(mode)
    return str(path)


def test_start_failures_are_results(driver: Driver, tmp_path: Path) -> None:
    cases = [
        (driver.spec(["no-such-program-1"]), "not on PATH"),
        (driver.spec(["/no/such/program"]), "not found"),
        (driver.spec([str(tmp_path)]), "permission denied"),
        (driver.spec([executable(tmp_path / "plain", b"", 0o644)]), "chmod +x"),
        (driver.spec([executable(tmp_path / "garbage", b"\x00\x01garbage")]), "no program"),
        (driver.spec([executable(tmp_path / "lost", b"#!/no/such/interpreter\n")]), "interpreter"),
        (driver.spec("true", cwd=b"/no/such/directory"), "working directory"),
        (driver.spec("true", stdout=b"/no/such/file"), "output file"),
        (driver.spec("true " + "x" * 200_000), "too long"),
    ]
    driver.submit(*(spec for spec, _ in cases))
    for spec, words in cases:
        done = driver.wait(spec)
        assert (done.status, done.cause, done.exit_code) == ("failed", "start-failed", None), (done, words)
        assert words in done.reason
    assert driver.run("true").status == "passed"


def test_a_start_failure_is_not_tried_again(driver: Driver) -> None:
    assert driver.run(["no-such-program-1"], retries=3).attempts == 1


def test_retries(driver: Driver) -> None:
    done = driver.run("echo x >> tries; test $(wc -l < tries) -ge 2", retries=2)
    assert (done.status, done.attempts) == ("passed", 2)


def test_what_is_told_of_a_start(driver: Driver) -> None:
    spec = driver.start("sleep 0.3; exec env")
    started = driver.wait_started(spec)
    stat = processes.stat_of(started.pid)
    assert stat is not None
    assert stat.start_ticks == started.start_ticks
    assert (stat.session, stat.group) == (started.pid, started.pid)
    done = driver.wait(spec)
    assert f"CBX_INSTANCE={driver.client.welcome.token}." in driver.text(done)
    assert done.started_at <= done.ended_at <= done.started_at + 30
    wait_until_dead([started.pid], 0)


def test_signals_are_not_ignored(driver: Driver) -> None:
    """Python ignores SIGPIPE; a program that inherits that does not end when its reader has."""
    mask = driver.text(driver.run("grep -E 'SigIgn|SigBlk' /proc/self/status")).split()
    # The two above 31 are the C library's own.
    assert [int(word, 16) & 0x7FFFFFFF for word in mask[1::2]] == [0, 0]
