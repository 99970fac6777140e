"""Where the repository lies that a git command works on, and its parts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_cbx.effects.languages.gitconfig import settings_of, value_of
from pytest_cbx.effects.model import Kind, Scope
from pytest_cbx.effects.paths import join, normal, resolve
from pytest_cbx.effects.seen import changes
from pytest_cbx.effects.values import UNKNOWN, Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

Part = tuple[Field, str]
"""A path and its scope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Paths of one repository, absolute where the working directory is known."""

    git: Field
    """The directory that holds objects, refs and configuration."""
    top: Field
    """The top of the work tree."""
    index: Field
    objects: Field
    linked: bool = False
    """A linked work tree or a submodule: its own HEAD and index lie elsewhere below `git`."""
    made: bool = False
    """The same text makes it: nothing of it can be seen yet."""
    foreign: bool = False
    """Named by --git-dir or GIT_DIR, or a bare one found on the way: its configuration is its maker's."""

    def below(self, path: str) -> Field:
        """A relative path in `git`."""
        return Field(f"{self.git.text}/{path}") if self.git.known else join(self.git, Field(path))


PARTS: dict[str, tuple[tuple[str, str], ...]] = {
    "all": (("", "tree"),),
    "refs": (("refs", "tree"), ("logs", "tree")),
    "packed": (("packed-refs", "path"),),
    "messages": (("*_*", "glob"),),
}
"""Parts by name: paths below git's directory. `packed`: whoever deletes a ref writes it. `messages`: COMMIT_EDITMSG, ORIG_HEAD,
FETCH_HEAD, MERGE_MSG and their like.

Further ones: `work` (the sources of the work tree), `index`, `objects`, `tip`; anything else is a path below git's directory, a tree
when it ends with a slash, a pattern when it has a wildcard.
"""


def parts(call: Call, names: Field) -> Iterator[Part]:
    """The paths of the parts that `names` lists, separated by blanks."""
    repository = repository_of(call)
    for name in names.text.split() if names.known else ["all"]:
        if name == "work":
            yield repository.top, "sources"
        elif repository.linked and name in ("index", "HEAD", "messages"):
            yield repository.below("worktrees"), "tree"
        elif name == "index":
            yield repository.index, "path"
        elif name == "objects":
            yield repository.objects, "tree"
        elif name == "tip":
            yield from _tip(call, repository)
        else:
            for path, scope in PARTS.get(name) or (_below(name),):
                yield repository.below(path) if path else repository.git, scope


def text_if_there(call: Call, path: Field) -> str | None:
    """The text of a file that the command itself may replace: one that is surely not there now is not asked for."""
    files, whole = call.host.context.files, join(call.base, path)
    if files is not None and whole.known and files.text(whole.text) is None:
        return None
    return call.host.file_text(path, call.base, call.name)


def _tip(call: Call, repository: Repository) -> Iterator[Part]:
    """What changes when the current branch goes elsewhere: its ref and its log, or HEAD when that is on no branch."""
    yield repository.below("logs"), "tree"
    yield repository.below("refs"), "tree"
    head, files = repository.below("HEAD"), call.host.context.files
    places = resolve(head, call.base, call.host.context, "path") or []
    changed = any(changes(effect, place.path) for place in places for effect in call.host.record.effects())
    text = files.text(head.text) if files is not None and head.known and not repository.linked else None
    if repository.linked:
        yield repository.below("worktrees"), "tree"
    elif (changed and not repository.made) or (text is not None and not text.startswith("ref:")):
        yield head, "path"


def git_part(call: Call, kind: Kind, parts: str, why: str = "") -> None:
    """An effect on parts of the repository (see `PARTS`)."""
    call.touch(kind, Field(parts), "git", why)


def _below(name: str) -> tuple[str, str]:
    if name.endswith("/"):
        return name.rstrip("/"), "tree"
    return name, "glob" if "*" in name else "path"


def repository_of(call: Call) -> Repository:
    """The repository that a git command works on."""
    if call.repository is None:
        call.repository = _find(call)
    return call.repository


def _find(call: Call) -> Repository:
    base = _start(call)
    named, work = _named(call, "--git-dir", "GIT_DIR"), _named(call, "--work-tree", "GIT_WORK_TREE")
    if named is not None:
        git = join(base, named)
        top = base
        own = git.known and git.text == _own(call, base)
        found = Repository(git=git, top=top, index=git, objects=git, foreign=not own)
    elif call.readings and call.readings[0].given("--bare"):
        found = Repository(git=base, top=base, index=base, objects=base, foreign=True)
    else:
        found = _discover(call, base)
    top = join(base, work) if work is not None else _configured(call, found)
    index = _variable(call, "GIT_INDEX_FILE")
    objects = _variable(call, "GIT_OBJECT_DIRECTORY")
    return Repository(
        git=found.git, top=top, linked=found.linked, made=found.made, foreign=found.foreign,
        index=join(top, index) if index is not None else join(found.git, Field("index")),
        objects=join(base, objects) if objects is not None else join(found.git, Field("objects")),
    )  # fmt: skip


def _configured(call: Call, found: Repository) -> Field:
    """The top of the work tree; the repository's configuration may set another (that of submodules does)."""
    config, files = join(found.git, Field("config")), call.host.context.files
    text = (
        files.text(config.text) if files is not None and config.known and not found.linked and not found.made else None
    )
    other = value_of(settings_of(text), "core.worktree") if text is not None else None
    return found.top if other is None else join(found.git, Field(other))


def _start(call: Call) -> Field:
    """The directory in which git looks around: after all -C."""
    base = call.host.state.cwd
    for given in call.readings[0].options if call.readings else ():
        if "-C" in given.option.names and given.value is not None and (given.value.text or not given.value.known):
            base = join(base, given.value)
    return base


def _named(call: Call, option: str, variable: str) -> Field | None:
    value = call.readings[0].value(option) if call.readings else None
    return value if value is not None else _variable(call, variable)


def _variable(call: Call, name: str) -> Field | None:
    """The value of a variable that git gets; None: it is not set, as far as the text tells."""
    if name not in call.host.state.exported:
        return None
    value = call.host.state.variables.get(name, UNKNOWN)
    if not isinstance(value, Field):
        return UNKNOWN
    return value if value.text or not value.known else None


def _own(call: Call, base: Field) -> str:
    """The directory that git would find by itself."""
    found = _discover(call, base).git
    return found.text if found.known else ""


def _discover(call: Call, base: Field) -> Repository:
    """Look for a repository from `base` upwards, no further than the workspace; its top is the one that is taken for there."""
    workspace = call.host.context.workspace
    if not base.known:
        return _at(base)
    absolute = posixpath.normpath(base.text)
    inside = normal(absolute, absolute, workspace)
    if inside.startswith(("/", "~")):
        return _at(Field(absolute))
    directory = inside
    while True:
        found = _look(call, directory)
        if found is not None:
            return found
        if directory == ".":
            return _at(Field(workspace))
        directory = posixpath.dirname(directory) or "."


def _at(top: Field, **facts: bool) -> Repository:
    git = join(top, Field(".git"))
    return Repository(git=git, top=top, index=git, objects=git, **facts)


def _look(call: Call, directory: str) -> Repository | None:
    """The repository at a directory of the workspace, if one is seen or was made there by the same text."""
    context = call.host.context
    absolute = posixpath.normpath(f"{context.workspace}/{directory}")
    made = _made(call, directory)
    if made is not None:
        if made == ".git":
            return _at(Field(absolute), made=True)
        return Repository(git=Field(absolute), top=Field(absolute), index=UNKNOWN, objects=UNKNOWN, made=True)
    if context.files is None:
        return None
    if context.files.text(f"{absolute}/.git/HEAD") is not None:
        return _at(Field(absolute))
    pointer = context.files.text(f"{absolute}/.git")
    if pointer is not None and pointer.startswith("gitdir:"):
        git = posixpath.normpath(posixpath.join(absolute, pointer[len("gitdir:") :].strip()))
        common = git.rpartition("/worktrees/")[0]
        place = Field(common or git)
        return Repository(git=place, top=Field(absolute), index=place, objects=place, linked=bool(common))
    if context.files.text(f"{absolute}/HEAD") is not None and context.files.text(f"{absolute}/config") is not None:
        place = Field(absolute)
        return Repository(git=place, top=place, index=place, objects=place, foreign=True)
    return None


def _made(call: Call, directory: str) -> str | None:
    """What the same text made there: `.git` for a repository with a work tree, an empty text for a bare one."""
    below = ".git" if directory == "." else f"{directory}/.git"
    for effect in call.host.record.effects():
        if effect.kind is not Kind.CREATE or effect.place is None or effect.place.scope is not Scope.TREE:
            continue
        if effect.detail == MAKES and effect.place.path == below:
            return ".git"
        if effect.detail == CLONES and effect.place.path == directory:
            return ".git"
        if effect.detail == MAKES_BARE and effect.place.path == directory:
            return ""
    return None


MAKES = "makes a repository"
MAKES_BARE = "makes a bare repository"
CLONES = "makes a copy of the repository"
MAKING = frozenset({MAKES, MAKES_BARE, CLONES})
"""Details of the effects by which `git init`, `git init --bare` and `git clone` are told later in the same text."""
