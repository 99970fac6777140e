"""Findings on how a program is called: what its options switch off, whom they let in, what they leave behind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pytest_cbx.effects.facts import Assigned, Invocation, Sign
from pytest_cbx.effects.model import Effects, Kind
from pytest_cbx.effects.values import Field
from pytest_cbx.safety.calls import Finds, always, either, flag, matching, pair, unless, words
from pytest_cbx.safety.model import Finding, Severity

_CRITICAL, _WARNING = Severity.CRITICAL, Severity.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """Speaks of a call of one of `programs` in which `finds` finds something; `what` goes on after the program's name."""

    programs: str
    name: str
    severity: Severity
    what: str
    finds: Finds


def _rule(programs: str, name: str, severity: Severity, what: str, finds: Finds) -> _Rule:
    return _Rule(programs=programs, name=name, severity=severity, what=what, finds=finds)


_UNCHECKED = "does not check whom it talks to"
_UNSIGNED = "installs what is not signed"
_LATER = "has something run later"
_AT_START = "has something run at each start"
_UNTRACED = "removes the traces of what was run"
_UNRECORDED = "stops the record of what is run"
_OWNERS_RIGHTS = "lets a program run with its owner's rights"
_UNHOOKED = "passes by the hooks that check"

_NO = r"(?i:false|0|no)"
_SET_ID = r"0?[2467][0-7]{3}|(?:[ug]+|a)?\+[rwxXt]*s[rwxXts]*|[ug]+=[rwxX]*s[rwxXs]*"
_FOR_ALL = r"0?[0-7]{2}[2367]|(?:[ug]*[oa][ugoa]*)[+=][rxXst]*w[rwxXst]*"
_HOST_FILES = r"(?:/|/(?:etc|root|boot|dev|proc|sys|var|usr|home)/?|.*/docker\.sock)(?::.*)?"
_HOST_MOUNT = r"type=bind,.*(?:src|source)=(?:/|/(?:etc|root|boot|dev|proc|sys|var|usr|home)/?|.*/docker\.sock)(?:,.*)?"
_NO_HOST_KEY = r"(?i:StrictHostKeyChecking[= ]no|UserKnownHostsFile[= ]/dev/null)"
_CONTAINERS = "docker podman nerdctl"

_RULES = (
    # Checks that are switched off.
    _rule("curl", "unverified", _WARNING, _UNCHECKED, flag("k", "--insecure", "--proxy-insecure", "--doh-insecure")),
    _rule("wget", "unverified", _WARNING, _UNCHECKED, words("--no-check-certificate", "--no-hsts")),
    _rule("http https", "unverified", _WARNING, _UNCHECKED, pair("--verify", "no|false")),
    _rule("git", "unverified", _WARNING, _UNHOOKED,
          either(flag("n", "--no-verify", after=("commit",)), words("--no-verify", after=("push",)),
                 words("--no-verify", after=("merge",)))),
    _rule("git", "unverified", _WARNING, _UNCHECKED,
          either(matching(rf"(?i:http\.sslverify)={_NO}"), pair("http.sslVerify", _NO))),
    _rule("npm yarn pnpm", "unverified", _WARNING, _UNCHECKED, either(words("--strict-ssl=false", "--no-strict-ssl"),
                                                                       matching("false", ("config", "set", "strict-ssl")))),
    _rule("pip pip3 uv", "unverified", _WARNING, _UNCHECKED, words("--trusted-host*", "--allow-insecure-host*")),
    _rule("apt apt-get", "unverified", _WARNING, _UNSIGNED,
          words("--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories")),
    _rule("dnf yum zypper", "unverified", _WARNING, _UNSIGNED, words("--nogpgcheck", "--no-gpgchecks", "--no-gpg-checks")),
    _rule("rpm", "unverified", _WARNING, _UNSIGNED, words("--nosignature", "--nodigest", "--noverify")),
    _rule("apk", "unverified", _WARNING, _UNSIGNED, words("--allow-untrusted")),
    _rule("ssh scp sftp", "unverified", _WARNING, _UNCHECKED, pair("-o", _NO_HOST_KEY)),
    _rule("rsync", "unverified", _WARNING, _UNCHECKED, matching(rf".*{_NO_HOST_KEY}.*")),
    _rule("kubectl helm", "unverified", _WARNING, _UNCHECKED, words("--insecure-skip-tls-verify*", "--kube-insecure-skip-tls-verify")),
    _rule("git", "force-push", _WARNING, "overwrites what others may have pushed",
          either(flag("f", "--force", "--mirror", after=("push",)), matching(r"\+[\w./-]+(?::[\w./-]+)?", ("push",)))),
    # Rights.
    _rule("chmod", "escalation", _CRITICAL, _OWNERS_RIGHTS, matching(_SET_ID)),
    _rule("install", "escalation", _CRITICAL, _OWNERS_RIGHTS, pair("-m", r"0?[2467][0-7]{3}|u\+s")),
    _rule("setcap", "escalation", _CRITICAL, "gives a program rights of the system", always),
    _rule("usermod", "escalation", _CRITICAL, "gives a user rights of the system",
          matching(r"(?:.*,)?(?:sudo|wheel|root|docker|adm)(?:,.*)?")),
    _rule("passwd chpasswd useradd adduser", "escalation", _WARNING, "changes who may log in", unless(words("-S", "--status"))),
    _rule("visudo gpasswd", "escalation", _WARNING, "changes who may act as whom", always),
    _rule("nsenter chroot", "escalation", _WARNING, "enters another system's rooms", always),
    _rule(_CONTAINERS, "escalation", _CRITICAL, "gives a container the machine's own files or engine",
          either(pair("-v", _HOST_FILES), pair("--volume", _HOST_FILES), pair("--mount", _HOST_MOUNT))),
    _rule(_CONTAINERS, "escalation", _WARNING, "gives a container rights over the machine",
          either(words("--privileged", "--privileged=true"), pair("--pid", "host"), pair("--security-opt", r"\w+[=:]unconfined"),
                 pair("--cap-add", r"(?i:all|(?:cap_)?sys_(?:admin|ptrace|module))"))),
    _rule("chmod", "world-writable", _WARNING, "lets everybody write", matching(_FOR_ALL)),
    # Doors.
    _rule("nc ncat netcat", "remote-code", _CRITICAL, "lets another host say what runs",
          words("-e", "-c", "-le", "-lve", "-lvpe", "-nlvpe", "--exec*", "--sh-exec*")),
    _rule("socat", "remote-code", _CRITICAL, "lets another host say what runs", matching(r"(?i:(?:exec|system|shell):.*)")),
    # What runs later.
    _rule("at batch", "persistence", _WARNING, _LATER, unless(words("-l", "-q", "-c", "-r", "-d"))),
    _rule("crontab", "persistence", _WARNING, _LATER, unless(words("-l", "-r"))),
    _rule("systemctl", "persistence", _WARNING, _AT_START, words("enable", "link", "reenable")),
    _rule("launchctl", "persistence", _WARNING, _AT_START, words("load", "bootstrap", "submit", "enable")),
    _rule("update-rc.d chkconfig", "persistence", _WARNING, _AT_START, always),
    _rule("ssh-copy-id", "persistence", _WARNING, "lets a key in from now on", always),
    _rule("git", "persistence", _WARNING, "has git run other hooks from now on",
          either(pair("core.hooksPath", ".+"), matching(r"core\.hooksPath=.+"))),
    # Traces.
    _rule("history", "history", _WARNING, _UNTRACED, words("-c", "-cw", "-d*")),
    _rule("journalctl", "history", _WARNING, _UNTRACED, words("--vacuum*")),
    _rule("auditctl", "history", _WARNING, _UNRECORDED, words("-D", "-e0")),
    _rule("set", "history", _WARNING, _UNRECORDED, pair("+o", "history")),
    _rule("unset", "history", _WARNING, _UNRECORDED, words("HISTFILE")),
    # Disks.
    _rule("mkfs mkswap blkdiscard", "disk", _CRITICAL, "erases what a disk holds", always),
    _rule("wipefs", "disk", _CRITICAL, "erases what a disk holds", words("-a", "--all", "-af", "-fa")),
    _rule("sfdisk sgdisk gdisk", "disk", _WARNING, "changes a disk's parts", unless(words("-l", "-p", "-d", "--dump", "--list"))),
    _rule("parted", "disk", _WARNING, "changes a disk's parts", words("mklabel", "mktable", "mkpart", "rm", "resizepart")),
    _rule("cryptsetup", "disk", _CRITICAL, "erases what a disk holds", words("luksFormat", "luksErase", "erase", "reencrypt")),
    _rule("hdparm", "disk", _CRITICAL, "erases what a disk holds", words("--security-erase*", "--trim-sector-ranges*")),
    _rule("fdisk", "disk", _WARNING, "changes a disk's parts", unless(words("-l", "--list", "-h", "--help"))),
)  # fmt: skip
"""Of the rules with one name the first that finds something in a call speaks."""

_OF_ACTS = frozenset({"escalation", "persistence", "disk"})
"""Rules that have nothing to say of a call that only reads (`visudo -c`, `crontab -l`)."""

_BY_PROGRAM: dict[str, list[_Rule]] = {}
for _each in _RULES:
    for _program in _each.programs.split():
        _BY_PROGRAM.setdefault(_program, []).append(_each)

_SWITCHES: Mapping[str, tuple[re.Pattern[str], str, str]] = MappingProxyType(
    {
        "GIT_SSL_NO_VERIFY": (re.compile(r"(?i:1|true|yes)"), "unverified", "has git not check whom it talks to"),
        "NODE_TLS_REJECT_UNAUTHORIZED": (re.compile("0"), "unverified", "has node not check whom it talks to"),
        "PYTHONHTTPSVERIFY": (re.compile("0"), "unverified", "has python not check whom it talks to"),
        "HISTFILE": (re.compile(r"|/dev/null"), "history", "stops the record of what is run"),
        "HISTSIZE": (re.compile("0"), "history", "stops the record of what is run"),
        "HISTFILESIZE": (re.compile("0"), "history", "empties the record of what was run"),
    }
)
"""Variables that switch something off: at which values, the rule, and what that does."""


def look(effects: Effects) -> Iterator[Finding]:
    """Findings on calls, on variables, and on what starts itself over and over."""
    for call in effects.invocations:
        name = "mkfs" if call.program.startswith("mkfs.") else call.program
        rules = _BY_PROGRAM.get(name)
        if rules is not None:
            acts = any(e.program == call.program and e.kind is not Kind.READ for e in effects.effects)
            yield from _of_call(call, [rule for rule in rules if acts or rule.name not in _OF_ACTS])
    for assigned in effects.assigned:
        yield from _of_variable(assigned)
    multiplying = {fact.program: fact for fact in reversed(effects.facts) if fact.sign is Sign.MULTIPLIES}
    for fact in multiplying.values():
        message = f"{fact.program} starts ever more processes, until the machine stands still"
        yield Finding(rule="fork-bomb", severity=_CRITICAL, message=message, span=fact.span)


def _of_call(call: Invocation, rules: list[_Rule]) -> Iterator[Finding]:
    told: set[str] = set()
    for rule in rules:
        found = rule.name not in told and rule.finds(call)
        if found is not False:
            told.add(rule.name)
            span = (found.span if isinstance(found, Field) else None) or call.span
            yield Finding(rule=rule.name, severity=rule.severity, message=f"{call.program} {rule.what}", span=span)


def _of_variable(assigned: Assigned) -> Iterator[Finding]:
    switch = _SWITCHES.get(assigned.name)
    if switch is not None and assigned.value.known and switch[0].fullmatch(assigned.value.text):
        message = f"{assigned.name} {switch[2]}"
        yield Finding(rule=switch[1], severity=_WARNING, message=message, span=assigned.span)
