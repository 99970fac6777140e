"""SQL on the command line: what changes the database, and what a statement does beside it."""

from __future__ import annotations

import pytest

from tests.unit.effects.help import compact_of


@pytest.mark.parametrize(
    ("statement", "changes"),
    [
        ("select 1", False),
        ("SELECT * FROM t; SHOW x", False),
        ("explain select 1", False),
        ("\\dt", False),
        ("\\d+ t", False),
        ("insert into t values (1)", True),
        ("select 1; delete from t", True),
        ("select nextval('s')", True),
        ("with x as (select 1) insert into t select * from x", True),
        ("frobnicate", True),
    ],
)
def test_only_a_statement_that_looks_leaves_the_server_alone(statement: str, changes: bool) -> None:
    assert ("state" in compact_of(f'psql -c "{statement}"')) is changes


@pytest.mark.parametrize("statement", ["drop table t", "select 1; TRUNCATE t", "Drop Database x"])
def test_what_drops_or_truncates_is_dangerous(statement: str) -> None:
    assert "system" in compact_of(f"psql -c '{statement}'")
    assert "destroy x.db*" in compact_of(f"sqlite3 x.db '{statement}'")


@pytest.mark.parametrize(
    "statement",
    ["\\! ls", "\\copy t to program 'x'", "copy t to program 'x'", "\\i a.sql", "\\g |sh", "select 1 \\gexec", "\\watch", "\\e"],
)  # fmt: skip
def test_what_psql_may_run_is_unseen_code(statement: str) -> None:
    assert "execute" in compact_of(f'psql -c "{statement}"'), statement


@pytest.mark.parametrize(
    "statement",
    [".shell ls", ".system ls", ".read a", ".load x", ".import a t", ".once |sh", "select load_extension('x')", ".excel", ".e"],
)  # fmt: skip
def test_what_sqlite_may_run_is_unseen_code(statement: str) -> None:
    assert "execute" in compact_of(f'sqlite3 x.db "{statement}"'), statement


@pytest.mark.parametrize(
    ("command", "place"),
    [
        ("sqlite3 x.db '.output o.sql' .dump", "write o.sql"),
        ("sqlite3 x.db \".backup 'b.db'\"", "write b.db"),
        ("sqlite3 x.db \"vacuum into 'v.db'\"", "write v.db"),
        ("sqlite3 x.db \"attach database 'y.db' as y\"", "write y.db"),
        ("duckdb -c \"copy t to 'o.csv'\"", "write o.csv"),
        ("duckdb -c \"export database 'd'\"", "write d/**"),
        ("psql -c '\\o out.txt'", "write out.txt"),
        ("psql -c '\\copy t to out.csv csv'", "write out.csv"),
    ],
)
def test_the_files_of_a_statement_are_found(command: str, place: str) -> None:
    assert place in compact_of(command)


def test_statements_from_elsewhere_are_unseen() -> None:
    for command in ("sqlite3 x.db", "psql x", "psql -f a.sql", 'psql -c "$SQL"', 'sqlite3 x.db "$SQL"'):
        assert "execute" in compact_of(command), command


def test_a_read_only_file_is_only_read() -> None:
    assert compact_of("sqlite3 -readonly x.db 'delete from t'") == ["read x.db"]
    assert compact_of("sqlite3 x.db 'select 1'") == ["read x.db", "create x.db"]
