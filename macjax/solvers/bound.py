"""The dual lower bound of any price table, on the device.

    bound(price) = - sum_f g_f*(price_f) + sum_n min_{u in U_n} cost_n(u)

The minimum of a vehicle is its linear best response. Its shadow prices theta are among
the cell prices themselves, so the search runs over ranks and is exact; the value is

    a_n sum_k [ sum_j limit_j min(0, price_j - theta_k)
                + min_{s in [lower_k, upper_k]} (theta_k - theta_{k+1}) s ].

With a smoothing term the response is continuous and its shadow price real. This bound
steers the solver; the word is the certificate's.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from macjax._numerics import wide_float, wide_sum
from macjax.fleet.blocks import over_blocks, over_devices
from macjax.fleet.operators import flat
from macjax.fleet.packing import FleetBatch
from macjax.objectives.dual_prices import clip_prices, unused_price
from macjax.objectives.feeder import conjugate
from macjax.sets.soc_tube import SocTube, behind, shadow_prices, shadow_ranks
from macjax.solvers.problem import Problem


def dual_bound(problem: Problem, price: Float[Array, "f t"]):
    """Lower bound on the objective, and the feasible prices that give it.

    Arguments:
        problem: packed problem.
        price: any prices [currency/kW]; they are moved into the dual domain.

    Returns:
        bound [currency], prices [currency/kW].
    """
    feeders, price = _feeder_bound(problem.tables, price)
    return feeders + vehicle_cost(problem, price), price


@jax.jit
def _feeder_bound(tables: Problem, price):
    """- sum_f g_f* at prices moved into its domain, and these."""
    terms = tables.terms
    price = clip_prices(terms, unused_price(terms, price, tables.active))
    return -wide_sum(conjugate(terms, price)), price


def vehicle_cost(problem: Problem, price: Float[Array, "f t"]) -> Array:
    """Sum over vehicles of the cost of their best response to the prices [currency]."""
    fleet, row = problem.fleet, flat(price, problem.fleet)
    if problem.smooth:
        given = row, problem.terms.epsilon
        return over_devices(fleet, _smooth_cost, given)[0]
    return over_devices(fleet, _linear_cost, _ranked(row))[0]


@jax.jit
def _ranked(row):
    """Prices of the cells, sorted, the rank of each, and that of 0."""
    levels = jnp.sort(row)
    rank = jnp.searchsorted(levels, row).astype(row.dtype)
    end_rank = jnp.searchsorted(levels, jnp.zeros((), row.dtype)).astype(row.dtype)
    return row, levels, rank, end_rank


def _path_cost(block, theta):
    """Summands of min over the tube of sum_k (theta_k - theta_{k+1}) S_k."""
    fall = theta - behind(theta, block.last)
    lower = jnp.where(fall > 0, block.lower, 0)
    upper = jnp.where(fall < 0, block.upper, 0)
    return fall * (lower + upper)


def _linear_cost(fleet: FleetBatch, tables):
    """Cost of all vehicles without a smoothing term."""
    row, levels, rank, end_rank = tables

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
        cell, limit = block.cell(), block.limit()
        price = row[cell]
        scale = jnp.where(block.scale > 0, block.scale, 1)
        curve = epsilon * block.weight / scale
        curve = jnp.where(curve > 0, curve, 1)  # padding

        def response(trial):
            total = slope = jnp.zeros_like(trial)
            for s in range(block.slots):
                energy = (trial - price[:, s]) / curve
                inside = (energy > 0) & (energy < limit[:, s])
                total = total + jnp.clip(energy, 0, limit[:, s])
                slope = slope + jnp.where(inside, 1 / curve, 0)
            return total, slope

        low = jnp.min(price, axis=(0, 1))
        bend = curve[:, None]
        high = jnp.max(price + bend * limit, axis=(0, 1))
        tube = SocTube(block.lower, block.upper, block.last)
        theta, _ = shadow_prices(response, tube, low, high)
        margin = theta[:, None] - price
        energy = jnp.clip(margin / bend, 0, limit)
        gain = energy * (bend * energy / 2 - margin)
        return jnp.sum(gain, axis=1) + _path_cost(block, theta)

    return _summed(fleet, block_cost)


def _summed(fleet: FleetBatch, block_cost):
    """Sum of a cost per battery energy of the feeder, over all pieces [currency]."""

    def add(cost, block):
        return cost + wide_sum(block.scale * block_cost(block)), None

    return over_blocks(fleet, add, jnp.zeros((), wide_float()))
