"""The documentation of the plugin: its examples run, and its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.plugin.conftest import Project

TEXT = (Path(__file__).parents[2] / "docs" / "pytest.md").read_text()


def test_the_examples_of_the_fixture_run(project: Project) -> None:
    examples = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    count = "".join(examples).count("def test_")
    assert count >= 7
    project.pytester.makepyfile("\n".join(examples))
    project.run().assert_outcomes(passed=count)


def test_every_option_and_its_twin_are_there(pytestconfig: pytest.Config) -> None:
    help_text = " ".join(
        option for group in pytestconfig._parser._groups for o in group.options for option in o.names()
    )
    ours = set(re.findall(r"--cbx-[a-z-]+", help_text))
    told = set(re.findall(r"^\| `(--cbx-[a-z-]+)", TEXT, re.MULTILINE))
    assert ours == told
    twins = {name for name in pytestconfig._parser._inidict if name.startswith("cbx_")}
    assert twins == set(re.findall(r"\| `(cbx_[a-z_]+)` \|", TEXT))
