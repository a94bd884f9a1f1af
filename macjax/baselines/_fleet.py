"""The charging stays that all baselines run through, and how slots cut them.

With S the energy charged so far and E the trip energy so far (battery kWh), the SOC is
that at the start + S - E at every instant; a baseline decides S.
"""

from typing import NamedTuple

import numpy as np

from macjax.fleet.opportunities import Chains, charging_chains, kth_stays

# A slot that a stay touches for less than this share of the slot is a rounding error
# of the clock and no opportunity.
TOUCH = 1e-10
# Energy that counts as none, so that rounding leaves no trace of power in a plan.
NOTHING_KWH = 1e-9


class FleetArrays(NamedTuple):
    """A scenario as charging stays with the numbers of their vehicles.

    Arguments:
        chains: charging stays by vehicle and time, and the tube.
        kw: most power drawn from the grid, shape (stays,) [kW].
        efficiency: battery kWh per grid kWh, shape (stays,).
        weight: vehicles that the row stands for, shape (stays,).
        dt: length of a slot [h].
        slots: how many slots.
    """

    chains: Chains
    kw: np.ndarray
    efficiency: np.ndarray
    weight: np.ndarray
    dt: float
    slots: int


def fleet_arrays(scenario, tube: str = "mobility") -> FleetArrays:
    """Read the arrays that the baselines start from out of a `Scenario`.

    Arguments:
        tube: bounds on S in `chains`, see `charging_chains`.
    """
    chains = charging_chains(scenario, tube)
    vehicles = scenario.vehicles
    return FleetArrays(
        chains=chains,
        kw=scenario.stays["charger_kw"].to_numpy(np.float64)[chains.row],
        efficiency=vehicles["charge_efficiency"].to_numpy(np.float64)[chains.vehicle],
        weight=vehicles["weight"].to_numpy(np.float64)[chains.vehicle],
        dt=float(scenario.slot_hours),
        slots=int(scenario.slots),
    )


def running_sums(values, count, first) -> np.ndarray:
    """Running sum inside each group; no rounding passes from group to group.

    Arguments:
        values: group after group, shape (members,).
        count: members of each group, shape (groups,).
        first: position of the first member of each group, shape (groups,).
    """
    total = np.array(values, np.float64)
    for k, at in enumerate(kth_stays(count, first)):
        if k:
            total[at] += total[at - 1]
    return total


def touched_slots(begin, end, slots: int) -> tuple[np.ndarray, np.ndarray]:
    """First slot of each window and the one behind its last, (windows,) each.

    Arguments:
        begin, end: windows in [0, slots], shape (windows,) [slots].
    """
    low = np.clip(np.floor(begin + TOUCH).astype(np.int64), 0, slots - 1)
    high = np.clip(np.ceil(end - TOUCH).astype(np.int64), 0, slots)
    return low, high


def slot_overlaps(begin, end, slots: int):
    """Cut windows by the slot grid.

    Arguments: as in `touched_slots`.

    Returns:
        window (entries,), slot (entries,), overlap (entries,) [slots]: the entries of
        a window are contiguous and in time order; an empty window has none.
    """
    low, high = touched_slots(begin, end, slots)
    count = np.where(end > begin, np.maximum(high - low, 0), 0)
    window = np.repeat(np.arange(len(low)), count)
    within = np.arange(len(window)) - np.repeat(np.cumsum(count) - count, count)
    slot = low[window] + within
    overlap = np.minimum(end[window], slot + 1) - np.maximum(begin[window], slot)
    return window, slot, np.maximum(overlap, 0.0)
