"""Walks a syntax tree the way the shell would run it, and collects what it would touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from pytest_cbx.effects import assignments, dispatch, redirects, writing
from pytest_cbx.effects.expansion import Expander
from pytest_cbx.effects.facts import Sign
from pytest_cbx.effects.file_tests import files_tested
from pytest_cbx.effects.grammar import Entry
from pytest_cbx.effects.listings import together
from pytest_cbx.effects.loops import MOST_ROUNDS, Left, loop, loop_over
from pytest_cbx.effects.model import Kind, Place
from pytest_cbx.effects.paths import Context, resolve
from pytest_cbx.effects.record import Record
from pytest_cbx.effects.seen import file_text
from pytest_cbx.effects.state import State
from pytest_cbx.effects.values import EMPTY, UNKNOWN, UNKNOWN_MANY, Field, Variable
from pytest_cbx.shell.both import Reading
from pytest_cbx.shell.nodes import (
    AndOr,
    Arithmetic,
    ArithmeticFor,
    Case,
    Command,
    Conditional,
    Connector,
    Coprocess,
    For,
    Function,
    Group,
    If,
    Literal,
    Loop,
    Pipeline,
    Script,
    Simple,
    Subshell,
    Unreadable,
    Word,
)

MOST_STEPS = 4_000
"""Commands walked for one text, loops and functions unrolled. Beyond it the rest counts as unknown."""

_NUMERIC = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})


class Walker:
    """One walk over one text."""

    def __init__(self, context: Context, read: Callable[[str], Reading]) -> None:
        self.context = context
        self.read = read
        """Reads a text within the text."""
        self.state = State.start(context)
        self.stdin: Field = UNKNOWN
        self.joined = False
        """Whether another descriptor may lead to standard output (`2>&1`)."""
        self.redirected: tuple[Field, Field, Field] | None = None
        """The last input that came from a file by a redirect, with the file's path and the directory it is seen from."""
        self.record = Record()
        self.expander = Expander(self)
        self.pipes: dict[str, Field] = {}
        """What the process substitutions' paths give to read."""
        self.active: list[tuple[str, int]] = []
        """Functions that run, each with the number of forks around it."""
        self.frames: list[dict[str, Variable | None]] = []
        """For each running function the outer values of its local variables."""
        self.transformed: set[str] = set()
        """Variables with an attribute that changes what is assigned to them (`declare -l`, `-u`)."""
        self.depth = 0
        self.left: list[Left] = []
        """Where the loop or function that is walked was left so far."""
        self._maybe = 0
        self.forks = 0
        self.later: list[tuple[Field, State]] = []
        """Texts of traps, each with what is known whenever it may run."""
        self._steps = 0
        self._nested = 0

    # --- what the other parts use ----------------------------------------------------------------------

    @property
    def own_text(self) -> bool:
        """Whether what is walked stands in the command's own text, so that its spans count."""
        return not self._nested

    def note(self, kind: Kind, place: Place | None, program: str, detail: str, subject: Field | None = None) -> None:
        """Note an effect. `subject`: the word that says on what."""
        if subject is None:
            self.record.effect(kind, place, program, detail)
        else:
            self.record.effect(kind, place, program, detail, span=subject.span, origin=subject.origin)

    def listed(self, pattern: Field) -> None:
        """Note that the shell expands a pattern."""
        for place in resolve(pattern, self.state.cwd, self.context, "path") or ():
            self.record.listed[place] = None

    def use(self, entry: Entry) -> None:
        """Count an entry into the estimate."""
        self.record.estimate(entry)

    def program(self, name: str, *, known: bool, searched: bool) -> None:
        """Note that a program is started."""
        self.record.program(name, conditional=self._maybe > 0, known=known, searched=searched)

    def doubt(self, reason: str, program: str = "") -> None:
        """Note that something unknown may run here."""
        self.record.effect(Kind.UNKNOWN, None, program, reason)

    def run(self, fields: list[Field], *, functions: bool = True) -> Field:
        """Run a command given by its words; gives its output as far as known. `functions`: those of the shell count."""
        word = self.record.word
        output = dispatch.run(self, fields, functions=functions)
        self.record.word = word
        return output

    def run_listed(self, name: str, arguments: list[Field]) -> Field:
        """Run the program of a catalogue entry, whatever functions and aliases there are."""
        return dispatch.program(self, name, arguments)

    def run_text(self, text: Field, program: str, *, isolated: bool = True, positional: Sequence[Field] = ()) -> Field:
        """Run text with the shell: in this shell (`eval`), or in a process of its own (`isolated`)."""
        return dispatch.run_text(self, text, program, isolated=isolated, positional=positional)

    def file_text(self, path: Field, base: Field, program: str = "") -> str | None:
        """The text of a file in the workspace that `program`, working in `base`, takes in; None where it cannot be told."""
        return file_text(self, path, base, program)

    def input_text(self, program: str) -> str | None:
        """The text on standard input, which `program` takes in; None where it cannot be told."""
        if self.stdin.known:
            return self.stdin.text
        if self.redirected is not None and self.redirected[0] is self.stdin:
            return self.file_text(self.redirected[1], self.redirected[2], program)
        return None

    @contextmanager
    def maybe(self) -> Iterator[None]:
        """What is walked inside runs only in some runs."""
        self._maybe += 1
        try:
            yield
        finally:
            self._maybe -= 1

    @contextmanager
    def fork(self, state: State | None = None) -> Iterator[None]:
        """What is walked inside has its own copy of the state, and traps of its own, which run when it ends."""
        saved, self.state = self.state, state or self.state.copy()
        left, self.left = self.left, []
        later, self.later = self.later, []
        self.forks += 1
        try:
            yield
            if self.later:
                self.traps()
        finally:
            self.state, self.left, self.later = saved, left, later
            self.forks -= 1

    @contextmanager
    def input(self, text: Field) -> Iterator[None]:
        """What is walked inside reads `text` from its standard input."""
        saved, self.stdin = (self.stdin, self.joined), text
        try:
            yield
        finally:
            self.stdin, self.joined = saved

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Inside, spans of the tree belong to another text: keep the place of the outer one."""
        self._nested += 1
        self.depth += 1
        try:
            yield
        finally:
            self._nested -= 1
            self.depth -= 1

    def substitution(self, body: Script) -> Field:
        """Walk a command substitution."""
        with self.fork():
            output = self.script(body)
        return replace(output, text=output.text.rstrip("\n")) if output.known else output

    def process(self, body: Script, reads_from: bool) -> Field:
        """Walk a process substitution."""
        with self.fork(), self.input(UNKNOWN):
            output = self.script(body)
        path = f"/dev/fd/{63 - len(self.pipes) % 50}"
        self.pipes[path] = output if reads_from else UNKNOWN
        return Field(path, origin=output.origin if reads_from else None)

    def traps(self) -> None:
        """Walk the traps' texts: they run at the end, or any time before."""
        for index in range(MOST_ROUNDS):
            if index >= len(self.later):
                return
            text, state = self.later[index]
            final = self.state.copy()
            final.ended = state.ended = False
            state.merge(final)
            with self.maybe(), self.fork(state), self.input(UNKNOWN):
                self.run_text(text, "trap", isolated=False)
        self.doubt("too many traps to follow", "trap")

    # --- structure -------------------------------------------------------------------------------------

    def script(self, script: Script) -> Field:
        """Walk statements one after the other; gives their output as far as known."""
        outputs: list[Field] = []
        for statement in script.statements:
            if statement.background:
                with self.fork():
                    self.command(statement.command)
                outputs.append(UNKNOWN)
            else:
                outputs.append(self.command(statement.command))
        return together(outputs)

    def command(self, node: Command) -> Field:
        """Walk one command."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            self.doubt("the script is too long to follow")
            return UNKNOWN
        self._stand(node)
        match node:
            case Simple():
                return self._simple(node)
            case Pipeline():
                return self._pipeline(node)
            case AndOr():
                return self._and_or(node)
            case Group() | Subshell() | If() | Loop() | For() | ArithmeticFor() | Case() | Conditional() | Arithmetic():
                with self.input(self.stdin):
                    printed = redirects.apply(self, node.redirects, "")
                    output = self._compound(node)
                return output if printed is None else printed
            case Function():
                self.state.functions[node.name] = node
                self.state.doubtful.discard(node.name)
                return EMPTY
            case Coprocess():
                with self.fork():
                    self.command(node.body)
                self.assign(node.name or "COPROC", UNKNOWN)
                return EMPTY
            case Unreadable():
                self.record.readable = False
                self.doubt(f"could not be read: {node.reason}")
                return UNKNOWN

    def _stand(self, node: Command) -> None:
        """What is noted from here on belongs to this command."""
        if not self._nested:
            self.record.span, self.record.word = node.span, None

    def _compound(
        self, node: Group | Subshell | If | Loop | For | ArithmeticFor | Case | Conditional | Arithmetic
    ) -> Field:
        output = EMPTY
        if isinstance(node, Loop | ArithmeticFor) and writing.multiplies(node):
            self.record.sign(Sign.MULTIPLIES, "the loop")
        match node:
            case Group():
                output = self.script(node.body)
            case Subshell():
                with self.fork():
                    output = self.script(node.body)
            case If():
                output = self._if(node)
            case Loop():
                output = loop(self, node.body, node.condition)
            case For():
                output = loop_over(self, node)
            case ArithmeticFor():
                self.expander.arithmetic(node.text, node.parts)
                output = loop(self, node.body)
            case Case():
                output = self._case(node)
            case Conditional():
                self._test(node.words)
            case Arithmetic():
                self.expander.arithmetic(node.text, node.parts)
        return output

    def _pipeline(self, node: Pipeline) -> Field:
        if len(node.commands) == 1:
            return self.command(node.commands[0])
        output = self.stdin
        for command in node.commands:
            with self.fork(), self.input(output):
                output = self.command(command)
                last = self.state
        if self.state.last_in_shell:
            self.state.merge(last)
        return output

    def _and_or(self, node: AndOr) -> Field:
        output, failed = self._chain(node)
        self.state.merge(failed)
        return output

    def _chain(self, node: Command) -> tuple[Field, State]:
        """Walk a command of an and-or list. Afterwards the state is that of its success; the state of its failure is returned."""
        if not isinstance(node, AndOr):
            before = self.state.copy()
            output = self.command(node)
            return output, self._failure(node, before)
        left, failed = self._chain(node.left)
        with self.maybe():
            if node.connector is Connector.AND:
                right, failed_right = self._chain(node.right)
                failed.merge(failed_right)
                return (right if left.known and not left.text else UNKNOWN_MANY), failed
            succeeded, self.state = self.state, failed
            _, failed = self._chain(node.right)
            self.state.merge(succeeded)
            return UNKNOWN_MANY, failed

    def _failure(self, node: Command, before: State) -> State:
        """The state after a command that failed: `cd` stays where it was; of anything else any part may have been done."""
        failed = self.state.copy()
        if failed.cwd == before.cwd:
            return failed
        if isinstance(node, Simple) and node.words and _text(node.words[0]) in ("cd", "pushd", "popd"):
            return before
        failed.merge(before)
        return failed

    def _condition(self, script: Script) -> State:
        """Walk a condition. Afterwards the state is that of its success; the state of its failure is returned."""
        *first, last = script.statements or [None]
        for statement in first:
            if statement is not None:
                self.script(Script(statements=(statement,), span=script.span))
        if last is None or last.background:
            self.script(script if last is None else Script(statements=(last,), span=script.span))
            return self.state.copy()
        return self._chain(last.command)[1]

    def _if(self, node: If) -> Field:
        ends: list[State] = []
        with ExitStack() as stack:
            for condition, body in node.branches:
                failed = self._condition(condition)
                with self.maybe():
                    self.script(body)
                ends.append(self.state)
                self.state = failed
                stack.enter_context(self.maybe())
            if node.otherwise is not None:
                self.script(node.otherwise)
        for end in ends:
            self.state.merge(end)
        return UNKNOWN

    def _case(self, node: Case) -> Field:
        self.expander.one(node.subject)
        for clause in node.clauses:
            for pattern in clause.patterns:
                self.expander.one(pattern)
        ends = [self.state]
        with self.maybe():
            for index, clause in enumerate(node.clauses):
                self.state = ends[0].copy()
                if index and node.clauses[index - 1].terminator != ";;":
                    # `;&` and `;;&` go on here with what the clause before has set.
                    self.state.merge(ends[-1])
                self.script(clause.body)
                ends.append(self.state)
        for end in ends[:-1]:
            self.state.merge(end)
        return UNKNOWN

    def _test(self, words: Sequence[Word]) -> None:
        values = [self.expander.one(word) for word in words]
        texts = [_text(word) for word in words]
        for index, text in enumerate(texts):
            if text in _NUMERIC:
                for neighbour in values[max(0, index - 1) : index + 2]:
                    self.expander.arithmetic(neighbour.text)
                    self.expander.evaluated(neighbour)
            elif text == "-v" and index + 1 < len(values):
                self.expander.evaluated(values[index + 1])
        for file in files_tested(values):
            redirects.touch(self, Kind.READ, file, "[[", "file test")

    # --- simple commands -------------------------------------------------------------------------------

    def _simple(self, node: Simple) -> Field:
        fields = self.expander.words(node.words)
        self._stand(node)
        writing.look(self, node.words, fields)
        name = fields[0].text.rsplit("/", 1)[-1] if fields and fields[0].known else ""
        with self.input(self.stdin):
            if not fields:
                for assignment in node.assignments:
                    assignments.apply(self, assignment)
                redirects.apply(self, node.redirects, "")
                return UNKNOWN if node.redirects else EMPTY
            if not node.assignments:
                printed = redirects.apply(self, node.redirects, name)
                output = self._run(fields, node)
            else:
                saved = self.state.variables, self.state.exported
                self.state.variables, self.state.exported = dict(saved[0]), set(saved[1])
                # Bash opens the redirects' files before it looks at the assignments.
                printed = redirects.apply(self, node.redirects, name)
                for assignment in node.assignments:
                    assignments.apply(self, assignment, exported=True)
                output = self._run(fields, node)
                self.restore({assignment.name: saved[0].get(assignment.name) for assignment in node.assignments})
                self.state.exported = saved[1]
        if name == "exec" and len(fields) == 1:
            # Its redirects stay.
            self.stdin, self.joined = UNKNOWN, True
        return output if printed is None else printed

    def _run(self, fields: list[Field], node: Simple) -> Field:
        assignments.note_attributes(self, fields, node)
        for assignment in node.operands_assigned:
            if fields[0].text in ("local", "declare", "typeset"):
                self.localise(assignment.name)
            if any(field.text.startswith("-") and "i" in field.text for field in fields[1:]):
                self.state.integers.add(assignment.name)
            assignments.apply(self, assignment, exported=fields[0].text == "export")
        return dispatch.run(self, fields, operands=len(node.operands_assigned), direct=True)

    def localise(self, name: str) -> None:
        """The name is local to the function that runs: its outer value comes back afterwards."""
        if self.frames:
            self.frames[-1].setdefault(name, self.state.variables.get(name))

    def restore(self, values: Mapping[str, Variable | None]) -> None:
        """Give variables their earlier values; None: none is known."""
        for name, value in values.items():
            if value is None:
                self.state.variables.pop(name, None)
            else:
                self.state.variables[name] = value

    def assign(self, name: str, value: Field, *, temporary: bool = False, array: bool = False) -> None:
        """Set a variable. Those that change what runs are an effect. `temporary`: programs get it too."""
        assignments.assign(self, name, value, temporary=temporary, array=array)


def _text(word: Word) -> str:
    part = word.parts[0] if len(word.parts) == 1 else None
    return part.text if isinstance(part, Literal) else ""
