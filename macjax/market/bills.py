"""What vehicles pay at the prices of cells, and what feeders collect.

    payment_n = sum_j price_c(j) kw_j     [currency], kw_j average power over the slot

of one vehicle of a row; with a weight of w there are w such vehicles. A price is that
of one more kW in the slot, so power times price is the payment for the whole slot.
"""

from typing import NamedTuple

import numpy as np

from macjax.results import tables
from macjax.scenario.plan import Plan


class Bills(NamedTuple):
    """Payments and own costs of one vehicle of each row, shape (vehicles,).

    Arguments:
        payment: for its power [currency].
        smoothing: epsilon / 2 sum_j u_j^2, u in battery kWh [currency].
        energy_kwh: from the grid at the feeders [kWh].
    """

    payment: np.ndarray
    smoothing: np.ndarray
    energy_kwh: np.ndarray

    @property
    def cost(self) -> np.ndarray:
        """Payment and smoothing [currency]."""
        return self.payment + self.smoothing

    @classmethod
    def of(cls, scenario, plan: Plan, price: np.ndarray, epsilon: float) -> "Bills":
        """Bills of a plan.

        Arguments:
            scenario: the tables.
            plan: charging plan.
            price: of every cell, shape (F, T) [currency/kW].
            epsilon: of the smoothing [currency/kWh^2].
        """
        vehicle, feeder = tables.vehicle_feeder(scenario, plan)
        count = len(scenario.vehicles)
        at_feeder = feeder >= 0
        cell = feeder.astype(np.int64) * scenario.slots + plan.slot
        free = np.append(price.reshape(-1), 0.0)
        paid = free[np.where(at_feeder, cell, -1)] * plan.kw
        efficiency = scenario.vehicles["charge_efficiency"].to_numpy(np.float64)
        kwh = plan.kw * scenario.slot_hours

        def by_vehicle(values):
            return np.bincount(vehicle, values, count).astype(np.float64, copy=False)

        return cls(
            payment=by_vehicle(paid),
            smoothing=by_vehicle(0.5 * epsilon * (kwh * efficiency[vehicle]) ** 2),
            energy_kwh=by_vehicle(np.where(at_feeder, kwh, 0.0)),
        )
