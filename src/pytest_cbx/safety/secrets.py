"""Findings on secrets: those that stand in the text, and those that are read and sent away."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_cbx.effects.facts import Invocation
from pytest_cbx.effects.model import Effect, Effects, Kind, Place
from pytest_cbx.effects.values import Field
from pytest_cbx.safety.model import Finding, Severity
from pytest_cbx.safety.places import Area, area_of
from pytest_cbx.shell.nodes import Span

_TOKENS = (
    ("a GitHub token", r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}"),
    ("a GitLab token", r"glpat-[\w-]{20,}"),
    ("an AWS key", r"(?:AKIA|ASIA)[0-9A-Z]{16}"),
    ("a Slack token", r"xox[abprs]-[\w-]{10,}"),
    ("a Google key", r"AIza[\w-]{35}"),
    ("an npm token", r"npm_[A-Za-z0-9]{36}"),
    ("a PyPI token", r"pypi-AgE[\w-]{30,}"),
    ("an API key", r"sk-[A-Za-z0-9_-]{32,}|sk_live_[A-Za-z0-9]{20,}"),
    ("a JSON web token", r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
)
_TOKEN = re.compile("|".join(f"(?P<t{number}>{pattern})" for number, (_, pattern) in enumerate(_TOKENS)))
_MARKERS = ("gh", "glpat", "AKIA", "ASIA", "xox", "AIza", "npm_", "pypi-", "sk-", "sk_", "eyJ", "PRIVATE KEY")
"""A text without any of these holds no token; looking for them costs next to nothing."""

_PASSWORD_OPTION = re.compile(
    r"--?(?:[\w-]+-)?(?:password|passwd|passphrase|token|api-?key|secret|access-key)(?:=(.*))?", re.DOTALL
)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@$]+:([^/\s@$]+)@", re.IGNORECASE)
_BEARER = re.compile(r"authorization:\s*(?:bearer|basic|token)\s+(\S+)", re.IGNORECASE)
_SECRET_VARIABLE = re.compile(r"(?:.*_)?(?:PASSWORD|PASSWD|PGPASSWORD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)")
_QUERY = re.compile(r"[?&](?:api_?key|key|(?:access_)?token|secret|password|passwd)=([^&\s$]+)", re.IGNORECASE)
_AFTER = {
    "sshpass": ("-p",),
    "redis-cli": ("-a",),
    "docker": ("-p",),
    "podman": ("-p",),
    "zip": ("-P",),
    "unzip": ("-P",),
    "ldapsearch": ("-w",),
}
"""Options whose value is a password. (`docker run -p 80:80` is none: it has a colon.)"""
_GLUED = {"mysql": "-p", "mysqldump": "-p", "mysqladmin": "-p", "sshpass": "-p"}
_USER = {"curl": ("-u", "--user", "--proxy-user")}
_EXAMPLE = re.compile(
    r"(?i:|\W+|x+|\*+|<.*>|.*(?:example|dummy|fake|changeme|placeholder|your).*|(?:my)?(?:pass(?:word)?|secret|token|key)\d*|foo|bar|baz"
    r"|tests?(?:ing)?(?:[-_]?\w{0,8})?|root|admin|postgres|mysql|guest|user|default|local|dev|ci|none|null|true|false|\d{1,6}|stdin|-)"
)
"""Values that stand for a secret in examples and tests."""

_SENDERS = frozenset(
    {
        "curl",
        "wget",
        "nc",
        "ncat",
        "netcat",
        "socat",
        "http",
        "https",
        "ftp",
        "tftp",
        "telnet",
        "mail",
        "sendmail",
        "dig",
        "nslookup",
        "host",
    }
)
_UPLOAD = re.compile(r"^(?:[\w.-]+=)?[@<]")
"""`@file` and `name=@file`: curl and HTTPie send the file."""
_SECRET_NAME = re.compile(
    r"(?:^|/)(?:\.env(?:\.[\w-]+)?|id_(?:rsa|dsa|ecdsa|ed25519)|[^/]+\.(?:pem|key|p12|pfx|jks|keystore)|\.npmrc|\.pypirc|\.netrc"
    r"|credentials(?:\.json)?|secrets?\.(?:ya?ml|json|toml|env))$"
)
_TEMPLATES = (".example", ".sample", ".template", ".dist")
_COPIERS = frozenset({"scp", "rsync", "sftp"})
_OWNERS = frozenset(
    {"ssh", "ssh-add", "ssh-keygen", "ssh-copy-id", "ssh-agent", "git", "gpg", "gpg2", "aws", "gcloud", "kubectl", "helm", "docker",
     "podman", "psql", "pg_dump", "gh", "az", "twine", "npm", "terraform"}
)  # fmt: skip
"""Programs that use their own keys to say who they are."""


def look(effects: Effects, text: str) -> Iterator[Finding]:
    """Tokens and passwords in the text; keys that leave the machine. No message repeats a secret."""
    if any(marker in text for marker in _MARKERS):
        for found in _TOKEN.finditer(text):
            what = _TOKENS[int((found.lastgroup or "t0")[1:])][0]
            yield _told(
                Severity.CRITICAL, f"the text holds {what}: whoever sees the command has it", Span(*found.span())
            )
    for call in effects.invocations:
        for word, what in _passwords(call):
            yield _told(
                Severity.WARNING, f"{call.program} is given {what} for everybody to see", word.span or call.span
            )
    for assigned in effects.assigned:
        value = assigned.value
        if _SECRET_VARIABLE.fullmatch(assigned.name) and value.known and _serious(value.text):
            yield _told(Severity.WARNING, f"{assigned.name} is set to a secret for everybody to see", assigned.span)
    yield from _sent_away(effects)


def _told(severity: Severity, message: str, span: Span | None) -> Finding:
    return Finding(rule="secret-in-text", severity=severity, message=message, span=span)


def _serious(value: str) -> bool:
    return not _EXAMPLE.fullmatch(value) and "/" not in value[:1] and "$" not in value


def _passwords(call: Invocation) -> Iterator[tuple[Field, str]]:
    """Words of a call that hold a secret, and what it is."""
    before = ""
    for word in call.words:
        if word.known:
            yield from ((word, what) for what, value in _candidates(call.program, before, word.text) if _serious(value))
        before = word.text


def _candidates(program: str, before: str, text: str) -> Iterator[tuple[str, str]]:
    """What in the word `text` may be a secret. `before`: the word before it."""
    if text[:1] == "-":
        option = _PASSWORD_OPTION.fullmatch(text)
        if option is not None and option[1] is not None:
            yield "a secret", option[1]
    elif before[:1] == "-" and "=" not in before and _PASSWORD_OPTION.fullmatch(before):
        yield "a secret", text
    if ":" in text and before in _USER.get(program, ()):
        yield "a password", text.split(":", 1)[1]
    if before in _AFTER.get(program, ()) and ":" not in text and not text.isdigit():
        yield "a password", text
    if program in _GLUED and text.startswith(_GLUED[program]):
        yield "a password", text.removeprefix(_GLUED[program])
    if "@" in text and (url := _URL.search(text)):
        yield "a password in an address", url[1]
    if "=" in text and (query := _QUERY.search(text)):
        yield "a secret in an address", query[1]
    if ":" in text and (header := _BEARER.search(text)):
        yield "a secret in a header", header[1]


def _sent_away(effects: Effects) -> Iterator[Finding]:
    """Keys are read where the same text sends something to another host."""
    senders = {effect.program for effect in effects.effects if effect.kind is Kind.NETWORK}
    if not senders & (_SENDERS | _COPIERS | {"ssh"}):
        return
    for call in effects.invocations:
        for word in call.words if call.program in _SENDERS else ():
            at = _UPLOAD.match(word.text)
            if at is not None and word.known and _is_secret(Place(path=word.text[at.end() :])):
                message = f"{call.program} sends keys or passwords away: {word.text[at.end() :]}"
                yield Finding(
                    rule="exfiltration", severity=Severity.CRITICAL, message=message, span=word.span or call.span
                )
    for effect in effects.effects:
        if effect.kind is Kind.READ and effect.place is not None and _leaves(effect, effects):
            message = f"{effect.program or 'the command'} reads keys or passwords that may leave the machine: {effect.place.path}"
            yield Finding(rule="exfiltration", severity=Severity.CRITICAL, message=message, span=effect.span)


def _is_secret(place: Place) -> bool:
    return area_of(place) is Area.SECRET or (
        _SECRET_NAME.search(place.path) is not None and not place.path.endswith(_TEMPLATES)
    )


def _leaves(effect: Effect, effects: Effects) -> bool:
    if effect.place is None or not _is_secret(effect.place) or effect.program in _OWNERS:
        return False
    if effect.program in _SENDERS | _COPIERS:
        # Said to be the key that opens the door (`scp -i`, `curl --cert`, `curl -n`), it is not what is sent.
        doors = (
            "-i",
            "--cert",
            "-E",
            "--key",
            "--netrc",
            "-n",
            "--netrc-file",
            "--netrc-optional",
            "-F",
            "-K",
            "--config",
        )
        return not any(call.has(*doors) for call in effects.invocations if call.program == effect.program)
    return True
