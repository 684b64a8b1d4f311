"""One point per run in the plane of two rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from hdpo_env.report.axes import Axis, Scale, domain, rate
from hdpo_env.report.canvas import CHARACTER, Frame, drawing, grid, path
from hdpo_env.report.looks import Look
from hdpo_env.report.markup import Markup, el

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Dot:
    """One labelled point of a scatter plot."""

    label: str
    x: float
    y: float
    look: Look
    note: str


def scatter(
    dots: Sequence[Dot],
    *,
    key: str,
    title: str,
    x_label: str,
    y_label: str,
) -> Markup:
    """One point per run; each label is written once, at its most central point."""
    frame = Frame(height=320, top=32, right=24)
    low, high = domain([d.y for d in dots], include_zero=False)
    x = Scale(-0.03, 1.03, frame.left, frame.width - frame.right)
    y = Scale(low, high, frame.height - frame.bottom, frame.top)
    marks = [
        el(
            "circle",
            el("title", dot.note),
            cx=x(dot.x),
            cy=y(dot.y),
            r=5.0,
            class_=f"dot {dot.look.classes}",
        )
        for dot in dots
    ]
    desc = "Points: " + "; ".join(f"{d.label} at {rate(d.x)}, {rate(d.y)}" for d in dots) + "."
    axes = grid(Scale(0, 1, x(0), x(1)), y, frame, Axis(x_label), y_label)
    return drawing(frame, key, title, desc, axes, *marks, *_dot_labels(dots, x, y, frame))


def _dot_labels(dots: Sequence[Dot], x: Scale, y: Scale, frame: Frame) -> list[Markup]:
    taken = [(x(d.x) - 6, y(d.y) - 6, x(d.x) + 6, y(d.y) + 6) for d in dots]
    labels = []
    for label, group in groupby(sorted(dots, key=lambda d: d.label), key=lambda d: d.label):
        members = list(group)
        px, py = _most_central([(x(d.x), y(d.y)) for d in members])
        box = _free_box(px, py, 1.15 * CHARACTER * len(label), taken, frame)
        taken.append(box)
        labels.append(
            el(
                "g",
                el("path", d=path([(px, py), _nearest(px, py, box)]), class_="leader"),
                el("text", label, x=box[0], y=box[3] - 3, class_="who"),
                class_=f"label {members[0].look.classes}",
            )
        )
    return labels


def _most_central(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    def total(point: tuple[float, float]) -> float:
        return sum(abs(point[0] - px) + abs(point[1] - py) for px, py in points)

    return min(points, key=total)


def _free_box(px: float, py: float, width: float, taken: Sequence[Box], frame: Frame) -> Box:
    # Rings of places around the point, the nearest free one wins; if all are taken, the last one.
    box = (px, py, px, py)
    for distance in range(12, 150, 9):
        for dx, dy in ((1, 0), (1, -1), (1, 1), (-1, 0), (-1, -1), (-1, 1), (0, -1), (0, 1)):
            left = px + dx * distance - (0, width / 2, width)[1 - dx]
            top = py + dy * distance - 7
            box = (left, top, left + width, top + 14)
            inside = left >= frame.left and box[2] <= frame.width and top >= frame.top - 8
            inside = inside and box[3] <= frame.height - frame.bottom
            if inside and not any(_overlap(box, other) for other in taken):
                return box
    return box


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _nearest(px: float, py: float, box: Box) -> tuple[float, float]:
    return min(max(px, box[0]), box[2]), min(max(py, box[1]), box[3])
