"""`durability = "power"`: whatever a power cut leaves of what was not flushed, the tree is as before or, once committed, as after."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.errors import CbxError, JournalError
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.inspection import half_made
from pytest_cbx.transaction.transaction import State, Transaction
from tests.inodes import Node, fingerprint, portrait
from tests.simulated_disk import Loss, Platter, SimulatedDisk
from tests.unit.transaction.scenes import SCENES, Program, furnish

BEFORE, AFTER = "before", "after"
SEEDS = 4
CHOICES = [(loss, 0) for loss in Loss if loss is not Loss.RANDOM] + [(Loss.RANDOM, seed) for seed in range(SEEDS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What a power cut left."""

    nodes: dict[int, Node]
    allowed: frozenset[str]
    told: str


@dataclass(slots=True)
class World:
    """A tree and a journals' home on a simulated disk."""

    tree: Path
    home: Path
    graveyard: Path
    before: dict[str, object] = field(default_factory=dict)
    after: dict[str, object] = field(default_factory=dict)
    cuts: dict[tuple[str, frozenset[str]], Cut] = field(default_factory=dict)
    points: int = 0
    """Power cuts that were noted."""
    allowed: frozenset[str] = frozenset({BEFORE})

    @classmethod
    def furnished(cls, folder: Path) -> World:
        """A new one."""
        world = cls(folder / "tree", folder / "home", folder / "graveyard")
        for path in (world.tree, world.home):
            path.mkdir()
        furnish(world.tree)
        world.before = portrait([world.tree])
        return world

    def disk(self, *, choices: Sequence[tuple[Loss, int]] = (), ctimes: dict[int, int] | None = None) -> SimulatedDisk:
        """A disk that notes what a power cut after each operation would leave."""
        platter = Platter(self.tree, self.home, graveyard=self.graveyard, ctimes=ctimes or {})
        disk = SimulatedDisk(platter, after=(lambda: self.note(disk, choices)) if choices else None)
        return disk

    def note(self, disk: SimulatedDisk, choices: Sequence[tuple[Loss, int]]) -> None:
        """Note what a power cut now would leave."""
        self.points += len(choices)
        for loss, seed in choices:
            nodes = disk.platter.survivors(loss, seed)
            key = (fingerprint(nodes, disk.platter.tops), self.allowed)
            if key not in self.cuts:
                told = f"after operation {len(disk.operations)} ({disk.operations[-1]}): {loss.value}, seed {seed}"
                self.cuts[key] = Cut(nodes=nodes, allowed=self.allowed, told=told)

    @property
    def journal(self) -> bytes:
        """The folder of the transaction."""
        return os.fsencode(self.home / "journal")

    def begin(self, disk: SimulatedDisk, durability: str = "power") -> Transaction:
        """The transaction of the program."""
        return Transaction.begin(
            self.journal,
            token="engine",
            roots=(os.fsencode(self.tree),),
            label="test",
            durability=durability,
            disk=disk,
        )

    def recover(self, disk: SimulatedDisk) -> None:
        """As `recovery` does it."""
        if os.path.lexists(self.journal):
            if half_made(self.journal):
                for name in os.listdir(self.journal):
                    disk.unlink(os.path.join(self.journal, name))
                disk.rmdir(self.journal)
            else:
                report = Transaction.load(self.journal, disk=disk).roll_back()
                assert not report.incomplete
                assert not report.left

    def restart(self, cut: Cut, *, choices: Sequence[tuple[Loss, int]] = ()) -> SimulatedDisk:
        """Power is back."""
        platter = Platter(self.tree, self.home, graveyard=self.graveyard)
        platter.materialise(cut.nodes)
        platter.close()
        return self.disk(choices=choices, ctimes={inode: node.meta.ctime for inode, node in cut.nodes.items()})

    def check(self, cut: Cut) -> str:
        """Recover after this cut; returns what is wrong then, empty when nothing is."""
        disk = self.restart(cut)
        try:
            self.recover(disk)
        except (AssertionError, CbxError, OSError) as error:
            return f"{cut.told}: {type(error).__name__}: {error}"
        finally:
            disk.platter.close()
        return self.fault(cut)

    def fault(self, cut: Cut) -> str:
        """What is not as it may be."""
        found = portrait([self.tree])
        wanted = {BEFORE: self.before, AFTER: self.after}
        if not any(found == wanted[name] for name in cut.allowed):
            name = min(cut.allowed)
            return f"{cut.told}: not as {name}: {difference(found, wanted[name])}"
        left = [os.fspath(path) for path in self.home.rglob("*")]
        return f"{cut.told}: left in the home: {left}" if left else ""


def difference(found: dict[str, object], wanted: dict[str, object]) -> str:
    """What is not as it should be."""
    names = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    return "; ".join(f"{name} is {found.get(name)}, not {wanted.get(name)}" for name in names)


def run(world: World, scene: Callable[[Program], None], *, commit: bool, durability: str = "power") -> None:
    """Run a program to the end of its transaction, noting what power cuts would leave."""
    disk = world.disk(choices=CHOICES)
    transaction = world.begin(disk, durability)
    scene(Program(world.tree, transaction, disk))
    if commit:
        world.after = portrait([world.tree])
        world.allowed = frozenset({BEFORE, AFTER})
        transaction.commit()
        assert transaction.state is State.COMMITTED
        world.allowed = frozenset({AFTER})
        world.note(disk, CHOICES)
    else:
        assert not transaction.roll_back().incomplete
    disk.platter.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.furnished(tmp_path)
    yield world
    shutil.rmtree(world.graveyard, ignore_errors=True)


@pytest.mark.parametrize("name", SCENES)
def test_a_power_cut_at_any_operation_leaves_before_or_after(world: World, name: str) -> None:
    run(world, SCENES[name], commit=True)
    faults = [fault for cut in world.cuts.values() if (fault := world.check(cut))]
    assert not faults, f"{len(faults)} of {len(world.cuts)}: " + "\n".join(faults[:3])
    assert {cut.allowed for cut in world.cuts.values()} >= {frozenset({BEFORE}), frozenset({AFTER})}
    print(f"{name}: {world.points} power cuts, {len(world.cuts)} different states")


@pytest.mark.parametrize("name", SCENES)
def test_a_power_cut_in_a_roll_back_leaves_before(world: World, name: str) -> None:
    run(world, SCENES[name], commit=False)
    faults = [fault for cut in world.cuts.values() if (fault := world.check(cut))]
    assert not faults, f"{len(faults)} of {len(world.cuts)}: " + "\n".join(faults[:3])
    print(f"{name}: {world.points} power cuts, {len(world.cuts)} different states")


@pytest.mark.parametrize("name", SCENES)
def test_a_power_cut_in_the_recovery_from_a_power_cut_changes_nothing(world: World, name: str) -> None:
    run(world, SCENES[name], commit=True)
    choice = random.Random(name)
    first = choice.sample(sorted(world.cuts.values(), key=lambda cut: cut.told), 12)
    faults: list[str] = []
    second = 0
    for cut in first:
        world.cuts.clear()
        world.allowed = cut.allowed
        disk = world.restart(cut, choices=CHOICES)
        world.recover(disk)
        disk.platter.close()
        again = choice.sample(list(world.cuts.values()), min(12, len(world.cuts)))
        second += len(again)
        faults += [f"{cut.told}, then {fault}" for other in again if (fault := world.check(other))]
    assert second > 50
    assert not faults, f"{len(faults)} of {second}: " + "\n".join(faults[:3])


def test_without_flushes_a_power_cut_does_damage(world: World) -> None:
    """Were it not so, the tests above could not fail."""
    run(world, SCENES["save"], commit=True, durability="process")
    faults = [fault for cut in world.cuts.values() if (fault := world.check(cut))]
    assert any("not as before" in fault for fault in faults)
    assert any("not as after" in fault for fault in faults)


class Withheld(SimulatedDisk):
    """A disk on which files of mode 000 cannot be opened, as it is for those who are not root."""

    def _open(self, path: bytes, flags: int, mode: int = 0o777) -> int:
        if os.path.isfile(path) and not os.stat(path).st_mode & 0o777:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return super()._open(path, flags, mode)


def withhold(program: Program) -> None:
    """Makes a file that its owner may not read."""
    program.write("a.txt", b"changed")
    program.write("new.txt", b"secret")
    program.chmod("new.txt", 0)


def test_what_cannot_be_opened_is_flushed_with_all_the_rest(world: World) -> None:
    platter = Platter(world.tree, world.home, graveyard=world.graveyard)
    disk = Withheld(platter, after=lambda: None)
    transaction = world.begin(disk)
    withhold(Program(world.tree, transaction, disk))
    world.after = portrait([world.tree])
    transaction.commit()
    assert "sync" in disk.operations
    world.allowed = frozenset({AFTER})
    world.note(disk, CHOICES)
    faults = [fault for cut in world.cuts.values() if (fault := world.check(cut))]
    assert not faults, faults[:3]
    platter.close()


class Broken(Disk):
    """A disk that cannot flush files of this name any more."""

    def flush(self, path: bytes) -> None:
        if path.endswith(b"/a.txt"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        super().flush(path)


def test_what_cannot_be_flushed_is_not_committed(world: World) -> None:
    disk = Broken()
    transaction = Transaction.begin(
        world.journal, token="engine", roots=(os.fsencode(world.tree),), durability="power", disk=disk
    )
    Program(world.tree, transaction, disk).write("a.txt", b"changed")
    with pytest.raises(JournalError, match="Input/output error"):
        transaction.commit()
    (reason,) = transaction.roll_back().incomplete
    assert "a.txt" in reason
    transaction.close()
    assert Transaction.load(world.journal).roll_back().incomplete == ()
    assert portrait([world.tree]) == world.before


OPERATIONS = ("write", "append", "overwrite", "unlink", "rmdir", "mkdir", "symlink", "link", "rename", "chmod", "utime")
NAMES = (
    "a.txt",
    "b.txt",
    "b-too.txt",
    "sub",
    "sub/c.txt",
    "sub/deep",
    "sub/deep/d.txt",
    "sub/run.sh",
    "link",
    "empty",
    "x",
    "empty/x",
)


def random_scene(steps: list[tuple[str, str, str]]) -> Callable[[Program], None]:
    """A program of these steps; what the system refuses is passed over."""

    def scene(program: Program) -> None:
        for operation, name, other in steps:
            with contextlib.suppress(OSError):
                match operation:
                    case "write" | "append" | "overwrite":
                        if not os.path.islink(program.path(name)):
                            getattr(program, operation)(name, other.encode() * 3)
                    case "link" | "rename":
                        getattr(program, operation)(name, other)
                    case "symlink":
                        program.symlink(other, name)
                    case "chmod":
                        if not os.path.islink(program.path(name)):
                            program.chmod(name, 0o710)
                    case "utime":
                        program.utime(name, 5)
                    case _:
                        getattr(program, operation)(name)

    return scene


@settings(max_examples=25)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(OPERATIONS), st.sampled_from(NAMES), st.sampled_from(NAMES)), min_size=2, max_size=8
    ),
    commit=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_a_power_cut_in_any_program_leaves_before_or_after(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]], commit: bool, seed: int
) -> None:
    world = World.furnished(tmp_path_factory.mktemp("world"))
    run(world, random_scene(steps), commit=commit)
    for cut in random.Random(seed).sample(list(world.cuts.values()), min(40, len(world.cuts))):
        fault = world.check(cut)
        assert not fault, fault
