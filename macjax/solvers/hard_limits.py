"""Hard capacities: find a schedule that holds them before anything is minimised.

The largest overload over limits eased by half their tolerance is minimised with equal
cost. A schedule within the tolerance ends it; so does a price table whose bound is
positive against the limits eased by the whole tolerance, a proof that none exists.
"""

import numpy as np

from macjax.objectives.compile import FeederTermsData


def relaxed_terms(data: FeederTermsData) -> FeederTermsData:
    """Terms of the first phase: the largest overload of the hard feeders.

    Arguments:
        data: terms of the objective with hard limits.

    Returns:
        Terms with kappa 1 on the hard feeders and headroom eased by half the tolerance,
        and nothing else.
    """
    zero = np.zeros_like(data.kappa)
    return data._replace(
        kappa=data.hard.astype(np.float64),
        linear=zero,
        quadratic=zero,
        hard=np.zeros_like(data.hard),
        energy=np.zeros_like(data.energy),
        headroom=data.headroom + 0.5 * data.tolerance,
        epsilon=0.0,
    )
