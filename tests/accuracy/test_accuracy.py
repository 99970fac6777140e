"""The predictions are good enough: `python -m tests.accuracy`, with a part of the executed set."""

from __future__ import annotations

import pytest

from tests.accuracy import __main__ as command
from tests.accuracy import executed, score

BASIC = ("copy, move, remove", "redirects")
"""Groups that need nothing but a shell and GNU's coreutils."""


def test_no_risky_command_is_called_laxer_and_few_harmless_ones_stricter(capsys: pytest.CaptureFixture[str]) -> None:
    good = command.tiers(command.SHARED if command.SHARED.is_dir() else None)
    assert good, capsys.readouterr().out


def test_the_paths_of_executed_commands_are_foretold() -> None:
    results = tuple(executed.run_all([row for row in executed.load() if row.group in BASIC]))
    assert [result.row.run for result in results if result.fault] == []
    lines: list[str] = []
    score.show(results, lines.append)
    total = score.score(results)
    assert total.commands > 60
    assert total.recall >= score.RECALL, "\n".join(lines)
    assert total.precision >= score.PRECISION, "\n".join(lines)


def test_what_falls_below_a_bound_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executed, "load", lambda: (executed.Row(group="g", run="eval \"$(rev <<< 'x hcuot')\""),))
    assert not command.paths("", 1)
    monkeypatch.setattr(executed, "load", lambda: (executed.Row(group="g", run="touch x"),))
    assert command.paths("", 1)
    monkeypatch.setattr(executed, "load", lambda: (executed.Row(group="g", run="touch x; false"),))
    assert not command.paths("", 1)
