"""The level theta: against a sort, on ties and nasty sequences, and its optimality."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from macjax.objectives.threshold import peak_level

level = jax.jit(peak_level)


def level_by_sort(peak, slope, budget, floor) -> float:
    """Try each set of highest cells; the largest root among them is the level."""
    order = np.argsort(-peak)
    best, weight, total = floor, 0.0, 0.0
    for i in order:
        if not np.isfinite(peak[i]):
            break
        weight += slope[i]
        total += slope[i] * peak[i]
        best = max(best, (total - budget) / weight)
    return best


def excess(peak, slope, theta) -> float:
    return float(np.sum(slope * np.maximum(peak - theta, 0)))


# Many cells at each height, the lower the heavier: one Newton step climbs few heights.
CROWDED = np.repeat(np.arange(30.0), 100)

NASTY = {
    "crowded": (CROWDED, 2.0**-CROWDED, 0.3415, 0.0),
    "one_slot": ([3.0], [2.0], 1.0, 0.0),
    "floor_rules": ([3.0, 4.0], [1.0, 1.0], 1.0, 10.0),
    "floor_just_enough": ([3.0, 4.0], [1.0, 1.0], 3.0, 2.0),
    "no_budget": ([3.0, 4.0], [1.0, 1.0], 0.0, 0.0),
    "large_budget": ([3.0, 4.0], [1.0, 1.0], 1e9, 0.0),
    "all_inactive": ([-np.inf, -np.inf], [1.0, 1.0], 1.0, 2.5),
    "all_below": ([-3.0, -1.0], [1.0, 1.0], 1.0, 0.0),
    "ties": ([5.0] * 9, [1.0] * 9, 4.5, 0.0),
    "ties_at_the_level": ([5.0, 4.0, 4.0, 4.0], [1.0] * 4, 1.0, 0.0),
    "geometric": (2.0 ** -np.arange(40), np.ones(40), 1.5, 0.0),
    "geometric_slopes": (2.0 ** -np.arange(30), 3.0 ** np.arange(30), 2.0, 0.0),
    "harmonic": (1 / np.arange(1.0, 200), np.arange(1.0, 200), 30.0, 0.0),
    "huge": ([1e9, 2e9, 3e9], [1e3, 1e3, 1e3], 1e12, 0.0),
    "tiny": ([1e-6, 2e-6, 3e-6], [1e-6, 1e-6, 1e-6], 1e-12, 0.0),
    "mixed_scales": ([1e9, 1e-6, 1.0], [1e-6, 1e9, 1.0], 1.0, 0.0),
}


@pytest.mark.parametrize("name", NASTY)
def test_nasty_levels_agree_with_a_sort(name):
    peak, slope, budget, floor = (np.asarray(a, float) for a in NASTY[name])
    found = level(peak[None], slope[None], budget[None], floor[None])[0]
    expected = level_by_sort(peak, slope, float(budget), float(floor))
    scale = max(abs(expected), 1e-6)
    assert abs(float(found) - expected) <= 1e-13 * scale


@pytest.mark.parametrize("seed", range(20))
def test_random_levels_agree_with_a_sort(seed):
    rng = np.random.default_rng(seed)
    peak = rng.normal(1, 10 ** rng.uniform(-3, 3), (50, 96))
    peak[rng.uniform(size=peak.shape) < 0.1] = -np.inf
    slope = 10 ** rng.uniform(-3, 3, peak.shape)
    budget = 10 ** rng.uniform(-4, 5, 50)
    floor = rng.uniform(0, 2, 50)
    found = np.asarray(level(peak, slope, budget, floor))
    for f in range(50):
        expected = level_by_sort(peak[f], slope[f], budget[f], floor[f])
        assert found[f] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def finite(low, high):
    return st.floats(low, high, allow_subnormal=False)


@settings(deadline=None, max_examples=200)
@given(
    hnp.arrays(float, (3, 6), elements=finite(-1e6, 1e6)),
    hnp.arrays(float, (3, 6), elements=finite(1e-6, 1e6)),
    hnp.arrays(float, 3, elements=finite(0, 1e9)),
    hnp.arrays(float, 3, elements=finite(0, 1e6)),
)
def test_level_is_the_lowest_that_holds_the_budget(peak, slope, budget, floor):
    theta = np.asarray(level(peak, slope, budget, floor))
    for f in range(3):
        rounding = 1e-12 * float(
            np.sum(slope[f] * (np.abs(peak[f]) + abs(theta[f]))) + budget[f]
        )
        assert theta[f] >= floor[f]
        assert excess(peak[f], slope[f], theta[f]) <= budget[f] + rounding
        if theta[f] > floor[f]:
            assert excess(peak[f], slope[f], theta[f]) >= budget[f] - rounding


def test_nan_stays_in_its_feeder():
    peak = jnp.array([[1.0, jnp.nan], [3.0, 4.0]])
    theta = level(peak, jnp.ones((2, 2)), jnp.ones(2), jnp.zeros(2))
    assert jnp.isnan(theta[0])
    assert theta[1] == 3.0


def test_feeders_do_not_see_each_other():
    rng = np.random.default_rng(1)
    peak, slope = rng.normal(0, 5, (8, 30)), rng.uniform(0.1, 3, (8, 30))
    budget, floor = rng.uniform(0, 9, 8), np.zeros(8)
    together = level(peak, slope, budget, floor)
    alone = [
        level(peak[f : f + 1], slope[f : f + 1], budget[f : f + 1], floor[f : f + 1])[0]
        for f in range(8)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-15)
