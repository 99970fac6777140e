"""Asks git what a work tree and its history hold. Only commands that look: they take no lock, write no index, run no hook."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator

_TIMEOUT = 5.0
_MOST = 1_000_000
"""Characters of an answer; a longer one is as good as none."""
_QUIET = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false")
_LOOKING = frozenset({"clean", "config", "diff-index", "diff-tree", "ls-files", "ls-tree", "merge-base", "rev-parse"})
_MOST_COMPARED = 2_000
_LONGEST_COMPARED = 4_000_000
"""Bytes of a file. Longer files, and more files than `_MOST_COMPARED`, count as changed when only their times tell."""
_OF_A_HOOK = frozenset(("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"))
"""What git sets for its hooks; relative to the directory of the hook, so wrong here."""


def git_says(top: str, words: tuple[str, ...], settings: tuple[str, ...] = ()) -> str | None:
    """What `git WORDS…` prints in `top`; None when it fails, takes too long, or says too much.

    Raises:
        ValueError: the words are none of a command that only looks.
    """
    changes = {"clean": words[1:2] != ("-n",), "config": words[1:2] != ("--get-regexp",)}
    if words[0] not in _LOOKING or changes.get(words[0]):
        raise ValueError(f"git {words[0]} may change something: it is not run to predict a command")
    environment = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    try:
        done = subprocess.run(
            ["git", *_QUIET, *settings, *words],
            cwd=top,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if done.returncode or len(done.stdout) > _MOST:
        return None
    return done.stdout.decode("utf-8", "surrogateescape")


def differing(top: str, commit: str) -> str | None:
    """What `git diff-index -z --name-status COMMIT` prints, without files of which only the times differ.

    git itself would put each through its filters, which are programs, to see whether it has changed.
    """
    raw = git_says(top, ("diff-index", "-z", "--raw", "--no-abbrev", "--no-renames", commit), _without_filters(top))
    if raw is None:
        return None
    parts = raw.split("\0")[:-1]
    return "".join(_real(top, parts[::2], parts[1::2]))


def _without_filters(top: str) -> tuple[str, ...]:
    """Settings that turn all filters off. git would run them on files that are as young as its index, too."""
    found = (
        git_says(top, ("config", "--get-regexp", "--name-only", "-z", r"^filter\..*\.(clean|process|required)$")) or ""
    )
    names = dict.fromkeys(name for name in found.split("\0") if name)
    return tuple(word for name in names for word in ("-c", f"{name}={'false' if name.endswith('.required') else ''}"))


def _real(top: str, facts: list[str], paths: list[str]) -> Iterator[str]:
    for number, (fact, path) in enumerate(zip(facts, paths, strict=True)):
        old_mode, new_mode, old, new, status = fact.lstrip(":").split(" ")
        touched = status == "M" and old_mode == new_mode and not new.strip("0") and number < _MOST_COMPARED
        if not (touched and _name_of(os.path.join(top, path), len(old)) == old):
            yield f"{status}\0{path}\0"


def _name_of(path: str, length: int) -> str | None:
    """The object name of what is at the path, as it stands there."""
    try:
        facts = os.lstat(path)
        if stat.S_ISLNK(facts.st_mode):
            content = os.fsencode(os.readlink(path))
        elif stat.S_ISREG(facts.st_mode) and facts.st_size <= _LONGEST_COMPARED:
            with open(path, "rb") as file:
                content = file.read()
        else:
            return None
    except OSError:
        return None
    new = hashlib.sha1 if length == 40 else hashlib.sha256
    return new(b"blob %d\0" % len(content) + content).hexdigest()
