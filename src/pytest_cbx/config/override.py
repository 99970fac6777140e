"""Options of the command line over the settings of the file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_cbx.config import keys, values
from pytest_cbx.config.model import Isolation, Policy, Rollback, Settings
from pytest_cbx.errors import UsageError
from pytest_cbx.severity import Severity

_READERS: keys.Readers = {
    "jobs": values.whole(0),
    "isolation": values.choice(Isolation),
    "rollback": values.choice(Rollback),
    "policy": values.choice(Policy),
    "timeout": values.seconds,
    "discover": values.boolean,
    "deny": values.deny,
}


def override(
    settings: Settings,
    *,
    jobs: int | str | None = None,
    isolation: Isolation | str | None = None,
    rollback: Rollback | str | None = None,
    policy: Policy | str | None = None,
    timeout: float | str | None = None,
    discover: bool | None = None,
    deny: Severity | str | None = None,
) -> Settings:
    """`settings` with the given options in place of what the file says; None leaves the file's word.

    Texts are read as in the file ("4", "on-failure", "90s"). `rollback` and `timeout` also replace what single commands say.
    Raises UsageError with one line for each option that is wrong.
    """
    given = {
        "jobs": jobs,
        "isolation": isolation,
        "rollback": rollback,
        "policy": policy,
        "timeout": timeout,
        "discover": discover,
        "deny": deny,
    }
    complaints: list[str] = []
    found: dict[str, Any] = {}
    for option, value in given.items():
        if value is None:
            continue
        try:
            found[option] = _READERS[option](_plain(option, value))
        except values.Wrong as error:
            complaints += [
                f"{option} {fault.message}" + (f" ({fault.hint})" if fault.hint else "") for fault in error.faults
            ]
    total = settings.instances.total_capacity_max
    if found.get("jobs", 0) > total:
        complaints.append(f"jobs must be at most {total} (total_capacity_max), not {found['jobs']}")
    if complaints:
        raise UsageError("\n".join(complaints))
    return _apply(settings, found)


def _apply(settings: Settings, found: dict[str, Any]) -> Settings:
    if "timeout" in found:
        seconds = found.pop("timeout")
        commands = tuple(replace(command, timeout=None) for command in settings.commands)
        settings = replace(settings, timeouts=replace(settings.timeouts, command=seconds), commands=commands)
    if "rollback" in found:
        settings = replace(settings, commands=tuple(replace(command, rollback=None) for command in settings.commands))
    return replace(settings, **found)


def _plain(option: str, value: object) -> object:
    """The value as the file would have it: enums by their word, a number written as text as a number."""
    if isinstance(value, Isolation | Rollback | Policy | Severity):
        return value.value
    if (
        option == "jobs"
        and isinstance(value, str)
        and value.strip().isascii()
        and value.strip().isdigit()
        and len(value) < 20
    ):
        return int(value)
    return value
