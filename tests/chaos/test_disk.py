"""What faults of the disk really do to a program."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.client.api import Cbx

WRITE = """
import os, sys
how = sys.argv[1]
flags = os.O_RDWR | os.O_CREAT | (os.O_APPEND if how == "append" else 0)
one = os.open("data", flags)
data = b"0123456789"
if how in ("write", "append"):
    written = os.write(one, data)
elif how == "writev":
    written = os.writev(one, [data[:3], data[3:6], data[6:]])
elif how == "pwrite":
    written = os.pwrite(one, data, 4)
else:
    written = os.pwritev(one, [data[:5], data[5:]], 4)
print(written, os.lseek(one, 0, os.SEEK_CUR))
"""
STATIC = """
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>
int main(void) {
    int one = open("data", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (one < 0) { printf("%s\\n", strerror(errno)); return 1; }
    long written = write(one, "0123456789", 10);
    if (written < 0) { printf("%s\\n", strerror(errno)); return 1; }
    if (fsync(one) < 0) { printf("fsync: %s\\n", strerror(errno)); return 1; }
    printf("%ld\\n", written);
    return written == 10 ? 0 : 2;
}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "write.py").write_text(WRITE)
    (tmp_path / "data").write_text("abc")
    return tmp_path


SORTS = {
    "write": ("5 5", "01234"),
    "append": ("5 8", "abc01234"),
    "writev": ("5 5", "01234"),
    "pwrite": ("5 0", "abc\0" + "01234"),
    "pwritev": ("5 0", "abc\0" + "01234"),
}


@pytest.mark.parametrize("how", list(SORTS))
def test_a_short_write_of_every_sort(cbx: Cbx, chaos: Chaos, tree: Path, how: str) -> None:
    says, there = SORTS[how]
    with chaos.short_write(path="data") as fault:
        done = cbx.run(f"python3 -S -I write.py {how}")
    assert done.stdout.strip() == says, done
    assert (tree / "data").read_text() == there
    assert fault.hits[0].nth == 1


def test_a_torn_write_leaves_its_part_and_is_undone(cbx: Cbx, chaos: Chaos, tree: Path) -> None:
    with chaos.torn_write(0.3, path="data") as fault:
        left = cbx.run("python3 -S -I write.py append", rollback="never")
        assert fault.fired
    assert left.signal == 9
    assert (tree / "data").read_text() == "abc012", "so much had been written when it was killed"
    with chaos.torn_write(0.3, path="data"):
        undone = cbx.run("python3 -S -I write.py append", rollback="on-crash")
    assert undone.rolled_back
    assert (tree / "data").read_text() == "abc012"


def test_what_cannot_be_written_in_part_is_let_be_and_does_not_count(cbx: Cbx, chaos: Chaos, tree: Path) -> None:
    """Pipes, sockets and single bytes; the first write that can be is the first one."""
    with chaos.short_write() as fault:
        done = cbx.run("head -c 300000 /dev/zero | { sleep 0.2; wc -c; } > count; printf 0123456789 > data")
    assert done.ok, done
    assert (tree / "count").read_text().strip() == "300000"
    assert [hit.path for hit in fault.hits] in (["count"], ["data"])


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("disk_full", "No space left on device"),
        ("disk_error", "Input/output error"),
        ("quota", "Disk quota exceeded"),
        ("read_only", "Read-only file system"),
    ],
)
@pytest.mark.needs("gcc")
def test_a_static_program_is_told_the_error(cbx: Cbx, chaos: Chaos, tree: Path, kind: str, says: str) -> None:
    (tree / "save.c").write_text(STATIC)
    subprocess.run(["gcc", "-static", "-o", "save", "save.c"], cwd=tree, check=True)
    with chaos.inject(kind, path="data") as fault:
        done = cbx.run("./save", rollback="on-failure")
    assert fault.fired
    assert done.stdout.strip() == says
    assert (tree / "data").read_text() == "abc"
    with chaos.inject(kind, path="data", calls=("write",)):
        assert cbx.run("./save", rollback="on-failure").stdout.strip() == says, "at the write, too"


def test_a_flush_fails_once_and_lies_from_then_on(cbx: Cbx, chaos: Chaos, tree: Path) -> None:
    (tree / "flush.py").write_text(
        "import os\nwith open('data', 'w') as file:\n    for _ in range(3):\n        try: os.fsync(file.fileno())\n"
        "        except OSError as error: print(error.errno)\n        else: print('fine')\n"
    )
    with chaos.fsync_lies() as fault:
        done = cbx.run("python3 -S -I flush.py")
    assert done.stdout.split() == ["5", "fine", "fine"]
    assert len(fault.hits) == 3


def test_a_slow_disk_is_slow(cbx: Cbx, chaos: Chaos, tree: Path) -> None:
    with chaos.slow(0.15) as fault:
        done = cbx.run("echo a > a; echo b > b")
    assert done.ok
    assert len(fault.hits) == 4
    assert done.duration >= 4 * 0.15
    assert tree.is_dir()
