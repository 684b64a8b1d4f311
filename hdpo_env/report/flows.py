"""Where problems went: a band from each kind at the beginning to each kind at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hdpo_env.report.axes import spread
from hdpo_env.report.canvas import Frame, drawing
from hdpo_env.report.markup import Markup, el

_BAR, _GAP, _LABEL_GAP = 10.0, 8.0, 14.0


def flow_chart(
    counts: Mapping[tuple[str, str], int],
    *,
    kinds: Mapping[str, str],
    key: str,
    title: str,
    ends: tuple[str, str] = ("first group", "last group"),
) -> Markup:
    """Two columns of kinds with bands between them, as high as the number of problems.

    ``counts`` maps (kind at the beginning, kind at the end) to a number of problems; ``kinds`` maps
    a kind to its CSS class, in their order from the top.
    """
    frame = Frame(width=360, height=220, left=110, right=110, top=24, bottom=8)
    total = sum(counts.values())
    room = frame.height - frame.top - frame.bottom - _GAP * (len(kinds) - 1)
    unit = room / total if total else 0.0
    sides = [_stack(_sums(counts, kinds, side), unit, frame.top) for side in (0, 1)]
    places = frame.left, frame.width - frame.right
    return drawing(
        frame,
        key,
        title,
        _describe(counts, kinds),
        *_bands(counts, kinds, sides, unit, places),
        *_bars(sides[0], kinds, places[0] - _BAR, ends[0], frame),
        *_bars(sides[1], kinds, places[1], ends[1], frame),
        *(
            el("text", text, x=x, y=12.0, class_=f"name {anchor}")
            for text, x, anchor in zip(ends, places, ("end", "start"), strict=True)
        ),
    )


Block = tuple[float, float, int]  # top, height, number of problems


def _sums(
    counts: Mapping[tuple[str, str], int], kinds: Mapping[str, str], side: int
) -> dict[str, int]:
    return {kind: sum(n for move, n in counts.items() if move[side] == kind) for kind in kinds}


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
    blocks: Mapping[str, Block], kinds: Mapping[str, str], left: float, end: str, frame: Frame
) -> list[Markup]:
    shown = {kind: block for kind, block in blocks.items() if block[2]}
    middles = [top + high / 2 for top, high, _ in shown.values()]
    heights = spread(middles, _LABEL_GAP, frame.top + 4, frame.height - frame.bottom - 4)
    on_left = left < frame.width / 2
    x, anchor = (left - 6, "end") if on_left else (left + _BAR + 6, "start")
    return [
        el(
            "g",
            el("rect", x=left, y=top, width=_BAR, height=high, class_=kinds[kind]),
            el(
                "text",
                el("tspan", kind, class_="who"),
                el("tspan", f" {number:,}", class_="value"),
                x=x,
                y=place + 3.8,
                class_=anchor,
            ),
            class_="label",
        )
        for (kind, (top, high, number)), place in zip(shown.items(), heights, strict=True)
    ]


def _describe(counts: Mapping[tuple[str, str], int], kinds: Mapping[str, str]) -> str:
    moves = [
        f"{counts[start, goal]} from {start} to {goal}"
        for start in kinds
        for goal in kinds
        if counts.get((start, goal))
    ]
    return f"{sum(counts.values())} problems: {'; '.join(moves)}." if moves else "No data."
