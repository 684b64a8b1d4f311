"""Bars: shares of named things as rows, and two distributions side by side over bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hdpo_env.report.axes import Axis, Scale, domain, rate
from hdpo_env.report.canvas import CHARACTER, Frame, drawing, grid
from hdpo_env.report.markup import Markup, el

_ROW = 26.0


class Bar(NamedTuple):
    """A named number, of ``total`` in all; ``note`` is shown on hover."""

    name: str
    number: int
    total: int
    note: str = ""


def bar_rows(bars: Sequence[Bar], *, key: str, title: str, css: str = "c1") -> Markup:
    """One horizontal bar a row, with its number and its share of the total behind it."""
    names = max((len(b.name) for b in bars), default=0)
    frame = Frame(
        height=_ROW * len(bars) + 8, left=10 + CHARACTER * names, right=100, top=4, bottom=4
    )
    most = max((b.number for b in bars), default=0)
    x = Scale(0, most or 1, frame.left, frame.width - frame.right)
    rows = []
    for i, bar in enumerate(bars):
        top = frame.top + i * _ROW
        share = f"{bar.number:,} · {100 * bar.number / bar.total:.0f} %"
        rows.append(
            el(
                "g",
                el("text", bar.name, x=frame.left - 8, y=top + 16, class_="end"),
                el(
                    "rect",
                    el("title", bar.note) if bar.note else None,
                    x=x(0),
                    y=top + 4,
                    width=max(1.0, x(bar.number) - x(0)),
                    height=_ROW - 9,
                    class_="bar",
                ),
                el("text", share, x=x(bar.number) + 7, y=top + 16, class_="tick"),
                class_=css,
            )
        )
    desc = "; ".join(f"{b.name} {b.number} of {b.total}" for b in bars) or "No data"
    return drawing(frame, key, title, f"{desc}.", *rows)


class Series(NamedTuple):
    """A distribution over bins, its name and its colour class."""

    name: str
    shares: Sequence[float]
    css: str


def histogram(
    series: Sequence[Series],
    edges: Sequence[float],
    *,
    key: str,
    title: str,
    axis: Axis,
    y_label: str = "share of problems",
) -> Markup:
    """The shares of several distributions in each bin, side by side; bins are equally wide."""
    frame = Frame(top=30)
    x = Scale(edges[0], edges[-1], frame.left, frame.width - frame.right)
    low, high = domain([share for s in series for share in s.shares])
    y = Scale(low, high, frame.height - frame.bottom, frame.top)
    bins = [
        el(
            "g",
            el("title", _at_bin(series, i, edges)),
            *(_bar(s, i, j, len(series), edges, x, y) for j, s in enumerate(series)),
        )
        for i in range(len(edges) - 1)
    ]
    desc = " ".join(
        f"{s.name}: "
        + ", ".join(f"{rate(e)} {rate(v)}" for e, v in zip(edges[:-1], s.shares, strict=True))
        + "."
        for s in series
    )
    axes = grid(x, y, frame, axis, y_label)
    return drawing(frame, key, title, desc, axes, *bins, *_keys(series, frame))


def _bar(s: Series, i: int, j: int, num: int, edges: Sequence[float], x: Scale, y: Scale) -> Markup:
    left, right = x(edges[i]) + 1, x(edges[i + 1]) - 1
    wide = (right - left) / num
    top = y(s.shares[i])
    return el(
        "rect",
        x=left + j * wide,
        y=top,
        width=wide,
        height=y(0) - top,
        class_=f"bar {s.css}",
    )


def _at_bin(series: Sequence[Series], i: int, edges: Sequence[float]) -> str:
    rows = [f"{s.name}  {rate(s.shares[i])}" for s in series]
    return "\n".join([f"{rate(edges[i], 2)} to {rate(edges[i + 1], 2)}", *rows])


def _keys(series: Sequence[Series], frame: Frame) -> list[Markup]:
    keys, right = [], frame.width - frame.right
    for s in reversed(series):
        left = right - CHARACTER * len(s.name)
        keys.append(
            el(
                "g",
                el("rect", x=left - 14, y=frame.top - 16, width=9.0, height=9.0, class_="bar"),
                el("text", s.name, x=left, y=frame.top - 8, class_="tick"),
                class_=s.css,
            )
        )
        right = left - 28
    return keys
