"""Two protocols by which feeders and vehicles find prices, one round at a time.

`admm` is the solver's own first phase: an answer stays near the vehicle's last one (the
proximal term), so that many cheap slots are not stormed at once. A round posts the
duals y of the cells, every twentieth the penalties rho too, and the vehicles send back
their relaxed loads; see `macjax.solvers.admm`.

`price_ascent` has no proximal term: vehicles answer with their best response u(pi), and
the feeders move along a supergradient of the dual,

    d(pi) = - sum_f g_f*(pi_f) + sum_n min_u cost_n(u, pi),
    pi+ = projection onto dom g* of  pi + step (P(u(pi)) - argmax_P (pi P - g(P))),

with the step of an optax optimiser in prices and loads that are scaled by what is
usual at the feeder. The default is AdaGrad with one number a feeder,

    step_k = step / sqrt(sum_{i <= k} |excess_i|^2) ,

which falls like 1 / sqrt(k) and fits every feeder: a move is at most `step`, whether
one slot is short of room or a whole week of them, whatever the load is. Answers jump,
so what converges is their average:

    average_k = average_{k-1} + w_k (u_k - average_{k-1}),  w_k = 2 / (k + 1)

("linear"; 1 / k is "uniform", 1 is "last"). It is feasible: the sets are convex.

References: Boyd et al. 2011, section 7.3 (sharing); Nedic and Ozdaglar, "Approximate
primal solutions and rate analysis for dual subgradient methods", 2009; Lacoste-Julien,
Schmidt and Bach 2012 (linear weights); Streeter and McMahan 2010, Ward, Wu and Bottou
2019 (AdaGrad with one number).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from macjax._numerics import wide_sum
from macjax.fleet.operators import weighted_squares
from macjax.objectives.feeder import FeederTerms, prox, value
from macjax.objectives.threshold import peak_level
from macjax.responses import NO_COST, PackedCost, respond
from macjax.solvers import admm
from macjax.solvers.bound import dual_bound, feeder_bound
from macjax.solvers.mac import CHUNK, admm_start, evaluate, feasible_start
from macjax.solvers.problem import Problem

WEIGHTS: dict[str, Callable[[int], float]] = {
    "linear": lambda k: 2 / (k + 1),
    "uniform": lambda k: 1 / k,
    "last": lambda k: 1.0,
}


class Round(NamedTuple):
    """What a round brought.

    Arguments:
        energy: a feasible schedule, shape (b, k, s, v) [kWh].
        objective: of it [currency].
        bound: of the prices [currency].
        price: in the domain of the dual [currency/kW].
        tables_down, tables_up: tables that each feeder and vehicle exchanged.
    """

    energy: Any
    objective: Array
    bound: Array
    price: Any
    tables_down: int
    tables_up: int


class Admm:
    """ADMM in sharing form.

    Arguments:
        problem: packed in float64.
    """

    name = "admm"

    def __init__(self, problem: Problem):
        self.problem, self.count = problem, 0
        zero = jnp.zeros_like(problem.mass)
        energy = feasible_start(
            problem, problem.fleet.put(np.zeros(problem.fleet.shape))
        )
        self.state = admm_start(problem, energy, zero)

    def round(self) -> Round:
        """One iteration."""
        adapts = self.count > 0 and self.count % CHUNK == 0
        step = _adapted_step if adapts else _step
        self.state, energy, load = step(self.problem, self.state)
        objective, bound, price = evaluate(self.problem, energy, load, self.state.price)
        # The first load goes up before the first round, penalties with the first duals.
        first = self.count == 0
        self.count += 1
        down, up = 2 if first or adapts else 1, 2 if first else 1
        return Round(energy, objective, bound, price, down, up)


@jax.jit
def _step(problem: Problem, state: admm.AdmmState):
    return admm.step(problem, state, jnp.zeros_like(state.relaxed))


@jax.jit
def _adapted_step(problem: Problem, state: admm.AdmmState):
    return _step(problem, admm.adapt(problem, state))


def adagrad_by_feeder(step: float):
    """An optax optimiser: step * gradient / root of the feeder's squares so far."""
    import optax

    def init(point):
        return jnp.zeros_like(point[:, :1])

    def update(gradient, squares, point=None):
        squares = squares + jnp.sum(gradient**2, axis=1, keepdims=True)
        size = jnp.sqrt(jnp.where(squares > 0, squares, 1))
        return -step * gradient / size, squares

    return optax.GradientTransformation(init, update)


class AscentState(eqx.Module):
    """State of the price ascent.

    Arguments:
        point: prices over the usual price of the feeder.
        inner: state of the optimiser.
        energy: average of the answers [kWh].
        load: its load [kW].
        mean: average of the prices over the usual price.
    """

    point: Float[Array, "f t"]
    inner: Any
    energy: Float[Array, "b k s v"]
    load: Float[Array, "f t"]
    mean: Float[Array, "f t"]


class PriceAscent:
    """Projected price ascent with an optax optimiser.

    Arguments:
        problem: packed in float64.
        optimiser: an `optax.GradientTransformation`; it sees gradients of about 1.
        averaging: a name of `WEIGHTS`.
    """

    name = "price_ascent"

    def __init__(self, problem: Problem, optimiser, averaging: str):
        self.problem, self.optimiser = problem, optimiser
        self.weight, self.count = WEIGHTS[averaging], 0
        # No price but that of energy is the start, and what it brings is usual.
        price = problem.terms.energy
        energy, load = _answer(problem, price)
        self.scales = _scales(problem.tables, load)
        point = price / self.scales[0]
        inner = optimiser.init(point)
        self.state = AscentState(point, inner, energy, load, point)

    def round(self) -> Round:
        """Post prices, answer, average, and move the prices."""
        self.count += 1
        weight = jnp.asarray(self.weight(self.count), self.problem.dtype)
        self.state, objective, bound, price = _ascent(
            self.optimiser, self.problem, self.scales, self.state, weight
        )
        return Round(self.state.energy, objective, bound, price, 1, 1)


@jax.jit
def _scales(tables: Problem, load):
    """The usual price and the usual load of each feeder, shape (f, 1) each."""
    price = admm.price_scale(tables)[:, None]
    most = jnp.max(load, axis=1, keepdims=True)
    return price, jnp.where(most > 0, most, 1)


@jax.jit
def _answer(problem: Problem, price):
    """Best responses, their load; smoothing is the vehicles' own cost."""
    return respond(problem.fleet, price, _own(problem))


def _own(problem: Problem) -> PackedCost:
    if not problem.smooth:
        return NO_COST
    fleet = problem.fleet
    scale = jnp.where(fleet.scale > 0, fleet.scale, 1)
    return PackedCost(curve=problem.terms.epsilon * fleet.weight / scale)


@functools.partial(jax.jit, static_argnums=0)
def _ascent(optimiser, problem: Problem, scales, state: AscentState, weight):
    """One round: the state, the objective of the average, bound and prices."""
    usual_price, usual_load = scales
    epsilon = problem.terms.epsilon
    feeders, posted = feeder_bound(problem.tables, usual_price * state.point)
    energy, load = respond(problem.fleet, posted, _own(problem))
    own = epsilon / 2 * weighted_squares(problem.fleet, energy)
    bound = feeders + wide_sum(posted * load) + own

    # The dual is concave: averaged prices, which jump less, may bound better.
    mean = state.mean + weight * (state.point - state.mean)
    other, smooth_price = dual_bound(problem, usual_price * mean)
    price = jnp.where(other > bound, smooth_price, posted)
    bound = jnp.maximum(other, bound)

    average = state.energy + weight * (energy - state.energy)
    average_load = state.load + weight * (load - state.load)
    cost = wide_sum(value(problem.terms, average_load))
    cost = cost + epsilon / 2 * weighted_squares(problem.fleet, average)

    excess = jnp.where(problem.active, load - supply(problem.terms, posted), 0)
    gradient = -excess / usual_load
    # Optimisers mix types as they like.
    with jax.numpy_dtype_promotion("standard"):
        updates, inner = optimiser.update(gradient, state.inner, state.point)
    moved = usual_price * (state.point + updates)
    point = nearest_prices(problem.terms, moved, problem.active) / usual_price
    state = AscentState(point, inner, average, average_load, mean)
    return state, cost, bound, price


def supply(terms: FeederTerms, price: Float[Array, "f t"]) -> Float[Array, "f t"]:
    """argmax_P sum_t price_t P_t - g(P): what the feeder would carry at a price [kW].

    The headroom, and with squared overload what it is worth to pass it,
    min((price - energy - linear)_+ / quadratic, level). At the edge of the domain the
    feeder would carry more at the same price; the projection sees to that.
    """
    over = jnp.maximum(price - terms.energy - terms.linear[:, None], 0)
    squared = (terms.quadratic > 0) & ~terms.hard
    quadratic = jnp.where(squared, terms.quadratic, 1)[:, None]
    lone = jnp.where(squared[:, None], over / quadratic, 0)
    slope = jnp.broadcast_to(quadratic, lone.shape)
    level = peak_level(lone, slope, terms.kappa, jnp.zeros_like(terms.kappa))
    return terms.headroom + jnp.minimum(lone, level[:, None])


def nearest_prices(terms: FeederTerms, price, active) -> Float[Array, "f t"]:
    """The prices nearest to given ones for which the conjugate is finite.

    By Moreau: dom g* without headroom and squares is the set whose support function
    is g there, so its projection is what the prox leaves, price - prox_g(price).
    """
    unlimited = terms.hard | (terms.quadratic > 0)
    plain = eqx.tree_at(
        lambda t: (t.headroom, t.quadratic, t.hard, t.margin),
        terms,
        (
            jnp.zeros_like(terms.headroom),
            jnp.zeros_like(terms.quadratic),
            unlimited,
            jnp.zeros_like(terms.margin),
        ),
    )
    rest, _ = prox(plain, price, jnp.ones_like(price), active)
    return jnp.where(active, price - rest, terms.energy)
