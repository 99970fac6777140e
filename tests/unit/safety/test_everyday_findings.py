"""Few findings for what people do every day: measured over every example of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.catalogue import EntrySpec, families
from pytest_cbx.safety import Severity, assess
from pytest_cbx.shell.reader import read
from pytest_cbx.tier import Tier
from tests.unit.safety.test_findings import CONTEXT

JUSTIFIED = frozenset(
    {
        # What may run beside others by its effects, but shows a reviewer something all the same.
        ("eval", "injection"),
        ("cargo publish", "secret-in-text"),
        ("pip install --trusted-host", "unverified"),
        ("git credential-store", "reads-secret"),
        ("ssh-add", "reads-secret"),
    }
)
"""Starts of commands, and the rule that speaks of them."""
CRITICAL_SHARE = 0.005
ANY_SHARE = 0.05


def examples() -> list[str]:
    def below(spec: EntrySpec) -> Iterator[str]:
        yield from (example.command for example in spec.examples)
        for command in spec.command:
            yield from below(command)

    return [text for family in families().values() for program in family.program for text in below(program)]


def test_findings_are_rare_and_none_is_for_what_only_reads_or_builds() -> None:
    texts = examples()
    found = {text: assess(analyse(read(text), CONTEXT), text=text) for text in texts}
    harmless = [
        f"{text}: {each.rule}: {each.message}"
        for text, verdict in found.items()
        for each in verdict.findings
        if verdict.tier <= Tier.CONDITIONAL_PARALLEL
        and not any(text.startswith(start) and each.rule == rule for start, rule in JUSTIFIED)
    ]
    assert harmless == []
    critical = [t for t, v in found.items() if v.denied(Severity.CRITICAL)]
    assert len(critical) <= CRITICAL_SHARE * len(texts), critical
    some = [text for text, verdict in found.items() if verdict.findings]
    assert len(some) <= ANY_SHARE * len(texts), some
