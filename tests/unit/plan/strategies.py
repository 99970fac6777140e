"""Random claims over a small world of paths, so that they often meet."""

from __future__ import annotations

from hypothesis import strategies as st

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Domain, Mode

NAMES = ("a", "b", "ab.py", "c.py", ".x")
WILDS = ("*", "*.py", "a*", "?", "[ab]", "**", "[!a]")


def _joined(parts: list[str], absolute: bool) -> str:
    return ("/" if absolute else "") + ("/".join(parts) or ("" if absolute else "."))


paths = st.builds(_joined, st.lists(st.sampled_from(NAMES), max_size=4), st.sampled_from([False] * 7 + [True]))
globs = st.builds(
    _joined,
    st.lists(st.sampled_from(NAMES + WILDS), min_size=1, max_size=4),
    st.sampled_from([False] * 7 + [True]),
)


@st.composite
def file_claims(draw: st.DrawFn) -> Claim:
    """Any FILE claim."""
    scope = draw(st.sampled_from(Scope))
    target = draw(globs if scope is Scope.GLOB else paths)
    mode = draw(st.sampled_from([Mode.READ, *Mode]))
    return Claim(domain=Domain.FILE, mode=mode, target=target, scope=scope, ignored=draw(st.booleans()))


named_claims = st.builds(
    Claim,
    domain=st.sampled_from([Domain.LOCK, Domain.PORT, Domain.PROCESS]),
    mode=st.sampled_from(Mode),
    target=st.sampled_from(["x", "y", "*"]),
)

claims = st.one_of(file_claims(), file_claims(), file_claims(), named_claims)


@st.composite
def close_claims(draw: st.DrawFn) -> Claim:
    """FILE claims in a world so small that most of them are neighbours; few of them ignored."""
    scope = draw(st.sampled_from(Scope))
    names = ("a", "b.py", "*", "*.py", "**") if scope is Scope.GLOB else ("a", "b.py")
    target = "/".join(draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)))
    mode = draw(st.sampled_from([Mode.READ, Mode.READ, Mode.CACHE, Mode.WRITE, Mode.CREATE, Mode.DELETE]))
    return Claim(domain=Domain.FILE, mode=mode, target=target, scope=scope, ignored=draw(st.integers(0, 7)) == 7)
