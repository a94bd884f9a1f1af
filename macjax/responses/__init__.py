"""Best responses of vehicles to prices: one interface for all who post prices.

    min_{u in U_n}  sum_j price_j u_j + (own cost of the vehicle)

`respond` gives the energies, `least_cost` the sum of the minima as a dual value. What
a vehicle's own cost may be stands in `own_cost`.
"""

from macjax.responses.least_cost import least_cost
from macjax.responses.own_cost import NO_COST, PackedCost
from macjax.responses.respond import respond

__all__ = ["NO_COST", "PackedCost", "least_cost", "respond"]
