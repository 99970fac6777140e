"""What the undo journal costs before each call, and what undoing and listing costs after: microseconds of processor time a path.

python -m tests.bench.bench_transaction
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from pytest_cbx.transaction.transaction import Transaction

COUNT = 5_000
FOLDERS = 50


def main() -> None:
    """Print a table."""
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        for name, operation, plant in OPERATIONS:
            base = Path(tempfile.mkdtemp(dir=folder))
            _measure(name, operation, plant, base)


def _measure(name: str, operation: str, plant: bool, base: Path) -> None:
    paths = list(_paths(base / "tree", plant=plant))
    transaction = Transaction.begin(os.fsencode(base / "j"), token="bench", roots=(os.fsencode(base / "tree"),))
    call = getattr(transaction, operation)
    first = _each(call, paths)
    for path in paths:
        ACTIONS[operation](path)
    again = _each(call, paths)
    listing = _once(transaction.changes) / COUNT
    undoing = _once(transaction.roll_back) / COUNT
    print(
        f"{name:28} first touch {first:6.2f} µs  again {again:5.2f} µs  changes() {listing:6.2f} µs  roll back {undoing:6.2f} µs"
    )


def _paths(tree: Path, *, plant: bool) -> Iterable[bytes]:
    for folder in range(FOLDERS):
        (tree / f"d{folder}").mkdir(parents=True)
        for number in range(COUNT // FOLDERS):
            path = tree / f"d{folder}/file{number}"
            if plant:
                path.write_bytes(b"x" * 1000)
            yield os.fsencode(path)


def _each(call: Callable[[bytes], object], paths: list[bytes]) -> float:
    start = time.process_time()
    for path in paths:
        call(path)
    return (time.process_time() - start) / len(paths) * 1e6


def _once(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return (time.process_time() - start) * 1e6


def _write(path: bytes) -> None:
    with open(path, "wb") as file:
        file.write(b"y" * 900)


ACTIONS: dict[str, Callable[[bytes], object]] = {
    "create": os.mkdir,
    "write": _write,
    "remove": os.unlink,
    "metadata": lambda path: os.chmod(path, 0o600),
}
OPERATIONS = (
    ("mkdir, link, mknod …", "create", False),
    ("open of a new file", "write", False),
    ("open of an existing file", "write", True),
    ("unlink", "remove", True),
    ("chmod", "metadata", True),
)

if __name__ == "__main__":
    main()
