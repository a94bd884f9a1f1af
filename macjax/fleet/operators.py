"""What a solver does with a packed fleet: respond to cell prices, and add up loads.

With a_n the feeder power per battery energy, cells c and opportunities j,

    load_c = sum_{(n, j) in c} a_n u_nj                            [kW]
    respond: u_n = argmin_{U_n} sum_j a_n / (2 gain_c) (u_nj - v_nj)^2
                                + epsilon / 2 w_n sum_j u_nj^2

which is the exact projection with r_j(lambda) = clip((v_j + gain_c lambda) / (1 +
epsilon w_n gain_c / a_n), 0, limit_j). Blocks of vehicles are worked off one after
another, so that a block stays in cache while its shadow prices are searched; on the way
each adds its loads to the table.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from macjax._numerics import wide_float
from macjax.fleet.packing import FleetBatch
from macjax.sets.soc_tube import SocTube, shadow_prices

Fleet_u = tuple[Float[Array, "b k s v"], ...]


class Answer(NamedTuple):
    """Answer of the vehicles of one bucket.

    Arguments:
        energy: u, energy into the battery at each opportunity [kWh].
        shadow: lambda of the tube at each piece, in the unit of the cell prices.
    """

    energy: Float[Array, "*b k s v"]
    shadow: Float[Array, "*b k v"]


def flat(
    table: Float[Array, "f t"], batch: FleetBatch, nowhere: float | Array = 0.0
) -> Array:
    """The table as one row of cells; `nowhere` stands behind for no feeder."""
    tail = jnp.full(batch.slots, nowhere, table.dtype)
    return jnp.concatenate([table.ravel(), tail])


def project(
    block: FleetBatch,
    center: Float[Array, "k s v"],
    gain: Float[Array, "k s v"],
    epsilon,
    guess: Float[Array, "k v"] | None = None,
) -> Answer:
    """Projection of one block onto SOC sufficiency, weighted by 1 / gain.

    `guess` is the shadow price of a similar projection.
    """
    limit = block.limit()
    lane = epsilon * block.weight / jnp.where(block.scale > 0, block.scale, 1)
    shrink = 1 / (1 + lane[None, None] * gain)
    center, gain = center * shrink, gain * shrink
    usable = limit > 0
    low = jnp.min(jnp.where(usable, -center / gain, 0), axis=(0, 1))
    high = jnp.max(jnp.where(usable, (limit - center) / gain, 0), axis=(0, 1))

    def response(shadow):
        # The sum over the slots of a piece is unrolled: one fused pass, no reduction.
        total = slope = jnp.zeros_like(shadow)
        for s in range(block.slots):
            energy = center[:, s] + shadow * gain[:, s]
            inside = (energy > 0) & (energy < limit[:, s])
            total = total + jnp.clip(energy, 0, limit[:, s])
            slope = slope + jnp.where(inside, gain[:, s], 0)
        return total, slope

    tube = SocTube(block.lower, block.upper)
    shadow, _ = shadow_prices(response, tube, low, high, guess)
    energy = jnp.clip(center + shadow[:, None] * gain, 0, limit)
    return Answer(energy, shadow)


def add_load(load: Array, block: FleetBatch, energy: Float[Array, "k s v"]) -> Array:
    """Add a_n u_nj of one block to the flat table of loads [kW]."""
    scale = jnp.expand_dims(block.scale, (-3, -2))
    power = jnp.moveaxis(energy * scale, -2, -1)
    windows = jax.lax.ScatterDimensionNumbers(
        update_window_dims=(power.ndim - 1,),
        inserted_window_dims=(),
        scatter_dims_to_operand_dims=(0,),
    )
    return jax.lax.scatter_add(
        load, block.base[..., None], power.astype(load.dtype), windows
    )


def loads(batches: tuple[FleetBatch, ...], energies: Fleet_u, table) -> Array:
    """Load of all cells [kW], in the shape and dtype of `table` (f, t)."""
    total = empty_row(batches[0], table)
    for batch, energy in zip(batches, energies, strict=True):

        def block_load(total, item):
            return add_load(total, *item), None

        total, _ = jax.lax.scan(block_load, total, (batch, energy))
    return unflat(total, table)


def empty_row(batch: FleetBatch, table: Float[Array, "f t"]) -> Array:
    """A row of cells to add loads to, in the widest float."""
    return jnp.zeros(table.size + batch.slots, wide_float())


def unflat(row: Array, table: Float[Array, "f t"]) -> Float[Array, "f t"]:
    """The cells of feeders, as a table in the shape and dtype of `table`."""
    return row[: table.size].reshape(table.shape).astype(table.dtype)


def cell_sums(batches: tuple[FleetBatch, ...], table):
    """M = sum of a_n over the opportunities of each cell, and the mean limit [kWh]."""
    ones = tuple((b.limit() > 0).astype(table.dtype) for b in batches)
    limits = tuple(b.limit() for b in batches)
    mass = loads(batches, ones, table)
    weighted = loads(batches, limits, table)
    return mass, weighted / jnp.where(mass > 0, mass, 1)
