"""Sweeps over the rows of a strip of lanes, of which a pass of the kernel is made.

    backwards   comparison of Phi with the bounds, cuts, brackets; and from each piece
                to the end of its chain the energy that is missing, its slope, and the
                prices between which a piece moves
    forwards    Newton step at the first piece of a chain, taken on to the others;
                R_k and its slope at the new price, Phi, comparison with the bounds

State between sweeps lies in outputs of the kernel that nobody reads later. A lane is
always the same thread's, so that sweeps need no barrier between them.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from macjax.sets import triton, tube_rows
from macjax.sets.clipped_lines import add_line

# What the next sweep backwards does with a lane.
DONE, START, NARROW, MEND, ANEW = range(5)
# Where the tube is cut behind a piece; the signs of the comparison are the lower bits.
AT_LOWER, AT_UPPER, SIGN_BITS = 1, 2, 4
# Rows that are read and written together.
LINES = ("center", "gain", "limit")
TUBE = ("code", "lower", "upper", "last")
BRACKET = ("price", "low", "high")
SUMS = ("total", "slope")


class Strip(NamedTuple):
    """What a program sees of the arrays: its lanes of them.

    Arguments:
        center, gain, limit: of the opportunities.
        lower, upper, last: the tube.
        reach_low, reach_high: prices at which a piece begins and ends to move.
        least, most: prices between which all of a lane lie.
        guess: where the search begins, or None.
        price, low, high: where it stands; after a sweep backwards only the first row of
            a chain counts.
        total, slope: R_k and its slope at the price.
        missing, steep: energy that the pieces up to the end of the chain lack, and
            their slope.
        code: cuts and comparisons.
    """

    center: Any
    gain: Any
    limit: Any
    lower: Any
    upper: Any
    last: Any
    reach_low: Any
    reach_high: Any
    least: Any
    most: Any
    guess: Any
    price: Any
    low: Any
    high: Any
    total: Any
    slope: Any
    missing: Any
    steep: Any
    code: Any

    def row(self, k, mask, *names: str) -> list[Array]:
        """Row k of some of them."""
        return [triton.load(getattr(self, name).at[k], mask) for name in names]

    def write(self, k, mask, **rows: Array) -> None:
        """Write row k of some of them."""
        for name, row in rows.items():
            triton.store(getattr(self, name).at[k], row, mask)


class Lanes(NamedTuple):
    """Where the lanes of a program stand, each (v,).

    Arguments:
        task: what the next sweep backwards does.
        anew: whether the guess was dropped.
        passes: passes made since.
        least, most: prices between which all of a lane lie.
    """

    task: Array
    anew: Array
    passes: Array
    least: Array
    most: Array

    def doing(self, task: int) -> Array:
        """Lanes with a task."""
        return self.task == task


def _unpack(code, lower, upper):
    """Whether there is a cut, where it is, and the value there, out of one byte."""
    where = code >> SIGN_BITS
    return where > 0, where, jnp.where(where == AT_LOWER, lower, upper)


def _sweep(strip: Strip, row, carry, reverse: bool = False):
    """Go over the rows, forwards or backwards."""
    rows = strip.lower.shape[0]

    def step(i, carry):
        return row(rows - 1 - i if reverse else i, carry)

    return jax.lax.fori_loop(0, rows, step, carry)


def begin(strip: Strip, state: Lanes, guessed: bool) -> None:
    """Cut where the guess jumps, as if it were right; without one all prices are 0."""
    real = state.doing(START)
    zero = jnp.zeros_like(state.least)

    def row(k, carry):
        following, price = carry
        lower, upper, last = strip.row(k, real, "lower", "upper", "last")
        guess = zero
        if guessed:
            (guess,) = strip.row(k, real, "guess")
            guess = jnp.clip(guess, state.least, state.most)
        following = jnp.where(last, 0, following)
        edge = tube_rows.edge_of(guess, following, lower, upper)
        is_cut = (guess != following) & jnp.isfinite(edge)
        where = tube_rows.edge_of(guess, following, AT_LOWER, AT_UPPER)
        where = jnp.where(is_cut, where, 0)
        price = jnp.where(is_cut | last, jnp.where(is_cut, guess, 0), price)
        strip.write(
            k,
            real,
            price=price,
            low=state.least,
            high=state.most,
            code=(where << SIGN_BITS).astype(jnp.int8),
        )
        return guess, price

    _sweep(strip, row, (zero, zero), reverse=True)


class _Chain(NamedTuple):
    """What a sweep forwards takes from a piece to the next of its vehicle.

    Arguments:
        before: (Phi, its blur).
        size: largest bound.
        price, low, high: of the chain.
        ends: whether the chain ends behind the piece.
        bound: the value at the cut there; 0 where a vehicle begins.
        lower, upper: bounds of the piece.
        is_cut: whether it has a cut behind it and another piece of its vehicle.
    """

    before: tuple[Array, Array]
    size: Array
    price: Array
    low: Array
    high: Array
    ends: Array
    bound: Array
    lower: Array
    upper: Array
    is_cut: Array


def forwards(strip: Strip, state: Lanes) -> tuple[Array, Array, Array]:
    """New prices and R_k there; which lanes are open, settled, or cut wrongly."""
    active = ~state.doing(DONE)
    steps = state.doing(NARROW)
    zero = jnp.zeros_like(state.least)
    true, false = jnp.ones(zero.shape, bool), jnp.zeros(zero.shape, bool)

    def row(k, carry):
        chain, is_open, is_settled, is_wrong = carry
        code, lower, upper, last = strip.row(k, active, *TUBE)
        is_cut, where, bound = _unpack(code, lower, upper)
        (price, low, high), old = _next_bracket(strip, k, state, active, steps, chain)
        is_done = low >= high
        wrong_before = tube_rows.jumps_wrongly(
            chain.price, price, chain.bound, chain.lower, chain.upper
        )
        wrong_before &= chain.is_cut & (chain.low >= chain.high)
        wrong = tube_rows.jumps_wrongly(price, zero, bound, lower, upper)
        wrong = is_done & (wrong & is_cut & last | wrong_before)

        # Most chains are done long before the last one of a lane is.
        moved = active & ((price != old) | ~steps)
        total, slope = _response(strip, k, active, moved, price)
        size = tube_rows.bound_size(lower, upper)
        size, size_here = tube_rows.grow(chain.size, size, last)
        before, both = tube_rows.compare_forward(
            chain.before,
            total,
            jnp.where(is_cut, bound, lower),
            jnp.where(is_cut, bound, upper),
            last,
            tube_rows.tolerance(size_here),
            tube_rows.blur(price, slope),
        )
        code = where << SIGN_BITS | both
        strip.write(k, moved, price=price, total=total, slope=slope)
        strip.write(k, active, low=low, high=high, code=code)
        ends, begins = is_cut | last, jnp.where(last | ~is_cut, 0, bound)
        chain = _Chain(
            before, size, price, low, high, ends, begins, lower, upper, is_cut & ~last
        )
        return chain, is_open | (low < high), is_settled & is_done, is_wrong | wrong

    nothing: dict[str, Any] = {name: zero for name in _Chain._fields}
    nothing |= {"before": (zero, zero), "ends": true, "is_cut": false}
    chain = _Chain(**nothing)
    return _sweep(strip, row, (chain, false, true, false))[1:]


def _next_bracket(strip: Strip, k, state: Lanes, active, steps, chain: _Chain):
    """Price and bracket of a piece, a Newton step where its chain begins; old price."""
    old, low, high = strip.row(k, active, *BRACKET)
    missing, steep = strip.row(k, active, "missing", "steep")
    step = tube_rows.newton_step(missing - chain.bound, steep)
    price = tube_rows.next_price(old, low, high, step, state.passes)
    closed = tube_rows.closed(price, low, high)
    stepped = (price, *closed)
    as_it_was = (old, low, high)
    bracket = [
        jnp.where(chain.ends, jnp.where(steps, new, as_is), before)
        for new, as_is, before in zip(stepped, as_it_was, chain[2:5], strict=True)
    ]
    return bracket, old


def _response(strip: Strip, k, active, moved, price) -> list[Array]:
    """R_k and its slope; where the price has not moved, those of the last sweep."""
    known = strip.row(k, active & ~moved, *SUMS)
    sums = jnp.zeros_like(price), jnp.zeros_like(price)
    for s in range(strip.limit.shape[1]):
        sums = add_line(sums, price, *strip.row((k, jnp.int32(s)), moved, *LINES))
    return [jnp.where(moved, *pair) for pair in zip(sums, known, strict=True)]


class _Behind(NamedTuple):
    """What a sweep backwards takes from a piece to the one before it.

    Arguments:
        sign: of the comparison.
        price, is_done: as the sweep forwards left them.
        mended: price without the wrong cuts.
        missing: energy that the pieces up to the end of the chain lack.
        steep: their slope; -inf where no cut ends the chain: Newton has no step then.
        reach_low, reach_high: prices between which they move.
    """

    sign: Array
    price: Array
    is_done: Array
    mended: Array
    missing: Array
    steep: Array
    reach_low: Array
    reach_high: Array


def backwards(strip: Strip, state: Lanes) -> None:
    """Narrow brackets and cut, or mend cuts, or start anew; sums over the chains."""
    narrows, mends = state.doing(NARROW), state.doing(MEND)
    active = ~state.doing(DONE)
    reaches = narrows & (state.anew > 0)
    zero = jnp.zeros_like(state.least)

    def row(k, behind):
        price, low, high = strip.row(k, active, *BRACKET)
        total, slope = strip.row(k, active, *SUMS)
        code, lower, upper, last = strip.row(k, active, *TUBE)
        was_cut, where, bound = _unpack(code, lower, upper)
        is_done = low >= high

        least, most = tube_rows.signs(code & jnp.int8(2**SIGN_BITS - 1))
        end = tube_rows.end_sign(price, was_cut, zero)
        sign = tube_rows.compare_backward(behind.sign, least, most, last, end)
        following = jnp.where(last, end, behind.sign)
        edge = tube_rows.edge_of(sign, following, AT_LOWER, AT_UPPER)
        cut = jnp.where(~was_cut & (sign != following), edge, where)
        low, high = tube_rows.narrowed(sign, price, low, high)

        next_price = jnp.where(last, 0, behind.price)
        wrong = tube_rows.jumps_wrongly(price, next_price, bound, lower, upper)
        wrong &= is_done & (last | behind.is_done)
        kept = jnp.where(wrong, 0, where)
        mended = jnp.where(last, 0, behind.mended)
        mended = jnp.where(kept > 0, price, mended)

        cut = jnp.where(narrows, cut, jnp.where(mends, kept, 0))
        is_cut, cut, bound = _unpack(cut.astype(jnp.int8) << SIGN_BITS, lower, upper)
        ends = is_cut | last
        missing = jnp.where(ends, jnp.where(is_cut, bound, 0), behind.missing) - total
        at_end = jnp.where(is_cut, zero, -jnp.inf)
        steep = jnp.where(ends, at_end, behind.steep) + slope
        own = strip.row(k, reaches, "reach_low", "reach_high")
        reach_low = jnp.where(ends, own[0], jnp.minimum(behind.reach_low, own[0]))
        reach_high = jnp.where(ends, own[1], jnp.maximum(behind.reach_high, own[1]))
        within = tube_rows.within(reach_low, reach_high, low, high)
        low, high = (
            jnp.where(reaches, new, jnp.where(narrows, as_is, begin))
            for new, as_is, begin in zip(
                within, (low, high), (state.least, state.most), strict=True
            )
        )
        strip.write(k, active, low=low, high=high, missing=missing, steep=steep)
        strip.write(k, active, code=cut << SIGN_BITS)
        strip.write(k, active & ~narrows, price=jnp.where(mends, mended, 0))
        return _Behind(
            sign, price, is_done, mended, missing, steep, reach_low, reach_high
        )

    nothing: dict[str, Any] = {name: zero for name in _Behind._fields}
    nothing |= {"sign": zero.astype(jnp.int8), "is_done": active}
    _sweep(strip, row, _Behind(**nothing), reverse=True)
