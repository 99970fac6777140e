"""Which sub-commands of git run which hooks, helpers and editors. Facts: githooks(5), git-config(1), gitattributes(5)."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILES = _words(
    """add am apply archive bisect blame cat-file checkout checkout-index cherry-pick clean commit describe diff diff-files
    diff-index difftool grep hash-object ls-files merge mergetool mv pull read-tree rebase reset restore revert rm rerere
    sparse-checkout stage stash status submodule switch update-index worktree citool gui quiltimport subtree merge-recursive
    merge-index merge-one-file merge-resolve merge-octopus merge-ours backfill"""
)
"""These look at the work tree's files, or write them: filters and the file system's monitor."""

_DIFF = _words(
    """annotate blame commit diff diff-files diff-index diff-pairs diff-tree difftool format-patch log range-diff reflog show
    stash whatchanged"""
)
_MERGE = _words(
    """am apply checkout cherry-pick merge merge-file merge-tree merge-recursive merge-ours merge-octopus merge-resolve
    merge-one-file merge-index pull quiltimport rebase replay rerere revert stash submodule subtree switch"""
)
_REMOTE = _words(
    """archive backfill bundle fetch fetch-pack http-fetch http-push imap-send ls-remote maintenance pull push remote
    request-pull send-email send-pack submodule subtree svn"""
)
_SIGNATURE = _words(
    """am cherry-pick commit commit-tree log merge pull push rebase revert show tag verify-commit verify-tag whatchanged
    for-each-ref branch"""
)
_PAGED = _words(
    """annotate blame branch config diff grep help log range-diff reflog shortlog show stash tag whatchanged var
    diff-tree rev-list"""
)
_GROUPS = {
    "files": _FILES, "diff": _DIFF, "merge": _MERGE, "remote": _REMOTE, "signature": _SIGNATURE, "pager": _PAGED,
    "trailers": frozenset({"interpret-trailers", "commit", "tag", "am"}), "upkeep": frozenset({"gc", "maintenance", "prune", "repack"}),
    "submodules": frozenset({"submodule", "pull", "clone", "checkout", "switch", "merge", "rebase", "reset", "fetch"}),
    "archive": frozenset({"archive", "upload-archive"}),
    "tool": frozenset({"difftool", "mergetool", "help", "web--browse", "instaweb", "send-email"}),
}  # fmt: skip

USES: dict[str, tuple[str, ...]] = {
    command: tuple(group for group, commands in _GROUPS.items() if command in commands)
    for command in sorted(frozenset().union(*_GROUPS.values()))
}
"""By sub-command: the uses (as in `gitconfig.RUNS`) that make git run what the configuration names."""

_COMMITS = ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit")
_ANY_CHANGE = ("reference-transaction", "post-index-change")

HOOKS: dict[str, tuple[str, ...]] = {
    "add": ("post-index-change",), "stage": ("post-index-change",), "rm": ("post-index-change",), "mv": ("post-index-change",),
    "update-index": ("post-index-change",), "read-tree": ("post-index-change",), "restore": ("post-index-change",),
    "apply": ("post-index-change",),
    "commit": (*_COMMITS, "post-rewrite", "pre-auto-gc", *_ANY_CHANGE),
    "merge": ("pre-merge-commit", *_COMMITS, "post-merge", "pre-auto-gc", *_ANY_CHANGE),
    "pull": ("pre-merge-commit", *_COMMITS, "post-merge", "pre-rebase", "post-checkout", "post-rewrite", "pre-auto-gc", *_ANY_CHANGE),
    "rebase": ("pre-rebase", *_COMMITS, "post-checkout", "post-merge", "post-rewrite", "pre-auto-gc", *_ANY_CHANGE),
    "cherry-pick": (*_COMMITS, *_ANY_CHANGE), "revert": (*_COMMITS, *_ANY_CHANGE),
    "am": ("applypatch-msg", "pre-applypatch", "post-applypatch", "post-rewrite", "pre-auto-gc", *_ANY_CHANGE),
    "checkout": ("post-checkout", *_ANY_CHANGE), "switch": ("post-checkout", *_ANY_CHANGE),
    "worktree": ("post-checkout", *_ANY_CHANGE), "bisect": ("post-checkout", *_ANY_CHANGE),
    "stash": ("post-checkout", *_ANY_CHANGE), "reset": _ANY_CHANGE, "branch": _ANY_CHANGE, "tag": _ANY_CHANGE,
    "update-ref": ("reference-transaction",), "symbolic-ref": ("reference-transaction",), "notes": ("reference-transaction",),
    "replace": ("reference-transaction",), "fast-import": ("reference-transaction",), "filter-branch": _ANY_CHANGE,
    "fetch": ("reference-transaction", "pre-auto-gc"), "remote": ("reference-transaction",), "push": ("pre-push", "reference-transaction"),
    "pack-refs": ("reference-transaction",), "refs": ("reference-transaction",), "gc": ("pre-auto-gc", "reference-transaction"),
    "maintenance": ("pre-auto-gc", "reference-transaction"), "submodule": ("post-checkout", "post-merge", *_COMMITS, *_ANY_CHANGE),
    "subtree": ("pre-merge-commit", *_COMMITS, "post-merge", "pre-push", *_ANY_CHANGE), "sparse-checkout": ("post-index-change",),
    "receive-pack": (
        "pre-receive", "update", "proc-receive", "post-receive", "post-update", "push-to-checkout", "reference-transaction",
    ), "send-email": ("sendemail-validate",), "citool": _COMMITS, "gui": _COMMITS, "quiltimport": _ANY_CHANGE,
    "svn": ("reference-transaction",), "p4": ("p4-changelist", "p4-prepare-changelist", "p4-post-changelist", "p4-pre-submit"),
}  # fmt: skip
"""By sub-command: the hooks that it may run."""

SKIPPED_HOOKS = frozenset(
    {
        "pre-commit",
        "commit-msg",
        "pre-merge-commit",
        "pre-push",
        "pre-rebase",
        "applypatch-msg",
        "pre-applypatch",
        "sendemail-validate",
    }
)
"""What `--no-verify` leaves out."""

EDITORS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "commit": (
        ("--edit", "--reedit-message", "--template"),
        ("--message", "--file", "--reuse-message", "--fixup", "--no-edit", "--dry-run", "--short", "--porcelain", "--long"),
    ),
    "tag": (("--edit",), ()), "merge": (("--edit", "--continue"), ()), "pull": (("--edit",), ()),
    "cherry-pick": (("--edit", "--continue"), ()), "revert": (("--edit", "--continue"), ()),
    "rebase": (("--interactive", "--edit-todo", "--continue"), ()), "branch": (("--edit-description",), ()),
    "config": (("--edit", "edit"), ()), "add": (("--edit",), ()), "stage": (("--edit",), ()), "replace": (("--edit",), ()),
    "notes": (("edit",), ()), "send-email": (("--compose", "--annotate"), ()), "bugreport": ((), ("--no-edit",)),
    "am": (("--interactive",), ()),
}  # fmt: skip
"""By sub-command: the options or further sub-commands with which it opens an editor, and those without any of which it does.

Only long names: git itself has a `-c` and a `-C` before the sub-command.
"""

HARMLESS_EDITORS = frozenset({"true", ":", "cat", "echo", "/bin/true", "/usr/bin/true", "/bin/cat", "false"})
