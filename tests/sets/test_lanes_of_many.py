"""Several vehicles behind one another in a lane: the answers are those alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tube_oracle import KINDS, Chain, random_chain
from tube_solve import answer, stacked

from macjax.sets.soc_tube import (
    SocTube,
    near_shadow_prices,
    shadow_prices,
    shadow_ranks,
)


def response_of(center, gain, least, most):
    def response(price):
        energy = center + price[:, None] * gain
        slope = jnp.where((energy > least) & (energy < most), gain, 0)
        return jnp.sum(jnp.clip(energy, least, most), axis=1), jnp.sum(slope, axis=1)

    return response


def brackets(center, gain, least, most):
    """Prices at which each piece begins and ends to move (k, v)."""
    can_move = most > least
    low = jnp.where(can_move, (least - center) / gain, jnp.inf)
    high = jnp.where(can_move, (most - center) / gain, -jnp.inf)
    return jnp.min(low, axis=1), jnp.max(high, axis=1)


@jax.jit
def solve_lanes(parts, lower, upper, last, guess):
    tube = SocTube(lower, upper, last)
    shadow, _ = shadow_prices(response_of(*parts), tube, *brackets(*parts))
    near, _ = shadow_prices(response_of(*parts), tube, *brackets(*parts), guess)
    return shadow, near


def some_chains(kind, seed) -> list[Chain]:
    return [random_chain(kind, seed + i, 5, 4)[0] for i in range(3)]


@pytest.mark.parametrize("pad", [0, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_as_in_lanes_of_their_own(kind, pad):
    chains = some_chains(kind, 70)
    columns, last = stacked(chains, pad)
    alone = [answer(chain) for chain in chains]
    prices = np.concatenate([found[0] for found in alone])
    guess = np.zeros(last.shape)
    guess[: len(prices)] = prices * 1.001
    found = solve_lanes(columns[:4], columns[4], columns[5], last, guess)
    center, gain, least, most = (np.asarray(column) for column in columns[:4])
    size = np.concatenate([np.tile(chain.rounding(), (5, 1)) for chain in chains])
    for shadow in map(np.asarray, found):
        energy = np.clip(center + shadow[:, None] * gain, least, most)[: len(prices)]
        right = np.concatenate([u for _, u, _ in alone])
        assert np.all(np.abs(energy - right).max(1) <= 8e-15 * size)
        assert np.all(shadow[len(prices) :] == 0)


def test_near_prices_say_which_lanes_are_done():
    chains = some_chains("plain", 80)
    columns, last = stacked(chains)
    right = np.concatenate([answer(chain)[0] for chain in chains])
    guess = right.copy()
    guess[:, 5] = np.random.default_rng(0).permutation(guess[:, 5]) * 100
    parts, tube = columns[:4], SocTube(columns[4], columns[5], last)
    found, done, passes = jax.jit(
        lambda guess: near_shadow_prices(
            response_of(*parts), tube, *brackets(*parts), guess
        )
    )(guess)
    assert int(passes) <= 6
    assert np.asarray(done)[np.arange(64) != 5].mean() > 0.9
    center, gain, least, most = (np.asarray(part) for part in parts)
    energy = [np.clip(center + np.asarray(price)[:, None] * gain, least, most)
              for price in (found, right)]  # fmt: skip
    error = np.abs(energy[0] - energy[1]).max((0, 1))[np.asarray(done)]
    assert error.max() < 1e-12 * most.sum((0, 1)).max()


def test_ranks_of_several_vehicles():
    """Prices with ties; the energy bought is that of the vehicles alone."""
    rng = np.random.default_rng(3)
    chains = some_chains("plain", 90)
    columns, last = stacked(chains)
    most, lower, upper = columns[3], columns[4], columns[5]
    ranks = rng.integers(0, 9, most.shape).astype(float)

    def bought(ranks, most, lower, upper, last):
        def cheaper(trial):
            return jnp.sum(jnp.where(ranks < trial[:, None], most, 0), axis=1)

        tube = SocTube(lower, upper, last)
        return shadow_ranks(cheaper, tube, 9, jnp.asarray(4.0))[0]

    together = jax.jit(bought)(ranks, most, lower, upper, last)
    for i in range(3):
        rows = slice(5 * i, 5 * i + 5)
        own = jax.jit(bought)(ranks[rows], most[rows], lower[rows], upper[rows], None)
        np.testing.assert_array_equal(np.asarray(together)[rows], own)


@jax.jit
def count_passes(parts, lower, upper, last):
    tube = SocTube(lower, upper, last)
    return shadow_prices(response_of(*parts), tube, *brackets(*parts))[1]


@pytest.mark.parametrize("seed", range(5))
def test_a_lane_takes_the_passes_of_its_slowest_vehicle(seed):
    """Prices 1e12 apart in one lane do not widen one another's brackets.

    Measured: as many passes together as the slowest alone; 24 to 51 otherwise.
    """
    kinds = ("dear", "plain", "cheap")
    chains = [random_chain(kind, 70 + seed + i, 5, 4)[0]
              for i, kind in enumerate(kinds)]  # fmt: skip
    alone, together = [
        max(int(count_passes(c[:4], *c[4:], last)) for c, last in map(stacked, lanes))
        for lanes in ([[chain] for chain in chains], [chains])
    ]
    assert together <= alone + 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_vehicles_are_as_exact_beside_large_ones(dtype):
    """A bike beside lorries, 1000 times as large, keeps to its tube by its rounding."""
    worst = 0.0
    for seed in range(5):
        parts = [random_chain("tight", 100 + 3 * seed + i, 5, 4)[0] for i in range(3)]
        large = (1.0, 1e-3, 1.0)
        chains = [
            Chain(*(part * factor for part in chain)).astype(dtype).astype(np.float64)
            for factor, chain in zip(large, parts, strict=True)
        ]
        columns, last = stacked(chains)
        columns = [column.astype(dtype) for column in columns]
        guess = np.zeros(last.shape, dtype)
        bike = chains[1]
        for shadow in solve_lanes(columns[:4], columns[4], columns[5], last, guess):
            price = np.asarray(shadow, np.float64)[5:10, None]
            energy = np.clip(bike.center + price * bike.gain, 0, bike.most)
            path = np.cumsum(energy.sum(1), axis=0)
            off = np.maximum(bike.lower - path, path - bike.upper).max(0)
            worst = max(worst, float((off / bike.rounding()).max()))
    assert worst <= 64 * np.finfo(dtype).eps, worst / np.finfo(dtype).eps
