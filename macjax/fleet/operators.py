"""What a solver does with a packed fleet: respond to cell prices, and add up loads.

With a_n the feeder power per battery energy, cells c and opportunities j,

    load_c = sum_{(n, j) in c} a_n u_nj                            [kW]
    respond: u_n = argmin_{U_n} sum_j a_n / (2 gain_c) (u_nj - v_nj)^2
                                + epsilon / 2 w_n sum_j u_nj^2

which is the exact projection with r_j(lambda) = clip((v_j + gain_c lambda) / (1 +
epsilon w_n gain_c / a_n), 0, limit_j). Blocks of vehicles are worked off one after
another, so that a block stays in cache while its shadow prices are searched.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from macjax._numerics import wide_float, wide_sum
from macjax.fleet.blocks import over_blocks, over_devices
from macjax.fleet.kernel_choice import INTERPRET, XLA
from macjax.fleet.packing import FleetBatch
from macjax.sets.clipped_lines import brackets_of, response_of
from macjax.sets.soc_tube import (
    Response,
    SocTube,
    near_shadow_prices,
    shadow_prices,
)

# Lanes at once, where blocks are larger: a round costs an accelerator its launches,
# and a fifth of the lanes of a hard fleet may be left (bench/TRIED.md).
MOST_GATHERED = 2**18


def flat(
    table: Float[Array, "f t"], batch: FleetBatch, nowhere: float | Array = 0.0
) -> Array:
    """The table as one row of cells; `nowhere` stands behind for no feeder."""
    tail = jnp.full(batch.slots, nowhere, table.dtype)
    return jnp.concatenate([table.ravel(), tail])


class Projection(NamedTuple):
    """Projection of lanes onto SOC sufficiency, weighted by 1 / gain.

    Arguments:
        center, gain: v and g of each opportunity, the smoothing included.
        limit: most energy at each opportunity [kWh].
        tube: bounds on the running sums.
    """

    center: Float[Array, "k s v"]
    gain: Float[Array, "k s v"]
    limit: Float[Array, "k s v"]
    tube: SocTube

    @classmethod
    def of(cls, block: FleetBatch, center, gain, epsilon) -> "Projection":
        """The projection of a block."""
        bend = epsilon * block.weight / jnp.where(block.scale > 0, block.scale, 1)
        shrink = 1 / (1 + bend[:, None] * gain)
        tube = SocTube(block.lower, block.upper, block.last)
        return cls(center * shrink, gain * shrink, block.limit(), tube)

    def energy(self, shadow: Float[Array, "k v"]) -> Float[Array, "k s v"]:
        """u at given shadow prices [kWh]."""
        return jnp.clip(self.center + shadow[:, None] * self.gain, 0, self.limit)

    def search(self) -> tuple[Response, SocTube, Array, Array]:
        """What `shadow_prices` asks for: response, tube, and brackets."""
        lines = self[:3]
        return response_of(*lines), self.tube, *brackets_of(*lines)


def project(
    block: FleetBatch, center, gain, epsilon
) -> tuple[Float[Array, "k s v"], Float[Array, "k v"]]:
    """u [kWh] and shadow prices of the projections of one block, without a guess."""
    projection = Projection.of(block, center, gain, epsilon)
    if block.projection == XLA:
        shadow, _ = shadow_prices(*projection.search())
    else:
        shadow = _by_kernel(block, projection)
    return projection.energy(shadow), shadow


def _by_kernel(block: FleetBatch, projection: Projection, guess=None) -> Array:
    """Shadow prices of a block by the kernel for GPUs."""
    # Imported late: only fleets that use it need that part of JAX.
    from macjax.sets.soc_tube_kernel import kernel_shadow_prices

    interpret = block.projection == INTERPRET
    return kernel_shadow_prices(
        projection[:3], projection.tube, guess, interpret=interpret
    )


def fleet_shadows(
    batch: FleetBatch,
    projection: Callable[..., Projection],
    items: tuple[Array, ...],
    guess: Float[Array, "b k v"],
) -> Float[Array, "b k v"]:
    """Shadow prices of the projections of all vehicles.

    First every block goes on from the guess for a few passes. Lanes that are not done
    then, a few of each block, are gathered into full blocks and solved anew, so that
    one slow vehicle does not hold up its block. The kernel for GPUs needs no gathering:
    its lanes hardly wait for one another.

    Arguments:
        batch: the fleet on one device.
        projection: (block, *items of the block) -> `Projection`.
        items: arrays with a leading axis of blocks.
        guess: shadow prices of similar projections.
    """
    if batch.projection != XLA:

        def by_kernel(_, block, guess, *items):
            return None, _by_kernel(block, projection(block, *items), guess)

        return over_blocks(batch, by_kernel, None, guess, *items)[1]

    def near(_, block, guess, *items):
        search = projection(block, *items).search()
        found, done, _ = near_shadow_prices(*search, guess)
        return None, (found, done)

    _, (shadow, done) = over_blocks(batch, near, None, guess, *items)
    blocks, _, _, lanes = batch.shape
    is_real = jnp.arange(blocks, dtype=jnp.int32) < batch.blocks[0]
    is_open = (~done & is_real[:, None]).ravel()
    together = min(lanes, MOST_GATHERED)

    def solve_some(carry):
        shadow, is_open = carry
        at = jnp.nonzero(is_open, size=together, fill_value=is_open.size)[0]
        block, lane = at // lanes, at % lanes

        def gathered(x):
            return jnp.moveaxis(x[block, ..., lane], 0, -1) if jnp.ndim(x) > 1 else x

        some, parts = jax.tree.map(gathered, (batch, items))
        found, _ = shadow_prices(*projection(some, *parts).search())
        shadow = shadow.at[block, :, lane].set(found.T, mode="drop")
        return shadow, is_open.at[at].set(False, mode="drop")

    return jax.lax.while_loop(
        lambda carry: jnp.any(carry[1]), solve_some, (shadow, is_open)
    )[0]


def add_load(load: Array, block: FleetBatch, energy: Float[Array, "k s v"]) -> Array:
    """Add a_n u_nj of one block to the flat table of loads [kW]."""
    power = jnp.moveaxis(energy * block.scale[:, None], -2, -1)
    windows = jax.lax.ScatterDimensionNumbers(
        update_window_dims=(power.ndim - 1,),
        inserted_window_dims=(),
        scatter_dims_to_operand_dims=(0,),
    )
    return jax.lax.scatter_add(
        load, block.base[..., None], power.astype(load.dtype), windows
    )


def loads(batch: FleetBatch, energy: Float[Array, "b k s v"], table) -> Array:
    """Load of all cells [kW], in the shape and dtype of `table` (f, t)."""
    total, _ = over_devices(batch, _loads, empty_row(batch, table), energy)
    return unflat(total, table)


def _loads(batch: FleetBatch, row, energy):
    def block_load(total, block, energy):
        return add_load(total, block, energy), None

    return over_blocks(batch, block_load, row, energy)


def empty_row(batch: FleetBatch, table: Float[Array, "f t"]) -> Array:
    """A row of cells to add loads to, in the widest float."""
    return jnp.zeros(table.size + batch.slots, wide_float())


def unflat(row: Array, table: Float[Array, "f t"]) -> Float[Array, "f t"]:
    """The cells of feeders, as a table in the shape and dtype of `table`."""
    return row[: table.size].reshape(table.shape).astype(table.dtype)


def cell_sums(batch: FleetBatch, table):
    """M = sum of a_n over the opportunities of each cell, and the mean limit [kWh]."""
    (mass, weighted), _ = over_devices(batch, _cell_sums, empty_row(batch, table))
    mass, weighted = unflat(mass, table), unflat(weighted, table)
    return mass, weighted / jnp.where(mass > 0, mass, 1)


def _cell_sums(batch: FleetBatch, empty):
    def block_sums(totals, block):
        limit, (mass, weighted) = block.limit(), totals
        usable = (limit > 0).astype(limit.dtype)
        return (add_load(mass, block, usable), add_load(weighted, block, limit)), None

    return over_blocks(batch, block_sums, (empty, empty))


def weighted_squares(batch: FleetBatch, energy: Float[Array, "b k s v"]) -> Array:
    """sum_n w_n sum_j u_nj^2 [kWh^2]; no number if some energy is none."""
    return over_devices(batch, _squares, None, energy)[0]


def _squares(batch: FleetBatch, _, energy):
    def block_squares(total, block, energy):
        squares = jnp.sum(energy**2, axis=1) * block.weight
        return total + wide_sum(squares), None

    return over_blocks(batch, block_squares, jnp.zeros((), wide_float()), energy)
