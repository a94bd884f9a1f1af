"""The answer of a price taker is exact: against enumeration, and by its conditions."""

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from macjax.sets.energy_benefit import benefit_charging, benefit_multiplier

TOLERANCE = {"float32": 3e-5, "float64": 1e-11}


def sorted_multiplier(price, a, b, delta, gamma, hours) -> float:
    """A by the sorted formula, for one EV without limits: k cheapest slots active."""
    order = np.sort(price)
    for k in range(len(price), 0, -1):
        r = hours * delta / a
        top = 2 * delta * gamma + r * (k * b + order[:k].sum())
        multiplier = top / (1 + k * r)
        if multiplier - b > order[k - 1]:
            return multiplier
    return 2 * delta * gamma


def slow_multiplier(price, a, b, limit, delta, gamma, hours) -> float:
    """A of one EV by 200 halvings, in plain Python."""

    def excess(x):
        u = 0.0
        for p, most in zip(price, limit, strict=True):
            u += min(max((x - b - p) / (2 * a), 0), most)
        return hours * u + max(x, 0) / (2 * delta) - gamma

    high = 2 * delta * gamma
    low = min(b + min(price), high)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if excess(middle) > 0 else (middle, high)
    return (low + high) / 2


def case(seed: int, evs: int = 40, slots: int = 12) -> dict:
    rng = np.random.default_rng(seed)
    limit = rng.choice([0.0, 1.0, 3.7, 11.0, np.inf], (slots, evs))
    return {
        "price": rng.uniform(0.02, 0.3, (slots, evs)),
        "linear": rng.uniform(0, 0.2, evs),
        "quadratic": 10 ** rng.uniform(-3, 0, evs),
        "limit": limit,
        "benefit": 10 ** rng.uniform(-2.5, 1, evs),
        "target": rng.uniform(0, 40, evs),
        "slot_hours": float(rng.choice([0.25, 1.0, 2.0])),
    }


def solved(data: dict, dtype: str, start=None):
    """A and u of the fast code."""
    with jax.enable_x64(dtype == "float64"):
        hours = data["slot_hours"]
        arrays = {
            k: jnp.asarray(v, dtype) for k, v in data.items() if k != "slot_hours"
        }
        begin = None if start is None else jnp.asarray(start, dtype)
        multiplier = benefit_multiplier(**arrays, slot_hours=hours, start=begin)
        names = ("price", "linear", "quadratic", "limit")
        charging = benefit_charging(multiplier, *(arrays[n] for n in names))
        return np.asarray(multiplier), np.asarray(charging)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(4))
def test_multiplier_is_the_one_of_plain_halving(dtype, seed):
    data = case(seed)
    multiplier, _ = solved(data, dtype)
    for n, found in enumerate(multiplier):
        one = [data[k][n] for k in ("quadratic", "linear")]
        slow = slow_multiplier(
            data["price"][:, n],
            *one,
            data["limit"][:, n],
            data["benefit"][n],
            data["target"][n],
            data["slot_hours"],
        )
        scale = 1 + abs(slow)
        assert abs(found - slow) < TOLERANCE[dtype] * scale


def test_without_limits_it_is_the_sorted_formula():
    data = case(7) | {"limit": np.full((1, 40), np.inf)}
    multiplier, charging = solved(data, "float64")
    for n, found in enumerate(multiplier):
        args = [data[k][n] for k in ("quadratic", "linear", "benefit", "target")]
        expected = sorted_multiplier(data["price"][:, n], *args, data["slot_hours"])
        assert found == pytest.approx(expected, rel=1e-13, abs=1e-14)
    energy = data["slot_hours"] * charging.sum(axis=0)
    benefit = 2 * data["benefit"] * (data["target"] - energy)
    np.testing.assert_allclose(multiplier, benefit, rtol=1e-9, atol=1e-11)


@hypothesis.given(seed=st.integers(0, 2**32 - 1), negative=st.booleans())
@hypothesis.settings(max_examples=30)
def test_conditions_of_the_optimum_hold(seed, negative):
    """Gradient 0 inside, >= 0 at 0, <= 0 at the limit; energy within the cap."""
    data = case(seed, evs=16)
    if negative:
        data["price"] = data["price"] - 0.3
    multiplier, u = solved(data, "float64")
    slope = data["price"] + 2 * data["quadratic"] * u + data["linear"] - multiplier
    limit = data["limit"]
    inside = (u > 0) & (u < limit)
    scale = 1e-10 * (1 + np.abs(multiplier))
    assert np.all(np.abs(slope[inside]) < np.broadcast_to(scale, u.shape)[inside])
    assert np.all((slope > -scale) | (u > 0) | (limit == 0))
    assert np.all((slope < scale) | (u < limit) | (limit == 0))
    assert np.all((u >= 0) & (u <= limit))
    energy = data["slot_hours"] * u.sum(axis=0)
    assert np.all(energy <= data["target"] * (1 + 1e-12) + 1e-12)
    value = 2 * data["benefit"] * (data["target"] - energy)
    positive = multiplier > 0
    size = 1e-9 * (1 + 2 * data["benefit"] * data["target"])
    assert np.all(np.abs(multiplier - value)[positive] < size[positive])
    # A negative multiplier is that of the cap, which binds then.
    capped = multiplier < -1e-9
    np.testing.assert_allclose(energy[capped], data["target"][capped], rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_where_the_search_starts_does_not_matter(dtype):
    data = case(11, evs=500)
    multiplier, _ = solved(data, dtype)
    rng = np.random.default_rng(0)
    for start in (np.zeros(500), rng.normal(0, 5, 500), multiplier * 1.001):
        again, _ = solved(data, dtype, start)
        scale = 1 + np.abs(multiplier)
        assert np.max(np.abs(again - multiplier) / scale) < TOLERANCE[dtype] / 10


def test_lemma_of_the_source():
    """||u(p) - u(q)||_1 <= 2 nu ||p - q||_1."""
    data = case(3, evs=200)
    rng = np.random.default_rng(1)
    other = data | {"price": data["price"] + rng.normal(0, 0.02, data["price"].shape)}
    moved = np.abs(solved(data, "float64")[1] - solved(other, "float64")[1]).sum(0)
    apart = np.abs(data["price"] - other["price"]).sum(0)
    nu = 0.5 / data["quadratic"]
    assert np.all(moved <= 2 * nu * apart + 1e-9)
    assert np.any(moved > 0.2 * nu * apart)


def test_one_price_for_all_is_the_same_as_that_price_for_each():
    data = case(5)
    common = data["price"][:, :1]
    whole = data | {"price": np.broadcast_to(common, data["price"].shape)}
    one, each = solved(data | {"price": common}, "float64"), solved(whole, "float64")
    np.testing.assert_array_equal(one[0], each[0])
    np.testing.assert_array_equal(one[1], each[1])


def test_nan_stays_with_its_ev():
    data = case(2)
    clean = solved(data, "float64")[0]
    data["target"][3] = np.nan
    broken = solved(data, "float64")[0]
    assert np.isnan(broken[3])
    np.testing.assert_array_equal(np.delete(broken, 3), np.delete(clean, 3))


def test_batches_by_vmap_are_the_single_answers():
    data = case(9, evs=30)
    with jax.enable_x64(True):
        arrays = {k: jnp.asarray(v) for k, v in data.items() if k != "slot_hours"}
        price = arrays.pop("price")
        prices = jnp.stack([price, 0.5 * price, 2 * price])

        def one(price):
            return benefit_multiplier(
                price=price, **arrays, slot_hours=data["slot_hours"]
            )

        together = np.asarray(jax.vmap(one)(prices))
        for row, price in zip(together, prices, strict=True):
            np.testing.assert_allclose(row, np.asarray(one(price)), rtol=1e-12)
