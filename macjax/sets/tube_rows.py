"""One row of the search for shadow prices: the formulas of `macjax.sets.soc_tube`.

The search goes over the pieces of all lanes row by row, forwards and backwards. What
it does with one row stands here, for arrays of any one shape, so that the scans of
`soc_tube` and the kernel of `soc_tube_kernel` are the same mathematics.
"""

import jax.numpy as jnp
from jaxtyping import Array

TOLERANCE = 16  # roundings of the largest bound by which a bound may be missed
LEAST_SIZE = 1e-3  # sums smaller than this are compared as if they were of this size
HALVE_EVERY = 8  # each eighth pass halves the bracket, whatever Newton says


def bound_size(lower, upper) -> Array:
    """Size of the finite bounds of a piece [kWh]."""

    def finite(bound):
        return jnp.where(jnp.isfinite(bound), jnp.abs(bound), 0)

    return finite(lower) + finite(upper)


def grow(before, size, last) -> tuple[Array, Array]:
    """Largest bound of the vehicle up to a piece: what goes on, and what it is here."""
    size = jnp.maximum(before, size)
    return jnp.where(last, 0, size), size


def tolerance(size) -> Array:
    """By how much a bound may be missed, for sums of a size [kWh]."""
    return TOLERANCE * jnp.finfo(size.dtype).eps * jnp.maximum(size, LEAST_SIZE)


def blur(trial, slope) -> Array:
    """An energy is known no better than its price, to the last bit [kWh]."""
    return 0.5 * jnp.finfo(trial.dtype).eps * jnp.abs(trial * slope)


def compare_forward(before, total, lower, upper, last, slack, blur):
    """Psi_k against its bounds, given Phi_{k-1} and its blur.

    Pieces of one price are blurred together: their sum is known no better than the
    price times the sum of their slopes. A comparison that asks for more would cut them
    apart at prices that differ in the last bit.

    Arguments:
        before: (Phi_{k-1}, its blur), each 0 at the first piece of a vehicle.
        total: R_k at the trial price.
        lower, upper: bounds of S_k; both the value at the cut where the tube is cut.
        last: whether the piece is the last of its vehicle.
        slack: by how much a bound may be missed.
        blur: how well R_k is known.

    Returns:
        what goes on to the next piece, and the least and most sign(lambda_k - trial)
        that the pieces behind may ask for, both in one byte.
    """
    before, blur_before = before
    reached, blur = before + total, blur_before + blur
    slack = slack + blur
    above = (reached < lower - slack).astype(jnp.int8)
    below = (reached > upper + slack).astype(jnp.int8)
    least = jnp.where(reached <= lower + slack, above, -1).astype(jnp.int8)
    most = jnp.where(reached >= upper - slack, -below, 1).astype(jnp.int8)
    after = jnp.where(last, 0, jnp.clip(reached, lower, upper))
    # Both signs in one byte: a second output would cost as much as the rest.
    both = (least + jnp.int8(1)) | ((most + jnp.int8(1)) << jnp.int8(2))
    # At a cut, or where both bounds are one, the sum is known.
    known = last | (lower >= upper)
    return (after, jnp.where(known, 0, blur)), both


def signs(both) -> tuple[Array, Array]:
    """The least and most sign out of one byte."""
    return (both & jnp.int8(3)) - jnp.int8(1), (both >> jnp.int8(2)) - jnp.int8(1)


def end_sign(trial, cut, end) -> Array:
    """Comparison with the price behind an end, unless the end is cut off."""
    sign = jnp.sign(end - trial)
    return jnp.where(cut, 0, sign).astype(jnp.int8)


def compare_backward(following, least, most, last, end_sign) -> Array:
    """sign(lambda_k - trial), given that of the next piece."""
    return jnp.clip(jnp.where(last, end_sign, following), least, most)


def narrowed(sign, trial, low, high) -> tuple[Array, Array]:
    """The bracket after a comparison."""
    return jnp.where(sign >= 0, trial, low), jnp.where(sign <= 0, trial, high)


def edge_of(this, following, lower, upper) -> Array:
    """Where the tube binds behind a piece whose price, or sign, is not the next's."""
    return jnp.where(this > following, lower, upper)


def newton_step(missing, slope) -> Array:
    """Change of price that brings `missing` energy; infinite where none does."""
    step = missing / jnp.where(slope > 0, slope, 1)
    return jnp.where(slope > 0, step, jnp.inf)


def next_price(trial, low, high, step, passes) -> Array:
    """Trial + step where that lies inside the bracket, else the middle."""
    newton = trial + step
    trusts = passes % HALVE_EVERY != HALVE_EVERY - 1
    inside = (newton > low) & (newton < high) & trusts
    found = jnp.where(inside, newton, 0.5 * (low + high))
    return jnp.where(low < high, found, trial)


def closed(trial, low, high) -> tuple[Array, Array]:
    """A bracket with nothing inside is done."""
    stuck = (trial <= low) | (trial >= high)
    return jnp.where(stuck, trial, low), jnp.where(stuck, trial, high)


def within(reach_low, reach_high, low, high) -> tuple[Array, Array]:
    """An open bracket narrowed to where a piece of its chain moves."""
    least = jnp.clip(reach_low, low, high)
    most = jnp.clip(reach_high, least, high)
    is_open = low < high
    return jnp.where(is_open, least, low), jnp.where(is_open, most, high)


def jumps_wrongly(trial, following, bound, lower, upper) -> Array:
    """Whether a cut is wrong: no bound there makes the price jump so.

    The price falls behind a lower bound and rises behind an upper one.
    """
    size = jnp.maximum(jnp.abs(trial), jnp.abs(following))
    slack = 64 * jnp.finfo(size.dtype).eps * size
    rises = following > trial + slack
    falls = following < trial - slack
    return rises & (bound < upper) | falls & (bound > lower)
