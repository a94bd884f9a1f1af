"""Proximal steps on schedule and loads, solved by semismooth Newton on the prices.

Around a feasible schedule u^k with load Z^k = P(u^k), with gains g_c and
tau_c = M_c g_c, the price table pi is the only unknown of

    psi(pi) = min_{u in U} { pi . P(u) + sum a_n / (2 g) (u - u^k)^2 + smoothing }
            + min_Z { sum_f g_f(Z_f) - pi . Z + sum (Z - Z^k)^2 / (2 tau) }  -> max.

grad psi = P(u(pi)) - Z(pi); u(pi) is the projection of u^k - g pi, Z(pi) the prox of
Z^k + tau pi. The generalised Hessian is -(A J A' + D), A u = P(u): D from the prox, and
per vehicle, on each run of one shadow price, for opportunities inside their limits,

    J A' p = g (p - m),   m = sum g p / sum g over the run, 0 on the free last run;

g has the smoothing in it there, g / (1 + epsilon w_n g / a_n).

Newton steps by conjugate gradients, one gather and one sum over cells a product.

References: Li, Sun, Toh, "A highly efficient semismooth Newton augmented Lagrangian
method", 2018; Rockafellar, "Augmented Lagrangians and applications of the proximal
point algorithm in convex programming", 1976.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from macjax._numerics import wide_float, wide_sum
from macjax.fleet.blocks import over_blocks, over_devices
from macjax.fleet.operators import (
    Projection,
    add_load,
    empty_row,
    flat,
    fleet_shadows,
    unflat,
)
from macjax.fleet.packing import FleetBatch
from macjax.objectives.feeder import prox, value
from macjax.objectives.sensitivity import (
    ProxDerivative,
    apply_prox_derivative,
    prox_derivative,
)
from macjax.sets.soc_tube import behind
from macjax.solvers.flow import choose, select, while_loop
from macjax.solvers.problem import Problem

NEWTON_STEPS = 10
CG_STEPS = 40
LEAST_DAMPING = 1e-6
CG_DROP = 1e-3  # CG runs until the residual's squared norm fell to this share
HALVINGS = 3
LEAST_CURVATURE = 0.1  # share of tau that regularises flat directions
INNER_DROP = 0.05  # inner problem is solved until the gradient fell to this share


class ProximalState(eqx.Module):
    """Where the proximal point iteration stands.

    Arguments:
        energy: u^k, feasible [kWh].
        shadow: shadow prices of a projection near by.
        load: Z^k = P(u^k) [kW].
        price: pi [currency/kW].
        gain: g, proximal parameter of each cell [kWh kW/currency].
        damping: share of the diagonal that is added to the Hessian.
    """

    energy: Float[Array, "b k s v"]
    shadow: Float[Array, "b k v"]
    load: Float[Array, "f t"]
    price: Float[Array, "f t"]
    gain: Float[Array, "f t"]
    damping: Float[Array, ""]


class Evaluation(NamedTuple):
    """psi at a price table and what a Newton step needs of it."""

    price: Float[Array, "f t"]
    merit: Float[Array, ""]
    gradient: Float[Array, "f t"]
    norm: Float[Array, ""]
    load: Float[Array, "f t"]
    shadow: Float[Array, "b k v"]
    derivative: ProxDerivative


class Curvature(NamedTuple):
    """A J A' of the vehicles.

    Arguments:
        gain: g on opportunities strictly inside, 0 elsewhere.
        share: 1 / sum of g over the run, 0 on the free last run.
        joined: whether a piece and the next share a run.
    """

    gain: Float[Array, "*b k s v"]
    share: Float[Array, "*b k v"]
    joined: Array


def evaluate(problem: Problem, state: ProximalState, price: Array, guess) -> Evaluation:
    """psi and its gradient at a price table; `guess` are shadow prices near by."""
    fleet = problem.fleet
    tables = (*_vehicle_tables(problem, state, price), empty_row(fleet, price))
    (total, distance), shadow = over_devices(
        fleet, _respond, tables, state.energy, guess
    )
    load = unflat(total, price)
    given = state.load, state.gain, price, load, distance
    merit, gradient, norm, derivative = _judge(problem.tables, *given)
    return Evaluation(price, merit, gradient, norm, load, shadow, derivative)


def _vehicle_tables(problem: Problem, state: ProximalState, price):
    """What the vehicles answer to: prices and gains of the cells, smoothing."""
    gain = flat(state.gain, problem.fleet, jnp.mean(state.gain))
    return flat(price, problem.fleet), gain, problem.terms.epsilon


@jax.jit
def _judge(tables: Problem, load_before, gain, price, load, distance):
    """psi, its gradient and the norm of this, and the derivative of the prox."""
    active, terms = tables.active, tables.terms
    tau = jnp.where(active, tables.mass, 1) * gain
    target = load_before + tau * price
    copies, theta = prox(terms, target, 1 / tau, active)
    derivative = prox_derivative(terms, target, 1 / tau, active, theta)
    gradient = jnp.where(active, load - copies, 0)
    # An exact limit may be left by a rounding; it counts 0 here.
    feeders = value(terms, copies)
    merit = wide_sum(jnp.where(jnp.isfinite(feeders), feeders, 0))
    merit += wide_sum(jnp.where(active, price * gradient, 0))
    moved = jnp.where(active, (copies - load_before) ** 2 / tau, 0)
    merit += wide_sum(moved) / 2
    norm = jnp.sqrt(jnp.sum(gradient**2 / tau))
    return merit + distance, gradient, norm, derivative


def _projection(tables):
    """The projection of u^k - g pi, for a block and its u^k."""
    row, gain, epsilon = tables

    def projection(block: FleetBatch, before) -> Projection:
        cell = block.cell()
        g = gain[cell]
        return Projection.of(block, before - g * row[cell], g, epsilon)

    return projection


def _respond(fleet: FleetBatch, tables, energy, guess):
    """Shadow prices of u(pi), the load of u(pi), and the distance term of psi."""
    *tables, empty = tables
    _, gain, epsilon = tables
    projection = _projection(tables)
    shadow = fleet_shadows(fleet, projection, (energy,), guess)

    def block_step(carry, block, before, shadow):
        total, distance = carry
        after = projection(block, before).energy(shadow)
        square = (after - before) ** 2 / gain[block.cell()]
        moved = jnp.sum(square, axis=1) * block.scale
        smooth = epsilon * block.weight * jnp.sum(after**2, axis=1)
        distance += wide_sum(moved + smooth) / 2
        return (add_load(total, block, after), distance), None

    start = (empty, jnp.zeros((), wide_float()))
    sums, _ = over_blocks(fleet, block_step, start, energy, shadow)
    return sums, shadow


def schedule(problem: Problem, state: ProximalState, at: Evaluation) -> Array:
    """u(pi) of an evaluation [kWh]."""
    tables = _vehicle_tables(problem, state, at.price)
    items = state.energy, at.shadow
    return over_devices(problem.fleet, _schedule, tables, *items)[1]


def _schedule(fleet: FleetBatch, tables, energy, shadow):
    projection = _projection(tables)

    def block_schedule(_, block, before, shadow):
        return None, projection(block, before).energy(shadow)

    return over_blocks(fleet, block_schedule, None, energy, shadow)


def _over_run(values, joined):
    """Sum of each run of pieces, on each of its pieces."""

    def forward(before, piece):
        value, joined_before = piece
        total = value + jnp.where(joined_before, before, 0)
        return total, total

    zero = jnp.zeros_like(values[0])
    joined_before = jnp.concatenate([jnp.zeros_like(joined[:1]), joined[:-1]])
    _, running = jax.lax.scan(forward, zero, (values, joined_before))

    def backward(after, piece):
        total, joined = piece
        total = jnp.where(joined, after, total)
        return total, total

    _, whole = jax.lax.scan(backward, zero, (running, joined), reverse=True)
    return whole


def _block_curvature(block: FleetBatch, projection: Projection, shadow) -> Curvature:
    energy = projection.energy(shadow)
    within = (energy > 0) & (energy < projection.limit)
    inside = jnp.where(within, projection.gain, 0)
    joined = (shadow == behind(shadow, block.last)) & ~block.last

    def backward(after, piece):
        is_zero, last = piece
        free = is_zero & (after | last)
        return free, free

    _, free = jax.lax.scan(
        backward,
        jnp.ones_like(shadow[0], bool),
        (shadow == 0, block.last),
        reverse=True,
    )
    total = _over_run(jnp.sum(inside, axis=1), joined)
    bound = ~free & (total > 0)
    share = jnp.where(bound, 1 / jnp.where(bound, total, 1), 0)
    return Curvature(inside, share, joined)


def curvature(problem: Problem, state: ProximalState, at: Evaluation):
    """J of all vehicles at an evaluation, and the diagonal of A J A'."""
    fleet = problem.fleet
    tables = (*_vehicle_tables(problem, state, at.price), empty_row(fleet, at.price))
    items = state.energy, at.shadow
    diagonal, curve = over_devices(fleet, _curvature, tables, *items)
    return curve, unflat(diagonal, state.gain)


def _curvature(fleet: FleetBatch, tables, energy, shadow):
    *tables, empty = tables
    projection = _projection(tables)

    def block_curve(diagonal, block, before, shadow):
        curve = _block_curvature(block, projection(block, before), shadow)
        own = curve.gain * (1 - curve.gain * curve.share[:, None])
        return add_load(diagonal, block, own), curve

    return over_blocks(fleet, block_curve, empty, energy, shadow)


def apply_curvature(problem: Problem, curve: Curvature, direction: Array) -> Array:
    """A J A' p."""
    fleet = problem.fleet
    tables = (flat(direction, fleet), empty_row(fleet, direction))
    return unflat(over_devices(fleet, _product, tables, curve)[0], direction)


def _product(fleet: FleetBatch, tables, curve):
    row, empty = tables

    def block_product(total, block, curve):
        p = row[block.cell()]
        moment = _over_run(jnp.sum(curve.gain * p, axis=1), curve.joined)
        mean = moment * curve.share
        return add_load(total, block, curve.gain * (p - mean[:, None])), None

    return over_blocks(fleet, block_product, empty, curve)


class _Cg(NamedTuple):
    """Conjugate gradients: the solution so far, and what the next step needs."""

    x: Float[Array, "f t"]
    residual: Float[Array, "f t"]
    search: Float[Array, "f t"]
    rho: Float[Array, ""]
    steps: Int[Array, ""]


def newton_direction(problem: Problem, state: ProximalState, at: Evaluation, damping):
    """Solve (A J A' + D + regularisation) d = gradient by preconditioned CG."""
    tables = problem.tables
    curve, own = curvature(problem, state, at)
    diagonal, tau = _diagonal(tables, own, state.gain, at.derivative)
    start = _cg_start(at.gradient, diagonal)
    least = CG_DROP * start.rho

    def goes_on(cg: _Cg) -> Bool[Array, ""]:
        return (cg.steps < CG_STEPS) & (cg.rho > least)

    def cg_step(cg: _Cg) -> _Cg:
        curved = apply_curvature(problem, curve, cg.search)
        metric = at.derivative, tau, damping, diagonal
        return _cg_step(tables.active, metric, curved, cg)

    end = while_loop(problem.fleet, goes_on, cg_step, start)
    return end.x, end.steps


@jax.jit
def _diagonal(tables: Problem, own, gain, derivative: ProxDerivative):
    """Diagonal of the Hessian, regularised, and tau."""
    tau = jnp.where(tables.active, tables.mass, 1) * gain
    diagonal = own + tau * (derivative.diagonal + derivative.common)
    return jnp.where(tables.active, diagonal + LEAST_CURVATURE * tau, 1), tau


@jax.jit
def _cg_start(gradient, diagonal) -> _Cg:
    z = gradient / diagonal
    rho = jnp.sum(gradient * z)
    return _Cg(jnp.zeros_like(z), gradient, z, rho, jnp.zeros((), jnp.int32))


@jax.jit
def _cg_step(active, metric, curved, cg: _Cg) -> _Cg:
    """One step, from A J A' times the search direction."""
    derivative, tau, damping, diagonal = metric
    x, residual, p, rho, n = cg
    curved += apply_prox_derivative(derivative, tau * p)
    q = jnp.where(active, curved + damping * diagonal * p, p)
    alpha = rho / jnp.sum(p * q)
    x, residual = x + alpha * p, residual - alpha * q
    z = residual / diagonal
    rho_next = jnp.sum(residual * z)
    return _Cg(x, residual, z + rho_next / rho * p, rho_next, n + 1)


class _Inner(NamedTuple):
    """The inner iteration of one proximal step.

    Arguments:
        at: the best evaluation so far.
        direction: Newton direction from there [currency/kW].
        length: share of the direction that is tried next, 0 before the first.
        first: gradient norm at the start.
        newton: directions computed.
        products: products with the Hessian.
        damping: share of the diagonal that is added to the Hessian.
        done: nothing more to try.
    """

    at: Evaluation
    direction: Float[Array, "f t"]
    length: Float[Array, ""]
    first: Float[Array, ""]
    newton: Int[Array, ""]
    products: Int[Array, ""]
    damping: Float[Array, ""]
    done: Bool[Array, ""]


class Report(NamedTuple):
    """How the inner problem of a proximal step went."""

    newton: Int[Array, ""]
    products: Int[Array, ""]
    first_norm: Float[Array, ""]
    last_norm: Float[Array, ""]


def proximal_step(
    problem: Problem, state: ProximalState, most_steps: int | Array = NEWTON_STEPS
) -> tuple[ProximalState, Report]:
    """One proximal step: at most `most_steps` Newton steps, then a new centre."""

    def step(inner: _Inner) -> _Inner:
        return _inner_step(problem, state, inner, most_steps)

    fleet, start = problem.fleet, _start(problem, state)
    end = while_loop(fleet, lambda inner: ~inner.done, step, start)
    at = end.at
    energy = schedule(problem, state, at)
    state = ProximalState(energy, at.shadow, at.load, at.price, state.gain, end.damping)
    return state, Report(end.newton, end.products, end.first, at.norm)


def _start(problem: Problem, state: ProximalState) -> _Inner:
    """Nothing evaluated yet: the first trial is of no length."""
    table, zero = jnp.zeros_like(state.price), jnp.zeros((), jnp.int32)
    norm = jnp.zeros((), table.dtype)
    at = Evaluation(
        price=state.price,
        merit=jnp.zeros((), wide_float()),
        gradient=table,
        norm=norm,
        load=state.load,
        shadow=state.shadow,
        derivative=ProxDerivative(table, jnp.zeros(table.shape, bool), table),
    )
    return _Inner(
        at=at,
        direction=table,
        length=norm,
        first=norm,
        newton=zero,
        products=zero,
        damping=jnp.minimum(state.damping, 0.3),
        done=jnp.zeros((), bool),
    )


def _inner_step(
    problem: Problem, state: ProximalState, inner: _Inner, most_steps
) -> _Inner:
    """Evaluate one trial; take it, halve it, or turn to a new direction.

    A trial is taken if the merit rises or the gradient falls, and given up after
    `HALVINGS`. Damping falls with each full step that is taken and rises otherwise.
    The first trial has length 0: it only evaluates the start.
    """
    trial = inner.at.price + inner.length * inner.direction
    new = evaluate(problem, state, trial, inner.at.shadow)
    begins = inner.length == 0
    better = (new.merit > inner.at.merit) | (new.norm < 0.9 * inner.at.norm)
    taken = begins | better
    given_up = ~taken & (inner.length <= 0.5**HALVINGS)
    at = select(problem.fleet, taken, new, inner.at)
    first = jnp.where(begins, new.norm, inner.first)

    full = taken & (inner.length == 1)
    short = (taken & ~begins & ~full) | given_up
    rise = 2 / jnp.where(begins, 1, inner.length)
    damping = inner.damping * jnp.where(full, 1 / 3, jnp.where(short, rise, 1))
    damping = jnp.clip(damping, LEAST_DAMPING, 1)

    unsolved = (at.norm > INNER_DROP * first) & (inner.newton < most_steps)
    unsolved = unsolved & (damping < 1)
    settled = taken | given_up

    def turn():
        return newton_direction(problem, state, at, damping)

    def keep():
        return inner.direction, jnp.zeros_like(inner.products)

    turns = settled & unsolved
    direction, products = choose(problem.fleet, turns, turn, keep)
    return _Inner(
        at=at,
        direction=direction,
        length=jnp.where(turns, 1, inner.length / 2),
        first=first,
        newton=inner.newton + turns.astype(jnp.int32),
        products=inner.products + products,
        damping=damping,
        done=settled & ~unsolved,
    )
