"""What was seen becomes claims that cover it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.client.generalise import CROWD, MODES, MOST, beyond, claims_seen, merged, temporary_pattern
from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.conflicts import overlap
from pytest_cbx.plan.model import Claim, Domain, Mode

NAMES = st.sampled_from(
    [
        "a",
        "b",
        "out",
        "x.py",
        "tmpab12cd34",
        "f.17034",
        "deadbeef0123",
        "__pycache__",
        "with*star",
        "[x]",
        "\udcff",
        " ",
    ]
)
PATHS = st.one_of(
    st.lists(NAMES, min_size=1, max_size=4).map("/".join),
    st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/".join(["/srv", *parts])),
    st.builds(lambda d, n: f"{d}/n{n}", st.sampled_from(["d", "d/e", "/srv/d"]), st.integers(0, 400)),
    st.integers(0, 300).map(lambda number: f"top{number}"),
)
TOUCHED = st.lists(st.tuples(st.sampled_from(sorted(MODES)), PATHS), max_size=60)


def said(claims: tuple[Claim, ...]) -> list[str]:
    return [str(claim) for claim in claims]


def covers(claim: Claim, mode: str, path: str) -> bool:
    """Whether whoever would meet this touch meets the claim too."""
    if MODES[mode] is not Mode.READ and claim.mode is Mode.READ:
        return False
    here = Claim(domain=Domain.FILE, mode=Mode.READ, target=path)
    return overlap(here, dataclasses.replace(claim, mode=Mode.READ))


def made_for_more(claims: tuple[Claim, ...], touched: list[tuple[str, str]], path: str) -> bool:
    """A directory that was made for what is in it is claimed by that alone, whatever else was done to it."""
    return ("create", path) in touched and any(
        claim.mode is not Mode.READ and claim.target.startswith(f"{path}/") for claim in claims
    )


@given(touched=TOUCHED)
def test_nothing_that_was_touched_is_left_out(touched: list[tuple[str, str]]) -> None:
    claims = claims_seen(touched)
    for mode, path in touched:
        assert any(covers(claim, mode, path) for claim in claims) or made_for_more(claims, touched, path), (mode, path)
    assert len(claims) <= MOST


@given(touched=TOUCHED)
def test_the_order_does_not_matter_and_a_second_time_changes_nothing(touched: list[tuple[str, str]]) -> None:
    claims = claims_seen(touched)
    assert claims_seen(reversed(touched)) == claims
    assert merged(claims) == claims
    assert merged(claims, claims) == claims


@given(runs=st.lists(TOUCHED, max_size=4))
def test_runs_merged_cover_each_of_them(runs: list[list[tuple[str, str]]]) -> None:
    claims = merged(*(claims_seen(run) for run in runs))
    for run in runs:
        for mode, path in run:
            assert any(covers(claim, mode, path) for claim in claims) or made_for_more(claims, run, path)


@given(touched=TOUCHED, again=TOUCHED)
def test_what_was_learned_is_foreseen_the_next_time(
    touched: list[tuple[str, str]], again: list[tuple[str, str]]
) -> None:
    predicted = claims_seen(touched)
    assert beyond(predicted, claims_seen(touched)) == ()
    extra = beyond(predicted, claims_seen(again))
    assert beyond((*predicted, *extra), claims_seen(again)) == ()


@pytest.mark.parametrize(
    ("touched", "claims"),
    [
        ([("write", "a.txt")], ["write a.txt"]),
        ([("create", "dist"), ("create", "dist/x")], ["create dist/x"]),
        ([("create", "x"), ("write", "x"), ("delete", "x")], ["delete x"]),
        ([("read", "x"), ("write", "x")], ["read x", "write x"]),
        ([("write", f"out/{n}") for n in range(CROWD)], [f"write out/{n}" for n in range(CROWD)]),
        ([("create", f"out/{n}") for n in range(CROWD + 1)], ["write out/**"]),
        ([("read", f"out/{n}") for n in range(CROWD + 1)], ["read out/**"]),
        ([("write", f"m/{n}/f{k}") for n in range(20) for k in range(20)], ["write m/**"]),
        ([("write", f"top{n}") for n in range(30)], sorted(f"write top{n}" for n in range(30))),
        ([("write", f"top{n}") for n in range(100)], ["write **"]),
        ([("write", "build/tmpab12cd34/x")], ["write build/tmp*/x"]),
        ([("write", "log.20391"), ("write", "log.20392")], ["write log.*"]),
        ([("write", "src/__pycache__/a.pyc"), ("delete", "src/__pycache__/b.pyc")], ["cache src/__pycache__/**"]),
        ([("write", "/tmp/x"), ("write", "/dev/null"), ("read", "/proc/self/maps")], []),
        ([("write", "/root/.cache/go/ab")], ["cache /root/.cache/go/**"]),
        ([("write", "/root/.cache/12345.lock")], ["cache /root/.cache/**"]),
    ],
)
def test_examples(touched: list[tuple[str, str]], claims: list[str]) -> None:
    assert said(claims_seen(touched, caches=("/root/.cache",))) == claims


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("report.17034.tmp", "report.*.tmp"),
        ("tmpa8d_x1k2", "tmp*"),
        ("sedAb12Cd", "sed*"),
        ("module.cpython-311.pyc.140213213", "module.cpython-311.pyc.*"),
        ("0f3a9c55d2", "*"),
        ("Makefile", None),
        ("report-2026.txt", None),
        ("deadbeef", None),
        ("x86_64", None),
        ("tmp", None),
        ("sediment", None),
        ("a*12345", None),
    ],
)
def test_names_that_look_temporary(name: str, pattern: str | None) -> None:
    assert temporary_pattern(name) == pattern


def claim(text: str) -> Claim:
    mode, target = text.split()
    scope = Scope.PATH
    if target.endswith("/**"):
        target, scope = target[:-3], Scope.TREE
    elif "*" in target:
        scope = Scope.GLOB
    return Claim(domain=Domain.FILE, mode=Mode(mode), target=target, scope=scope)


@pytest.mark.parametrize(
    ("predicted", "seen", "is_new"),
    [
        ("write out/**", "delete out/x", False),
        ("cache .pytest_cache/**", "write .pytest_cache/v/x", False),
        ("read src/**", "write src/x", True),
        ("read src/**", "read src/x", False),
        ("write src/x", "read src/x", False),
        ("write dist/a.whl", "create dist", False),
        ("write dist/a.whl", "delete dist", True),
        ("write *.o", "write a.o", False),
        ("write *.o", "write sub/a.o", True),
        ("write x", "write y", True),
    ],
)
def test_what_is_new(predicted: str, seen: str, is_new: bool) -> None:
    assert bool(beyond([claim(predicted)], [claim(seen)])) is is_new
