"""Objectives and a scenario to one table of coefficients (NumPy, float64).

Every sum of the objectives has, per feeder and with x = P - headroom, the form

    g(P) = kappa max_t (x_t)_+
         + sum_t [ energy_t P_t + linear (x_t)_+ + quadratic / 2 (x_t)_+^2 ]
         + (0 if all x_t <= tolerance_t else inf, where hard)

so a sum of objectives is a sum of coefficients, and its prox is as exact as the
prox of one.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from macjax._errors import SettingsError

HARD_TOLERANCE = 1e-3


class FeederTermsData(NamedTuple):
    """Coefficients of a feeder objective; feeders in the order of their table.

    Money is the scenario's currency; P is the EV load, average kW over a slot.

    Arguments:
        kappa: cost of the largest overload, shape (F,) [currency/kW].
        linear: cost of overload in one slot, shape (F,) [currency/kW].
        quadratic: cost of squared overload in one slot, shape (F,) [currency/kW^2].
        hard: whether overload is forbidden, shape (F,).
        energy: cost of load, shape (F, T) [currency/kW].
        headroom: capacity less base load, shape (F, T) [kW].
        tolerance: overload that still counts as none where hard, shape (F, T) [kW].
        epsilon: weight of the smoothing term [currency/kWh^2].
        margin: how far below a hard limit the prox stays, shape (F, T) or 0 [kW].
    """

    kappa: np.ndarray
    linear: np.ndarray
    quadratic: np.ndarray
    hard: np.ndarray
    energy: np.ndarray
    headroom: np.ndarray
    tolerance: np.ndarray
    epsilon: float
    margin: np.ndarray | float = 0.0


@runtime_checkable
class Contributes(Protocol):
    """What `feeder_terms` needs of an objective."""

    def contribute(self, data: FeederTermsData, scenario) -> FeederTermsData:
        """The coefficients with this objective added."""
        ...


def feeder_terms(objective: Contributes, scenario) -> FeederTermsData:
    """Tabulate an objective on a scenario.

    Arguments:
        objective: one of `macjax.objectives`, or a sum of them.
        scenario: gives `feeders`, `capacity_base()`, `slots`, `slot_hours`,
            `slot_starts` and `timezone`.

    Returns:
        Coefficients in float64, feeders in the order of `scenario.feeders`.
    """
    if isinstance(objective, type):
        raise SettingsError(
            f"objective is the class {objective.__name__}; "
            f"give an object of it: {objective.__name__}(...)"
        )
    if not isinstance(objective, Contributes):
        raise SettingsError(
            f"objective must be one of macjax.objectives, not {objective!r}"
        )
    data = objective.contribute(_without_costs(scenario), scenario)
    # Where overload is forbidden, what the tolerance leaves of it counts 0.
    paid = ~data.hard
    return data._replace(
        kappa=data.kappa * paid,
        linear=data.linear * paid,
        quadratic=data.quadratic * paid,
    )


def _without_costs(scenario) -> FeederTermsData:
    """The table of a scenario with every coefficient zero."""
    capacity, base = (np.asarray(a, np.float64) for a in scenario.capacity_base())
    zero = np.zeros(len(capacity))
    return FeederTermsData(
        kappa=zero,
        linear=zero,
        quadratic=zero,
        hard=np.zeros(len(capacity), bool),
        energy=np.zeros_like(capacity),
        headroom=capacity - base,
        tolerance=HARD_TOLERANCE * np.maximum(1.0, capacity),
        epsilon=0.0,
        # A table from the start: a number here would compile programs of its own.
        margin=np.zeros_like(capacity),
    )
