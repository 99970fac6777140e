"""git before and around its sub-commands: configuration, hooks, editors, aliases, and where the repository lies."""

from __future__ import annotations

import posixpath
from dataclasses import replace

import pytest

from pytest_cbx.effects.compact import compact
from pytest_cbx.effects.model import Kind
from tests.unit.effects.help import CONTEXT, compact_of, effects_of

CONFIG = "[core]\n\tbare = false\n"


class Tree:
    """A work tree of texts. Names that end with `*` are executable."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = {f"/w/{name.rstrip('*')}": text for name, text in texts.items()}
        self.programs = {f"/w/{name.rstrip('*')}" for name in texts if name.endswith("*")}

    def text(self, path: str) -> str | None:
        return self.texts.get(path)

    def executable(self, path: str) -> bool:
        return path in self.programs

    def directory(self, path: str) -> bool | None:
        if path in self.texts:
            return False
        return True if any(name.startswith(f"{path}/") for name in self.texts) else None

    def members(self, path: str) -> None:
        return None

    def git(self, top: str, words: tuple[str, ...]) -> None:
        return None


def seeing(command: str, cwd: str = "/w", **texts: str) -> list[str]:
    """The effects in a work tree with these files (`__` stands for a slash, `_dot_` for a dot)."""
    return within(command, {name.replace("__", "/"): text for name, text in texts.items()}, cwd)


def within(command: str, texts: dict[str, str], cwd: str = "/w") -> list[str]:
    files = Tree({".git/HEAD": "ref: refs/heads/main\n", ".git/config": CONFIG, **texts})
    found = effects_of(command, replace(CONTEXT, files=files, cwd=cwd))
    return list(dict.fromkeys(compact(effect) for effect in found.effects))


def changed(effects: list[str]) -> set[str]:
    """All but what is read."""
    return {effect for effect in effects if not effect.startswith("read ")}


# --- -c ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    ["color.ui=always", "user.name=A B", "core.quotepath=off", "Core.QuotePath=off", "log.date=iso", "advice.detachedHead=false",
     "init.defaultBranch=main", "commit.gpgsign=false", "protocol.version=2", "core.fsmonitor=false", "core.hooksPath=/dev/null",
     "credential.helper=", "core.editor=true", "diff.external=", "filter.lfs.smudge=", "filter.lfs.required=false",
     "http.proxy=http://x", "safe.directory=*", "gc.auto=0", "url.https://x/.insteadOf=git@x:"],
)  # fmt: skip
def test_a_harmless_setting_has_no_effect(setting: str) -> None:
    assert changed(compact_of(f"git -c '{setting}' log")) == set()
    assert changed(compact_of(f"git '-c{setting}' log")) == set()


@pytest.mark.parametrize(
    "setting",
    ["core.pager=x", "core.pager=cat", "CORE.PAGER=x", "core.editor=x", "core.fsmonitor=./x", "core.hooksPath=x", "core.sshCommand=x",
     "diff.external=x", "diff.a.textconv=x", "diff.a.command=x", "filter.a.clean=x", "filter.a.smudge=x", "filter.a.process=x",
     "merge.a.driver=x", "credential.helper=!x", "credential.https://a.b.helper=x", "gpg.program=x", "gpg.ssh.program=x",
     "sequence.editor=x", "uploadpack.packObjectsHook=x", "protocol.ext.allow=always", "difftool.a.cmd=x", "mergetool.a.path=x",
     "pager.log=x", "remote.o.uploadpack=x", "remote.o.url=ext::sh -c x", "url.ext::sh -c x.insteadOf=y", "trailer.a.command=x",
     "sendemail.smtpServer=/x", "man.a.cmd=x", "browser.a.cmd=x", "submodule.a.update=!x", "tar.a.command=x",
     "interactive.diffFilter=x", "core.gitProxy=x", "core.askPass=x", "gc.recentObjectsHook=x", "core.alternateRefsCommand=x",
     "init.templateDir=x", "imap.tunnel=x"],
)  # fmt: skip
def test_a_setting_that_names_a_program_runs_it(setting: str) -> None:
    assert "execute" in compact_of(f"git -c '{setting}' log")
    assert "execute" in compact_of(f"git --config-env={setting.split('=', maxsplit=1)[0]}=X log")


@pytest.mark.parametrize(
    "setting",
    ["frob.nicate=x", "trace2.eventTarget=/x", "core.worktree=/x", "include.path=x", "lfs.customtransfer.a.path=x"],
)
def test_any_other_setting_is_unknown(setting: str) -> None:
    assert "unknown" in compact_of(f"git -c {setting} log")


def test_a_setting_that_is_not_known_may_name_a_program() -> None:
    assert "execute" in compact_of('git -c "$x" log')
    assert "execute" in compact_of('git -c core.pager="$x" log')
    assert changed(compact_of('git -c user.name="$x" log')) == set()


def test_settings_count_where_only_help_is_shown() -> None:
    assert "execute" in compact_of("git -c man.x.cmd=evil log --help")
    assert "execute" in compact_of("git -c man.x.cmd=evil --help log")


# --- aliases -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "effect"),
    [
        ("git -c alias.x='!rm -rf build' x", "destroy build/**"),
        ("git -c alias.x='!f() { rm -f \"$1\"; }; f' x a.txt", "delete a.txt"),
        ("git -c alias.x='reset --hard' x", "destroy sources:."),
        ("git -c alias.x=y -c alias.y='!touch z' x", "create z"),
        ("git -c alias.x='clean -fd' -C src x sub", "destroy sources:src/sub"),
        ("git -c Alias.X='!touch z' x", "create z"),
    ],
)
def test_an_alias_of_the_command_line_is_followed(command: str, effect: str) -> None:
    assert effect in compact_of(command)


def test_an_alias_of_the_repository_is_followed() -> None:
    config = CONFIG + "[alias]\n\tl = log -3\n\tnuke = !rm -rf . # all\n  quoted = \"!touch 'a b'\"\n"
    assert changed(within("git l", {".git/config": config})) == set()
    assert "destroy **" in within("git nuke", {".git/config": config})
    assert "create a b" in within("git quoted", {".git/config": config})


def test_a_shell_alias_runs_at_the_top() -> None:
    config = "[alias]\n\tx = !touch a\n"
    assert "create a" in within("git x", {".git/config": config}, cwd="/w/src")


def test_no_alias_hides_a_sub_command() -> None:
    assert changed(compact_of("git -c alias.log='!rm -rf build' log")) == set()
    assert changed(within("git log", {".git/config": "[alias]\n\tlog = !rm -rf build\n"})) == set()


@pytest.mark.parametrize("alias", ["x", "y"])
def test_an_alias_that_stands_for_itself_is_unknown(alias: str) -> None:
    found = effects_of(f"git -c alias.x={alias} -c alias.y=x x")
    assert [effect.detail for effect in found.effects] == ["the alias x stands for itself"]


@pytest.mark.parametrize("command", ["git frobnicate", "git -c alias.y=log x", 'git -c alias.x="log \'a" x'])
def test_what_is_neither_listed_nor_an_alias_is_unknown(command: str) -> None:
    assert "unknown" in compact_of(command)


def test_an_alias_does_not_hide_a_helper_of_git_s_own() -> None:
    assert "unknown" in compact_of("git -c alias.submodule--helper=status submodule--helper foreach x")


def test_an_alias_with_an_unknown_text_may_do_anything() -> None:
    assert "execute" in compact_of('git -c alias.x="$y" x')
    assert "execute" in compact_of("git --config-env=alias.x=Y x")


# --- the repository's configuration ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "runs", "does_not"),
    [
        ("[core]\nfsmonitor = ./watch", "git status", "git log"),
        ("[filter \"a\"]\nclean = ./x", "git add y", "git log"),
        ("[diff \"a\"]\ntextconv = ./x", "git diff", "git add y"),
        ("[diff]\nexternal = ./x", "git show", "git branch"),
        ("[merge \"a\"]\ndriver = ./x", "git merge y", "git commit -m y"),
        ("[core]\nsshCommand = ./x", "git fetch", "git commit -m y"),
        ("[core]\npager = ./x", "git log", "git add y"),
        ("[gpg]\nprogram = ./x", "git commit -m y", "git add y"),
        ("[remote \"o\"]\nurl = ext::sh -c x", "git push", "git add y"),
        ("[submodule \"s\"]\nupdate = !x", "git submodule update", "git add y"),
        ("[credential]\nhelper = !x", "git pull", "git add y"),
        ("[trailer \"s\"]\ncommand = x", "git interpret-trailers y", "git add y"),
    ],
)  # fmt: skip
def test_what_it_makes_git_run_counts_where_git_runs_it(config: str, runs: str, does_not: str) -> None:
    assert "execute" in within(runs, {".git/config": config})
    assert "execute" not in within(does_not, {".git/config": config})
    assert "execute" not in within(runs, {})


@pytest.mark.parametrize(
    "config", ["[core]\nfsmonitor = true\nhooksPath = /dev/null\npager = less -R\n", "[filter \"lfs\"]\nclean = git-lfs clean -- %f\n",
               "[remote \"o\"]\nurl = git@a.b:c/d.git\n", "[credential]\nhelper = store\n",
               "[core] ; a comment\n\teditor = x # never opened\n"]
)  # fmt: skip
@pytest.mark.parametrize("command", ["git status", "git log", "git add x", "git fetch"])
def test_an_everyday_configuration_runs_nothing(config: str, command: str) -> None:
    assert "execute" not in within(command, {".git/config": config})


def test_included_files_count() -> None:
    texts = {".git/config": "[include]\npath = ../team.ini\n", "team.ini": "[core]\nfsmonitor = ./x\n"}
    assert "execute" in within("git status", texts)


@pytest.mark.parametrize(
    "change", ["git config core.fsmonitor ./x", "cp y .git/config", "sed -i s/a/b/ .git/config", "git config alias.x y"]
)
def test_a_configuration_that_the_same_text_changes_may_run_anything(change: str) -> None:
    assert "execute" in within(f"{change}; git status", {})


@pytest.mark.parametrize(
    "change",
    [
        "git config user.name x",
        "git config core.quotepath off",
        "git add x",
        "git remote add o https://a.b/c",
        "git commit -m x",
        "git checkout main",
    ],
)
def test_git_s_own_harmless_changes_keep_what_was_seen(change: str) -> None:
    assert "execute" not in within(f"{change}; git status", {})
    assert "execute" in within(f"{change}; git status", {".git/config": "[core]\nfsmonitor = ./x\n"})


def test_setting_what_runs_nothing_is_told_from_setting_what_does() -> None:
    harmless, grave = effects_of("git config user.name x"), effects_of("git config core.pager x")
    assert [e.detail for e in harmless.effects if e.kind is Kind.WRITE] == ["settings that run nothing"]
    assert [e.detail for e in grave.effects if e.kind is Kind.WRITE] == ["sets core.pager"]


# --- hooks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook", "command"),
    [("pre-commit", "git commit -m x"), ("commit-msg", "git commit -m x"), ("post-commit", "git commit --no-verify -m x"),
     ("prepare-commit-msg", "git commit -n -m x"), ("post-checkout", "git checkout main"), ("post-checkout", "git switch main"),
     ("pre-push", "git push"), ("post-merge", "git merge x"), ("pre-rebase", "git rebase x"), ("post-merge", "git pull"),
     ("applypatch-msg", "git am x"), ("pre-auto-gc", "git gc"), ("post-index-change", "git add x"), ("reference-transaction", "git tag x"),
     ("pre-commit", "git hook run pre-commit")],
)  # fmt: skip
def test_a_hook_is_followed(hook: str, command: str) -> None:
    assert "destroy build/**" in within(command, {f".git/hooks/{hook}*": "#!/bin/sh\nrm -rf build\n"})


@pytest.mark.parametrize(
    ("hook", "command"),
    [("pre-commit", "git commit --no-verify -m x"), ("commit-msg", "git commit -n -m x"), ("pre-push", "git push --no-verify"),
     ("pre-commit", "git add x"), ("pre-rebase", "git rebase --no-verify x"), ("pre-commit.sample", "git commit -m x"),
     ("pre-commit", "git log")],
)  # fmt: skip
def test_a_hook_that_does_not_run_does_not_count(hook: str, command: str) -> None:
    assert "destroy build/**" not in within(command, {f".git/hooks/{hook}*": "#!/bin/sh\nrm -rf build\n"})


def test_no_verify_that_is_taken_back_skips_nothing() -> None:
    hooks = {".git/hooks/pre-commit*": "rm -rf build\n"}
    assert "destroy build/**" in within("git commit --no-verify --verify -m x", hooks)
    assert "destroy build/**" in within("git commit -n --verif -m x", hooks)


def test_a_file_that_is_not_executable_is_no_hook() -> None:
    assert "execute" not in within("git commit -m x", {".git/hooks/pre-commit": "#!/usr/bin/python3\n"})


def test_a_hook_in_another_language_may_do_anything() -> None:
    assert "execute" in within("git commit -m x", {".git/hooks/pre-commit*": "#!/usr/bin/python3\n"})


def test_the_configuration_names_the_directory_of_hooks() -> None:
    texts = {".git/config": "[core]\nhooksPath = tools/hooks\n", "tools/hooks/pre-commit*": "#!/bin/sh\ntouch here\n"}
    found = within("git commit -m x", texts, cwd="/w/src")
    assert "create here" in found
    assert "create here" not in within("git -c core.hooksPath=/dev/null commit -m x", texts)


@pytest.mark.parametrize(
    "change",
    [
        "cp x .git/hooks/pre-commit",
        "echo x > .git/hooks/pre-commit",
        "chmod +x y; cp -r y .git/hooks",
        "touch .git/hook*/*",
    ],
)
def test_a_hook_that_the_same_text_makes_may_do_anything(change: str) -> None:
    assert "execute" in within(f"{change}; git commit -m x", {})
    assert "execute" in compact_of(f"{change}; git commit -m x")


def test_a_new_repository_has_no_hooks() -> None:
    assert "execute" not in compact_of("git init && git add . && git commit -m x")
    assert "execute" in compact_of("git init && cp x .git/hooks/pre-commit && git commit -m x")


def test_without_sight_of_files_no_hook_is_assumed() -> None:
    assert "execute" not in compact_of("git commit -m x")


@pytest.mark.parametrize(
    "command", ["git log --format=%G?", "git show --pretty='%h %GK'", "git tag --format='%(signature:grade)'"]
)
def test_some_formats_check_signatures(command: str) -> None:
    assert "execute" in compact_of(command)


# --- editors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    ["git commit", "git commit -a", "git commit --amend", "git commit -m x -e", "git commit -c HEAD", "git rebase -i main",
     "git rebase --continue", "git merge --edit x", "git cherry-pick -e x", "git branch --edit-description", "git config -e",
     "git -C src commit", "git -c user.name=x commit", "git notes edit", "git tag -e v1", "git commit --no-edit --edit",
     "GIT_EDITOR=evil git commit", "git add -e"],
)  # fmt: skip
def test_an_editor_may_do_anything(command: str) -> None:
    assert "execute" in compact_of(command)


@pytest.mark.parametrize(
    "command",
    ["git commit -m x", "git -c user.name=x commit -m x", "git -c user.name=x notes add -m x",
     "git commit -F f", "git commit --amend --no-edit", "git commit --fixup HEAD", "git commit -C HEAD",
     "GIT_EDITOR=true git commit --amend", "git -c core.editor=true commit --amend", "git merge x", "git revert HEAD",
     "GIT_SEQUENCE_EDITOR=: git rebase -i --autosquash main", "git commit --dry-run", "export GIT_EDITOR=true; git commit"],
)  # fmt: skip
def test_no_editor_is_opened(command: str) -> None:
    assert "execute" not in compact_of(command)


# --- where the repository lies -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "index"),
    [
        ("git add x", ".git/index"),
        ("cd src; git add x", ".git/index"),
        ("git -C src add x", ".git/index"),
        ("git -C src -C sub add x", ".git/index"),
        ("git -C /elsewhere add x", "/elsewhere/.git/index"),
        ("git --git-dir=other/.git add x", "other/.git/index"),
        ("git -C sub --git-dir=.git add x", "sub/.git/index"),
        ("GIT_DIR=other.git git add x", "other.git/index"),
        ("GIT_INDEX_FILE=/tmp/i git add x", "/tmp/i"),
        ("git init sub; cd sub; git add x", "sub/.git/index"),
        ("git clone https://a.b/c.git; git -C c add x", "c/.git/index"),
        ("git clone https://a.b/c d/e; cd d/e/f; git add x", "d/e/.git/index"),
        ('cd "$x"; git add y', "?"),
    ],
)
def test_the_index_that_is_written(command: str, index: str) -> None:
    assert f"write {index}" in compact_of(command)


def test_a_repository_below_the_workspace_is_found_where_it_is_seen() -> None:
    nested = {"sub/.git/HEAD": "ref: refs/heads/main\n", "sub/.git/config": CONFIG}
    assert "write sub/.git/index" in within("git add x", nested, cwd="/w/sub/deeper")
    assert "write .git/index" in within("git add x", nested, cwd="/w/other")


def test_a_linked_work_tree_shares_the_repository() -> None:
    linked = {"wt/.git": "gitdir: /w/.git/worktrees/wt\n"}
    found = within("git commit -m x", linked, cwd="/w/wt")
    assert {"write .git/worktrees/**", "write .git/objects/**", "write .git/refs/**"} <= set(found)


@pytest.mark.parametrize(
    "command",
    [
        "git --git-dir=evil.git status",
        "GIT_DIR=evil.git git status",
        "git -C evil.git status",
        "cd evil.git; git status",
    ],
)
def test_the_configuration_of_an_embedded_repository_counts(command: str) -> None:
    bare = {"evil.git/HEAD": "ref: refs/heads/main\n", "evil.git/config": "[core]\nbare = false\nfsmonitor = ./x\n"}
    assert "execute" in within(command, bare)


def test_another_repository_whose_configuration_is_not_seen_may_run_anything() -> None:
    assert "execute" in compact_of("git --git-dir=other.git status")
    assert "execute" not in compact_of("git --git-dir=.git status")


def test_another_work_tree() -> None:
    assert "destroy /tmp/**" in compact_of("git --work-tree=/tmp clean -fdx")
    assert "destroy sources:/tmp" in compact_of("git --work-tree=/tmp reset --hard")


def test_the_configuration_may_name_another_work_tree() -> None:
    texts = {
        "sub/.git": "gitdir: ../.git/modules/sub\n",
        ".git/modules/sub/config": "[core]\n\tworktree = ../../../elsewhere\n",
    }
    assert "destroy sources:elsewhere" in within("git reset --hard", texts, cwd="/w/sub")
    assert "write .git/modules/sub/index" in within("git reset --hard", texts, cwd="/w/sub")


def test_head_is_written_where_it_is_on_no_branch() -> None:
    assert "write .git/HEAD" not in within("git commit -m x", {})
    assert "write .git/HEAD" in within("git commit -m x", {".git/HEAD": "0123456789abcdef0123456789abcdef01234567\n"})
    assert "write .git/HEAD" in within("git checkout --detach; git commit -m x", {})


# --- pathspecs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "places"),
    [
        ("src", {"delete sources:src"}),
        ("'*.log'", {"delete *.log", "delete **/*.log"}),
        ("'src/*.py'", {"delete src/*.py", "delete src/**/*.py"}),
        ("'src/a*'", {"delete src/a*", "delete src/a*/**"}),
        ("'s?c/*/x'", {"delete sources:."}),
        ("'a/b?/*'", {"delete sources:a"}),
        (":/docs", {"delete sources:docs"}),
        ("':(top)docs'", {"delete sources:docs"}),
        ("':(top,literal)docs'", {"delete sources:docs"}),
        ("':(glob)src/**/x'", {"delete sources:src"}),
        ("':!src'", {"delete sources:."}),
        ("a ':^src'", {"delete sources:a"}),
        ("'$x'", {"delete sources:$x"}),
        ('"$x"', {"delete ?"}),
    ],
)
def test_what_a_pathspec_means(spec: str, places: set[str]) -> None:
    found = {effect for effect in compact_of(f"git rm -- {spec}") if effect.startswith("delete")}
    assert found == places


def test_a_pathspec_from_a_directory_below() -> None:
    assert "delete sources:src/a" in compact_of("cd src; git rm a")
    assert "delete sources:a" in compact_of("cd src; git rm :/a")


def test_a_file_that_is_seen_is_a_path() -> None:
    assert "delete a.py" in within("git rm a.py", {"a.py": ""})
    assert "delete sources:src" in within("git rm src", {"src/a.py": ""})


def test_the_tree_is_a_tree() -> None:
    tree = Tree({"a/b": "", "c*": ""})
    assert [tree.directory(posixpath.join("/w", name)) for name in ("a", "a/b", "d")] == [True, False, None]
    assert tree.executable("/w/c")
