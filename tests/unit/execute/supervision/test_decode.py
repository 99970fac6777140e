"""Every call that the filter traps is understood, on each machine; what is not about paths is told by its numbers."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from pytest_cbx.execute.kernel.seccomp import Listener, Notification
from pytest_cbx.execute.kernel.syscalls import Treatment, table
from pytest_cbx.execute.supervision import decode, looks
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.deeds import Deed, Trap

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

MACHINES = ["x86_64", "aarch64"]
CHANGING = {Treatment.TRAPPED, Treatment.SIGNAL}


class Waiting(Listener):
    """A listener whose callers all still wait, or are all gone."""

    __slots__ = ("there",)

    def __init__(self, there: bool = True) -> None:
        self.there = there

    def valid(self, call: int) -> bool:
        return self.there


def decoded(
    machine: str, name: str, arguments: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, *, reads: bool = True
) -> Trap:
    """What a call of this process with these arguments would do on a machine."""
    calls = table(machine)
    monkeypatch.setattr(decode, "table", lambda: calls)
    arguments = (*arguments, *[0] * (6 - len(arguments)))
    notification = Notification(7, os.getpid(), calls.architecture, calls.numbers[name], arguments)
    trap = Decoder((b"/work",), reads).decode(Waiting(), notification)
    assert trap is not None
    return trap


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_that_is_trapped_is_understood(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = table(machine)
    trapped = {
        calls.names[number]
        for number, rule in calls.rules.items()
        if {rule.treatment, rule.otherwise} & {*CHANGING, Treatment.READING}
    }
    assert len(trapped) > 40
    for name in sorted(trapped):
        # Null pointers, which nothing can be read from, and descriptor 0.
        trap = decoded(machine, name, (), monkeypatch)
        assert trap.deed not in (Deed.UNREADABLE, Deed.FOREIGN), name
        assert trap.call == name


@pytest.mark.parametrize("machine", MACHINES)
def test_what_may_change_something_is_understood_where_reads_are_not_trapped(
    machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = table(machine)
    for number, rule in calls.rules.items():
        if rule.treatment in CHANGING or rule.otherwise in CHANGING:
            trap = decoded(machine, calls.names[number], (), monkeypatch, reads=False)
            assert trap.deed is not Deed.UNREADABLE, calls.names[number]


@pytest.mark.parametrize(
    ("name", "arguments", "target", "number"),
    [
        ("kill", (1234, 15), 1234, 15),
        ("kill", (-1234 & 0xFFFFFFFFFFFFFFFF, 9), -1234, 9),
        ("kill", (0xFFFFFFFF, 9), -1, 9),
        ("tkill", (1234, 15), 1234, 15),
        ("tgkill", (1234, 1235, 15), 1234, 15),
        ("rt_sigqueueinfo", (1234, 40, 0), 1234, 40),
        ("rt_tgsigqueueinfo", (1234, 1235, 40, 0), 1234, 40),
    ],
)
def test_signals(
    name: str, arguments: tuple[int, ...], target: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = decoded(os.uname().machine, name, arguments, monkeypatch)
    assert (trap.deed, trap.target, trap.number) == (Deed.SIGNAL, target, number)


def test_a_signal_to_the_own_group_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    trap = decoded(os.uname().machine, "kill", (0, 15), monkeypatch)
    assert trap.target == -os.getpgid(0)


def test_other_architectures_and_unknown_numbers_are_foreign() -> None:
    decoder = Decoder((b"/work",), reads=False)
    own = table().architecture
    for architecture, number in ((own ^ 1, 39), (own, 0x40000000 | 83), (own, 99_999)):
        trap = decoder.decode(Waiting(), Notification(7, os.getpid(), architecture, number, (0,) * 6))
        assert trap is not None
        assert trap.deed is Deed.FOREIGN


def test_a_caller_that_is_gone_has_no_deed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = table()
    nobody = 2**22 + 1  # more than the kernel ever gives
    notification = Notification(7, nobody, calls.architecture, calls.numbers["mkdirat"], (0xFFFFFF9C, 4096, 0, 0, 0, 0))
    decoder = Decoder((b"/work",), reads=False)
    assert decoder.decode(Waiting(there=False), notification) is None
    trap = decoder.decode(Waiting(), notification)
    assert trap is not None
    assert trap.deed is Deed.UNREADABLE


def test_a_bad_address_is_answered_as_the_kernel_does(monkeypatch: pytest.MonkeyPatch) -> None:
    trap = decoded(os.uname().machine, "mkdirat", (0xFFFFFF9C, 8, 0), monkeypatch)
    assert (trap.deed, trap.error) == (Deed.NONE, errno.EFAULT)


@pytest.mark.parametrize(
    ("roots", "path", "outside"),
    [
        ((b"/w",), b"/w", False),
        ((b"/w",), b"/w/f", False),
        ((b"/w",), b"/wide/f", True),
        ((b"/w", b"/v/u"), b"/v/u/x", False),
        ((b"/w", b"/v/u"), b"/v/x", True),
        ((b"/",), b"/x", False),
    ],
)
def test_what_is_outside(roots: tuple[bytes, ...], path: bytes, outside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    info = os.stat("/")
    monkeypatch.setattr(decode, "read_string", lambda pid, address: path)
    monkeypatch.setattr(looks, "thing", lambda *arguments: (path, info, False))
    calls = table()
    notification = Notification(7, os.getpid(), calls.architecture, calls.numbers["fchmodat"], (0, 0, 0, 0, 0, 0))
    trap = Decoder(roots, reads=False).decode(Waiting(), notification)
    assert trap is not None
    assert (trap.deed, trap.path, trap.outside) == (Deed.METADATA, path, outside)
