"""A closed reader of short JavaScript programs (`node -e`, `node -p`): those that only print values, some of them out of JSON files."""

from __future__ import annotations

import re

LONGEST = 4_000

_STRING = r"""(?:'(?:[^'\\\n]|\\[nt])*'|"(?:[^"\\\n]|\\[nt])*"|`[^`\\$]*`)"""
_FILE = r"""(?:'[^'\\\n]+'|"[^"\\\n]+")"""
_JSON = r"""(?:'\.[^'\\\n]*\.json'|"\.[^"\\\n]*\.json")"""
_MEMBERS = rf"(?:\??\.[A-Za-z_$][\w$]*|\[(?:{_STRING}|\d+)\])*"
"""Looking at a member runs nothing; what is called stands below."""
_PLAIN = (
    rf"(?:{_STRING}|[\d.]+|true|false|null|process\.(?:version|versions(?:\.\w+)?|platform|arch|argv|execPath|pid|cwd\(\)|uptime\(\)"
    r"|memoryUsage\(\))|Math\.(?:PI|E|random\(\))|Date\.now\(\)"
    r"|require\((?:'(?:node:)?os'|\"(?:node:)?os\")\)\.(?:EOL|(?:platform|arch|type|release|hostname|homedir|tmpdir|totalmem|freemem"
    r"|uptime|cpus|loadavg|endianness)\(\)(?:\.length)?))"
)
_FROM_FILE = (
    rf"(?:require\(\s*{_JSON}\s*\)|JSON\.parse\(\s*require\((?:'(?:node:)?fs'|\"(?:node:)?fs\")\)\.readFileSync\(\s*{_FILE}\s*"
    rf"(?:,\s*{_STRING}\s*)?\)(?:\.toString\(\))?\s*\))"
)
_NAME = r"[A-Za-z_$][\w$]*"
_READ = re.compile(rf"(?:require|readFileSync)\(\s*({_FILE})")
_BOUND = re.compile(rf"\s*(?:const|let|var)\s+({_NAME})\s*=\s*{_FROM_FILE}{_MEMBERS}\s*")
_TAKEN = frozenset({"console", "process", "require", "JSON", "Object", "Math", "Date", "module", "globalThis"})


def javascript_reads(text: str) -> list[str] | None:
    """The files that a program reads; None when it is not one whose every statement only prints values."""
    if len(text) >= LONGEST:
        return None
    names: list[str] = []
    files: list[str] = []
    for statement in re.split(r";(?=\s*(?:console|process|const|let|var|$)\b|\s*$)", text):
        bound = _BOUND.fullmatch(statement)
        if bound is not None and bound[1] not in _TAKEN:
            names.append(re.escape(bound[1]))
        elif not _printing(tuple(names)).fullmatch(statement):
            return None
        files += [
            found[1:-1] for found in _READ.findall(statement) if not re.fullmatch(r".(?:node:)?(?:fs|os).", found)
        ]
    return files


def _printing(names: tuple[str, ...]) -> re.Pattern[str]:
    known = rf"|(?:{'|'.join(names)}){_MEMBERS}" if names else ""
    source = rf"(?:{_PLAIN}|{_FROM_FILE}{_MEMBERS}{known})"
    shown = (
        rf"(?:JSON\.stringify\(\s*{source}(?:\s*,\s*null\s*,\s*\d+)?\s*\)"
        rf"|Object\.(?:keys|values|entries)\(\s*{source}\s*\)(?:\.length|\.join\(\s*{_STRING}\s*\))?"
        rf"|{source}(?:\.join\(\s*{_STRING}\s*\))?)"
    )
    return re.compile(
        rf"\s*(?:console\.(?:log|error|info)\(\s*(?:{shown}(?:\s*[-,+*/%]\s*{shown})*)?\s*\)"
        rf"|{shown}(?:\s*[-+*/%]\s*{shown})*|process\.exit\(\d*\))?\s*"
    )
