"""Shell, Ruby, PHP, and what runs the commands of any language: make, just, task, pre-commit, Docker."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from pytest_cbx.config.model import Phase
from pytest_cbx.frameworks.model import Found
from pytest_cbx.frameworks.project import Folder, Project, table

_TARGETS = {
    "build": (Phase.COMPILE, "build"), "all": (Phase.COMPILE, "build"), "lint": (Phase.CHECK, "lint"), "check": (Phase.CHECK, "unit"),
    "test": (Phase.CHECK, "unit"), "fmt-check": (Phase.CHECK, "lint"), "format-check": (Phase.CHECK, "lint"),
    "typecheck": (Phase.CHECK, "lint"), "integration": (Phase.CHECK, "integration"), "e2e": (Phase.CHECK, "e2e"),
}  # fmt: skip
"""Names of targets that mean the same everywhere."""
_SCRIPTS_MAX = 200


def shell(folder: Folder, project: Project) -> Iterator[Found]:
    """Scripts for shellcheck, tests for bats. Of scripts all of the project at once, from its top."""
    bats = sorted(name for name in folder.files if name.endswith(".bats"))
    if bats:
        program, home = _bats(folder, project)
        yield Found(
            language="sh", what="test", run=f"{program} --formatter tap {shlex.join(bats)}", source=bats[0], results="tap:-",
            needs_of=((home, "js", "install"),), tags=("unit",),
        )  # fmt: skip
    if folder.place != ".":
        return
    scripts = [
        name if one.place == "." else f"{one.place}/{name}"
        for one in project.folders
        for name in sorted(one.files)
        if name.endswith((".sh", ".bash"))
    ]
    if scripts:
        yield Found(
            language="sh", what="lint", run=f"shellcheck --format json1 {shlex.join(scripts[:_SCRIPTS_MAX])}", source=scripts[0],
            results="shellcheck:-", tags=("lint",),
        )  # fmt: skip


def _bats(folder: Folder, project: Project) -> tuple[str, str]:
    """That of a package of the project where there is one, and where that is; else that of the system."""
    for one in project.folders:
        if "bats" in table(one.json("package.json"), "devDependencies"):
            up = "../" * (folder.place.count("/") + 1 if folder.place != "." else 0)
            return f"{up}{one.place}/node_modules/bats/bin/bats".replace("/./", "/").removeprefix("./"), one.place
    return "bats", ""


def ruby(folder: Folder, project: Project) -> Iterator[Found]:
    """A bundle: RSpec, Minitest by rake, RuboCop."""
    gems = folder.text("Gemfile")
    if not gems:
        return
    yield Found(
        language="ruby", what="install", run="bundle install --quiet", source="Gemfile", phase=Phase.DEPENDENCIES, tags=("install",),
        timeout=900,
    )  # fmt: skip

    def named(gem: str) -> bool:
        return re.search(rf"""^\s*gem\s+['"]{gem}['"]""", gems, re.MULTILINE) is not None

    if named("rspec") or named("rspec-rails"):
        yield Found(
            language="ruby",
            what="spec",
            # The bundle's own settings are in `.bundle`, and nobody commits what is there.
            run="bundle exec rspec --format progress --format json --out .bundle/cbx-spec.json",
            source="rspec in Gemfile",
            needs=("install",),
            results="rspec:.bundle/cbx-spec.json",
            tags=("unit",),
        )
    elif folder.has("Rakefile") and "test" in folder.folders:
        yield Found(
            language="ruby",
            what="test",
            run="bundle exec rake test",
            source="Rakefile",
            needs=("install",),
            tags=("unit",),
        )
    if named("rubocop"):
        yield Found(
            language="ruby", what="lint", run="bundle exec rubocop --format quiet", source="rubocop in Gemfile", needs=("install",),
            tags=("lint",),
        )  # fmt: skip


def php(folder: Folder, project: Project) -> Iterator[Found]:
    """What Composer requires: PHPUnit, PHPStan, PHP-CS-Fixer."""
    required = table(folder.json("composer.json"), "require-dev")
    if not folder.has("composer.json"):
        return
    yield Found(
        language="php", what="install", run="composer install --no-interaction --quiet", source="composer.json",
        phase=Phase.DEPENDENCIES, tags=("install",), timeout=900,
    )  # fmt: skip
    tools = (
        ("phpunit/phpunit", "unit", "vendor/bin/phpunit --log-junit vendor/.cbx.xml", "junit:vendor/.cbx.xml"),
        ("phpstan/phpstan", "types", "vendor/bin/phpstan analyse --no-progress", ""),
        ("friendsofphp/php-cs-fixer", "format-check", "vendor/bin/php-cs-fixer check", ""),
    )
    for package, what, run, results in tools:
        if package in required:
            yield Found(
                language="php", what=what, run=run, source=f"{package} in composer.json", needs=("install",), results=results,
                tags=("unit" if what == "unit" else "lint",),
            )  # fmt: skip


def make(folder: Folder, project: Project) -> Iterator[Found]:
    """Targets of a makefile whose names mean the same everywhere."""
    name = next((one for one in ("GNUmakefile", "makefile", "Makefile") if folder.has(one)), "")
    targets = (
        re.findall(r"^([\w./-]+(?:[ \t]+[\w./-]+)*)[ \t]*::?(?!=)", folder.text(name), re.MULTILINE) if name else []
    )
    known = {one for line in targets for one in line.split()}
    if "build" in known:
        known.discard("all")
    yield from _targets("make", "make -s", known, name)


def just(folder: Folder, project: Project) -> Iterator[Found]:
    """Recipes of a justfile, which have no parameters."""
    name = next((one for one in folder.files if one.lower() in ("justfile", ".justfile")), "")
    known = set(re.findall(r"^@?([\w-]+)\s*:(?!=)", folder.text(name), re.MULTILINE)) if name else set()
    yield from _targets("just", "just", known, name)


def task(folder: Folder, project: Project) -> Iterator[Found]:
    """Tasks of a Taskfile."""
    name = next(
        (one for one in ("Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml") if folder.has(one)), ""
    )
    _, _, tasks = folder.text(name).partition("\ntasks:") if name else ("", "", "")
    yield from _targets("task", "task --silent", set(re.findall(r"^ {2}([\w-]+):", tasks, re.MULTILINE)), name)


def _targets(language: str, program: str, known: set[str], source: str) -> Iterator[Found]:
    for target, (phase, kind) in _TARGETS.items():
        if target in known:
            needs = tuple(one for one in ("build", "all") if one in known) if phase is Phase.CHECK else ()
            yield Found(
                language=language, what=target, run=f"{program} {target}", source=f"{target} in {source}", phase=phase, needs=needs,
                tags=(kind,), memory="1GB",
            )  # fmt: skip


def others(folder: Folder, project: Project) -> Iterator[Found]:
    """pre-commit, a Docker build of tests, collections of Newman, scanners that are configured."""
    if folder.has(".pre-commit-config.yaml"):
        yield Found(
            language="pre-commit", what="run", run="pre-commit run --all-files", source=".pre-commit-config.yaml", tags=("lint",),
            timeout=900,
        )  # fmt: skip
    if folder.has("Dockerfile.test"):
        yield Found(
            language="docker", what="test", run="docker build --file Dockerfile.test .", source="Dockerfile.test", tags=("integration",),
            timeout=1800,
        )  # fmt: skip
    for name in sorted(folder.files):
        if name.endswith(".postman_collection.json"):
            yield Found(
                language="api", what=name.removesuffix(".postman_collection.json").lower().replace(" ", "-"),
                run=f"newman run {shlex.quote(name)}", source=name, tags=("integration",),
            )  # fmt: skip
    if folder.has(".semgrep.yml", ".semgrep.yaml"):
        rules = ".semgrep.yml" if folder.has(".semgrep.yml") else ".semgrep.yaml"
        yield Found(
            language="security", what="semgrep", source=rules,
            # Where its server cannot be reached, it waits minutes for the number of its newest version.
            run=f"semgrep scan --error --quiet --metrics off --disable-version-check --config {rules} --sarif",
            results="sarif:-", tags=("security",), memory="2GB",
        )  # fmt: skip
    if folder.has("trivy.yaml"):
        yield Found(
            language="security", what="trivy", run="trivy fs --exit-code 1 --quiet --format sarif .", source="trivy.yaml",
            results="sarif:-", tags=("security",),
        )  # fmt: skip
