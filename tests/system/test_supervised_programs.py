"""Whole programs under a listener: every change is announced before it happens, whoever in the family makes it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_cbx.execute.kernel.seccomp import notification_sizes
from pytest_cbx.execute.supervision import decode
from pytest_cbx.execute.supervision.deeds import Deed, Trap
from tests.supervisor import Verdict, Watched, supervise


def _works() -> bool:
    try:
        notification_sizes()
    except OSError:
        return False
    return sys.platform == "linux"


pytestmark = pytest.mark.skipif(not _works(), reason="no seccomp notification here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(os.path.realpath(tmp_path))


def tree(folder: Path) -> dict[str, str]:
    """Every path below a folder, with what it is."""
    found = {}
    for base, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(base, name)
            found[str(path.relative_to(folder))] = (
                f"-> {os.readlink(path)}" if path.is_symlink() else "directory" if path.is_dir() else path.read_text()
            )
    return found


def announced(done: Watched, folder: Path) -> set[str]:
    """The paths below a folder that traps named."""
    paths = {path for trap in done.traps for path in (trap.path, trap.other) if path}
    return {os.path.relpath(os.fsdecode(path), folder) for path in paths if path.startswith(os.fsencode(folder) + b"/")}


BASH = """
set -e
mkdir -p a/b/c; mkdir -p a/b; echo one > a/f; echo two >> a/f; ln -s f a/l; echo three >> a/l; ln a/f a/h
cp a/f a/g; mv a/g a/b/moved; touch -d 2001-01-01 a/f; chmod 600 a/l; (cd a; echo sub > b/c/sub); rm -r a/b/c
exec 5> a/five; echo to five >&5; echo again > /dev/fd/5; for i in 1 2 3; do echo $i > loop$i & done; wait
cat <<END > here
text
END
mv a renamed; find renamed -name five -delete; ( ( echo late > late ) & ) ; sleep 0.3
"""

PERL = """
mkdir "d"; open F, ">d/f"; print F "x"; close F; rename "d/f", "g"; rmdir "d"; symlink "g", "l"; chmod 0600, "l";
utime 1, 2, "g"; link "g", "h"; unlink "g"; mkdir "e"
"""
BUSYBOX = "mkdir d; echo x > d/f; cp d/f g; mv g h; ln -s h l; sed -i s/x/y/ h; touch t"
PYTHON = """
import shutil, pathlib as p
p.Path('d/e').mkdir(parents=True); p.Path('d/e/f').write_text('x'); shutil.copytree('d', 'c'); shutil.move('c', 'm')
shutil.rmtree('d'); p.Path('m/e/f').chmod(0o600)
"""
PROGRAMS = [
    pytest.param(["bash", "-c", BASH], id="bash"),
    pytest.param(["perl", "-e", PERL], id="perl", marks=pytest.mark.needs("perl")),
    pytest.param(["busybox", "sh", "-c", BUSYBOX], id="static busybox", marks=pytest.mark.needs("busybox")),
    pytest.param([sys.executable, "-c", PYTHON], id="python"),
    pytest.param(["git", "init", "-q", "repository"], id="git", marks=pytest.mark.needs("git")),
]


@pytest.mark.parametrize("argv", PROGRAMS)
def test_nothing_is_there_that_was_not_announced(argv: list[str], folder: Path) -> None:
    bare, watched = folder / "bare", folder / "watched"
    bare.mkdir()
    watched.mkdir()
    subprocess.run(argv, cwd=bare, check=True, capture_output=True)
    done = supervise(argv, watched)
    assert done.exit_code == 0, done.output
    assert tree(watched) == tree(bare)
    new = {path.partition("/")[2] for path in announced(done, folder)}
    # What came along with a directory that was moved was announced under its old name.
    moved = {os.path.relpath(os.fsdecode(t.other), watched) for t in done.traps if t.tree and t.deed is Deed.RENAME}
    left = {p for p in tree(watched) if p not in new and not any(p.startswith(f"{m}/") for m in moved)}
    assert not left
    assert tree(watched)


def test_each_deed_comes_before_it_is_done(folder: Path) -> None:
    seen: list[tuple[str, bool]] = []

    def before(trap: Trap) -> Verdict:
        if trap.deed is not Deed.NONE:
            seen.append((os.path.basename(trap.path).decode(), os.path.lexists(trap.path)))
        return None

    supervise(["sh", "-c", "echo > new; mkdir d; rm new; rmdir d"], folder, before=before)
    assert seen == [("new", False), ("d", False), ("new", True), ("d", True)]


def test_what_is_refused_does_not_happen(folder: Path) -> None:
    def before(trap: Trap) -> Verdict:
        return errno.EACCES if trap.path.endswith(b"/no") else None

    done = supervise(["sh", "-c", "echo x > yes; echo x > no; mkdir no; ls"], folder, before=before)
    assert os.listdir(folder) == ["yes"]
    assert "Permission denied" in done.output


def test_threads_are_seen_each_by_its_own_number(folder: Path) -> None:
    script = (
        "import threading, os\n"
        "gate = threading.Barrier(4)\n"
        "def work(n):\n"
        "    gate.wait()\n"
        "    for i in range(20): open(f'f{n}-{i}', 'w').close()\n"
        "ts = [threading.Thread(target=work, args=(n,)) for n in range(4)]\n"
        "[t.start() for t in ts]; [t.join() for t in ts]\n"
    )
    done = supervise([sys.executable, "-c", script], folder)
    assert done.exit_code == 0, done.output
    written = [trap for trap in done.traps if trap.deed is Deed.WRITE]
    assert sorted(os.path.basename(trap.path) for trap in written) == sorted(
        b"f%d-%d" % (n, i) for n in range(4) for i in range(20)
    )
    assert len({trap.pid for trap in written}) == 4


def test_daemons_stay_under_the_listener(folder: Path) -> None:
    script = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(0.2); os.mkdir('by-the-daemon'); os.execvp('touch', ['touch', 'by-what-it-became'])\n"
        "    os._exit(0)\n"
    )
    done = supervise([sys.executable, "-c", script], folder)
    assert announced(done, folder) >= {"by-the-daemon", "by-what-it-became"}
    assert sorted(os.listdir(folder)) == ["by-the-daemon", "by-what-it-became"]


@pytest.mark.needs("go")
def test_a_static_program_in_go(folder: Path, builds: Path) -> None:
    source = folder / "main.go"
    source.write_text(
        "package main\n"
        'import ("os"; "sync"; "fmt")\n'
        "func main() {\n"
        "  var group sync.WaitGroup\n"
        "  for n := 0; n < 8; n++ {\n"
        "    group.Add(1)\n"
        "    go func(n int) {\n"
        "      defer group.Done()\n"
        '      d := fmt.Sprintf("d%d", n)\n'
        '      os.MkdirAll(d+"/e", 0o755); os.WriteFile(d+"/e/f", []byte(d), 0o644)\n'
        '      os.Rename(d+"/e/f", d+"/f"); os.Remove(d+"/e"); os.Symlink("f", d+"/l"); os.Chmod(d+"/l", 0o600)\n'
        "    }(n)\n"
        "  }\n"
        "  group.Wait()\n"
        "}\n"
    )
    environment = {**os.environ, "CGO_ENABLED": "0", "GOCACHE": str(builds / "go")}
    subprocess.run(["go", "build", "-o", "program", "main.go"], cwd=folder, env=environment, check=True)
    work = folder / "work"
    work.mkdir()
    done = supervise([str(folder / "program")], work)
    assert done.exit_code == 0, done.output
    assert tree(work) == {
        name: what
        for n in range(8)
        for name, what in ((f"d{n}", "directory"), (f"d{n}/f", f"d{n}"), (f"d{n}/l", "-> f"))
    }
    assert announced(done, work) == {f"d{n}{rest}" for n in range(8) for rest in ("", "/e", "/e/f", "/f", "/l")}


@pytest.mark.needs("gcc")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="about the other architectures of x86-64")
def test_calls_of_another_architecture_are_foreign(folder: Path) -> None:
    """`int 0x80` makes 32-bit calls from any program; 39 is `mkdir` there, and 0x40000000 marks x32."""
    (folder / "main.c").write_text(
        "#include <unistd.h>\n#include <sys/syscall.h>\n"
        "int main(void) {\n"
        "  long answer;\n"
        '  __asm__ volatile("int $0x80" : "=a"(answer) : "a"(39L), "b"("./foreign"), "c"(0755L) : "memory");\n'
        '  long other = syscall(0x40000000 | SYS_mkdir, "./x32", 0755);\n'
        "  return answer == 0 || other == 0;\n"
        "}\n"
    )
    subprocess.run(["gcc", "-static", "-no-pie", "-o", "program", "main.c"], cwd=folder, check=True)

    def before(trap: Trap) -> Verdict:
        return errno.ENOSYS if trap.deed is Deed.FOREIGN else None

    done = supervise([str(folder / "program")], folder, before=before)
    assert done.exit_code == 0
    assert [trap.deed for trap in done.traps] == [Deed.FOREIGN, Deed.FOREIGN]
    assert not (folder / "foreign").exists()
    assert not (folder / "x32").exists()


def test_reads_are_told_where_they_are_trapped(folder: Path) -> None:
    (folder / "f").write_text("x")
    (folder / "link").symlink_to("f")
    (folder / "d").mkdir()
    tool = folder / "tool"
    tool.write_text("#!/bin/sh\n:\n")
    tool.chmod(0o755)
    script = (
        "import os\n"
        "os.stat('link'); os.lstat('link'); os.access('f', 0); os.readlink('link'); open('link').read()\n"
        "os.listdir('d')\n"
        "for missing in ('none', 'no/where/f'):\n"
        "    os.path.exists(missing)\n"
        "fd = os.open('f', os.O_RDONLY); os.stat(fd); os.open('n', os.O_RDONLY | os.O_CREAT)\n"
        "os.open('n', os.O_RDONLY | os.O_CREAT); os.execv('./tool', ['tool'])\n"
    )
    done = supervise([sys.executable, "-I", "-S", "-c", script], folder, reads=True)
    assert done.exit_code == 0, done.output
    ours = {
        (trap.deed.value, os.path.relpath(os.fsdecode(trap.path), folder))
        for trap in done.traps
        if trap.path.startswith(os.fsencode(folder) + b"/")
    }
    # Some of Python's functions look at a file once more, or at a directory before they list it.
    assert ours - {("read", "d")} == {
        ("read", "f"),
        ("read", "link"),
        ("list", "d"),
        ("read", "none"),
        ("read", "no"),
        ("write", "n"),
        ("read", "n"),
        ("read", "tool"),
    }


def test_signals_and_ports(folder: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = (
        "import os, signal, socket, time\n"
        f"socket.socket().bind(('127.0.0.1', {port})); socket.socket(socket.AF_INET6).bind(('::1', {port}))\n"
        "child = os.fork()\n"
        "if not child: time.sleep(60)\n"
        "descriptor = os.pidfd_open(child)\n"
        "signal.pidfd_send_signal(descriptor, signal.SIGCONT); os.kill(child, signal.SIGTERM); os.wait()\n"
        "signal.signal(signal.SIGUSR1, signal.SIG_IGN); os.kill(0, signal.SIGUSR1); print(child, os.getpgid(0))\n"
    )
    done = supervise([sys.executable, "-c", script], folder)
    assert done.exit_code == 0, done.output
    child, group = (int(word) for word in done.output.split())
    assert [(t.deed, t.number) for t in done.traps if t.deed is Deed.BIND] == [(Deed.BIND, port)] * 2
    assert [(t.target, t.number) for t in done.traps if t.deed is Deed.SIGNAL] == [
        (child, signal.SIGCONT), (child, signal.SIGTERM), (-group, signal.SIGUSR1),
    ]  # fmt: skip


FLIP = """
import os, sys, threading
for name in "ab":
    os.mkdir(name)
    open(name + "/f", "w").close()
os.symlink("a", "link")
done = False
def flip(number):
    step = 0
    while not done:
        os.symlink("ab"[step % 2], f"new{number}")
        os.rename(f"new{number}", "link")
        step += 1
threads = [threading.Thread(target=flip, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
reached = []
for _ in range(int(sys.argv[1])):
    file = os.open("link/f", os.O_WRONLY)
    reached.append(os.readlink(f"/proc/self/fd/{file}")[-3])
    os.close(file)
done = True
for thread in threads:
    thread.join()
print("".join(reached))
"""


def test_a_link_that_flips_leads_to_what_was_announced(folder: Path) -> None:
    """Two threads let `link` lead to `a` and to `b` in turn, as fast as they can; a third opens `link/f` for writing."""
    done = supervise([sys.executable, "-c", FLIP, "5000"], folder)
    assert done.exit_code == 0, done.output
    told = [t.path[-3:-2].decode() for t in done.traps if t.deed is Deed.WRITE and t.path.endswith((b"/a/f", b"/b/f"))][
        2:
    ]
    assert len(told) == 5000
    assert "".join(told) == done.output.strip()
    assert {"a", "b"} <= set(told)
    assert sum(trap.structural for trap in done.traps) > 500


@pytest.mark.needs("gcc")
def test_an_open_never_reaches_the_file_that_another_thread_is_putting_there(folder: Path) -> None:
    """One thread renames files onto `f` as fast as it can, another opens `f`: what it opens is what was there when it asked."""
    (folder / "main.c").write_text(
        "#include <fcntl.h>\n#include <pthread.h>\n#include <stdio.h>\n#include <sys/stat.h>\n#include <unistd.h>\n"
        "static volatile int over;\n"
        "static void *replace(void *unused) {\n"
        '  while (!over) { close(open("new", O_CREAT | O_WRONLY, 0644)); rename("new", "f"); }\n'
        "  return unused;\n"
        "}\n"
        "int main(void) {\n"
        "  pthread_t thread; struct stat s;\n"
        '  close(open("f", O_CREAT | O_WRONLY, 0644));\n'
        "  pthread_create(&thread, 0, replace, 0);\n"
        "  for (int i = 0; i < 2000; i++) {\n"
        '    int d = open("f", O_RDWR);\n'
        "    if (d < 0 || fstat(d, &s)) return 1;\n"
        '    printf("%lu\\n", (unsigned long)s.st_ino); close(d);\n'
        "  }\n"
        "  over = 1; pthread_join(thread, 0); return 0;\n"
        "}\n"
    )
    subprocess.run(["gcc", "-O1", "-pthread", "-o", "program", "main.c"], cwd=folder, check=True)
    asked: list[str] = []

    def before(trap: Trap) -> Verdict:
        if trap.deed is Deed.WRITE and trap.path.endswith(b"/f"):
            asked.append(str(os.lstat(trap.path).st_ino) if os.path.exists(trap.path) else "")
        return None

    work = folder / "work"
    work.mkdir()
    done = supervise([str(folder / "program")], work, before=before)
    assert done.exit_code == 0
    assert done.output.split() == asked[1:]
    assert len(set(asked)) > 1  # it was replaced meanwhile


def test_a_caller_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(pid: int, address: int) -> bytes:
        raise PermissionError(errno.EPERM, f"memory of {pid} at {address}")

    monkeypatch.setattr(decode, "read_string", unreadable)

    def before(trap: Trap) -> Verdict:
        return errno.EACCES if trap.deed is Deed.UNREADABLE else None

    done = supervise(["mkdir", "d"], folder, before=before)
    assert done.exit_code == 1
    assert [trap.deed for trap in done.traps] == [Deed.UNREADABLE]
    assert os.listdir(folder) == []


def test_a_caller_that_is_killed_while_it_waits(folder: Path) -> None:
    def before(trap: Trap) -> Verdict:
        if trap.deed is Deed.CREATE:
            os.kill(trap.pid, signal.SIGKILL)
        return None

    done = supervise(["sh", "-c", "mkdir a; echo $? > code; rm code"], folder, before=before)
    assert done.exit_code == 0
    assert [trap.deed for trap in done.traps if trap.path.endswith(b"/code")] == [Deed.WRITE, Deed.REMOVE]


def test_paths_longer_than_a_path_may_be_are_not_guessed_at(folder: Path) -> None:
    script = (
        "import os\n"
        "for _ in range(20): os.mkdir('n' * 250); os.chdir('n' * 250)\n"
    )  # fmt: skip
    done = supervise([sys.executable, "-c", script], folder)
    deeds = [trap.deed for trap in done.traps if trap.call == "mkdir"]
    assert deeds[:14] == [Deed.CREATE] * 14
    assert Deed.UNREADABLE in deeds
    shutil.rmtree(folder)
