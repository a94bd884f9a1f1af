"""The prox of every sum: brute force, Moreau, nonexpansiveness, scales, edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feeder_cases import KINDS, Case, prox_by_program, random_case, value_of
from hypothesis import given, settings
from hypothesis import strategies as st

from macjax import objectives
from macjax.objectives import prox

jit_prox = jax.jit(prox)
value, conjugate, clip_prices, unused_price = (
    jax.jit(f)
    for f in (
        objectives.value,
        objectives.conjugate,
        objectives.clip_prices,
        objectives.unused_price,
    )
)


def solved(case: Case, dtype=jnp.float64):
    load, theta = jit_prox(*case.arrays(dtype))
    return np.asarray(load), np.asarray(theta)


def merit(case: Case, f: int, load) -> float:
    """g(Z) + 1/2 sum w (Z - A)^2 over the active cells."""
    distance = np.where(case.active[f], load - case.target[f], 0)
    data = case.data
    if data.hard[f]:  # cells that nobody can change are no fault of the prox
        headroom = np.where(case.active[f], data.headroom[f], np.inf)[None]
        data = data._replace(headroom=np.repeat(headroom, len(data.kappa), 0))
    return value_of(data, f, load) + 0.5 * np.sum(case.weight[f] * distance**2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_prox_is_the_quadratic_program(kind, seed):
    case = random_case(kind, seed)
    load, _ = solved(case)
    for f in range(len(load)):
        np.testing.assert_allclose(
            load[f], prox_by_program(case, f), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("kind", KINDS)
def test_no_move_lowers_the_merit(kind):
    rng = np.random.default_rng(0)
    case = random_case(kind, 11)
    load, _ = solved(case)
    for f in range(len(load)):
        best = merit(case, f, load[f])
        on = case.active[f]
        for step in 10 ** rng.uniform(-6, 1, 200):
            move = rng.normal(0, step, load.shape[1]) * (rng.random(on.shape) < 0.5)
            other = np.where(on, load[f] + move, 0)
            if case.data.hard[f]:
                other = np.where(on, np.minimum(other, case.data.headroom[f]), 0)
            assert merit(case, f, other) >= best - 1e-12 * (1 + abs(best))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", KINDS)
def test_moreau_identity(kind, seed):
    """price = w (A - Z), completed on inactive cells, is a subgradient of g at Z:
    price.Z - g*(price) = g(Z), which is Moreau's identity for the pair (Z, price)."""
    case = random_case(kind, seed, feeders=20, slots=24)
    if kind.startswith("hard"):  # an overload nobody can change has no finite price
        case = case._replace(active=case.active | (case.data.headroom < 0))
    terms, target, weight, active = case.arrays()
    load, _ = jit_prox(terms, target, weight, active)
    price = jnp.where(active, weight * (target - load), 0)
    price = clip_prices(terms, unused_price(terms, price, active))
    g = value(terms, load)
    dual = jnp.sum(price * load, axis=1) - conjugate(terms, price)
    scale = jnp.abs(g) + jnp.sum(jnp.abs(price * target), axis=1) + 1
    assert jnp.all(jnp.abs(g - dual) <= 1e-9 * scale)


@pytest.mark.parametrize("kind", KINDS)
def test_nonexpansive_in_the_weighted_norm(kind):
    """Firmly: |Zb - Za|_w^2 <= sum w (Zb - Za) (b - a)."""
    rng = np.random.default_rng(3)
    case = random_case(kind, 5, feeders=40)
    for step in (1e-6, 1.0, 1e3):
        other = case._replace(
            target=case.target + rng.normal(0, step, case.target.shape)
        )
        moved = solved(other)[0] - solved(case)[0]
        given = other.target - case.target
        weight = np.where(case.active, case.weight, 0)
        left = np.sum(weight * moved**2, axis=1)
        right = np.sum(weight * moved * given, axis=1)
        size = np.sum(weight * np.abs(given) * np.abs(case.target), axis=1)
        assert np.all(left <= right + 1e-12 * size)


def test_peak_prox_is_the_formula():
    """One feeder by hand: H = 10, kappa = 3, weights 1 and 2: theta = 2 holds
    1 * (13 - 12) + 2 * (13 - 12) = 3, so both cells end at 12."""
    case = random_case("peak", 0, feeders=1, slots=3)
    data = case.data._replace(kappa=np.array([3.0]), headroom=np.full((1, 3), 10.0))
    case = Case(
        data,
        np.array([[13.0, 13.0, 4.0]]),
        np.array([[1.0, 2.0, 5.0]]),
        np.ones((1, 3), bool),
    )
    load, theta = solved(case)
    np.testing.assert_array_equal(load, [[12.0, 12.0, 4.0]])
    np.testing.assert_array_equal(theta, [2.0])


@pytest.mark.parametrize("kind", ("peak", "all"))
def test_theta_is_the_overload_paid_for(kind):
    for seed in range(5):
        case = random_case(kind, seed, feeders=30)
        load, theta = solved(case)
        peak = np.max(np.maximum(load - case.data.headroom, 0), axis=1)
        paid = case.data.kappa > 0
        np.testing.assert_allclose(theta[paid], peak[paid], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(theta[~paid], peak[~paid], rtol=1e-12, atol=1e-12)


def test_cells_below_the_headroom_keep_their_target_exactly():
    case = random_case("all", 2, feeders=50)
    data = case.data._replace(energy=np.zeros_like(case.data.energy))
    case = case._replace(data=data)
    load, _ = solved(case)
    below = case.active & (case.target - data.headroom < 0)
    assert below.any()
    np.testing.assert_array_equal(load[below], case.target[below])


def test_hard_loads_stop_at_the_headroom_exactly():
    case = random_case("hard", 2, feeders=50)
    load, _ = solved(case)
    over = case.active & (case.target > case.data.headroom)
    np.testing.assert_array_equal(load[over], case.data.headroom[over])


def test_inactive_overload_is_free_room_for_the_others():
    """A base load 5 kW over its limit: up to 5 kW more costs the others nothing."""
    case = random_case("peak", 0, feeders=1, slots=2)
    headroom = np.array([[-5.0, 10.0]])
    case = Case(
        case.data._replace(kappa=np.array([0.5]), headroom=headroom),
        np.array([[99.0, 14.0]]),
        np.ones((1, 2)),
        np.array([[False, True]]),
    )
    load, theta = solved(case)
    np.testing.assert_array_equal(load, [[0.0, 14.0]])
    np.testing.assert_array_equal(theta, [5.0])


def test_infinite_weight_is_inactive():
    case = random_case("all", 4)
    masked = solved(case)
    weight = np.where(case.active, case.weight, np.inf)
    infinite = solved(case._replace(weight=weight, active=np.ones_like(case.active)))
    np.testing.assert_array_equal(masked[0], infinite[0])
    np.testing.assert_array_equal(masked[1], infinite[1])


@pytest.mark.parametrize("kind", KINDS)
def test_all_inactive_is_no_load(kind):
    case = random_case(kind, 0)
    load, theta = solved(case._replace(active=np.zeros_like(case.active)))
    np.testing.assert_array_equal(load, 0)
    floor = np.max(np.maximum(-case.data.headroom, 0), axis=1)
    np.testing.assert_array_equal(theta, floor)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("feeders, slots", [(0, 4), (1, 1), (3, 1), (1, 2)])
def test_smallest_shapes(kind, feeders, slots):
    case = random_case(kind, 0, feeders=feeders, slots=slots)
    load, theta = solved(case)
    assert load.shape == (feeders, slots) and theta.shape == (feeders,)
    assert np.isfinite(load).all() and np.isfinite(theta).all()
    for f in range(feeders):
        np.testing.assert_allclose(load[f], prox_by_program(case, f), atol=1e-5)


@pytest.mark.parametrize("dtype", (jnp.float32, jnp.float64))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("power, money", [(1e9, 1), (1e-6, 1), (1, 1e9), (1e6, 1e-6)])
def test_extreme_units_stay_finite_and_scale(kind, dtype, power, money):
    case = random_case(kind, 1)
    load, theta = solved(scaled(case, power, money), dtype)
    assert load.dtype == dtype
    expected, level = solved(case)
    rounding = {jnp.float32: 3e-5, jnp.float64: 1e-12}[dtype]
    size = np.max(np.abs(case.target))
    np.testing.assert_allclose(load / power, expected, rtol=0, atol=rounding * size)
    np.testing.assert_allclose(theta / power, level, rtol=0, atol=rounding * size)


def scaled(case: Case, power: float, money: float) -> Case:
    """The same case with powers in another unit and costs in another currency."""
    data = case.data
    return Case(
        data._replace(
            kappa=data.kappa * money / power,
            linear=data.linear * money / power,
            quadratic=data.quadratic * money / power**2,
            energy=data.energy * money / power,
            headroom=data.headroom * power,
        ),
        case.target * power,
        case.weight * money / power**2,
        case.active,
    )


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(KINDS), st.integers(0, 99), st.integers(-20, 20))
def test_powers_of_two_scale_to_the_last_bit(kind, seed, exponent):
    case = random_case(kind, seed)
    power, money = 2.0**exponent, 2.0 ** (2 * exponent)
    load, theta = solved(scaled(case, power, money))
    expected, level = solved(case)
    np.testing.assert_array_equal(load / power, expected)
    np.testing.assert_array_equal(theta / power, level)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_agrees(kind):
    case = random_case(kind, 7, feeders=60, slots=48)
    single, level = solved(case, jnp.float32)
    double, expected = solved(case)
    assert single.dtype == level.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=1e-4)
    np.testing.assert_allclose(level, expected, atol=1e-4)


def test_order_of_feeders_and_slots_does_not_matter():
    rng = np.random.default_rng(0)
    case = random_case("all", 8, feeders=9, slots=30)
    rows, columns = rng.permutation(9), rng.permutation(30)
    data = case.data
    mixed = Case(
        data._replace(
            **{k: getattr(data, k)[rows] for k in ("kappa", "linear", "quadratic")},
            **{
                k: getattr(data, k)[rows][:, columns]
                for k in ("energy", "headroom", "tolerance")
            },
        ),
        *(a[rows][:, columns] for a in case[1:]),
    )
    np.testing.assert_allclose(
        solved(mixed)[0], solved(case)[0][rows][:, columns], rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("field", ("target", "weight"))
@pytest.mark.parametrize("kind", KINDS)
def test_nan_shows_and_stays_in_its_feeder(kind, field):
    case = random_case(kind, 0)
    table = getattr(case, field).copy()
    active = case.active.copy()
    table[1, 3], active[1, 3] = np.nan, True
    load, _ = solved(case._replace(**{field: table, "active": active}))
    assert np.isnan(load[1]).any()
    others = [0, 2, 3, 4]
    clean = solved(case)[0]
    np.testing.assert_array_equal(load[others], clean[others])


def test_nan_in_an_inactive_cell_is_not_read():
    case = random_case("all", 0)
    target = np.where(case.active, case.target, np.nan)
    weight = np.where(case.active, case.weight, np.nan)
    load, theta = solved(case._replace(target=target, weight=weight))
    np.testing.assert_array_equal(load, solved(case)[0])
    np.testing.assert_array_equal(theta, solved(case)[1])


def test_one_trace_serves_other_numbers():
    traces = []

    @jax.jit
    def traced(*arguments):
        traces.append(1)
        return prox(*arguments)

    for kind in KINDS:
        traced(*random_case(kind, 0).arrays())
    assert len(traces) == 1


def test_vmap_over_scenarios():
    cases = [random_case("all", seed) for seed in range(3)]
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *(c.arrays() for c in cases))
    load, theta = jax.vmap(prox)(*stacked)
    for i, case in enumerate(cases):
        np.testing.assert_allclose(load[i], solved(case)[0], rtol=1e-14)
        np.testing.assert_allclose(theta[i], solved(case)[1], rtol=1e-14)
