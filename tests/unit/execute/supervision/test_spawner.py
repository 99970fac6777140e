"""Starts from filtered threads: what the instance gets, what the engine keeps, and what goes wrong."""

from __future__ import annotations

import errno
import gc
import mmap
import os
import resource
import select
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.errors import SpawnError
from pytest_cbx.execute.executor import Executor
from pytest_cbx.execute.kernel.landlock import SCOPE_ABI, abi
from pytest_cbx.execute.kernel.posix_spawn import Launch
from pytest_cbx.execute.kernel.seccomp import Listener, notification_sizes
from pytest_cbx.execute.model import Exit, Guard, GuardKind, InstanceSpec
from pytest_cbx.execute.supervision import spawner
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.deeds import Deed, Trap


def _works() -> bool:
    try:
        notification_sizes()
    except OSError:
        return False
    return sys.platform == "linux"


pytestmark = pytest.mark.skipif(not _works(), reason="no seccomp notification here")

SUPERVISED = Guard(kind=GuardKind.SUPERVISED)
SERIALIZABLE = Guard(kind=GuardKind.SUPERVISED, reads=True)
KINDS = pytest.mark.parametrize("kind", ["supervised", "serializable", "safe"])


class Engine:
    """An executor, and answers to what its instances ask."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.executor = Executor()
        self.decoder = Decoder((os.fsencode(folder),), reads=True)
        self.traps: list[Trap] = []
        self.refuse: tuple[Deed, ...] = ()

    def guard(self, kind: str) -> Guard:
        """A guard by its name; the SAFE ones may write `free`."""
        (self.folder / "free").mkdir(exist_ok=True)
        safe = Guard(kind=GuardKind.SAFE, writable=(os.fsencode(self.folder / "free"),))
        return {"supervised": SUPERVISED, "serializable": SERIALIZABLE, "safe": safe}[kind]

    def run(self, script: str | list[str], guard: Guard | None, **fields: Any) -> tuple[Exit, str]:
        """Run an instance to its end; returns it with its output."""
        output = self.folder / "output"
        output.unlink(missing_ok=True)
        argv = ["sh", "-c", script] if isinstance(script, str) else script
        values: dict[str, Any] = {
            "argv": tuple(os.fsencode(word) for word in argv),
            "cwd": os.fsencode(self.folder),
            "umask": 0o022,
            "environment": dict(os.environb),
            "marker": "test",
            "stdout": os.fsencode(output),
            "stderr": os.fsencode(output),
            "guard": guard,
        }
        here = os.getcwd()
        try:
            self.executor.start(1, InstanceSpec(**values | fields))
        finally:
            os.chdir(here)
        own = self.executor.listener(1)
        listener = own or self.executor.safe_listener
        poll = select.poll()
        if listener is not None:
            poll.register(listener.fileno(), select.POLLIN)
        deadline = time.monotonic() + 30
        while True:
            for _, events in poll.poll(5):
                if events & select.POLLIN and listener is not None:
                    self.answer(listener)
            exits = self.executor.handle()
            if exits:
                if own is not None:
                    own.close()
                return exits[0], output.read_text()
            assert time.monotonic() < deadline

    def answer(self, listener: Listener) -> None:
        """Take one call and answer it."""
        notification = listener.receive()
        trap = self.decoder.decode(listener, notification) if notification is not None else None
        if trap is None:
            return
        self.traps.append(trap)
        if trap.deed in self.refuse:
            listener.refuse(trap.id, errno.EPERM)
        else:
            listener.proceed(trap.id)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(Path(os.path.realpath(tmp_path)))
    yield made
    made.executor.kill_everything()
    made.executor.close()


def descriptors() -> list[str]:
    """What this process has open."""
    return sorted(os.listdir("/proc/self/fd"))


class TestWhatAnInstanceGets:
    @KINDS
    def test_its_directory_umask_limits_and_session(self, engine: Engine, kind: str) -> None:
        script = "pwd; umask; ulimit -Sn; cat /proc/self/stat | cut -d' ' -f6; echo $$; echo $WORD"
        done, output = engine.run(
            script,
            engine.guard(kind),
            umask=0o027,
            open_files=77,
            environment={**os.environb, b"WORD": b"\xc3\xa4 b"},
        )
        pwd, umask, files, session, pid, word = output.splitlines()
        assert (done.exit_code, pwd, umask, files, word) == (0, str(engine.folder), "0027", "77", "ä b")
        assert session == pid

    @KINDS
    def test_no_more_descriptors_than_without_a_guard(self, engine: Engine, kind: str) -> None:
        engine.run("true", engine.guard(kind))
        _, output = engine.run(["ls", "/proc/self/fd"], engine.guard(kind))
        assert output == engine.run(["ls", "/proc/self/fd"], None)[1]

    @KINDS
    def test_no_blocked_and_no_ignored_signals(self, engine: Engine, kind: str) -> None:
        _, output = engine.run(["grep", "-E", "SigBlk|SigIgn|NoNewPrivs", "/proc/self/status"], engine.guard(kind))
        lines = dict(line.split() for line in output.splitlines())
        ignored = int(lines["SigIgn:"], 16)
        assert int(lines["SigBlk:"], 16) == 0
        assert not ignored & (1 << 12 | 1 << 1)  # SIGPIPE, SIGINT
        assert lines["NoNewPrivs:"] == "1"

    def test_the_engine_keeps_its_own(self, engine: Engine) -> None:
        before = (resource.getrlimit(resource.RLIMIT_NOFILE), os.umask(0o022), descriptors())
        os.umask(before[1])
        for kind in ("supervised", "serializable"):
            engine.run("true", engine.guard(kind), open_files=50, memory=2**30, umask=0o777)
        umask = os.umask(0o022)
        os.umask(umask)
        assert (resource.getrlimit(resource.RLIMIT_NOFILE), umask, descriptors()) == before
        assert Path("/proc/self/status").read_text().split("NoNewPrivs:")[1].split()[0] == "0"
        (engine.folder / "free to write").touch()

    @pytest.mark.parametrize("kind", [None, "supervised", "safe"])
    def test_less_memory_than_the_engine_has(self, engine: Engine, kind: str | None) -> None:
        with mmap.mmap(-1, 2**30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
            guard = None if kind is None else engine.guard(kind)
            done, output = engine.run("sleep 0.2; ulimit -Sd", guard, memory=2**29)
        assert (done.exit_code, output) == (0, f"{2**29 // 1024}\n")

    def test_fewer_descriptors_than_the_engine_has(self, engine: Engine) -> None:
        many = [os.open(os.devnull, os.O_RDONLY) for _ in range(80)]
        try:
            done, output = engine.run("ulimit -Sn", SUPERVISED, open_files=30)
        finally:
            for descriptor in many:
                os.close(descriptor)
        assert (done.exit_code, output) == (0, "30\n")


class TestGuards:
    def test_a_supervised_one_asks(self, engine: Engine) -> None:
        done, _ = engine.run("echo x > new; mkdir d; cat new", SUPERVISED)
        assert done.exit_code == 0
        deeds = [(trap.deed, os.path.basename(trap.path)) for trap in engine.traps if trap.deed is not Deed.NONE]
        assert deeds == [(Deed.WRITE, b"new"), (Deed.CREATE, b"d")]

    def test_reads_are_asked_about_from_the_first_call_of_the_program_on(self, engine: Engine) -> None:
        script = engine.folder / "script"
        script.write_text("#!/bin/sh\ncat f\n")
        script.chmod(0o755)
        (engine.folder / "f").write_text("read\n")
        done, output = engine.run([str(script)], SERIALIZABLE)
        assert (done.exit_code, output) == (0, "read\n")
        read = [(trap.call, os.path.basename(trap.path)) for trap in engine.traps]
        assert read[0][0] != "execve"
        assert ("execve", b"cat") in read
        assert ("openat", b"f") in read
        assert ("openat", b"script") in read

    def test_a_safe_one_writes_its_folder_and_nothing_else(self, engine: Engine) -> None:
        safe = engine.guard("safe")
        done, output = engine.run("echo y > free/f && cat free/f; echo n > f; echo $?", safe)
        assert done.exit_code == 0
        assert output.splitlines()[0] == "y"
        assert output.splitlines()[-1] != "0"
        assert not (engine.folder / "f").exists()
        assert b"f" in [os.path.basename(trap.path) for trap in engine.traps if trap.deed is Deed.WRITE]

    def test_safe_ones_share_a_listener_and_a_domain(self, engine: Engine) -> None:
        assert engine.executor.safe_listener is None
        engine.run("true", engine.guard("safe"))
        first = engine.executor.safe_listener
        for _ in range(3):
            engine.run("true", engine.guard("safe"))
            assert engine.executor.listener(1) is None
        assert engine.executor.safe_listener is first
        with pytest.raises(SpawnError, match="share one domain"):
            engine.run("true", Guard(kind=GuardKind.SAFE, writable=(b"/tmp",)))

    @pytest.mark.skipif(abi() < SCOPE_ABI, reason="Landlock cannot scope signals here")
    @pytest.mark.parametrize("kind", ["supervised", "safe"])
    def test_signals_do_not_leave_even_when_they_are_let_go_on(self, engine: Engine, kind: str) -> None:
        done, output = engine.run(
            f"kill -CONT {os.getpid()} || echo refused; kill -CONT $$ && echo own", engine.guard(kind)
        )
        assert done.exit_code == 0
        assert output.splitlines()[-2:] == ["refused", "own"]
        assert {trap.target for trap in engine.traps if trap.deed is Deed.SIGNAL} >= {os.getpid()}


class TestWhatGoesWrong:
    @KINDS
    def test_a_program_that_is_not_there(self, engine: Engine, kind: str) -> None:
        engine.run("true", engine.guard(kind))
        before = descriptors()
        for argv, message in (
            (["./nothing"], "was not found"),
            (["nothing-of-that-name"], "is not on PATH"),
            ([str(engine.folder)], "may not be executed"),
            (["sh", "-c", "a\0b"], "cannot be handed"),
            (["sh", "-c", "x" * 200_000], "too long"),
        ):
            with pytest.raises(SpawnError, match=message):
                engine.run(argv, engine.guard(kind))
        assert descriptors() == before
        assert engine.run("echo still", engine.guard(kind))[1] == "still\n"

    def test_a_thread_that_cannot_be_confined(self, engine: Engine) -> None:
        with pytest.raises(SpawnError, match=r"cannot be guarded: .*nowhere"):
            engine.run("true", Guard(kind=GuardKind.SAFE, writable=(b"/nowhere",)))
        assert engine.run("echo after", engine.guard("safe"))[1] == "after\n"

    @pytest.mark.parametrize("kind", ["supervised", "safe"])
    def test_the_collector_does_not_stop_a_start(
        self, engine: Engine, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A finalizer that writes would be a trapped call of the starting thread, which nobody answers."""
        monkeypatch.setattr(spawner, "_PATIENCE", 2.0)
        engine.run("true", engine.guard(kind))
        writes: list[str] = []

        class Careless:
            def __init__(self) -> None:
                self.me = self

            def __del__(self) -> None:
                with tempfile.NamedTemporaryFile(prefix="careless") as made:
                    writes.append(made.name)

        start = Launch.start

        def littering(launch: Launch) -> int:
            """Runs in the thread under the filter."""
            for _ in range(50):
                Careless()
            return start(launch)

        monkeypatch.setattr(Launch, "start", littering)
        before = gc.get_threshold()
        gc.set_threshold(1, 1, 1)
        try:
            done, _ = engine.run("true", engine.guard(kind))
        finally:
            gc.set_threshold(*before)
        gc.collect()
        assert done.exit_code == 0
        assert len(writes) == 50

    def test_a_start_at_a_standstill_is_given_up(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(spawner, "_PATIENCE", 0.3)
        # With nobody to let it pass, loading the program waits for an answer.
        monkeypatch.setattr(spawner, "_answer_first", lambda start: None)
        before = len(descriptors())
        with pytest.raises(SpawnError, match="standstill"):
            engine.run("true", SERIALIZABLE)
        assert len(descriptors()) == before
