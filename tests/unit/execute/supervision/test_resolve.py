"""Paths in trees of links: where the kernel says that they lead, and where we say so."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.execute.supervision.resolve import HERE, Fails, entry, thing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

NAMES = ("a", "b", "c", "d")
PLACES = tuple(f"{one}/{two}" for one in NAMES for two in NAMES)
PIECES = st.lists(st.sampled_from([*NAMES, *NAMES, ".", "..", "", "new"]), min_size=1, max_size=6)


def join(pieces: list[str], absolute: bool) -> str:
    """A relative path, or one that starts at `@`, which stands for the tree's own path."""
    return ("@/" if absolute else "") + ("/".join(pieces) or ".").lstrip("/" if not absolute else "")


PATHS = st.builds(join, PIECES, st.booleans()).filter(bool)
NODES = st.one_of(st.just("file"), st.just("directory"), PATHS)
TREES = st.dictionaries(st.sampled_from([*NAMES, *PLACES]), NODES, max_size=12)


def build(root: str, tree: dict[str, str]) -> None:
    """Make what can be made, in the order of the names."""
    for name, node in sorted(tree.items()):
        path = os.path.join(root, name)
        try:
            if node == "file":
                Path(path).touch()
            elif node == "directory":
                os.mkdir(path)
            else:
                os.symlink(node.replace("@", root), path)
        except OSError:
            continue  # its directory is a file, missing, or there already


def by_kernel(path: str, follow: bool) -> str | int:
    """Where a path leads: what the kernel calls it, or its error."""
    try:
        handle = os.open(path, os.O_PATH | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        return error.errno or 0
    try:
        return os.readlink(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def by_us(path: str, follow: bool, start: int = HERE) -> str | int:
    """The same by our own resolution."""
    try:
        found, info, slash = thing(os.getpid(), start, os.fsencode(path), follow)
    except Fails as failure:
        return failure.number
    if info is None:
        return errno.ENOENT
    assert os.path.samestat(info, os.lstat(found)), f"{found!r} is told to be something else than it is"
    if slash and not stat.S_ISDIR(info.st_mode):
        return errno.ENOTDIR
    return os.fsdecode(found)


class TestAgainstTheKernel:
    @settings(max_examples=200, deadline=None)
    @given(tree=TREES, path=PATHS, follow=st.booleans(), start=st.sampled_from(["", *NAMES]))
    def test_where_a_path_leads(self, tree: dict[str, str], path: str, follow: bool, start: str) -> None:
        with tempfile.TemporaryDirectory() as made:
            root = os.path.realpath(made)
            build(root, tree)
            folder = os.path.join(root, start)
            os.chdir(folder if os.path.isdir(folder) else root)
            path = path.replace("@", root)
            assert by_us(path, follow) == by_kernel(path, follow)
            os.chdir("/")

    @settings(max_examples=200, deadline=None)
    @given(tree=TREES, path=PATHS)
    def test_where_a_new_name_is_made(self, tree: dict[str, str], path: str) -> None:
        with tempfile.TemporaryDirectory() as made:
            root = os.path.realpath(made)
            build(root, tree)
            os.chdir(root)
            path = path.replace("@", root)
            try:
                told: bytes | None
                told, info, _ = entry(os.getpid(), HERE, os.fsencode(path))
            except Fails:
                told, info = None, None
            outcome = 0
            try:
                os.mkdir(path)
            except OSError as error:
                outcome = error.errno or 0
            if outcome:
                assert told is None or (info is not None and outcome == errno.EEXIST)
            else:
                assert told is not None
                assert info is None
                # A new directory's own name, by the kernel.
                assert by_kernel(path, follow=True) == os.fsdecode(told)
            os.chdir("/")

    @settings(max_examples=80, deadline=None)
    @given(tree=TREES, path=PATHS, start=st.sampled_from(NAMES))
    def test_relative_to_a_descriptor(self, tree: dict[str, str], path: str, start: str) -> None:
        with tempfile.TemporaryDirectory() as made:
            root = os.path.realpath(made)
            build(root, tree)
            folder = os.path.join(root, start)
            path = path.replace("@", root)
            handle = os.open(folder if os.path.isdir(folder) else root, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.chdir(f"/proc/self/fd/{handle}")
                expected = by_kernel(path, follow=True)
                os.chdir("/")
                assert by_us(path, True, handle) == expected
            finally:
                os.close(handle)


class TestEdges:
    def test_a_link_to_here_adds_no_name(self, tmp_path: Path) -> None:
        (tmp_path / "here").symlink_to(".")
        os.chdir(tmp_path)
        assert entry(os.getpid(), HERE, b"here/new")[:2] == (os.fsencode(tmp_path / "new"), None)
        assert by_us("here/", True) == by_us("here/./here", True) == str(tmp_path)

    def test_a_long_path_below_a_deep_directory(self, tmp_path: Path) -> None:
        os.chdir(tmp_path)
        for _ in range(15):
            os.mkdir("n" * 200)
            os.chdir("n" * 200)
        here = os.fsencode(os.getcwd())
        found, info, _ = entry(os.getpid(), HERE, b"x" * 255)
        assert (found, info) == (here + b"/" + b"x" * 255, None)
        # Longer than a path may be when the directory's own path is put before it.
        os.mkdir("m" * 255)
        text = b"m" * 255 + b"/." * 600 + b"/x"
        assert entry(os.getpid(), HERE, text)[0] == here + b"/" + b"m" * 255 + b"/x"

    def test_forty_links_lead_on_and_one_more_does_not(self, tmp_path: Path) -> None:
        os.chdir(tmp_path)
        Path("0").touch()
        for number in range(41):
            os.symlink(str(number), str(number + 1))
        assert by_us("40", True) == by_kernel("40", True) == str(tmp_path.resolve() / "0")
        assert by_us("41", True) == by_kernel("41", True) == errno.ELOOP
