"""docs/cli.md tells every sub-command, every option and every exit code, and no others."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from pytest_cbx.cli import chaos, explain, recover, run
from pytest_cbx.cli import main as cli
from pytest_cbx.cli.portrait import portrait
from pytest_cbx.client.marked import plain
from tests.unit.client.making import make_jobs

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "cli.md").read_text()
CHAPTERS = dict(re.findall(r"^## `cbx (\w+)`\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def parsers() -> dict[str, argparse.ArgumentParser]:
    parser = cli.build_parser(list(CHAPTERS))
    (commands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(commands.choices)


def test_every_sub_command_has_its_chapter() -> None:
    assert sorted(parsers()) == sorted(CHAPTERS)


@pytest.mark.parametrize("name", sorted(CHAPTERS))
def test_every_option_is_told(name: str) -> None:
    options = {option for action in parsers()[name]._actions for option in action.option_strings}
    assert options - {"-h", "--help"} == set(re.findall(r"--[a-z0-9]+", CHAPTERS[name]))


@pytest.mark.parametrize("page", ["README.md", "docs/cli.md"])
def test_the_shown_explanation_is_that_of_the_program(page: str) -> None:
    text = (ROOT / page).read_text()
    call, shown = re.findall(r"^\$ cbx explain '([^\n]*)'\n```\n\n```text\n(.*?)```", text, re.MULTILINE | re.DOTALL)[0]
    (job,) = make_jobs(Path("/nowhere"), call)
    assert "\n".join(plain(portrait(job, width=100))) == shown.rstrip("\n")


def test_every_exit_code_is_told() -> None:
    told = set(re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE))
    ours = {
        0,
        141,
        chaos.EXIT_FAILED,
        chaos.EXIT_INVALID,
        explain.EXIT_REFUSED,
        recover.EXIT_UNFINISHED,
        run.EXIT_DENIED,
        cli.EXIT_BUG,
        cli.EXIT_USAGE,
        cli.EXIT_OURS,
        run.EXIT_TIMEOUT,
    }
    assert told == {str(code) for code in ours}
