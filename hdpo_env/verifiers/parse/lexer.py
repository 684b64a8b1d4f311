"""Answer text -> tokens. Linear, bounded, and blind to spacing and styling commands."""

from __future__ import annotations

import re
from typing import NamedTuple

from hdpo_env.verifiers.parse import words
from hdpo_env.verifiers.parse.nodes import ParseError

MAX_TOKENS = 2_000
MAX_DIGITS = 4_000  # Python refuses to read longer integers
MAX_CHARS = 10_000


class Token(NamedTuple):
    """``kind`` decides the grammar, ``value`` the meaning, ``gap`` whether space came before."""

    kind: str
    value: str
    gap: bool = False


_THOUSANDS = r"[1-9]\d{0,2}(?:(?:\{,\}|,\\!\s?|\\!,|\\,|\s?\{\s*,\s*\}\s?)\d{3})+(?!\d)(?:\.\d+)?"
_COMMAS = r"[1-9]\d{0,2}(?:,\d{3})+(?!\d)(?:\.\d+)?"
_BLANKS = r"[1-9]\d{0,2}(?:[ ~]\d{3})+(?!\d)(?:\.\d+)?"
_PATTERN = re.compile(
    rf"""
    (?P<space>[\s~]+)
  | (?P<repeat>\d*\.\d*\s?\\(?:overline|bar|dot|overset)\s*\{{?\d+\}}?(?:\\dot\{{?\d\}}?)?)
  | (?P<grouped>{_THOUSANDS})
  | (?P<commas>{_COMMAS})
  | (?P<blanks>{_BLANKS})
  | (?P<comma>\d+\{{,\}}\d+(?![\d{{]))
  | (?P<num>(?:\d+\.\d+|\d+\.(?![.\d])|\d+|\.\d+)(?:[eE][+-]?\d{{1,6}}(?![\d.A-Za-z]))?)
  | \\(?P<cmd>[A-Za-z]+)\*?
  | \\(?P<esc>[^A-Za-z])
  | (?P<run>[A-Za-z]+)
  | (?P<other><=|>=|!=|==|=>|->|\*\*|\.\.\.|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OTHER = {
    "(": ("open", "("), "[": ("open", "["), ")": ("close", ")"), "]": ("close", "]"),
    "{": ("lb", "{"), "}": ("rb", "}"), "+": ("op", "+"), "-": ("op", "-"), "*": ("op", "*"),
    "/": ("op", "/"), "^": ("op", "^"), "**": ("op", "^"), "_": ("op", "_"), "!": ("op", "!"),
    "'": ("op", "'"), ":": (":", ":"), "=": ("rel", "="), "==": ("rel", "="), "<": ("rel", "<"),
    ">": ("rel", ">"), "<=": ("rel", "<="), ">=": ("rel", ">="), "!=": ("rel", "!="),
    "=>": ("rel", "to"), "->": ("rel", "to"), "|": ("bar", "|"), ",": (",", ","), ";": (",", ";"),
    "&": ("&", "&"), "%": ("%", "%"), "€": ("money", "euro"), "¢": ("money", "cent"),
    "£": ("money", "gbp"),
    "¥": ("money", "yen"), "₹": ("money", "rupee"), "...": ("sym", "..."), "$": ("money", "dollar"),
    "~": ("rel", "~"), "?": ("word", "?"), '"': ("space", ""), "`": ("space", ""),
}  # fmt: skip
_ESCAPED = {
    "{": ("open", "{"), "}": ("close", "}"), "%": ("%", "%"), "$": ("money", "dollar"),
    "\\": ("row", "row"), "|": ("bar", "||"), "#": ("word", "#"), "&": ("word", "&"),
    "_": ("op", "_"), "(": ("space", ""), ")": ("space", ""), "[": ("space", ""),
    "]": ("space", ""),
}  # fmt: skip
_COMMANDS = {
    "cdot": ("op", "*"), "times": ("op", "*"), "ast": ("op", "*"), "div": ("op", "/"),
    "pm": ("pm", "+-"), "mp": ("pm", "-+"), "infty": ("sym", "oo"), "cup": ("setop", "cup"),
    "bigcup": ("setop", "cup"), "cap": ("setop", "cap"), "setminus": ("setop", "minus"),
    "backslash": ("setop", "minus"), "smallsetminus": ("setop", "minus"),
    "emptyset": ("sym", "emptyset"), "varnothing": ("sym", "emptyset"), "circ": ("deg", "deg"),
    "degree": ("deg", "deg"), "prime": ("op", "'"), "mid": ("mid", "|"), "vert": ("bar", "|"),
    "lvert": ("bar", "|"), "rvert": ("bar", "|"), "Vert": ("bar", "||"), "lVert": ("bar", "||"),
    "rVert": ("bar", "||"), "lbrace": ("open", "{"), "rbrace": ("close", "}"),
    "lbrack": ("open", "["), "rbrack": ("close", "]"), "lparen": ("open", "("),
    "rparen": ("close", ")"), "langle": ("open", "<"), "rangle": ("close", ">"),
    "lfloor": ("open", "floor"), "rfloor": ("close", "floor"), "lceil": ("open", "ceil"),
    "rceil": ("close", "ceil"), "ldots": ("sym", "..."), "cdots": ("sym", "..."),
    "dots": ("sym", "..."), "dotsb": ("sym", "..."), "dotsc": ("sym", "..."),
    "dotsm": ("sym", "..."), "vdots": ("sym", "..."), "land": ("and", "and"),
    "wedge": ("and", "and"),
    "lor": ("or", "or"), "vee": ("or", "or"), "colon": (":", ":"), "pounds": ("money", "gbp"),
    "euro": ("money", "euro"), "percent": ("%", "%"), "sp": ("op", "^"), "sb": ("op", "_"),
    "inf": ("sym", "oo"), "infinity": ("sym", "oo"),
    "angle": ("space", ""), "triangle": ("space", ""), "measuredangle": ("space", ""),
    "forall": ("clause", ""), "therefore": ("space", ""), "because": ("clause", ""),
    "checkmark": ("space", ""), "square": ("space", ""), "blacksquare": ("space", ""),
    "newline": ("row", "row"), "cr": ("row", "row"), "S": ("space", ""),
}  # fmt: skip
_KEPT = frozenset(
    [
        "frac",
        "dfrac",
        "tfrac",
        "cfrac",
        "sqrt",
        "binom",
        "dbinom",
        "tbinom",
        "choose",
        "begin",
        "end",
        "pmod",
        "bmod",
        "mod",
        "sum",
        "prod",
        "int",
        "lim",
        "over",
        "stackrel",
        "overset",
        "underset",
        "hline",
        "log",
    ]
)
_SPOKEN_RUNS = {"infinity": "oo", "inf": "oo", "oo": "oo", "Infinity": "oo", "INF": "oo"}


def tokenize(text: str, *, merge_commas: bool = True) -> list[Token]:
    """The tokens of an answer.

    ``merge_commas`` reads ``1,234`` as one number; the caller may also want the other reading.

    Raises:
        ParseError: the text is longer than the limits above.
    """
    if len(text) > MAX_CHARS:
        raise ParseError(f"the answer has {len(text)} characters; the limit is {MAX_CHARS}")
    out: list[Token] = []
    _scan(text, out, merge_commas, False)
    if len(out) > MAX_TOKENS:
        raise ParseError(f"the answer has {len(out)} tokens; the limit is {MAX_TOKENS}")
    return out


def _scan(text: str, out: list[Token], merge: bool, spoken: bool) -> None:
    position, gap = 0, False
    while position < len(text) and len(out) <= MAX_TOKENS:
        match = _PATTERN.match(text, position)
        assert match is not None  # the last alternative takes any character
        position = match.end()
        kind, value = match.lastgroup, match.group(match.lastgroup)  # type: ignore[arg-type]
        if kind == "space":
            gap = True
        elif kind == "cmd":
            position = _command(value, text, position, out, merge, gap)
            gap = value in words.SPACES
        elif kind == "run":
            _run(value, out, gap, spoken)
            gap = False
        elif kind == "esc":
            gap = _mark(_ESCAPED.get(value, ("space", "")), out, gap)
        elif kind == "other":
            gap = _mark(_OTHER.get(value, ("word", value)), out, gap)
        elif kind == "commas" and not merge:
            position = match.start() + value.index(",")
            out.append(Token("num", value[: value.index(",")], gap))
            gap = False
        else:
            out.append(_number(str(kind), value, gap))
            gap = False


def _mark(mark: tuple[str, str], out: list[Token], gap: bool) -> bool:
    if mark[0] == "space":
        return True
    out.append(Token(*mark, gap))
    return False


def _number(kind: str, text: str, gap: bool) -> Token:
    if len(text) > MAX_DIGITS:
        raise ParseError(f"a number has {len(text)} digits; the limit is {MAX_DIGITS}")
    if kind == "repeat":
        return Token("repeat", re.sub(r"[^\d.]+", "|", text).strip("|"), gap)
    if kind == "comma":
        text = text.replace("{,}", ".")  # TeX's decimal comma
    return Token("num", re.sub(r"[^\d.eE+-]", "", text), gap)


def _group(text: str, start: int) -> tuple[str, int]:
    """The braced group at ``start`` (after blanks) and the position behind it."""
    while start < len(text) and text[start] in " \t\n":
        start += 1
    if start >= len(text) or text[start] != "{":
        return "", -1
    depth = 0
    for match in re.finditer(r"\\.|[{}]", text[start:], re.DOTALL):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0:
            return text[start + 1 : start + match.start()], start + match.end()
    return "", -1


def _command(name: str, text: str, at: int, out: list[Token], merge: bool, gap: bool) -> int:
    """Append what a command means; returns the position behind what it consumed."""
    if name in words.STYLE or name in words.SPACES:
        if name in ("left", "right") and text[at : at + 1] == ".":
            return at + 1
        if name in ("hspace", "vspace"):
            return max(at, _group(text, at)[1])
        return at
    if name in words.TEXT:
        return _text_command(name, text, at, out, merge, gap)
    if name in words.WRAP or name in words.ACCENT or name == "mathbb":
        return _wrapped(name, text, at, out, merge, gap)
    if name in _COMMANDS:
        _mark(_COMMANDS[name], out, gap)
    elif name in words.RELATIONS:
        out.append(Token("rel", words.RELATIONS[name], gap))
    elif name in _KEPT:
        at = _kept(name, text, at, out, gap)
    elif name in words.FUNCTIONS:
        out.append(Token("fn", words.FUNCTIONS[name], gap))
    elif name in ("dollar", "dollars"):
        out.append(Token("money", "dollar", gap))
    else:
        alias = {"varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta"}.get(name, name)
        out.append(Token("sym", alias, gap))
    return at


def _kept(name: str, text: str, at: int, out: list[Token], gap: bool) -> int:
    if name in ("begin", "end"):
        env, behind = _group(text, at)
        if behind < 0:
            raise ParseError(f"\\{name} without an environment")
        if env.startswith(("array", "tabular")) and name == "begin":
            behind = max(behind, _group(text, behind)[1])
        out.append(Token(name, env.rstrip("*"), gap))
        return behind
    if name == "hline":
        return at
    alias = {
        "dfrac": "frac",
        "tfrac": "frac",
        "cfrac": "frac",
        "dbinom": "binom",
        "tbinom": "binom",
    }
    kind = "fn" if name == "log" else "cmd"
    out.append(Token(kind, alias.get(name, name), gap))
    return at


def _text_command(name: str, text: str, at: int, out: list[Token], merge: bool, gap: bool) -> int:
    inner, behind = _group(text, at)
    if behind < 0:
        return at
    stripped = inner.strip()
    if name in ("mathrm", "operatorname") and len(stripped) == 1 and stripped.isalpha():
        out.append(Token("sym", stripped, gap))
    elif name in ("mathrm", "operatorname") and stripped in words.FUNCTIONS:
        out.append(Token("fn", words.FUNCTIONS[stripped], gap))
    else:
        before = len(out)
        _scan(inner, out, merge, True)
        if len(out) > before and gap:
            out[before] = out[before]._replace(gap=True)
    return behind


def _wrapped(name: str, text: str, at: int, out: list[Token], merge: bool, gap: bool) -> int:
    inner, behind = _group(text, at)
    if behind < 0 and name in ("vec", "bar", "hat", "overline", "mathbf", "mathbb", "dot"):
        match = re.compile(r"\s*([A-Za-z])").match(text, at)
        if match:
            inner, behind = match.group(1), match.end()
    if behind < 0:
        return at
    stripped = inner.strip()
    if name == "mathbb":
        out.append(Token("sym", f"bb{stripped}", gap))
    elif stripped.isalnum() and stripped.isascii() and not stripped.isdigit():
        out.append(Token("sym", _accented(name, stripped), gap))
    elif name in words.ACCENT and not stripped.isdigit():
        out.append(Token("fn", name, gap))  # a conjugate or a mean is not its argument
        out.append(Token("lb", "{"))
        _scan(inner, out, merge, False)
        out.append(Token("rb", "}"))
    else:
        _scan(inner, out, merge, False)
    return behind


def _accented(name: str, inner: str) -> str:
    if inner.isupper() and (len(inner) > 1 or name in words.WRAP):
        return inner  # a segment or an arc is named by its ends
    if name in ("vec", "hat", "overrightarrow", "mathbf", "boldsymbol", "bm", "pmb", "widehat"):
        return f"vec:{inner}"
    return inner if name in words.WRAP else f"{name}:{inner}"


def _run(run: str, out: list[Token], gap: bool, spoken: bool) -> None:
    """A run of plain letters: a function, a word, a name, or a product of letters."""
    lower = run.lower()
    if len(run) == 1:
        out.append(Token("word" if spoken else "sym", run, gap))
    elif lower in words.AND:
        out.append(Token("and", "and", gap))
    elif lower in words.OR:
        out.append(Token("or", "or", gap))
    elif lower in words.CLAUSE:
        out.append(Token("clause", lower, gap))
    elif run in _SPOKEN_RUNS:
        out.append(Token("sym", "oo", gap))
    elif run in words.GREEK and not (spoken and len(run) < 3):
        out.append(Token("sym", run, gap))
    elif spoken and run == "min" and out and out[-1].kind == "num":
        out.append(Token("word", run, gap))  # minutes
    elif run in words.FUNCTIONS or run in ("sqrt", "cbrt", "union", "mod", "frac", "binom"):
        _spoken_function(run, out, gap)
    elif spoken or len(run) > 3 or lower in words.SHORT_WORDS:
        if not _glued(run, out, gap, spoken):
            out.append(Token("word", run, gap))
    elif run.isupper():
        out.append(Token("sym", run, gap))
    elif not _glued(run, out, gap, spoken):
        out.extend(Token("sym", c, gap and i == 0) for i, c in enumerate(run))


def _spoken_function(run: str, out: list[Token], gap: bool) -> None:
    if run in ("sqrt", "cbrt", "mod", "frac", "binom"):
        out.append(Token("cmd", run, gap))
    elif run == "union":
        out.append(Token("setop", "cup", gap))
    else:
        out.append(Token("fn", words.FUNCTIONS[run], gap))


def _glued(run: str, out: list[Token], gap: bool, spoken: bool) -> bool:
    """``sinx``, ``lnx``, ``xsinx``: a function name glued to single letters."""
    if spoken or len(run) > 6:
        return False
    match = re.fullmatch(r"([a-z]?)(sin|cos|tan|cot|sec|csc|ln|log|sqrt|exp|arctan)([a-z]?)", run)
    if not match or run in words.SHORT_WORDS or run in ("since", "cost", "tank", "using"):
        return False
    before, name, after = match.groups()
    if before:
        out.append(Token("sym", before, gap))
    _spoken_function(name, out, gap and not before)
    if after:
        out.append(Token("sym", after, False))
    return True
