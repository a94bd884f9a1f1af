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

Several vehicles may lie behind one another in one lane: `last` marks the end of each,
where the sum and the price begin anew from 0.

Neighbours that differ are cut apart: the tube binds between them, each side becomes
a chain of its own with known ends, and gets a trial price of its own by a bracketed
Newton step on the sum over the chain. A chain whose comparison says "equal" is done.

A guess of lambda is taken for right: the chain is cut where it jumps. Where the chains
on both sides of a cut are done and the jump has the wrong sign, the cut is mended and
the two sides are searched as one. What is not done after a few passes starts anew.

References: the decomposition of nested resource allocation (Vidal, Gribel, Jaillet,
"Separable convex optimization with nested lower and upper constraints", 2019) and the
taut-string view of it (Johnson, "A dynamic programming algorithm for the fused lasso",
2013), here in lockstep over vehicles and with Newton steps.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from macjax.sets import tube_rows

Response = Callable[[Array], tuple[Array, Array]]

MAX_PASSES = 200
GUESS_PASSES = 6  # what is not done after so many drops its guess


class SocTube(eqx.Module):
    """Bounds on the energy charged up to the end of each piece, tightened.

    Arguments:
        lower: least S_k [kWh into the battery], -inf where nothing binds.
        upper: most S_k [kWh into the battery], +inf where nothing binds.
        last: whether a piece is the last of its vehicle; None is one vehicle a lane.
    """

    lower: Float[Array, "k v"]
    upper: Float[Array, "k v"]
    last: Bool[Array, "k v"] | None = None

    def with_ends(self) -> "SocTube":
        """The same tube with `last` written out."""
        if self.last is not None:
            return self
        last = jnp.zeros(self.lower.shape, bool).at[-1].set(True)
        return SocTube(self.lower, self.upper, last)


def behind(values: Array, last: Bool[Array, "k v"], end: Any = 0) -> Array:
    """Values of the next piece of the same vehicle, `end` behind its last piece."""
    return jnp.where(last, end, jnp.roll(values, -1, axis=0))


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
    low: Float[Array, "*k v"],
    high: Float[Array, "*k v"],
    guess: Float[Array, "k v"] | None = None,
) -> tuple[Float[Array, "k v"], Int[Array, ""]]:
    """Shadow price of the tube at each piece of each vehicle.

    Arguments:
        response: prices (k, v) -> (R_k, dR_k/dlambda), R_k nondecreasing in the price,
            both (k, v) [kWh], [kWh per unit of price].
        tube: tightened bounds; a vehicle that cannot meet them ends at `high`/`low`.
        low, high: prices at and beyond which the response of a piece, or no response
            of the lane, moves any more; +inf and -inf for a piece that never does.
        guess: lambda of a similar problem; a good guess saves passes.

    Returns:
        lambda (k, v) with R(lambda) inside the tube, and the number of passes.
    """

    def anew():
        return _anew(response, tube, low, high)

    if guess is None:
        return anew()
    found, done, passes = near_shadow_prices(response, tube, low, high, guess)

    def mixed():
        right, more = anew()
        return jnp.where(done, found, right), passes + more

    return jax.lax.cond(jnp.all(done), lambda: (found, passes), mixed)


def near_shadow_prices(
    response: Response, tube: SocTube, low: Array, high: Array, guess: Array
) -> tuple[Float[Array, "k v"], Bool[Array, " v"], Int[Array, ""]]:
    """Shadow prices of the lanes that are found from a guess in a few passes.

    Arguments: as `shadow_prices`.

    Returns:
        lambda (k, v), which lanes are done, and the number of passes.
    """
    tube = tube.with_ends()
    begin = _bracketed(tube, *with_margin(tube, low, high))

    def next_trial(search: _Search, total, slope) -> _Search:
        return _mend(_newton_trial(search, total, slope, tube.last), begin, tube)

    search = _guessed(begin, jnp.clip(guess, begin.low, begin.high), tube)
    search = _solve(search, response, tube, 0.0, next_trial, GUESS_PASSES)
    return search.trial, jnp.all(search.low >= search.high, axis=0), search.passes


def _anew(response, tube, low, high):
    """Shadow prices without a guess, and the passes."""
    tube = tube.with_ends()
    low, high = with_margin(tube, low, high)

    def next_trial(search: _Search, total, slope) -> _Search:
        search = _within_reach(search, tube.last, low, high)
        return _newton_trial(search, total, slope, tube.last)

    begin = _bracketed(tube, low, high)
    search = _solve(begin, response, tube, 0.0, next_trial)
    return search.trial, search.passes


def with_margin(tube: SocTube, low, high) -> tuple[Array, Array]:
    """Brackets of each piece, widened: a root at the very end shall lie inside."""
    shape = tube.lower.shape
    low, high = jnp.broadcast_to(low, shape), jnp.broadcast_to(high, shape)
    margin = jnp.where(low < high, 0.01 * (high - low), 0)
    return low - margin, high + margin


def lane_bracket(low, high) -> tuple[Float[Array, " v"], Float[Array, " v"]]:
    """Prices between which all of a lane lie; they hold the price behind the end, 0."""
    least, most = jnp.min(low, axis=0), jnp.max(high, axis=0)
    width = 0.01 * jnp.maximum(most - least, 0)
    return jnp.minimum(least, -width), jnp.maximum(most, width)


def _bracketed(tube, low, high) -> _Search:
    """The start of a search among the prices of a whole lane."""
    return _start(tube, *lane_bracket(low, high), 0.0)


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
    tube = tube.with_ends()
    search = _start(tube, jnp.full((), -0.5), jnp.full((), ranks - 0.5), end_rank + 0.5)

    def with_slope(trial):
        total = response(trial)
        return total, jnp.zeros_like(total)

    search = _solve(search, with_slope, tube, end_rank, _middle_rank)
    # Above the last rank no more energy is cheaper.
    return jnp.clip(search.trial + 0.5, 0, ranks - 1), search.passes


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


def _solve(search, response, tube, end, next_trial, most=MAX_PASSES) -> _Search:
    """Passes until every bracket has closed, at most `most`."""
    tolerance = tube_rows.tolerance(_scale(tube))
    end = jnp.asarray(end, tube.lower.dtype)

    def unfinished(search: _Search) -> Bool[Array, ""]:
        return jnp.any(search.low < search.high) & (search.passes < most)

    def one_pass(search: _Search) -> _Search:
        total, slope = response(search.trial)
        blur = tube_rows.blur(search.trial, slope)
        sign = _compare(search, total, tube, tolerance, blur, end)
        search = _cut(search, sign, tube, end)
        search = next_trial(search, total, slope)
        return search._replace(passes=search.passes + 1)

    return jax.lax.while_loop(unfinished, one_pass, search)


def _end_sign(search, end):
    return tube_rows.end_sign(search.trial, search.cut, end)


def _scale(tube: SocTube) -> Float[Array, "k v"]:
    """Largest bound of each vehicle up to a piece, the size of its sums [kWh]."""

    def forward(before, piece):
        return tube_rows.grow(before, *piece)

    sizes = tube_rows.bound_size(tube.lower, tube.upper)
    return jax.lax.scan(forward, jnp.zeros_like(sizes[0]), (sizes, tube.last))[1]


def _compare(search, total, tube, tolerance, blur, end):
    """sign(lambda_k - trial_k) of every piece.

    Bounds are met to `tolerance` and the `blur` of the chain so far.
    """

    # A cut is an equality: both bounds are the value at the cut.
    lower = jnp.where(search.cut, search.bound, tube.lower)
    upper = jnp.where(search.cut, search.bound, tube.upper)

    def forward(before, piece):
        return tube_rows.compare_forward(before, *piece)

    zero = jnp.zeros_like(total[0])
    pieces = (total, lower, upper, tube.last, tolerance, blur)
    _, both = jax.lax.scan(forward, (zero, zero), pieces)
    least, most = tube_rows.signs(both)

    def backward(following, piece):
        sign = tube_rows.compare_backward(following, *piece)
        return sign, sign

    ends = (least, most, tube.last, _end_sign(search, end))
    _, sign = jax.lax.scan(backward, jnp.zeros_like(least[0]), ends, reverse=True)
    return sign


def _cut(search, sign, tube, end) -> _Search:
    """Narrow the brackets and cut where neighbours compare differently."""
    following = behind(sign, tube.last, _end_sign(search, end))
    new = ~search.cut & (sign != following)
    edge = tube_rows.edge_of(sign, following, tube.lower, tube.upper)
    low, high = tube_rows.narrowed(sign, search.trial, search.low, search.high)
    return search._replace(
        low=low,
        high=high,
        cut=search.cut | new,
        bound=jnp.where(new, edge, search.bound),
    )


def _newton_trial(search, total, slope, last) -> _Search:
    """A bracketed Newton step on the sum over each chain between two cuts."""

    def forward(before, piece):
        each, cut, bound, last = piece
        both = before + each
        behind = jnp.stack([jnp.where(cut, bound, both[0]), jnp.where(cut, 0, both[1])])
        return jnp.where(last, 0, behind), both

    each = jnp.stack([total, slope], axis=1)
    pieces = (each, search.cut, search.bound, last)
    _, both = jax.lax.scan(forward, jnp.zeros_like(each[0]), pieces)
    step = tube_rows.newton_step(search.bound - both[:, 0], both[:, 1])
    step = _from_cuts(step, search.cut, last)
    trial = tube_rows.next_price(
        search.trial, search.low, search.high, step, search.passes
    )
    return _closed(search._replace(trial=trial))


def _closed(search: _Search) -> _Search:
    low, high = tube_rows.closed(search.trial, search.low, search.high)
    return search._replace(low=low, high=high)


def _within_reach(search: _Search, last, low, high) -> _Search:
    """Narrow the brackets: a chain's price lies where one of its pieces moves."""

    def forward(before, piece):
        reach, ends = piece
        reach = jnp.minimum(before, reach)
        return jnp.where(ends, jnp.inf, reach), reach

    ends = search.cut | last
    reach = jnp.stack([low, -high], axis=1)
    _, reach = jax.lax.scan(forward, jnp.full_like(reach[0], jnp.inf), (reach, ends))

    def backward(following, piece):
        reach, ends = piece
        reach = jnp.where(ends, reach, following)
        return reach, reach

    _, reach = jax.lax.scan(backward, reach[-1], (reach, ends), reverse=True)
    low, high = tube_rows.within(reach[:, 0], -reach[:, 1], search.low, search.high)
    return search._replace(low=low, high=high)


def _middle_rank(search, total, slope) -> _Search:
    """The trial halfway between two ranks; the lower end where one rank is left."""
    middle = jnp.floor(0.5 * (search.low + search.high)) + 0.5
    trial = jnp.where(search.high - search.low > 1, middle, search.low)
    return _closed(search._replace(trial=trial))


def _guessed(begin: _Search, guess, tube) -> _Search:
    """Cut where the guess jumps, as if it were right."""
    following = behind(guess, tube.last)
    edge = tube_rows.edge_of(guess, following, tube.lower, tube.upper)
    cut = (guess != following) & jnp.isfinite(edge)
    bound = jnp.where(cut, edge, 0)
    return begin._replace(trial=_from_cuts(guess, cut, tube.last), cut=cut, bound=bound)


def _from_cuts(values, cut, last):
    """The value at the cut behind each chain, on the whole chain; 0 on a free last."""

    def backward(following, piece):
        value, ends = piece
        value = jnp.where(ends, value, following)
        return value, value

    ends = (jnp.where(cut, values, 0), cut | last)
    return jax.lax.scan(backward, jnp.zeros_like(values[0]), ends, reverse=True)[1]


def _mend(search: _Search, begin: _Search, tube) -> _Search:
    """Take out cuts of a guess that are wrong, where both sides are done."""
    following = behind(search.trial, tube.last)
    wrong = tube_rows.jumps_wrongly(
        search.trial, following, search.bound, tube.lower, tube.upper
    )
    done = search.low >= search.high
    wrong = wrong & search.cut & done & behind(done, tube.last, True)

    def mended():
        again = jnp.any(wrong, axis=0)
        cut = search.cut & ~wrong
        trial = _from_cuts(search.trial, cut, tube.last)
        return search._replace(
            low=jnp.where(again, begin.low, search.low),
            high=jnp.where(again, begin.high, search.high),
            trial=jnp.where(again, trial, search.trial),
            cut=cut,
        )

    return jax.lax.cond(jnp.any(wrong), mended, lambda: search)
