"""Profiles by hour of the local day, on days of 23, 24 and 25 hours."""

import numpy as np
import pandas as pd
import pytest
from scenario_tables import good, hourly

from macjax._errors import DataError
from macjax.scenario import Scenario


def day_of(start: str, slots: int, minutes: int, zone: str = "Europe/Zurich"):
    """Base load of F1 and F2 over the horizon; by hour it is the hour, plus 100."""
    arguments = good(
        start=start,
        slots=slots,
        slot_minutes=minutes,
        timezone=zone,
        feeder_profile=hourly(),
    )
    scenario = Scenario.from_frames(**arguments)
    capacity, base = scenario.capacity_base()
    assert capacity.shape == base.shape == (2, slots)
    assert capacity.dtype == base.dtype == np.float64
    assert (capacity == 100.0).all()
    np.testing.assert_array_equal(base[1], base[0] + 100)
    return base[0].tolist()


def test_an_ordinary_day():
    assert day_of("2026-03-02T00:00:00+01:00", 24, 60) == list(range(24))


def test_the_day_of_23_hours_has_no_hour_2():
    hours = day_of("2026-03-29T00:00:00+01:00", 24, 60)
    assert hours == [0, 1, *range(3, 24), 0]


def test_the_day_of_25_hours_has_hour_2_twice():
    hours = day_of("2026-10-25T00:00:00+02:00", 26, 60)
    assert hours == [0, 1, 2, 2, *range(3, 24), 0]


@pytest.mark.parametrize(
    ("start", "quarters", "of_hour_2"),
    [("2026-03-29T00:00:00+01:00", 92, 0), ("2026-10-25T00:00:00+02:00", 100, 8)],
)
def test_local_days_of_92_and_100_quarter_hours(start, quarters, of_hour_2):
    hours = day_of(start, quarters + 1, 15)
    assert hours[quarters] == 0 and hours[quarters - 1] == 23
    assert hours.count(2) == of_hour_2
    assert hours.count(5) == 4


def test_zones_with_half_hours_take_the_hour_in_which_the_slot_starts():
    hours = day_of("2026-03-02T00:00:00Z", 4, 30, "Asia/Kolkata")
    assert hours == [5, 6, 6, 7]


def test_slots_of_several_hours_take_the_hour_of_their_start():
    assert day_of("2026-03-02T03:00:00+01:00", 3, 480) == [3, 11, 19]


def test_the_offset_of_the_start_is_not_the_zone_of_the_profile():
    hours = day_of("2026-03-02T00:00:00-08:00", 3, 60, "America/New_York")
    assert hours == [3, 4, 5]


def test_profiles_by_time_go_through_a_clock_change_without_a_seam():
    start = pd.Timestamp("2026-03-28T23:00:00Z")
    times = pd.date_range(start, periods=48, freq="30min")
    profile = pd.DataFrame(
        {
            "feeder_id": np.repeat(["F2", "F1"], 48),
            "time": times.append(times).tz_convert("Europe/Zurich"),
            "capacity_kw": np.r_[np.arange(48.0), 50.0 + np.arange(48)],
            "base_kw": 0.0,
        }
    )
    arguments = good(start=start, slots=48, slot_minutes=30, feeder_profile=profile)
    capacity, _ = Scenario.from_frames(**arguments).capacity_base()
    np.testing.assert_array_equal(capacity[1], np.arange(48))
    np.testing.assert_array_equal(capacity[0], 50 + np.arange(48))


def test_naive_local_times_over_a_clock_change_are_explained_row_by_row():
    """92 quarter-hours written as 96 local ones: the four that do not exist."""
    local = pd.date_range("2026-03-29", periods=96, freq="15min")
    profile = pd.DataFrame(
        {"feeder_id": "F1", "time": local, "capacity_kw": 1.0, "base_kw": 0.0}
    )
    with pytest.raises(DataError) as caught:
        Scenario.from_frames(**good(feeder_profile=profile))
    faults = caught.value.faults
    gap = faults[faults["rule"].str.contains("does not exist")]
    assert gap["count"].tolist() == [4]
    assert "rows 8, 9, 10, 11" in gap["rule"].iloc[0]
    assert faults["count"].sum() == 96


def test_an_empty_hour_column_beside_time_is_no_mixture():
    arguments = good()
    arguments["feeder_profile"]["hour"] = np.nan
    capacity, base = Scenario.from_frames(**arguments).capacity_base()
    assert base[1, -1] == 80.0


def test_hours_are_checked_even_when_the_horizon_is_unknown():
    arguments = good(slot_minutes=17, feeder_profile=hourly()[:-1])
    with pytest.raises(DataError, match="'F2' lacks 1 of 24: 23"):
        Scenario.from_frames(**arguments)


def test_a_horizon_far_larger_than_the_profile_is_refused_without_filling_memory():
    with pytest.raises(DataError, match="21 feeders need 210000000 rows; found 48"):
        arguments = good(slots=10_000_000, slot_minutes=1)
        ids = [f"F{k}" for k in range(1, 22)]
        arguments["feeders"] = pd.DataFrame({"feeder_id": ids})
        Scenario.from_frames(**arguments)
