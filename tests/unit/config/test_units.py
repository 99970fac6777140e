"""Quantities as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.config import units


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("512MB", 512 << 20),
        ("512MiB", 512 << 20),
        ("512 mb", 512 << 20),
        (" 64k ", 64 << 10),
        ("1.5GB", 3 << 29),
        ("2T", 2 << 40),
        ("0.5KiB", 512),
        ("4096", 4096),
        ("7B", 7),
        ("0", 0),
        ("0.0001KB", 0),
    ],
)
def test_size(text: str, count: int) -> None:
    assert units.size(text) == count


@pytest.mark.parametrize(
    "text", ["", "MB", "-1MB", "1e3", "1,5GB", "5 apples", "1PB", "1MBs", "1bb", "1bib", "٣MB", "1.MB", "9" * 50, "20%"]
)
def test_no_size(text: str) -> None:
    with pytest.raises(units.UnitError, match="512MB"):
        units.size(text)


def test_bandwidth() -> None:
    assert units.bandwidth("100MB/s") == units.bandwidth("100 MB") == 100 << 20
    with pytest.raises(units.UnitError, match="100MB/s"):
        units.bandwidth("100MB/min")


@pytest.mark.parametrize(
    ("text", "value"), [("20%", 0.2), ("12.5 %", 0.125), ("0.2", 0.2), ("100%", 1), ("0", 0), ("1", 1)]
)
def test_share(text: str, value: float) -> None:
    assert units.share(text) == value


@pytest.mark.parametrize("text", ["", "%", "101%", "2", "-1%", "20 percent", "nan", "inf"])
def test_no_share(text: str) -> None:
    with pytest.raises(units.UnitError):
        units.share(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2s", 2),
        ("500ms", 0.5),
        ("1m30s", 90),
        ("1m 30s", 90),
        ("5m", 300),
        ("5min", 300),
        ("1.5h", 5400),
        ("1d", 86400),
        ("1h1ms", 3600.001),
        ("90", 90),
        ("0.25", 0.25),
        ("3m500ms", 180.5),
        ("0s", 0),
    ],
)
def test_duration(text: str, value: float) -> None:
    assert units.duration(text) == value


@pytest.mark.parametrize(
    "text", ["", " ", "s", "-1s", "1s1m", "1s1s", "1 fortnight", "1m30", "1e3", "5 minutes", "1hms", "inf", "1" * 60]
)
def test_no_duration(text: str) -> None:
    with pytest.raises(units.UnitError, match="90s"):
        units.duration(text)


@given(st.integers(0, 1 << 62))
def test_sizes_come_back(count: int) -> None:
    assert units.size(units.show_size(count)) == count


@given(st.integers(0, 10**9))
def test_durations_come_back(milliseconds: int) -> None:
    assert units.duration(units.show_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, rel=1e-12)


@given(st.text(max_size=50))
def test_no_text_gives_another_error(text: str) -> None:
    for read in (units.size, units.bandwidth, units.share, units.duration):
        try:
            value = read(text)
        except units.UnitError:
            continue
        assert value >= 0


def test_shown() -> None:
    assert [units.show_size(count) for count in (0, 1000, 1536, 512 << 20, 3 << 29, 1 << 40)] == [
        "0B",
        "1000B",
        "1536B",
        "512MB",
        "1536MB",
        "1TB",
    ]
    assert [units.show_duration(value) for value in (0, 0.5, 90.5, 300, 86400)] == [
        "0s",
        "500ms",
        "1m30s500ms",
        "5m",
        "1d",
    ]
