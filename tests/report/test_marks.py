"""Every mark lies where its number says: drawings are read back through the ticks they print.

The scale is taken from what a reader sees, the places and the words of two ticks, never from the
code that drew it. A value drawn wrong, a tick labelled wrong or an axis shifted all fail.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hdpo_env.report.axes import Axis
from hdpo_env.report.bars import Bar, Series, bar_rows, histogram
from hdpo_env.report.flows import flow_chart
from hdpo_env.report.histories import Visit
from hdpo_env.report.lines import Line, line_chart
from hdpo_env.report.looks import Look
from hdpo_env.report.problems import strip
from hdpo_env.report.raster import raster
from hdpo_env.report.scatter import Dot, scatter
from hdpo_env.report.seeds import BandPoint

SVG = "{http://www.w3.org/2000/svg}"
LOOK = Look(1, False, 0)
KINDS = {"cliff": "k-cliff", "mixed": "k-mixed", "saturated": "k-saturated"}
RATES = st.lists(st.floats(0, 1), min_size=2, max_size=12)


def tree(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def texts(chart: ElementTree.Element, css: str) -> list[tuple[float, float, str]]:
    """Place and words of the texts with these classes."""
    found = [t for t in chart.iter(f"{SVG}text") if t.get("class") == css]
    return [(float(t.get("x", 0)), float(t.get("y", 0)), "".join(t.itertext())) for t in found]


def reader(places: Sequence[tuple[float, str]], words: dict[str, float] | None = None) -> Callable:
    """From paper to data, by the first and the last tick; the ticks between must agree."""
    values = [(place, (words or {}).get(text) or number(text)) for place, text in places]
    (start, low), (end, high) = values[0], values[-1]

    def read(place: float) -> float:
        return low + (place - start) / (end - start) * (high - low)

    for place, value in values:
        assert read(place) == pytest.approx(value, abs=0.005 * abs(high - low))
    return read


def axes(chart: ElementTree.Element) -> tuple[Callable, Callable]:
    """How a reader turns places into numbers: along the bottom, and up the side."""
    rows = [(y - 3.8, text) for x, y, text in texts(chart, "tick end")]
    columns = [(x, text) for x, y, text in texts(chart, "tick middle")]
    lines = sorted(float(g.get("y1", 0)) for g in chart.iter(f"{SVG}line"))
    assert lines == pytest.approx(sorted(y for y, _ in rows), abs=0.02)
    return reader(columns), reader(rows)


def vertices(path: ElementTree.Element) -> list[tuple[float, float]]:
    found = re.findall(r"(-?[\d.]+),(-?[\d.]+)", path.get("d", ""))
    return [(float(x), float(y)) for x, y in found]


def of_class(chart: ElementTree.Element, css: str) -> list[ElementTree.Element]:
    return [e for e in chart.iter() if css in (e.get("class") or "").split()]


@given(RATES, st.sampled_from(["rate", "zero", "fit"]), st.floats(0.01, 50))
def test_lines_are_where_the_ticks_say(values: list[float], kind: str, scale: float) -> None:
    """Line, marks and band read back as steps, means, lows and highs, on every kind of axis."""
    scale = 1.0 if kind == "rate" else scale
    values = [scale * v for v in values]
    assume(max(values) - min(values) > 0.05 * scale)
    points = [BandPoint(7 * i, v, 0.9 * v, v + 0.02 * scale, 3) for i, v in enumerate(values)]
    points = [p._replace(high=min(p.high, scale)) for p in points]
    y_range = (0.0, 1.0) if kind == "rate" else None
    markup = line_chart(
        [Line("a", points, LOOK)], key="k", title="t", y_range=y_range, include_zero=kind != "fit"
    )
    chart = tree(markup)
    x, y = axes(chart)
    near = 0.01 * scale
    (line,) = of_class(chart, "line")
    assert [x(px) for px, _ in vertices(line)] == pytest.approx([p.step for p in points], abs=0.1)
    assert [y(py) for _, py in vertices(line)] == pytest.approx(values, abs=near)
    marks = of_class(chart, "mark")
    assert [y(float(m.get("cy", 0))) for m in marks] == pytest.approx(values, abs=near)
    assert [x(float(m.get("cx", 0))) for m in marks] == pytest.approx(
        [p.step for p in points], abs=0.1
    )
    (band,) = of_class(chart, "band")
    ends = [p.high for p in points] + [p.low for p in reversed(points)]
    assert [y(py) for _, py in vertices(band)] == pytest.approx(ends, abs=near)


@given(RATES)
def test_a_stepped_line_keeps_each_value_until_the_next(values: list[float]) -> None:
    """Between two points a stepped line lies at the earlier value, band included."""
    assume(max(values) > 0)
    points = [BandPoint(i, v, v / 2, v, 2) for i, v in enumerate(values)]
    chart = tree(line_chart([Line("a", points, LOOK, is_stepped=True)], key="k", title="t"))
    x, y = axes(chart)
    seen = [(x(px), y(py)) for px, py in vertices(of_class(chart, "line")[0])]
    expected = [(0.0, values[0])]
    for i, (a, b) in enumerate(pairwise(values)):
        expected += [(i + 1.0, a), (i + 1.0, b)]
    for (a, b), (c, d) in zip(seen, expected, strict=True):
        assert (a, b) == pytest.approx((c, d), abs=0.02)
    lower = [y(py) for _, py in vertices(of_class(chart, "band")[0])][len(expected) :][::-1]
    assert lower == pytest.approx([v / 2 for _, v in expected], abs=0.01)


def test_ticks_with_names_stand_at_their_places() -> None:
    """pass@k over k: 1, 2, 4, 8 evenly spaced, points above their own ticks, named on hover."""
    axis = Axis("k", tuple((float(i), str(2**i)) for i in range(4)))
    points = [BandPoint(i, v, v, v, 1) for i, v in enumerate((0.1, 0.3, 0.6, 0.9))]
    chart = tree(line_chart([Line("a", points, LOOK)], key="k", title="t", axis=axis))
    columns = texts(chart, "tick middle")
    assert [text for _, _, text in columns] == ["1", "2", "4", "8"]
    marks = [float(m.get("cx", 0)) for m in of_class(chart, "mark")]
    assert marks == pytest.approx([x for x, _, _ in columns], abs=0.02)
    titles = [t.text for t in chart.iter(f"{SVG}title")]
    assert "k 4\na  .600" in titles
    assert [text for _, _, text in texts(chart, "name middle")] == ["k"]


@given(RATES)
def test_end_labels_print_the_last_value(values: list[float]) -> None:
    """The number beside a curve is its last mean, and its leader starts at the last point."""
    points = [BandPoint(i, v, v, v, 1) for i, v in enumerate(values)]
    chart = tree(line_chart([Line("run", points, LOOK)], key="k", title="t"))
    (value,) = [t for t in chart.iter(f"{SVG}tspan") if t.get("class") == "value"]
    assert number(value.text or "") == pytest.approx(values[-1], abs=5.01e-4)
    (leader,) = of_class(chart, "leader")
    end = vertices(of_class(chart, "line")[0])[-1]
    assert vertices(leader)[0] == pytest.approx((end[0] + 3, end[1]), abs=0.11)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.2, 1)), min_size=2, max_size=9, unique=True))
def test_dots_are_where_the_ticks_say(places: list[tuple[float, float]]) -> None:
    """A scatter plot's points read back as the two rates of each run."""
    assume(max(y for _, y in places) - min(y for _, y in places) > 0.02)
    dots = [Dot(f"v{i}", x, y, LOOK, "") for i, (x, y) in enumerate(places)]
    chart = tree(scatter(dots, key="k", title="t", x_label="gain", y_label="cost"))
    x, y = axes(chart)
    seen = [
        (x(float(c.get("cx", 0))), y(float(c.get("cy", 0)))) for c in chart.iter(f"{SVG}circle")
    ]
    for a, b in zip(seen, places, strict=True):
        assert a == pytest.approx(b, abs=0.005)
    assert texts(chart, "name middle")[0][2] == "gain"
    assert texts(chart, "name")[0][2] == "cost"


@given(
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_histogram_bars_are_as_high_as_their_shares(a: list[float], b: list[float]) -> None:
    """Each bar stands on the floor, in its own bin and half, and is as high as its share."""
    assume(max(a + b) > 0.05)
    edges = [0.0, 0.25, 0.5, 0.75, 1.0]
    series = [Series("early", a, "c0"), Series("late", b, "c2")]
    chart = tree(histogram(series, edges, key="k", title="t", axis=Axis("pass rate")))
    x, y = axes(chart)
    for css, shares, half in (("c0", a, 0), ("c2", b, 1)):
        bars = [r for r in chart.iter(f"{SVG}rect") if r.get("class") == f"bar {css}"]
        for i, (bar, share) in enumerate(zip(bars, shares, strict=True)):
            top, height = float(bar.get("y", 0)), float(bar.get("height", 0))
            assert y(top) == pytest.approx(share, abs=0.01)
            assert y(top + height) == pytest.approx(0, abs=0.01)
            left, width = float(bar.get("x", 0)), float(bar.get("width", 0))
            assert x(left) == pytest.approx(edges[i] + half * 0.125, abs=0.005)
            assert x(left + width) == pytest.approx(edges[i] + (half + 1) * 0.125, abs=0.005)
    titles = [t.text for t in chart.iter(f"{SVG}title")]
    assert any(title and title.startswith(".25 to .50\nearly  ") for title in titles)
    keys = [(t, float(r.get("x", 0))) for r, t in _keys(chart)]
    assert [name for name, _ in sorted(keys, key=lambda k: k[1])] == ["early", "late"]


def _keys(chart: ElementTree.Element) -> list[tuple[ElementTree.Element, str]]:
    groups = [g for g in chart.iter(f"{SVG}g") if g.get("class") in ("c0", "c2")]
    return [(g.find(f"{SVG}rect"), (g.find(f"{SVG}text")).text) for g in groups]  # type: ignore


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=8))
def test_bars_are_as_long_as_their_numbers(numbers: list[int]) -> None:
    """Lengths are proportional from a common start; name, number and share stand in the row."""
    bars = [Bar(f"cause {i}", n, sum(numbers)) for i, n in enumerate(numbers)]
    chart = tree(bar_rows(bars, key="k", title="t"))
    rects = of_class(chart, "bar")
    assert len({r.get("x") for r in rects}) == 1
    longest = max(float(r.get("width", 0)) for r in rects)
    rows = zip(rects, numbers, texts(chart, "end"), texts(chart, "tick"), strict=True)
    for i, (rect, n, (_, low, name), (place, _, share)) in enumerate(rows):
        width = float(rect.get("width", 0))
        assert width == pytest.approx(max(1.0, longest * n / max(numbers)), abs=0.02)
        assert (name, share.split(" · ")[0]) == (f"cause {i}", f"{n:,}")
        assert share.split(" · ")[1] == f"{100 * n / sum(numbers):.0f} %"
        assert float(rect.get("x", 0)) + width < place + 0.02
        assert (
            float(rect.get("y", 0)) < low < float(rect.get("y", 0)) + float(rect.get("height", 0))
        )


MOVES = st.dictionaries(
    st.tuples(st.sampled_from(sorted(KINDS)), st.sampled_from(sorted(KINDS))),
    st.integers(1, 900),
    min_size=1,
)


def _ribbon(band: ElementTree.Element) -> tuple[float, float, float, float]:
    """Top and bottom at the left, top and bottom at the right."""
    d = band.get("d", "")
    (start, *_), points = re.findall(r"M[^C]*", d), vertices(band)
    left_top = float(start[1:].split(",")[1])
    right_top = points[3][1]
    right_bottom = float(re.findall(r"V([\d.]+)", d)[0])
    left_bottom = points[-1][1]
    return left_top, left_bottom, right_top, right_bottom


@given(MOVES)
def test_flows_are_as_high_as_their_counts(counts: dict[tuple[str, str], int]) -> None:
    """Bands fill their blocks on both sides without gap or overlap, all to one scale."""
    chart = tree(flow_chart(counts, kinds=KINDS, key="k", title="t"))
    moves = [(start, goal) for start in KINDS for goal in KINDS if (start, goal) in counts]
    bands = of_class(chart, "flow")
    unit = (220 - 24 - 8 - 16) / sum(counts.values())
    assert len(bands) == len(moves)
    sides: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for band, (start, goal) in zip(bands, moves, strict=True):
        left_top, left_bottom, right_top, right_bottom = _ribbon(band)
        high = counts[start, goal] * unit
        assert left_bottom - left_top == pytest.approx(high, abs=0.03)
        assert right_bottom - right_top == pytest.approx(high, abs=0.03)
        assert KINDS[start] in str(band.get("class"))
        title = band.find(f"{SVG}title")
        assert title is not None
        assert title.text == f"{counts[start, goal]} from {start} to {goal}"
        sides.setdefault((0, start), []).append((left_top, left_bottom))
        sides.setdefault((1, goal), []).append((right_top, right_bottom))
    blocks = [g for g in chart.iter(f"{SVG}g") if g.get("class") == "label"]
    assert len(blocks) == len(sides)
    for block in blocks:
        rect, text = block.find(f"{SVG}rect"), block.find(f"{SVG}text")
        assert rect is not None
        assert text is not None
        kind, total = "".join(text.itertext()).split()
        side = int(text.get("class") == "start")
        spans = sorted(sides[side, kind])
        top, height = float(rect.get("y", 0)), float(rect.get("height", 0))
        assert number(total) == sum(n for move, n in counts.items() if move[side] == kind)
        assert (spans[0][0], spans[-1][1]) == pytest.approx((top, top + height), abs=0.05)
        assert all(a[1] == pytest.approx(b[0], abs=0.05) for a, b in pairwise(spans))
        assert top >= 23.9
        assert top + height <= 212.1


PATHS = st.dictionaries(
    st.tuples(*[st.sampled_from(sorted(KINDS))] * 3), st.integers(1, 900), min_size=1
)


@given(PATHS)
def test_nobody_is_lost_in_the_middle_of_a_flow(counts: dict[tuple[str, ...], int]) -> None:
    """Three times: bands into a block of the middle and out of it both fill it, and are the moves.

    The description names every move of both steps.
    """
    chart = tree(flow_chart(counts, kinds=KINDS, key="k", title="t", times=("a", "b", "c")))
    moves: Counter[tuple[int, str, str]] = Counter()
    for path, n in counts.items():
        moves.update({(i, *pair): n for i, pair in enumerate(pairwise(path))})
    order = [(i, a, b) for i in (0, 1) for a in KINDS for b in KINDS if moves[i, a, b]]
    bands = of_class(chart, "flow")
    spans: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for band, (i, a, b) in zip(bands, order, strict=True):
        title = band.find(f"{SVG}title")
        assert title is not None
        assert title.text == f"{moves[i, a, b]} from {a} to {b}"
        ribbon = _ribbon(band)
        kind, span = (b, ribbon[2:]) if i == 0 else (a, ribbon[:2])
        spans.setdefault(("in" if i == 0 else "out", kind), []).append(span)
    blocks = [g.find(f"{SVG}rect") for g in chart.iter(f"{SVG}g") if g.get("class") == "label"]
    middle = [b for b in blocks if b is not None and float(b.get("x", 0)) == 180 - 5]
    assert len(middle) == len({path[1] for path in counts})
    for block in middle:
        kind = next(k for k, css in KINDS.items() if css == block.get("class"))
        top = float(block.get("y", 0))
        for way in ("in", "out"):
            found = sorted(spans[way, kind])
            assert found[0][0] == pytest.approx(top, abs=0.05)
            assert found[-1][1] == pytest.approx(top + float(block.get("height", 0)), abs=0.05)
            assert all(a[1] == pytest.approx(b[0], abs=0.05) for a, b in pairwise(found))
    told = next(chart.iter(f"{SVG}desc")).text or ""
    assert told.startswith(f"{sum(counts.values())} problems. a to b: ")
    assert all(f"{n} from {a} to {b}" in told for (_, a, b), n in moves.items())


TABLE = st.integers(1, 5).flatmap(
    lambda n: st.lists(
        st.lists(st.sampled_from([*KINDS, None]), min_size=n, max_size=n), min_size=1, max_size=8
    )
)


@given(TABLE)
def test_a_raster_reads_back_as_its_table(rows: list[list[str | None]]) -> None:
    """Every cell's middle lies in exactly the area of its kind; missing cells are not painted."""
    steps = [10 * i for i in range(len(rows[0]))]
    chart = tree(raster(rows, steps=steps, kinds=KINDS, key="k", title="t"))
    columns = [x for x, _, text in texts(chart, "tick middle")]
    assert [int(t) for _, _, t in texts(chart, "tick middle")] == steps
    areas = {
        kind: [
            tuple(map(float, found))
            for path in of_class(chart, css)
            for found in re.findall(r"M([\d.]+),([\d.]+)H([\d.]+)v([\d.]+)", path.get("d", ""))
        ]
        for kind, css in KINDS.items()
    }
    row_height = (230 - 6 - 34) / len(rows)
    for i, row in enumerate(rows):
        middle = 6 + (i + 0.5) * row_height
        for x, cell in zip(columns, row, strict=True):
            covering = [
                kind
                for kind, found in areas.items()
                for left, top, right, height in found
                if left < x < right and top < middle < top + height
            ]
            assert covering == ([] if cell is None else [cell])


@given(st.lists(st.sampled_from([*KINDS, "undecided"]), min_size=1, max_size=12))
def test_a_strip_is_the_groups_in_order(kinds: list[str]) -> None:
    """A problem's strip has a unit of each group's colour at its place; undecided ones are bare."""
    svg = tree(strip([Visit(i, 0, 8, 0, kind) for i, kind in enumerate(kinds)]))
    assert svg.get("viewBox") == f"0 0 {len(kinds)} 1"
    painted: list[str | None] = [None] * len(kinds)
    for path in svg:
        found = re.fullmatch(r"M(\d+),0h(\d+)v1h-(\d+)z", path.get("d", ""))
        assert found is not None
        assert found[2] == found[3]
        for place in range(int(found[1]), int(found[1]) + int(found[2])):
            assert painted[place] is None
            painted[place] = str(path.get("class"))
    assert painted == [KINDS.get(kind) for kind in kinds]
    assert Counter(painted)[None] == kinds.count("undecided")
