"""What quoted text stands for: ANSI-C escapes, and the backslashes in backquotes."""

from __future__ import annotations

import re

_SIMPLE = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
_ESCAPE = re.compile(
    r"\\(?:(?P<simple>[abeEfnrtv\\'\"?])|(?P<octal>[0-7]{1,3})|x\{(?P<braced>[0-9A-Fa-f]*)\}?|x(?P<hex>[0-9A-Fa-f]{1,2})"
    r"|u(?P<u4>[0-9A-Fa-f]{1,4})|U(?P<u8>[0-9A-Fa-f]{1,8})|c(?P<control>.))",
    re.DOTALL,
)


def ansi_c(text: str) -> str | None:
    """What the inside of `$'…'` stands for, as bash's manual says under "ANSI-C Quoting".

    None where it has bytes that are no text, or a code beyond Unicode.
    """
    if "\\" not in text:
        return text
    pieces: list[str] = []
    raw = bytearray()
    last = 0
    for match in _ESCAPE.finditer(text):
        between = text[last : match.start()]
        last = match.end()
        if between and not _flush(raw, pieces):
            return None
        pieces.append(between)
        code = _byte(match)
        if code is None:
            decoded = _character(match)
            if decoded is None or not _flush(raw, pieces):
                return None
            pieces.append(decoded)
        elif code == 0:
            # Bash cuts the string at a NUL.
            return "".join(pieces) if _flush(raw, pieces) else None
        else:
            raw.append(code)
    if not _flush(raw, pieces):
        return None
    return "".join(pieces) + text[last:]


def _byte(match: re.Match[str]) -> int | None:
    if match["octal"]:
        return int(match["octal"], 8) & 0xFF
    if match["hex"]:
        return int(match["hex"], 16)
    if match["braced"] is not None:
        return int(match["braced"] or "0", 16) & 0xFF
    return None


def _character(match: re.Match[str]) -> str | None:
    if match["simple"]:
        return _SIMPLE[match["simple"]]
    if match["control"]:
        code = ord(match["control"])
        return chr(code & 0x1F) if 0x40 <= code < 0x7F and code & 0x1F else ("\x7f" if code == 0x3F else None)
    code = int(match["u4"] or match["u8"], 16)
    if code == 0 or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return None
    return chr(code)


def _flush(raw: bytearray, pieces: list[str]) -> bool:
    """Bytes written one by one must make up whole characters."""
    try:
        pieces.append(raw.decode())
    except UnicodeDecodeError:
        return False
    raw.clear()
    return True


def backquoted(text: str, places: list[int], *, quoted: bool) -> tuple[str, list[int]]:
    """The inside of backquotes without the backslashes that belong to them, and the places of what is left.

    `places` has one entry more than `text`, for its end. In double quotes `\\"` loses its backslash too.
    """
    escapable = '$`\\"' if quoted else "$`\\"
    kept: list[int] = []
    index = 0
    while index < len(text):
        if text[index] == "\\" and index + 1 < len(text) and text[index + 1] in escapable:
            index += 1
        kept.append(index)
        index += 1
    return "".join(text[i] for i in kept), [*(places[i] for i in kept), places[-1]]
