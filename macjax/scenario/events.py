"""Stays and trips as arrays on the clock of the horizon, in hours since its start.

    begin_h = max(arrival, start) - start,   end_h = min(departure, end) - start   [h]

Only conversion: no slot is cut here and no energy is counted.
"""

from typing import NamedTuple

import numpy as np

HOUR = 3_600_000_000


class StayWindows(NamedTuple):
    """Stays that overlap the horizon, clipped to it, in the order of the table.

    Arguments:
        row: row number of the stays table, int64, shape (windows,).
        vehicle: row number of the vehicle, int32.
        feeder: row number of the feeder, int32, -1 where there is none.
        begin_h, end_h: hours since the start of the horizon [h]; end_h > begin_h.
        charger_kw: the most the vehicle can draw from the grid there [kW].
    """

    row: np.ndarray
    vehicle: np.ndarray
    feeder: np.ndarray
    begin_h: np.ndarray
    end_h: np.ndarray
    charger_kw: np.ndarray


class TripEvents(NamedTuple):
    """Trips that depart within the horizon, in the order of the table.

    Arguments:
        row: row number of the trips table, int64, shape (trips,).
        vehicle: row number of the vehicle, int32.
        depart_h: hours since the start of the horizon [h].
        arrive_h: the same, clipped to the end of the horizon [h].
        energy_kwh: energy of the whole trip, also when it ends later [kWh].
    """

    row: np.ndarray
    vehicle: np.ndarray
    depart_h: np.ndarray
    arrive_h: np.ndarray
    energy_kwh: np.ndarray


def microseconds(column) -> np.ndarray:
    """A UTC column of a checked table as microseconds since 1970, int64."""
    return column.dt.tz_localize(None).to_numpy().view(np.int64)


def microseconds_of(hours: np.ndarray) -> np.ndarray:
    """Hours of `StayWindows` or `TripEvents` as the whole microseconds they are."""
    return np.rint(hours * HOUR).astype(np.int64)


def stay_windows(stays, vehicle, feeder, start_us: int, end_us: int) -> StayWindows:
    """Clip the stays to the horizon [start_us, end_us); all arrays are read-only."""
    begin = np.maximum(microseconds(stays["arrival"]), start_us) - start_us
    end = np.minimum(microseconds(stays["departure"]), end_us) - start_us
    row = np.flatnonzero(end > begin)
    windows = StayWindows(
        row,
        vehicle[row],
        feeder[row],
        begin[row] / HOUR,
        end[row] / HOUR,
        stays["charger_kw"].to_numpy()[row],
    )
    return StayWindows(*map(_frozen, windows))


def trip_events(trips, vehicle, start_us: int, end_us: int) -> TripEvents:
    """Take the trips that depart in [start_us, end_us); all arrays are read-only."""
    depart = microseconds(trips["departure"])
    row = np.flatnonzero((depart >= start_us) & (depart < end_us))
    arrive = np.minimum(microseconds(trips["arrival"])[row], end_us)
    events = TripEvents(
        row,
        vehicle[row],
        (depart[row] - start_us) / HOUR,
        (arrive - start_us) / HOUR,
        trips["energy_kwh"].to_numpy()[row],
    )
    return TripEvents(*map(_frozen, events))


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
