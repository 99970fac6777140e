"""Scripts of the work tree are seen when commands are prepared, unless an earlier command may change them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_cbx.client.files import LONGEST, WorkFiles
from pytest_cbx.client.jobs import Job, Site, prepare
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.effects.model import Kind
from pytest_cbx.tier import Tier
from tests.unit.client.making import make_jobs


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    (root / "sub").mkdir(parents=True)
    (root / "check.sh").write_text("cat notes.txt\n")
    (root / "sub/build.sh").write_text("#!/bin/sh\necho > built\n")
    (tmp_path / "outside.sh").write_text("cat x\n")
    return root


def claims(job: Job) -> list[str]:
    return [str(claim) for claim in job.request.claims]


def test_a_script_is_followed(tree: Path) -> None:
    (job,) = make_jobs(tree, "bash check.sh")
    assert job.request.tier is Tier.SAFE_PARALLEL
    assert "read notes.txt" in claims(job)


def test_a_script_is_followed_from_where_it_runs(tree: Path) -> None:
    (job,) = make_jobs(tree, "cd sub && ./build.sh")
    assert "write sub/built" in claims(job)


def test_what_the_file_says_now_counts(tree: Path) -> None:
    assert make_jobs(tree, "bash check.sh")[0].request.tier is Tier.SAFE_PARALLEL
    (tree / "check.sh").write_text("rm -rf sub\n")
    assert make_jobs(tree, "bash check.sh")[0].request.tier is Tier.DANGEROUS_ISOLATED


def test_what_is_there_now_counts(tree: Path) -> None:
    assert "write copy" in claims(make_jobs(tree, "cp check.sh copy")[0])
    (tree / "copy").mkdir()
    assert claims(make_jobs(tree, "cp check.sh copy")[0]) == ["read check.sh", "write copy/check.sh"]


def test_a_destination_that_an_earlier_command_may_make_counts_both_ways(tree: Path) -> None:
    _, job = make_jobs(tree, "mkdir copy", "cp check.sh copy")
    assert {"write copy", "write copy/check.sh"} <= set(claims(job))


def test_what_depends_on_no_file_is_predicted_once(tree: Path) -> None:
    first, again = make_jobs(tree, "cat once.txt")[0], make_jobs(tree, "cat once.txt")[0]
    assert first.request.effects is again.request.effects


@pytest.mark.parametrize("earlier", ["echo x > check.sh", "sed -i s/a/b/ *.sh", "rm -rf .", "git checkout main"])
def test_a_script_that_an_earlier_command_may_change_is_doubted(tree: Path, earlier: str) -> None:
    _, job = make_jobs(tree, earlier, "bash check.sh")
    assert job.request.tier is Tier.SEQUENTIAL_REQUIRED
    assert job.request.effects is not None
    assert "check.sh may be changed by c0 before" in [effect.detail for effect in job.request.effects.effects]


@pytest.mark.parametrize(
    "earlier", ["echo x > other.sh", "cat check.sh", "chmod +x check.sh", "sed -i s/a/b/ sub/*.sh"]
)
def test_other_changes_leave_it_seen(tree: Path, earlier: str) -> None:
    assert make_jobs(tree, earlier, "bash check.sh")[1].request.tier is Tier.SAFE_PARALLEL


def test_what_the_configuration_says_an_earlier_command_writes_counts(tree: Path) -> None:
    _, job = make_jobs(tree, "true", "bash check.sh", writes=("*.sh",))
    assert job.request.tier is Tier.SEQUENTIAL_REQUIRED


def test_commands_that_do_not_run_together_do_not_count(tree: Path) -> None:
    texts = ("echo x > check.sh", "bash check.sh")
    configs = [CommandConfig(name=text, run=text, line=0) for text in texts]
    _, job = prepare(configs, site=Site(base=tree, root=tree), settings=Settings(), in_order=False)
    assert job.request.tier is Tier.SAFE_PARALLEL


def test_only_small_texts_within_the_tree_are_seen(tree: Path) -> None:
    files = WorkFiles(tree)
    (tree / "link.sh").symlink_to("check.sh")
    (tree / "out.sh").symlink_to("../outside.sh")
    (tree / "loop.sh").symlink_to("loop.sh")
    (tree / "binary").write_bytes(b"#!/bin/sh\n\0")
    (tree / "latin").write_bytes(b"echo \xe9")
    (tree / "long.sh").write_text("#" * (LONGEST + 1))
    os.mkfifo(tree / "fifo")
    names = (
        "check.sh",
        "link.sh",
        "out.sh",
        "../outside.sh",
        "loop.sh",
        "binary",
        "latin",
        "long.sh",
        "fifo",
        "sub",
        "none",
    )
    seen = [name for name in names if files.text(f"{tree}/{name}") is not None]
    assert seen == ["check.sh", "link.sh"]
    assert files.text("/etc/passwd") is None


def test_a_file_is_read_once(tree: Path) -> None:
    files = WorkFiles(tree)
    before = files.text(f"{tree}/check.sh")
    (tree / "check.sh").write_text("changed\n")
    assert files.text(f"{tree}/check.sh") == before


def test_what_may_be_executed(tree: Path) -> None:
    files = WorkFiles(tree)
    assert not files.executable(f"{tree}/check.sh")
    (tree / "check.sh").chmod(0o755)
    assert files.executable(f"{tree}/check.sh")
    assert not files.executable(f"{tree}/sub")


def changed(job: Job) -> set[str]:
    """The places that a command changes."""
    effects = job.request.effects
    assert effects is not None
    return {str(effect.place) for effect in effects.effects if effect.kind is Kind.WRITE}


def test_a_destination_that_an_earlier_command_may_make_is_taken_both_ways(tree: Path) -> None:
    (tree / "here").mkdir()
    assert changed(make_jobs(tree, "cp a new")[0]) == {"new", "new/a"}, "it is for another tree"
    (tree / "a").write_text("a")
    assert changed(make_jobs(tree, "cp a new")[0]) == {"new"}
    assert changed(make_jobs(tree, "cp a here")[0]) == {"here/a"}
    assert changed(make_jobs(tree, "mkdir new", "cp a new")[1]) == {"new", "new/a"}
    assert changed(make_jobs(tree, "mkdir other", "cp a new")[1]) == {"new"}


@pytest.mark.needs("git")
def test_what_git_finds_counts_only_while_nothing_changes_before(tree: Path) -> None:
    setting = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for words in (["init", "-q"], ["add", "."], [*setting, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *words], cwd=tree, check=True)
    (tree / "check.sh").write_text("changed\n")
    alone, *_ = make_jobs(tree, "git stash")
    _, after = make_jobs(tree, "touch y", "git stash")
    assert "check.sh" in changed(alone)
    assert "**" not in changed(alone)
    assert "**" in changed(after)
