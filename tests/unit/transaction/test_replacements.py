"""Which inode a record means, after roll backs have made some anew and the kernel has given their numbers to other files."""

from __future__ import annotations

from pytest_cbx.transaction.records import Kind, Mark, Record
from pytest_cbx.transaction.replacements import NONE, Replacements

A, B, C, D = (1, 10), (1, 11), (1, 12), (1, 13)


def change(index: int) -> Record:
    return Record(index, 0, Kind.META)


def mark(index: int, old: tuple[int, int], new: tuple[int, int]) -> Record:
    return Record(index, 0, Kind.UNDONE, mark=Mark(0, 0, old, new))


def test_without_roll_backs_all_are_themselves() -> None:
    assert Replacements([change(0)]).current(A, 0) == A


def test_what_a_savepoint_replaced_counts_for_older_records_only() -> None:
    found = [change(0), change(1), mark(2, A, B), change(3)]
    replacements = Replacements(found)
    assert [replacements.current(A, index) for index in (0, 1, 3)] == [B, B, A]
    assert replacements.current(B, 3) == B


def test_replaced_again_and_again() -> None:
    replacements = Replacements([change(0), mark(1, A, B), change(2), mark(3, B, C), change(4)])
    assert replacements.current(A, 0) == C
    assert replacements.current(B, 2) == C
    assert replacements.note(A, 0, D) == (C, D)
    assert replacements.current(A, 0) == D
    assert replacements.current(A, 2) == A
    assert replacements.current(C, 4) == D


def test_the_last_word_of_one_roll_back_counts() -> None:
    replacements = Replacements([change(0), mark(1, A, B)])
    assert replacements.note(A, 0, C) == (A, C)
    assert replacements.current(A, 0) == C
    assert replacements.note(A, 0, C) == (NONE, NONE)


def test_numbers_that_come_back_do_not_go_in_circles() -> None:
    replacements = Replacements([change(0), mark(1, A, B), mark(2, B, A)])
    assert replacements.current(A, 0) == B
