"""What a git command would change in the work tree, by comparing commits, the index and the files that are there.

The questions are git's own plumbing, which only looks. They are asked when the command's words are plain, its repository is the
work tree's own, and the same text has changed nothing before; otherwise all sources may change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import name_of
from pytest_cbx.effects.repository import parts, repository_of
from pytest_cbx.effects.seen import CHANGING, SETTINGS
from pytest_cbx.effects.values import Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

Changed = dict[str, str]
"""By path, relative to the top of the work tree: `A` it appears, `M` it changes, `D` it goes."""

MOST_PLACES = 200
"""More paths than this are told by their topmost directories."""

_INVERSE = {"A": "D", "D": "A"}
_REVISION = re.compile(r"[^-~^:?*\[\\\s][^:?*\[\\\s]*")
_STASH = re.compile(r"(?:stash@\{)?(\d+)\}?")


class Survey:
    """The answers for one call of git."""

    def __init__(self, call: Call, top: str) -> None:
        self._call, self._top = call, top
        self.operands = [operand.text for operand in call.parsed.operands]

    def ask(self, *words: str) -> list[str] | None:
        """The NUL-separated answers of a command that only looks; None when it fails."""
        files = self._call.host.context.files
        text = files.git(self._top, words) if files is not None else None
        return None if text is None else [part for part in text.split("\0") if part]

    def between(self, one: str, other: str) -> Changed | None:
        """From one commit to another."""
        return _statuses(self.ask("diff-tree", "-r", "-z", "--no-renames", "--name-status", one, other))

    def discarded(self, commit: str) -> Changed | None:
        """From the files that are there to what a commit has of them. (`Files.git` answers with statuses and paths.)"""
        found = _statuses(self.ask("diff-index", commit))
        return None if found is None else inverse(found)

    def commit(self, name: str) -> str | None:
        """The object name of a commit."""
        if not _REVISION.fullmatch(name):
            return None
        found = self.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return found[0].strip() if found else None

    def base(self, one: str, other: str) -> str | None:
        """Where two lines of history parted."""
        found = self.ask("merge-base", one, other)
        return found[0].strip() if found else None

    def upstream(self) -> str | None:
        """The commit that the first operand names, or the one that the current branch follows."""
        return self.commit(self.operands[0] if self.operands else "@{upstream}")

    @property
    def at_top(self) -> bool:
        """Whether the command works at the top of the work tree."""
        return self._call.base.known and self._call.base.text == self._top

    def given(self, *names: str) -> bool:
        """Whether an option was given."""
        return self._call.given(*names)

    def value(self, *names: str) -> Field | None:
        """The value of an option."""
        return self._call.value(*names)


def touch_parts(call: Call, kind: Kind, names: Field, why: str) -> None:
    """An effect on parts of the repository (see `repository.PARTS`); of the work tree only what the command changes there."""
    # Before anything of this command is noted, which would count as a change before it.
    changed = surveyed(call)
    for part, within in parts(call, names):
        # What is discarded counts even where nothing is seen that could be.
        told = changed is not None and kind is not Kind.READ and within == "sources"
        told = told and bool(changed or kind is not Kind.DESTROY)
        call.host.record.surveyed |= told
        for found, path, scope in _targets(call, changed or {}, kind, part) if told else ((kind, part, within),):
            call.touch(found, path, scope, SETTINGS if name_of(path).text == "config" else why)
    if kind is not Kind.READ and names.text != "work":
        call.effect(Kind.STATE, "the repository")


def surveyed(call: Call) -> Changed | None:
    """What the git command changes in the work tree; None where that cannot be told."""
    if call.survey is None:
        call.survey = (_look(call),)
    return call.survey[0]


def _look(call: Call) -> Changed | None:
    name = (
        "-".join(call.path[:2])
        if call.path[:1] in (("stash",), ("sparse-checkout",))
        else call.path[-1]
        if call.path
        else ""
    )
    looker, repository = _LOOKERS.get(name), repository_of(call)
    own = repository.top.known and not (repository.linked or repository.made or repository.foreign)
    if looker is None or not own or not all(operand.known for operand in call.parsed.operands):
        return None
    if call.host.context.files is None:
        return None
    if any(effect.kind in CHANGING for effect in call.host.record.effects()):
        return None
    return looker(Survey(call, repository.top.text))


def _targets(call: Call, changed: Changed, kind: Kind, top: Field) -> Iterator[tuple[Kind, Field, str]]:
    """The effects that stand for the changes: kinds, paths and scopes."""
    files = call.host.context.files
    listed = files.git(top.text, ("ls-files", "-z")) if files is not None else None
    gone = {path for path, status in changed.items() if status == "D"}
    kept = {path for path in (listed or "").split("\0") if path and path not in gone}
    kept |= changed.keys() - gone
    folders = {"", *(parent for path in kept for parent in _parents(path))}
    places: dict[tuple[Kind, str, str], None] = {}
    for path, status in changed.items():
        if status == "D":
            tops = [parent for parent in _parents(path) if parent not in folders] if listed is not None else []
            place, scope = (tops[0], "tree") if tops else (path.rstrip("/"), "tree" if path.endswith("/") else "path")
            places[Kind.DESTROY if kind is Kind.DESTROY else Kind.DELETE, place, scope] = None
        else:
            if status == "A" and kind is not Kind.DESTROY:
                places[Kind.CREATE, path, "parents"] = None
            places[kind, path, "path"] = None
    for found, place, scope in places if len(places) <= MOST_PLACES else _wide(places):
        yield found, Field(f"{top.text.rstrip('/')}/{place}"), scope


def _wide(places: Iterable[tuple[Kind, str, str]]) -> list[tuple[Kind, str, str]]:
    wide = ((kind, place.partition("/")[0], "tree" if "/" in place else scope) for kind, place, scope in places)
    return list(dict.fromkeys(wide))


def _parents(path: str) -> list[str]:
    """The directories above, from the top."""
    parts = path.rstrip("/").split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _statuses(answer: list[str] | None) -> Changed | None:
    if answer is None or len(answer) % 2:
        return None
    return {
        path: status[0] if status[0] in "AD" else "M" for status, path in zip(answer[::2], answer[1::2], strict=True)
    }


def inverse(changed: Changed) -> Changed:
    """The way back."""
    return {path: _INVERSE.get(status, status) for path, status in changed.items()}


def joined(*parts: Changed | None) -> Changed | None:
    """All together, the last one counts; None when one of them is not known."""
    whole: Changed = {}
    for part in parts:
        if part is None:
            return None
        whole |= part
    return whole


# --- the commands ----------------------------------------------------------------------------------------


def _switch(git: Survey) -> Changed | None:
    """`switch [-c NAME] [COMMIT]`, `checkout [-b NAME] [COMMIT]`."""
    if len(git.operands) > 1 or git.given("--orphan", "-p", "-m", "--pathspec-from-file", "--recurse-submodules"):
        return None
    name = git.operands[0] if git.operands else "HEAD"
    here = git.commit("HEAD")
    there = git.commit("@{-1}" if name == "-" else name) or git.commit(f"origin/{name}")
    if here is None or there is None:
        return None
    moved = git.between(here, there)
    forced = git.given("-f", "--force", "--discard-changes")
    return joined(git.discarded(here), moved, git.discarded(there)) if forced else moved


def _checkout(git: Survey) -> Changed | None:
    """`checkout [COMMIT] [--] .`, and what `switch` does."""
    if git.operands[-1:] in ([":/"], ["."]) and len(git.operands) <= 2:
        return (
            None
            if git.given("-p", "-b", "-B", "-m")
            else _restored(git, git.operands[0] if len(git.operands) > 1 else "HEAD")
        )
    return _switch(git)


def _restore(git: Survey) -> Changed | None:
    """`restore [-s COMMIT] .`"""
    source = git.value("-s", "--source")
    if (
        git.operands not in ([":/"], ["."])
        or git.given("-p", "-m", "--pathspec-from-file")
        or (source and not source.known)
    ):
        return None
    return _restored(git, source.text if source else "HEAD")


def _restored(git: Survey, name: str) -> Changed | None:
    """All files as a commit has them. (Where it is the index that has them, HEAD is taken for it.)"""
    commit = git.commit(name)
    found = git.discarded(commit) if commit is not None else None
    return None if found is None else {path: status for path, status in found.items() if status != "D"}


def _sparse(git: Survey) -> Changed | None:
    """`sparse-checkout set DIRECTORY…`, `init`: the top's own files stay, and the directories that are named."""
    if git.given("--no-cone", "--stdin", "--skip-checks") or any(operand[:1] in "/!" for operand in git.operands):
        return None
    answer = git.ask("ls-files", "-z", "-t")
    folders = [operand.strip("/") for operand in git.operands]
    changed: Changed = {}
    for line in answer or ():
        mark, path = line[:1], line[2:]
        above = path.rpartition("/")[0]
        stays = not above or any(
            f"{above}/".startswith(f"{name}/") or f"{name}/".startswith(f"{above}/") for name in folders
        )
        if stays == (mark == "S"):
            changed[path] = "A" if stays else "D"
    return None if answer is None else changed


def _reset(git: Survey) -> Changed | None:
    """`reset --hard [COMMIT]`."""
    if len(git.operands) > 1 or git.given("-p", "--pathspec-from-file", "--recurse-submodules"):
        return None
    commit = git.commit(git.operands[0] if git.operands else "HEAD")
    return git.discarded(commit) if commit is not None else None


def _merge(git: Survey) -> Changed | None:
    """`merge [COMMIT]`, `merge --abort`."""
    if git.given("--abort"):
        return git.discarded("HEAD")
    here, there = git.commit("HEAD"), git.upstream()
    if len(git.operands) > 1 or here is None or there is None or git.given("--continue", "--quit", "-s", "--autostash"):
        return None
    base = git.base(here, there)
    return git.between(base, there) if base is not None else None


def _pick(git: Survey, *, back: bool) -> Changed | None:
    """`cherry-pick COMMIT…`, `revert COMMIT…`."""
    if git.given("--abort"):
        return git.discarded("HEAD")
    if not git.operands or git.given("--continue", "--quit", "--skip", "-m", "-s"):
        return None
    whole: Changed = {}
    for operand in git.operands:
        one, dots, other = operand.partition("..")
        there = git.commit((other or "HEAD") if dots else operand)
        here = git.commit(one or "HEAD") if dots else git.commit(f"{operand}~1")
        found = (
            git.between(here, there) if here is not None and there is not None and not other.startswith(".") else None
        )
        if found is None:
            return None
        whole |= inverse(found) if back else found
    return whole


def _rebase(git: Survey) -> Changed | None:
    """`rebase [UPSTREAM [BRANCH]]`: what the upstream has changed, then what the own commits change again."""
    if git.given("--abort"):
        return None
    odd = (
        "--continue",
        "--skip",
        "--quit",
        "--edit-todo",
        "-i",
        "-x",
        "--onto",
        "--root",
        "--keep-base",
        "--autostash",
        "-s",
        "-p",
    )
    here, onto = git.commit("HEAD"), git.upstream()
    tip = git.commit(git.operands[1]) if len(git.operands) > 1 else here
    base = git.base(onto, tip) if onto is not None and tip is not None else None
    if git.given(*odd) or len(git.operands) > 2 or here is None or onto is None or tip is None or base is None:
        return None
    if base == onto and not git.given("-f", "--no-ff"):
        return git.between(here, tip)
    if base == tip:
        return git.between(here, onto)
    own = git.between(base, tip)
    rewritten = None if own is None else {path: "D" if status == "D" else "M" for path, status in own.items()}
    return joined(git.between(here, onto), rewritten)


def _stash(git: Survey) -> Changed | None:
    """`stash`, `stash push` without paths."""
    if git.operands or git.given("-p", "--pathspec-from-file", "-S", "--staged"):
        return None
    found = git.discarded("HEAD")
    if not git.given("-u", "--include-untracked", "-a", "--all"):
        return found
    return joined(found, _removed(git, ("-x",) if git.given("-a", "--all") else ()))


def _unstash(git: Survey) -> Changed | None:
    """`stash pop [STASH]`, `stash apply [STASH]`."""
    given = _STASH.fullmatch(git.operands[0]) if git.operands else None
    if len(git.operands) > 1 or (git.operands and given is None):
        return None
    kept = git.commit(f"stash@{{{given[1] if given else 0}}}")
    before = git.commit(f"{kept}^1") if kept is not None else None
    if kept is None or before is None:
        return None
    untracked = git.ask("ls-tree", "-r", "-z", "--name-only", f"{kept}^3") or []
    return joined(git.between(before, kept), dict.fromkeys(untracked, "A"))


def _clean(git: Survey) -> Changed | None:
    """`clean [-d] [-x] [-X] [-e PATTERN] [PATH…]`."""
    if git.given("-i", "-e", "-C") or not git.at_top or any(operand.startswith("-") for operand in git.operands):
        return None
    flags = tuple(flag for flag in ("-x", "-X") if git.given(flag))
    return _removed(git, flags, git.operands, folders=git.given("-d") or bool(git.operands))


def _removed(git: Survey, flags: Sequence[str], paths: Sequence[str] = (), *, folders: bool = True) -> Changed | None:
    """What `clean` would remove, as it says itself."""
    words = ("clean", "-n", *(("-d",) if folders else ()), *flags, "--", *paths)
    answer = git.ask(*words)
    if answer is None:
        return None
    lines = [
        line.removeprefix("Would remove ") for line in "".join(answer).splitlines() if line.startswith("Would remove ")
    ]
    return None if any(line.startswith('"') for line in lines) else dict.fromkeys(lines, "D")


_LOOKERS: dict[str, Callable[[Survey], Changed | None]] = {
    "checkout": _checkout, "restore": _restore, "sparse-checkout-set": _sparse, "sparse-checkout-init": _sparse,
    "switch": _switch, "reset": _reset, "merge": _merge, "rebase": _rebase, "clean": _clean,
    "cherry-pick": lambda git: _pick(git, back=False), "revert": lambda git: _pick(git, back=True),
    "stash": _stash, "stash-push": _stash, "stash-save": _stash, "stash-pop": _unstash, "stash-apply": _unstash,
}  # fmt: skip
"""By sub-command."""
