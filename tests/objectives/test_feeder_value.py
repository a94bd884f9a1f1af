"""Value and conjugate: the formula, brute-force maximisation, Fenchel's inequality."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feeder_cases import KINDS, conjugate_by_program, random_case, value_of
from hypothesis import given, settings
from hypothesis import strategies as st

from macjax import objectives
from macjax.objectives import FeederTerms

value, conjugate, clip_prices = (
    jax.jit(f) for f in (objectives.value, objectives.conjugate, objectives.clip_prices)
)

LIMITED = [kind for kind in KINDS if kind not in ("hard", "hard_energy")]


def random_loads(case, rng, spread=20.0):
    """Loads on both sides of the headroom; below it where hard."""
    x = rng.normal(0, spread, case.target.shape)
    x = np.where(case.data.hard[:, None], -np.abs(x), x)
    return case.data.headroom + x


def random_prices(case, rng):
    """Prices of every size, most of them outside the domain before clipping."""
    noise = rng.normal(0, 1, case.target.shape) * 10 ** rng.uniform(-3, 2)
    return case.data.energy + noise


@pytest.mark.parametrize("kind", KINDS)
def test_value_is_the_formula(kind):
    case = random_case(kind, 0)
    loads = random_loads(case, np.random.default_rng(0))
    expected = [value_of(case.data, f, loads[f]) for f in range(len(loads))]
    np.testing.assert_allclose(value(case.terms(), loads), expected, rtol=1e-12)


def test_hard_value_has_a_tolerance():
    case = random_case("hard", 0)
    tolerance = np.full_like(case.data.headroom, 0.5)
    terms = FeederTerms.from_data(case.data._replace(tolerance=tolerance))
    loads = case.data.headroom.copy()
    loads[0, 0] += 0.49
    loads[1, 0] += 0.51
    np.testing.assert_array_equal(value(terms, loads), [0, np.inf, 0, 0, 0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_conjugate_is_the_maximum(kind, seed):
    case = random_case(kind, seed)
    price = random_prices(case, np.random.default_rng(seed))
    price = np.asarray(clip_prices(case.terms(), price))
    found = np.asarray(conjugate(case.terms(), price))
    for f in range(len(found)):
        expected = conjugate_by_program(case.data, f, price[f])
        scale = 1 + np.sum(np.abs(price[f] * case.data.headroom[f]))
        assert found[f] == pytest.approx(expected, abs=1e-5 * scale)


@pytest.mark.parametrize("kind", KINDS)
def test_conjugate_is_infinite_where_a_ray_gains_for_ever(kind):
    rng = np.random.default_rng(1)
    seen = set()
    for seed in range(20):
        case = random_case(kind, seed)
        price = random_prices(case, rng)
        price = np.where(rng.random() < 0.5, price, np.maximum(price, case.data.energy))
        found = np.asarray(conjugate(case.terms(), price))
        for f in range(len(found)):
            margin = price[f] - case.data.energy[f]
            down = np.where(margin < 0, -1.0, 0.0)
            up = np.where(margin > case.data.linear[f], 1.0, 0.0)
            up = up * (not case.data.hard[f])
            gains = [
                price[f] @ (case.data.headroom[f] + 1e9 * ray)
                - value_of(case.data, f, case.data.headroom[f] + 1e9 * ray)
                for ray in (down, up)
            ]
            grows = max(gains) > 1e5
            assert np.isinf(found[f]) == grows
            seen.add(bool(grows))
    assert True in seen


@pytest.mark.parametrize("kind", KINDS)
def test_fenchel_inequality(kind):
    rng = np.random.default_rng(4)
    for seed in range(20):
        case = random_case(kind, seed)
        price = clip_prices(case.terms(), random_prices(case, rng))
        dual = np.asarray(conjugate(case.terms(), price))
        assert np.isfinite(dual).all()
        for _ in range(20):
            loads = random_loads(case, rng, 10 ** rng.uniform(-2, 3))
            gain = np.sum(np.asarray(price) * loads, axis=1)
            primal = np.asarray(value(case.terms(), loads))
            scale = np.sum(np.abs(np.asarray(price) * loads), axis=1) + 1
            assert np.all(gain <= primal + dual + 1e-11 * scale)


def test_conjugate_of_the_peak_is_the_price_of_the_headroom():
    """mac.md: with prices >= 0 that sum to at most kappa, g*(price) = price.H."""
    case = random_case("peak", 0)
    price = clip_prices(case.terms(), jnp.ones_like(case.target) * 0.01)
    expected = np.sum(np.asarray(price) * case.data.headroom, axis=1)
    np.testing.assert_allclose(conjugate(case.terms(), price), expected, rtol=1e-13)


def test_conjugate_of_a_square_by_hand():
    """q = 2, price 3 in one slot of headroom 10: 30 + 3^2 / (2 * 2)."""
    case = random_case("square", 0, feeders=1, slots=1)
    data = case.data._replace(quadratic=np.array([2.0]), headroom=np.array([[10.0]]))
    found = conjugate(FeederTerms.from_data(data), jnp.array([[3.0]]))
    assert float(found[0]) == pytest.approx(32.25, rel=1e-15)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(KINDS), st.integers(0, 10**6))
def test_conjugate_is_convex(kind, seed):
    rng = np.random.default_rng(seed)
    case = random_case(kind, seed % 50)
    terms = case.terms()
    one, other = (clip_prices(terms, random_prices(case, rng)) for _ in range(2))
    middle = clip_prices(terms, (one + other) / 2)
    ends = (conjugate(terms, one) + conjugate(terms, other)) / 2
    scale = 1 + jnp.sum(jnp.abs(middle * terms.headroom), axis=1) + jnp.abs(ends)
    assert jnp.all(conjugate(terms, middle) <= ends + 1e-10 * scale)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_agrees(kind):
    case = random_case(kind, 3, feeders=30, slots=48)
    loads = random_loads(case, np.random.default_rng(0))
    single = value(case.terms(jnp.float32), jnp.asarray(loads, jnp.float32))
    assert single.dtype == jnp.float32
    if not case.data.hard.any():
        double = value(case.terms(), loads)
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-2)
