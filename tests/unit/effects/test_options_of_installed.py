"""The options that a program documents are the ones its entry lists, with the same arity: a wrong one hides an operand.

The lists were made from the versions below. A newer program may know more options: then the test is skipped and names them.
An option that takes a value where the entry says that it takes none (or the other way round) fails with every version.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache

import pytest

from pytest_cbx.effects.catalogue import program
from pytest_cbx.effects.grammar import Entry, compile_entry
from tests.requirements import require
from tests.unit.effects.help_text import Documented, documented

SUITES = {
    "coreutils 9.1": """arch b2sum base32 base64 basename basenc chcon chgrp chmod chown cksum comm cp csplit cut date dd df dir dircolors
        dirname du expand fmt fold groups head hostid id install join link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nl nproc
        numfmt od paste pathchk pinky pr printenv ptx pwd readlink realpath rm rmdir seq sha1sum sha224sum sha256sum sha384sum sha512sum
        shred shuf sleep sort split stat sum sync tac tail tee touch tr truncate tsort tty uname unexpand uniq unlink users vdir wc
        whoami""",
    "diffutils 3.8": "cmp diff diff3 sdiff",
    "grep 3.8": "egrep fgrep grep rgrep",
    "gzip 1.12": "gunzip gzip zcat",
    "patch 2.7.6": "patch",
    "patchutils 0.4.2": "combinediff filterdiff flipdiff grepdiff interdiff lsdiff splitdiff",
    "util-linux 2.38.1": """blkid chcon col colcrt colrm column dmesg fallocate getopt hardlink hd hexdump look mcookie rename.ul rev
        scriptreplay setarch ul utmpdump""",
    "procps 4.0.2": "pgrep pidwait pmap pwdx",
    "xz 5.4.1": "lzma unlzma unxz xz",
    "bzip2 1.0.8": "bunzip2 bzip2",
    "zstd 1.5.4": "unzstd zstd",
    "brotli 1.0.9": "brotli",
    "lzip 1.23": "lzip",
    "pigz 2.6": "pigz unpigz",
    "cpio 2.13": "cpio",
    "file 5.44": "file",
    "gettext 0.21": "envsubst gettext ngettext",
    "glibc 2.36": "iconv locale",
    "datamash 1.8": "datamash",
    "jq 1.6": "jq",
    "libxml2 20914": "xmllint xsltproc",
    "wdiff 1.2.2": "wdiff",
    "diffstat 1.64": "diffstat",
    "man-db 2.11.2": "apropos lexgrog man manpath whatis",
    "pv 1.6.20": "pv",
    "inotify-tools 3.22.6.0": "fsnotifywait fsnotifywatch inotifywatch",
    "bat 0.22.1": "batcat",
    "hyperfine 1.15.0": "hyperfine",
    "poppler 22.12.0": """pdfdetach pdffonts pdfimages pdfinfo pdfseparate pdftocairo pdftohtml pdftoppm pdftops pdftotext pdfunite""",
    "gnupg 2.2.40": "gpgv",
    "age 1.1.1": "age age-keygen",
    "recode 3.7.14": "recode",
    "pandoc 2.17.1.1": "pandoc",
}  # fmt: skip
"""Package and version, and the programs of it."""

EXCEPTIONS = {
    "cp mv": ({"--update"}, "since 9.2 it takes a value"),
    "cut": ({"-M"}, "a way to write a list, no option"),
    "numfmt": ({"-M", "->"}, "a way to write a list, and examples"),
    "diff colordiff": ({"-c", "-C", "-u", "-U"}, "the value belongs to -C and -U, where it is required"),
    "dir ls vdir": ({"-F", "-p"}, "the value belongs to the long option"),
    "tail": ({"-f"}, "the value belongs to the long option"),
    "du": ({"--time"}, "one option in two lines"),
    "sort": ({"-c", "-C", "--check"}, "the value belongs to the long option, where it is optional"),
    "mktemp": ({"-p"}, "the value of -p is required, that of --tmpdir is not"),
    "od": ({"-S"}, "the value of -S is required, that of --strings is not"),
    "ptx": ({"-O", "-T"}, "the value belongs to the long option"),
    "pr": ({"-C"}, "a number of columns, -5"),
    "egrep fgrep grep rgrep": ({"-N"}, "a number of lines, -5"),
    "file": ({"-P", "--parameter"}, "the help leaves NAME=VALUE out"),
    "patch": ({"--merge"}, "--merge[=STYLE] by the manual"),
    "cpio": ({"-I", "-O", "-?"}, "the brackets belong to the value; -? is a pattern for the shell"),
    "locale man": ({"-?", "-t", "--troff", "-Z", "--ditroff"}, "-? is a pattern for the shell; others of the line take a value"),
    "bzip2 bunzip2 lzip xz unxz lzma unlzma pigz unpigz zstd unzstd": (
        {"-0", "-1", "-9", "-#", "-T", "-B", "-M", "-b", "-e", "-i", "--train", "-S", "--suffix"},
        "a level, -9, is a number; numbers follow attached (-T0); .sss stands for a value",
    ),
    "jq": ({"--arg", "--argjson", "--slurpfile", "--rawfile"}, "two values, written in small letters"),
    "xmllint xsltproc": ({"--pattern", "--xpath", "--param", "--stringparam"}, "values, written in small letters"),
    "recode": ({"-F", "--freeze-tables", "-T", "--find-subsets"}, "for its developers"),
}  # fmt: skip
"""Options that the parser of the help text, or the help, has wrong."""

_NOISE = re.compile(r".\x08|\x1b\[[0-9;]*m")


CASES = [(name, suite.split()[1]) for suite, names in SUITES.items() for name in dict.fromkeys(names.split())]


@cache
def output_of(name: str, *arguments: str) -> str:
    environment = {**os.environ, "COLUMNS": "200", "LC_ALL": "C", "TERM": "xterm"}
    ran = subprocess.run(
        [name, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=30, env=environment
    )
    return _NOISE.sub("", (ran.stdout + ran.stderr).decode("utf-8", "replace"))


def documented_by(name: str, entry: Entry) -> list[Documented]:
    return documented(output_of(name, "-H" if name == "xz" else "--help"), dash=entry.style == "dash")


def excepted(name: str) -> set[str]:
    return {option for names, (options, _) in EXCEPTIONS.items() if name in names.split() for option in options}


@pytest.mark.parametrize(("name", "version"), CASES, ids=[name for name, _ in CASES])
def test_the_entry_lists_what_the_help_documents(name: str, version: str) -> None:
    require(name, promised=False)
    spec = program(name)
    assert spec is not None
    entry = compile_entry(spec)
    unlisted, wrong = [], []
    options = documented_by(name, entry)
    for option in options:
        for spelling in (found for found in option.names if found not in excepted(name)):
            listed = entry.options.get(spelling)
            if listed is None:
                unlisted.append(f"{spelling} ({option.line})")
            elif not listed.quits and listed.value != option.arity:
                wrong.append(f"{spelling}: {listed.value}, but {option.arity} in: {option.line}")
    assert options, "its help could not be read"
    assert not wrong
    if unlisted and version not in output_of(name, "--version"):
        pytest.skip(f"{name} is not {version}: not listed: {', '.join(unlisted)}")
    assert not unlisted


@pytest.mark.parametrize("name", sorted({name for names in EXCEPTIONS for name in names.split()}))
def test_an_exception_is_needed(name: str) -> None:
    """An exception that no installed program needs is left over, unless it is for another version."""
    require(name, promised=False)
    spec = program(name)
    assert spec is not None
    entry = compile_entry(spec)
    seen = {spelling for option in documented_by(name, entry) for spelling in option.names}
    assert not excepted(name) or seen & excepted(name)


@pytest.mark.parametrize(
    ("line", "names", "arity"),
    [
        ("  -a, --all                  do not ignore", ("-a", "--all"), "none"),
        ("  -b, --bytes=SIZE       put SIZE bytes", ("-b", "--bytes"), "required"),
        ("      --color[=WHEN]     colorize", ("--color",), "optional"),
        (" -o, --output <list>      define", ("-o", "--output"), "required"),
        ("  -p NUM  --strip=NUM  Strip", ("-p", "--strip"), "required"),
        ("  -i, --input-range=LO-HI  treat each number", ("-i", "--input-range"), "required"),
        ("plain text - with -dashes", (), ""),
    ],
)
def test_the_help_reader(line: str, names: tuple[str, ...], arity: str) -> None:
    found = documented(line)
    assert [option.names for option in found] == ([names] if names else [])
    assert [option.arity for option in found] == ([arity] if names else [])
