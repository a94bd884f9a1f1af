"""What a run ends with, computed in float64 whatever the dtype of its iterations.

An iteration stops where the price nearly stands still, which leaves the charging of an
EV as uncertain as 1 / (2 a) times what is left of the price: with 166 kW per unit of
price, 3e-8 of price are 5e-6 kW. So a run that has converged is polished: its result is
the answer to p** itself, from where the price is at most about the tolerance away. One
that has not converged ends with the answer to its last price.
"""

import warnings
from typing import NamedTuple

import jax
import numpy as np

from macjax.coordination.fixed_point import FixedPoint, fixed_point
from macjax.coordination.iteration import Market, programs


class FixedPointWarning(UserWarning):
    """p** was not found to rounding, so distances to it are not what they should be."""


class Ending(NamedTuple):
    """Price of the result, its answer, and p**.

    Arguments:
        price: (T,) [currency/kWh].
        multiplier: A of an EV of each class at that price, (classes,).
        demand: of all EVs, (T,) [kW].
        objective: J of that answer [currency].
        lower_bound: what J cannot fall below [currency].
        target: p** and its residual.
    """

    price: np.ndarray
    multiplier: np.ndarray
    demand: np.ndarray
    objective: float
    lower_bound: float
    target: FixedPoint


def found_target(market: Market, price: np.ndarray, start) -> FixedPoint:
    """p**; warns where the residual is more than what rounding leaves.

    Arguments:
        market: in float64.
        price: near which to look first.
        start: A of the EVs there.
    """
    target = fixed_point(market, price, start)
    if not target.is_exact:
        warnings.warn(
            f"p** reproduces itself only up to {target.residual:.2g} (1-norm, "
            "currency/kWh): fixed_point and the distances to it are that uncertain",
            FixedPointWarning,
            stacklevel=5,
        )
    return target


def ending(market: Market, price, start, converged: bool, dtype, classes) -> Ending:
    """The result of a run.

    Arguments:
        market: in float64.
        price: the last one.
        start: A of the EVs there.
        converged: whether the iteration stood still.
        dtype: of the multipliers that are kept.
        classes: how many there are.
    """
    target = found_target(market, price, start)
    start = jax.numpy.asarray(start, jax.numpy.float64)
    if converged and target.is_exact:
        price, start = target.price, target.start
    found, objective = programs()["posted"](market, jax.numpy.asarray(price), start)
    bound = programs()["bound_of_demand"](market, found.demand, found.start)
    return Ending(
        price=np.asarray(price),
        multiplier=np.asarray(found.start).ravel()[:classes].astype(dtype),
        demand=np.asarray(found.demand),
        objective=float(objective),
        lower_bound=float(bound),
        target=target,
    )
