"""How far loads and prices are from complementary slackness, feeder by feeder.

With load P, price pi and feeder objective g, Fenchel's inequality

    residual_f = g_f(P_f) + g_f*(pi_f) - sum_t pi_ft P_ft >= 0

is tight exactly where pi_f is a subgradient of g_f at P_f. For the peak overload with
headroom H, x = P - H and upgrade m = max_t (x_t)_+ it is the sum of two parts >= 0,

    m (kappa - sum_t pi_t)                an upgraded feeder's prices sum to kappa
    sum_t pi_t (m - x_t)                  a cell below capacity + upgrade has price 0

Summed over feeders, and with the regret of all vehicles, it is what separates the
objective from the lower bound: objective - bound = sum_f residual_f + total regret.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from macjax.certificate.terms import ROUNDING
from macjax.objectives import FeederTerms, clip_prices, conjugate, value
from macjax.objectives.compile import FeederTermsData


def complementarity(
    scenario, data: FeederTermsData, load: np.ndarray, price: np.ndarray
) -> pd.DataFrame:
    """Prices against kappa and slack against prices, one row a feeder.

    Arguments:
        scenario: gives the ids of the feeders.
        data: coefficients of the objective.
        load: EV load, shape (F, T) [kW].
        price: in the domain of the conjugate, shape (F, T) [currency/kW].

    Returns:
        feeder_id, price_sum (prices less energy prices), kappa, upgrade_kw,
        unused_cost (first part above), slack_cost (the rest), residual; money in
        currency. With squared overload, or where overload is forbidden, the residual
        is all slack_cost.
    """
    residual = _residual(data, load, price)
    charged = np.maximum(price - data.energy, 0.0)
    spent = np.maximum(charged - data.linear[:, None], 0.0).sum(axis=1)
    upgrade = np.maximum(load - data.headroom, 0.0).max(axis=1, initial=0.0)
    has_mass = ~data.hard & (data.quadratic == 0)
    unused = upgrade * np.maximum(data.kappa - spent, 0.0)
    unused = np.minimum(np.where(has_mass, unused, 0.0), np.maximum(residual, 0.0))
    return pd.DataFrame(
        {
            "feeder_id": scenario.feeders["feeder_id"].array.copy(),
            "price_sum": charged.sum(axis=1),
            "kappa": data.kappa,
            "upgrade_kw": upgrade,
            "unused_cost": unused,
            "slack_cost": residual - unused,
            "residual": residual,
        }
    )


def _residual(data: FeederTermsData, load, price) -> np.ndarray:
    """g + g* - price . load of every feeder, shape (F,) [currency].

    A hard limit is what its tolerance leaves of it, as in the certificate.
    """
    room = data.headroom + np.where(data.hard[:, None], data.tolerance, 0.0)
    data = data._replace(headroom=room, tolerance=ROUNDING * data.tolerance, margin=0.0)
    with jax.enable_x64(True):
        terms = FeederTerms.from_data(data, np.float64)
        clipped = clip_prices(terms, jnp.asarray(price))
        cost = np.asarray(value(terms, jnp.asarray(load)) + conjugate(terms, clipped))
    return cost - (np.asarray(clipped) * load).sum(axis=1)
