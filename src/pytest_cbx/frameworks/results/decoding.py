"""JSON of result files, as values of a type."""

from __future__ import annotations

from typing import Any

import msgspec

from pytest_cbx.frameworks.cases import ResultsError


def decoded(data: bytes, where: str, kind: Any) -> Any:
    """A value of `kind`, any type that msgspec knows; `where` is what people know the data by.

    Raises:
        ResultsError: the data is no such value.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    # msgspec leaves bytes that are no UTF-8, and nesting without end, to Python's own errors.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ResultsError(f"{where} is not what it should be: {error}") from error
