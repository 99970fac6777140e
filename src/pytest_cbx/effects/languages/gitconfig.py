"""git's configuration: its text, which keys name programs that git runs, and which are known to be harmless.

Facts: the manual page git-config of git 2.39 to 2.50.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache

RUNS: dict[str, tuple[str, ...]] = {
    "alias": ("alias.*",),
    "pager": ("core.pager", "pager.*"),
    "editor": ("core.editor", "sequence.editor"),
    "hooks": ("core.hookspath", "hook.*.command"),
    "files": ("core.fsmonitor", "filter.*.clean", "filter.*.smudge", "filter.*.process"),
    "diff": ("diff.external", "diff.*.command", "diff.*.textconv", "interactive.difffilter"),
    "merge": ("merge.*.driver",),
    "remote": (
        "core.sshcommand", "core.gitproxy", "core.askpass", "credential.helper", "credential.*.helper",
        "remote.*.uploadpack", "remote.*.receivepack", "remote.*.vcs", "protocol.allow", "protocol.ext.allow",
        "uploadpack.packobjectshook", "core.alternaterefscommand", "url.ext::*", "remote.*.url", "remote.*.pushurl",
        "remote.pushdefault", "branch.*.remote", "branch.*.pushremote", "imap.tunnel",
    ),
    "signature": ("gpg.program", "gpg.*.program", "gpg.ssh.defaultkeycommand", "log.showsignature"),
    "tool": (
        "difftool.*.cmd", "difftool.*.path", "mergetool.*.cmd", "mergetool.*.path", "diff.tool", "merge.tool", "diff.guitool",
        "merge.guitool", "browser.*", "man.*", "help.browser", "web.browser", "instaweb.*", "guitool.*", "help.format", "sendemail.*",
    ),
    "trailers": ("trailer.*.command", "trailer.*.cmd"),
    "upkeep": ("gc.recentobjectshook",),
    "submodules": ("submodule.*.update",),
    "archive": ("tar.*.command",),
    "template": ("init.templatedir",),
}  # fmt: skip
"""Keys that name what git runs, by what makes use of them."""

_HARMLESS = (
    "color.*", "advice.*", "log.a*", "log.d*", "log.e*", "log.f*", "log.g*", "log.i*", "log.m*", "log.showroot", "user.*",
    "author.*", "committer.*", "column.*", "blame.*", "grep.*", "status.*", "stash.*", "index.*", "pack.*", "rerere.*",
    "i18n.*", "notes.*", "checkout.*", "feature.*", "versionsort.*", "showbranch.*", "am.*", "apply.*", "branch.sort",
    "branch.autosetup*", "branch.*.merge", "branch.*.rebase", "branch.*.description", "clean.*", "commitgraph.*",
    "merge.conflictstyle", "merge.ff", "merge.renames", "merge.renamelimit", "merge.directoryrenames", "merge.log",
    "merge.stat", "merge.autostash", "merge.verbosity", "merge.branchdesc", "merge.defaulttoupstream", "merge.suppressdest",
    "merge.verifysignatures", "merge.renormalize", "rebase.*", "pull.*", "push.*", "fetch.*", "transfer.*", "receive.*",
    "commit.status", "commit.verbose", "commit.cleanup", "tag.sort", "submodule.recurse", "submodule.fetchjobs",
    "submodule.propagatebranches", "submodule.alternate*", "clone.defaultremotename", "clone.filter*", "clone.rejectshallow",
    "init.default*", "protocol.version", "protocol.file.allow", "protocol.git.allow", "protocol.http.allow",
    "protocol.https.allow", "protocol.ssh.allow", "safe.*", "diff.renames", "diff.renamelimit", "diff.algorithm",
    "diff.colormoved", "diff.colormovedws", "diff.context", "diff.interhunkcontext", "diff.mnemonicprefix", "diff.noprefix",
    "diff.relative", "diff.stat*", "diff.submodule", "diff.ignoresubmodules", "diff.wordregex", "diff.suppressblankempty",
    "diff.indentheuristic", "diff.dirstat", "diff.orderfile", "diff.wserrorhighlight", "diff.autorefreshindex",
    "diff.srcprefix", "diff.dstprefix", "diff.*.xfuncname", "diff.*.funcname", "diff.*.binary", "diff.*.wordregex",
    "diff.*.algorithm", "format.pretty", "format.signature", "format.signoff", "format.subjectprefix", "format.suffix",
    "format.headers", "format.to", "format.cc", "format.from", "format.numbered", "format.thread", "format.coverletter",
    "format.useautobase", "format.notes", "format.noprefix", "format.forceinbodyfrom", "gc.auto", "gc.autodetach",
    "gc.autopacklimit", "gc.aggressive*", "gc.bigpackthreshold", "gc.logexpiry", "gc.packrefs", "gc.writecommitgraph",
    "gc.cruftpacks", "gc.*expire*", "gc.rerere*", "maintenance.auto", "maintenance.strategy", "help.autocorrect",
    "http.proxy", "http.*.proxy", "http.ssl*", "http.*.ssl*", "http.extraheader", "http.*.extraheader", "http.version",
    "http.postbuffer", "http.lowspeed*", "http.useragent", "http.followredirects", "http.maxrequests",
    "http.proxyauthmethod", "credential.username", "credential.usehttppath", "credential.*.username",
    "credential.*.usehttppath", "credential.interactive", "core.quotepath", "core.autocrlf", "core.eol", "core.safecrlf",
    "core.abbrev", "core.filemode", "core.ignorecase", "core.precomposeunicode", "core.longpaths", "core.symlinks",
    "core.compression", "core.loosecompression", "core.preloadindex", "core.untrackedcache", "core.checkstat",
    "core.trustctime", "core.logallrefupdates", "core.commentchar", "core.commentstring", "core.whitespace",
    "core.bigfilethreshold", "core.protecthfs", "core.protectntfs", "core.excludesfile", "core.attributesfile",
    "core.warnambiguousrefs", "core.multipackindex", "core.commitgraph", "core.fsync*", "core.packed*",
    "core.deltabasecachelimit", "core.sparsecheckout*", "core.splitindex", "core.repositoryformatversion", "core.bare",
    "core.sharedrepository", "core.hidedotfiles", "core.usereplacerefs", "core.restrictinheritedhandles",
    "core.unsetenvvars", "core.createobject", "core.notesref", "core.disambiguate", "core.maxtreedepth", "extensions.*",
    "lfs.locksverify", "lfs.concurrenttransfers", "lfs.fetch*", "lfs.allowincompletepush", "remote.*.fetch", "remote.*.push",
    "remote.*.prune*", "remote.*.tagopt", "remote.*.mirror", "remote.*.partialclonefilter", "remote.*.promisor",
    "remote.*.proxy", "remote.*.skip*", "remote.*.followremotehead", "submodule.*.url", "submodule.*.active",
    "submodule.*.branch", "submodule.*.ignore", "submodule.active", "filter.*.required", "merge.*.name", "merge.*.recursive",
    "tar.umask", "uploadarchive.*", "uploadpack.allow*", "uploadpack.hide*", "worktree.*", "trailer.separators",
    "trailer.where", "trailer.ifexists", "trailer.ifmissing", "trailer.*.key", "trailer.*.where", "trailer.*.ifexists",
    "trailer.*.ifmissing",
)  # fmt: skip
"""Keys that make git run nothing and write nowhere else, whatever their value is. (`receive` and `push` keys are the remote's matter.)"""

_HARMLESS_VALUES = {
    "log.showsignature": ("false", "no", "off", "0"), "help.format": ("man", "info"),
    "commit.gpgsign": ("false", "no", "off", "0"), "tag.gpgsign": ("false", "no", "off", "0"),
    "push.gpgsign": ("false", "no", "off", "0"), "tag.forcesignannotated": ("false", "no", "off", "0"),
    "core.fsmonitor": ("false", "true", "no", "yes", "off", "on", "0", "1", ""), "core.hookspath": ("/dev/null", ""),
    "core.editor": ("true", ":"), "sequence.editor": ("true", ":"), "core.sshcommand": ("ssh", ""), "core.askpass": ("", "true"),
    "credential.helper": ("", "store", "cache", "osxkeychain", "manager", "manager-core", "libsecret", "wincred", "gnome-keyring"),
    "credential.*.helper": ("", "store", "cache", "osxkeychain", "manager", "manager-core", "libsecret", "wincred"),
    "gpg.program": ("gpg", "gpg2"), "gpg.*.program": ("gpg", "gpg2", "gpgsm", "ssh-keygen"), "diff.external": ("",),
    "filter.*.clean": ("", "cat", "git-lfs clean -- %f"), "filter.*.smudge": ("", "cat", "git-lfs smudge -- %f"),
    "filter.*.process": ("", "git-lfs filter-process"), "protocol.allow": ("user", "never"), "protocol.ext.allow": ("never",),
    "submodule.*.update": ("checkout", "rebase", "merge", "none"), "remote.*.uploadpack": ("git-upload-pack",),
    "remote.*.receivepack": ("git-receive-pack",), "maintenance.autodetach": ("true", "false"),
}  # fmt: skip
_PAGERS = (
    "cat",
    "less",
    "less -*",
    "more",
    "delta",
    "diff-so-fancy | less *",
    "diff-highlight | less*",
    "true",
    "false",
    "",
)
_LINE = re.compile(r"^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?$")
_SECTION = re.compile(r'^\s*\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]\s*(.*)$')

Settings = tuple[tuple[str, str], ...]


def normalised(key: str) -> str:
    """The key as it is compared: section and name in lower case, what stands between them as it is."""
    section, _, rest = key.partition(".")
    middle, dot, name = rest.rpartition(".")
    return f"{section.lower()}{'.' + middle if dot else ''}.{name.lower()}"


def category(key: str) -> str | None:
    """Which use makes git run what the (normalised) key says; None: nothing does."""
    return next((name for name, patterns in RUNS.items() if _fits(key, patterns)), None)


def is_harmless(key: str, value: str | None) -> bool:
    """Whether a key with that value makes git run or write nothing else. `value` None: it is not known."""
    key = normalised(key)
    if category(key) is None:
        if key in ("commit.gpgsign", "tag.gpgsign", "push.gpgsign", "tag.forcesignannotated", "maintenance.autodetach"):
            return value in _HARMLESS_VALUES[key]
        if key.startswith("url.") and key.endswith(("insteadof", "pushinsteadof")):
            return key[4:].startswith(("https://", "http://", "ssh://", "git@", "git://", "file:///"))
        return _fits(key, _HARMLESS)
    return value is not None and _runs_nothing(key, value)


def runs(settings: Settings, use: str) -> str | None:
    """The first key with a value that makes git run some program when it does `use`; None: there is none."""
    for key, value in settings:
        if category(key) == use and not (_runs_nothing(key, value) or (use == "pager" and _is_pager(key, value))):
            return key
    return None


def value_of(settings: Settings, key: str) -> str | None:
    """The last value of a key."""
    return next((value for name, value in reversed(settings) if name == key), None)


def _runs_nothing(key: str, value: str) -> bool:
    if key.endswith((".url", ".pushurl", ".remote", ".pushremote", ".pushdefault")):
        return not re.match(r"ext::|[a-z0-9+-]+::", value) and not value.startswith("-")
    return any(fnmatchcase(key, pattern) and value in values for pattern, values in _HARMLESS_VALUES.items())


def _is_pager(key: str, value: str) -> bool:
    if key != "core.pager" and value.lower() in ("true", "false", "yes", "no", "on", "off", "1", "0"):
        return True
    return any(fnmatchcase(value, pattern) for pattern in _PAGERS) and not re.search(r"[;&`$<>]", value)


def _fits(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


@lru_cache(maxsize=64)
def settings_of(text: str) -> Settings:
    """The keys (normalised) and values of a configuration file's text, in its order. Lines that are no configuration are left out."""
    return tuple(_settings(text))


def _settings(text: str) -> Iterator[tuple[str, str]]:
    section = ""
    for raw in re.sub(r"\\\r?\n", "", text).splitlines():
        line = raw
        heading = _SECTION.match(line)
        if heading:
            name, middle, line = heading.groups()
            first, dot, rest = name.partition(".")
            section = first.lower() + (f".{rest.lower()}" if dot else "")
            if middle is not None:
                section += "." + re.sub(r"\\(.)", r"\1", middle)
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        found = _LINE.match(line)
        if found:
            value = found[2]
            yield f"{section}.{found[1].lower()}", "true" if value is None else _value(value)


def _value(text: str) -> str:
    """A value without quotes, comment and outer blanks."""
    out, quoted, kept, index = "", False, 0, 0
    while index < len(text):
        char = text[index]
        if char == "\\" and index + 1 < len(text):
            index += 1
            out += {"n": "\n", "t": "\t", "b": "\b"}.get(text[index], text[index])
            kept = len(out)
        elif char == '"':
            quoted = not quoted
            kept = max(kept, len(out))
        elif char in "#;" and not quoted:
            break
        else:
            out += char
            if quoted:
                kept = len(out)
        index += 1
    return out[:kept] + out[kept:].rstrip()
