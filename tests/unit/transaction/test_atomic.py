"""`cbx.transaction()`: plain file operations that happen all or not at all."""

# ruff: noqa: PT012
# Why: the block that is left by an exception is what is tested.

from __future__ import annotations

import os
import secrets
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.errors import UsageError
from pytest_cbx.transaction.atomic import Access, Begun, FileTransaction
from pytest_cbx.transaction.home import find_home
from pytest_cbx.transaction.recovery import Action, recover_home
from tests.inodes import portrait
from tests.unit.transaction.scenes import furnish

Begin = Callable[..., FileTransaction]


def make(tree: Path, base: Path | None = None, claims: list[tuple[str, Access]] | None = None) -> FileTransaction:
    """A transaction as `Cbx.transaction` makes it."""
    home = find_home(os.fsencode(tree), {})

    def begin() -> Begun:
        folder = home.open_engine(f"0123456789abcdef-{os.getpid()}-{secrets.token_hex(4)}")
        return Begun(transaction=folder.begin(label="test"), release=folder.close)

    def claim(path: bytes, access: Access) -> None:
        if claims is not None:
            claims.append((os.path.relpath(os.fsdecode(path), tree), access))

    return FileTransaction(base or tree, roots=[tree], begin=begin, home=home.path, claim=claim)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "tree"
    furnish(folder)
    return folder


def everything(tx: FileTransaction) -> None:
    """Each operation at least once."""
    tx.write("a.txt", "changed")
    tx.write("new.txt", b"\x00\xff", mode=0o600)
    tx.append("b.txt", "more")
    tx.append("log", "first line\n")
    tx.create("sub/created", "text")
    tx.modify("sub/c.txt", str.upper)
    tx.copy("sub", "copy")
    tx.copy("sub/run.sh", "run.sh")
    tx.move("sub/deep", "moved")
    tx.move("run.sh", "log", replace=True)
    tx.delete("sub/run.sh")
    tx.delete("empty")
    tx.mkdir("x/y/z", parents=True)
    tx.symlink("../../a.txt", "x/y/link")
    tx.chmod("moved/d.txt", 0o400)
    tx.chown("moved", os.getuid(), os.getgid())
    tx.delete("copy")


def test_a_block_that_ends_well_is_kept(tree: Path) -> None:
    with make(tree) as tx:
        everything(tx)
    assert (tree / "a.txt").read_text() == "changed"
    assert (tree / "new.txt").read_bytes() == b"\x00\xff"
    assert stat.S_IMODE((tree / "new.txt").stat().st_mode) == 0o600
    assert (tree / "b.txt").read_text() == "beta\n" * 7 + "more"
    assert (tree / "b-too.txt").read_text() == "beta\n" * 7 + "more"
    assert (tree / "log").read_text() == "#!/bin/sh\n"
    assert (tree / "sub/created").read_text() == "text"
    assert (tree / "sub/c.txt").read_text() == "GAMMA"
    assert stat.S_IMODE((tree / "moved/d.txt").stat().st_mode) == 0o400
    assert (tree / "x/y/link").readlink() == Path("../../a.txt")
    gone = ("copy", "run.sh", "sub/deep", "sub/run.sh", "empty", ".cbx")
    assert not [name for name in gone if os.path.lexists(tree / name)]
    assert not list(tree.rglob(".cbx-*"))


def test_an_exception_undoes_the_block_and_goes_on(tree: Path) -> None:
    before = portrait([tree])
    with pytest.raises(ZeroDivisionError), make(tree) as tx:
        everything(tx)
        raise ZeroDivisionError
    assert portrait([tree]) == before
    assert not (tree / ".cbx").exists()


def test_it_can_be_rolled_back_by_hand(tree: Path) -> None:
    before = portrait([tree])
    with make(tree) as tx:
        everything(tx)
        tx.roll_back()
        assert portrait([tree]) == before
        with pytest.raises(UsageError, match="has ended: it was rolled back"):
            tx.write("a.txt", "")
        with pytest.raises(UsageError, match="has ended"):
            tx.roll_back()
    assert portrait([tree]) == before


def test_a_savepoint_undoes_its_own_part(tree: Path) -> None:
    with make(tree) as tx:
        tx.write("a.txt", "first")
        with pytest.raises(ZeroDivisionError), tx.savepoint():
            everything(tx)
            raise ZeroDivisionError
        inner = portrait([tree], times=False)
        assert (tree / "a.txt").read_text() == "first"
        with tx.savepoint() as point:
            tx.delete("sub")
            point.roll_back()
            assert portrait([tree], times=False) == inner
            tx.write("sub/c.txt", "kept")
            with tx.savepoint():
                tx.write("b.txt", "kept, too")
    assert (tree / "a.txt").read_text() == "first"
    assert (tree / "sub/c.txt").read_text() == "kept"
    assert (tree / "b.txt").read_text() == "kept, too"
    assert (tree / "sub/run.sh").exists()


def test_what_a_savepoint_kept_goes_with_the_whole(tree: Path) -> None:
    before = portrait([tree])
    with pytest.raises(ZeroDivisionError), make(tree) as tx:
        tx.write("a.txt", "first")
        with tx.savepoint():
            everything(tx)
        raise ZeroDivisionError
    assert portrait([tree]) == before


def test_rolled_back_from_inside_a_savepoint(tree: Path) -> None:
    before = portrait([tree])
    with make(tree) as tx:
        tx.write("a.txt", "first")
        with tx.savepoint() as outer:
            with tx.savepoint():
                with pytest.raises(UsageError, match="innermost"):
                    outer.roll_back()
                tx.write("a.txt", "second")
            tx.roll_back()
        with pytest.raises(UsageError, match="has ended"), tx.savepoint():
            raise AssertionError("the savepoint of an ended transaction began")
    assert portrait([tree]) == before


def test_reading(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_bytes("ä\r\n".encode())
    with make(tree) as tx:
        assert tx.read("sub/c.txt") == "gamma"
        assert tx.read("link") == "gamma"
        assert tx.read(tmp_path / "outside.txt") == "ä\r\n"
        assert tx.read_bytes(b"../outside.txt") == "ä\r\n".encode()
        tx.copy(tmp_path / "outside.txt", "inside.txt")
    assert (tree / "inside.txt").read_bytes() == "ä\r\n".encode()


def test_writing_keeps_what_a_file_is(tree: Path) -> None:
    (tree / "sub/run.sh").chmod(0o4750)
    inode = (tree / "b.txt").stat().st_ino
    with make(tree) as tx:
        tx.write("sub/run.sh", "#!/bin/bash\n")
        tx.write("link", "through the link")
        tx.write("b.txt", "linked")
    assert stat.S_IMODE((tree / "sub/run.sh").stat().st_mode) == 0o4750
    assert (tree / "link").is_symlink()
    assert (tree / "sub/c.txt").read_text() == "through the link"
    assert (tree / "b-too.txt").read_text() == "linked"
    assert (tree / "b.txt").stat().st_ino == inode


def test_others_never_see_half_a_file(tree: Path) -> None:
    with make(tree) as tx, (tree / "a.txt").open("rb") as reader:
        tx.write("a.txt", b"x" * 100_000)
        assert reader.read() == b"alpha " * 9
        with (tree / "a.txt").open("rb") as another:
            assert another.read() == b"x" * 100_000


def test_a_copied_tree_is_the_same(tree: Path) -> None:
    os.mkfifo(tree / "sub/pipe")
    os.link(tree / "sub/c.txt", tree / "sub/deep/c-too.txt")
    (tree / "sub/deep/away").symlink_to("/nowhere")
    os.utime(tree / "sub/deep", ns=(5, 7_000_000_000))
    with make(tree) as tx:
        tx.copy("sub", "copy")
    copied = {name.replace("/copy", "/sub"): value for name, value in portrait([tree / "copy"]).items()}
    wanted = portrait([tree / "sub"])
    assert copied.keys() == wanted.keys()
    for name, value in wanted.items():
        assert str(copied[name]).replace("/copy", "/sub") == str(value)


def test_what_is_there_is_not_replaced_by_accident(tree: Path) -> None:
    before = portrait([tree])
    with make(tree) as tx:
        attempts: list[Callable[[], object]] = [
            lambda: tx.create("a.txt"),
            lambda: tx.create("link"),
            lambda: tx.copy("b.txt", "a.txt"),
            lambda: tx.move("b.txt", "a.txt"),
            lambda: tx.move("sub", "empty"),
            lambda: tx.mkdir("sub"),
            lambda: tx.symlink("x", "a.txt"),
        ]
        for attempt in attempts:
            with pytest.raises(FileExistsError):
                attempt()
        tx.mkdir("sub", exist_ok=True)
    assert portrait([tree]) == before


def test_replacing_on_purpose(tree: Path) -> None:
    before = portrait([tree])
    with pytest.raises(ZeroDivisionError), make(tree) as tx:
        tx.copy("sub", "empty", replace=True)
        tx.move("sub", "a.txt", replace=True)
        tx.move("b.txt", "empty", replace=True)
        assert (tree / "a.txt/deep/d.txt").exists()
        assert (tree / "empty").is_file()
        raise ZeroDivisionError
    assert portrait([tree]) == before


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        (lambda tx: tx.write("sub", "x"), IsADirectoryError),
        (lambda tx: tx.write("nowhere/x", "x"), FileNotFoundError),
        (lambda tx: tx.read("nowhere"), FileNotFoundError),
        (lambda tx: tx.modify("nowhere", str.upper), FileNotFoundError),
        (lambda tx: tx.copy("nowhere", "x"), FileNotFoundError),
        (lambda tx: tx.move("nowhere", "x"), FileNotFoundError),
        (lambda tx: tx.delete("nowhere"), FileNotFoundError),
        (lambda tx: tx.chmod("nowhere", 0o600), FileNotFoundError),
        (lambda tx: tx.mkdir("a/b"), FileNotFoundError),
        (lambda tx: tx.copy("sub", "sub/x"), OSError),
        (lambda tx: tx.move("sub", "sub/deep/x"), OSError),
        (lambda tx: tx.modify("sub/c.txt", lambda text: str(1 // 0)), ZeroDivisionError),
        (lambda tx: tx.chown("a.txt", "no such user"), LookupError),
        (lambda tx: tx.chmod("a.txt", 0o10000), UsageError),
        (lambda tx: tx.write("a.txt", "x", mode=-1), UsageError),
        (lambda tx: tx.write("", "x"), UsageError),
        (lambda tx: tx.write("a\0b", "x"), UsageError),
    ],
)
def test_what_fails_leaves_nothing_behind(
    tree: Path, attempt: Callable[[FileTransaction], object], error: type[Exception]
) -> None:
    before = portrait([tree])
    with make(tree) as tx, pytest.raises(error):
        attempt(tx)
    assert portrait([tree], times=False) == {
        name: value for name, value in portrait([tree], times=False).items() if name in before
    }
    assert portrait([tree]).keys() == before.keys()


@pytest.mark.parametrize(
    "way", ["../out.txt", "/etc/out.txt", "sub/../../out.txt", "away/out.txt", "off", ".", "sub/.."]
)
def test_nothing_leads_out(tree: Path, tmp_path: Path, way: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tree / "away").symlink_to(tmp_path / "elsewhere")
    (tree / "off").symlink_to(tmp_path / "elsewhere" / "out.txt")
    with make(tree) as tx:
        with pytest.raises(UsageError, match=r"changes only what lies below .*protect"):
            tx.write(way, "x")
        if way != "off":
            with pytest.raises(UsageError, match="changes only"):
                tx.delete(way)
            with pytest.raises(UsageError, match="changes only"):
                tx.move("a.txt", way)
    assert not list((tmp_path / "elsewhere").iterdir())
    assert (tree / "a.txt").exists()


def test_the_journal_is_not_to_be_touched(tree: Path) -> None:
    with make(tree) as tx:
        for path in (".cbx", ".cbx/x", "sub/../.cbx/.gitignore"):
            with pytest.raises(UsageError, match="journal"):
                tx.delete(path)


def test_it_serves_once_and_only_in_its_block(tree: Path) -> None:
    tx = make(tree)
    with pytest.raises(UsageError, match="has not begun"):
        tx.read("a.txt")
    with tx:
        tx.write("a.txt", "x")
    with pytest.raises(UsageError, match="has ended: it was committed"):
        tx.read("a.txt")
    with pytest.raises(UsageError, match="one `with` block"), tx:
        raise AssertionError("it began again")


def test_claims_are_taken_before_the_use(tree: Path) -> None:
    claims: list[tuple[str, Access]] = []
    with make(tree, claims=claims) as tx:
        tx.read("link")
        tx.append("sub/c.txt", "x")
        tx.move("a.txt", "x")
        tx.mkdir("m/n", parents=True)
    assert claims == [
        ("sub/c.txt", Access.READ),
        ("sub/c.txt", Access.APPEND),
        ("a.txt", Access.DELETE),
        ("x", Access.WRITE),
        ("m/n", Access.CREATE),
        ("m", Access.CREATE),
    ]


def test_a_refused_claim_changes_nothing(tree: Path) -> None:
    home = find_home(os.fsencode(tree), {})
    before = portrait([tree])

    def begin() -> Begun:
        folder = home.open_engine("0123456789abcdef-1-00c0ffee")
        return Begun(transaction=folder.begin(), release=folder.close)

    def claim(path: bytes, access: Access) -> None:
        raise TimeoutError

    with FileTransaction(tree, roots=[tree], begin=begin, claim=claim) as tx, pytest.raises(TimeoutError):
        tx.write("a.txt", "x")
    assert portrait([tree]) == before


@pytest.mark.parametrize("when", ["in the block", "in a savepoint"])
def test_a_killed_process_is_undone_by_recovery(tree: Path, when: str) -> None:
    before = portrait([tree])
    pid = os.fork()
    if pid == 0:
        with make(tree) as tx:
            everything(tx)
            if when == "in a savepoint":
                with tx.savepoint():
                    tx.write("a.txt", "again")
                    os.kill(os.getpid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert portrait([tree]).keys() != before.keys()
    (result,) = recover_home(find_home(os.fsencode(tree), {}))
    assert result.action is Action.ROLLED_BACK
    assert portrait([tree]) == before


def test_a_forked_child_does_not_end_it(tree: Path) -> None:
    with make(tree) as tx:
        tx.write("a.txt", "ours")
        pid = os.fork()
        if pid == 0:
            try:
                with pytest.raises(UsageError, match=r"belongs to process \d+"):
                    tx.write("a.txt", "the child's")
                tx.__exit__(ValueError, ValueError(), None)
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert (tree / "a.txt").read_text() == "ours"
    assert (tree / "a.txt").read_text() == "ours"


NAMES = st.sampled_from(
    ["a.txt", "b.txt", "b-too.txt", "sub", "sub/c.txt", "sub/deep", "sub/deep/d.txt", "link", "empty", "x", "x/y"]
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "append", "create", "copy", "move", "delete", "mkdir", "chmod", "enter", "leave"]), NAMES, NAMES),
    max_size=14,
)  # fmt: skip


@settings(max_examples=60)
@given(steps=STEPS)
def test_whatever_was_done_is_undone(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    tree = tmp_path_factory.mktemp("world").resolve() / "tree"
    furnish(tree)
    before = portrait([tree])
    with pytest.raises(ZeroDivisionError), make(tree) as tx:
        follow(tx, tree, list(steps))
        raise ZeroDivisionError
    assert portrait([tree]) == before


def follow(tx: FileTransaction, tree: Path, steps: list[tuple[str, str, str]]) -> None:
    """Take these steps, each savepoint being rolled back at its end; what the system refuses is passed over."""
    while steps:
        operation, name, other = steps.pop(0)
        if operation == "leave":
            return
        if operation == "enter":
            here = portrait([tree])
            with pytest.raises(KeyError), tx.savepoint():
                follow(tx, tree, steps)
                raise KeyError
            assert portrait([tree]) == here
            continue
        try:
            match operation:
                case "copy" | "move":
                    getattr(tx, operation)(name, other, replace=True)
                case "chmod":
                    tx.chmod(name, 0o711)
                case "delete" | "mkdir":
                    getattr(tx, operation)(name)
                case _:
                    getattr(tx, operation)(name, other)
        except OSError:
            continue


def test_a_write_that_failed_for_want_of_a_folder_covers_nothing_in_the_folder_made_later(tree: Path) -> None:
    before = portrait([tree])
    with make(tree) as tx:
        with pytest.raises(FileNotFoundError):
            tx.append("x/y", "1")
        tx.mkdir("x")
        tx.append("x/y", "2")
        tx.roll_back()
    assert portrait([tree]) == before
