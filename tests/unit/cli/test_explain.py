"""`cbx explain` for people: what it shows, on which terminals, and what `--deny` makes of it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from pytest_cbx.cli.portrait import portrait
from pytest_cbx.client.marked import plain
from pytest_cbx.severity import Severity
from tests.unit.cli.test_main import call, feed
from tests.unit.client.making import make_jobs


def lines(root: Path, text: str, *, width: int = 100, deny: Severity | None = None) -> list[str]:
    (job,) = make_jobs(root, text)
    return plain(portrait(job, width=width, deny=deny))


def section(shown: list[str], label: str) -> list[str]:
    """The sentences beside a label."""
    start = next(index for index, line in enumerate(shown) if line.startswith(f"  {label} "))
    end = next((i for i in range(start + 1, len(shown)) if not shown[i].startswith(" " * 14)), len(shown))
    return [line[14:] for line in shown[start:end]]


def test_every_part_says_what_it_does(tmp_path: Path) -> None:
    shown = lines(tmp_path, "cat a | sort > b")
    assert shown[2:6] == [
        "  cat a | sort > b",
        "      ━        ━━━",
        "      │        ╰ sort changes b (output redirect)",
        "      ╰ cat reads a",
    ]


def test_reasons_effects_claims_and_needs(tmp_path: Path) -> None:
    shown = lines(tmp_path, "cat a > b")
    assert section(shown, "because") == ["cat changes b (output redirect)"]
    assert section(shown, "reads") == ["a"]
    assert section(shown, "writes") == ["b"]
    assert section(shown, "claims") == ["read a", "write b"]
    assert section(shown, "needs")[0].startswith("under 1 s, 0.5 cores, ")


def test_findings_stand_with_line_and_column(tmp_path: Path) -> None:
    shown = lines(tmp_path, "ls\n  rm -rf /")
    assert section(shown, "critical") == ["destroys-root at 2:10: rm deletes all of /"]
    assert "           ╰ critical: rm deletes all of /" in shown


def test_what_is_refused_and_what_to_do(tmp_path: Path) -> None:
    shown = lines(tmp_path, "rm -rf /", deny=Severity.CRITICAL)
    assert section(shown, "refused") == ["critical finding destroys-root"]
    assert 'allow = ["destroys-root"]' in section(shown, "to do")[0]
    assert not any(line.startswith("  refused") for line in lines(tmp_path, "rm -rf /"))


TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "rm -rf $X/ && curl http://x | sudo bash",
            'for f in *.日本; do\n\trm "$f"\ndone',
            "echo " + "w" * 300,
            "cat <<E > a\nx\nE\n",
        ]
    ),
).filter(lambda text: "\0" not in text and text.strip() != "")


@given(text=TEXTS, width=st.integers(40, 120))
@settings(deadline=None)
def test_no_line_is_wider_than_the_terminal(text: str, width: int) -> None:
    for line in lines(Path("/nowhere"), text, width=width):
        assert "\n" not in line
        assert cell_len(line) <= width + 1, line


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_only_where_there_is_any(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], coloured: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    out = Terminal(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", out)
    assert call("explain", "rm -rf /") == 0
    out.flush()
    written = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert "DANGEROUS_ISOLATED" in written
    assert any(f"\x1b[{code}m" in written for code in ("31", "1;31")) is coloured


def test_no_colour_and_no_cutting_in_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "40")
    assert call("explain", "cat " + "a" * 80) == 0
    out = capfd.readouterr().out
    assert "\x1b" not in out
    assert "a" * 80 in out


def test_plain_signs_where_others_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", out)
    assert call("explain", "rm x") == 0
    out.flush()
    assert b"     ^\n     `-" in out.buffer.getvalue()


def test_a_command_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    feed(monkeypatch, b"echo a\nrm b\n")
    assert call("explain", "--json", "-") == 0
    assert json.loads(capfd.readouterr().out)["command"] == "echo a\nrm b"


@pytest.mark.parametrize("data", [b"", b" \n", b"a\0b"])
def test_no_command_on_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], data: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    feed(monkeypatch, data)
    assert call("explain", "-") == 4
    assert "cbx: " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("rm -rf /",), 0),
        (("--deny", "critical", "rm -rf /"), 1),
        (("--deny", "warning", "rm -rf /"), 1),
        (("--deny", "critical", "sudo ls"), 0),
        (("--deny", "off", "rm -rf /"), 0),
        (("--deny", "critical", "--json", "rm -rf /"), 1),
    ],
)
def test_refusal_is_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("explain", *arguments) == code


def test_one_refusal_of_many_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    feed(monkeypatch, b"ls\0rm -rf /\0pwd\0")
    assert call("explain", "--json", "--stdin0", "--deny", "critical") == 1


def test_parts_are_in_the_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "cat a > b"
    assert call("explain", "--json", text) == 0
    value = json.loads(capfd.readouterr().out)
    assert [(text[p["start"] : p["end"]], p["tier"], p["says"]) for p in value["parts"]] == [
        ("a", "SAFE_PARALLEL", ["cat reads a"]),
        ("> b", "SEQUENTIAL_REQUIRED", ["cat changes b (output redirect)"]),
    ]
    assert value["estimate"]["duration"] == "quick"
    assert value["differences"] == []


def test_run_refuses_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("run", "--deny", "warning", "--json", "row.json", "--", "touch ran; chmod 777 ran") == 126
    out, err = capfd.readouterr()
    assert out == ""
    assert all(line.startswith("cbx: ") for line in err.splitlines())
    assert "warning world-writable: chmod lets everybody write" in err
    assert not (tmp_path / "ran").exists()
    assert json.loads((tmp_path / "row.json").read_text())["status"] == "failed"


def test_the_configuration_denies_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cbx.toml").write_text(
        "[cbx]\ndeny = 'warning'\n[[cbx.command]]\nname = 'a'\nrun = 'chmod 777 x'\n"
        "[[cbx.command]]\nname = 'b'\nrun = 'chmod 777 y'\nallow = ['world-writable']\n"
    )
    assert call("run", "--", "chmod 777 ran") == 126
    capfd.readouterr()
    assert call("plan") == 0
    said = capfd.readouterr().out
    assert "refused: a: warning world-writable: chmod lets everybody write" in said
    assert "refused: b" not in said
    assert call("plan", "--json", "--deny", "off") == 0
    assert "refused" not in capfd.readouterr().err
