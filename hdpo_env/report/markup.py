"""Elements of HTML and SVG that cannot be broken by their text.

Everything that is not already `Markup` is escaped, so a model's output, a file name or a problem id
can never become an element, an attribute or an invisible trick.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_VOID = frozenset({"meta", "input", "br", "hr"})

# What neither HTML nor XML can hold (C0 controls, surrogates, non-characters), and the marks that
# make text read in another order than it is written.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u061c\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff]"
)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


class Markup(str):
    """Text that is HTML or SVG already."""

    __slots__ = ()


def visible(text: str) -> str:
    r"""The text with every unprintable character written out as its code point.

    >>> visible("a\x00b\u202ec")
    'a[U+0000]b[U+202E]c'
    """
    return _UNPRINTABLE.sub(lambda match: f"[U+{ord(match.group()):04X}]", text)


def escape(text: object) -> Markup:
    """Any value as harmless text; `Markup` passes as it is.

    >>> escape('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    if isinstance(text, Markup):
        return text
    return Markup(visible(str(text)).translate(_ENTITIES))


def el(tag: str, *children: object, **attributes: object) -> Markup:
    """One element. ``class_`` is class, other underscores are hyphens; None leaves one out.

    >>> el("p", "1 < 2", class_="note", aria_label=None)
    '<p class="note">1 &lt; 2</p>'
    """
    pairs = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Markup(f"<{tag}{pairs}>")
    return Markup(f"<{tag}{pairs}>{join(children)}</{tag}>")


def join(parts: Iterable[object]) -> Markup:
    """Parts one after another, each escaped unless it is markup; None is nothing."""
    return Markup("".join(escape(part) for part in parts if part is not None))


def _short(value: object) -> object:
    # Coordinates: hundredths of a unit are far below a pixel.
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
