"""The level that leaves a given weighted excess: water filling from above.

    theta = min{ theta >= floor : sum_t slope_t (peak_t - theta)_+ <= budget }

The prox of a peak, its conjugate beside a square and its derivative all ask for
this number. The excess is convex, decreasing and piecewise linear in theta, so
Newton's method from a point left of the root never passes it, drops cells from
the set {peak > theta} in each step and ends after finitely many (Michelot, J.
Optim. Theory Appl. 50, 1986). A single cell already gives such a point:
theta >= max_t (peak_t - budget / slope_t).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int


class _Search(NamedTuple):
    theta: Float[Array, " f"]
    slope: Float[Array, " f"]
    done: Bool[Array, " f"]
    step: Int[Array, ""]


# A loop called outside of jit would be compiled anew in each call.
@jax.jit
def peak_level(
    peak: Float[Array, "f t"],
    slope: Float[Array, "f t"],
    budget: Float[Array, " f"],
    floor: Float[Array, " f"],
) -> Float[Array, " f"]:
    """Lowest level theta >= floor with sum_t slope_t (peak_t - theta)_+ <= budget.

    All feeders step together until the last one is exact; a feeder with a NaN gets
    NaN and leaves the others alone.

    Arguments:
        peak: heights of the cells [kW]; -inf leaves a cell out.
        slope: positive and finite weights of the cells.
        budget: allowed weighted excess, >= 0; with 0 the level is the largest peak.
        floor: lowest allowed level [kW].

    Returns:
        theta per feeder [kW].
    """

    def improve(search: _Search) -> _Search:
        over = peak - search.theta[:, None]
        excess = jnp.sum(jnp.where(over > 0, slope * over, 0), axis=1)
        total = jnp.sum(jnp.where(over > 0, slope, 0), axis=1)
        # Past the root (by the floor or by rounding) the level stays.
        rise = jnp.where(
            excess > budget, (excess - budget) / jnp.where(total > 0, total, 1), 0
        )
        # The same slope is the same set of cells, on which one step was exact.
        done = (rise <= 0) | (total == search.slope) | jnp.isnan(search.theta)
        return _Search(search.theta + rise, total, done, search.step + 1)

    def unfinished(search: _Search) -> Bool[Array, ""]:
        return ~jnp.all(search.done) & (search.step < peak.shape[1] + 2)

    start = jnp.maximum(floor, jnp.max(peak - budget[:, None] / slope, axis=1))
    nothing = jnp.zeros_like(start)
    first = _Search(start, nothing - 1, nothing > 0, jnp.zeros((), jnp.int32))
    return lax.while_loop(unfinished, improve, first).theta
