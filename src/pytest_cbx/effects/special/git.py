"""git before and around its sub-commands: `-c`, the repository's configuration, its hooks, editors, aliases.

Only what the text and the repository tell counts. The user's own configuration and the machine's are not seen, and neither
is anything when no files can be seen: then no hook and no helper is assumed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects import scripts
from pytest_cbx.effects.languages.gitconfig import (
    Settings,
    category,
    is_harmless,
    normalised,
    runs,
    settings_of,
    value_of,
)
from pytest_cbx.effects.model import Kind, Place, Scope
from pytest_cbx.effects.paths import join, parent_of, resolve
from pytest_cbx.effects.repository import MAKING, repository_of
from pytest_cbx.effects.seen import CHANGING, changes
from pytest_cbx.effects.special.git_uses import EDITORS, HARMLESS_EDITORS, HOOKS, SKIPPED_HOOKS, USES
from pytest_cbx.effects.values import UNKNOWN, UNKNOWN_MANY, Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

Inline = list[tuple[str, str | None]]
"""Keys (normalised) and values of `-c` and `--config-env`; None: a value that is not known."""

_DEEPEST_INCLUDE = 3
_SIGNS = ("%G", "%(signature")
"""Placeholders of `--format` for which git checks signatures."""


def git(call: Call) -> None:
    """What comes with every sub-command: the configuration, hooks and editors that it makes git run."""
    inline = _inline(call)
    if len(call.chain) < 2:
        return
    command = call.chain[1].spec.names[0].removeprefix("git-")
    uses = USES.get(command, ())
    if "remote" in uses or command == "clone":
        _address(call)
    if not uses and command not in HOOKS and command not in EDITORS:
        return
    settings = _settings(call)
    for use in uses:
        key = runs(settings, use)
        if key is not None:
            call.effect(Kind.EXECUTE, f"the repository's configuration sets {key}")
    if "signature" in uses and any(
        sign in given.value.text for given in call.parsed.options if given.value for sign in _SIGNS
    ):
        call.effect(Kind.EXECUTE, "the signature checker")
    _hooks(call, HOOKS.get(command, ()), _hooks_directory(call, settings, inline))
    _editor(call, command, (*settings, *((key, value or "?") for key, value in inline)))


# --- configuration ---------------------------------------------------------------------------------------


def _inline(call: Call) -> Inline:
    """The settings of the command line; those that make git run something, or may, are an effect."""
    found: Inline = []
    for given in call.readings[0].options:
        name, value = given.option.names[0], given.value
        if name not in ("-c", "--config-env") or value is None:
            continue
        key, equals, text = value.text.partition("=")
        if not value.known and not equals:
            call.effect(Kind.EXECUTE, "what the configuration may name")
            continue
        known = (text if equals else "true") if value.known and name == "-c" else None
        found.append((normalised(key), known))
        use = category(normalised(key))
        if use != "alias" and not is_harmless(key, known):
            kind = Kind.UNKNOWN if use is None else Kind.EXECUTE
            call.effect(kind, f"{name} sets {key}, and git may run what it says")
    return found


def _settings(call: Call) -> Settings:
    """The repository's own configuration, as far as it can be seen."""
    repository = repository_of(call)
    path = repository.below("config")
    if not path.known:
        if repository.foreign:
            call.effect(Kind.EXECUTE, "the configuration of another repository is not seen")
        return ()
    if repository.made:
        if _changed(call, path):
            call.effect(Kind.EXECUTE, "the repository's configuration is changed before it is used")
        return ()
    text = call.host.file_text(path, call.base, call.name)
    if text is None:
        if repository.foreign:
            call.effect(Kind.EXECUTE, "the configuration of another repository is not seen")
        return ()
    return _included(call, settings_of(text), path, 0)


def _included(call: Call, settings: Settings, path: Field, depth: int) -> Settings:
    """The settings, with those of the files that they include, seen or not, whatever the condition is."""
    found: list[tuple[str, str]] = []
    for key, value in settings:
        found.append((key, value))
        if not (key == "include.path" or (key.startswith("includeif.") and key.endswith(".path"))):
            continue
        file = join(parent_of(path), Field(value))
        text = call.host.file_text(file, call.base, call.name) if depth < _DEEPEST_INCLUDE else None
        if text is not None:
            found.extend(_included(call, settings_of(text), file, depth + 1))
    return tuple(found)


def _changed(call: Call, path: Field) -> bool:
    """Whether the same text may have changed a file before, other than by making the repository."""
    places = resolve(path, call.base, call.host.context, "path") or []
    effects = (effect for effect in call.host.record.effects() if effect.detail not in MAKING)
    return bool(places) and any(changes(effect, places[0].path) for effect in effects)


def _address(call: Call) -> None:
    """`ext::COMMAND`, `fd::3`, `HELPER::…`: a transport that is a program."""
    values = [given.value for given in call.parsed.options if given.value is not None]
    for field in [*call.parsed.operands, *values]:
        if re.match(r"[A-Za-z0-9+.-]+::", field.text):
            call.effect(Kind.EXECUTE, f"{field.text.partition('::')[0]}:: is a transport that runs a program")


# --- hooks and editors -----------------------------------------------------------------------------------


def _hooks_directory(call: Call, settings: Settings, inline: Inline) -> Field | None:
    """Where the repository's hooks lie; None where that is not known, or none run."""
    repository = repository_of(call)
    configured = dict(inline).get("core.hookspath", value_of(settings, "core.hookspath"))
    if configured == "/dev/null":
        return None
    if configured and configured.startswith("~/"):
        configured = f"{call.host.context.home}{configured[1:]}"
    directory = join(repository.top, Field(configured)) if configured else repository.below("hooks")
    return directory if directory.known else None


def _hooks(call: Call, names: tuple[str, ...], directory: Field | None) -> None:
    """Follow those hooks of the repository that are there."""
    if directory is None or not names:
        return
    # Most texts touch no hooks, and most commands may run many.
    if call.host.context.files is None and not _touched(call, directory):
        return
    for name in names:
        if not (name in SKIPPED_HOOKS and call.surely("--no-verify")):
            _hook(call, name, directory)


def _touched(call: Call, directory: Field) -> bool:
    """Whether the same text may have changed a directory or something in it before."""
    (place,) = resolve(directory, call.base, call.host.context, "path") or (None,)
    effects = (e for e in call.host.record.effects() if e.kind in CHANGING and e.detail not in MAKING)
    return place is None or any(_reaches(effect.place, place.path) or changes(effect, place.path) for effect in effects)


def _reaches(place: Place | None, directory: str) -> bool:
    """Whether a place lies in a directory. A pattern may when it is as deep."""
    if place is None or place.path.startswith(f"{directory}/"):
        return True
    return place.scope is Scope.GLOB and ("**" in place.path or place.path.count("/") > directory.count("/"))


def _hook(call: Call, name: str, directory: Field) -> bool:
    """Follow a hook, if there is an executable one. False: there is none, as far as it is seen."""
    file = join(directory, Field(name))
    host, files = call.host, call.host.context.files
    if _changed(call, file):
        call.effect(Kind.EXECUTE, f"the hook {name} may be made or changed before it runs")
        return True
    if files is None or not files.executable(file.text):
        return False
    text = host.file_text(file, call.base, call.name)
    if text is None or not scripts.is_shell_script(text):
        call.effect(Kind.EXECUTE, f"the hook {name}")
        return True
    state = host.state.process()
    state.cwd = repository_of(call).top
    with host.maybe(), host.fork(state), host.input(UNKNOWN):
        scripts.run_script(host, file, text, name, positional=(UNKNOWN_MANY,))
    return True


def _editor(call: Call, command: str, settings: Settings) -> None:
    """Note the editor that the sub-command opens, unless what stands for it is known to do nothing."""
    rule = EDITORS.get(command)
    if rule is None:
        return
    always, unless = rule
    forced = call.surely(*always) or any(word in always for word in call.path)
    if not forced and (not unless or call.given(*unless)):
        return
    order = [("GIT_EDITOR", "core.editor")]
    if command == "rebase":
        order.insert(0, ("GIT_SEQUENCE_EDITOR", "sequence.editor"))
    chosen = next((found for names in order if (found := _chosen(call, *names, settings)) is not None), None)
    if chosen not in HARMLESS_EDITORS:
        call.effect(Kind.EXECUTE, "the editor")


def _chosen(call: Call, variable: str, key: str, settings: Settings) -> str | None:
    """The editor that a variable or else the configuration names; None: neither does, as far as it is seen."""
    value = call.host.state.variables.get(variable) if variable in call.host.state.exported else None
    if isinstance(value, Field):
        return value.text if value.known else ""
    return value_of(settings, key)


# --- aliases ---------------------------------------------------------------------------------------------


def alias(call: Call) -> None:
    """A sub-command that is not listed: an alias of `-c` or of the repository's configuration, else unknown."""
    inline = dict(_inline(call))
    name, arguments = call.chosen, call.parsed.operands[1:]
    key = f"alias.{name.lower()}"
    text = inline[key] if key in inline else value_of(_settings(call), key)
    if key in inline and text is None:
        call.effect(Kind.EXECUTE, "what the alias stands for is not known beforehand")
    elif text is None or "--" in name:
        # git's own helpers (`submodule--helper`) are sub-commands, which no alias hides.
        call.doubt(f"the sub-command {name} is not in the catalogue")
    else:
        _follow(call, name, text, arguments)


def _follow(call: Call, name: str, text: str, arguments: list[Field]) -> None:
    host = call.host
    mark = (f"git alias:{name}", 0)
    if mark in host.active:
        call.doubt(f"the alias {name} stands for itself")
        return
    host.active.append(mark)
    if text.startswith("!"):
        state = host.state.process()
        state.cwd = repository_of(call).top
        with host.fork(state):
            call.output = host.run_text(Field(f'{text[1:]} "$@"'), call.name, positional=arguments)
    else:
        before = call.fields[: call.readings[0].rest]
        try:
            words = [Field(word) for word in shlex.split(text)]
        except ValueError:
            call.doubt(f"the alias {name} could not be read")
            words = []
        if words:
            call.output = host.run([Field("git"), *before, *words, *arguments])
    host.active.pop()


def hook(call: Call) -> None:
    """`git hook run NAME`: whoever asks for a hook has one, seen or not."""
    directory = _hooks_directory(call, _settings(call), _inline(call))
    for name in call.parsed.operands[:1]:
        if not name.known or directory is None or not _hook(call, name.text, directory):
            call.effect(Kind.EXECUTE, f"the hook {name.text}")


INTERPRETERS: dict[str, Callable[[Call], None]] = {"git": git, "git-alias": alias, "git-hook": hook}
