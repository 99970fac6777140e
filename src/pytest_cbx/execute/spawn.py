"""Starts an instance. The caller uses absolute paths, and so do its threads: directory and umask are set around the start."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from pytest_cbx.errors import SpawnError
from pytest_cbx.execute.direct import Program, without_shell
from pytest_cbx.execute.kernel.posix_spawn import Launch
from pytest_cbx.execute.kernel.seccomp import Listener
from pytest_cbx.execute.model import Guard, InstanceSpec
from pytest_cbx.execute.supervision.spawner import Limits, Spawner

_DEFAULT_SIGNALS = tuple(
    getattr(signal, name)
    for name in (
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGPIPE",
        "SIGTERM",
        "SIGCHLD",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGXFSZ",
    )
    if hasattr(signal, name)
)
"""Those that Python, nohup or a shell may have had ignored; a program would inherit that."""
_HEADROOM = 128 * 1024 * 1024
"""Bytes that this process itself may take more while it starts another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned:
    """What was started."""

    pid: int
    listener: Listener | None = None
    """Where the trapped calls of a supervised instance arrive. The caller closes it."""


def spawn(spec: InstanceSpec, spawner: Spawner) -> Spawned:
    """Start the process as leader of its own session and process group.

    Raises:
        SpawnError: it could not be started; the message says why. Nothing runs then.
    """
    with ExitStack() as stack:
        descriptors = _stdio(spec, stack)
        _enter(spec.cwd)
        stack.callback(os.chdir, "/")
        program = Program(_find(spec), spec.argv, spec.environment)
        plain = without_shell(spec.argv, spec.environment)
        fits = spec.memory > _own_memory() + _HEADROOM
        limits, before = _limits(spec, fits)
        for kind, limit in before:
            stack.callback(resource.setrlimit, kind, limit)
        # Directory, umask and limits are every thread's for this moment; all of ours use absolute paths.
        stack.callback(os.umask, os.umask(spec.umask & 0o777))
        try:
            started = None
            if plain is not None:
                # Should it fail, the shell says why in its own words.
                with suppress(OSError):
                    started = _start(plain, spec, descriptors, limits, spawner)
            if started is None:
                started = _start(program, spec, descriptors, limits, spawner)
        except OSError as error:
            raise SpawnError(_why(program.path, spec, error)) from error
        except ValueError as error:
            raise SpawnError(f"its words or its environment cannot be handed to a program: {error}") from error
    _limit_after(started.pid, spec, fits)
    return started


def _start(program: Program, spec: InstanceSpec, descriptors: list[int], limits: Limits, spawner: Spawner) -> Spawned:
    if spec.guard is not None:
        return _start_guarded(program, spec.guard, descriptors, limits, spawner)
    for kind, limit in limits:
        resource.setrlimit(kind, limit)
    pid = os.posix_spawn(
        program.path,
        program.argv,
        program.environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in enumerate(descriptors)],
        setsid=True,
        setsigmask=[],
        setsigdef=_DEFAULT_SIGNALS,
    )
    return Spawned(pid=pid)


def _start_guarded(program: Program, guard: Guard, descriptors: list[int], limits: Limits, spawner: Spawner) -> Spawned:
    launch = Launch(program.path, program.argv, program.environment, descriptors, _DEFAULT_SIGNALS)
    try:
        error, listener = spawner.start(launch, guard, limits)
    finally:
        launch.close()
    if error:
        raise OSError(error, os.strerror(error))
    return Spawned(pid=launch.pid, listener=listener)


def _stdio(spec: InstanceSpec, stack: ExitStack) -> list[int]:
    """The descriptors that become 0, 1 and 2."""
    if spec.descriptors is not None:
        return list(spec.descriptors)
    opened: list[int] = []
    paths = (os.devnull.encode(), spec.stdout, spec.stderr)
    for number, path in enumerate(paths):
        if number == 2 and path == spec.stdout:
            opened.append(opened[1])
            continue
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOCTTY
        try:
            opened.append(os.open(path, flags | os.O_CLOEXEC, 0o600))
        except (OSError, ValueError) as error:
            raise SpawnError(f"its output file {_show(path)} cannot be opened: {_what(error)}") from error
        stack.callback(os.close, opened[-1])
    return opened


def _enter(directory: bytes) -> None:
    try:
        os.chdir(directory)
    except (OSError, ValueError) as error:
        raise SpawnError(f"its working directory {_show(directory)} cannot be entered: {_what(error)}") from error


def _find(spec: InstanceSpec) -> bytes:
    """The program as execvp(3) finds it, but in the instance's own PATH and from its own directory, where we stand now."""
    name = spec.argv[0]
    if b"/" in name:
        return name
    denied = False
    for folder in _search_path(spec.environment).split(b":"):
        candidate = (folder or b".") + b"/" + name
        if not os.access(candidate, os.F_OK):
            continue
        if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate
        denied = denied or os.path.isfile(candidate)
    if denied:
        raise SpawnError(
            f"its program {_show(name)} is on PATH but may not be executed; give it the right to (chmod +x)"
        )
    raise SpawnError(f"its program {_show(name)} is not on PATH; install it or correct PATH")


def _search_path(environment: Mapping[bytes, bytes]) -> bytes:
    return environment.get(b"PATH", os.defpath.encode())


def _why(program: bytes, spec: InstanceSpec, error: OSError) -> str:
    name = _show(program)
    match error.errno:
        case errno.ENOENT if os.path.exists(os.path.join(spec.cwd, program)):
            return (
                f"{name} cannot be started: the interpreter that its first line (#!) or its header names was not found"
            )
        case errno.ENOENT:
            return f"{name} was not found; install it or correct its path"
        case errno.EACCES:
            return f"{name} may not be executed: permission denied; give it the right to (chmod +x)"
        case errno.ENOEXEC:
            return f"{name} is no program that this system can run; a script needs a first line such as #!/bin/sh"
        case errno.E2BIG:
            words = sum(len(word) + 1 for word in spec.argv)
            rest = sum(len(key) + len(value) + 2 for key, value in spec.environment.items())
            return (
                f"its text ({words} bytes) and its environment ({rest} bytes) are too long for the kernel; "
                "put long texts into a file"
            )
        case errno.EAGAIN | errno.ENOMEM:
            return f"{name} cannot be started: {error.strerror}; the machine is short of processes or memory"
        case _:
            return f"{name} cannot be started: {error.strerror}"


def _own_memory() -> int:
    """Bytes of this process that RLIMIT_DATA counts: the stack of each thread is among them, used or not."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[5]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0  # no Linux, and no thread of a supervised command either


def _limits(spec: InstanceSpec, fits: bool) -> tuple[Limits, Limits]:
    """This process's own limits as the new one is to inherit them, and those that they replace.

    Soft ones only: a command that knows that it needs more may raise them.

    Args:
        spec: what is to start.
        fits: this process itself has room under the limit on memory.
    """
    wanted = {resource.RLIMIT_NOFILE: spec.open_files}
    if fits:
        wanted[resource.RLIMIT_DATA] = spec.memory
    limits, before = [], []
    for kind, value in wanted.items():
        soft, hard = resource.getrlimit(kind)
        limit = _at_most(value, hard)
        if value and limit != soft:
            limits.append((kind, (limit, hard)))
            before.append((kind, (soft, hard)))
    return limits, before


def _limit_after(pid: int, spec: InstanceSpec, fits: bool) -> None:
    """What cannot be inherited: niceness, and a memory limit that this process itself would not fit in.

    The shell has not got as far as its first child by then; should it have, the watch on memory still sees that one.
    """
    try:
        if spec.memory and not fits and hasattr(resource, "prlimit"):
            # Not RLIMIT_AS: Node, Go and Java reserve far more address space than they ever use.
            _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
            resource.prlimit(pid, resource.RLIMIT_DATA, (_at_most(spec.memory, hard), hard))
        if spec.niceness:
            os.setpriority(os.PRIO_PGRP, pid, spec.niceness)
    except (ProcessLookupError, PermissionError):
        pass  # it has ended already


def _at_most(wanted: int, hard: int) -> int:
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _show(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _what(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
