"""All that we use of pytest's private parts, in one place."""

from __future__ import annotations

import pytest
from _pytest.skipping import evaluate_skip_marks


def is_marked_skip(item: pytest.Item) -> bool:
    """Whether a mark on the item will skip it in its set-up."""
    return evaluate_skip_marks(item) is not None


def names_given_on_command_line(config: pytest.Config) -> bool:
    """Whether the arguments name files or directories, so that pytest looks nowhere else."""
    return config.args_source is pytest.Config.ArgsSource.ARGS


def is_xdist_controller(config: pytest.Config) -> bool:
    """Whether Python tests run in xdist's workers and this process only directs them."""
    return config.pluginmanager.hasplugin("dsession")


def is_xdist_worker(config: pytest.Config) -> bool:
    """Whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")
