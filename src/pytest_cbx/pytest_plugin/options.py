"""Options, their ini twins, and the settings that come of them and the configuration file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cbx.client.isolation import Rung, check_rollback, reach
from pytest_cbx.config.locate import find_config, find_workspace
from pytest_cbx.config.model import Settings
from pytest_cbx.errors import CbxError, UsageError


def add_options(parser: pytest.Parser) -> None:
    """Register every option and its ini twin."""
    group = parser.getgroup("cbx", "run the project's shell commands as items (pytest-cbx)")
    group.addoption(
        "--cbx-parallel",
        action="store_true",
        default=None,
        help="run the commands at once, as far as they do not conflict",
    )
    group.addoption(
        "--cbx-config",
        metavar="PATH",
        help="take the commands from this file (default: cbx.toml, or [tool.cbx] in pyproject.toml)",
    )
    group.addoption(
        "--cbx-discover",
        action="store_true",
        default=None,
        help="add the commands that the project's frameworks declare",
    )
    group.addoption(
        "--cbx-profile",
        metavar="NAME",
        help="take the commands of this environment only: development, staging, production, or one of [cbx.profiles]",
    )
    group.addoption("--cbx-jobs", metavar="N", help="run at most N commands at once (default: from the machine)")
    group.addoption("--cbx-isolation", metavar="LEVEL", help="auto, off, guard or serializable")
    group.addoption("--cbx-rollback", metavar="WHEN", help="auto, never, on-crash, on-failure or always")
    group.addoption(
        "--cbx-report", metavar="DIR", help="write events.jsonl, summary.json and trace.json (Perfetto) there"
    )
    group.addoption(
        "--cbx-explain",
        action="store_true",
        default=None,
        help="say what each command would touch and wait for; run nothing",
    )
    group.addoption(
        "--cbx-deny",
        metavar="SEVERITY",
        help="refuse commands with a finding of this severity or a graver one: notice, warning or critical (off: none)",
    )
    group.addoption(
        "--cbx-strict",
        action="store_true",
        default=None,
        help="a tool that is not installed fails its command instead of skipping it",
    )
    group.addoption("--cbx-shard", metavar="I/N", help="take the I-th of N parts of the tests")
    group.addoption("--cbx-chaos-seed", metavar="N", help="seed of chaos campaigns (default: 1)")
    group.addoption(
        "--cbx-gate",
        action="store_true",
        default=None,
        help="fail unless all six criteria of the chaos suite pass",
    )
    parser.addini("cbx_shard", "take the I-th of N parts of the tests: I/N", default="")
    parser.addini("cbx_chaos_seed", "seed of chaos campaigns", default="")
    parser.addini("cbx_gate", "fail unless all six criteria of the chaos suite pass", type="bool", default=False)
    parser.addini("cbx_parallel", "run the commands at once", type="bool", default=False)
    parser.addini("cbx_config", "file with the commands", default="")
    parser.addini("cbx_discover", "add the commands of the frameworks found", type="bool", default=False)
    parser.addini("cbx_profile", "take the commands of this environment only", default="")
    parser.addini("cbx_jobs", "at most this many commands at once", default="")
    parser.addini("cbx_isolation", "auto, off, guard or serializable", default="")
    parser.addini("cbx_rollback", "auto, never, on-crash, on-failure or always", default="")
    parser.addini("cbx_report", "directory for events.jsonl, summary.json and trace.json", default="")
    parser.addini("cbx_explain", "explain instead of running", type="bool", default=False)
    parser.addini("cbx_deny", "refuse commands with such a finding: notice, warning, critical or off", default="")
    parser.addini("cbx_strict", "a missing tool is a failure", type="bool", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What this run was asked for."""

    settings: Settings
    root: Path
    """The work tree whose engine serves this run."""
    file: Path | None
    """The configuration file, if there is one."""
    folder: Path
    """What the commands' `cwd` is relative to, and where frameworks are looked for."""
    rung: Rung
    parallel: bool
    explain: bool
    strict: bool
    report: Path | None
    notes: tuple[str, ...]
    """For the header."""
    gate: bool
    chaos_seed: int
    profile: str | None
    """The environment whose commands are taken; None: all."""

    @property
    def node(self) -> Path:
        """What the commands' node ids begin with: the configuration file, or where it would be."""
        return self.file or self.folder / "cbx.toml"


def read_options(config: pytest.Config) -> Options:
    """Command line, ini file and configuration file together.

    Raises:
        pytest.UsageError: any of them is wrong; pytest then exits with 4 and nothing runs.
    """
    try:
        return _read(config)
    except CbxError as error:
        raise pytest.UsageError(str(error)) from error


def _read(config: pytest.Config) -> Options:
    file = _find_file(config)
    root = _root(config, file)
    settings = _settings(config, file, root)
    rung = reach(settings.isolation)
    note = check_rollback(settings.rollback, rung)
    report = _text(config, "cbx_report")
    return Options(
        settings=settings,
        root=root,
        file=file,
        folder=file.parent if file else config.rootpath if settings.discover else root,
        rung=rung,
        parallel=_flag(config, "cbx_parallel"),
        explain=_flag(config, "cbx_explain"),
        strict=_flag(config, "cbx_strict"),
        report=config.invocation_params.dir / report if report else None,
        notes=(note,) if note else (),
        gate=_flag(config, "cbx_gate"),
        chaos_seed=_seed(_text(config, "cbx_chaos_seed")),
        profile=_text(config, "cbx_profile"),
    )


def _seed(text: str | None) -> int:
    if text is None:
        return 1
    if not text.isdecimal() or len(text) > 18:
        raise UsageError(f"--cbx-chaos-seed is {text!r}; it has to be a whole number from 0 on")
    return int(text)


def _settings(config: pytest.Config, file: Path | None, root: Path) -> Settings:
    settings = Settings()
    if file is not None:
        # Imported here because a session without commands should not pay for it.
        from pytest_cbx.config.load import load_settings  # noqa: PLC0415
        from pytest_cbx.execute.machine import measure  # noqa: PLC0415

        settings = load_settings(file, workspace=root, memory_total=measure().memory)
    names = ("cbx_jobs", "cbx_isolation", "cbx_rollback", "cbx_deny")
    jobs, isolation, rollback, deny = (_text(config, name) for name in names)
    discover = _flag(config, "cbx_discover") or None
    if jobs or isolation or rollback or deny or discover:
        from pytest_cbx.config.override import override  # noqa: PLC0415

        settings = override(settings, jobs=jobs, isolation=isolation, rollback=rollback, deny=deny, discover=discover)
    return settings


def _find_file(config: pytest.Config) -> Path | None:
    named = _text(config, "cbx_config")
    if named:
        path = config.invocation_params.dir / named
        return path if path.exists() else config.rootpath / named
    # From where pytest was called up to its rootdir: a project inside a larger repository has its own commands.
    folder = config.invocation_params.dir
    while True:
        found = find_config(folder)
        if found is not None:
            return found
        if folder == config.rootpath or config.rootpath not in folder.parents:
            return find_config(config.rootpath)
        folder = folder.parent


def _root(config: pytest.Config, file: Path | None) -> Path:
    if file is not None and not _text(config, "cbx_config"):
        return file.parent
    return find_workspace(config.rootpath) if file is None else config.rootpath


def _text(config: pytest.Config, name: str) -> str | None:
    value = config.getoption(name) or config.getini(name)
    return str(value) if value else None


def _flag(config: pytest.Config, name: str) -> bool:
    return bool(config.getoption(name) or config.getini(name))
