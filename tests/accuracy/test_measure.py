"""The measure itself: what counts as foretold, what counts as changed, and that it says no when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pytest_cbx.tier import Tier
from tests.accuracy import executed, labelled, project
from tests.accuracy.places import predicted
from tests.accuracy.score import score
from tests.accuracy.snapshot import Changes, changes, snapshot

SAFE, SEQUENTIAL = Tier.SAFE_PARALLEL, Tier.SEQUENTIAL_REQUIRED


def places(**columns: list[str]) -> dict[str, list[str]]:
    return {"writes": [], "creates": [], "deletes": [], **columns}


@pytest.mark.parametrize(
    ("columns", "kind", "path", "expected"),
    [
        ({"writes": ["a"]}, "modified", "a", True),
        ({"writes": ["a"]}, "created", "a", True),
        ({"creates": ["a"]}, "modified", "a", True),
        ({"writes": ["a"]}, "created", "a/b", False),
        ({"writes": ["a"]}, "deleted", "a", False),
        ({"deletes": ["a"]}, "modified", "a", False),
        ({"deletes": ["a/**"]}, "deleted", "a", True),
        ({"deletes": ["a/**"]}, "deleted", "a/b/c", True),
        ({"deletes": ["a/**"]}, "deleted", "ab", False),
        ({"writes": [".git/**"]}, "deleted", ".git/refs/x", True),
        ({"writes": ["*.o"]}, "created", "x.o", True),
        ({"writes": ["*.o"]}, "created", "d/x.o", False),
        ({"writes": ["**/*.o"]}, "created", "d/e/x.o", True),
        ({"writes": ["**/*.o"]}, "created", "x.o", True),
        ({"writes": ["a?/*"]}, "created", "ab/c", True),
        ({"writes": ["a?/*"]}, "created", "a/c", False),
        ({"writes": ["**"]}, "created", "x", False),
        ({"writes": ["/**"]}, "created", "x", False),
        ({"writes": ["/w/s/**"]}, "created", "x", False),
        ({"writes": ["/w/s/home/.cache/**"]}, "created", "../home/.cache/x", True),
        ({"writes": ["../home/x"]}, "created", "../home/x", True),
    ],
)
def test_what_a_place_covers(columns: dict[str, list[str]], kind: str, path: str, *, expected: bool) -> None:
    (place,) = predicted(places(**columns), tree="/w/s/tree")
    assert place.covers(kind, os.path.normpath(f"/w/s/tree/{path}")) is expected


def test_a_place_in_two_columns_is_one() -> None:
    (place,) = predicted(places(creates=["a"], deletes=["a"]), tree="/w")
    assert place.covers("created", "/w/a")
    assert place.covers("deleted", "/w/a")


def test_what_changed(tmp_path: Path) -> None:
    for name in ("same", "text", "mode", "time", "gone"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to("same")
    (tmp_path / "folder").mkdir()
    before = snapshot(str(tmp_path))
    info = (tmp_path / "text").stat()
    (tmp_path / "text").write_text("y")
    os.utime(tmp_path / "text", ns=(info.st_atime_ns, info.st_mtime_ns))
    (tmp_path / "mode").chmod(0o700)
    os.utime(tmp_path / "time", (1, 1))
    (tmp_path / "gone").unlink()
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("mode")
    (tmp_path / "folder" / "new").write_text("")
    assert changes(before, snapshot(str(tmp_path))) == Changes(
        created=("folder/new",), modified=("link", "mode", "text", "time"), deleted=("gone",)
    )


def result(effects: dict[str, list[str]], seen: Changes) -> executed.Result:
    return executed.Result(
        row=executed.Row(group="g", run="r"),
        places=predicted(effects, tree="/w/tree"),
        changes=seen,
        root="/w",
    )


def test_recall_and_precision() -> None:
    results = [
        result(places(creates=["a", "b"]), Changes(created=("/w/tree/a", "/w/tree/c"))),
        result(places(deletes=["d/**"]), Changes(deleted=("/w/tree/d", "/w/tree/d/e"))),
        result(places(), Changes()),
    ]
    total = score(results)
    assert (total.recall, total.precision) == (3 / 4, 2 / 3)
    assert (total.commands, total.whole) == (3, 2)
    assert results[0].missed == (("created", "/w/tree/c"),)
    assert [place.text for place in results[0].wrong] == ["b"]


def test_rows_of_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "risky.tsv").write_text("command\tat_least\twhy\nls\\n\\\\rm x\tSEQUENTIAL\tline\n")
    (tmp_path / "harmless.tsv").write_text("command\tat_most\twhy\n")
    (row,) = labelled.read(tmp_path)
    assert (row.command, row.bound, row.risky) == ("ls\n\\rm x", SEQUENTIAL, True)
    (tmp_path / "harmless.tsv").write_text("command\tat_most\twhy\nls\tHARMLESS\t\n")
    with pytest.raises(ValueError, match=r"harmless\.tsv:2"):
        labelled.read(tmp_path)


def verdict(bound: Tier, *tiers: Tier, risky: bool) -> labelled.Verdict:
    row = labelled.Labelled(command="x", bound=bound, risky=risky, mechanism="")
    return labelled.Verdict(row=row, tiers=tiers, reasons=())


def test_the_worse_directory_decides() -> None:
    assert verdict(SEQUENTIAL, SEQUENTIAL, SAFE, risky=True).wrong
    assert verdict(SAFE, SAFE, SEQUENTIAL, risky=False).wrong
    assert not verdict(SEQUENTIAL, SEQUENTIAL, Tier.DANGEROUS_ISOLATED, risky=True).wrong


def test_one_false_safe_is_too_many_and_a_few_refusals_are_not() -> None:
    fine = [verdict(SAFE, SAFE, risky=False)] * 97
    refused = [verdict(SAFE, SEQUENTIAL, risky=False)]
    assert labelled.good_enough([*fine, *refused * 3])
    assert not labelled.good_enough([*fine, *refused * 4])
    assert not labelled.good_enough([*fine, verdict(SEQUENTIAL, SAFE, risky=True)])


def test_our_own_corpora_are_large_and_no_row_is_twice() -> None:
    rows = labelled.read(labelled.OURS)
    assert sum(row.risky for row in rows) >= 300
    assert sum(not row.risky for row in rows) >= 150
    assert len({row.command for row in rows}) == len(rows)
    texts = [row.run for row in executed.load()]
    assert len(set(texts)) == len(texts) >= 300


def test_a_row_that_fails_proves_nothing() -> None:
    rows = [executed.Row(group="g", run="touch a; exit 3"), executed.Row(group="g", run="exit 3", status=3)]
    failed, fine = executed.run_all(rows)
    assert failed.fault == "it ended with 3, not 0"
    assert not fine.fault


def test_it_asks_what_users_are_told(tmp_path: Path) -> None:
    """The executed set's predictions are those of `cbx explain --json --stdin0`, byte by byte."""
    root = tmp_path.resolve() / "root"
    project.build(root)
    environment = {**os.environ, **project.environment(root)}
    texts = [row.run for row in executed.load() if not row.setup]
    done = subprocess.run(
        [sys.executable, "-m", "pytest_cbx.cli.main", "explain", "--json", "--stdin0"],
        input="\0".join(texts).encode(),
        capture_output=True,
        check=True,
        cwd=root / "tree",
        env=environment,
    )
    ours = [executed.explain(text, root / "tree", environment) for text in texts]
    assert [msgspec.json.encode(one) for one in ours] == done.stdout.splitlines()
