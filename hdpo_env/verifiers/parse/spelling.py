"""Unicode and outer markup -> plain ASCII LaTeX, in one pass each."""

from __future__ import annotations

import re
import unicodedata

_SUPERSCRIPT = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ", "0123456789+-ni", strict=True))
_SUBSCRIPT = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True))
_FRACTIONS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5",
              "⅗": "3/5", "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8",
              "⅞": "7/8", "⅐": "1/7", "⅑": "1/9", "⅒": "1/10"}  # fmt: skip
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "zeta",
            "eta",
            "theta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "pi",
            "rho",
            "sigma",
            "tau",
            "upsilon",
            "phi",
            "chi",
            "psi",
            "omega",
            "Gamma",
            "Delta",
            "Theta",
            "Lambda",
            "Xi",
            "Pi",
            "Sigma",
            "Phi",
            "Psi",
            "Omega",
        ],
        strict=True,
    )
)
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "×": "\\times ", "÷": "\\div ",
    "·": "\\cdot ", "⋅": "\\cdot ", "∙": "\\cdot ", "•": "\\cdot ", "∗": "*", "√": "\\sqrt ",
    "∛": "\\sqrt[3]", "∜": "\\sqrt[4]",
    "∞": "\\infty ", "≤": "\\leq ", "≥": "\\geq ", "⩽": "\\leq ", "⩾": "\\geq ", "≠": "\\neq ",
    "≈": "\\approx ", "≅": "\\cong ", "≡": "\\equiv ", "±": "\\pm ", "∓": "\\mp ", "∪": "\\cup ",
    "∩": "\\cap ", "∈": "\\in ", "∉": "\\notin ", "⊂": "\\subset ", "⊆": "\\subseteq ",
    "∅": "\\emptyset ", "ø": "\\emptyset ", "Ø": "\\emptyset ", "ℝ": "\\mathbb{R}",
    "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}", "ℚ": "\\mathbb{Q}", "ℂ": "\\mathbb{C}", "°": "^\\circ ",
    "º": "^\\circ ", "′": "'", "’": "'", "‘": "'", "“": '"', "”": '"', "″": "''", "∠": "\\angle ",
    "△": "\\triangle ", "→": "\\to ", "⇒": "\\to ", "⟹": "\\to ", "…": "\\ldots ", "⋯": "\\ldots ",
    "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil ", "⟨": "\\langle ",
    "⟩": "\\rangle ", "∖": "\\setminus ", "∧": "\\wedge ", "∨": "\\vee ", "¬": "\\neg ",
    "∑": "\\sum ", "∏": "\\prod ", "∫": "\\int ", "⁄": "/", "∕": "/", "、": ",", "，": ",",
    "。": ".",
    "；": ";", "：": ":", "﹤": "<", "％": "\\%", "ℓ": "\\ell ", "𝑖": "i", "𝜋": "\\pi ",
    "⊥": "\\perp ",
    "∥": "\\parallel ", "｛": "\\{", "｝": "\\}", "∣": "|",
}  # fmt: skip
_TABLE = str.maketrans(
    {
        **_SIGNS,
        **{c: f"\\{name} " for c, name in _GREEK.items()},
        **{c: f" {f}" for c, f in _FRACTIONS.items()},
    }
)
_CIRCLED = re.compile(r"[\u2460-\u2473](?:\s*[,、，;和与]?\s*[\u2460-\u2473])*")
_SUPERS = re.compile(f"[{''.join(_SUPERSCRIPT)}]+")
_SUBS = re.compile(f"[{''.join(_SUBSCRIPT)}]+")
_MIXED_VULGAR = re.compile(f"(\\d)\\s*([{''.join(_FRACTIONS)}])")
_GOES_ON = re.compile(r"\.\d+\.\.\.$")
_ENDS = " \t\r\n.,;:!"


def to_latex(text: str) -> str:
    r"""Spell every unicode mark as ASCII LaTeX; other compatibility characters by NFKC.

    >>> to_latex("x² ≤ ½π")
    'x^{2} \\leq   1/2\\pi '
    """
    if text.isascii():
        return text
    text = _CIRCLED.sub(_numbered, text)
    text = _SUPERS.sub(lambda m: "^{" + "".join(_SUPERSCRIPT[c] for c in m.group()) + "}", text)
    text = _SUBS.sub(lambda m: "_{" + "".join(_SUBSCRIPT[c] for c in m.group()) + "}", text)
    text = _MIXED_VULGAR.sub(r"\1 \2", text)
    return unicodedata.normalize("NFKC", text.translate(_TABLE))


_DOLLAR = re.compile(r"(?<!\\)\$(?=(.?))", re.DOTALL)


def _numbered(run: re.Match[str]) -> str:
    """Circled numbers name statements; a run of them is a set."""
    numbers = [str(ord(c) - 0x245F) for c in run.group() if "\u2460" <= c <= "\u2473"]
    return "\\{" + ",".join(numbers) + "\\}"


_WRAPPERS = (("$$", "$$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("`", "`"), ("$", "$"))


def unwrap(text: str) -> str:
    """Drop closing punctuation and whole-text wrappers: dollars, display brackets, markdown bold.

    >>> unwrap("**$x$.**")
    'x'
    """
    before = None
    while before != text:
        before = text
        text = text.strip()
        while text and text[-1] in _ENDS and not _needs_its_end(text):
            text = text[:-1]
        for start, end in _WRAPPERS:
            long_enough = len(text) >= len(start) + len(end)
            if long_enough and text.startswith(start) and text.endswith(end):
                inner = text[len(start) : -len(end)]
                if start not in inner and end not in inner:
                    text = inner
    return text


def without_dollars(text: str) -> str:
    r"""Drop dollar signs that switch to mathematics; keep those that are money.

    >>> without_dollars("12 $ and $13"), without_dollars("$5 and $6")
    ('12  and 13', '$5 and $6')
    """
    if "$" not in text:
        return text
    signs = _DOLLAR.findall(text)
    money = all(after.isdigit() for after in signs)
    return text if money or len(signs) % 2 else _DOLLAR.sub("", text)


def _needs_its_end(text: str) -> bool:
    r"""Whether the last mark means something: a factorial, ``\,``, ``\!`` or 0.333..."""
    if text.endswith("\\\\" + text[-1]):
        return False
    if text.endswith("...") and _GOES_ON.search(text[-20:]):
        return True
    return text[-2:-1] == "\\" or (text[-1] == "!" and len(text) > 1)
