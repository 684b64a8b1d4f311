"""PNG files show what the page's drawings show: colours are where the data are."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hdpo_env.report import write_pictures
from hdpo_env.report.bars import Bar, bar_rows
from hdpo_env.report.figures import Figure
from hdpo_env.report.flows import flow_chart
from hdpo_env.report.html import stylesheet
from hdpo_env.report.lines import Line, line_chart
from hdpo_env.report.looks import Look
from hdpo_env.report.markup import el
from hdpo_env.report.png import outline, write_pngs
from hdpo_env.report.seeds import BandPoint

pytest.importorskip("matplotlib", reason="the dev extra brings matplotlib")
LIGHT = re.findall(r":root \{(.*?)\}", stylesheet("chart.css"), re.S)[0]
LIGHT = dict(re.findall(r"--(\w+): (#\w+)", LIGHT))
MARGIN, HEAD = 14, 30  # around a drawing


def _pixels(figure: Figure, folder: Path) -> np.ndarray:
    """The picture at one pixel a unit of the drawing, so that places are indices."""
    from matplotlib.image import imread

    (path,) = write_pngs([figure], folder, dpi=100)
    return (imread(path)[..., :3] * 255).round().astype(int)


def _at(pixels: np.ndarray, x: float, y: float) -> np.ndarray:
    return pixels[int(y + HEAD), int(x + MARGIN)]


def _near(pixels: np.ndarray, color: str, slack: int = 40) -> np.ndarray:
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return np.abs(pixels - wanted).sum(axis=-1) < slack


def test_a_line_is_painted_where_it_is_drawn(tmp_path: Path) -> None:
    """From .1 to .9: the curve's colour is at both ends and in the middle, and not beside it."""
    points = [BandPoint(10 * i, v, v, v, 1) for i, v in enumerate((0.1, 0.5, 0.9))]
    chart = line_chart([Line("run", points, Look(1, False, 0))], key="k", title="T")
    pixels = _pixels(Figure("T", "", chart), tmp_path)
    assert pixels.shape[:2] == (280 + HEAD, 520 + 2 * MARGIN)
    places = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', chart)
    assert len(places) == 3
    for x, y in places:
        assert _near(_at(pixels, float(x), float(y)), LIGHT["p1"])
        assert not _near(_at(pixels, float(x), float(y) - 12), LIGHT["p1"])


def test_bars_cover_their_share_of_the_picture(tmp_path: Path) -> None:
    """30 and 10 of 40: painted areas of the bars' colour are three to one."""
    chart = bar_rows([Bar("a", 30, 40), Bar("b", 10, 40)], key="k", title="T", css="c3")
    painted = _near(_pixels(Figure("T", "", chart), tmp_path), LIGHT["p3"])
    first, second = painted[HEAD : HEAD + 30].sum(), painted[HEAD + 30 :].sum()
    assert first / second == pytest.approx(3, rel=0.03)


def test_a_flow_has_its_colours(tmp_path: Path) -> None:
    """Blocks are in the full colour of their kind, bands in a light shade of where they start."""
    kinds = {"cliff": "k-cliff", "mixed": "k-mixed", "saturated": "k-saturated"}
    chart = flow_chart({("cliff", "mixed"): 12}, kinds=kinds, key="k", title="T")
    pixels = _pixels(Figure("T", "", chart), tmp_path)
    left, right = re.findall(r'<rect x="([\d.]+)"', chart)
    assert _near(_at(pixels, float(left) + 5, 80), LIGHT["cliff"])
    assert _near(_at(pixels, float(right) + 5, 80), LIGHT["mixed"])
    cliff = np.array([int(LIGHT["cliff"][i : i + 2], 16) for i in (1, 3, 5)])
    shade = 0.38 * cliff + 0.62 * 255
    assert np.abs(_at(pixels, (float(left) + float(right)) / 2, 110) - shade).max() < 4


def test_every_figure_of_a_report_is_a_file(writer: Callable, tmp_path: Path) -> None:
    """Two weights of one algorithm: a file for each figure, named after it, none of them empty."""
    made = writer(steps=40)
    demo = sys.modules[type(made).__module__].DEMO
    root = made.study({v: demo[v] for v in ("hdpo-gentle", "hdpo-strong")})
    paths = write_pictures([root], tmp_path / "png")
    names = {path.stem for path in paths}
    assert len(names) == len(paths) >= 16
    assert {"escapes", "trade-off", "coverage-cliff", "flow-hdpo-gentle"} <= names
    assert {"beliefs-hdpo-strong", "causes-hdpo-strong", "raster-hdpo-strong"} <= names
    assert "weight-eval-cliff-pass-8" in names
    assert all(path.stat().st_size > 3000 for path in paths)


def test_outlines_by_hand() -> None:
    """Relative and absolute moves, a curve, and a closed shape."""
    assert outline("M1,2L3,4H5V6")[0] == [(1, 2), (3, 4), (5, 4), (5, 6)]
    assert outline("M1,2h3v-1Z") == ([(1, 2), (4, 2), (4, 1), (1, 2)], [1, 2, 2, 79])
    assert outline("M0,0C1,1,2,1,3,0")[1] == [1, 4, 4, 4]


@pytest.mark.parametrize("d", ["M0,0Q1,1,2,2", "M0,0L1", "M0,0a1,1,0,0,1,2,2"])
def test_an_unknown_path_is_refused(d: str, tmp_path: Path) -> None:
    """What cannot be painted is an error, not a gap in a picture."""
    with pytest.raises(ValueError, match="in a path"):
        outline(d)


def test_an_unknown_element_is_refused(tmp_path: Path) -> None:
    """An ellipse is nothing that our charts draw."""
    svg = el(
        "svg",
        el("title", "T", id="k-title"),
        el("ellipse", rx=3),
        width=100,
        height=100,
        xmlns="http://www.w3.org/2000/svg",
    )
    with pytest.raises(KeyError, match="ellipse"):
        write_pngs([Figure("T", "", svg)], tmp_path)
