"""Which files are a command's results, and of which run."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from pytest_cbx.config.model import ResultFormat, parse_results
from pytest_cbx.frameworks.cases import ResultsError
from pytest_cbx.frameworks.results.reading import Source, read_results

ONE = '<testsuite><testcase name="{}"/></testsuite>'


def source(folder: Path, results: str = "reports/*.xml", **values: object) -> Source:
    return Source(**{"results": results, "folder": folder, "started_at": time.time() - 5, **values})  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "reports/sub").mkdir(parents=True)
    for name in ("b", "a", "sub/c"):
        (tmp_path / f"reports/{name}.xml").write_text(ONE.format(name))
    return tmp_path


def test_all_files_that_the_glob_fits_in_the_order_of_their_names(folder: Path) -> None:
    assert [one.name for one in read_results(source(folder))] == ["a", "b"]
    assert [one.name for one in read_results(source(folder, "reports/**/*.xml"))] == ["a", "b", "sub/c"]
    assert [one.name for one in read_results(source(folder / "reports", "../reports/a.xml"))] == ["a"]
    assert [one.name for one in read_results(source(folder, str(folder / "reports/b.xml")))] == ["b"]


def test_what_an_earlier_run_wrote_is_none_of_this_one(folder: Path) -> None:
    os.utime(folder / "reports/a.xml", (1, 1))
    assert [one.name for one in read_results(source(folder))] == ["b"]
    with pytest.raises(ResultsError, match="older than this run"):
        read_results(source(folder, "reports/a.xml"))


def test_no_file(folder: Path) -> None:
    with pytest.raises(ResultsError, match=r"it wrote no out/\*\.json"):
        read_results(source(folder, "out/*.json"))


def test_the_same_case_in_two_files_is_two(folder: Path) -> None:
    (folder / "reports/b.xml").write_text(ONE.format("a"))
    assert [one.name for one in read_results(source(folder))] == ["a", "a (2)"]


def test_a_name_is_the_same_in_every_clone(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    found = [
        {"filename": f"{place}/a.py", "message": "m", "code": "F1"}
        for place in (tmp_path / "link", tmp_path / "real", "/elsewhere")
    ]
    (tmp_path / "real/ruff.json").write_text(json.dumps(found))
    names = [one.name for one in read_results(source(tmp_path / "link", "ruff:ruff.json"))]
    assert names == ["a.py F1", "a.py F1 (2)", "/elsewhere/a.py F1"]


def test_copies_of_what_was_undone(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "spared[1]"
    place = Path(f"{moved}{folder}/reports")
    place.mkdir(parents=True)
    (place / "x.xml").write_text("nothing")
    with pytest.raises(ResultsError, match=r"^reports/x\.xml is in no format"):
        read_results(source(folder, moved_to=moved))


def test_what_is_no_file_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.xml")
    (folder / "folder.xml").mkdir()
    for name in ("pipe.xml", "folder.xml"):
        with pytest.raises(ResultsError, match=f"^{name} is no file"):
            read_results(source(folder, name))


def test_the_output(tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.write_text("1..1\nok 1 - a\n")
    assert [one.name for one in read_results(source(tmp_path, "-", output=output))] == ["a"]
    with pytest.raises(ResultsError, match="was not kept"):
        read_results(source(tmp_path, "-"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reports/a.xml", (None, "reports/a.xml")),
        ("tap:-", (ResultFormat.TAP, "-")),
        ("junit: a.xml", (ResultFormat.JUNIT, "a.xml")),
        ("./tap:a", (None, "./tap:a")),
    ],
)
def test_the_format_may_be_told(text: str, expected: tuple[ResultFormat | None, str]) -> None:
    assert parse_results(text) == expected
