"""What 128 x 8 rollouts tell about the prior: docs/prior.md against theory and simulation."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hdpo_env.cliffs.beta import Beta
from hdpo_env.cliffs.posterior import _Likelihood

ROOT = Path(__file__).resolve().parents[2]
WITHIN, RELATIVE, NEEDED = "Within 0.1 of", "Within 10 % of the true", "Problems, of 8"


@pytest.fixture(scope="module")
def study() -> Iterator[Any]:
    """The module that measured the tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        yield importlib.import_module("benchmarks.prior_recovery")


@cache
def table(heading: str) -> Mapping[str, Mapping[str, list[float]]]:
    """Truth -> column -> the numbers of its cell, under the heading that begins so."""
    text = (ROOT / "docs" / "prior.md").read_text().split(f"## {heading}")[1].split("\n## ")[0]
    lines = [
        [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in text.splitlines()
        if line.startswith("| ") and "---" not in line
    ]
    names, *rows = lines
    return {
        truth: {
            name: [float(n.replace(",", "")) for n in re.findall(r"[\d,]+", cell)]
            for name, cell in zip(names[1:], cells, strict=True)
        }
        for truth, *cells in rows
    }


@pytest.mark.parametrize("prior", [Beta(0.4, 1.2), Beta(2.0, 2.0), Beta(0.15, 2.0)])
def test_the_information_is_the_expected_curvature(study: Any, prior: Beta) -> None:
    """E[score score'] = -E[Hessian]: the limit's information against the fit's own Hessians."""
    point = np.log([prior.a, prior.b])
    mass = study._mass(prior)
    assert mass.sum() == pytest.approx(1, abs=1e-12)
    assert mass[0] == pytest.approx(prior.p_all_fail(8), abs=1e-12)
    curvature = sum(
        -p * _Likelihood(np.array([[c, 8 - c]])).slopes(point)[1] for c, p in enumerate(mass)
    )
    assert study._covariance(prior, 1) @ curvature == pytest.approx(np.eye(2), abs=1e-6)


def test_the_printed_limits_are_the_theory(study: Any) -> None:
    """Every bracket and every number of problems is what Cramer and Rao give, to rounding."""
    for truth in study.TRUTHS:
        name = f"Beta({truth.a}, {truth.b})"
        for heading, relative in ((WITHIN, False), (RELATIVE, True)):
            limit = study.limit(truth, relative=relative)
            for column, (_, printed) in table(heading)[name].items():
                assert printed == pytest.approx(100 * limit[column], abs=0.51), (name, column)
        for column, (printed,) in table(NEEDED)[name].items():
            assert printed == pytest.approx(study.problems_needed(truth, column), rel=1e-3)
    assert study.known_rates_share(Beta(0.15, 2.0)) == pytest.approx(0.42, abs=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("place", range(5))
def test_single_batches_recover_what_they_can(study: Any, place: int) -> None:
    """1,000 batches: each share is the limit's, and the printed one, within 4 sigma.

    Sigma is that of a share of 1,000, no smaller than that of a share of 1 %. The bar: mean, cliffs
    at 8 and mixed groups within 0.1 in 95 % of batches.
    """
    truth = study.TRUTHS[place]
    name, found = f"Beta({truth.a}, {truth.b})", study.fits(truth)
    for heading, relative in ((WITHIN, False), (RELATIVE, True)):
        shares = study.measured(truth, found, relative=relative)
        limit = study.limit(truth, relative=relative)
        for column, (printed, _) in table(heading)[name].items():
            share = min(max(limit[column], 0.01), 0.99)
            sigma = (share * (1 - share) / study.NUM_BATCHES) ** 0.5
            assert abs(shares[column] - limit[column]) < 4 * sigma, (name, column)
            assert abs(shares[column] - printed / 100) < 4 * 2**0.5 * sigma + 0.005, (name, column)
        if not relative:
            assert min(shares[n] for n in ("mean", "cliff at 8", "mixed at 8")) >= 0.95


@pytest.mark.slow
def test_as_many_problems_as_it_says_are_enough(study: Any) -> None:
    """1,899 problems of Beta(0.4, 1.2): b is within 10 % in 95 % of 300 batches (4 sigma)."""
    truth = Beta(0.4, 1.2)
    rows = study.batches(truth, 300, 1, study.problems_needed(truth, "b")).tolist()
    found = [study.fit_prior([(c, 8 - c) for c in row]).prior.b for row in rows]
    share = np.mean(np.abs(np.array(found) / 1.2 - 1) < 0.1)
    assert abs(share - 0.95) < 4 * (0.95 * 0.05 / 300) ** 0.5
