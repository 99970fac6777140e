"""`isolation = "serializable"`: commands that run at once give what they give one after the other, in their order."""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_cbx.client.api import Cbx
from pytest_cbx.client.jobs import plan
from pytest_cbx.client.learning import Diary
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.client.runner import Capture, Runner, Watch
from pytest_cbx.config.model import CommandConfig, Instances, Isolation, Settings
from pytest_cbx.effects.model import Scope
from pytest_cbx.engine.protocol import Finished
from pytest_cbx.events import AnyEvent, CommandWaiting
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.tier import Tier
from tests.system.guarded import commands_at, make_project, run_tests
from tests.system.helpers import assert_nothing_left, run_cbx, start_cbx, start_pytest, wait_for
from tests.system.nesting import nested
from tests.system.serial_programs import Result, empty, generate, make_tree, run_serially, tree_of

PROGRAMS = int(os.environ.get("CBX_SERIALIZABLE_PROGRAMS", "80"))
SEEDS_AT_ONCE = 20


class Blind:
    """Runs shell texts at once, as if their texts told nothing of what they touch: each claim turns up on the way."""

    def __init__(self, runner: Runner, cbx: Cbx) -> None:
        self._runner = runner
        self._cbx = cbx
        self.events: list[AnyEvent] = []
        """What the engine told since the last start."""
        runner.watch.event = self.events.append

    def run(
        self,
        texts: Sequence[str],
        isolation: Isolation | list[Isolation] = Isolation.SERIALIZABLE,
        claims: tuple[Claim, ...] = (),
        retries: int = 0,
    ) -> list[Outcome]:
        meeting = tempfile.mkdtemp(dir=self._cbx.path.parent)
        configs = [
            CommandConfig(name=f"c{n}", run=text, line=0, cpus=0.1, env={"MEETING": meeting}, retries=retries)
            for n, text in enumerate(texts)
        ]
        jobs = [
            dataclasses.replace(
                job, request=dataclasses.replace(job.request, claims=claims, tier=Tier.CONDITIONAL_PARALLEL)
            )
            for job in self._cbx._prepare(configs)
        ]
        self.events.clear()
        rungs = isolation if isinstance(isolation, list) else [isolation] * len(jobs)
        ids: list[int] = []
        for rung, some in (
            [(rungs[0], jobs)] if len(set(rungs)) == 1 else zip(rungs, ([job] for job in jobs), strict=True)
        ):
            graph = plan(some, slots=self._runner.welcome.jobs, settings=self._runner.settings)
            assert not graph.edges
            settings = dataclasses.replace(self._runner.settings, isolation=rung)
            ids += self._runner.submit(some, graph, capture=Capture.SEPARATE, settings=settings)
        found: dict[int, Outcome] = {}
        while len(found) < len(ids):
            found.update(self._runner.poll(None))
        return [found[number] for number in ids]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serializable") / "project"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def blind(project: Path) -> Iterator[Blind]:
    base = dataclasses.replace(Settings(), jobs=8, learn=False, isolation=Isolation.SERIALIZABLE)
    settings = dataclasses.replace(base, instances=Instances())
    with Runner(project, settings, name="test", watch=Watch(event=print)) as runner:
        yield Blind(runner, Cbx(project, root=project, settings=settings, connect=lambda: runner))


def results_of(outcomes: Sequence[Outcome]) -> list[Result]:
    return [Result(outcome.exit_code, outcome.stdout, outcome.stderr) for outcome in outcomes]


def assert_as_if_serial(blind: Blind, project: Path, twin: Path, texts: Sequence[str], what: str = "") -> list[Outcome]:
    """Run the texts at once, and one after the other in a twin of the tree; compare all that can be seen."""
    for folder in (project, twin):
        empty(folder)
        make_tree(folder)
    outcomes = blind.run(texts)
    expected = run_serially(twin, texts)
    shown = f"{what}: restarts {[outcome.restarts for outcome in outcomes]}\n" + "\n".join(texts)
    assert results_of(outcomes) == expected, shown
    assert tree_of(project) == tree_of(twin), shown
    return outcomes


@pytest.mark.parametrize("first", range(0, PROGRAMS, SEEDS_AT_ONCE))
def test_random_programs_are_as_if_serial(blind: Blind, project: Path, tmp_path: Path, first: int) -> None:
    for seed in range(first, first + SEEDS_AT_ONCE):
        assert_as_if_serial(blind, project, tmp_path, generate(seed), f"seed {seed}")


# Commands meet outside of the tree: each tells what it has done, and waits for the other one, but not for ever, as that
# one may wait for it. Without a place to meet (one after the other) nobody waits.
MEET = """
tell() { [ -z "${MEETING-}" ] || : > "$MEETING/$1"; }
wait_for() { [ -z "${MEETING-}" ] || for _ in {1..40}; do [ -e "$MEETING/$1" ] && break; sleep 0.01; done; }
"""
PAIRS = {
    "write skew": ("tell A; wait_for B; echo y from $(cat a) > b", "tell B; wait_for A; echo x from $(cat b) > a"),
    "write skew after both have read": (
        "a=$(cat a); tell A; wait_for B; echo y from $a > b",
        "b=$(cat b); tell B; wait_for A; echo x from $b > a",
    ),
    "read, modify, write": (
        "n=$(cat a); tell A; wait_for B; echo $n one > a",
        "n=$(cat a); tell B; wait_for A; echo $n two > a",
    ),
    "a file that the later one changes": (
        "tell A; wait_for B; cat a; cat a",
        "wait_for A; echo later > a; tell B; sleep 0.05",
    ),
    "a file that the later one replaces": (
        "tell A; wait_for B; cat a",
        "wait_for A; echo later > new; mv new a; tell B; sleep 0.05",
    ),
    "a file that the later one appends to, between two looks": (
        "cat a; tell A; wait_for B; cat a",
        "wait_for A; echo later >> a; tell B",
    ),
    "counting entries while one is added": (
        "ls d | wc -l; tell A; wait_for B; ls d | wc -l",
        "wait_for A; echo more > d/more; tell B",
    ),
    "counting entries after one was added": (
        "tell A; wait_for B; ls d | wc -l",
        "wait_for A; echo more > d/more; tell B; sleep 0.05",
    ),
    "an empty folder is listed while it goes away": (
        "ls e; tell A; wait_for B; ls e && echo still",
        "wait_for A; rmdir e; tell B",
    ),
    "whether a file is there": (
        "tell A; wait_for B; [ -e new ] && echo there || echo missing",
        "wait_for A; echo new > new; tell B; sleep 0.05",
    ),
    "whether a file is there, twice": (
        "[ -e new ] || echo missing; tell A; wait_for B; [ -e new ] || echo missing",
        "wait_for A; echo new > new; tell B",
    ),
    "a pattern": ("echo d/*; tell A; wait_for B; echo d/*", "wait_for A; mkdir d/more; rm d/x; tell B"),
    "what is made where the later one made a folder": (
        "tell A; wait_for B; (cd new && echo inside) || echo no folder; echo x > new/x",
        "wait_for A; mkdir new; tell B; sleep 0.05",
    ),
    "a folder that is moved away under a reader": (
        "cd d; cat x; tell A; wait_for B; cat x; pwd -P | sed 's,.*/,,'",
        "wait_for A; mv d moved; tell B",
    ),
    "a folder that was moved away": ("tell A; wait_for B; cat d/x", "wait_for A; mv d moved; tell B; sleep 0.05"),
    "a link that is turned": (
        "tell A; wait_for B; cat l/x; readlink l",
        "wait_for A; ln -sfn e l; echo e > e/x; tell B; sleep 0.05",
    ),
    "a link that is turned, and only passed": (
        "tell A; wait_for B; cat l/x",
        "wait_for A; ln -sfn e l; tell B; sleep 0.05",
    ),
    "a script that is rewritten": (
        "tell A; wait_for B; ./tool 1",
        "wait_for A; printf '#!/bin/sh\necho second tool' > tool; tell B; sleep 0.05",
    ),
    "a script's interpreter that is rewritten": (
        "printf '#!./tool\n' > script; chmod +x script; tell A; wait_for B; ./script",
        "wait_for A; printf '#!/bin/sh\necho second tool' > tool; tell B; sleep 0.05",
    ),
    "a name in the way": (
        "tell A; wait_for B; mkdir new || echo in the way",
        "wait_for A; mkdir new || echo in my way; tell B; sleep 0.05",
    ),
    "a folder that the later one emptied": (
        "tell A; wait_for B; rmdir d || echo full",
        "wait_for A; rm d/x; tell B; sleep 0.05",
    ),
    "two names of one file": (
        "tell A; wait_for B; cat hard",
        "wait_for A; echo later >> a; tell B; sleep 0.05",
    ),
    "permissions": ("tell A; wait_for B; stat -c %A a", "wait_for A; chmod 700 a; tell B; sleep 0.05"),
    "what the earlier one writes": ("sleep 0.05; echo earlier > a; sleep 0.05", "cat a; tell B"),
    "what the earlier one takes away": ("sleep 0.05; rm a; sleep 0.05", "[ -e a ] && echo there || echo missing"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_are_as_if_serial(blind: Blind, project: Path, tmp_path: Path, name: str) -> None:
    texts = [f"{MEET}; set +e; ".replace("\n;", "\n") + text for text in PAIRS[name]]
    if name == "two names of one file":
        texts = ["ln a hard", *texts]
    outcomes = assert_as_if_serial(blind, project, tmp_path, texts, name)
    assert sum(outcome.restarts for outcome in outcomes) <= 6


def test_the_rung_below_lets_two_read_what_the_other_is_about_to_change(blind: Blind, project: Path) -> None:
    """So the test above can fail: what `guard` does not promise."""
    empty(project)
    make_tree(project)
    texts = [f"{MEET}{text}" for text in PAIRS["write skew after both have read"]]
    outcomes = blind.run(texts, Isolation.GUARD)
    assert all(outcome.ok for outcome in outcomes)
    assert ((project / "a").read_text(), (project / "b").read_text()) == ("x from b\n", "y from a\n")


def test_many_that_want_the_same_end(blind: Blind, project: Path, tmp_path: Path) -> None:
    """Each reads all and writes all: nobody starts again for ever."""
    text = "set +e; for n in a b d/x; do echo $(cat a b d/x | wc -w) >> $n; sleep 0.01; done"
    outcomes = assert_as_if_serial(blind, project, tmp_path, [f"{text}; echo {n}" for n in range(8)])
    assert all(outcome.ok for outcome in outcomes)


def test_reads_alone_meet_nobody(blind: Blind, project: Path) -> None:
    empty(project)
    make_tree(project)
    outcomes = blind.run([f"cat a b d/x; ls -l . d; find . -type f | sort; echo {n}" for n in range(6)])
    assert all(outcome.ok and not outcome.restarts for outcome in outcomes)
    assert not [event for event in blind.events if isinstance(event, CommandWaiting)]


def test_what_is_outside_of_the_tree_is_read_by_everybody(blind: Blind, project: Path, tmp_path: Path) -> None:
    """Nor is it promised: no claims, so nobody waits for a writer there."""
    empty(project)
    outside = tmp_path / "outside"
    outside.write_text("start\n")
    reader = f"{MEET}tell A; wait_for B; cat {outside}"
    writer = f"{MEET}wait_for A; echo later > {outside}; tell B; sleep 0.2"
    first, second = blind.run([reader, writer])
    assert (first.stdout, first.restarts, second.restarts) == ("later\n", 0, 0)
    assert not [event for event in blind.events if isinstance(event, CommandWaiting)]


def test_what_is_claimed_from_the_start_needs_no_further_claims(
    blind: Blind, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Finished] = []
    monkeypatch.setattr(Diary, "take_down", lambda self, trace, request, finished, **how: seen.append(finished))
    empty(project)
    make_tree(project)
    whole = Claim(domain=Domain.FILE, mode=Mode.READ, target=".", scope=Scope.TREE)
    text = "cat a b d/x l/x; ls . d; find . -type f; ./tool"
    assert blind.run([text], claims=(whole,))[0].ok
    assert blind.run([text])[0].ok
    covered, blank = ({observation.path for observation in finished.observed} for finished in seen)
    assert not covered
    assert {b"a", b"b", b"d/x", b"l", b"tool", b"d"} <= blank


def test_a_command_at_guard_waits_for_what_was_read_at_serializable(blind: Blind, project: Path) -> None:
    empty(project)
    make_tree(project)
    reader = f"{MEET}cat a; tell A; wait_for B; cat a"
    writer = f"{MEET}wait_for A; echo later > a; tell B"
    outcomes = blind.run([reader, writer], [Isolation.SERIALIZABLE, Isolation.GUARD])
    assert (outcomes[0].stdout, outcomes[0].restarts) == ("a\na\n", 0)
    assert (project / "a").read_text() == "later\n"
    waiting = [event for event in blind.events if isinstance(event, CommandWaiting)]
    assert [event.reason for event in waiting] == ["a, held by c0"]


def test_a_command_at_serializable_waits_for_what_one_at_guard_has_written(blind: Blind, project: Path) -> None:
    empty(project)
    make_tree(project)
    writer = f"{MEET}echo half > a; tell A; wait_for B; echo whole > a"
    reader = f"{MEET}wait_for A; cat a; tell B"
    outcomes = blind.run([writer, reader], [Isolation.GUARD, Isolation.SERIALIZABLE])
    assert outcomes[1].stdout == "whole\n"


def test_first_updater_wins_over_what_was_read_at_guard(blind: Blind, project: Path) -> None:
    empty(project)
    make_tree(project)
    slow = f"{MEET}n=$(cat a); tell A; wait_for B; sleep 0.2; echo $n one > a"
    quick = f"{MEET}wait_for A; echo $(cat a) two > a; tell B"
    outcomes = blind.run([slow, quick], [Isolation.GUARD, Isolation.SERIALIZABLE])
    assert (project / "a").read_text() == "a two one\n"
    assert outcomes[0].restarts == 1


MODULES = {
    "one": "tell(ME); wait_for('two', 1); a = open('a').read(); append('b', f'one read {a}')",
    "two": "tell(ME); wait_for('one', 1); b = open('b').read(); append('a', f'two read {b}')",
}


def test_run_all_is_as_if_serial(tmp_path: Path) -> None:
    project = make_project(tmp_path, MODULES, ignored=("a", "b"))
    (project / "a").write_text("a")
    (project / "b").write_text("b")
    with commands_at(project, Isolation.SERIALIZABLE) as cbx:
        outcomes = run_tests(cbx, {"one": "one", "two": "two"})
    assert all(outcome.ok for outcome in outcomes.values()), list(map(str, outcomes.values()))
    assert ((project / "a").read_text(), (project / "b").read_text()) == ("atwo read bone read a", "bone read a")


def test_pytest_is_as_if_serial(tmp_path: Path) -> None:
    project = make_project(tmp_path, MODULES, ignored=("a", "b"))
    (project / "a").write_text("a")
    (project / "b").write_text("b")
    table = "[cbx]\nisolation = 'serializable'\njobs = 4\nlearn = false\n"
    for name in MODULES:
        table += (
            f"[[cbx.command]]\nname = '{name}'\nrun = '{sys.executable} -m unittest -q {name}'\ncpus = 0.1\n"
            f"env = {{ ME = '{name}', MEETING = '{tmp_path}/meeting', PYTHONDONTWRITEBYTECODE = '1' }}\n"
        )
    (project / "cbx.toml").write_text(table)
    process = start_pytest(project, "--cbx-isolation=serializable")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert "serializable" in out
    assert ((project / "a").read_text(), (project / "b").read_text()) == ("atwo read bone read a", "bone read a")
    assert_nothing_left(project)


def test_tools_work(tmp_path: Path) -> None:
    """Those that look at everything."""
    project = make_project(tmp_path, {"one": "pass"})
    commands = [
        "git add .",
        "git -c user.name=n -c user.email=e@x commit -qm first",
        "git status --porcelain",
        "echo more >> one.py; git diff --stat | tail -n 1",
        "git log --oneline | wc -l",
        f"{sys.executable} -c 'import unittest, json; print(json.dumps(len(open(\"one.py\").read()) > 0))'",
        "tar cf ../all.tar . && tar tf ../all.tar | grep -c one.py",
        "cp -a . ../copy && diff -r . ../copy && find . -name one.py",
        "make -s -f - <<< $'all: one.py\\n\\t@echo made'",
    ]
    with commands_at(project, Isolation.SERIALIZABLE) as cbx:
        outcomes = [cbx.run(command) for command in commands]
    assert all(outcome.ok for outcome in outcomes), list(map(str, outcomes))
    said = [outcome.stdout.strip() for outcome in outcomes]
    assert said[2:] == ["", "1 file changed, 1 insertion(+)", "1", "true", "1", "./one.py", "made"]


def test_standard_input_is_read_as_it_was(tmp_path: Path) -> None:
    """Nobody sees a file being read that was opened before."""
    project = make_project(tmp_path, {}, ignored=("a",))
    (project / "a").write_text("early\n")
    run = ("run", "--isolation=serializable", "--")
    told = tmp_path / "meeting" / "A"
    with (project / "a").open() as file:
        # The pause is for the writer, which would not wait.
        reader = start_cbx(project, *run, f": > {told}; sleep 4; cat", stdin=file.fileno())
        wait_for(told.exists, "the first command runs")
        writer = run_cbx(project, *run, "echo later > a")
        out, err = reader.communicate(timeout=30)
    assert (reader.returncode, out, writer.returncode) == (0, "early\n", 0), err
    assert (project / "a").read_text() == "later\n"


FAILS_ONCE = "[ -e $MEETING/once ] || { : > $MEETING/once; exit 1; }; "


@pytest.mark.parametrize(
    ("again", "meanwhile", "said", "left"),
    [
        ("cat a", "echo later > a", ["a\n", ""], "later\n"),
        ("[ -e d ] && echo there", "rm -r d", ["there\n", ""], "a\n"),
        ("echo earlier > a", "cat a", ["", "earlier\n"], "earlier\n"),
        ("echo earlier > d/new", "ls d", ["", "new\nx\n"], "a\n"),
    ],
)
def test_what_is_done_alone_counts_past_its_end(
    blind: Blind, project: Path, *, again: str, meanwhile: str, said: list[str], left: str
) -> None:
    """The later command runs while the earlier one waits for its next attempt, and ends before that."""
    empty(project)
    make_tree(project)
    outcomes = blind.run([FAILS_ONCE + again, f"{MEET}wait_for once; sleep 0.05; {meanwhile}"], retries=1)
    assert [outcome.stdout for outcome in outcomes] == said, list(map(str, outcomes))
    assert (project / "a").read_text() == left
    assert (outcomes[0].attempts, outcomes[1].restarts) == (2, 1)


def test_what_something_nested_did_alone_is_held_by_the_command_around_it(blind: Blind, project: Path) -> None:
    """At `guard`, too: else the next one would build on what is still to be undone."""
    empty(project)
    make_tree(project)
    inner = nested("n=a; echo inner > $n")
    outer = (
        f'{inner}; : > $MEETING/A; for _ in {{1..500}}; do [ -e "$MEETING/B" ] && break; sleep 0.01; done; kill -9 $$'
    )
    meeting = project.parent / "around"
    meeting.mkdir()
    with ThreadPoolExecutor(1) as pool:
        around = pool.submit(blind.run, [f"MEETING={meeting}; {outer}"], Isolation.GUARD)
        wait_for((meeting / "A").exists, "the inner command has ended")
        assert (project / "a").read_text() == "inner\n"
        done = run_cbx(project, "run", "--", f"echo other >> a; touch {meeting}/B")
        (outcome,) = around.result()
    assert (outcome.rolled_back, done.returncode) == (True, 0), (str(outcome), done.stderr)
    assert (project / "a").read_text() == "a\nother\n"
