"""Prints how many commands per second are read and analysed: `python tests/bench/bench_effects.py [COUNT]`.

The commands are distinct one-liners of the kinds that projects have. Goal: 4,000 a second.
"""

from __future__ import annotations

import sys
import time

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.catalogue import names
from pytest_cbx.effects.paths import Context
from pytest_cbx.shell.reader import read

TEMPLATES = (
    "cat src/a{n}.txt | grep -n foo{n} > out/{n}.txt",
    "pytest tests/t{n} -q -x",
    "ruff check src/m{n} && mypy src/m{n}",
    "sed -i s/a/b/ f{n}",
    "cp a{n} b{n} && rm -f c{n}",
    "for f in a b c; do echo $f {n}; done",
    "git diff --stat HEAD~{n}",
    'find src{n} -name "*.py" -exec wc -l {{}} +',
    "OUT=build{n}; mkdir -p $OUT && gcc -O2 -c a{n}.c -o $OUT/a{n}.o",
    "bash -c 'cd p{n} && make -j2 all'",
)


def main(count: int) -> None:
    """Time the catalogue's loading, then `count` commands."""
    context = Context(cwd="/w", workspace="/w", home="/home/u")
    start = time.perf_counter()
    count = len(names())
    print(f"catalogue: {count} programs indexed in {(time.perf_counter() - start) * 1000:.0f} ms")
    texts = [TEMPLATES[n % len(TEMPLATES)].format(n=n) for n in range(count)]
    for text in texts[: len(TEMPLATES)]:
        analyse(read(text), context)
    start = time.perf_counter()
    scripts = [read(text) for text in texts]
    middle = time.perf_counter()
    for script in scripts:
        analyse(script, context)
    end = time.perf_counter()
    print(
        f"read: {count / (middle - start):,.0f}/s  analyse: {count / (end - middle):,.0f}/s  both: {count / (end - start):,.0f}/s"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
