"""Renames and links over the border of the work tree: to a command, outside is another file system."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_cbx.execute.supervision.deeds import Deed, Trap
from tests.supervisor import supervise

TRY = """
import ctypes, errno, os, sys
call, *words = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
done = {
    "rename": lambda a, b: libc.rename(a, b),
    "exchange": lambda a, b: libc.renameat2(-100, a, -100, b, 2),
    "link": lambda a, b: libc.link(a, b),
}[call](*map(os.fsencode, words))
print(errno.errorcode[ctypes.get_errno()] if done else "done")
"""


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    for name in ("inside", "outside"):
        (tmp_path / name / "folder").mkdir(parents=True)
        (tmp_path / name / "file").write_text(name)
        (tmp_path / name / "folder" / "below").write_text(name)
    return {"i": str(tmp_path / "inside"), "o": str(tmp_path / "outside")}


def attempt(places: dict[str, str], call: str, first: str, second: str) -> tuple[str, list[Trap]]:
    words = [word.format(**places) for word in (first, second)]
    done = supervise([sys.executable, "-c", TRY, call, *words], Path(places["i"]))
    return done.output.strip(), [trap for trap in done.traps if trap.deed is not Deed.NONE and not trap.outside]


@pytest.mark.parametrize(
    ("call", "first", "second"),
    [
        ("rename", "{i}/file", "{o}/new"),
        ("rename", "{i}/file", "{o}/file"),
        ("rename", "{i}/folder", "{o}/new"),
        ("rename", "{o}/folder", "{i}/new"),
        ("exchange", "{i}/file", "{o}/file"),
        ("exchange", "{o}/file", "{i}/file"),
        ("link", "{i}/file", "{o}/new"),
    ],
)
def test_what_could_not_be_undone_is_refused_as_between_file_systems(
    places: dict[str, str], call: str, first: str, second: str
) -> None:
    said, traps = attempt(places, call, first, second)
    assert (said, traps) == ("EXDEV", [])
    assert Path(places["i"], "file").read_text() == "inside"
    assert Path(places["o"], "folder", "below").read_text() == "outside"


@pytest.mark.parametrize(("target", "deed"), [("{i}/new", Deed.CREATE), ("{i}/file", Deed.REMOVE)])
def test_a_file_may_come_in(places: dict[str, str], target: str, deed: Deed) -> None:
    said, traps = attempt(places, "rename", "{o}/file", target)
    path = target.format(**places)
    assert said == "done"
    assert [(trap.deed, trap.path) for trap in traps] == [(deed, path.encode())]
    assert Path(path).read_text() == "outside"


def test_a_link_to_what_lies_outside_is_a_new_name(places: dict[str, str]) -> None:
    said, traps = attempt(places, "link", "{o}/file", "{i}/new")
    assert said == "done"
    assert [(trap.deed, trap.path) for trap in traps] == [(Deed.CREATE, f"{places['i']}/new".encode())]


def test_the_order_of_errors_is_the_kernels(places: dict[str, str]) -> None:
    assert attempt(places, "rename", "{i}/missing", "{o}/new")[0] == "ENOENT"
    assert attempt(places, "rename", "{o}/file", "{i}/folder")[0] == "EISDIR"
