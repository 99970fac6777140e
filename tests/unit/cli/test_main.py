"""How calls of `cbx` end: exit codes, messages, JSON."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.cli import main as cli
from pytest_cbx.cli import plan as plan_command
from pytest_cbx.cli import run as run_command
from pytest_cbx.client.jobs import Job
from pytest_cbx.client.runner import Runner
from pytest_cbx.errors import CbxError, EngineLost, InternalError
from pytest_cbx.plan.model import Plan, Pool

KEYS = ["command", "tier", "reasons", "effects", "claims", "findings", "parts", "estimate", "learned", "differences"]
EFFECTS = ["reads", "writes", "creates", "deletes", "ports", "network", "processes", "unknown"]


@pytest.fixture
def place(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as the current directory."""
    monkeypatch.chdir(project)
    return project


def call(*arguments: str) -> int:
    try:
        return cli.main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("explain",),
        ("explain", " "),
        ("explain", "a", "b"),
        ("explain", "--stdin0"),
        ("explain", "--stdin0", "--json", "ls"),
        ("explain", "--cwd", "nowhere", "ls"),
        ("explain", "--deny", "grave", "ls"),
        ("explain", "-", "ls"),
        ("plan", "--deny", "grave"),
        ("run", "--deny", "grave", "--", "true"),
        ("plan", "--nonsense"),
        ("plan", "--config", "nowhere.toml"),
        ("plan",),
        ("run",),
        ("run", "--", " "),
        ("run", "--timeout", "soon", "--", "true"),
        ("run", "--isolation", "jail", "--", "true"),
        ("run", "--isolation", "off", "--rollback", "always", "--", "true"),
        ("run", "--tier", "FAST", "--", "true"),
        ("run", "--workspace", "nowhere", "--", "true"),
    ],
)
def test_wrong_calls_end_with_4_and_say_so(
    place: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert call(*arguments) == 4
    out, err = capfd.readouterr()
    assert out == ""
    assert "cbx: " in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments", [("--help",), ("explain", "--help"), ("run", "-h"), ("doctor", "-h"), ("--version",)]
)
def test_help_is_no_error(capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert call(*arguments) == 0
    assert "cbx" in capfd.readouterr().out


def test_mistakes_in_the_configuration_end_with_4_and_their_lines(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (place / "cbx.toml").write_text("[cbx]\njbos = 3\n\n[[cbx.command]]\nname = 'a'\nrun = 'true'\nneeds = ['b']\n")
    for command in ("plan", "doctor"):
        assert call(command) == 4
        lines = capfd.readouterr().err.splitlines()
        assert len(lines) == 2
        assert all(line.startswith("cbx: ") and "cbx.toml:" in line for line in lines)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (EngineLost("the engine ended"), 125, "cbx: the engine ended"),
        (CbxError("no"), 125, "cbx: no"),
        (PermissionError(13, "Permission denied", "x"), 125, "Permission denied"),
        (InternalError("odd"), 3, "please report it: odd"),
        (ZeroDivisionError("odd"), 3, "please report it with these lines"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_how_errors_end(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    def fail(arguments: object) -> int:
        raise error

    monkeypatch.setattr(plan_command, "main", fail)
    assert call("plan") == code
    assert said in capfd.readouterr().err


def test_a_reader_that_goes_away_is_no_error_of_ours(place: Path) -> None:
    texts = b"cat a b c\0" * 3000
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest_cbx.cli.main", "explain", "--json", "--stdin0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    with process.stdin, process.stdout, process.stderr:
        process.stdout.close()
        process.stdin.write(texts)
        process.stdin.close()
        assert process.stderr.read() == b""
    assert process.wait() == 141


def test_a_closed_standard_output_is_no_bug(place: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"exec '{sys.executable}' -m pytest_cbx.cli.main explain ls >&-"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "bug" not in done.stderr


@pytest.mark.parametrize("call_text", ["plan --json 2>&-", "plan --json <&-"])
def test_messages_never_go_where_the_answer_goes(place: Path, call_text: str) -> None:
    (place / "cbx.toml").write_text("[[cbx.command]]\nname = 'a'\nrun = 'true'\n")
    done = subprocess.run(
        ["bash", "-c", f"exec '{sys.executable}' -m pytest_cbx.cli.main {call_text}"], capture_output=True, check=False
    )
    assert done.returncode == 0
    json.loads(done.stdout)


def test_a_current_directory_that_is_gone_is_told(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def gone() -> str:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(os, "getcwd", gone)
    assert call("explain", "ls") == 125
    assert "the current directory cannot be used: No such file or directory" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("data", "commands"),
    [
        (b"", []),
        (b"ls\0", ["ls"]),
        (b"ls", ["ls"]),
        (b"ls\0rm -rf x", ["ls", "rm -rf x"]),
        (b"b\0a\0b\0", ["b", "a", "b"]),
        (b"\0", [""]),
        (b"ls\0\0pwd\0", ["ls", "", "pwd"]),
        (b"echo a\necho b\0", ["echo a\necho b"]),
        (b"cat \xff\0ls\0", ["cat \ufffd", "ls"]),
        (b"if then\0\x01\x02\0((((\0", ["if then", "\x01\x02", "(((("]),
        ("echo ünïcode ☃\0".encode(), ["echo ünïcode ☃"]),
        (b"\xed\xa0\x80\0", ["\ufffd\ufffd\ufffd"]),
    ],
)
def test_one_complete_object_a_command_in_order(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    data: bytes,
    commands: list[str],
) -> None:
    feed(monkeypatch, data)
    assert call("explain", "--json", "--stdin0") == 0
    values = [json.loads(line) for line in capfdbinary.readouterr().out.split(b"\n")[:-1]]
    assert [value["command"] for value in values] == commands
    for value in values:
        assert list(value) == KEYS
        assert list(value["effects"]) == EFFECTS
        assert all(isinstance(entries, list) for entries in value["effects"].values())
        assert value["reasons"]


def test_many_commands_keep_their_order(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    feed(monkeypatch, b"".join(b"echo %d\0" % number for number in range(2500)))
    assert call("explain", "--json", "--stdin0") == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert [json.loads(line)["command"] for line in lines] == [f"echo {number}" for number in range(2500)]


def test_explain_for_people(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "sub").mkdir()
    assert call("explain", "--cwd", "sub", "rm -rf build; absent-program") == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("DANGEROUS_ISOLATED  ")
    assert lines[2:5] == [
        "  rm -rf build; absent-program",
        "         ━━━━━  ━━━━━━━━━━━━━━",
        "         │      ╰ the program absent-program is not in the catalogue: it may do anything",
    ]
    assert any(line.split() == ["deletes", "sub/build/**"] for line in lines)
    assert any("absent-program" in line and "catalogue" in line for line in lines)


def test_explain_shows_bytes_that_are_no_text(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert call("explain", os.fsdecode(b"cat \xff")) == 0
    assert "cat \ufffd" in capfd.readouterr().out


def test_plan(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "cbx.toml").write_text(
        "[[cbx.command]]\nname = 'make'\nrun = 'echo 1 > x'\n[[cbx.command]]\nname = 'use'\nrun = 'cat x'\n"
    )
    assert call("plan", "--json") == 0
    out, err = capfd.readouterr()
    value = json.loads(out)
    assert [command["name"] for command in value["commands"]] == ["make", "use"]
    assert [(edge["before"], edge["after"], edge["kind"]) for edge in value["edges"]] == [("make", "use", "conflict")]
    assert "planned 2 commands in" in err
    assert call("plan") == 0
    assert "make → use" in capfd.readouterr().out


def test_a_run_is_in_its_batch(place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Seen(Runner):
        def submit(self, jobs: Sequence[Job], plan: Plan, **more: Any) -> list[int]:
            pools.extend(one.pool for one in plan.commands)
            return super().submit(jobs, plan, **more)

    pools: list[Pool | None] = []
    monkeypatch.setattr(run_command, "Runner", Seen)
    (place / "cbx.toml").write_text('[cbx]\nbatch = "kind"\n[cbx.pools]\nstatus = 1\n')
    assert call("run", "--", "uname") == 0, capfd.readouterr().err
    assert pools == [Pool("status", 1)]


def test_doctor(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "cbx.toml").write_text("[[cbx.command]]\nname = 'a'\nrun = 'absent-program; cat x'\n")
    assert call("doctor") == 0
    text = capfd.readouterr().out
    assert "isolation" in text
    assert "missing: absent-program" in text
    assert call("doctor", "--json") == 0
    value = json.loads(capfd.readouterr().out)
    assert {tool["name"]: tool["path"] is None for tool in value["tools"]} == {"absent-program": True, "cat": False}


def test_a_call_imports_only_what_it_needs(place: Path) -> None:
    script = "import sys; from pytest_cbx.cli.main import main; main(['explain', '--json', 'ls']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = set(done.stdout.splitlines()[-1].split())
    assert "pytest_cbx.cli.explain" in modules
    assert not {"rich", "pytest", "pytest_cbx.cli.doctor", "pytest_cbx.cli.run", "pytest_cbx.engine.client"} & modules
