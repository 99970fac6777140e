"""Asking at once what some effects may change gives the same answer as asking each of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.effects.model import Effect, Kind, Place, Scope
from pytest_cbx.effects.seen import SETTINGS, Changed, changes

PATHS = st.lists(st.sampled_from(["a", "b", ".git", "c.sh"]), min_size=1, max_size=3).map("/".join)
PLACES = st.one_of(
    st.none(),
    st.builds(
        lambda path, scope: Place(path=path, scope=scope), PATHS | st.sampled_from([".", "/"]), st.sampled_from(Scope)
    ),
    st.sampled_from(["*", "a/*", "*.sh", "**"]).map(lambda pattern: Place(path=pattern, scope=Scope.GLOB)),
)
EFFECTS = st.builds(
    lambda kind, place, detail: Effect(kind=kind, place=place, detail=detail),
    st.sampled_from([Kind.READ, Kind.WRITE, Kind.CREATE, Kind.DELETE, Kind.METADATA]),
    PLACES,
    st.sampled_from(["", "", SETTINGS]),
)


@given(st.lists(EFFECTS, max_size=4), PATHS)
def test_the_same_as_one_by_one(effects: list[Effect], path: str) -> None:
    changed = Changed()
    changed.add(effects)
    assert changed.may_change(path) is any(changes(effect, path) for effect in effects)
