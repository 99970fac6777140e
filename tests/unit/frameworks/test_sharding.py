"""One command as several: what the text of each says, where its results go, who needs them, and what cannot be split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.config.model import CommandConfig
from pytest_cbx.errors import UsageError
from pytest_cbx.frameworks.sharding import expand, group_of
from pytest_cbx.pytest_plugin.shard import files_of, parse_shard


def command(run: str, *, name: str = "unit", shards: int = 3, **keys: object) -> CommandConfig:
    return CommandConfig(name=name, run=run, line=7, shards=shards, **keys)  # type: ignore[arg-type]


GO = "packages=$(go list {} | awk 'NR % 3 == 2') || exit; if [ -n \"$packages\" ]; then {}; else echo {}; fi"
NOTHING = "no packages are left for this shard"
EVENT = f"""'{{"Action":"output","Output":"{NOTHING}"}}'"""


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("jest", "jest --shard=2/3"),
        ("npx --no-install jest --ci src", "npx --no-install jest --shard=2/3 --ci src"),
        ("./node_modules/.bin/jest -- a", "./node_modules/.bin/jest --shard=2/3 -- a"),
        ("yarn run vitest run --coverage", "yarn run vitest run --shard=2/3 --coverage"),
        ("vitest --run", "vitest --shard=2/3 --run"),
        ("npx playwright test e2e", "npx playwright test --shard=2/3 e2e"),
        ("cargo nextest run -- --skip a", "cargo nextest run --partition count:2/3 -- --skip a"),
        ("ctest --test-dir build", "ctest -I 2,,3 --test-dir build"),
        ("node --import x --test a.js", "node --test-shard=2/3 --import x --test a.js"),
        ("CI=1 pytest -q tests > log", "CI=1 pytest --cbx-shard=2/3 -q tests > log"),
        ("/opt/python3.12 -m pytest", "/opt/python3.12 -m pytest --cbx-shard=2/3"),
        ("poetry run coverage run -m pytest", "poetry run coverage run -m pytest --cbx-shard=2/3"),
        (
            "go test -json ./...",
            GO.format("./...", "go test -json $packages", EVENT),
        ),
        ("go test ./a ./b/... -race", GO.format("./a ./b/...", "go test $packages -race", NOTHING)),
        ("./check --part $CBX_SHARD --of $CBX_SHARDS", "./check --part $CBX_SHARD --of $CBX_SHARDS"),
    ],
)
def test_what_the_second_of_three_runs(text: str, second: str) -> None:
    made = expand([command(text)])
    assert [one.name for one in made] == ["unit#1/3", "unit#2/3", "unit#3/3"]
    assert made[1].run == second
    assert [dict(one.env) for one in made] == [{"CBX_SHARD": str(n), "CBX_SHARDS": "3"} for n in (1, 2, 3)]
    assert {one.shards for one in made} == {1}
    assert {one.predicted for one in made} == {text}


@pytest.mark.parametrize(
    "text",
    ["mocha", "node a.js", "npm test", "pytest; true", "pytest | tee log", "pytest &", "jest $ARGS", "go test", "go test -run ./a b ./c",
     "eslint jest", "cd a && jest", "if true; then pytest; fi", ""],
)  # fmt: skip
def test_what_cannot_be_split_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        expand([command(text)], "cbx.toml")
    assert str(caught.value) == (
        'cbx.toml:7: command "unit": shards = 3, but how to split its text is not known (make it one plain call of Jest, Vitest, '
        "Playwright, node --test, pytest, go test, ctest, cargo nextest, or have it use $CBX_SHARD and $CBX_SHARDS)"
    )


@pytest.mark.parametrize(
    ("text", "results", "text_of_2", "results_of_2"),
    [
        ("pytest --junitxml=out.xml", "out.xml", "pytest --cbx-shard=2/3 --junitxml=out-2-of-3.xml", "out-2-of-3.xml"),
        (
            "ctest --test-dir build --output-junit r.xml", "junit:build/r.xml",
            "ctest -I 2,,3 --test-dir build --output-junit r-2-of-3.xml", "junit:build/r-2-of-3.xml",
        ),
        (
            "pytest --junitxml=out.xml layout.xml out.xml.bak", "out.xml",
            "pytest --cbx-shard=2/3 --junitxml=out-2-of-3.xml layout.xml out.xml.bak", "out-2-of-3.xml",
        ),
        ("jest --json", "jest:-", "jest --shard=2/3 --json", "jest:-"),
        ("cargo nextest run", "reports/${CBX_SHARD}/*.xml", "cargo nextest run --partition count:2/3", "reports/2/*.xml"),
        ("./t > $CBX_SHARD.xml", "$CBX_SHARD.xml", "./t > $CBX_SHARD.xml", "2.xml"),
    ],
)  # fmt: skip
def test_each_has_results_of_its_own(text: str, results: str, text_of_2: str, results_of_2: str) -> None:
    made = expand([command(text, results=results)])
    assert (made[1].run, made[1].results) == (text_of_2, results_of_2)
    assert len({one.predicted for one in made}) == (
        1 if results_of_2 not in text_of_2 and "r-2" not in text_of_2 else 3
    )


@pytest.mark.parametrize("results", ["reports/*.xml", "out.xml", "junit:reports/out.xml"])
def test_results_that_all_would_write_are_refused(results: str) -> None:
    with pytest.raises(
        UsageError, match=r"cbx\.toml:7: command \"unit\": all 3 shards would write the same results, .*CBX_SHARD"
    ):
        expand([command("vitest run", results=results)], "cbx.toml")


def test_who_needs_it_needs_all_of_it() -> None:
    made = expand(
        [
            command("make", name="build", shards=1),
            command("pytest", shards=2, needs=("build",)),
            command("true", name="publish", shards=1, needs=("unit", "build")),
        ]
    )
    assert [one.name for one in made] == ["build", "unit#1/2", "unit#2/2", "publish"]
    assert [one.needs for one in made] == [(), ("build",), ("build",), ("unit#1/2", "unit#2/2", "build")]


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(UsageError, match=r'both called "unit#1/2"'):
        expand([command("pytest", shards=2), command("true", name="unit#1/2", shards=1)])


def test_without_shards_nothing_changes() -> None:
    given = [command("mocha", shards=1), command("true", name="other", shards=1)]
    assert expand(given) == given


@pytest.mark.parametrize(
    ("name", "group"), [("unit#1/3", "unit"), ("unit", "unit"), ("a#b", "a#b"), ("a#1/2#2/3", "a#1/2")]
)
def test_the_group_of_a_name(name: str, group: str) -> None:
    assert group_of(name) == group


@given(st.dictionaries(st.text("abc/", max_size=4), st.integers(1, 50), max_size=30), st.integers(1, 8))
def test_each_file_is_in_one_shard_and_none_is_much_fuller_than_it_must(counts: dict[str, int], shards: int) -> None:
    parts = [files_of(counts, number, shards) for number in range(1, shards + 1)]
    assert sorted(file for part in parts for file in part) == sorted(counts)
    fullest = max(sum(counts[file] for file in part) for part in parts)
    least = max(max(counts.values(), default=0), -(-sum(counts.values()) // shards))
    # No better than `least` can be had; a list schedule is below that by less than its last, and so smallest, file.
    assert fullest <= least + max(counts.values(), default=0) * (1 - 1 / shards)


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "1/2/3", "-1/2", " 1/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(pytest.UsageError, match="is no shard; write 1/3 for the first of three"):
        parse_shard(text)
