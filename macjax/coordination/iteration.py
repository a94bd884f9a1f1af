"""The Krasnoselskij iteration on the price.

    p+ = p + eta (P(p) - p),   P(p)_t = c'(d_t + sum_n u_nt(p))

Every EV answers the price (S1), the price moves toward the marginal cost of the demand
that results (S2), until it stands still: ||p+ - p||_1 / eta <= tolerance (S3). The
slides of the source print the update without c'; this is the one whose fixed point is
the social optimum.

A given step stays as it is. An automatic one where c' is not affine is safeguarded. The
price belongs to the dual of the social problem, which is concave with the gradient
F(p) = d + D(p) - (c')^-1(p) times Delta, and F_t has the sign of P(p)_t - p_t, so that
every move climbs at first. It went too far where F(p+) (p+ - p) < 0: then the next step
is half as long, down to a least one. Where F(p+) (p+ - p) is still a large share of
F(p) (p+ - p) it might have gone further: after some such moves in a row the step is
lengthened, up to a most one, and after each lengthening that had to be taken back twice
as many of them are asked for, so that lengthening ends where it does not pay.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from macjax.coordination.cost import GenerationCost
from macjax.coordination.population import Answer, Population, answer

AHEAD = 0.5  # share of F (p+ - p) from which on a longer step would have climbed more
LONGER = 1.5  # by which the step is lengthened
PATIENCE = 3  # short moves in a row before the step is lengthened
MOST_PATIENCE = 2**20
BISECTIONS = 60


class Market(eqx.Module):
    """Who meets whom: the EVs, the other demand, and the cost of generation.

    `most` is the largest total demand of each slot.
    """

    population: Population
    base: Float[Array, " t"]
    most: Float[Array, " t"]
    cost: GenerationCost


class Rule(eqx.Module):
    """How the price moves, and when that ends; all numbers may vary from run to run.

    Arguments:
        step: eta, at first.
        least_step, most_step: to which eta may be halved and lengthened; with both
            equal to eta it stays as it is.
        tolerance: of ||p+ - p||_1 / eta.
    """

    step: Float[Array, ""]
    least_step: Float[Array, ""]
    most_step: Float[Array, ""]
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


class Pace(eqx.Module):
    """The step, and what decides on it.

    Arguments:
        step: eta of the last move.
        move: p_k - p_{k-1}, 0 before the first move.
        climb: F(p_{k-1}) (p_k - p_{k-1}).
        short: short moves in a row.
        patience: how many of them lengthen the step.
        tried: whether the step was lengthened and not yet halved since.
    """

    step: Float[Array, ""]
    move: Float[Array, " t"]
    climb: Float[Array, ""]
    short: Int[Array, ""]
    patience: Int[Array, ""]
    tried: Bool[Array, ""]


def first_pace(step, slots: int) -> Pace:
    """The pace before the first move."""
    return Pace(
        step=jnp.asarray(step, jnp.float64),
        move=jnp.zeros((slots,), jnp.float64),
        climb=jnp.asarray(0.0, jnp.float64),
        short=jnp.asarray(0, jnp.int32),
        patience=jnp.asarray(PATIENCE, jnp.int32),
        tried=jnp.asarray(False),
    )


class State(eqx.Module):
    """Where the iteration stands: price p_k, A of the answer to p_{k-1}, pace."""

    price: Float[Array, " t"]
    start: Float[Array, "k n"]
    pace: Pace
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
        pace=first_pace(rule.step, slots),
        done=jnp.asarray(False),
        iteration=jnp.asarray(0, jnp.int32),
        trace=Trace(table.at[0].set(price), table, empty, empty, empty),
    )


def objective_of(market: Market, found: Answer) -> Float[Array, ""]:
    """J of the answer of all EVs."""
    demand = market.base + found.demand
    hours = market.population.hours
    return hours * jnp.sum(market.cost.value(demand)) + found.cost


def generated(market: Market, price: Float[Array, " t"]) -> Float[Array, " t"]:
    """(c')^-1 of a price, among the demands that can occur [kW]."""

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        below = market.cost.marginal(middle) < price
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low, high = jax.lax.fori_loop(0, BISECTIONS, halve, (market.base, market.most))
    return 0.5 * (low + high)


def paced(market: Market, rule: Rule, pace: Pace, price, demand, pull) -> Pace:
    """The pace of the next move from a price, after the one that led there."""
    gradient = demand - generated(market, price)
    ahead = jnp.sum(gradient * pace.move)
    before, moved = pace.climb, pace.climb > 0
    far = moved & (ahead < 0)
    near = moved & (ahead > AHEAD * before)
    short = jnp.where(near, pace.short + 1, 0)
    longer = short >= pace.patience
    shorter = jnp.maximum(0.5 * pace.step, rule.least_step)
    step = jnp.where(far, jnp.minimum(shorter, pace.step), pace.step)
    raised = jnp.minimum(LONGER * pace.step, jnp.maximum(rule.most_step, pace.step))
    step = jnp.where(longer, raised, step)
    patience = jnp.where(far & pace.tried, 2 * pace.patience, pace.patience)
    move = step * pull
    return Pace(
        step=step,
        move=move,
        climb=jnp.sum(gradient * move),
        short=jnp.where(longer, 0, short),
        patience=jnp.minimum(patience, MOST_PATIENCE),
        tried=(pace.tried | longer) & ~far,
    )


class Move(eqx.Module):
    """One iteration: the price before and after it, and what was seen in between."""

    price: Float[Array, " t"]
    start: Float[Array, "k n"]
    pace: Pace
    demand: Float[Array, " t"]
    objective: Float[Array, ""]
    change: Float[Array, ""]
    done: Bool[Array, ""]


def move(market: Market, rule: Rule, price, start, pace: Pace) -> Move:
    """One iteration from a price, with the pace of the one before."""
    found = answer(market.population, price, start)  # (S1)
    demand = market.base + found.demand
    pull = market.cost.marginal(demand) - price
    pace = jax.lax.cond(
        rule.least_step < rule.most_step,
        lambda: paced(market, rule, pace, price, demand, pull),
        lambda: pace,
    )
    size = jnp.sum(jnp.abs(pull))
    return Move(
        price=price + pace.step * pull,  # (S2)
        start=found.start,
        pace=pace,
        demand=found.demand,
        objective=objective_of(market, found),
        change=pace.step * size,
        # (S3), written so that NaN ends it too.
        done=~(size > rule.tolerance),
    )


def record(trace: Trace, k, moved: Move) -> Trace:
    """The trace with an iteration from row k to row k + 1."""
    return Trace(
        price=trace.price.at[k + 1].set(moved.price),
        demand=trace.demand.at[k].set(moved.demand),
        objective=trace.objective.at[k].set(moved.objective),
        change=trace.change.at[k + 1].set(moved.change),
        step=trace.step.at[k + 1].set(moved.pace.step),
    )


def advance(market: Market, rule: Rule, state: State) -> State:
    """One iteration."""
    moved = move(market, rule, state.price, state.start, state.pace)
    return State(
        price=moved.price,
        start=moved.start,
        pace=moved.pace,
        done=moved.done,
        iteration=state.iteration + 1,
        trace=record(state.trace, state.iteration, moved),
    )


def iterate(market: Market, rule: Rule, state: State, until) -> State:
    """Iterations until the price stands still, at most up to number `until`."""

    def going(state):
        return ~state.done & (state.iteration < until)

    return jax.lax.while_loop(going, lambda s: advance(market, rule, s), state)


def last_row(market: Market, state: State) -> Trace:
    """The trace with the answer to the last price, which ends it."""
    found = answer(market.population, state.price, state.start)
    k, trace = state.iteration, state.trace
    return Trace(
        price=trace.price,
        demand=trace.demand.at[k].set(found.demand),
        objective=trace.objective.at[k].set(objective_of(market, found)),
        change=trace.change,
        step=trace.step,
    )


def posted(market: Market, price, start) -> tuple[Answer, Float[Array, ""]]:
    """The answer to a price, and J of it."""
    found = answer(market.population, price, start)
    return found, objective_of(market, found)


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


@functools.cache
def programs() -> dict:
    """The compiled programs; one trace for all markets of the same shapes."""
    return {
        "iterate": jax.jit(iterate),
        "last_row": jax.jit(last_row),
        "posted": jax.jit(posted),
        "bound_of_demand": jax.jit(bound_of_demand),
    }
