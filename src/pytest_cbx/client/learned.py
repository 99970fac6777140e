"""What earlier runs of a work tree's commands were seen to do: a small SQLite database in the user's cache directory.

`<cache>/pytest-cbx/<hash of the work tree>/observed.sqlite3`. Losing it costs time, never data; so whatever is wrong with
it is told and got around, and no command fails for it. Several processes may use it at once.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pytest_cbx.client.output import cache_directory, cache_home, digest_of_tree
from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Domain, Mode

SCHEMA = 1
"""Raised when the tables change. A database of another schema is begun anew, or left alone where it is newer."""
RUNS_KEPT = 20
"""Runs of one command."""
COMMANDS_KEPT = 5000
AGE_KEPT = 90 * 86400.0
"""Seconds since a command last ran."""
PATIENCE = 5.0
"""Seconds to wait for another process that writes."""

_TABLES = """
create table command (id integer primary key, key blob not null unique, cwd text not null, text text not null, used real not null);
create table run (
  id integer primary key, command integer not null references command on delete cascade, stamp blob not null, at real not null,
  tier text not null, exit_code integer, passed integer not null, complete integer not null, reads integer not null,
  seconds real not null, predicted text not null
);
create table seen (run integer not null references run on delete cascade, mode text not null, scope text not null, path blob not null);
create table file (path blob primary key, facts text not null, digest blob not null, used real not null);
create index run_of_command on run (command, at);
create index seen_of_run on seen (run);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigest:
    """The content of a file that a prediction depends on, with facts that change when it may have changed."""

    path: str
    """Absolute."""
    facts: str
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a run is filed under."""

    key: bytes
    """Of the text, its place and its environment."""
    stamp: bytes
    """Of the files that the prediction depended on: what another stamp saw is no longer true."""
    cwd: str
    files: tuple[FileDigest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a command."""

    stamp: bytes
    at: float
    """Unix seconds."""
    tier: str
    exit_code: int | None
    passed: bool
    complete: bool
    """It ran to its own end under a rung that saw every write, and all of them are in `seen`."""
    reads: bool
    """Its reads inside the work tree are in `seen`, too."""
    seconds: float
    predicted: tuple[str, ...] = ()
    """Its claims, for people."""
    seen: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run to be remembered."""

    trace: Trace
    text: str
    run: Run


class Store:
    """The database of one work tree. Open for a moment, not for a session: `with Store(root) as store`.

    `create=False` only looks: where there is none, none is made, nor any directory.

    Raises nothing: when it cannot be used it knows nothing and keeps nothing, and `notes` says why.
    """

    def __init__(self, root: Path, *, create: bool = True) -> None:
        self.notes: list[str] = []
        """For people."""
        self._path: Path | None = None
        self._database: sqlite3.Connection | None = None
        name = f"{digest_of_tree(root)}/observed.sqlite3"
        if not create and not os.path.lexists(os.path.join(cache_home(), "pytest-cbx", name)):
            return
        try:
            self._path = cache_directory() / name
        except OSError as error:
            self._note(f"cannot be found: {error.strerror}")
            return
        self._open()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._drop()

    # --- reading ------------------------------------------------------------------------------------------

    def keys(self) -> frozenset[bytes]:
        """All commands that something is known of."""
        found: frozenset[bytes] = frozenset()
        with self._tolerant():
            if self._database is not None:
                found = frozenset(key for (key,) in self._database.execute("select key from command"))
        return found

    def runs(self, key: bytes) -> tuple[Run, ...]:
        """The runs of a command, the last one first."""
        found: tuple[Run, ...] = ()
        with self._tolerant():
            if self._database is not None:
                found = tuple(self._runs(self._database, key))
        return found

    def digest(self, path: str, facts: str) -> bytes | None:
        """The digest of a file whose facts are still these."""
        row: tuple[bytes] | None = None
        with self._tolerant():
            if self._database is not None:
                asked = os.fsencode(path), facts
                row = self._database.execute("select digest from file where path = ? and facts = ?", asked).fetchone()
        return row[0] if row else None

    def _runs(self, database: sqlite3.Connection, key: bytes) -> Iterator[Run]:
        rows = database.execute(
            "select run.id, stamp, at, tier, exit_code, passed, complete, reads, seconds, predicted from run "
            "join command on command.id = run.command where key = ? order by at desc, run.id desc limit ?",
            (key, RUNS_KEPT),
        ).fetchall()
        seen: dict[int, list[tuple[str, str, bytes]]] = {}
        # One query for all of them: a plan of many commands asks this for each.
        marks = ", ".join("?" * len(rows))
        of_these = f"select run, mode, scope, path from seen where run in ({marks})"
        for number, mode, scope, path in database.execute(of_these, [row[0] for row in rows]):
            seen.setdefault(number, []).append((mode, scope, path))
        for number, stamp, at, tier, exit_code, passed, complete, reads, seconds, predicted in rows:
            yield Run(
                stamp=stamp, at=at, tier=tier, exit_code=exit_code, passed=bool(passed), complete=bool(complete),
                reads=bool(reads), seconds=seconds, predicted=tuple(json.loads(predicted)),
                seen=tuple(_claim(*claim) for claim in seen.get(number, ())),
            )  # fmt: skip

    # --- writing ------------------------------------------------------------------------------------------

    def record(self, entries: Sequence[Entry]) -> None:
        """Remember these runs, and forget what is too old or too much."""
        with self._tolerant():
            if self._database is None or not entries:
                return
            self._database.execute("begin immediate")
            # What fails from here on closes the database, and so takes the transaction back.
            for entry in entries:
                self._add(self._database, entry)
            self._prune(self._database)
            self._database.execute("commit")

    def _add(self, database: sqlite3.Connection, entry: Entry) -> None:
        run, trace = entry.run, entry.trace
        database.execute(
            "insert into command (key, cwd, text, used) values (?, ?, ?, ?) "
            "on conflict (key) do update set used = max(used, excluded.used)",
            (trace.key, _text(trace.cwd), _text(entry.text), run.at),
        )
        (number,) = database.execute("select id from command where key = ?", (trace.key,)).fetchone()
        facts = (
            number, trace.stamp, run.at, run.tier, run.exit_code, run.passed, run.complete, run.reads, run.seconds,
            json.dumps(run.predicted),
        )  # fmt: skip
        row = database.execute(
            "insert into run (command, stamp, at, tier, exit_code, passed, complete, reads, seconds, predicted) "
            "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            facts,
        ).lastrowid
        rows = [(row, claim.mode.value, claim.scope.value, os.fsencode(claim.target)) for claim in run.seen]
        database.executemany("insert into seen values (?, ?, ?, ?)", rows)
        files = [(os.fsencode(file.path), file.facts, file.digest, run.at) for file in trace.files]
        database.executemany("insert or replace into file values (?, ?, ?, ?)", files)
        database.execute(
            "delete from run where command = ? and id not in "
            "(select id from run where command = ? order by at desc, id desc limit ?)",
            (number, number, RUNS_KEPT),
        )

    def _prune(self, database: sqlite3.Connection) -> None:
        oldest = time.time() - AGE_KEPT
        database.execute("delete from command where used < ?", (oldest,))
        database.execute("delete from file where used < ?", (oldest,))
        for table in ("command", "file"):
            database.execute(
                f"delete from {table} where rowid not in (select rowid from {table} order by used desc limit ?)",
                (COMMANDS_KEPT,),
            )

    # --- the file ------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Open the database, and make its tables; once more when it was damaged and is out of the way now."""
        for _ in range(2):
            if self._database is None and self._path is not None:
                self._connect(self._path)

    def _connect(self, path: Path) -> None:
        with self._tolerant():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
            self._database.execute("pragma foreign_keys = on")
            # Nothing here is worth a wait for the disk: after a power cut a damaged file is set aside.
            self._database.execute("pragma synchronous = off")
            self._make_tables(self._database)

    def _make_tables(self, database: sqlite3.Connection) -> None:
        if self._version(database) == SCHEMA:
            return
        database.execute("begin exclusive")
        version = self._version(database)
        if version > SCHEMA:
            database.execute("rollback")
            self._give_up("belongs to a newer pytest-cbx")
            return
        if version != SCHEMA:
            for table in ("seen", "run", "command", "file"):
                database.execute(f"drop table if exists {table}")
            for statement in _TABLES.split(";\n"):
                database.execute(statement)
            database.execute(f"pragma user_version = {SCHEMA}")
        database.execute("commit")

    def _version(self, database: sqlite3.Connection) -> int:
        (version,) = database.execute("pragma user_version").fetchone()
        return int(version)

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "no such" in str(error):
                self._set_aside(str(error))
            else:
                # Locked for too long, a full disk, a directory that cannot be written: the file itself is sound.
                self._give_up(f"cannot be used: {error}")
        except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
            # Not a database, a torn page; or rows that nobody of us has written.
            self._set_aside(str(error))
        except OSError as error:
            self._give_up(f"cannot be used: {error.strerror}")

    def _give_up(self, why: str) -> None:
        self._note(why)
        self._path = None
        self._drop()

    def _set_aside(self, why: str) -> None:
        self._drop()
        path = self._path
        if path is None:
            return
        aside = path.with_suffix(".damaged")
        try:
            os.replace(path, aside)
            path.with_name(path.name + "-journal").unlink(missing_ok=True)
        except FileNotFoundError:
            return  # another process was faster
        except OSError as error:
            self._give_up(f"is damaged ({why}) and cannot be set aside: {error.strerror}")
            return
        self._note(f"was damaged ({why}): it is now {aside}, and what commands touch is learned anew")

    def _drop(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):
                database.close()

    def _note(self, what: str) -> None:
        self.notes.append(f"the store of what commands were seen to touch {what}")


def _claim(mode: str, scope: str, path: bytes) -> Claim:
    return Claim(domain=Domain.FILE, mode=Mode(mode), scope=Scope(scope), target=os.fsdecode(path))


def _text(text: str) -> str:
    # SQLite holds UTF-8 only, and these are for people.
    return text.encode("utf-8", "replace").decode("utf-8")[:4096]
