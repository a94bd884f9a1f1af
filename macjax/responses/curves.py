"""Prices beside a quadratic cost: energies follow the shadow price as clipped lines.

    u_j(theta) = clip((theta - price_j) / curve, 0, limit_j)

theta is found by the kernel for projections (`shadow_prices`), of which this is the
case without a center. The difference comes before the division: prices of a feeder are
near one another, and curves may be small.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from macjax.fleet.operators import project
from macjax.fleet.packing import FleetBatch
from macjax.responses.own_cost import Ending
from macjax.sets.soc_tube import shadow_prices


def curved_shadow(
    price: Float[Array, "k s v"],
    curve: Float[Array, "k v"],
    limit: Float[Array, "k s v"],
    ending: Ending,
) -> Float[Array, "k v"]:
    """theta of every piece.

    Arguments:
        price: of each opportunity, own slope included [price].
        curve: > 0 [price/kWh].
        limit: most energy [kWh].
        ending: tube, and energy that is left out at the end.
    """

    left = ending.left

    def response(trial):
        total = slope = jnp.zeros_like(trial)
        for s in range(price.shape[1]):
            energy = (trial - price[:, s]) / curve
            inside = (energy > 0) & (energy < limit[:, s])
            total = total + jnp.clip(energy, 0, limit[:, s])
            slope = slope + jnp.where(inside, 1 / curve, 0)
        if left is not None:
            out = left.at(trial)
            moves = (out > 0) & (out < left.most)
            total, slope = total + out, slope + jnp.where(moves, left.gain, 0)
        return total, slope

    low = jnp.min(price, axis=(0, 1))
    high = jnp.max(price + curve[:, None] * limit, axis=(0, 1))
    if left is not None:
        begins, ends = left.bracket()
        low = jnp.minimum(low, jnp.min(begins, axis=0))
        high = jnp.maximum(high, jnp.max(ends, axis=0))
    return shadow_prices(response, ending.tube, low, high)[0]


def curved(
    block: FleetBatch,
    price: Float[Array, "k s v"],
    curve: Float[Array, "k v"],
    ending: Ending,
) -> Float[Array, "k s v"]:
    """Best energies of the vehicles of a block [kWh].

    Arguments: as `curved_shadow`; `curve` <= 0 stands for padding.
    """
    curve = jnp.where(curve > 0, curve, 1)
    theta = curved_shadow(price, curve, block.limit(), ending)
    energy = jnp.clip((theta[:, None] - price) / curve[:, None], 0, block.limit())
    # Where curves are small, the rounding of prices is energy: back into the tube.
    return project(block, energy, jnp.ones_like(energy), 0.0)[0]
