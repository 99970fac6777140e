"""A small project with commands, for pytester."""

from __future__ import annotations

import pytest

_OTHERS = ("randomly", "asyncio", "run-parallel", "fakefs", "hypothesispytest", "platformdirs")
"""Plugins that are not ours to test; each process of a run would spend a fifth of its time on loading them."""


class Project:
    """Writes a `cbx.toml` into pytester's directory and runs pytest there."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        (pytester.path / ".git").mkdir()

    def commands(self, *entries: str, head: str = "") -> None:
        """Each entry is `name: text` and, after ` | `, further keys as TOML."""
        blocks = [head]
        for entry in entries:
            front, _, keys = entry.partition(" | ")
            name, _, text = front.partition(": ")
            blocks.append(f"[[cbx.command]]\nname = '{name}'\nrun = '''{text}'''\n{keys.replace(' ;; ', chr(10))}\n")
        (self.pytester.path / "cbx.toml").write_text("\n".join(blocks))

    def run(self, *arguments: str, parallel: bool = True, xdist: bool = False) -> pytest.RunResult:
        """In a process of its own where it has children."""
        flags = [flag for name in _OTHERS for flag in ("-p", f"no:{name}")]
        flags += [] if {"--lf", "--ff", "--sw"} & set(arguments) else ["-p", "no:cacheprovider"]
        flags += ["--cbx-parallel"] if parallel else []
        flags += ["-n2"] if xdist else []
        if xdist:
            return self.pytester.runpytest_subprocess(*flags, *arguments, timeout=60)
        return self.pytester.runpytest_inprocess(*flags, *arguments)


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """A project without commands yet."""
    return Project(pytester)
