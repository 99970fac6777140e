"""What a container is given of the host: `docker run -v`, `--mount`, `docker build -o`, `docker cp`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join, name_of
from pytest_cbx.effects.values import UNKNOWN, Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_SOCKETS = ("docker.sock", "podman.sock", "containerd.sock", "crio.sock")


def run(call: Call) -> None:
    """`docker run [OPTION…] IMAGE [COMMAND…]`: the container may change the directories that it is given, and nothing else of the host."""
    for value in _values(call, "-v", "--volume"):
        _volume(call, value)
    for value in _values(call, "--mount"):
        _mount(call, value)
    for value in _values(call, "-p", "--publish"):
        call.effect(Kind.BIND, _port(value))


def _values(call: Call, *names: str) -> Iterator[Field]:
    for parsed in call.readings:
        for given in parsed.options:
            if given.value is not None and any(name in given.option.names for name in names):
                yield given.value


def _volume(call: Call, value: Field) -> None:
    """`[HOST:]CONTAINER[:OPTIONS]`; a host part without a slash names a volume of the engine."""
    if not value.known:
        call.touch(Kind.WRITE, UNKNOWN, why="a directory that is given to the container")
        return
    host, *rest = value.text.split(":")
    if rest and host.startswith(("/", ".", "~")):
        _given(call, Field(host), readonly=len(rest) > 1 and "ro" in rest[1].split(","))


def _mount(call: Call, value: Field) -> None:
    """`type=bind,source=HOST,target=CONTAINER[,readonly]`."""
    if not value.known:
        call.touch(Kind.WRITE, UNKNOWN, why="a directory that is given to the container")
        return
    parts = dict(part.partition("=")[::2] for part in value.text.split(","))
    source = parts.get("source", parts.get("src"))
    if parts.get("type", "volume") == "bind" and source:
        readonly = any(parts.get(name) in ("", "true", "1") for name in ("readonly", "ro"))
        _given(call, Field(source), readonly=readonly)


def _given(call: Call, host: Field, *, readonly: bool) -> None:
    if host.text.endswith(_SOCKETS):
        call.effect(Kind.PRIVILEGE, "the engine's socket is given to the container")
    elif readonly:
        call.touch(Kind.READ, host, "tree")
    else:
        call.touch(Kind.WRITE, host, "tree", "it is given to the container")


def _port(value: Field) -> str:
    """The host's port in `[[ADDRESS:]PORT:]CONTAINER[/PROTOCOL]`; `*` where the engine chooses or several are meant."""
    parts = value.text.split("/")[0].split(":") if value.known else []
    return parts[-2] if len(parts) > 1 and parts[-2].isdigit() else "*"


def build(call: Call) -> None:
    """`docker build [-o DIRECTORY | -o type=…,dest=PLACE] CONTEXT`."""
    for value in _values(call, "-o", "--output"):
        parts = dict(part.partition("=")[::2] for part in value.text.split(",")) if value.known else {}
        if "=" not in value.text:
            call.touch(Kind.OUTPUT, value, "tree")
        elif "dest" in parts:
            call.touch(Kind.OUTPUT, Field(parts["dest"]), "tree")
        elif parts.get("type") not in ("docker", "image", "registry", "cacheonly"):
            call.touch(Kind.OUTPUT, UNKNOWN)


def copy(call: Call) -> None:
    """`docker cp CONTAINER:PATH PATH` or the other way round; `-` is a stream."""
    operands = call.parsed.operands
    if len(operands) != 2:
        return
    source, target = operands
    if not _in_container(source):
        call.touch(Kind.READ, source, "tree")
    if not _in_container(target) and target.text != "-":
        call.touch(Kind.WRITE, target, "tree")
        inside = Field(source.text.partition(":")[2]) if source.known else UNKNOWN
        if inside.known and name_of(inside).text not in ("", "."):
            call.touch(Kind.WRITE, join(target, name_of(inside)), "tree")


def _in_container(operand: Field) -> bool:
    return ":" in operand.text and not operand.text.startswith(("/", "./", "../"))


INTERPRETERS: dict[str, Callable[[Call], None]] = {
    "container-run": run,
    "container-build": build,
    "container-copy": copy,
}
