"""Findings on code that nobody wrote down here: text from elsewhere that a shell runs, and variables where they do harm."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_cbx.effects.facts import Sign
from pytest_cbx.effects.model import Effect, Effects, Kind, Place, Scope
from pytest_cbx.safety.model import Finding, Severity
from pytest_cbx.safety.places import Area, area_of

_FETCHED_TEXT = "runs text that comes from another host"
_DECODED_TEXT = "runs text that was decoded first, so that nobody reads it"
_SHELLS = frozenset({"bash", "sh", "dash", "zsh", "ksh", "ash", "fish"})
_REMOVING = frozenset({Kind.DELETE, Kind.DESTROY})
_MATTERS = _REMOVING | {Kind.METADATA}
_EVERYTHING = re.compile(r"(?:/[*.?]*)+")
_DATA = ("/home", "/Users", "/opt", "/srv", "/mnt")
_SAVING = frozenset({Kind.WRITE, Kind.OUTPUT, Kind.CREATE})


def look(effects: Effects) -> Iterator[Finding]:
    """Findings on run text, unquoted words and words that may be empty."""
    for effect in effects.effects:
        if effect.origin is not None:
            yield from _run(effect) if effect.kind is Kind.EXECUTE else _word(effect)
    for fact in effects.facts:
        if fact.sign is Sign.HIDDEN_TEXT:
            message = f"{fact.program} {_DECODED_TEXT}"
            yield Finding(rule="decoded-code", severity=Severity.CRITICAL, message=message, span=fact.span)
    for effect in effects.effects:
        if effect.kind is Kind.NETWORK and effect.program in _SHELLS:
            message = f"{effect.program} is joined to another host, which then says what runs"
            yield Finding(rule="remote-code", severity=Severity.CRITICAL, message=message, span=effect.span)
    yield from _saved_and_run(effects)


def _run(effect: Effect) -> Iterator[Finding]:
    """`effect` runs text that is not known."""
    origin, program = effect.origin, effect.program or "the command"
    if origin is None:
        return
    if origin.fetched:
        yield Finding(
            rule="remote-code", severity=Severity.CRITICAL, message=f"{program} {_FETCHED_TEXT}", span=effect.span
        )
    elif origin.decoded:
        yield Finding(
            rule="decoded-code", severity=Severity.CRITICAL, message=f"{program} {_DECODED_TEXT}", span=effect.span
        )
    elif origin.given:
        message = f"{program} runs text made of a value that is not known: whoever sets it says what runs"
        yield Finding(rule="injection", severity=Severity.WARNING, message=message, span=effect.span)
    else:
        message = f"{program} runs what another program prints"
        yield Finding(rule="injection", severity=Severity.NOTICE, message=message, span=effect.span)


def _word(effect: Effect) -> Iterator[Finding]:
    """`effect` happens to what a word names that is not known."""
    origin, program = effect.origin, effect.program or "the command"
    if origin is None or effect.kind not in _MATTERS:
        return
    if effect.kind in _REMOVING and origin.if_empty is not None and _harmful(origin.if_empty):
        message = f"were its variable empty, {program} would remove {origin.if_empty}"
        yield Finding(rule="empty-variable", severity=Severity.CRITICAL, message=message, span=effect.span)
    elif origin.split:
        message = f"{program} takes an unquoted value: blanks and wildcards in it make other arguments"
        yield Finding(rule="unquoted", severity=Severity.WARNING, message=message, span=effect.span)


def _harmful(path: str) -> bool:
    """Whether to remove this would take the system, all homes or all data with it: `/`, `/*`, `/usr`, but not `/*.o`."""
    if not path.startswith("/"):
        return False
    if any(sign in path for sign in "*?["):
        place = Place(path=path, scope=Scope.GLOB)
        return _EVERYTHING.fullmatch(path) is not None or area_of(place) is Area.MACHINE
    place = Place(path=path.rstrip("/.") or "/", scope=Scope.TREE)
    return area_of(place) in (Area.ROOT, Area.MACHINE) or path.rstrip("/") in _DATA


def _saved_and_run(effects: Effects) -> Iterator[Finding]:
    """A program fetches into a file, and another runs that file."""
    fetching = {effect.program for effect in effects.effects if effect.kind is Kind.NETWORK}
    running = {effect.program for effect in effects.effects if effect.kind is Kind.EXECUTE}
    if not fetching or not running:
        return
    saved = {e.place for e in effects.effects if e.kind in _SAVING and e.program in fetching and e.place is not None}
    addresses = [
        w.text for call in effects.invocations if call.program in fetching for w in call.words if "/" in w.text
    ]
    names = {address.split("?", 1)[0].rsplit("/", 1)[-1] for address in addresses} - {""}
    for effect in effects.effects:
        if effect.kind is not Kind.READ or effect.place is None or effect.program not in running - fetching:
            continue
        # `curl -O`, `wget`: the file has the name that the address ends in.
        if effect.place in saved or (saved and effect.place.path.rsplit("/", 1)[-1] in names):
            message = f"{effect.program} runs {effect.place}, which comes from another host"
            yield Finding(rule="remote-code", severity=Severity.WARNING, message=message, span=effect.span)
