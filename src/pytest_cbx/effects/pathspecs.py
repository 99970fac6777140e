"""git's pathspecs: which sources of the work tree an operand such as `src`, `'*.py'` or `:/docs` means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join, resolve
from pytest_cbx.effects.repository import repository_of
from pytest_cbx.effects.seen import changes
from pytest_cbx.effects.values import Field, Shape, wild

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

Part = tuple[Field, str]
"""A path and its scope; `work` of the scope `git` is the whole work tree."""

_MAGIC = re.compile(r":(?:\((?P<long>[^)]*)\)|(?P<short>[/!^]+):?)?")


def pathspecs(call: Call, operand: Field) -> Iterator[Part]:
    """What the pathspec covers: a file, a directory's tree, or what fits a pattern (whose `*` crosses directories)."""
    if operand.shape is Shape.PATTERN:
        # The shell made it from the files that are there: each is a file or a directory.
        yield operand, "tree"
        return
    found = _MAGIC.match(operand.text) if operand.text.startswith(":") else None
    if found is None:
        yield from _plain(call, operand)
        return
    top, excludes = _magic(found)
    if excludes:
        others = [other for other in call.parsed.operands if not _excludes(other)]
        if not others:
            yield repository_of(call).top, "sources"
        return
    rest = operand.after(found.end())
    if top:
        rest = join(repository_of(call).top, rest)
    if found["long"] and not set(found["long"].split(",")) <= {"top", "literal"}:
        yield _footing(rest), "sources"
    else:
        yield from _plain(call, rest)


def _magic(found: re.Match[str]) -> tuple[bool, bool]:
    """Whether it starts at the top, and whether it excludes."""
    words = (found["long"] or "").split(",")
    short = found["short"] or ""
    return "top" in words or "/" in short, "exclude" in words or "!" in short or "^" in short


def _excludes(operand: Field) -> bool:
    found = _MAGIC.match(operand.text) if operand.text.startswith(":") else None
    return found is not None and _magic(found)[1]


def _plain(call: Call, path: Field) -> Iterator[Part]:
    if path.known and join(call.base, path).text == repository_of(call).top.text != "":
        yield Field("work"), "git"
        return
    if not path.known or not wild(path.text):
        yield path, "sources" if _may_be_directory(call, path) else "path"
        return
    text = path.text
    before, _, after = text.partition("*")
    if wild(after) or "?" in before or "[" in before or "/" in after:
        yield _footing(path), "sources"
        return
    yield Field(text), "glob"
    deeper = f"{before}**" if not before or before.endswith("/") else f"{before}*/**"
    yield Field(f"{deeper}/*{after}" if after else deeper), "glob"


def _footing(path: Field) -> Field:
    """The directory before the first wildcard."""
    if not path.known:
        return path
    fixed = re.split(r"[*?\[]", path.text, maxsplit=1)[0].rpartition("/")[0]
    return Field(fixed or ("/" if path.text.startswith("/") else "."))


def _may_be_directory(call: Call, path: Field) -> bool:
    """Whether the path may be one. What the text itself made before is taken for one."""
    files = call.host.context.files
    if files is None or not path.known:
        return True
    places = resolve(path, call.base, call.host.context, "path") or []
    if len(places) != 1 or places[0].path.startswith(("/", "~", "..")):
        return True
    # What writes or deletes just that path takes it for a file, too.
    others = (e for e in call.host.record.effects() if e.place != places[0] or e.kind is Kind.CREATE)
    if any(changes(effect, places[0].path) for effect in others):
        return True
    return files.directory(f"{call.host.context.workspace.rstrip('/')}/{places[0].path}") is not False
