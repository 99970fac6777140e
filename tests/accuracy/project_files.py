"""What the files of the scratch project say."""

# ruff: noqa: E501  (a line here is a file there)

from __future__ import annotations

FILES = {
    "README.md": "# Sample\n\nA small project.\n\nTODO: write more.\n",
    "CHANGES.md": "# Changes\n\n- first\n",
    "LICENSE": "MIT\n",
    ".gitignore": "build/\ndist/\n*.o\n*.tmp\n__pycache__/\nnode_modules/\n.coverage\n",
    ".env": "MODE=test\nPORT=8080\n",
    ".editorconfig": "root = true\n",
    "Makefile": """\
CC = gcc
OBJS = build/main.o build/util.o
PREFIX = out

.PHONY: all clean test report install

all: build/app

build/app: $(OBJS)
\t$(CC) -o $@ $(OBJS)

build/%.o: c/%.c c/util.h
\t@mkdir -p build
\t$(CC) -Ic -c $< -o $@

test: build/app
\t./build/app > build/test.log

report:
\tmkdir -p reports
\twc -l data/*.txt > reports/lines.txt
\tsort data/words.txt | uniq -c > reports/words.txt

install: build/app
\tinstall -d $(PREFIX)/bin
\tinstall -m 755 build/app $(PREFIX)/bin/app

version.h: README.md
\techo '#define VERSION "1.0"' > version.h

clean:
\trm -rf build reports
\trm -f version.h
""",
    "CMakeLists.txt": """\
cmake_minimum_required(VERSION 3.10)
project(sample C)
enable_testing()
add_executable(sample c/main.c c/util.c)
add_test(NAME runs COMMAND sample)
""",
    "package.json": """\
{
  "name": "sample",
  "version": "1.0.0",
  "description": "A small project",
  "main": "js/index.js",
  "files": ["js"],
  "scripts": {
    "build": "mkdir -p dist && node js/build.js",
    "bundle": "mkdir -p dist && cat js/lib.js js/index.js > dist/all.js",
    "clean": "rm -rf dist",
    "gen": "echo 'module.exports = 1' > js/generated.js",
    "start": "node js/index.js",
    "test": "node --test js/"
  },
  "license": "MIT"
}
""",
    "pyproject.toml": """\
[project]
name = "sample"
version = "0.1"

[tool.pytest.ini_options]
pythonpath = ["src"]
testpaths = ["tests"]

[tool.coverage.run]
source = ["src"]
""",
    "src/app/__init__.py": '"""The sample."""\n',
    "src/app/core.py": '"""The core."""\n\n\ndef double(number: int) -> int:\n    """Twice the number."""\n    return 2 * number\n',
    "src/app/cli.py": '"""The face."""\n\nfrom app.core import double\n\n\ndef main() -> None:\n    """Print."""\n    print(double(21))\n\n\nif __name__ == "__main__":\n    main()\n',
    "src/app/messy.py": "import sys\nimport os\nfrom app.core import double\nX = {  'a':1,'b' : 2 }\ndef f( a,b ):\n  return a+b\n",
    "src/app/unused.py": "import os\nimport json\n\nprint(json.dumps([]))\n",
    "tests/test_core.py": "from app.core import double\n\n\ndef test_double():\n    assert double(2) == 4\n",
    "tests/test_files.py": "def test_write(tmp_path):\n    (tmp_path / 'a').write_text('x')\n    assert (tmp_path / 'a').exists()\n",
    "c/main.c": '#include <stdio.h>\n#include "util.h"\n\nint main(void)\n{\n    printf("%d\\n", twice(21));\n    return 0;\n}\n',
    "c/util.c": '#include "util.h"\n\nint twice(int n)\n{\n    return 2 * n;\n}\n',
    "c/util.h": "#ifndef UTIL_H\n#define UTIL_H\nint twice(int n);\n#endif\n",
    "c/hello.cpp": '#include <iostream>\n\nint main()\n{\n    std::cout << "hello\\n";\n}\n',
    "c/asm.s": ".text\n.globl nothing\nnothing:\n    ret\n",
    "go/go.mod": "module example.org/sample\n\ngo 1.20\n",
    "go/main.go": 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println(Twice(21))\n}\n',
    "go/twice.go": "package main\n\n// Twice doubles.\nfunc Twice(n int) int {\n\treturn 2 * n\n}\n",
    "go/messy.go": "package main\n\nfunc  messy( a int )int{\n  return a }\n",
    "go/twice_test.go": 'package main\n\nimport "testing"\n\nfunc TestTwice(t *testing.T) {\n\tif Twice(2) != 4 {\n\t\tt.Fatal("wrong")\n\t}\n}\n\nfunc BenchmarkTwice(b *testing.B) {\n\tfor i := 0; i < b.N; i++ {\n\t\tTwice(i)\n\t}\n}\n',
    "rust/Cargo.toml": '[package]\nname = "sample"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n',
    "rust/src/main.rs": 'fn main() {\n    println!("{}", twice(21));\n}\n\nfn twice(n: i32) -> i32 {\n    2 * n\n}\n\n#[test]\nfn doubles() {\n    assert_eq!(twice(2), 4);\n}\n',
    "rust/messy.rs": "fn  messy( a:i32 )->i32{ a }\n",
    "java/Hello.java": "public class Hello {\n    public static void main(String[] args) {\n        System.out.println(Util.twice(21));\n    }\n}\n",
    "java/Util.java": "public class Util {\n    static int twice(int n) {\n        return 2 * n;\n    }\n}\n",
    "js/index.js": "const { twice } = require('./lib')\n\nconsole.log(twice(21))\n",
    "js/lib.js": "exports.twice = (n) => 2 * n\n",
    "js/build.js": "const fs = require('fs')\n\nfs.writeFileSync('dist/bundle.js', fs.readFileSync('js/lib.js'))\n",
    "js/lib.test.js": "const test = require('node:test')\nconst assert = require('node:assert')\nconst { twice } = require('./lib')\n\ntest('twice', () => assert.strictEqual(twice(2), 4))\n",
    "scripts/build.sh": "#!/bin/sh\nset -e\nmkdir -p build/site\ncp docs/*.md build/site/\necho built > build/site/stamp\n",
    "scripts/clean.sh": "#!/usr/bin/env bash\nset -euo pipefail\nfor dir in build dist out; do\n    rm -rf \"$dir\"\ndone\nfind . -name '*.bak' -delete\n",
    "scripts/release.sh": '#!/usr/bin/env bash\nset -e\nVERSION="${1:-0.0.0}"\nOUT="dist/release-$VERSION"\nmkdir -p "$OUT"\ncp README.md LICENSE "$OUT/"\ntar -czf "dist/release-$VERSION.tar.gz" -C dist "release-$VERSION"\n',
    "scripts/lib.sh": 'note() {\n    echo "$*" >> notes.log\n}\nDEST=collected\n',
    "scripts/collect.sh": '#!/bin/bash\n. scripts/lib.sh\nmkdir -p "$DEST"\nmv data/table.tsv "$DEST/"\nnote moved\n',
    "scripts/report.py": "import csv\nimport pathlib\n\nout = pathlib.Path('report')\nout.mkdir(exist_ok=True)\nwith open('data/people.csv') as source:\n    rows = list(csv.DictReader(source))\nwith open('report/people.txt', 'w') as target:\n    for row in rows:\n        print(row['name'], file=target)\n",
    "scripts/upper.py": "import sys\n\nsys.stdout.write(sys.stdin.read().upper())\n",
    "scripts/rename.pl": "open(my $out, '>', 'perl.txt') or die;\nprint $out \"made\\n\";\nclose $out;\n",
    "scripts/total.awk": "{ total += $1 }\nEND { print total }\n",
    "scripts/split.awk": '{ print > ("by-" $2 ".txt") }\n',
    "scripts/fix.sed": "s/alpha/ALPHA/\n/beta/d\n",
    "data/people.csv": "name,age,city\nAda,36,London\nAlan,41,Wilmslow\nGrace,85,Arlington\nEdsger,72,Nuenen\n",
    "data/words.txt": "alpha\nbeta\ngamma\ndelta\nalpha\n",
    "data/more.txt": "epsilon\nzeta\nalpha\n",
    "data/numbers.txt": "3\n1\n2\n",
    "data/pairs.txt": "1 odd\n2 even\n3 odd\n",
    "data/table.tsv": "id\tvalue\n1\tone\n2\ttwo\n",
    "data/config.json": '{"name": "sample", "port": 8080, "tags": ["a", "b"]}\n',
    "data/events.jsonl": '{"id": 1, "kind": "start"}\n{"id": 2, "kind": "stop"}\n',
    "data/config.yaml": "name: sample\nport: 8080\n",
    "data/settings.ini": "[main]\nmode = fast\ndebug = no\n",
    "data/dos.txt": "one\r\ntwo\r\n",
    "data/tabs.txt": "a\tb\n\tc\n",
    "data/long.txt": "".join(
        f"line {number} of a long text that may be folded or cut into pieces\n" for number in range(1, 201)
    ),
    "data/schema.sql": "create table items (id integer primary key, name text);\ninsert into items (name) values ('first');\n",
    "logs/app.log": "INFO start\nERROR disk full\nINFO stop\n",
    "logs/error.log": "ERROR disk full\n",
    "logs/old/app.1.log": "INFO older\n",
    "logs/old/app.2.log": "INFO oldest\n",
    "docs/index.md": "# Index\n\nSee the guide.\n",
    "docs/guide.md": "# Guide\n\nRead me first.\n",
    "docs/user guide.md": "# User guide\n\nHello.\n",
    "docs/img/logo.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>\n',
    "docs/draft.txt": "A draft.\n",
    "config/dev.conf": "mode=dev\nlevel=debug\n",
    "config/prod.conf": "mode=prod\nlevel=info\n",
    "nested/a/one.txt": "one\n",
    "nested/a/b/c/deep.txt": "deep\n",
    "nested/b/two.txt": "two\n",
    "nested/b/three.bak": "three\n",
    "my notes.txt": "notes with a blank in the name\n",
    "name with blanks/file one.txt": "one\n",
    "name with blanks/file two.txt": "two\n",
    "old.bak": "old\n",
    "names.po": 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "yes"\nmsgstr "ja"\n',
    "changes.patch": "--- a/data/words.txt\n+++ b/data/words.txt\n@@ -1,5 +1,6 @@\n alpha\n beta\n gamma\n+GAMMA\n delta\n alpha\n",
    "new-file.patch": "diff --git a/docs/new.md b/docs/new.md\nnew file mode 100644\n--- /dev/null\n+++ b/docs/new.md\n@@ -0,0 +1 @@\n+new\n",
}
"""Everything that is committed on `main`."""

EXECUTABLE = ("scripts/build.sh", "scripts/clean.sh", "scripts/release.sh", "scripts/collect.sh")

LINKS = {
    "links/current": "../data",
    "links/readme": "../README.md",
    "links/broken": "nowhere",
}

FEATURE = {
    "src/app/feature.py": '"""A feature."""\n',
    "docs/guide.md": "# Guide\n\nRead me first, and the feature.\n",
}
"""What the branch `feature` adds and changes."""

UPSTREAM = {
    "docs/upstream.md": "# From elsewhere\n",
    "LICENSE": "MIT, and so on\n",
}
"""What a commit on the remote `main` adds and changes, which the work tree does not have yet."""

UNTRACKED = {
    "scratch.txt": "not tracked\n",
    "nested/x.tmp": "ignored\n",
    "build/old.o": "not an object\n",
    "build/leftover.txt": "left over\n",
    "src/app/__pycache__/stale.cpython-39.pyc": "stale\n",
}
"""What git does not know."""
