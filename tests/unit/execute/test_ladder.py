"""The ladder on this machine, and on machines that lack something (which are made up by failing one part)."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Never

import pytest

from pytest_cbx.execute import ladder
from pytest_cbx.execute.kernel import facts, landlock, syscalls
from pytest_cbx.execute.kernel.seccomp import Listener
from tests.unit.execute.kernel.supervised import needs_guard


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], ladder.Reached]]:
    """A probe that remembers nothing, and whose temporary files can be seen."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ladder.probe.cache_clear()
    yield ladder.probe
    ladder.probe.cache_clear()


def fails(number: int) -> Callable[..., Never]:
    def fail(*_: object, **__: object) -> Never:
        raise OSError(number, os.strerror(number))

    return fail


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def confined() -> bool:
    """Whether this process is itself under a seccomp filter, as in a container."""
    return "Seccomp:\t0" not in Path("/proc/self/status").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these")
def test_a_kernel_that_lists_everything_reaches_guard(probe: Callable[[], ladder.Reached]) -> None:
    lacking = [each for each in (facts.seccomp_notification(), facts.ask_landlock()) if not each.there]
    if lacking or not syscalls.supported() or confined():
        pytest.skip(f"not promised here: {lacking or 'a filter or a machine that may forbid parts'}")
    assert probe().level == "guard", probe().reason


@needs_guard
def test_a_machine_with_everything(probe: Callable[[], ladder.Reached], tmp_path: Path) -> None:
    threads, open_before = threading.active_count(), descriptors()
    reached = probe()
    assert reached.level == "guard"
    assert reached.landlock_abi == landlock.abi()
    assert reached.signal_scope == (landlock.abi() >= landlock.SCOPE_ABI)
    assert f"Landlock ABI {landlock.abi()}, seccomp notification" in reached.reason
    assert reached.sync_wake_up == ("synchronous" in reached.reason)
    assert threading.active_count() == threads
    assert descriptors() == open_before
    assert list(tmp_path.iterdir()) == []


@needs_guard
def test_nothing_sticks_to_this_process(probe: Callable[[], ladder.Reached], tmp_path: Path) -> None:
    before = Path("/proc/thread-self/status").read_text().split("Seccomp", 1)[1].split("Speculation", 1)[0]
    probe()
    assert Path("/proc/thread-self/status").read_text().split("Seccomp", 1)[1].split("Speculation", 1)[0] == before
    (tmp_path / "free").mkdir()


@needs_guard
def test_it_is_tried_once(probe: Callable[[], ladder.Reached], monkeypatch: pytest.MonkeyPatch) -> None:
    first = probe()
    monkeypatch.setattr(ladder, "install", fails(errno.EPERM))
    assert probe() is first


@needs_guard
@pytest.mark.parametrize(
    ("failing", "reason"),
    [
        (("install", errno.EPERM), "this kernel forbids seccomp notification: EPERM"),
        (("install", errno.EINVAL), "this kernel forbids seccomp notification: EINVAL"),
        (("install", errno.EBUSY), "supervised already"),
        (("read_string", errno.EPERM), "the memory of a process of ours cannot be read: EPERM"),
        (("read_string", errno.ENOSYS), "the memory of a process of ours cannot be read: ENOSYS"),
        (("Listener", errno.ENOSYS), "trapped calls cannot be received: ENOSYS"),
    ],
)
def test_a_machine_that_forbids_a_part(
    probe: Callable[[], ladder.Reached],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing: tuple[str, int],
    reason: str,
) -> None:
    threads, open_before = threading.active_count(), descriptors()
    part, number = failing
    monkeypatch.setattr(ladder, part, fails(number))
    reached = probe()
    assert reached.level == "off"
    assert reason in reached.reason
    assert reached.landlock_abi == landlock.abi()
    assert threading.active_count() == threads
    assert descriptors() == open_before
    assert list(tmp_path.iterdir()) == []


@needs_guard
def test_a_machine_that_hides_processes(probe: Callable[[], ladder.Reached], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "readlink", fails(errno.ENOENT))
    assert "/proc does not tell" in probe().reason


@needs_guard
def test_a_machine_that_blocks_receiving(probe: Callable[[], ladder.Reached], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Listener, "receive", fails(errno.EPERM))
    assert "trapped calls cannot be received: EPERM" in probe().reason


@needs_guard
def test_a_machine_whose_answers_are_ignored(
    probe: Callable[[], ladder.Reached], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Listener, "refuse", lambda self, call, error: self.proceed(call))
    assert probe().reason == "answers to trapped calls have no effect"


@needs_guard
def test_a_filter_that_traps_nothing(probe: Callable[[], ladder.Reached], monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_cbx.execute.kernel.filter import Program

    allow = Program(code=bytes.fromhex("06000000") + (0x7FFF0000).to_bytes(4, sys.byteorder))
    monkeypatch.setattr(ladder, "build", lambda _: allow)
    assert "never tells of a trapped call" in probe().reason


@needs_guard
def test_a_landlock_that_does_nothing(probe: Callable[[], ladder.Reached], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "enter", lambda _: None)
    assert probe().reason == "Landlock lets a write pass that it should deny"


@needs_guard
def test_a_landlock_that_cannot_be_entered(
    probe: Callable[[], ladder.Reached], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "enter", fails(errno.E2BIG))
    assert "Landlock cannot be used: E2BIG" in probe().reason


def test_a_kernel_without_landlock(probe: Callable[[], ladder.Reached], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    reached = probe()
    assert (reached.level, reached.landlock_abi) == ("off", 0)
    assert reached.reason


def test_other_machines(probe: Callable[[], ladder.Reached], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "supported", lambda: False)
    assert "no table of system calls" in probe().reason or sys.platform != "linux"
    ladder.probe.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert probe().reason == "darwin has neither seccomp nor Landlock"


@needs_guard
def test_no_place_for_temporary_files(probe: Callable[[], ladder.Reached], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "mkdtemp", fails(errno.EROFS))
    assert probe().reason.startswith("no folder for temporary files")
