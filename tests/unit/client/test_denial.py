"""Which commands are refused, and what that means for those that need them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cbx.client.denial import advice, findings_against, refusal, refuse, shown
from pytest_cbx.client.isolation import Rung
from pytest_cbx.client.jobs import Job, Site, prepare
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.errors import CommandDenied
from pytest_cbx.severity import Severity

OFF = Rung(name="off", reason="asked for")


def jobs(root: Path, *configs: CommandConfig) -> tuple[Job, ...]:
    return prepare(configs, site=Site(base=root, root=root), settings=Settings())


def command(name: str, run: str, *, needs: tuple[str, ...] = (), allow: tuple[str, ...] = ()) -> CommandConfig:
    return CommandConfig(name=name, run=run, line=0, needs=needs, allow=allow)


@pytest.mark.parametrize(
    ("run", "deny", "allow", "refused"),
    [
        ("rm -rf /", Severity.CRITICAL, (), True),
        ("rm -rf /", Severity.CRITICAL, ("destroys-root",), False),
        ("rm -rf /", Severity.CRITICAL, ("outside",), True),
        ("rm -rf /", None, (), False),
        ("sudo ls", Severity.CRITICAL, (), False),
        ("sudo ls", Severity.WARNING, (), True),
        ("sudo ls", Severity.NOTICE, (), True),
        ("ls", Severity.NOTICE, (), False),
    ],
)
def test_a_command_is_refused(
    tmp_path: Path, run: str, deny: Severity | None, allow: tuple[str, ...], refused: bool
) -> None:
    (job,) = jobs(tmp_path, command("a", run, allow=allow))
    outcome = refusal(job, Settings(deny=deny), OFF)
    assert (outcome is not None) is refused
    if outcome is not None:
        assert (outcome.status, outcome.cause, outcome.exit_code) == ("failed", "denied", None)
        assert isinstance(outcome.error, CommandDenied)
        assert outcome.reason.startswith("refused: ")


def test_those_that_need_a_refused_one_are_skipped_in_any_order(tmp_path: Path) -> None:
    made = jobs(
        tmp_path,
        command("last", "ls", needs=("middle",)),
        command("middle", "ls", needs=("first",)),
        command("first", "rm -rf /"),
        command("other", "ls"),
    )
    refused = refuse(made, Settings(deny=Severity.CRITICAL), OFF)
    assert {name: outcome.status for name, outcome in refused.items()} == {
        "first": "failed",
        "middle": "skipped",
        "last": "skipped",
    }
    assert "needs middle, which skipped: needs first, which failed: refused" in refused["last"].reason


def test_it_is_shown_where_and_what_to_do(tmp_path: Path) -> None:
    (job,) = jobs(tmp_path, command("a", "echo x; rm -rf /"))
    against = findings_against(job, Severity.CRITICAL)
    assert shown(job, against) == [
        "echo x; rm -rf /",
        "               ━",
        "               ╰ critical destroys-root: rm deletes all of /",
    ]
    assert 'allow = ["destroys-root"]' in advice(against)
