"""`shadow_ranks` against enumeration on small instances with integer prices and ties.

By duality a price path is optimal if its dual value is the least cost:

    sum_kj most_kj min(0, price_kj - lambda_k)
        + sum_k min_{lower_k <= s <= upper_k} (lambda_k - lambda_{k+1}) s
        = min_u sum_kj price_kj u_kj.

With whole numbers everywhere some whole-number u is optimal, so that enumeration over
the energy after each piece finds the least cost.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from macjax.sets.soc_tube import SocTube, shadow_ranks


def least_cost(price, most, lower, upper) -> float:
    """Least cost of one vehicle; price, most (k, s), lower, upper (k,)."""
    best = {0: 0.0}
    for k in range(len(lower)):
        step = [0.0]  # the cheapest way to charge 0, 1, 2, ... here
        for cheapest in sorted(np.repeat(price[k], most[k].astype(int))):
            step.append(step[-1] + cheapest)
        after: dict[int, float] = {}
        for held, cost in best.items():
            for energy, paid in enumerate(step):
                total = held + energy
                if lower[k] <= total <= upper[k]:
                    after[total] = min(after.get(total, np.inf), cost + paid)
        best = after
    return min(best.values())


def dual_value(price, most, lower, upper, shadow) -> np.ndarray:
    """Dual value of each vehicle, (v,)."""
    fall = shadow - np.concatenate([shadow[1:], np.zeros_like(shadow[:1])])
    with np.errstate(invalid="ignore"):
        at_bound = fall * np.where(fall > 0, lower, upper)
    at_bound = np.where(fall == 0, 0.0, at_bound)
    gain = most * np.minimum(0, price - shadow[:, None])
    return gain.sum((0, 1)) + at_bound.sum(0)


def instance(seed, k, s, v=32, highest=4, lowest=0):
    """Whole-number prices, limits and bounds, half of the bounds missing."""
    rng = np.random.default_rng(seed)
    price = rng.integers(lowest, highest + 1, (k, s, v)).astype(float)
    most = rng.integers(0, 4, (k, s, v)).astype(float)
    inside = np.floor(most * rng.random((k, s, v)) + rng.random((k, s, v)))
    inside = np.minimum(inside, most)
    path = np.cumsum(inside.sum(1), axis=0)
    lower = path - rng.integers(0, 3, (k, v))
    upper = path + rng.integers(0, 3, (k, v))
    lower = np.where(rng.random((k, v)) < 0.4, -np.inf, lower)
    upper = np.where(rng.random((k, v)) < 0.4, np.inf, upper)
    return price, most, lower, upper


@partial(jax.jit, static_argnames="ranks")
def solve(rank, most, lower, upper, end, ranks):
    """`shadow_ranks` of opportunities with given ranks of their prices."""

    def cheaper(trial):
        return jnp.sum(jnp.where(rank < trial[:, None], most, 0), axis=1)

    return shadow_ranks(cheaper, SocTube(lower, upper), ranks, end)


def ranked(price, most, lower, upper, levels, dtype=np.float64):
    """lambda (k, v) from `shadow_ranks` with sorted levels, and the passes."""
    rank = np.searchsorted(levels, price).astype(dtype)
    end = np.searchsorted(levels, 0.0).astype(dtype)
    parts = (np.asarray(part, dtype) for part in (rank, most, lower, upper, end))
    found, passes = solve(*parts, ranks=len(levels))
    found = np.asarray(found)
    np.testing.assert_array_equal(found, np.round(found))
    assert found.dtype == dtype
    assert found.min() >= 0 and found.max() <= len(levels) - 1
    return levels[found.astype(int)], int(passes)


def enumerated(price, most, lower, upper) -> np.ndarray:
    vehicles = range(price.shape[-1])
    parts = (price, most, lower, upper)
    return np.array([least_cost(*(a[..., v] for a in parts)) for v in vehicles])


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 2), (4, 3), (9, 2)])
@pytest.mark.parametrize("lowest", [0, 2, -3])
def test_dual_value_is_the_least_cost(shape, lowest):
    for seed in range(2):
        made = instance(seed, *shape, lowest=lowest)
        levels = np.arange(-4.0, 5.0)  # some of them are nobody's price
        shadow, passes = ranked(*made, levels)
        value = dual_value(*made, shadow)
        np.testing.assert_allclose(value, enumerated(*made), rtol=0, atol=1e-9)
        assert passes <= np.log2(len(levels)) + 3


def test_levels_may_repeat():
    made = instance(11, 5, 3)
    levels = np.sort(np.append(made[0].ravel(), np.zeros(3)))
    shadow, passes = ranked(*made, levels)
    value = dual_value(*made, shadow)
    np.testing.assert_allclose(value, enumerated(*made), rtol=0, atol=1e-9)
    assert passes <= np.log2(len(levels)) + 3


def test_one_level_and_all_prices_equal():
    price, most, lower, upper = instance(12, 4, 2)
    for level in (0.0, 3.0, -2.0):
        same = np.full_like(price, level)
        levels = np.unique([level, 0.0])
        shadow, _ = ranked(same, most, lower, upper, levels)
        value = dual_value(same, most, lower, upper, shadow)
        cost = enumerated(same, most, lower, upper)
        np.testing.assert_allclose(value, cost, rtol=0, atol=1e-9)


def test_a_million_levels_in_float32():
    """Ranks stay whole in float32, and the passes grow with the logarithm."""
    made = instance(13, 6, 2)
    price = made[0] + np.random.default_rng(0).random(made[0].shape)
    made = (price, *made[1:])
    levels = np.sort(np.append(np.linspace(0, 9, 1_000_000), price.ravel()))
    shadow, passes = ranked(*made, levels, dtype=np.float32)
    wide, _ = ranked(*made, levels)
    np.testing.assert_array_equal(shadow, wide)
    np.testing.assert_allclose(
        dual_value(*made, wide), enumerated(*made), rtol=0, atol=1e-9
    )
    assert passes <= 23


def test_no_room_and_empty_tubes_harm_nobody():
    price, most, lower, upper = instance(14, 4, 2)
    levels = np.unique(np.append(price, 0.0))
    alone, _ = ranked(price, most, lower, upper, levels)
    lower, upper, most = lower.copy(), upper.copy(), most.copy()
    lower[1, 0], upper[2, 1], most[..., 2] = 99.0, -1.0, 0.0
    most[..., 3] = np.nan
    with_bad, passes = ranked(price, most, lower, upper, levels)
    np.testing.assert_array_equal(with_bad[:, 4:], alone[:, 4:])
    assert passes <= np.log2(len(levels)) + 3


def test_the_same_under_vmap():
    made = [instance(seed, 4, 3) for seed in range(3)]
    stacked = [np.stack(parts) for parts in zip(*made, strict=True)]
    together, _ = jax.vmap(partial(solve, ranks=9), (0, 0, 0, 0, None))(
        stacked[0] + 4, *stacked[1:], np.float64(4)
    )
    for i in range(3):
        alone, _ = ranked(*made[i], np.arange(-4.0, 5.0))
        np.testing.assert_array_equal(together[i] - 4, alone)
