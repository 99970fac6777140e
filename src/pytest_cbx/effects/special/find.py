"""find: starting points, then an expression whose actions may delete, write and run.

Facts: the manual of GNU findutils 4.9; BSD's find(1) for `-E -X -d -f -s -x` and its own tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pytest_cbx.effects.found import (
    ANYTHING,
    Filter,
    Search,
    name_test,
    narrowed,
    path_test,
    suffix_test,
    widened,
)
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join, parent_of
from pytest_cbx.effects.values import UNKNOWN_MANY, Field, Shape, as_pattern, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_LEADING = frozenset({"-H", "-L", "-P", "-E", "-X", "-s", "-x"})
_PLAIN = frozenset(
    {"-daystart", "-depth", "-d", "-ignore_readdir_race", "-mount", "-xdev", "-noignore_readdir_race", "-noleaf", "-warn", "-nowarn",
     "-empty", "-executable", "-readable", "-writable", "-nogroup", "-nouser", "-true", "-false", "-prune", "-quit", "-ls", "-follow",
     "-acl", "-sparse", "-xattr"}
)  # fmt: skip
_QUITS = frozenset({"-help", "--help", "-version", "--version"})
_ONE_VALUE = frozenset(
    {"-maxdepth", "-mindepth", "-regextype", "-amin", "-anewer", "-atime", "-cmin", "-cnewer", "-ctime", "-fstype", "-gid", "-group",
     "-ilname", "-inum", "-iregex", "-links", "-lname", "-mmin", "-mtime", "-newer", "-perm", "-regex", "-samefile", "-size", "-type",
     "-uid", "-used", "-user", "-xtype", "-context", "-printf", "-files0-from", "-fprint", "-fprint0", "-fls", "-name", "-iname",
     "-path", "-ipath", "-wholename", "-iwholename", "-flags", "-mnewer", "-xattrname", "-Bmin", "-Btime", "-Bnewer"}
)  # fmt: skip
_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_FILE_VALUE = frozenset({"-newer", "-anewer", "-cnewer", "-samefile", "-mnewer", "-Bnewer"})
_ACTS = _RUNS | {"-delete", "-print", "-print0", "-printf", "-fprint", "-fprint0", "-fprintf", "-fls", "-ls"}
"""With one of these find does not print by itself."""
_OR = frozenset({"-o", "-or"})
_AND = frozenset({"-a", "-and"})
_NOT = frozenset({"!", "-not"})
_ENDS_AND = _OR | {",", ")"}

MOST_RUNS = 6
"""More patterns than this are run as one that covers them."""


def find(call: Call) -> None:
    """Note what find reads, and what its actions do."""
    words = call.fields
    index, roots = _roots(call, words)
    primaries = _primaries(call, words, index)
    if any(primary.name in _QUITS for primary in primaries):
        return
    given = {primary.name for primary in primaries}
    if "-files0-from" in given:
        roots = [Field("", Shape.UNKNOWN)]
        call.touch(Kind.READ, Field("/"), "tree", "the starting points come from a file")
    for root in roots:
        call.touch(Kind.READ, root, "tree")
    search = Search(
        roots=tuple(roots), shallowest=_depth(primaries, "-mindepth") or 0, deepest=_depth(primaries, "-maxdepth")
    )
    expression = _Expression(call, primaries, search)
    found = expression.whole()
    if not given & _ACTS:
        expression.lines.append(search.line(found))
    call.output = expression.lines[0] if len(expression.lines) == 1 else UNKNOWN_MANY


def _roots(call: Call, words: Sequence[Field]) -> tuple[int, list[Field]]:
    """Read the options before the starting points and these; gives where the expression starts."""
    index = 0
    roots: list[Field] = []
    while index < len(words) and words[index].known:
        text = words[index].text
        if text in ("-D", "-f") and index + 1 < len(words):
            roots += [words[index + 1]] if text == "-f" else []
            index += 2
        elif text in _LEADING or (text.startswith("-O") and text[2:].isdigit()) or text == "--":
            index += 1
        else:
            break
    while index < len(words) and not _starts_expression(words[index]):
        if words[index].unknown and not words[index].text:
            call.doubt("a word that is not known beforehand may be any action")
        roots.append(words[index])
        index += 1
    return index, roots or [Field(".")]


def _starts_expression(word: Field) -> bool:
    return word.text.startswith("-") or (word.known and word.text in ("(", ")", "!", ","))


@dataclass(frozen=True, slots=True)
class _Primary:
    """An operator, test or action with its arguments."""

    name: str
    arguments: tuple[Field, ...] = ()


def _primaries(call: Call, words: Sequence[Field], index: int) -> list[_Primary]:
    found: list[_Primary] = []
    while index < len(words):
        word = words[index]
        text = word.text
        index += 1
        count = 0
        if not word.known:
            call.doubt("a word that is not known beforehand may be any action")
            continue
        if text in _RUNS:
            count = _command(words, index)
        elif text == "-fprintf":
            count = 2
        elif text in _ONE_VALUE or text.startswith("-newer") or _bsd_depth(words, index):
            count = 1
        elif text not in _PLAIN | _OR | _AND | _NOT | _QUITS | {"(", ")", ",", "-print", "-print0", "-delete"}:
            call.doubt(f"the test or action {text} is not in the catalogue")
            continue
        arguments = tuple(words[index : index + count])
        if any(argument.many and argument.unknown for argument in arguments):
            call.doubt("a word that is not known beforehand may be any action")
        if text in _RUNS and arguments and arguments[-1].known and arguments[-1].text == ";":
            arguments = arguments[:-1]
        found.append(_Primary(text, arguments))
        index += count
    return found


def _bsd_depth(words: Sequence[Field], index: int) -> bool:
    """BSD's `-depth N`; GNU's `-depth` has no value."""
    return (
        words[index - 1].text == "-depth"
        and words[index : index + 1] != []
        and words[index].text.lstrip("+-").isdigit()
    )


def _command(words: Sequence[Field], start: int) -> int:
    """How many words the command of -exec has, its `;` or `+` counted."""
    for index in range(start, len(words)):
        word = words[index]
        if word.known and (word.text == ";" or (word.text == "+" and index > start and words[index - 1].text == "{}")):
            return index - start + 1
    return len(words) - start


def _depth(primaries: Sequence[_Primary], name: str) -> int | None:
    """The value of -mindepth or -maxdepth; they count wherever they stand, and the last of them."""
    values = [primary.arguments[0] for primary in primaries if primary.name == name and primary.arguments]
    return int(values[-1].text) if values and values[-1].known and values[-1].text.isdigit() else None


class _Expression:
    """Goes through an expression with what is sure of a path where each test and action stands."""

    __slots__ = ("call", "index", "lines", "primaries", "search")

    def __init__(self, call: Call, primaries: Sequence[_Primary], search: Search) -> None:
        self.call = call
        self.primaries = primaries
        self.search = search
        self.index = 0
        self.lines: list[Field] = []
        """What its actions print."""

    def whole(self) -> Filter:
        """Note the effects of all actions; gives what is sure of the paths for which the expression is true."""
        found = self._list(ANYTHING)
        while self.index < len(self.primaries):  # a `)` too many is an error at run time
            self.index += 1
            found = self._list(ANYTHING)
        return found

    def _next(self) -> str:
        return self.primaries[self.index].name if self.index < len(self.primaries) else ""

    def _list(self, given: Filter) -> Filter:
        found = self._either(given)
        while self._next() == ",":
            self.index += 1
            found = self._either(given)
        return found

    def _either(self, given: Filter) -> Filter:
        found = [self._chain(given)]
        while self._next() in _OR:
            self.index += 1
            found.append(self._chain(given))
        return widened(found)

    def _chain(self, given: Filter) -> Filter:
        while self.index < len(self.primaries) and self._next() not in _ENDS_AND:
            given = self._one(given)
        return given

    def _one(self, given: Filter) -> Filter:
        primary = self.primaries[self.index]
        self.index += 1
        if primary.name in _AND:
            return given
        if primary.name in _NOT:
            # What is not true of a path tells too little; but an action behind `!` happens.
            if self.index < len(self.primaries) and self._next() not in _ENDS_AND:
                self._one(given)
            return given
        if primary.name == "(":
            given = self._list(given)
            self.index += self._next() == ")"
            return given
        self._act(primary, given)
        return narrowed(given, _sure(primary))

    def _act(self, primary: _Primary, given: Filter) -> None:
        call, name, arguments = self.call, primary.name, primary.arguments
        if name == "-delete":
            if self.search.everything(given):
                for root in self.search.roots:
                    call.touch(Kind.DESTROY, root, "tree", "-delete removes what is found")
            else:
                for path in self.search.paths(given):
                    call.touch(Kind.DESTROY, path, why="-delete removes what is found")
        elif name in _RUNS:
            self._run(arguments, given, directory=name.endswith("dir"))
        elif name in ("-fprint", "-fprint0", "-fls", "-fprintf") and arguments:
            call.touch(Kind.WRITE, arguments[0], why=name)
        elif name == "-files0-from" or _looks_at_file(name):
            for argument in arguments:
                call.touch(Kind.READ, argument)
        elif name in ("-print", "-print0"):
            self.lines.append(self.search.line(given))
        elif name == "-printf":
            self.lines.append(_formatted(arguments, self.search.line(given)))
        elif name == "-ls":
            self.lines.append(UNKNOWN_MANY)

    def _run(self, command: Sequence[Field], given: Filter, *, directory: bool) -> None:
        """Run the command of an action with the paths that may be found in place of `{}`."""
        call, host = self.call, self.call.host
        self.lines.append(UNKNOWN_MANY)
        batch = len(command) > 1 and command[-1].known and command[-1].text == "+" and command[-2].text == "{}"
        command = command[:-1] if batch else command
        if not command:
            call.doubt("-exec without a command")
            return
        with host.maybe(), call.process(), host.input(host.stdin):
            base = host.state.cwd
            paths = self.search.paths(given, base if directory else None)
            if len(paths) > MOST_RUNS:
                paths = [self.search.line(given).single()]
            if directory:
                host.state.cwd = self._folders(base)
            words = command[:-1] if batch else command
            if is_shell(command[0]) or any(word.text != "{}" and "{}" in word.text for word in words):
                paths = [part for path in paths for part in self._apart(path)]
            for path in paths:
                added = filled(command[0], replace(path, many=True)) if batch else []
                host.run([*(put(word, path) for word in words), *added])
            if directory:
                self._run_beside(words, given)

    def _run_beside(self, words: Sequence[Field], given: Filter) -> None:
        """-execdir works beside a starting point that is found itself."""
        host = self.call.host
        for root in self.search.roots:
            name = root.text.rstrip("/").rsplit("/", 1)[-1]
            found = any(test.path is not None or fnmatchcase(name, test.name or "*") for test in given)
            if (
                found
                and not self.search.shallowest
                and root.known
                and name not in ("", ".", "..")
                and not self._files_only()
            ):
                host.state.cwd = join(self.call.base, parent_of(root))
                host.run([put(word, Field(name)) for word in words])

    def _files_only(self) -> bool:
        return any(primary.name == "-type" and primary.arguments[:1] == (Field("f"),) for primary in self.primaries)

    def _apart(self, path: Field) -> list[Field]:
        """`a/**` as `a/**/*` and `a` itself: text that is added to the names makes them different. With `-type f` `a` is none."""
        deep = inner(path)
        root = path.text.removesuffix("/**")
        name = root.rsplit("/", 1)[-1]
        if (
            deep is path
            or self.search.shallowest
            or name in ("", ".", "..")
            or (self._files_only() and "." not in name)
        ):
            return [deep]
        return [deep, replace(path, text=root)]

    def _folders(self, base: Field) -> Field:
        """The directories in which -execdir works."""
        if len(self.search.roots) != 1 or self.search.roots[0].unknown or base.unknown:
            return Field("", Shape.UNKNOWN)
        (root,) = self.search.roots
        text = as_pattern(root) if root.text.startswith(("/", "~")) else f"{as_pattern(base)}/{as_pattern(root)}"
        return Field(f"{text}/**", Shape.PATTERN)


SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
MOST_POSITIONAL = 8


def filled(program: Field, words: Field) -> list[Field]:
    """Any number of words for a program. A shell's text may name each of them: `$1`, `$2`, `"$@"`."""
    if words.unknown or not is_shell(program):
        return [words]
    return [inner(words).single()] * MOST_POSITIONAL


def is_shell(program: Field) -> bool:
    """Whether the program is a shell, whose text puts its arguments together with other text."""
    return program.text.rsplit("/", 1)[-1] in SHELLS


def inner(path: Field) -> Field:
    """`a/**` as `a/**/*`, to which more text can be added."""
    deep = path.shape is Shape.PATTERN and path.text.endswith("/**")
    return replace(path, text=f"{path.text}/*") if deep else path


def put(word: Field, path: Field, marker: str = "{}") -> Field:
    """The word with the path in place of each marker."""
    if not word.known or marker not in word.text:
        return word
    pieces: list[Field] = []
    for index, text in enumerate(word.text.split(marker)):
        # Behind `a/**` a slash may follow, anything else belongs to a name.
        pieces += [inner(path) if text and text[0] != "/" else path] if index else []
        pieces += [Field(text)] if text else []
    return concat(pieces)


def _looks_at_file(name: str) -> bool:
    """Whether a test compares with a file. (`-newermt` has a time.)"""
    return name in _FILE_VALUE or (name.startswith("-newer") and not name.endswith("t"))


def _sure(primary: _Primary) -> Filter:
    """What a test says of a path."""
    value = primary.arguments[0] if primary.arguments else None
    if value is None or value.unknown:
        return ANYTHING
    match primary.name:
        case "-name" | "-iname":
            return name_test(value.text, fold=primary.name == "-iname")
        case "-path" | "-wholename" | "-ipath" | "-iwholename" if value.known:
            return path_test(value.text, fold=primary.name.startswith("-i"))
        case "-regex" if value.known:
            return suffix_test(value.text)
        case _:
            return ANYTHING


def _formatted(arguments: Sequence[Field], line: Field) -> Field:
    """What -printf prints, where its format is just the path or the name."""
    text = arguments[0].text.removesuffix("\\n").removesuffix("\\0") if arguments and arguments[0].known else ""
    if text == "%p":
        return line
    if text == "%f" and not line.unknown:
        name = line.text.rsplit("/", 1)[-1]
        return Field("*" if name == "**" else name, Shape.PATTERN, True)
    return UNKNOWN_MANY
