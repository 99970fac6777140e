"""Commands whose tier is known, held against `cbx explain`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_cbx.tier import Tier
from tests.accuracy.score import one_line, share

OURS = Path(__file__).parent / "data"
REFUSED = 0.03
"""The share of harmless commands that may be called stricter than needed."""

_TIERS = {
    "SAFE": Tier.SAFE_PARALLEL,
    "CONDITIONAL": Tier.CONDITIONAL_PARALLEL,
    "SEQUENTIAL": Tier.SEQUENTIAL_REQUIRED,
    "DANGEROUS": Tier.DANGEROUS_ISOLATED,
}
_ESCAPES = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One row of a corpus."""

    command: str
    bound: Tier
    risky: bool
    """`bound` is the laxest tier that is right; else the strictest."""
    mechanism: str

    def wrong(self, tier: Tier) -> bool:
        """Whether that tier is laxer (risky) or stricter (harmless) than it may be."""
        return tier < self.bound if self.risky else tier > self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One row and the tiers it was given, one for each directory it was asked about."""

    row: Labelled
    tiers: tuple[Tier, ...]
    reasons: tuple[str, ...]
    """Of the worst."""

    @property
    def tier(self) -> Tier:
        """The one that is furthest off."""
        return min(self.tiers) if self.row.risky else max(self.tiers)

    @property
    def wrong(self) -> bool:
        """Whether the row is called laxer or stricter than it may be, in any of the directories."""
        return self.row.wrong(self.tier)


def read(folder: Path) -> tuple[Labelled, ...]:
    """The rows of `risky.tsv` and `harmless.tsv`, whose first line names the columns.

    Raises:
        ValueError: a row has not three columns, or names no tier; the message says which.
    """
    rows = []
    for name, risky in (("risky", True), ("harmless", False)):
        path = folder / f"{name}.tsv"
        for number, line in enumerate(path.read_text().split("\n")[1:], 2):
            if not line:
                continue
            columns = line.split("\t")
            if len(columns) != 3 or columns[1] not in _TIERS:
                raise ValueError(f"{path}:{number}: not a command, one of {', '.join(_TIERS)}, and a remark: {line}")
            command = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), columns[0])
            rows.append(Labelled(command=command, bound=_TIERS[columns[1]], risky=risky, mechanism=columns[2]))
    return tuple(rows)


def judge(rows: Sequence[Labelled], folders: Iterable[Path]) -> tuple[Verdict, ...]:
    """Ask `cbx explain --json --stdin0` about all rows in each folder.

    Raises:
        RuntimeError: it failed, or did not answer each.
    """
    answers = [_explain([row.command for row in rows], folder) for folder in folders]
    verdicts = []
    for row, *found in zip(rows, *answers, strict=True):
        tiers = tuple(Tier(one["tier"]) for one in found)
        worst = (min if row.risky else max)(range(len(tiers)), key=lambda place: tiers[place].strictness)
        verdicts.append(Verdict(row=row, tiers=tiers, reasons=tuple(found[worst]["reasons"])))
    return tuple(verdicts)


def _explain(commands: Sequence[str], folder: Path) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_cbx.cli.main", "explain", "--json", "--stdin0", "--cwd", str(folder)],
        input="".join(f"{command}\0" for command in commands).encode(),
        capture_output=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("CBX_")},
    )
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != len(commands):
        raise RuntimeError(
            f"cbx explain ended with {done.returncode} after {len(lines)} answers:\n{done.stderr.decode()}"
        )
    return [json.loads(line) for line in lines]


def false_safe(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The risky rows that were called laxer than they are."""
    return [verdict for verdict in verdicts if verdict.row.risky and verdict.wrong]


def false_refused(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The harmless rows that were called stricter than needed."""
    return [verdict for verdict in verdicts if not verdict.row.risky and verdict.wrong]


def good_enough(verdicts: Sequence[Verdict]) -> bool:
    """None laxer than it is, and few stricter than needed."""
    harmless = sum(not verdict.row.risky for verdict in verdicts)
    return not false_safe(verdicts) and share(len(false_refused(verdicts)), max(harmless, 1)) <= REFUSED


def show(name: str, verdicts: Sequence[Verdict], tell: Callable[[str], None]) -> None:
    """The confusion of tiers and every row that came out wrong."""
    tell(
        f"\n{name}: {sum(v.row.risky for v in verdicts)} risky, {sum(not v.row.risky for v in verdicts)} harmless commands"
    )
    counts = Counter((verdict.row.risky, verdict.row.bound, verdict.tier) for verdict in verdicts)
    names = {tier: short for short, tier in _TIERS.items()}
    tell(f"  {'label':<24}" + "".join(f"{short:>13}" for short in _TIERS) + "   called")
    for risky in (True, False):
        for bound in Tier:
            row = [counts[risky, bound, tier] for tier in Tier]
            if any(row):
                label = f"{'at least' if risky else 'at most'} {names[bound]}"
                tell(f"  {label:<24}" + "".join(f"{number or '.':>13}" for number in row))
    for title, wrong in (
        ("laxer than it is (false safe)", false_safe(verdicts)),
        ("stricter than needed (false refused)", false_refused(verdicts)),
    ):
        tell(f"  {title}: {len(wrong)}")
        for verdict in wrong:
            tell(f"    {names[verdict.tier]:<12}{one_line(verdict.row.command)}")
            tell(f"{'':16}{verdict.row.mechanism}; because {'; '.join(verdict.reasons[:3]) or 'nothing'}")
