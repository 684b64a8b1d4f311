"""Vocabulary of the lexer: which words and commands mean what."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GREEK = _words(
    "Delta Gamma Lambda Omega Phi Pi Psi Sigma Theta Upsilon Xi alpha beta chi delta ell epsilon "
    "eta gamma hbar iota kappa lambda mu nu omega omicron phi pi psi rho sigma tau theta upsilon "
    "varepsilon varphi vartheta xi zeta"
)

# functions whose name in the tree is how they are written
_SAME = _words(
    "Im Re abs acos arg asin atan ceil cis cos cosh cot coth csc csch det exp floor gcd lcm lg ln "
    "log max min sec sech sgn sin sinh tan tanh"
)
_ALIASES = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arccot": "acot", "sign": "sgn",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "arsinh": "asinh", "arcosh":
    "acosh", "artanh": "atanh", "tg": "tan", "ctg": "cot", "arctg": "atan", "cosec": "csc",
}  # fmt: skip
FUNCTIONS = {name: name for name in _SAME} | _ALIASES

RELATIONS = {
    "leq": "<=", "le": "<=", "leqslant": "<=", "geq": ">=", "ge": ">=", "geqslant": ">=", "lt":
    "<", "gt": ">", "neq": "!=", "ne": "!=", "approx": "~", "simeq": "~", "sim": "~",
    "thickapprox": "~", "cong": "~", "equiv": "equiv", "in": "in", "notin": "notin", "subset":
    "subset", "subseteq": "subset", "to": "to", "rightarrow": "to", "mapsto": "to",
    "longrightarrow": "to", "Rightarrow": "to", "implies": "to", "perp": "perp", "parallel":
    "parallel", "propto": "propto", "leqq": "<=", "geqq": ">=",
}  # fmt: skip

# commands that only style what follows
STYLE = _words(
    "Big Bigg Biggl Biggr Bigl Bigr Large bf big bigg biggl biggr bigl bigr boldmath centering "
    "displaystyle hfill it large left limits mathstrut middle noindent nolimits nonumber "
    "normalsize phantom right rm scriptstyle small strut textstyle tiny"
)
SPACES = _words("enspace hspace nobreakspace qquad quad space thinspace vspace")
TEXT = _words(
    "emph fbox hbox mathrm mathsf mathtt mbox operatorname text textbf textit textnormal textrm "
    "textsc textsf texttt textup underline"
)
WRAP = _words("bm boldsymbol boxed mathbf mathcal mathfrak mathit mathscr pmb")
ACCENT = _words("bar ddot dot hat overline overrightarrow tilde vec widehat widetilde")

# plain words that separate or relate
AND = _words("and")
OR = _words("or")
CLAUSE = _words("for given if when where with")
EQUALS = _words("are equal equals is was")

# a remark with one of these takes something back
DOUBTS = _words("not or no never maybe perhaps except wrong false incorrect isn neither nor")
# words that make another number of the one before them
CHANGES = _words(
    "plus minus divided multiplied squared cubed factorial half halves third thirds fourth fourths "
    "fifth fifths sixth sixths seventh sevenths eighth eighths ninth ninths tenth tenths less "
    "greater modulo mod"
)
FRACTIONS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4,
             "fourth": 4, "fourths": 4, "fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6,
             "seventh": 7, "sevenths": 7, "eighth": 8, "eighths": 8, "ninth": 9, "ninths": 9,
             "tenth": 10, "tenths": 10}  # fmt: skip

_COUNT = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
_TENS = "thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS = (
    {word: value for value, word in enumerate(_COUNT.split())}
    | {word: 30 + 10 * i for i, word in enumerate(_TENS.split())}
    | {"hundred": 100, "thousand": 1000}
)
SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9,
          "trillion": 10**12, "dozen": 12}  # fmt: skip

# letter runs of two or three that are words, not products
SHORT_WORDS = _words(
    "a act add all am an any apr are as ask at aug bad be big bit box boy bps bus but by cal can "
    "car cat cm cow cu cup cut day dec deg did dne do dog dry due end eur far feb few fit fri ft "
    "gal gb gbp get go got had has he hen her him his how hr hrs hz if in is it its jan jul jun "
    "kb kg kj km kph kw lb lbs let low man mar may mb me men met mg mi min ml mm mol mon mph ms "
    "mw my nd new nm no non nor not nov now ns oct odd of off old on one or our out own oz pct "
    "pen per ph pig pm psi pt put qt rad rd red rpm run sat say sec see sep set she six so sq st "
    "sum sun ten th the thu tie to too top try tue two up us usd use van was way we wed who why "
    "win yd yes yet you"
)
