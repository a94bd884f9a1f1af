"""Clipped prices lie in the domain, near and cheap; completed ones close the gap."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feeder_cases import KINDS, random_case

from macjax import objectives

clip, conjugate, prox, unused_price, value = (
    jax.jit(f)
    for f in (
        objectives.clip_prices,
        objectives.conjugate,
        objectives.prox,
        objectives.unused_price,
        objectives.value,
    )
)


def in_domain(data, price) -> np.ndarray:
    """The domain of g* from its definition, in float64 and with no tolerance."""
    margin = np.asarray(price, np.float64) - data.energy
    excess = np.sum(np.maximum(margin - data.linear[:, None], 0), axis=1)
    limited = ~data.hard & (data.quadratic == 0)
    return np.all(margin >= 0, axis=1) & (~limited | (excess <= data.kappa))


def is_point(data) -> np.ndarray:
    """Whether the domain is the single price `energy`, which float32 may not hold."""
    costs = data.kappa + data.linear + data.quadratic
    return (costs == 0) & ~data.hard & np.any(data.energy != 0, axis=1)


@pytest.mark.parametrize("dtype", (jnp.float32, jnp.float64))
@pytest.mark.parametrize("kind", KINDS)
def test_clipped_prices_are_in_the_domain_of_float64(kind, dtype):
    rng = np.random.default_rng(0)
    for seed in range(60):
        case = random_case(kind, seed, feeders=8, slots=96)
        noise = rng.normal(0, 1, case.target.shape) * 10 ** rng.uniform(-6, 6)
        price = jnp.asarray(case.data.energy + noise, dtype)
        clipped = clip(case.terms(dtype), price)
        assert clipped.dtype == dtype
        assert jnp.all(jnp.isfinite(conjugate(case.terms(dtype), clipped)))
        inside = in_domain(case.data, clipped)
        assert np.all(inside | (is_point(case.data) & (dtype == jnp.float32)))


@pytest.mark.parametrize("kind", KINDS)
def test_prices_inside_the_domain_stay(kind):
    case = random_case(kind, 1, feeders=20)
    inner = clip(case.terms(), jnp.asarray(case.data.energy + 0.4))
    again = clip(case.terms(), inner)
    np.testing.assert_allclose(again, inner, rtol=1e-13, atol=1e-14)


def test_too_much_is_scaled_to_kappa():
    case = random_case("peak", 0)
    price = np.random.default_rng(0).uniform(1, 9, case.target.shape) * 100
    clipped = np.asarray(clip(case.terms(), price))
    np.testing.assert_allclose(clipped.sum(axis=1), case.data.kappa, rtol=1e-13)
    shares = clipped / clipped.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, price / price.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("dtype", (jnp.float32, jnp.float64))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", (np.nan, np.inf, -np.inf, 1e30, -1e30))
def test_any_table_is_clipped_into_the_domain(kind, dtype, bad):
    case = random_case(kind, 2)
    price = np.array(case.data.energy + 0.1)
    price[0, :] = bad
    price[1, 2] = bad
    clipped = clip(case.terms(dtype), jnp.asarray(price, dtype))
    assert jnp.all(jnp.isfinite(clipped))
    if dtype == jnp.float64:
        assert in_domain(case.data, clipped).all()


@pytest.mark.parametrize("kind", ("peak", "linear", "square", "all"))
def test_unused_price_closes_the_gap(kind):
    """Without it the bound -g*(price) + price.Z is short by the unused kappa."""
    short = 0
    for seed in range(20):
        case = random_case(kind, seed, feeders=10)
        low = np.where(case.active, case.target - 25, case.target)
        terms, target, weight, active = case._replace(target=low).arrays()
        load, _ = prox(terms, target, weight, active)
        partial = jnp.where(active, weight * (target - load), terms.energy)
        full = unused_price(terms, partial, active)
        bounds = [
            jnp.sum(p * load, axis=1) - conjugate(terms, p)
            for p in (clip(terms, partial), clip(terms, full))
        ]
        g = value(terms, load)
        scale = 1 + jnp.abs(g) + jnp.sum(jnp.abs(full * target), axis=1)
        assert jnp.all(bounds[0] <= g + 1e-12 * scale)
        assert jnp.all(jnp.abs(bounds[1] - g) <= 1e-12 * scale)
        short += int(jnp.sum(bounds[0] < g - 1e-6))
    assert short > 0


def test_unused_price_reads_no_inactive_price_and_keeps_the_active():
    case = random_case("all", 3)
    terms, _, _, active = case.arrays()
    price = jnp.asarray(case.data.energy + 0.1)
    noise = jnp.where(active, price, jnp.nan)
    full = unused_price(terms, price, active)
    np.testing.assert_array_equal(full, unused_price(terms, noise, active))
    np.testing.assert_array_equal(
        jnp.where(active, full, 0), np.where(active, price, 0)
    )


def test_unused_price_by_hand():
    """kappa 7, active prices 1 and 2, a base load 3 kW over in slot 2: price 4."""
    case = random_case("peak", 0, feeders=1, slots=4)
    data = case.data._replace(
        kappa=np.array([7.0]), headroom=np.array([[9.0, 9.0, -3.0, -2.0]])
    )
    active = jnp.array([[True, True, False, False]])
    price = jnp.array([[1.0, 2.0, 0.0, 0.0]])
    full = unused_price(case._replace(data=data).terms(), price, active)
    np.testing.assert_array_equal(full, [[1.0, 2.0, 4.0, 0.0]])


def test_hard_inactive_cells_get_no_price():
    case = random_case("hard", 1)
    terms, _, _, active = case.arrays()
    full = unused_price(terms, jnp.zeros_like(terms.energy), active)
    np.testing.assert_array_equal(full, 0)
