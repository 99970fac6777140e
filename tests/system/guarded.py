"""Commands at a rung of isolation, several at once, that meet each other while they run."""

from __future__ import annotations

import dataclasses
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pytest_cbx.client.api import Cbx
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.client.runner import Runner, Watch
from pytest_cbx.config.model import CommandConfig, Instances, Isolation, Settings
from pytest_cbx.events import AnyEvent
from pytest_cbx.tier import Tier

# Waits for the others, who are told outside the work tree; where they never come (they wait for this one) it goes on.
PRELUDE = """
import os, sys, time, unittest
ME = os.environ["ME"]
def tell(what):
    open(os.path.join(os.environ["MEETING"], what), "w").close()
def wait_for(what, patience=5.0):
    until = time.monotonic() + patience
    while not os.path.exists(os.path.join(os.environ["MEETING"], what)) and time.monotonic() < until:
        time.sleep(0.002)
def append(name, text):
    with open(name, "a") as file:
        file.write(text)
class Test(unittest.TestCase):
    def test(self):
"""


def test_module(text: str) -> str:
    """A module with one test. What it writes is computed, so that nobody can tell before."""
    return PRELUDE + textwrap.indent(textwrap.dedent(text).strip(), " " * 8) + "\n"


def make_project(folder: Path, modules: Mapping[str, str], *, ignored: tuple[str, ...] = ()) -> Path:
    """A repository of test modules, with ignored paths; beside it an empty folder for meetings."""
    project = folder / "project"
    project.mkdir(parents=True)
    (folder / "meeting").mkdir()
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / ".gitignore").write_text("".join(f"/{name}\n" for name in ("__pycache__", *ignored)))
    for name, text in modules.items():
        (project / f"{name}.py").write_text(test_module(text))
    return project


@contextmanager
def commands_at(
    project: Path, isolation: Isolation, events: list[AnyEvent] | None = None, **changes: object
) -> Iterator[Cbx]:
    """A `Cbx` for a project. `events` takes what the engine tells."""
    base = dataclasses.replace(Settings(), isolation=isolation, jobs=8, learn=False)
    # So that a small machine runs them at once, too.
    settings = dataclasses.replace(base, instances=Instances(), **changes)  # type: ignore[arg-type]
    watch = Watch(event=events.append if events is not None else None)
    with Runner(project, settings, name="test", watch=watch) as runner:
        yield Cbx(project, root=project, settings=settings, connect=lambda: runner)


def run_tests(cbx: Cbx, modules: Mapping[str, str]) -> dict[str, Outcome]:
    """Run test modules at once, as commands of the CONDITIONAL tier: name of the command → module."""
    meeting = str(cbx.path.parent / "meeting")
    commands = [
        CommandConfig(
            name=name,
            run=f"python3 -m unittest -q {module}",
            line=0,
            env={"ME": name, "MEETING": meeting, "PYTHONDONTWRITEBYTECODE": "1"},
            cpus=0.1,
        )
        for name, module in modules.items()
    ]
    outcomes = dict(zip(modules, cbx.run_all(commands), strict=True))
    assert {outcome.tier for outcome in outcomes.values()} == {Tier.CONDITIONAL_PARALLEL}
    return outcomes
