"""The SOC-sufficiency set of a vehicle: exact shadow prices, batched over vehicles.

A vehicle charges in pieces of stays k = 1..K, one total R_k each, and trips make
SOC sufficiency a tube on the running sum:

    0 <= u_j <= umax_j,   lower_k <= S_k <= upper_k,   S_k = sum_{i <= k} R_i.

For a separable convex cost the optimum is u_j = r_j(lambda_k), r_j nondecreasing, and
the shadow price lambda moves only where the tube binds: down behind a lower bound, up
behind an upper bound, to 0 behind the end. The set is asked for nothing but
R_k(lambda) and its slope, so that projections, best responses with or without
quadratic costs, and prices with ties are all the same kernel.

Method: divide and conquer on lambda, all runs of all vehicles at once. One pass with a
trial price c decides for every piece whether lambda_k lies above or below c:

    Psi_k = Phi_{k-1} + R_k(c),   Phi_k = clip(Psi_k, lower_k, upper_k),
    lambda_k > c  if Psi_k < lower_k;   lambda_k < c  if Psi_k > upper_k;
    else as lambda_{k+1} (forwards for Phi, backwards for the comparison).

Neighbours that differ are cut apart: the tube binds between them, each side becomes
a chain of its own with known ends, and gets a trial price of its own by a bracketed
Newton step on the sum over the chain. A chain whose comparison says "equal" is done.

A guess of lambda is taken for right: the chain is cut where it jumps. Once all chains
of a vehicle are done, a cut whose jump has the wrong sign is mended and the two sides
are searched as one; a vehicle that is not done after a few passes starts anew.

References: the decomposition of nested resource allocation (Vidal, Gribel, Jaillet,
"Separable convex optimization with nested lower and upper constraints", 2019) and the
taut-string view of it (Johnson, "A dynamic programming algorithm for the fused lasso",
2013), here in lockstep over vehicles and with Newton steps.
"""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

Response = Callable[[Array], tuple[Array, Array]]

MAX_PASSES = 200
GUESS_PASSES = 5  # a vehicle that is not done after so many drops its guess


class SocTube(eqx.Module):
    """Bounds on the energy charged up to the end of each piece, tightened.

    Arguments:
        lower: least S_k [kWh into the battery], -inf where nothing binds.
        upper: most S_k [kWh into the battery], +inf where nothing binds.
    """

    lower: Float[Array, "k v"]
    upper: Float[Array, "k v"]


class _Search(NamedTuple):
    low: Array  # lambda lies above this (k, v)
    high: Array  # lambda lies below this (k, v)
    trial: Array  # the price that is tried next; the answer where low == high
    cut: Array  # the tube binds behind piece k (k, v)
    bound: Array  # S_k where cut
    passes: Int[Array, ""]


def shadow_prices(
    response: Response,
    tube: SocTube,
    low: Float[Array, " v"],
    high: Float[Array, " v"],
    guess: Float[Array, "k v"] | None = None,
) -> tuple[Float[Array, "k v"], Int[Array, ""]]:
    """Shadow price of the tube at each piece of each vehicle.

    Arguments:
        response: prices (k, v) -> (R_k, dR_k/dlambda), R_k nondecreasing in the price,
            both (k, v) [kWh], [kWh per unit of price].
        tube: tightened bounds; a vehicle that cannot meet them ends at `high`/`low`.
        low, high: prices at and beyond which no response moves any more.
        guess: lambda of a similar problem; a good guess saves passes.

    Returns:
        lambda (k, v) with R(lambda) inside the tube, and the number of passes.
    """
    low, high = jnp.minimum(low, 0), jnp.maximum(high, 0)
    margin = 0.01 * (high - low)
    begin = _start(tube, low - margin, high + margin, 0.0)
    if guess is None:
        return _solve(begin, response, tube, 0.0, _newton_trial)

    def mend(search: _Search) -> _Search:
        return _mend(search, begin, tube)

    search = _guessed(begin, jnp.clip(guess, low[None], high[None]), tube)
    return _solve(search, response, tube, 0.0, _newton_trial, mend)


def shadow_ranks(
    response: Callable[[Array], Array],
    tube: SocTube,
    ranks: int,
    end_rank: Int[Array, ""],
) -> tuple[Float[Array, "k v"], Int[Array, ""]]:
    """Shadow price of a response that jumps at finitely many prices, as their rank.

    Prices with ties make the response a step function; its shadow prices are among the
    prices themselves. Trials lie halfway between two ranks, so that no tie is met.

    Arguments:
        response: ranks (k, v) -> R_k (k, v), the energy that is cheaper [kWh].
        tube: tightened bounds.
        ranks: how many distinct prices there may be; ranks are 0 .. ranks - 1.
        end_rank: rank of the price behind the end, 0.

    Returns:
        rank of lambda (k, v), whole numbers in the dtype of the tube, and the passes.
    """
    search = _start(tube, jnp.full((), -0.5), jnp.full((), ranks - 0.5), end_rank + 0.5)

    def with_slope(trial):
        total = response(trial)
        return total, jnp.zeros_like(total)

    below, passes = _solve(search, with_slope, tube, end_rank, _middle_rank)
    # Above the last rank no more energy is cheaper.
    return jnp.clip(below + 0.5, 0, ranks - 1), passes


def _start(tube, low, high, trial) -> _Search:
    shape, dtype = tube.lower.shape, tube.lower.dtype
    return _Search(
        low=jnp.broadcast_to(low, shape).astype(dtype),
        high=jnp.broadcast_to(high, shape).astype(dtype),
        trial=jnp.broadcast_to(jnp.asarray(trial, dtype), shape),
        cut=jnp.zeros(shape, bool),
        bound=jnp.zeros(shape, dtype),
        passes=jnp.zeros((), jnp.int32),
    )


def _solve(search, response, tube, end, next_trial, mend=None):
    """Passes until every bracket has closed."""
    dtype = tube.lower.dtype
    finite_upper = jnp.where(jnp.isfinite(tube.upper), jnp.abs(tube.upper), 0)
    finite_lower = jnp.where(jnp.isfinite(tube.lower), jnp.abs(tube.lower), 0)
    scale = jnp.max(finite_upper, axis=0) + jnp.max(finite_lower, axis=0)
    eps = jnp.finfo(dtype).eps
    tolerance = 16 * eps * jnp.maximum(scale, 1e-3)
    end = jnp.asarray(end, dtype)

    def unfinished(search: _Search) -> Bool[Array, ""]:
        return jnp.any(search.low < search.high) & (search.passes < MAX_PASSES)

    def one_pass(search: _Search) -> _Search:
        total, slope = response(search.trial)
        # An energy is known no better than its price, to the last bit.
        blur = 0.5 * eps * jnp.max(jnp.abs(search.trial * slope), axis=0)
        sign = _compare(search, total, tube, (tolerance + blur)[None], end)
        search = _cut(search, sign, tube, end)
        trial = next_trial(search, total, slope)
        # A bracket with nothing inside is done.
        stuck = (trial <= search.low) | (trial >= search.high)
        low = jnp.where(stuck, trial, search.low)
        high = jnp.where(stuck, trial, search.high)
        passes = search.passes + 1
        search = search._replace(low=low, high=high, trial=trial, passes=passes)
        return search if mend is None else mend(search)

    search = jax.lax.while_loop(unfinished, one_pass, search)
    return search.trial, search.passes


def _end_sign(search, end):
    """Comparison with the price behind the end, unless the end is cut off."""
    sign = jnp.sign(end - search.trial[-1])
    return jnp.where(search.cut[-1], 0, sign).astype(jnp.int8)


def _compare(search, total, tube, tolerance, end):
    """sign(lambda_k - trial_k) of every piece."""

    def forward(before, piece):
        total, lower, upper, cut, bound = piece
        reached = before + total
        return jnp.where(cut, bound, jnp.clip(reached, lower, upper)), reached

    _, reached = jax.lax.scan(
        forward,
        jnp.zeros_like(total[0]),
        (total, tube.lower, tube.upper, search.cut, search.bound),
    )
    # A cut is an equality: both bounds are the value at the cut.
    lower = jnp.where(search.cut, search.bound, tube.lower)
    upper = jnp.where(search.cut, search.bound, tube.upper)
    above = (reached < lower - tolerance).astype(jnp.int8)
    below = (reached > upper + tolerance).astype(jnp.int8)
    least = jnp.where(reached <= lower + tolerance, above, -1).astype(jnp.int8)
    most = jnp.where(reached >= upper - tolerance, -below, 1).astype(jnp.int8)

    def backward(following, piece):
        sign = jnp.clip(following, *piece)
        return sign, sign

    end_sign = _end_sign(search, end)
    _, sign = jax.lax.scan(backward, end_sign, (least, most), reverse=True)
    return sign


def _cut(search, sign, tube, end) -> _Search:
    """Narrow the brackets and cut where neighbours compare differently."""
    following = jnp.concatenate([sign[1:], _end_sign(search, end)[None]])
    new = ~search.cut & (sign != following)
    edge = jnp.where(sign > following, tube.lower, tube.upper)
    return search._replace(
        low=jnp.where(sign >= 0, search.trial, search.low),
        high=jnp.where(sign <= 0, search.trial, search.high),
        cut=search.cut | new,
        bound=jnp.where(new, edge, search.bound),
    )


def _newton_trial(search, total, slope):
    """A bracketed Newton step on the sum over each chain between two cuts."""
    cut, bound = search.cut, search.bound
    is_first = jnp.concatenate([jnp.ones_like(cut[:1]), cut[:-1]])
    behind = jnp.concatenate([jnp.zeros_like(bound[:1]), bound[:-1]])

    def forward(carry, piece):
        energy, gain = carry
        first, behind, total, slope = piece
        energy = jnp.where(first, behind, energy) + total
        gain = jnp.where(first, 0, gain) + slope
        return (energy, gain), (energy, gain)

    zero = jnp.zeros_like(total[0])
    _, (energy, gain) = jax.lax.scan(
        forward, (zero, zero), (is_first, behind, total, slope)
    )
    step = (bound - energy) / jnp.where(gain > 0, gain, 1)
    step = jnp.where(gain > 0, step, jnp.inf)

    def backward(following, piece):
        step, cut = piece
        step = jnp.where(cut, step, following)
        return step, step

    _, step = jax.lax.scan(backward, zero, (step, cut), reverse=True)
    newton = search.trial + step
    middle = 0.5 * (search.low + search.high)
    inside = (newton > search.low) & (newton < search.high)
    trial = jnp.where(inside & (search.passes % 8 != 7), newton, middle)
    return jnp.where(search.low < search.high, trial, search.trial)


def _middle_rank(search, total, slope):
    """The trial halfway between two ranks; the lower end where one rank is left."""
    middle = jnp.floor(0.5 * (search.low + search.high)) + 0.5
    return jnp.where(search.high - search.low > 1, middle, search.low)


def _guessed(begin: _Search, guess, tube) -> _Search:
    """Cut where the guess jumps, as if it were right."""
    following = jnp.concatenate([guess[1:], jnp.zeros_like(guess[:1])])
    edge = jnp.where(guess > following, tube.lower, tube.upper)
    cut = (guess != following) & jnp.isfinite(edge)
    bound = jnp.where(cut, edge, 0)
    return begin._replace(trial=_from_cuts(guess, cut), cut=cut, bound=bound)


def _from_cuts(price, cut):
    """The price at the end of each chain, on the whole chain; 0 on the free last."""

    def backward(following, piece):
        price, cut = piece
        price = jnp.where(cut, price, following)
        return price, price

    zero = jnp.zeros_like(price[0])
    return jax.lax.scan(backward, zero, (price, cut), reverse=True)[1]


def _mend(search: _Search, begin: _Search, tube) -> _Search:
    """Take out cuts of a guess that are wrong, in vehicles that are done otherwise."""
    following = jnp.concatenate([search.trial[1:], jnp.zeros_like(search.trial[:1])])
    size = jnp.maximum(jnp.abs(search.trial), jnp.abs(following))
    slack = 64 * jnp.finfo(size.dtype).eps * size
    rises = following > search.trial + slack
    falls = following < search.trial - slack
    wrong = rises & (search.bound < tube.upper) | falls & (search.bound > tube.lower)
    wrong = wrong & search.cut
    wrong = wrong & (search.passes <= GUESS_PASSES)
    done = jnp.all(search.low >= search.high, axis=0)
    mended = done & jnp.any(wrong, axis=0)
    anew = (search.passes == GUESS_PASSES) & (mended | ~done)
    again = mended | anew
    cut = search.cut & ~(wrong & mended[None]) & ~anew[None]
    trial = jnp.where(anew[None], begin.trial, _from_cuts(search.trial, cut))
    return search._replace(
        low=jnp.where(again[None], begin.low, search.low),
        high=jnp.where(again[None], begin.high, search.high),
        trial=jnp.where(again[None], trial, search.trial),
        cut=cut,
    )
