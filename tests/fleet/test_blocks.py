"""Passes over blocks, and shadow prices of a whole fleet with lanes gathered anew."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from macjax.fleet import operators
from macjax.fleet.blocks import over_blocks
from macjax.fleet.operators import Projection, fleet_shadows, project
from macjax.fleet.packing import pack
from macjax.sets.soc_tube import near_shadow_prices
from macjax.synthetic import fleet


def state_of(packed, seed):
    """Random centres, gains by cell in blocks, like those of an iteration."""
    rng = np.random.default_rng(seed)
    limit = np.asarray(packed.batch.limit())
    center = limit * rng.normal(0.4, 1, limit.shape)
    gain = 10 ** rng.uniform(-1, 1, limit.shape)
    return jnp.asarray(center), jnp.asarray(gain)


@eqx.filter_jit
def blockwise(batch, center, gain):
    """u and shadow prices, every block without a guess."""

    def one(_, block, center, gain):
        return None, project(block, center, gain, 0.0)

    return over_blocks(batch, one, None, center, gain)[1]


@eqx.filter_jit
def gathered(batch, center, gain, guess):
    """u and shadow prices by `fleet_shadows` from a guess."""

    def projection(block, center, gain):
        return Projection.of(block, center, gain, 0.0)

    shadow = fleet_shadows(batch, projection, (center, gain), guess)

    def one(_, block, center, gain, shadow):
        return None, projection(block, center, gain).energy(shadow)

    return over_blocks(batch, one, None, center, gain, shadow)[1], shadow


def guesses(right, seed):
    rng = np.random.default_rng(seed)
    return {
        "right": right,
        "near": right * (1 + 1e-2 * rng.normal(0, 1, right.shape)),
        "zero": 0 * right,
        "nonsense": rng.normal(0, 100, right.shape),
        "not a number": np.where(rng.random(right.shape) < 0.1, np.nan, right),
    }


@eqx.filter_jit
def left_over(batch, center, gain, guess):
    """How many lanes are not done after the few passes from a guess."""

    def one(count, block, center, gain, guess):
        search = Projection.of(block, center, gain, 0.0).search()
        _, done, _ = near_shadow_prices(*search, guess)
        return count + jnp.sum(~done), None

    zero = jnp.zeros((), jnp.int64)
    return over_blocks(batch, one, zero, center, gain, guess)[0]


@pytest.mark.parametrize(("evs", "kind"), [(850, "hard"), (500, "hard"), (9, "random")])
def test_gathered_lanes_give_the_same_answers(evs, kind):
    """From any guess, with blocks of padding or without."""
    packed = pack(fleet(evs, kind=kind, seed=1))
    center, gain = state_of(packed, 0)
    energy, shadow = (np.asarray(x) for x in blockwise(packed.batch, center, gain))
    for name, guess in guesses(shadow, 0).items():
        found, prices = gathered(packed.batch, center, gain, jnp.asarray(guess))
        np.testing.assert_allclose(found, energy, rtol=0, atol=1e-11, err_msg=name)
        check_prices(packed, prices, shadow, center, gain)


def check_prices(packed, prices, shadow, center, gain):
    """Shadow prices are the same where energy moves with them, and 0 on padding."""
    limit = np.asarray(packed.batch.limit())
    raw = np.asarray(center) + shadow[:, :, None] * np.asarray(gain)
    moves = ((raw > 1e-9) & (raw < limit - 1e-9)).any(axis=2)
    assert moves.any()
    prices = np.asarray(prices)
    np.testing.assert_allclose(prices[moves], shadow[moves], rtol=1e-9, atol=1e-9)
    used = int(packed.batch.blocks[0])
    assert np.all(prices[used:] == 0)


def test_more_lanes_left_over_than_a_block_has():
    """The cases above include a gathering in several rounds, with padding blocks."""
    packed = pack(fleet(850, kind="hard", seed=1))
    blocks, _, _, lanes = packed.batch.shape
    assert int(packed.batch.blocks[0]) < blocks
    center, gain = state_of(packed, 0)
    _, shadow = blockwise(packed.batch, center, gain)
    counts = {
        name: int(left_over(packed.batch, center, gain, jnp.asarray(guess)))
        for name, guess in guesses(np.asarray(shadow), 0).items()
    }
    assert counts["nonsense"] > lanes and counts["right"] < lanes


def test_fewer_lanes_at_once_than_a_block_has(monkeypatch):
    """As on an accelerator, whose blocks are large."""
    monkeypatch.setattr(operators, "MOST_GATHERED", 12)
    packed = pack(fleet(150, kind="hard", seed=1))
    center, gain = state_of(packed, 0)
    energy, shadow = (np.asarray(x) for x in blockwise(packed.batch, center, gain))
    guess = jnp.asarray(guesses(shadow, 0)["nonsense"])
    assert left_over(packed.batch, center, gain, guess) > 2 * 12
    run = eqx.filter_jit(lambda *arguments: gathered.__wrapped__(*arguments))
    found, _ = run(packed.batch, center, gain, guess)
    np.testing.assert_allclose(found, energy, rtol=0, atol=1e-11)


def test_blocks_of_padding_are_left_out():
    packed = pack(fleet(850, kind="hard", seed=1))
    used = int(packed.batch.blocks[0])
    blocks = packed.batch.shape[0]
    assert used < blocks

    def count(total, block):
        return total + 1, jnp.ones(())

    total, ones = over_blocks(packed.batch, count, jnp.zeros((), jnp.int32))
    assert int(total) == used
    np.testing.assert_array_equal(ones, np.arange(blocks) < used)


def test_nobody_in_any_block():
    """A fleet without vehicles: the total is as it was, and everything else 0."""
    packed = pack(fleet(0, kind="random", seed=1))
    center, gain = state_of(packed, 0)
    energy, shadow = gathered(packed.batch, center, gain, packed.batch.weight)
    assert not np.any(energy) and not np.any(shadow)

    def count(total, block):
        return total + 1, jnp.ones(())

    total, ones = over_blocks(packed.batch, count, jnp.asarray(5))
    assert int(total) == 5 and not np.any(ones)
