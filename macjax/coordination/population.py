"""Price takers on a device, and their answer to a price.

EVs stand in blocks of lanes. A block is answered at once and only its sums are kept, so
that a million EVs need no array of EVs times slots; the sums over EVs are float64
whatever the dtype of the EVs. What an answer gives for a price p:

    D_t = sum_n w_n u_nt                                         demand of all EVs [kW]
    G   = Delta sum_t sum_n w_n g_n(u_nt) + sum_n w_n delta_n (omega_n - Gamma_n)^2
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from macjax.coordination.takers import PriceTakers
from macjax.sets.energy_benefit import benefit_charging, benefit_multiplier

LANES_CPU = 2048  # of the slots of a day, what fits the cache of a core
LANES_GPU = 2**18


class Population(eqx.Module):
    """Blocks of EVs, (k, n); lanes of weight 0 fill the last block.

    `idle` is what c and T slots cost, the same at every answer [currency].
    """

    linear: Float[Array, "k n"]
    quadratic: Float[Array, "k n"]
    benefit: Float[Array, "k n"]
    target: Float[Array, "k n"]
    limit: Float[Array, "k n"]
    weight: Float[Array, "k n"]
    window: Bool[Array, "k t n"] | None
    idle: Float[Array, ""]
    hours: Float[Array, ""]


class Answer(eqx.Module):
    """Answer of a population to a price; sums in float64.

    `start` is A of every EV, from which the answer to a nearby price is found quickly.
    """

    start: Float[Array, "k n"]
    demand: Float[Array, " t"]
    cost: Float[Array, ""]


def lanes_for(classes: int) -> int:
    """How many lanes a block has."""
    most = LANES_CPU if jax.default_backend() == "cpu" else LANES_GPU
    return min(most, max(classes, 1))


def populate(
    takers: PriceTakers, slots: int, slot_hours: float, dtype: Any, lanes: int | None
) -> Population:
    """Arrays of a population; needs float64 to be switched on.

    Arguments:
        takers: the classes.
        slots: T.
        slot_hours: Delta [h].
        dtype: of the EVs.
        lanes: of a block; None takes what suits the machine.
    """
    classes = takers.classes
    lanes = lanes or lanes_for(classes)
    blocks = -(-classes // lanes)
    spare = blocks * lanes - classes

    def blocked(values, fill, kind=dtype):
        padded = np.concatenate([values.astype(kind), np.full(spare, fill, kind)])
        return jnp.asarray(padded.reshape(blocks, lanes))

    window = None
    if takers.available is not None:
        whole = np.zeros((blocks * lanes, slots), bool)
        whole[:classes] = takers.available
        window = jnp.asarray(whole.reshape(blocks, lanes, slots).swapaxes(1, 2))
    idle = slot_hours * slots * float(np.sum(takers.count * takers.constant))
    return Population(
        linear=blocked(takers.slope, 0.0),
        quadratic=blocked(takers.curvature, 1.0),
        benefit=blocked(takers.benefit, 1.0),
        target=blocked(takers.energy_kwh, 0.0),
        limit=blocked(takers.limit_kw, 0.0),
        weight=blocked(takers.count, 0.0),
        window=window,
        idle=jnp.asarray(idle, jnp.float64),
        hours=jnp.asarray(slot_hours, jnp.float64),
    )


def first_start(population: Population) -> Float[Array, "k n"]:
    """A from which a first answer is found: nobody has charged anything."""
    return 2 * population.benefit * population.target


def answer(population: Population, price: Float[Array, " t"], start) -> Answer:
    """Answer of all EVs to one price; needs float64 to be switched on."""

    def block(args):
        part, start = args
        multiplier, limit = _solve_block(part, price, start)
        sums = _sum_block(part, price, multiplier, limit)
        return multiplier, sums

    parts = _parts(population)
    multiplier, (demand, cost) = jax.lax.map(block, (parts, start))
    total = jnp.sum(cost) + population.idle
    return Answer(multiplier, jnp.sum(demand, axis=0), total)


def sensitivity(
    population: Population, price: Float[Array, " t"], start
) -> Float[Array, "t t"]:
    """S = -dD/dp at a price, symmetric and positive semidefinite.

    One EV with active slots m (0 < u < limit) and r = 1/(2a) has
    -du/dp = r (diag(m) - m m' Delta r / (Delta r sum(m) + 1/(2 delta))), where the last
    term of the denominator is there for A > 0.
    """

    def block(args):
        part, multiplier = args
        limit = _limit(part)
        column = price.astype(multiplier.dtype)[:, None]
        gain = 0.5 / part["quadratic"]
        power = ((multiplier - part["linear"])[None] - column) * gain[None]
        active = ((power > 0) & (power < limit)).astype(multiplier.dtype)
        hours = population.hours.astype(multiplier.dtype)
        stiff = jnp.where(multiplier > 0, 0.5 / part["benefit"], 0)
        slope = hours * gain * jnp.sum(active, axis=0) + stiff
        share = jnp.where(slope > 0, hours * gain / jnp.where(slope > 0, slope, 1), 0)
        scaled = active * jnp.sqrt(part["weight"] * gain * share)[None]
        own = active * (part["weight"] * gain)[None]
        own = jnp.sum(own, axis=1, dtype=jnp.float64)
        return jnp.diag(own) - jnp.matmul(
            scaled, scaled.T, preferred_element_type=jnp.float64
        )

    parts = _parts(population)
    return jnp.sum(jax.lax.map(block, (parts, start)), axis=0)


def _parts(population: Population) -> dict:
    """What has one entry a block, for `jax.lax.map`."""
    names = ("linear", "quadratic", "benefit", "target", "limit", "weight", "window")
    blocks = population.linear.shape[0]
    parts = {name: getattr(population, name) for name in names}
    parts["hours"] = jnp.broadcast_to(population.hours, (blocks,))
    return {k: jnp.asarray(v) for k, v in parts.items() if v is not None}


def _limit(part: dict):
    """Most power of every slot, (t, n), or (1, n) without windows."""
    if "window" not in part:
        return part["limit"][None]
    return jnp.where(part["window"], part["limit"][None], 0)


def _solve_block(part: dict, price, start):
    """A of the lanes of a block, and the limits."""
    limit = _limit(part)
    column = price.astype(part["linear"].dtype)
    if column.ndim == 1:
        column = column[:, None]
    multiplier = benefit_multiplier(
        column,
        part["linear"],
        part["quadratic"],
        limit,
        part["benefit"],
        part["target"],
        part["hours"].astype(column.dtype),
        start,
    )
    return multiplier, limit


def _sum_block(part: dict, price, multiplier, limit):
    """D of a block, and its G without `idle`, slot by slot."""
    dtype = multiplier.dtype
    gain = 0.5 / part["quadratic"]
    spare = multiplier - part["linear"]
    weight = part["weight"].astype(jnp.float64)
    limit = jnp.broadcast_to(limit, (price.shape[0], multiplier.shape[0]))

    def slot(energy, at):
        price, limit = at
        power = jnp.clip((spare - price) * gain, 0, limit)
        own = power * (part["quadratic"] * power + part["linear"])
        demand = jnp.sum(power.astype(jnp.float64) * weight)
        cost = jnp.sum(own.astype(jnp.float64) * weight)
        return energy + power, (demand, cost)

    zero = jnp.zeros_like(multiplier)
    total, (demand, own) = jax.lax.scan(slot, zero, (price.astype(dtype), limit))
    missing = part["hours"] * total.astype(jnp.float64) - part["target"].astype(
        jnp.float64
    )
    unserved = weight * part["benefit"].astype(jnp.float64) * missing**2
    return demand, part["hours"] * jnp.sum(own) + jnp.sum(unserved)


def lanes_answer(population: Population, price: Float[Array, "t n"], start):
    """A and charging of every EV at a price of its own; a population of one block."""
    part = {name: values[0] for name, values in _parts(population).items()}
    multiplier, limit = _solve_block(part, price, start)
    power = benefit_charging(
        multiplier,
        price.astype(multiplier.dtype),
        part["linear"],
        part["quadratic"],
        limit,
    )
    return multiplier, power


def benefits_left(population: Population, power: Float[Array, "t n"]):
    """G of charging, in float64; a population of one block."""
    part = {
        name: getattr(population, name)[0].astype(jnp.float64)
        for name in ("linear", "quadratic", "benefit", "target", "weight")
    }
    own = power * (part["quadratic"][None] * power + part["linear"][None])
    missing = population.hours * jnp.sum(power, axis=0) - part["target"]
    each = population.hours * jnp.sum(own, axis=0) + part["benefit"] * missing**2
    return jnp.sum(part["weight"] * each) + population.idle
