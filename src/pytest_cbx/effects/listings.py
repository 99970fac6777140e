"""Programs that print names of files, and those that let lines of their input through: for `… | xargs`, `for f in $(…)`.

What they print is one pattern that each line matches. Names of files are taken not to hold blanks or line ends, and not to
begin with `-`, as for patterns of the shell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_cbx.effects.found import ANYTHING, Search, covering, name_test, path_test
from pytest_cbx.effects.revisions import revisions
from pytest_cbx.effects.values import EMPTY, UNKNOWN, UNKNOWN_MANY, Field, Shape, as_pattern, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_LIST_FLAGS = frozenset(
    {"-1", "-t", "-r", "--reverse", "-S", "-U", "-X", "-v", "-A", "--almost-all", "-c", "-u", "-d", "--directory"}
)
_GREP_NAMES = ("-l", "-L", "--files", "--files-with-matches", "--files-without-match", "--files-without-matches")


def lines(patterns: Sequence[Field]) -> Field:
    """Lines each of which is matched by one of the fields."""
    if not patterns or any(pattern.unknown for pattern in patterns):
        return UNKNOWN_MANY
    texts = [as_pattern(pattern) for pattern in patterns]
    return Field(texts[0] if len(set(texts)) == 1 else covering(texts), Shape.PATTERN, True)


def _ls(call: Call) -> Field:
    """`ls` prints base names of a directory's entries; of files and patterns of files what it was given."""
    if not call.parsed.names <= _LIST_FLAGS:
        return UNKNOWN_MANY
    operands = call.parsed.operands or [Field(".")]
    if call.given("-d", "--directory") or all(map(_of_files, operands)):
        return lines(operands)
    entries = len(operands) == 1 and operands[0].known and operands[0].text.endswith(("/", "."))
    return Field("*", Shape.PATTERN, True) if entries else UNKNOWN_MANY


def together(outputs: Sequence[Field]) -> Field:
    """What several commands print one after the other."""
    printed = [output for output in outputs if output != EMPTY]
    if len(printed) > 1 and any(output.shape is Shape.PATTERN for output in printed):
        return UNKNOWN_MANY
    return concat(printed) if printed else EMPTY


def _of_files(operand: Field) -> bool:
    """Whether a pattern has a suffix: directories rarely have one."""
    return operand.shape is Shape.PATTERN and re.search(r"\.\w+$", operand.text) is not None


def _git(call: Call) -> Field:
    """`git ls-files`, `git diff --name-only`, `git grep -l`: paths below the working directory; names of revisions."""
    command = call.path[-1] if call.path else ""
    prints = (
        (command == "ls-files" and not call.given("-s", "--stage", "-t", "--debug", "--format"))
        or (command == "diff" and call.given("--name-only"))
        or (command == "grep" and call.given("-l", "--files-with-matches", "--name-only"))
    )
    if not prints:
        return revisions(call, command) or UNKNOWN
    operands = call.parsed.operands if command == "ls-files" else []
    if not operands or not all(operand.known for operand in operands):
        return Field("./**", Shape.PATTERN, True)
    found: list[Field] = []
    search = Search(roots=(Field("."),))
    for operand in operands:
        wildcard = any(sign in operand.text for sign in "*?[")
        if operand.text.startswith(":"):
            return Field("./**", Shape.PATTERN, True)
        if wildcard and "/" in operand.text:
            found += search.paths(path_test(f"./{operand.text}"))
        elif wildcard:
            found += search.paths(name_test(operand.text))
        else:
            found += [Field(operand.text), Field(f"{operand.text.rstrip('/')}/**", Shape.PATTERN)]
    return lines(found)


def _grep(call: Call) -> Field:
    """`grep -l` prints the files it was given, with `-r` those below them; without names it lets lines through."""
    operands = list(call.parsed.operands)
    listing = call.given(*_GREP_NAMES)
    if not call.given("-e", "-f", "--files") and operands:
        operands = operands[1:]
    if not listing:
        passes = not call.given(
            "-o", "-c", "-n", "-b", "-H", "-T", "-r", "-R", "--color", "--colour", "-q", "-A", "-B", "-C"
        )
        return _through(call) if passes and not operands and call.name != "rg" else UNKNOWN
    recursive = call.name in ("rg", "ag", "ack") or call.given("-r", "-R", "--recursive")
    if not recursive:
        return lines(operands)
    include = call.value("--include")
    roots = tuple(operands) or (Field("."),)
    found = name_test(include.text) if include is not None and include.known and call.name != "rg" else ANYTHING
    return Search(roots=roots).line(found)


def _through(call: Call) -> Field:
    """Some or all lines of its input, in another order perhaps."""
    if call.parsed.problems:
        return UNKNOWN
    stdin = call.host.stdin
    return stdin if stdin.shape is Shape.PATTERN else EMPTY if stdin == EMPTY else UNKNOWN


def _filter(*changes: str) -> Callable[[Call], Field]:
    """A program that lets lines through when it has no operands and none of these options."""

    def output(call: Call) -> Field:
        return UNKNOWN if call.parsed.operands or call.given(*changes) else _through(call)

    return output


LISTERS: dict[str, Callable[[Call], Field]] = {
    "ls": _ls, "git": _git, "grep": _grep, "egrep": _grep, "fgrep": _grep, "rg": _grep, "ag": _grep,
    "sort": _filter("-c", "-C", "-o"), "head": _filter("-c", "-v"), "tail": _filter("-c", "-v", "-f", "-F"),
    "uniq": _filter("-c"), "tac": _filter("-s", "-b"), "shuf": _filter("-i", "-e", "-o"),
}  # fmt: skip
"""By the program's name."""
