"""Small programs of several commands that read and change the same few files, and what they give one after the other."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_cbx.config.model import Settings

FILES = ("a", "b", "d/x", "d/y", "e/x", "l/x", "k")
FOLDERS = ("d", "e", "d/n", "l")
LINKS = ("l", "k")
TOOLS = ("tool", "d/tool")


@dataclass(frozen=True, slots=True)
class Result:
    """What a command said, and how it ended."""

    code: int | None
    out: str
    err: str


def generate(seed: int, *, commands: int = 4) -> list[str]:
    """Shell texts; each does a few things with files, folders, links and scripts, some of which are not there."""
    rng = random.Random(seed)
    return [_command(rng, number) for number in range(commands)]


def _command(rng: random.Random, number: int) -> str:
    def one_of(names: Sequence[str]) -> Callable[[], str]:
        return lambda: rng.choice(names)

    file, folder, link, tool = map(one_of, (FILES, FOLDERS, LINKS, TOOLS))
    looks: tuple[Callable[[], str], ...] = (
        lambda: f"cat {file()}",
        lambda: f"ls {folder()}",
        lambda: f"echo {folder()}/*",
        lambda: f"[ -e {file()} ] && echo there || echo missing",
        lambda: f"[ -d {folder()} ] && echo folder || echo none",
        lambda: f"readlink {link()} || echo no link",
        lambda: f"stat -c %A:%s {file()}",
        lambda: f"./{tool()} {number}",
        lambda: f"cd {folder()} && echo inside && cd ..",
        lambda: f"find {folder()} -type f | sort",
    )
    changes: tuple[Callable[[], str], ...] = (
        lambda: f"echo {number} >> {file()}",
        lambda: f"n=$(cat {file()} | wc -c); sleep 0.00{rng.randrange(1, 9)}; echo $n >> {file()}",
        lambda: f"cp {file()} {file()}",
        lambda: f"mv -f {file()} {file()}",
        lambda: f"mv {folder()} {folder()}",
        lambda: f"rm {file()}",
        lambda: f"rm -rf {folder()}",
        lambda: f"mkdir {folder()}",
        lambda: f"mkdir -p {folder()}",
        lambda: f"rmdir {folder()}",
        lambda: f"ln -s {rng.choice(('a', 'b', 'd', 'e'))} {link()}",
        lambda: f"ln {file()} {file()}",
        lambda: f"ln -sfn {rng.choice(('a', 'b', 'd', 'e'))} {link()}",
        lambda: f"ls {folder()} > {file()}",
        lambda: f"chmod {rng.choice(('600', '644', '755'))} {file()}",
        lambda: f"printf '#!/bin/sh\\necho tool {number} $1; cat a\\n' > {(t := tool())}; chmod +x {t}",
        lambda: f"printf '#!./tool\\n' > {(t := file())}; chmod +x {t}; ./{t}",
        lambda: f"set -C; echo {number} > {file()}; set +C",
        lambda: f"(cd {folder()} && echo {number} > x)",
        lambda: f"[ -e {file()} ] || echo {number} > {file()}",
    )
    steps = [rng.choice(rng.choice((looks, changes)))() for _ in range(rng.randrange(2, 6))]
    pause = f"sleep 0.0{rng.randrange(0, 4)}"
    steps.insert(rng.randrange(len(steps) + 1), pause)
    return "; ".join(["set +e", *steps])  # the usual shell ends at the first failure


def make_tree(folder: Path) -> None:
    """An empty folder becomes the tree that the programs start with."""
    for name in ("d", "e"):
        (folder / name).mkdir()
    for name in ("a", "b", "d/x"):
        (folder / name).write_text(f"{name}\n")
    (folder / "l").symlink_to("d")
    (folder / "tool").write_text("#!/bin/sh\necho first tool $1\n")
    (folder / "tool").chmod(0o755)


def empty(folder: Path) -> None:
    """Take away what is in a folder."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def tree_of(folder: Path) -> dict[str, tuple[str, str]]:
    """Each path below, with its kind and mode, and its content or target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        what = ""
        if stat.S_ISLNK(info.st_mode):
            what = os.readlink(path)
        elif stat.S_ISREG(info.st_mode):
            what = f"{info.st_nlink}:{path.read_bytes()!r}"
        found[str(path.relative_to(folder))] = (stat.filemode(info.st_mode), what)
    return found


def run_serially(folder: Path, texts: Sequence[str]) -> list[Result]:
    """Run them one after the other, as a plain shell does."""
    results = []
    for text in texts:
        done = subprocess.run(
            [*Settings().shell, text], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        results.append(Result(done.returncode, done.stdout, done.stderr))
    return results
