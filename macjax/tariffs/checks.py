"""What makes a case impossible whatever anybody decides, found before solving.

- An EV that departs at t needs the free-flow steps of its path, and must be there at
  instant T - 1.
- No path of a trip may be out of range: with a full battery at every station passed,
  the SOC stays within its limits and is high enough at the destination.
- Within the horizon, the capacities must let all EVs through. With y_j EVs on path j,
  D_i EVs of trip i, and W_a steps in which arc a can be left,
      max sum_j y_j  s.t.  sum_(j of i) y_j <= D_i,  sum_(j over a) y_j <= W_a N_a
  must reach sum_i D_i. It is a small linear program (HiGHS, by scipy).

These are necessary conditions; what remains is told by the status of the solve.
"""

import numpy as np

from macjax._errors import Fault
from macjax.tariffs._packages import require
from macjax.tariffs.faults import fault
from macjax.tariffs.roads import Legs, Roads, Trips
from macjax.tariffs.settings import Settings

SHORT = 1e-6


def exit_windows(legs: Legs, trips: Trips, roads: Roads, steps: int):
    """First and last instant at which an EV may leave each leg, two (legs,) arrays.

    The first departure of the trip and free flow bound it from below, free flow to the
    destination by instant T - 1 from above.
    """
    first = np.argmax(trips.departures > 0, axis=1)[legs.path_trip][legs.path]
    time = roads.steps[legs.arc]
    return first + legs.before + time, steps - 1 - legs.onward + time


def check_demand(
    settings: Settings, roads: Roads, trips: Trips, legs: Legs, stations
) -> list[Fault]:
    """What makes a case impossible.

    Arguments:
        settings, roads, trips, legs, stations: of the case.
    """
    faults = _late(settings, trips, legs)
    faults += _out_of_range(settings, roads, trips, legs, stations)
    return faults or _beyond_capacity(settings, roads, trips, legs)


def _late(settings: Settings, trips: Trips, legs: Legs) -> list[Fault]:
    steps = np.full(len(trips.names), np.inf)
    np.minimum.at(steps, legs.path_trip, legs.onward[legs.first])
    instants = np.arange(settings.steps)
    late = (trips.departures > 0) & (instants + steps[:, None] > settings.steps - 1)
    wrong = late.any(axis=1)
    if not wrong.any():
        return []
    rule = f"EVs depart too late to arrive by instant {settings.steps - 1}"
    return [fault("departures", "ev", rule, trips.names[wrong])]


def _out_of_range(settings, roads: Roads, trips: Trips, legs: Legs, stations):
    """Trips without a path on which the SOC can stay within its limits."""
    fleet = settings.fleet
    charges = np.zeros(len(stations.names) + 1, bool)  # the last one is no station
    charges[stations.level_station[stations.level_kw > 0]] = True
    charges[:-1] &= stations.places > 0
    soc = trips.soc[legs.path_trip].copy()
    fits = np.ones(len(soc), bool)
    first = np.flatnonzero(legs.first)
    position = np.arange(len(legs.path)) - first[legs.path]
    for here in range(int(position.max()) + 1):
        leg = np.flatnonzero(position == here)
        path = legs.path[leg]
        full = np.where(charges[legs.station[leg]], fleet.soc_max, soc[path])
        soc[path] = full - roads.consumption[legs.arc[leg]]
        fits[path] &= soc[path] >= fleet.soc_min - SHORT
    fits &= soc >= fleet.soc_arrival - SHORT
    served = np.zeros(len(trips.names), bool)
    served[legs.path_trip[fits]] = True
    if served.all():
        return []
    rule = (
        "the destination is out of range on every path, even with a full battery at "
        "every station"
    )
    lost = trips.names[~served]
    return [fault("trips", "destination", rule, lost)]


def _beyond_capacity(settings, roads: Roads, trips: Trips, legs: Legs) -> list[Fault]:
    """Trips whose EVs the roads cannot let through within the horizon."""
    begin, end = exit_windows(legs, trips, roads, settings.steps)
    limit = roads.limit[legs.arc]
    count = len(roads.capacity)
    opens, closes = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(opens, limit, begin)
    np.maximum.at(closes, limit, end)
    used = np.isin(np.arange(count), limit)
    window = np.where(used, np.maximum(closes - opens + 1, 0), 0)
    sparse, paths = require("scipy.sparse"), len(legs.path_names)
    ones = np.ones(len(limit))
    over = sparse.csr_matrix((ones, (limit, legs.path)), shape=(count, paths))
    of = sparse.csr_matrix(
        (np.ones(paths), (legs.path_trip, np.arange(paths))),
        shape=(len(trips.names), paths),
    )
    demand = trips.departures.sum(axis=1)
    bound = np.concatenate([window * roads.capacity, demand])
    result = require("scipy.optimize").linprog(
        -np.ones(paths), A_ub=sparse.vstack([over, of]), b_ub=bound, method="highs"
    )
    short = demand - of @ result.x
    lost = short > SHORT * np.maximum(demand, 1.0)
    if not lost.any():
        return []
    full = used & (over @ result.x > window * roads.capacity - SHORT * demand.sum())
    rule = (
        f"{short.sum():.1f} EVs more depart than the roads let through within the "
        f"horizon; full: {', '.join(map(str, roads.limit_names[full][:10]))}"
    )
    return [fault("departures", "ev", rule, trips.names[lost])]
