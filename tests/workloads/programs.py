"""Interpreters, package managers and compilers at work. `$ASSETS` holds a wheel and an npm package, so that no network is needed."""

from __future__ import annotations

import json

from tests.workloads.model import Workload, file, lines, python
from tests.workloads.tools import TREE


def _python(name: str, text: str, *, ignore: tuple[tuple[str, str], ...] = (), probe: str = "") -> Workload:
    return Workload(name=f"python-{name}", setup=TREE, script=python(text), ignore=ignore, probe=probe)


_PYTHON = (
    _python(
        "atomic-save",
        """
        import os, tempfile
        for name in ("src/f1.txt", "tool", "src/new"):
            handle, path = tempfile.mkstemp(dir=os.path.dirname(name) or ".")
            with os.fdopen(handle, "w") as file:
                file.write("saved")
                file.flush()
                os.fsync(handle)
            os.replace(path, name)
        """,
    ),
    _python(
        "editor-backups",
        """
        import os, shutil
        os.rename("src/f1.txt", "src/f1.txt~")           # as vim does: the old file becomes the backup
        open("src/f1.txt", "w").write("new")
        shutil.copystat("src/f1.txt~", "src/f1.txt")
        shutil.copy2("src/f2.txt", "src/f2.txt~")        # as emacs does for linked files: copy, then write in place
        open("src/f2.txt", "r+").write("new")
        os.symlink("user@host.1:2", "src/.#f2.txt")      # its lock is a dangling link
        os.unlink("src/.#f2.txt")
        with open("tool", "r+b") as file:                # in place, shorter
            file.write(b"x")
            file.truncate()
        """,
    ),
    _python(
        "threads",
        """
        import ctypes, os, threading
        here = os.getcwd()
        def work(n):
            ctypes.CDLL(None).unshare(0x200)             # CLONE_FS: a working directory of its own
            os.mkdir(f"{here}/own{n}")
            os.chdir(f"{here}/own{n}")
            for i in range(12):
                with open(f"t{i}", "w") as file:
                    file.write(str(i))
                os.rename(f"t{i}", f"u{i}")
                with open("../src/f1.txt", "a") as file:
                    file.write("x")
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        open("after", "w").close()
        """,
    ),
    _python(
        "daemon",
        """
        import os, sys, time
        ready, done = os.pipe()
        if not os.fork():
            os.setsid()
            if os.fork():
                os._exit(0)
            with open("daemon.pid", "w") as file:
                file.write("running")
            with open("src/f1.txt", "a") as file:
                file.write("from the daemon")
            os.remove("src/f2.txt")
            os.write(done, b"x")
            os._exit(0)
        os.close(done)
        os.read(ready, 1)
        open("ended", "w").close()
        """,
    ),
    _python(
        "mmap",
        """
        import mmap
        with open("src/deep/long.txt", "r+b") as file:
            with mmap.mmap(file.fileno(), 0) as view:
                view[0:5] = b"hello"
                view.move(10, 0, 5)
                view.flush()
        with open("mapped", "w+b") as file:
            file.truncate(10000)
            view = mmap.mmap(file.fileno(), 10000)
            file.close()
            view[9990:] = b"1234567890"
        """,
    ),
    _python(
        "xattr",
        """
        import os
        os.setxattr("src/f1.txt", "user.one", b"1")
        os.setxattr("docs", "user.folder", bytes(200))
        os.setxattr("src/f1.txt", "user.one", b"2", os.XATTR_REPLACE)
        handle = os.open("src/f2.txt", os.O_RDONLY)
        os.setxattr(handle, "user.fd", b"3")
        os.fchmod(handle, 0o640)
        os.utime(handle, ns=(5, 7))
        """,
    ),
    _python(
        "links-and-descriptors",
        """
        import os
        folder = os.open("src", os.O_RDONLY)
        os.mkdir("made", dir_fd=folder)
        os.rename("f1.txt", "made/f1", src_dir_fd=folder, dst_dir_fd=folder)
        os.link("f2.txt", "made/f2", src_dir_fd=folder, dst_dir_fd=folder)
        os.symlink("made", "way", dir_fd=folder)
        os.unlink("f3.txt", dir_fd=folder)
        os.chmod("f4.txt", 0o604, dir_fd=folder)
        os.rename("src", "elsewhere")
        with open(os.open("made/after", os.O_CREAT | os.O_WRONLY, dir_fd=folder), "w") as file:
            file.write("the folder has another name by now")
        os.chdir("elsewhere/deep")
        os.rename("../../elsewhere", "../../third")
        open("here", "w").close()
        os.remove("../f5.txt")
        """,
    ),
    _python(
        "unnamed-file",
        """
        import ctypes, os
        handle = os.open("src", os.O_TMPFILE | os.O_RDWR, 0o644)
        os.write(handle, b"had no name")
        assert ctypes.CDLL(None).linkat(-100, b"/proc/self/fd/%d" % handle, -100, b"src/named", 0x400) == 0
        os.close(os.open("src", os.O_TMPFILE | os.O_WRONLY))
        """,
    ),
    _python(
        "over-the-border",
        """
        import os, shutil, tempfile
        outside = tempfile.mkdtemp()
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write("from outside")
        shutil.move(file.name, "src/f1.txt")
        shutil.move("src/f2.txt", outside)
        shutil.move("docs", outside + "/docs")
        open(outside + "/docs/base.txt", "a").write("outside")
        shutil.move(outside + "/docs", "src/docs")
        shutil.rmtree(outside)
        open("src/f1.txt", "a").write("more")
        """,
    ),
    _python(
        "held-open",
        """
        import os
        kept = open("src/f1.txt", "r+")
        os.remove("src/f1.txt")
        kept.write("gone")
        open("src/f1.txt", "w").write("another")
        kept.write("still gone"); kept.flush()
        moved = open("src/f2.txt", "a")
        os.rename("src/f2.txt", "src/moved")
        open("src/f2.txt", "w").write("a new one")
        moved.write("goes with its file"); moved.close()
        """,
    ),
    _python(
        "socket-and-fifo",
        """
        import os, socket
        served = socket.socket(socket.AF_UNIX)
        served.bind("socket")
        os.chmod("socket", 0o600)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind("short")
        os.unlink("short")
        os.mkfifo("queue", 0o640)
        os.rename("queue", "docs/queue")
        """,
    ),
    _python(
        "shelve",
        """
        import dbm.dumb, shelve
        with shelve.Shelf(dbm.dumb.open("kept", "c")) as kept:
            for n in range(20):
                kept[str(n)] = [n] * n
        with shelve.Shelf(dbm.dumb.open("kept", "w")) as kept:
            del kept["3"]
            kept["4"] = "four"
        """,
    ),
    _python(
        "zipapp",
        """
        import os, subprocess, sys
        os.makedirs("app")
        open("app/__main__.py", "w").write("open('ran', 'w').write('yes')")
        subprocess.run([sys.executable, "-m", "zipapp", "app", "-o", "app.pyz", "-p", "/usr/bin/env python3"], check=True)
        subprocess.run([sys.executable, "app.pyz"], check=True)
        """,
        ignore=(("app.pyz", "holds the time of its source"),),
    ),
    _python(
        "shutil",
        """
        import shutil, os
        shutil.copytree("src", "copy", symlinks=True)
        shutil.move("copy/deep", "docs/deep")
        shutil.rmtree("src")
        shutil.make_archive("made", "tar", "copy")
        os.remove("made.tar")
        os.removedirs("empty/er")
        """,
    ),
    _python(
        "swap-by-exchange",
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        def exchange(a, b, flags=2):
            return libc.renameat2(-100, os.fsencode(a), -100, os.fsencode(b), flags)
        assert exchange("src", "docs") == 0
        assert exchange("tool", "docs/f1.txt") == 0
        assert exchange("src", "tool") == 0
        assert exchange("zeros", "tool", 1) == -1
        assert exchange("zeros", "ones", 1) == 0
        """,
    ),
    _python(
        "hidden",
        """
        import base64
        exec(base64.b64decode("b3BlbigiaGlkZGVuIiwgInciKS53cml0ZSgieCIpOyBpbXBvcnQgb3M7IG9zLnJlbW92ZSgidG9vbCIp"))
        """,
    ),
    Workload(
        name="python-compile",
        setup="mkdir p; for i in 1 2 3; do echo \"x = $i\" > p/m$i.py; done; python -m compileall -q p; echo 'y = 2' >> p/m2.py",
        script="python -m compileall -qf p; rm p/m3.py; PYTHONDONTWRITEBYTECODE= PYTHONPATH=p python -c 'import m1, m2'",
    ),
    Workload(
        name="python-venv",
        script="python -m venv --without-pip made; made/bin/python -c 'import sys; print(sys.prefix)' > out",
    ),
    Workload(
        name="pip-install",
        script='python -m pip install -q --no-index --no-deps --no-compile --target lib "$ASSETS"/demo-1.0-py3-none-any.whl',
        unpromised=("pip",),
    ),
)

_C_PROJECT = lines(
    file("twice.c", "int twice(int n) { return 2 * n; }"),
    file("main.c", "int twice(int);", "int main(void) { return twice(21) - 42; }"),
    file(
        "Makefile",
        "CC = cc",
        "all: main",
        "main: main.o twice.o",
        "\t$(CC) -o $@ $^",
        "%.o: %.c",
        "\t$(CC) -c $<",
        "clean:",
        "\trm -f *.o main",
        "check: all",
        "\t./main > result && mv result passed",
    ),
    file(
        "CMakeLists.txt",
        "cmake_minimum_required(VERSION 3.10)",
        "project(demo C)",
        "add_executable(main main.c twice.c)",
        "install(TARGETS main DESTINATION bin)",
    ),
    "mkdir -p old; echo x > old/x",
)
_GO_PROJECT = lines(
    file("go.mod", "module demo", "go 1.19"),
    file("main.go", "package main", "func main() { println(twice(21)) }"),
    file("twice.go", "package main", "func twice(n int) int { return 2*n }"),
)
_RUST_PROJECT = lines(
    "mkdir src",
    file("Cargo.toml", "[package]", 'name = "demo"', 'version = "1.0.0"'),
    file("src/main.rs", "fn main() { }"),
)
_DEPENDENCIES = {"left": "file:left-1.0.0.tgz"}
_NPM_LOCK = {
    "name": "app",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "requires": True,
    "packages": {
        "": {"name": "app", "version": "1.0.0", "dependencies": _DEPENDENCIES},
        "node_modules/left": {"version": "1.0.0", "resolved": _DEPENDENCIES["left"]},
    },
}
_NPM_PACKAGE = {
    "name": "app",
    "version": "1.0.0",
    "dependencies": _DEPENDENCIES,
    "scripts": {"build": "cp -r node_modules/left out"},
}
_NPM_PROJECT = lines(
    'cp "$ASSETS"/left-1.0.0.tgz .',
    file("package.json", json.dumps(_NPM_PACKAGE)),
    file("package-lock.json", json.dumps(_NPM_LOCK)),
    "mkdir -p node_modules/stale; echo x > node_modules/stale/x",
)

_BUILDS = (
    Workload(
        name="make", setup=_C_PROJECT, script="make -s check; make -s clean; make -s -j2 check", tools=("make", "cc")
    ),
    Workload(
        name="cmake",
        setup=_C_PROJECT,
        script="cmake -S . -B build > /dev/null; cmake --build build > /dev/null; cmake --install build --prefix out > /dev/null",
        tools=("cmake", "make", "cc"),
        ignore=(("build/*", "CMake's own files hold times and random names"),),
        probe="build/main; echo $?; ls build",
    ),
    Workload(
        name="go-build",
        setup=_GO_PROJECT,
        script="go build -o bin/demo .; bin/demo 2> out; gofmt -w main.go",
        tools=("go", "gofmt"),
    ),
    Workload(
        name="cargo-build",
        setup=_RUST_PROJECT,
        script="cargo build -q --offline; target/debug/demo",
        ignore=(("target/.rustc_info.json", "its entries come in any order"),),
        unpromised=("cargo", "cc"),
    ),
    Workload(
        name="npm-ci",
        setup=_NPM_PROJECT,
        script="npm ci --offline --no-audit --no-fund --silent; npm run --silent build",
        tools=("node", "npm"),
    ),
    Workload(
        name="node-files",
        setup=TREE,
        script=lines(
            "node -e '",
            'const fs = require("fs"); const wait = fs.promises;',
            "(async () => {",
            '  fs.cpSync("src", "copy", {recursive: true}); fs.renameSync("copy/f1.txt", "copy/g");',
            '  await Promise.all([...Array(20).keys()].map(n => wait.writeFile("p" + n, "x".repeat(n))));',
            '  await wait.appendFile("tool", "more"); await wait.rm("docs", {recursive: true});',
            '  fs.mkdtempSync("t-"); fs.createWriteStream("stream").end("end");',
            "})();",
            "'; rmdir t-*",
        ),
        tools=("node",),
    ),
)

WORKLOADS = (*_PYTHON, *_BUILDS)
