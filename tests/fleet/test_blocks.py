"""Passes over blocks, and shadow prices of a whole fleet with lanes gathered anew."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from macjax.fleet.blocks import over_blocks
from macjax.fleet.operators import Projection, fleet_shadows, project
from macjax.fleet.packing import pack
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
    """u by `fleet_shadows` from a guess."""

    def projection(block, center, gain):
        return Projection.of(block, center, gain, 0.0)

    shadow = fleet_shadows(batch, projection, (center, gain), guess)

    def one(_, block, center, gain, shadow):
        return None, projection(block, center, gain).energy(shadow)

    return over_blocks(batch, one, None, center, gain, shadow)[1]


def guesses(right, seed):
    rng = np.random.default_rng(seed)
    return {
        "right": right,
        "near": right * (1 + 1e-2 * rng.normal(0, 1, right.shape)),
        "zero": 0 * right,
        "nonsense": rng.normal(0, 100, right.shape),
        "not a number": np.where(rng.random(right.shape) < 0.1, np.nan, right),
    }


@pytest.mark.parametrize("kind", ["hard", "random"])
def test_gathered_lanes_give_the_same_energies(kind):
    """Also where all lanes are left over, more than one block of them."""
    packed = pack(fleet(500, kind=kind, seed=0))
    center, gain = state_of(packed, 0)
    energy, shadow = (np.asarray(x) for x in blockwise(packed.batch, center, gain))
    for name, guess in guesses(shadow, 0).items():
        found = gathered(packed.batch, center, gain, jnp.asarray(guess))
        np.testing.assert_allclose(found, energy, rtol=0, atol=1e-11, err_msg=name)


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
