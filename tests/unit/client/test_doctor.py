"""The doctor's judgements that need no other program."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from pytest_cbx.client import doctor
from pytest_cbx.errors import UsageError
from pytest_cbx.execute.kernel.facts import Facility


def test_a_second_reader_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "bashlex_parse", lambda: None)
    report = make_report(versions=(doctor.second_reader(),))
    assert "second reader      not found" in doctor.render(report)


def make_report(**changes: object) -> doctor.Report:
    values: dict[str, object] = {
        "version": "1.2",
        "system": "Linux 6",
        "workspace": "/project",
        "isolation": "off",
        "isolation_reason": "why",
        "fast_path": True,
        "kernel": (
            Facility(name="Landlock", there=True, detail="ABI 4"),
            Facility(name="pidfd", there=False, detail="gone"),
        ),
        "cores": doctor.Cores(usable=1.5, online=8, affinity=4, quota=1.5),
        "memory": doctor.Memory(usable=3 << 30, total=8 << 30, available=1 << 30, limit=3 << 30),
        "disk": doctor.Disk(free=1536 << 30, total=2 << 40),
        "descriptors": doctor.Descriptors(soft=1024, hard=4096),
        "runtime": doctor.RuntimeDirectory(path="/run/user/7", usable=True, detail="writable"),
        "versions": (doctor.Version(name="git", version="git version 2", path="/bin/git"),),
        "tools": (doctor.Tool(name="ruff", path="/bin/ruff"), doctor.Tool(name="nox", path=None)),
    }
    return msgspec.convert(msgspec.to_builtins(values | changes), doctor.Report)


def test_render() -> None:
    assert doctor.render(make_report()).splitlines() == [
        "pytest-cbx         1.2 on Linux 6",
        "work tree          /project",
        "isolation          off: why",
        "fast path          built",
        "cores              1.5 usable (8 online, 4 in the affinity mask, quota 1.5)",
        "memory             3GB usable, 1GB available (limit 3GB)",
        "disk               1.5TB free of 2TB",
        "descriptors        1024 (at most 4096)",
        "runtime directory  /run/user/7 (writable)",
        "git                git version 2 (/bin/git)",
        "kernel",
        "  Landlock  yes: ABI 4",
        "  pidfd     no: gone",
        "tools of the commands",
        "  ruff  /bin/ruff",
        "  nox   not found",
        "missing: nox - commands that need them may be skipped",
    ]


def test_render_without_limits_and_tools() -> None:
    text = doctor.render(
        make_report(
            cores=doctor.Cores(usable=2, online=2, affinity=2, quota=None),
            memory=doctor.Memory(usable=1, total=1, available=1, limit=None),
            versions=(
                doctor.Version(name="git", version=None, path=None),
                doctor.Version(name="bash", version=None, path="/b"),
            ),
            tools=(),
        )
    )
    assert "no quota" in text
    assert "no limit" in text
    assert "git                not found" in text
    assert "bash               version unknown (/b)" in text
    assert "tools" not in text


def test_a_report_survives_json() -> None:
    report = make_report()
    assert msgspec.json.decode(msgspec.json.encode(report), type=doctor.Report) == report
    assert report.missing == ("nox",)


def program(path: Path, mode: int = 0o755) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_find_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    there = program(tmp_path / "bin" / "there")
    program(tmp_path / "bin" / "data", 0o644)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert doctor.find_tool("there", tmp_path) == str(there)
    assert doctor.find_tool("./bin/there", tmp_path) == str(there)
    assert doctor.find_tool("bin/../bin/there", tmp_path) == str(there)
    for name in ("data", "bin/data", "./bin", "nowhere", "./nowhere"):
        assert doctor.find_tool(name, tmp_path) is None


def test_runtime_directory(tmp_path: Path) -> None:
    assert doctor.runtime_directory(tmp_path).usable
    assert not doctor.runtime_directory(tmp_path / "nothing").usable
    (tmp_path / "file").touch()
    assert "no folder" in doctor.runtime_directory(tmp_path / "file").detail
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert "sticky" in doctor.runtime_directory(tmp_path / "open").detail
    (tmp_path / "open").chmod(0o1777)
    assert doctor.runtime_directory(tmp_path / "open").usable


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_runtime_directory_that_is_not_ours(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert doctor.runtime_directory(tmp_path).detail == "not writable"


def test_default_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert doctor.default_runtime() == tmp_path
    for unusable in ("relative", str(tmp_path / "nothing"), ""):
        monkeypatch.setenv("XDG_RUNTIME_DIR", unusable)
        assert doctor.default_runtime().is_dir()
        assert doctor.default_runtime() != tmp_path


def test_a_workspace_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing cannot be examined"):
        doctor.examine(tmp_path / "nothing")
