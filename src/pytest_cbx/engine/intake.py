"""Checks what clients send before anything acts on it: types come from the decoder, sense comes from here."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pytest_cbx.engine.ledger import Session
from pytest_cbx.engine.protocol import CommandSpec, Environment, HoldSpec, JoinSpec, Settle, Submission
from pytest_cbx.errors import ProtocolError

ENVIRONMENTS_MAX = 1000
"""How many environments one client may register."""
_SECONDS_MAX = 1e9
_WEIGHT_MAX = 1e6
_BYTES_MAX = 2**62
_TRIES_MAX = 1000


def check_settle(message: Settle) -> None:
    """Raise `ProtocolError` for settings that no engine can run with."""
    limits, instances = message.limits, message.instances
    caps = (
        instances.safe_parallel_max,
        instances.conditional_parallel_max,
        instances.sequential_max,
        instances.dangerous_isolated_max,
        instances.total_capacity_max,
    )
    sound = (
        all(1 <= cap <= 10**6 for cap in caps)
        and 0 <= message.jobs <= 10**6
        and _within(limits.cpu_cores_per_instance, 1e-3, _WEIGHT_MAX)
        and _within(limits.spawn_rate, 1e-3, _WEIGHT_MAX)
        and 0 <= limits.safety_margin < 1
        and 3 <= limits.file_descriptors_max < 2**31
    )
    if not sound:
        raise ProtocolError(f"these settings make no sense: {message.instances}, {message.limits}, jobs {message.jobs}")


def check_environment(session: Session, message: Environment) -> None:
    """Raise `ProtocolError` for variables that no process can be given."""
    if len(session.environments) >= ENVIRONMENTS_MAX and message.number not in session.environments:
        raise ProtocolError(f"a client may register {ENVIRONMENTS_MAX} environments, not more")
    _check_variables(message.variables, f"environment {message.number}")


def check_submission(session: Session, message: Submission) -> None:
    """Raise `ProtocolError` unless every command is complete and names only what it may name. Changes nothing."""
    if session.leaving:
        raise ProtocolError("commands came after Leave")
    earlier: set[int] = set()
    wanted = 0
    for node in message.nodes:
        for number in (*node.needs, *node.after):
            # As nothing waits for what stands after it, nothing can wait in a circle.
            if number not in earlier and number not in session.commands:
                raise ProtocolError(f'"{node.name}" waits for command {number}, which was not handed in before it')
        if node.id in earlier or node.id in session.commands:
            raise ProtocolError(f"a submission uses the id {node.id} twice")
        earlier.add(node.id)
        if isinstance(node, HoldSpec):
            _check_hold(node)
        elif not isinstance(node, JoinSpec):
            _check_command(session, node)
            wanted += node.descriptors
    came = len(session.connection.descriptors)
    if came != wanted:
        raise ProtocolError(f"the submission wants {wanted} descriptors and brought {came}")


def check_journal(folder: bytes) -> None:
    """Raise `ProtocolError` for what cannot be the folder of a journal."""
    if not folder.startswith(b"/") or b"\0" in folder:
        raise ProtocolError(f"a journal needs an absolute path, not {folder!r}")


def _check_hold(node: HoldSpec) -> None:
    if node.journal:
        check_journal(node.journal)
    if not _within(node.lock_timeout, 0, _SECONDS_MAX):
        raise ProtocolError(f'the hold "{node.name}" has a lock time-out that makes no sense: {node.lock_timeout}')


def _check_command(session: Session, node: CommandSpec) -> None:
    if node.environment not in session.environments:
        raise ProtocolError(f'command "{node.name}" names environment {node.environment}, which was never sent')
    based = (node.base,) if node.base else ()
    paths = (node.cwd, *based, *((node.stdout, node.stderr) if not node.descriptors else ()))
    if not node.argv or any(b"\0" in word for word in node.argv):
        raise ProtocolError(f'command "{node.name}" needs a program and arguments without NUL')
    if not all(path.startswith(b"/") and b"\0" not in path for path in paths):
        raise ProtocolError(f'command "{node.name}" needs absolute paths for its directory and its output')
    if node.descriptors not in (0, 3):
        raise ProtocolError(f'command "{node.name}" must come with three descriptors or none')
    _check_variables(node.extra_env, f'command "{node.name}"')
    sound = (
        0 <= node.umask <= 0o777
        and _within(node.cpus, 0, _WEIGHT_MAX)
        and 0 <= node.memory <= _BYTES_MAX
        and all(_within(s, 0, _SECONDS_MAX) for s in (node.timeout, node.grace, node.lock_timeout))
        and all(_within(s, 0, math.inf) for s in (node.seconds, node.path_seconds))
        and _within(node.score, -_WEIGHT_MAX, _WEIGHT_MAX)
        and 0 <= node.retries <= _TRIES_MAX
        and node.pool_depth >= bool(node.pool)
    )
    if not sound:
        raise ProtocolError(f'command "{node.name}" has a number that makes no sense: {node}'[:1000])


def _check_variables(variables: Mapping[bytes, bytes], where: str) -> None:
    for name, value in variables.items():
        if not name or b"=" in name or b"\0" in name or b"\0" in value:
            raise ProtocolError(f"{where} has a variable that cannot be: {name!r}")


def _within(number: float, low: float, high: float) -> bool:
    # Also False for what is not a number.
    return low <= number <= high
