"""The sort that finds overlaps against the comparison of all pairs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from macjax.scenario.intervals import Intervals, check_overlaps
from macjax.scenario.report import RowNames

ORIGIN = np.datetime64("2026-03-02T00:00:00", "us")
interval = st.tuples(st.integers(0, 2), st.integers(0, 12), st.integers(1, 5))


def table(name: str, rows: list) -> Intervals:
    vehicle, begin, length = np.array(rows, np.int64).reshape(-1, 3).T
    unit = np.timedelta64(1, "m")
    start = ORIGIN + begin * unit
    end = start + length * unit
    return Intervals(vehicle.astype(np.int32), start, end, RowNames(name, None, True))


def late_rows(mine: Intervals, other: Intervals) -> set:
    """Rows that overlap another one which begins before (or is listed before)."""
    found = set()
    for i in range(len(mine.begin)):
        for j in range(len(other.begin)):
            same_table = mine is other
            first = (other.begin[j], not same_table and mine.names.table == "stays", j)
            this = (mine.begin[i], not same_table and mine.names.table == "trips", i)
            if same_table and i == j or mine.vehicle[i] != other.vehicle[j]:
                continue
            overlap = mine.begin[i] < other.end[j] and other.begin[j] < mine.end[i]
            if overlap and (first < this if same_table else first[0] <= this[0]):
                found.add(i)
    return found


@given(st.lists(interval, max_size=7), st.lists(interval, max_size=7))
def test_a_fault_exactly_where_two_intervals_overlap(stay_rows, trip_rows):
    stays, trips = table("stays", stay_rows), table("trips", trip_rows)
    faults = check_overlaps(stays, trips)
    late = {
        "stays": late_rows(stays, stays) | late_rows(stays, trips),
        "trips": late_rows(trips, trips) | late_rows(trips, stays),
    }
    assert bool(faults) == bool(late["stays"] | late["trips"])
    for fault in faults:
        assert {int(name.split()[1]) for name in fault.ids} <= late[fault.table]


@given(st.lists(interval, max_size=9))
def test_every_stay_that_begins_before_another_ends_is_counted(rows):
    stays = table("stays", rows)
    faults = check_overlaps(stays, table("trips", []))
    wanted = late_rows(stays, stays)
    assert sum(fault.count for fault in faults) == len(wanted)


def test_one_long_stay_over_many_short_ones_names_them_all():
    rows = [(0, 0, 100), *[(0, 10 * k, 5) for k in range(1, 8)], (1, 0, 5)]
    (fault,) = check_overlaps(table("stays", rows), table("trips", []))
    assert fault.ids == tuple(f"row {k}" for k in range(1, 8))
    assert fault.rule.count("and stays row 0") == 3


def test_vehicles_and_times_too_many_for_one_integer_key():
    """Years of microseconds times many vehicles do not fit into 63 bits."""
    vehicle = np.array([0, 2_000_000, 2_000_000], np.int32)
    begin = np.array(["0001-01-02", "9000-01-01", "9000-01-02"], "datetime64[us]")
    end = begin + np.timedelta64(36, "h")
    nothing = np.empty(0, "datetime64[us]")
    trips = Intervals(np.empty(0, np.int32), nothing, nothing, RowNames("trips"))
    (fault,) = check_overlaps(Intervals(vehicle, begin, end, RowNames("stays")), trips)
    assert fault.ids == ("row 2",)
