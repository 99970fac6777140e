"""From effects to a tier, its reasons and its findings."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.model import WORKSPACE, Effect, Effects, Estimate, Kind, Place, Scope
from pytest_cbx.effects.paths import Context
from pytest_cbx.safety.model import Severity
from pytest_cbx.safety.tiers import RULES, assess
from pytest_cbx.shell.reader import read
from pytest_cbx.tier import Tier

SAFE = Tier.SAFE_PARALLEL
CONDITIONAL = Tier.CONDITIONAL_PARALLEL
SEQUENTIAL = Tier.SEQUENTIAL_REQUIRED
DANGEROUS = Tier.DANGEROUS_ISOLATED


def effects(*items: Effect, readable: bool = True) -> Effects:
    return Effects(effects=items, programs=(), estimate=Estimate(), readable=readable)


def at(kind: Kind, path: str, scope: Scope = Scope.PATH, program: str = "tool") -> Effect:
    return Effect(kind=kind, place=Place(path=path, scope=scope), program=program)


def test_every_kind_of_effect_has_a_rule() -> None:
    assert set(RULES) == set(Kind)


@pytest.mark.parametrize(
    ("kind", "tier"),
    [
        (Kind.READ, SAFE),
        (Kind.CACHE, CONDITIONAL),
        (Kind.OUTPUT, CONDITIONAL),
        (Kind.NETWORK, SEQUENTIAL),
        (Kind.WRITE, SEQUENTIAL),
        (Kind.APPEND, SEQUENTIAL),
        (Kind.CREATE, SEQUENTIAL),
        (Kind.DELETE, SEQUENTIAL),
        (Kind.METADATA, SEQUENTIAL),
        (Kind.STATE, SEQUENTIAL),
        (Kind.BIND, SEQUENTIAL),
        (Kind.KILL, SEQUENTIAL),
        (Kind.EXECUTE, SEQUENTIAL),
        (Kind.UNKNOWN, SEQUENTIAL),
        (Kind.DESTROY, DANGEROUS),
        (Kind.SYSTEM, DANGEROUS),
        (Kind.PRIVILEGE, DANGEROUS),
    ],
)
def test_tier_of_each_kind_inside_the_work_tree(kind: Kind, tier: Tier) -> None:
    assert assess(effects(at(kind, "src/a"))).tier is tier


def test_nothing_done_is_safe() -> None:
    verdict = assess(effects())
    assert verdict.tier is SAFE
    assert verdict.reasons == ("it touches no file",)
    assert verdict.findings == ()


def test_the_strictest_effect_decides_and_its_reason_stands_first() -> None:
    verdict = assess(
        effects(
            at(Kind.READ, "a", program="cat"),
            at(Kind.READ, "Makefile", program="make"),
            at(Kind.OUTPUT, "dist", Scope.TREE, program="make"),
            at(Kind.DESTROY, "build", Scope.TREE, program="rm"),
            at(Kind.WRITE, "b", program="tee"),
            at(Kind.WRITE, "b", program="tee"),
        )
    )
    assert verdict.tier is DANGEROUS
    assert verdict.reasons == (
        "rm destroys everything in build",
        "tee changes b",
        "make writes its output: everything in dist",
        "cat only reads",
    )


@pytest.mark.parametrize(
    ("effect", "sentence"),
    [
        (Effect(kind=Kind.UNKNOWN, program="tool-x"), "tool-x is not in the catalogue: it may do anything"),
        (
            Effect(kind=Kind.UNKNOWN, program="tool-x", detail="the program tool-x is not in the catalogue"),
            "the program tool-x is not in the catalogue: it may do anything",
        ),
        (
            Effect(kind=Kind.UNKNOWN, program="sort", detail="the option --x is not in the catalogue"),
            "sort: the option --x is not in the catalogue; it may do anything",
        ),
        (Effect(kind=Kind.STATE, program="pip", detail="the Python environment"), "pip changes the Python environment"),
        (Effect(kind=Kind.NETWORK, program="curl", detail="example.org"), "curl talks to example.org"),
        (Effect(kind=Kind.KILL, program="kill", detail="123"), "kill signals 123"),
        (Effect(kind=Kind.DESTROY, program="rm"), "rm destroys what cannot be told beforehand"),
        (Effect(kind=Kind.WRITE, program="sed", detail="-i edits in place"), "sed changes files (-i edits in place)"),
        (at(Kind.WRITE, "src", Scope.SOURCES), "tool changes the sources in src"),
        (at(Kind.DELETE, ".", Scope.TREE), "tool deletes everything in the work tree"),
        (Effect(kind=Kind.WRITE, place=Place(path="x")), "the command changes x"),
    ],
)
def test_sentences_name_program_and_place(effect: Effect, sentence: str) -> None:
    assert assess(effects(effect)).reasons == (sentence,)


def test_text_that_cannot_be_read_is_dangerous() -> None:
    verdict = assess(effects(readable=False))
    assert verdict.tier is DANGEROUS
    assert [finding.rule for finding in verdict.findings] == ["unreadable"]


# --- where it happens -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "tier"),
    [
        (at(Kind.OUTPUT, "/srv/out"), SEQUENTIAL),
        (at(Kind.OUTPUT, "/tmp/out"), SEQUENTIAL),
        (at(Kind.CACHE, "/home/u/.cache/go-build", Scope.TREE), CONDITIONAL),
        (at(Kind.READ, "/etc/passwd"), SAFE),
        (at(Kind.OUTPUT, "/dev/null"), SAFE),
        (at(Kind.WRITE, "/dev/stderr"), SAFE),
        (at(Kind.WRITE, "/dev/fd/3"), SAFE),
        (at(Kind.WRITE, "/dev/sda"), DANGEROUS),
        (at(Kind.WRITE, "/etc/hosts"), DANGEROUS),
        (at(Kind.APPEND, "/etc/hosts"), DANGEROUS),
        (at(Kind.WRITE, "~/.bashrc"), DANGEROUS),
        (at(Kind.APPEND, "~/.bashrc"), SEQUENTIAL),
        (at(Kind.CREATE, "/home/u/.ssh/id"), SEQUENTIAL),
        (at(Kind.WRITE, "/home/u/.ssh/id"), DANGEROUS),
        (at(Kind.DELETE, "/home/u/Downloads/*.md", Scope.GLOB), DANGEROUS),
        (at(Kind.DELETE, "/tmp/x*", Scope.GLOB), SEQUENTIAL),
        (at(Kind.DELETE, "/home/u/one.md"), SEQUENTIAL),
        (at(Kind.DELETE, "src/*.md", Scope.GLOB), SEQUENTIAL),
        (at(Kind.METADATA, "/", Scope.TREE), DANGEROUS),
        (at(Kind.METADATA, "/home/u", Scope.TREE), DANGEROUS),
        (at(Kind.CREATE, "../beside"), SEQUENTIAL),
    ],
)
def test_the_place_makes_an_effect_stricter(effect: Effect, tier: Tier) -> None:
    assert assess(effects(effect)).tier is tier


@pytest.mark.parametrize(
    ("effect", "rule", "severity"),
    [
        (at(Kind.WRITE, "/etc/hosts"), "touches-system", Severity.CRITICAL),
        (at(Kind.CREATE, "/usr/local/bin/x"), "touches-system", Severity.WARNING),
        (at(Kind.WRITE, "/dev/sda"), "disk", Severity.CRITICAL),
        (at(Kind.APPEND, "/root/.bashrc"), "touches-startup", Severity.CRITICAL),
        (at(Kind.WRITE, "~/.ssh/authorized_keys"), "persistence", Severity.CRITICAL),
        (at(Kind.READ, "/home/u/.ssh/id_rsa"), "reads-secret", Severity.WARNING),
        (at(Kind.READ, "/etc/shadow"), "reads-secret", Severity.WARNING),
        (at(Kind.DESTROY, "/", Scope.TREE), "destroys-root", Severity.CRITICAL),
        (at(Kind.DESTROY, "~", Scope.TREE), "destroys-root", Severity.CRITICAL),
        (Effect(kind=Kind.DESTROY, place=WORKSPACE, program="rm"), "destroys-root", Severity.CRITICAL),
        (at(Kind.DELETE, "/srv/data/x"), "outside", Severity.WARNING),
        (Effect(kind=Kind.PRIVILEGE, program="sudo"), "escalation", Severity.WARNING),
    ],
)
def test_findings(effect: Effect, rule: str, severity: Severity) -> None:
    (finding,) = assess(effects(effect)).findings
    assert (finding.rule, finding.severity) == (rule, severity)
    assert effect.program in finding.message


@pytest.mark.parametrize(
    "effect",
    [
        at(Kind.WRITE, "/dev/null"),
        at(Kind.READ, "/etc/hosts"),
        at(Kind.WRITE, "/tmp/x"),
        at(Kind.DESTROY, "build", Scope.TREE),
    ],
)
def test_ordinary_effects_give_no_finding(effect: Effect) -> None:
    assert assess(effects(effect)).findings == ()


def test_the_gravest_finding_stands_first() -> None:
    verdict = assess(effects(at(Kind.READ, "~/.netrc"), at(Kind.WRITE, "/etc/hosts")))
    assert [finding.severity for finding in verdict.findings] == [Severity.CRITICAL, Severity.WARNING]


def test_what_the_shell_itself_reads_is_a_reason_too() -> None:
    assert assess(effects(Effect(kind=Kind.READ, place=Place(path="a")))).reasons == ("the shell only reads",)


# --- network ---------------------------------------------------------------------------------------


def test_a_package_tool_may_fetch_beside_others() -> None:
    assert assess(effects(Effect(kind=Kind.NETWORK, program="npm"))).tier is CONDITIONAL
    assert assess(effects(Effect(kind=Kind.NETWORK, program="curl"))).tier is SEQUENTIAL


def test_a_package_tool_may_install_beside_others() -> None:
    install = Effect(kind=Kind.STATE, program="pip", detail="the Python environment")
    assert assess(effects(install)).tier is CONDITIONAL
    assert assess(effects(Effect(kind=Kind.STATE, program="npm", detail="the package registry"))).tier is SEQUENTIAL


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        ("curl https://example.org/x | bash", DANGEROUS),
        ('eval "$(curl https://example.org/x)"', DANGEROUS),
        ("wget -qO- https://example.org/x | python3", DANGEROUS),
        ("curl -o t.py https://example.org/x && python3 t.py", SEQUENTIAL),
        ("curl https://example.org/x | python3 -c 'import json'", SEQUENTIAL),
        ("git push", SEQUENTIAL),
    ],
)
def test_code_from_another_host_is_dangerous(text: str, tier: Tier) -> None:
    context = Context(cwd="/w", workspace="/w", home="/home/u", environment={"HOME": "/home/u"})
    assert assess(analyse(read(text), context)).tier is tier


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        ("xxd -r -p <<< 726d | bash", DANGEROUS),
        ('eval "$(base64 -d < f)"', DANGEROUS),
        ("gunzip -c x.gz | sh", DANGEROUS),
        ("base64 -d <<< bHM= | bash", SAFE),
        ("cat x | bash", SEQUENTIAL),
        ("base64 -d < f > g", SEQUENTIAL),
    ],
)
def test_decoded_code_is_dangerous_unless_it_can_be_told(text: str, tier: Tier) -> None:
    assert assess(analyse(read(text), Context(cwd="/w", workspace="/w"))).tier is tier


# --- the configuration's word ------------------------------------------------------------------------


def test_a_stricter_declared_tier_always_wins() -> None:
    verdict = assess(effects(at(Kind.READ, "a")), declared=DANGEROUS)
    assert verdict.tier is DANGEROUS
    assert verdict.reasons[0] == "declared in the configuration"


def test_a_laxer_declared_tier_needs_trust() -> None:
    unknown = effects(Effect(kind=Kind.UNKNOWN, program="tool-x"))
    refused = assess(unknown, declared=SAFE)
    assert refused.tier is SEQUENTIAL
    assert "needs trust = true" in refused.reasons[-1]
    trusted = assess(unknown, declared=SAFE, trust=True)
    assert trusted.tier is SAFE
    assert trusted.reasons == ("trusted by the configuration", "tool-x is not in the catalogue: it may do anything")


def test_trust_alone_changes_nothing() -> None:
    assert assess(effects(at(Kind.WRITE, "a")), trust=True) == assess(effects(at(Kind.WRITE, "a")))
