"""The generalised Jacobian of the prox, for semismooth Newton methods.

With x_t = min(lone_t, theta) as in `prox`, a small move p of the target moves

    Z_t by  s_t p_t   off the clipped set K = {lone > theta},
            s_t = 1 below the headroom, weight/(weight + quadratic) above it,
                  0 where x stays 0;
    Z_t by  sum_K weight p / sum_K (weight + quadratic)   on K, if theta is above
            its floor, else 0.

So the Jacobian is a diagonal and one rank-one block per feeder; over the weights it
is symmetric, and its norm in the weighted norm is at most 1.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from macjax.objectives.feeder import FeederTerms, separate_cells


class ProxDerivative(NamedTuple):
    """dZ/dtarget, as a diagonal plus a common move of the clipped set.

    Arguments:
        diagonal: s_t off the clipped set, 0 on it and in inactive cells.
        clipped: the set K.
        common: weight_t / sum_K (weight + quadratic) on K, 0 elsewhere or if theta
            is at its floor. `diagonal + common` is the diagonal of dZ/dtarget.
    """

    diagonal: Float[Array, "f t"]
    clipped: Bool[Array, "f t"]
    common: Float[Array, "f t"]


def prox_derivative(
    terms: FeederTerms,
    target: Float[Array, "f t"],
    weight: Float[Array, "f t"],
    active: Bool[Array, "f t"],
    theta: Float[Array, " f"],
) -> ProxDerivative:
    """An element of the generalised Jacobian of `prox` at `target`.

    Arguments:
        terms, target, weight, active: as given to `prox`.
        theta: as returned by `prox` for them [kW].

    Returns:
        What `apply_prox_derivative` needs.
    """
    cells = separate_cells(terms, target, weight, active)
    slope = cells.weight + terms.quadratic[:, None]
    clipped = cells.lone > theta[:, None]
    below = (cells.lone == cells.over) & (cells.over < 0)
    above = cells.lone > 0
    diagonal = jnp.where(below, 1, jnp.where(above, cells.weight / slope, 0))
    diagonal = jnp.where(clipped | ~cells.active, 0, diagonal)
    total = jnp.sum(jnp.where(clipped, slope, 0), axis=1)
    moves = (theta > cells.floor) & (total > 0)
    share = jnp.where(moves, 1 / jnp.where(moves, total, 1), 0)
    common = jnp.where(clipped, cells.weight * share[:, None], 0)
    return ProxDerivative(diagonal, clipped, common)


def apply_prox_derivative(
    derivative: ProxDerivative, direction: Float[Array, "f t"]
) -> Float[Array, "f t"]:
    """dZ/dtarget times a table of directions [kW], in O(F T).

    Arguments:
        derivative: of `prox_derivative`.
        direction: a move of the target [kW].
    """
    moved = jnp.sum(derivative.common * direction, axis=1, keepdims=True)
    return derivative.diagonal * direction + jnp.where(derivative.clipped, moved, 0)
