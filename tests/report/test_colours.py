"""Colours can be read, in light and dark, by all eyes."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from hdpo_env.report.html import stylesheet


def _schemes() -> list[dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", stylesheet("chart.css"), re.S)
    return [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in blocks]


def _linear(color: str) -> list[float]:
    digits = color.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def _luminance(rgb: list[float]) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def _contrast(a: str, b: str) -> float:
    low, high = sorted((_luminance(_linear(a)), _luminance(_linear(b))))
    return (high + 0.05) / (low + 0.05)


def test_text_has_contrast_in_light_and_dark() -> None:
    """WCAG AA for every text colour, the labels of curves included; AAA for the running text."""
    for scheme in _schemes():
        assert _contrast(scheme["ink"], scheme["paper"]) >= 7
        for name in ["soft", *(f"p{i}" for i in range(8))]:
            assert _contrast(scheme[name], scheme["paper"]) >= 4.5, name


# Machado, Oliveira and Fernandes (2009), severity 1.0: what colour-blind readers see.
_VISIONS = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.01182, 0.04294, 0.968881),
    ),
}


def _cube_root(t: float) -> float:
    return t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116


def _lab(rgb: list[float]) -> list[float]:
    x = 0.4124 * rgb[0] + 0.3576 * rgb[1] + 0.1805 * rgb[2]
    z = 0.0193 * rgb[0] + 0.1192 * rgb[1] + 0.9505 * rgb[2]
    f = [_cube_root(t) for t in (x / 0.9505, _luminance(rgb), z / 1.089)]
    return [116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]


@pytest.mark.parametrize("vision", _VISIONS)
def test_colours_are_told_apart_by_all_eyes(vision: str) -> None:
    """Any two curves differ by 15 CIELAB units or more, for the usual kinds of colour vision."""
    for scheme in _schemes():
        seen = []
        for i in range(8):
            rgb = _linear(scheme[f"p{i}"])
            mixed = [sum(m * c for m, c in zip(row, rgb, strict=True)) for row in _VISIONS[vision]]
            seen.append(_lab([min(1.0, max(0.0, c)) for c in mixed]))
        for a, b in combinations(seen, 2):
            assert sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5 >= 15
