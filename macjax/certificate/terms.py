"""Value and conjugate of a feeder objective in NumPy, written apart from the solver's.

Per feeder, with EV load P, headroom H, x = P - H and tolerance tau,

    g(P) = kappa max_t (x_t)_+ + sum_t [ energy_t P_t + linear (x_t)_+
           + quadratic / 2 (x_t)_+^2 ] + (0 if all x_t <= tau_t else inf, where hard)

Where hard, overload within the tolerance counts 0, so that no overload is paid for:
kappa = linear = quadratic = 0. With q = price - energy, defined for q >= 0,

    g*(price) = sum_t q_t (H_t + tau_t)                                where hard
    g*(price) = sum_t q_t H_t + max_{m>=0} [ sum_t max_{0<=x<=m} (r_t x - quadratic/2
                x^2) - kappa m ],     r_t = (q_t - linear)_+           elsewhere

and for quadratic = 0 the maximum is 0 where sum_t r_t <= kappa, inf beyond.
"""

from typing import NamedTuple

import numpy as np

from macjax.certificate.tables import Tables
from macjax.objectives.compile import FeederTermsData

HARD_TOLERANCE = 1e-3
ROUNDING = 1e-6  # share of the tolerance that counts as rounding
EPS = float(np.finfo(np.float64).eps)


class Terms(NamedTuple):
    """Coefficients with the headroom that the certificate computed itself.

    Arguments:
        kappa, linear: cost of overload, shape (F,) [currency/kW].
        quadratic: cost of squared overload, shape (F,) [currency/kW^2].
        hard: whether overload is forbidden, shape (F,).
        energy: cost of load, shape (F, T) [currency/kW].
        headroom: H, shape (F, T) [kW].
        tolerance: tau, shape (F, T) [kW].
        epsilon: weight of the smoothing term [currency/kWh^2].
    """

    kappa: np.ndarray
    linear: np.ndarray
    quadratic: np.ndarray
    hard: np.ndarray
    energy: np.ndarray
    headroom: np.ndarray
    tolerance: np.ndarray
    epsilon: float

    @property
    def bound_headroom(self) -> np.ndarray:
        """H, and H + tau where hard, shape (F, T) [kW]."""
        return self.headroom + np.where(self.hard[:, None], self.tolerance, 0.0)

    @property
    def nonnegative(self) -> bool:
        """Whether no schedule can have a negative objective."""
        return bool((self.energy >= 0).all())


def tabulated(data: FeederTermsData, tables: Tables) -> Terms:
    """Coefficients of an objective on the certificate's own headroom."""
    feeders = len(tables.feeders)
    hard = np.broadcast_to(np.asarray(data.hard, bool), (feeders,))
    per_feeder = (
        np.where(hard, 0.0, np.asarray(values, np.float64))
        for values in (data.kappa, data.linear, data.quadratic)
    )
    return Terms(
        *per_feeder,
        hard=hard,
        energy=np.broadcast_to(np.asarray(data.energy, float), tables.base.shape),
        headroom=tables.capacity - tables.base,
        tolerance=HARD_TOLERANCE * np.maximum(1.0, tables.capacity),
        epsilon=float(data.epsilon),
    )


def value(terms: Terms, load: np.ndarray, ignore_hard: bool = False) -> np.ndarray:
    """g(P) per feeder, shape (F,) [currency].

    Arguments:
        terms: coefficients.
        load: EV load P, shape (F, T) [kW].
        ignore_hard: count forbidden overload as 0 instead of inf.
    """
    x = load - terms.headroom
    over = np.maximum(x, 0.0)
    cost = (
        terms.kappa * over.max(axis=1, initial=0.0)
        + (terms.energy * load).sum(axis=1)
        + terms.linear * over.sum(axis=1)
        + 0.5 * terms.quadratic * (over**2).sum(axis=1)
    )
    limit = (1 + ROUNDING) * terms.tolerance
    broken = terms.hard & (x > limit).any(axis=1)
    return cost if ignore_hard else np.where(broken, np.inf, cost)


def admissible(terms: Terms, prices: np.ndarray, active: np.ndarray) -> np.ndarray:
    """The prices that the bound uses: any table, brought into the domain of g*.

    Entries that are not finite, or below the energy price, become the energy price.
    Where neither hard nor quadratic the part above energy + linear is scaled to fit
    kappa. Cells in which nobody can charge have load 0, so their best price is a
    subgradient of g there: linear + quadratic x above the energy price where base
    load alone passes the capacity by x, and in the worst of them also what the other
    cells leave of kappa.

    Arguments:
        terms: coefficients.
        prices: any table, shape (F, T) [currency/kW].
        active: cells in which somebody can charge.

    Returns:
        Prices in the domain, shape (F, T) [currency/kW].
    """
    linear, quadratic = terms.linear[:, None], terms.quadratic[:, None]
    hard, slots = terms.hard[:, None], terms.energy.shape[1]
    q = np.where(np.isfinite(prices) & active, prices - terms.energy, 0.0)
    q = np.maximum(q, 0.0)
    free = np.minimum(q, linear)
    extra = q - free
    with np.errstate(over="ignore"):
        total = extra.sum(axis=1)
    fits = (total <= terms.kappa) | terms.hard | (terms.quadratic > 0)
    budget = terms.kappa * (1 - slots * EPS)
    factor = np.where(fits, 1.0, budget / np.where(fits, 1.0, total))
    q = np.where(fits[:, None], q, free + factor[:, None] * extra)

    x = np.where(active | hard, 0.0, np.maximum(-terms.headroom, 0.0))
    worst = x.max(axis=1, initial=0.0, keepdims=True)
    spent = np.where(active, np.maximum(q - linear - quadratic * worst, 0.0), 0.0)
    unused = np.maximum(terms.kappa - spent.sum(axis=1), 0.0)
    idle = np.where(x > 0, linear + quadratic * x, 0.0)
    rows = np.flatnonzero(worst[:, 0] > 0)
    idle[rows, x[rows].argmax(axis=1)] += unused[rows]
    return terms.energy + np.where(active, q, idle)


def conjugate(terms: Terms, prices: np.ndarray) -> tuple[float, float]:
    """sum_f g*(prices_f) of admissible prices, and the sum of its terms' sizes.

    Arguments:
        terms: coefficients.
        prices: in the domain of g*, shape (F, T) [currency/kW].

    Returns:
        The conjugate and the sum of the absolute values it was added up from, by
        which its rounding is bounded [currency].
    """
    q = np.maximum(prices - terms.energy, 0.0)
    linear_part = q * terms.bound_headroom
    size = q * np.abs(terms.bound_headroom) + np.abs(terms.energy * terms.headroom)
    total, scale = float(linear_part.sum()), float(size.sum())
    curved = np.flatnonzero((terms.quadratic > 0) & ~terms.hard)
    if len(curved):
        gain, gain_size = _overload_gain(terms, q, curved)
        total, scale = total + gain, scale + gain_size
    return total, scale


def _overload_gain(terms: Terms, q: np.ndarray, rows: np.ndarray):
    """max_m of the conjugate where quadratic > 0, by sorting.

    The level s = quadratic m has sum_t (r_t - s)_+ = kappa, or is 0.
    """
    quadratic, kappa = terms.quadratic[rows], terms.kappa[rows]
    r = np.maximum(q[rows] - terms.linear[rows, None], 0.0)
    highest = -np.sort(-r, axis=1)
    counts = np.arange(1, r.shape[1] + 1)
    levels = (np.cumsum(highest, axis=1) - kappa[:, None]) / counts
    s = np.maximum(levels.max(axis=1, initial=0.0), 0.0)
    x = np.minimum(r, s[:, None]) / quadratic[:, None]
    gain = r * x - 0.5 * quadratic[:, None] * x**2
    paid = kappa * s / quadratic
    return float(gain.sum() - paid.sum()), float((2 * r * x).sum() + paid.sum())
