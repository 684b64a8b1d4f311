"""Curves over steps with bands over seeds, each labelled at its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hdpo_env.report.axes import Axis, Scale, domain, rate, spread
from hdpo_env.report.canvas import CHARACTER, Frame, drawing, grid, path
from hdpo_env.report.looks import Look
from hdpo_env.report.markup import Markup, el
from hdpo_env.report.seeds import BandPoint

_GAP = 14.0  # least distance of two labels
_MAX_STRIPS = 120
_MAX_MARKED = 26
STEPS = Axis()


@dataclass(frozen=True)
class Line:
    """One labelled curve with its band.

    ``is_stepped`` keeps each value until the next; ``of`` names what a point's number counts.
    """

    label: str
    points: Sequence[BandPoint]
    look: Look
    is_stepped: bool = False
    of: str = "seeds"


def line_chart(
    lines: Sequence[Line],
    *,
    key: str,
    title: str,
    y_range: tuple[float, float] | None = (0.0, 1.0),
    include_zero: bool = True,
    axis: Axis = STEPS,
    size: tuple[float, float] = (520, 280),
    until: float = 0,
) -> Markup:
    """Curves over an axis, each labelled at its right end.

    ``key`` makes the element ids; ``y_range`` None fits the data, with 0 or without;
    ``until`` is the place that the axis reaches at least.
    """
    tags = max((len(_tag(line)) for line in lines), default=0)
    frame = Frame(*size, right=20 + CHARACTER * tags)
    extent = domain(
        [v for line in lines for p in line.points for v in (p.low, p.high)],
        include_zero=include_zero,
    )
    x = _x_scale([until, *(p.step for line in lines for p in line.points)], frame)
    y = Scale(*(y_range or extent), frame.height - frame.bottom, frame.top)
    drawn = [line for line in lines if line.points]
    is_marked = max((len(line.points) for line in drawn), default=0) <= _MAX_MARKED
    return drawing(
        frame,
        key,
        title,
        _describe_lines(drawn, axis),
        grid(x, y, frame, axis),
        *(_band(line, x, y) for line in drawn),
        *(_stroke(line, x, y, is_marked) for line in drawn),
        *_end_labels(drawn, x, y, frame),
        *_strips(drawn, x, frame, axis),
    )


def _x_scale(steps: Sequence[float], frame: Frame) -> Scale:
    # Charts of one page share their origin, also where a metric begins later.
    low, high = min(0, *steps), max(0, *steps)
    return Scale(low, high if high > low else low + 1, frame.left, frame.width - frame.right)


def _band(line: Line, x: Scale, y: Scale) -> Markup | None:
    if not any(p.high > p.low for p in line.points):
        return None
    upper = _traced(line, [(x(p.step), y(p.high)) for p in line.points])
    lower = _traced(line, [(x(p.step), y(p.low)) for p in line.points])
    return el("path", d=f"{path(upper + lower[::-1])}Z", class_=f"band {line.look.classes}")


def _stroke(line: Line, x: Scale, y: Scale, is_marked: bool) -> Markup:
    points = [(x(p.step), y(p.mean)) for p in line.points]
    marks = points if is_marked and not line.is_stepped else points[-1:]
    return el(
        "g",
        el("path", d=path(_traced(line, points)), class_="line"),
        *(el("circle", cx=px, cy=py, r=2.4, class_="mark") for px, py in marks),
        class_=line.look.classes,
    )


def _traced(line: Line, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    # A stepped line goes on at its height to the next point, then jumps.
    if not line.is_stepped:
        return list(points)
    corners = [[a, (b[0], a[1])] for a, b in pairwise(points)]
    return [point for pair in corners for point in pair] + list(points[-1:])


def _tag(line: Line) -> str:
    return f"{line.label} {rate(line.points[-1].mean)}" if line.points else line.label


def _end_labels(lines: Sequence[Line], x: Scale, y: Scale, frame: Frame) -> list[Markup]:
    ends = [(x(line.points[-1].step), y(line.points[-1].mean)) for line in lines]
    places = spread([e[1] for e in ends], _GAP, frame.top - 4, frame.height - frame.bottom - 2)
    left = frame.width - frame.right + 14
    return [
        el(
            "g",
            el("path", d=path([(px + 3, py), (left - 3, place)]), class_="leader"),
            el(
                "text",
                el("tspan", line.label, class_="who"),
                el("tspan", f" {rate(line.points[-1].mean)}", class_="value"),
                x=left,
                y=place + 3.8,
            ),
            class_=f"label {line.look.classes}",
        )
        for line, (px, py), place in zip(lines, ends, places, strict=True)
    ]


def _strips(lines: Sequence[Line], x: Scale, frame: Frame, axis: Axis) -> list[Markup]:
    # Invisible columns, one a step, that show every curve's value when the pointer rests on them.
    steps = sorted({p.step for line in lines for p in line.points})
    if len(steps) > _MAX_STRIPS:
        return []
    at = {(line.label, p.step): p for line in lines for p in line.points}
    edges = [x(steps[0]) - 6] if steps else []
    edges += [x((a + b) / 2) for a, b in pairwise(steps)]
    edges += [x(steps[-1]) + 6] if steps else []
    height = frame.height - frame.bottom - frame.top
    return [
        el(
            "rect",
            el("title", _at_step(axis.name(step), [(i, at.get((i.label, step))) for i in lines])),
            x=left,
            y=frame.top,
            width=right - left,
            height=height,
            class_="strip",
        )
        for step, left, right in zip(steps, edges, edges[1:], strict=False)
    ]


def _at_step(name: str, values: Iterable[tuple[Line, BandPoint | None]]) -> str:
    rows = [f"{line.label}  {_spoken(point, line.of)}" for line, point in values if point]
    return "\n".join([name, *rows])


def _spoken(point: BandPoint, of: str) -> str:
    if point.num_seeds == 1:
        return rate(point.mean)
    return f"{rate(point.mean)} ({rate(point.low)} to {rate(point.high)}, {point.num_seeds} {of})"


def _describe_lines(lines: Sequence[Line], axis: Axis) -> str:
    if not lines:
        return "No data."
    ends = [
        f"{line.label} from {rate(line.points[0].mean)} to {rate(line.points[-1].mean)}"
        for line in lines
    ]
    steps = [p.step for line in lines for p in line.points]
    extent = f"{axis.label} {axis.value(min(steps))} to {axis.value(max(steps))}"
    return f"Lines over {extent}: {'; '.join(ends)}."
