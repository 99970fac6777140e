"""docs/safety.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_cbx.effects.model import Effect, Effects, Estimate, Kind, Place
from pytest_cbx.plan.claims import claims_of
from pytest_cbx.safety.tiers import RULES
from pytest_cbx.severity import RULES as RULE_SEVERITIES
from pytest_cbx.tier import Tier
from tests.unit.safety.test_findings import findings

PAGE = Path(__file__).parents[3] / "docs" / "safety.md"


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = PAGE.read_text("utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip(" ") for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines[2:]]


def test_the_table_of_tiers() -> None:
    table = {cells[0].strip("`"): (cells[1], cells[2]) for cells in rows("From effects to a tier")}
    assert table == {kind.value: (rule.tier.value, rule.sentence) for kind, rule in RULES.items()}


def test_the_table_of_findings() -> None:
    table = {cells[0].strip("`"): cells[1] for cells in rows("Findings")}
    assert table == {
        rule: " or ".join(each.value for each in severities) for rule, severities in RULE_SEVERITIES.items()
    }


@pytest.mark.parametrize("cells", rows("Findings"), ids=lambda cells: cells[0].strip("`"))
def test_the_examples_of_findings(cells: list[str]) -> None:
    rule, severity, _, example = cells
    text = example.strip("`").replace("\\|", "|")
    found = {(each.rule, each.severity.value) for each in findings(text)}
    assert found & {(rule.strip("`"), each) for each in severity.split(" or ")}


def test_the_table_of_claims() -> None:
    table = {cells[0].strip("`"): cells[1].split("`")[1] for cells in rows("From effects to claims")}
    told = {}
    for kind in Kind:
        effect = Effect(kind=kind, place=Place(path="x"), detail="x")
        effects = Effects(effects=(effect,), programs=(), estimate=Estimate(), readable=True)
        claims = claims_of(effects, tier=Tier.SEQUENTIAL_REQUIRED)
        if claims and kind not in (Kind.EXECUTE, Kind.UNKNOWN):
            told[kind.value] = claims[0].mode.value
    assert table == told
