"""ADMM in sharing form with one dual and one penalty a cell.

Each vehicle has its energy u and a copy of it on the feeder side; the copies of a cell
share one scaled dual y [kWh], because the copy of vehicle n has the penalty rho_c a_n.
With load X = sum a u, M = sum a, over-relaxation alpha, one iteration is

    A  = X^ + M y,   Z = argmin_Z sum_f g_f(Z_f) + sum_c rho_c / (2 M_c) (Z_c - A_c)^2
    y+ = (A - Z) / M,          price = rho y+                         [currency/kW]
    v  = u^ + y - 2 y+,        u = projection of v weighted by rho    (all vehicles)
    u^ = alpha u + (1 - alpha) (v + y+)

u^ is the only state of the size of the fleet. Penalties follow the prices: rho_c is the
price over a share of the cell's mean limit, and at least a share of its start, so that
money and energy may come in any unit.

References: Boyd et al., "Distributed optimization and statistical learning via ADMM",
2011, sections 3.4.3 and 7.3; penalties per cell need the weighted projection.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from macjax.fleet.blocks import over_blocks, over_devices
from macjax.fleet.operators import (
    Projection,
    add_load,
    empty_row,
    flat,
    fleet_shadows,
    loads,
    unflat,
)
from macjax.fleet.packing import FleetBatch
from macjax.objectives.feeder import prox
from macjax.solvers.problem import Problem

RELAXATION = 1.6
PRICE_SHARE = 0.1  # rho = price / (PRICE_SHARE mean limit)
LEAST_SHARE = 0.1  # rho >= LEAST_SHARE rho at the start
START_SHARE = 0.3  # rho at the start = START_SHARE price scale / mean limit


class AdmmState(eqx.Module):
    """State of the iteration.

    Arguments:
        relaxed: u^, over-relaxed energy [kWh].
        shadow: shadow prices of the last projection, where the next one starts.
        load: X^, its load [kW].
        dual: y, scaled dual of each cell [kWh].
        rho: penalty of each cell [currency/(kW kWh)].
        iteration: iterations done.
    """

    relaxed: Float[Array, "b k s v"]
    shadow: Float[Array, "b k v"]
    load: Float[Array, "f t"]
    dual: Float[Array, "f t"]
    rho: Float[Array, "f t"]
    iteration: Int[Array, ""]

    @property
    def price(self) -> Float[Array, "f t"]:
        """Unscaled dual of each cell [currency/kW]."""
        return self.rho * self.dual


@jax.jit
def start_rho(tables: Problem) -> Array:
    """Penalties at the start: a share of the price scale over the mean limit."""
    limit = jnp.where(tables.active, tables.mean_limit, 1)
    return START_SHARE * price_scale(tables)[:, None] / limit


def price_scale(tables: Problem) -> Float[Array, " f"]:
    """The size that prices may have, per feeder [currency/kW]; 1 if nothing costs.

    kappa for a peak, the cost of a kW for overload, the cost slope at the mean charger
    for its square, the spread of energy prices, the slope of smoothing at the mean
    limit.
    """
    terms, mass = tables.terms, jnp.where(tables.active, tables.mass, 0)
    power = jnp.max(mass * tables.mean_limit, axis=1)
    spread = jnp.max(terms.energy) - jnp.min(terms.energy)
    smoothing = terms.epsilon * jnp.max(tables.mean_limit) / tables.unit_scale
    scale = terms.kappa + terms.linear + 0.1 * terms.quadratic * power
    scale = scale + spread + smoothing
    largest = jnp.max(scale)
    fallback = jnp.where(largest > 0, largest, 1)
    return jnp.where(scale > 0, scale, fallback)


def begin(problem: Problem, energy: Array, price: Float[Array, "f t"]) -> AdmmState:
    """The state that goes on from a feasible schedule and prices."""
    load = loads(problem.fleet, energy, price)
    dual, rho = _begin(problem.tables, price)
    zero = jnp.zeros((), jnp.int32)
    return AdmmState(energy, problem.fleet.no_shadow(), load, dual, rho, zero)


@jax.jit
def _begin(tables: Problem, price):
    """Scaled duals and penalties from prices; penalties of the start if all are 0."""
    rho = start_rho(tables)
    dual, adapted = _adapted(tables, price, rho)
    warm = jnp.any(price != 0)
    return jnp.where(warm, dual, price / rho), jnp.where(warm, adapted, rho)


def adapt(problem: Problem, state: AdmmState) -> AdmmState:
    """Penalties from the present prices; the prices stay."""
    least = start_rho(problem.tables)
    dual, rho = _adapted(problem.tables, state.price, least)
    return eqx.tree_at(lambda s: (s.dual, s.rho), state, (dual, rho))


@jax.jit
def _adapted(tables: Problem, price, least):
    """Scaled duals and penalties, in proportion to the prices."""
    limit = jnp.where(tables.active, tables.mean_limit, 1)
    spread = jnp.abs(price - tables.terms.energy)
    rho = jnp.maximum(spread / (PRICE_SHARE * limit), LEAST_SHARE * least)
    return price / rho, rho


def step(problem: Problem, state: AdmmState, energy: Any = None):
    """One iteration.

    Arguments:
        problem: packed problem.
        state: its arrays are not to be used any more.
        energy: an array that u, which is feasible, is written over; None leaves it out.

    Returns:
        the state, u, and the load of u.
    """
    fleet = problem.fleet
    dual, tables = _feeders(problem.tables, state.load, state.dual, state.rho)
    shift, gain, elsewhere = tables
    tables = (
        flat(shift, fleet),
        flat(dual, fleet),
        flat(gain, fleet, elsewhere),
        problem.terms.epsilon,
        empty_row(fleet, state.load),
    )
    old = (state.relaxed,) if energy is None else (state.relaxed, energy)
    (total, relaxed_total), (relaxed, *energies, shadow) = over_devices(
        fleet, _respond, tables, state.shadow, old=old
    )
    state = AdmmState(
        relaxed=relaxed,
        shadow=shadow,
        load=unflat(relaxed_total, state.load),
        dual=dual,
        rho=state.rho,
        iteration=state.iteration + 1,
    )
    return state, energies[0] if energies else None, unflat(total, state.load)


@jax.jit
def _feeders(tables: Problem, load, dual, rho):
    """The next y; what it shifts v by, the gains, and the gain of no feeder."""
    mass = jnp.where(tables.active, tables.mass, 1)
    target = load + mass * dual
    copies, _ = prox(tables.terms, target, rho / mass, tables.active)
    after = jnp.where(tables.active, (target - copies) / mass, 0)
    return after, (dual - 2 * after, 1 / rho, jnp.mean(1 / rho))


def _respond(fleet: FleetBatch, tables, guess, relaxed, *into):
    """The next u^, and u where it has a place, of all vehicles; their loads."""
    shift, lift, gain, epsilon, empty = tables

    def projection(block, before):
        cell = block.cell()
        return Projection.of(block, before + shift[cell], gain[cell], epsilon)

    shadow = fleet_shadows(fleet, projection, (relaxed,), guess)

    def block_step(totals, block, shadow, before):
        cell = block.cell()
        energy = projection(block, before).energy(shadow)
        center = before + shift[cell]
        after = RELAXATION * energy + (1 - RELAXATION) * (center + lift[cell])
        after = jnp.where(block.limit() > 0, after, 0)
        total, relaxed_total = totals
        totals = (
            add_load(total, block, energy),
            add_load(relaxed_total, block, after),
        )
        return totals, (after, energy)[: 1 + len(into)]

    totals, outputs = over_blocks(
        fleet, block_step, (empty, empty), shadow, relaxed, into=into
    )
    return totals, (*outputs, shadow)
