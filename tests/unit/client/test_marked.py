"""Texts with parts underlined: everything at its column, nothing wider than the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pytest_cbx.client.marked import ASCII, Mark, marked, plain
from pytest_cbx.shell.nodes import Span


def mark(text: str, part: str, *says: str) -> Mark:
    start = text.index(part)
    return Mark(span=Span(start, start + len(part)), says=says, style="red")


def drawn(text: str, *marks: Mark, width: int = 60) -> list[str]:
    return plain(marked(text, marks, width=width, indent=0))


def test_labels_hang_below_their_parts() -> None:
    text = "cat a | grep b  > out"
    assert drawn(text, Mark(span=Span(4, 5), says=("reads",)), mark(text, "> out", "writes", "and more")) == [
        "cat a | grep b  > out",
        "    ━           ━━━━━",
        "    │           ╰ writes",
        "    │             and more",
        "    ╰ reads",
    ]


def test_a_text_without_marks_is_itself() -> None:
    assert drawn("ls -l\npwd") == ["ls -l", "pwd"]


def test_wide_characters_take_two_columns() -> None:
    text = "echo 日本 x"
    assert drawn(text, mark(text, "日本", "wide"), mark(text, "x", "narrow")) == [
        "echo 日本 x",
        "     ━━━━ ━",
        "     │    ╰ narrow",
        "     ╰ wide",
    ]


def test_tabs_reach_to_the_next_stop() -> None:
    text = "a\tb"
    assert drawn(text, mark(text, "b", "here")) == ["a   b", "    ━", "    ╰ here"]


def test_what_would_upset_a_terminal_is_shown() -> None:
    text = "a\x1b[2K\u202eb\x7f\udcff"
    (line,) = drawn(text)
    assert line == "a␛[2K<U+202E>b␡\ufffd"


def test_long_lines_go_on_in_the_next_row() -> None:
    text = "echo " + "x" * 50 + " end"
    lines = drawn(text, mark(text, "end", "the end"), width=40)
    assert lines[0] == text[:40]
    assert lines[1] == text[40:]
    assert lines[2] == " " * text[40:].index("end") + "━━━"


def test_a_part_over_two_lines_is_labelled_at_its_last() -> None:
    text = "for x in a; do\n  rm a\ndone"
    whole = Mark(span=Span(0, len(text)), says=("loops",))
    assert drawn(text, whole) == ["for x in a; do", "━" * 14, "  rm a", "━" * 6, "done", "━━━━", "╰ loops"]


def test_a_label_far_to_the_right_moves_left() -> None:
    text = "echo " + "x" * 30 + " y"
    lines = drawn(text, mark(text, "y", "a label that needs some room to be read"), width=44)
    assert lines[2:] == ["              ╰ a label that needs some room", "                to be read"]


def test_a_long_stretch_without_marks_is_cut() -> None:
    text = "\n".join(f"echo {number}" for number in range(20)) + "\nrm x"
    lines = drawn(text, mark(text, "rm", "removes"))
    assert lines == ["echo 0", "echo 1", "… 16 lines", "echo 18", "echo 19", "rm x", "━━", "╰ removes"]


def test_ascii_signs() -> None:
    assert plain(marked("rm x", [mark("rm x", "x", "gone")], width=40, indent=0, signs=ASCII)) == [
        "rm x",
        "   ^",
        "   `-gone",
    ]


def test_underlines_have_the_style_of_their_mark() -> None:
    lines = marked("rm x", [mark("rm x", "x", "gone")], width=40, indent=0)
    assert ("x", "red") in lines[0]
    assert ("━", "red") in lines[1]
    assert ("gone", "red") in lines[2]


@given(
    text=st.text(max_size=120),
    places=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 40), st.text(max_size=60)), max_size=6),
    width=st.integers(20, 100),
)
def test_no_line_is_wider_than_the_terminal(text: str, places: list[tuple[int, int, str]], width: int) -> None:
    marks = [
        Mark(span=Span(start, start + length), says=("".join(c for c in said if c.isprintable()),))
        for start, length, said in places
        if start <= len(text)
    ]
    for line in plain(marked(text, marks, width=width)):
        assert "\n" not in line
        assert cell_len(line) <= max(width, 20) + 1, line


@pytest.mark.parametrize("text", ["", "\n", "\n\n", "a\n"])
def test_hardly_any_text(text: str) -> None:
    assert isinstance(drawn(text, Mark(span=Span(0, 1), says=("x",))), list)
