"""Git at work."""

from __future__ import annotations

from tests.workloads.model import Workload, lines

_INDEX = (
    (".git/index", "holds inode numbers and times"),
    ("*/.git/index", "holds inode numbers and times"),
)
_STATE = "git status --porcelain=v1; git log --all --format=%H%d; git ls-files --stage; git stash list; git fsck 2>&1"

_REPOSITORY = lines(
    "git init -q .",
    "mkdir -p src docs",
    "for i in 1 2 3 4 5 6; do seq $i 40 > src/f$i.txt; done",
    "echo '*.log' > .gitignore; echo hello > docs/read.me; ln -s ../docs/read.me src/link",
    "git add -A; git commit -qm first",
    "git switch -qc topic; for i in 1 2 3; do echo topic $i >> src/f$i.txt; git commit -qam topic$i; done",
    "git switch -q main; echo main >> src/f6.txt; git commit -qam main",
    "git switch -qc clash HEAD~1; echo clash >> src/f6.txt; sed -i 1d src/f1.txt; git commit -qam clash; git switch -q main",
    "echo dirty >> docs/read.me; echo new > untracked; mkdir -p trash/deep; echo x > trash/deep/x; echo l > a.log",
)


def _git(name: str, *commands: str, probe: str = _STATE, exit_code: int = 0) -> Workload:
    return Workload(
        name=f"git-{name}",
        setup=_REPOSITORY,
        script=lines(*commands),
        tools=("git",),
        ignore=_INDEX,
        probe=probe,
        exit_code=exit_code,
    )


WORKLOADS = (
    _git("commit", "git add -A", "git commit -qm second", "git tag -a v1 -m one"),
    _git("rebase", "git stash -q", "git rebase -q main topic", "git stash pop -q"),
    _git("rebase-stops", "git stash -q", "git switch -q clash", "git rebase -q main", exit_code=1),
    _git("merge", "git commit -qam dirty", "git merge -q --no-edit topic"),
    _git(
        "merge-conflict",
        "git commit -qam dirty",
        "git merge -q topic",
        "git merge -q clash || { git checkout -q --theirs src/f6.txt; git add -A; git commit -qm resolved; }",
    ),
    _git("gc", "git add -A", "git commit -qm all", "git gc -q --prune=now"),
    _git("stash", "git stash push -qu", "git stash apply -q", "git stash drop -q"),
    _git("clean", "git clean -fdxq", "git checkout -q -- ."),
    _git("checkout", "git checkout -qf topic", "git checkout -q main~0", "git switch -qf clash"),
    _git("reset", "git reset -q --hard topic", "git reflog expire --expire=now --all", "git prune --expire=now"),
    _git(
        "hooks",
        "printf '#!/bin/sh\\nsed -i s/main/MAIN/ src/f6.txt; git add src/f6.txt; date > hook.log\\n' > .git/hooks/pre-commit",
        "printf '#!/bin/sh\\necho done >> docs/hooked; rm -f hook.log\\n' > .git/hooks/post-commit",
        "chmod +x .git/hooks/*-commit",
        "git commit -qam hooked",
    ),
    _git("worktree", "git worktree add -q wt topic", "echo wt > wt/new", "git worktree remove --force wt"),
    _git(
        "clone",
        "git clone -q . copy",
        "cd copy",
        "git switch -q topic",
        "git pull -q --no-rebase --no-edit origin clash",
    ),
    _git("am", "git format-patch -q -o patches main..topic", "git commit -qam dirty", "git am -q patches/*.patch"),
    _git(
        "hooked-refusal",
        "echo 'exit 1' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit",
        "git commit -qam no",
        exit_code=1,
    ),
)
