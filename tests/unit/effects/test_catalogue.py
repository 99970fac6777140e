"""Every entry of the catalogue follows the format and proves itself by its examples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_cbx.effects import catalogue
from pytest_cbx.effects.catalogue import (
    EntrySpec,
    VariableSpec,
    families,
    names,
    option_sets,
    program,
    read_family,
    unclassifiable,
    variable,
)
from pytest_cbx.effects.compact import compact
from pytest_cbx.effects.grammar import Entry, compile_entry, memory_of
from pytest_cbx.effects.interpreter import option_of
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.rules import Condition, Rule
from pytest_cbx.effects.special import INTERPRETERS
from pytest_cbx.errors import InternalError
from tests.unit.effects.help import compact_of, effects_of


def entries() -> Iterator[tuple[str, EntrySpec, Entry]]:
    def below(family: str, spec: EntrySpec, parent: Entry | None) -> Iterator[tuple[str, EntrySpec, Entry]]:
        entry = compile_entry(spec, parent)
        yield family, spec, entry
        for command in spec.command:
            yield from below(family, command, entry)

    for family, spec in families().items():
        for outermost in spec.program:
            yield from below(family, outermost, None)


ENTRIES = list(entries())
"""Thousands: a test looks at those of a whole family, as a test for each would take longer to be reported than to run."""
each_family = pytest.mark.parametrize("family", sorted(families()))


def of_family(family: str) -> Iterator[tuple[EntrySpec, Entry]]:
    return ((spec, entry) for whose, spec, entry in ENTRIES if whose == family)


@each_family
def test_an_example_gives_just_the_effects_it_lists(family: str) -> None:
    examples = [example for spec, _ in of_family(family) for example in spec.examples]
    found = {example.command: sorted(compact_of(example.command)) for example in examples}
    wrong = {
        example.command: f"{found[example.command]}, and not {sorted(set(example.expect))}"
        for example in examples
        if found[example.command] != sorted(set(example.expect))
    }
    assert not wrong


@each_family
def test_every_entry_has_two_examples(family: str) -> None:
    assert not [spec.names for spec, _ in of_family(family) if len(spec.examples) < 2]


@each_family
def test_every_condition_names_an_option_that_the_entry_has(family: str) -> None:
    assert not [fault for _, entry in of_family(family) for fault in unknown_subjects(entry)]


def unknown_subjects(entry: Entry) -> Iterator[str]:
    rules = [*entry.rules, *(rule for option in entry.every_option for rule in option.rules)]
    conditions = [c for slot in entry.slots for c in (*slot.when, *slot.unless)]
    rules += [rule for slot in entry.slots for rule in slot.rules]
    for condition in [*conditions, *(c for rule in rules for c in conditions_of(rule))]:
        for subject, pattern in condition.tests:
            if not (subject == "operand" or subject.startswith("$") or option_of(entry, subject)):
                yield f"{entry.name}: {subject}={pattern}"


def conditions_of(rule: Rule) -> tuple[Condition, ...]:
    return (*rule.when, *rule.unless)


def test_every_named_interpreter_exists() -> None:
    assert not {entry.code for _, _, entry in ENTRIES if entry.code} - set(INTERPRETERS)


def test_every_name_is_a_base_name() -> None:
    assert not [name for name in names() if not name or "/" in name]


@pytest.mark.parametrize("name", ["frobnicate", "rm2", "catt", "Cat", "git-frob", ""])
def test_an_unlisted_program_is_unknown(name: str) -> None:
    assert compact_of(f"'{name}' a b") == ["unknown"]


def test_an_unclassifiable_program_is_unknown_with_its_reason() -> None:
    (effect,) = effects_of("meld a").effects
    assert effect.kind is Kind.UNKNOWN
    assert unclassifiable()["meld"] in effect.detail
    assert effects_of("meld a").programs[0].known


@pytest.mark.parametrize(
    ("command", "expected"),
    [("grm -r d", ["destroy d/**"]), ("gsort -o b a", ["write b", "read a"]), ("gfrob a", ["unknown"])],
)
def test_gnu_programs_have_a_g_elsewhere(command: str, expected: list[str]) -> None:
    assert compact_of(command) == expected


def test_no_program_is_both_classified_and_not() -> None:
    assert not names() & unclassifiable().keys()
    assert all(reason and not reason.endswith(".") for reason in unclassifiable().values())


def test_no_variable_is_listed_twice() -> None:
    listed = [name for family in families().values() for name in family.environment]
    assert sorted(listed) == sorted(set(listed))


@pytest.mark.parametrize("program", ["cat", "ls", "sort", "rm", "cp", "git status", "grep", "touch", "wc"])
def test_an_unlisted_option_is_unknown(program: str) -> None:
    assert "unknown" in compact_of(f"{program} --no-such-option-at-all x y")


def test_a_listed_option_of_another_program_is_unknown() -> None:
    assert "unknown" in compact_of("cat --target-directory=x a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[program]]\nnames = 3", "names"),
        ("[[program]]\nnames = ['x']\nfrob = 1", "frob"),
        ("[[program", "x.toml"),
        ("[[program]]\nnames = ['x']\nweight = 'huge'", "huge"),
    ],
)
def test_a_faulty_file_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(InternalError, match=message):
        read_family(text, name="x.toml")


@pytest.mark.parametrize("rule", ["frob operand", "read src", "write"])
def test_a_faulty_effect_is_refused(rule: str) -> None:
    spec = read_family(f"[[program]]\nnames = ['x']\neffects = ['{rule}']", name="x.toml").program[0]
    with pytest.raises(InternalError, match=rule.split(maxsplit=1)[0]):
        compile_entry(spec)


def test_a_faulty_condition_is_refused() -> None:
    text = "[[program]]\nnames = ['x']\neffects = [{ do = 'network', when = ['frob'] }]"
    with pytest.raises(InternalError, match="frob"):
        compile_entry(read_family(text, name="x.toml").program[0])


@pytest.mark.parametrize(("text", "size"), [("512MB", 512_000_000), ("2GB", 2_000_000_000), (None, 0)])
def test_memory(text: str | None, size: int) -> None:
    assert memory_of(text) == size


def test_faulty_memory_is_refused() -> None:
    with pytest.raises(InternalError, match="512"):
        memory_of("512")


def test_the_heaviest_program_decides_the_estimate() -> None:
    light, heavy = effects_of("cat a").estimate, effects_of("cat a; timeout 60 pytest tests; cat b").estimate
    alone = effects_of("pytest tests").estimate
    assert heavy == alone != light


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "LD_AUDIT", "BASH_ENV", "GIT_EXTERNAL_DIFF"])
def test_variables_that_change_what_runs_are_listed(name: str) -> None:
    assert variable(name) is not None


@pytest.mark.parametrize(
    ("value", "harmless"),
    [("", True), ("-D warnings", True), ("-x1", True), ("-x1 -x2", True), ("-x1 -javaagent:a", False), ("-D", False), (" ", False)],
)  # fmt: skip
def test_each_word_of_a_variable_must_be_harmless(value: str, harmless: bool) -> None:
    spec = VariableSpec(effect="execute", why="it may run anything", safe=("", "-D warnings", "-x*"))
    assert spec.harmless(value) is harmless


@pytest.mark.parametrize(
    ("command", "expect"),
    [
        ("x", ["output default/**"]),
        ("OUT=b x", ["output b/**"]),
        ("export OUT=b; x", ["output b/**"]),
        ("OUT=b; x", ["output default/**"]),
        ("OUT= x", ["output default/**"]),
        ("OUT=keep x", ["read kept", "output keep/**"]),
        ('OUT="$1$FOO" x', ["output ?", "read kept"]),
    ],
)
def test_an_exported_variable_moves_an_output(command: str, expect: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
      [[program]]
      names = ["x"]
      effects = [
        { do = "output tree:./default", unless = ["$OUT"] },
        { do = "read ./kept", when = ["$OUT=k*"] },
        "output tree:{$OUT}",
      ]
    """
    entry = read_family(text, name="x.toml").program[0]
    monkeypatch.setattr(catalogue, "program", lambda name: entry if name == "x" else program(name))
    assert sorted(compact_of(command)) == sorted(expect)


@pytest.mark.parametrize(
    ("word", "met"),
    [
        ("src/*.c", False),
        ("@*", True),
        ("*.c", False),
        ("@(a|b).c", True),
        ("+(@)x", True),
        ("[@]x", True),
        ("-*", False),
    ],
)
def test_a_pattern_that_begins_otherwise_meets_no_condition(word: str, met: bool) -> None:
    assert ("unknown" in compact_of(f"javac -d out {word}")) is (met or word.startswith("-"))


@pytest.mark.parametrize("name", ["FOO", "CI", "PYTHONDONTWRITEBYTECODE", "MY_PATH"])
def test_other_variables_are_not(name: str) -> None:
    assert variable(name) is None


def test_compact_tells_sources_from_trees() -> None:
    assert "read sources:." in compact_of("git status")
    assert [compact(effect) for effect in effects_of("du src").effects] == ["read src/**"]


def test_the_sections_hold_what_the_whole_files_hold() -> None:
    whole = {name: entry for family in families().values() for entry in family.program for name in entry.names}
    assert {name: program(name) for name in names()} == whole
    assert option_sets() == {name: found for family in families().values() for name, found in family.sets.items()}
    environment = {name: found for family in families().values() for name, found in family.environment.items()}
    assert {name: variable(name) for name in environment} == environment
