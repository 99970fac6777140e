"""The tools that every shell script uses, on files, trees and archives."""

from __future__ import annotations

from tests.workloads.model import Workload, lines, python

TREE = lines(
    "mkdir -p src/deep/er docs empty/er",
    "for i in 1 2 3 4 5 6 7 8; do seq 1 $((i * 10)) > src/f$i.txt; echo 'TODO one' >> src/f$i.txt; done",
    "seq 1 3000 > src/deep/long.txt; seq 9 -1 1 > src/deep/er/down.txt; echo end > src/deep/er/end.txt",
    "printf '#!/bin/sh\\necho tool\\n' > tool; chmod 750 tool",
    "ln -s ../src/f1.txt docs/link; ln -s nowhere docs/dangling; ln -s ../src docs/folder; ln src/f2.txt docs/hard",
    "echo base > docs/base.txt; head -c 70000 /dev/zero > zeros",
    "touch -d 2020-02-02T02:02:02.123456789Z src/f3.txt docs docs/base.txt; chmod 600 src/f4.txt; chmod 2775 empty",
)
"""Files of several sizes, links, an empty directory, modes and times that are not the default."""


def _on_tree(
    name: str, *commands: str, tools: tuple[str, ...] = (), unpromised: tuple[str, ...] = (), exit_code: int = 0
) -> Workload:
    return Workload(
        name=name, setup=TREE, script=lines(*commands), tools=tools, unpromised=unpromised, exit_code=exit_code
    )


_ARCHIVES = lines(
    TREE,
    "mkdir in; for i in $(seq 1 40); do echo $i > in/$i; done; chmod 700 in; ln in/1 in/one; ln -s 2 in/two",
    "tar cf in.tar in; gzip -nk in.tar; rm -r in; (cd src && tar cf ../src.tar --xattrs .)",
)

_TREES = (
    _on_tree("sed-i", "find src -type f -exec sed -i s/TODO/DONE/ {} +", "sed -i.bak 2d docs/base.txt docs/hard"),
    _on_tree("perl-i", "perl -pi -e 's/TODO/DONE/' src/*.txt", "perl -pi.orig -e '$_ = uc' tool", tools=("perl",)),
    _on_tree(
        "mv-trees", "mv src moved", "mv moved/deep empty/er/", "mv docs/base.txt src", "mv -T empty/er/deep moved/f1"
    ),
    _on_tree(
        "mv-over",
        "mv -f src/f1.txt src/f2.txt",
        "mv -f docs/link src/f3.txt",
        "mkdir -p x/empty; mv -T empty/er x/empty",
    ),
    _on_tree("swap-trees", "mv src tmp", "mv docs src", "mv tmp docs", "rm src/base.txt", "echo new > docs/deep/new"),
    _on_tree("cp-a", "cp -a src copy", "cp -al src linked", "echo more >> linked/f1.txt", "cp -a docs/. copy/"),
    _on_tree("cp-over", "cp src/f8.txt src/f1.txt", "cp --remove-destination src/f8.txt docs/link", "cp -r src/. docs"),
    _on_tree("rm-rf", "rm -rf src docs/hard empty"),
    _on_tree("rm-all", "rm -rf ./* .[!.]* 2>/dev/null || true"),
    _on_tree("find-delete", "find . -name '*.txt' -size -2 -delete", "find empty -depth -type d -empty -delete"),
    _on_tree(
        "replace-directory",
        "rm -r src",
        "echo file > src",
        "rm docs/base.txt",
        "mkdir docs/base.txt",
        "touch docs/base.txt/in",
    ),
    _on_tree(
        "deep", "mkdir -p $(printf 'd%.0s/' $(seq 200))", "echo x > $(printf 'd%.0s/' $(seq 200))file", "rm -r d/d/d/d"
    ),
    _on_tree(
        "long-path", "n=$(printf 'n%.0s' $(seq 200)); for i in $(seq 18); do mkdir $n; cd $n; done; echo x > x; mv x y"
    ),
    _on_tree("creations", "for i in $(seq 150); do echo $i > new$i; done", "mkdir many; mv new1* many", "rm new2*"),
    _on_tree(
        "rsync", "rsync -a --delete src/ mirror/", "rm src/f1.txt", "rsync -a --delete src/ mirror/", tools=("rsync",)
    ),
    _on_tree(
        "rsync-inplace", "rsync -a --inplace --ignore-times src/deep/ src/", "rsync -aH docs/ src/", tools=("rsync",)
    ),
    _on_tree("chmod-R", "chmod -R go-rwx .", "chmod 4755 tool", "chmod a-w src/f1.txt", "chmod u+t docs"),
    _on_tree(
        "chown",
        "chown -R $(id -u):$(id -g) src",
        "chown -h $(id -u) docs/dangling",
        "[ $(id -u) != 0 ] || chown -R 12:34 src docs",
    ),
    _on_tree(
        "touch",
        "touch -d 2001-01-01 src/f1.txt docs src",
        "touch new",
        "touch -h -d 2002-02-02 docs/dangling",
        "touch -ar tool src/f2.txt",
    ),
    _on_tree(
        "ln",
        "ln src/f1.txt one",
        "ln -s src/f1.txt two",
        "ln -sf other two",
        "ln -sfn ../docs docs/folder",
        "ln -f src/f2.txt src/f1.txt",
    ),
    _on_tree(
        "link-farm",
        "mkdir farm; for i in $(seq 40); do ln src/f1.txt farm/$i; done",
        "echo more >> farm/7",
        "rm farm/1? src/f1.txt",
    ),
    _on_tree("hard-links-apart", "sed -i s/TODO/X/ docs/hard", "echo y >> src/f2.txt", "ln -f docs/base.txt docs/hard"),
    _on_tree(
        "special-files",
        "mkfifo pipe src/pipe",
        "(cat pipe > got &) ; echo through > pipe; sleep 0.05",
        "rm src/pipe",
        "mv pipe docs/",
    ),
    _on_tree(
        "install", "install -D -m 640 src/f1.txt usr/share/x/f1", "install -d -m 700 usr/lib", "install tool usr/lib"
    ),
    _on_tree(
        "odd-names",
        "printf x > $'new\\nline'",
        "printf y > $'bytes\\xff\\xfe'",
        "mkdir $'d\\x80 \"'",
        "mv $'new\\nline' $'d\\x80 \"/-n'",
        "rm -- $'bytes\\xff\\xfe'",
        "touch -- -rf ' ' \\\\ '*'",
    ),
    _on_tree(
        "symlink-writes",
        "echo through >> docs/link",
        "echo made > docs/dangling",
        "echo in > docs/folder/in",
        "truncate -s 5 docs/folder/f5.txt",
    ),
    _on_tree(
        "symlinks-to-here",
        "ln -s . self; ln -s ./ docs/here; ln -s ../docs/../src/. docs/way",
        "echo a > self/self/a; mv self/src/f1.txt docs/here/b; rm self/a docs/way/f2.txt; rmdir docs/way/../empty/er",
        "ln -s l2 l1; ln -s l1 l2; echo x > l1 || rm l1; echo y > l2; mkdir self/new; mv self/new docs/way/",
    ),
    _on_tree(
        "symlink-race",
        "for i in $(seq 60); do ln -sfn src sw; echo $i >> sw/race; ln -sfn docs sw; echo $i >> sw/race; done",
        "rm sw",
    ),
)

_CONTENTS = (
    _on_tree(
        "dd",
        "dd if=/dev/zero of=src/f1.txt bs=3 count=2 seek=4 conv=notrunc status=none",
        "dd if=src/deep/long.txt of=out bs=1k status=none",
        "dd of=docs/hard if=tool status=none",
    ),
    _on_tree(
        "truncate",
        "truncate -s 10 src/deep/long.txt",
        "truncate -s 1M sparse",
        "truncate -s 0 docs/base.txt",
        "truncate -s +5 zeros",
    ),
    _on_tree(
        "append",
        "for i in $(seq 50); do echo line $i >> app.log; done",
        "echo x >> src/f1.txt; echo y >> src/f1.txt",
        "echo z | tee -a docs/hard >/dev/null",
    ),
    _on_tree(
        "descriptors",
        "exec 3>>src/f1.txt 4<>src/f2.txt",
        "(echo child >&3; bash -c 'echo grandchild >&3')",
        "echo over >&4",
        "rm src/f1.txt",
        "echo unlinked >&3",
        "exec 3>&-",
    ),
    _on_tree(
        "redirects",
        ": > src/f1.txt",
        "set -C; echo no > src/f2.txt || echo yes >| src/f2.txt; set +C",
        "{ echo a; echo b >&2; } > out 2> err",
        "cat <<< here > docs/base.txt",
    ),
    _on_tree(
        "split-sort",
        "split -l 500 src/deep/long.txt part.",
        "cat part.* | sort -r > all",
        "sort -n -o all all",
        "sort -o src/deep/er/down.txt src/deep/er/down.txt",
    ),
    _on_tree(
        "compress",
        "gzip -nf src/*.txt",
        "xz src/deep/long.txt",
        "gunzip src/f1.txt.gz",
        "bzip2 -k docs/base.txt",
        tools=("xz", "bzip2"),
    ),
    _on_tree(
        "patch",
        "diff -u docs/base.txt docs/link > x.patch || true",
        "sed -i 's/TODO/x/' src/f1.txt",
        "patch -s docs/base.txt x.patch",
        "patch -sR -b docs/base.txt x.patch",
        "diff -u /dev/null tool > n.patch || true",
        "patch -s made n.patch",
        tools=("patch",),
    ),
    _on_tree("ed", "printf '1d\\na\\nnew\\n.\\nw\\nq\\n' | ed -s src/f1.txt", tools=("ed",)),
    _on_tree(
        "vim",
        "vim -Nu NONE -es -c 'set backup writebackup backupdir=. | %s/TODO/vim/' -c wq src/f1.txt",
        "vim -Nu NONE -es -c 'set backupcopy=yes | normal Gdd' -c x src/f2.txt",
        unpromised=("vim",),
    ),
    _on_tree(
        "mktemp",
        "t=$(mktemp -d ./tmp.XXXX)",
        "cp src/f1.txt $t/a",
        "mv $t/a src/f2.txt",
        "rm -r $t",
        "f=$(mktemp -p .); echo x > $f; mv $f done",
    ),
    _on_tree(
        "fallocate", "fallocate -l 64K room", "fallocate -p -o 4096 -l 8192 zeros", "fallocate -d src/deep/long.txt"
    ),
    _on_tree(
        "flock",
        "for i in 1 2 3 4; do (flock 9; n=$(cat count 2>/dev/null || echo 0); echo $((n + i)) > count) 9> lock & done; wait",
    ),
    _on_tree(
        "awk",
        "awk '{ print > (\"out.\" NR % 3) }' src/f8.txt",
        'awk \'BEGIN { while ((getline l < "tool") > 0) print l > "copy" }\'',
    ),
    _on_tree("exec-chain", "exec sh -c 'echo 1 > one; exec env bash -c \"echo 2 > two; exec rm src/f1.txt\"'"),
    _on_tree(
        "background",
        "for i in $(seq 8); do (for j in 1 2 3; do echo $j >> log.$i; done; mv log.$i done.$i) & done; wait",
    ),
    _on_tree(
        "xargs", "seq 30 | xargs -P4 -I{} sh -c 'echo {} > x{}; mv x{} y{}'", "find . -name 'y*' -print0 | xargs -0 rm"
    ),
    _on_tree("temporary-directory", 'echo kept > "$TMPDIR/a"', 'cp "$TMPDIR/a" src/f1.txt', 'rm "$TMPDIR/a"'),
    _on_tree(
        "fails", "echo half > src/f1.txt", "rm -r docs", "cat missing/file 2>/dev/null", "echo never > x", exit_code=1
    ),
    _on_tree("killed", "echo half > src/f1.txt; rm -r docs; kill -9 $$", exit_code=137),
    _on_tree(
        "nothing", "mkdir -p src/deep; touch -c missing; rm -f missing; cat src/f1.txt > /dev/null; echo x > /dev/null"
    ),
    _on_tree("comes-to-nothing", "echo x > a; rm a; mkdir b; rmdir b; mv src s; mv s src; ln tool t; rm t"),
)

_PACKED = (
    Workload(
        name="tar-x",
        setup=_ARCHIVES,
        script="tar xf in.tar; tar xzf in.tar.gz --strip-components=1 -C docs",
        tools=("tar",),
    ),
    Workload(
        name="tar-over",
        setup=_ARCHIVES,
        script="tar xf src.tar --overwrite -C docs; tar xpf src.tar -C src --recursive-unlink",
        tools=("tar",),
    ),
    Workload(
        name="tar-c",
        setup=TREE,
        script="tar cf all.tar src docs; tar rf all.tar tool; rm -r src; tar xf all.tar",
        tools=("tar",),
    ),
    Workload(
        name="zip",
        setup=TREE,
        script="zip -qr all.zip src docs; zip -qd all.zip src/f1.txt; rm -r src; unzip -qo all.zip; unzip -qo all.zip -d un",
        ignore=(("all.zip", "holds the times of copied files"),),
        probe="unzip -Z1 all.zip",
        tools=("zip", "unzip"),
    ),
    Workload(
        name="sqlite",
        setup="sqlite3 old.db 'create table t(a,b); insert into t values(1,2),(3,4);'",
        script=lines(
            "sqlite3 old.db 'update t set b = b + 1; create index i on t(a); delete from t where a = 3;'",
            "sqlite3 new.db 'create table n(x); begin; insert into n values(1); commit; begin; insert into n values(2); rollback;'",
            "sqlite3 old.db 'vacuum;'",
        ),
        tools=("sqlite3",),
    ),
    Workload(
        name="sqlite-wal",
        setup="sqlite3 old.db 'create table t(a,b); insert into t values(1,2),(3,4);'",
        script=python(
            """
            import sqlite3
            base = sqlite3.connect("old.db")
            base.execute("pragma journal_mode=wal")
            with base:
                base.executemany("insert into t values (?, ?)", ((n, n * n) for n in range(500)))
            other = sqlite3.connect("old.db")
            with other:
                other.execute("delete from t where a % 2")
            base.execute("pragma wal_checkpoint(truncate)")
            """
        ),
        tools=("sqlite3",),
    ),
)

WORKLOADS = (*_TREES, *_CONTENTS, *_PACKED)
