"""Fuzzes the readers and the walk with atheris, guided by coverage: `python tests/fuzz/fuzz_shell.py [CORPUS] [-max_total_time=300]`.

Needs `pip install atheris` (Linux, CPython up to the version that it has wheels for). What crashes is written beside it as
`crash-…`; a text that takes more than ten seconds is a crash, too.
"""

from __future__ import annotations

import sys


def check(data: bytes) -> None:
    """One text: both readers and the walk end, raise nothing, and stay true to each other.

    Raises:
        AssertionError: they do not.
    """
    from pytest_cbx.effects.analysis import analyse
    from pytest_cbx.effects.paths import Context
    from pytest_cbx.shell.both import read_both

    text = data.decode("utf-8", "surrogateescape")
    reading = read_both(text)
    effects = analyse(reading, Context(cwd="/w", workspace="/w", home="/home/u"))
    assert effects.readable or effects.unknown, "what cannot be read may do anything"
    assert read_both(text) == reading, "the same text gives the same reading"
    for difference in reading.differences:
        assert 0 <= difference.span.start <= difference.span.end <= len(text)


def main() -> None:
    """Fuzz until told to stop."""
    try:
        import atheris
    except ImportError:
        sys.exit(
            "atheris is not installed: pip install atheris (on Linux), or use the Hypothesis tests in tests/unit/shell"
        )
    with atheris.instrument_imports(include=["pytest_cbx"]):
        import pytest_cbx.effects.analysis
        import pytest_cbx.shell.both  # noqa: F401
    atheris.Setup([*sys.argv, "-timeout=10", "-max_len=4000", "-rss_limit_mb=1000"], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
