"""The schema that JUnit files are held against sees what is wrong in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import junit

SUITE = '<testsuites><testsuite name="a" tests="1" failures="0" errors="0">{}</testsuite></testsuites>'


@pytest.mark.parametrize(
    ("inside", "complaint"),
    [
        ('<testcase name="a" classname="b" time="0.5"><failure message="no">text</failure></testcase>', ""),
        ('<testcase classname="b"/>', "missing required attribute 'name'"),
        ('<testcase name="a" time="-1"/>', "greater or equal"),
        ('<testcase name="a"><crash/></testcase>', "crash"),
        ('<testcase name="a" line="7"/>', "'line' attribute not allowed"),
        ("<system-out/><properties/>", "properties"),
    ],
)
def test_what_the_schema_says(tmp_path: Path, inside: str, complaint: str) -> None:
    file = tmp_path / "out.xml"
    file.write_text(SUITE.format(inside))
    found = junit.wrong_in(file)
    assert bool(found) is bool(complaint)
    assert complaint in "".join(found)
