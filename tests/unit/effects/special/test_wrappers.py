"""Programs that run another: where the other's words begin, and what it sees."""

from __future__ import annotations

import pytest

from tests.unit.effects.help import compact_of

ENV: list[tuple[str, list[str]]] = [
    ("env -i -u X A=1 B=2 rm x", ["delete x"]),
    ("env - rm x", ["delete x"]),
    ("env -C src rm x", ["delete src/x"]),
    ("env -- rm x", ["delete x"]),
    ("env --unset=X --chd src rm x", ["delete src/x"]),
    ("env -S 'rm x' y", ["delete x", "delete y"]),
    ("env -S'rm x'", ["delete x"]),
    ("env -iS 'rm x'", ["delete x"]),
    ("env --split-string='rm x'", ["delete x"]),
    ("env -S '-i -C src rm x'", ["delete src/x"]),
    ("env -S 'A=1 rm x'", ["delete x"]),
    ("env -S 'rm\\_x'", ["delete x"]),
    ("env -S 'rm \"a\\_b\" c\\ d'", ["delete a b", "delete c d"]),
    ("env -S 'rm x # y'", ["delete x"]),
    ("env -S 'rm x\\c y'", ["delete x"]),
    ("env -S 'rm ${HOME}/x'", ["delete /home/u/x"]),
    ("env -S \"rm '\\$x'\"", ["delete $x"]),
    ("env -S 'rm $x'", ["execute"]),
    ("env -S \"$X\"", ["execute"]),
    ("f() { rm x; }; env f", ["unknown"]),
    ("x=a; env A=b sh -c 'rm $A$x'", ["delete ?"]),
    ("env LD_PRELOAD=x cat a", ["unknown", "read a"]),
]  # fmt: skip

OTHERS: list[tuple[str, list[str]]] = [
    ("timeout -k 5 -s KILL 10 rm x", ["delete x"]),
    ("timeout --signal=KILL --foreground 10 rm x", ["delete x"]),
    ("gtimeout 5 rm x", ["delete x"]),
    ("nice -n 5 ionice -c3 chrt -b 0 taskset -c 0 rm x", ["delete x"]),
    ("nohup setsid -w stdbuf -oL rm x", ["delete x"]),
    ("time -p rm x", ["delete x"]),
    ("/usr/bin/time -f %e -o t rm x", ["write t", "delete x"]),
    ("command rm x", ["delete x"]),
    ("builtin cd src && rm x", ["delete src/x"]),
    ("exec -a name -c rm x", ["delete x"]),
    ("flock -n l -c 'rm x'", ["create l", "delete x"]),
    ("flock -w 5 l rm x", ["create l", "delete x"]),
    ("watch -n 1 -d 'rm x'", ["delete x"]),
    ("watch -x sh -c 'rm x'", ["delete x"]),
    ("strace -f -e trace=file -o log rm x", ["write log", "delete x"]),
    ("strace -o '|sh' rm x", ["execute", "delete x"]),
    ("ltrace -o log rm x", ["write log", "delete x"]),
    ("xvfb-run -a rm x", ["delete x"]),
    ("dbus-run-session -- rm x", ["delete x"]),
    ("faketime 2020-01-01 rm x", ["delete x"]),
    ("caffeinate -i rm x", ["delete x"]),
    ("numactl -N 0 -m 0 rm x", ["delete x"]),
    ("fakeroot rm x", ["delete x"]),
    ("sem -j 2 'rm x'", ["cache /home/u/.parallel/**", "delete x"]),
    ("pkexec rm x", ["privilege", "delete x"]),
    ("sudo -u bob -E A=1 rm x", ["privilege", "delete x"]),
    ("su -c 'rm x' bob", ["privilege", "delete x"]),
    ("timeout 5 \"$X\"", ["unknown"]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), [*ENV, *OTHERS])
def test_what_the_inner_command_touches(command: str, expected: list[str]) -> None:
    assert sorted(compact_of(command)) == sorted(expected), command
