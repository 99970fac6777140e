"""Kernel facilities, read from made-up `/proc` trees and from this machine."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from pytest_cbx.execute.kernel import facts


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("abi", "error", "there", "words"),
    [
        (1, 0, True, "ABI 1"),
        (7, errno.ENOENT, True, "ABI 7"),
        (-1, errno.ENOSYS, False, "not built"),
        (-1, errno.EOPNOTSUPP, False, "switched off at boot"),
        (-1, errno.EPERM, False, "forbidden"),
        (-1, errno.EINVAL, False, os.strerror(errno.EINVAL)),
        (0, 0, False, "no answer"),
    ],
)
def test_landlock(abi: int, error: int, there: bool, words: str) -> None:
    found = facts.landlock(abi, error)
    assert found.there is there
    assert words in found.detail


def test_seccomp(tmp_path: Path) -> None:
    assert not facts.seccomp_notification(tmp_path).there
    file = "proc/sys/kernel/seccomp/actions_avail"
    assert not facts.seccomp_notification(tree(tmp_path, {file: "kill_process errno allow\n"})).there
    assert facts.seccomp_notification(tree(tmp_path, {file: "kill_process user_notif allow\n"})).there


def test_pressure(tmp_path: Path) -> None:
    assert not facts.pressure(tmp_path).there
    found = facts.pressure(tree(tmp_path, {"proc/pressure/cpu": "some\n", "proc/pressure/io": "some\n"}))
    assert (found.there, found.detail) == (True, "for cpu, io")


@pytest.mark.parametrize(
    ("setting", "value", "for_users", "for_root"),
    [
        ("user/max_user_namespaces", "100", True, True),
        ("user/max_user_namespaces", "0", False, False),
        ("kernel/unprivileged_userns_clone", "0", False, True),
        ("kernel/unprivileged_userns_clone", "1", True, True),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", False, True),
        ("kernel/apparmor_restrict_unprivileged_userns", "0", True, True),
    ],
)
def test_user_namespaces(tmp_path: Path, setting: str, value: str, for_users: bool, for_root: bool) -> None:
    assert not facts.user_namespaces(tmp_path, privileged=True).there
    tree(tmp_path, {"proc/self/ns/user": "", f"proc/sys/{setting}": f"{value}\n"})
    assert facts.user_namespaces(tmp_path, privileged=False).there is for_users
    found = facts.user_namespaces(tmp_path, privileged=True)
    assert found.there is for_root
    if not for_root:
        assert found.detail == "user.max_user_namespaces is 0"


def test_cgroup_v2_not_mounted(tmp_path: Path) -> None:
    assert facts.cgroup_v2(tmp_path).detail == "not mounted"


def test_cgroup_v2_is_delegated_where_its_files_are_ours_to_write(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/me\n",
            "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "sys/fs/cgroup/user.slice/me/cgroup.controllers": "cpu memory\n",
            "sys/fs/cgroup/user.slice/me/cgroup.procs": "",
        },
    )
    assert facts.cgroup_v2(tmp_path).detail == "mounted at /sys/fs/cgroup, not delegated to us, controllers: cpu memory"
    tree(tmp_path, {"sys/fs/cgroup/user.slice/me/cgroup.subtree_control": ""})
    found = facts.cgroup_v2(tmp_path)
    assert found.there
    assert "delegated to us" in found.detail


def test_pidfd_of_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert not facts.pidfd().there


def test_pidfd_that_the_kernel_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int) -> int:
        raise OSError(errno.ENOSYS, "")

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    assert facts.pidfd().detail == os.strerror(errno.ENOSYS)


def test_this_machine_answers_each_once() -> None:
    found = facts.facilities()
    names = [facility.name for facility in found]
    assert len(set(names)) == len(names) == 6
    assert all(facility.detail for facility in found)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's list of security modules is Linux's")
def test_landlock_agrees_with_the_kernel_s_own_list_of_security_modules() -> None:
    try:
        modules = Path("/sys/kernel/security/lsm").read_text().split(",")
    except OSError:
        pytest.skip("securityfs is not mounted")
    answer = next(facility for facility in facts.facilities() if facility.name == "Landlock")
    if answer.detail.startswith("forbidden"):
        pytest.skip("a container forbids the question")
    assert answer.there is ("landlock" in [module.strip() for module in modules])


def test_the_questions_leave_no_descriptor_open() -> None:
    before = os.listdir("/dev/fd")
    facts.facilities()
    assert len(os.listdir("/dev/fd")) == len(before)
