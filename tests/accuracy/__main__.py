"""`python -m tests.accuracy`: how true the predictions are, of labelled commands' tiers and of executed commands' paths.

Exit status 1 when a risky command is called laxer than it is, when more than 3 % of the harmless ones are called stricter than
needed, when recall or precision of the paths is below its bound, or when a command of the executed set proves nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.accuracy import executed, labelled, project, score

SHARED = Path(__file__).parents[3] / "shared" / "corpora"


def main() -> int:
    """Print all, say whether it is good enough."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.accuracy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpora", type=Path, metavar="DIR", help="another pair of risky.tsv and harmless.tsv")
    parser.add_argument("--only", choices=["tiers", "paths"], help="leave the other half out")
    parser.add_argument("-k", metavar="TEXT", help="execute only what has TEXT in it or in its group's name")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="execute N commands at a time (default 2)")
    arguments = parser.parse_args()
    good = True
    if arguments.only != "paths":
        good &= tiers(arguments.corpora or (SHARED if SHARED.is_dir() else None))
    if arguments.only != "tiers":
        good &= paths(arguments.k or "", arguments.jobs)
    print(f"\n{'good enough' if good else 'NOT good enough'}")
    return 0 if good else 1


def tiers(corpora: Path | None) -> bool:
    """The labelled commands, asked about in an empty work tree and in the scratch project."""
    good = True
    with tempfile.TemporaryDirectory(prefix="cbx-accuracy-") as name:
        empty = Path(name, "empty")
        (empty / ".git").mkdir(parents=True)
        project.build(Path(name, "project"))
        for folder in [*([corpora] if corpora else []), labelled.OURS]:
            verdicts = labelled.judge(labelled.read(folder), [empty, Path(name, "project", "tree")])
            labelled.show(str(folder), verdicts, print)
            good &= labelled.good_enough(verdicts)
    return good


def paths(text: str, jobs: int) -> bool:
    """The executed set."""
    rows = [row for row in executed.load() if text in row.run or text in row.group]
    missing = executed.missing_tools(rows)
    there = [row for row in rows if not missing.keys() & set(row.tools)]
    started = time.monotonic()
    results = list(executed.run_all(there, jobs=jobs))
    proving = [result for result in results if not result.fault]
    score.show(proving, print)
    print(f"\n{len(there)} of {len(rows)} commands executed in {time.monotonic() - started:.0f} s")
    for tool, number in missing.most_common():
        print(f"  skipped for want of {tool}: {number}")
    faulty = [result for result in results if result.fault]
    print(f"proved nothing: {len(faulty)}")
    for result in faulty:
        print(f"  {score.one_line(result.row.run)}\n      {result.fault}")
    promised = sorted(missing.keys() & executed.PROMISED) if os.environ.get("CBX_REQUIRE") == "1" else []
    if promised:
        print(f"not installed, though CI promises them: {', '.join(promised)} (CBX_REQUIRE=1)")
    total = score.score(proving)
    return not faulty and not promised and total.recall >= score.RECALL and total.precision >= score.PRECISION


if __name__ == "__main__":
    # Under pytest its configuration does this.
    sys.path.append(str(Path(__file__).parents[2] / "fixtures"))
    sys.exit(main())
