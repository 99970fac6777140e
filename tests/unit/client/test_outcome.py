"""What people are told of a command's end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.client.outcome import TAIL_LINES, error_of, headline, last_lines, tail_of_file
from pytest_cbx.errors import CbxError, CommandTimeout, LockTimeout, SpawnError
from tests.unit.client.making import make_outcome


def test_tail_of_a_short_file(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\nthree")
    assert tail_of_file(tmp_path / "log") == (["one", "two", "three"], False)
    assert tail_of_file(tmp_path / "log", 2) == (["two", "three"], True)


def test_tail_of_an_empty_and_of_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert tail_of_file(tmp_path / "empty") == ([], False)
    assert tail_of_file(tmp_path / "missing") == ([], False)
    assert tail_of_file(tmp_path) == ([], False)


def test_tail_of_a_huge_file_is_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(3_000_000_000)
        file.seek(0, 2)
        file.write(b"\n" + b"".join(b"line %d\n" % number for number in range(100)))
    lines, more = tail_of_file(log)
    assert more
    assert lines == [f"line {number}" for number in range(60, 100)]


def test_tail_of_one_endless_line_is_cut(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("start " + "x" * 10_000 + " end")
    (line,), more = tail_of_file(tmp_path / "log")
    assert not more
    assert line.startswith("start x")
    assert line.endswith("x end")
    assert len(line) < 2100


def test_tail_of_binary_output(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(range(256)) * 3)
    lines, _ = tail_of_file(tmp_path / "log")
    assert "ABC" in "".join(lines).encode("utf-8").decode("utf-8")


@given(count=st.integers(0, 200))
def test_last_lines_say_how_many_are_missing(count: int) -> None:
    lines = last_lines("".join(f"{number}\n" for number in range(count)))
    expected = [str(number) for number in range(count)][-TAIL_LINES:]
    if count > TAIL_LINES:
        note, *lines = lines
        assert note.startswith(f"… {count - TAIL_LINES} line")
    assert lines == expected


def test_headline() -> None:
    assert headline(make_outcome(command="make\nmake test\n")) == "`make …` passed: exit code 0 (SAFE_PARALLEL, 1.00 s)"
    late = make_outcome(status="failed", reason="stopped after 3 s", exit_code=143)
    assert headline(late) == "`run lint` failed: stopped after 3 s (SAFE_PARALLEL, 1.00 s)"
    never = make_outcome(status="cancelled", exit_code=None, duration=0.0, attempts=0)
    assert "never ran" in headline(never)


def test_an_outcome_as_text_shows_both_streams() -> None:
    text = str(make_outcome(stdout="to out\n", stderr="to err\n"))
    assert text.splitlines()[1:] == ["--- stdout", "to out", "--- stderr", "to err"]


@pytest.mark.parametrize(
    ("status", "cause", "kind"),
    [
        ("failed", "exit", None),
        ("failed", "signal", None),
        ("passed", "exit", None),
        ("failed", "timeout", CommandTimeout),
        ("failed", "start-failed", SpawnError),
        ("failed", "memory", CbxError),
        ("cancelled", "", CbxError),
        ("skipped", "", CbxError),
        ("lock-timeout", "", LockTimeout),
    ],
)
def test_errors_behind_an_end(status: str, cause: str, kind: type[CbxError] | None) -> None:
    error = error_of(status=status, cause=cause, reason="because", name="lint")
    assert (type(error) if error else None) is kind
    assert error is None or str(error) == "lint: because"
