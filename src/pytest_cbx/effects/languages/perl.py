"""A closed reader of Perl one-liners: it accepts only programs that compute and print, and says no to
everything else. Facts: perlop, perlfunc, perlre, perldata of Perl 5.36. Whatever could open, run, load or
define code is no word that it knows."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS = _words("""print printf say if unless else elsif while until for foreach next last redo and or not xor eq ne lt gt le
    ge cmp x my our local split join length substr index rindex uc lc ucfirst lcfirst sprintf chomp chop chr ord
    reverse sort keys values each exists defined delete push pop shift unshift splice map grep scalar abs int
    sqrt hex oct sin cos exp log rand srand time localtime gmtime undef pos quotemeta die exit warn eof pack
    unpack BEGIN END STDIN STDERR STDOUT close ARGV sum sum0 max min first uniq shuffle maxstr minstr LINE
    wantarray return""")
_BEFORE_REGEX = _words(
    "and or not xor if unless while until split grep print say eq ne lt gt le ge cmp x return map join push"
)
"""Words behind which a slash begins a regular expression."""

_BEFORE_HASH = frozenset({"(", ",", "=", "my", "our", "local", "keys", "values", "each", ";", "{"})
_FORBIDDEN_NAMES = frozenset({"ARGV", "INC", "SIG", "ISA", "EXPORT", "ARGVOUT"})
_CLOSERS = {"{": "}", "(": ")", "[": "]", "<": ">"}
_DELIMITERS = "/|#!{([,:~@%"

_SPACE = re.compile(r"\s+|(?<=\s)#[^\n]*|\A#[^\n]*|(?<=[;{}])#[^\n]*")
_NUMBER = re.compile(r"0[xb][\da-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?")
_SCALAR = re.compile(r"\$(?:\#?\$?([A-Za-z_]\w*)(?!::|')|\d+|[.,/\\&!|+_0](?!\w)|\{(\w+)\})")
_ARRAY = re.compile(r"@(?:\$?([A-Za-z_]\w*)(?!::|')|_)")
_KEY = re.compile(r"\{-?\w+\}")
_WORD = re.compile(r"[A-Za-z_]\w*")
_OPERATOR = re.compile(
    r"<STDIN>|<>|<=>|\*\*=?|\.\.\.?|->(?=[\[{])|=>|[=!]~|[-+*/.%|^x]=|&&=?|\|\|=?|//=?|[<>=!]=|\+\+|--|[-+*/%.<>=!?:,;()\[\]{}~|^\\&]"
)
_INTERPOLATED = re.compile(
    r"""(?:[^$@\\]|\\.|\$(?:[A-Za-z_]\w*|\d+|[&.,;])(?:\[-?(?:\d+|\$\w+)\]|\{\$?\w+\})?(?!->|\[|\{|::)"""
    r"""|\$\{\w+\}(?!->|\[|\{)|\$(?=[)|\s]|\Z)|@(?:[A-Za-z_]\w*)(?![\[{]|::|->)|@(?=[^\w{$:]|\Z))*""",
    re.DOTALL,
)
_CODE_IN_REGEX = re.compile(r"\(\s*(?:\?\??|\*+)\s*\{")
_FLAGS = {"s": "gimsxonadlurpc", "m": "gimsxonadlupc", "qr": "imsxnadlup", "y": "cdsr", "tr": "cdsr"}


class Refused(Exception):
    """The program is not one that surely only computes and prints."""


def only_prints(program: str) -> bool:
    """Whether the program surely does nothing but compute, read its input and print."""
    if re.search(r"^=[A-Za-z]", program, re.MULTILINE) or len(program) > 4_000:
        return False  # documentation in the middle of code hides text from whoever reads it as code
    try:
        _Reader(program).read()
    except Refused:
        return False
    return True


class _Reader:
    __slots__ = ("before", "position", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.before = ""
        """The token before: a word, an operator, or `value`."""

    def read(self) -> None:
        while self.position < len(self.text):
            space = _SPACE.match(self.text, self.position)
            if space:
                self.position = space.end()
            else:
                self._token()

    def _token(self) -> None:
        text, char = self.text, self.text[self.position]
        if char == "$":
            self._variable(_SCALAR)
        elif char == "@":
            self._variable(_ARRAY)
        elif char in "\"'":
            end = self._delimited(self.position + 1, char)
            self._value(end, text[self.position + 1 : end - 1] if char == '"' else "")
        elif char.isdigit():
            self._value(_match(_NUMBER, text, self.position).end())
        elif char.isalpha() or char == "_":
            self._word()
        elif char == "/" and self._regex_may_begin():
            self._pattern("m", self.position)
        elif char == "%" and re.match(r"%[A-Za-z_{$:^+-]", text[self.position :]) and self.before != "value":
            self._hash()
        else:
            self._operator()

    def _value(self, end: int, interpolated: str = "") -> None:
        if interpolated:
            _check_interpolation(interpolated)
        self.position, self.before = end, "value"

    def _variable(self, pattern: re.Pattern[str]) -> None:
        found = _match(pattern, self.text, self.position)
        name = next((group for group in found.groups() if group), "")
        if name in _FORBIDDEN_NAMES and not (name == "ARGV" and found.group() == "$ARGV"):
            raise Refused
        self._value(found.end())
        while key := _KEY.match(self.text, self.position):
            self.position = key.end()

    def _hash(self) -> None:
        found = re.compile(r"%([A-Za-z_]\w*|\+)(?!::|')").match(self.text, self.position)
        if found is None or self.before not in _BEFORE_HASH or found.group(1) in _FORBIDDEN_NAMES:
            raise Refused
        self._value(found.end())

    def _regex_may_begin(self) -> bool:
        if self.before in ("value", ")", "]"):
            return False
        if self.before == "}" or (self.before[:1].isalpha() and self.before not in _BEFORE_REGEX):
            raise Refused  # a slash that may divide or begin a regular expression
        return True

    def _operator(self) -> None:
        found = _match(_OPERATOR, self.text, self.position)
        operator = found.group()
        following = self.text[found.end() : found.end() + 1]
        if (operator.startswith("<") and following == "<") or (operator == "&" and re.match(r"[\w${:&]", following)):
            raise Refused
        if operator == "-" and following == ">":
            raise Refused
        # Where a value is expected these begin a name (`%x`, `*x`), a list of files (`<…>`) or a match (`?…?`).
        if operator[0] in "%*<?" and operator not in ("<STDIN>", "<>") and self.before not in ("value", ")", "]"):
            raise Refused
        if operator == "<" and re.match(r"<\s*[<\"'~A-Za-z]", self.text[self.position :]):
            raise Refused
        self.position = found.end()
        self.before = "value" if operator in ("<STDIN>", "<>", "++", "--") and self.before == "value" else operator
        if operator in ("]", "->") and (key := _KEY.match(self.text, self.position)):
            self._value(key.end())

    def _word(self) -> None:
        found = _match(_WORD, self.text, self.position)
        word, end = found.group(), found.end()
        if self.text.startswith(("::", "'"), end) and word not in ("q", "qq", "m", "s", "y", "tr", "qw", "qr"):
            raise Refused
        if re.match(r"\s*=>", self.text[end:]):
            self._value(end)
        elif word in ("s", "m", "qr", "y", "tr", "q", "qq", "qw"):
            if self.before == "-":  # `-s FILE` is a test, and what follows no quoting operator
                raise Refused
            self._pattern(word, end)
        elif word == "ARGV" and not re.search(r"\b(?:close|eof)\s*\(?\s*$", self.text[: self.position]):
            raise Refused
        elif self.before == "value" and re.fullmatch(r"x\d+", word):
            self._value(end)
        elif word in _WORDS:
            self.position, self.before = end, word
        else:
            raise Refused

    def _pattern(self, kind: str, position: int) -> None:
        """`s/a/b/flags` and the other quoting operators; `position` is that of the delimiter."""
        delimiter = self.text[position : position + 1]
        if not delimiter or delimiter not in _DELIMITERS:
            raise Refused
        parts = 2 if kind in ("s", "y", "tr") else 1
        end = position
        for part in range(parts):
            if part and delimiter in _CLOSERS:
                if self.text[end : end + 1] != delimiter:
                    raise Refused
                start = end + 1
            else:
                start = end + (0 if part else 1)
            end = self._delimited(
                start, _CLOSERS.get(delimiter, delimiter), opener=delimiter if delimiter in _CLOSERS else ""
            )
            body = self.text[start : end - 1]
            if kind in ("s", "m", "qr", "qq"):
                _check_interpolation(body)
                if _CODE_IN_REGEX.search(body):
                    raise Refused
        flags = _match(re.compile(r"\w*"), self.text, end).group()
        if set(flags) - set(_FLAGS.get(kind, "")):
            raise Refused
        self._value(end + len(flags))

    def _delimited(self, position: int, closer: str, opener: str = "") -> int:
        """The position behind the next `closer` that no backslash precedes, brackets counted."""
        depth = 0
        while position < len(self.text):
            char = self.text[position]
            if char == "\\":
                position += 1
            elif char == closer and not depth:
                return position + 1
            elif opener and char in (opener, closer):
                depth += 1 if char == opener else -1
            position += 1
        raise Refused


def _match(pattern: re.Pattern[str], text: str, position: int) -> re.Match[str]:
    found = pattern.match(text, position)
    if found is None:
        raise Refused
    return found


def _check_interpolation(body: str) -> None:
    """Refuse text whose variables have code in their subscripts, or `@{[…]}`."""
    found = _INTERPOLATED.match(body)
    if found is None or found.end() != len(body):
        raise Refused
