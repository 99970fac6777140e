"""tar and rsync: directories that options choose, what is written below them, and what they start."""

from __future__ import annotations

import pytest

from tests.unit.effects.help import compact_of

TAR: list[tuple[str, list[str]]] = [
    ("tar czf a.tgz src b", ["write a.tgz", "read src/**", "read b/**"]),
    ("tar -cf a.tar -C x f -C ../y g --directory=z h", ["write a.tar", "read x/f/**", "read y/g/**", "read y/z/h/**"]),
    ("tar cfC a.tar x f", ["write a.tar", "read x/f/**"]),
    ("tar -cf - src | tar -xf - -C dst", ["read src/**", "write dst/**"]),
    ("tar c src", ["read src/**"]),
    ("tar rf a.tar x", ["write a.tar", "read x/**"]),
    ("tar --delete -f a.tar x", ["write a.tar"]),
    ("tar tvf a.tar x", ["read a.tar"]),
    ("tar df a.tar", ["read a.tar", "read **"]),
    ("tar xf a.tar", ["read a.tar", "write **"]),
    ("tar xf a.tar -C out", ["read a.tar", "write out/**"]),
    ("tar -C out -xf a.tar -C sub", ["read a.tar", "write out/sub/**"]),
    ("tar xf a.tar b/c", ["read a.tar", "create b", "write b/c/**"]),
    ("tar xf a.tar -C out --wildcards '*.c'", ["read a.tar", "write out/**"]),
    ("tar xf a.tar --strip-components=1 b", ["read a.tar", "write **"]),
    ("tar xf a.tar --xform s/a/b/ -C out b", ["read a.tar", "write out/**"]),
    ("tar xf a.tar -O b", ["read a.tar"]),
    ("tar xf a.tar.gz --one-top-level", ["read a.tar.gz", "write a/**"]),
    ("tar xf a.tar --one-top-level=d", ["read a.tar", "write d/**"]),
    ("tar xPf a.tar -C d", ["read a.tar", "write /**", "write d/**"]),
    ("tar xf a.tar -C d --recursive-unlink", ["read a.tar", "write d/**", "destroy d/**"]),
    ("tar cf a.tar src --remove-files", ["write a.tar", "read src/**", "destroy src/**"]),
    ("tar --backup -xf a.tar -C d", ["read a.tar", "write d/**"]),
    ("tar cf a.tar -g snap src", ["write a.tar", "write snap", "read src/**"]),
    ("printf 'x\\ny\\n' | tar cf a.tar -T -", ["write a.tar", "read x/**", "read y/**"]),
    ("printf -- '--checkpoint=1\\n' | tar cf a.tar -T -", ["write a.tar", "execute", "read --checkpoint=1/**"]),
    ("find . -name '*.c' | tar cf a.tar -T -", ["read **", "write a.tar", "read **/*.c", "read **/*.c/**"]),
    ("tar cf a.tar -T list", ["read list", "execute", "write a.tar", "read ?"]),
    ("tar cf a.tar --verbatim-files-from -T list", ["read list", "write a.tar", "read ?"]),
    ("tar cf a.tar --checkpoint-action=exec='rm z' y", ["write a.tar", "delete z", "read y/**"]),
    ("tar cf a.tar --checkpoint-act exec='rm z' y", ["write a.tar", "delete z", "read y/**"]),
    ("tar cf a.tar --checkpoint-action=dot y", ["write a.tar", "read y/**"]),
    ("tar cf a.tar --checkpoint-action=\"$X\" y", ["write a.tar", "execute", "read y/**"]),
    ("tar xf a.tar --to-command='rm z'", ["read a.tar", "delete z"]),
    ("tar xf a.tar -C d -I 'zstd -T0'", ["read a.tar", "write d/**"]),
    ("tar cf a.tar -I ./z y", ["write a.tar", "read z", "execute", "read y/**"]),
    ("tar xf a.tar -C d -I '/bin/sh -c \"x\"'", ["read a.tar", "write d/**", "execute"]),
    ("tar cf h:a.tar y", ["write h:a.tar", "execute", "network", "read y/**"]),
    ("tar cf a.tar -F ./s y", ["write a.tar", "execute", "read y/**"]),
    ("tar -v a.tar", ["unknown"]),
    ("tar cf a.tar --frob y", ["write a.tar", "unknown", "read y/**"]),
]  # fmt: skip

RSYNC: list[tuple[str, list[str]]] = [
    ("rsync -a src/ dst", ["read src/**", "write dst/**"]),
    ("rsync -a src dst/", ["read src/**", "write dst/**"]),
    ("rsync -r src tests dst", ["read src/**", "read tests/**", "write dst/src/**", "write dst/tests/**"]),
    ("rsync a.txt dst/", ["read a.txt/**", "write dst/a.txt"]),
    ("rsync -b a.txt dst/", ["read a.txt/**", "write dst/a.txt", "write dst/a.txt~"]),
    ("rsync -a --delete src/ dst/", ["read src/**", "write dst/**", "destroy dst/**"]),
    ("rsync -a --delete-excluded src tests dst/",
     ["read src/**", "read tests/**", "write dst/src/**", "write dst/tests/**", "destroy dst/src/**", "destroy dst/tests/**"]),
    ("rsync -an --delete src/ dst/", ["read src/**"]),
    ("rsync --remove-source-files a.txt dst/", ["read a.txt/**", "delete a.txt", "write dst/a.txt"]),
    ("rsync -a --remove-source-files src/ dst/", ["read src/**", "destroy src/**", "write dst/**"]),
    ("rsync -a --backup-dir=../b -b src/ dst/", ["read src/**", "write dst/**", "write b/**"]),
    ("rsync -aR src/x dst", ["read src/x/**", "write dst/**"]),
    ("rsync -a --log-file=l src/ dst", ["write l", "read src/**", "write dst/**"]),
    ("rsync -a --write-batch=b src/ dst", ["write b", "write b.sh", "read src/**", "write dst/**"]),
    ("rsync -a --only-write-batch=b src/ dst", ["write b", "write b.sh", "read src/**"]),
    ("rsync src/", ["read src/**"]),
    ("rsync -a src/ u@h:dst", ["read src/**", "network", "state"]),
    ("rsync -a rsync://h/m dst", ["network", "write dst/**"]),
    ("rsync -a ./a:b dst/", ["read a:b/**", "write dst/**"]),
    ("rsync -e 'ssh -p 22 -i k' a h:", ["read a/**", "network", "state"]),
    ("rsync -e 'ssh -o ProxyCommand=x' a h:", ["execute", "read a/**", "network", "state"]),
    ("rsync --rsync-path 'x' a h:", ["execute", "read a/**", "network", "state"]),
    ("RSYNC_RSH=./x rsync a h:", ["execute", "read a/**", "network", "state"]),
    ("rsync --frob a b/", ["unknown", "read a/**", "write b/a"]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), [*TAR, *RSYNC])
def test_what_tar_and_rsync_touch(command: str, expected: list[str]) -> None:
    assert sorted(compact_of(command)) == sorted(expected), command
