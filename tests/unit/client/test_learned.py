"""The store of what earlier runs were seen to do: real files, real processes, and whatever may be wrong with them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pytest_cbx.client import learned
from pytest_cbx.client.learned import Entry, FileDigest, Run, Store, Trace
from pytest_cbx.client.output import cache_directory, digest_of_tree
from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Domain, Mode

SEEN = (
    Claim(domain=Domain.FILE, mode=Mode.WRITE, target="out", scope=Scope.TREE),
    Claim(domain=Domain.FILE, mode=Mode.DELETE, target="a\udcff\n"),
)


def entry(key: bytes = b"k", *, at: float | None = None, stamp: bytes = b"s", seconds: float = 1.0) -> Entry:
    return Entry(
        trace=Trace(key=key, stamp=stamp, cwd="sub", files=(FileDigest(path="/t/tool", facts="1 2", digest=b"d"),)),
        text="./tool \udcff",
        run=Run(
            stamp=stamp, at=time.time() if at is None else at, tier="SEQUENTIAL_REQUIRED", exit_code=0, passed=True,
            complete=True, reads=False, seconds=seconds, predicted=("write **", "read \udcff"), seen=SEEN,
        ),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def file_of(root: Path) -> Path:
    return cache_directory() / digest_of_tree(root) / "observed.sqlite3"


def record(root: Path, *entries: Entry) -> list[str]:
    with Store(root) as store:
        store.record(entries)
        return store.notes


def test_what_was_recorded_is_found_again(tmp_path: Path) -> None:
    first, second = entry(at=time.time() - 5), entry(seconds=3.5)
    assert record(tmp_path, first) == []
    assert record(tmp_path, second) == []
    with Store(tmp_path) as store:
        assert store.runs(b"k") == (second.run, first.run)
        assert store.keys() == {b"k"}
        assert store.runs(b"other") == ()
        assert store.digest("/t/tool", "1 2") == b"d"
        assert store.digest("/t/tool", "1 3") is None
        assert store.notes == []


def test_to_look_makes_nothing(tmp_path: Path) -> None:
    with Store(tmp_path, create=False) as store:
        assert store.keys() == frozenset()
        store.record([entry()])
        assert store.notes == []
    assert list((tmp_path).iterdir()) == []


def test_each_work_tree_has_its_own(tmp_path: Path) -> None:
    record(tmp_path / "one", entry())
    with Store(tmp_path / "two") as store:
        assert store.keys() == frozenset()


def test_no_more_runs_of_a_command_than_wanted(tmp_path: Path) -> None:
    now = time.time()
    record(tmp_path, *(entry(at=now + number) for number in range(learned.RUNS_KEPT + 7)))
    with Store(tmp_path) as store:
        times = [run.at - now for run in store.runs(b"k")]
    assert times == pytest.approx(list(range(learned.RUNS_KEPT + 6, 6, -1)))
    with sqlite3.connect(file_of(tmp_path)) as database:
        (seen,) = database.execute("select count(*) from seen").fetchone()
    assert seen == learned.RUNS_KEPT * len(SEEN)


def test_old_and_many_commands_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "COMMANDS_KEPT", 3)
    now = time.time()
    record(tmp_path, entry(b"ancient", at=now - learned.AGE_KEPT - 60))
    record(tmp_path, *(entry(b"%d" % number, at=now + number) for number in range(5)))
    with Store(tmp_path) as store:
        assert store.keys() == {b"2", b"3", b"4"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no database at all" * 400),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: os.truncate(path, 100),
        lambda path: path.write_bytes(path.read_bytes()[:100] + os.urandom(len(path.read_bytes()) - 100)),
    ],
    ids=["text", "half", "torn", "noise"],
)
def test_a_damaged_one_is_set_aside(tmp_path: Path, damage: object) -> None:
    record(tmp_path, *(entry(b"%d" % number) for number in range(50)))
    damage(file_of(tmp_path))  # type: ignore[operator]
    notes: list[str] = []
    with Store(tmp_path) as store:
        store.runs(b"1")
        store.record([entry(b"new")])
        notes += store.notes
    notes += record(tmp_path, entry(b"new"))
    assert any("damaged" in note and "learned anew" in note for note in notes)
    with Store(tmp_path) as store:
        assert store.runs(b"new")[0].seen == SEEN
        assert store.notes == []
    assert file_of(tmp_path).with_suffix(".damaged").exists()


def test_rows_that_nobody_of_us_wrote_are_damage(tmp_path: Path) -> None:
    record(tmp_path, entry())
    with sqlite3.connect(file_of(tmp_path)) as database:
        database.execute("update seen set mode = 'eat'")
    with Store(tmp_path) as store:
        assert store.runs(b"k") == ()
        assert "damaged" in store.notes[0]


def test_a_table_that_is_missing_is_damage(tmp_path: Path) -> None:
    record(tmp_path, entry())
    with sqlite3.connect(file_of(tmp_path)) as database:
        database.execute("drop table seen")
    with Store(tmp_path) as store:
        store.runs(b"k")
        assert "damaged" in store.notes[0]
    assert record(tmp_path, entry()) == []


def test_one_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    record(tmp_path, entry())
    with sqlite3.connect(file_of(tmp_path)) as database:
        database.execute(f"pragma user_version = {learned.SCHEMA + 1}")
    before = file_of(tmp_path).read_bytes()
    (note,) = record(tmp_path, entry())
    assert "newer pytest-cbx" in note
    assert file_of(tmp_path).read_bytes() == before


def test_one_of_an_older_version_is_begun_anew(tmp_path: Path) -> None:
    record(tmp_path, entry())
    with sqlite3.connect(file_of(tmp_path)) as database:
        database.execute("pragma user_version = 0")
    assert record(tmp_path, entry(b"new")) == []
    with Store(tmp_path) as store:
        assert store.keys() == {b"new"}


def test_a_directory_in_its_place_is_a_note(tmp_path: Path) -> None:
    file_of(tmp_path).mkdir(parents=True)
    with Store(tmp_path) as store:
        store.record([entry()])
        assert store.keys() == frozenset()
        (note,) = store.notes
    assert "cannot be used" in note


def test_a_lock_that_is_never_given_back_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "PATIENCE", 0.05)
    record(tmp_path, entry())
    holder = sqlite3.connect(file_of(tmp_path), isolation_level=None)
    holder.execute("begin exclusive")
    try:
        (note,) = record(tmp_path, entry())
    finally:
        holder.close()
    assert "locked" in note
    with Store(tmp_path) as store:
        assert len(store.runs(b"k")) == 1


WRITER = """
import sys, time
from pathlib import Path
from tests.unit.client.test_learned import entry
from pytest_cbx.client.learned import Store
root, name = Path(sys.argv[1]), sys.argv[2].encode()
for number in range(25):
    with Store(root) as store:
        store.record([entry(name + b"%d" % number)])
        assert not store.notes, store.notes
"""


def test_many_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path), name], stderr=subprocess.PIPE, text=True
        )
        for name in ("a", "b", "c")
    ]
    for writer in writers:
        _, err = writer.communicate(timeout=60)
        assert writer.returncode == 0, err
    with Store(tmp_path) as store:
        assert store.keys() == {b"%s%d" % (name, number) for name in (b"a", b"b", b"c") for number in range(25)}


def test_a_writer_that_is_killed_leaves_a_sound_store(tmp_path: Path) -> None:
    record(tmp_path, entry(b"first"))
    endless = WRITER.replace("range(25)", "range(10**9)")
    writer = subprocess.Popen([sys.executable, "-c", endless, str(tmp_path), "w"])
    deadline = time.monotonic() + 30
    with Store(tmp_path) as store:
        while len(store.keys()) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
    writer.kill()
    writer.wait()
    assert record(tmp_path, entry(b"last")) == []
    with Store(tmp_path) as store:
        assert {b"first", b"last", b"w0"} <= store.keys()
        assert store.notes == []
