"""The options of git's sub-commands, held against what git itself says that it has."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from pytest_cbx.effects import catalogue
from pytest_cbx.effects.grammar import Entry, Parsed, compile_entry, parse
from pytest_cbx.effects.values import Field

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

INTERNAL = frozenset(
    {"add--interactive", "bisect--helper", "checkout--worker", "env--helper", "fsmonitor--daemon", "submodule--helper",
     "upload-archive--writer", "difftool--helper", "mergetool--lib", "sh-i18n--envsubst"}
)  # fmt: skip
"""git's own programs call these; nobody else does. They are unknown."""

NO_COMMANDS = frozenset({"sh-i18n", "sh-setup", "sh-prompt"})
"""Parts of shell scripts, to be sourced."""

NOT_GITS = frozenset({"clang-format", "clang-format-14", "credential-gcloud.sh", "lfs", "filter-repo"})
"""Programs of others that happen to be installed; catalogued elsewhere or not at all."""

OPAQUE = frozenset(
    {"citool", "cvsserver", "gui", "http-backend", "instaweb", "shell", "web--browse", "gitweb", "gitk", "scalar", "svn", "p4",
     "archimport", "cvsimport", "cvsexportcommit", "filter-branch", "merge-recursive", "merge-recursive-ours",
     "merge-recursive-theirs", "merge-ours", "merge-octopus", "merge-resolve", "merge-subtree", "merge-one-file", "remote-ext",
     "remote-fd", "remote-http", "remote-https", "remote-ftp", "remote-ftps"}
)  # fmt: skip
"""Whatever their options are, all that they may do counts as done."""

SUBCOMMANDS = {
    "bundle": ("create", "verify", "unbundle"), "commit-graph": ("verify", "write"), "maintenance": ("run", "start"),
    "multi-pack-index": ("write", "verify", "expire", "repack"), "notes": ("add", "append", "copy", "merge", "remove", "prune"),
    "reflog": ("expire", "delete"),
    "remote": ("add", "rename", "set-head", "set-branches", "get-url", "set-url", "show", "prune", "update"),
    "sparse-checkout": ("init", "set", "add", "reapply", "disable"), "stash": ("push", "save", "pop", "apply", "drop", "store"),
    "worktree": ("add", "list", "lock", "move", "prune", "remove", "repair", "unlock"), "hook": ("run",),
}  # fmt: skip

ANOTHER_ARITY = {
    ("rev-list",): "its help shows no arities, and names several options as one",
    ("branch", "--contains"): "the next word is its value only when there is one, and it lists whatever that is",
    ("branch", "--no-contains"): "likewise",
    ("branch", "--merged"): "likewise",
    ("branch", "--no-merged"): "likewise",
    ("tag", "--contains"): "likewise",
    ("tag", "--no-contains"): "likewise",
    ("tag", "--merged"): "likewise",
    ("tag", "--no-merged"): "likewise",
    ("pack-objects", "--stdin-packs"): "takes a value since git 2.50",
}
"""Options that are listed with another arity than the help tells, and why."""


@pytest.fixture(scope="module", autouse=True)
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Some sub-commands say nothing outside of a repository."""
    global _where  # noqa: PLW0603
    _where = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(_where)], check=True)
    yield
    _said.cache_clear()


_where = Path()


@cache
def _said(*words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(_where), *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=20,
        check=False,
    )
    return done.stdout + done.stderr


def commands() -> list[str]:
    """Every sub-command that this git lists."""
    listed = subprocess.run(
        ["git", "--list-cmds=main,builtins,list-complete"], capture_output=True, text=True, check=False
    ).stdout.split()
    return sorted(set(listed) - INTERNAL - NO_COMMANDS - NOT_GITS)


COMMANDS = commands() if shutil.which("git") else []
PATHS = [
    *((command,) for command in COMMANDS if command not in OPAQUE and catalogue.is_listed(f"git-{command}")),
    *((command, sub) for command, subs in SUBCOMMANDS.items() if command in COMMANDS for sub in subs),
]


def entry_of(path: tuple[str, ...]) -> Entry:
    git = catalogue.program("git")
    spec = catalogue.program(f"git-{path[0]}")
    assert git is not None
    assert spec is not None, f"git {path[0]} is not listed"
    entry = compile_entry(spec, compile_entry(git))
    for name in path[1:]:
        entry = compile_entry(entry.commands[name], entry)
    return entry


def documented(path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Options of `-h` with their arity, and the further long ones that completion is told of."""
    seen = set()
    for line in _said(*path, "-h").splitlines():
        found = re.match(r"^    (-\S.*)$", line)
        spec = re.split(r"\s{2,}", found[1])[0] if found else ""
        names, arity = [], "none"
        for piece in spec.split(", "):
            name = re.match(r"(--(?:\[no-\])?[A-Za-z0-9][\w.-]*|-[^\s,=\[<(-])", piece)
            if name is None or spec.startswith("-NUM"):
                continue
            names.append(name[1].replace("[no-]", ""))
            rest = piece[name.end() :]
            arity = "optional" if rest.startswith("[") else "required" if rest.strip() else arity
        yield from ((name, arity) for name in names if name.isprintable())
        seen.update(names)
    completion = _said(*path, "--git-completion-helper-all")
    if not completion.startswith((" --", "--")) or completion.startswith("--git-completion"):
        return
    for word in completion.split():
        long = word.rstrip("=")
        if long.startswith("--") and len(long) > 2 and long not in seen:
            yield long, "required" if word.endswith("=") else "?"


@cache
def is_newer() -> bool:
    """Whether this git is newer than the one all of whose options are listed: it may have more."""
    found = re.search(r"(\d+)\.(\d+)", _said("--version"))
    return found is None or (int(found[1]), int(found[2])) > (2, 39)


def reads(entry: Entry, *words: str) -> Parsed:
    return parse(entry, [Field(word) for word in words])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_sub_command_is_listed(command: str) -> None:
    assert catalogue.is_listed(f"git-{command}") or catalogue.is_listed(command) or is_newer(), command


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_option_is_listed_with_its_arity(path: tuple[str, ...]) -> None:
    entry = entry_of(path)
    wrong = []
    for name, arity in documented(path):
        if name in ("--help", "-h"):
            continue
        if reads(entry, name, "x", "y").problems:
            wrong += [] if is_newer() else [f"{name} is not listed"]
            continue
        option = entry.options.get(name)
        if option and arity not in ("?", option.value) and not ANOTHER_ARITY.keys() & {path, (*path, name)}:
            wrong.append(f"{name} is listed with {option.value} value, but has {arity}")
    assert not wrong, f"git {' '.join(path)}: {'; '.join(wrong)}"
