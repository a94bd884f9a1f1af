"""Charging stays and trips of every vehicle in time order, as flat arrays.

With E the trip energy used so far, S the energy charged so far (both in battery kWh)
and SOC(0) the state of charge at the start, SOC = SOC(0) + S - E at every instant.
Only stays with a charger are kept; they are sorted by vehicle and begin.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

# Windows come from instants in hours; a slot that a stay touches for less than this
# share of the slot is a rounding error of the division and no opportunity.
TOUCH = 1e-10


class Timeline(NamedTuple):
    """The chains of charging stays and of trips, one after the other by vehicle.

    Arguments:
        row: row number in the stays table, shape (stays,).
        vehicle: vehicle index, shape (stays,).
        feeder: feeder index, -1 for none, shape (stays,).
        begin_h: arrival, hours since the start of the horizon, shape (stays,) [h].
        end_h: departure, likewise [h].
        kw: most power drawn from the grid, shape (stays,) [kW].
        used_kwh: trip energy before the stay, shape (stays,) [kWh].
        used_next_kwh: trip energy before the next charging stay of the vehicle, all of
            its trips for its last one, shape (stays,) [kWh].
        first: first stay of each vehicle, and the number of stays, shape (vehicles+1,).
        trip_row: row number in the trips table, shape (trips,).
        trip_vehicle: vehicle index, shape (trips,).
        trip_used_kwh: trip energy up to the end of the trip, shape (trips,) [kWh].
        trip_stay: last charging stay before the trip, -1 for none, shape (trips,).
        total_kwh: trip energy of each vehicle, shape (vehicles,) [kWh].
    """

    row: np.ndarray
    vehicle: np.ndarray
    feeder: np.ndarray
    begin_h: np.ndarray
    end_h: np.ndarray
    kw: np.ndarray
    used_kwh: np.ndarray
    used_next_kwh: np.ndarray
    first: np.ndarray
    trip_row: np.ndarray
    trip_vehicle: np.ndarray
    trip_used_kwh: np.ndarray
    trip_stay: np.ndarray
    total_kwh: np.ndarray

    @property
    def vehicles(self) -> int:
        """Number of vehicles, those without a charging stay included."""
        return len(self.first) - 1


def steps(first: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of the k-th member of every group that has one, k = 0, 1, ...

    `first` are the group starts and the total, shape (groups+1,). The member before
    position i in the same group is i - 1 for k > 0.
    """
    counts = np.diff(first)
    order = np.argsort(-counts, kind="stable")
    starts, counts = np.asarray(first)[:-1][order], counts[order]
    for k in range(int(counts[0]) if len(counts) else 0):
        yield starts[: np.searchsorted(-counts, -k, side="left")] + k


def group_starts(group: np.ndarray, groups: int) -> np.ndarray:
    """Starts of the groups in a sorted index array, and its length, (groups+1,)."""
    return np.searchsorted(group, np.arange(groups + 1), side="left")


def grouped_cumsum(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Running sum inside each group; no rounding passes from group to group."""
    total = np.array(values, np.float64)
    for k, at in enumerate(steps(first)):
        if k:
            total[at] += total[at - 1]
    return total


def build_timeline(
    vehicles: int,
    *,
    row,
    vehicle,
    feeder,
    begin_h,
    end_h,
    kw,
    trip_row,
    trip_vehicle,
    trip_depart_h,
    trip_kwh,
) -> Timeline:
    """Sort stays and trips by vehicle and time and attach the trip energies.

    Arguments: see `Timeline`; stays in any order, those without power are left out;
        trip_depart_h: departure of each trip [h]; trip_kwh: its energy [kWh].
    """
    keep = np.flatnonzero(np.asarray(kw) > 0)
    keep = keep[np.lexsort((np.asarray(begin_h)[keep], np.asarray(vehicle)[keep]))]
    row, vehicle, feeder = (np.asarray(a)[keep] for a in (row, vehicle, feeder))
    begin_h, end_h, kw = (np.asarray(a, np.float64)[keep] for a in (begin_h, end_h, kw))
    first = group_starts(vehicle, vehicles)

    order = np.lexsort((trip_depart_h, trip_vehicle))
    trip_row, trip_vehicle = (np.asarray(a)[order] for a in (trip_row, trip_vehicle))
    depart = np.asarray(trip_depart_h, np.float64)[order]
    trip_first = group_starts(trip_vehicle, vehicles)
    trip_used = grouped_cumsum(np.asarray(trip_kwh, np.float64)[order], trip_first)
    total = _last_of_group(trip_used, trip_first)

    stays, trips = len(row), len(trip_row)
    # One sort of both kinds of events; at equal times the stay comes first, because a
    # trip cannot end before it has begun.
    event = np.lexsort(
        (
            np.repeat([0, 1], [stays, trips]),
            np.concatenate([begin_h, depart]),
            np.concatenate([vehicle, trip_vehicle]),
        )
    )
    is_trip = event >= stays
    trips_before = np.cumsum(is_trip)[~is_trip]
    stays_before = np.cumsum(~is_trip)[is_trip]
    used = np.zeros(stays)
    some = trips_before > trip_first[vehicle]
    used[some] = trip_used[trips_before[some] - 1]
    trip_stay = np.where(stays_before > first[trip_vehicle], stays_before - 1, -1)
    used_next = np.append(used[1:], 0.0)[:stays]
    last = first[1:][np.diff(first) > 0] - 1
    used_next[last] = total[vehicle[last]]
    return Timeline(
        row, vehicle, feeder, begin_h, end_h, kw, used, used_next, first,
        trip_row, trip_vehicle, trip_used, trip_stay, total,
    )  # fmt: skip


def _last_of_group(values, first):
    last = np.zeros(len(first) - 1)
    has = np.diff(first) > 0
    last[has] = values[first[1:][has] - 1]
    return last


def slot_overlaps(begin_h, end_h, dt: float, slots: int):
    """Cut windows by the slot grid.

    Arguments:
        begin_h, end_h: windows in [0, slots * dt], shape (windows,) [h].
        dt: length of a slot [h].

    Returns:
        window (entries,), slot (entries,), overlap (entries,) [h]: the entries of a
        window are contiguous and in time order; an empty window has none.
    """
    low = np.clip(np.floor(begin_h / dt + TOUCH).astype(np.int64), 0, slots - 1)
    high = np.clip(np.ceil(end_h / dt - TOUCH).astype(np.int64), 0, slots)
    count = np.where(end_h > begin_h, np.maximum(high - low, 0), 0)
    window = np.repeat(np.arange(len(low)), count)
    within = np.arange(len(window)) - np.repeat(np.cumsum(count) - count, count)
    slot = low[window] + within
    start = np.maximum(begin_h[window], slot * dt)
    overlap = np.minimum(end_h[window], (slot + 1) * dt) - start
    return window, slot, np.maximum(overlap, 0.0)


def soc_after_trips(timeline: Timeline, start_kwh, charged_kwh) -> np.ndarray:
    """SOC at the end of each trip, start + S - E, shape (trips,) [kWh].

    Arguments:
        start_kwh: SOC at the start of the horizon, shape (vehicles,) [kWh].
        charged_kwh: S, energy charged since the start up to the end of each charging
            stay, shape (stays,), into the battery [kWh].
    """
    before = np.append(charged_kwh, 0.0)[timeline.trip_stay]
    return start_kwh[timeline.trip_vehicle] + before - timeline.trip_used_kwh


def soc_at_end(timeline: Timeline, start_kwh, charged_kwh) -> np.ndarray:
    """SOC after all stays and trips of the horizon, shape (vehicles,) [kWh]."""
    charged = _last_of_group(charged_kwh, timeline.first)
    return start_kwh + charged - timeline.total_kwh


def first_short_trips(timeline: Timeline, start_kwh, charged_kwh, reserve_kwh, slack):
    """Vehicles that end a trip below their reserve, and the first such trip.

    Arguments:
        start_kwh, charged_kwh: as in `soc_after_trips`.
        reserve_kwh: shape (vehicles,) [kWh].
        slack: shortfall that counts as none [kWh].

    Returns:
        vehicle index, trip row, missing energy at that trip [kWh].
    """
    soc = soc_after_trips(timeline, start_kwh, charged_kwh)
    missing = reserve_kwh[timeline.trip_vehicle] - soc
    short = np.flatnonzero(missing > slack)
    vehicle, at = np.unique(timeline.trip_vehicle[short], return_index=True)
    return vehicle, timeline.trip_row[short[at]], missing[short[at]]
