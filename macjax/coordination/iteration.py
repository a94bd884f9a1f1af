"""The Krasnoselskij iteration on the price.

    p+ = p + eta (P(p) - p),   P(p)_t = c'(d_t + sum_n u_nt(p))

Every EV answers the price (S1), the price moves toward the marginal cost of the demand
that results (S2), until it stands still: ||p+ - p||_1 / eta <= tolerance (S3). The
slides of the source print the update without c'; this is the one whose fixed point is
the social optimum.

The step is halved, down to a least step, where ||P(p) - p||_2 does not fall by a share
of the step: with least step = step it stays as it is.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from macjax.coordination.cost import GenerationCost
from macjax.coordination.population import Answer, Population, answer, sensitivity

FALL = 0.25  # share of the step by which the residual has to fall


class Market(eqx.Module):
    """Who meets whom: the EVs, the other demand, and the cost of generation."""

    population: Population
    base: Float[Array, " t"]
    cost: GenerationCost


class Rule(eqx.Module):
    """How the price moves, and when that ends; all numbers may vary from run to run.

    Arguments:
        step: eta.
        least_step: to which eta may be halved.
        tolerance: of ||p+ - p||_1 / eta.
    """

    step: Float[Array, ""]
    least_step: Float[Array, ""]
    tolerance: Float[Array, ""]


class Trace(eqx.Module):
    """What happened, one row an iteration; row 0 is the initial price.

    price: of the row; demand: of the EVs that answer it; objective: of their answer;
    change: ||p - p_before||_1; step: by which the price of the row was reached.
    """

    price: Float[Array, "k t"]
    demand: Float[Array, "k t"]
    objective: Float[Array, " k"]
    change: Float[Array, " k"]
    step: Float[Array, " k"]


class State(eqx.Module):
    """Where the iteration stands: price p_k, A of the answer to p_{k-1}, step."""

    price: Float[Array, " t"]
    start: Float[Array, "k n"]
    step: Float[Array, ""]
    residual: Float[Array, ""]
    done: Bool[Array, ""]
    iteration: Int[Array, ""]
    trace: Trace


def begin(population: Population, price, rule: Rule, rows: int) -> State:
    """The state before the first iteration, for at most `rows - 1` iterations."""
    slots = price.shape[0]
    empty = jnp.full((rows,), jnp.nan, jnp.float64)
    table = jnp.full((rows, slots), jnp.nan, jnp.float64)
    price = jnp.asarray(price, jnp.float64)
    return State(
        price=price,
        start=2 * jnp.asarray(population.benefit) * population.target,
        step=jnp.asarray(rule.step, jnp.float64),
        residual=jnp.asarray(jnp.inf, jnp.float64),
        done=jnp.asarray(False),
        iteration=jnp.asarray(0, jnp.int32),
        trace=Trace(table.at[0].set(price), table, empty, empty, empty),
    )


def objective_of(market: Market, found: Answer) -> Float[Array, ""]:
    """J of the answer of all EVs."""
    demand = market.base + found.demand
    hours = market.population.hours
    return hours * jnp.sum(market.cost.value(demand)) + found.cost


class Move(eqx.Module):
    """One iteration: the price before and after it, and what was seen in between."""

    price: Float[Array, " t"]
    start: Float[Array, "k n"]
    step: Float[Array, ""]
    residual: Float[Array, ""]
    demand: Float[Array, " t"]
    objective: Float[Array, ""]
    change: Float[Array, ""]
    done: Bool[Array, ""]


def move(market: Market, rule: Rule, price, start, step, residual) -> Move:
    """One iteration from a price, with the step and the residual of the one before."""
    found = answer(market.population, price, start)  # (S1)
    pull = market.cost.marginal(market.base + found.demand) - price
    size = jnp.linalg.norm(pull)
    fallen = size <= (1 - FALL * step) * residual
    halved = jnp.maximum(0.5 * step, rule.least_step)
    step = jnp.where(fallen, step, jnp.minimum(halved, step))
    return Move(
        price=price + step * pull,  # (S2)
        start=found.start,
        step=step,
        residual=size,
        demand=found.demand,
        objective=objective_of(market, found),
        change=step * jnp.sum(jnp.abs(pull)),
        # (S3), written so that NaN ends it too.
        done=~(jnp.sum(jnp.abs(pull)) > rule.tolerance),
    )


def record(trace: Trace, k, moved: Move) -> Trace:
    """The trace with an iteration from row k to row k + 1."""
    return Trace(
        price=trace.price.at[k + 1].set(moved.price),
        demand=trace.demand.at[k].set(moved.demand),
        objective=trace.objective.at[k].set(moved.objective),
        change=trace.change.at[k + 1].set(moved.change),
        step=trace.step.at[k + 1].set(moved.step),
    )


def advance(market: Market, rule: Rule, state: State) -> State:
    """One iteration."""
    moved = move(market, rule, state.price, state.start, state.step, state.residual)
    return State(
        price=moved.price,
        start=moved.start,
        step=moved.step,
        residual=moved.residual,
        done=moved.done,
        iteration=state.iteration + 1,
        trace=record(state.trace, state.iteration, moved),
    )


def iterate(market: Market, rule: Rule, state: State, until) -> State:
    """Iterations until the price stands still, at most up to number `until`."""

    def going(state):
        return ~state.done & (state.iteration < until)

    return jax.lax.while_loop(going, lambda s: advance(market, rule, s), state)


def last_row(market: Market, state: State) -> tuple[State, Answer]:
    """The answer to the last price, which ends the trace."""
    found = answer(market.population, state.price, state.start)
    k, trace = state.iteration, state.trace
    trace = Trace(
        price=trace.price,
        demand=trace.demand.at[k].set(found.demand),
        objective=trace.objective.at[k].set(objective_of(market, found)),
        change=trace.change,
        step=trace.step,
    )
    state = State(
        state.price, found.start, state.step, state.residual, state.done, k, trace
    )
    return state, found


def bound_of_demand(market: Market, demand: Float[Array, " t"], start):
    """A value that J cannot fall below, by weak duality.

    With x = d + D for any D and q = c'(x), for every charging of the EVs
    J >= Delta sum_t (c(x_t) - q_t (x_t - d_t)) + sum_n w_n min_u J_n(u; q).
    """
    hours, total = market.population.hours, market.base + demand
    price = market.cost.marginal(total)
    support = answer(market.population, price, start)
    supply = market.cost.value(total) - price * demand
    return hours * jnp.sum(supply + price * support.demand) + support.cost


def newton_step(market: Market, price, start):
    """P(p) - p, and p moved by a Newton step on it.

    I + diag(c'') S is invertible for S positive semidefinite and c'' >= 0.
    """
    found = answer(market.population, price, start)
    demand = market.base + found.demand
    pull = market.cost.marginal(demand) - price
    bend = market.cost.curvature(demand)[:, None]
    steep = sensitivity(market.population, price, found.start)
    matrix = jnp.eye(price.shape[0], dtype=price.dtype) + bend * steep
    return pull, price + jnp.linalg.solve(matrix, pull), found.start


@functools.cache
def programs() -> dict:
    """The compiled programs; one trace for all markets of the same shapes."""
    return {
        "iterate": jax.jit(iterate),
        "last_row": jax.jit(last_row),
        "bound_of_demand": jax.jit(bound_of_demand),
        "newton_step": jax.jit(newton_step),
    }
