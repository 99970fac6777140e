"""Which edges there are, and what they say."""

from __future__ import annotations

import pytest

from pytest_cbx.plan.graph import build_edges
from pytest_cbx.plan.model import EdgeKind, Request

from .world import claim, reachable, request


def _edges(*commands: Request) -> set[str]:
    """`before→after: reason`, joins as `*`."""
    names = [command.name for command in commands]
    _, edges = build_edges(commands)

    def name(node: int) -> str:
        return names[node] if node < len(names) else "*"

    return {f"{name(edge.before)}→{name(edge.after)}: {edge.reason}" for edge in edges}


def test_commands_that_share_nothing_wait_for_nobody() -> None:
    assert not _edges(request("a", "write x"), request("b", "write y"), request("c", "read z"))


def test_last_writer_then_readers_then_next_writer() -> None:
    assert _edges(
        request("w1", "write f"),
        request("r1", "read f"),
        request("r2", "read f"),
        request("w2", "write f"),
        request("r3", "read f"),
    ) == {
        "w1→r1: reads f that w1 writes",
        "w1→r2: reads f that w1 writes",
        "r1→w2: writes f that r1 reads",
        "r2→w2: writes f that r2 reads",
        "w2→r3: reads f that w2 writes",
    }


def test_formatter_and_linters_on_sources() -> None:
    assert _edges(
        request("format", "write src/** (sources)"),
        request("lint", "read src/** (sources)", claim("cache .lint/**", ignored=True)),
        request("types", "read src/a.py"),
        request("sort", "write src/** (sources)"),
    ) == {
        "format→lint: reads src/** that format writes",
        "format→types: reads src/a.py that format writes",
        "lint→sort: writes src/** that lint reads",
        "types→sort: writes src/a.py that types reads",
    }


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("append data/log.txt", "append data/log.txt", "both append to data/log.txt"),
        ("write data/log.txt", "write data/log.txt", "both write data/log.txt"),
        ("create build", "write build/app", "writes build/app in build, which a creates"),
        ("write build/app", "delete build", "deletes build, in which a writes build/app"),
        ("delete src/a.py", "read src", "reads src, in which a deletes src/a.py"),
        ("write lock:database", "write lock:database", "both hold lock database"),
        ("write port:8080", "write port:*", "both bind port 8080"),
        ("write process:*", "write process:*", "both signal process *"),
        ("cache .cache/**", "delete .cache", "deletes .cache that a caches in"),
    ],
)
def test_reasons(first: str, second: str, reason: str) -> None:
    assert _edges(request("a", first), request("b", second)) == {f"a→b: {reason}"}


def test_a_need_is_not_told_twice() -> None:
    commands = (request("install", "write node_modules/**"), request("test", "read node_modules/**", needs=["install"]))
    assert _edges(*commands) == {"install→test: needs install"}
    assert build_edges(commands)[1][0].kind is EdgeKind.NEEDS


def test_needs_are_kept_where_another_edge_implies_them() -> None:
    edges = _edges(request("a"), request("b", needs=["a"]), request("c", needs=["a", "b"]))
    assert edges == {"a→b: needs a", "b→c: needs b", "a→c: needs a"}


def test_a_need_against_the_list_turns_the_conflict_too() -> None:
    assert _edges(request("use", "write f", needs=["make"]), request("make", "write f")) == {"make→use: needs make"}
    assert _edges(request("use", "read f", needs=["late"]), request("make", "write f"), request("late", "read g")) == {
        "make→use: reads f that make writes",
        "late→use: needs late",
    }


def test_many_readers_before_many_writers_meet_in_a_join() -> None:
    commands = [request(f"r{n}", "read **") for n in range(30)] + [request(f"w{n}", f"write f{n}") for n in range(30)]
    joins, edges = build_edges(commands)
    assert len(joins) == 1
    assert joins[0].number == 60
    assert joins[0].reason == "all so far that read **"
    assert len(edges) < 150
    told = {edge.reason for edge in edges if edge.before == 60}
    assert "writes f29 that they read" in told
    after = reachable(61, edges)
    assert all(after[reader] >> writer & 1 for reader in range(30) for writer in range(30, 60))


def test_readers_and_writers_in_turns_cost_a_few_edges_each() -> None:
    commands = [request(f"c{n}", f"write d/f{n}" if n % 2 else "read **") for n in range(2000)]
    _, edges = build_edges(commands)
    assert len(edges) < 5 * len(commands)


def test_different_globs_of_one_directory_stay_cheap_and_ordered() -> None:
    commands = [request(f"r{n}", f"glob read src/*.x{n}") for n in range(200)] + [request("w", "write src/a.x199")]
    _, edges = build_edges(commands)
    after = reachable(len(commands) + len(edges), edges)
    assert after[199] >> 200 & 1
    assert not after[0] >> 200 & 1


def test_no_commands_no_graph() -> None:
    assert build_edges([]) == ((), ())


def test_making_a_directory_does_not_hide_who_wrote_into_it_before() -> None:
    commands = (
        request("write", "write src/lib/x.py"),
        request("mkdir", "create src/lib"),
        request("lint", "glob read src/**/*.py"),
    )
    assert _edges(*commands) == {
        "write→mkdir: creates src/lib, in which write writes src/lib/x.py",
        "write→lint: reads src/lib/x.py that write writes",
    }


def test_a_glob_waits_for_who_wrote_a_match() -> None:
    commands = (request("w", "write src/a.py"), request("other", "write src/a.c"), request("r", "glob read src/*.py"))
    assert _edges(*commands) == {"w→r: reads src/a.py that w writes"}
