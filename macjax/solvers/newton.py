"""Proximal steps on schedule and loads, solved by semismooth Newton on the prices.

Around a feasible schedule u^k with load Z^k = P(u^k), with gains g_c and
tau_c = M_c g_c, the price table pi is the only unknown of

    psi(pi) = min_{u in U} { pi . P(u) + sum a_n / (2 g) (u - u^k)^2 + smoothing }
            + min_Z { sum_f g_f(Z_f) - pi . Z + sum (Z - Z^k)^2 / (2 tau) }  -> max.

grad psi = P(u(pi)) - Z(pi); u(pi) is the projection of u^k - g pi, Z(pi) the prox of
Z^k + tau pi. The generalised Hessian is -(A J A' + D): D from the prox, and per
vehicle, on each run of one shadow price, for opportunities inside their limits,

    J p = g (p - m),    m = sum g p / sum g over the run, 0 on the free last run.

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
    energy: Float[Array, "b k s v"]
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
    mass = jnp.where(problem.active, problem.mass, 1)
    tau = mass * state.gain
    target = state.load + tau * price
    copies, theta = prox(problem.terms, target, 1 / tau, problem.active)
    derivative = prox_derivative(problem.terms, target, 1 / tau, problem.active, theta)
    fleet = problem.fleet
    tables = (
        flat(price, fleet),
        flat(state.gain, fleet, jnp.mean(state.gain)),
        problem.terms.epsilon,
        empty_row(fleet, price),
    )
    (total, distance), (energy, shadow) = over_devices(
        fleet, _respond, tables, state.energy, guess
    )
    load = unflat(total, price)
    gradient = jnp.where(problem.active, load - copies, 0)
    # An exact limit may be left by a rounding; it counts 0 here.
    feeders = value(problem.terms, copies)
    merit = wide_sum(jnp.where(jnp.isfinite(feeders), feeders, 0))
    merit += wide_sum(jnp.where(problem.active, price * gradient, 0))
    moved = jnp.where(problem.active, (copies - state.load) ** 2 / tau, 0)
    merit += wide_sum(moved) / 2
    return Evaluation(
        price=price,
        merit=merit + distance,
        gradient=gradient,
        norm=jnp.sqrt(jnp.sum(gradient**2 / tau)),
        load=load,
        energy=energy,
        shadow=shadow,
        derivative=derivative,
    )


def _respond(fleet: FleetBatch, tables, energy, guess):
    """u(pi) of all vehicles, their load, and the distance term of psi."""
    row, gain, epsilon, empty = tables

    def projection(block, before):
        cell = block.cell()
        g = gain[cell]
        return Projection.of(block, before - g * row[cell], g, epsilon)

    shadow = fleet_shadows(fleet, projection, (energy,), guess)

    def block_step(carry, block, before, shadow):
        total, distance = carry
        after = projection(block, before).energy(shadow)
        square = (after - before) ** 2 / gain[block.cell()]
        moved = jnp.sum(square, axis=1) * block.scale
        smooth = epsilon * block.weight * jnp.sum(after**2, axis=1)
        distance += wide_sum(moved + smooth) / 2
        return (add_load(total, block, after), distance), after

    start = (empty, jnp.zeros((), wide_float()))
    sums, after = over_blocks(fleet, block_step, start, energy, shadow)
    return sums, (after, shadow)


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


def _block_curvature(block: FleetBatch, energy, shadow, gain, epsilon) -> Curvature:
    limit = block.limit()
    bend = epsilon * block.weight / jnp.where(block.scale > 0, block.scale, 1)
    gain = gain[block.cell()]
    gain = gain / (1 + bend[:, None] * gain)
    inside = jnp.where((energy > 0) & (energy < limit), gain, 0)
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
    tables = (
        flat(state.gain, fleet, jnp.mean(state.gain)),
        problem.terms.epsilon,
        empty_row(fleet, state.gain),
    )

    def work(fleet, tables, energy, shadow):
        gain, epsilon, empty = tables

        def block_curve(diagonal, block, energy, shadow):
            curve = _block_curvature(block, energy, shadow, gain, epsilon)
            own = curve.gain * (1 - curve.gain * curve.share[:, None])
            return add_load(diagonal, block, own), curve

        return over_blocks(fleet, block_curve, empty, energy, shadow)

    diagonal, curve = over_devices(fleet, work, tables, at.energy, at.shadow)
    return curve, unflat(diagonal, state.gain)


def apply_curvature(problem: Problem, curve: Curvature, direction: Array) -> Array:
    """A J A' p."""
    fleet = problem.fleet

    def work(fleet, tables, curve):
        row, empty = tables

        def block_product(total, block, curve):
            p = row[block.cell()]
            moment = _over_run(jnp.sum(curve.gain * p, axis=1), curve.joined)
            mean = moment * curve.share
            moved = curve.gain * (p - mean[:, None])
            return add_load(total, block, moved), None

        return over_blocks(fleet, block_product, empty, curve)

    tables = (flat(direction, fleet), empty_row(fleet, direction))
    total, _ = over_devices(fleet, work, tables, curve)
    return unflat(total, direction)


def newton_direction(problem: Problem, state: ProximalState, at: Evaluation, damping):
    """Solve (A J A' + D + regularisation) d = gradient by preconditioned CG."""
    mass = jnp.where(problem.active, problem.mass, 1)
    tau = mass * state.gain
    curve, diagonal = curvature(problem, state, at)
    derivative = at.derivative
    diagonal = diagonal + tau * (derivative.diagonal + derivative.common)
    diagonal = jnp.where(problem.active, diagonal + LEAST_CURVATURE * tau, 1)

    def product(p):
        curved = apply_curvature(problem, curve, p)
        curved += apply_prox_derivative(derivative, tau * p)
        return jnp.where(problem.active, curved + damping * diagonal * p, p)

    def keep_going(carry):
        _, residual, _, rho, n = carry
        return (n < CG_STEPS) & (rho > CG_DROP * rho0)

    def cg_step(carry):
        x, residual, p, rho, n = carry
        q = product(p)
        alpha = rho / jnp.sum(p * q)
        x, residual = x + alpha * p, residual - alpha * q
        z = residual / diagonal
        rho_next = jnp.sum(residual * z)
        return x, residual, z + rho_next / rho * p, rho_next, n + 1

    z = at.gradient / diagonal
    rho0 = jnp.sum(at.gradient * z)
    start = (jnp.zeros_like(z), at.gradient, z, rho0, jnp.zeros((), jnp.int32))
    x, _, _, _, n = jax.lax.while_loop(keep_going, cg_step, start)
    return x, n


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

    shapes = jax.eval_shape(evaluate, problem, state, state.price, state.shadow)
    blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    zero = jnp.zeros((), jnp.int32)
    start = _Inner(
        at=blank._replace(price=state.price, shadow=state.shadow),
        direction=jnp.zeros_like(state.price),
        length=jnp.zeros((), state.price.dtype),
        first=blank.norm,
        newton=zero,
        products=zero,
        damping=jnp.minimum(state.damping, 0.3),
        done=jnp.zeros((), bool),
    )
    end = jax.lax.while_loop(lambda inner: ~inner.done, step, start)
    at = end.at
    state = ProximalState(
        at.energy, at.shadow, at.load, at.price, state.gain, end.damping
    )
    return state, Report(end.newton, end.products, end.first, at.norm)


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
    at = jax.tree.map(lambda n, o: jnp.where(taken, n, o), new, inner.at)
    first = jnp.where(begins, new.norm, inner.first)

    full = taken & (inner.length == 1)
    short = (taken & ~begins & ~full) | given_up
    rise = 2 / jnp.where(begins, 1, inner.length)
    damping = inner.damping * jnp.where(full, 1 / 3, jnp.where(short, rise, 1))
    damping = jnp.clip(damping, LEAST_DAMPING, 1)

    unsolved = (at.norm > INNER_DROP * first) & (inner.newton < most_steps)
    unsolved = unsolved & (damping < 1)
    settled = taken | given_up

    def turn(_):
        return newton_direction(problem, state, at, damping)

    def keep(_):
        return inner.direction, jnp.zeros_like(inner.products)

    turns = settled & unsolved
    direction, products = jax.lax.cond(turns, turn, keep, None)
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
