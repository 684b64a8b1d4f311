"""Text can never become markup."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree

from hypothesis import example, given
from hypothesis import strategies as st

from hdpo_env.report.markup import Markup, el, escape, join, visible

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>&lt;b&gt;\x00\ud800\u202e]]>"
TEXTS = st.text(st.characters(), max_size=60)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(markup: str) -> _Reader:
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(TEXTS, TEXTS)
@example(HOSTILE, HOSTILE)
@example('" onload="x', "' onload='x")
def test_any_text_comes_back_as_text(child: str, value: str) -> None:
    """A parser finds one element, one attribute, and the very text: nothing escapes into tags."""
    reader = _read(el("p", child, title=value))
    assert reader.tags == ["p"]
    assert reader.attributes == [("title", visible(value))]
    assert reader.text == visible(child)


@given(TEXTS)
@example(HOSTILE)
def test_svg_of_any_text_is_well_formed_xml(text: str) -> None:
    """The same escaping is valid XML, so that figures open as SVG files, and encodes as UTF-8."""
    markup = el("text", text)
    markup.encode("utf-8")
    assert ElementTree.fromstring(markup).text in (visible(text), text or None)


def test_invisible_tricks_are_written_out() -> None:
    """Marks that reverse or hide text, control characters and half surrogates become visible."""
    assert visible("a\u202eb\u200bc\x1b[2J\ud800") == "a[U+202E]b[U+200B]c[U+001B][2J[U+D800]"
    assert visible("lines\n\tand ünïcode 数学 stay") == "lines\n\tand ünïcode 数学 stay"


def test_markup_is_not_escaped_twice() -> None:
    """Elements nest as they are; None is left out, of children and of attributes."""
    inner = el("b", "1 < 2")
    assert escape(inner) is inner
    assert el("p", inner, None, " & ", id=None, class_="x") == (
        '<p class="x"><b>1 &lt; 2</b> &amp; </p>'
    )
    assert isinstance(join([inner, "x"]), Markup)
    assert el("rect", stroke_width=1.50) == '<rect stroke-width="1.5"></rect>'
