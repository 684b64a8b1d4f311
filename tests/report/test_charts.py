"""Drawings put the data where they belong and can be read without eyes."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.report.lines import Line, line_chart
from hdpo_env.report.looks import Look, assign_looks
from hdpo_env.report.raster import raster
from hdpo_env.report.scatter import Dot, scatter
from hdpo_env.report.seeds import BandPoint

SVG = "{http://www.w3.org/2000/svg}"
LOOK = Look(1, False, 0)


def _points(values: list[float], spread: float = 0.0, seeds: int = 1) -> list[BandPoint]:
    return [BandPoint(i * 10, v, v - spread, v + spread, seeds) for i, v in enumerate(values)]


def _tree(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)


def _vertices(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path)]


def _line_paths(tree: ElementTree.Element) -> list[list[tuple[float, float]]]:
    return [_vertices(p.get("d", "")) for p in tree.iter(f"{SVG}path") if p.get("class") == "line"]


def test_a_line_by_hand() -> None:
    """0, .5, 1 over steps 0, 10, 20: floor, middle and top of the plot, evenly spaced."""
    chart = _tree(line_chart([Line("a", _points([0, 0.5, 1]), LOOK)], key="k", title="t"))
    (line,) = _line_paths(chart)
    assert [y for _, y in line] == [240.0, 127.0, 14.0]
    assert line[0][0] == 44.0
    assert line[1][0] - line[0][0] == pytest.approx(line[2][0] - line[1][0], abs=0.11)


def test_a_metric_that_begins_later_begins_later() -> None:
    """Values at steps 50 and 100 stand in the middle and at the end of an axis from 0."""
    points = [BandPoint(s, 0.5, 0.5, 0.5, 1) for s in (50, 100)]
    chart = _tree(line_chart([Line("a", points, LOOK)], key="k", title="t"))
    (((middle, _), (end, _)),) = _line_paths(chart)
    assert middle == pytest.approx((44 + end) / 2, abs=0.06)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_higher_is_higher(values: list[float]) -> None:
    """The order of values is the order of heights (up to a tenth of a unit)."""
    (line,) = _line_paths(_tree(line_chart([Line("a", _points(values), LOOK)], key="k", title="t")))
    for a, ya in zip(values, (y for _, y in line), strict=True):
        assert ya == pytest.approx(240 - 226 * a, abs=0.051)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_end_labels_do_not_overlap(ends: list[float]) -> None:
    """Every curve is labelled at its end, in the order of the ends, at least a line apart."""
    lines = [Line(f"v{i}", _points([0.5, e]), LOOK) for i, e in enumerate(ends)]
    chart = _tree(line_chart(lines, key="k", title="t"))
    labels = [t for t in chart.iter(f"{SVG}text") if t.find(f"{SVG}tspan") is not None]
    heights = sorted(float(t.get("y", "0")) for t in labels)
    assert len(labels) == len(ends)
    assert all(b - a >= 13.9 for a, b in pairwise(heights))


def test_band_only_where_seeds_differ() -> None:
    """One seed has no band; several are enclosed by it."""
    alone = line_chart([Line("a", _points([0.2, 0.4]), LOOK)], key="k", title="t")
    several = line_chart([Line("a", _points([0.2, 0.4], 0.1, 3), LOOK)], key="k", title="t")
    assert 'class="band' not in alone
    band = next(p for p in _tree(several).iter(f"{SVG}path") if "band" in p.get("class", ""))
    heights = [y for _, y in _vertices(band.get("d", ""))]
    assert (max(heights), min(heights)) == pytest.approx((240 - 22.6, 240 - 113), abs=0.06)


def test_hover_tells_every_value_of_a_step() -> None:
    """Resting on a step shows each curve's mean, and its range over seeds."""
    lines = [
        Line("grpo", _points([0.0, 0.01]), LOOK),
        Line("hdpo", _points([0.0, 0.9], 0.05, 3), LOOK),
    ]
    chart = _tree(line_chart(lines, key="k", title="t"))
    titles = [t.text for t in chart.iter(f"{SVG}title")]
    assert "step 10\ngrpo  .010\nhdpo  .900 (.850 to .950, 3 seeds)" in titles


def test_hover_columns_tile_the_plot() -> None:
    """Each step's column holds its points; columns touch, and cover the plot from top to floor."""
    lines = [Line("a", _points([0.1, 0.5, 0.2, 0.9]), LOOK)]
    chart = _tree(line_chart(lines, key="k", title="t"))
    (line,) = _line_paths(chart)
    columns = [r for r in chart.iter(f"{SVG}rect") if r.get("class") == "strip"]
    edges = [(float(r.get("x", 0)), float(r.get("width", 0))) for r in columns]
    assert len(columns) == 4
    for (x, _), (left, width) in zip(line, edges, strict=True):
        assert left < x < left + width
    for (left, width), (right, _) in pairwise(edges):
        assert left + width == pytest.approx(right, abs=0.02)
    assert {(float(r.get("y", 0)), float(r.get("height", 0))) for r in columns} == {(14, 226)}


def test_labels_have_room_beside_the_plot() -> None:
    """The longest label fits between the end of the plot and the edge of the drawing."""
    lines = [Line("a", _points([0, 1]), LOOK), Line("a-long-name", _points([0, 0.5]), LOOK)]
    chart = _tree(line_chart(lines, key="k", title="t"))
    labels = [t for t in chart.iter(f"{SVG}text") if t.find(f"{SVG}tspan") is not None]
    plot_end = max(x for line in _line_paths(chart) for x, _ in line)
    for label in labels:
        left = float(label.get("x", 0))
        assert left > plot_end
        assert left + 6 * len("".join(label.itertext())) <= 520


def test_charts_describe_themselves() -> None:
    """role, title and a description with the numbers; ids are built from the key."""
    chart = _tree(line_chart([Line("a", _points([0.1, 0.9]), LOOK)], key="k", title="Cliffs"))
    assert chart.get("role") == "img"
    named = {e.get("id"): e.text for e in chart.iter() if e.get("id")}
    assert named == {"k-title": "Cliffs", "k-desc": "Lines over step 0 to 10: a from .100 to .900."}
    assert chart.get("aria-labelledby") == "k-title k-desc"


def test_an_empty_or_single_point_chart_still_draws() -> None:
    """No data and one step are drawn without a division by zero."""
    assert "No data." in line_chart([], key="k", title="t")
    assert "NaN" not in line_chart([Line("a", _points([0.3]), LOOK)], key="k", title="t").lower()


def test_scatter_by_hand_and_with_free_labels() -> None:
    """(0, low) is left and low, (1, high) right and high; labels avoid points and each other."""
    places = {"a": (0.0, 0.2), "b": (1.0, 0.8), "c": (1.0, 0.79)}
    dots = [Dot(name, x, y, LOOK, name) for name, (x, y) in places.items()]
    chart = _tree(scatter(dots, key="k", title="t", x_label="x", y_label="y"))
    spots = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in chart.iter(f"{SVG}circle")]
    assert spots[0][0] < spots[1][0]
    assert spots[0][1] > spots[2][1] > spots[1][1]
    texts = [t for t in chart.iter(f"{SVG}text") if t.get("class") == "who"]
    boxes = [(float(t.get("x", 0)), float(t.get("y", 0))) for t in texts]
    for i, (x, y) in enumerate(boxes):
        assert all(abs(x - u) >= 7 or abs(y - v) >= 14 for u, v in boxes[i + 1 :])


def test_raster_area_is_the_share_of_each_kind() -> None:
    """2 of 6 cells cliff, 3 mixed, 1 saturated: painted areas are in these proportions."""
    rows = [["cliff", "mixed", "mixed"], ["cliff", "mixed", "saturated"]]
    kinds = {"cliff": "c", "mixed": "m", "saturated": "s"}
    chart = _tree(raster(rows, steps=[0, 10, 20], kinds=kinds, key="k", title="t"))
    area = dict.fromkeys(kinds.values(), 0.0)
    for path in chart.iter(f"{SVG}path"):
        for x, right, height in re.findall(
            r"M([\d.]+),[\d.]+H([\d.]+)v([\d.]+)", path.get("d", "")
        ):
            area[str(path.get("class"))] += (float(right) - float(x)) * float(height)
    whole = sum(area.values())
    assert [area[c] / whole for c in "cms"] == pytest.approx([2 / 6, 3 / 6, 1 / 6], abs=2e-3)


def test_looks_are_shared_by_twins_only() -> None:
    """Frozen and EMA twins share the colour of their base, dashed; all others differ."""
    looks = assign_looks(["grpo", "a", "a-frozen", "b", "c-frozen"], "grpo")
    assert (looks["a"].color, looks["a"].is_dashed) == (1, False)
    assert (looks["a-frozen"].color, looks["a-frozen"].is_dashed) == (1, True)
    assert len({looks[v].color for v in ("grpo", "a", "b", "c-frozen")}) == 4
    assert looks["c-frozen"].is_dashed is False
    assert len({look.switch for look in looks.values()}) == 5
