"""Whole regions: chains without overlap that every car can drive, and what scales."""

import dataclasses
import datetime
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from made_survey import make_survey, with_stops, write_survey

from macjax import regions
from macjax._errors import DataError, RegionWarning, SettingsError
from macjax.regions import builder
from macjax.regions.cars import build_cars
from macjax.regions.itinerary import AT_FAST
from macjax.regions.parameters import COUNTIES
from macjax.regions.population import NUMBERS

TABLES = ("vehicles", "stays", "trips", "feeders", "feeder_profile")
HOUR = pd.Timedelta("1h")
# Feeders of the made-up region: a dozen
FEEDERS = {"customers_per_feeder": 4000.0}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_survey(with_stops(make_survey()), tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def base(raw):
    return {"data": raw, "sample": 0.03, "feeders": FEEDERS}


@pytest.fixture(scope="module")
def built(base):
    return regions.build_with_facts(base)


def hours(times: pd.Series, scenario) -> np.ndarray:
    return ((pd.to_datetime(times, utc=True) - scenario.start) / HOUR).to_numpy()


def diary(scenario) -> dict:
    """Stays and trips of each vehicle in time order: (begin, end, kind, value)."""
    rows = {vehicle: [] for vehicle in scenario.vehicles["vehicle_id"]}
    for table, begin, end, kind, value in (
        (scenario.stays, "arrival", "departure", "stay", "charger_kw"),
        (scenario.trips, "departure", "arrival", "trip", "energy_kwh"),
    ):
        columns = (hours(table[begin], scenario), hours(table[end], scenario))
        for vehicle, a, b, x in zip(
            table["vehicle_id"], *columns, table[value], strict=True
        ):
            rows[vehicle].append((a, b, kind, x))
    return {vehicle: sorted(row) for vehicle, row in rows.items()}


def check_chains(scenario) -> None:
    """No gap, no overlap, at home at first, and a SOC that greedy charging keeps."""
    rows = diary(scenario)
    end = scenario.slots * scenario.slot_minutes / 60
    places = scenario.stays.groupby("vehicle_id")["place"]
    assert (places.first() == "home").all()
    for car in scenario.vehicles.itertuples():
        row = rows[car.vehicle_id]
        kinds = [kind for _, _, kind, _ in row]
        assert kinds[::2] == ["stay"] * len(kinds[::2])
        assert kinds[1::2] == ["trip"] * len(kinds[1::2])
        assert row[0][0] == 0 and row[-1][1] >= end - 1e-9
        soc = car.initial_kwh
        assert car.reserve_kwh - 1e-9 <= soc <= car.battery_kwh
        for k, (begin, until, kind, value) in enumerate(row):
            assert k == 0 or begin == row[k - 1][1]
            assert until > begin
            if kind == "stay":
                gain = car.charge_efficiency * value * (until - begin)
                soc = min(car.battery_kwh, soc + gain)
            else:
                soc -= value
            assert soc >= car.reserve_kwh - 1e-6
        assert car.reserve_kwh - 1e-9 <= car.final_kwh <= soc + 1e-6


def by_id(scenario, table: str) -> dict:
    """The rows of each vehicle as plain values."""
    frame = getattr(scenario, table).drop(columns="weight", errors="ignore")
    groups = frame.astype(object).groupby("vehicle_id", sort=False)
    return {name: rows.to_numpy().tolist() for name, rows in groups}


def test_chains_are_whole_and_every_car_can_drive_them(built):
    scenario = built.scenario
    assert scenario.validate() is None and len(scenario.vehicles) > 200
    check_chains(scenario)


@pytest.mark.filterwarnings("ignore::macjax.RegionWarning")
@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 10**6),
    days=st.integers(1, 9),
    start=st.dates(datetime.date(2026, 1, 1), datetime.date(2027, 12, 31)),
    minutes=st.sampled_from([15, 30, 60, 1440]),
    battery=st.floats(15, 90),
    reserve=st.floats(0, 0.4),
    home=st.floats(0, 1),
    hectic=st.floats(0, 60),
)
def test_any_configuration_gives_whole_chains(
    raw, seed, days, start, minutes, battery, reserve, home, hectic
):
    config = {
        "data": raw,
        "sample": 0.002,
        "seed": seed,
        "days": days,
        "start": start,
        "slot_minutes": minutes,
        "feeders": FEEDERS,
        "fleet": {"battery_kwh": [battery, 1.5 * battery], "reserve_share": reserve},
        "chargers": {"home_shares": [home, home, home]},
        "travel": {"habit_shift_minutes": hectic, "shortest_stay_minutes": 25},
    }
    try:
        built = regions.build_with_facts(config)
    except DataError as error:  # batteries that serve nobody
        assume("the region has no car" not in str(error))
        raise
    check_chains(built.scenario)
    rules = built.facts["rows_by_rule"]
    left_out = rules["left out, no charging makes the week possible"]
    assert rules["built"] == rules["kept"] + left_out
    assert rules["kept"] == len(built.scenario.vehicles)


def test_same_seed_gives_the_same_scenario(base, built):
    again = regions.build_with_facts(base)
    assert again.scenario.fingerprint == built.scenario.fingerprint
    assert again.facts == built.facts
    other = regions.build(base, seed=1)
    assert other.fingerprint != built.scenario.fingerprint


def test_order_of_the_survey_rows_means_nothing(base, built, tmp_path):
    survey = regions.read_survey(base["data"])
    rng = np.random.default_rng(4)
    shuffled = survey._replace(
        **{
            name: frame.iloc[rng.permutation(len(frame))]
            for name, frame in survey._asdict().items()
        }
    )
    folder = write_survey(shuffled, tmp_path / "shuffled")
    other = regions.build({**base, "data": folder})
    assert other.fingerprint == built.scenario.fingerprint


def test_size_of_the_chunks_means_nothing(base, built, monkeypatch):
    monkeypatch.setattr(builder, "CHUNK", 37)
    assert regions.build(base).fingerprint == built.scenario.fingerprint


@pytest.mark.filterwarnings("ignore::macjax.RegionWarning")
def test_a_car_is_the_same_in_a_sample_and_in_all(base):
    whole = regions.build(base, sample=1.0, adoption=0.01)
    some = regions.build(base, sample=0.2, adoption=0.01)
    more = regions.build(base, sample=1.0, adoption=0.015)
    for fewer, other in ((some, whole), (whole, more)):
        for table in ("vehicles", "stays", "trips"):
            mine, theirs = by_id(fewer, table), by_id(other, table)
            assert 50 < len(mine) < len(theirs)
            assert all(mine[name] == theirs[name] for name in mine)


def energy(scenario) -> float:
    weight = scenario.vehicles.set_index("vehicle_id")["weight"]
    trips = scenario.trips
    return float(
        (weight.reindex(trips["vehicle_id"]).to_numpy() * trips["energy_kwh"]).sum()
    )


def test_energy_grows_with_adoption_and_not_with_the_sample(base):
    whole = energy(regions.build(base, sample=0.5, adoption=0.2))
    assert energy(regions.build(base, sample=0.1, adoption=0.2)) == pytest.approx(
        whole, rel=0.06
    )
    assert energy(regions.build(base, sample=0.25, adoption=0.4)) == pytest.approx(
        2 * whole, rel=0.06
    )


def test_finer_slots_give_the_same_stays(base, built):
    for minutes in (30, 15):
        other = regions.build({**base, "slot_minutes": minutes})
        assert other.slots == 168 * 60 // minutes
        for table in ("vehicles", "stays", "trips", "feeders"):
            pd.testing.assert_frame_equal(
                getattr(other, table), getattr(built.scenario, table)
            )
        for mine, theirs in zip(
            other.capacity_base(), built.scenario.capacity_base(), strict=True
        ):
            np.testing.assert_array_equal(mine[:, :: 60 // minutes], theirs)


def test_weekdays_and_weekends_differ(built):
    scenario = built.scenario
    local = scenario.trips["departure"].dt.tz_convert(scenario.timezone).dt
    weight = np.bincount(local.day_of_week, minlength=7)
    assert weight[5:].max() < weight[:5].min()
    work = scenario.stays[scenario.stays["place"] == "work"]
    days = work["arrival"].dt.tz_convert(scenario.timezone).dt.day_of_week
    assert days.max() <= 4
    _, load = scenario.capacity_base()
    assert (load[:, 13] >= load[:, 5 * 24 + 13]).all()


def test_stays_are_on_feeders_of_their_zone(base, built):
    scenario = built.scenario
    world = builder.prepare(built.config)
    feeder = world.network.feeders["feeder_id"].to_numpy()
    edges = np.concatenate([[0], world.network.edges, [np.inf]])
    homes = scenario.stays[scenario.stays["place"] == "home"]
    of_zone = {}
    for z, begin in enumerate(world.network.start):
        end = begin + world.network.length[z]
        meets = (edges[1:] > begin) & (edges[:-1] < end)
        of_zone[world.ground.zones.ids[z]] = set(feeder[meets])
    zones = scenario.vehicles.set_index("vehicle_id")["home_zone"]
    for vehicle, rows in homes.groupby("vehicle_id"):
        assert rows["feeder_id"].nunique() == 1
        assert rows["feeder_id"].iloc[0] in of_zone[zones[vehicle]]
        assert vehicle // NUMBERS == zones[vehicle]


def test_counties_keep_residents_and_those_who_charge_there(base, built):
    county = built.scenario.feeders["county"].iloc[0]
    part = regions.build_with_facts({**base, "counties": [county]})
    scenario = part.scenario
    assert set(scenario.feeders["county"]) == {county}
    assert set(scenario.feeders["feeder_id"]) < set(built.scenario.feeders["feeder_id"])
    mine = set(scenario.feeders["feeder_id"])
    stays = built.scenario.stays
    charges = stays["feeder_id"].isin(mine) & (stays["charger_kw"] > 0)
    number = next(n for n, name in COUNTIES.items() if name == county)
    zones = regions.read_survey(base["data"]).zones.set_index("zone_id")["county_id"]
    homes = built.scenario.vehicles.set_index("vehicle_id")["home_zone"].map(zones)
    expected = set(stays["vehicle_id"][charges]) | set(homes.index[homes == number])
    assert set(scenario.vehicles["vehicle_id"]) == expected
    outside = scenario.stays["feeder_id"].isna()
    assert outside.any() and not outside.all()
    facts = part.facts
    assert facts["rows_by_rule"]["live elsewhere and do not charge here"] > 0
    assert facts["stays_with_charger_on_no_feeder"] == int(
        (outside & (scenario.stays["charger_kw"] > 0)).sum()
    )
    alone = regions.build({**base, "counties": [county], "visitors": False})
    assert set(alone.vehicles["vehicle_id"]) == set(homes.index[homes == number])


def test_facts_say_what_the_tables_say(built):
    scenario, facts = built.scenario, json.loads(json.dumps(built.facts))
    vehicles = scenario.vehicles
    weight = vehicles["weight"].iloc[0]
    assert facts["electric_cars_in_scenario"] == round(vehicles["weight"].sum())
    km = scenario.trips["distance_km"].sum() / (7 * len(vehicles))
    assert facts["km_per_car_day"] == pytest.approx(km, abs=0.01)
    assert facts["weight_of_a_row"] == pytest.approx(weight, rel=1e-6)
    rules = facts["rows_by_rule"]
    dropped = rules["left out, no charging makes the week possible"]
    total = facts["electric_cars_in_region"]
    assert (len(vehicles) + dropped) * weight == pytest.approx(total)
    fast = scenario.stays[scenario.stays["place"] == "fast"]["vehicle_id"].nunique()
    assert facts["fast_stop_share"] == pytest.approx(fast / len(vehicles), abs=1e-3)
    unmanaged = facts["unmanaged"]
    assert 0 <= unmanaged["feeders_overloaded"] <= facts["feeders"]
    assert unmanaged["upgrade_kw"] >= unmanaged["upgrade_kw_without_cars"]
    text = regions.report(facts)
    assert f"{facts['vehicles']:,} rows" in text and "unmanaged" in text


def test_stops_serve_cars_without_another_charger(built):
    scenario = built.scenario
    vehicles = scenario.vehicles.set_index("vehicle_id")
    fast = scenario.stays[scenario.stays["place"] == "fast"]
    without = (vehicles["home_kw"] == 0) & (vehicles["work_kw"] == 0)
    served = without[fast["vehicle_id"].unique()]
    rules = built.facts["rows_by_rule"]
    assert (~served).sum() <= rules["fast stops, their chargers do not carry them"]
    assert served.sum() <= rules["fast stops, no charger at home or work"]
    assert set(fast["charger_kw"]) == {50.0}
    minutes = (fast["departure"] - fast["arrival"]).dt.total_seconds() / 60
    whole = fast["departure"] < scenario.end
    assert minutes[whole].min() >= 20


def test_stops_are_due_by_the_energy_gone_since_the_last(built):
    """Cars without a charger, day by day, from the SOC they were drawn at."""
    world = builder.prepare(built.config)
    week = build_cars(world, np.arange(400))
    cars, fleet, p = week.cars, built.config.fleet, built.config.chargers
    rate, days = p.fast_kw * fleet.efficiency / 60, range(7)
    checked = 0
    for car in np.flatnonzero(cars["without"] & cars["possible"]):
        trips = week.trips[week.trips["car"] == car]
        onward = (trips["place"].shift() == AT_FAST).to_numpy()
        used = [trips["energy_kwh"][~onward & (trips["day"] == d)].sum() for d in days]
        usable = cars["battery_kwh"][car] - cars["reserve_kwh"][car]
        gone = (1 - cars["share"][car]) * cars["battery_kwh"][car]
        for d in days:
            gone += used[d]
            following = next((e for e in used[d + 1 :] if e > 0), 0.0)
            stop = trips[(trips["day"] == d) & (trips["place"] == AT_FAST)]
            excess = gone + following - p.stop_share * usable
            if used[d] > 0 and abs(excess) > 0.01:
                assert (len(stop) == 1) == (excess > 0)
                checked += 1
            if len(stop):
                gone = max(gone - rate * stop["least_stay"].item(), 0)
    assert checked > 100


def test_energy_differs_from_day_to_day(built):
    trips = built.scenario.trips
    day = trips["departure"].dt.tz_convert(built.scenario.timezone).dt.day
    totals = trips.groupby([trips["vehicle_id"], day])[
        ["energy_kwh", "distance_km"]
    ].sum()
    rate = totals["energy_kwh"] / totals["distance_km"]
    rate = rate[totals["distance_km"] > 10]
    rate /= rate.groupby("vehicle_id").transform("mean")
    count = rate.groupby("vehicle_id").transform("size")
    whole = rate[count >= 5]
    spread = np.sqrt(
        (((whole - 1) ** 2) * count[count >= 5] / (count[count >= 5] - 1)).mean()
    )
    assert spread == pytest.approx(built.config.fleet.energy_spread, rel=0.1)


def test_cars_of_the_bay_area_can_drive_their_week():
    scenario = regions.build(sample=0.0003)
    assert len(scenario.vehicles) > 300
    check_chains(scenario)


@pytest.mark.filterwarnings("ignore::macjax.RegionWarning")
def test_a_car_that_no_charging_helps_is_left_out_and_counted(base):
    config = {**base, "fleet": {"battery_kwh": [12.0, 12.0], "reserve_share": 0.4}}
    built = regions.build_with_facts(config)
    left_out = built.facts["rows_by_rule"][
        "left out, no charging makes the week possible"
    ]
    assert left_out > 0
    assert (
        len(built.scenario.vehicles) == built.facts["rows_by_rule"]["built"] - left_out
    )
    check_chains(built.scenario)


def test_cars_that_are_left_out_are_told(base):
    small = {**base, "fleet": {"battery_kwh": [8.0, 16.0]}}
    with pytest.warns(RegionWarning, match=r"% of the cars, .* % of the km\)") as told:
        found = regions.build_with_facts(small)
    rules, facts = found.facts["rows_by_rule"], found.facts
    out = rules["left out, no charging makes the week possible"]
    all_rows = out + rules["kept"]
    assert facts["left_out_share_of_cars"] == round(out / all_rows, 5) > 0.01
    assert facts["left_out_share_of_km"] > facts["left_out_share_of_cars"]
    assert f"{out:,} of {all_rows:,} rows" in str(told[0].message)
    assert any(f"{out:,} of {all_rows:,} rows" in n for n in found.scenario.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sample": 1e-12}, "no car: adoption 0.3 gives .* raise sample or adoption"),
        ({"sample": 1e-12, "counties": ["napa"]}, "no car in the counties napa: "),
        ({"sample": 1e-12, "visitors": False}, "of which sample 1e-12 takes too few"),
        ({"sample": 1.0, "adoption": 1e-12}, "adoption 1e-12 gives 0 electric cars"),
        ({"fleet": {"reserve_share": 1.0}}, "fleet.reserve_share 1 and"),
    ],
)
def test_a_region_without_cars_is_refused(base, change, words):
    with pytest.raises(DataError, match=words):
        regions.build({**base, **change})
    with pytest.raises(DataError, match="the region has no car"):
        regions.build_with_facts({**base, **change})


def test_progress_is_told_on_stderr(base, capsys):
    regions.build(base, sample=0.002, progress=True)
    assert "cars" in capsys.readouterr().err
    regions.build(base, sample=0.002)
    assert capsys.readouterr().err == ""


def test_a_county_without_zones_is_named(raw, tmp_path):
    survey = regions.read_survey(raw)
    zones = survey.zones.assign(county_id=1)
    folder = write_survey(survey._replace(zones=zones), tmp_path / "one")
    with pytest.raises(DataError, match="no zone lies in the counties napa"):
        regions.build({"data": folder, "counties": ["napa"]})


def test_counties_of_other_regions_go_by_their_number(raw, tmp_path):
    survey = regions.read_survey(raw)
    zones = survey.zones.assign(county_id=survey.zones["county_id"] + 100)
    folder = write_survey(survey._replace(zones=zones), tmp_path / "other")
    config = {"data": folder, "counties": ["county103"], "sample": 0.01}
    scenario = regions.build(config)
    assert set(scenario.feeders["county"]) == {"county103"}
    homes = zones.set_index("zone_id")["county_id"]
    assert (scenario.vehicles["home_zone"].map(homes) == 103).any()


def test_a_survey_without_drivers_is_named(raw, tmp_path):
    survey = regions.read_survey(raw)
    trips = survey.trips.assign(trip_mode="WALK")
    folder = write_survey(survey._replace(trips=trips), tmp_path / "walk")
    with pytest.raises(DataError, match="no driver of the survey can be followed"):
        regions.build({"data": folder})


def test_tables_that_are_not_there_are_named(tmp_path):
    with pytest.raises(SettingsError, match="has none of households.parquet"):
        regions.build({"data": str(tmp_path)})
    (tmp_path / "households.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SettingsError, match="cannot be read"):
        regions.build({"data": str(tmp_path)})


def test_a_configuration_object_is_taken_as_it_is(base, built):
    config = dataclasses.replace(built.config, sample=0.01)
    assert (
        regions.build(config).fingerprint
        == regions.build(base, sample=0.01).fingerprint
    )
