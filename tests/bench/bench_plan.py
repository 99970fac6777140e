"""How fast plans are built: `python tests/bench/bench_plan.py [COMMANDS]` prints a table, asserts nothing.

Seconds are this process's own (CPU), so that a busy machine does not blur them.

Each shape is planned twice, once for the time and once under tracemalloc for the peak memory of the plan itself.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
import tracemalloc
from collections.abc import Callable

import msgspec

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.build import build_plan
from pytest_cbx.plan.export import to_json
from pytest_cbx.plan.graph import build_edges
from pytest_cbx.plan.model import Claim, Domain, Mode, Request
from pytest_cbx.plan.render import render_plan
from pytest_cbx.tier import Tier


def _file(mode: Mode, target: str, scope: Scope = Scope.PATH, *, ignored: bool = False) -> Claim:
    return Claim(domain=Domain.FILE, mode=mode, target=target, scope=scope, ignored=ignored)


def _requests(count: int, claims: Callable[[int], list[Claim]]) -> list[Request]:
    return [
        Request(name=f"c{number}", text="true", tier=Tier.CONDITIONAL_PARALLEL, claims=tuple(claims(number)))
        for number in range(count)
    ]


def random_paths(count: int) -> list[Request]:
    """Five paths each of 20,000 in 400 directories; one in five is written."""
    rng = random.Random(1)

    def claims(_: int) -> list[Claim]:
        picked = (rng.randrange(20_000) for _ in range(5))
        return [
            _file(Mode.WRITE if rng.random() < 0.2 else Mode.READ, f"src/p{at % 400}/mod/f{at}.py") for at in picked
        ]

    return _requests(count, claims)


def few_paths(count: int) -> list[Request]:
    """Five paths each of only 50: everything meets."""
    rng = random.Random(2)
    return _requests(
        count,
        lambda _: [_file(rng.choice((Mode.READ, Mode.WRITE)), f"data/f{rng.randrange(50)}") for _ in range(5)],
    )


def readers_and_writers(count: int) -> list[Request]:
    """Readers of the whole tree and writers of distinct files, in turns."""
    return _requests(
        count,
        lambda n: [_file(Mode.WRITE, f"out/d{n % 97}/f{n}")] if n % 2 else [_file(Mode.READ, ".", Scope.TREE)],
    )


def readers_then_writers(count: int) -> list[Request]:
    """First all readers of the tree, then all writers of distinct files."""
    return _requests(
        count,
        lambda n: [_file(Mode.READ, ".", Scope.SOURCES)] if n < count // 2 else [_file(Mode.WRITE, f"out/f{n}")],
    )


def writers_then_readers(count: int) -> list[Request]:
    """First all writers of distinct files, then all readers of the tree."""
    return _requests(
        count,
        lambda n: [_file(Mode.WRITE, f"out/f{n}")] if n < count // 2 else [_file(Mode.READ, ".", Scope.TREE)],
    )


def deep_trees(count: int) -> list[Request]:
    """Trees at every depth of one deep path, read and written by chance."""
    rng = random.Random(3)

    def claims(_: int) -> list[Claim]:
        path = "/".join(rng.choice("abc") for _ in range(rng.randrange(1, 12)))
        return [_file(rng.choice((Mode.READ, Mode.READ, Mode.WRITE, Mode.CACHE)), path, Scope.TREE)]

    return _requests(count, claims)


def different_globs(count: int) -> list[Request]:
    """A glob of its own for each command, all in one directory, with writers of files that few of them meet."""
    return _requests(
        count,
        lambda n: (
            [_file(Mode.WRITE, f"src/f{n}.x{n - 1}")] if n % 2 else [_file(Mode.READ, f"src/**/*.x{n}", Scope.GLOB)]
        ),
    )


def sources_and_caches(count: int) -> list[Request]:
    """What linters and formatters do: read the sources, write an ignored cache, now and then rewrite the sources."""

    def claims(n: int) -> list[Claim]:
        if n % 100 == 99:
            return [_file(Mode.WRITE, "src", Scope.SOURCES)]
        cache = _file(Mode.CACHE, f".cache/tool{n % 10}", Scope.TREE, ignored=True)
        report = _file(Mode.WRITE, f"build/report{n}.xml", ignored=True)
        return [_file(Mode.READ, "src", Scope.SOURCES), _file(Mode.READ, "tests", Scope.SOURCES), cache, report]

    return _requests(count, claims)


SHAPES = (
    random_paths,
    few_paths,
    readers_and_writers,
    readers_then_writers,
    writers_then_readers,
    deep_trees,
    different_globs,
    sources_and_caches,
)


def main() -> None:
    """Plan every shape and print one line for each."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(
        f"{'shape':<22}{'claims':>8}{'edges':>9}{'joins':>7}{'edges s':>9}{'plan s':>8}{'json s':>8}{'text s':>8}{'MB':>6}"
    )
    for shape in SHAPES:
        commands = shape(count)
        marks = [time.process_time()]
        joins, edges = build_edges(commands)
        marks.append(time.process_time())
        plan = build_plan(commands, slots=8)
        marks.append(time.process_time())
        msgspec.json.encode(to_json(plan))
        marks.append(time.process_time())
        render_plan(plan)
        marks.append(time.process_time())
        del plan
        tracemalloc.start()
        build_plan(commands, slots=8)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        times = [after - before for before, after in itertools.pairwise(marks)]
        total = sum(len(command.claims) for command in commands)
        print(
            f"{shape.__name__:<22}{total:>8}{len(edges):>9}{len(joins):>7}"
            f"{times[0]:>9.2f}{times[1]:>8.2f}{times[2]:>8.2f}{times[3]:>8.2f}{peak:>6.0f}"
        )


if __name__ == "__main__":
    main()
