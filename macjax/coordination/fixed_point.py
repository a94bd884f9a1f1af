"""The price p** that reproduces itself: p** = c'(d + D(p**)).

It is the price of the social optimum, so it is found as one: with p = c'(x), for a
total demand x of every slot, weak duality bounds J from below by

    psi(x) = Delta sum_t (c(x_t) - p_t (x_t - d_t)) + sum_n w_n min_u J_n(u; p)
    grad psi(x) = Delta c''(x) F,   F = d + D(p) - x

which is largest where F = 0. Semismooth Newton steps (I + S c'') dx = F, S = -dD/dp,
climb psi: Delta F' c'' dx > 0. A step counts if psi rises by a share of what it should,
or if |F| falls below its least so far, and is shortened until then; failing that the
step is F itself, which climbs too. Outside the demands that can occur c goes on as a
parabola, which leaves the optimum as it is. So this comes to p** from anywhere,
whatever the step of the iteration, up to rounding.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from macjax.coordination.iteration import Market, programs
from macjax.coordination.population import answer, sensitivity

MOST_STEPS = 200
MOST_HALVINGS = 40
RISE = 1e-4  # share of the expected rise of psi that counts
FALL = 0.9  # share of |F| down to which a step has to bring it
VALUE_ROUNDING = 1e-13  # rises of psi below this share of it are not seen
ROUNDING = 64 * float(np.finfo(np.float64).eps)
SMALL = 1e-8  # residuals up to this share of the price are what rounding leaves


class Point(NamedTuple):
    """A demand x, its price p = c'(x), and what the EVs answer.

    Arguments:
        total: x, (T,) [kW].
        price: p, (T,) [currency/kWh].
        excess: F [kW].
        bend: c''(x).
        gradient: of psi.
        pull: c'(d + D(p)) - p.
        value: psi, up to a constant.
        start: A of the EVs.
    """

    total: jax.Array
    price: jax.Array
    excess: jax.Array
    bend: jax.Array
    gradient: jax.Array
    pull: jax.Array
    value: jax.Array
    start: jax.Array


class FixedPoint(NamedTuple):
    """p** and how well it reproduces itself.

    Arguments:
        price: p**, (T,) [currency/kWh].
        residual: ||c'(d + D(p**)) - p**||_1.
        start: A of the EVs at that price.
    """

    price: np.ndarray
    residual: float
    start: jax.Array

    @property
    def is_exact(self) -> bool:
        """Whether the residual is one of rounding."""
        return self.residual <= SMALL * float(np.abs(self.price).sum())


def fixed_point(market: Market, price, start) -> FixedPoint:
    """p**, as near as rounding allows, from any price.

    Arguments:
        market: the EVs, in float64, the other demand and the cost.
        price: where to begin, if it is finite.
        start: A of the EVs at that price.
    """
    look, newton = _programs()
    if not np.isfinite(price).all():
        price, start = market.cost.marginal(market.base), jnp.zeros_like(start)
    start = start.astype(jnp.float64)
    found, _ = programs()["posted"](market, jnp.asarray(price), start)
    at = look(market, market.base + found.demand, found.start)
    best, least, norm = at, _size(at), float(jnp.linalg.norm(at.excess))
    for _ in range(MOST_STEPS):
        if least <= ROUNDING * float(jnp.sum(jnp.abs(best.price))):
            break
        move = newton(market, at)
        step = functools.partial(look, market)
        moved = _climb(step, at, norm, move) if bool(jnp.isfinite(move).all()) else None
        if moved is None:
            moved = _climb(step, at, norm, at.excess)
        if moved is None:
            break
        at, norm = moved, min(norm, float(jnp.linalg.norm(moved.excess)))
        if _size(at) < least:
            best, least = at, _size(at)
    return FixedPoint(np.asarray(best.price), least, best.start)


def _size(at: Point) -> float:
    """||P(p) - p||_1, infinite where it is no number."""
    size = float(jnp.sum(jnp.abs(at.pull)))
    return size if math.isfinite(size) else math.inf


def _climb(look, at: Point, norm: float, move) -> Point | None:
    """The point after a step that counts; None where rounding hides any.

    A fall of |F| counts from the least one so far, `norm`: so it counts only so often,
    and cannot go in circles with rises of psi.
    """
    value = float(at.value)
    rise = float(jnp.sum(at.gradient * move))
    seen, share = VALUE_ROUNDING * abs(value), 1.0
    for _ in range(MOST_HALVINGS):
        new = look(at.total + share * move, at.start)
        gained = float(new.value) - value
        if float(jnp.linalg.norm(new.excess)) <= FALL * norm:
            return new
        if gained >= max(RISE * share * rise, seen):
            return new
        if share * rise <= seen:
            return None
        share *= 0.5
    return None


def _look(market: Market, total, start) -> Point:
    """What a demand brings; c is continued by parabolas outside what can occur."""
    low, high = market.base, market.most
    inside = jnp.clip(total, low, high)
    past = total - inside
    price, bend = market.cost.marginal(inside), market.cost.curvature(inside)
    width = jnp.where(high > low, high - low, 1)
    chord = (market.cost.marginal(high) - market.cost.marginal(low)) / width
    slope = jnp.maximum(bend, chord)
    value = market.cost.value(inside) + past * (price + 0.5 * slope * past)
    price = price + slope * past
    bend = jnp.where(past == 0, bend, slope)
    found = answer(market.population, price, start)
    demand = market.base + found.demand
    hours = market.population.hours
    supply = hours * jnp.sum(value - price * (total - market.base))
    return Point(
        total=total,
        price=price,
        excess=demand - total,
        bend=bend,
        gradient=hours * bend * (demand - total),
        pull=market.cost.marginal(demand) - price,
        value=supply + hours * jnp.sum(price * found.demand) + found.cost,
        start=found.start,
    )


def _newton(market: Market, at: Point):
    """(I + S c'')^-1 F; I + S c'' is invertible for S semidefinite and c'' >= 0."""
    steep = sensitivity(market.population, at.price, at.start)
    matrix = jnp.eye(at.price.shape[0], dtype=at.price.dtype) + steep * at.bend[None]
    return jnp.linalg.solve(matrix, at.excess)


@functools.cache
def _programs():
    """The compiled programs; one trace for all markets of the same shapes."""
    return jax.jit(_look), jax.jit(_newton)
