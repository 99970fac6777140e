"""Go, Rust, Java, C and C++: what `go.mod`, `Cargo.toml`, `pom.xml`, `build.gradle` and `CMakeLists.txt` declare."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from pytest_cbx.config.model import Phase
from pytest_cbx.frameworks.model import Found
from pytest_cbx.frameworks.project import Folder, Project, strings, table


def go(folder: Folder, project: Project) -> Iterator[Found]:
    """A module: build, vet, gofmt, test, and golangci-lint or staticcheck where they are configured."""
    if not folder.has("go.mod"):
        return
    heavy = partial(Found, language="go", source="go.mod", memory="2GB", cpus=1.0)
    yield heavy(what="build", run="go build ./...", phase=Phase.COMPILE, tags=("build",))
    yield heavy(what="vet", run="go vet ./...", needs=("build",), tags=("lint",))
    yield Found(language="go", what="format-check", run='test -z "$(gofmt -l .)"', source="go.mod", tags=("lint",))
    yield heavy(what="test", run="go test -json ./...", needs=("build",), results="go:-", tags=("unit",))
    config = next((name for name in folder.files if re.fullmatch(r"\.golangci\.(ya?ml|toml|json)", name)), "")
    if config:
        yield Found(
            language="go",
            what="lint",
            run="golangci-lint run ./...",
            source=config,
            needs=("build",),
            tags=("lint",),
            memory="2GB",
        )
    if folder.has("staticcheck.conf"):
        yield heavy(what="staticcheck", run="staticcheck ./...", needs=("build",), tags=("lint",))


def rust(folder: Folder, project: Project) -> Iterator[Found]:
    """A package, or a workspace for all of its members: test (by nextest where that is configured), clippy, fmt."""
    manifest = folder.toml("Cargo.toml")
    if not manifest or any("workspace" in one.toml("Cargo.toml") for one in project.above(folder)):
        return
    every = " --workspace" if table(manifest, "workspace").get("members") else ""
    heavy = partial(Found, language="rust", source="Cargo.toml", memory="4GB", cpus=1.0, timeout=1200)
    if (folder.path / ".config" / "nextest.toml").is_file():
        profile, report = _nextest(folder)
        yield heavy(
            what="test",
            run=f"cargo nextest run{every}{f' --profile {profile}' if profile else ''} --no-fail-fast",
            results=f"junit:target/nextest/{profile or 'default'}/{report}" if report else "",
            tags=("unit",),
        )
    else:
        yield heavy(what="test", run=f"cargo test{every} --no-fail-fast", results="libtest:-", tags=("unit",))
    yield heavy(what="lint", run=f"cargo clippy{every} --all-targets -- -D warnings", needs=("test",), tags=("lint",))
    yield Found(language="rust", what="format-check", run="cargo fmt --check", source="Cargo.toml", tags=("lint",))


def _nextest(folder: Folder) -> tuple[str, str]:
    """The profile that writes a report, and its file; empty: the default one, or none. The name `ci` is the manual's."""
    hidden = replace(folder, path=folder.path / ".config", files=frozenset({"nextest.toml"}))
    profiles = table(hidden.toml("nextest.toml"), "profile")
    for name in sorted(profiles, key=lambda one: (one != "default", one != "ci", one)):
        if path := table(profiles, name, "junit").get("path"):
            return "" if name == "default" else name, str(path)
    return "", ""


def java(folder: Folder, project: Project) -> Iterator[Found]:
    """A build by Maven or Gradle; its modules are part of it, and all are tested even if one fails: each case is a report."""
    heavy = partial(Found, language="java", what="test", memory="4GB", cpus=1.0, timeout=1800, tags=("unit",))
    if folder.has("pom.xml") and not any(one.has("pom.xml") for one in project.above(folder)):
        program = "./mvnw" if folder.has("mvnw") else "mvn"
        reports = "junit:**/target/surefire-reports/TEST-*.xml"
        yield heavy(run=f"{program} -B -ntp -fae test", source="pom.xml", results=reports)
    gradle = ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts")
    if folder.has(*gradle) and not any(one.has(*gradle) for one in project.above(folder)):
        program = "./gradlew" if folder.has("gradlew") else "gradle"
        source = next(name for name in gradle if folder.has(name))
        reports = "junit:**/build/test-results/*/*.xml"
        yield heavy(run=f"{program} --console=plain --continue test", source=source, results=reports)


def cmake(folder: Folder, project: Project) -> Iterator[Found]:
    """A project by CMake: configure (by a preset where there are some), build, and ctest where tests are declared."""
    text = folder.text("CMakeLists.txt")
    if not re.search(r"^\s*project\s*\(", text, re.MULTILINE | re.IGNORECASE):
        return
    preset, place = _preset(folder) or ("", "build/cbx")
    configure = f"cmake --preset {preset}" if preset else f"cmake -S . -B {place}"
    yield Found(
        language="c", what="configure", run=configure, source=_PRESETS if preset else "CMakeLists.txt", phase=Phase.COMPILE,
        writes=(f"{place}/**",), tags=("build",), memory="1GB",
    )  # fmt: skip
    yield Found(
        language="c", what="build", run=f"cmake --build {place}", source="CMakeLists.txt", phase=Phase.COMPILE, needs=("configure",),
        writes=(f"{place}/**",), tags=("build",), memory="2GB", cpus=1,
    )  # fmt: skip
    if re.search(r"^\s*(enable_testing\s*\(|include\s*\(\s*CTest\s*\))", text, re.MULTILINE | re.IGNORECASE):
        yield Found(
            language="c", what="test", run=f"ctest --test-dir {place} --output-on-failure --output-junit cbx.xml",
            source="CMakeLists.txt", needs=("build",), results=f"junit:{place}/cbx.xml", writes=(f"{place}/**",), tags=("unit",),
            memory="1GB",
        )  # fmt: skip


_PRESETS = "CMakePresets.json"
_FIT = re.compile(r"[\w./+-]+")


def _preset(folder: Folder) -> tuple[str, str] | None:
    """The preset that a project means first of all, and where it builds: that of its first tests, else the first that is there to be used.

    None where that depends on the machine. Source: cmake-presets(7).
    """
    content = folder.json(_PRESETS)
    by_name = {one["name"]: one for one in _presets(content, "configurePresets")}
    tests = [one.get("configurePreset") for one in _presets(content, "testPresets") if not one.get("hidden")]
    usable = [name for name, one in by_name.items() if not one.get("hidden") and "condition" not in one]
    name = next((one for one in (*tests, *usable) if one in usable), "")
    place = _inherited(name, by_name, "binaryDir").replace("${presetName}", name).removeprefix("${sourceDir}/")
    inside = _FIT.fullmatch(place) and not place.startswith(("/", ".."))
    return (name, posixpath.normpath(place)) if inside and _FIT.fullmatch(name) else None


def _presets(content: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = content.get(kind)
    return [
        one
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    ]


def _inherited(name: str, by_name: dict[str, dict[str, Any]], key: str) -> str:
    """What a preset, or the first of those that it inherits from, says."""
    todo, seen = [name], set[str]()
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        preset = by_name.get(one, {})
        if isinstance(preset.get(key), str):
            return str(preset[key])
        above = preset.get("inherits", [])
        names = [above] if isinstance(above, str) else strings(above)
        todo += reversed(names)
    return ""


def meson(folder: Folder, project: Project) -> Iterator[Found]:
    """A project by Meson."""
    if not re.search(r"^\s*project\s*\(", folder.text("meson.build"), re.MULTILINE):
        return
    yield Found(
        language="c", what="meson-setup", run="meson setup --reconfigure build/meson", source="meson.build", phase=Phase.COMPILE,
        writes=("build/meson/**",), tags=("build",),
    )  # fmt: skip
    yield Found(
        language="c", what="meson-test", run="meson test -C build/meson", source="meson.build", needs=("meson-setup",),
        results="junit:build/meson/meson-logs/testlog.junit.xml", writes=("build/meson/**",), tags=("unit",), memory="1GB",
    )  # fmt: skip
