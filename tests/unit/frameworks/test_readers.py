"""Readers of result files, on what the tools write, and on whatever else a file may hold."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.config.model import ResultFormat
from pytest_cbx.frameworks.cases import CASES_MAX, NAME_MAX, Case, CaseStatus, ResultsError, case, distinct
from pytest_cbx.frameworks.results.decoding import decoded
from pytest_cbx.frameworks.results.formats import READERS, recognise
from pytest_cbx.frameworks.results.reading import BYTES_MAX, Source, read_results

PASSED, FAILED, SKIPPED, ERROR = CaseStatus.PASSED, CaseStatus.FAILED, CaseStatus.SKIPPED, CaseStatus.ERROR


def read(text: str | bytes, form: ResultFormat | None = None) -> list[Case]:
    data = text.encode() if isinstance(text, str) else text
    found = form or recognise(data)
    assert found is not None
    return list(READERS[found](io.BytesIO(data), "results"))


def ends(text: str, form: ResultFormat | None = None) -> list[tuple[str, CaseStatus]]:
    return [(one.name, one.status) for one in read(text, form)]


JEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="3" failures="1" errors="0" time="1.2">
  <testsuite name="Button" errors="0" failures="1" skipped="1" timestamp="2026-01-01T00:00:00" time="0.4" tests="3">
    <testcase classname="Button renders" name="Button renders" time="0.013"></testcase>
    <testcase classname="Button clicks" name="Button clicks" time="0.002">
      <failure>Error: expect(received).toBe(expected)

Expected: 2
Received: 1
    at Object.toBe (test/button.test.js:12:17)</failure>
    </testcase>
    <testcase classname="Button sings" name="Button sings" time="0"><skipped/></testcase>
  </testsuite>
</testsuites>"""
MAVEN = """<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" name="com.x.SumTest" time="1,234.5" tests="3">
  <properties><property name="java.version" value="21"/></properties>
  <testcase name="adds" classname="com.x.SumTest" time="1,034.5"/>
  <testcase name="breaks" classname="com.x.SumTest" time="0.1">
    <error message="boom" type="java.lang.IllegalStateException"><![CDATA[java.lang.IllegalStateException: boom
\tat com.x.Sum.add(Sum.java:3)]]></error>
    <system-out><![CDATA[adding]]></system-out>
  </testcase>
  <testcase name="flaky" classname="com.x.SumTest" time="0.1"><flakyFailure message="once" type="x">t</flakyFailure></testcase>
</testsuite>"""
GOTESTSUM = """<testsuites tests="2" failures="1"><testsuite tests="2" failures="1" time="0.01" name="example.com/x">
<testcase classname="example.com/x" name="TestA" time="0.00"></testcase>
<testcase classname="example.com/x" name="TestB/sub" time="0.00"><failure message="Failed" type="">=== RUN   TestB/sub
    b_test.go:9: no</failure></testcase></testsuite></testsuites>"""
CTEST = """<testsuite name="Linux" tests="4" failures="1" disabled="1" skipped="1">
<testcase name="area" classname="area" time="0.1" status="run"><system-out>area</system-out></testcase>
<testcase name="square" classname="square" time="0.1" status="fail"><failure message=""/><system-out>two: 4</system-out></testcase>
<testcase name="circle" classname="circle" time="0" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase>
<testcase name="never" classname="never" time="0" status="disabled"/></testsuite>"""
BATS = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites time="0.1"><testsuite name="lamp.bats" tests="2" failures="1" errors="0" skipped="0" time="0.1">
<testcase classname="lamp.bats" name="it glows &amp; hums" time="0.02" />
<testcase classname="lamp.bats" name="it breaks" time="0.02"><failure type="failure">(in test file lamp.bats, line 7)
  `false' failed</failure></testcase></testsuite></testsuites>"""
MOCHA = """<testsuites name="Mocha Tests"><testsuite name="Root Suite" file="/p/spec/lamp.spec.js" time="0.0" tests="0"></testsuite>
<testsuite name="lamp" file="/p/spec/lamp.spec.js" tests="1" failures="1">
<testcase name="lamp glows" time="0.001" classname="glows"><failure message="dark" type="AssertionError"><![CDATA[at x]]></failure>
</testcase></testsuite></testsuites>"""


def test_jest() -> None:
    renders, clicks, sings = read(JEST)
    assert (renders.name, renders.status, renders.seconds) == ("Button renders", PASSED, 0.013)
    assert (clicks.name, clicks.status) == ("Button clicks", FAILED)
    assert clicks.message == "Error: expect(received).toBe(expected)"
    assert "Received: 1" in clicks.details
    assert sings.status is SKIPPED


def test_maven() -> None:
    adds, breaks, flaky = read(MAVEN)
    assert (adds.name, adds.status, adds.seconds) == ("com.x.SumTest::adds", PASSED, 1034.5)
    assert (breaks.status, breaks.message, breaks.output) == (ERROR, "boom", "adding")
    assert "Sum.java:3" in breaks.details
    assert flaky.status is PASSED


def test_gotestsum() -> None:
    assert ends(GOTESTSUM) == [("example.com/x::TestA", PASSED), ("example.com/x::TestB/sub", FAILED)]


def test_ctest() -> None:
    assert ends(CTEST) == [("area", PASSED), ("square", FAILED), ("circle", SKIPPED), ("never", SKIPPED)]
    square = read(CTEST)[1]
    assert square.message == "failed, without a reason in results"
    assert square.details == "two: 4"


def test_bats() -> None:
    glows, breaks = read(BATS)
    assert glows.name == "lamp.bats::it glows & hums"
    assert breaks.message == "(in test file lamp.bats, line 7)"


def test_mocha() -> None:
    (glows,) = read(MOCHA)
    assert (glows.name, glows.message, glows.file) == ("glows::lamp glows", "dark", "/p/spec/lamp.spec.js")


TAP = """some noise
TAP version 14
1..6
ok 1 - area # time=12ms
not ok 2 - square
  ---
  message: 'Square(2) is 4'
  severity: fail
  location: 'lib/square.js:3:9'
  ...
# a comment of the failure
ok 3 - circle # SKIP no circles yet
not ok 4 - later # TODO when there is time
# Subtest: colours
    ok 1 - red
    not ok 2 - blue
    1..2
not ok 5 - colours
ok 6 an \\# in it in 250ms
"""


def test_tap() -> None:
    cases = read(TAP)
    assert [(one.name, one.status) for one in cases] == [
        ("area", PASSED), ("square", FAILED), ("circle", SKIPPED), ("later", SKIPPED), ("colours > red", PASSED),
        ("colours > blue", FAILED), ("an # in it", PASSED),
    ]  # fmt: skip
    assert (cases[0].seconds, cases[6].seconds) == (0.012, 0.25)
    assert (cases[1].message, cases[1].file, cases[1].line) == ("Square(2) is 4", "lib/square.js", 3)
    assert "a comment of the failure" in cases[1].details
    assert (cases[2].message, cases[3].message) == ("no circles yet", "todo: when there is time")


def test_tap_that_ends_too_early() -> None:
    assert ends("1..3\nok 1\n") == [("1", PASSED), ("(plan)", ERROR)]
    assert ends("1..3\nok 1\nBail out! the lamp is gone\n") == [("1", PASSED), ("Bail out!", ERROR)]
    assert ends("1..0 # SKIP no lamp\n") == [("(all)", SKIPPED)]
    assert ends("1..1\n# Subtest: whole\n    ok 1 - part\n    1..1\nnot ok 1 - whole\n") == [
        ("whole > part", PASSED), ("whole", FAILED),
    ]  # fmt: skip


def events(*found: dict[str, object]) -> str:
    return "".join(json.dumps(one) + "\n" for one in found)


def test_go_when_a_test_panics_and_a_package_does_not_build() -> None:
    text = "# example.com/b\n" + events(
        {"Action": "build-output", "ImportPath": "b", "Output": "b.go:3: undefined: x\n"},
        {"Action": "run", "Package": "a", "Test": "TestA"},
        {"Action": "output", "Package": "a", "Test": "TestA", "Output": "panic: no\n"},
        {"Action": "fail", "Package": "a", "Elapsed": 0.2},
        {"Action": "fail", "Package": "b", "FailedBuild": "b"},
        {"Action": "run", "Package": "c", "Test": "TestC"},
    )
    panics, broken, lost = read(text)
    assert (panics.name, panics.status, "panic: no" in panics.details) == ("a::TestA", ERROR, True)
    assert (broken.name, broken.status, broken.message) == ("b", ERROR, "b.go:3: undefined: x")
    assert (lost.name, lost.status) == ("c::TestC", ERROR)


def test_go_tells_where() -> None:
    (one,) = read(
        events(
            {"Action": "run", "Package": "a", "Test": "TestA"},
            {"Action": "output", "Package": "a", "Test": "TestA", "Output": "=== RUN   TestA\n"},
            {"Action": "output", "Package": "a", "Test": "TestA", "Output": "    a_test.go:12: got 3\n"},
            {"Action": "fail", "Package": "a", "Test": "TestA", "Elapsed": 1.5},
        )
    )
    assert (one.file, one.line, one.message, one.seconds) == ("a_test.go", 12, "got 3", 1.5)


UNITTEST = """a line of the project's own
test_area (test_shapes.TestArea.test_area) ... ok
test_square (test_shapes.TestArea.test_square)
The area of a square ... noise
ok
test_noisy (test_shapes.TestArea.test_noisy) ... noise without an endok
test_old (test_shapes.TestArea) ... skipped "it's old"
test_sides (test_shapes.TestArea.test_sides) ...
  test_sides (test_shapes.TestArea.test_sides) [a side] (side=2) ... FAIL
test_torus (test_shapes.TestArea.test_torus) ... ERROR
test_point (test_shapes.TestArea.test_point) ... expected failure
test_line (test_shapes.TestArea.test_line) ... unexpected success

======================================================================
ERROR: setUpModule (test_pens)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/p/test_pens.py", line 3, in setUpModule
    raise RuntimeError("no ink")
RuntimeError: no ink

======================================================================
ERROR: test_torus (test_shapes.TestArea.test_torus)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/p/test_shapes.py", line 7, in test_torus
    draw()
  File "/p/pen.py", line 30, in draw
    raise ValueError("no paper")
ValueError: no paper

======================================================================
FAIL: test_sides (test_shapes.TestArea.test_sides) [a side] (side=2)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/p/test_shapes.py", line 9, in test_sides
    self.assertEqual(4, 2)
AssertionError: 4 != 2

======================================================================
UNEXPECTED SUCCESS: test_line (test_shapes.TestArea.test_line)
----------------------------------------------------------------------
Ran 8 tests in 0.001s

FAILED (failures=1, errors=2, skipped=1, expected failures=1, unexpected successes=1)
"""


def test_unittest() -> None:
    area = "test_shapes.TestArea."
    cases = {one.name: one for one in read(UNITTEST)}
    assert {name.removeprefix(area): one.status for name, one in cases.items()} == {
        "test_area": PASSED, "test_square": PASSED, "test_noisy": PASSED, "test_old": SKIPPED,
        "test_sides [a side] (side=2)": FAILED, "test_torus": ERROR, "test_point": SKIPPED, "test_line": FAILED,
        "test_pens.setUpModule": ERROR,
    }  # fmt: skip
    assert cases[area + "test_old"].message == "it's old"
    torus = cases[area + "test_torus"]
    assert (torus.message, torus.file, torus.line) == ("ValueError: no paper", "/p/test_shapes.py", 7)
    assert torus.details.startswith("Traceback")
    assert cases[area + "test_line"].message == "unexpected success"


def test_unittest_that_ends_too_early() -> None:
    cut = UNITTEST.partition("noise without")[0]
    assert ends(cut)[-1] == ("test_shapes.TestArea.test_noisy", ERROR)
    assert read("Ran 0 tests in 0.0s\n", ResultFormat.UNITTEST) == []
    with pytest.raises(ResultsError, match="-v"):
        read("..F.\n", ResultFormat.UNITTEST)


RSPEC = {
    "version": "3.13.0",
    "messages": ["An error occurred in an `after(:context)` hook.\nno eraser"],
    "examples": [
        {"full_description": "area of an oblong", "status": "passed", "file_path": "./spec/a_spec.rb", "line_number": 2, "run_time": 0.5},
        {
            "full_description": "area of a triangle", "status": "failed", "run_time": None, "pending_message": None,
            "exception": {
                "class": "RSpec::Expectations::ExpectationNotMetError", "message": "\nexpected: 7\n     got: 6\n",
                "backtrace": ["/x/gems/rspec-core-3/lib/rspec.rb:8:in `x'", "/p/spec/a_spec.rb:8:in `block'"],
            },
        },
        {
            "full_description": "drawing", "status": "failed",
            "exception": {"class": "RuntimeError", "message": "no pencil", "backtrace": None},
        },
        {"full_description": "later", "status": "pending", "pending_message": "no circles yet", "exception": None},
    ],
    "summary": {"example_count": 4, "errors_outside_of_examples_count": 1},
}  # fmt: skip


def test_rspec() -> None:
    oblong, triangle, drawing, later, outside = read(json.dumps(RSPEC))
    assert (oblong.status, oblong.file, oblong.line, oblong.seconds) == (PASSED, "./spec/a_spec.rb", 2, 0.5)
    assert (triangle.status, triangle.message) == (FAILED, "expected: 7 got: 6")
    assert triangle.details == "expected: 7\n     got: 6\n/p/spec/a_spec.rb:8:in `block'"
    assert (drawing.status, drawing.message, drawing.details) == (FAILED, "RuntimeError: no pencil", "no pencil")
    assert (later.status, later.message) == (SKIPPED, "no circles yet")
    assert (outside.status, outside.message) == (ERROR, "An error occurred in an `after(:context)` hook.")


def test_phpunit() -> None:
    triangle, nothing = read(r"""<testsuites><testsuite name="" tests="2" errors="1" failures="1">
<testcase name="testTriangle" class="AreaTest" classname="AreaTest" file="/p/AreaTest.php" line="12">
<failure type="PHPUnit\Framework\ExpectationFailedException">AreaTest::testTriangle
half of it
Failed asserting that 6 is identical to 7.</failure></testcase>
<testcase name="testNothing" classname="AreaTest"><error type="PHPUnit\Framework\RiskyTestError">AreaTest::testNothing
This test did not perform any assertions</error></testcase></testsuite></testsuites>""")
    assert (triangle.status, triangle.message, triangle.line) == (FAILED, "half of it", 12)
    # PHPUnit itself passes with such.
    assert (nothing.status, nothing.message) == (SKIPPED, "risky: This test did not perform any assertions")


def test_a_class_that_surefire_could_not_set_up_has_its_name() -> None:
    text = '<testsuite name="x.T"><testcase name="" classname="x.T"><error message="no pencil"/></testcase></testsuite>'
    assert ends(text) == [("x.T", ERROR)]


def test_rusts_json() -> None:
    text = """{ "type": "suite", "event": "started", "test_count": 3 }
{ "type": "test", "event": "started", "name": "a" }
{ "type": "test", "name": "a", "event": "ok", "exec_time": 0.5 }
{ "type": "test", "name": "b", "event": "failed", "stdout": "thread 'b' panicked at src/lib.rs:9:5:\\nno square\\n" }
{ "type": "test", "name": "c", "event": "ignored", "message": "later" }
"""
    a, b, c = read(text)
    assert (a.status, a.seconds) == (PASSED, 0.5)
    assert (b.status, b.file, b.line, b.message) == (FAILED, "src/lib.rs", 9, "no square")
    assert (c.status, c.message) == (SKIPPED, "later")


def test_jests_own_json() -> None:
    text = json.dumps({"numTotalTests": 3, "testResults": [
        {"name": "/p/a.test.js", "status": "failed", "message": "", "assertionResults": [
            {"fullName": "Button renders", "status": "passed", "duration": 12},
            {"fullName": "Button clicks", "status": "failed", "failureMessages": ["Error: no\n  at x"], "location": {"line": 7}},
            {"fullName": "Button sings", "status": "pending"},
        ]},
        {"name": "/p/b.test.js", "status": "failed", "message": "  ● Test suite failed to run\n\n    SyntaxError: x",
         "assertionResults": []},
    ]})  # fmt: skip
    renders, clicks, sings, broken = read(text)
    assert (renders.name, renders.status, renders.seconds) == ("Button renders", PASSED, 0.012)
    assert (clicks.message, clicks.file, clicks.line, clicks.status) == ("Error: no", "/p/a.test.js", 7, FAILED)
    assert (sings.status, sings.message) == (SKIPPED, "pending")
    assert (broken.name, broken.status, broken.message) == ("/p/b.test.js", ERROR, "SyntaxError: x")


SARIF = {
    "version": "2.1.0",
    "runs": [{"tool": {"driver": {"name": "x"}}, "results": [
        {"ruleId": "R1", "level": "error", "message": {"text": "bad"}, "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": "src/a%20b.py"}, "region": {"startLine": 3, "startColumn": 7}}}]},
        {"ruleId": "R2", "level": "note", "message": {"text": "a note"}},
        {"ruleId": "R3", "message": {"text": "known"}, "suppressions": [{"kind": "inSource"}]},
        {"ruleId": "R4", "kind": "pass", "message": {"text": "fine"}},
    ]}],
}  # fmt: skip


def test_sarif() -> None:
    bad, *fine = read(json.dumps(SARIF))
    assert (bad.name, bad.status, bad.file, bad.line) == ("src/a b.py:3:7 R1", FAILED, "src/a b.py", 3)
    assert bad.details == "src/a b.py:3:7: R1 bad"
    assert [(one.status, one.message) for one in fine] == [(SKIPPED, "a note"), (SKIPPED, "known"), (SKIPPED, "fine")]


def test_eslint() -> None:
    text = json.dumps([
        {"filePath": "/p/a.js", "messages": [
            {"ruleId": "semi", "severity": 2, "message": "Missing", "line": 1, "column": 9},
            {"ruleId": "curly", "severity": 1, "message": "Maybe", "line": 2, "column": 1},
            {"ruleId": None, "severity": 2, "fatal": True, "message": "Parsing error"},
        ]},
        {"filePath": "/p/b.js", "messages": []},
    ])  # fmt: skip
    assert ends(text) == [("/p/a.js:1:9 semi", FAILED), ("/p/a.js:2:1 curly", SKIPPED), ("/p/a.js (parser)", FAILED)]


TOOL_LINES = """./shapes.py:1:1: F401 'os' imported but unused
src/a b.c:3:7: warning: unused variable 'x' [-Wunused]
main.c:9: error: no such thing
src/types.ts(1,14): error TS2322: Type 'string' is not assignable to type 'number'.
  The expected type comes from property 'side'
\x1b[96msrc/b.ts\x1b[0m:\x1b[93m2\x1b[0m:\x1b[93m5\x1b[0m - \x1b[91merror\x1b[0m\x1b[90m TS2304: \x1b[0mCannot find name.
error TS5083: Cannot read file 'base.json'.
Found 2 errors: look at 12:30
"""


def test_lines() -> None:
    assert ends(TOOL_LINES, ResultFormat.LINES) == [
        ("shapes.py:1:1 F401", FAILED), ("src/a b.c:3:7 warning", SKIPPED), ("main.c:9 error", FAILED),
        ("src/types.ts:1:14 TS2322", FAILED), ("src/b.ts:2:5 TS2304", FAILED), ("TS5083", FAILED),
    ]  # fmt: skip
    unused, _, _, number, _, settings = read(TOOL_LINES, ResultFormat.LINES)
    assert (unused.message, unused.file, unused.line) == ("'os' imported but unused", "shapes.py", 1)
    assert number.message == "Type 'string' is not assignable to type 'number'."
    assert settings.message == "Cannot read file 'base.json'."
    assert recognise(TOOL_LINES.encode()) is None


def test_linters_that_find_nothing() -> None:
    for text in ("[]", " [ ]\n", '{"comments": []}', '{"version": "2.1.0", "runs": [{"results": []}]}'):
        assert read(text) == []
    assert read("Success: no issues found\n", ResultFormat.MYPY) == []


HOSTILE = {
    "empty": b"",
    "blank": b" \n\t\n",
    "binary": bytes(range(256)) * 40,
    "zeros": b"\0" * 5000,
    "cut off": JEST.encode()[:600],
    "no closing tag": b"<testsuites><testsuite><testcase name='a'>",
    "two roots": b"<testsuite/><testsuite/>",
    "another root": b"<html><body>502 Bad Gateway</body></html>",
    "entity bomb": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuites><testcase name="&b;"/></testsuites>',
    "external entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&a;"/></testsuite>',
    "undefined entity": b"<testsuite><testcase name='&nbsp;'/></testsuite>",
    "unknown encoding": b'<?xml version="1.0" encoding="klingon"?><testsuite/>',
    "wrong encoding": b'<?xml version="1.0" encoding="utf-8"?><testsuite name="\xff\xfe"/>',
    "deep elements": b"<testsuites>" + b"<testsuite>" * 5000,
    "deep lists": b'{"version": "2.1.0", "runs": ' + b"[" * 100_000,
    "sarif of another shape": b'{"version": 3, "runs": "none"}',
    "half a line of go": b'{"Action":"run","Package":"a","Test":"TestA"}\n{"Action":"pa\n',
    "go of another shape": b'{"Action":["run"],"Package":{}}\n',
    "half a list of eslint": b'[{"filePath": "/p/a.js", "messages": [{"ruleId"',
    "plain text": b"all is well\n",
    "a program": Path("/bin/true").read_bytes()[:4096],
    "too many cases": b"1..9\n" + b"ok\n" * (CASES_MAX + 1),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_files_get_a_clear_message(name: str, tmp_path: Path) -> None:
    (tmp_path / "results.xml").write_bytes(HOSTILE[name])
    with pytest.raises(ResultsError, match=r"^results\.xml") as caught:
        read_results(Source(results="results.xml", folder=tmp_path, started_at=0.0))
    said = str(caught.value)
    print(f"{name:24} {said}")
    assert said.isprintable()
    assert len(said) < 300


@pytest.mark.parametrize(("data", "kind"), [(b"1", str), (b"{", Any), (b'"\xff"', str), (b"[" * 100_000, Any)])
def test_json_that_is_no_such_value_is_told(data: bytes, kind: object) -> None:
    with pytest.raises(ResultsError, match=r"^a\.json is not what it should be: "):
        decoded(data, "a.json", kind)


@pytest.mark.parametrize("text", ["[1]", '{"examples": 1}', "{"])
@pytest.mark.parametrize("form", [ResultFormat.JEST, ResultFormat.RSPEC, ResultFormat.SARIF, ResultFormat.ESLINT])
def test_json_of_another_shape_is_told(form: ResultFormat, text: str) -> None:
    with pytest.raises(ResultsError, match=r"^results is not what it should be: "):
        read(text, form)


def test_the_line_of_broken_json_is_told() -> None:
    with pytest.raises(ResultsError, match=r"^results:2 is not what it should be: "):
        read("Success\n{'file': 1}\n", ResultFormat.MYPY)


def test_a_hundred_megabytes_are_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "results.xml").open("wb") as file:
        file.write(b"<testsuites>")
        file.truncate(100 * 1024 * 1024)
    with pytest.raises(ResultsError, match=f"larger than {BYTES_MAX // 2**20} MB"):
        read_results(Source(results="results.xml", folder=tmp_path, started_at=0.0))


@pytest.mark.parametrize("form", list(ResultFormat))
@given(data=st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_cases_or_a_message(form: ResultFormat, data: bytes) -> None:
    found: list[Case] = []
    with contextlib.suppress(ResultsError):
        found.extend(READERS[form](io.BytesIO(data), "results"))
    for one in found:
        assert "\n" not in one.name
        assert len(one.name) <= NAME_MAX


LINES = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([
        "ok 1 - a", "not ok", "ok # SKIP", "not ok 2 # TODO x", "1..2", "# Subtest: b", "---", "...", "  message: x", "Bail out!", "text",
    ])),
    max_size=20,
)  # fmt: skip


@given(lines=LINES)
def test_tap_in_any_order_counts_each_result_at_most_once(lines: list[tuple[int, str]]) -> None:
    text = "\n".join(" " * 4 * depth + line for depth, line in lines)
    results = sum(line.startswith(("ok", "not ok", "Bail", "1..")) for _, line in lines)
    try:
        assert len(read(text, ResultFormat.TAP)) <= results + 1
    except ResultsError:
        assert not any(line.startswith(("ok", "not ok", "Bail", "1..")) for _, line in lines)


@given(names=st.lists(st.sampled_from(["a", "a (2)", "b"]), max_size=12))
def test_names_are_distinct(names: list[str]) -> None:
    made = list(distinct(case(name, PASSED) for name in names))
    assert len({one.name for one in made}) == len(names)


@given(name=st.text(), message=st.text(), details=st.text(max_size=50), seconds=st.floats() | st.text(max_size=8))
def test_a_case_is_fit_to_be_shown(name: str, message: str, details: str, seconds: object) -> None:
    made = case(name, FAILED, message=message, details=details, seconds=seconds)
    made.name.encode()
    made.details.encode()
    assert "\n" not in made.name + made.message
    assert 0 <= made.seconds < 1e9
