"""From what a call looks at to claims."""

from __future__ import annotations

import pytest

from pytest_cbx.engine.claiming import looking, reading, same_file
from pytest_cbx.execute.supervision.deeds import Deed
from pytest_cbx.plan.conflicts import conflict
from pytest_cbx.plan.model import Claim, Domain, Mode

WORK = b"/work"


def file(mode: Mode, target: str) -> Claim:
    return Claim(domain=Domain.FILE, mode=mode, target=target, ignored=mode is Mode.CREATE)


@pytest.mark.parametrize(
    ("path", "deed", "claims"),
    [
        (b"/work/d/x", Deed.READ, ["read d/x"]),
        (b"/work", Deed.READ, ["read ."]),
        (b"/work/d", Deed.LIST, ["read d", "read d/*"]),
        (b"/work", Deed.LIST, ["read .", "read *"]),
        (b"/work/odd[1]", Deed.LIST, ["read odd[1]/**"]),
        (b"/other/d", Deed.LIST, ["read /other/d", "read /other/d/*"]),
    ],
)
def test_reading(path: bytes, deed: Deed, claims: list[str]) -> None:
    assert [str(claim) for claim in reading(path, deed, WORK)] == claims


@pytest.mark.parametrize("path", [b"/work/d/", b"/work/odd[1]/"])
@pytest.mark.parametrize("mode", [Mode.CREATE, Mode.DELETE])
def test_who_lists_a_directory_keeps_others_from_changing_what_is_in_it(path: bytes, mode: Mode) -> None:
    name = path[6:].decode()
    for other in (f"{name}new", name.rstrip("/")):
        assert any(conflict(file(mode, other), claim) for claim in looking(path, WORK))
    assert not any(conflict(file(mode, "elsewhere/new"), claim) for claim in looking(path, WORK))


def test_names_of_one_file_may_be_read_by_many_and_changed_by_one() -> None:
    reads, changes, another = (
        same_file(b"8:1", changes=False),
        same_file(b"8:1", changes=True),
        same_file(b"8:2", changes=True),
    )
    assert conflict(reads, reads) is None
    assert conflict(reads, changes)
    assert conflict(changes, changes)
    assert conflict(changes, another) is None
