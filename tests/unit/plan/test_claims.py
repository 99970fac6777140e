"""From effects and configuration to claims."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.effects.model import WORKSPACE, Effect, Effects, Estimate, Kind, Place, Scope
from pytest_cbx.plan.claims import FILE_MODES, WHOLE_TREE, claims_of, place_of
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.tier import Tier

SEQUENTIAL = Tier.SEQUENTIAL_REQUIRED


def effects(*items: Effect, readable: bool = True) -> Effects:
    return Effects(effects=items, programs=(), estimate=Estimate(), readable=readable)


def at(kind: Kind, path: str, scope: Scope = Scope.PATH) -> Effect:
    return Effect(kind=kind, place=Place(path=path, scope=scope), program="tool")


def spoken(*items: Effect, tier: Tier = SEQUENTIAL, readable: bool = True) -> list[str]:
    return [str(claim) for claim in claims_of(effects(*items, readable=readable), tier=tier)]


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        (Kind.READ, Mode.READ),
        (Kind.CACHE, Mode.CACHE),
        (Kind.OUTPUT, Mode.WRITE),
        (Kind.WRITE, Mode.WRITE),
        (Kind.METADATA, Mode.WRITE),
        (Kind.APPEND, Mode.APPEND),
        (Kind.CREATE, Mode.CREATE),
        (Kind.DELETE, Mode.DELETE),
        (Kind.DESTROY, Mode.DELETE),
    ],
)
def test_each_effect_with_a_place_is_a_claim_on_it(kind: Kind, mode: Mode) -> None:
    (claim,) = claims_of(effects(at(kind, "src/a")), tier=SEQUENTIAL)
    assert claim == Claim(domain=Domain.FILE, mode=mode, target="src/a")


def test_scopes_are_kept_and_the_order_is_that_of_targets() -> None:
    assert spoken(
        at(Kind.WRITE, "z"),
        at(Kind.READ, "src", Scope.SOURCES),
        at(Kind.CACHE, "**/*.pyc", Scope.GLOB),
        at(Kind.READ, "/x"),
    ) == ["cache **/*.pyc", "read /x", "read src/** (sources)", "write z"]


def test_network_claims_nothing() -> None:
    assert spoken(Effect(kind=Kind.NETWORK, program="curl")) == []


def test_shared_state_is_a_named_lock() -> None:
    assert spoken(Effect(kind=Kind.STATE, program="psql", detail="a database")) == ["write lock:state:a database"]


@pytest.mark.parametrize(
    ("kind", "claim"),
    [(Kind.READ, "read **"), (Kind.CACHE, "cache **"), (Kind.WRITE, "write **"), (Kind.CREATE, "write **")],
)
def test_what_happens_nobody_knows_where_happens_everywhere(kind: Kind, claim: str) -> None:
    assert spoken(Effect(kind=kind, program="tool")) == [claim]


@pytest.mark.parametrize("path", ["/dev/null", "/dev/stderr", "/dev/fd/2"])
def test_devices_that_keep_nothing_are_not_claimed(path: str) -> None:
    assert spoken(at(Kind.WRITE, path), at(Kind.READ, path)) == []


def test_ports_and_processes() -> None:
    assert spoken(Effect(kind=Kind.BIND, detail="8080"), Effect(kind=Kind.KILL, detail="123")) == [
        "write port:8080",
        "write process:123",
    ]
    assert spoken(
        Effect(kind=Kind.BIND, detail="*"),
        Effect(kind=Kind.BIND, detail="8080"),
        Effect(kind=Kind.KILL, detail="all named node"),
    ) == ["write port:*", "write process:*"]


# --- the whole work tree ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.UNKNOWN, Kind.EXECUTE])
def test_what_may_do_anything_claims_the_whole_tree(kind: Kind) -> None:
    got = claims_of(effects(at(Kind.READ, "a"), at(Kind.WRITE, "/srv/x"), Effect(kind=kind)), tier=SEQUENTIAL)
    assert WHOLE_TREE in got
    assert [str(claim) for claim in got] == ["write **", "write /srv/x"]


def test_a_dangerous_command_claims_the_whole_tree() -> None:
    assert spoken(at(Kind.READ, "a"), tier=Tier.DANGEROUS_ISOLATED) == ["write **"]


def test_an_unreadable_one_too() -> None:
    assert spoken(readable=False) == ["write **"]


def test_an_unknown_command_that_is_trusted_claims_what_is_known() -> None:
    assert spoken(Effect(kind=Kind.UNKNOWN), at(Kind.OUTPUT, "dist", Scope.TREE), tier=Tier.CONDITIONAL_PARALLEL) == [
        "read ** (sources)",
        "write dist/**",
    ]


# --- the configuration -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "cwd", "path", "scope"),
    [
        ("src/**", ".", "src", Scope.TREE),
        ("src/**/*", ".", "src", Scope.TREE),
        ("src/", ".", "src", Scope.TREE),
        ("**", ".", ".", Scope.TREE),
        ("**", "web", "web", Scope.TREE),
        ("src/**", "web", "web/src", Scope.TREE),
        ("a.txt", "web", "web/a.txt", Scope.PATH),
        ("./a.txt", ".", "a.txt", Scope.PATH),
        ("../a.txt", "web", "a.txt", Scope.PATH),
        ("../a.txt", ".", "../a.txt", Scope.PATH),
        ("*.py", ".", "*.py", Scope.GLOB),
        ("src/**/*.py", "web", "web/src/**/*.py", Scope.GLOB),
        ("src/*/**", ".", "src/*/**", Scope.GLOB),
        ("/srv/db", "web", "/srv/db", Scope.PATH),
        ("/srv/**", "web", "/srv", Scope.TREE),
        ("/**", ".", "/", Scope.TREE),
        ("~/.cache/x/**", "web", "~/.cache/x", Scope.TREE),
        ("a.txt", "odd*name", "odd*name", Scope.TREE),
        (".", ".", ".", Scope.PATH),
    ],
)
def test_a_configured_glob_gets_the_narrowest_scope(pattern: str, cwd: str, path: str, scope: Scope) -> None:
    assert place_of(pattern, cwd=cwd) == Place(path=path, scope=scope)


@pytest.mark.parametrize(
    ("pattern", "cwd", "path"),
    [
        ("a", "/w/p/web", "web/a"),
        ("../a", "web", "a"),
        ("../a", ".", "/w/a"),
        ("/w/p/a", "web", "a"),
        ("/w/pp/a", "web", "/w/pp/a"),
        ("/w/p", "web", "."),
        ("a", "/elsewhere", "/elsewhere/a"),
    ],
)
def test_with_the_workspace_known_places_outside_are_absolute(pattern: str, cwd: str, path: str) -> None:
    assert place_of(pattern, cwd=cwd, workspace="/w/p").path == path


def test_reads_writes_and_locks() -> None:
    got = claims_of(
        effects(at(Kind.READ, "a")),
        tier=SEQUENTIAL,
        cwd="web",
        reads=["src/**"],
        writes=[".cache/**", "out.txt"],
        locks=["database", "queue:read", "a:b"],
    )
    assert [str(claim) for claim in got] == [
        "read a",
        "write web/.cache/**",
        "write web/out.txt",
        "read web/src/**",
        "write lock:a:b",
        "write lock:database",
        "read lock:queue",
    ]


# --- what swallows what ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "left"),
    [
        ([at(Kind.READ, "a"), at(Kind.READ, "a")], ["read a"]),
        ([at(Kind.READ, "a"), at(Kind.WRITE, "a")], ["write a"]),
        ([at(Kind.WRITE, "a"), at(Kind.DELETE, "a")], ["delete a"]),
        ([at(Kind.APPEND, "a"), at(Kind.WRITE, "a")], ["write a"]),
        ([at(Kind.READ, "a"), at(Kind.CACHE, "a")], ["cache a", "read a"]),
        ([at(Kind.WRITE, "a"), at(Kind.CREATE, "a")], ["write a"]),
        # Making a path is not forbidden to who claims sources, changing one is: CREATE covers nothing else.
        ([at(Kind.READ, "a"), at(Kind.CREATE, "a")], ["create a", "read a"]),
        ([at(Kind.WRITE, "d", Scope.TREE), at(Kind.READ, "d/x/y")], ["write d/**"]),
        ([at(Kind.WRITE, "d", Scope.TREE), at(Kind.READ, "d/**/*.c", Scope.GLOB)], ["write d/**"]),
        ([at(Kind.WRITE, "d", Scope.TREE), at(Kind.READ, "dx")], ["write d/**", "read dx"]),
        ([at(Kind.READ, "d", Scope.TREE), at(Kind.WRITE, "d/x")], ["read d/**", "write d/x"]),
        ([at(Kind.READ, ".", Scope.TREE), at(Kind.READ, "src", Scope.SOURCES)], ["read **"]),
        ([at(Kind.READ, ".", Scope.SOURCES), at(Kind.READ, "src", Scope.SOURCES)], ["read ** (sources)"]),
        # Who claims sources does not claim what git ignores, nor new paths.
        ([at(Kind.READ, ".", Scope.SOURCES), at(Kind.READ, "x")], ["read ** (sources)", "read x"]),
        ([at(Kind.WRITE, ".", Scope.TREE), at(Kind.WRITE, "/srv/x")], ["write **", "write /srv/x"]),
        ([at(Kind.WRITE, "/", Scope.TREE), at(Kind.READ, "/srv/x")], ["write /**"]),
    ],
)
def test_claims_that_others_cover_are_dropped(items: list[Effect], left: list[str]) -> None:
    assert spoken(*items) == left
    assert spoken(*reversed(items)) == left


# --- what git ignores --------------------------------------------------------------------------------------


def test_ignored_targets_are_marked() -> None:
    asked: list[str] = []

    def ignored(path: str) -> bool:
        asked.append(path)
        return path.startswith("build") or path.endswith(".pyc")

    items = [
        at(Kind.OUTPUT, "build", Scope.TREE),
        at(Kind.CACHE, "**/*.pyc", Scope.GLOB),
        at(Kind.READ, "src", Scope.SOURCES),
        at(Kind.WRITE, "/srv/build"),
    ]
    got = claims_of(effects(*items), tier=SEQUENTIAL, ignored=ignored, locks=["build"])
    assert {claim.target for claim in got if claim.ignored} == {"build", "**/*.pyc"}
    assert not any(claim.ignored for claim in got if claim.domain is Domain.LOCK)
    assert sorted(asked) == ["**/*.pyc", "build", "src"]


def test_the_whole_tree_is_never_ignored() -> None:
    got = claims_of(effects(Effect(kind=Kind.UNKNOWN)), tier=SEQUENTIAL, ignored=lambda path: True)
    assert got == (WHOLE_TREE,)


# --- properties ---------------------------------------------------------------------------------------------

PATHS = ["a", "a/b", "a/b/c.py", "d.py", "d.txt", "/srv", "/srv/x"]
PLACES = st.one_of(
    st.builds(lambda path: Place(path=path), st.sampled_from(PATHS)),
    st.builds(
        lambda path, scope: Place(path=path, scope=scope),
        st.sampled_from([".", "a", "a/b", "/srv", "/"]),
        st.sampled_from([Scope.TREE, Scope.SOURCES]),
    ),
    st.builds(lambda path: Place(path=path, scope=Scope.GLOB), st.sampled_from(["*.py", "a/*", "**/*.py", "a/**"])),
)
EFFECTS = st.builds(lambda kind, place: Effect(kind=kind, place=place), st.sampled_from(list(Kind)), st.none() | PLACES)
TIERS = st.sampled_from(list(Tier))


def meets(claim: Claim, path: str, mode: Mode) -> bool:
    """Whether `claim` keeps out who would use the existing or new `path` in `mode`; written apart from the code under test."""
    if claim.domain is not Domain.FILE or claim.mode.gets_along(mode):
        return False
    if claim.scope is Scope.PATH:
        return claim.target == path
    if claim.scope is Scope.GLOB:
        pattern = claim.target.replace("**/", "*") if claim.target.startswith("**/") else claim.target
        return fnmatch.fnmatchcase(path, pattern)
    inside = not path.startswith("/") if claim.target == "." else f"{path}/".startswith(f"{claim.target.rstrip('/')}/")
    # To make a new path is not forbidden by a claim on sources.
    return inside and (claim.scope is Scope.TREE or mode is not Mode.CREATE)


def meets_sources(claim: Claim, directory: str, mode: Mode) -> bool:
    """Whether `claim` keeps out who would use the sources below `directory` in `mode`."""
    if claim.domain is not Domain.FILE or claim.mode.gets_along(mode):
        return False
    if claim.mode is Mode.CREATE and claim.scope is Scope.PATH:
        return False
    root = "" if directory == "." else f"{directory}/"
    target = "" if claim.target == "." else f"{claim.target.rstrip('/')}/"
    if claim.scope is Scope.GLOB:
        return not claim.target.startswith("/")
    if target.startswith("/"):
        return False
    return target.startswith(root) or (claim.scope is not Scope.PATH and root.startswith(target))


def kept_out(claims: tuple[Claim, ...]) -> set[tuple[str, str, Mode]]:
    found = {("path", path, mode) for path in PATHS for mode in Mode for claim in claims if meets(claim, path, mode)}
    return found | {
        ("sources", directory, mode)
        for directory in (".", "a", "a/b")
        for mode in Mode
        for claim in claims
        if meets_sources(claim, directory, mode)
    }


@given(st.lists(EFFECTS, max_size=6), EFFECTS, TIERS)
def test_one_more_effect_never_keeps_fewer_out(items: list[Effect], extra: Effect, tier: Tier) -> None:
    before = kept_out(claims_of(effects(*items), tier=tier))
    after = kept_out(claims_of(effects(*items, extra), tier=tier))
    assert before <= after


@given(st.lists(EFFECTS, max_size=6), TIERS)
def test_dropping_covered_claims_keeps_out_as_many(items: list[Effect], tier: Tier) -> None:
    whole = kept_out(
        tuple(
            Claim(domain=Domain.FILE, mode=FILE_MODES[item.kind], target=item.place.path, scope=item.place.scope)
            for item in items
            if item.place is not None and item.kind in FILE_MODES
        )
    )
    assert whole <= kept_out(claims_of(effects(*items), tier=tier))


@given(st.lists(EFFECTS, max_size=8), TIERS, st.randoms(use_true_random=False))
def test_the_order_of_effects_does_not_matter(items: list[Effect], tier: Tier, random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    got = claims_of(effects(*items), tier=tier)
    assert got == claims_of(effects(*shuffled), tier=tier)
    assert len(set(got)) == len(got)


def test_the_whole_tree_of_the_model_is_the_claim() -> None:
    assert (WHOLE_TREE.target, WHOLE_TREE.scope) == (WORKSPACE.path, WORKSPACE.scope)
