"""The tables of system calls: whole, judged, and the kernel's own numbers."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from pytest_cbx.errors import InternalError
from pytest_cbx.execute.kernel import syscalls
from pytest_cbx.execute.kernel.syscalls import Treatment, read_rules, table

MACHINES = sorted(syscalls.AUDIT_ARCHITECTURES)

CHANGE_A_PATH = """
open openat creat truncate rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat rmdir mkdir mkdirat
mknod mknodat chmod fchmod fchmodat fchmodat2 chown lchown fchown fchownat utime utimes futimesat utimensat setxattr
lsetxattr fsetxattr removexattr lremovexattr fremovexattr bind
"""
PAST_THE_FILTER = """
openat2 io_uring_setup io_uring_enter io_uring_register clone3 setxattrat removexattrat file_setattr mount umount2
pivot_root chroot move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick mount_setattr setns
open_by_handle_at pidfd_getfd
"""

REFUSING = {Treatment.DENIED, Treatment.REFUSED}
HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": (
        "/usr/include/aarch64-linux-gnu/asm/unistd_64.h",
        "/usr/include/aarch64-linux-gnu/asm/unistd.h",
        "/usr/include/asm-generic/unistd.h",
    ),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_has_a_treatment_and_a_reason(machine: str) -> None:
    calls = table(machine)
    assert len(calls.numbers) > 320
    assert len(calls.names) == len(calls.numbers)
    assert calls.rules.keys() == calls.names.keys()
    for number, rule in calls.rules.items():
        assert len(rule.reason.split()) > 1, calls.names[number]
        assert (rule.treatment in REFUSING) == bool(rule.error), calls.names[number]


def test_no_treatment_is_for_a_call_that_no_machine_has() -> None:
    known = set().union(*(table(machine).numbers for machine in MACHINES))
    assert set(read_rules(syscalls._text("treatments.tbl"))) == known


@pytest.mark.parametrize("machine", MACHINES)
def test_what_changes_a_path_is_trapped(machine: str) -> None:
    calls = table(machine)
    judged = {calls.names[number]: rule.treatment for number, rule in calls.rules.items()}
    there = [name for name in CHANGE_A_PATH.split() if name in judged]
    assert {name: judged[name] for name in there} == dict.fromkeys(there, Treatment.TRAPPED)
    past = PAST_THE_FILTER.split()
    assert {judged[name] for name in past} == REFUSING


@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_that_sounds_like_a_change_is_harmless_by_oversight(machine: str) -> None:
    """A new name of such a family must be judged by a person: it is listed here, or it is not harmless."""
    sounds = re.compile(
        r"^(open|creat|rename|link|symlink|unlink|mk|rm|f?ch(mod|own)|[fl]?(set|remove)xattr|.*mount|ut?ime)"
    )
    sound_only = {"statmount", "listmount", "create_module"}
    calls = table(machine)
    harmless = {
        name
        for number, name in calls.names.items()
        if calls.rules[number].treatment is Treatment.HARMLESS and sounds.match(name)
    }
    assert harmless <= sound_only


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_headers(machine: str) -> None:
    texts = [Path(name).read_text() for name in HEADERS[machine] if Path(name).exists()]
    found = {name: int(number) for text in texts for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)\b", text)}
    if not found:
        pytest.skip("this machine has no kernel headers")
    ours = table(machine).numbers
    # The generic header also lists calls that only other architectures have; those of ours must agree.
    differing = {name: (ours[name], number) for name, number in found.items() if ours.get(name, number) != number}
    assert not differing
    if machine == "x86_64":
        assert not found.keys() - ours.keys()


def test_calls_of_later_kernels_are_known() -> None:
    for machine in MACHINES:
        numbers = table(machine).numbers
        assert {name: numbers[name] for name in ("fchmodat2", "mseal", "removexattrat", "file_setattr")} == {
            "fchmodat2": 452,
            "mseal": 462,
            "removexattrat": 466,
            "file_setattr": 469,
        }


def test_a_machine_without_a_table() -> None:
    assert not syscalls.supported("riscv64")
    with pytest.raises(OSError, match="riscv64") as caught:
        table("riscv64")
    assert caught.value.errno == errno.ENOSYS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[trapped] why\nmkdir\n[harmless] why\nmkdir", "twice"),
        ("[denied] why\nmkdir", "cannot be read"),
        ("[trapped EPERM] why\nmkdir", "cannot be read"),
        ("[trapped when 9 & FLAGS else harmless] why\nmkdir", "cannot be read"),
        ("[trapped]\nmkdir", "cannot be read"),
    ],
)
def test_a_mistake_in_the_table_is_ours(text: str, said: str) -> None:
    with pytest.raises(InternalError, match=said):
        read_rules(text)


def test_conditions_look_at_the_low_half() -> None:
    rules = read_rules("{FLAGS} why\nA 0x2\nB 0x4\n[trapped when 1 & FLAGS else reading] why\nopen\n")
    rule = rules["open"]
    assert rule.treat((0, 0x2)) is Treatment.TRAPPED
    assert rule.treat((0, 1 << 32 | 0x4)) is Treatment.TRAPPED
    assert rule.treat((0, 0x9)) is Treatment.READING
    assert rule.treat((0, 2 << 32)) is Treatment.READING
