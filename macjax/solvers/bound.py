"""The dual lower bound of any price table, on the device.

    bound(price) = - sum_f g_f*(price_f) + sum_n min_{u in U_n} cost_n(u)

The minimum of a vehicle is the cost of its best response, see `macjax.responses`. This
bound steers the solver; the word is the certificate's.
"""

import jax
from jaxtyping import Array, Float

from macjax._numerics import wide_sum
from macjax.objectives.dual_prices import clip_prices, unused_price
from macjax.objectives.feeder import conjugate
from macjax.responses import least_cost
from macjax.solvers.problem import Problem


def dual_bound(problem: Problem, price: Float[Array, "f t"]):
    """Lower bound on the objective, and the feasible prices that give it.

    Arguments:
        problem: packed problem.
        price: any prices [currency/kW]; they are moved into the dual domain.

    Returns:
        bound [currency], prices [currency/kW].
    """
    feeders, price = feeder_bound(problem.tables, price)
    return feeders + vehicle_cost(problem, price), price


@jax.jit
def feeder_bound(tables: Problem, price):
    """- sum_f g_f* at prices moved into its domain [currency], and these prices.

    The bound is that plus the vehicles' cost of their best responses to them.
    """
    terms = tables.terms
    price = clip_prices(terms, unused_price(terms, price, tables.active))
    return -wide_sum(conjugate(terms, price)), price


def vehicle_cost(problem: Problem, price: Float[Array, "f t"]) -> Array:
    """Sum over vehicles of the cost of their best response to the prices [currency]."""
    epsilon = problem.terms.epsilon if problem.smooth else None
    return least_cost(problem.fleet, price, epsilon)
