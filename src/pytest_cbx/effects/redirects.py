"""What a command's redirects touch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import is_stream, resolve
from pytest_cbx.effects.values import EMPTY, TAME, UNKNOWN, Field, Shape, concat
from pytest_cbx.shell.nodes import Redirect

if TYPE_CHECKING:
    from pytest_cbx.effects.walker import Walker

_KINDS = {
    "<": Kind.READ, ">": Kind.WRITE, ">|": Kind.WRITE, "&>": Kind.WRITE, ">&": Kind.WRITE, ">>": Kind.APPEND, "&>>": Kind.APPEND,
    "<>": Kind.WRITE,
}  # fmt: skip
_DETAILS = {
    Kind.READ: "input redirect", Kind.WRITE: "output redirect", Kind.APPEND: "appending redirect",
}  # fmt: skip
_DESCRIPTOR = re.compile(r"^(?:\d+-?|-)$")
_SOCKET = re.compile(r"^/dev/(?:tcp|udp)/([^/]*)(?:/(.*))?$")


def apply(walker: Walker, redirects: Sequence[Redirect], program: str) -> Field | None:
    """Note the effects of redirects, in order, and what they make of standard input.

    Gives what reaches standard output in place of what the command prints there; None where it stays what it is.
    """
    printed: Field | None = None
    for redirect in redirects:
        if redirect.descriptor and redirect.descriptor.startswith("{"):
            walker.assign(redirect.descriptor.strip("{}"), TAME)
        feeds = redirect.descriptor in (None, "0")
        if redirect.operator in ("<<", "<<-", "<<<"):
            text = walker.expander.one(redirect.target)
            text = concat([text, Field("\n")]) if redirect.operator == "<<<" else text
            walker.stdin = text if feeds else walker.stdin
            continue
        target = walker.expander.target(redirect.target)
        if feeds and redirect.operator in ("<&", "<>") and target.text != "0":
            walker.stdin = UNKNOWN
        _file(walker, redirect, target, program)
        if redirect.operator in _TAKES_OUTPUT and redirect.descriptor in (None, "1"):
            printed = _elsewhere(walker, target, printed)
        elif redirect.operator in _TAKES_OUTPUT and _leads_back(target) and target.text not in ("2", "-"):
            walker.joined = True
    return printed


_TAKES_OUTPUT = frozenset(_KINDS) - {"<", "<>"}


def _elsewhere(walker: Walker, target: Field, before: Field | None) -> Field | None:
    """What reaches standard output when it is sent to a file or another descriptor: what comes there by another."""
    if target.text in ("1", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        return before
    errors = target.text in ("2", "/dev/stderr", "/dev/fd/2")
    return UNKNOWN if walker.joined or (_leads_back(target) and not errors) else EMPTY


def _leads_back(target: Field) -> bool:
    """Whether the target may be a descriptor that leads to where standard output goes."""
    return not target.known or re.match(r"\d+-?$|/dev/fd/|/proc/|/dev/std", target.text) is not None


def _file(walker: Walker, redirect: Redirect, target: Field, program: str) -> None:
    operator = redirect.operator
    if operator in ("<&", ">&") and target.known and _DESCRIPTOR.match(target.text):
        return
    if operator == "<&":
        return
    kind = _KINDS.get(operator)
    if kind is None:
        walker.doubt(f"the redirect {operator} is not known", program)
        return
    if kind is Kind.READ and redirect.descriptor in (None, "0"):
        piped = walker.pipes.get(target.text) if target.known else None
        walker.stdin = piped if piped is not None else Field("", Shape.UNKNOWN)
        walker.redirected = (walker.stdin, target, walker.state.cwd) if piped is None else None
    socket = _SOCKET.match(target.text)
    if socket or (target.unknown and "/dev/tcp/".startswith(target.text[:9]) and target.text.startswith("/dev/")):
        walker.note(Kind.NETWORK, None, program, socket.group(1) if socket else "a redirect to a socket")
        return
    touch(walker, kind, target.at(redirect.span) if walker.own_text else target, program, _DETAILS[kind])


def touch(walker: Walker, kind: Kind, target: Field, program: str, detail: str) -> None:
    """Note an effect of the shell itself on a path."""
    if target.known and (is_stream(target.text) or not target.text):
        return
    places = resolve(target, walker.state.cwd, walker.context, "path")
    if places is None:
        walker.note(kind, None, program, f"{detail} to a path that is not known beforehand", target)
    else:
        for place in places:
            walker.note(kind, place, program, detail, target)
