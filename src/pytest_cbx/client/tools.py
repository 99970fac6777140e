"""Which programs a command needs that this machine does not have."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping

from pytest_cbx.client.jobs import Job
from pytest_cbx.shell.plain import BUILTINS

_NOT_FOUND = re.compile(
    r"(?:line \d+: |: \d+: |^|^(?:/usr/bin/)?env: )[‘'\"]?([^\s:‘'\"][^:\n’'\"]*)[’'\"]?: "
    r"(?:command not found|not found|No such file or directory)\s*$",
    re.MULTILINE,
)


def missing_tools(job: Job, environment: Mapping[str, str]) -> list[str]:
    """Programs that the command surely starts and that are not there, in order of the text.

    Programs in branches are left out (the text may test for them itself), and so are those that other programs find
    in places of their own (npx), paths (they may be built first), and commands with `needs` (which may install them).
    For all of these the shell's own word counts, `tool_not_found`.
    """
    effects = job.request.effects
    if effects is None or job.config.needs:
        return []
    path = {**environment, **job.config.env}.get("PATH", os.defpath)
    names = dict.fromkeys(use.name for use in effects.programs if use.searched and not use.conditional)
    return [name for name in names if name not in BUILTINS and shutil.which(name, path=path) is None]


def tool_not_found(output: str) -> str | None:
    """The program that a shell or `env` said it could not find, from the end of a command's output (exit code 127)."""
    found = _NOT_FOUND.findall(output)
    return found[-1].strip() if found else None
