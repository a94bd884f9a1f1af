"""Prices without a quadratic cost: the cheapest opportunities first, ties earliest.

The response of a vehicle jumps at the prices, so its shadow prices are among them and
are searched by rank (`shadow_ranks`), which is exact. To have one answer where prices
tie, an opportunity's rank is that of its price, then its place in time:

    rank_j = (places + 1) (number of lower prices) + 1 + (place of j in its lane)

With a_k the marginal rank of piece k the energies are full below a_k and 0 above; where
a_k changes the tube binds, and the opportunity of rank a_k takes what the run needs to
meet the bound there.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from macjax.fleet.packing import FleetBatch
from macjax.responses.own_cost import Ending, PackedCost
from macjax.sets.soc_tube import behind, shadow_ranks


class RankedPrices(NamedTuple):
    """Prices of all cells, and their order.

    Arguments:
        row: price of each cell, shape (c,) [currency/kW].
        levels: the same, sorted.
        rank: number of cells that are cheaper, in the dtype of the prices.
        end_rank: number of cells with a negative price.
    """

    row: Float[Array, " c"]
    levels: Float[Array, " c"]
    rank: Float[Array, " c"]
    end_rank: Float[Array, ""]


@jax.jit
def ranked(row: Float[Array, " c"]) -> RankedPrices:
    """Prices of the cells with their ranks; equal prices have equal ranks."""
    levels = jnp.sort(row)
    rank = jnp.searchsorted(levels, row).astype(row.dtype)
    end_rank = jnp.searchsorted(levels, jnp.zeros((), row.dtype)).astype(row.dtype)
    return RankedPrices(row, levels, rank, end_rank)


def cheapest(
    block: FleetBatch, prices: RankedPrices, own: PackedCost, ending: Ending
) -> Float[Array, "k s v"]:
    """Cheapest energies of the vehicles of a block, ties earliest [kWh].

    Arguments:
        block: vehicles, in float64 (ranks are counted in it).
        prices: of all cells.
        own: own costs; the curve does not count here.
        ending: of the block.
    """
    limit = block.limit()
    rows, slots, lanes = limit.shape
    places = rows * slots
    place = jnp.arange(places, dtype=limit.dtype).reshape(rows, slots, 1)
    key = prices.rank[block.cell()] * (places + 1) + 1 + place
    end = prices.end_rank
    lift = jnp.zeros((1, 1), limit.dtype)
    if own.slope is not None:
        lift = own.slope
        end = jnp.searchsorted(prices.levels, -lift).astype(limit.dtype)
    end = jnp.broadcast_to(end * (places + 1), (rows, lanes))
    count = prices.row.shape[0]

    def left_out(trial):
        if ending.left is None:
            return jnp.zeros_like(trial)
        level = jnp.floor(trial / (places + 1)).astype(jnp.int32)
        price = prices.levels[jnp.clip(level, 0, count - 1)] + lift
        price = jnp.where(level < count, price, jnp.inf)
        return ending.left.at(price)

    def cheaper(trial):
        total = left_out(trial)
        for s in range(slots):
            total += jnp.where(key[:, s] < trial, limit[:, s], 0)
        return total

    ranks = (count + 1) * (places + 1)
    marginal, _ = shadow_ranks(cheaper, ending.tube, ranks, end)
    is_full = key < marginal[:, None]
    total = jnp.sum(jnp.where(is_full, limit, 0), axis=1) + left_out(marginal)
    missing = _missing(ending, marginal, end, total)
    rest = jnp.clip(missing[:, None], 0, limit)
    return jnp.where(is_full, limit, jnp.where(key == marginal[:, None], rest, 0))


def _missing(
    ending: Ending, marginal, end: Float[Array, "k v"], total
) -> Float[Array, "k v"]:
    """What each run lacks to meet the tube where it binds behind it, 0 elsewhere."""
    tube: Any = ending.tube
    last = tube.last
    following = behind(marginal, last, end)
    target = jnp.where(marginal > following, tube.lower, tube.upper)
    binds = marginal != following
    if ending.left is not None:
        # A benefit of energy fixes the sum at the end, whatever the rank.
        binds = binds | ending.left.is_there
    binds = binds & jnp.isfinite(target)
    target = jnp.where(binds, target, 0)

    def forward(before, piece):
        each, binds, target, last = piece
        reached = before + each
        after = jnp.where(last, 0, jnp.where(binds, target, reached))
        return after, jnp.where(binds, target - reached, 0)

    pieces = (total, binds, target, last)
    _, lack = jax.lax.scan(forward, jnp.zeros_like(total[0]), pieces)

    def backward(following, piece):
        lack, ends = piece
        lack = jnp.where(ends, lack, following)
        return lack, lack

    ends = (lack, binds | last)
    return jax.lax.scan(backward, jnp.zeros_like(total[0]), ends, reverse=True)[1]
