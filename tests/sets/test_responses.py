"""`shadow_prices` with other responses: discharge, quadratic cost, a smooth curve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tube_oracle import random_chain, residuals, slow_projection, slow_shadow
from tube_solve import answer, two_way

from macjax.sets.soc_tube import SocTube, shadow_prices

FEW_PASSES = 60


@pytest.mark.parametrize("pieces", [1, 8, 100, 700])
def test_optimality_conditions_hold_with_discharge(pieces):
    for seed in range(3):
        chain = two_way(seed, pieces)
        shadow, u, passes = answer(chain)
        assert residuals(chain, u, shadow).worst(1.0) < 1e-9
        assert residuals(chain, u, shadow).worst(chain.rounding()) < 4e-15
        assert passes < FEW_PASSES
        assert pieces == 1 or np.any(u < 0)


def test_discharge_equals_dynamic_programming():
    chain = two_way(5, 12)
    _, u, _ = answer(chain)
    error = np.abs(u - slow_projection(chain)).max((0, 1))
    assert np.all(error <= 4e-15 * chain.rounding())


@jax.jit
def quadratic(curve, price, most, lower, upper, high):
    """Shadow prices of min price u + curve u^2 / 2, and the passes."""

    def response(shadow):
        energy = (shadow[:, None] - price) / curve
        inside = (energy > 0) & (energy < most)
        total = jnp.sum(jnp.clip(energy, 0, most), axis=1)
        return total, jnp.sum(jnp.where(inside, 1 / curve, 0), axis=1)

    return shadow_prices(response, SocTube(lower, upper), jnp.zeros_like(high), high)


@pytest.mark.parametrize("curve", [1e-6, 1e-2, 1.0, 1e4])
def test_best_response_to_prices_with_a_quadratic_cost(curve):
    """Marginal cost - shadow price is 0, or has the sign of the bound that binds."""
    for seed, kind in enumerate(("plain", "tight", "same_gain")):
        chain, _ = random_chain(kind, seed, 6, 4)
        rng = np.random.default_rng(seed)
        price = rng.choice([0.0, 1, 1.5, 3, 8], chain.most.shape)
        high = (price + curve * chain.most).max((0, 1))
        shadow, passes = quadratic(
            curve, price, chain.most, chain.lower, chain.upper, high
        )
        shadow = np.asarray(shadow)
        u = np.clip((shadow[:, None] - price) / curve, 0, chain.most)
        margin = price + curve * u - shadow[:, None]
        rounding = 1e-15 * (np.abs(price).max() + np.abs(shadow).max())
        assert np.all(margin[u < chain.most] >= -rounding)
        assert np.all(margin[u > 0] <= rounding)
        found = residuals(chain, u, shadow, (u, 1 / curve))
        # u is a difference of prices over the curve: that is its rounding.
        assert found.worst(chain.rounding() + price.max() / curve) < 4e-15
        assert int(passes) < FEW_PASSES


def bent(least, most, middle, width, price, numpy=jnp):
    """r_j from least to most, like tanh((price - middle) / width), and its slope."""
    bend = numpy.tanh((price - middle) / width)
    each = least + (most - least) * (1 + bend) / 2
    return each, (most - least) * (1 - bend**2) / (2 * width)


@jax.jit
def smooth(least, most, middle, width, lower, upper, high):
    """Shadow prices of the response `bent`, and the passes."""

    def response(price):
        parts = bent(least, most, middle, width, price[:, None])
        return tuple(jnp.sum(part, axis=1) for part in parts)

    return shadow_prices(response, SocTube(lower, upper), -high, high)


@pytest.mark.parametrize("spread", [0, 1, 3])
def test_smooth_strictly_increasing_response(spread):
    for seed in range(3):
        rng = np.random.default_rng([seed, spread])
        chain = two_way(seed, 10)
        shape = chain.most.shape
        middle = rng.normal(0, 1, shape) * 10 ** rng.uniform(-spread, spread, shape)
        width = 10 ** rng.uniform(-spread, spread, shape)
        data = chain.least, chain.most, middle, width
        high = (np.abs(middle) + 20 * width).max((0, 1))
        shadow, passes = smooth(*data, chain.lower, chain.upper, high)
        shadow = np.asarray(shadow)
        u, _ = bent(*data, shadow[:, None], np)
        steepest = ((chain.most - chain.least) / width).max((0, 1))
        found = residuals(chain, u, shadow, (u, steepest))
        # u moves by the slope with the last bit of the price.
        size = chain.rounding() + steepest * np.abs(shadow).max(0)
        assert found.worst(size) < 4e-15
        assert int(passes) < 100

        def total(k, price, data=data):
            return bent(*(a[k] for a in data), price, np)[0].sum(0)

        slow = slow_shadow(total, chain.lower, chain.upper, -high, high)
        error = np.abs(u - bent(*data, slow[:, None], np)[0]).max((0, 1))
        assert np.all(error <= 4e-15 * size)
