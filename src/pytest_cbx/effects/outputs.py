"""What simple programs print, where that follows from their words: for `$(…)`, pipes into a shell, `source <(…)`."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_cbx.effects.listings import LISTERS
from pytest_cbx.effects.paths import name_of, parent_of
from pytest_cbx.effects.values import EMPTY, PRINTED, TAME, UNKNOWN, UNKNOWN_MANY, Field, Origin, Shape, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_SILENT = frozenset(
    {":", "true", "false", "cd", "test", "[", "export", "unset", "set", "shopt", "mkdir", "touch", "rm", "exit", "return", "shift",
     "sleep", "wait", "trap", "local", "declare", "readonly", "chmod", "cp", "mv", "read", "eval"}
)  # fmt: skip
"""Programs that print nothing when they are given something to do, and not asked to tell."""
_TELLING = ("-p", "-v", "--verbose", "-P", "-l", "-q", "-s", "-o")
_TAME = frozenset({"nproc", "id", "whoami", "hostname", "uname", "arch", "tty", "logname"})
_SUMS = frozenset({"wc", "md5sum", "sha1sum", "sha256sum", "cksum"})
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPE_OF_B = re.compile(r"\\(x[0-9a-fA-F]{1,2}|0[0-7]{0,3}|.)", re.DOTALL)
"""Of `%b` and `echo -e`."""
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)")
_UNCLEAR = re.compile(r"""\\[uUc'"?1-7]""")
"""Escapes that differ between the two, end the output, or depend on the locale."""


def known_output(call: Call) -> Field:
    """The text that the program prints, as far as it follows from its words and its known input."""
    if call.name in _SILENT and not call.parsed.problems:
        return UNKNOWN if _tells(call) else EMPTY
    if call.name in _TAME or (call.name in _SUMS and not call.parsed.operands):
        return TAME
    printer = _PRINTERS.get(call.name) or LISTERS.get(call.name)
    return printer(call) if printer else UNKNOWN


def _tells(call: Call) -> bool:
    """Whether a silent program prints after all: `cd -`, `set` alone, `trap -p`, `mkdir -v`."""
    words = [word.text for word in call.fields]
    if call.name == "cd":
        return "-" in words or "CDPATH" in call.host.state.variables
    alone = call.name in ("export", "set", "shopt", "trap", "declare", "local", "readonly") and not call.assigned
    return (alone and not words) or call.given(*_TELLING) or not all(word.known for word in call.fields[:1])


_DECODERS: dict[str, tuple[str, ...]] = {
    "base64": ("-d", "--decode", "-D"), "base32": ("-d", "--decode"), "basenc": ("-d", "--decode"), "openssl": ("-d",),
    "xxd": ("-r",), "gzip": ("-d",), "xz": ("-d",), "bzip2": ("-d",), "zstd": ("-d",), "gunzip": (), "zcat": (), "xzcat": (), "bzcat": (),
    "uudecode": (), "rev": (), "tac": (), "tr": (), "rot13": (), "ascii2binary": (), "uncompress": (),
}  # fmt: skip
"""Programs that turn text which nobody can read into text, each with the options of which one is needed for that."""

_OWN_WORDS = frozenset(
    {"ssh-agent", "ssh-add", "ssh-keygen", "gpg", "gpg2", "openssl", "pass", "age", "sops", "git-credential"}
)
"""Programs that may talk to another host, but print what they say themselves."""

_CODED = re.compile(r"\\(?:x[0-9a-fA-F]|0?[0-7]{2,3}|u[0-9a-fA-F])")


def traced(call: Call, output: Field, *, fetched: bool) -> Field:
    """The output with its origin: that of its input, and what the program itself does."""
    options = _DECODERS.get(call.name)
    decoded = options is not None and (
        not options or any(word.text in options for word in call.fields) or call.given(*options)
    )
    if call.name in ("printf", "echo"):
        decoded = any(_CODED.search(word.text) for word in call.fields)
    fetched &= call.name not in _OWN_WORDS
    given = call.host.stdin.origin if output.unknown else None
    if call.name in ("printf", "echo") and output.unknown:
        given = next((word.origin for word in call.fields if word.origin is not None), None)
    if not (fetched or decoded or given):
        if output.known or output.origin is not None:
            return output
        return PRINTED if output is UNKNOWN else replace(output, origin=Origin())
    origin = Origin(fetched=fetched, decoded=decoded) | given | output.origin
    return replace(output, origin=replace(origin, split=False))


def _decoded(text: str, *, b: bool) -> str | None:
    """The text with its escapes replaced, as in the format of printf or (`b`) as `%b` does; None where that is not clear."""
    plain = text.replace("\\\\", "")
    if _UNCLEAR.search(plain if b else re.sub(r"""\\[1-7'"?]""", "", plain)):
        return None
    return (_ESCAPE_OF_B if b else _ESCAPE).sub(_decode, text)


def _decode(found: re.Match[str]) -> str:
    code = found.group(1)
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    if code in ("'", '"', "?"):
        return code
    return _ESCAPES.get(code, f"\\{code}")


def _echo(call: Call) -> Field:
    words = list(call.fields)
    escapes, newline = False, True
    while words and words[0].known and re.fullmatch(r"-[neE]+", words[0].text):
        flags = words.pop(0).text
        newline &= "n" not in flags
        escapes = (escapes or "e" in flags) and "E" not in flags
    pieces: list[Field] = []
    for index, word in enumerate(words):
        pieces.extend([Field(" "), word] if index else [word])
    text = concat(pieces) if pieces else EMPTY
    if len(words) == 1 and words[0].shape is Shape.PATTERN and not re.search(r"\s", text.text):
        return text
    if not text.known or text.many:
        return UNKNOWN
    printed = _decoded(text.text, b=True) if escapes else text.text
    return UNKNOWN if printed is None else Field(printed + "\n" * newline)


def _printf(call: Call) -> Field:
    return printed([word for word in call.fields if not (word.known and word.text == "--")])


def printed(words: Sequence[Field]) -> Field:
    """What `printf WORDS…` prints."""
    if len(words) == 2 and words[0].text in ("%s\\n", "%s\\0") and words[1].shape is Shape.PATTERN:
        return words[1]
    if not words or not all(word.known for word in words) or words[0].text == "-v":
        return UNKNOWN
    pattern, arguments = words[0].text, [word.text for word in words[1:]]
    if re.search(r"%[^%sdb]", pattern):
        return UNKNOWN
    pieces = re.split(r"(%[%sdb])", pattern)
    slots = sum(piece in ("%s", "%d", "%b") for piece in pieces)
    out = ""
    while True:
        for piece in pieces:
            made: str | None = "%" if piece == "%%" else ""
            if piece in ("%s", "%d", "%b"):
                argument = arguments.pop(0) if arguments else "" if piece != "%d" else "0"
                number = _NUMBER.fullmatch(argument)
                made = _decoded(argument, b=True) if piece == "%b" else argument if piece == "%s" or number else None
            elif piece != "%%":
                made = _decoded(piece, b=False)
            if made is None:
                return UNKNOWN
            out += made
        if not arguments or not slots or len(out) > 10_000:
            return Field(out)


def _pwd(call: Call) -> Field:
    cwd = call.base
    return concat([cwd, Field("\n")]) if cwd.known else UNKNOWN


def _basename(call: Call) -> Field:
    operands = call.parsed.operands
    if not operands or call.parsed.options or not operands[0].known:
        return TAME if operands and not operands[0].unknown else UNKNOWN
    name = name_of(operands[0]).text
    suffix = operands[1].text if len(operands) > 1 and operands[1].known else ""
    return Field((name.removesuffix(suffix) if name != suffix else name) + "\n")


def _dirname(call: Call) -> Field:
    operands = call.parsed.operands
    if len(operands) != 1 or not operands[0].known:
        return UNKNOWN
    return concat([parent_of(operands[0]), Field("\n")])


def _realpath(call: Call) -> Field:
    operands = call.parsed.operands
    if len(operands) != 1 or not operands[0].known or not call.base.known:
        return UNKNOWN
    return Field(posixpath.normpath(posixpath.join(call.base.text, operands[0].text)) + "\n")


def _cat(call: Call) -> Field:
    operands = call.parsed.operands
    if (
        len(operands) == 1
        and operands[0].known
        and not call.parsed.options
        and operands[0].text not in ("-", *call.host.pipes)
    ):
        # Whoever takes this in may ask for the file's text.
        output = Field("", Shape.UNKNOWN, origin=Origin())
        call.host.redirected = (output, operands[0], call.base)
        return output
    if call.parsed.options or any(operand.text != "-" for operand in operands):
        inputs = [call.host.pipes.get(operand.text, UNKNOWN) for operand in operands]
        return concat(inputs) if inputs and not call.parsed.options else UNKNOWN
    return call.host.stdin


def _base64(call: Call) -> Field:
    if not call.given("-d", "--decode", "-D") or call.parsed.operands or not call.host.stdin.known:
        return UNKNOWN
    try:
        return Field(base64.b64decode(call.host.stdin.text).decode())
    except (binascii.Error, ValueError):
        return UNKNOWN


def _seq(call: Call) -> Field:
    operands = call.parsed.operands
    if call.parsed.options or not operands or not all(re.fullmatch(r"-?\d{1,6}", operand.text) for operand in operands):
        return UNKNOWN_MANY if any(operand.many for operand in operands) else Field("*", Shape.PATTERN, True)
    numbers = [int(operand.text) for operand in operands]
    first, step, last = (1, 1, *numbers)[-3:] if len(numbers) != 2 else (numbers[0], 1, numbers[1])
    if not step or abs((last - first) // step) > 64:
        return Field("*", Shape.PATTERN, True)
    return Field("".join(f"{number}\n" for number in range(first, last + (1 if step > 0 else -1), step)))


def _which(call: Call) -> Field:
    """`which NAME`, `command -v NAME`, `type -P NAME`: the program that the shell would find, which may lie in any directory of PATH."""
    words = [word for word in call.fields if not word.text.startswith("-")]
    if len(words) != 1 or not words[0].known or "/" in words[0].text or words[0].text in call.host.state.functions:
        return UNKNOWN
    describes = call.given("-v") if call.name == "command" else call.given("-P", "-p") if call.name == "type" else True
    return Field(f"/usr/bin/{words[0].text}\n") if describes else UNKNOWN


def _date(call: Call) -> Field:
    """A date holds neither slashes nor blanks, unless its format has them."""
    forms = [word for word in call.parsed.operands if word.text.startswith("+") or word.unknown]
    tame = all(form.known and re.fullmatch(r"\+[%\w][%\w.:,+=@^#-]*", form.text) for form in forms)
    return TAME if tame and not re.search("%[DcnrtxX]", "".join(form.text for form in forms)) else UNKNOWN_MANY


def _expr(call: Call) -> Field:
    """A number, where only numbers are added, multiplied and compared."""
    words = call.fields
    plain = all(
        word.unknown or _NUMBER.fullmatch(word.text) or word.text in ("+", "-", "*", "/", "%") for word in words
    )
    return TAME if plain and len(words) > 2 else UNKNOWN_MANY


_PRINTERS: dict[str, Callable[[Call], Field]] = {
    "echo": _echo, "printf": _printf, "pwd": _pwd, "basename": _basename, "dirname": _dirname, "realpath": _realpath,
    "cat": _cat, "tee": lambda call: call.host.stdin, "base64": _base64, "seq": _seq, "which": _which,
    "command": _which, "type": _which, "date": _date, "expr": _expr,
}  # fmt: skip
