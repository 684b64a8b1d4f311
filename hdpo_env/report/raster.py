"""Many problems over time: a thin row each, coloured by the kind of its group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from hdpo_env.report.axes import Scale
from hdpo_env.report.canvas import Frame, drawing
from hdpo_env.report.markup import Markup, el


def raster(
    rows: Sequence[Sequence[str | None]],
    *,
    steps: Sequence[int],
    kinds: Mapping[str, str],
    key: str,
    title: str,
    frame: Frame | None = None,
) -> Markup:
    """One thin row per problem, one column per evaluation, coloured by the kind of its group.

    ``kinds`` maps a kind to its CSS class; cells of one kind are drawn as one path.
    """
    frame = frame or Frame(height=230, left=12, right=12, top=6, bottom=34)
    x = Scale(0, max(1, len(steps)), frame.left, frame.width - frame.right)
    y = Scale(0, max(1, len(rows)), frame.top, frame.height - frame.bottom)
    cells = [el("path", d=_runs(rows, kind, x, y), class_=css) for kind, css in kinds.items()]
    floor = frame.height - frame.bottom
    stride = -(-len(steps) // 11)
    names = [
        el("text", str(step), x=x(i + 0.5), y=floor + 14, class_="tick middle")
        for i, step in enumerate(steps)
        if i % stride == 0
    ]
    name = el("text", "step", x=frame.width / 2, y=floor + 29, class_="name middle")
    return drawing(frame, key, title, _describe_raster(rows, steps, kinds), *cells, *names, name)


def _runs(
    rows: Sequence[Sequence[str | None]], kind: str, x: Scale, y: Callable[[float], float]
) -> str:
    height = y(1) - y(0)
    pieces = []
    for i, row in enumerate(rows):
        for cell, run in groupby(enumerate(row), key=lambda pair: pair[1]):
            if cell == kind:
                first, *rest = [j for j, _ in run]
                left, right = x(first), x((rest or [first])[-1] + 1)
                pieces.append(f"M{left:.1f},{y(i):.2f}H{right:.1f}v{height:.2f}H{left:.1f}Z")
    return "".join(pieces)


def _describe_raster(
    rows: Sequence[Sequence[str | None]], steps: Sequence[int], kinds: Mapping[str, str]
) -> str:
    if not rows:
        return "No data."

    def shares(column: int) -> str:
        return ", ".join(f"{sum(r[column] == k for r in rows)} {k}" for k in kinds)

    return (
        f"{len(rows)} problems. At step {steps[0]}: {shares(0)}. At step {steps[-1]}: {shares(-1)}."
    )
