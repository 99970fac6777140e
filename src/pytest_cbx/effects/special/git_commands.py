"""Sub-commands of git whose words mean different things: checkout, reset, config, stash, apply …"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.languages.gitconfig import category, is_harmless, normalised
from pytest_cbx.effects.languages.patches import NOTHING, changes_in, stripped
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join
from pytest_cbx.effects.repository import git_part, repository_of, text_if_there
from pytest_cbx.effects.seen import SETTINGS
from pytest_cbx.effects.survey import surveyed
from pytest_cbx.effects.values import UNKNOWN, Field, Shape, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_DISCARDS = "discards uncommitted work"
_FILE = re.compile(
    r"^(?:\.{1,2}|\./.*|\.\./.*|:.*|.*[*?\[].*|/.*|.*/|(?:.*/)?[^/]*\.[A-Za-z]\w{0,7}|(?:.*/)?(?:Makefile|Dockerfile|README|LICENSE))$"
)
_SURELY = re.compile(r"^(?:\.{1,2}|\./.*|\.\./.*|:[/(!^].*|/.*|\*.*)$")


# --- checkout --------------------------------------------------------------------------------------------


def checkout(call: Call) -> None:
    """`checkout [BRANCH]`, `checkout [TREE] [--] PATH…`."""
    git_part(call, Kind.READ, "all")
    before, paths = _around_dashes(call)
    creates = call.given("-b", "-B", "--orphan", "-t")
    if paths is None:
        before, paths = _told_apart(call, before, creates=creates)
    _discard(call, paths)
    if paths and not (before == paths and _is_branch_too(call, paths)):
        git_part(call, Kind.WRITE, "index")
    else:
        _switch(call, before, creates=creates)


def _discard(call: Call, paths: list[Field]) -> None:
    for path in paths:
        call.touch(Kind.DESTROY, path, "pathspec", _DISCARDS)
        call.touch(Kind.WRITE, path, "pathspec")


def switch(call: Call) -> None:
    """`switch [BRANCH]`."""
    git_part(call, Kind.READ, "all")
    _switch(call, call.parsed.operands, creates=call.given("-c", "-C", "--orphan", "-t"))


def _switch(call: Call, targets: list[Field], *, creates: bool) -> None:
    """HEAD goes elsewhere, and the work tree with it when that is another commit."""
    if call.path[-1:] != ("switch",) or targets:
        git_part(call, Kind.WRITE, "index")
    if targets and targets[0].known and targets[0].text in ("HEAD", "@") and not creates and not call.given("-d"):
        return
    git_part(call, Kind.WRITE, "HEAD")
    if call.given("--orphan"):
        # All tracked files go with `switch`; with `checkout` they stay, unless it starts elsewhere.
        if targets or call.path[-1:] == ("switch",):
            git_part(call, Kind.WRITE, "work")
        return
    git_part(call, Kind.WRITE, "logs/")
    if creates:
        git_part(call, Kind.WRITE, "refs/")
    if targets or call.given("-f", "-m"):
        git_part(call, Kind.WRITE, "work")
    if targets and not _is_commit(targets[0]) and not _is_branch(call, targets[0]):
        # A branch of that name that only a remote has is made, and follows it from then on.
        git_part(call, Kind.WRITE, "refs/ config")


def _is_branch(call: Call, name: Field) -> bool:
    """Whether a branch or tag of that name is seen."""
    files, git = call.host.context.files, repository_of(call).git
    if files is None or not name.known or not git.known:
        return False
    refs = [f"refs/heads/{name.text}", f"refs/tags/{name.text}"]
    packed = files.text(f"{git.text}/packed-refs") or ""
    return any(files.text(f"{git.text}/{ref}") is not None or f" {ref}\n" in packed for ref in refs)


def reset(call: Call) -> None:
    """`reset [MODE] [COMMIT]`, `reset [TREE] [--] PATH…`."""
    git_part(call, Kind.READ, "all")
    before, paths = _around_dashes(call)
    if not call.surely("--soft"):
        git_part(call, Kind.WRITE, "index")
    moves = paths is None and len(before) == 1 and not _is_surely_file(call, before[0])
    if moves and before[0].text not in ("HEAD", "@"):
        git_part(call, Kind.WRITE, "tip messages")
    elif not before and paths is None:
        git_part(call, Kind.WRITE, "logs/")


def _is_surely_file(call: Call, operand: Field) -> bool:
    files, path = call.host.context.files, join(call.base, operand)
    if not operand.known or _is_commit(operand) or _is_branch(call, operand):
        return False
    if _SURELY.match(operand.text):
        return True
    return files is not None and path.known and files.directory(path.text) is not None


def _around_dashes(call: Call) -> tuple[list[Field], list[Field] | None]:
    """The operands before `--`, and those after it; None without `--`."""
    words = call.fields[call.readings[0].rest + 1 :]
    index = next((i for i, word in enumerate(words) if word.known and word.text == "--"), None)
    operands = call.parsed.operands
    if index is None:
        return operands, None
    after = len(words) - index - 1
    return operands[: len(operands) - after], operands[len(operands) - after :]


def _told_apart(call: Call, operands: list[Field], *, creates: bool) -> tuple[list[Field], list[Field]]:
    """Without `--`: what is a branch or commit, and what are paths. One that may be either is both."""
    if not operands:
        return [], []
    first, rest = operands[0], operands[1:]
    if creates:
        return operands, []
    listed = first.shape is Shape.PATTERN and first.many  # The shell made paths of it.
    if listed or (first.known and _SURELY.match(first.text)):
        return [], operands
    if rest:
        return operands[:1], [*(operands[:1] if _may_be_file(call, first) else []), *rest]
    return operands, operands if _may_be_file(call, first) else []


def _may_be_file(call: Call, operand: Field) -> bool:
    files = call.host.context.files
    if not operand.known or files is None:
        return operand.known and _FILE.match(operand.text) is not None and not _is_commit(operand)
    path = join(call.base, operand)
    if not path.known or _is_branch(call, operand):
        return False
    return files.directory(path.text) is not None or _FILE.match(operand.text) is not None


def _is_branch_too(call: Call, paths: list[Field]) -> bool:
    """Whether a lone operand that may be a file may also be a branch: no such file is seen."""
    if len(paths) != 1 or _around_dashes(call)[1] is not None:
        return False
    files, path = call.host.context.files, join(call.base, paths[0])
    return files is None or not path.known or files.directory(path.text) is None


def _is_commit(operand: Field) -> bool:
    return (
        operand.known
        and re.match(r"^(?:HEAD|@|-|ORIG_HEAD|FETCH_HEAD|[0-9a-f]{7,40})(?:[~^@{].*)?$", operand.text) is not None
    )


# --- configuration ---------------------------------------------------------------------------------------

_LOOKS = ("--get", "--get-all", "--get-regexp", "--get-urlmatch", "-l", "--get-color", "--get-colorbool")
_CHANGES = ("--add", "--replace-all", "--unset", "--unset-all", "--rename-section", "--remove-section", "-e")


def config(call: Call) -> None:
    """`config [FILE OPTION] [ACTION] [NAME [VALUE]]`; since git 2.46 also `config get|set|list|unset|… `."""
    operands = list(call.parsed.operands)
    action = operands[0].text if operands and operands[0].known else ""
    if action in ("list", "get", "set", "unset", "rename-section", "remove-section", "edit"):
        operands = operands[1:]
    else:
        action = ""
    looks = action in ("list", "get") or (not action and (call.surely(*_LOOKS) or len(operands) < 2))
    changes = call.given(*_CHANGES) or (action and not looks)
    if looks and not changes:
        _config_file(call, Kind.READ, "")
        return
    if action == "edit" or call.given("-e"):
        _config_file(call, Kind.WRITE, "the editor changes it")
        call.effect(Kind.EXECUTE, "the editor")
        return
    key = operands[0] if operands else UNKNOWN
    value = (
        operands[1]
        if len(operands) > 1 and not call.given("--unset", "--unset-all") and action != "unset"
        else Field("")
    )
    harmless = key.known and _sets_nothing(call, key, value, action)
    _config_file(call, Kind.WRITE, SETTINGS if harmless else f"sets {key.text}")


def _sets_nothing(call: Call, key: Field, value: Field, action: str) -> bool:
    """Whether the change makes git run nothing that it did not run before."""
    if call.given("--rename-section", "--remove-section") or action.endswith("section"):
        return False
    if call.given("--unset", "--unset-all") or action == "unset":
        return category(normalised(key.text)) is None
    return is_harmless(key.text, value.text if value.known else None)


def _config_file(call: Call, kind: Kind, why: str) -> None:
    file = call.value("-f")
    if file is not None:
        call.touch(kind, file, why="" if why == SETTINGS else why)
    elif call.given("--system"):
        if kind is not Kind.READ:
            call.effect(Kind.SYSTEM, "git's configuration for all users")
    elif call.given("--global"):
        call.touch(kind, _home(call, ".gitconfig"), why=why)
    elif call.given("--blob"):
        git_part(call, Kind.READ, "all")
    elif kind is Kind.READ:
        git_part(call, kind, "config config.worktree")
        call.touch(kind, _home(call, ".gitconfig"))
    else:
        # `git:config` would say that it sets nothing that runs.
        call.touch(kind, join(repository_of(call).git, Field("config")), why=why)
        call.effect(Kind.STATE, "the repository")
        if call.given("--worktree"):
            git_part(call, kind, "config.worktree worktrees/")


def _home(call: Call, name: str) -> Field:
    home = call.host.state.variables.get("HOME", UNKNOWN)
    return concat([home, Field(f"/{name}")]) if isinstance(home, Field) else UNKNOWN


# --- stash, apply, checkout-index, mailsplit, for-each-repo ------------------------------------------------


def stash(call: Call) -> None:
    """`stash` without a sub-command is `stash push`."""
    if len(call.path) > 1:
        return
    _stash_push(call, call.parsed.operands)


def stash_words(call: Call) -> None:
    """`stash -- PATH…`; any other word that is no sub-command is an error of git's."""
    _, paths = _around_dashes(call)
    if paths is None:
        call.doubt(f"the sub-command {call.chosen} is not in the catalogue")
    else:
        _stash_push(call, paths)


def _stash_push(call: Call, paths: list[Field]) -> None:
    git_part(call, Kind.WRITE, "index objects refs")
    for path in paths:
        call.touch(Kind.WRITE, path, "pathspec")
    if not paths:
        git_part(call, Kind.WRITE, "work", "takes changes out of the work tree")


def apply(call: Call) -> None:
    """`apply [OPTION…] PATCH…`: the patch names the files."""
    for operand in call.parsed.operands:
        call.touch(Kind.READ, operand)
    looks = call.surely("--check", "--stat", "--numstat", "--summary")
    if (looks and not call.given("--apply")) or call.surely("--cached"):
        return
    _patched(call)


def am(call: Call) -> None:
    """`am [OPTION…] MAILBOX…`: the patches in it name the files."""
    for operand in call.parsed.operands:
        call.touch(Kind.READ, operand, "tree")
    if call.given("--continue", "--skip", "--abort", "--quit"):
        git_part(call, Kind.WRITE, "work")
    else:
        _patched(call)


def _patched(call: Call) -> None:
    operands = call.parsed.operands
    texts = [_patch_text(call, operand) for operand in operands or [Field("-")]]
    if any(text is None or not changes_in(text) for text in texts):
        git_part(call, Kind.WRITE, "work", "the patch names the files")
        return
    strip = call.value("-p")
    count = 1 if strip is None else int(strip.text) if strip.known and strip.text.isdigit() else None
    below = call.value("--directory") or Field(".")
    top = repository_of(call).top
    for change, base in (
        (c, top if "diff --git " in (text or "") else call.base) for text in texts for c in changes_in(text or "")
    ):
        old, new = (change.new, change.old) if call.given("-R") else (change.old, change.new)
        names = [name for name in (old, new) if name != NOTHING]
        for name in dict.fromkeys(stripped(name, count) for name in names):
            path = join(base, join(below, Field(name)))
            if base.known and call.base.known and not f"{path.text}/".startswith(f"{call.base.text.rstrip('/')}/"):
                continue  # Below the top, git leaves out what lies elsewhere.
            if ".." in name.split("/") or name.startswith("/"):
                git_part(call, Kind.WRITE, "work", "the patch names a file above")
                continue
            if old == NOTHING or change.moved:
                call.touch(Kind.CREATE, path, "parents")
            gone = new == NOTHING or (change.moved and name == stripped(old, count))
            call.touch(Kind.DELETE if gone else Kind.WRITE, path)
            if call.given("--reject"):
                call.touch(Kind.WRITE, concat([path, Field(".rej")]))


def _patch_text(call: Call, operand: Field) -> str | None:
    if operand.known and operand.text == "-":
        return call.host.stdin.text if call.host.stdin.known else None
    return text_if_there(call, operand)


def clean(call: Call) -> None:
    """`clean [-d] [-x] [PATH…]`: what git does not track, as far as that can be seen."""
    why = "deletes what git does not track"
    if call.surely("-n"):
        return
    if surveyed(call):
        git_part(call, Kind.DESTROY, "work", why)
        return
    ignored = call.given("-x", "-X")
    for operand in call.parsed.operands or [Field(".")]:
        call.touch(Kind.DESTROY, operand, "tree" if ignored else "pathspec", f"{why} or ignores" if ignored else why)


def checkout_index(call: Call) -> None:
    """`checkout-index [-f] [-a] [--prefix=TEXT] [PATH…]`."""
    kind = Kind.DESTROY if call.given("-f") else Kind.CREATE
    why = _DISCARDS if kind is Kind.DESTROY else ""
    top, prefix = repository_of(call).top, call.value("--prefix")
    if call.given("--temp"):
        call.touch(Kind.CREATE, join(top, Field(".merge_file_*")), "glob")
    elif prefix is not None:
        text = join(top, prefix)
        if text.known and prefix.text.endswith("/"):
            call.touch(kind, text, "tree", why)
        else:
            call.touch(kind, Field(f"{text.text}**", Shape.PATTERN) if text.known else UNKNOWN, "tree", why)
    else:
        for operand in call.parsed.operands:
            call.touch(kind, operand, why=why)
        if call.given("-a", "--stdin"):
            git_part(call, kind, "work", why)


def symbolic_ref(call: Call) -> None:
    """`symbolic-ref NAME [REF]`."""
    operands = call.parsed.operands
    for operand in operands[2:]:
        call.doubt(f"more operands than the catalogue lists: {operand.text}")
    if len(operands) > 1:
        git_part(
            call, Kind.WRITE, "HEAD logs/" if operands[0].known and operands[0].text == "HEAD" else "HEAD refs/ logs/"
        )


def mailsplit(call: Call) -> None:
    """`mailsplit -oDIR MAILBOX…`; of old also `mailsplit MAILBOX DIR`."""
    target, operands = call.value("-o"), call.parsed.operands
    if target is None and len(operands) > 1:
        target, operands = operands[-1], operands[:-1]
    for operand in operands:
        call.touch(Kind.READ, operand, "tree")
    call.touch(Kind.CREATE, target if target is not None else UNKNOWN, "children")


def for_each_repo(call: Call) -> None:
    """`for-each-repo --config=KEY ARGUMENT…`: a git command in repositories that the configuration lists."""
    state = call.host.state.process()
    state.cwd = UNKNOWN
    with call.host.maybe(), call.host.fork(state):
        if call.parsed.operands:
            call.output = call.host.run([Field("git"), *call.parsed.operands])


INTERPRETERS: dict[str, Callable[[Call], None]] = {
    "git-checkout": checkout, "git-switch": switch, "git-reset": reset, "git-config": config, "git-stash": stash,
    "git-stash-words": stash_words, "git-apply": apply, "git-am": am, "git-checkout-index": checkout_index, "git-clean": clean,
    "git-mailsplit": mailsplit,
    "git-symbolic-ref": symbolic_ref, "git-for-each-repo": for_each_repo,
}  # fmt: skip
