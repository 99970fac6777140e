"""Commands of git that print names of revisions and nothing else: for `git diff $(git merge-base main HEAD)`.

No name of a branch or tag begins with `-` or holds blanks (git-check-ref-format(1)); a slash it may hold.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_cbx.effects.values import Field, Shape

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

HASHES = Field("*", Shape.PATTERN, True)
NAMES = Field("**", Shape.PATTERN, True)
"""Names of branches and tags."""

_CHOICE = frozenset(
    {"-n", "--max-count", "--skip", "--reverse", "--all", "--branches", "--tags", "--remotes", "--merges", "--no-merges",
     "--first-parent", "--min-parents", "--max-parents", "--since", "--after", "--until", "--before", "--author", "--committer", "--grep",
     "-i", "-E", "-F", "--date", "--topo-order", "--date-order", "--author-date-order", "--no-walk", "--diff-filter", "--follow",
     "-s", "--no-patch"}
)  # fmt: skip
"""Options of git log and git rev-list that say which commits are shown."""
_PRINTED: dict[str, frozenset[str]] = {
    "merge-base": frozenset({"-a", "--all", "--octopus", "--independent", "--fork-point"}),
    "rev-parse": frozenset({"--short", "--verify", "-q", "--quiet", "--abbrev-ref", "--symbolic-full-name", "--symbolic"}),
    "rev-list": _CHOICE | {"--count", "--abbrev-commit"},
    "log": _CHOICE | {"--format", "--pretty"},
    "show": frozenset({"-s", "--no-patch", "--format", "--pretty", "-q", "--quiet", "--date"}),
    "describe": frozenset(
        {"--tags", "--always", "--long", "--abbrev", "--exact-match", "--all", "--contains", "--match", "--exclude",
         "--first-parent", "--candidates", "--dirty"}
    ),
    "branch": frozenset(
        {"--show-current", "--format", "-r", "--remotes", "-a", "--all", "--list", "-l", "--merged", "--no-merged", "--contains",
         "--no-contains", "--points-at", "--sort"}
    ),
    "tag": frozenset(
        {"-l", "--list", "--format", "--merged", "--no-merged", "--contains", "--no-contains", "--points-at", "--sort"}
    ),
    "for-each-ref": frozenset({"--format", "--sort", "--count", "--merged", "--no-merged", "--contains", "--points-at"}),
    "symbolic-ref": frozenset({"--short", "-q", "--quiet"}),
    "hash-object": frozenset({"-t", "--stdin", "-w"}),
}  # fmt: skip
"""By sub-command the options with which it prints only names."""
_ONE_NAME = re.compile(
    r"(?:t?format:)?%(?:[HhTt]|[ac]t|\(refname(?::short|:strip=\d+|:lstrip=\d+)?\)|\(objectname(?::short)?\))"
)
_HASHES = ("merge-base", "rev-list", "hash-object", "log", "show")


def revisions(call: Call, command: str) -> Field | None:
    """What git's sub-command prints, where these are names of revisions, times or numbers; None where it prints other things."""
    options = _PRINTED.get(command)
    if options is None or call.parsed.problems or call.parsed.wild or not call.parsed.names <= options:
        return None
    form = call.value("--format", "--pretty")
    if form is not None:
        if not form.known or not _ONE_NAME.fullmatch(form.text):
            return None
    elif command in ("log", "show", "for-each-ref") or (command == "branch" and not call.given("--show-current")):
        return None
    dirty = call.value("--dirty")
    if dirty is not None and dirty.text:
        return None
    # What it cannot resolve rev-parse prints as it stands.
    plain = all(operand.known and re.fullmatch(r"[^-\s]\S*", operand.text) for operand in call.parsed.operands)
    if command == "rev-parse" and not plain:
        return None
    return HASHES if command in _HASHES else NAMES
