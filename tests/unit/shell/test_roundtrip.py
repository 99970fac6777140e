"""Random scripts are read as the trees they were made of."""

from __future__ import annotations

import subprocess

from hypothesis import HealthCheck, given, settings

from pytest_cbx.shell.nodes import Script
from pytest_cbx.shell.reader import read
from tests.unit.shell.strategies import all_scripts
from tests.unit.shell.tree import bare

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@settings(max_examples=60, deadline=None, suppress_health_check=_SLOW)
@given(pair=all_scripts())
def test_reads_what_was_printed(pair: tuple[str, Script]) -> None:
    text, expected = pair
    assert bare(read(text)) == expected, text


@settings(max_examples=25, deadline=None, suppress_health_check=_SLOW)
@given(pair=all_scripts())
def test_what_we_print_is_bash(pair: tuple[str, Script]) -> None:
    text, _ = pair
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (text, done.stderr)
