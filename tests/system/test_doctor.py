"""The doctor on this machine, with real programs."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import msgspec
import pytest

from pytest_cbx.client import doctor
from pytest_cbx.execute.ladder import probe


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_examine(tmp_path: Path) -> None:
    report = doctor.examine(tmp_path, tools=("bash", "cd", "no-such-program", "bash"))
    assert [tool.name for tool in report.tools] == ["bash", "no-such-program"]
    assert report.missing == ("no-such-program",)
    assert (report.isolation, report.isolation_reason) == (probe().level, probe().reason)
    assert f"{probe().level}: {probe().reason}" in doctor.render(report)
    assert 0 < report.cores.usable <= report.cores.affinity
    assert 0 < report.memory.available <= report.memory.usable <= report.memory.total
    assert 0 <= report.disk.free <= report.disk.total
    assert 0 < report.descriptors.soft <= report.descriptors.hard
    versions = {each.name: each for each in report.versions}
    assert versions["python"].path == sys.executable
    assert versions["second reader"].version == f"bashlex {metadata.version('bashlex')}"
    for name in ("bash", "git"):
        said = versions[name].version
        assert said is not None
        assert name in said.lower()
    assert msgspec.json.decode(msgspec.json.encode(report), type=doctor.Report) == report
    assert "no-such-program" in doctor.render(report)


def test_version_of_odd_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    script(tmp_path / "silent", ":")
    script(tmp_path / "failing", "echo 1.0; exit 3")
    script(tmp_path / "chatty", "echo '  chatty 1.0 '; echo more")
    (tmp_path / "broken").write_bytes(b"\x7fELF")
    (tmp_path / "broken").chmod(0o755)
    said = {name: doctor.program_version(name).version for name in ("silent", "failing", "chatty", "broken", "absent")}
    assert said == {"silent": None, "failing": None, "chatty": "chatty 1.0", "broken": None, "absent": None}
    assert doctor.program_version("absent").path is None
    assert doctor.program_version("silent").path == str(tmp_path / "silent")


def test_version_of_a_program_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_VERSION_SECONDS", 0.2)
    script(tmp_path / "slow", "exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert doctor.program_version("slow").version is None
