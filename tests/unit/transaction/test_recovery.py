"""What a crash leaves is finished by whoever comes next; what is not ours, or damaged, is left alone and told of."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_cbx.transaction import records
from pytest_cbx.transaction.disk import DISK, Disk
from pytest_cbx.transaction.home import EngineFolder, Home, find_home
from pytest_cbx.transaction.records import Header, Kind
from pytest_cbx.transaction.recovery import Action, JournalResult, recover_folder, recover_home
from pytest_cbx.transaction.transaction import Transaction
from tests.inodes import portrait
from tests.unit.transaction.scenes import SCENES, Program, edit, furnish, shuffle

TOKEN = "0123456789abcdef-1-00c0ffee"


class Abandoned:
    """An engine's folder with transactions in it, whose engine is dead."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.home = find_home(os.fsencode(tree), {})
        self.engine: EngineFolder = self.home.open_engine(TOKEN)

    def begin(self, scene: Callable[[Program], None] | None = None, label: str = "make") -> Transaction:
        """A transaction that has got so far."""
        transaction = self.engine.begin(label=label)
        if scene is not None:
            scene(Program(self.tree, transaction, DISK))
        return transaction

    def die(self) -> None:
        """Let go of the lock, and of nothing else."""
        self.engine._lock.release()

    def recover(self) -> tuple[JournalResult, ...]:
        """Recover."""
        return recover_home(self.home)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "tree"
    furnish(folder)
    return folder


@pytest.fixture
def abandoned(tree: Path) -> Abandoned:
    return Abandoned(tree)


@pytest.mark.parametrize("name", SCENES)
def test_what_was_running_is_rolled_back(tree: Path, name: str) -> None:
    before = portrait([tree])
    abandoned = Abandoned(tree)
    abandoned.begin(SCENES[name])
    abandoned.die()
    (result,) = abandoned.recover()
    assert (result.label, result.action, result.reason) == ("make", Action.ROLLED_BACK, "")
    assert result.restored > 3
    assert portrait([tree]) == before
    assert not os.path.lexists(abandoned.home.path)


def test_what_was_committed_stays(abandoned: Abandoned, tree: Path) -> None:
    transaction = abandoned.begin(shuffle)
    transaction._shared.journal.state(Kind.COMMITTED)
    transaction.close()
    abandoned.die()
    after = portrait([tree])
    (result,) = abandoned.recover()
    assert (result.action, result.restored) == (Action.COMPLETED, 0)
    assert portrait([tree]) == after


def test_what_is_recovered_needs_no_recovery(abandoned: Abandoned) -> None:
    abandoned.begin(edit)
    abandoned.die()
    assert len(abandoned.recover()) == 1
    assert abandoned.recover() == ()


def test_a_living_owner_is_left_in_peace(abandoned: Abandoned, tree: Path) -> None:
    transaction = abandoned.begin(edit)
    during = portrait([tree])
    (result,) = abandoned.recover()
    assert result.action is Action.BUSY
    assert portrait([tree]) == during
    transaction.roll_back()
    abandoned.engine.close()
    assert abandoned.recover() == ()


def test_several_transactions_of_several_engines(tree: Path) -> None:
    before = portrait([tree])
    first = Abandoned(tree)
    first.begin(lambda program: program.write("a.txt", b"one"), label="one")
    second = first.home.open_engine("0123456789abcdef-2-00c0ffee")
    other = second.begin(label="two")
    Program(tree, other, DISK).write("sub/new", b"two")
    Program(tree, other, DISK).write("new", b"two")
    first.die()
    second._lock.release()
    results = first.recover()
    assert [(result.label, result.action) for result in results] == [
        ("two", Action.ROLLED_BACK),
        ("one", Action.ROLLED_BACK),
    ]
    assert portrait([tree]) == before


def test_one_folder_alone(abandoned: Abandoned, tree: Path) -> None:
    abandoned.begin(edit)
    other = abandoned.home.open_engine("0123456789abcdef-2-00c0ffee")
    other.begin(label="lives")
    abandoned.die()
    (result,) = recover_folder(abandoned.home, abandoned.engine.path)
    assert result.action is Action.ROLLED_BACK
    assert sorted(os.listdir(abandoned.home.path)) == [b".gitignore", os.path.basename(other.path)]
    other._lock.release()


def test_a_torn_tail_never_happened(abandoned: Abandoned, tree: Path) -> None:
    transaction = abandoned.begin(edit)
    journal = os.path.join(os.fsdecode(transaction.folder), "journal")
    whole = Path(journal).read_bytes()
    transaction.create(os.fsencode(tree / "never"))
    torn = Path(journal).read_bytes()
    assert len(torn) > len(whole)
    (tree / "never").write_bytes(b"another's")
    Path(journal).write_bytes(torn[: (len(whole) + len(torn)) // 2])
    abandoned.die()
    (result,) = abandoned.recover()
    assert result.action is Action.ROLLED_BACK
    assert (tree / "never").read_bytes() == b"another's"
    assert (tree / "a.txt").read_bytes() == b"alpha " * 9


def halves(whole: bytes) -> list[bytes]:
    """A file that grew up to each length."""
    return [whole[:length] for length in range(len(whole))] + [bytes(len(whole))]


def test_a_journal_that_was_not_begun_is_removed(abandoned: Abandoned, tree: Path) -> None:
    transaction = abandoned.begin()
    folder = Path(os.fsdecode(transaction.folder))
    whole = (folder / "journal").read_bytes()
    transaction.roll_back()
    abandoned.die()
    for content in halves(whole):
        folder.mkdir(parents=True, mode=0o700)
        (folder / "journal").write_bytes(content)
        (result,) = abandoned.recover()
        assert (result.action, result.restored) == (Action.REMOVED, 0), content
        assert not os.path.lexists(abandoned.home.path)


def test_an_empty_folder_is_removed(abandoned: Abandoned, tree: Path) -> None:
    os.mkdir(abandoned.engine.path + b"/1", 0o700)
    abandoned.die()
    (result,) = abandoned.recover()
    assert result.action is Action.REMOVED
    assert not os.path.lexists(abandoned.home.path)


def flip_in_the_middle(folder: Path) -> None:
    journal = folder / "journal"
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 0x10
    journal.write_bytes(content)


def from_the_future(folder: Path) -> None:
    rewrite_header(folder, version=records.VERSION + 1)


def another_magic(folder: Path) -> None:
    rewrite_header(folder, magic=b"another journal!")


def another_tree(folder: Path) -> None:
    rewrite_header(folder, roots=(b"/somewhere/else",))


def another_engine(folder: Path) -> None:
    rewrite_header(folder, token="fedcba9876543210-1-00c0ffee")


def another_user(folder: Path) -> None:
    rewrite_header(folder, uid=os.getuid() + 1)


def rewrite_header(folder: Path, **changes: object) -> None:
    journal = folder / "journal"
    content = journal.read_bytes()
    header, _, _ = records.read(content, "")
    fields = {name: getattr(header, name) for name in Header.__struct_fields__}
    changed = records.header(Header(**{**fields, **changes}))
    journal.write_bytes(changed + content[len(records.header(header)) :])


def a_text(folder: Path) -> None:
    (folder / "journal").write_text("hello")


def nothing_but_kept_files(folder: Path) -> None:
    (folder / "journal").unlink()


def a_kept_file_is_gone(folder: Path) -> None:
    next(path for path in folder.iterdir() if path.name != "journal").unlink()


def a_kept_file_is_short(folder: Path) -> None:
    path = next(path for path in folder.iterdir() if path.name != "journal" and path.stat().st_size)
    path.write_bytes(b"")


def something_strange(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def a_link_for_a_journal(folder: Path) -> None:
    os.rename(folder / "journal", folder.parent.parent / "elsewhere")
    (folder / "journal").symlink_to(folder.parent.parent / "elsewhere")


def others_may_write(folder: Path) -> None:
    folder.chmod(0o777)


def a_record_that_leads_out(folder: Path) -> None:
    with (folder / "journal").open("ab") as journal:
        journal.write(records.frame(Kind.ABSENT, 0, b"/etc/passwd"))


DAMAGES = [
    flip_in_the_middle, from_the_future, another_magic, another_tree, another_engine, another_user, a_text, nothing_but_kept_files,
    a_kept_file_is_gone, a_kept_file_is_short, something_strange, a_link_for_a_journal, others_may_write, a_record_that_leads_out,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_is_damaged_or_foreign_is_left_alone(
    abandoned: Abandoned, tree: Path, damage: Callable[[Path], None]
) -> None:
    transaction = abandoned.begin(edit)
    transaction.close()
    folder = Path(os.fsdecode(transaction.folder))
    damage(folder)
    abandoned.die()
    before = portrait([tree, Path(os.fsdecode(abandoned.home.path))], without="owner.lock")
    for _ in range(2):
        results = [result for result in abandoned.recover() if "elsewhere" not in result.path]
        (result,) = results
        assert result.action is Action.LEFT_ALONE
        assert result.path == os.fspath(folder)
        assert "emove" in result.reason
        assert result.reason.count(" ") > 8
    assert portrait([tree, Path(os.fsdecode(abandoned.home.path))], without="owner.lock") == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_of_somebody_else_is_left_alone(abandoned: Abandoned, tree: Path) -> None:
    transaction = abandoned.begin(edit)
    abandoned.die()
    os.chown(transaction.folder, 12345, 12345)
    (result,) = abandoned.recover()
    assert result.action is Action.LEFT_ALONE
    assert "12345" in result.reason
    os.chown(abandoned.engine.path, 12345, 12345)
    (result,) = abandoned.recover()
    assert result.path == os.fsdecode(abandoned.engine.path)


def test_a_link_is_not_followed(abandoned: Abandoned, tree: Path, tmp_path: Path) -> None:
    transaction = abandoned.begin(edit)
    abandoned.die()
    elsewhere = tmp_path / "elsewhere"
    os.rename(abandoned.engine.path, elsewhere)
    os.symlink(elsewhere, abandoned.engine.path)
    during = (tree / "a.txt").read_bytes()
    (result,) = abandoned.recover()
    assert result.action is Action.LEFT_ALONE
    assert (tree / "a.txt").read_bytes() == during
    assert (elsewhere / os.path.basename(os.fsdecode(transaction.folder)) / "journal").exists()


def test_a_home_that_is_a_link_is_left_alone(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tree / ".cbx").symlink_to(tmp_path / "elsewhere")
    home = Home(path=os.fsencode(tree / ".cbx"), workspace=os.fsencode(tree), inside=True)
    (result,) = recover_home(home)
    assert result.action is Action.LEFT_ALONE


def test_a_tree_that_was_copied_with_its_journal_is_left_alone(
    abandoned: Abandoned, tree: Path, tmp_path: Path
) -> None:
    abandoned.begin(edit)
    abandoned.die()
    copied = tmp_path / "copied"
    shutil.copytree(tree, copied, symlinks=True)
    (result,) = recover_home(find_home(os.fsencode(copied), {}))
    assert result.action is Action.LEFT_ALONE
    assert "moved or copied" in result.reason
    assert (copied / "sub" / "new.txt").exists()


def test_a_roll_back_that_cannot_go_on_is_told_and_finished_later(tree: Path) -> None:
    before = portrait([tree])
    abandoned = Abandoned(tree)
    abandoned.begin(lambda program: program.unlink("sub/c.txt"))
    abandoned.die()
    (result,) = recover_home(abandoned.home, disk=Refusing())
    assert result.action is Action.INCOMPLETE
    assert "c.txt" in result.reason
    assert "cbx recover" in result.reason
    (result,) = abandoned.recover()
    assert result.action is Action.ROLLED_BACK
    assert portrait([tree]) == before


class Refusing(Disk):
    """A disk that makes no links, as where a directory may not be written."""

    def __init__(self) -> None:
        setattr(self, "link", self._refuse)  # noqa: B010

    def _refuse(self, *arguments: object, **keywords: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
