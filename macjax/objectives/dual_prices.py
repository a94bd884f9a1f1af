"""Prices in the domain of the conjugate: completing and clipping a price table.

A lower bound may use any prices with a finite conjugate. The prox leaves out cells
in which nobody can charge, and rounding leaves the domain by a hair; `unused_price`
mends the first and `clip_prices`, called after it, the second.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from macjax.objectives.feeder import FeederTerms, halving_sum


def unused_price(
    terms: FeederTerms, price: Float[Array, "f t"], active: Bool[Array, "f t"]
) -> Float[Array, "f t"]:
    """Put a subgradient of g at load 0 on the cells in which nobody can charge.

    With x = -headroom there and theta0 = max (x)_+ over these cells, their price is
    energy + (linear + quadratic x where x > 0), and the cell that attains theta0 > 0
    also gets what the other cells leave of kappa,

        (kappa - sum_active (price - energy - linear - quadratic theta0)_+)_+ .

    Where hard, inactive cells keep price = energy.

    Arguments:
        terms: coefficients.
        price: prices of the active cells [currency/kW]; other entries are not read.
        active: cells with a charging opportunity.

    Returns:
        The completed table [currency/kW].
    """
    linear, quadratic = terms.linear[:, None], terms.quadratic[:, None]
    over = jnp.where(active, 0, jnp.maximum(-terms.headroom, 0))
    floor = jnp.max(over, axis=1, keepdims=True)
    paid = price - terms.energy - linear - quadratic * floor
    used = jnp.sum(jnp.where(active, jnp.maximum(paid, 0), 0), axis=1)
    unused = jnp.maximum(terms.kappa - used, 0)[:, None]
    slots = jnp.arange(over.shape[1])[None, :]
    attains = (slots == jnp.argmax(over, axis=1)[:, None]) & (over > 0)
    extra = jnp.where(over > 0, linear + quadratic * over, 0)
    extra = extra + jnp.where(attains, unused, 0)
    idle = terms.energy + jnp.where(terms.hard[:, None], 0, extra)
    return jnp.where(active, price, idle)


def clip_prices(terms: FeederTerms, price: Float[Array, "f t"]) -> Float[Array, "f t"]:
    """Prices in the domain of g*, near the given ones.

    price >= energy everywhere, and unless hard or quadratic > 0 also

        sum_t (price_t - energy_t - linear)_+ <= kappa,

    by one factor per feeder on that sum's terms. Prices that are not finite become
    energy. A few units of rounding are kept clear of each limit, so that prices
    clipped in float32 stay in the domain of float64 coefficients wherever the
    domain is wider than that rounding (with kappa = linear = quadratic = 0 it is
    the single price `energy`).

    Arguments:
        terms: coefficients.
        price: any table [currency/kW].

    Returns:
        Clipped prices [currency/kW].
    """
    eps = jnp.finfo(price.dtype).eps
    linear, kappa = terms.linear[:, None], terms.kappa[:, None]
    unlimited = (terms.hard | (terms.quadratic > 0))[:, None]
    width = jnp.abs(terms.energy) + linear
    roomy = unlimited | (kappa > 0) | (linear > 0)
    lowest = terms.energy + jnp.where(roomy, 2 * eps * jnp.abs(terms.energy), 0)
    price = jnp.where(jnp.isfinite(price), price, lowest)
    price = jnp.maximum(price, lowest)

    # Up to `free` a price costs nothing of kappa, in exact coefficients too.
    free = terms.energy + linear - 4 * eps * width
    top = jnp.maximum(free, lowest)
    reserved = halving_sum(top - free)[:, None]
    doublings = max(price.shape[1] - 1, 1).bit_length()
    budget = jnp.maximum(kappa * (1 - (8 + doublings) * eps) - reserved, 0)
    over = jnp.maximum(price - top, 0)
    total = halving_sum(over)[:, None]
    factor = jnp.where(total > budget, budget / jnp.where(total > 0, total, 1), 1)
    limited = jnp.minimum(price, top) + factor * over
    return jnp.where(unlimited, price, limited)
