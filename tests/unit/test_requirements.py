"""The helper that decides between skipping and failing."""

from __future__ import annotations

import pytest

from tests.requirements import require


def test_what_is_there_is_enough() -> None:
    require("bash")


def test_a_missing_tool_skips_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CBX_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="not installed: no-such-tool"):
        require("bash", "no-such-tool")


def test_a_missing_tool_fails_where_it_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBX_REQUIRE", "1")
    with pytest.raises(pytest.fail.Exception, match="not installed: no-such-tool"):
        require("no-such-tool")
