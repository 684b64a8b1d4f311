"""The figures of a report as PNG files: our own SVG, painted by matplotlib.

Only what our charts draw is understood: rects, circles, lines, paths and text, styled by the
classes of ``chart.css``. An element or a class that is not known is an error, not a gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from hdpo_env.errors import MissingDependencyError
from hdpo_env.report.figures import Figure
from hdpo_env.report.html import stylesheet

_SVG = "{http://www.w3.org/2000/svg}"
_INCH = 100.0  # units of a drawing an inch
_HEAD, _MARGIN = 30.0, 14.0  # room for the title, and beside a drawing
_FONT = 11 * 72 / _INCH
_SILENT = {"title", "desc"}
_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "h": 1, "v": 1, "C": 6, "Z": 0, "z": 0}


def write_pngs(figures: Iterable[Figure], folder: str | Path, *, dpi: int = 200) -> list[Path]:
    """Write each figure to ``<its key>.png`` in a folder and return the paths.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    return [_write(figure, target, dpi) for figure in figures]


def _write(figure: Figure, folder: Path, dpi: int) -> Path:
    tree = ElementTree.fromstring(figure.chart)
    title = next(e for e in tree if e.tag == f"{_SVG}title")
    width, height = (float(tree.get(side, 0)) for side in ("width", "height"))
    canvas = _figure_class()(
        figsize=((width + 2 * _MARGIN) / _INCH, (height + _HEAD) / _INCH), dpi=dpi
    )
    canvas.set_facecolor(_colors()["paper"])
    axes = canvas.add_axes((0, 0, 1, 1), frameon=False)
    axes.set_axis_off()
    axes.set_xlim(-_MARGIN, width + _MARGIN)
    axes.set_ylim(height, -_HEAD)
    ink = _colors()["ink"]
    axes.text(0, 4 - _HEAD / 2, title.text or "", size=1.2 * _FONT, weight="bold", color=ink)
    for element, classes in _elements(tree, ()):
        _PAINTERS[element.tag.removeprefix(_SVG)](axes, element, classes)
    path = folder / f"{title.get('id', '').removesuffix('-title')}.png"
    canvas.savefig(path, dpi=dpi)
    return path


def _figure_class() -> Any:
    try:
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise MissingDependencyError(
            "PNG files need matplotlib: pip install matplotlib, or leave --png out"
        ) from error
    return Canvas


def _elements(
    parent: ElementTree.Element, classes: tuple[str, ...]
) -> Iterator[tuple[ElementTree.Element, tuple[str, ...]]]:
    # What is to be painted, in order, with its own classes and those it inherits.
    for element in parent:
        own = (*classes, *(element.get("class") or "").split())
        tag = element.tag.removeprefix(_SVG)
        if tag == "g":
            yield from _elements(element, own)
        elif tag not in _SILENT and "strip" not in own:
            yield element, own


class Style(NamedTuple):
    """How an element is painted; None is not at all."""

    fill: str | None
    stroke: str | None = None
    width: float = 1.0
    alpha: float = 1.0
    is_dashed: bool = False
    anchor: str = "left"


@cache
def _colors() -> dict[str, str]:
    light = re.search(r":root \{(.*?)\}", stylesheet("chart.css"), re.S)
    return dict(re.findall(r"--(\w+): (#\w+)", light[1])) if light else {}


def _style(classes: Sequence[str]) -> Style:
    colors, known = _colors(), set(classes)
    color = next((colors[f"p{c[1]}"] for c in reversed(classes) if re.fullmatch(r"c\d", c)), None)
    kind = next((colors[c[2:]] for c in classes if c.startswith("k-")), None)
    paper, dashed = colors["paper"], "dashed" in known
    anchor = "right" if "end" in known else "center" if "middle" in known else "left"
    styles = {
        "line": Style(None, color, 2.0, is_dashed=dashed),
        "mark": Style(paper, color, 1.4) if dashed else Style(color),
        "band": Style(color, alpha=0.15),
        "leader": Style(None, color, 0.8, 0.55),
        "dot": Style(paper, color, 1.8) if dashed else Style(color, paper, 1.0, 0.75),
        "grid": Style(None, colors["rule"]),
        "flow": Style(kind, alpha=0.38),
        "bar": Style(color),
        "who": Style(color or colors["ink"], anchor=anchor),
        "value": Style(colors["soft"], anchor=anchor),
        "tick": Style(colors["soft"], anchor=anchor),
        "name": Style(colors["soft"], anchor=anchor),
    }
    found = next((styles[c] for c in reversed(classes) if c in styles), None)
    return found or Style(kind or colors["ink"], anchor=anchor)


def _patch(axes: Any, shape: Any, classes: Sequence[str]) -> None:
    style = _style(classes)
    shape.set(
        facecolor=style.fill or "none",
        edgecolor=style.stroke or "none",
        linewidth=style.width * 72 / _INCH if style.stroke else 0,
        alpha=style.alpha,
        capstyle="butt" if style.is_dashed else "round",
        joinstyle="round",
    )
    if style.is_dashed:
        shape.set_linestyle((0, (2.5, 1.75)))  # 5 and 3.5 units, counted in widths of the line
    axes.add_patch(shape)


def _rect(axes: Any, element: ElementTree.Element, classes: Sequence[str]) -> None:
    from matplotlib.patches import Rectangle

    x, y, width, height = _get(element, "x", "y", "width", "height")
    _patch(axes, Rectangle((x, y), width, height), classes)


def _circle(axes: Any, element: ElementTree.Element, classes: Sequence[str]) -> None:
    from matplotlib.patches import Circle

    x, y, radius = _get(element, "cx", "cy", "r")
    _patch(axes, Circle((x, y), radius), classes)


def _line(axes: Any, element: ElementTree.Element, classes: Sequence[str]) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    x1, y1, x2, y2 = _get(element, "x1", "y1", "x2", "y2")
    _patch(axes, PathPatch(Outline([(x1, y1), (x2, y2)])), classes)


def _path(axes: Any, element: ElementTree.Element, classes: Sequence[str]) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    vertices, codes = outline(element.get("d", ""))
    if vertices:
        _patch(axes, PathPatch(Outline(vertices, codes)), classes)


def outline(d: str) -> tuple[list[tuple[float, float]], list[int]]:
    """The vertices of a path and matplotlib's codes for them.

    >>> outline("M1,2h3v-1Z")
    ([(1.0, 2.0), (4.0, 2.0), (4.0, 1.0), (1.0, 2.0)], [1, 2, 2, 79])
    """
    vertices: list[tuple[float, float]] = []
    codes: list[int] = []
    x = y = 0.0
    start = (0.0, 0.0)
    for command, text in re.findall(r"([A-Za-z])([^A-Za-z]*)", d):
        values = [float(v) for v in re.findall(r"-?\d+\.?\d*|-?\.\d+", text)]
        if command not in _NUMBERS or len(values) != _NUMBERS[command]:
            raise ValueError(f"{command}{text} in a path: our charts draw {', '.join(_NUMBERS)}")
        if command in "Zz":
            points = [start]
        elif command == "C":
            points = list(zip(values[::2], values[1::2], strict=True))
        elif command in "ML":
            points = [(values[0], values[1])]
        elif command in "Hh":
            points = [(values[0] + (x if command == "h" else 0.0), y)]
        else:
            points = [(x, values[0] + (y if command == "v" else 0.0))]
        x, y = points[-1]
        start = (x, y) if command == "M" else start
        vertices += points
        codes += [{"M": 1, "C": 4, "Z": 79, "z": 79}.get(command, 2)] * len(points)
    return vertices, codes


def _text(axes: Any, element: ElementTree.Element, classes: Sequence[str]) -> None:
    x, y = _get(element, "x", "y")
    spans = [(e.text or "", (*classes, e.get("class") or "")) for e in element]
    drawn = []
    for text, own in spans or [(element.text or "", classes)]:
        weight = "bold" if "who" in own else "normal"
        fill = _style(own).fill
        drawn.append(axes.text(x, y, text, size=_FONT, color=fill, weight=weight))
    widths = [_width(axes, text) for text in drawn]
    x -= {"left": 0.0, "center": 0.5, "right": 1.0}[_style(classes).anchor] * sum(widths)
    for text, width in zip(drawn, widths, strict=True):
        text.set_x(x)
        x += width


def _width(axes: Any, text: Any) -> float:
    # Trailing and leading blanks count, which an extent leaves out.
    probe = text.get_text()
    text.set_text(f"|{probe}|")
    both = text.get_window_extent().width
    text.set_text("||")
    bars = text.get_window_extent().width
    text.set_text(probe)
    return (both - bars) / axes.figure.dpi * _INCH


def _get(element: ElementTree.Element, *names: str) -> list[float]:
    return [float(element.get(name, 0)) for name in names]


_PAINTERS = {"rect": _rect, "circle": _circle, "line": _line, "path": _path, "text": _text}
