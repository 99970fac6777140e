"""Texts that are hardly bash: its constructs spliced, half open, and in the wrong place."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

ATOMS = (
    "cat", "rm", "-rf", "a", "b.txt", "src/*.c", "$x", '"$x"', "${x:-a}", "${x#*/}", "${x//a/b}", "$(echo a)", "`rm a`", "<(cat a)",
    ">(cat)", "$((i+1))", "|", "&&", "||", ";", "\n", "&", "(", ")", "{", "}", ">", ">>", "<", "<<<", "2>&1", "<&-", ">&", "&>", ">|",
    "|&", "<>", "{fd}>", "2>", "10<", "if", "then", "elif", "else", "fi", "for", "select", "in", "do", "done", "while", "until", "case",
    "esac", ";;", ";&", "f()", "function", "x=1", "x+=1", "x=(a b)", "a[1]=b", "export", "eval", "'rm a'", "''", '""', "a'b'", "\"a\"'b'",
    "$'c'", '$"d"', "bash", "-c", "time", "coproc", "!", "[[", "]]", "((", "))", "$((", "$[", "]", "[", "${x", "$(", "`", "'", '"', "\\",
    "\\\n", "$", "#", "<<E\n", "<<-'E'\n", "E\n", "~", "~/a", "*", "?", "{a,b}", "a{1..3}", "@(a|b)", "!(", "\t", "é", "0", "-", "--",
    "a\\ b", "$@", "$#", "\r", "\x01", "{", ",", "..",
)  # fmt: skip
"""Pieces of bash, whole and broken."""


def soups(most: int = 14) -> SearchStrategy[str]:
    """Up to `most` pieces, with blanks between them or without."""
    pieces = st.lists(st.sampled_from(ATOMS), max_size=most)
    return st.builds(lambda parts, separator: separator.join(parts), pieces, st.sampled_from([" ", " ", ""]))
