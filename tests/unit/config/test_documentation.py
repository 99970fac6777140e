"""`docs/configuration.md` says what the model says: every key, its default, and examples that load."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.config import keys
from pytest_cbx.config.load import parse_settings
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.errors import ConfigError

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"

READERS: dict[str, keys.Readers] = {
    "[cbx]": keys.GENERAL,
    **{f"[cbx.{name}]": readers for name, readers in keys.sections(lambda: 1 << 30).items()},
    "[[cbx.command]]": keys.command(lambda: 1 << 30),
}
WITHOUT_TOML = {"name", "run", "timeout", "cpus", "memory", "rollback", "results", "pool", "phase"}
"""Keys of a command whose default is no value that the file could hold: required, or None in the model."""


def parse(text: str) -> Settings:
    return parse_settings(text, source="/p/cbx.toml", shown="cbx.toml", workspace="/p", memory_total=lambda: 8 << 30)


def documented() -> dict[str, dict[str, str]]:
    """For each table of the file its keys with the default as written."""
    tables: dict[str, dict[str, str]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title = part.splitlines()[0].strip("`")
        rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+ \|$", part, re.MULTILINE)
        if rows:
            tables[title] = dict(rows)
    return tables


def test_every_key_has_its_row() -> None:
    assert {title: list(rows) for title, rows in documented().items()} == {
        title: list(readers) for title, readers in READERS.items()
    }


def test_defaults_of_the_settings_are_those_of_the_model() -> None:
    text = ""
    for title, rows in documented().items():
        if title != "[[cbx.command]]":
            text += f"{title}\n" + "".join(f"{key} = {default.strip('`')}\n" for key, default in rows.items())
    assert parse(text) == Settings(source="/p/cbx.toml")


def test_defaults_of_a_command_are_those_of_the_model() -> None:
    rows = documented()["[[cbx.command]]"]
    written = "".join(f"{key} = {default.strip('`')}\n" for key, default in rows.items() if key not in WITHOUT_TOML)
    text = f'[[cbx.command]]\nname = "a"\nrun = "x"\n{written}'
    assert parse(text).commands == (CommandConfig(name="a", run="x", line=1),)


def test_the_other_defaults_are_nothing_in_the_model() -> None:
    defaults: dict[str, Any] = {field.name: field.default for field in fields(CommandConfig)}
    for key in WITHOUT_TOML:
        required = documented()["[[cbx.command]]"][key] == "required"
        assert defaults[key] is (MISSING if required else None)


def test_values_of_closed_sets_are_all_named() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for key, readers in (
        ("isolation", keys.GENERAL),
        ("durability", keys.GENERAL),
        ("policy", keys.GENERAL),
        *command_keys(),
    ):
        with pytest.raises(Exception, match="must be one of") as caught:
            readers[key]("")
        row = re.search(rf"^\| `{key}` .*$", page, re.MULTILINE)
        assert row is not None
        for word in re.findall(r'"([\w-]+)"', str(caught.value)):
            assert f'"{word}"' in row[0]


def command_keys() -> list[tuple[str, keys.Readers]]:
    return [(key, keys.command(lambda: 0)) for key in ("tier", "priority", "rollback")]


def test_examples_load() -> None:
    examples = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(examples) > len(READERS)
    for example in examples:
        parse(example)


def test_the_shown_messages_are_those_of_the_loader() -> None:
    shown = re.search(r"^```text\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert shown is not None
    text = '[[cbx.command]]\nname = "install"\nrun = "x"\n' + "\n" * 5
    text += '[[cbx.command]]\nname = "lint"\nrun = "x"\ntimeot = 3\n' + "\n" * 3
    text += '[[cbx.command]]\nname = "test"\nrun = "x"\nneeds = ["instal"]\n'
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value) == shown[1].rstrip("\n")
