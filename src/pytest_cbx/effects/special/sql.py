"""Clients of SQL databases: statements and the clients' own commands (`.shell`, `\\!`, `\\copy`) that stand on the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_TEXTS = ("-c", "--command", "-e", "--execute", "--query", "-q", "-Q", "-s", "-cmd")
"""Options whose values are statements."""

_LOOKS = re.compile(
    r"(select|show|explain|describe|desc|values|table|use|\\[dlz][a-zA-Z+]*|\\(?:conninfo|echo|encoding|timing|x|q|pset|set)\b)",
    re.I,
)
_HARMLESS_DOT = re.compile(
    r"\.(?:tables|schema|dump|mode|headers?|separator|width|nullvalue|databases|dbinfo|indexes|indices|timeout|timer|echo|bail|explain"
    r"|fullschema|help|print|quit|exit|show|stats|version|sha3sum|lint|eqp|changes|limit|prompt|maxrows|dbconfig|parameter|progress)\b"
)  # fmt: skip
_NAMES_FILES = re.compile(
    r"^\s*(?:attach|vacuum\b.*\binto|export\s+database|copy\b.*\bto)\b|\binto\s+(?:outfile|dumpfile)\b", re.I | re.S
)
_FILE = re.compile(
    r"\b(?:attach(?:\s+database)?(?:\s+if\s+not\s+exists)?|to|into|outfile|dumpfile|export\s+database)\s+'([^']+)'",
    re.I,
)
_WITHIN = re.compile(r"\\[a-zA-Z!]")
_DROPS = re.compile(r"(?:^|;)\s*(?:drop|truncate)\b", re.I | re.M)
_LOADS = re.compile(
    r"^\s*(?:load|install)\b|\b(?:load_extension|writefile|edit|load_file)\s*\(|\b(?:to|from)\s+program\b", re.I
)
_ACTS = re.compile(
    r"\binto\b|\b(?:insert|update|delete|drop|alter|create|truncate|replace|merge|vacuum|attach|detach|reindex|grant|revoke|call|do|lock)\b"
    r"|\b(?:load_extension|writefile|readfile|edit|fts3_tokenizer|pg_terminate_backend|pg_read_file|lo_export|lo_import|dblink\w*|nextval|setval"
    r"|set_config|pg_reload_conf|pg_cancel_backend|pragma|url|file|s3|remote|executable|load_file|install|import|export|for\s+update)\b",
    re.I,
)  # fmt: skip


def sql_file(call: Call) -> None:
    """`sqlite3 [OPTION…] [FILE [STATEMENT…]]` and `duckdb` alike."""
    operands = call.parsed.operands
    texts = [*_given(call), *operands[1:]]
    changes = [_statement(call, text) for text in texts]
    if not texts:
        call.effect(Kind.EXECUTE, "runs the statements on its standard input")
    if not operands or (operands[0].known and operands[0].text in (":memory:", "")):
        return
    file = operands[0]
    call.touch(Kind.READ, file)
    if call.given("-readonly"):
        return
    if texts and not any(changes):
        call.touch(Kind.CREATE, file, why="makes an empty one where there is none")
        return
    drops = any(_DROPS.search(text.text) for text in texts)
    kind = Kind.DESTROY if drops else Kind.WRITE
    call.touch(kind, Field(f"{file.text}*", file.shape), "glob", "with its journal")


def sql_server(call: Call) -> None:
    """`psql`, `mysql` and their like: without statements they read them from standard input."""
    texts = list(_given(call))
    if call.given("-l", "--list") and call.name == "psql":
        return
    if not texts and not call.given("-f", "--file", "--queries-file", "-i"):
        call.effect(Kind.STATE, "a database")
        call.effect(Kind.EXECUTE, "runs the statements on its standard input")
    changes = [_statement(call, text) for text in texts]
    if any(changes):
        call.effect(Kind.STATE, "a database")
    if any(_DROPS.search(text.text) for text in texts):
        call.effect(Kind.SYSTEM, "a database: deletes from it")


def _given(call: Call) -> Iterator[Field]:
    for given in call.parsed.options:
        if given.value is not None and any(name in _TEXTS for name in given.option.names):
            yield given.value


def _statement(call: Call, text: Field) -> bool:
    """Note what the text does beside the database; whether it may change that."""
    if not text.known:
        call.effect(Kind.EXECUTE, "the statements are not known beforehand")
        return True
    parts = [part.strip() for line in text.text.splitlines() for part in line.split(";") if part.strip()]
    changes = [_one(call, part) for part in parts]
    return any(changes)


def _one(call: Call, statement: str) -> bool:
    if statement.startswith((".", "\\")):
        return _command(call, statement)
    if _WITHIN.search(statement):
        call.effect(Kind.EXECUTE, "a command of the client's within a statement")
    _files(call, statement)
    return _LOOKS.match(statement) is None or _ACTS.search(statement) is not None


def _files(call: Call, statement: str) -> None:
    """Files and programs that a statement names: `attach`, `vacuum into`, `copy … to`, `into outfile`, `load`."""
    if _LOADS.search(statement):
        call.effect(Kind.EXECUTE, "a statement loads or runs a program")
    if not _NAMES_FILES.search(statement):
        return
    found = [Field(name) for name in _FILE.findall(statement)]
    for file in found:
        call.touch(Kind.WRITE, file, "tree" if "export" in statement.lower() else "path")
    if not found:
        call.effect(Kind.EXECUTE, "a statement names a file that cannot be told")


def _command(call: Call, text: str) -> bool:
    """A command of the client's own."""
    try:
        words = shlex.split(text, posix=False)
    except ValueError:
        words = text.split()
    name, files = words[0], [Field(word.strip("'\"")) for word in words[1:] if not word.startswith("-")]
    if name in (
        ".output",
        ".once",
        ".backup",
        ".save",
        ".log",
        ".clone",
        "\\o",
        "\\out",
    ) and not text.rstrip().endswith(("stdout", "off")):
        if files and files[-1].text.startswith("|"):
            call.effect(Kind.EXECUTE, f"{name} runs a program")
        elif files:
            call.touch(Kind.WRITE, files[-1])
        return False
    if name in (".import", ".read", "\\i", "\\ir", "\\include") and files:
        call.touch(Kind.READ, files[0])
        call.effect(Kind.EXECUTE, f"{name} takes in a file")
        return True
    if name == "\\copy" and files and any(word.lower() == "to" for word in words):
        target = words[[word.lower() for word in words].index("to") + 1 :][:1]
        if target and target[0].lower() == "program":
            call.effect(Kind.EXECUTE, "\\copy runs a program")
        elif target and target[0].lower() not in ("stdout", "pstdout"):
            call.touch(Kind.WRITE, Field(target[0].strip("'\"")))
        return False
    if _HARMLESS_DOT.match(name) or (_LOOKS.match(name) and name.startswith("\\")):
        return False
    call.effect(Kind.EXECUTE, f"{name} may run anything")
    return True


INTERPRETERS: dict[str, Callable[[Call], None]] = {"sql-file": sql_file, "sql-server": sql_server}
