"""Starts an instance. The caller is single-threaded and uses absolute paths: working directory and umask are set around the start."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Mapping

from pytest_cbx.errors import SpawnError
from pytest_cbx.execute.model import InstanceSpec

# Python ignores these; a program expects to die of them.
_DEFAULT_SIGNALS = tuple(
    number for number in (signal.SIGPIPE, getattr(signal, "SIGXFSZ", None), signal.SIGINT, signal.SIGTERM) if number
)


def spawn(spec: InstanceSpec) -> int:
    """Start the process as leader of its own session and process group; returns its pid.

    Raises:
        SpawnError: it could not be started; the message says why. Nothing runs then.
    """
    opened: list[int] = []
    try:
        actions = _stdio(spec, opened)
        program = _find(spec)
        _enter(spec.cwd)
        before = os.umask(spec.umask)
        try:
            pid = os.posix_spawn(
                program,
                spec.argv,
                spec.environment,
                file_actions=actions,
                setsid=True,
                setsigmask=[],
                setsigdef=_DEFAULT_SIGNALS,
            )
        except OSError as error:
            raise SpawnError(_why(spec, error)) from error
        finally:
            os.umask(before)
            os.chdir("/")
    finally:
        for descriptor in opened:
            os.close(descriptor)
    _limit(pid, spec)
    return pid


def _stdio(spec: InstanceSpec, opened: list[int]) -> list[tuple[int, int, int]]:
    if spec.descriptors is not None:
        return [(os.POSIX_SPAWN_DUP2, given, number) for number, given in enumerate(spec.descriptors)]
    paths = (os.devnull.encode(), spec.stdout, spec.stderr)
    for number, path in enumerate(paths):
        if number == 2 and path == spec.stdout:
            opened.append(os.dup(opened[1]))
            continue
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            opened.append(os.open(path, flags | os.O_CLOEXEC, 0o600))
        except OSError as error:
            shown = os.fsdecode(path)
            raise SpawnError(f"its output file {shown} cannot be written: {error.strerror}") from error
    return [(os.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in enumerate(opened)]


def _enter(directory: bytes) -> None:
    try:
        os.chdir(directory)
    except OSError as error:
        shown = os.fsdecode(directory)
        raise SpawnError(f"its working directory {shown} cannot be entered: {error.strerror}") from error


_found: dict[tuple[bytes, bytes], bytes] = {}


def _find(spec: InstanceSpec) -> bytes:
    """The program's path, looked up in the instance's own PATH, relative to its own directory."""
    name = spec.argv[0]
    if b"/" in name:
        return name if name.startswith(b"/") else os.path.join(spec.cwd, name)
    path = _search_path(spec.environment)
    known = _found.get((name, path))
    if known is not None and os.path.exists(known):
        return known
    for folder in path.split(b":"):
        candidate = os.path.join(spec.cwd, folder, name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            _found[name, path] = candidate
            return candidate
    raise SpawnError(f"its program {os.fsdecode(name)} is not on PATH")


def _search_path(environment: Mapping[bytes, bytes]) -> bytes:
    return environment.get(b"PATH", os.defpath.encode())


def _why(spec: InstanceSpec, error: OSError) -> str:
    if error.errno == errno.E2BIG:
        size = sum(map(len, spec.argv)) + sum(len(k) + len(v) for k, v in spec.environment.items())
        return f"its arguments and environment are too long for the kernel ({size} bytes)"
    return f"{os.fsdecode(spec.argv[0])} cannot be started: {error.strerror}"


def _limit(pid: int, spec: InstanceSpec) -> None:
    """Set the limits of a process that has just begun. The shell has not got as far as its first child by then."""
    try:
        _lower(pid, resource.RLIMIT_NOFILE, spec.open_files)
        if spec.memory:
            # Not RLIMIT_AS: Node, Go and Java reserve far more address space than they ever use.
            _lower(pid, resource.RLIMIT_DATA, spec.memory)
        if spec.niceness:
            os.setpriority(os.PRIO_PROCESS, pid, spec.niceness)
    except (ProcessLookupError, PermissionError):
        pass  # it has ended already


def _lower(pid: int, kind: int, wanted: int) -> None:
    if not hasattr(resource, "prlimit"):
        return
    _, hard = resource.prlimit(pid, kind)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.prlimit(pid, kind, (limit, limit))
