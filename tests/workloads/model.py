"""What a workload is: real programs at work on a small tree, written down as data."""

from __future__ import annotations

import shlex
import textwrap
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A script, the tree in which it runs, and how its result can be compared with that of another run of it."""

    name: str
    script: str
    """Bash text, run in the tree."""
    setup: str = ""
    """Bash text that makes the tree out of an empty directory. Workloads of the same text share the work."""
    tools: tuple[str, ...] = ()
    """Programs that CI promises (`.ci/run`, tox.ini's toolchain)."""
    unpromised: tuple[str, ...] = ()
    """Programs that are used where they are there."""
    exit_code: int = 0
    ignore: tuple[tuple[str, str], ...] = ()
    """Paths (globs over the path in the tree) whose content differs between any two runs, each with the reason."""
    probe: str = ""
    """Bash text run in the tree afterwards, whose output must be the same: what counts about the paths ignored."""


def python(text: str, *arguments: str) -> str:
    """A command that runs a Python text."""
    return shlex.join(["python", "-c", textwrap.dedent(text).strip(), *arguments])


def lines(*commands: str) -> str:
    """Several commands."""
    return "\n".join(commands)


def file(name: str, *text: str) -> str:
    """A command that writes these lines into a file."""
    return f"printf '%s\\n' {shlex.join(text)} > {shlex.quote(name)}"
