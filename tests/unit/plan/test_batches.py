"""Batches: what belongs together, and how many of it run at once."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.config.model import Batch
from pytest_cbx.effects.model import Effects, Estimate, ProgramUse
from pytest_cbx.plan.batches import KINDS, SHAPES, pools, shapes_of
from pytest_cbx.plan.build import build_plan
from pytest_cbx.plan.export import to_json
from pytest_cbx.plan.model import Pool, Request
from pytest_cbx.plan.render import render_plan
from pytest_cbx.tier import Tier


def request(name: str, *needs: str, place: str = ".", pool: str = "", programs: tuple[str, ...] = ()) -> Request:
    uses = tuple(ProgramUse(name=program, conditional=False, known=True) for program in programs)
    effects = Effects(effects=(), programs=uses, estimate=Estimate(), readable=True)
    return Request(
        name=name, text=name, tier=Tier.SAFE_PARALLEL, claims=(), needs=needs, place=place, pool=pool, effects=effects
    )


def named(found: list[Pool | None]) -> list[str]:
    return [f"{one.name} {one.depth}" if one is not None else "" for one in found]


def test_by_directory_the_outermost_folder_counts() -> None:
    places = [".", "src", "src/a/b", "docs/", "./test/x", "web", "..", "../other"]
    requests = [request(str(number), place=place) for number, place in enumerate(places)]
    found = named(pools(requests, Batch.DIRECTORY, {"web": 1}))
    assert found == ["", "src 4", "src 4", "docs 2", "test 4", "web 1", "", ""]


@pytest.mark.parametrize(
    ("programs", "kind"),
    [
        (("pytest",), "test"),
        (("npm", "jest"), "test"),
        (("make", "grep"), "build"),
        (("grep", "sort"), "analysis"),
        (("git", "grep"), "analysis"),
        (("git",), "status"),
        (("frobnicate",), ""),
        ((), ""),
    ],
)
def test_by_kind_the_first_that_a_command_does_counts(programs: tuple[str, ...], kind: str) -> None:
    found = named(pools([request("a", programs=programs)], Batch.KIND, {}))
    assert found == [f"{kind} {KINDS[kind]}" if kind else ""]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("go test ./...", "test"),
        ("cd a && npm run test", "test"),
        ("go build && ./test", "build"),
        ("make tests", "build"),
    ],
)
def test_a_build_program_that_is_told_to_test(text: str, kind: str) -> None:
    one = request(text, programs=("go", "npm", "make"))
    assert named(pools([one], Batch.KIND, {})) == [f"{kind} {KINDS[kind]}"]


@pytest.mark.parametrize(
    ("needs", "shape"),
    [
        ({"a": ()}, "independent"),
        ({"a": ("nobody",)}, "independent"),
        ({"a": (), "b": ("a",), "c": ("b",)}, "chain"),
        ({"a": (), "b": ("a",), "c": ("a",)}, "tree"),
        ({"a": (), "b": (), "c": ("a", "b")}, "tree"),
        ({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}, "network"),
        ({"a": (), "b": (), "c": ("a", "b"), "d": ("c",), "e": ("c",)}, "network"),
    ],
)
def test_the_shape_of_a_group(needs: dict[str, tuple[str, ...]], shape: str) -> None:
    assert set(shapes_of(needs, needs).values()) == {shape}
    requests = [request(name, *of) for name, of in needs.items()]
    assert set(named(pools(requests, Batch.DEPENDENCY, {}))) == {f"{shape} {SHAPES[shape]}"}


@given(
    st.integers(1, 12).flatmap(
        lambda count: st.tuples(
            st.just(count), st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)))
        )
    )
)
def test_each_command_has_the_shape_of_its_group(drawn: tuple[int, set[tuple[int, int]]]) -> None:
    """Counted anew, from the edges of each group: a tree that is not a chain has one edge less than members."""
    count, pairs = drawn
    edges = {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}
    names = [str(number) for number in range(count)]
    needs = {name: tuple(str(a) for a, b in edges if str(b) == name) for name in names}
    shapes = shapes_of(names, needs)
    assert set(shapes) == set(names)
    for a, b in edges:
        assert shapes[str(a)] == shapes[str(b)]
    for name, shape in shapes.items():
        touching = [edge for edge in edges if name in map(str, edge)]
        assert (shape == "independent") == (not touching)
        ins, outs = sum(str(b) == name for _, b in edges), sum(str(a) == name for a, _ in edges)
        if shape == "chain":
            assert ins <= 1
            assert outs <= 1
        if ins > 1 and outs > 1:
            assert shape == "network"


@pytest.mark.parametrize(
    ("middle", "shape"), [((), "chain"), (("lint",), "network")], ids=["a chain stays one", "a network is one"]
)
def test_shards_do_not_change_the_shape_of_a_group(middle: tuple[str, ...], shape: str) -> None:
    """As needs alone, three shards between two commands both fork and join."""
    shards = [dataclasses.replace(request(f"unit#{n}/3", "build"), part_of="unit") for n in (1, 2, 3)]
    others = [request(name, "build") for name in middle]
    after = request("publish", *(one.name for one in (*shards, *others)))
    found = named(pools([request("build"), *shards, *others, after], Batch.DEPENDENCY, {}))
    assert set(found) == {f"{shape} {SHAPES[shape]}"}
    assert len(found) == 5 + len(middle)


def test_the_shards_of_a_command_that_nobody_needs_are_independent() -> None:
    shards = [dataclasses.replace(request(f"unit#{n}/2"), part_of="unit") for n in (1, 2)]
    assert named(pools(shards, Batch.DEPENDENCY, {})) == ["independent 12", "independent 12"]


def test_a_pool_of_its_own_goes_before_the_batch() -> None:
    requests = [request("a", pool="net"), request("b")]
    assert named(pools(requests, Batch.DEPENDENCY, {"net": 3, "independent": 9})) == ["net 3", "independent 9"]
    assert named(pools(requests, Batch.OFF, {"net": 3})) == ["net 3", ""]


def test_a_plan_shows_it() -> None:
    plan = build_plan([request("a"), request("b", pool="net")], slots=2, batch=Batch.OFF, depths={"net": 3})
    lines = render_plan(plan).splitlines()
    assert [line.endswith("pool net (3 at once)") for line in lines if "priority" in line] == [False, True]
    assert [(one.pool, one.pool_depth) for one in to_json(plan).commands] == [(None, None), ("net", 3)]
