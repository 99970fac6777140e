"""What a framework is found to declare: a command that a project checks itself with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from pytest_cbx.config.model import Phase
from pytest_cbx.frameworks.project import Folder, Project

Key: TypeAlias = tuple[str, str, str]
"""A command by its place, its language and what it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One command, in the folder that declares it."""

    language: str
    """Begins its name: `js`, `py`, `go` …"""
    what: str
    """Ends its name, and is what others of its language and folder need it by: `install`, `unit`, `lint`."""
    run: str
    source: str
    """For people: what declares it, `jest in package.json`."""
    phase: Phase = Phase.CHECK
    needs: tuple[str, ...] = ()
    """`what` of its own folder and language, or of the nearest folder above; those that are not there are left out."""
    needs_of: tuple[Key, ...] = ()
    """The same of other folders and languages."""
    results: str = ""
    tags: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    cpus: float | None = None
    memory: str = ""
    timeout: int = 0
    """Seconds; 0: as any other."""
    place: str = ""
    """Where it runs, if that is not the folder that declares it: relative to that one."""
    spare: bool = False
    """It is left out where another command is found that does the same."""
    runs_pytest: bool = False
    """It runs the tests that a pytest in this folder collects by itself."""


Discoverer: TypeAlias = Callable[[Folder, Project], Iterator[Found]]
"""What one framework, or language, declares in a folder."""


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework, or a language with all of its tools."""

    name: str
    discover: Discoverer
