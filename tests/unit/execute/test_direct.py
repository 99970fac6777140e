"""A plain text is started without a shell; whoever it is started for cannot tell."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_cbx.execute.direct import without_shell

SHELL = (b"bash", b"-eo", b"pipefail", b"-c")
PLAIN = {b"PATH": os.environb[b"PATH"]}


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {b"SHLVL": b"3"},
        {b"SHLVL": b"007"},
        {b"SHLVL": b"x"},
        {b"PWD": b"/nowhere"},
        {b"PWD": b"relative"},
        {b"OLDPWD": b"/tmp"},
        {b"OLDPWD": b"/nowhere"},
        {b"_": b"something", b"a-b": b"c", b"HOME": b"\xff"},
    ],
    ids=lambda extra: " ".join(repr(name) for name in extra) or "nothing more",
)
def test_the_environment_is_that_of_a_program_behind_bash(tmp_path: Path, extra: dict[bytes, bytes]) -> None:
    os.chdir(tmp_path)
    environment = PLAIN | extra
    expected = subprocess.run([*SHELL, "env -0"], env=environment, stdout=subprocess.PIPE, check=True).stdout
    found = without_shell((*SHELL, b"env -0"), environment)
    assert found is not None
    given = subprocess.run(found.argv, executable=found.path, env=found.environment, stdout=subprocess.PIPE, check=True)
    assert sorted(given.stdout.split(b"\0")) == sorted(expected.split(b"\0"))


def test_a_link_to_the_directory_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    os.chdir(tmp_path)
    link = os.fsencode(tmp_path / "link")
    found = without_shell((*SHELL, b"env"), {**PLAIN, b"PWD": link})
    assert found is not None
    assert found.environment[b"PWD"] == link


@pytest.mark.parametrize(
    "extra",
    [
        {b"BASH_ENV": b"x"},
        {b"SHELLOPTS": b"xtrace"},
        {b"BASHOPTS": b"x"},
        {b"BASH_FUNC_env%%": b"() { :; }"},
        {b"SHLVL": b"999"},
    ],
    ids=lambda extra: repr(next(iter(extra))),
)
def test_variables_that_mean_something_to_bash(extra: dict[bytes, bytes]) -> None:
    assert without_shell((*SHELL, b"env"), PLAIN) is not None
    assert without_shell((*SHELL, b"env"), PLAIN | extra) is None


def test_without_a_path_bash_has_one_of_its_own() -> None:
    assert without_shell((*SHELL, b"env"), {}) is None


def test_another_shell_is_started() -> None:
    assert without_shell((b"sh", b"-c", b"env"), PLAIN) is None
    assert without_shell((b"bash", b"-c", b"env"), PLAIN) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda path: None,
        lambda path: script(path, "no header"),
        lambda path: script(path, ""),
        lambda path: path.write_text("#!/bin/sh\n"),
        lambda path: path.mkdir(),
        os.mkfifo,
    ],
    ids=["nothing", "no header", "empty", "not executable", "a directory", "a pipe"],
)
def test_what_bash_has_something_to_say_about(tmp_path: Path, make: Callable[[Path], object]) -> None:
    os.chdir(tmp_path)
    make(tmp_path / "tool")
    assert without_shell((*SHELL, b"./tool"), PLAIN) is None
    assert without_shell((*SHELL, b"tool"), {b"PATH": os.fsencode(tmp_path)}) is None


def test_scripts_with_a_header_run(tmp_path: Path) -> None:
    script(tmp_path / "tool", "#!/bin/sh\necho $0\n")
    found = without_shell((*SHELL, b"tool"), {b"PATH": b"/nowhere:" + os.fsencode(tmp_path)})
    assert found is not None
    assert found.path == os.fsencode(tmp_path / "tool")
