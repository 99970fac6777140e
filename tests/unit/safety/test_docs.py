"""docs/safety.md says what the code does."""

from __future__ import annotations

from pathlib import Path

from pytest_cbx.effects.model import Effect, Effects, Estimate, Kind, Place
from pytest_cbx.plan.claims import claims_of
from pytest_cbx.safety.findings import RULE_NAMES
from pytest_cbx.safety.tiers import RULES
from pytest_cbx.tier import Tier

PAGE = Path(__file__).parents[3] / "docs" / "safety.md"


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = PAGE.read_text("utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_of_tiers() -> None:
    table = {cells[0].strip("`"): (cells[1], cells[2]) for cells in rows("From effects to a tier")}
    assert table == {kind.value: (rule.tier.value, rule.sentence) for kind, rule in RULES.items()}


def test_the_table_of_findings() -> None:
    assert {cells[0].strip("`") for cells in rows("Findings")} == RULE_NAMES


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
