"""Where `cp`, `mv`, `ln` and their like put things: at the destination, or in it when it is a directory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join, name_of, resolve
from pytest_cbx.effects.seen import changes
from pytest_cbx.effects.values import Field, Shape

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_SUFFIX = re.compile(r"\.\w+$")
_MAKERS = frozenset({"mkdir", "install"})
"""Programs that create directories."""

Target = tuple[Field, str]
"""A path and the scope in which it is changed."""


def destinations(
    call: Call, target: Field, sources: Sequence[Field], *, tree: bool, directory: bool = False
) -> Iterator[Target]:
    """What `program SOURCE… TARGET` changes: the target itself, unless it is surely a directory, and each source's name in it.

    `tree`: whole trees are put there. `directory`: the target is surely a directory (`-t`).
    """
    scope = "tree" if tree else "path"
    directory = directory or len(sources) > 1 or (not tree and target.known and target.text.endswith("/"))
    there = None if directory else is_directory(call, target)
    # Directories rarely have a suffix.
    file = target.shape is Shape.PATTERN and _SUFFIX.search(target.text) is not None and not directory
    if file or (there is False and any(_is_there(call, path) for path in (target, *sources))):
        yield target, scope
        return
    if not there and not directory:
        yield target, scope
        if tree:
            return
    for source in sources:
        name = name_of(source)
        if name.known and name.text in ("", ".", ".."):
            yield target, "tree"
        elif name.unknown:
            yield target, "tree" if tree else "children"
        else:
            path = join(target, name)
            yield path.at(target.span) if target.span is not None else path, scope


def _is_there(call: Call, path: Field) -> bool:
    """Whether something is there, or the text makes it. A text whose names are all missing is for another place: nothing can be told."""
    files, context = call.host.context.files, call.host.context
    places = resolve(path, call.base, context, "path") or () if path.known else ()
    if files is None or len(places) != 1:
        return False
    place = places[0].path
    whole = place if place.startswith("/") else f"{context.workspace.rstrip('/')}/{place}"
    return files.directory(whole) is not None or any(changes(effect, place) for effect in call.host.record.effects())


def is_directory(call: Call, target: Field) -> bool | None:
    """Whether the target is a directory when the program runs; None where that cannot be told. Nothing there is none."""
    if target.known and name_of(target).text in (".", ".."):
        return True
    places = resolve(target, call.base, call.host.context, "path") or () if target.known else ()
    if len(places) != 1:
        return None
    path = places[0].path
    before = [effect for effect in call.host.record.effects() if changes(effect, path)]
    if before:
        last = before[-1]
        made = last.kind is Kind.CREATE and last.program in _MAKERS and last.place == places[0]
        return True if made else None
    files = call.host.context.files
    if files is None:
        return None
    call.host.record.looked[path] = None
    whole = path if path.startswith("/") else f"{call.host.context.workspace.rstrip('/')}/{path}"
    return files.directory(whole) is True
