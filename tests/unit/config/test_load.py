"""Files to settings, and faulty files to problems with file, line and hint."""

from __future__ import annotations

import os
import pickle
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.config import keys
from pytest_cbx.config.load import load_settings, parse_settings
from pytest_cbx.config.model import (
    MEGABYTE,
    Batch,
    CommandConfig,
    Durability,
    Instances,
    Isolation,
    Limits,
    Phase,
    Policy,
    Priority,
    Rollback,
    Settings,
    Thresholds,
    Timeouts,
)
from pytest_cbx.errors import ConfigError, Problem
from pytest_cbx.severity import Severity
from pytest_cbx.tier import Tier

from .faulty import FAULTY, Faulty, command

GIB = 1 << 30


def parse(text: str, *, name: str = "cbx.toml", workspace: str = "/project", memory: int = GIB) -> Settings:
    return parse_settings(text, source=f"/project/{name}", shown=name, workspace=workspace, memory_total=lambda: memory)


def outcome(text: str) -> Settings | tuple[Problem, ...]:
    """The settings, or the problems."""
    try:
        return parse(text)
    except ConfigError as error:
        return error.problems


def problems(text: str, *, name: str = "cbx.toml") -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text, name=name)
    return caught.value.problems


@pytest.mark.parametrize("faulty", FAULTY, ids=[faulty.name for faulty in FAULTY])
def test_faulty_file(faulty: Faulty) -> None:
    found = problems(faulty.text)
    assert [problem.line for problem in found] == [faulty.line], "\n".join(map(str, found))
    said = str(found[0])
    assert said.startswith(f"cbx.toml:{faulty.line}: " if faulty.line else "cbx.toml: ")
    for word in faulty.words:
        assert word in said
    assert said.isprintable()


def test_faulty_files_have_names_of_their_own() -> None:
    assert len({faulty.name for faulty in FAULTY}) == len(FAULTY)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_several_problems_at_once_in_the_order_of_lines(line_end: str) -> None:
    text = command('needs = ["nobody"]\ntimeot = 3\ncpus = -1') + "[cbx.limits]\nspawn_rate = 0\n[cbx]\njobs = 99\n"
    assert [problem.line for problem in problems(text.replace("\n", line_end))] == [4, 5, 6, 8, 10]


def test_a_faulty_command_is_still_known_to_others() -> None:
    text = '[[cbx.command]]\nname = "a"\n[[cbx.command]]\nname = "b"\nrun = "x"\nneeds = ["a"]\n'
    assert [problem.line for problem in problems(text)] == [1]


def test_each_circle_is_named_once() -> None:
    pairs = {"a": "b", "b": "a", "c": "d", "d": "c", "e": "a", "f": "f"}
    text = "".join(f'[[cbx.command]]\nname = "{one}"\nrun = "x"\nneeds = ["{other}"]\n' for one, other in pairs.items())
    said = [problem.message for problem in problems(text)]
    assert len(said) == 3
    assert '"a" needs "b", "b" needs "a"' in said[0]
    assert '"c" needs "d", "d" needs "c"' in said[1]
    assert said[2] == 'command "f" needs itself'


def test_a_long_chain_of_needs_is_no_circle() -> None:
    count = 3000
    text = "".join(f'[[cbx.command]]\nname = "{n}"\nrun = "x"\nneeds = ["{n + 1}"]\n' for n in range(count))
    assert len(parse(text + f'[[cbx.command]]\nname = "{count}"\nrun = "x"\n').commands) == count + 1
    closed = problems(text + f'[[cbx.command]]\nname = "{count}"\nrun = "x"\nneeds = ["0"]\n')
    assert [problem.line for problem in closed] == [4]


def test_defaults() -> None:
    assert parse("") == parse("[cbx]\n") == Settings(source="/project/cbx.toml")
    bare = parse(command("")).commands
    assert bare == (CommandConfig(name="lint", run="ruff check .", line=1),)


def test_founding_figures() -> None:
    """Rows 20-22 of the founding documents' table of systems."""
    default = parse("")
    assert default.instances == Instances(
        safe_parallel_max=16,
        conditional_parallel_max=8,
        sequential_max=4,
        dangerous_isolated_max=2,
        total_capacity_max=30,
    )
    assert default.limits == Limits(
        memory_per_instance=512 * MEGABYTE,
        cpu_cores_per_instance=0.5,
        io_bandwidth=100 * MEGABYTE,
        network_connections_max=50,
        file_descriptors_max=1024,
        spawn_rate=10,
        safety_margin=0.1,
        preimage_bytes=4 * GIB,
    )
    assert default.timeouts == Timeouts(command=300, lock_acquisition=30, health_check=10, cleanup=60, recovery=120)
    assert default.thresholds == Thresholds(
        cpu_utilization_warning=0.8,
        memory_utilization_warning=0.85,
        error_rate_warning=0.05,
        latency_p95_warning_ms=1000,
        queue_depth_warning=100,
        cpu_utilization_critical=0.95,
        memory_utilization_critical=0.9,
        error_rate_critical=0.1,
    )
    assert default.shell == ("bash", "-eo", "pipefail", "-c")


def test_protected_roots_are_absolute() -> None:
    found = parse('[cbx]\nprotect = ["../data", "/srv/shared/", "x/../y", "../data"]\n')
    assert found.roots == ("/data", "/srv/shared", "/project/y")
    assert Settings(protect=("data",)).roots == (os.path.join(os.getcwd(), "data"),)


FULL = """
isolation = "off"
protect = ["/srv/shared", "../data"]
durability = "power"
shell = ["bash", "-c"]
jobs = 3
policy = "shortest-first"
batch = "kind"
discover = false
learn = false
deny = "warning"
[{0}.instances]
safe_parallel_max = 5
conditional_parallel_max = 4
sequential_max = 3
dangerous_isolated_max = 1
total_capacity_max = 6
[{0}.limits]
memory_per_instance = "25%"
cpu_cores_per_instance = 1
io_bandwidth = "1MB/s"
network_connections_max = 0
file_descriptors_max = 64
spawn_rate = 2.5
safety_margin = "12.5%"
preimage_bytes = "64MB"
[{0}.timeouts]
command = "1m30s"
lock_acquisition = 0.5
health_check = "500ms"
cleanup = 1
recovery = "2m"
[{0}.thresholds]
cpu_utilization_warning = "70%"
memory_utilization_warning = 0.6
error_rate_warning = 0
latency_p95_warning_ms = "2s"
queue_depth_warning = 7
cpu_utilization_critical = 1
memory_utilization_critical = "61%"
error_rate_critical = 0.2
[[{0}.command]]
name = "prepare"
run = "true"
[[{0}.command]]
name = "all of it"
run = '''
one
two
'''
cwd = "../data/x"
env = {{ A = "", "b c" = "1" }}
needs = ["prepare", "prepare"]
reads = ["src/**"]
writes = ["out/*", "/tmp/x"]
locks = ["db", "net:read"]
tier = "dangerous-isolated"
trust = true
allow = ["outside", "escalation", "outside"]
timeout = "1h"
retries = 2
priority = "deferred"
cpus = 2
memory = "1.5GB"
rollback = "never"
privileged = true
results = "reports/junit.xml"
tags = ["slow", "e2e"]
shards = 3
phase = "compile"
pool = "net"

[{0}.pools]
net = 2
"""


@pytest.mark.parametrize(("name", "table"), [("cbx.toml", "cbx"), ("pyproject.toml", "tool.cbx")])
def test_every_key_is_read(name: str, table: str) -> None:
    before = "" if name == "cbx.toml" else '[project]\nname = "x"\n'
    text = before + f"[{table}]" + FULL.format(table)
    found = parse(text, name=name)
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line == f"[[{table}.command]]"]
    assert found == Settings(
        source=f"/project/{name}",
        isolation=Isolation.OFF,
        protect=("/srv/shared", "../data"),
        durability=Durability.POWER,
        shell=("bash", "-c"),
        jobs=3,
        policy=Policy.SHORTEST_FIRST,
        learn=False,
        batch=Batch.KIND,
        pools={"net": 2},
        deny=Severity.WARNING,
        instances=Instances(
            safe_parallel_max=5,
            conditional_parallel_max=4,
            sequential_max=3,
            dangerous_isolated_max=1,
            total_capacity_max=6,
        ),
        limits=Limits(
            memory_per_instance=GIB // 4,
            cpu_cores_per_instance=1.0,
            io_bandwidth=MEGABYTE,
            network_connections_max=0,
            file_descriptors_max=64,
            spawn_rate=2.5,
            safety_margin=0.125,
            preimage_bytes=64 * MEGABYTE,
        ),
        timeouts=Timeouts(command=90, lock_acquisition=0.5, health_check=0.5, cleanup=1, recovery=120),
        thresholds=Thresholds(
            cpu_utilization_warning=0.7,
            memory_utilization_warning=0.6,
            error_rate_warning=0,
            latency_p95_warning_ms=2000,
            queue_depth_warning=7,
            cpu_utilization_critical=1,
            memory_utilization_critical=0.61,
            error_rate_critical=0.2,
        ),
        commands=(
            CommandConfig(name="prepare", run="true", line=lines[0]),
            CommandConfig(
                name="all of it",
                run="one\ntwo\n",
                line=lines[1],
                cwd="../data/x",
                env=MappingProxyType({"A": "", "b c": "1"}),
                needs=("prepare",),
                reads=("src/**",),
                writes=("out/*", "/tmp/x"),
                locks=("db", "net:read"),
                tier=Tier.DANGEROUS_ISOLATED,
                trust=True,
                allow=("outside", "escalation"),
                timeout=3600,
                retries=2,
                priority=Priority.DEFERRED,
                cpus=2,
                memory=1536 * MEGABYTE,
                rollback=Rollback.NEVER,
                privileged=True,
                results="reports/junit.xml",
                tags=("slow", "e2e"),
                shards=3,
                phase=Phase.COMPILE,
                pool="net",
            ),
        ),
    )


def test_the_full_example_has_every_key_of_the_model() -> None:
    readers = {**keys.GENERAL, **keys.command(lambda: 0)}
    for section in keys.sections(lambda: 0).values():
        readers |= section
    assert [key for key in readers if f"\n{key} = " not in FULL] == []


def test_model_and_readers_have_the_same_keys() -> None:
    own = {"source", "commands", "rollback", keys.PROFILES, keys.POOLS, *keys.SECTIONS}
    assert set(keys.GENERAL) == {field.name for field in fields(Settings)} - own
    assert set(keys.command(lambda: 0)) == {field.name for field in fields(CommandConfig)} - {"line", "whole"}
    for section, model in zip(keys.SECTIONS, (Instances, Limits, Timeouts, Thresholds), strict=True):
        assert list(keys.sections(lambda: 0)[section]) == [field.name for field in fields(model)]


@pytest.mark.parametrize("spelling", ["SEQUENTIAL_REQUIRED", "sequential-required", "sequential"])
def test_tier_spellings(spelling: str) -> None:
    assert parse(command(f'tier = "{spelling}"')).commands[0].tier is Tier.SEQUENTIAL_REQUIRED
    assert parse(command('tier = "auto"')).commands[0].tier is None


def test_a_smaller_total_lowers_the_caps_that_are_not_named() -> None:
    found = parse("[cbx.instances]\ntotal_capacity_max = 3\nconditional_parallel_max = 2\n").instances
    assert found == Instances(
        safe_parallel_max=3,
        conditional_parallel_max=2,
        sequential_max=3,
        dangerous_isolated_max=2,
        total_capacity_max=3,
    )


def test_jobs_up_to_the_total_that_the_file_names() -> None:
    assert parse("[cbx]\njobs = 40\n[cbx.instances]\ntotal_capacity_max = 40\n").jobs == 40


@pytest.mark.parametrize("cwd", [".", "src", "src/..", "/project/src", "./a/../b"])
def test_cwd_inside_the_workspace(cwd: str) -> None:
    assert parse(command(f'cwd = "{cwd}"')).commands[0].cwd == cwd


def test_cwd_may_leave_the_file_s_folder_when_the_workspace_is_wider() -> None:
    assert parse(command('cwd = "../other"'), workspace="/").commands[0].cwd == "../other"


def test_memory_share_asks_for_the_machine_only_when_written() -> None:
    def never() -> int:
        raise AssertionError("asked")

    parse_settings(command('memory = "64MB"'), source="/p/cbx.toml", shown="x", workspace="/p", memory_total=never)
    assert parse(command('memory = "50%"'), memory=4 * GIB).commands[0].memory == 2 * GIB


def test_inline_commands_have_lines() -> None:
    text = '[cbx]\ncommand = [\n  { name = "a", run = "x" },\n  { name = "b", run = "x", timeout = "no" },\n]\n'
    assert [problem.line for problem in problems(text)] == [4]


def test_pyproject_without_our_table() -> None:
    found = problems('[project]\nname = "x"\n', name="pyproject.toml")
    assert "no [tool.cbx] table" in found[0].message


def test_pyproject_titles() -> None:
    said = [
        str(problem)
        for problem in problems("[tool.cbx]\nspawn_rate = 3\n[tool.cbx.limits]\njobs = 3\n", name="pyproject.toml")
    ]
    assert said == [
        "pyproject.toml:2: unknown key `spawn_rate` in [tool.cbx] (it belongs in [tool.cbx.limits])",
        "pyproject.toml:4: unknown key `jobs` in [tool.cbx.limits] (it belongs in [tool.cbx])",
    ]


# --- files -----------------------------------------------------------------------------------------


def file_problem(path: Path, workspace: Path | None = None) -> Problem:
    with pytest.raises(ConfigError) as caught:
        load_settings(path, workspace=workspace)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def test_load_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "cbx.toml"
    path.write_text("\ufeff" + command('memory = "50%"'), encoding="utf-8")
    found = load_settings(path, memory_total=2 * GIB)
    assert found.source == str(path)
    assert found.commands[0].memory == GIB
    machine = load_settings(path).commands[0].memory
    assert machine is not None
    assert machine > MEGABYTE


def test_missing_file(tmp_path: Path) -> None:
    problem = file_problem(tmp_path / "cbx.toml")
    assert (problem.line, problem.file) == (0, "cbx.toml")
    assert "no such file" in problem.message


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    assert "folder" in file_problem(tmp_path).message


def test_file_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be read" in file_problem(tmp_path / "file" / "cbx.toml").message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "cbx.toml"
    path.touch(mode=0)
    problem = file_problem(path)
    assert "cannot be read" in problem.message
    assert "permissions" in problem.hint


def test_unreadable_file_even_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pytest_cbx.config.load.open", refuse, raising=False)
    assert (
        str(file_problem(tmp_path / "cbx.toml"))
        == "cbx.toml: cannot be read: Permission denied (check its permissions)"
    )


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "cbx.toml"
    path.write_bytes(b"[cbx]\n# caf\xe9\n")
    problem = file_problem(path)
    assert problem.line == 2
    assert "0xe9" in problem.message


def test_names_in_problems(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "checks.toml"
    path.write_text("jobs = 1\n")
    assert file_problem(path).file == "checks.toml"
    assert file_problem(path, workspace=tmp_path).file == "sub/checks.toml"
    assert file_problem(path, workspace=tmp_path / "other").file == str(path)


def test_errors_pickle() -> None:
    error = ConfigError(problems("jobs = 1\n"))
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


# --- any text at all -------------------------------------------------------------------------------

FRAGMENTS = [
    *(
        "[cbx]\n",
        "[tool.cbx]\n",
        "[[cbx.command]]\n",
        "[cbx.limits]\n",
        "[cbx.command.env]\n",
        "[cbx.command]\n",
        "\n",
        " ",
        "#x\n",
    ),
    *(
        f"{key} = "
        for key in (
            "name",
            "run",
            "needs",
            "timeout",
            "memory",
            "tier",
            "jobs",
            "shell",
            "locks",
            "tags",
            "cwd",
            "command",
        )
    ),
    *(
        '"a"\n',
        '"b"\n',
        '["a", "b"]\n',
        "[3]\n",
        "3\n",
        "-1\n",
        "0.5\n",
        "inf\n",
        "nan\n",
        "true\n",
        '"20%"\n',
        '"2s"\n',
        "1979-05-27\n",
    ),
    *(
        '{ A = "1" }\n',
        "{}\n",
        '"""',
        "'''",
        '"',
        "'",
        "[",
        "]",
        "{",
        "}",
        ",",
        "=",
        ".",
        "\\",
        "\\u0000",
        "\x00",
        "\x1b",
        "é",
        "\r\n",
    ),
]


@given(st.one_of(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join), st.text(max_size=60)))
def test_any_text_gives_settings_or_a_config_error(text: str) -> None:
    found = outcome(text)
    if isinstance(found, tuple):
        assert found
        assert [problem.line for problem in found] == sorted(problem.line for problem in found)
        for problem in found:
            assert str(problem).isprintable()
            assert 0 <= problem.line <= text.count("\n") + 1


@given(
    table=st.sampled_from(["cbx", "cbx.instances", "cbx.limits", "cbx.timeouts", "cbx.thresholds", "command"]),
    value=st.sampled_from(
        [
            "true",
            "-1",
            "0",
            "1e300",
            "''",
            "[]",
            "{}",
            "[[]]",
            "[{}]",
            "07:32:00",
            "'\\'",
            "'2s'",
            "'9e9GB'",
            '"\\u009b"',
        ]
    ),
    data=st.data(),
)
def test_any_key_with_any_value(table: str, value: str, data: st.DataObject) -> None:
    readers = {"cbx": keys.GENERAL, "command": keys.command(lambda: GIB)} | {
        f"cbx.{section}": found for section, found in keys.sections(lambda: GIB).items()
    }
    key = data.draw(st.sampled_from(sorted(readers[table])))
    given_name = "" if key == "name" else 'name = "n"\n'
    given_run = "" if key == "run" else 'run = "r"\n'
    text = (
        f"[[cbx.command]]\n{given_name}{given_run}{key} = {value}\n"
        if table == "command"
        else f"[{table}]\n{key} = {value}\n"
    )
    line = text.count("\n")
    found = outcome(text)
    if isinstance(found, tuple):
        assert [problem.line for problem in found] == [line] * len(found)
        assert all(f"`{key}`" in problem.message and problem.message.isprintable() for problem in found)
