"""The tube on the running sum of a vehicle's charging, and who cannot stay in it.

Mobility: lower and upper as in `opportunities`, lower made nondecreasing. Greedy
charging G_k = min(G_{k-1} + most_k, upper_k) is the most that can have been charged
at every instant, so a vehicle makes its trips iff G_k >= lower_k for all k (and its
reserve holds before the first stay); `relax` lowers each lower_k to G_k.

Per session: lower_k = upper_k = min(E_k, lower_{k-1} + most_k).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax.certificate.opportunities import Group, energy_after_each
from macjax.certificate.tables import Tables

MOBILITY, PER_SESSION = "mobility", "per_session"


class Tube(NamedTuple):
    """Bounds on the energy charged up to the end of each stay of a group [kWh].

    Arguments:
        lower, upper: bounds after relaxation, never empty, shape (stays,).
        reach: greedy sums G_k, shape (stays,).
        needed: what the reserve asks at the end of each stay, not tightened.
        final: what the final SOC asks after the last stay, shape (vehicles,).
        initial: what the reserve asks before the first stay, shape (vehicles,).
        short: largest shortfall of greedy charging, shape (vehicles,).
    """

    lower: np.ndarray
    upper: np.ndarray
    reach: np.ndarray
    needed: np.ndarray
    final: np.ndarray
    initial: np.ndarray
    short: np.ndarray


def mobility_tube(tables: Tables, group: Group) -> Tube:
    """The tube of the trips, the reserve and the final SOC."""
    vehicles, chains, own = tables.vehicles, group.chains, group.vehicles
    reserve = (vehicles.reserve - vehicles.initial)[own]
    upper = group.of_stay(vehicles.battery - vehicles.initial) + group.used
    following = group.total[chains.row]
    following[chains.first] = group.used[chains.second]
    needed = reserve[chains.row] + following
    final = (vehicles.final - vehicles.initial)[own] + group.total
    initial = reserve + group.total
    has_stay = slice(0, int(chains.offsets[1]) if chains.size else 0)
    initial[chains.row[has_stay]] = reserve[chains.row[has_stay]] + group.used[has_stay]

    lower = needed.copy()
    lower[chains.last] = np.maximum(lower[chains.last], final[chains.last_row])
    lower = chains.running_max(lower, 0.0)
    reach = chains.fill(group.most, upper)
    short = np.maximum(initial, 0.0)
    bare = np.diff(tables.stays.offsets[group.first : group.last + 1]) == 0
    short[bare] = np.maximum(short[bare], final[bare])
    np.maximum.at(short, chains.row, lower - reach)
    lower = np.minimum(lower, reach)
    return Tube(lower, upper, reach, needed, final, initial, short)


def session_tube(tables: Tables, group: Group) -> Tube:
    """The tube of per-session recovery: one target at the end of each stay."""
    chains, none = group.chains, np.full(group.chains.rows, -np.inf)
    target = chains.fill(group.most, group.used)
    empty = np.zeros(chains.rows)
    return Tube(target, target, target, target, none, none, empty)


def infeasible_vehicles(
    tables: Tables, group: Group, tube: Tube, tolerance: float
) -> pd.DataFrame:
    """Vehicles of a group that cannot make their trips even at full power.

    Returns:
        A frame with vehicle_id, trip (row number of the first trip that fails; NA
        where only the SOC at the end, or at the start, is short), departure and
        missing_kwh, the energy missing at the end of that trip.
    """
    vehicles, trips, stays = tables.vehicles, tables.trips, tables.stays
    listed = np.flatnonzero(tube.short > tolerance)
    if len(listed) == 0:
        return _listing(tables, listed, listed, np.empty(0))
    first, last, horizon = group.first, group.last, tables.clock.horizon
    window = slice(trips.offsets[first], trips.offsets[last])
    chosen = slice(stays.offsets[first], stays.offsets[last])
    owner = trips.vehicle[window].astype(np.int64) - first
    reach = np.empty(group.chains.size)
    reach[group.chains.take] = tube.reach
    stay_owner = stays.vehicle[chosen].astype(np.int64) - first
    before = np.searchsorted(
        stay_owner * horizon + stays.begin[chosen],
        owner * horizon + trips.depart[window],
    )
    some = before > (stays.offsets[first:last] - chosen.start)[owner]
    charged = np.zeros(len(owner))
    charged[some] = reach[before[some] - 1]
    used, _ = energy_after_each(trips, first, last)
    floor = (vehicles.reserve - vehicles.initial)[group.vehicles]
    missing = floor[owner] + used - charged
    failing = np.flatnonzero(missing > tolerance)
    vehicle, at = np.unique(owner[failing], return_index=True)
    trip = np.full(group.chains.rows, -1, np.int64)
    trip[vehicle] = failing[at] + window.start
    short = tube.short.copy()
    short[vehicle] = missing[failing[at]]
    # What is short at the start already is missing before every trip.
    short = np.maximum(short, floor)
    return _listing(tables, listed + first, trip[listed], short[listed])


def _listing(tables: Tables, vehicle, trip, missing) -> pd.DataFrame:
    known = trip >= 0
    row = pd.array(np.where(known, 0, 0), dtype="Int64")
    row[known] = tables.trips.row[trip[known]]
    row[~known] = pd.NA
    departure = np.full(len(trip), "NaT", "datetime64[us]")
    stamps = tables.clock.start + tables.trips.depart[trip[known]]
    departure[known] = stamps.astype("datetime64[us]")
    return pd.DataFrame(
        {
            "vehicle_id": tables.vehicles.ids[vehicle],
            "trip": row,
            "departure": pd.DatetimeIndex(departure).tz_localize("UTC"),
            "missing_kwh": missing,
        }
    )
