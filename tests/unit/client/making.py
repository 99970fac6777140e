"""Values for tests of clients."""

from __future__ import annotations

from pathlib import Path

from pytest_cbx.client.jobs import Job, Site, prepare
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.tier import Tier


def make_outcome(name: str = "lint", *, status: str = "passed", **fields: object) -> Outcome:
    """An outcome of a command that ran once for a second, where nothing else is said."""
    ran = {"exit_code": 0, "attempts": 1, "duration": 1.0, "started_at": 100.0, "ended_at": 101.0}
    given = {"command": f"run {name}", "tier": Tier.SAFE_PARALLEL, **ran, **fields}
    return Outcome(name=name, status=status, **given)  # type: ignore[arg-type]


def make_jobs(root: Path, *texts: str, **keys: object) -> tuple[Job, ...]:
    """Commands named `c0`, `c1`, … prepared in `root`, each with the same keys."""
    configs = [
        CommandConfig(name=f"c{number}", run=text, line=0, **keys)  # type: ignore[arg-type]
        for number, text in enumerate(texts)
    ]
    return prepare(configs, site=Site(base=root, root=root), settings=Settings())
