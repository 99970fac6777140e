"""Package runners: a name is a package of the registry, not the machine's program of that name."""

from __future__ import annotations

import pytest

from tests.unit.effects.help import compact_of

PACKAGES = [
    "uvx ls",
    "uv tool run rm a",
    "pipx run cat a",
    "npm exec -- ls",
    "pnpm dlx ls",
    "yarn dlx ls",
    "bun x ls",
    "npx ls",
    "uvx --from ./here ruff check",
]


@pytest.mark.parametrize("command", PACKAGES)
def test_a_package_that_has_a_programs_name_is_unseen_code(command: str) -> None:
    assert "execute" in compact_of(command)


@pytest.mark.parametrize("tool", ["ruff", "ruff@0.6.1", "ruff==0.6.1", "ruff[all]>=0.6"])
def test_a_tool_of_pypi_is_read_by_its_own_entry_whatever_its_version(tool: str) -> None:
    effects = compact_of(f"uvx '{tool}' check -n a.py")
    assert "read sources:a.py" in effects
    assert not {"execute", "unknown"} & set(effects)
