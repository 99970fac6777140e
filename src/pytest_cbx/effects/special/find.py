"""find: starting points, then an expression whose actions may delete, write and run. Facts: the manual of GNU findutils 4.9."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import Field, Shape

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_PLAIN = frozenset(
    {"-a", "-and", "-o", "-or", "-not", "!", "(", ")", ",", "-daystart", "-depth", "-d", "-ignore_readdir_race", "-mount", "-xdev",
     "-noignore_readdir_race", "-noleaf", "-warn", "-nowarn", "-empty", "-executable", "-readable", "-writable", "-nogroup",
     "-nouser", "-true", "-false", "-prune", "-quit", "-print", "-print0", "-ls", "-follow", "-help", "--help", "-version",
     "--version"}
)  # fmt: skip
_ONE_VALUE = frozenset(
    {"-maxdepth", "-mindepth", "-regextype", "-amin", "-anewer", "-atime", "-cmin", "-cnewer", "-ctime", "-fstype", "-gid", "-group",
     "-ilname", "-iname", "-inum", "-ipath", "-iregex", "-iwholename", "-links", "-lname", "-mmin", "-mtime", "-name", "-newer",
     "-path", "-perm", "-regex", "-samefile", "-size", "-type", "-uid", "-used", "-user", "-wholename", "-xtype", "-context",
     "-printf"}
)  # fmt: skip
_WRITES = frozenset({"-fprint", "-fprint0", "-fls"})
_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_FILE_VALUE = frozenset({"-newer", "-anewer", "-cnewer", "-samefile"})


def find(call: Call) -> None:
    """Note what find reads, and what its actions do."""
    words = call.fields
    index = 0
    while (index < len(words) and words[index].text in ("-H", "-L", "-P", "-D")) or _level(words, index):
        index += 2 if words[index].text == "-D" else 1
    roots: list[Field] = []
    while index < len(words) and not _starts_expression(words[index]):
        roots.append(words[index])
        index += 1
    roots = roots or [Field(".")]
    for root in roots:
        if root.unknown and not root.text:
            call.doubt("a word that is not known beforehand may be any action")
        call.touch(Kind.READ, root, "tree")
    _expression(call, words, index, roots)


def _level(words: list[Field], index: int) -> bool:
    return (
        index < len(words)
        and words[index].known
        and words[index].text.startswith("-O")
        and words[index].text[2:].isdigit()
    )


def _starts_expression(word: Field) -> bool:
    return word.text.startswith("-") or (word.known and word.text in ("(", ")", "!", ","))


def _expression(call: Call, words: list[Field], index: int, roots: list[Field]) -> None:
    while index < len(words):
        word = words[index]
        text = word.text
        index += 1
        if not word.known:
            call.doubt("a word that is not known beforehand may be any action")
        elif text in _PLAIN:
            continue
        elif text in _ONE_VALUE or text.startswith("-newer"):
            if text in _FILE_VALUE and index < len(words):
                call.touch(Kind.READ, words[index])
            index += 1
        elif text == "-files0-from":
            call.touch(Kind.READ, words[index] if index < len(words) else Field("-"))
            call.touch(Kind.READ, Field("/"), "tree", "the starting points come from a file")
            index += 1
        elif text == "-delete":
            for root in roots:
                call.touch(Kind.DESTROY, root, "tree", "-delete removes what is found")
        elif text in _WRITES or text == "-fprintf":
            if index < len(words):
                call.touch(Kind.WRITE, words[index], why=text)
            index += 2 if text == "-fprintf" else 1
        elif text in _RUNS:
            index = _run(call, words, index, roots, directory=text.endswith("dir"))
        else:
            call.doubt(f"the test or action {text} is not in the catalogue")


def _run(call: Call, words: list[Field], index: int, roots: list[Field], *, directory: bool) -> int:
    """Run the command of -exec up to `;` or `+`, with the paths that may be found in place of `{}`."""
    command: list[Field] = []
    while index < len(words):
        word = words[index]
        if word.known and (word.text == ";" or (word.text == "+" and command and command[-1].text == "{}")):
            break
        command.append(word)
        index += 1
    if not command:
        call.doubt("-exec without a command")
        return index + 1
    host = call.host
    with host.maybe(), host.fork(host.state.process()):
        if directory:
            host.state.cwd = Field("", Shape.UNKNOWN)
        for root in roots[:4]:
            host.run([_found(word, root, directory=directory) for word in command])
        if len(roots) > 4:
            call.doubt("too many starting points for -exec")
    return index + 1


def _found(word: Field, root: Field, *, directory: bool) -> Field:
    """`{}` as a pattern of all paths below the root."""
    if not word.known or "{}" not in word.text:
        return word
    before, _, after = word.text.partition("{}")
    if before or after or directory or not root.known:
        return Field(before, Shape.UNKNOWN)
    base = root.text.rstrip("/") or ("" if root.text.startswith("/") else ".")
    return Field(f"{base}/**", Shape.PATTERN)
