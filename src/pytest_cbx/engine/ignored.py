"""Which paths are no sources: git's own word where there is git, a list of usual caches where there is none."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

USUAL = frozenset(
    (
        ".cache", ".eggs", ".gradle", ".hypothesis", ".import_linter_cache", ".mypy_cache", ".nox", ".nyc_output",
        ".parcel-cache", ".pytest_cache", ".ruff_cache", ".terraform", ".tox", ".venv", "__pycache__", "node_modules",
    )
)  # fmt: skip
"""Directory names that are caches or installs wherever they stand."""

_TIMEOUT = 20.0
_FIELDS = 4
"""`git check-ignore -z -v -n` answers each path with its source file, line, pattern and the path itself."""
_FATAL = 128
_REFUSALS_MAX = 50
"""After so many refusals git is not asked on: each costs a process, and what it was not asked for counts as sources."""
_OF_A_HOOK = frozenset(("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"))
"""What git sets for its hooks; relative to the directory of the hook, so wrong here."""


class Ignored:
    """Answers whether a workspace-relative path is ignored. Paths outside are never sources: they count as ignored."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, bool] = {}
        self._git = True

    def learn(self, paths: Iterable[str]) -> None:
        """Ask git about all of these in one call."""
        asked = sorted({path for path in paths if path not in self._known})
        verdicts = self._ask_git(asked)
        for path in asked:
            self._known[path] = os.path.isabs(path) or _usual(path) or path in verdicts

    def __call__(self, path: str) -> bool:
        """Whether git ignores `path`, which may not exist yet."""
        if path not in self._known:
            self.learn([path])
        return self._known[path]

    def _ask_git(self, paths: list[str]) -> set[str]:
        inside = [path for path in paths if _lies_inside(path)]
        if not inside or not self._git:
            return set()
        # A directory that ignores itself (`*` in its own .gitignore) shows only below it; a rule with a
        # trailing slash matches a path that does not exist yet only when it is asked for with that slash.
        probes = [(form, path) for path in inside for form in self._forms(path)]
        ignored: set[str] = set()
        refusals = 0
        while probes and self._git and refusals < _REFUSALS_MAX:
            verdicts, refused = self._check([form for form, _ in probes])
            ignored.update(path for (_, path), verdict in zip(probes, verdicts, strict=False) if verdict)
            # git stops at a path that it will not judge (behind a symbolic link, in a submodule): such
            # paths count as sources, and the rest is asked again.
            refusals += refused
            barred = self._border(probes[len(verdicts)][0]) if refused else ""
            probes = [
                (form, path)
                for form, path in probes[len(verdicts) + 1 :]
                if path != barred and not _lies_in(path, barred)
            ]
        return ignored

    def _forms(self, path: str) -> tuple[str, ...]:
        # What exists as a file is no directory: more forms would have git forget that it is tracked.
        place = os.path.join(self._root, path)
        return (path,) if os.path.isfile(place) or os.path.islink(place) else (path, f"{path}/", f"{path}/probe")

    def _check(self, forms: list[str]) -> tuple[list[bool], bool]:
        """Verdicts for the paths from the first one on, and whether git refused to judge the one after them."""
        try:
            done = subprocess.run(
                ["git", "check-ignore", "-z", "-v", "-n", "--stdin"],
                cwd=self._root,
                # The dot in front keeps a leading colon from being read as pathspec magic.
                input="".join(f"./{form}\0" for form in forms).encode("utf-8", "surrogateescape"),
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
                env={name: value for name, value in os.environ.items() if name not in _OF_A_HOOK},
            )
        except (OSError, subprocess.TimeoutExpired):
            self._git = False
            return [], False
        fields = done.stdout.split(b"\0")[:-1]
        verdicts = [bool(pattern) and not pattern.startswith(b"!") for pattern in fields[2::_FIELDS]]
        if done.returncode < _FATAL:
            return verdicts, False
        # Without a repository (or with one that git does not trust) nothing is answered and nothing is inside.
        if not verdicts and not self._is_repository():
            self._git = False
            return [], False
        return verdicts, len(verdicts) < len(forms)

    def _is_repository(self) -> bool:
        done = subprocess.run(
            ["git", "rev-parse", "--is-inside-work-tree"],
            cwd=self._root,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            env={name: value for name, value in os.environ.items() if name not in _OF_A_HOOK},
        )
        return done.stdout.strip() == b"true"

    def _border(self, path: str) -> str:
        """The highest symbolic link or repository on the way to `path`: git judges nothing below it. `path` if there is none."""
        parts = path.rstrip("/").split("/")
        for end in range(1, len(parts)):
            above = "/".join(parts[:end])
            place = os.path.join(self._root, above)
            if os.path.islink(place) or os.path.exists(os.path.join(place, ".git")):
                return above
        return path.rstrip("/")


def _lies_inside(path: str) -> bool:
    """Whether a path is one below the root that git can be asked for."""
    return path not in ("", ".") and not os.path.isabs(path) and ".." not in path.split("/") and "\0" not in path


def _lies_in(path: str, folder: str) -> bool:
    return bool(folder) and path.startswith(f"{folder}/")


def _usual(path: str) -> bool:
    return not USUAL.isdisjoint(path.split("/"))
