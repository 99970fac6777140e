"""A disk that becomes full at each change that git, pip and sqlite make: whatever fails is undone, whatever passes is whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos

EXHAUSTIVE = bool(os.environ.get("CBX_EXHAUSTIVE"))
GIT = "git -c user.name=a -c user.email=a@b.example -c gc.auto=0 commit -q -am second"
SQL = """
import sqlite3
with sqlite3.connect("data.db") as connection:
    connection.execute("create table other (id integer primary key, text)")
    connection.executemany("insert into other (text) values (?)", [(f"row {n}" * 50,) for n in range(300)])
    connection.execute("delete from rows where id % 2")
"""


def wheel(folder: Path) -> Path:
    """A small package."""
    path = folder / "small-1.0-py3-none-any.whl"
    info = "small-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(4):
            file.writestr(f"small/module{number}.py", f"VALUE = {number}\n")
        file.writestr("small/__init__.py", "")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return path


def test_git_commit(chaos: Chaos, tmp_path: Path) -> None:
    subprocess.run(
        f"git init -q . && seq 1000 > file && git add -A && {GIT.replace('second', 'first')} && seq 2000 > file",
        shell=True, cwd=tmp_path, check=True,
    )  # fmt: skip

    def whole() -> str:
        checked = subprocess.run(["git", "fsck", "--strict"], cwd=tmp_path, capture_output=True, text=True, check=False)
        return "" if checked.returncode == 0 else f"git fsck: {checked.stderr}"

    points = chaos.every_point("disk_full", GIT, work="git commit", lasting=(False, True), accept=whole)
    print(points)
    assert points.count >= 40
    assert not points.wrong, str(points)


def test_sqlite(chaos: Chaos, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "data.db") as connection:
        connection.execute("create table rows (id integer primary key, text)")
        connection.executemany("insert into rows (text) values (?)", [(f"row {n}" * 20,) for n in range(200)])
    connection.close()
    (tmp_path / "change.py").write_text(SQL)

    def whole() -> str:
        with sqlite3.connect(tmp_path / "data.db") as connection:
            (answer,) = connection.execute("pragma integrity_check").fetchone()
        connection.close()
        return "" if answer == "ok" else f"sqlite: {answer}"

    points = chaos.every_point(
        "disk_full", "python3 -S -I change.py", work="sqlite", lasting=(False, True), accept=whole
    )
    print(points)
    assert points.count >= 20
    assert not points.wrong, str(points)


@pytest.mark.timeout(600)
def test_pip_install(chaos: Chaos, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Into a folder of its own. Each run takes a second, so every few points are struck; all of them with CBX_EXHAUSTIVE=1."""
    package = wheel(tmp_path_factory.mktemp("wheel"))
    shutil.copy(package, tmp_path)
    options = "-q --no-index --no-deps --no-compile --disable-pip-version-check"
    command = f"{sys.executable} -m pip install {options} --target made {package.name}"

    def whole() -> str:
        done = subprocess.run(
            [sys.executable, "-c", "import small.module3"],
            cwd=tmp_path / "made",
            capture_output=True,
            text=True,
            check=False,
        )
        return "" if done.returncode == 0 else done.stderr

    points = chaos.every_point("disk_full", command, work="pip install", accept=whole, step=1 if EXHAUSTIVE else 4)
    print(points)
    assert points.count >= (30 if EXHAUSTIVE else 8)
    assert not points.wrong, str(points)
