"""`project` on hand-made blocks: in the set, firmly nonexpansive, optimal, float32."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tube_oracle import (
    KINDS,
    Chain,
    distance,
    random_chain,
    random_points,
    residuals,
    slow_projection,
    witness,
)

from macjax.fleet.blocks import over_blocks
from macjax.fleet.operators import project
from macjax.fleet.packing import FleetBatch, pack
from macjax.synthetic import fleet

SHAPES = ((1, 1), (5, 4))
compiled = eqx.filter_jit(project)


def block_of(chain: Chain, made, dtype=np.float64, **changes) -> FleetBatch:
    """A block whose limits are those of the chain; scale and weight 1 unless given."""
    begin, end, slot_kwh = made
    ones = np.ones(begin.shape)
    parts = dict(
        begin=begin, end=end, slot_kwh=slot_kwh, lower=chain.lower, upper=chain.upper,
        scale=ones, weight=ones,
    ) | changes  # fmt: skip
    arrays = {name: jnp.asarray(part, dtype) for name, part in parts.items()}
    base = jnp.zeros(begin.shape, jnp.int32)
    last = jnp.zeros(begin.shape, bool).at[-1].set(True)
    one = jnp.ones(1, jnp.int32)
    return FleetBatch(
        base=base, last=last, blocks=one, slots=chain.center.shape[1], **arrays
    )


def projected(chain: Chain, made, dtype=np.float64, epsilon=0.0, **changes):
    """u (k, s, v) and shadow prices (k, v) in NumPy."""
    block = block_of(chain, made, dtype, **changes)
    center, gain = jnp.asarray(chain.center, dtype), jnp.asarray(chain.gain, dtype)
    energy, shadow = compiled(block, center, gain, jnp.asarray(epsilon, dtype))
    assert energy.dtype == shadow.dtype == dtype
    return np.asarray(energy), np.asarray(shadow)


def weighted(chain: Chain, x, y):
    """sum x y / gain of each vehicle (v,)."""
    return (x * y / chain.gain).sum((0, 1))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_optimality_conditions_and_dynamic_programming(kind, shape):
    chain, made = random_chain(kind, 30, *shape)
    u, shadow = projected(chain, made)
    found = residuals(chain, u, shadow)
    assert found.worst(chain.rounding()) < 4e-15
    assert found.worst(1e6 if kind == "huge" else 1.0) < 1e-9
    error = np.abs(u - slow_projection(chain)).max((0, 1))
    assert np.all(error <= 4e-15 * chain.rounding())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_idempotent(kind, shape):
    chain, made = random_chain(kind, 31, *shape)
    u, _ = projected(chain, made)
    again, _ = projected(chain._replace(center=u), made)
    size = chain._replace(center=u).rounding()
    # The second time starts from a point that is in the set up to a rounding.
    assert np.all(np.abs(again - u).max((0, 1)) <= 4e-15 * (size + chain.rounding()))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_firmly_nonexpansive_in_the_weighted_norm(kind, shape):
    """<Px - Py, x - y> >= |Px - Py|^2, hence |Px - Py| <= |x - y|."""
    chain, made = random_chain(kind, 32, *shape)
    rng = np.random.default_rng(0)
    for step in (1e-3, 1.0, 1e3):
        size = np.abs(chain.center).max() + chain.most.max()
        moved = chain.center + step * size * rng.normal(0, 1, chain.center.shape)
        p, _ = projected(chain, made)
        q, _ = projected(chain._replace(center=moved), made)
        inner = weighted(chain, p - q, chain.center - moved)
        norm = weighted(chain, p - q, p - q)
        before = weighted(chain, chain.center - moved, chain.center - moved)
        apart = np.abs(chain.center - moved)
        rounding = 1e-14 * weighted(chain, np.abs(moved) + chain.rounding(), apart)
        assert np.all(inner >= norm - rounding)
        assert np.all(norm <= before * (1 + 1e-12))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_variational_inequality_against_random_points(kind, shape):
    """<x - Px, y - Px> <= 0 for all y in the set."""
    chain, made = random_chain(kind, 33, *shape)
    u, _ = projected(chain, made)
    away = chain.center - u
    tiny = 1e-13 * weighted(chain, np.abs(away) + chain.most, chain.rounding() + 0 * u)
    for point in random_points(chain, 0):
        assert np.all(weighted(chain, away, point - u) <= tiny)


@pytest.mark.parametrize("kind", ["plain", "spread_gain", "tight", "ties"])
def test_clarabel_agrees_as_far_as_its_residual_goes(kind):
    chain, made = random_chain(kind, 34, 12, 4, v=16)
    u, _ = projected(chain, made)
    cost = distance(chain, u)
    for vehicle in range(16):
        seen = witness(chain, vehicle)
        assert seen.best <= cost[vehicle] <= seen.worst


@pytest.mark.parametrize("epsilon", [1e-6, 0.1, 3.0, 1e5])
@pytest.mark.parametrize("kind", ["plain", "tight", "spread_gain"])
def test_smoothing_term(kind, epsilon):
    """Gradient a (u - v) / gain + epsilon w u - a lambda has the sign of a bound."""
    chain, made = random_chain(kind, 35, 5, 4)
    rng = np.random.default_rng(0)
    scale, weight = rng.uniform(0.2, 5, 64), 10 ** rng.uniform(-2, 2, 64)
    each = {n: np.tile(v, (5, 1)) for n, v in (("scale", scale), ("weight", weight))}
    u, shadow = projected(chain, made, epsilon=epsilon, **each)
    gradient = (u - chain.center) / chain.gain + epsilon * weight / scale * u
    margin = (gradient - shadow[:, None]) * chain.gain
    bend = 1 + epsilon * weight / scale * chain.gain
    # One rounding of u, seen through the curvature.
    rounding = 4e-15 * chain.rounding() * bend
    assert np.all((margin >= -rounding) | (u >= chain.most))
    assert np.all((margin <= rounding) | (u <= 0))
    found = residuals(chain, u, shadow, (u, chain.gain.max((0, 1))))
    assert found.worst(chain.rounding()) < 4e-15


def test_units_do_not_matter():
    """Energies or prices in other units give the same answer in those units."""
    chain, made = random_chain("plain", 36, 5, 4)
    u, shadow = projected(chain, made)
    begin, end, power = made
    for c in (1e-6, 1e-3, 1e3, 1e6):
        parts = {name: getattr(chain, name) * c for name in ("center", "lower")}
        scaled = chain._replace(upper=chain.upper * c, gain=chain.gain * c, **parts)
        other, price = projected(scaled, (begin, end, power * c))
        np.testing.assert_allclose(other / c, u, rtol=0, atol=1e-11)
        np.testing.assert_allclose(price, shadow, rtol=1e-9, atol=1e-10)
        dear = chain._replace(gain=chain.gain / c)
        other, price = projected(dear, made)
        np.testing.assert_allclose(other, u, rtol=0, atol=1e-11)
        np.testing.assert_allclose(price / c, shadow, rtol=1e-9, atol=1e-10)


def test_padding_order_and_broken_vehicles_do_not_change_others():
    chain, made = random_chain("tight", 37, 5, 4)
    u, _ = projected(chain, made)
    order = np.random.default_rng(0).permutation(64)
    moved = Chain(*(part[..., order] for part in chain))
    found, _ = projected(moved, [part[..., order] for part in made])
    np.testing.assert_array_equal(found, u[..., order])

    def empty(part, fill):
        part = np.concatenate([part, np.full((2, *part.shape[1:]), fill)])
        return np.concatenate([part, np.full((*part.shape[:-1], 9), fill)], axis=-1)

    fills = Chain(0.0, 1.0, 0.0, 0.0, -np.inf, np.inf, 0.0)
    wide = Chain(*(empty(part, fill) for part, fill in zip(chain, fills, strict=True)))
    lanes = np.tile(np.append(np.ones(64), np.zeros(9)), (7, 1))
    found, shadow = projected(
        wide, [empty(part, 0.0) for part in made], scale=lanes, weight=lanes
    )
    np.testing.assert_allclose(found[:5, :, :64], u, rtol=0, atol=1e-13)
    assert np.all(found[5:] == 0) and np.all(found[..., 64:] == 0)
    assert np.all(shadow[..., 64:] == 0)

    others = np.arange(64) != 7
    for value in (np.nan, np.inf, -np.inf):
        center = chain.center.copy()
        center[2, 1, 7] = value
        found, _ = projected(chain._replace(center=center), made)
        np.testing.assert_array_equal(found[..., others], u[..., others])


def test_one_trace_for_equal_shapes_and_the_same_under_vmap():
    def answer(block, center, gain, epsilon):
        return project(block, center, gain, epsilon)

    counted = eqx.filter_jit(eqx.debug.assert_max_traces(answer, max_traces=1))
    cases = [random_chain(kind, 38, 5, 4) for kind in ("plain", "equal", "no_room")]
    blocks = [block_of(*case) for case in cases]
    zero = jnp.zeros(())
    each = [
        counted(block, chain.center, chain.gain, zero)
        for block, (chain, _) in zip(blocks, cases, strict=True)
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *blocks)
    centers, gains = (np.stack([chain[i] for chain, _ in cases]) for i in (0, 1))
    together = jax.jit(jax.vmap(project, (0, 0, 0, None)))(
        stacked, centers, gains, zero
    )
    for i, own in enumerate(each):
        np.testing.assert_allclose(together[0][i], own[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["hard", "random"])
def test_float32_agrees_with_float64_on_packed_fleets(kind):
    """One week: every vehicle to 1e-3 kWh, as the sum over the week and in the tube."""
    scenario = fleet(256, kind=kind, seed=0)
    wide = pack(scenario)
    narrow = pack(scenario, dtype=np.float32)
    rng = np.random.default_rng(0)
    limit = np.asarray(wide.batch.limit())
    center = (limit * rng.normal(0.5, 1, limit.shape)).astype(np.float32)
    gain = (10 ** rng.uniform(-1, 1, limit.shape)).astype(np.float32)

    def answer(batch, dtype):
        def one(_, block, center, gain):
            return None, project(block, center, gain, jnp.zeros((), dtype))[0]

        run = eqx.filter_jit(lambda *arrays: over_blocks(batch, one, None, *arrays)[1])
        return np.asarray(run(center.astype(dtype), gain.astype(dtype)), np.float64)

    exact, rounded = answer(wide.batch, np.float64), answer(narrow.batch, np.float32)
    assert np.abs(exact - rounded).max() < 1e-3
    assert np.maximum(rounded - limit, -rounded).max() < 1e-3
    assert worst_path(wide, exact) < 1e-9
    assert worst_path(wide, rounded) < 1e-3


def worst_path(packed, energy):
    """Largest violation of the tube of any vehicle, lane by lane [kWh]."""
    batch = jax.tree.map(np.asarray, packed.batch)
    ran, worst = np.zeros(batch.base[:, 0].shape), 0.0
    for k, total in enumerate(np.moveaxis(energy.sum(2), 1, 0)):
        ran = ran + total
        outside = np.maximum(batch.lower[:, k] - ran, ran - batch.upper[:, k])
        worst = max(worst, outside.max())
        ran = np.where(batch.last[:, k], 0, ran)
    return worst
