"""Sub-commands of git that make or reach other repositories: clone, init, push, submodule, worktree."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.languages.gitconfig import is_harmless, settings_of, value_of
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join
from pytest_cbx.effects.repository import CLONES, MAKES, MAKES_BARE, git_part, repository_of, text_if_there
from pytest_cbx.effects.values import UNKNOWN, Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


# --- new repositories ------------------------------------------------------------------------------------


def clone(call: Call) -> None:
    """`clone REPOSITORY [DIRECTORY]`."""
    operands = call.parsed.operands
    for given in call.parsed.options:
        if "--config" in given.option.names and given.value is not None:
            key, _, value = given.value.text.partition("=")
            if not is_harmless(key, value if given.value.known else None):
                call.effect(Kind.EXECUTE, f"the new repository's configuration sets {key}")
    for operand in operands[2:]:
        call.doubt(f"more operands than the catalogue lists: {operand.text}")
    if not operands:
        return
    source = operands[0]
    bare = call.given("--bare", "--mirror")
    target = operands[1] if len(operands) > 1 else _cloned_name(source, bare=bare)
    if source.known and _is_local(source.text):
        call.touch(Kind.READ, source.after(7) if source.text.startswith("file://") else source, "tree")
    else:
        call.effect(Kind.NETWORK, source.text if source.known else "")
    call.touch(Kind.CREATE, target, "parents")
    call.touch(Kind.CREATE, target, "tree", MAKES_BARE if bare else CLONES)


def _is_local(source: str) -> bool:
    if "://" in source:
        return source.startswith("file://")
    return ":" not in source.partition("/")[0]


def _cloned_name(source: Field, *, bare: bool) -> Field:
    """git's own guess: the last part of the address, without `.git` (`dir.c`, git_url_basename)."""
    if source.unknown:
        return UNKNOWN
    text = re.sub(r"^[A-Za-z0-9+.-]+://(?:[^/@]*@)?", "", source.text).rstrip("/")
    text = re.sub(r"/\.git$", "", text).rstrip("/")
    name = re.split(r"[/:]", text)[-1].removesuffix(".git").removesuffix(".bundle")
    if not name or name in (".", ".."):
        return UNKNOWN
    return Field(f"{name}.git" if bare else name, source.shape)


def init(call: Call) -> None:
    """`init [DIRECTORY]`."""
    operands = call.parsed.operands
    for operand in operands[1:]:
        call.doubt(f"more operands than the catalogue lists: {operand.text}")
    target = join(call.base, operands[0]) if operands else call.base
    if operands:
        call.touch(Kind.CREATE, target, "parents")
    if call.given("--bare"):
        call.touch(Kind.CREATE, target, "tree", MAKES_BARE)
    elif "GIT_DIR" in call.host.state.exported or call.readings[0].given("--git-dir"):
        call.touch(Kind.CREATE, repository_of(call).git, "tree", MAKES)
    else:
        if operands and target != call.base:
            call.touch(Kind.CREATE, target)
        call.touch(Kind.CREATE, join(target, Field(".git")), "tree", MAKES)
    call.effect(Kind.STATE, "the repository")


# --- other repositories ----------------------------------------------------------------------------------


def push(call: Call) -> None:
    """`push [REMOTE [REF…]]`: a remote that is a directory is changed like the repository itself."""
    operands = call.parsed.operands
    if call.surely("-n"):
        return
    address = operands[0] if operands else call.value("--repo") or Field("origin")
    path = _directory_of(call, address)
    if _forces(call, operands):
        if path is None:
            call.effect(Kind.DESTROY, _OVERWRITES)
        else:
            call.touch(Kind.DESTROY, path, "tree", _OVERWRITES)
    if path is not None:
        call.touch(Kind.WRITE, path, "tree", "the remote repository")
    if address.known and not re.search(r"[/:]", address.text):
        git_part(call, Kind.WRITE, "refs")


_OVERWRITES = "overwrites or deletes on the remote"


def _forces(call: Call, operands: list[Field]) -> bool:
    options = ("-f", "--mirror", "-d", "--prune", "--force-with-lease")
    return call.given(*options) or any(operand.text.startswith(("+", ":")) for operand in operands[1:])


def _directory_of(call: Call, remote: Field) -> Field | None:
    """The directory that a remote's name or address means; None: it is none, or not told."""
    if not remote.known:
        return None
    repository = repository_of(call)
    config = repository.below("config")
    text = call.host.file_text(config, call.base, call.name) if config.known and not repository.made else None
    settings = settings_of(text or "")
    address = value_of(settings, f"remote.{remote.text}.pushurl") or value_of(settings, f"remote.{remote.text}.url")
    if address is None:
        address = remote.text if "/" in remote.text else None
    if address is None or not _is_local(address):
        return None
    return join(repository.top, Field(address.removeprefix("file://")))


# --- submodules ------------------------------------------------------------------------------------------


def submodule_add(call: Call) -> None:
    """`submodule add ADDRESS [PATH]`."""
    operands = call.parsed.operands
    if operands:
        path = operands[1] if len(operands) > 1 else _cloned_name(operands[0], bare=False)
        call.touch(Kind.CREATE, path, "parents")
        call.touch(Kind.CREATE, path, "tree")
    call.touch(Kind.WRITE, join(repository_of(call).top, Field(".gitmodules")))


def worktree_add(call: Call) -> None:
    """`worktree add PATH [COMMIT]`: without a commit, a branch is made that is named like the path."""
    if len(call.parsed.operands) < 2 and not call.given("--detach"):
        git_part(call, Kind.WRITE, "refs")


def submodule_update(call: Call) -> None:
    """`submodule update [PATH…]`: the given ones, else those that `.gitmodules` names."""
    for operand in call.parsed.operands:
        call.touch(Kind.WRITE, operand, "pathspec")
    top = repository_of(call).top
    if call.given("-f"):
        git_part(call, Kind.DESTROY, "work", "discards uncommitted work")
        git_part(call, Kind.WRITE, "work")
    if call.parsed.operands:
        return
    text = text_if_there(call, join(top, Field(".gitmodules")))
    paths = [value for key, value in settings_of(text or "") if key.startswith("submodule.") and key.endswith(".path")]
    for path in paths:
        call.touch(Kind.WRITE, join(top, Field(path)), "tree")
    if not paths:
        git_part(call, Kind.WRITE, "work")


def submodule_foreach(call: Call) -> None:
    """`submodule foreach COMMAND…`: one word is shell text, several are a command."""
    operands = call.parsed.operands
    state = call.host.state.process()
    state.cwd = UNKNOWN
    with call.host.maybe(), call.host.fork(state):
        if len(operands) == 1:
            call.output = call.host.run_text(operands[0], call.name)
        elif operands:
            call.output = call.host.run(operands)


INTERPRETERS: dict[str, Callable[[Call], None]] = {
    "git-clone": clone, "git-init": init, "git-push": push, "git-submodule-add": submodule_add,
    "git-submodule-update": submodule_update, "git-submodule-foreach": submodule_foreach, "git-worktree-add": worktree_add,
}  # fmt: skip
