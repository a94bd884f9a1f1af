"""Feeder objectives in JAX: value, prox and conjugate of one form for every sum.

Per feeder, with x = P - headroom,

    g(P) = kappa max_t (x_t)_+
         + sum_t [ energy_t P_t + linear (x_t)_+ + quadratic / 2 (x_t)_+^2 ]
         + (indicator of x_t <= 0, where hard)

The peak couples the slots of a feeder through one number, its level theta: given
theta, each cell is minimised alone and cut off at theta.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from macjax.objectives.compile import FeederTermsData
from macjax.objectives.threshold import peak_level


class FeederTerms(eqx.Module):
    """The coefficients of `FeederTermsData` as JAX arrays of one dtype.

    Arguments: as in `FeederTermsData`, with the same shapes and units.
    """

    kappa: Float[Array, " f"]
    linear: Float[Array, " f"]
    quadratic: Float[Array, " f"]
    hard: Bool[Array, " f"]
    energy: Float[Array, "f t"]
    headroom: Float[Array, "f t"]
    tolerance: Float[Array, "f t"]
    epsilon: Float[Array, ""]
    margin: Float[Array, "..."]

    @classmethod
    def from_data(cls, data: FeederTermsData, dtype=None) -> "FeederTerms":
        """Move coefficients to JAX.

        Arguments:
            data: the coefficients.
            dtype: of the arrays; None is JAX's default float.
        """
        dtype = jnp.result_type(float) if dtype is None else dtype
        arrays = {k: jnp.asarray(v, dtype) for k, v in data._asdict().items()}
        return cls(**arrays | {"hard": jnp.asarray(data.hard, bool)})


def value(terms: FeederTerms, load: Float[Array, "f t"]) -> Float[Array, " f"]:
    """g(P) per feeder; inf where a hard limit is passed by more than `tolerance`.

    Arguments:
        terms: coefficients.
        load: EV load P [kW], 0 in cells without an opportunity.

    Returns:
        Objective per feeder [currency].
    """
    over = load - terms.headroom
    overload = jnp.maximum(over, 0)
    cost = (
        terms.kappa * jnp.max(overload, axis=1)
        + jnp.sum(terms.energy * load, axis=1)
        + terms.linear * jnp.sum(overload, axis=1)
        + terms.quadratic * 0.5 * jnp.sum(overload**2, axis=1)
    )
    broken = terms.hard & jnp.any(over > terms.tolerance, axis=1)
    return jnp.where(broken, jnp.inf, cost)


class Cells(NamedTuple):
    """What each cell would do without the peak term, and where the peak starts.

    With weight w and target a, the cell's own minimiser is `free` - headroom where
    x < 0 and `lone` in general.

    Arguments:
        active: cells that have a say.
        weight: w, 1 in the other cells [currency/kW^2].
        free: target - energy / w, the minimiser before any overload cost [kW].
        over: free - headroom [kW].
        lone: minimiser x of the cell without the peak term, -inf if inactive [kW].
        floor: overload of the inactive cells, a floor under theta [kW].
    """

    active: Bool[Array, "f t"]
    weight: Float[Array, "f t"]
    free: Float[Array, "f t"]
    over: Float[Array, "f t"]
    lone: Float[Array, "f t"]
    floor: Float[Array, " f"]


def separate_cells(
    terms: FeederTerms,
    target: Float[Array, "f t"],
    weight: Float[Array, "f t"],
    active: Bool[Array, "f t"],
) -> Cells:
    """Minimise each cell of the prox alone, as if kappa were 0.

    lone = over where over <= 0, else (over - linear/w)_+ w / (w + quadratic), and
    min(over, 0) where hard.
    """
    # NaN weights stay active, so that they show in the result.
    active = active & (weight != jnp.inf)
    weight = jnp.where(active, weight, 1)
    linear, quadratic = terms.linear[:, None], terms.quadratic[:, None]
    free = target - terms.energy / weight
    over = free - terms.headroom
    # Without a square the formula must give `over` back to the last bit.
    charged = jnp.where(
        quadratic > 0,
        (weight * over - linear) / (weight + quadratic),
        over - linear / weight,
    )
    soft = jnp.where(over <= 0, over, jnp.maximum(charged, 0))
    limited = jnp.minimum(over, -jnp.broadcast_to(terms.margin, over.shape))
    lone = jnp.where(terms.hard[:, None], limited, soft)
    lone = jnp.where(active, lone, -jnp.inf)
    idle = jnp.max(jnp.where(active, 0, -terms.headroom), axis=1)
    return Cells(active, weight, free, over, lone, jnp.maximum(idle, 0))


def prox(
    terms: FeederTerms,
    target: Float[Array, "f t"],
    weight: Float[Array, "f t"],
    active: Bool[Array, "f t"],
) -> tuple[Float[Array, "f t"], Float[Array, " f"]]:
    """argmin_Z g(Z) + 1/2 sum_t weight_t (Z_t - target_t)^2, per feeder.

    Z = headroom + min(lone, theta) with `lone` the minimiser of each cell alone, less
    headroom, and the least theta >= floor for which sum_t (weight + quadratic)
    (lone - theta)_+ <= kappa.

    Arguments:
        terms: coefficients.
        target: A [kW].
        weight: > 0 [currency/kW^2]; inf makes a cell inactive.
        active: False where no vehicle can charge: there Z = 0, and the overload
            that the base load causes alone is a floor under theta.

    Returns:
        Z [kW] and theta [kW], the largest overload that the feeder pays for; where
        kappa is 0 nothing is cut off and theta is just the largest overload.
    """
    cells = separate_cells(terms, target, weight, active)
    slope = cells.weight + terms.quadratic[:, None]
    theta = peak_level(cells.lone, slope, terms.kappa, cells.floor)
    x = jnp.minimum(cells.lone, theta[:, None])
    # An untouched cell keeps its target exactly, hence its price exactly 0.
    load = jnp.where(x == cells.over, cells.free, terms.headroom + x)
    return jnp.where(cells.active, load, 0), theta


def conjugate(terms: FeederTerms, price: Float[Array, "f t"]) -> Float[Array, " f"]:
    """g*(price) = sup_P sum_t price_t P_t - g(P), P of any sign.

    With m = price - energy and r = (m - linear)_+ it is inf where some m < 0, and
    otherwise sum_t m_t headroom_t plus, unless hard,

        max_theta>=0  sum_t max_{0<=x<=theta} (r_t x - quadratic/2 x^2) - kappa theta

    which is 0 where sum_t r_t <= kappa and inf beyond if quadratic is 0.

    Arguments:
        terms: coefficients.
        price: price of one more kW in the slot [currency/kW].

    Returns:
        Conjugate per feeder [currency].
    """
    margin = price - terms.energy
    over = jnp.maximum(margin - terms.linear[:, None], 0)
    squared = (terms.quadratic > 0) & ~terms.hard
    quadratic = jnp.where(squared, terms.quadratic, 1)[:, None]
    lone = jnp.where(squared[:, None], over / quadratic, 0)
    slope = jnp.broadcast_to(quadratic, lone.shape)
    theta = peak_level(lone, slope, terms.kappa, jnp.zeros_like(terms.kappa))
    x = jnp.minimum(lone, theta[:, None])
    gain = jnp.sum(over * x - quadratic * 0.5 * x**2, axis=1) - terms.kappa * theta
    unbounded = ~(squared | terms.hard) & (halving_sum(over) > terms.kappa)
    outside = jnp.any(margin < 0, axis=1) | unbounded
    finite = jnp.sum(margin * terms.headroom, axis=1) + jnp.where(squared, gain, 0)
    return jnp.where(outside, jnp.inf, finite)


def halving_sum(table: Float[Array, "f t"]) -> Float[Array, " f"]:
    """Sum over slots by halves: relative rounding at most log2(T) units for
    nonnegative tables, whatever order a backend gives its own sums."""
    while table.shape[1] > 1:
        odd = table.shape[1] % 2
        half = table.shape[1] // 2
        rest = table[:, 2 * half :]
        table = table[:, :half] + table[:, half : 2 * half]
        table = jnp.concatenate([table, rest], axis=1) if odd else table
    return table[:, 0]
