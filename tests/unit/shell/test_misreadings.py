"""Each misreading has a proof: bashlex says something else than bash, so it must not be asked."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from pytest_cbx.shell import second
from pytest_cbx.shell.both import compare
from pytest_cbx.shell.misreadings import IN_TEXTS, IN_WORDS, Misreading
from pytest_cbx.shell.nodes import Unreadable
from pytest_cbx.shell.reader import read

pytest.importorskip("bashlex")

about_this_version = pytest.mark.skipif(
    metadata.version("bashlex") != "0.18", reason="the proofs are about bashlex 0.18"
)
MISREADINGS = (*IN_TEXTS, *IN_WORDS)
ENDLESS = [one for one in MISREADINGS if "for ever" in one.why]


def proofs(misreadings: list[Misreading]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("misreading", misreadings, ids=[one.proof for one in misreadings])


@proofs(list(MISREADINGS))
def test_it_is_not_believed_where_it_is_known_to_misread(misreading: Misreading) -> None:
    assert second.ask(misreading.proof).abstains == misreading.why


@about_this_version
@proofs([one for one in MISREADINGS if one not in ENDLESS])
def test_it_does_misread_that(misreading: Misreading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second, "misread_word", lambda text: None)
    second._asked.cache_clear()
    answer = second._asked(misreading.proof)
    second._asked.cache_clear()
    script = read(misreading.proof)
    assert not any(isinstance(statement.command, Unreadable) for statement in script.statements)
    assert answer.abstains or compare(misreading.proof, script, answer).differences


@about_this_version
@proofs(ENDLESS)
def test_it_never_comes_back_from_that(misreading: Misreading) -> None:
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_CPU, (2, 2)); import bashlex; bashlex.parse(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, misreading.proof], capture_output=True, check=False
    )
    assert done.returncode < 0, done


@pytest.mark.parametrize(
    "text",
    [
        "echo ${x:-a}",
        "a; # b",
        "echo 'a'$x",
        "(a) # b",
        "echo \\\n b",
        "cat <<E\na\nE",
        "echo ~/a '$(b)'",
        "echo \"$(cat 'a')\"",
    ],
)
def test_what_only_looks_like_one_is_read(text: str) -> None:
    assert second.ask(text).abstains == ""
