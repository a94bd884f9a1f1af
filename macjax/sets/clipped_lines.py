"""Pieces whose opportunities follow the price as clipped lines.

    u_j = clip(center_j + gain_j lambda, 0, limit_j),   R_k = sum of u_j over a piece

This is what projections and prices with a quadratic cost ask of a piece; the search
in `soc_tube` needs R_k, its slope, and the prices between which it moves.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from macjax.sets.soc_tube import Response


def add_line(sums, shadow, center, gain, limit) -> tuple[Array, Array]:
    """Sum and slope of a piece with one more opportunity.

    Arguments:
        sums: of the opportunities before, 0 and 0 at first.
        shadow: the price.
        center, gain, limit: of the opportunity, in the shape of the price.
    """
    total, slope = sums
    energy = center + shadow * gain
    inside = (energy > 0) & (energy < limit)
    total = total + jnp.clip(energy, 0, limit)
    return total, slope + jnp.where(inside, gain, 0)


def response_of(
    center: Float[Array, "k s v"],
    gain: Float[Array, "k s v"],
    limit: Float[Array, "k s v"],
) -> Response:
    """R_k and its slope at prices (k, v)."""

    def response(shadow):
        # Both sums in one unrolled pass: XLA would make two of two reductions.
        sums = jnp.zeros_like(shadow), jnp.zeros_like(shadow)
        for s in range(limit.shape[1]):
            sums = add_line(sums, shadow, center[:, s], gain[:, s], limit[:, s])
        return sums

    return response


def brackets_of(
    center: Float[Array, "k s v"],
    gain: Float[Array, "k s v"],
    limit: Float[Array, "k s v"],
) -> tuple[Float[Array, "k v"], Float[Array, "k v"]]:
    """Prices where a piece begins and ends to move; inf and -inf if it never does."""
    usable = limit > 0
    begins = jnp.where(usable, -center / gain, jnp.inf)
    ends = jnp.where(usable, (limit - center) / gain, -jnp.inf)
    return jnp.min(begins, axis=1), jnp.max(ends, axis=1)
