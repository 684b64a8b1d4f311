"""Where problems went: a band from each kind at one time to each kind at the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from hdpo_env.report.axes import spread
from hdpo_env.report.canvas import Frame, drawing
from hdpo_env.report.markup import Markup, el

_BAR, _GAP, _LABEL_GAP = 10.0, 8.0, 14.0


def flow_chart(
    counts: Mapping[tuple[str, ...], int],
    *,
    kinds: Mapping[str, str],
    key: str,
    title: str,
    times: Sequence[str] = ("first group", "last group"),
) -> Markup:
    """A column of kinds for each time, with bands between them as high as the number of problems.

    ``counts`` maps the kinds at the ``times``, one each, to a number of problems; ``kinds`` maps a
    kind to its CSS class, in their order from the top.
    """
    frame = Frame(width=360, height=220, left=110, right=110, top=24, bottom=8)
    total = sum(counts.values())
    room = frame.height - frame.top - frame.bottom - _GAP * (len(kinds) - 1)
    unit = room / total if total else 0.0
    last = len(times) - 1
    columns = [_stack(_sums(counts, kinds, i), unit, frame.top) for i in range(last + 1)]
    width = frame.width - frame.left - frame.right
    places = [frame.left + width * i / last for i in range(last + 1)]
    anchors = ["end", *["middle"] * (last - 1), "start"]
    steps = [_step(counts, i) for i in range(last)]
    bands, bars = [], []
    for i, (step, start, goal) in enumerate(zip(steps, columns, columns[1:], strict=False)):
        edges = places[i] + _BAR / 2 * (i > 0), places[i + 1] - _BAR / 2 * (i + 1 < last)
        bands += _bands(step, kinds, (start, goal), unit, edges)
    for column, place, anchor in zip(columns, places, anchors, strict=True):
        bars += _bars(column, kinds, place, anchor, frame)
    heads = [
        el("text", text, x=x, y=12.0, class_=f"name {anchor}")
        for text, x, anchor in zip(times, places, anchors, strict=True)
    ]
    return drawing(frame, key, title, _describe(steps, kinds, times), *bands, *bars, *heads)


Block = tuple[float, float, int]  # top, height, number of problems


def _sums(
    counts: Mapping[tuple[str, ...], int], kinds: Mapping[str, str], time: int
) -> dict[str, int]:
    return {kind: sum(n for path, n in counts.items() if path[time] == kind) for kind in kinds}


def _step(counts: Mapping[tuple[str, ...], int], time: int) -> Counter[tuple[str, str]]:
    step: Counter[tuple[str, str]] = Counter()
    for path, number in counts.items():
        step[path[time], path[time + 1]] += number
    return step


def _stack(sums: Mapping[str, int], unit: float, top: float) -> dict[str, Block]:
    blocks = {}
    for kind, number in sums.items():
        blocks[kind] = (top, number * unit, number)
        top += number * unit + _GAP
    return blocks


def _bands(
    counts: Mapping[tuple[str, str], int],
    kinds: Mapping[str, str],
    sides: Sequence[Mapping[str, Block]],
    unit: float,
    places: tuple[float, float],
) -> list[Markup]:
    left, right = places
    middle = (left + right) / 2
    starts = {kind: block[0] for kind, block in sides[0].items()}
    goals = {kind: block[0] for kind, block in sides[1].items()}
    bands = []
    for start in kinds:
        for goal in kinds:
            number = counts.get((start, goal), 0)
            if not number:
                continue
            a, b, high = starts[start], goals[goal], number * unit
            starts[start] += high
            goals[goal] += high
            upper = (
                f"M{left:.1f},{a:.2f}C{middle:.1f},{a:.2f},{middle:.1f},{b:.2f},{right:.1f},{b:.2f}"
            )
            lower = (
                f"V{b + high:.2f}C{middle:.1f},{b + high:.2f},{middle:.1f},{a + high:.2f},"
                f"{left:.1f},{a + high:.2f}Z"
            )
            note = el("title", f"{number} from {start} to {goal}")
            bands.append(el("path", note, d=upper + lower, class_=f"flow {kinds[start]}"))
    return bands


def _bars(
    blocks: Mapping[str, Block], kinds: Mapping[str, str], place: float, side: str, frame: Frame
) -> list[Markup]:
    # Named outwards at the ends; in between a number stands beside its bar, on the bands.
    shown = {kind: block for kind, block in blocks.items() if block[2]}
    middles = [top + high / 2 for top, high, _ in shown.values()]
    heights = spread(middles, _LABEL_GAP, frame.top + 4, frame.height - frame.bottom - 4)
    left = place - {"end": _BAR, "middle": _BAR / 2, "start": 0.0}[side]
    x, anchor = (left - 6, "end") if side == "end" else (left + _BAR + 6, "start")
    return [
        el(
            "g",
            el("rect", x=left, y=top, width=_BAR, height=high, class_=kinds[kind]),
            el(
                "text",
                None if side == "middle" else el("tspan", f"{kind} ", class_="who"),
                el("tspan", f"{number:,}", class_="who" if side == "middle" else "value"),
                x=x,
                y=height + 3.8,
                class_=anchor,
            ),
            class_="label",
        )
        for (kind, (top, high, number)), height in zip(shown.items(), heights, strict=True)
    ]


def _describe(
    steps: Sequence[Mapping[tuple[str, str], int]],
    kinds: Mapping[str, str],
    times: Sequence[str],
) -> str:
    told = [
        "; ".join(f"{step[a, b]} from {a} to {b}" for a in kinds for b in kinds if step.get((a, b)))
        for step in steps
    ]
    if not any(told):
        return "No data."
    total = f"{sum(steps[0].values())} problems"
    if len(steps) == 1:
        return f"{total}: {told[0]}."
    between = [f"{a} to {b}: {moves}" for (a, b), moves in zip(pairwise(times), told, strict=True)]
    return f"{total}. {'. '.join(between)}."
