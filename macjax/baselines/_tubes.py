"""Bounds on the energy charged up to the end of each charging stay.

    l_k <= S_k <= h_k,  S_k = energy charged up to the end of stay k [battery kWh]

MAC's tube asks for the reserve after every trip, the final SOC and room in the battery;
the per-session tube fixes S_k to what was used, as far as time and power allow.
"""

from typing import NamedTuple

import numpy as np

from macjax.baselines._fleet import FleetArrays
from macjax.baselines._timeline import Timeline, steps


class Tube(NamedTuple):
    """Bounds l and h on the energy charged up to each stay, shape (stays,) [kWh]."""

    low: np.ndarray
    high: np.ndarray


def fleet_tube(fleet: FleetArrays) -> Tube:
    """The tube of SOC sufficiency, relaxed where full power does not reach it.

        h_k = battery - initial + E(before stay k)
        l_k = reserve - initial + E(before stay k+1), at least 0;
              the last one also final - initial + E(all)
        greedy_k = min(greedy_{k-1} + room_k, h_k),  l_k <- min(l_k, greedy_k)

    E never falls, so both bounds are nondecreasing as they stand.
    """
    line = fleet.timeline
    high = (fleet.battery_kwh - fleet.initial_kwh)[line.vehicle] + line.used_kwh
    low = (fleet.reserve_kwh - fleet.initial_kwh)[line.vehicle] + line.used_next_kwh
    has = np.diff(line.first) > 0
    last = line.first[1:][has] - 1
    at_end = (fleet.final_kwh - fleet.initial_kwh + line.total_kwh)[has]
    low[last] = np.maximum(low[last], at_end)
    greedy = _reach(line, fleet.most_kwh(), high)
    return Tube(np.minimum(np.maximum(low, 0.0), greedy), high)


def per_session_charge(timeline: Timeline, room) -> np.ndarray:
    """S_k = min(D_k, S_{k-1} + m_k), D_k the energy used before stay k, (stays,) [kWh].

    Every stay gives back what was used since the last one plus what earlier stays
    could not, as far as its time and power allow.
    """
    return _reach(timeline, room, timeline.used_kwh)


def _reach(timeline: Timeline, room, limit) -> np.ndarray:
    """S_k = min(limit_k, S_{k-1} + room_k) from S = 0."""
    reach = np.minimum(room, limit)
    for k, at in enumerate(steps(timeline.first)):
        if k:
            reach[at] = np.minimum(limit[at], reach[at - 1] + room[at])
    return reach
