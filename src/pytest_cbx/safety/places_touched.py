"""Findings on where a command reads and writes: the system, keys, start-up files, disks, what lies outside the work tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pytest_cbx.effects.model import WORKSPACE, Effect, Effects, Kind, Place
from pytest_cbx.safety.model import Finding, Severity
from pytest_cbx.safety.places import Area, area_of, in_home

_WRITING = frozenset(
    {Kind.OUTPUT, Kind.WRITE, Kind.APPEND, Kind.CREATE, Kind.DELETE, Kind.METADATA, Kind.DESTROY, Kind.SYSTEM}
)
_REMOVING = frozenset({Kind.DELETE, Kind.DESTROY})
_EMPTYING = _REMOVING | {Kind.WRITE, Kind.OUTPUT}
_READING = frozenset({Kind.READ})
_SPOKEN_OF = _WRITING | _READING

_DISK = re.compile(r"^/dev/(?:(?:sd|hd|vd|xvd|nvme|mmcblk|md|dm-|loop|disk|rdisk|nbd)[\w*?\[\]-]*|mapper/.+|disk/.+)$")
_CARRIED_OUT = re.compile(
    r"^(?:/etc/(?:cron[\w.]*|anacrontab|systemd|init\.d|rc\.local|rc\d?\.d|profile\.d|ld\.so\.preload|udev|pam\.d)"
    r"|/(?:usr/)?lib/systemd|/var/spool/(?:cron|at)|/Library/Launch(?:Agents|Daemons))(?:/|$)"
)
_CARRIED_OUT_IN_HOME = re.compile(
    r"^(?:\.config/(?:systemd|autostart)|Library/LaunchAgents|\.ssh/(?:authorized_keys2?|rc))(?:/|$)"
)
_GIT_HOOK = re.compile(r"(?:^|/)\.git/hooks/(?!.*\.sample$)[^/]+$")
_HISTORY_IN_HOME = re.compile(
    r"^\.(?:(?:bash|zsh|sh|ksh|python|node_repl|mysql|psql|sqlite|lesshst|rediscli)_?history|histfile|lesshst"
    r"|local/share/fish/fish_history)$"
)
_LOG = re.compile(r"^/var/log(?:/|$)")
_CACHES = (".cache/", "Library/Caches/")
_TIDYING = frozenset({"git", "make", "gmake", "ninja", "cmake"})
"""Programs that remove what they made, or what git does not know; that it may be anywhere in the work tree does not make it all."""
_UPWARDS = re.compile(r"(?:^|[\s/=:>\"'])\.\.(?=/|[\s\"']|$)")
_FAR_UPWARDS = re.compile(r"(?:^|[\s/=:<\"'])\.\./\.\.(?=/|[\s\"']|$)")


Fits = Callable[[Effect, Place, Area, str], bool]
"""Whether a rule speaks of an effect at a place in an area; the last is what the text says there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """Speaks of an effect of one of `kinds` that `fits`; `what` goes on after the program's name."""

    name: str
    severity: Severity
    kinds: frozenset[Kind]
    fits: Fits
    what: str


def _rule(name: str, severity: Severity, kinds: frozenset[Kind], fits: Fits, what: str) -> _Rule:
    return _Rule(name=name, severity=severity, kinds=kinds, fits=fits, what=what)


def _in(*areas: Area) -> Fits:
    return lambda effect, place, area, wrote: area in areas


def _named_in(area: Area) -> Fits:
    """The text names the place; else a program keeps something of its own there."""
    return lambda effect, place, found, wrote: found is area and wrote.rsplit("/", 1)[-1] != effect.program


def _all_of(effect: Effect, place: Place, area: Area, wrote: str) -> bool:
    return area is Area.ROOT or (place == WORKSPACE and effect.program not in _TIDYING)


def _by_git(effect: Effect, place: Place, area: Area, wrote: str) -> bool:
    return effect.program == "git" and area is Area.WORKSPACE


def _elsewhere(effect: Effect, place: Place, area: Area, wrote: str) -> bool:
    home = in_home(place.path)
    # A tool that clears its own store in the home directory does what it is asked for.
    own = home is not None and (home.startswith(_CACHES) or wrote.rsplit("/", 1)[-1] == effect.program)
    return area is Area.ELSEWHERE and not own


def _disk(effect: Effect, place: Place, area: Area, wrote: str) -> bool:
    return _DISK.match(place.path) is not None


def _carried_out(effect: Effect, place: Place, area: Area, wrote: str) -> bool:
    home = in_home(place.path)
    return _CARRIED_OUT.match(place.path) is not None or (home is not None and bool(_CARRIED_OUT_IN_HOME.match(home)))


def _git_hook(effect: Effect, place: Place, area: Area, wrote: str) -> bool:
    # A tool that installs its own hooks does what it is for; a hook that is named is written by hand.
    return _GIT_HOOK.search(place.path) is not None and ".git/hooks" in wrote


def _trace(effect: Effect, place: Place, area: Area, wrote: str) -> bool:
    home = in_home(place.path)
    return _LOG.match(place.path) is not None or (home is not None and bool(_HISTORY_IN_HOME.match(home)))


def _up_and_out(effect: Effect, place: Place, area: Area, wrote: str) -> bool:
    return area not in (Area.WORKSPACE, Area.TEMPORARY, Area.DEVICE) and _UPWARDS.search(wrote) is not None


def _far_up_and_out(effect: Effect, place: Place, area: Area, wrote: str) -> bool:
    return area not in (Area.WORKSPACE, Area.TEMPORARY, Area.DEVICE) and _FAR_UPWARDS.search(wrote) is not None


# The first rule that fits an effect speaks.
_CRITICAL, _WARNING, _NOTICE = Severity.CRITICAL, Severity.WARNING, Severity.NOTICE
_RULES = (
    _rule("destroys-root", _CRITICAL, _REMOVING, _all_of, "deletes all of"),
    _rule("disk", _CRITICAL, _WRITING, _disk, "writes a disk as such:"),
    _rule("persistence", _CRITICAL, _WRITING, _carried_out, "writes what the system runs or lets in later:"),
    _rule("persistence", _WARNING, _WRITING - _REMOVING, _git_hook, "writes what git runs later:"),
    _rule("history", _WARNING, _EMPTYING, _trace, "removes the traces in"),
    _rule("touches-system", _CRITICAL, _REMOVING | {Kind.WRITE}, _in(Area.MACHINE), "writes a place of the system:"),
    _rule("touches-system", _WARNING, _WRITING, _in(Area.MACHINE), "writes a place of the system:"),
    _rule("touches-secret", _CRITICAL, _WRITING, _named_in(Area.SECRET), "writes keys or passwords:"),
    _rule("touches-secret", _WARNING, _WRITING, _in(Area.SECRET), "keeps keys or passwords in"),
    _rule(
        "touches-startup",
        _CRITICAL,
        _WRITING,
        _named_in(Area.STARTUP),
        "writes what a shell or tool obeys at its start:",
    ),
    _rule("touches-startup", _WARNING, _WRITING, _in(Area.STARTUP), "keeps its own settings in"),
    _rule("reads-secret", _WARNING, _READING, _in(Area.SECRET), "reads keys or passwords:"),
    _rule("traversal", _WARNING, _WRITING, _up_and_out, "climbs out of the work tree and changes"),
    _rule("traversal", _NOTICE, _READING, _far_up_and_out, "climbs far out of the work tree and reads"),
    _rule("discards", _WARNING, frozenset({Kind.DESTROY}), _by_git, "discards work that it does not keep in"),
    _rule("outside", _WARNING, _REMOVING, _elsewhere, "deletes outside the work tree:"),
)


_INSIDE = tuple(rule for rule in _RULES if rule.fits in (_all_of, _git_hook, _by_git))
"""Rules that may fit a place in the work tree; asking only these makes most commands quick."""


def look(effects: Effects, text: str) -> Iterator[Finding]:
    """One finding at most for each effect that happens at a place."""
    for effect in effects.effects:
        place, kind = effect.place, effect.kind
        if place is None or kind not in _SPOKEN_OF:
            continue
        area = area_of(place)
        if area is Area.WORKSPACE and kind is Kind.READ:
            continue
        wrote = text[effect.span.start : effect.span.end] if effect.span else ""
        for rule in _INSIDE if area is Area.WORKSPACE else _RULES:
            if kind in rule.kinds and rule.fits(effect, place, area, wrote):
                message = f"{effect.program or 'the command'} {rule.what} {place.path}"
                yield Finding(rule=rule.name, severity=rule.severity, message=message, span=effect.span)
                break
