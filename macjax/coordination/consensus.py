"""Price coordination without a coordinator: EVs average their prices with neighbours.

Every node n of a graph has a price profile of its own, answers it with u_n, moves it as
if all others answered alike, and averages what comes of it R times with its neighbours:

    q_n = p_n + eta (c'(d + N w_n u_n(p_n)) - p_n),   p+ = W^R q

with N nodes of w_n EVs each. The mean over nodes of c'(d + N w_n u_n) is the marginal
cost of the whole demand if and only if c' is affine; then exact averaging (R without
end) is the central iteration. The slides of the source print c where c' is meant.

For finite R the nodes differ. With e_n = p_n - mean, ||e||_F <= sigma^R ||q - mean||_F,
and as p - P(p) has slope of at least 1 (see `contraction`), for affine c'

    ||mean - p**||_2 <= ||mean_n(q_n - p_n)||_2 / eta + kappa sum_n w_n nu_n ||e_n||_2 .

Reference: Zou, Hiskens, Ma, Liu, IFAC World Congress (2017).
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from macjax.coordination.iteration import Market
from macjax.coordination.population import benefits_left, lanes_answer


class Links(eqx.Module):
    """W in coordinates, sorted by row; a round is one sum over the links of a node."""

    row: Int[Array, " e"]
    column: Int[Array, " e"]
    weight: Float[Array, " e"]


class Nodes(eqx.Module):
    """Prices of all nodes, (n, t), and what they saw in the last iteration.

    mean, demand, objective: one row an iteration; numbers: one row an iteration with
    change, spread before and after averaging, pull (||mean(q - p)||_2 / eta) and
    marginal_gap (||mean_n c'(d + N w_n u_n) - c'(d + sum w u)||_1).
    """

    price: Float[Array, "n t"]
    start: Float[Array, " n"]
    done: Bool[Array, ""]
    iteration: Int[Array, ""]
    mean: Float[Array, "k t"]
    demand: Float[Array, "k t"]
    objective: Float[Array, " k"]
    numbers: Float[Array, "k 5"]


def links_of(weights) -> Links:
    """Links of a sparse W in CSR."""
    pairs = weights.tocoo()
    return Links(
        jnp.asarray(pairs.row, jnp.int32),
        jnp.asarray(pairs.col, jnp.int32),
        jnp.asarray(pairs.data, jnp.float64),
    )


def average(links: Links | None, rounds, price: Float[Array, "n t"]):
    """W^R p, or the mean in every row where there are no links."""
    if links is None:
        return jnp.broadcast_to(jnp.mean(price, axis=0)[None], price.shape)

    def once(_, p):
        terms = links.weight[:, None] * p[links.column]
        return jax.ops.segment_sum(
            terms, links.row, num_segments=p.shape[0], indices_are_sorted=True
        )

    return jax.lax.fori_loop(0, rounds, once, price)


def begin_nodes(market: Market, price: np.ndarray, rows: int) -> Nodes:
    """All nodes at the same price."""
    people = market.population
    count, slots = people.linear.size, len(price)
    nothing = jnp.full((rows,), jnp.nan, jnp.float64)
    table = jnp.full((rows, slots), jnp.nan, jnp.float64)
    return Nodes(
        price=jnp.broadcast_to(jnp.asarray(price, jnp.float64)[None], (count, slots)),
        start=(2 * people.benefit * people.target)[0],
        done=jnp.asarray(False),
        iteration=jnp.asarray(0, jnp.int32),
        mean=table.at[0].set(price),
        demand=table,
        objective=nothing,
        numbers=jnp.full((rows, 5), jnp.nan, jnp.float64).at[0, 1:3].set(0.0),
    )


def look(market: Market, nodes: Nodes):
    """What the nodes answer, and where their own estimates pull them."""
    people = market.population
    start, power = lanes_answer(people, nodes.price.T, nodes.start)
    power = power.astype(jnp.float64)
    weight = people.weight[0].astype(jnp.float64)
    estimate = nodes.price.shape[0] * (power * weight[None]).T
    estimate += market.base[None]
    pull = market.cost.marginal(estimate) - nodes.price
    demand = market.base + power @ weight
    hours = people.hours
    cost = hours * jnp.sum(market.cost.value(demand)) + benefits_left(people, power)
    mean_pull = jnp.mean(pull, axis=0)
    gap = jnp.mean(market.cost.marginal(estimate), axis=0)
    gap = jnp.sum(jnp.abs(gap - market.cost.marginal(demand)))
    size = jnp.linalg.norm(mean_pull)
    return start, power, pull, (power @ weight, cost, size, gap)


def seen(nodes: Nodes, found) -> tuple:
    """The tables with what is known once the prices of a row are answered."""
    k = nodes.iteration
    demand, cost, size, gap = found
    numbers = nodes.numbers.at[k, 3].set(size).at[k, 4].set(gap)
    return nodes.demand.at[k].set(demand), nodes.objective.at[k].set(cost), numbers


def deviation(price: Float[Array, "n t"]) -> Float[Array, ""]:
    """||p - mean||_F over the nodes."""
    return jnp.sqrt(jnp.sum((price - jnp.mean(price, axis=0)[None]) ** 2))


def iterate_nodes(market, links, rounds, step, tolerance, nodes: Nodes, until):
    """Iterations until no node's price moves, at most up to number `until`."""

    def going(nodes):
        return ~nodes.done & (nodes.iteration < until)

    def body(nodes):
        start, _, pull, found = look(market, nodes)
        moved = nodes.price + step * pull
        price = average(links, rounds, moved)
        k = nodes.iteration
        demand, objective, numbers = seen(nodes, found)
        change = jnp.max(jnp.sum(jnp.abs(price - nodes.price), axis=1))
        row = jnp.stack([change, deviation(moved), deviation(price)])
        return Nodes(
            price=price,
            start=start,
            done=~(change > step * tolerance),
            iteration=k + 1,
            mean=nodes.mean.at[k + 1].set(jnp.mean(price, axis=0)),
            demand=demand,
            objective=objective,
            numbers=numbers.at[k + 1, :3].set(row),
        )

    return jax.lax.while_loop(going, body, nodes)


def last_look(market: Market, nodes: Nodes):
    """Tables with the last row, A and charging of the nodes there."""
    start, power, _, found = look(market, nodes)
    return *seen(nodes, found), start, power


@functools.cache
def programs() -> dict:
    """The compiled programs."""
    return {"iterate": jax.jit(iterate_nodes), "last_look": jax.jit(last_look)}
