"""Paths that program text plainly names as written, made or removed, for programs that are not followed.

These come *beside* the effect that the program may do anything: they say what it will most likely change, never that it changes
no more. So a reader that overlooks something, or takes a function for called that is not, does no harm.
"""

from __future__ import annotations

import ast
import posixpath
import re
import sys
import warnings
from collections.abc import Iterator

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import Field, Shape, escape

LONGEST = 100_000
MOST = 40
"""More paths than these are as good as none."""

Hint = tuple[Kind, Field, str]
"""Kind, path, scope."""

BYTECODE = (Kind.CACHE, Field("./**/__pycache__/**", Shape.PATTERN), "glob")


def hints(language: str, text: str) -> list[Hint]:
    """What a text of `python`, `node`, `perl` or `ruby` plainly names."""
    if len(text) > LONGEST:
        return []
    found = dict.fromkeys(_python(text) if language == "python" else _by_pattern(text, language))
    return list(found) if len(found) <= MOST else []


# --- Python ----------------------------------------------------------------------------------------------

_FUNCTIONS: dict[str, tuple[tuple[Kind, str], ...]] = {
    "os.remove": ((Kind.DELETE, "path"),), "os.unlink": ((Kind.DELETE, "path"),), "os.rmdir": ((Kind.DELETE, "path"),),
    "os.mkdir": ((Kind.CREATE, "path"),), "os.makedirs": ((Kind.CREATE, "deep"),),
    "os.rename": ((Kind.DELETE, "tree"), (Kind.WRITE, "tree")), "os.replace": ((Kind.DELETE, "tree"), (Kind.WRITE, "tree")),
    "os.symlink": ((Kind.READ, "path"), (Kind.CREATE, "path")), "shutil.rmtree": ((Kind.DELETE, "tree"),),
    "shutil.copy": ((Kind.READ, "path"), (Kind.WRITE, "into")), "shutil.copy2": ((Kind.READ, "path"), (Kind.WRITE, "into")),
    "shutil.copyfile": ((Kind.READ, "path"), (Kind.WRITE, "path")), "shutil.copytree": ((Kind.READ, "tree"), (Kind.WRITE, "tree")),
    "shutil.move": ((Kind.DELETE, "tree"), (Kind.WRITE, "into")),
}  # fmt: skip
_METHODS: dict[str, tuple[Kind, str]] = {
    "write_text": (Kind.WRITE, "path"), "write_bytes": (Kind.WRITE, "path"), "touch": (Kind.CREATE, "path"),
    "mkdir": (Kind.CREATE, "deep"), "unlink": (Kind.DELETE, "path"), "rmdir": (Kind.DELETE, "path"),
    "rename": (Kind.DELETE, "tree"), "replace": (Kind.DELETE, "tree"),
}  # fmt: skip
_PATHS = frozenset({"Path", "pathlib.Path", "str", "os.fspath", "PurePath", "os.path.abspath"})


def _python(text: str) -> Iterator[Hint]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    names: dict[str, Field] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = _value(node.value, names)
            if value is not None:
                names[node.targets[0].id] = value
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _called(node, names)
    if imports_own(text):
        yield BYTECODE


def imports_own(text: str) -> bool:
    """Whether Python text imports modules that are not the library's: their bytecode is kept beside them."""
    found = re.findall(
        r"^[ \t]*(?:from[ \t]+(\.*\w*)|import[ \t]+(\w+))|;[ \t]*(?:from|import)[ \t]+(\w+)", text, re.MULTILINE
    )
    names = {name for names in found for name in names if name}
    return bool(names - sys.stdlib_module_names)


def _called(node: ast.Call, names: dict[str, Field]) -> Iterator[Hint]:
    function = _dotted(node.func)
    if function in ("open", "io.open") and node.args:
        mode = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords if k.arg == "mode"), None)
        path = _value(node.args[0], names)
        if path is not None and isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+"):
            yield Kind.WRITE, path, "path"
    elif function in _FUNCTIONS:
        paths = [_value(argument, names) for argument in node.args]
        for (kind, scope), path in zip(_FUNCTIONS[function], paths, strict=False):
            if path is not None and kind is not Kind.READ:
                yield from _deep(kind, path, scope)
                if scope == "into" and paths[0] is not None:
                    yield kind, _join(path, Field(posixpath.basename(paths[0].text), paths[0].shape)), "path"
    elif isinstance(node.func, ast.Attribute) and node.func.attr in (*_METHODS, "open"):
        path = _value(node.func.value, names)
        mode = node.args[0] if node.args else None
        opens = isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+")
        if path is not None and node.func.attr == "open" and opens:
            yield Kind.WRITE, path, "path"
        elif path is not None and node.func.attr in _METHODS and _is_path(node.func.value, names):
            kind, scope = _METHODS[node.func.attr]
            yield from _deep(kind, path, scope)
            target = _value(mode, names) if node.func.attr in ("rename", "replace") and mode is not None else None
            if target is not None:
                yield Kind.WRITE, target, "tree"


def _deep(kind: Kind, path: Field, scope: str) -> Iterator[Hint]:
    if scope == "deep":
        yield kind, path, "parents"
    yield kind, path, "path" if scope in ("deep", "into") else scope


def _is_path(node: ast.expr, names: dict[str, Field]) -> bool:
    """Whether it is a path rather than any text, which has a `replace` of its own."""
    return not (isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id not in names))


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def _value(node: ast.expr, names: dict[str, Field]) -> Field | None:
    """A path as far as the text says it: `a / f"{x}.txt"` is `a/*.txt`."""
    match node:
        case ast.Constant(value=str(text)):
            return Field(text) if text and "\n" not in text else None
        case ast.Name(id=name):
            return names.get(name)
        case ast.JoinedStr(values=values):
            parts = [str(v.value) if isinstance(v, ast.Constant) else None for v in values]
            return Field("".join("*" if part is None else escape(part) for part in parts), Shape.PATTERN)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _both(_value(left, names), _value(right, names))
        case ast.Call(func=function, args=arguments) if arguments and not isinstance(arguments[0], ast.Starred):
            name = _dotted(function)
            if name in _PATHS or name == "os.path.join":
                found = [_value(argument, names) for argument in arguments]
                whole = found[0]
                for part in found[1:]:
                    whole = _both(whole, part)
                return whole
    return None


def _both(one: Field | None, other: Field | None) -> Field | None:
    return None if one is None or other is None else _join(one, other)


def _join(one: Field, other: Field) -> Field:
    if one.known and other.known:
        return Field(posixpath.join(one.text, other.text))
    texts = [field.text if field.shape is Shape.PATTERN else escape(field.text) for field in (one, other)]
    return Field(posixpath.join(*texts), Shape.PATTERN)


# --- others ----------------------------------------------------------------------------------------------

_TEXT = r"""(?:'([^'\n$]+)'|"([^"\n$#@]+)"|`([^`\n$]+)`|(\w+))"""
_NODE = r"\b(?:fs|fsp|promises|fsPromises)\.(?:promises\.)?"
_CALLS: dict[str, tuple[tuple[str, Kind, str], ...]] = {
    "node": (
        (rf"{_NODE}(?:writeFile|appendFile)(?:Sync)?\(\s*{_TEXT}", Kind.WRITE, "path"),
        (rf"{_NODE}createWriteStream\(\s*{_TEXT}", Kind.WRITE, "path"),
        (rf"{_NODE}mkdir(?:Sync)?\(\s*{_TEXT}", Kind.CREATE, "deep"),
        (rf"{_NODE}unlink(?:Sync)?\(\s*{_TEXT}", Kind.DELETE, "path"),
        (rf"{_NODE}(?:rm|rmdir)(?:Sync)?\(\s*{_TEXT}", Kind.DELETE, "tree"),
        (rf"{_NODE}rename(?:Sync)?\(\s*{_TEXT}", Kind.DELETE, "tree"),
        (rf"{_NODE}(?:copyFile|rename|cp)(?:Sync)?\([^,()]+,\s*{_TEXT}", Kind.WRITE, "tree"),
    ),
    "perl": (
        (rf"\bopen\b[^;]*?,\s*[\"']\+?>>?[^\"']*[\"']\s*,\s*{_TEXT}", Kind.WRITE, "path"),
        (rf"\bunlink\s*\(?\s*{_TEXT}", Kind.DELETE, "path"),
        (rf"\bmkdir\s*\(?\s*{_TEXT}", Kind.CREATE, "path"),
        (rf"\brename\s*\(?\s*{_TEXT}\s*,", Kind.DELETE, "tree"),
        (rf"\brename\s*\(?[^,;]+,\s*{_TEXT}", Kind.WRITE, "tree"),
    ),
    "ruby": (
        (rf"\b(?:File|IO)\.(?:write|binwrite)\(?\s*{_TEXT}", Kind.WRITE, "path"),
        (rf"\bFile\.(?:open|new)\(?\s*{_TEXT}\s*,\s*[\"'][wa]", Kind.WRITE, "path"),
        (rf"\b(?:FileUtils|Dir)\.mkdir(?:_p)?\(?\s*{_TEXT}", Kind.CREATE, "deep"),
        (rf"\b(?:File\.(?:delete|unlink)|FileUtils\.rm(?:_f)?)\(?\s*{_TEXT}", Kind.DELETE, "path"),
        (rf"\bFileUtils\.rm_r[f]?\(?\s*{_TEXT}", Kind.DELETE, "tree"),
        (rf"\bFileUtils\.touch\(?\s*{_TEXT}", Kind.CREATE, "path"),
        (rf"\b(?:FileUtils\.(?:cp|mv|cp_r)|File\.rename)\(?[^,;]+,\s*{_TEXT}", Kind.WRITE, "tree"),
    ),
}  # fmt: skip
_ASSIGNED = re.compile(r"""(?:const|let|var|my)?\s*\$?\b(\w+)\s*=\s*(?:'([^'\n$]+)'|"([^"\n$#@]+)")""")
_REQUIRED = re.compile(r"""require\(\s*['"](?:node:)?fs(?:/promises)?['"]\s*\)""")
_PATH_JOIN = re.compile(r"path\.(?:join|resolve)\(\s*((?:__dirname\s*,\s*)?['\"][^()$]*?['\"])\s*\)")


def _by_pattern(text: str, language: str) -> Iterator[Hint]:
    if language == "node":
        text = _PATH_JOIN.sub(
            lambda found: repr("/".join(re.findall(r"['\"]([^'\"]+)['\"]", found[1]))), _REQUIRED.sub("fs", text)
        )
    names = {found[1]: found[2] or found[3] for found in _ASSIGNED.finditer(text)}
    for pattern, kind, scope in _CALLS.get(language, ()):
        for found in re.finditer(pattern, text):
            *literals, name = found.groups()
            path = next((text for text in literals if text), None) or names.get(name or "")
            if path:
                yield from _deep(kind, Field(path), scope)
