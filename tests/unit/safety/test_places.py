"""Areas of the machine."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.model import Place, Scope
from pytest_cbx.safety.places import Area, area_of, glob_base, outside


@pytest.mark.parametrize(
    ("path", "area"),
    [
        (".", Area.WORKSPACE),
        ("etc/hosts", Area.WORKSPACE),
        ("..src", Area.WORKSPACE),
        ("..", Area.ELSEWHERE),
        ("../x", Area.ELSEWHERE),
        ("/", Area.ROOT),
        ("/home/u", Area.ROOT),
        ("/root", Area.ROOT),
        ("~", Area.ROOT),
        ("~other", Area.ROOT),
        ("$HOME", Area.ROOT),
        ("/home/u/project", Area.ELSEWHERE),
        ("/srv/x", Area.ELSEWHERE),
        ("/etc", Area.MACHINE),
        ("/etcetera", Area.ELSEWHERE),
        ("/var/log/x", Area.MACHINE),
        ("/var/tmp/x", Area.TEMPORARY),
        ("/tmp", Area.TEMPORARY),
        ("$TMPDIR/x", Area.TEMPORARY),
        ("/dev/shm/x", Area.TEMPORARY),
        ("/dev/null", Area.DEVICE),
        ("/dev/nullx", Area.MACHINE),
        ("/dev/fd/63", Area.DEVICE),
        ("/proc/self/fd/1", Area.DEVICE),
        ("/proc/sys/kernel/core_pattern", Area.MACHINE),
        ("~/.ssh/id", Area.SECRET),
        ("/root/.aws/credentials", Area.SECRET),
        ("/etc/shadow", Area.SECRET),
        ("/Users/u/.zshrc", Area.STARTUP),
        ("~/.bashrc.d", Area.ELSEWHERE),
    ],
)
def test_area(path: str, area: Area) -> None:
    assert area_of(Place(path=path)) is area


def test_a_pattern_counts_as_its_directory() -> None:
    assert area_of(Place(path="/etc/*.conf", scope=Scope.GLOB)) is Area.MACHINE
    assert area_of(Place(path="**/*.py", scope=Scope.GLOB)) is Area.WORKSPACE
    assert area_of(Place(path="/*", scope=Scope.GLOB)) is Area.ROOT


@pytest.mark.parametrize(
    ("pattern", "base"),
    [
        ("src/**/*.py", "src"),
        ("*.py", "."),
        ("/etc/*", "/etc"),
        ("/*", "/"),
        ("a/b?/c", "a"),
        ("plain/path", "plain/path"),
    ],
)
def test_glob_base(pattern: str, base: str) -> None:
    assert glob_base(pattern) == base


def test_outside() -> None:
    assert outside("/x")
    assert outside("~/x")
    assert outside("../x")
    assert not outside("...")
    assert not outside("x/y")
