"""Tools that are parallel themselves, and how each is told how far it may go."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLES = (
    "CARGO_BUILD_JOBS",
    "CMAKE_BUILD_PARALLEL_LEVEL",
    "CTEST_PARALLEL_LEVEL",
    "GOMAXPROCS",
    "JOBS",  # node-gyp
    "OMP_NUM_THREADS",
    "PYTEST_XDIST_AUTO_NUM_WORKERS",
    "RAYON_NUM_THREADS",
    "RUST_TEST_THREADS",
    "UV_CONCURRENT_BUILDS",
    "VITEST_MAX_FORKS",
    "VITEST_MAX_THREADS",
    "VITEST_MAX_WORKERS",
)
"""Each is read by a tool as the number of jobs, threads or workers that it may run at once."""


def variables_for(cpus: float | None, given: Mapping[str, str]) -> dict[str, str]:
    """What a command gets whose configuration names `cpus` cores, beside what it is `given` already.

    Nothing without: a guess of ours may decide when a command starts, but not what a tool does.
    """
    if cpus is None:
        return {}
    return {name: str(max(1, int(cpus))) for name in VARIABLES if name not in given}
