"""Prints how many commands per second are read and analysed: `python tests/bench/bench_effects.py [COUNT]`.

The commands are distinct one-liners of the kinds that projects have. Goals: 4,000 a second with one reader, 2,000 with both.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.catalogue import names
from pytest_cbx.effects.paths import Context
from pytest_cbx.shell.both import read_both
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


def per_second(count: int, action: Callable[[], object]) -> str:
    """Run the action once, for `count` commands; seconds of this processor, whatever else the machine does.

    The collector is paused, as it is when a client prepares its commands.
    """
    gc.disable()
    start = time.process_time()
    action()
    seconds = time.process_time() - start
    gc.enable()
    return f"{count / seconds:8,.0f}/s"


def main(count: int) -> None:
    """Time the catalogue's loading, then `count` commands, with one reader and with both."""
    context = Context(cwd="/w", workspace="/w", home="/home/u")
    start = time.perf_counter()
    programs = len(names())
    print(f"catalogue: {programs} programs indexed in {(time.perf_counter() - start) * 1000:.0f} ms")
    texts = [TEMPLATES[n % len(TEMPLATES)].format(n=n) for n in range(count)]
    for text in texts[: len(TEMPLATES)]:
        analyse(read_both(text), context)
    print(f"{count} distinct commands")
    print("  read by the reader of record   ", per_second(count, lambda: [read(text) for text in texts]))
    print("  read by both                   ", per_second(count, lambda: [read_both(text) for text in texts]))
    print(
        "  read by one and analysed       ", per_second(count, lambda: [analyse(read(text), context) for text in texts])
    )
    print(
        "  read by both and analysed      ",
        per_second(count, lambda: [analyse(read_both(text), context) for text in texts]),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
