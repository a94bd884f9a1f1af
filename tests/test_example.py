"""The bundled scenario: valid, possible for every car, and what its facts say."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from macjax.examples import example, example_assumptions, example_facts
from macjax.regions.example import build
from macjax.regions.facts import place_shares
from macjax.regions.survey import read_survey

HOUR = pd.Timedelta("1h")
KIB = 1024


@pytest.fixture(scope="module")
def scenario():
    return example()


def hours(times: pd.Series, scenario) -> np.ndarray:
    """Instants as hours since the start of the horizon."""
    return ((pd.to_datetime(times, utc=True) - scenario.start) / HOUR).to_numpy()


def events(scenario) -> dict:
    """Stays and trips of each vehicle in time order, as plain lists of tuples.

    ("stay", begin, end, kW) and ("trip", begin, end, kWh), hours since the start.
    """
    rows = {vehicle: [] for vehicle in scenario.vehicles["vehicle_id"]}
    stays, trips = scenario.stays, scenario.trips
    for vehicle, begin, end, kw in zip(
        stays["vehicle_id"],
        hours(stays["arrival"], scenario),
        hours(stays["departure"], scenario),
        stays["charger_kw"],
        strict=True,
    ):
        rows[vehicle].append((begin, end, "stay", kw))
    for vehicle, begin, end, kwh in zip(
        trips["vehicle_id"],
        hours(trips["departure"], scenario),
        hours(trips["arrival"], scenario),
        trips["energy_kwh"],
        strict=True,
    ):
        rows[vehicle].append((begin, end, "trip", kwh))
    return {vehicle: sorted(row) for vehicle, row in rows.items()}


def test_is_valid_and_of_the_stated_size(scenario):
    assert scenario.validate() is None
    facts = example_facts()
    assert scenario.slots == 168 and scenario.slot_minutes == 60
    assert scenario.start == pd.Timestamp("2026-09-14T00:00:00-07:00")
    assert scenario.start.tz_convert(scenario.timezone).day_name() == "Monday"
    for table in ("vehicles", "stays", "trips", "feeders"):
        assert len(getattr(scenario, table)) == facts[table]
    assert 1000 <= facts["vehicles"] <= 2000
    assert set(scenario.vehicles["vehicle_id"]) == set(scenario.stays["vehicle_id"])


def test_is_the_same_each_time(scenario):
    assert example().fingerprint == scenario.fingerprint


def test_stays_and_trips_fill_the_week_of_each_car(scenario):
    for vehicle, row in events(scenario).items():
        kinds = [kind for _, _, kind, _ in row]
        assert kinds[::2] == ["stay"] * len(kinds[::2]), vehicle
        assert kinds[1::2] == ["trip"] * len(kinds[1::2]), vehicle
        assert row[0][0] == 0 and row[-1][1] >= scenario.slots, vehicle
        for before, after in zip(row, row[1:], strict=False):
            assert before[1] == after[0], vehicle


def test_every_car_can_travel_and_end_as_full_as_asked(scenario):
    rows = events(scenario)
    for car in scenario.vehicles.itertuples():
        soc = car.initial_kwh
        assert car.reserve_kwh <= car.initial_kwh <= car.battery_kwh
        for begin, end, kind, value in rows[car.vehicle_id]:
            if kind == "stay":
                gain = car.charge_efficiency * value * (end - begin)
                soc = min(car.battery_kwh, soc + gain)
            else:
                soc -= value
            assert soc >= car.reserve_kwh - 1e-9, car.vehicle_id
        assert car.reserve_kwh <= car.final_kwh <= soc + 1e-9, car.vehicle_id
        assert car.final_kwh <= car.initial_kwh


def test_energy_of_trips_is_that_of_their_distance(scenario):
    trips = scenario.trips.merge(scenario.vehicles, on="vehicle_id")
    small = trips["battery_kwh"] == 40
    rate = trips["energy_kwh"].sum() / trips["distance_km"].sum()
    assert 0.16 < rate < 0.18
    for group, mean in ((trips[small], 0.16), (trips[~small], 0.18)):
        assert group["energy_kwh"].sum() / group["distance_km"].sum() == pytest.approx(
            mean, rel=0.01
        )
        spread = group["energy_kwh"] / group["distance_km"] / mean
        assert spread.between(0.7, 1.35).all()


def test_facts_are_those_of_the_tables(scenario):
    facts, vehicles = example_facts(), scenario.vehicles
    weight = dict(zip(vehicles["vehicle_id"], vehicles["weight"], strict=True))
    car_days = 7 * sum(weight.values())
    trips = zip(
        scenario.trips["vehicle_id"], scenario.trips["distance_km"], strict=True
    )
    km = sum(weight[vehicle] * km for vehicle, km in trips)
    assert facts["km_per_car_day"] == pytest.approx(km / car_days, abs=0.01)
    assert facts["electric_cars_in_scenario"] == round(vehicles["weight"].sum())
    assert facts["electric_cars_in_region"] == pytest.approx(1.47e6, rel=0.01)
    np.testing.assert_allclose(
        facts["share_at_home_by_hour"], place_shares(scenario, "home"), atol=6e-4
    )
    stays = scenario.stays[scenario.stays["place"] == "home"]
    begin, end = (hours(stays[c], scenario) for c in ("arrival", "departure"))
    noons = 24 * np.arange(7) + 12.5
    parked = stays["vehicle_id"].map(weight).to_numpy()
    at_home = [parked[(begin <= noon) & (noon < end)].sum() for noon in noons]
    assert facts["share_at_home_by_hour"][12] == pytest.approx(
        np.mean(at_home) / sum(weight.values()), abs=6e-4
    )


def test_feeders_have_the_published_magnitudes(scenario):
    capacity, base = scenario.capacity_base()
    peak, least = base.max(1), (capacity - base).min(1)
    assert 844 < np.median(peak) < 9333
    assert peak.mean() == pytest.approx(4790, rel=0.15)
    assert 0.04 <= np.mean(least < 0) <= 0.07
    assert np.median(least) == pytest.approx(850, rel=0.1)
    assert scenario.feeders["upgrade_cost_per_kw"].between(240, 800).all()
    assert scenario.feeders["longitude"].between(-123.6, -121.2).all()
    assert scenario.feeders["latitude"].between(36.8, 38.9).all()


def test_licence_and_assumptions_are_in_the_package():
    folder = files("macjax") / "data" / "bay_area"
    names = {entry.name for entry in folder.iterdir()}
    assert {"LICENSE-ActivitySim.txt", "NOTICE.md", "ASSUMPTIONS.md"} <= names
    licence = (folder / "LICENSE-ActivitySim.txt").read_text("utf-8")
    for words in ("Copyright", "Neither the name", "AS IS"):
        assert words in licence
    assert "BSD 3-Clause" in (folder / "NOTICE.md").read_text("utf-8")
    text = example_assumptions()
    for part in ("Published data", "Modelled by others", "Assumptions"):
        assert part in text
    sizes = [f.stat().st_size for f in Path(str(folder)).rglob("*") if f.is_file()]
    assert sum(sizes) < 1000 * KIB


def test_bundled_survey_gives_the_bundled_scenario(scenario):
    built = build(read_survey())
    assert built.facts == example_facts()
    for table in ("vehicles", "stays", "trips", "feeders", "feeder_profile"):
        pd.testing.assert_frame_equal(
            getattr(built.scenario, table), getattr(scenario, table), check_dtype=False
        )
