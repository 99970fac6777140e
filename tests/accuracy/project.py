"""The small project in which the executed set runs: files, history, archives, odd names. Made by code, the same each time."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import shutil
import sqlite3
import subprocess
import tarfile
import zipfile
from pathlib import Path

from tests.accuracy.project_files import EXECUTABLE, FEATURE, FILES, LINKS, UNTRACKED, UPSTREAM

_PAST = 1_704_067_200
"""Seconds since the epoch that all files are from (2024-01-01), so that what is made now is newer than what it is made of."""

GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_DATE": f"{_PAST} +0000",
    "GIT_COMMITTER_DATE": f"{_PAST} +0000",
}
LIVED_IN = (".cache", ".config/go/telemetry", ".local/share", ".ssh", ".npm", ".cargo/registry", "go/pkg/mod/cache")
"""What a home has in which tools have run before."""

_GITCONFIG = """\
[user]
\tname = Ada Example
\temail = ada@example.org
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
[gc]
\tauto = 0
"""


def environment(root: Path) -> dict[str, str]:
    """What a command in the scratch root sees: nothing of the user's but the search path."""
    home = root / "home"
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "USER": "ada",
        "LOGNAME": "ada",
        "TMPDIR": str(root / "tmp"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=mod",
        "CARGO_NET_OFFLINE": "true",
        "CARGO_HOME": str(home / ".cargo"),
        **({"RUSTUP_HOME": rustup} if (rustup := _rustup()) else {}),
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "npm_config_offline": "true",
        "npm_config_logs_max": "0",
        "npm_config_update_notifier": "false",
        "npm_config_fund": "false",
        "npm_config_audit": "false",
    }


def _rustup() -> str | None:
    # rustup's `cargo` finds its toolchain in the home directory, which is another one here.
    default = Path.home() / ".rustup"
    return os.environ.get("RUSTUP_HOME") or (str(default) if default.is_dir() else None)


def build(root: Path) -> None:
    """Make the template: `root/tree` (the work tree), `root/remote.git`, `root/home`, `root/tmp`."""
    tree = root / "tree"
    home = root / "home"
    for made in (tree, root / "tmp", *(home / name for name in LIVED_IN)):
        made.mkdir(parents=True)
    (home / ".gitconfig").write_text(_GITCONFIG)
    (home / ".config" / "go" / "telemetry" / "mode").write_text("off 2024-01-01\n")
    (home / ".bashrc").write_text("# nothing\n")
    (home / "notes.txt").write_text("at home\n")
    _write(tree, FILES)
    for name, target in LINKS.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(target)
    _archives(tree)
    _database(tree / "data" / "app.db")
    _wheel(tree / "vendor" / "tiny-0.1-py3-none-any.whl")
    for name in EXECUTABLE:
        (tree / name).chmod(0o755)
    _history(root, tree)
    _write(tree, UNTRACKED)
    for folder in ("empty", "nested/empty", "build/cache"):
        (tree / folder).mkdir(parents=True, exist_ok=True)
    _age(root)


def copy(template: Path, root: Path) -> None:
    """A fresh scratch root. git's index knows the copies' own times, as it would in a work tree in use."""
    shutil.copytree(template, root, symlinks=True)
    # Nothing is counted as changed because git looks at a file for the first time.
    _git(root / "tree", root, "update-index", "-q", "--refresh")


def _write(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _archives(tree: Path) -> None:
    folder = tree / "archives"
    folder.mkdir()
    members = {"pkg/readme.txt": "read me\n", "pkg/data/one.txt": "1\n", "pkg/data/two.txt": "2\n"}
    for name, mode in (("pkg.tar", "w:"), ("pkg.tar.gz", "w:gz"), ("pkg.tgz", "w:gz"), ("pkg.tar.xz", "w:xz")):
        with tarfile.open(folder / name, mode) as archive:  # type: ignore[call-overload]
            for member, text in members.items():
                info = tarfile.TarInfo(member)
                info.size, info.mtime = len(text), _PAST
                archive.addfile(info, io.BytesIO(text.encode()))
    with zipfile.ZipFile(folder / "pkg.zip", "w") as zipped:
        for member, text in members.items():
            zipped.writestr(zipfile.ZipInfo(member), text)
    words = (tree / "data" / "words.txt").read_bytes()
    (folder / "words.txt.gz").write_bytes(gzip.compress(words, mtime=0))
    (folder / "words.txt.xz").write_bytes(lzma.compress(words))


def _database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("create table people (name text, age integer)")
        database.executemany("insert into people values (?, ?)", [("Ada", 36), ("Alan", 41), ("Grace", 85)])
    database.close()


def _wheel(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny.py", "NAME = 'tiny'\n")
        wheel.writestr("tiny-0.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 0.1\n")
        wheel.writestr(
            "tiny-0.1.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(
            "tiny-0.1.dist-info/RECORD", "tiny.py,,\ntiny-0.1.dist-info/METADATA,,\ntiny-0.1.dist-info/WHEEL,,\n"
        )


def _history(root: Path, tree: Path) -> None:
    def git(*words: str) -> None:
        _git(tree, root, *words)

    git("init", "-q", "-b", "main")
    shutil.rmtree(tree / ".git" / "hooks")
    git("add", "README.md", ".gitignore", "data/words.txt")
    git("commit", "-q", "-m", "Start")
    git("tag", "v0.1")
    git("add", ".")
    git("commit", "-q", "-m", "Add the project")
    git("tag", "-a", "v1.0", "-m", "First release")
    git("switch", "-q", "-c", "feature")
    _write(tree, FEATURE)
    git("add", ".")
    git("commit", "-q", "-m", "Add a feature")
    git("switch", "-q", "main")
    git("branch", "old", "v0.1")
    _git(root, root, "clone", "-q", "--bare", "tree", "remote.git")
    shutil.rmtree(root / "remote.git" / "hooks", ignore_errors=True)
    git("remote", "add", "origin", "../remote.git")
    git("fetch", "-q")
    git("branch", "-q", "--set-upstream-to=origin/main", "main")
    _upstream(root)
    (tree / "data" / "numbers.txt").write_text("7\n8\n9\n")
    git("stash", "-q")
    git("repack", "-adq")


def _upstream(root: Path) -> None:
    """Somebody else's commit, which the work tree has not fetched."""
    other = root / "other"
    _git(root, root, "clone", "-q", "remote.git", "other")
    _write(other, UPSTREAM)
    _git(other, root, "add", ".")
    _git(other, root, "commit", "-q", "-m", "From elsewhere")
    _git(other, root, "push", "-q", "origin", "main")
    shutil.rmtree(other)


def _git(folder: Path, root: Path, *words: str) -> None:
    subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**environment(root), **GIT},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _age(root: Path) -> None:
    # Each a minute older than the one before, so that no two are of the same time.
    paths = sorted(
        os.path.join(folder, name) for folder, folders, files in os.walk(root) for name in [*files, *folders]
    )
    for number, path in enumerate(paths):
        os.utime(path, (_PAST - 60 * number, _PAST - 60 * number), follow_symlinks=False)
