"""The filter, run by a small machine of our own over every number, and compared with the table."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.execute.kernel.filter import ALLOW, DENY, NOTIFY, FilterPolicy, Program, action, build
from pytest_cbx.execute.kernel.syscalls import AUDIT_ARCHITECTURES, X32_BIT, Rule, Treatment, table

MACHINES = sorted(AUDIT_ARCHITECTURES)
POLICIES = [FilterPolicy(reads=reads, signals=signals) for reads in (False, True) for signals in (False, True)]
I386, ARM = 0x40000003, 0x40000028


class Machine:
    """Runs classic BPF as the kernel does, as far as the filters use it; any other instruction is an error."""

    def __init__(self, program: Program) -> None:
        self.code = [struct.unpack_from("=HBBI", program.code, 8 * at) for at in range(program.length)]
        self.steps = 0
        self.looked_at_arguments = False

    def run(self, architecture: int, number: int, arguments: tuple[int, ...] = (0,) * 6) -> int:
        data = struct.pack("<II", number, architecture) + struct.pack("<Q6Q", 0, *arguments)
        at = accumulator = self.steps = 0
        self.looked_at_arguments = False
        while True:
            code, yes, no, operand = self.code[at]
            self.steps += 1
            at += 1
            if code == 0x20:
                assert operand % 4 == 0
                (accumulator,) = struct.unpack_from("<I", data, operand)
                self.looked_at_arguments |= operand >= 16
            elif code == 0x06:
                return int(operand)
            elif code == 0x05:
                at += operand
            else:
                holds = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}
                at += yes if holds[code] else no


def relevant(rule: Rule) -> Iterator[tuple[int, ...]]:
    """Arguments on both sides of a rule's condition: each value, with others around it, and none."""
    yield (0,) * 6
    yield ((1 << 64) - 1,) * 6
    if rule.condition is None:
        return
    position = rule.condition.argument
    for value in rule.condition.values:
        for tried in (
            value,
            value | 1 << 31,
            value | 1 << 63,
            value ^ 1,
            value << 1,
            (value + 1),
            max(0, value - 1),
            0o100 << 32,
        ):
            arguments = [0xABAD1DEA] * 6
            arguments[position] = tried & ((1 << 64) - 1)
            yield tuple(arguments)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_gets_what_the_table_says(machine: str, policy: FilterPolicy) -> None:
    calls, runner = table(machine), Machine(build(policy, machine))
    for number in range(600):
        rule = calls.rules.get(number)
        if rule is None:
            assert runner.run(calls.architecture, number) == DENY | 38, number
            continue
        for arguments in relevant(rule):
            expected = action(rule.treat(arguments), rule.error, policy)
            assert runner.run(calls.architecture, number, arguments) == expected, (calls.names[number], arguments)


@given(
    machine=st.sampled_from(MACHINES),
    policy=st.sampled_from(POLICIES),
    number=st.integers(0, 480),
    arguments=st.tuples(*[st.integers(0, (1 << 64) - 1)] * 6),
)
def test_any_arguments(machine: str, policy: FilterPolicy, number: int, arguments: tuple[int, ...]) -> None:
    calls = table(machine)
    rule = calls.rules.get(number)
    expected = action(rule.treat(arguments), rule.error, policy) if rule else DENY | 38
    assert Machine(build(policy, machine)).run(calls.architecture, number, arguments) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_other_architectures_are_always_the_supervisors(machine: str) -> None:
    runner = Machine(build(FilterPolicy(), machine))
    others = [each for each in (*AUDIT_ARCHITECTURES.values(), I386, ARM) if each != table(machine).architecture]
    assert {runner.run(other, number) for other in others for number in (*range(500), 1 << 30, (1 << 32) - 1)} == {
        NOTIFY
    }


def test_x32_is_foreign_on_x86_64_only() -> None:
    x86, arm = (Machine(build(FilterPolicy(), name)) for name in ("x86_64", "aarch64"))
    for number in (0, 1, 2, 82, 257, 520, X32_BIT - 1):
        assert x86.run(AUDIT_ARCHITECTURES["x86_64"], number | X32_BIT) == NOTIFY
        assert arm.run(AUDIT_ARCHITECTURES["aarch64"], number | X32_BIT) == DENY | 38
    assert x86.run(AUDIT_ARCHITECTURES["x86_64"], 1 << 31) == DENY | 38


@pytest.mark.parametrize("machine", MACHINES)
def test_a_call_that_a_tracer_skipped_keeps_its_answer(machine: str) -> None:
    assert Machine(build(FilterPolicy(), machine)).run(AUDIT_ARCHITECTURES[machine], (1 << 32) - 1) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_judged_examples(machine: str) -> None:
    """A few by hand, so that a mistake in how the table is read cannot hide in both sides of the comparison."""
    numbers, runner = table(machine).numbers, Machine(build(FilterPolicy(), machine))

    def answer(name: str, *arguments: int) -> int:
        return runner.run(AUDIT_ARCHITECTURES[machine], numbers[name], (*arguments, *(0,) * (6 - len(arguments))))

    assert answer("openat", 0xFFFFFF9C, 0x1234, 0o2000000) == ALLOW
    assert answer("openat", 0xFFFFFF9C, 0x1234, 0o2000001) == NOTIFY
    assert answer("openat", 0xFFFFFF9C, 0x1234, 0o1000) == NOTIFY
    assert answer("openat", 0xFFFFFF9C, 0x1234, 0o100) == NOTIFY
    assert answer("openat2") == DENY | errno.ENOSYS
    assert answer("clone3") == DENY | errno.ENOSYS
    assert answer("clone", 0x01200011) == ALLOW
    assert answer("clone", 0x003D0F00) == ALLOW
    assert answer("clone", 0x10000011) == NOTIFY
    assert answer("unshare", 0x200) == ALLOW
    assert answer("unshare", 0x20000) == NOTIFY
    assert answer("ioctl", 3, 0x40086602) == DENY | errno.EOPNOTSUPP
    assert answer("ioctl", 3, 0x5401) == ALLOW
    assert answer("ioctl", 3, 0x40049409) == ALLOW
    assert answer("kill", 77, 9) == NOTIFY
    assert answer("tgkill", 77, 78, 23) == ALLOW
    assert answer("tgkill", 77, 78, 15) == NOTIFY
    assert answer("write", 1, 0, 10) == ALLOW
    assert answer("mkdirat") == NOTIFY
    assert answer("statx") == ALLOW


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("machine", MACHINES)
def test_a_lookup_is_short(machine: str, policy: FilterPolicy) -> None:
    """Four instructions to begin with, a binary search of at most 8 comparisons (with far jumps), a test, an answer."""
    calls, runner = table(machine), Machine(build(policy, machine))
    for number, rule in calls.rules.items():
        for arguments in relevant(rule):
            runner.run(calls.architecture, number, arguments)
            assert runner.steps <= 4 + 2 * 8 + 8, calls.names[number]


@pytest.mark.parametrize("machine", MACHINES)
def test_the_kernel_can_remember_harmless_calls(machine: str) -> None:
    """It does so only for a number that is allowed whatever its arguments are, without a look at them."""
    calls, runner = table(machine), Machine(build(FilterPolicy(), machine))
    for number, rule in calls.rules.items():
        if rule.treatment is Treatment.HARMLESS and rule.condition is None:
            runner.run(calls.architecture, number)
            assert not runner.looked_at_arguments, calls.names[number]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("machine", MACHINES)
def test_the_kernel_would_take_it(machine: str, policy: FilterPolicy) -> None:
    """Known instructions, jumps forward and inside, at most 4096, a return at the end. Source: bpf_check_classic."""
    program = build(policy, machine)
    code = Machine(program).code
    assert 0 < len(code) <= 4096
    assert code[-1][0] == 0x06
    for at, (kind, yes, no, operand) in enumerate(code):
        assert kind in (0x20, 0x05, 0x15, 0x35, 0x45, 0x06)
        if kind == 0x05:
            assert at + 1 + operand < len(code)
        elif kind in (0x15, 0x35, 0x45):
            assert at + 1 + max(yes, no) < len(code)
    assert build(policy, machine) is program


def test_a_policy_changes_only_its_own_calls() -> None:
    calls = table("x86_64")
    plain = Machine(build(FilterPolicy(), "x86_64"))
    for policy, kinds in ((POLICIES[0], {Treatment.SIGNAL}), (POLICIES[3], {Treatment.READING})):
        runner = Machine(build(policy, "x86_64"))
        differing = set()
        for number, rule in calls.rules.items():
            for arguments in relevant(rule):
                if runner.run(calls.architecture, number, arguments) != plain.run(
                    calls.architecture, number, arguments
                ):
                    differing.add(rule.treat(arguments))
        assert differing == kinds, policy


def test_far_jumps() -> None:
    """More ranges than a conditional jump reaches over: every number still finds its own."""
    from pytest_cbx.execute.kernel.filter import _search

    starts = [(7 * index, [(0x06, 0, 0, index)]) for index in range(700)]
    code = [(0x20, 0, 0, 0), *_search(starts)]
    assert any(kind == 0x05 for kind, *_ in code)
    runner = Machine(Program(code=b"".join(struct.pack("=HBBI", *each) for each in code)))
    for (start, answer), (following, _) in pairwise(starts):
        for number in (start, following - 1):
            assert runner.run(0, number) == answer[0][3]
