"""The machine's size, read from made-up `/proc` and cgroup trees."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from pytest_cbx.execute import machine

GIB = 1 << 30


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
)


def test_v2_tightest_limit_on_the_way_up(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/run.scope\n",
            "proc/self/mountinfo": V2,
            "sys/fs/cgroup/user.slice/run.scope/cpu.max": "max 100000\n",
            "sys/fs/cgroup/user.slice/run.scope/memory.max": f"{4 * GIB}\n",
            "sys/fs/cgroup/user.slice/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/user.slice/memory.max": f"{2 * GIB}\n",
        },
    )
    assert machine.cgroup_limits(tmp_path) == machine.CgroupLimits(cpus=1.5, memory=2 * GIB)


def test_v2_without_limits(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": V2,
            "sys/fs/cgroup/cpu.max": "max 100000\n",
            "sys/fs/cgroup/memory.max": "max\n",
        },
    )
    assert machine.cgroup_limits(tmp_path) == machine.CgroupLimits(cpus=None, memory=None)


def test_v1_finds_each_controller_in_its_own_hierarchy(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/jobs/a\n1:cpu,cpuacct:/jobs/b\n0::/\n",
            "proc/self/mountinfo": V1,
            "sys/fs/cgroup/memory/jobs/a/memory.limit_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/cpu,cpuacct/jobs/b/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/jobs/b/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us": "100000\n",
        },
    )
    assert machine.cgroup_limits(tmp_path) == machine.CgroupLimits(cpus=0.5, memory=GIB)


def test_v1_has_a_number_for_no_limit(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}
    tree(tmp_path, {"proc/self/cgroup": "4:memory:/\n", "proc/self/mountinfo": V1, **files})
    assert machine.cgroup_limits(tmp_path).memory is None


def test_container_that_is_shown_only_its_own_cgroup(tmp_path: Path) -> None:
    mount = "30 23 0:26 /docker/4711 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"
    files = {"sys/fs/cgroup/memory.max": f"{GIB}\n", "sys/fs/cgroup/inner/memory.max": f"{GIB // 2}\n"}
    tree(tmp_path, {"proc/self/cgroup": "0::/docker/4711/inner\n", "proc/self/mountinfo": mount, **files})
    assert machine.cgroup_limits(tmp_path).memory == GIB // 2


@pytest.mark.parametrize("group", ["/../other", "/elsewhere"])
def test_group_outside_of_what_is_mounted_counts_at_the_mount_point(tmp_path: Path, group: str) -> None:
    mount = "30 23 0:26 /docker/4711 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"
    tree(tmp_path, {"proc/self/cgroup": f"0::{group}\n", "proc/self/mountinfo": mount})
    tree(tmp_path, {"sys/fs/cgroup/memory.max": f"{GIB}\n"})
    assert machine.cgroup_limits(tmp_path).memory == GIB


def test_mount_point_with_a_blank(tmp_path: Path) -> None:
    mount = "30 23 0:26 / /odd\\040place rw - cgroup2 cgroup2 rw\n"
    tree(tmp_path, {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mount, "odd place/cpu.max": "25000 100000\n"})
    assert machine.cgroup_limits(tmp_path).cpus == 0.25


@pytest.mark.parametrize("mountinfo", ["", "nonsense\n", "1 2 3 - cgroup2\n", " - \n"])
def test_nothing_readable_means_no_limit(tmp_path: Path, mountinfo: str) -> None:
    tree(tmp_path, {"proc/self/cgroup": "what\n0:\n", "proc/self/mountinfo": mountinfo})
    assert machine.cgroup_limits(tmp_path) == machine.CgroupLimits(cpus=None, memory=None)


def test_measure_takes_the_smaller_of_machine_and_cgroup(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/cpu.max": "1000 100000\n", "sys/fs/cgroup/memory.max": "65536\n"}
    tree(tmp_path, {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2, **files})
    measured = machine.measure(tmp_path)
    assert (measured.cpus, measured.memory) == (0.01, 65536)
    bare = machine.measure(tmp_path / "nothing")
    assert (bare.cpus, bare.memory) == (machine.affinity(), psutil.virtual_memory().total)


def test_this_machine() -> None:
    measured = machine.measure()
    assert 0 < measured.cpus <= machine.affinity()
    assert 0 < measured.memory <= psutil.virtual_memory().total
    assert 0 < measured.descriptors <= machine.descriptor_limits()[1]
