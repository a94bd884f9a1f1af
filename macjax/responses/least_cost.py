"""What all vehicles together pay at least at given prices, as a dual value.

    sum_n a_n [ sum_k ( sum_j min_{0<=u<=limit_j} (price_j - theta_k) u + curve/2 u^2 )
                + sum_k min_{s in [lower_k, upper_k]} (theta_k - theta_{k+1}) s ]

with a_n the feeder power per battery energy and theta the shadow prices of the best
responses. It is at most the vehicles' cost for any theta, and equal to it at these.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from macjax._numerics import wide_float, wide_sum
from macjax.fleet.blocks import over_blocks, over_devices
from macjax.fleet.operators import flat
from macjax.fleet.packing import FleetBatch
from macjax.responses.curves import curved_shadow
from macjax.responses.own_cost import NO_COST, Ending
from macjax.responses.ranks import ranked
from macjax.sets.soc_tube import SocTube, behind, shadow_ranks


def least_cost(
    fleet: FleetBatch, price: Float[Array, "f t"], epsilon: Array | None = None
) -> Array:
    """Sum over vehicles of the cost of their best response to the prices [currency].

    Arguments:
        fleet: packed, in any float.
        price: of every cell [currency/kW].
        epsilon: weight of a smoothing cost epsilon / 2 w_n sum_j u_j^2
            [currency/kWh^2]; None is none.
    """
    row = flat(price, fleet)
    if epsilon is not None:
        return over_devices(fleet, _smooth_cost, (row, epsilon))[0]
    return over_devices(fleet, _linear_cost, ranked(row))[0]


def _path_cost(block, theta):
    """Summands of min over the tube of sum_k (theta_k - theta_{k+1}) S_k."""
    fall = theta - behind(theta, block.last)
    lower = jnp.where(fall > 0, block.lower, 0)
    upper = jnp.where(fall < 0, block.upper, 0)
    return fall * (lower + upper)


def _linear_cost(fleet: FleetBatch, prices):
    """Cost of all vehicles without a smoothing term."""
    row, levels, rank, end_rank = prices

    def block_cost(block):
        cell, limit = block.cell(), block.limit()
        ranks = rank[cell]

        def cheaper(trial):
            total = jnp.zeros_like(trial)
            for s in range(block.slots):
                total += jnp.where(ranks[:, s] < trial, limit[:, s], 0)
            return total

        tube = SocTube(block.lower, block.upper, block.last)
        found, _ = shadow_ranks(cheaper, tube, row.shape[0], end_rank)
        theta = levels[jnp.clip(found, 0, row.shape[0] - 1).astype(jnp.int32)]
        gain = jnp.minimum(0, row[cell] - theta[:, None])
        return jnp.sum(limit * gain, axis=1) + _path_cost(block, theta)

    return _summed(fleet, block_cost)


def _smooth_cost(fleet: FleetBatch, tables):
    """Cost of all vehicles with one."""
    row, epsilon = tables

    def block_cost(block):
        price, limit = row[block.cell()], block.limit()
        scale = jnp.where(block.scale > 0, block.scale, 1)
        curve = epsilon * block.weight / scale
        curve = jnp.where(curve > 0, curve, 1)  # padding
        theta = curved_shadow(price, curve, limit, Ending.of(block, NO_COST))
        margin, bend = theta[:, None] - price, curve[:, None]
        energy = jnp.clip(margin / bend, 0, limit)
        gain = energy * (bend * energy / 2 - margin)
        return jnp.sum(gain, axis=1) + _path_cost(block, theta)

    return _summed(fleet, block_cost)


def _summed(fleet: FleetBatch, block_cost):
    """Sum of a cost per battery energy of the feeder, over all pieces [currency]."""

    def add(cost, block):
        return cost + wide_sum(block.scale * block_cost(block)), None

    return over_blocks(fleet, add, jnp.zeros((), wide_float()))
