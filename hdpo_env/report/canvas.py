"""What all charts share: the drawing's frame, its accessible root, its axes, its paths.

Every chart has a <title> and a computed <desc>; numbers appear on hover through <title>. Colours
come from CSS classes, so one drawing serves light, dark and print.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hdpo_env.report.axes import Axis, Scale, short, ticks
from hdpo_env.report.markup import Markup, el, join

CHARACTER = 6.2  # mean width of a label's character at the font size of chart.css


class Frame(NamedTuple):
    """The size of a drawing and the margins around its plot."""

    width: float = 520
    height: float = 280
    left: float = 44
    right: float = 16
    top: float = 14
    bottom: float = 40


def drawing(frame: Frame, key: str, title: str, desc: str, *children: object) -> Markup:
    """An <svg> that names and describes itself; ``key`` makes its element ids."""
    return el(
        "svg",
        el("title", title, id=f"{key}-title"),
        el("desc", desc, id=f"{key}-desc"),
        *children,
        viewBox=f"0 0 {frame.width:g} {frame.height:g}",
        width=frame.width,
        height=frame.height,
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
        xmlns="http://www.w3.org/2000/svg",
    )


def grid(x: Scale, y: Scale, frame: Frame, axis: Axis, y_label: str = "") -> Markup:
    """Horizontal rules, tick labels and axis names; hidden from screen readers."""
    floor, right = frame.height - frame.bottom, frame.width - frame.right
    rows = [
        join(
            [
                el("line", x1=frame.left, x2=right, y1=y(v), y2=y(v), class_="grid"),
                el("text", short(v), x=frame.left - 7, y=y(v) + 3.8, class_="tick end"),
            ]
        )
        for v in ticks(y.low, y.high, 5)
    ]
    columns = [
        el("text", text, x=x(v), y=floor + 16, class_="tick middle")
        for v, text in axis.marks(x.low, x.high, max(2, round((right - frame.left) / 70)))
    ]
    names = [
        el("text", axis.label, x=(frame.left + right) / 2, y=floor + 33, class_="name middle"),
        el("text", y_label, x=0, y=frame.top - 12, class_="name") if y_label else None,
    ]
    return el("g", *rows, *columns, *names, aria_hidden="true")


def path(points: Iterable[tuple[float, float]]) -> str:
    """The ``d`` of a path through points.

    >>> path([(0, 1), (2, 3.04)])
    'M0.0,1.0L2.0,3.0'
    """
    return "M" + "L".join(f"{px:.1f},{py:.1f}" for px, py in points)
