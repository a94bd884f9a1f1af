"""Cheapest charging of a price taker whose benefit depends on its total energy.

    min_u  Delta sum_t (p_t u_t + a u_t^2 + b u_t) + delta (omega - Gamma)^2
    subject to  0 <= u_t <= limit_t,  omega = Delta sum_t u_t <= Gamma

With A = 2 delta (Gamma - omega) - (multiplier of the cap), the benefit of one more kWh,

    u_t = clip((A - b - p_t) / (2 a), 0, limit_t),

and A is the root of the increasing, piecewise linear function

    F(A) = Delta sum_t u_t(A) + max(A, 0) / (2 delta) - Gamma .

A Newton step on F is exact once it starts from the piece that holds the root, so that
the search ends after a few steps with the root itself, up to rounding; a bracket keeps
the steps in, and is halved where F does not fall. Each pass goes through the slots one
by one and keeps two numbers an EV, so that blocks of EVs stay in the cache.

The cap binds only where p_t + b < 0: with prices above that it is a guard.
The sorted form A_k of it, without limits, gives the same root.
Reference: Zou, Ma, Hiskens, Automatica 69 (2016) 35-47.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

MOST_PASSES = 200
FALL = 0.5  # share of the value before above which the bracket is halved instead
ROUNDING = 4  # units in the last place that count as nothing


def benefit_multiplier(
    price: Float[Array, "t #n"],
    linear: Float[Array, " n"],
    quadratic: Float[Array, " n"],
    limit: Float[Array, "#t n"],
    benefit: Float[Array, " n"],
    target: Float[Array, " n"],
    slot_hours: float | Float[Array, ""],
    start: Float[Array, " n"] | None = None,
) -> Float[Array, " n"]:
    """A of every EV, the value of one more kWh at its cheapest charging.

    Arguments:
        price: p, one column for all EVs or one for each [currency/kWh].
        linear: b of the EV's own cost [currency/kWh].
        quadratic: a > 0 [currency/(kW kWh)].
        limit: most power, 0 where the EV is away, `inf` without a charger limit;
            one row for all slots or one for each [kW].
        benefit: delta > 0 [currency/kWh^2].
        target: Gamma >= 0 [kWh].
        slot_hours: Delta [h].
        start: where the search begins, for example A at nearby prices.

    Returns:
        A [currency/kWh], exact up to rounding; NaN where an argument is.
    """
    dtype = linear.dtype
    hours = jnp.asarray(slot_hours, dtype)
    gain = 0.5 / quadratic
    inverse = 0.5 / benefit
    high = 2 * benefit * target
    low = jnp.minimum(linear + jnp.min(price, axis=0), high)
    size = jnp.abs(linear) + jnp.max(jnp.abs(price), axis=0)

    def excess(a):
        total, slope = _total(a, price, linear, gain, limit)
        value = (hours * total + jnp.maximum(a, 0) * inverse) - target
        return value, hours * slope + jnp.where(a > 0, inverse, 0)

    begin = high if start is None else jnp.clip(start.astype(dtype), low, high)
    return _root(excess, low, high, begin, size)


def benefit_charging(
    multiplier: Float[Array, " n"],
    price: Float[Array, "t #n"],
    linear: Float[Array, " n"],
    quadratic: Float[Array, " n"],
    limit: Float[Array, "#t n"],
) -> Float[Array, "t n"]:
    """u of every EV and slot [kW] that belongs to the multipliers A; see above."""
    spare = (multiplier - linear)[None]
    return jnp.clip((spare - price) * (0.5 / quadratic)[None], 0, limit)


def _total(multiplier, price, linear, gain, limit):
    """sum_t u_t and its slope in A, one slot after the other."""
    spare = multiplier - linear
    if limit.shape[0] == 1:
        limit = jnp.broadcast_to(limit, (price.shape[0], limit.shape[1]))

    def add(sums, slot):
        price, limit = slot
        power = (spare - price) * gain
        inside = (power > 0) & (power < limit)
        total = sums[0] + jnp.clip(power, 0, limit)
        return (total, sums[1] + jnp.where(inside, gain, 0)), None

    zero = jnp.zeros_like(spare)
    return jax.lax.scan(add, (zero, zero), (price, limit))[0]


def _root(excess, low, high, begin, size):
    """Root of an increasing, piecewise linear function in [low, high], lane by lane.

    Arguments:
        excess: value and slope at a point.
        low, high: where the value is <= 0, and >= 0.
        begin: where to start.
        size: magnitude of the numbers that a point is compared with.
    """
    eps = ROUNDING * float(jnp.finfo(begin.dtype).eps)

    def step(state):
        a, low, high, before, moving, passes = state
        value, slope = excess(a)
        low, high = jnp.where(value > 0, low, a), jnp.where(value < 0, high, a)
        to = a - value / slope
        slow = jnp.abs(value) > FALL * before
        good = (to >= low) & (to <= high) & ~slow
        to = jnp.where(good | jnp.isnan(value), to, 0.5 * (low + high))
        # A halving says nothing of the next value: it is judged from there on.
        before = jnp.where(good, jnp.abs(value), jnp.inf)
        # Written so that NaN counts as settled; who has settled stays there.
        to = jnp.where(moving, to, a)
        moving &= (jnp.abs(to - a) > eps * (jnp.abs(a) + size)) & (high > low)
        return to, low, high, before, moving, passes + 1

    def going(state):
        return jnp.any(state[4]) & (state[5] < MOST_PASSES)

    moving = jnp.ones_like(begin, dtype=bool)
    never = jnp.full_like(begin, jnp.inf)
    state = (begin, low, high, never, moving, jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(going, step, state)[0]
