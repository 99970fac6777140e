"""Reads and analyses many realistic commands with one reader and with both: `python -m tests.bench.bench_reading [COUNT]`.

The commands are one-liners of the kinds that people and agents type, put together from a fixed seed, with every example of
the catalogue. Prints how many are read whole by which reader, where they differ, and what it costs.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.catalogue import families
from pytest_cbx.effects.paths import Context
from pytest_cbx.shell.both import Reading, read_both
from pytest_cbx.shell.reader import read

COUNT = 10_557
SEED = 20_260
CONTEXT = Context(cwd="/w", workspace="/w", home="/home/u")
SLOW = 1.0
"""Seconds of this processor; a command that takes longer counts as a time-out."""

WORDS = {
    "dir": [
        "src", "tests", "build", "dist", "docs", "packages/core", "/tmp/work", "~/project", "$HOME/.cache/tool",
        "${BUILD_DIR:-out}", '"$ROOT"',
    ],
    "file": [
        "README.md", "src/main.c", "app.py", "package.json", "'my file.txt'", '"$f"', "*.log", "src/**/*.ts", "/etc/hosts",
        "a{1..3}.txt", "data.csv", "config.yaml", "lib/util.go", "$(git ls-files | head -1)", "./run.sh", "index.html",
        "Cargo.toml",
    ],
    "text": [
        "TODO", "'hello world'", '"$USER"', "'s/foo/bar/g'", "error", "'^import'", '"version: $(cat VERSION)"', "$'a\\tb'",
        "'it'\\''s'", '\'{"a": 1}\'',
    ],
    "number": [
        "1", "5", "10", "100", "$N", "$((N+1))",
    ],
    "branch": [
        "main", "feature/x", "HEAD~1", "origin/main", "v1.2.3", '"$BRANCH"',
    ],
    "package": [
        "requests", "lodash", "left-pad@1.0", "'django>=4'", "github.com/a/b@latest", "eslint",
    ],
    "name": [
        "x", "i", "file", "line", "OUT", "VERSION", "tmp",
    ],
    "host": [
        "example.com", "https://example.com/install.sh", "user@host", "localhost:8080",
    ],
}  # fmt: skip

COMMANDS = (
    "ls -la {dir}", "cat {file}", "grep -rn {text} {dir}", "grep -v {text} {file}", "head -n {number} {file}", "tail -f {file}",
    "wc -l {file}", "sort -u {file}", "uniq -c", "cut -d: -f1 {file}", "find {dir} -name '*.py' -type f",
    "find {dir} -mtime +{number} -delete", "find {dir} -name {file} -exec rm {{}} +", "xargs -0 rm -f", "xargs -n1 echo",
    "sed -i {text} {file}", "sed -n '{number}p' {file}", "awk '{{print $1}}' {file}", "awk -F, '$2 > 3 {{print $1}}' {file}",
    "tr -d '\\n'", "tee {file}", "diff -u {file} {file}", "cp -r {dir} {dir}", "mv {file} {dir}", "rm -rf {dir}", "rm -f {file}",
    "mkdir -p {dir}", "touch {file}", "chmod +x {file}", "chown -R user:group {dir}", "ln -sf {file} {file}",
    "tar -czf out.tgz {dir}", "tar xf {file} -C {dir}", "unzip -o {file}", "gzip -k {file}", "du -sh {dir}", "df -h",
    "stat {file}", "basename {file} .txt", "dirname {file}", "realpath {dir}", "date +%Y-%m-%d", "sleep {number}", "echo {text}",
    "printf '%s\\n' {text}", "test -f {file}", "[ -d {dir} ]", "git status -s", "git add -A", "git commit -m {text}",
    "git diff {branch} -- {file}", "git log --oneline -n {number}", "git checkout -b {branch}", "git push origin {branch}",
    "git pull --rebase", "git stash", "git reset --hard {branch}", "git clean -fdx", "git rev-parse --short HEAD",
    "git show {branch}:{file}", "git fetch --all", "git merge --no-ff {branch}", "git tag -a v1 -m {text}",
    "git clone https://{host} {dir}", "npm ci", "npm run build", "npm test -- --watch=false", "npm install {package}",
    "npx eslint --fix {dir}", "yarn add {package}", "pnpm -r test", "node -e 'console.log(1)'", "tsc --noEmit -p {dir}",
    "pip install -r requirements.txt", "pip install {package}", "python -m pytest -q {dir}", "python {file}",
    "python3 -c 'import sys; print(sys.version)'", "ruff check {dir}", "mypy {dir}", "black --check {dir}", "go build ./...",
    "go test -run TestX ./...", "cargo build --release", "cargo test", "make -j{number}", "make clean all", "cmake -S . -B {dir}",
    "ninja -C {dir}", "gcc -O2 -o a.out {file}", "mvn -q package", "docker build -t app .",
    'docker run --rm -v "$PWD:/w" app {text}', "docker ps -a", "docker compose up -d", "kubectl get pods -n {name}",
    "terraform plan", "helm list", "curl -fsSL https://{host} -o {file}", "wget -q https://{host}", "ssh {host} {text}",
    "scp {file} {host}:{dir}", "rsync -a --delete {dir}/ {dir}", "ping -c {number} {host}", "jq -r .version {file}", "ps aux",
    "kill -9 $PID", "pkill -f {text}", "nohup ./server", "sudo systemctl restart nginx", "crontab -l", "env",
    "export PATH=$PATH:{dir}", "which {name}", "timeout {number} make", "time make", "source {file}",
)  # fmt: skip

FRAMES = (
    "{a}", "{a}", "{a}", "{a} && {b}", "{a} || {b}", "{a}; {b}", "{a} | {b}", "{a} | {b} | {c}", "{a} > {file}",
    "{a} >> {file} 2>&1", "{a} 2>/dev/null", "{a} &> {file}", "{a} < {file}", "{a} &", "({a}; {b})", "{{ {a}; {b}; }} > {file}",
    "! {a}", "if {a}; then {b}; fi", "if {a}; then {b}; else {c}; fi", "for f in {file} {file}; do {a}; done",
    "for i in 1 2 3; do {a}; done", 'for f in *.txt; do {a} "$f"; done', "while read -r line; do {a}; done < {file}",
    "while {a}; do {b}; done", "until {a}; do sleep 1; done", "{name}=$({a}); {b}", "{name}={text} {a}",
    '{name}={dir}; {a} "${name}"', "cd {dir} && {a}", "cd {dir} || exit 1; {a}", "set -e; {a}; {b}", "{a} && {b} || {c}",
    "bash -c '{plain}'", 'sh -c "{plain}"', 'eval "{plain}"', "f() {{ {a}; }}; f", "trap 'rm -f {plain}' EXIT; {a}",
    "[[ -n $x && -f {file} ]] && {a}", "case $1 in start) {a};; *) {b};; esac", "diff <({a}) <({b})", "{a} <<< {text}",
    "cat <<EOF > {file}\n{text}\nEOF", "cat <<'EOF' | {a}\n$x\nEOF", "{a} | tee >({b})", "(( i > {number} )) && {a}",
    "echo $(( {number} * 2 ))", 'echo "$({a})"', "echo `{a}`", "{a} # {text}", "{a} \\\n  && {b}", "{a}\n{b}\n{c}",
    "xargs -I{{}} {a} < {file}", "find {dir} -type f -print0 | xargs -0 {a}", "{a} | while read -r x; do {b}; done",
    'arr=({file} {file}); for x in "${{arr[@]}}"; do {a}; done', "[ -f {file} ] && {a}", "test -d {dir} || {a}", "time {a}",
    "timeout 5 {a}", "sudo {a}", "env X=1 {a}", "exec {a}", "nohup {a} > {file} 2>&1 &",
)  # fmt: skip


def generated(seed: int = SEED) -> Iterator[str]:
    """Commands without end."""
    chance = random.Random(seed)

    def filled(template: str) -> str:
        return template.format_map(_Chosen(chance))

    while True:
        parts = {key: filled(chance.choice(COMMANDS)) for key in "abc"}
        plain = filled(
            chance.choice(("make {name}", "rm -rf {name}", "cat {number} {name}", "echo {name}; ls -l {name}"))
        )
        yield chance.choice(FRAMES).format_map(_Chosen(chance, {**parts, "plain": plain}))


class _Chosen(dict[str, str]):
    def __init__(self, chance: random.Random, known: dict[str, str] | None = None) -> None:
        super().__init__(known or {})
        self._chance = chance

    def __missing__(self, key: str) -> str:
        return self._chance.choice(WORDS[key])


def commands(count: int) -> list[str]:
    """`count` distinct commands: the catalogue's examples, then generated ones."""
    found = dict.fromkeys(
        example.command
        for family in families().values()
        for program in family.program
        for spec in (program, *program.command)
        for example in spec.examples
    )
    for text in generated():
        if len(found) >= count:
            break
        found[text] = None
    return list(found)[:count]


def measure(texts: list[str], reading: Callable[[str], Reading]) -> tuple[float, Counter[str], Counter[str]]:
    """Seconds of this processor, what became of the texts, and why the second reader said nothing."""
    counts: Counter[str] = Counter()
    abstained: Counter[str] = Counter()
    total = 0.0
    for text in texts:
        start = time.process_time()
        try:
            found = reading(text)
            effects = analyse(found if reading is read_both else found.script, CONTEXT)
        except Exception as error:
            counts["crashes"] += 1
            print(f"{type(error).__name__}: {error} in {text!r}")
            continue
        seconds = time.process_time() - start
        total += seconds
        counts["time-outs"] += seconds > SLOW
        counts["read whole by the reader of record"] += effects.readable
        counts["read by bashlex"] += not found.abstains
        counts["read by both"] += effects.readable and not found.abstains
        counts["read differently"] += bool(found.differences)
        if found.abstains:
            abstained[found.abstains.split("(")[0].split("{")[0].strip()[:60]] += 1
    return total, counts, abstained


def main(count: int) -> None:
    """Print the figures."""
    texts = commands(count)
    print(f"{len(texts):,} distinct commands, {sum(map(len, texts)) / len(texts):.0f} characters on average")
    analyse(read_both("cat a"), CONTEXT)
    alone, _, _ = measure(texts, lambda text: Reading(script=read(text), abstains="not asked"))
    seconds, counts, abstained = measure(texts, read_both)
    for name in ("crashes", "time-outs"):
        print(f"  {name:36} {counts[name]:6}")
    for name in ("read whole by the reader of record", "read by bashlex", "read by both", "read differently"):
        print(f"  {name:36} {counts[name]:6}  {counts[name] / len(texts):7.2%}")
    print(f"  with one reader {len(texts) / alone:,.0f} commands a second, with both {len(texts) / seconds:,.0f}")
    print("why bashlex said nothing:")
    for reason, number in abstained.most_common(12):
        print(f"  {number:6}  {reason}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
