"""ActivitySim's trips as they are: who drives, when, how far, and wrong tables."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_samples import DATA

from macjax import DataError, SettingsError, importers
from macjax.importers.activitysim_order import chain_order, draw_seconds

REAL = [DATA / f"mtc_{t}.csv" for t in ("trips", "zones", "households", "persons")]
ZONES = pd.DataFrame(
    {"zone_id": [1, 2, 3], "x": [0.0, 3000, 3000], "y": [0.0, 4000, 0], "area_km2": 1.0}
)
TRIPS = pd.DataFrame(
    [
        (1, 7, 70, 1, 2, 8, "work", "DRIVEALONEFREE"),
        (2, 7, 70, 2, 3, 17, "shopping", "SHARED2FREE"),
        (3, 7, 70, 3, 1, 17, "Home", "SHARED2FREE"),
        (4, 8, 70, 1, 2, 9, "school", "SHARED3FREE"),
        (5, 9, 71, 2, 1, 23, "Home", "DRIVEALONEPAY"),
        (6, 9, 71, 1, 2, 6, "eatout", "WALK"),
    ],
    columns=["trip_id", "person_id", "household_id", "origin", "destination"]
    + ["depart", "purpose", "trip_mode"],
)
HOMES = pd.DataFrame(
    {"household_id": [70, 71], "home_zone_id": [1, 1], "auto_ownership": [1, 1]}
)


def load(trips=TRIPS, *more, **keywords):
    return importers.activitysim([trips, ZONES, *more], **keywords)


def found(imported, words: str) -> int:
    """Count of the finding that has these words; 0 if there is none."""
    rows = imported.report[imported.report["what"].str.contains(words, regex=False)]
    return int(rows["count"].sum())


def test_purposes_that_nobody_knows_are_told():
    assert found(load(TRIPS, HOMES), "unknown purposes") == 0
    strange = TRIPS.assign(purpose=TRIPS["purpose"].replace("shopping", "errand"))
    got = load(strange, HOMES)
    assert found(got, "unknown purposes are public places: errand 1") == 1
    assert got.stays["place"].tolist()[2] == "public"
    bare = load(TRIPS.drop(columns="purpose"), HOMES)
    assert found(bare, "no column of purposes: every place is public") == 5


def test_a_day_by_hand():
    got = load(TRIPS, HOMES, timezone="America/Los_Angeles")
    assert got.vehicles["vehicle_id"].tolist() == [7, 9]
    trips = got.trips
    # detour x straight line: 5 km, 4 km, 3 km; person 9 goes 5 km
    np.testing.assert_allclose(trips["distance_km"], [6.5, 5.2, 3.9, 6.5])
    np.testing.assert_allclose(trips["energy_kwh"], 0.18 * trips["distance_km"])
    local = trips["departure"].dt.tz_convert("America/Los_Angeles")
    assert local.dt.hour.tolist() == [8, 17, 17, 23]
    assert got.stays["place"].tolist()[:4] == ["home", "work", "public", "home"]
    assert got.stays["zone"].tolist()[:4] == ["1", "2", "3", "1"]
    assert got.stays[["x", "y"]].to_numpy()[1].tolist() == [3000, 4000]
    # person 9 does not start at home: no charger before, one after
    assert got.stays["charger_kw"].tolist() == [7.2, 0, 0, 7.2, 0, 7.2]
    assert found(got, "not by car: WALK 1") == 1
    assert found(got, "never drive alone") == 1
    assert found(got, "ends elsewhere than it began") == 1
    assert got.scenario().slots == 24


def test_the_real_sample():
    got = importers.activitysim(REAL, timezone="America/Los_Angeles")
    assert sorted(got.vehicles["vehicle_id"]) == [19422, 2794936, 3322790]
    scenario = got.scenario()
    # A vehicle's stays and trips fill the day without overlap: from_frames sees to
    # the overlaps, so that lengths add up.
    spans = [
        (frame["departure"] - frame["arrival"]).abs().dt.total_seconds().sum()
        for frame in (scenario.stays, scenario.trips)
    ]
    assert sum(spans) == pytest.approx(3 * scenario.slots * 3600)
    assert found(got, "not by car") == 21


def test_drivers_by_age_cars_and_rule():
    people = pd.DataFrame({"person_id": [7, 8, 9], "age": [15, 40, 40]})
    got = load(TRIPS, people)
    assert got.vehicles["vehicle_id"].tolist() == [9] and found(got, "under 16") == 1
    got = load(TRIPS, HOMES, drivers="all")
    assert got.vehicles["vehicle_id"].tolist() == [7, 9]
    assert found(got, "beyond the household's cars") == 1
    assert load(TRIPS, drivers="all").vehicles["vehicle_id"].tolist() == [7, 8, 9]
    assert len(load(TRIPS, modes="DRIVEALONE").trips) == 2


def test_distances_by_column_and_skim():
    miles = TRIPS.assign(miles=[1.0, 2, 3, 4, 5, 6])
    got = importers.activitysim(miles, distance_column="miles", km_per_unit=1.609344)
    assert got.trips["distance_km"].sum() == pytest.approx(1.609344 * (1 + 2 + 3 + 5))
    assert got.stays.columns.tolist()[-1] == "zone"
    pairs = pd.DataFrame(
        {"origin": [1, 2, 3, 2], "destination": [2, 3, 1, 1], "DIST": [1.0, 2, 3, 4]}
    )
    got = importers.activitysim([TRIPS, pairs])
    assert got.trips["distance_km"].tolist() == [1, 2, 3, 4]
    with pytest.raises(DataError, match=r"pair of zones is not in frame \(line 5\)"):
        importers.activitysim([TRIPS, pairs.iloc[:3]])


def test_zones_in_degrees_are_laid_flat():
    degrees = ZONES.assign(lon=[8.0, 8.01, 8.0], lat=[50.0, 50.0, 50.01])
    degrees = degrees.drop(columns=["x", "y"])
    got = importers.activitysim([TRIPS.iloc[:1], degrees], detour=1.0)
    # 0.01 degrees of longitude at 50 degrees north are 715 m: the least is 800 m
    assert got.trips["distance_km"].tolist() == [0.8]
    far = degrees.assign(lon=[8.0, 8.1, 8.0])
    got = importers.activitysim([TRIPS.iloc[:1], far], detour=1.0)
    assert got.trips["distance_km"][0] == pytest.approx(7.147, rel=2e-3)


def test_half_hour_bins_of_other_models():
    trips = TRIPS.assign(depart=[11, 29, 29, 13, 41, 7])  # bins from 3:00 on
    got = load(trips, bin_minutes=30, bin_zero_minutes=150)
    minute = got.trips["departure"].dt.hour * 60 + got.trips["departure"].dt.minute
    assert (minute // 30).tolist() == [16, 34, 34, 46]


def test_days_repeat_and_the_horizon_may_be_longer():
    got = load(TRIPS, HOMES, repeat=3, days=5, slot_minutes=30)
    assert got.horizon.slots == 240 and len(got.trips) == 12
    gaps = (
        got.trips["departure"].to_numpy()[3:6] - got.trips["departure"].to_numpy()[:3]
    )
    assert (gaps == np.timedelta64(1, "D")).all()
    assert found(got, "each further day begins") == 1
    short = load(TRIPS, HOMES, repeat=3, days=1)
    assert len(short.trips) == 4 and found(short, "depart after the horizon") == 8


@given(st.permutations(range(len(TRIPS))), st.integers(0, 5))
@settings(max_examples=15)
def test_the_order_of_rows_does_not_matter(order, seed):
    one = load(TRIPS, HOMES, seed=seed)
    other = load(TRIPS.iloc[list(order)].reset_index(drop=True), HOMES, seed=seed)
    for name in ("vehicles", "stays", "trips"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


@given(st.data())
@settings(max_examples=50)
def test_order_mends_chains_and_loses_no_trip(data):
    """In one bin the links that hold are at least as many as in the order of ties."""
    count = data.draw(st.integers(1, 8))
    zone = st.lists(st.integers(0, 2), min_size=count, max_size=count)
    origin, destination = (np.array(data.draw(zone)) for _ in range(2))
    person, home = np.zeros(count, int), np.zeros(count, int)
    tie = np.arange(count)

    def links(order) -> int:
        ends = np.append(0, destination[order][:-1])
        return int((ends == origin[order]).sum())

    order = chain_order(person, person, tie, origin, destination, home)
    assert sorted(order) == list(range(count))
    assert links(order) >= links(np.arange(count))


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(0, 9))
@settings(max_examples=30)
def test_draws_stay_in_their_bins_and_increase(bins, seed):
    begin = 3600 * np.sort(np.array(bins, np.int64))
    drawn = draw_seconds(np.zeros(len(begin), int), begin, 3600, seed)
    assert ((drawn >= begin) & (drawn < begin + 3600)).all()
    assert (np.diff(drawn) >= 0).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"depart": [8, 17, "x", 9, 23, 6]},
            r"depart: must be numbers.*\(line 3\).*: 3",
        ),
        ({"depart": [8, 17, 17.5, 9, 23, 6]}, "depart: must be a whole number"),
        ({"depart": [8, 17, 40, 9, 23, 6]}, "depart: is no time of the day"),
        ({"depart": [8, 17, -1, 9, 23, 6]}, "depart: must be at least 0"),
        ({"destination": [2, 99, 1, 2, 1, 2]}, r"zone '99' is not in frame \(line 2\)"),
        ({"trip_id": [1, 2, 2, 4, 5, 6]}, r"must be unique.*\(lines 2, 3\)"),
        ({"person_id": [7, 7, None, 8, 9, 9]}, r"person_id: must have a value"),
        ({"household_id": [70, 70, 70, 70, 72, 71]}, "'72' is not in frame"),
    ],
)
def test_wrong_rows_are_named_and_can_be_dropped(change, said):
    with pytest.raises(DataError, match=said):
        load(TRIPS.assign(**change), HOMES)
    got = load(TRIPS.assign(**change), HOMES, on_fault="drop")
    # The person of a wrong row is left out as a whole, if it names one.
    assert len(got.vehicles) == (2 if "person_id" in change else 1)
    assert (got.report["action"] == "left out").any()


def test_wrong_tables_are_named():
    with pytest.raises(DataError, match="depart: the column is missing"):
        load(TRIPS.drop(columns="depart"))
    with pytest.raises(DataError, match="gives no distances"):
        importers.activitysim(TRIPS)
    with pytest.raises(DataError, match="no table of trips"):
        importers.activitysim([ZONES, HOMES])
    with pytest.raises(DataError, match="is a second table of zones"):
        importers.activitysim([TRIPS, ZONES, ZONES])
    with pytest.raises(DataError, match="is none of trips, persons"):
        importers.activitysim([TRIPS, ZONES, pd.DataFrame({"weather": [1]})])
    with pytest.raises(DataError, match="must be unique"):
        importers.activitysim([TRIPS, ZONES.assign(zone_id=[1, 2, 2])])
    nowhere = [TRIPS, ZONES.assign(x=[0, np.nan, 3000])]
    with pytest.raises(DataError, match=r"x: must have a value \(line 2\)"):
        importers.activitysim(nowhere)
    with pytest.raises(DataError, match="holds no car trip"):
        importers.activitysim(nowhere, on_fault="drop")
    bare = importers.activitysim([TRIPS, ZONES.drop(columns="area_km2")])
    assert found(bare, "no area") == 3
    with pytest.raises(DataError, match="holds no car trip"):
        load(TRIPS.assign(trip_mode="WALK"))
    land_use = pd.DataFrame({"TAZ": [1], "TOTHH": [3]})
    assert found(load(TRIPS, land_use), "no centroids") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"drivers": "some"},
        {"modes": "("},
        {"bin_minutes": 0},
        {"bin_zero_minutes": 1.5},
        {"detour": 0},
        {"km_per_unit": "mile"},
        {"repeat": 0},
        {"days": 1.5},
        {"cars": {"battery_kwh": 50}},
        {"on_fault": "skip"},
        {"timezone": "Nowhere"},
    ],
)
def test_wrong_settings(wrong):
    with pytest.raises(SettingsError):
        load(TRIPS, **wrong)
