"""Threads of several processes change the same few names of the current directory at random: `storm.py SEED PROCESSES THREADS ROUNDS`.

Runs by itself, without the package: it is the command.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import sys
import threading
from collections.abc import Callable

NAMES = ("a", "b", "c", "d", "d/a", "d/b", "e", "e/a", "e/d", "e/d/a", "s", "s/a", "l")
RENAME_EXCHANGE, AT_FDCWD = 2, -100
LIBC = ctypes.CDLL(None)


def _write(path: str, flags: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | flags, 0o644)
    try:
        os.write(descriptor, os.urandom(8))
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _save(path: str, chance: random.Random) -> None:
    """As editors do."""
    new = f"{path}.{chance.randrange(3)}"
    _write(new, os.O_TRUNC)
    os.replace(new, path)


def _exchange(one: str, other: str) -> None:
    LIBC.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)


def _flip(path: str, to: str) -> None:
    os.unlink(path)
    os.symlink(to, path)


def _grow(path: str, chance: random.Random) -> None:
    os.makedirs(f"{path}/x/y", exist_ok=True)
    _write(f"{path}/x/y/{chance.randrange(3)}", 0)


def change(chance: random.Random) -> None:
    """One random change; it may fail."""
    one, other = chance.choices(NAMES, k=2)
    changes: list[Callable[[], object]] = [
        lambda: _write(one, os.O_TRUNC),
        lambda: _write(one, os.O_APPEND),
        lambda: _write(one, os.O_EXCL),
        lambda: _save(one, chance),
        lambda: os.truncate(one, chance.randrange(20)),
        lambda: os.unlink(one),
        lambda: os.rename(one, other),
        lambda: os.rename(one, other),
        lambda: _exchange(one, other),
        lambda: os.link(one, other, follow_symlinks=False),
        lambda: os.mkdir(one),
        lambda: os.rmdir(one),
        lambda: _grow(one, chance),
        lambda: shutil.rmtree(one),
        lambda: os.symlink(chance.choice(("a", "d", "e/d", "../a")), one),
        lambda: _flip("s", chance.choice(("d", "e", "e/d"))),
        lambda: _flip("l", chance.choice(("a", "b", "d/a"))),
        lambda: os.chmod(one, chance.choice((0o755, 0o700, 0o4755))),
        lambda: os.utime(one, ns=(chance.randrange(10**18), chance.randrange(10**18)), follow_symlinks=False),
        lambda: os.setxattr(one, "user.x", os.urandom(3)),
    ]
    try:
        chance.choice(changes)()
    except OSError:
        return


def thread(seed: int, rounds: int) -> None:
    """One of many."""
    chance = random.Random(seed)
    for _ in range(rounds):
        change(chance)


def process(seed: int, threads: int, rounds: int) -> None:
    """One of several."""
    running = [threading.Thread(target=thread, args=(seed * 100 + number, rounds)) for number in range(threads)]
    for one in running:
        one.start()
    for one in running:
        one.join()


def main(seed: int, processes: int, threads: int, rounds: int) -> None:
    """Start all, and wait for all."""
    children = []
    for number in range(processes):
        child = os.fork()
        if not child:
            process(seed * 100 + number, threads, rounds)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
