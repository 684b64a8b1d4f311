"""Advantages by hand and by law."""

from __future__ import annotations

from fractions import Fraction
from math import fsum, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.advantages import Baseline, Scale, group_advantages
from hdpo_env.errors import ConfigError

rewards = st.lists(st.floats(-10, 10), min_size=1, max_size=16)
binary = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=16)
baselines = st.sampled_from(["mean", "leave_one_out"])
scales = st.sampled_from(["population_std", "sample_std", "none"])


def test_one_success_of_four_by_hand() -> None:
    """The mean is 1/4, the variance 3/16 (population) or 1/4 (sample)."""
    group = [1.0, 0.0, 0.0, 0.0]
    pure = group_advantages(group, eps_std=0)
    assert pure == pytest.approx([sqrt(3), *[-1 / sqrt(3)] * 3], abs=1e-15)
    assert group_advantages(group, scale="sample_std", eps_std=0) == [1.5, -0.5, -0.5, -0.5]
    eps = group_advantages(group)
    assert eps[0] == pytest.approx(0.75 / (sqrt(3) / 4 + 1e-6), abs=1e-15)
    both = group_advantages(group, baseline="leave_one_out", eps_std=0)
    assert both == pytest.approx([4 / sqrt(3), *[-4 / 3 / sqrt(3)] * 3], abs=1e-15)


@given(rewards, baselines, scales)
def test_they_sum_to_zero(group: list[float], baseline: Baseline, scale: Scale) -> None:
    """Relative to the group, nothing is gained on average (float error of G terms)."""
    found = group_advantages(group, baseline=baseline, scale=scale)
    assert abs(fsum(found)) <= 1e-9 * max(1.0, *map(abs, found))


@given(rewards)
def test_leave_one_out_is_g_over_g_minus_1_times_the_centred_reward(group: list[float]) -> None:
    """The baseline of each is the mean of the others, computed here by leaving it out."""
    found = group_advantages(group, baseline="leave_one_out", scale="none")
    exact = [Fraction(r) for r in group]
    if max(exact) == min(exact):
        assert found == [0.0] * len(group)
        return
    for i, reward in enumerate(exact):
        others = exact[:i] + exact[i + 1 :]
        expected = reward - sum(others) / len(others)
        assert abs(found[i] - float(expected)) <= 1e-12


@given(binary, baselines, scales)
def test_zero_exactly_if_all_equal(group: list[float], baseline: Baseline, scale: Scale) -> None:
    """Binary rewards: all advantages are 0 iff cliff or saturated; else successes are above 0."""
    found = group_advantages(group, baseline=baseline, scale=scale)
    if len(set(group)) == 1:
        assert found == [0.0] * len(group)
    else:
        assert all((a > 0) == (r == 1) and a != 0 for a, r in zip(found, group, strict=True))


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e300, -7.7])
@pytest.mark.parametrize("size", [1, 3, 7, 10])
def test_equal_rewards_are_not_float_noise(value: float, size: int) -> None:
    """0.1 repeated has a mean that is not 0.1; the advantage is still exactly 0."""
    for baseline in ("mean", "leave_one_out"):
        found = group_advantages([value] * size, baseline=baseline, eps_std=0)  # type: ignore[arg-type]
        assert found == [0.0] * size


@given(rewards, st.permutations(range(16)), baselines, scales)
def test_order_does_not_matter(
    group: list[float], order: list[int], baseline: Baseline, scale: Scale
) -> None:
    """Permuting rollouts permutes advantages, bit for bit."""
    kept = [i for i in order if i < len(group)]
    found = group_advantages(group, baseline=baseline, scale=scale)
    shuffled = group_advantages([group[i] for i in kept], baseline=baseline, scale=scale)
    assert shuffled == [found[i] for i in kept]


@given(binary, st.integers(-3, 3), baselines, scales)
def test_a_constant_bonus_changes_nothing(
    group: list[float], bonus: int, baseline: Baseline, scale: Scale
) -> None:
    """Adding the same to every reward leaves the advantages (small integers: to 1e-12)."""
    found = group_advantages(group, baseline=baseline, scale=scale)
    moved = group_advantages([r + bonus for r in group], baseline=baseline, scale=scale)
    assert moved == pytest.approx(found, abs=1e-12)


@given(binary, st.lists(st.integers(0, 16), max_size=5), baselines, scales)
def test_abstentions_get_zero_and_count_for_nothing(
    group: list[float], places: list[int], baseline: Baseline, scale: Scale
) -> None:
    """Inserting Nones leaves the others' advantages bit for bit as they were."""
    mixed: list[float | None] = list(group)
    for place in places:
        mixed.insert(min(place, len(mixed)), None)
    found = group_advantages(mixed, baseline=baseline, scale=scale)
    judged = [a for a, r in zip(found, mixed, strict=True) if r is not None]
    assert judged == group_advantages(group, baseline=baseline, scale=scale)
    assert all(a == 0.0 for a, r in zip(found, mixed, strict=True) if r is None)


def test_empty_and_all_abstained_groups() -> None:
    """Nothing judged, nothing learned."""
    assert group_advantages([]) == []
    assert group_advantages([None, None]) == [0.0, 0.0]


@pytest.mark.parametrize("settings", [{"baseline": "median"}, {"scale": "std"}, {"eps_std": -1e-6}])
def test_unknown_settings_are_refused(settings: dict) -> None:
    """The error names the choices."""
    with pytest.raises(ConfigError):
        group_advantages([0.0, 1.0], **settings)
