"""A closed reader of short Python programs (`python -c`): it knows those that compute, print, and open files
by name. It goes by lists of what is allowed: kinds of nodes, builtins, names of modules, methods. Anything
else, and it says nothing."""

from __future__ import annotations

import ast
import posixpath
import re
import sys
import warnings
from collections.abc import Iterator

from pytest_cbx.effects.model import Kind

LONGEST = 4_000

Touch = tuple[Kind, str, str]
"""Kind, path, scope."""

_NODES = (
    ast.Module, ast.Expr, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Call, ast.keyword, ast.Subscript, ast.Slice,
    ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Starred, ast.JoinedStr, ast.FormattedValue, ast.BinOp, ast.UnaryOp, ast.BoolOp,
    ast.Compare, ast.IfExp, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.ListComp, ast.SetComp, ast.DictComp,
    ast.GeneratorExp, ast.comprehension, ast.Lambda, ast.arguments, ast.arg, ast.Assign, ast.AugAssign, ast.If, ast.For, ast.While,
    ast.Pass, ast.Break, ast.Continue, ast.Import, ast.ImportFrom, ast.alias, ast.Assert, ast.With, ast.withitem,
)  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BUILTINS = _words("""abs all any ascii bin bool bytes bytearray chr complex dict divmod enumerate filter float format frozenset
    hash hex id int isinstance issubclass iter len list map max min next object oct ord pow print range repr
    reversed round set slice sorted str sum tuple type zip open exit quit ValueError KeyError Exception
    SystemExit True False None""")
_METHODS = _words("""append add items keys values get pop copy count index sort reverse extend update split rsplit splitlines
    join strip lstrip rstrip upper lower title capitalize casefold swapcase replace startswith endswith find
    rfind format encode decode isdigit isalpha isalnum isupper islower isspace zfill ljust rjust center
    partition rpartition removeprefix removesuffix read readline readlines write writelines close flush group
    groups span start end isoformat strftime total_seconds date time year month day hour minute second timestamp
    hexdigest digest most_common setdefault intersection union difference issubset issuperset hex bit_length
    is_integer translate expandtabs discard remove clear name major minor micro releaselevel machine system node
    release version""")
"""Attributes of values; each does nothing but compute, or work on a file that `open` has named."""

_MODULES: dict[str, frozenset[str] | None] = {
    "sys": _words("""version version_info path argv executable platform maxsize byteorder prefix base_prefix exec_prefix
    implementation.name stdin stdin.read stdin.readline stdin.readlines stdin.buffer.read stdout.write
    stderr.write stdout.flush stdout stderr exit getsizeof getrecursionlimit getdefaultencoding flags hexversion
    float_info int_info api_version maxunicode"""),
    "os": _words("""getcwd getpid getppid cpu_count environ environ.get sep linesep name uname getuid geteuid getenv pathsep
    devnull path.join path.basename path.dirname path.exists path.abspath path.expanduser path.isfile path.isdir
    path.splitext path.realpath path.getsize path.normpath path.sep path.relpath path.isabs path.islink
    path.getmtime listdir"""),
    "time": _words("time sleep strftime localtime gmtime monotonic perf_counter ctime time_ns"),
    "json": _words("loads load dumps dump"),
    "base64": None, "calendar": None, "collections": None, "csv": None, "datetime": None, "decimal": None, "difflib": None,
    "fractions": None, "functools": frozenset({"reduce", "partial"}), "hashlib": None, "html": None, "itertools": None, "math": None,
    "platform": _words("""python_version python_version_tuple system machine platform node processor release version architecture uname
        python_implementation python_compiler python_build libc_ver mac_ver win32_ver freedesktop_os_release"""),
    "random": None, "re": None, "secrets": None, "shlex": None, "statistics": None, "string": None, "struct": None,
    "sysconfig": None, "textwrap": None, "unicodedata": None, "uuid": None, "urllib.parse": None, "importlib.metadata": None,
    "binascii": None, "zlib": None, "pprint": frozenset({"pprint", "pformat"}), "ast": frozenset({"literal_eval", "parse", "dump"}),
    "pathlib": frozenset({"Path"}), "tomllib": frozenset({"load", "loads"}), "site": frozenset({"getsitepackages", "getusersitepackages"}),
    "shutil": frozenset({"which", "get_terminal_size", "disk_usage"}),
    "__future__": None, "cmath": None, "ssl": frozenset({"OPENSSL_VERSION"}),
    "sqlite3": frozenset({"sqlite_version"}), "locale": frozenset({"getpreferredencoding"}), "bisect": None, "heapq": None,
}  # fmt: skip
"""What may be used of each module; None: all that is no module itself."""

_ACTS: dict[str, tuple[tuple[Kind, str], ...]] = {
    "os.remove": ((Kind.DELETE, "path"),), "os.unlink": ((Kind.DELETE, "path"),), "os.rmdir": ((Kind.DELETE, "path"),),
    "os.mkdir": ((Kind.CREATE, "path"),), "os.makedirs": ((Kind.CREATE, "path"),),
    "os.rename": ((Kind.DELETE, "tree"), (Kind.WRITE, "tree")), "os.replace": ((Kind.DELETE, "tree"), (Kind.WRITE, "tree")),
    "shutil.rmtree": ((Kind.DESTROY, "tree"),), "shutil.copyfile": ((Kind.READ, "path"), (Kind.WRITE, "path")),
    "shutil.copy": ((Kind.READ, "path"), (Kind.WRITE, "into")), "shutil.copy2": ((Kind.READ, "path"), (Kind.WRITE, "into")),
    "shutil.move": ((Kind.DELETE, "tree"), (Kind.WRITE, "into")), "shutil.copytree": ((Kind.READ, "tree"), (Kind.WRITE, "tree")),
}  # fmt: skip
"""Functions that change files, with what they do to their arguments, which must be literals."""

_PATH_ACTS: dict[str, tuple[Kind, str]] = {
    "mkdir": (Kind.CREATE, "path"), "touch": (Kind.CREATE, "path"), "unlink": (Kind.DELETE, "path"),
    "rmdir": (Kind.DELETE, "path"), "write_text": (Kind.WRITE, "path"), "write_bytes": (Kind.WRITE, "path"),
    "read_text": (Kind.READ, "path"), "read_bytes": (Kind.READ, "path"), "exists": (Kind.READ, "path"),
    "is_file": (Kind.READ, "path"), "is_dir": (Kind.READ, "path"),
}  # fmt: skip
"""Methods of `pathlib.Path("literal")`."""

_HARMLESS = frozenset({"exist_ok", "parents", "ignore_errors", "encoding", "mode", "newline", "dirs_exist_ok"})
"""Arguments of these that change nothing about where they act."""

_OPENS = {"r": Kind.READ, "w": Kind.WRITE, "x": Kind.CREATE, "a": Kind.APPEND}
_MODULE_NAMES = sys.stdlib_module_names - {"time", "datetime", "version", "platform"}


_CHANGES = frozenset({"append", "extend", "clear", "pop", "remove", "reverse", "sort", "update"})


class _Refused(Exception):
    """The program is not one of those that are known."""


def imported(text: str) -> list[str]:
    """Top-level names of the modules that a program may import, as far as its text tells."""
    return re.findall(r"\b(?:import|from)\s+(\w+)", text)


def python_touches(text: str) -> list[Touch] | None:
    """What a program touches; None when it is not one whose every step is known."""
    if len(text) > LONGEST or "\0" in text:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        return list(_Reader().read(tree))
    except (_Refused, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class _Reader:
    """Checks one program."""

    __slots__ = ("assigned", "classes", "functions", "modules", "origins")

    def __init__(self) -> None:
        self.modules: dict[str, str] = {}
        """Names that stand for modules."""
        self.functions: set[str] = set()
        """Names that are imported from modules and may be called."""
        self.origins: dict[str, str] = {}
        """Their full names."""
        self.classes: set[str] = set()
        """Those of them whose attributes may be used too: `date.today`."""
        self.assigned: set[str] = set()

    def read(self, tree: ast.Module) -> Iterator[Touch]:
        nodes = list(ast.walk(tree))
        for node in nodes:
            if not isinstance(node, _NODES):
                raise _Refused
            self._bind(node)
        if self.assigned & (self.modules.keys() | self.functions | _BUILTINS):
            raise _Refused
        self._paths(nodes)
        acting = self._paths_named(nodes)
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        bases = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
        inner = {
            id(node.value)
            for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute)
        }
        for node in nodes:
            if isinstance(node, ast.Name):
                if (node.id == "open" and id(node) not in called) or not self._only_acts(node, acting, called):
                    raise _Refused
                self._name(node, is_base=id(node) in bases)
            elif isinstance(node, ast.Attribute):
                if not self._only_acts(node, acting, called):
                    raise _Refused
                if self._dotted(node) not in _ACTS and id(node) not in acting:
                    self._attribute(node, whole=id(node) not in inner)
            elif isinstance(node, ast.Call):
                yield from self._call(node)

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name not in _MODULES and alias.name not in ("urllib", "importlib", "os.path"):
                    raise _Refused
                self.modules[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if node.level or not _allowed(node.module or "", alias.name):
                    raise _Refused
                self.functions.add(alias.asname or alias.name)
                self.origins[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                if _MODULES.get(node.module or "", frozenset()) is None:
                    self.classes.add(alias.asname or alias.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            self.assigned.add(node.id)
        elif isinstance(node, ast.arg):
            self.assigned.add(node.arg)
        elif isinstance(node, (ast.Assign, ast.AugAssign, ast.For)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(part, ast.Attribute) for target in targets for part in ast.walk(target)):
                raise _Refused

    def _only_acts(self, node: ast.Name | ast.Attribute, acting: set[int], called: set[int]) -> bool:
        """Whether a function that changes files is called right where it is named, and on literals."""
        name = self._dotted(node)
        return id(node) in called if name in _ACTS else id(node) in acting if name == "pathlib.Path" else True

    def _paths(self, nodes: list[ast.AST]) -> None:
        """Refuse to change `sys.path`: what is imported afterwards would be another module."""
        attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        if "path" not in attributes | self.functions:
            return
        stored = any(isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load) for node in nodes)
        if stored or attributes & _CHANGES or any(isinstance(node, ast.AugAssign) for node in nodes):
            raise _Refused

    def _name(self, node: ast.Name, *, is_base: bool) -> None:
        if node.id in self.modules:
            if not is_base:
                raise _Refused
        elif node.id not in _BUILTINS | self.assigned | self.functions:
            raise _Refused

    def _attribute(self, node: ast.Attribute, *, whole: bool) -> None:
        chain = _chain(node)
        if chain and chain[0] in self.modules:
            module, *rest = [*self.modules[chain[0]].split("."), *chain[1:]]
            if whole and not _reaches(module, rest):
                raise _Refused
        elif chain and chain[0] in self.classes and all(_plain(name) for name in chain[1:]):
            return
        elif node.attr not in _METHODS and not re.fullmatch(r"__(?:version|name|doc)__", node.attr):
            raise _Refused

    def _call(self, node: ast.Call) -> Iterator[Touch]:
        function = node.func
        if isinstance(function, ast.Name):
            if function.id in self.assigned:
                raise _Refused
            if function.id == "open":
                yield _opened(node)
        elif isinstance(function, ast.Attribute):
            yield from self._method(node, function)
        else:
            raise _Refused

    def _method(self, node: ast.Call, function: ast.Attribute) -> Iterator[Touch]:
        name = self._dotted(function)
        if name == "os.listdir":
            yield Kind.READ, _literal(node.args[0]) if node.args else ".", "children"
        elif name in _ACTS:
            acts = _ACTS[name]
            if len(node.args) != len(acts) or any(keyword.arg not in _HARMLESS for keyword in node.keywords):
                raise _Refused
            paths = [_literal(argument) for argument in node.args]
            if name == "os.makedirs":
                yield Kind.CREATE, paths[0], "parents"
            for (kind, scope), path in zip(acts, paths, strict=True):
                if scope != "into" or not path.endswith("/"):
                    yield kind, path, "path" if scope == "into" else scope
                if scope == "into":
                    yield kind, posixpath.join(path, posixpath.basename(paths[0].rstrip("/"))), "tree"
        elif isinstance(function.value, ast.Call) and self._dotted(function.value.func) == "pathlib.Path":
            if function.attr not in _PATH_ACTS:
                raise _Refused
            kind, scope = _PATH_ACTS[function.attr]
            if any(keyword.arg == "parents" for keyword in node.keywords):
                yield kind, _literal(function.value.args[0]), "parents"
            yield kind, _literal(function.value.args[0]), scope

    def _dotted(self, node: ast.expr) -> str:
        """The full name of a function of a module; empty for anything else."""
        chain = _chain(node)
        if isinstance(node, ast.Name):
            return self.origins.get(node.id, "")
        return ".".join([self.modules[chain[0]], *chain[1:]]) if chain and chain[0] in self.modules else ""

    def _paths_named(self, nodes: list[ast.AST]) -> set[int]:
        """`Path` where it stands for one act on a literal: `Path("x").mkdir()`."""
        found: set[int] = set()
        for node in nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PATH_ACTS:
                made = node.func.value
                harmless = all(keyword.arg in _HARMLESS for keyword in node.keywords)
                if isinstance(made, ast.Call) and len(made.args) == 1 and not made.keywords and harmless:
                    found |= {id(made.func), id(node.func)}
        return found


def _chain(node: ast.expr) -> list[str]:
    """`a.b.c` as names; empty when it starts with anything but a name."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        before = _chain(node.value)
        return [*before, node.attr] if before else []
    return []


def _allowed(module: str, name: str) -> bool:
    if module == "os.path":
        return _allowed("os", f"path.{name}")
    if module not in _MODULES or name == "*":
        return False
    names = _MODULES[module]
    return name in names if names is not None else _plain(name)


def _plain(name: str) -> bool:
    return not name.startswith("_") and name not in _MODULE_NAMES


def _reaches(module: str, rest: list[str]) -> bool:
    """Whether `module.rest…` is allowed: a listed name, and behind it attributes of values."""
    if rest and f"{module}.{rest[0]}" in _MODULES:
        module, rest = f"{module}.{rest[0]}", rest[1:]
    if rest[:1] == ["__version__"]:
        return len(rest) == 1
    names = _MODULES.get(module, frozenset())
    if names is None:
        return bool(rest) and all(_plain(name) for name in rest)
    for length in range(len(rest), 0, -1):
        if ".".join(rest[:length]) in names:
            return all(name in _METHODS for name in rest[length:])
    return False


def _opened(node: ast.Call) -> Touch:
    """The file that `open(…)` names."""
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    if not node.args or None in keywords or "opener" in keywords:
        raise _Refused
    mode = node.args[1] if len(node.args) > 1 else keywords.get("mode")
    text = "r" if mode is None else _literal(mode)
    path = _literal(node.args[0])
    kind = _OPENS.get(text[:1])
    if kind is None or not path:
        raise _Refused
    return (Kind.WRITE if "+" in text else kind), path, "path"


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise _Refused
