"""Makefiles are read as make reads them: held against `make -n`, and by tables where make would look at files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.compact import compact
from pytest_cbx.effects.languages.makefile.reading import read_makefile
from pytest_cbx.effects.languages.makefile.recipes import goals_of
from pytest_cbx.effects.paths import Context
from pytest_cbx.shell.reader import read
from tests.unit.effects.help import Tree

VARIABLES = """\
A = one
B := $(A) two
A += three
C ?= four
D = $(C:f%=g%) $(subst o,0,$(A)) $(patsubst %.c,%.o,x.c y.c) $(strip   a   b ) $(words a b c)
E = $(addprefix p/,$(notdir a/b c/d)) $(addsuffix .x,a b) $(dir a/b c) $(basename a/b.c d.e.f) $(suffix a.b c)
F = $(filter %.c,a.c b.o) $(filter-out %.c,a.c b.o) $(sort b a b) $(firstword x y) $(lastword x y) $(word 2,a b c) $(wordlist 2,3,a b c d)
G = $(foreach v,a b,<$(v)>) $(if $(A),yes,no) $(if ,yes,no) $(or ,z) $(and a,b) $(join a b,1 2) $(findstring a,cat)
greet = hello $(1) and $(2)
H := $(call greet,x,y)
ref = $(A)
define lines
echo first $(1)
echo second
endef
all: ; @echo '$(B)|$(A)|$(C)|$(D)|$(E)|$(F)|$(G)|$(H)|$($(word 1,ref))|$$HOME|${A}'
\t$(call lines,q)
"""

RULES = """\
OBJS = main.o util.o
.PHONY: all clean
all: prog # the default
prog: $(OBJS) | out
\t@echo link $@ from $^ first $< order $|
main.o util.o: %.o: %.c common.h
\techo compile $< to $@ stem $*
out:
\t-echo make $@
%.html: %.md
\techo render $< $@ $(@D) $(@F)
doc/a.html: EXTRA = special
doc/a.html: doc/a.md
page: doc/a.html doc/b.html
\techo page $(EXTRA) $^
clean::
\techo clean one
clean::
\techo clean two \\
\t  and more
main.c util.c common.h doc/a.md doc/b.md:
"""

CONDITIONS = """\
V = 1
ifeq ($(V),1)
Q =
else ifeq ($(V),2)
Q = two
else
Q = @
endif
ifdef NOT_THERE
X = there
else
X = absent
endif
ifneq "$(X)" "absent"
  X = wrong
endif
ifndef V
$(error no)
endif
all:
ifeq ($(X),absent)
\t$(Q)echo absent
else
\t$(Q)echo there
endif
\techo after; \\
\techo continued
other: VAR := own
other: dep
\techo $(VAR)
dep:
\techo dep $(VAR)
.DEFAULT_GOAL := other
"""

ONE_SHELL = """\
.ONESHELL:
all:
\tcd sub
\techo $@
"""

LONG = """\
SRCS = a.c \\
       b.c
CMD = echo \\
  $(SRCS)
all : $(SRCS)
\t$(CMD) 'a#b' # kept
$(SRCS) :
\t@echo "src $@"
a%c:
\techo never
"""


def ours(text: str, goals: list[str], overrides: dict[str, str] | None = None) -> list[str]:
    makefile = read_makefile(text, "Makefile", overrides=overrides or {}, environment={}, include=lambda path: None)
    walk, starts = goals_of(makefile, goals, lambda path: False)
    return [line for recipe in walk.recipes(starts) for line in recipe.text.split("\n")]


@pytest.mark.needs("make")
@pytest.mark.parametrize(
    ("text", "goals"),
    [
        (VARIABLES, []),
        (VARIABLES, ["C=mine"]),
        (RULES, []),
        (RULES, ["page", "clean"]),
        (RULES, ["util.o"]),
        (CONDITIONS, []),
        (CONDITIONS, ["all"]),
        (CONDITIONS, ["V=2", "all"]),
        (ONE_SHELL, []),
        (LONG, []),
    ],
)
def test_the_recipes_are_those_that_make_prints(text: str, goals: list[str], tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(text)
    command = ["make", "-n", "-B", "-r", "--no-print-directory", *goals]
    environment = {"PATH": "/usr/bin:/bin"}
    printed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    overrides = dict(goal.split("=", 1) for goal in goals if "=" in goal)
    found = ours(text, [goal for goal in goals if "=" not in goal], overrides)
    assert [line.strip() for line in found] == [line.strip() for line in printed.stdout.splitlines()]


FOLLOWED = """\
CC ?= gcc
SRCS := $(wildcard src/*.c)
OBJS = $(SRCS:src/%.c=build/%.o)
VERSION := $(shell git describe)
PREFIX ?= /usr/local
build/app: $(OBJS) | build
\t@$(CC) -o $@ $^
build/%.o: src/%.c
\t$(CC) -c -o $@ $<
build:
\tmkdir $@
clean:
\trm -rf build
install:
\tcp build/app $(DESTDIR)$(PREFIX)/bin/
stamp:
\techo '$(VERSION)' > stamp-$(VERSION)
sub:
\t$(MAKE) -C sub
loop:
\t$(MAKE) loop
one.o:
broken:
\techo "
generated: $(GENERATED)
$(eval x: ; y)
include missing.mk
"""
FILES = {
    "Makefile": FOLLOWED,
    "good.mk": "include more.mk\nall: made\n",
    "more.mk": "made:\n\ttouch $@\n",
    "sub/Makefile": "out.txt: in.txt\n\tsort -o $@ $<\n",
    "fish.mk": "SHELL = /usr/bin/fish\nall:\n\ttouch x\n",
    "evil.mk": "export PATH = ./bin\nall:\n\tls\n",
    "hello.c": "int main;",
    "c/Makefile": "all: hello\nwild: $(patsubst %.c,%.o,$(wildcard wild-*.c))\n",
    "c/hello.c": "int main;",
}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("make -f good.mk", ["read good.mk", "read more.mk", "create made"]),
        ("make -f good.mk -n", ["read good.mk", "read more.mk"]),
        ("make -C c", ["output c/hello"]),
        ("make -C c $(printf wild)", ["output c/wild-*.o"]),
        ("make -C sub", ["read sub/Makefile", "read sub/in.txt", "write sub/out.txt"]),
        ("cd sub; make", ["write sub/out.txt"]),
        ("make clean", ["destroy build/**"]),
        ("make", ["output build/app", "output build/*.o", "read src/*.c", "create build", "execute"]),
        ("make build/x.o CC=clang", ["output build/x.o", "read src/x.c"]),
        ("make install DESTDIR=stage", ["write stage/usr/local/bin/app"]),
        ("make install", ["write /usr/local/bin/app"]),
        ("make stamp", ["read .git/**", "write ?"]),
        ("make sub", ["write sub/out.txt"]),
        ("make -n sub", ["write sub/out.txt"]),
        ("make loop", ["unknown"]),
        ("make broken", ["unknown"]),
        ('make "$X"', ["unknown"]),
        ("make -f fish.mk", ["execute", "create x"]),
        ("make -f evil.mk", ["unknown"]),
        ("make -f missing.mk all", ["execute"]),
        ("make -C sub deploy", ["read sub/Makefile", "execute"]),
        ("make -C sub test", ["read sub/Makefile", "output sub/**"]),
        ("make --eval 'x: ; y' x", ["execute"]),
    ],
)
def test_recipes_are_followed(command: str, expected: list[str]) -> None:
    effects = analyse(read(command), Context(cwd="/w", workspace="/w", home="/home/u", files=Tree(FILES)))
    found = [compact(effect) for effect in effects.effects]
    assert set(expected) <= set(found), found


def test_what_stays_open_counts_as_code_that_is_not_seen() -> None:
    effects = analyse(read("make clean"), Context(cwd="/w", workspace="/w", files=Tree(FILES)))
    details = {effect.detail for effect in effects.effects if effect.program == "make"}
    assert "the included file missing.mk is not seen" in details
    assert "$(eval …) makes rules that are not seen" in details


ODD = (
    "", "\t", ":", "a:", "=", "ifeq", "endif", "else", "define x", "$(", "$(x", "a: b: c: d", "x := $(x)", "x = $(x)\na: ; $(x)",
    "ifeq (a\nb:\n", "\\", "a:\\", "a: a\n\tb", "a: b\nb: a\n\tc",
)  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_odd_makefiles_are_read_too(text: str) -> None:
    assert isinstance(ours(text, ["a"]), list)
