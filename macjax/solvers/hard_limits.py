"""Hard capacities: find a schedule that holds them before anything is minimised.

A hard limit holds when the overload x is at most its tolerance tau. The sum over all
feeders of the largest overload of eased limits can be brought to zero iff the
eased limits can hold. A schedule that is close enough ends the search; so does a price
table whose bound is positive against x <= tau, a proof that no schedule holds. Shares
nearer and nearer to the whole tolerance are tried until one of the two is found.
"""

from typing import NamedTuple

import numpy as np

from macjax.objectives.compile import FeederTermsData

MARGIN_OF_GAP = 10.0  # margin over the wanted gap, as a share of the tolerance
ROUNDING = 1e-6  # share of the tolerance that an iterate may pass the limit by


class Ease(NamedTuple):
    """How far limits are eased while a schedule is looked for, as shares of tau.

    Arguments:
        limit: the overload that is looked for.
        accepted: the overload at which the search ends.
        margin: how far below tau the solve goes on to stay.
    """

    limit: float
    accepted: float
    margin: float


EASES = (Ease(0.5, 0.9, 0.05), Ease(0.95, 0.99, 5e-3), Ease(0.995, 0.999, 5e-4))


def search_terms(data: FeederTermsData, ease: Ease) -> FeederTermsData:
    """Terms of the search: the largest overload of the hard feeders over eased limits.

    Arguments:
        data: terms of the objective with hard limits.
        ease: how far limits are eased.

    Returns:
        Terms with kappa 1 on the hard feeders, and nothing else.
    """
    zero = np.zeros_like(data.kappa)
    return data._replace(
        kappa=data.hard.astype(np.float64),
        linear=zero,
        quadratic=zero,
        hard=np.zeros_like(data.hard),
        energy=np.zeros_like(data.energy),
        headroom=data.headroom + ease.limit * data.tolerance,
        epsilon=0.0,
    )


def within_terms(data: FeederTermsData, ease: Ease, gap: float) -> FeederTermsData:
    """Terms of the solve: x <= tau, the prox a margin below it.

    Arguments:
        data: terms of the objective with hard limits.
        ease: the one with which a schedule was found.
        gap: the gap that is wanted; the margin must cost less than it.

    Returns:
        Terms whose headroom holds the tolerance where hard.
    """
    tolerance = np.where(data.hard[:, None], data.tolerance, 0.0)
    return data._replace(
        headroom=data.headroom + tolerance,
        tolerance=ROUNDING * tolerance,
        margin=min(ease.margin, MARGIN_OF_GAP * gap) * tolerance,
    )


def largest_share(data: FeederTermsData, load: np.ndarray) -> float:
    """Largest overload of the hard feeders as a share of its tolerance.

    Arguments:
        data: terms of the objective with hard limits.
        load: EV load, shape (F, T) [kW].
    """
    over = (load - data.headroom)[data.hard] / data.tolerance[data.hard]
    return float(over.max(initial=0.0))
