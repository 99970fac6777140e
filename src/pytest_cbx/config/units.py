"""Sizes, shares and durations as people write them, to bytes, fractions and seconds, and back.

A megabyte is 1024 × 1024 bytes here, and `MB` and `MiB` are the same thing: the founding documents' "512 MB" is a limit on
memory, where kernels and tools count in powers of two.
"""

from __future__ import annotations

import re
from fractions import Fraction

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(%?)")
_DURATION = re.compile(
    r"(?:(?P<d>[0-9]+(?:\.[0-9]+)?)\s*d)?\s*(?:(?P<h>[0-9]+(?:\.[0-9]+)?)\s*h)?\s*"
    r"(?:(?P<m>[0-9]+(?:\.[0-9]+)?)\s*m(?:in)?)?\s*(?:(?P<s>[0-9]+(?:\.[0-9]+)?)\s*s)?\s*"
    r"(?:(?P<ms>[0-9]+(?:\.[0-9]+)?)\s*ms)?"
)
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?")

_POWERS = {"b": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SECONDS = {
    "d": Fraction(86400),
    "h": Fraction(3600),
    "m": Fraction(60),
    "s": Fraction(1),
    "ms": Fraction(1, 1000),
}
_DIGITS_MAX = 40
"""Longer texts are no quantity that anyone means; the bound keeps the arithmetic small."""


class UnitError(ValueError):
    """The text is no quantity of the wanted kind; the message says what it may look like."""


def size(text: str) -> int:
    """Bytes: `512MB`, `1.5 GB`, `512MiB`, `64k`, `4096`. Fractions of a byte are cut off. Raises UnitError."""
    match = _SIZE.fullmatch(text.strip()) if len(text) <= _DIGITS_MAX else None
    unit = match[2].lower() if match else ""
    if match is None or (unit and not re.fullmatch(r"b|[kmgt](i?b)?", unit)):
        raise UnitError('a size such as "512MB", "1.5GB" or 536870912 (bytes)')
    return int(Fraction(match[1]) * 1024 ** _POWERS[unit[0] if unit else "b"])


def bandwidth(text: str) -> int:
    """Bytes per second: `100MB/s`; the `/s` may be left out. Raises UnitError."""
    try:
        return size(text.strip().removesuffix("/s"))
    except UnitError:
        raise UnitError('a size a second such as "100MB/s"') from None


def share(text: str) -> float:
    """A fraction from 0 to 1: `20%` or `0.2`. Raises UnitError."""
    match = _PERCENT.fullmatch(text.strip()) if len(text) <= _DIGITS_MAX else None
    value = float(Fraction(match[1]) / (100 if match[2] else 1)) if match else -1.0
    if not 0 <= value <= 1:
        raise UnitError('a share from 0 to 1 such as 0.2 or "20%"')
    return value


def duration(text: str) -> float:
    """Seconds: `2s`, `500ms`, `1m30s`, `5m`, `1h`, `1d`, or a plain number of seconds. Raises UnitError."""
    text = text.strip()
    if 0 < len(text) <= _DIGITS_MAX:
        if _PLAIN.fullmatch(text):
            return float(Fraction(text))
        if match := _DURATION.fullmatch(text):
            return float(sum(Fraction(number) * _SECONDS[unit] for unit, number in match.groupdict().items() if number))
    raise UnitError('a number of seconds or a duration such as "90s", "1m30s" or "500ms"')


def show_size(count: int) -> str:
    """Bytes in the largest unit that needs no rounding, as `size` reads them: 536870912 → "512MB"."""
    for unit, power in (("TB", 4), ("GB", 3), ("MB", 2), ("KB", 1)):
        if count and count % 1024**power == 0:
            return f"{count // 1024**power}{unit}"
    return f"{count}B"


def show_duration(seconds: float) -> str:
    """Seconds as `duration` reads them, to the millisecond: 90.5 → "1m30s500ms", 0 → "0s"."""
    rest = round(seconds * 1000)
    parts = []
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
