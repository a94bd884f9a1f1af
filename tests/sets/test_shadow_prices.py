"""`shadow_prices`: optimality of projections and of other responses, and passes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tube_oracle import (
    KINDS,
    SHAPES,
    Chain,
    random_chain,
    residuals,
    slow_projection,
    slow_shadow,
    sums,
    witness,
)

from macjax.sets.soc_tube import MAX_PASSES, SocTube, shadow_prices

# The worst number of passes seen over all chains of this file, and some room. A hair
# tube or a center far away costs one bisection to the last bit, about 60 passes.
FEW_PASSES = 80


def clipped(center, gain, least, most):
    """r_j = clip(center + gain price, least, most), as `shadow_prices` asks for it."""

    def response(price):
        energy = center + price[:, None] * gain
        inside = (energy > least) & (energy < most)
        slope = jnp.where(inside, gain, 0)
        return jnp.sum(jnp.clip(energy, least, most), axis=1), jnp.sum(slope, axis=1)

    return response


def solve(center, gain, least, most, lower, upper):
    """Shadow prices (k, v), u (k, s, v) and passes of the projection of a chain."""
    can_move = most > least
    ends = ((least - center) / gain, (most - center) / gain)
    low = jnp.min(jnp.where(can_move, ends[0], 0), axis=(0, 1))
    high = jnp.max(jnp.where(can_move, ends[1], 0), axis=(0, 1))
    response = clipped(center, gain, least, most)
    shadow, passes = shadow_prices(response, SocTube(lower, upper), low, high)
    return shadow, jnp.clip(center + shadow[:, None] * gain, least, most), passes


compiled = jax.jit(solve)


def answer(chain: Chain, dtype=np.float64):
    """`solve` of a chain in NumPy."""
    shadow, u, passes = compiled(*chain.astype(dtype)[:6])
    return np.asarray(shadow), np.asarray(u), int(passes)


def two_way(seed: int, k: int, v: int = 64) -> Chain:
    """Vehicle-to-grid: one opportunity a piece, negative lower limits, SOC bounds.

    The tube binds in every slot and is not monotone: upper bounds fall, lower ones too.
    """
    rng = np.random.default_rng(seed)
    most = rng.choice([0.0, 3.6, 7.2, 22.0], (k, 1, v))
    least = -most * rng.choice([0.0, 0.5, 1.0], (1, 1, v))
    inside = least + (most - least) * rng.random((k, 1, v))
    trips = np.cumsum(rng.exponential(2, (k, v)) * (rng.random((k, v)) < 0.3), axis=0)
    inside += np.diff(trips, axis=0, prepend=0)[:, None]
    inside = np.clip(inside, least, most)
    path = sums(inside)
    drift = path - trips
    lower = trips + np.minimum.accumulate(drift) - rng.exponential(1, (1, v))
    upper = trips + np.maximum.accumulate(drift) + rng.exponential(1, (1, v))
    center = rng.normal(0, 8, most.shape)
    gain = 10 ** rng.uniform(-1, 1, most.shape)
    return Chain(center, gain, least, most, lower, upper, inside)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_optimality_conditions_hold(kind, shape):
    chain, _ = random_chain(kind, 0, *shape)
    shadow, u, passes = answer(chain)
    found = residuals(chain, u, shadow)
    assert found.worst(chain.rounding()) < 4e-15
    assert found.worst(1e6 if kind == "huge" else 1.0) < 1e-9
    assert passes < FEW_PASSES


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_dynamic_programming(kind, shape):
    chain, _ = random_chain(kind, 1, *shape, v=32)
    _, u, _ = answer(chain)
    error = np.abs(u - slow_projection(chain)).max((0, 1))
    assert np.all(error <= 4e-15 * chain.rounding())


@pytest.mark.parametrize("shape", [(700, 1), (44, 16), (88, 8)])
@pytest.mark.parametrize(
    "kind", ["plain", "spread_gain", "equal", "tight", "hair", "prices_apart"]
)
def test_optimality_conditions_hold_on_seven_hundred_opportunities(kind, shape):
    chain, _ = random_chain(kind, 2, *shape)
    shadow, u, passes = answer(chain)
    found = residuals(chain, u, shadow)
    assert found.worst(1.0) < 1e-9
    assert found.worst(chain.rounding()) < 4e-15
    assert passes < FEW_PASSES


@pytest.mark.parametrize("kind", ["plain", "spread_gain", "tight", "ties", "no_room"])
def test_clarabel_agrees_as_far_as_its_residual_goes(kind):
    for shape in ((5, 4), (12, 2), (44, 16)):
        chain, _ = random_chain(kind, 3, *shape, v=6)
        _, u, _ = answer(chain)
        cost = ((u - chain.center) ** 2 / (2 * chain.gain)).sum((0, 1))
        for vehicle in range(6):
            seen = witness(chain, vehicle)
            assert seen.best <= cost[vehicle] <= seen.worst
            # Strong convexity turns the gap into a distance.
            gain = chain.gain[..., vehicle]
            apart = ((u[..., vehicle] - seen.u) ** 2 / (2 * gain)).sum()
            assert apart <= 4 * (seen.worst - seen.best)


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


@pytest.mark.parametrize("curve", [1e-6, 1e-2, 1.0, 1e4])
def test_best_response_to_prices_with_a_quadratic_cost(curve):
    """min price u + curve u^2 / 2: marginal cost - shadow has the sign of a bound."""
    for seed, kind in enumerate(("plain", "tight", "same_gain")):
        chain, _ = random_chain(kind, seed, 6, 4)
        price = np.random.default_rng(seed).choice(
            [0.0, 1, 1.5, 3, 8], chain.most.shape
        )

        def response(shadow, price=price, most=chain.most):
            energy = (shadow[:, None] - price) / curve
            inside = (energy > 0) & (energy < most)
            total = jnp.sum(jnp.clip(energy, 0, most), axis=1)
            return total, jnp.sum(jnp.where(inside, 1 / curve, 0), axis=1)

        high = (price + curve * chain.most).max((0, 1))
        tube = SocTube(jnp.asarray(chain.lower), jnp.asarray(chain.upper))
        shadow, passes = shadow_prices(response, tube, jnp.zeros_like(high), high)
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


def smooth_response(least, most, middle, width):
    """r_j from least to most, like tanh((price - middle) / width), and its slope."""

    def response(price, numpy=jnp):
        bend = numpy.tanh((price - middle) / width)
        each = least + (most - least) * (1 + bend) / 2
        return each, (most - least) * (1 - bend**2) / (2 * width)

    return response


@pytest.mark.parametrize("spread", [0, 1, 3])
def test_smooth_strictly_increasing_response(spread):
    for seed in range(3):
        rng = np.random.default_rng([seed, spread])
        chain = two_way(seed, 10)
        middle = rng.normal(0, 1, chain.most.shape) * 10 ** rng.uniform(-spread, spread)
        width = 10 ** rng.uniform(-spread, spread, chain.most.shape)
        each = smooth_response(chain.least, chain.most, middle, width)
        high = (np.abs(middle) + 20 * width).max((0, 1))
        shadow, passes = shadow_prices(
            lambda price, each=each: tuple(
                jnp.sum(part, axis=1) for part in each(price[:, None])
            ),
            SocTube(jnp.asarray(chain.lower), jnp.asarray(chain.upper)),
            jnp.asarray(-high),
            jnp.asarray(high),
        )
        shadow = np.asarray(shadow)
        u, _ = each(shadow[:, None], np)
        steepest = ((chain.most - chain.least) / width).max((0, 1))
        found = residuals(chain, u, shadow, (u, steepest))
        # u moves by the slope with the last bit of the price.
        size = chain.rounding() + steepest * np.abs(shadow).max(0)
        assert found.worst(size) < 4e-15
        assert int(passes) < 100

        def total(k, price, data=(chain.least, chain.most, middle, width)):
            return smooth_response(*(a[k] for a in data))(price, np)[0].sum(0)

        slow = slow_shadow(total, chain.lower, chain.upper, -high, high)
        assert np.all(
            np.abs(u - each(slow[:, None], np)[0]).max((0, 1)) <= 4e-15 * size
        )


def test_wider_price_brackets_change_nothing():
    chain, _ = random_chain("plain", 4, 5, 4)
    response = clipped(*map(jnp.asarray, chain[:4]))
    tube = SocTube(jnp.asarray(chain.lower), jnp.asarray(chain.upper))
    _, u, _ = answer(chain)
    for wide in (1e3, 1e6, 1e9):
        ends = jnp.full(u.shape[-1], wide)
        shadow, passes = shadow_prices(response, tube, -ends, ends)
        raw = chain.center + np.asarray(shadow)[:, None] * chain.gain
        np.testing.assert_allclose(np.clip(raw, 0, chain.most), u, rtol=0, atol=1e-11)
        assert int(passes) < FEW_PASSES


def test_prices_over_many_decades_stay_below_the_cap():
    """Targets that ask for one price a piece, over 14 decades, one after another."""
    k = 200
    price = np.geomspace(1e-7, 1e7, k)
    for order in (price, price[::-1], np.random.default_rng(0).permutation(price)):
        path = np.cumsum(order)[:, None]
        tube = SocTube(jnp.asarray(path), jnp.asarray(path))
        wide = jnp.full(1, 2e7)
        shadow, passes = shadow_prices(
            lambda trial: (trial, jnp.ones_like(trial)), tube, jnp.zeros(1), wide
        )
        bits = np.finfo(float).eps * path.max()  # to which sums are compared
        np.testing.assert_allclose(
            np.asarray(shadow)[:, 0], order, rtol=0, atol=64 * bits
        )
        assert int(passes) < MAX_PASSES / 2


def test_empty_tube_ends_at_the_limits_and_harms_nobody():
    """Best effort: all that can be charged before a bound that is out of reach."""
    chain, _ = random_chain("plain", 5, 5, 4)
    _, alone, _ = answer(chain)
    lower, upper = chain.lower.copy(), chain.upper.copy()
    full = sums(chain.most)
    lower[2, 0], upper[:, 0] = full[2, 0] + 5, np.inf
    lower[:, 1], upper[:, 1] = full[:, 1] + 1, np.inf
    lower[:, 2], upper[3, 2] = -np.inf, -2.0
    lower[3, 3], upper[3, 3] = 9.0, 1.0  # crossed bounds
    shadow, u, passes = answer(chain._replace(lower=lower, upper=upper))
    assert np.all(np.isfinite(u)) and np.all(np.isfinite(shadow))
    np.testing.assert_array_equal(u[:3, :, 0], chain.most[:3, :, 0])
    np.testing.assert_array_equal(u[..., 1], chain.most[..., 1])
    np.testing.assert_array_equal(u[:4, :, 2], 0)
    assert np.all((u >= 0) & (u <= chain.most))
    np.testing.assert_array_equal(u[..., 4:], alone[..., 4:])
    assert passes < FEW_PASSES


def test_tube_that_is_empty_by_a_rounding_costs_a_rounding():
    chain, _ = random_chain("full_power", 6, 12, 2)
    for lift in (1e-15, 1e-14, 1e-12):
        raised = chain._replace(lower=chain.lower * (1 + lift) + lift)
        raised = raised._replace(upper=np.maximum(raised.upper, raised.lower))
        _, u, passes = answer(raised)
        assert np.all(np.abs(u - chain.most) <= 4 * lift * chain.rounding())
        assert passes < FEW_PASSES


def test_not_a_number_stays_with_its_vehicle():
    chain, _ = random_chain("plain", 7, 5, 4)
    _, alone, _ = answer(chain)
    others = np.arange(64) != 9
    for name, value in [
        ("center", np.nan), ("gain", np.nan), ("lower", np.nan), ("upper", np.nan),
        ("most", np.nan), ("center", np.inf), ("center", -np.inf),
    ]:  # fmt: skip
        broken = getattr(chain, name).copy()
        broken[3, ..., 9] = value
        _, u, _ = answer(chain._replace(**{name: broken}))
        np.testing.assert_array_equal(u[..., others], alone[..., others])


def test_order_of_vehicles_does_not_matter():
    chain, _ = random_chain("tight", 8, 5, 4)
    order = np.random.default_rng(0).permutation(64)
    _, u, _ = answer(chain)
    _, moved, _ = answer(Chain(*(a[..., order] for a in chain)))
    np.testing.assert_array_equal(moved, u[..., order])


def test_empty_pieces_and_vehicles_do_not_change_others():
    chain, _ = random_chain("tight", 9, 5, 4)
    shadow, u, _ = answer(chain)
    fills = Chain(0.0, 1.0, 0.0, 0.0, -np.inf, np.inf, 0.0)
    at = [0, 2, 5, 5]
    longer = Chain(
        *(np.insert(a, at, fill, axis=0) for a, fill in zip(chain, fills, strict=True))
    )
    wider = Chain(
        *(
            np.concatenate([a, np.full((*a.shape[:-1], 7), fill)], axis=-1)
            for a, fill in zip(longer, fills, strict=True)
        )
    )
    _, more, _ = answer(wider)
    kept = [1, 2, 4, 5, 6]
    np.testing.assert_allclose(more[kept, :, :64], u, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(np.delete(more, kept, axis=0), 0)
    np.testing.assert_array_equal(more[..., 64:], 0)


def test_one_trace_for_equal_shapes_and_the_same_under_vmap():
    counted = jax.jit(eqx.debug.assert_max_traces(solve, max_traces=1))
    blocks = [random_chain(kind, 10, 5, 4)[0] for kind in ("plain", "equal", "far")]
    each = [counted(*chain[:6]) for chain in blocks]
    stacked = (np.stack(parts) for parts in list(zip(*blocks, strict=True))[:6])
    shadow, u, _ = jax.vmap(solve)(*stacked)
    for i, (own_shadow, own_u, _) in enumerate(each):
        error = np.abs(u[i] - own_u).max((0, 1))
        assert np.all(error <= 1e-15 * blocks[i].rounding())
        np.testing.assert_allclose(shadow[i], own_shadow, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["plain", "spread_gain", "tight", "no_room", "hair"])
def test_float32_agrees_with_float64_by_its_own_rounding(kind):
    for shape in SHAPES:
        chain, _ = random_chain(kind, 11, *shape)
        chain = chain.astype(np.float32).astype(np.float64)
        _, u, _ = answer(chain)
        _, narrow, passes = answer(chain, np.float32)
        path = np.abs(sums(u) - sums(narrow.astype(np.float64))).max(0)
        assert narrow.dtype == np.float32
        assert np.all(path <= 64 * np.finfo(np.float32).eps * chain.rounding())
        assert passes < FEW_PASSES
