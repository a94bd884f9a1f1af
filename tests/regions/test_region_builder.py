"""The Bay Area builder on a small made-up survey, step by step against slow loops."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from macjax.regions import bay_area, cars, feeders, survey, week
from macjax.regions.parameters import MEAN_SHAPE_KW, Parameters

SMALL = dataclasses.replace(Parameters(), feeders=3, most_drivers=40)


def make_zones(count: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "zone_id": np.arange(1, count + 1),
            "x_utm10n_m": rng.uniform(550e3, 600e3, count),
            "y_utm10n_m": rng.uniform(4.15e6, 4.20e6, count),
            "lon": rng.uniform(-122.4, -121.9, count),
            "lat": rng.uniform(37.5, 38.0, count),
            "area_km2": rng.uniform(0.2, 200, count),
            "county_id": rng.integers(1, 10, count),
            "TOTHH": rng.integers(100, 3000, count),
            "TOTEMP": rng.integers(100, 5000, count),
            "RESACRE": rng.uniform(20, 400, count),
        }
    )


def make_survey(households: int = 60) -> survey.Survey:
    """Each household: a commuter, and a person who shops; one car or two."""
    rng = np.random.default_rng(1)
    ids = np.arange(1, households + 1)
    homes = pd.DataFrame(
        {
            "household_id": ids,
            "home_zone_id": rng.integers(1, 31, households),
            "income": rng.integers(10, 200, households) * 1000,
            "auto_ownership": rng.integers(0, 3, households),
        }
    )
    people, trips = [], []
    for home in homes.itertuples():
        for number, purpose in enumerate(("work", "shopping")):
            person = 10 * home.household_id + number
            people.append((person, home.household_id, rng.integers(14, 80)))
            away = rng.integers(1, 31)
            mode = rng.choice(["DRIVEALONEFREE", "WALK"], p=[0.9, 0.1])
            leave, back = rng.integers(6, 12), rng.integers(12, 22)
            start = home.home_zone_id if rng.random() < 0.95 else 1
            ends = [
                (purpose, start, away, leave),
                ("Home", away, home.home_zone_id, back),
            ]
            for half, (goal, origin, destination, hour) in enumerate(ends):
                row = (10 * person + half, person, home.household_id, goal)
                trips.append((*row, destination, origin, float(hour), mode))
    columns = ["trip_id", "person_id", "household_id", "purpose", "destination"]
    columns += ["origin", "depart", "trip_mode"]
    return survey.Survey(
        homes,
        pd.DataFrame(people, columns=["person_id", "household_id", "age"]),
        pd.DataFrame(trips, columns=columns).sample(frac=1, random_state=2),
        make_zones(),
    )


@pytest.fixture(scope="module")
def raw():
    return make_survey()


@pytest.fixture(scope="module")
def built(raw):
    return bay_area.build(raw, SMALL)


def test_drivers_are_those_a_slow_search_finds(raw):
    expected = set()
    homes = raw.households.set_index("household_id")
    trips = raw.trips.sort_values(["person_id", "depart", "trip_id"])
    for household, group in trips.groupby("household_id"):
        found = []
        for person, chain in group.groupby("person_id"):
            zones = [homes.home_zone_id[household], *chain["destination"]]
            if list(chain["origin"]) != zones[:-1] or zones[-1] != zones[0]:
                continue
            age = raw.persons.set_index("person_id").age[person]
            if age < 16 or not chain["trip_mode"].str.startswith("DRIVE").all():
                continue
            km = survey.road_km(raw.zones, chain["origin"], chain["destination"], SMALL)
            found.append((-km.sum(), person))
        expected |= {p for _, p in sorted(found)[: homes.auto_ownership[household]]}
    drivers = survey.find_drivers(raw, dataclasses.replace(SMALL, most_drivers=10**6))
    assert set(drivers.cars["person_id"]) == expected
    assert 0 < len(expected) < len(raw.persons)


def test_sample_has_the_wanted_size(raw):
    drivers = survey.find_drivers(raw, dataclasses.replace(SMALL, most_drivers=10))
    assert len(drivers.cars) == 10
    assert set(drivers.chains["car"]) == set(range(10))


def test_scenario_is_valid_and_the_same_each_time(raw, built):
    assert built.scenario.validate() is None
    again = bay_area.build(raw, SMALL)
    assert again.scenario.fingerprint == built.scenario.fingerprint
    assert again.facts == built.facts
    other = bay_area.build(raw, dataclasses.replace(SMALL, seed=1))
    assert other.scenario.fingerprint != built.scenario.fingerprint


def test_weights_add_up_to_the_electric_cars(raw, built):
    region = raw.households["auto_ownership"].mean() * raw.zones["TOTHH"].sum()
    weight = built.scenario.vehicles["weight"].sum()
    scale = built.facts["real_households_per_scenario_household"]
    assert weight * scale == pytest.approx(0.30 * region, rel=1e-3)


@pytest.mark.parametrize("days", [1, 5, 6, 7])
def test_horizon_may_be_shorter(raw, days):
    scenario = bay_area.build(raw, dataclasses.replace(SMALL, days=days)).scenario
    assert scenario.slots == 24 * days
    end = scenario.start + pd.Timedelta(days=days)
    assert (scenario.trips["departure"] < end).all()
    assert (scenario.stays["departure"] <= end).all()


def test_departures_keep_the_order_of_the_chain():
    rng = np.random.default_rng(3)
    car = np.repeat(np.arange(20), 8)
    trips = pd.DataFrame(
        {
            "car": car,
            "wanted": rng.uniform(0, 1000, len(car)),
            "km": rng.uniform(0.8, 60, len(car)),
            "least_stay": rng.integers(5, 60, len(car)),
        }
    )
    timed = week.time_trips(trips, SMALL)
    for _, chain in timed.groupby("car"):
        free = -np.inf
        for trip in chain.itertuples():
            assert trip.departure_min == max(round(trip.wanted), free)
            free = trip.arrival_min + trip.least_stay


def test_reach_is_greedy_charging():
    stays = pd.DataFrame(
        {
            "car": [0, 0, 1],
            "arrival_min": [0, 300, 0],
            "departure_min": [120, 360, 1440],
            "charger_kw": [10.0, 50.0, 1.0],
        }
    )
    trips = pd.DataFrame({"car": [0, 0], "energy_kwh": [30.0, 5.0]})
    fleet = pd.DataFrame({"battery_kwh": [40.0, 80.0]})
    p = dataclasses.replace(SMALL, firm_share=0.5, efficiency=0.8)
    found = cars.reach(stays, trips, fleet, [35.0, 10.0], p)
    # Car 0: 35 + 8 -> 40 full, - 30 = 10, + 20 = 30, - 5; car 1: 10 + 9.6
    np.testing.assert_allclose(found.least, [10.0, 10.0])
    np.testing.assert_allclose(found.last, [25.0, 19.6])


def test_split_cars_share_one_weight(raw):
    drivers = survey.find_drivers(raw, SMALL)
    fleet = cars.equip_cars(drivers, raw.zones, SMALL)
    chains, split = cars.split_cars(drivers, fleet, 3)
    assert split.groupby("person_id")["share"].sum().to_numpy() == pytest.approx(1)
    stops = split["stop_every"] > 0
    assert stops.any() and not stops.all()
    assert split[stops].groupby("person_id").size().eq(3).all()
    for car in range(len(split)):
        mine = chains.chains[chains.chains["car"] == car]
        source = drivers.cars.index[
            drivers.cars["person_id"] == split["person_id"][car]
        ][0]
        theirs = drivers.chains[drivers.chains["car"] == source]
        assert list(mine["km"]) == list(theirs["km"])


def test_zones_go_to_the_nearest_feeder(raw):
    points = raw.zones[["x_utm10n_m", "y_utm10n_m"]].to_numpy() / 1e3
    weights = raw.zones["TOTHH"].to_numpy(float)
    centres, label = feeders.cluster(points, weights, 4, np.random.default_rng(0))
    for point, own in zip(points, label, strict=True):
        assert own == np.argmin([np.hypot(*(point - centre)) for centre in centres])
    for k, centre in enumerate(centres):
        mean = np.average(points[label == k], axis=0, weights=weights[label == k])
        np.testing.assert_allclose(centre, mean)


def test_mean_base_load_is_the_published_shape(raw):
    network = feeders.build_network(raw.zones, SMALL)
    mean = network.profile.groupby("hour")["base_kw"].mean().to_numpy()
    shape = np.array(MEAN_SHAPE_KW) / max(MEAN_SHAPE_KW)
    np.testing.assert_allclose(mean, SMALL.peak_kw * shape, atol=0.1)
    households = raw.zones["TOTHH"].sum() / network.scale
    customers = SMALL.feeders * SMALL.customers_per_feeder
    assert households == pytest.approx(SMALL.residential_customers * customers)


def test_upgrade_cost_follows_density():
    cost = feeders.upgrade_cost(np.array([5.0, 1.0, 9.0]), SMALL)
    np.testing.assert_array_equal(cost, [520, 240, 800])


def test_command_writes_a_scenario_and_its_facts(raw, tmp_path, capsys):
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, table in zip(survey.Survey._fields, raw, strict=True):
        table.to_csv(folder / f"mtc_bayarea_{name}.csv", index=False)
    out = tmp_path / "out"
    assert bay_area.main([str(folder), str(out)]) == 0
    assert (out / "facts.json").read_text("utf-8") == capsys.readouterr().out
    assert bay_area.Scenario.read(out / "scenario").validate() is None
