"""`shadow_prices` on projections: optimality, passes, neighbours, precision."""

import equinox as eqx
import jax
import numpy as np
import pytest
from tube_oracle import (
    KINDS,
    SHAPES,
    Chain,
    random_chain,
    residuals,
    slow_projection,
    sums,
    witness,
)
from tube_solve import answer, compiled_bracketed, in_numpy, solve

from macjax.sets.soc_tube import MAX_PASSES

FEW_PASSES = 60  # the most that any chain of these tests takes are 35


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


def test_wider_price_brackets_change_nothing():
    chain, _ = random_chain("plain", 4, 5, 4)
    _, u, _ = answer(chain)
    for wide in (1e3, 1e6, 1e9):
        ends = np.full(u.shape[-1], wide)
        _, found, passes = in_numpy(*compiled_bracketed(*chain[:6], -ends, ends))
        np.testing.assert_allclose(found, u, rtol=0, atol=1e-11)
        assert passes < FEW_PASSES


def test_prices_over_many_decades_stay_below_the_cap():
    """Targets that ask for one price a piece, over 14 decades, one after another."""
    k = 200
    price = np.geomspace(1e-7, 1e7, k)
    one, wide = np.ones((k, 1, 1)), np.full((k, 1, 1), 1e9)
    for order in (price, price[::-1], np.random.default_rng(0).permutation(price)):
        path = np.cumsum(order)[:, None]
        ends = np.zeros(1), np.full(1, 2e7)
        shadow, _, passes = in_numpy(
            *compiled_bracketed(0 * one, one, 0 * one, wide, path, path, *ends)
        )
        # Sums are compared to 16 bits of the largest bounds.
        error = np.abs(shadow[:, 0] - order)
        assert error.max() <= 64 * np.finfo(float).eps * path.max()
        assert passes < MAX_PASSES / 2


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
    shadow, u, _ = jax.jit(jax.vmap(solve))(*stacked)
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
