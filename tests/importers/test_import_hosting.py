"""Hourly hosting capacity as headroom: sections, days, dates, and gaps."""

import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_samples import ica

from macjax import DataError, SettingsError, importers

LOADS = pd.DataFrame(
    [
        ("0120", f"{month:02d}_{hour:02d}", 10.0 * hour, 20.0 * hour)
        for month in range(1, 13)
        for hour in range(24)
    ],
    columns=["FeederID", "MonthHour", "Light", "High"],
)


def found(imported, words: str) -> int:
    rows = imported.report[imported.report["what"].str.contains(words, regex=False)]
    return int(rows["count"].sum())


def named(tmp_path, frame, name="LICA_0120.csv"):
    path = tmp_path / name
    data = frame.to_csv(index=False).encode()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(path.stem + ".csv", data)
    else:
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def headroom(imported) -> np.ndarray:
    profile = imported.feeder_profile
    return (profile["capacity_kw"] - profile["base_kw"]).to_numpy()


@pytest.mark.parametrize("name", ["LICA_0120.csv", "0120.csv.gz", "0120.zip"])
def test_a_month_by_hour(tmp_path, name):
    path = named(tmp_path, ica(), name)
    got = importers.hosting_capacity(path, month=9)
    assert got.feeders["feeder_id"].tolist() == ["0120"]
    assert got.feeder_profile["hour"].tolist() == list(range(24))
    np.testing.assert_allclose(headroom(got), 300 + 9 + np.arange(24))
    assert (got.feeder_profile["base_kw"] == 0).all()
    assert found(got, "hosting capacity for generation") == len(ica()) / 2
    light = importers.hosting_capacity(path, month=9, day="min")
    np.testing.assert_allclose(headroom(light), 350 + 9 + np.arange(24))


@pytest.mark.parametrize(
    ("section", "base"),
    [("min", 100), ("median", 300), ("max", 500), (0.2, 100), (1, 500)],
)
def test_the_section_that_stands_for_a_feeder(tmp_path, section, base):
    got = importers.hosting_capacity(named(tmp_path, ica()), month=1, section=section)
    np.testing.assert_allclose(headroom(got), base + 1 + np.arange(24))


def test_limits_by_voltage(tmp_path):
    path = named(tmp_path, ica())
    got = importers.hosting_capacity(path, month=1, limit="voltage")
    assert (headroom(got) == 200).all()
    got = importers.hosting_capacity(path, month=1, limit="both", section="min")
    np.testing.assert_allclose(headroom(got), np.minimum(101 + np.arange(24), 200))


def test_dates_take_their_month_and_kind_of_day(tmp_path):
    path = named(tmp_path, ica())
    got = importers.hosting_capacity(
        path, start="2026-02-27", days=4, weekend="min", slot_minutes=30
    )  # a Friday
    assert got.horizon.slots == 4 * 48
    rooms = headroom(got).reshape(4, 48)
    hours = np.repeat(np.arange(24), 2)
    for row, month, extra in zip(rooms, (2, 2, 3, 3), (0, 50, 50, 0), strict=True):
        np.testing.assert_allclose(row, 300 + month + extra + hours)
    wide = importers.hosting_capacity(
        path, start="2026-02-27", days=1, slot_minutes=120
    )
    # The least of the hours of a slot binds.
    np.testing.assert_allclose(headroom(wide), 302 + np.arange(0, 24, 2))


def test_hours_are_those_of_the_local_clock(tmp_path):
    got = importers.hosting_capacity(named(tmp_path, ica()), start="2026-03-08", days=1)
    hours = [0, 1, *range(3, 24), 0]  # the clocks go forward at 2:00
    months = [3] * 24
    np.testing.assert_allclose(headroom(got), 300 + np.add(months, hours))


def test_slots_across_hours_take_the_least_capacity_and_the_mean_load(tmp_path):
    # Hosting capacity falls from hour to hour, the load is 20 kW x hour.
    falling = ica()
    falling["IC_Thermal_kW"] = 1000.0 - falling["Hour"]
    path, loads = named(tmp_path, falling), named(tmp_path, LOADS, "loads.csv")
    got = importers.hosting_capacity(
        [path, loads], start="2026-03-08", days=1, slot_minutes=90
    )  # the clocks go forward at 2:00, and local hours are 0, 1, 3, 4, ...
    clock = np.repeat([0, 1, *range(3, 24), 0], 2).reshape(16, 3)
    np.testing.assert_allclose(headroom(got), 1000 - clock.max(axis=1))
    np.testing.assert_allclose(got.feeder_profile["base_kw"], 20 * clock.mean(axis=1))


def test_loads_lie_below_the_hosting_capacity(tmp_path):
    path, loads = named(tmp_path, ica()), named(tmp_path, LOADS, "loads.csv")
    got = importers.hosting_capacity([path, loads], month=4)
    np.testing.assert_allclose(headroom(got), 304 + np.arange(24))
    np.testing.assert_allclose(got.feeder_profile["base_kw"], 20 * np.arange(24))
    light = importers.hosting_capacity([path, loads], month=4, day="min")
    np.testing.assert_allclose(light.feeder_profile["base_kw"], 10 * np.arange(24))
    other = named(tmp_path, LOADS.assign(FeederID="0999"), "loads.csv")
    got = importers.hosting_capacity([path, other], month=4)
    assert (got.feeder_profile["base_kw"] == 0).all()
    assert found(got, "without a load in every hour") == 1
    assert found(got, "with a load and without hosting capacity") == 1


def test_a_plain_table_of_many_feeders():
    plain = pd.DataFrame(
        [
            (feeder, day, month, hour, base + hour)
            for feeder, base in (("a", 10), ("b", 20))
            for day in ("min", "max")
            for month in (1, 2)
            for hour in range(1, 25)
        ],
        columns=["feeder_id", "day_type", "month", "hour", "hosting_capacity_kw"],
    )
    got = importers.hosting_capacity(plain, month=2)
    assert got.feeders["feeder_id"].tolist() == ["a", "b"]
    want = np.concatenate([10 + np.arange(1, 25), 20 + np.arange(1, 25)])
    np.testing.assert_allclose(headroom(got), want)
    assert found(got, "hours count from 1 to 24") == 192
    single = plain[plain["day_type"] == "max"].drop(columns="day_type")
    got = importers.hosting_capacity(single, month=2, day="min")
    np.testing.assert_allclose(headroom(got), want)
    assert found(got, "one kind of day") == 96


def test_spellings_of_another_utility(tmp_path):
    """SCE's columns: circuit, node, type of load profile, limits by name."""
    frame = ica()[ica()["LoadOrGen"] == "L"].drop(columns="LoadOrGen")
    frame = frame.rename(
        columns={
            "LineSectionID": "Node ID",
            "Loading_Scenario": "Load Profile Type",
            "IC_Thermal_kW": "Thermal Load (kW)",
            "IC_Voltage_kW": "SSV Load (kW)",
        }
    ).assign(**{"Circuit Name": "PROFESSOR"})
    words = frame["Load Profile Type"].map({10: "Min", 90: "Max"})
    frame["Load Profile Type"] = words
    got = importers.hosting_capacity(named(tmp_path, frame, "drpep.csv"), month=9)
    assert got.feeders["feeder_id"].tolist() == ["PROFESSOR"]
    np.testing.assert_allclose(headroom(got), 309 + np.arange(24))


@given(st.integers(0, 99), st.integers(1, 12), st.sampled_from(["min", "median"]))
@settings(max_examples=10)
def test_the_order_of_rows_does_not_matter(seed, month, section):
    frame = ica().assign(feeder_id="f")
    order = np.random.default_rng(seed).permutation(len(frame))
    one = importers.hosting_capacity(frame, month=month, section=section)
    shuffled = frame.iloc[order].reset_index(drop=True)
    other = importers.hosting_capacity(shuffled, month=month, section=section)
    pd.testing.assert_frame_equal(one.feeder_profile, other.feeder_profile)


def test_the_least_of_several_values_counts(tmp_path):
    frame = ica()
    more = frame[(frame["Month"] == 5) & (frame["Hour"] == 3)]
    more = more.assign(IC_Thermal_kW=more["IC_Thermal_kW"] - 40)
    path = named(tmp_path, pd.concat([frame, frame, more]))
    got = importers.hosting_capacity(path, month=5)
    want = 305 + np.arange(24.0)
    want[3] -= 40
    np.testing.assert_allclose(headroom(got), want)
    # Rows that are twice the same are one; three sections have more at 3:00, twice.
    assert found(got, "the least one") == 3 * 2


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("IC_Thermal_kW", -1, "IC_Thermal_kW: must be at least 0"),
        ("IC_Thermal_kW", "none", r"must be numbers; found text, e.g. 'none'"),
        ("Month", 13, r"Month: must be at least 1 and at most 12.*\(line 2\)"),
        ("Hour", 24, "Hour: must be from 0 to 23"),
        ("Hour", 7.5, "Hour: must be a whole number"),
        ("Loading_Scenario", 50, "must be 90 or max, 10 or min; found '50'"),
    ],
)
def test_wrong_rows_are_named(tmp_path, column, value, said):
    frame = ica(scenarios=(90,)).astype(object)
    frame.loc[0, column] = value
    path = named(tmp_path, frame)
    with pytest.raises(DataError, match=said):
        importers.hosting_capacity(path, month=9)
    got = importers.hosting_capacity(path, month=9, on_fault="drop")
    np.testing.assert_allclose(headroom(got), 309 + np.arange(24))


def test_gaps_are_faults_and_can_be_dropped(tmp_path):
    frame = ica().assign(feeder_id="whole")
    gap = frame[(frame["Month"] != 9) | (frame["Hour"] != 5)].assign(feeder_id="gap")
    path = named(tmp_path, pd.concat([frame, gap]))
    with pytest.raises(DataError, match="'gap' first hour 5 of month 9"):
        importers.hosting_capacity(path, month=9)
    got = importers.hosting_capacity(path, month=9, on_fault="drop")
    assert got.feeders["feeder_id"].tolist() == ["whole"]
    both = importers.hosting_capacity(path, month=8)
    assert len(both.feeders) == 2  # the hour that lacks is not used


def test_wrong_files_and_settings(tmp_path):
    path = named(tmp_path, ica())
    with pytest.raises(DataError, match="month: no such column"):
        importers.hosting_capacity(
            named(tmp_path, ica().drop(columns="Month")), month=1
        )
    path = named(tmp_path, ica())
    with pytest.raises(DataError, match="no column names the feeder"):
        importers.hosting_capacity(ica(), month=1)
    with pytest.raises(DataError, match="is in more than one file"):
        importers.hosting_capacity([path, path], month=1)
    with pytest.raises(DataError, match="no file has hosting capacity"):
        importers.hosting_capacity(LOADS, month=1)
    generation = ica()[ica()["LoadOrGen"] == "G"]
    with pytest.raises(DataError, match="has no row of hosting capacity for load"):
        importers.hosting_capacity(named(tmp_path, generation, "g.csv"), month=1)
    with pytest.raises(DataError, match="must be month_hour"):
        wrong = named(tmp_path, LOADS.assign(MonthHour="Jan 1"), "l.csv")
        importers.hosting_capacity([path, wrong], month=1)
    with pytest.raises(DataError, match="several rows for one hour"):
        wrong = named(tmp_path, pd.concat([LOADS, LOADS]), "l.csv")
        importers.hosting_capacity([path, wrong], month=1)
    for wrong in (
        {},
        {"month": 1, "start": "2026-01-01"},
        {"month": 13},
        {"month": True},
        {"month": 1, "upgrade_cost_per_kw": -1},
        {"month": 1, "upgrade_cost_per_kw": "much"},
        {"month": 1, "day": "mean"},
        {"month": 1, "section": "worst"},
        {"month": 1, "section": 1.5},
        {"month": 1, "limit": "amps"},
        {"start": "2026-01-01", "weekend": "off"},
    ):
        with pytest.raises(SettingsError):
            importers.hosting_capacity(path, **wrong)
