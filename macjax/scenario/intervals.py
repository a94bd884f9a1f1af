"""Stays and trips of one vehicle may touch and may not overlap; found by one sort.

Intervals sorted by vehicle and begin are disjoint iff each one ends no later than the
next one of the same vehicle begins. Only the vehicles that break this are looked at
again, with a running maximum of the ends, so that every overlapping row is named.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, Fault
from macjax.scenario.report import RowNames


class Intervals(NamedTuple):
    """Intervals of one table.

    Arguments:
        vehicle: one number per vehicle, the same in every table; negative: unknown.
        begin, end: datetime64[us], NaT where not known.
        names: names the rows of the table.
    """

    vehicle: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    names: RowNames


def check_overlaps(stays: Intervals, trips: Intervals) -> list[Fault]:
    """Faults for the stays and trips that overlap another one of the same vehicle."""
    parts = [_usable(stays), _usable(trips)]
    row = np.concatenate(parts)
    is_trip = np.repeat([False, True], [len(part) for part in parts])
    columns = (
        _joined(stays.vehicle, trips.vehicle, parts),
        _joined(stays.begin, trips.begin, parts).view(np.int64),
        _joined(stays.end, trips.end, parts).view(np.int64),
    )
    if len(row) < 2:
        return []
    order = _sort(*columns[:2])
    vehicle, begin, end = (column[order] for column in columns)
    clash = (vehicle[1:] == vehicle[:-1]) & (begin[1:] < end[:-1])
    if not clash.any():
        return []
    suspects = np.isin(vehicle, np.unique(vehicle[1:][clash]))
    order = order[suspects]
    order = order[np.lexsort((order, begin[suspects], vehicle[suspects]))]
    vehicle, begin, end = (column[order] for column in columns)
    later, earlier = _pairs(vehicle, begin, end)
    row, is_trip = row[order], is_trip[order]
    faults = []
    for trip_rows, other_trips in ((0, 0), (1, 0), (0, 1), (1, 1)):
        kind = (is_trip[later] == trip_rows) & (is_trip[earlier] == other_trips)
        if kind.any():
            tables = (trips if trip_rows else stays, trips if other_trips else stays)
            pairs = row[later[kind]], row[earlier[kind]]
            faults.append(_fault(tables, pairs))
    return faults


def _usable(part: Intervals) -> np.ndarray:
    """Rows whose vehicle and both instants are known and in order."""
    return np.flatnonzero((part.vehicle >= 0) & (part.begin < part.end))


def _joined(stays: np.ndarray, trips: np.ndarray, parts: list) -> np.ndarray:
    return np.concatenate([stays[parts[0]], trips[parts[1]]])


def _sort(vehicle: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Order by vehicle, then begin; one integer key where it fits into 63 bits."""
    first = begin.min()
    span = int(begin.max()) - int(first) + 1
    if (int(vehicle.max()) + 1) * span < 2**63:
        return np.argsort(vehicle.astype(np.int64) * span + (begin - first))
    return np.lexsort((begin, vehicle))


def _pairs(
    vehicle: np.ndarray, begin: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of rows that begin before an earlier one ends, and of that one."""
    ends, rank = np.unique(end, return_inverse=True)
    groups = np.unique(vehicle, return_inverse=True)[1]
    # Vehicles are sorted, so a later vehicle's keys exceed all keys before it.
    key = groups.astype(np.int64) * len(ends) + rank
    largest = np.maximum.accumulate(key)
    is_new = np.r_[True, largest[1:] > largest[:-1]]
    holder = np.maximum.accumulate(np.where(is_new, np.arange(len(key)), 0))
    earlier = np.r_[0, holder[:-1]]
    clash = (groups == groups[earlier]) & (begin < end[earlier])
    clash[0] = False
    later = np.flatnonzero(clash)
    return later, earlier[later]


def _fault(tables: tuple[Intervals, Intervals], pairs) -> Fault:
    """One fault that names both rows of the first overlapping pairs."""
    by_row = np.argsort(pairs[0], kind="stable")
    rows, others = pairs[0][by_row], pairs[1][by_row]
    part, other = tables
    words = []
    for row, with_row in zip(rows[:3].tolist(), others[:3].tolist(), strict=True):
        name = part.names.names(np.array([row]))[0]
        ours = f"{part.names.table} row {row} ({_span(part, row)})"
        theirs = f"{other.names.table} row {with_row} ({_span(other, with_row)})"
        words.append(f"'{name}': {ours} and {theirs}")
    what = "overlap" if part is other else f"overlap {other.names.table}"
    more = "; ..." if len(rows) > 3 else ""
    rule = f"{part.names.table} of one vehicle {what}: {'; '.join(words)}{more}"
    columns = "arrival, departure"
    if part.names.table == "trips":
        columns = "departure, arrival"
    names = tuple(part.names.names(rows[:FIRST_IDS]))
    return Fault(part.names.table, columns, rule, len(rows), names)


def _span(part: Intervals, row: int) -> str:
    begin, end = (pd.Timestamp(part.begin[row]), pd.Timestamp(part.end[row]))
    return f"{begin.isoformat()}Z to {end.isoformat()}Z"
