"""The best response of every vehicle of a packed fleet to prices."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from macjax.fleet.blocks import over_blocks, over_devices
from macjax.fleet.operators import add_load, empty_row, flat, unflat
from macjax.fleet.packing import FleetBatch
from macjax.responses.curves import curved
from macjax.responses.own_cost import NO_COST, Ending, PackedCost
from macjax.responses.ranks import cheapest, ranked


def respond(
    fleet: FleetBatch, price: Float[Array, "f t"], own: PackedCost = NO_COST
) -> tuple[Float[Array, "b k s v"], Float[Array, "f t"]]:
    """argmin over the vehicle's set of sum_j price_j u_j + own cost, for all vehicles.

    Exact: by rank of the prices without a quadratic own cost (ties earliest, and at
    price 0 nothing beyond what is needed), by the shadow prices of the tube with one.

    Arguments:
        fleet: packed in float64.
        price: of every cell [currency/kW]; chargers without a feeder are free.
        own: own costs of the vehicles.

    Returns:
        u, energy into the battery [kWh], and the load of all cells [kW].
    """
    prices = ranked(flat(price, fleet))
    tables = prices, empty_row(fleet, price)
    total, energy = over_devices(fleet, _respond, tables, own)
    return energy, unflat(total, price)


def _respond(fleet: FleetBatch, tables, own: PackedCost):
    prices, empty = tables

    def block_response(total, block, own):
        energy = _of_block(block, prices, own)
        return add_load(total, block, energy), energy

    return over_blocks(fleet, block_response, empty, own)


def _of_block(block: FleetBatch, prices, own: PackedCost):
    ending = Ending.of(block, own)
    if own.curve is None:
        return cheapest(block, prices, own, ending)
    price = prices.row[block.cell()]
    if own.slope is not None:
        price = price + own.slope[:, None]
    energy = curved(block, price, own.curve, ending)
    if own.some_straight:
        is_curved = (own.curve > 0)[:, None]
        energy = jnp.where(is_curved, energy, cheapest(block, prices, own, ending))
    return energy
