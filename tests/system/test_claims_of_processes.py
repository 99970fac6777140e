"""Signals reach a command's own processes only; ports are claimed when they are bound; nobody gets out of the guard."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cbx.client.api import Cbx
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.config.model import CommandConfig, Isolation
from pytest_cbx.events import AnyEvent, CallRefused, CommandSurprised, CommandWaiting, SignalRefused
from pytest_cbx.execute import ladder
from pytest_cbx.execute.kernel.syscalls import table
from pytest_cbx.tier import Tier
from tests.system.guarded import commands_at, make_project, run_tests
from tests.system.helpers import assert_nothing_left, run_cbx, start_pytest

pytestmark = pytest.mark.skipif(ladder.probe().level == "off", reason=f"no rung guard here: {ladder.probe().reason}")
PYTHON = sys.executable


@pytest.fixture
def events() -> list[AnyEvent]:
    return []


@pytest.fixture
def cbx(tmp_path: Path, events: list[AnyEvent]) -> Iterator[Cbx]:
    project = make_project(tmp_path, {})
    with commands_at(project, Isolation.GUARD, events) as cbx:
        yield cbx


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that sleeps, with a name that no other has."""
    found = tmp_path / f"v{os.getpid()}x{time.monotonic_ns() % 100_000}"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", found)
    return found


@pytest.fixture
def victim(program: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else, in a group of its own."""
    process = subprocess.Popen([program, "300"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def run(cbx: Cbx, text: str, tier: Tier = Tier.CONDITIONAL_PARALLEL) -> Outcome:
    """Run a text at a tier that it may not deserve."""
    return cbx.run(textwrap.dedent(text).strip(), tier=tier, trust=True)


# --- signals to others -------------------------------------------------------------------------------------------

FOREIGN = {
    "kill": "kill {pid}",
    "kill -9": "/bin/kill -9 {pid}",
    "the shell's own": "builtin kill -INT {pid}",
    "its group": "kill -TERM -- -{pid}",
    "pkill": "pkill {name}",
    "killall": "killall {name}",
    "python": PYTHON + " -c 'import os; os.kill({pid}, 15)'",
    "python, its group": PYTHON + " -c 'import os; os.killpg({pid}, 15)'",
    "by descriptor": PYTHON + " -c 'import os, signal; signal.pidfd_send_signal(os.pidfd_open({pid}), 15)'",
    "its thread": PYTHON + " -c 'import ctypes; sys = ctypes.CDLL(None, use_errno=True).syscall;"
    " exit(sys({tgkill}, {pid}, {pid}, 15) and ctypes.get_errno())'",
    "from a daemon without a name": "env -i setsid bash -c '(kill {pid}; echo $? > out) &'; "
    "while [ ! -s out ]; do sleep 0.01; done; exit $(cat out)",
}


@pytest.mark.parametrize("how", FOREIGN)
def test_a_foreign_process_gets_no_signal(
    how: str, cbx: Cbx, program: Path, victim: subprocess.Popen[bytes], events: list[AnyEvent]
) -> None:
    name = program.name
    outcome = run(cbx, FOREIGN[how].format(pid=victim.pid, name=name, tgkill=table().numbers["tgkill"]))
    time.sleep(0.05)
    assert victim.poll() is None
    assert outcome.exit_code != 0
    told = [event for event in events if isinstance(event, SignalRefused)]
    if how == "killall" and not told:
        return  # it looks at processes in a way that a Landlock domain does not allow, and finds none
    assert {event.pid for event in told} == {victim.pid}
    assert told[0].target.endswith(f"(pid {victim.pid})")
    assert len(outcome.refused) == 1
    assert f"(pid {victim.pid}): not a process of this command" in outcome.refused[0]
    assert "refused: signal" in str(outcome)


def test_a_signal_to_everybody_reaches_nobody(cbx: Cbx, events: list[AnyEvent]) -> None:
    # One that does nothing should it arrive.
    outcome = run(cbx, "kill -URG -1")
    assert outcome.exit_code == 1
    assert outcome.refused == ("signal 23 to every process: not a process of this command",)
    assert [event.target for event in events if isinstance(event, SignalRefused)] == ["every process"]


def test_whether_a_foreign_process_lives_may_be_asked(cbx: Cbx, victim: subprocess.Popen[bytes]) -> None:
    for tier in (Tier.CONDITIONAL_PARALLEL, Tier.SAFE_PARALLEL):
        outcome = run(cbx, f"kill -0 {victim.pid} && echo alive", tier)
        assert (outcome.stdout, outcome.refused, outcome.surprises) == ("alive\n", (), ())


def test_a_safe_command_that_signals_others_is_not_safe(
    cbx: Cbx, victim: subprocess.Popen[bytes], events: list[AnyEvent]
) -> None:
    outcome = run(cbx, f"kill {victim.pid}", Tier.SAFE_PARALLEL)
    assert victim.poll() is None
    assert outcome.surprises == (f"signals process {victim.pid}, which its text does not tell",)
    assert len(outcome.refused) == 1
    assert [event.call for event in events if isinstance(event, CommandSurprised)] == ["kill"]


def test_commands_do_not_reach_each_other(tmp_path: Path) -> None:
    modules = {
        "victim": "append('pid', str(os.getpid())); tell('victim'); wait_for('killer', 20)",
        "killer": """
            wait_for('victim', 20)
            pid = int(open('pid').read())
            with self.assertRaises(PermissionError):
                os.kill(pid, 15)
            os.kill(pid, 0)
            tell('killer')
        """,
    }
    project = make_project(tmp_path, modules, ignored=("pid",))
    with commands_at(project, Isolation.GUARD) as cbx:
        outcomes = run_tests(cbx, {"victim": "victim", "killer": "killer"})
    assert all(outcome.ok for outcome in outcomes.values()), list(map(str, outcomes.values()))
    assert len(outcomes["killer"].refused) == 1
    assert "unittest -q victim" in outcomes["killer"].refused[0]


def test_what_is_nested_is_not_its_own(cbx: Cbx, tmp_path: Path) -> None:
    """The engine started it, and answers for it."""
    nested = f"{PYTHON} -m pytest_cbx.cli.main run -- 'echo $$ > {tmp_path}/pid; sleep 1; echo done'"
    outcome = run(
        cbx, f"set +e; {nested} & while [ ! -s {tmp_path}/pid ]; do sleep 0.02; done; kill $(cat {tmp_path}/pid); wait"
    )
    assert "done" in outcome.stdout, str(outcome)
    assert len(outcome.refused) == 1


# --- own processes -------------------------------------------------------------------------------------------------

OWN = {
    "a child": "sleep 100 & kill $!; wait $!; echo $?",
    "a job": "set -m; sleep 100 & kill %1; wait %1; echo $?",
    "a job's group": "set -m; (sleep 100; true) & kill -- -$!; wait $!; echo $?",
    "a stopped job": "set -m; sleep 100 & kill -STOP %1; kill -CONT %1; kill %1; wait %1; echo $?",
    "itself, trapped": "trap 'echo 143' TERM; kill $$",
    "its group, trapped": "trap 'echo 143; exit' TERM; kill 0; sleep 5",
    # Until it has become sleep, it is a bash.
    "by name": "sleep 100 & until pkill -P $$ sleep; do :; done; wait $!; echo $?",
    "timeout": "timeout 0.1 sleep 100; [ $? = 124 ] && echo 143",
    "timeout of a group": "timeout -s TERM 0.1 bash -c 'sleep 100 & sleep 100'; [ $? = 124 ] && echo 143",
    "one that left its session": "setsid sleep 100 & sleep 0.1; kill $!; wait $!; echo $?",
    "a daemon": "(setsid sleep 100 & echo $! > pid); kill $(cat pid); while kill -0 $(cat pid) 2>/dev/null; do sleep 0.01; done; echo 143",
    "a daemon's group": "(setsid sleep 100 & echo $! > pid); sleep 0.1; kill -- -$(cat pid); "
    "while kill -0 $(cat pid) 2>/dev/null; do sleep 0.01; done; echo 143",
    "a daemon without a name": "env -i setsid bash -c 'sleep 100 & echo $! > pid'; kill $(cat pid); "
    "while kill -0 $(cat pid) 2>/dev/null; do sleep 0.01; done; echo 143",
    "a coprocess": "coproc cat; kill $COPROC_PID; wait $COPROC_PID; echo $?",
    "a pipeline": "(yes; true) | head -n 1 > /dev/null; echo 143",
    "multiprocessing": PYTHON + ' -c "import multiprocessing as m, time; p = m.Process(target=time.sleep, args=(100,));'
    ' p.start(); p.terminate(); p.join(); print(128 - p.exitcode)"',
    "subprocess": PYTHON
    + " -c \"import subprocess as s; p = s.Popen(['sleep', '100']); p.terminate(); print(128 - p.wait())\"",
    "by descriptor": PYTHON
    + " -c \"import os, signal, subprocess as s; p = s.Popen(['sleep', '100']);"
    + ' signal.pidfd_send_signal(os.pidfd_open(p.pid), 15); print(128 - p.wait())"',
    "a thread": PYTHON
    + ' -c "import signal, threading, sys; signal.signal(15, lambda *_: sys.exit(print(143)));'
    + ' signal.pthread_kill(threading.get_ident(), 15)"',
    "abort": "(ulimit -c 0; bash -c 'kill -ABRT $$'); [ $? = 134 ] && echo 143",
}


@pytest.mark.parametrize("tier", [Tier.CONDITIONAL_PARALLEL, Tier.SAFE_PARALLEL])
@pytest.mark.parametrize("how", OWN)
def test_own_processes_do(how: str, tier: Tier, cbx: Cbx) -> None:
    text = f"set +e; cd $TMPDIR; {OWN[how]}"
    if tier is Tier.SAFE_PARALLEL and how == "a daemon without a name":
        pytest.skip("SAFE commands share one domain: nothing tells whose such a process is, so it counts as foreign")
    outcome = run(cbx, text, tier)
    assert (outcome.stdout.split(), outcome.refused, outcome.surprises) == (["143"], (), ()), str(outcome)


# --- ports ---------------------------------------------------------------------------------------------------------

# The number is computed, so that nobody can tell before.
SERVE = """
kind = socket.SOCK_{kind}
server = socket.socket(socket.AF_INET, kind)
if kind == socket.SOCK_STREAM:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("{address}", {port} + 0))
if kind == socket.SOCK_STREAM:
    server.listen()
tell(ME)
wait_for("{other}", {patience})
server.close()
"""


@pytest.fixture
def port() -> int:
    """A port that is free, as far as can be told."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def servers(
    port: int, *kinds: str, addresses: tuple[str, str] = ("127.0.0.1", "127.0.0.1"), patience: float = 1
) -> dict[str, str]:
    """Modules "one" and "two", each of which serves until the other does, too."""
    return {
        name: "import socket\n" + SERVE.format(kind=kind, address=address, port=port, other=other, patience=patience)
        for name, other, kind, address in zip(("one", "two"), ("two", "one"), kinds, addresses, strict=True)
    }


def waits(events: list[AnyEvent]) -> list[str]:
    return [event.reason for event in events if isinstance(event, CommandWaiting)]


@pytest.mark.parametrize(
    ("kinds", "addresses"),
    [
        (("STREAM", "STREAM"), ("127.0.0.1", "127.0.0.1")),
        (("DGRAM", "DGRAM"), ("127.0.0.1", "127.0.0.1")),
        # A claim is on a number, whatever the protocol and the address: that is all that texts tell.
        (("STREAM", "DGRAM"), ("127.0.0.1", "127.0.0.1")),
        (("STREAM", "STREAM"), ("127.0.0.1", "127.0.0.2")),
    ],
)
def test_who_wants_a_port_that_another_has_waits(
    tmp_path: Path, port: int, events: list[AnyEvent], kinds: tuple[str, str], addresses: tuple[str, str]
) -> None:
    modules = servers(port, *kinds, addresses=addresses)
    project = make_project(tmp_path, modules)
    with commands_at(project, Isolation.GUARD, events) as cbx:
        outcomes = run_tests(cbx, {"one": "one", "two": "two"})
    assert all(outcome.ok for outcome in outcomes.values()), list(map(str, outcomes.values()))
    (reason,) = waits(events)
    assert reason in (f"port {port}, held by one", f"port {port}, held by two")


def test_without_isolation_the_port_is_in_use(tmp_path: Path, port: int) -> None:
    project = make_project(tmp_path, servers(port, "STREAM", "STREAM"))
    with commands_at(project, Isolation.OFF) as cbx:
        outcomes = run_tests(cbx, {"one": "one", "two": "two"})
    failed = [outcome for outcome in outcomes.values() if not outcome.ok]
    assert len(failed) == 1
    assert "Address already in use" in failed[0].stderr


@pytest.mark.needs("nc")
def test_a_port_that_was_predicted_is_waited_for_too(tmp_path: Path, port: int, events: list[AnyEvent]) -> None:
    project = make_project(
        tmp_path, {"late": f"time.sleep(0.3)\n{servers(port, 'STREAM', 'STREAM', patience=0)['one']}"}
    )
    serve = f"timeout 1.5 nc -l 127.0.0.1 {port} || true"
    commands = [
        CommandConfig(name="server", run=serve, line=0, cpus=0.1, tier=Tier.CONDITIONAL_PARALLEL, trust=True),
        CommandConfig(name="late", run="python3 -m unittest -q late", line=0, cpus=0.1,
                      env={"ME": "late", "MEETING": str(tmp_path / "meeting")}),
    ]  # fmt: skip
    with commands_at(project, Isolation.GUARD, events) as cbx:
        assert any(str(claim).startswith("write port:") for claim in cbx.claims(serve))
        outcomes = cbx.run_all(commands)
    assert all(outcome.ok for outcome in outcomes), list(map(str, outcomes))
    (reason,) = waits(events)
    assert reason == f"port {port}, held by server"


def test_ports_that_the_kernel_chooses_do_not_meet(tmp_path: Path, events: list[AnyEvent]) -> None:
    project = make_project(tmp_path, servers(0, "STREAM", "STREAM", patience=20))
    with commands_at(project, Isolation.GUARD, events) as cbx:
        outcomes = run_tests(cbx, {"one": "one", "two": "two"})
    assert all(outcome.ok for outcome in outcomes.values()), list(map(str, outcomes.values()))
    assert waits(events) == []


def test_a_command_may_bind_its_port_again(cbx: Cbx, port: int) -> None:
    code = f"import socket\nfor _ in range(2):\n  for kind in (1, 2):\n    with socket.socket(2, kind) as s: s.bind(('', {port}))"
    outcome = run(cbx, f'{PYTHON} -c "{code}"')
    assert outcome.ok, str(outcome)


def test_connecting_is_free(cbx: Cbx) -> None:
    """For every tier: what a server does is the server's."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(4)
        text = f"exec 3<> /dev/tcp/127.0.0.1/{server.getsockname()[1]} && echo connected"
        for tier in (Tier.SAFE_PARALLEL, Tier.CONDITIONAL_PARALLEL):
            outcome = run(cbx, text, tier)
            assert (outcome.stdout, outcome.surprises) == ("connected\n", ())


BIND = "import socket; s = socket.socket(); s.bind(('127.0.0.1', {port})); s.listen(); print('bound')"


def test_a_safe_command_binds_only_what_the_kernel_chooses(cbx: Cbx, port: int) -> None:
    chosen = run(cbx, f'{PYTHON} -SBIc "{BIND.format(port=0)}"', Tier.SAFE_PARALLEL)
    assert (chosen.stdout, chosen.surprises) == ("bound\n", ())
    other = run(cbx, f'{PYTHON} -SBIc "{BIND.format(port=port)}"', Tier.SAFE_PARALLEL)
    assert (other.stdout, other.surprises) == ("bound\n", (f"listens at port {port}, which its text does not tell",))


def test_a_socket_in_the_tree_is_a_file(cbx: Cbx) -> None:
    code = "import socket; s = socket.socket(socket.AF_UNIX); s.bind('sock')"
    kept = run(cbx, f'{PYTHON} -c "{code}"')
    assert kept.changes is not None
    assert kept.changes.created == ("sock",)
    again = cbx.run(f'{PYTHON} -c "{code}"', tier=Tier.CONDITIONAL_PARALLEL, trust=True)
    assert "Address already in use" in again.stderr
    os.unlink(cbx.path / "sock")
    undone = cbx.run(f'{PYTHON} -c "{code}"; kill -9 $$', tier=Tier.CONDITIONAL_PARALLEL, trust=True)
    assert undone.rolled_back
    assert not (cbx.path / "sock").exists()


# --- ways out ------------------------------------------------------------------------------------------------------

CALLS = {
    "mount": "mount -t tmpfs none .",
    "umount2": "umount .",
    "unshare": "unshare --user true",
    "chroot": "chroot . true",
    "setns": "nsenter --net=/proc/self/ns/net true",
    "clone": PYTHON + " -c 'import ctypes, signal; libc = ctypes.CDLL(None, use_errno=True);"
    " exit(libc.syscall({clone}, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0) == -1 and ctypes.get_errno())'",
    "sethostname": PYTHON + " -c 'import socket; socket.sethostname(socket.gethostname())'",
    "clock_settime": PYTHON + " -c 'import time; time.clock_settime(time.CLOCK_REALTIME, time.time())'",
}


@pytest.mark.parametrize("call", CALLS)
def test_what_would_get_out_of_the_guard_fails_and_is_told(call: str, cbx: Cbx, events: list[AnyEvent]) -> None:
    outcome = run(cbx, CALLS[call].format(clone=table().numbers["clone"]))
    assert outcome.exit_code not in (0, None)
    assert any(one.startswith(f"{call} of ") for one in outcome.refused), outcome.refused
    told = [event for event in events if isinstance(event, CallRefused)]
    assert call in {event.call for event in told}
    assert told[0].reason in outcome.refused[0]


def test_a_safe_command_that_tries_is_not_safe(cbx: Cbx) -> None:
    outcome = run(cbx, "unshare --user true", Tier.SAFE_PARALLEL)
    assert outcome.surprises == ("calls unshare, which its text does not tell",)
    assert outcome.refused


X32 = (
    "import ctypes; libc = ctypes.CDLL(None, use_errno=True); print(libc.syscall(0x40000000 | 39), ctypes.get_errno())"
)
I386 = """
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="these are the other ABIs of x86-64")
@pytest.mark.parametrize(("code", "said"), [(X32, "-1 38"), (I386, "-38")], ids=["x32", "i386"])
def test_other_architectures_are_refused(cbx: Cbx, code: str, said: str) -> None:
    bare = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    (cbx.path / "call.py").write_text(code)
    for tier in (Tier.CONDITIONAL_PARALLEL, Tier.SAFE_PARALLEL):
        outcome = run(cbx, f"{PYTHON} -SBI call.py", tier)
        if bare.returncode == -signal.SIGSEGV:
            assert outcome.exit_code == 128 + signal.SIGSEGV  # a kernel without that ABI
            continue
        assert outcome.stdout.strip() == said, str(outcome)
        assert any("32-bit and x32 programs" in one for one in outcome.refused)


# --- as another user -----------------------------------------------------------------------------------------------


@pytest.fixture
def fake(tmp_path: Path) -> str:
    """PATH with programs that tell that they were started."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sudo", "su", "doas", "pkexec"):
        (folder / name).write_text("#!/bin/sh\necho started $0 $*\ngrep Seccomp: /proc/self/status\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.parametrize("program", ["sudo", "su", "doas", "pkexec"])
def test_nobody_becomes_another_user_unless_it_is_allowed(cbx: Cbx, fake: str, program: str) -> None:
    refused = cbx.run(f"{program} true", env={"PATH": fake})
    assert (refused.status, refused.cause, refused.exit_code, refused.stdout) == ("failed", "denied", None, "")
    assert f"{program} cannot change the user at isolation guard" in refused.reason
    allowed = cbx.run(f"{program} true", env={"PATH": fake}, privileged=True)
    assert allowed.ok, str(allowed)
    assert allowed.isolation == "off"
    assert "started" in allowed.stdout
    guarded, privileged = cbx.run_all(
        [
            CommandConfig(name="plain", run=f"{program} true", line=0, env={"PATH": fake}),
            CommandConfig(name="privileged", run=f"{program} true", line=0, env={"PATH": fake}, privileged=True),
        ]
    )
    assert (guarded.cause, privileged.ok) == ("denied", True)


def test_cbx_run_and_pytest_refuse_it(tmp_path: Path, fake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path, {})
    monkeypatch.setenv("PATH", fake)
    done = run_cbx(project, "run", "--", "sudo true")
    assert done.returncode == 126
    assert "sudo cannot change the user at isolation guard" in done.stderr
    entry = "[[cbx.command]]\nname = '{name}'\nrun = 'sudo true > {name}'\n{more}\n"
    (project / "cbx.toml").write_text(
        entry.format(name="plain", more="") + entry.format(name="allowed", more="privileged = true")
    )
    process = start_pytest(project)
    out, _ = process.communicate(timeout=60)
    assert "sudo cannot change the user at isolation guard" in out
    assert not (project / "plain").exists()
    assert "started" in (project / "allowed").read_text()
    assert_nothing_left(project)


def test_a_program_that_gains_privileges_by_itself_does_not(cbx: Cbx) -> None:
    """One that the text does not name: the kernel sees to it (no_new_privs)."""
    assert run(cbx, "grep NoNewPrivs: /proc/self/status").stdout.split() == ["NoNewPrivs:", "1"]
