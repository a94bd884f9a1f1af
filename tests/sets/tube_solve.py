"""Projections of chains and other responses by `shadow_prices`, compiled once."""

import jax
import jax.numpy as jnp
import numpy as np
from tube_oracle import Chain, sums

from macjax.sets.soc_tube import SocTube, shadow_prices


def solve(center, gain, least, most, lower, upper, guess=None):
    """Shadow prices (k, v), u (k, s, v) and passes of the projection of a chain."""
    can_move = most > least
    ends = ((least - center) / gain, (most - center) / gain)
    low = jnp.min(jnp.where(can_move, ends[0], 0), axis=(0, 1))
    high = jnp.max(jnp.where(can_move, ends[1], 0), axis=(0, 1))
    return bracketed(center, gain, least, most, lower, upper, low, high, guess)


def bracketed(center, gain, least, most, lower, upper, low, high, guess=None):
    """The same between given prices."""

    def response(price):
        energy = center + price[:, None] * gain
        slope = jnp.where((energy > least) & (energy < most), gain, 0)
        return jnp.sum(jnp.clip(energy, least, most), axis=1), jnp.sum(slope, axis=1)

    shadow, passes = shadow_prices(response, SocTube(lower, upper), low, high, guess)
    return shadow, jnp.clip(center + shadow[:, None] * gain, least, most), passes


compiled, compiled_bracketed = jax.jit(solve), jax.jit(bracketed)


def in_numpy(shadow, u, passes):
    """Arrays of NumPy and a number."""
    return np.asarray(shadow), np.asarray(u), int(passes)


def answer(chain: Chain, dtype=np.float64, guess=None):
    """`solve` of a chain in NumPy."""
    parts = chain.astype(dtype)[:6]
    guess = None if guess is None else np.asarray(guess, dtype)
    return in_numpy(*compiled(*parts, guess))


def guesses(chain: Chain, right, seed):
    """Guesses by name: from the answer itself to nonsense."""
    rng = np.random.default_rng(seed)
    size = np.abs(right).max() + 1e-3 / chain.gain.min()
    noise = rng.normal(0, 1, right.shape)
    runs = np.where(rng.random(right.shape) < 0.3, right, np.roll(right, 1, axis=0))
    return {
        "zero": np.zeros_like(right),
        "right": right,
        "nearly right": right * (1 + 1e-3 * noise),
        "rounded": np.round(right, 1),
        "shuffled in time": rng.permutation(right, axis=0),
        "of others": rng.permutation(right, axis=1),
        "shifted runs": runs,
        "opposite": -right,
        "noise": size * noise,
        "constant": np.broadcast_to(size, right.shape),
        "far out": 1e9 * size * noise,
        "stairs up": size * np.arange(len(right))[:, None] + 0 * right,
        "stairs down": -size * np.arange(len(right))[:, None] + 0 * right,
        "infinite": np.where(noise > 0, np.inf, -np.inf),
    }


def stacked(chains, pad=0):
    """Chains behind one another, then empty rows; the mask of last pieces."""
    columns = [
        np.concatenate(part) for part in zip(*(c[:6] for c in chains), strict=True)
    ]
    pieces = np.cumsum([len(chain.lower) for chain in chains])
    fills = (0.0, 1.0, 0.0, 0.0, -np.inf, np.inf)
    if pad:
        columns = [
            np.concatenate([column, np.full((pad, *column.shape[1:]), fill)])
            for column, fill in zip(columns, fills, strict=True)
        ]
    last = np.zeros(columns[4].shape, bool)
    last[pieces - 1] = last[-1] = True
    return columns, last


def two_way(seed: int, k: int, v: int = 64) -> Chain:
    """Vehicle-to-grid: one opportunity a piece, negative lower limits, SOC bounds.

    The tube binds in every slot and is not monotone: the energy charged may fall.
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
