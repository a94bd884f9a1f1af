"""Start from another solution: of this scenario, or of a neighbour in a sweep.

Stays are matched by vehicle and arrival, slots and prices by their instants and
feeders. What has no match starts from zero; the schedule is then projected onto what
serves the new trips, so that any plan may be given.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.results import Solution
from macjax.scenario.plan import Plan
from macjax.scenario.scenario import Scenario


class WarmStart(NamedTuple):
    """A start in the row numbers and slots of the scenario to be solved.

    Arguments:
        plan: charging plan.
        prices: shape (F, T) [currency/kW].
    """

    plan: Plan
    prices: np.ndarray


def warm_tables(scenario: Scenario, solution) -> WarmStart:
    """Plan and prices of a solution, moved to another scenario.

    Arguments:
        scenario: the scenario to be solved.
        solution: a `Solution` with a schedule and prices.

    Returns:
        `WarmStart` on the rows, feeders and slots of the scenario.
    """
    if not isinstance(solution, Solution):
        raise SettingsError(
            f"warm_start must be a macjax.Solution, not {type(solution).__name__}"
        )
    plan, prices = solution.plan, solution.price_table
    if plan is None or prices is None:
        raise SettingsError(
            f"warm_start needs a schedule and prices; the solution '{solution.method}' "
            f"with status '{solution.status}' lacks them"
        )
    if not np.isfinite(prices).all():
        raise SettingsError("warm_start has prices that are not finite")
    old = solution.scenario
    if old.fingerprint == scenario.fingerprint:
        return WarmStart(plan, prices)
    return WarmStart(
        _moved_plan(scenario, old, plan), _moved_prices(scenario, old, prices)
    )


def _moved_plan(scenario: Scenario, old: Scenario, plan: Plan) -> Plan:
    keys = ["vehicle_id", "arrival"]
    new_rows = pd.MultiIndex.from_frame(scenario.stays[keys])
    if not new_rows.is_unique:
        return Plan.empty()
    used, inverse = np.unique(plan.stay, return_inverse=True)
    wanted = pd.MultiIndex.from_frame(old.stays[keys].iloc[used])
    stay = new_rows.get_indexer(wanted)[inverse]
    slot = _slots(scenario, old)[plan.slot]
    keep = (stay >= 0) & (slot >= 0)
    return Plan.of(stay[keep], slot[keep], plan.kw[keep])


def _moved_prices(scenario: Scenario, old: Scenario, prices) -> np.ndarray:
    ids = pd.Index(scenario.feeders["feeder_id"])
    row = ids.get_indexer(pd.Index(old.feeders["feeder_id"]))
    slot = _slots(scenario, old)
    table = np.zeros((len(ids), scenario.slots))
    from_f, from_t = np.flatnonzero(row >= 0), np.flatnonzero(slot >= 0)
    source = prices[np.ix_(from_f, from_t)]
    table[np.ix_(row[from_f], slot[from_t])] = source
    return table


def _slots(scenario: Scenario, old: Scenario) -> np.ndarray:
    """Slot of the new scenario that begins with each slot of the old, or -1."""
    return scenario.slot_starts.get_indexer(old.slot_starts)
