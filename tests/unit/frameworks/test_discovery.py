"""What each framework declares, by its manifests: the commands with their names, needs and results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_cbx.config.model import CommandConfig, Phase
from pytest_cbx.frameworks.discovery import discover
from pytest_cbx.frameworks.model import Found, Framework


def plant(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def runs(root: Path) -> dict[str, str]:
    return {one.command.name: one.command.run for one in discover(root).commands}


def command(root: Path, name: str) -> CommandConfig:
    return next(one.command for one in discover(root).commands if one.command.name == name)


CASES: dict[str, tuple[dict[str, object], dict[str, str]]] = {
    "nothing": ({"a.txt": "", "node_modules/x/package.json": {"devDependencies": {"jest": "1"}}}, {}),
    "jest by a script": (
        {"package.json": {"scripts": {"test": "jest --ci src", "w": "jest --watch"}, "devDependencies": {"jest": "29"}}},
        {
            "js-install": "npm install --no-audit --no-fund --no-package-lock",
            "js-unit": "npx --no-install jest --ci src --json --outputFile=node_modules/.cbx-unit",
        },
    ),
    "locks": (
        {"package.json": {"devDependencies": {"prettier": "3"}}, "pnpm-lock.yaml": ""},
        {"js-install": "pnpm install --frozen-lockfile", "js-format-check": "npx --no-install prettier --check ."},
    ),
    "yarn since 2": (
        {"package.json": {"dependencies": {"a": "1"}}, "yarn.lock": "", ".yarnrc.yml": ""},
        {"js-install": "yarn install --immutable"},
    ),
    "other tools of JavaScript": (
        {
            "package.json": {
                "scripts": {"build": "vite build", "lint": "eslint src --max-warnings 0"},
                "devDependencies": {"vitest": "1", "eslint": "9", "typescript": "5", "mocha": "10", "@playwright/test": "1",
                                    "cypress": "13"},
            },
            "tsconfig.json": {},
            "yarn.lock": "",
        },
        {
            "js-install": "yarn install --frozen-lockfile",
            "js-build": "npm run --silent build",
            "js-unit-vitest": (
                "npx --no-install vitest run --reporter=default --reporter=json --outputFile.json=node_modules/.cbx-unit-vitest"
            ),
            "js-spec": "npx --no-install mocha --reporter xunit --reporter-option output=node_modules/.cbx-spec",
            "js-e2e-cypress": (
                "npx --no-install cypress run --reporter junit --reporter-options mochaFile=node_modules/.cbx-e2e-cypress"
            ),
            "js-e2e": (
                "PLAYWRIGHT_JUNIT_OUTPUT_NAME=node_modules/.cbx-e2e npx --no-install playwright test --reporter=list,junit"
            ),
            "js-lint": "npx --no-install eslint src --max-warnings 0 --format json --output-file node_modules/.cbx-lint",
            "js-types": "npx --no-install tsc --noEmit",
        },
    ),
    "tox where nothing says what it runs": ({"tox.ini": "[tox]\nenv_list = py\n"}, {"py-tox": "tox run"}),
    "nox": ({"noxfile.py": ""}, {"py-nox": "nox"}),
    "what tox runs, where that is known": (
        {"tox.ini": "[tox]\n", "tests/test_a.py": "", "requirements-dev.txt": "pytest\npip-audit\n"},
        {
            "py-audit": "pip-audit --progress-spinner off",
            "py-unit": "pytest -q --junitxml=.pytest_cache/cbx-unit.xml tests",
        },
    ),
    "an audit by a script": (
        {"package.json": {"scripts": {"audit": "npm audit --omit dev"}}},
        {"js-audit": "npm run --silent audit"},
    ),
    "presets of CMake": (
        {
            "CMakeLists.txt": "project(a)\nenable_testing()\n",
            "CMakePresets.json": {
                "configurePresets": [
                    {"name": "base", "hidden": True, "binaryDir": "${sourceDir}/out/${presetName}"},
                    {"name": "windows", "inherits": "base", "condition": {"type": "equals"}},
                    {"name": "release", "inherits": "base"},
                    {"name": "debug", "inherits": ["nobody", "base"]},
                ],
                "testPresets": [{"name": "t", "configurePreset": "windows"}, {"name": "u", "configurePreset": "debug"}],
            },
        },
        {
            "c-configure": "cmake --preset debug",
            "c-build": "cmake --build out/debug",
            "c-test": "ctest --test-dir out/debug --output-on-failure --output-junit cbx.xml",
        },
    ),
    "presets that build who knows where": (
        {
            "CMakeLists.txt": "project(a)\n",
            "CMakePresets.json": {"configurePresets": [{"name": "a", "binaryDir": "$env{HOME}/a"}, 7, {"name": "b", "inherits": "b"}]},
        },
        {"c-configure": "cmake -S . -B build/cbx", "c-build": "cmake --build build/cbx"},
    ),
    "staticcheck": (
        {"go.mod": "module x", "staticcheck.conf": ""},
        {
            "go-build": "go build ./...",
            "go-vet": "go vet ./...",
            "go-format-check": 'test -z "$(gofmt -l .)"',
            "go-test": "go test -json ./...",
            "go-staticcheck": "staticcheck ./...",
        },
    ),
    "a test script of another kind": (
        {"package.json": {"scripts": {"test": "node --test test/*.js"}}},
        {"js-test": "node --test --test-reporter=tap test/*.js"},
    ),
    "no test script": ({"package.json": {"scripts": {"test": 'echo "Error: no test specified" && exit 1'}}}, {}),
    "a monorepo": (
        {
            "package.json": {"workspaces": ["packages/*"], "devDependencies": {"jest": "29"}},
            "package-lock.json": {},
            "packages/a/package.json": {"scripts": {"test": "jest"}},
            "packages/b/package.json": {"scripts": {"build": "tsc -b"}, "dependencies": {"a": "1"}},
        },
        {
            "js-install": "npm ci --no-audit --no-fund",
            "packages-a-unit": "npx --no-install jest --json --outputFile=node_modules/.cbx-unit",
            "packages-b-build": "npm run --silent build",
        },
    ),
    "python by tables": (
        {
            "pyproject.toml": "[tool.ruff.format]\n[tool.mypy]\nfiles=['a']\n[tool.black]\n[dependency-groups]\ndev=['pytest','bandit>=1']",
            "tests/unit/test_a.py": "", "tests/e2e/test_b.py": "",
        },
        {
            "py-ruff": "ruff check --output-format json .", "py-ruff-format": "ruff format --check .", "py-types": "mypy --output json",
            "py-format-check": "black --check --quiet .", "py-security": "bandit -q -r .",
            "py-unit": "pytest -q --junitxml=.pytest_cache/cbx-unit.xml tests/unit",
            "py-e2e": "pytest -q --junitxml=.pytest_cache/cbx-e2e.xml tests/e2e",
        },
    ),
    "python by setup.cfg and requirements": (
        {
            "setup.cfg": "[flake8]\n[tool:pytest]\n[isort]\n", "dev-requirements.txt": "PyTest==8\nmypy\npyright # x\n",
            "src/a.py": "", "test/test_a.py": "",
        },
        {
            "py-flake8": "flake8 .", "py-isort": "isort --check-only --quiet .", "py-pyright": "pyright",
            "py-types": "mypy --output json src",
            "py-unit": "pytest -q --junitxml=.pytest_cache/cbx-unit.xml test",
        },
    ),
    "unittest": ({"setup.py": "", "tests/test_a.py": ""}, {"py-unit": "python -m unittest discover -v -s tests"}),
    "unittest in a package": (
        {"setup.py": "", "test/__init__.py": "", "test/test_a.py": ""}, {"py-unit": "python -m unittest discover -v -s test -t ."},
    ),
    "go": (
        {"go.mod": "module x", ".golangci.yml": ""},
        {
            "go-build": "go build ./...", "go-vet": "go vet ./...", "go-format-check": 'test -z "$(gofmt -l .)"',
            "go-test": "go test -json ./...", "go-lint": "golangci-lint run ./...",
        },
    ),
    "rust": (
        {"Cargo.toml": "[workspace]\nmembers=['a']", "a/Cargo.toml": "[package]\nname='a'"},
        {
            "rust-test": "cargo test --workspace --no-fail-fast",
            "rust-lint": "cargo clippy --workspace --all-targets -- -D warnings", "rust-format-check": "cargo fmt --check",
        },
    ),
    "nextest": (
        {"Cargo.toml": "[package]\nname='a'", ".config/nextest.toml": "[profile.ci.junit]\npath = 'j.xml'"},
        {
            "rust-test": "cargo nextest run --profile ci --no-fail-fast", "rust-lint": "cargo clippy --all-targets -- -D warnings",
            "rust-format-check": "cargo fmt --check",
        },
    ),
    "java": (
        {"pom.xml": "<project/>", "mvnw": "", "core/pom.xml": "", "app/build.gradle.kts": ""},
        {"java-test": "./mvnw -B -ntp -fae test", "app-test": "gradle --console=plain --continue test"},
    ),
    "c": (
        {"CMakeLists.txt": "project(x C)\nenable_testing()\n", "Makefile": "all: x\n\ntest: all\n\t./x\nVAR := 1\n"},
        {
            "c-configure": "cmake -S . -B build/cbx", "c-build": "cmake --build build/cbx",
            "c-test": "ctest --test-dir build/cbx --output-on-failure --output-junit cbx.xml",
            "make-all": "make -s all", "make-test": "make -s test",
        },
    ),
    "meson": (
        {"meson.build": "project('x', 'c')\n"},
        {"c-meson-setup": "meson setup --reconfigure build/meson", "c-meson-test": "meson test -C build/meson"},
    ),
    "ruby": (
        {"Gemfile": "source 'x'\ngem 'rspec'\n  gem \"rubocop\", require: false\n"},
        {
            "ruby-install": "bundle install --quiet", "ruby-lint": "bundle exec rubocop --format quiet",
            "ruby-spec": "bundle exec rspec --format progress --format json --out .bundle/cbx-spec.json",
        },
    ),
    "php": (
        {"composer.json": {"require-dev": {"phpunit/phpunit": "^11", "phpstan/phpstan": "*"}}},
        {
            "php-install": "composer install --no-interaction --quiet", "php-unit": "vendor/bin/phpunit --log-junit vendor/.cbx.xml",
            "php-types": "vendor/bin/phpstan analyse --no-progress",
        },
    ),
    "shell": (
        {"a.sh": "", "tools/b c.bash": "", "tests/x.bats": ""},
        {"sh-lint": "shellcheck --format json1 a.sh 'tools/b c.bash'", "tests-test": "bats --formatter tap x.bats"},
    ),
    "runners": (
        {
            "justfile": "lint:\n  x\n@test arg='1':\n  y\ncheck:\n",
            "Taskfile.yml": "version: '3'\nvars:\n  lint: x\ntasks:\n  test:\n    cmd: x\n",
            ".pre-commit-config.yaml": "", "Dockerfile.test": "", "My API.postman_collection.json": {},
            ".semgrep.yml": "", "trivy.yaml": "",
        },
        {
            "just-lint": "just lint", "just-check": "just check", "task-test": "task --silent test",
            "pre-commit-run": "pre-commit run --all-files", "docker-test": "docker build --file Dockerfile.test .",
            "api-my-api": "newman run 'My API.postman_collection.json'",
            "security-semgrep": (
                "semgrep scan --error --quiet --metrics off --disable-version-check --config .semgrep.yml --sarif"
            ),
            "security-trivy": "trivy fs --exit-code 1 --quiet --format sarif .",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CASES))
def test_what_is_declared_is_found(name: str, tmp_path: Path) -> None:
    files, expected = CASES[name]
    assert runs(plant(tmp_path, files)) == expected


def test_needs_are_of_the_same_folder_or_of_one_above(tmp_path: Path) -> None:
    root = plant(tmp_path, {**CASES["a monorepo"][0], "sh/x.bats": "", "go/go.mod": "module x"})
    assert command(root, "packages-a-unit").needs == ("js-install",)
    assert command(root, "go-test").needs == ("go-build",)
    assert command(root, "sh-test").needs == ()
    manifest = {"workspaces": ["packages/*"], "devDependencies": {"jest": "29", "bats": "1"}}
    plant(tmp_path, {"package.json": manifest})
    assert command(root, "sh-test").needs == ("js-install",)
    assert command(root, "sh-test").run == "../node_modules/bats/bin/bats --formatter tap x.bats"


def test_phases_are_in_order(tmp_path: Path) -> None:
    root = plant(tmp_path, CASES["other tools of JavaScript"][0])
    phases = [one.found.phase.place for one in discover(root).commands]
    assert phases == sorted(phases)
    assert phases[0] == Phase.DEPENDENCIES.place


def test_what_the_user_has_written_down_is_left_out(tmp_path: Path) -> None:
    root = plant(tmp_path, {"go.mod": "module x"})
    given = [
        CommandConfig(name="mine", run="go test -race ./...", line=1),
        CommandConfig(name="go-build", run="make", line=2),
        CommandConfig(name="elsewhere", run="go vet ./...", line=3, cwd="sub"),
    ]
    found = {one.command.name: one.command for one in discover(root, given=given).commands}
    assert set(found) == {"go-build-2", "go-vet", "go-format-check"}
    assert found["go-vet"].needs == ("go-build-2",)


@pytest.mark.parametrize(
    ("config", "run", "results"),
    [
        ("", "cargo nextest run --no-fail-fast", None),
        ("[profile.ci]", "cargo nextest run --no-fail-fast", None),
        (
            "[profile.ci.junit]\npath='a.xml'",
            "cargo nextest run --profile ci --no-fail-fast",
            "junit:target/nextest/ci/a.xml",
        ),
        (
            "[profile.default.junit]\npath='a.xml'",
            "cargo nextest run --no-fail-fast",
            "junit:target/nextest/default/a.xml",
        ),
    ],
)
def test_nextest_reports_by_the_profile_that_says_where(
    config: str, run: str, results: str | None, tmp_path: Path
) -> None:
    plant(tmp_path, {"Cargo.toml": "[package]\nname='a'", ".config/nextest.toml": config})
    found = command(tmp_path, "rust-test")
    assert (found.run, found.results) == (run, results)


def test_variables_before_a_command_do_not_make_it_another(tmp_path: Path) -> None:
    root = plant(tmp_path, {"package.json": {"devDependencies": {"@playwright/test": "1"}}})
    given = [CommandConfig(name="mine", run="CI=1 npx playwright test --reporter dot", line=1)]
    assert [one.command.name for one in discover(root, given=given).commands] == ["js-install"]


def test_a_broken_manifest_is_noted_and_the_rest_is_found(tmp_path: Path) -> None:
    root = plant(
        tmp_path, {"js/package.json": "{", "py/pyproject.toml": "[", "go.mod": "module x", "x/package.json": "[]"}
    )
    found = discover(root)
    assert any(one.command.name == "go-test" for one in found.commands)
    assert [note.partition(",")[0] for note in found.notes] == [
        "js/package.json cannot be read",
        "py/pyproject.toml cannot be read",
    ]


def test_manifests_of_any_shape_are_survived(tmp_path: Path) -> None:
    odd: list[object] = [None, 1, "x", [], [1], {"a": 1}, {"x": [{}]}]
    for number, value in enumerate(odd):
        for key in ("scripts", "devDependencies", "workspaces"):
            plant(
                tmp_path,
                {f"{key}-{number}/package.json": {key: value}, f"{key}-{number}/composer.json": {"require-dev": value}},
            )
    plant(
        tmp_path,
        {"p/pyproject.toml": "tool = 3\nproject = [1]\ndependency-groups = {a = 1}", "c/Cargo.toml": "workspace = 1"},
    )
    discover(tmp_path)


def test_others_may_add_frameworks(tmp_path: Path) -> None:
    mine = Framework(
        "mine",
        lambda folder, project: iter([Found(language="mine", what="x", run="true", source="me")] * folder.has("m")),
    )
    root = plant(tmp_path, {"m": "", "sub/m": ""})
    assert [one.command.name for one in discover(root, more=[mine]).commands] == ["mine-x", "sub-x"]


def test_a_project_is_not_looked_at_for_ever(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"abcdefgh")
    plant(deep, {"go.mod": "module x"})
    (tmp_path / "loop").symlink_to(tmp_path)
    assert runs(tmp_path) == {}


WORKFLOW = """
on: [push]
defaults: {run: {working-directory: web}}
jobs:
  checks:
    strategy: {matrix: {python: ["3.11", "3.12"]}}
    steps:
      - uses: actions/checkout@v4
      - run: pip install tox
      - run: tox -e lint
        working-directory: .
      - run: tox -e lint
        working-directory: .
      - {run: "npx eslint src", name: in the default folder}
      - run: make check
        working-directory: ./tools
      - run: python -m mypy --strict src
        working-directory: .
      - run: go test ./...
        working-directory: .
      - run: npm run deploy
      - run: pytest ${{ matrix.python }}
      - run: pytest > log
      - run: |
          pytest a
          pytest b
      - run: pytest
        if: github.event_name == 'push'
      - run: pytest
        shell: pwsh
      - run: cargo build
      - run: ruff check
        working-directory: ../outside
  other: {steps: nothing}
  third: [1]
"""


def test_steps_of_workflows_that_plainly_check(tmp_path: Path) -> None:
    root = plant(tmp_path, {".github/workflows/ci.yml": WORKFLOW})
    found = [(one.command.name, one.command.cwd, one.command.run, one.found.source) for one in discover(root).commands]
    source = ".github/workflows/ci.yml"
    assert found == [
        ("ci-tox", ".", "tox -e lint", source),
        ("ci-eslint", "web", "npx eslint src", source),
        ("ci-make-check", "tools", "make check", source),
        ("ci-mypy", ".", "python -m mypy --strict src", source),
        ("ci-go-test", ".", "go test ./...", source),
    ]


def test_a_step_is_written_down_where_it_runs_not_where_it_stands(tmp_path: Path) -> None:
    root = plant(tmp_path, {".github/workflows/ci.yml": WORKFLOW})
    given = [
        CommandConfig(name="mine", run="npx eslint src", line=1, cwd="./web/"),
        CommandConfig(name="other", run="make check", line=2),
    ]
    found = [one.command.name for one in discover(root, given=given).commands]
    assert found == ["ci-tox", "ci-make-check", "ci-mypy", "ci-go-test"]


def test_steps_that_do_the_same_in_several_folders_have_names_of_their_own(tmp_path: Path) -> None:
    steps = "".join(f"      - {{run: make check, working-directory: {folder}}}\n" for folder in "ab")
    text = f"on: [push]\njobs:\n  checks:\n    steps:\n{steps}"
    found = discover(plant(tmp_path, {".github/workflows/ci.yml": text})).commands
    assert [(one.command.name, one.command.cwd) for one in found] == [("ci-make-check", "a"), ("ci-make-check-2", "b")]


def test_what_a_manifest_declares_goes_before_a_step(tmp_path: Path) -> None:
    manifests = {"go.mod": "module a", "pyproject.toml": "[tool.mypy]\n", "tools/Makefile": "check:\n"}
    found = runs(plant(tmp_path, {".github/workflows/ci.yml": WORKFLOW, **manifests}))
    assert [name for name in found if name.startswith("ci-")] == ["ci-tox", "ci-eslint"]
    assert {"make -s check", "go vet ./..."} <= set(found.values())


@pytest.mark.parametrize(
    "text", ["a: [", "jobs: 1", "jobs: {a: {steps: [1, {run: 2}, {run: pytest, working-directory: 3}]}}", "- a", "\0"]
)
def test_a_workflow_that_is_none_is_left_out(tmp_path: Path, text: str) -> None:
    root = plant(tmp_path, {".github/workflows/ci.yml": text})
    found = discover(root)
    assert found.commands == ()
    unreadable = text in ("a: [", "\0")
    assert [note.startswith(".github/workflows/ci.yml cannot be read") for note in found.notes] == [True] * unreadable
