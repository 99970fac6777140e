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
        inside = [
            path for path in paths if not os.path.isabs(path) and path not in ("", ".") and ".." not in path.split("/")
        ]
        if not inside or not self._git:
            return set()
        # A directory that ignores itself (`*` in its own .gitignore) shows only below it; a rule with a
        # trailing slash matches a path that does not exist yet only when it is asked for with that slash.
        probes = {form: path for path in inside for form in (path, f"{path}/", f"{path}/probe")}
        try:
            done = subprocess.run(
                ["git", "check-ignore", "-z", "--stdin"],
                cwd=self._root,
                input="\0".join(probes).encode("utf-8", "surrogateescape"),
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            )
        except (OSError, subprocess.TimeoutExpired):
            self._git = False
            return set()
        if done.returncode > 1:  # 128: no repository here
            self._git = False
            return set()
        answers = done.stdout.decode("utf-8", "surrogateescape").split("\0")
        return {probes[answer] for answer in answers if answer in probes}


def _usual(path: str) -> bool:
    return not USUAL.isdisjoint(path.split("/"))
