"""Where journals lie, and that nothing of it stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_cbx.chaos.tree import assert_same, snapshot
from pytest_cbx.errors import JournalError
from pytest_cbx.transaction.home import Home, find_home, possible_homes

OLD = 1_500_000_000_000_000_000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "file").write_bytes(b"1")
    os.utime(folder, ns=(OLD, OLD))
    return folder


def environ(state: Path) -> dict[bytes, bytes]:
    return {b"XDG_STATE_HOME": os.fsencode(state)}


def inside(tree: Path) -> Home:
    return find_home(os.fsencode(tree), {})


def test_the_state_directory_is_used_on_the_same_file_system(tmp_path: Path, tree: Path) -> None:
    home = find_home(os.fsencode(tree), environ(tmp_path / "state"))
    assert not home.inside
    assert os.path.dirname(home.path) == os.fsencode(tmp_path / "state/pytest-cbx")
    assert not (tmp_path / "state").exists()
    assert home == find_home(os.fsencode(tree), environ(tmp_path / "state"))
    assert home != find_home(os.fsencode(tmp_path), environ(tmp_path / "state"))
    default = find_home(os.fsencode(tree), {b"HOME": os.fsencode(tmp_path)})
    assert default.path.startswith(os.fsencode(tmp_path / ".local/state/pytest-cbx"))


@pytest.mark.parametrize("value", [b"/proc", b"/dev/shm", b"relative", b""])
def test_the_work_tree_itself_otherwise(tree: Path, value: bytes) -> None:
    if value.startswith(b"/") and os.stat(value).st_dev == os.stat(tree).st_dev:
        pytest.skip("it is the same file system here")
    home = find_home(os.fsencode(tree), {b"XDG_STATE_HOME": value})
    assert home.inside
    assert home.path == os.fsencode(tree / ".cbx")


def test_a_state_directory_in_the_work_tree_is_none(tree: Path) -> None:
    assert find_home(os.fsencode(tree), environ(tree / "state")).inside


def test_a_home_in_the_tree_leaves_nothing_behind(tree: Path) -> None:
    before = snapshot(tree)
    home = inside(tree)
    with home.open_engine("engine") as folder:
        assert os.lstat(home.path).st_mode & 0o777 == 0o700
        assert os.lstat(folder.path).st_mode & 0o777 == 0o700
        assert (tree / ".cbx/.gitignore").read_text() == "*\n"
        assert home.is_note(home.path + b"/.gitignore")
        assert os.lstat(tree).st_mtime_ns == OLD
        transaction = folder.begin("label")
        transaction.write(os.fsencode(tree / "file"))
        (tree / "file").write_bytes(b"2")
        assert transaction.header.roots == (os.fsencode(tree),)
        transaction.roll_back()
        assert_same(before, snapshot(tree, ignore=(b".cbx",)))
    folder.close()
    assert_same(before, snapshot(tree))


def test_a_state_home_is_removed_when_it_is_empty(tmp_path: Path, tree: Path) -> None:
    home = find_home(os.fsencode(tree), environ(tmp_path / "state"))
    first, second = home.open_engine("one"), home.open_engine("two")
    first.close()
    assert os.listdir(home.path) == [b"two"]
    second.close()
    assert os.listdir(tmp_path / "state") == []


def test_what_is_not_ended_stays_for_recovery(tree: Path) -> None:
    home = inside(tree)
    folder = home.open_engine("engine")
    transaction = folder.begin("label")
    transaction.close()
    folder.close()
    assert os.listdir(folder.path + b"/1") == [b"journal"]
    assert os.lstat(tree).st_mtime_ns == OLD
    assert [one.path for one in possible_homes(os.fsencode(tree), {})] == [home.path]


def test_the_other_home_is_found_too(tmp_path: Path, tree: Path) -> None:
    folder = inside(tree).open_engine("engine")
    homes = possible_homes(os.fsencode(tree), environ(tmp_path / "state"))
    assert [one.inside for one in homes] == [False, True]
    folder.close()
    assert len(possible_homes(os.fsencode(tree), environ(tmp_path / "state"))) == 1


def test_the_lock_is_held_against_other_processes(tree: Path) -> None:
    home = inside(tree)
    folder = home.open_engine("engine")
    code = (
        "import os, sys\nfrom pytest_cbx.errors import JournalError\nfrom pytest_cbx.transaction.home import find_home\n"
        "try:\n    find_home(os.fsencode(sys.argv[1]), {}).open_engine('engine')\n"
        "except JournalError as error:\n    sys.exit(str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tree)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "another process holds it" in done.stderr
    folder.close()
    assert not (tree / ".cbx").exists()


@pytest.mark.parametrize("wrong", ["link", "file", "open"])
def test_what_is_not_ours_is_refused(tmp_path: Path, tree: Path, wrong: str) -> None:
    place = tree / ".cbx"
    if wrong == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "elsewhere")
    elif wrong == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        place.chmod(0o777)
    with pytest.raises(JournalError):
        inside(tree).open_engine("engine")
    assert os.path.lexists(place)
    if wrong == "link":
        assert os.listdir(tmp_path / "elsewhere") == []
