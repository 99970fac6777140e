"""All that we use of pytest's private parts, in one place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest._io import TerminalWriter
from _pytest.junitxml import xml_key
from _pytest.skipping import evaluate_skip_marks


class HeadedText(TerminalRepr):
    """A failure as a text, with a headline of its own where one line is all there is room for (short summary, junit)."""

    def __init__(self, headline: str, text: str, *, path: Path, line: int) -> None:
        self.reprcrash = ReprFileLocation(str(path), line, headline)
        self._text = text

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the text."""
        for line in self._text.splitlines():
            tw.line(line)


def fixture_value(item: pytest.Function, name: str) -> object:
    """The value of a fixture for a test that is set up."""
    return item._request.getfixturevalue(name)


def add_junit_properties(config: pytest.Config, found: Iterable[tuple[str, str]]) -> None:
    """Add properties to the JUnit file, if one is written."""
    xml = config.stash.get(xml_key, None)
    if xml is None:
        return
    for name, value in found:
        xml.add_global_property(name, value)


def forget_failures(reports: Iterable[pytest.TestReport], item: pytest.Item) -> None:
    """Have `--lf` and `--sw` not remember these reports, which are of no items: they remember the item that they belong to."""
    manager = item.config.pluginmanager
    last, step = manager.get_plugin("lfplugin"), manager.get_plugin("stepwiseplugin")
    cached = getattr(step, "cached_info", step)  # since pytest 8.4
    name = "last_failed" if hasattr(cached, "last_failed") else "lastfailed"
    for report in reports:
        if last is not None:
            last.lastfailed.pop(_key(report), None)
        if cached is not None and getattr(cached, name, None) == _key(report):
            setattr(cached, name, _key(item))


def _key(named: pytest.TestReport | pytest.Item) -> object:
    """By what pytest remembers it: since 9.1 an object, before that the text."""
    return getattr(named, "id", named.nodeid)


def is_marked_skip(item: pytest.Item) -> bool:
    """Whether a mark on the item will skip it in its set-up."""
    return evaluate_skip_marks(item) is not None


def names_given_on_command_line(config: pytest.Config) -> bool:
    """Whether the arguments name files or directories, so that pytest looks nowhere else."""
    return config.args_source is pytest.Config.ArgsSource.ARGS


def is_xdist_controller(config: pytest.Config) -> bool:
    """Whether Python tests run in xdist's workers and this process only directs them."""
    return config.pluginmanager.hasplugin("dsession")


def is_xdist_worker(config: pytest.Config) -> bool:
    """Whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")
