"""One command as several: what the text of each says, where its results go, who needs them, and what cannot be split."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.config.model import CommandConfig
from pytest_cbx.errors import UsageError
from pytest_cbx.frameworks.sharding import expand, group_of
from pytest_cbx.frameworks.splits import KNOWN
from pytest_cbx.pytest_plugin.shard import files_of, parse_shard


def command(run: str, *, name: str = "unit", shards: int = 3, **keys: object) -> CommandConfig:
    return CommandConfig(name=name, run=run, line=7, shards=shards, **keys)  # type: ignore[arg-type]


GO = "packages=$(go list {} | awk 'NR % 3 == 2') || exit; if [ -n \"$packages\" ]; then {}; else echo {}; fi"
FILES = (
    'all=({}); files=(); for ((n = 1; n < ${{#all[@]}}; n += 3)); do files+=("${{all[n]}}"); done; '
    "if [ ${{#files[@]}} -gt 0 ]; then {}; else echo {}; fi"
)
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
        ("npm exec -- rstest -c a", "npm exec -- rstest --shard=2/3 -c a"),
        ("npx cucumber-js features", "npx cucumber-js --shard=2/3 features"),
        ("meson test -C build", "meson test --slice=2/3 -C build"),
        ("node --test test/*.test.js", "node --test-shard=2/3 --test test/*.test.js"),
        (
            "bats -F tap a.bats test/*.bats --timing",
            FILES.format("a.bats test/*.bats", 'bats -F tap "${files[@]}" --timing', "1..0"),
        ),
        (
            "CI=1 bundle exec rspec -t ~slow spec/*_spec.rb",
            FILES.format(
                "spec/*_spec.rb", 'CI=1 bundle exec rspec -t ~slow "${files[@]}"', "no files are left for this shard"
            ),
        ),
        ("jest --shard $CBX_SHARD/$CBX_SHARDS --ci", "jest --shard $CBX_SHARD/$CBX_SHARDS --ci"),
        ("pytest $(./part $CBX_SHARD)", "pytest $(./part $CBX_SHARD)"),
        ("./check --part $((CBX_SHARD - 1))", "./check --part $((CBX_SHARD - 1))"),
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


UNKNOWN = (
    f"how to split its text is not known (make it one plain call of {KNOWN}, or have it use $CBX_SHARD and $CBX_SHARDS)"
)
PACKAGES = "go test must be told its packages in one place (write them next to each other, as in ./...)"
BATS = (
    "bats must be told its files, and nothing but files, in one place (write them next to each other, as words or patterns of the "
    "shell: tests/*.bats)"
)


def refusal(text: str, results: str | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        expand([command(text, results=results)], "cbx.toml")
    return str(caught.value).removeprefix('cbx.toml:7: command "unit": ')


@pytest.mark.parametrize(
    "text",
    ["mocha", "mocha a.js", "node a.js", "npm test", "pytest; true", "pytest | tee log", "pytest &", "jest $ARGS", "eslint jest",
     "cd a && jest", "if true; then pytest; fi", "", "./check --of $CBX_SHARDS", "./check $MY_CBX_SHARD"],
)  # fmt: skip
def test_what_cannot_be_split_is_refused(text: str) -> None:
    assert refusal(text) == f"shards = 3, but {UNKNOWN}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("go test", PACKAGES),
        ("go test -run ./a b ./c", PACKAGES),
        ("bats", BATS),
        ("bats tests", BATS),
        ("bats -r tests a.bats", BATS),
        ("bats a.bats --jobs 2 b.bats", BATS),
        ("bats -F tap tests/*", BATS),
    ],
)
def test_who_takes_no_part_must_be_told_what_there_is(text: str, why: str) -> None:
    assert refusal(text) == f"shards = 3, but {why}"


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("jest --shard=1/2", "--shard"),
        ("npx playwright test --shard 1/2", "--shard"),
        ("ctest -I 1,,2", "-I"),
        ("node --test --test-shard=1/2", "--test-shard"),
        ("cargo nextest run --partition hash:1/2", "--partition"),
        ("pytest --cbx-shard=1/$CBX_SHARDS", "--cbx-shard"),
        ("pytest -k of_$CBX_SHARDS", "$CBX_SHARDS"),
    ],
)
def test_a_text_that_takes_the_same_part_in_each_shard_is_refused(text: str, option: str) -> None:
    assert refusal(text) == (
        f"shards = 3, but its text says {option} already, the same for each shard (leave that out, or have it say $CBX_SHARD as well)"
    )


@pytest.mark.parametrize("text", ["pytest tests/part$CBX_SHARD", "pytest --cov-report=xml:cov-$CBX_SHARD.xml"])
def test_a_number_that_may_choose_tests_or_name_a_file_is_refused(text: str) -> None:
    """Split twice it would leave tests out; split by neither each shard would run all of them."""
    assert refusal(text, results="r-$CBX_SHARD.xml") == (
        "shards = 3, but whether $CBX_SHARD chooses tests in its text, or only names a file, is not known (give pytest --cbx-shard with "
        "$CBX_SHARD and $CBX_SHARDS; then nothing is added to the text)"
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
        (
            "vitest run --outputFile=out-$CBX_SHARD.json", "jest:out-$CBX_SHARD.json",
            "vitest run --shard=2/3 --outputFile=out-$CBX_SHARD.json", "jest:out-2.json",
        ),
        (
            "meson test -C b --logbase t${CBX_SHARD}", "junit:b/meson-logs/t${CBX_SHARD}.junit.xml",
            "meson test --slice=2/3 -C b --logbase t${CBX_SHARD}", "junit:b/meson-logs/t2.junit.xml",
        ),
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


@given(st.sets(st.text("ab \n'\"*?[$-é", min_size=1, max_size=5), max_size=12), st.integers(1, 5))
@settings(max_examples=15)
def test_each_file_of_the_shell_is_in_one_shard(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], shards: int
) -> None:
    """Run by bash, with files of any name; `bats` tells what it is given."""
    folder = tmp_path_factory.mktemp("files")
    for name in names:
        (folder / f"{name}.bats").touch()
    said = "bats() { printf '%s\\0' \"$@\"; }\nshopt -s dotglob\n"
    parts = []
    for one in expand([command("bats ./*.bats", shards=shards)]) if shards > 1 else [command("bats ./*.bats")]:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", said + one.run], cwd=folder, capture_output=True, check=True
        )
        printed = done.stdout.decode().removesuffix("no files are left for this shard\n")
        parts += [name for name in printed.split("\0") if name]
    assert sorted(parts) == sorted(f"./{name}.bats" for name in names or {"*"})


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
