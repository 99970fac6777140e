"""What every test may lean on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.requirements import require

settings.register_profile(
    "cbx",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
settings.register_profile("thorough", parent=settings.get_profile("cbx"), max_examples=2000)
# CI asks whether a change broke something, so it tries the same examples each time; the search for new ones is ours.
settings.register_profile("ci", parent=settings.get_profile("cbx"), derandomize=True, database=None)
settings.load_profile(os.environ.get("CBX_HYPOTHESIS", "ci" if os.environ.get("CI") else "cbx"))


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start, also when the run itself is a background job, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.needs("go")`: not without this tool."""
    for mark in item.iter_markers("needs"):
        require(*mark.args)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Outputs of commands go into a directory of the test run, not into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        # A suite that runs as a command of cbx itself must not pass for one of its nested commands.
        patch.delenv("CBX_INSTANCE", raising=False)
        yield


@pytest.fixture(autouse=True)
def _stays_here() -> Iterator[None]:
    """Each test starts in the same directory: an executor leaves its process in `/`."""
    here = os.open(".", os.O_PATH)
    try:
        yield
    finally:
        os.fchdir(here)
        os.close(here)


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Go and zig keep what they have built, for all tests and workers: their standard libraries take half a minute."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "builds"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty directory that is a git repository's top, so that no outer work tree is found."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    return folder
