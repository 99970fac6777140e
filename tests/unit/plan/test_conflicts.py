"""The matrix as the founding documents have it, and what overlaps with what."""

from __future__ import annotations

import pytest
from hypothesis import given

from pytest_cbx.plan.conflicts import CLASHES, MATRIX, Operation, Resource, Verdict, conflict, verdict
from pytest_cbx.plan.model import Claim, Domain, Mode

from .strategies import claims
from .world import claim


def test_every_cell_of_the_matrix_is_there() -> None:
    assert set(MATRIX) == {(operation, resource) for operation in Operation for resource in Resource}


@pytest.mark.parametrize(
    ("operation", "cells"),
    [
        (Operation.READ, "✓✓✓✓✓"),
        (Operation.WRITE, "⚠⚠⚠⚠✓"),
        (Operation.CREATE, "⚠⚠✓⚠✓"),
        (Operation.DELETE, "✗✗⚠⚠✓"),
        (Operation.MODIFY, "⚠⚠⚠⚠✓"),
        (Operation.SYSTEM, "✗✗✗✗⚠"),
    ],
)
def test_the_matrix_of_the_documents(operation: Operation, cells: str) -> None:
    assert "".join("✓⚠✗"[MATRIX[operation, resource]] for resource in Resource) == cells


@pytest.mark.parametrize("a", Mode)
@pytest.mark.parametrize("b", Mode)
def test_on_one_file_modes_get_along_as_the_model_says(a: Mode, b: Mode) -> None:
    assert (b in CLASHES[Domain.FILE][a]) is not a.gets_along(b)


def test_starting_processes_never_conflicts() -> None:
    assert verdict(Mode.CREATE, Domain.PROCESS) is Verdict.SAFE
    assert conflict(claim("create process:server"), claim("create process:server")) is None
    assert conflict(claim("create process:server"), claim("write process:*"))


CONFLICTS = [
    # the same entry
    ("write src/a.py", "read src/a.py", "src/a.py: read after write"),
    ("read src/a.py", "write src/a.py", "src/a.py: write after read"),
    ("append log", "append log", "log: append after append"),
    ("create build", "create build", "build: create after create"),
    ("cache .cache/**", "write .cache/x", ".cache/x: write after cache"),
    ("cache .cache/**", "read .cache/x", ".cache/x: read after cache"),
    # a change of an entry matters to whoever uses what is below it
    ("create build", "write build/app", "build/app: write after create"),
    ("delete src", "read src/a.py", "src/a.py: read after delete"),
    ("read src/a.py", "write src", "src/a.py: write after read"),
    ("write build/app", "create build", "build/app: create after write"),
    # trees
    ("write src/a.py", "read src/**", "src/a.py: read after write"),
    ("write src/a.py", "read **", "src/a.py: read after write"),
    ("write **", "read **", "**: read after write"),
    ("write src/**", "read src", "src: read after write"),
    ("write src/** (sources)", "read src/lib/** (sources)", "src/lib/**: read after write"),
    # a deletion matters to whoever lists the directory
    ("delete src/a.py", "read src", "src/a.py: read after delete"),
    ("read src", "delete src/lib/**", "src: delete after read"),
    ("read src", "glob delete src/*.o", "src: delete after read"),
    ("read a/b", "glob delete a/**/*.o", "a/b: delete after read"),
    ("glob read s*", "delete src/a.py", "src/a.py: delete after read"),
    # globs
    ("glob write src/*.py", "read src/a.py", "src/a.py: read after write"),
    ("glob write src/**/*.py", "read src/x/y/a.py", "src/x/y/a.py: read after write"),
    ("glob write src/**/*.py", "read src/a.py", "src/a.py: read after write"),
    ("glob write src/**", "read src/a/b", "src/a/b: read after write"),
    ("glob write **/*.py", "read src/lib/**", "src/lib/**: read after write"),
    ("glob write build*", "read build-1/x", "build-1/x: read after write"),
    ("glob write *.py", "glob read a*", "*.py: read after write"),
    ("glob read src/{a,b}.py", "write src/b.py", "src/b.py: write after read"),
    ("glob read {src/a,lib/b}.py", "write lib/b.py", "lib/b.py: write after read"),
    ("glob read @(src|lib)/*", "write lib/b.py", "lib/b.py: write after read"),
    ("glob read f[0-9]", "write f7", "f7: write after read"),
    ("glob read f[[:digit:]]", "write f7", "f7: write after read"),
    # a directory that a glob's plain part leads through
    ("delete src", "glob read src/**/*.py", "src: read after delete"),
    ("delete src/lib", "glob read src/lib/*/x.py", "src/lib: read after delete"),
    ("glob delete s*", "glob read src/**/*.py", "src/**/*.py: read after delete"),
    # outside the workspace
    ("write /etc/hosts", "read /etc/**", "/etc/hosts: read after write"),
    ("write /**", "read src/a.py", "src/a.py: read after write"),
    ("read /**", "write src/a.py", "src/a.py: write after read"),
    # names
    ("write lock:db", "write lock:db", "lock db: write after write"),
    ("write lock:db", "read lock:db", "lock db: read after write"),
    ("write port:*", "write port:80", "port 80: write after write"),
    ("write process:7", "write process:*", "process 7: write after write"),
]

NO_CONFLICTS = [
    ("read src/a.py", "read src/**"),
    ("cache .cache/**", "cache .cache/x"),
    ("write src/a.py", "write src/b.py"),
    ("write src/a.py", "read src"),
    ("create src/a.py", "read src"),
    ("write src/**", "write tests/**"),
    ("write src", "read srcs/a"),
    ("delete src/a.py", "delete src/b.py"),
    ("delete src/a.py", "write src/b.py"),
    ("delete src/lib/a.py", "read src"),
    ("glob write src/*.py", "read src/lib/a.py"),
    ("write src/a.c", "glob read src/**/*.py"),
    ("glob write src/*.c", "glob read src/**/*.py"),
    ("glob write src/*.py", "read src/a.c"),
    ("glob write *.py", "glob read *.c"),
    ("glob write src/**/*.py", "glob read tests/**"),
    ("glob write src/a*", "glob read src/b*"),
    ("glob read f[!0-9]", "write f7"),
    (r"glob read \*", "write f7"),
    ("write /etc/hosts", "read **"),
    ("write /tmp/**", "write tmp/x"),
    ("read lock:db", "read lock:db"),
    ("write lock:db", "write lock:cache"),
    ("write port:80", "write port:8080"),
    ("write lock:80", "write port:80"),
    ("write lock:src", "write src"),
]


@pytest.mark.parametrize(("a", "b", "reason"), CONFLICTS, ids=[f"{a} · {b}" for a, b, _ in CONFLICTS])
def test_conflicts(a: str, b: str, reason: str) -> None:
    assert conflict(claim(a), claim(b)) == reason
    assert conflict(claim(b), claim(a)) is not None


@pytest.mark.parametrize(("a", "b"), NO_CONFLICTS, ids=[f"{a} · {b}" for a, b in NO_CONFLICTS])
def test_no_conflicts(a: str, b: str) -> None:
    assert conflict(claim(a), claim(b)) is None
    assert conflict(claim(b), claim(a)) is None


def test_sources_leave_out_what_git_ignores_and_a_tree_does_not() -> None:
    product = claim("write src/a.pyc", ignored=True)
    assert conflict(claim("read src/** (sources)"), product) is None
    assert conflict(product, claim("read src/** (sources)")) is None
    assert conflict(claim("read src/**"), product) is not None
    assert conflict(claim("read src/a.pyc", ignored=True), product) is not None


def test_sources_of_an_ignored_directory_are_all_that_is_in_it() -> None:
    assert conflict(claim("read build/** (sources)", ignored=True), claim("write build/x", ignored=True)) is not None


@given(claims, claims)
def test_conflict_has_no_direction(a: Claim, b: Claim) -> None:
    assert (conflict(a, b) is None) is (conflict(b, a) is None)
