"""The builder of the bundled scenario on a small made-up survey, by slow loops."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_survey import make_survey, write_survey

from macjax.regions import survey
from macjax.regions.example import Parameters, __main__, build, cars, drivers, feeders
from macjax.regions.parameters import MEAN_SHAPE_KW
from macjax.scenario import Scenario

SMALL = dataclasses.replace(Parameters(), feeders=3, most_drivers=40)


@pytest.fixture(scope="module")
def raw():
    return make_survey()


@pytest.fixture(scope="module")
def built(raw):
    return build(raw, SMALL)


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
    found = drivers.find_drivers(raw, dataclasses.replace(SMALL, most_drivers=10**6))
    assert set(found.cars["person_id"]) == expected
    assert 0 < len(expected) < len(raw.persons)


def test_sample_has_the_wanted_size(raw):
    found = drivers.find_drivers(raw, dataclasses.replace(SMALL, most_drivers=10))
    assert len(found.cars) == 10
    assert set(found.chains["car"]) == set(range(10))


def test_scenario_is_valid_and_the_same_each_time(raw, built):
    assert built.scenario.validate() is None
    again = build(raw, SMALL)
    assert again.scenario.fingerprint == built.scenario.fingerprint
    assert again.facts == built.facts
    other = build(raw, dataclasses.replace(SMALL, seed=1))
    assert other.scenario.fingerprint != built.scenario.fingerprint


def test_weights_add_up_to_the_electric_cars(raw, built):
    region = raw.households["auto_ownership"].mean() * raw.zones["TOTHH"].sum()
    weight = built.scenario.vehicles["weight"].sum()
    scale = built.facts["real_households_per_scenario_household"]
    assert weight * scale == pytest.approx(0.30 * region, rel=1e-3)


@pytest.mark.parametrize("days", [1, 5, 6, 7])
def test_horizon_may_be_shorter(raw, days):
    scenario = build(raw, dataclasses.replace(SMALL, days=days)).scenario
    assert scenario.slots == 24 * days
    end = scenario.start + pd.Timedelta(days=days)
    assert (scenario.trips["departure"] < end).all()
    assert (scenario.stays["departure"] <= end).all()


def test_split_cars_share_one_weight(raw):
    found = drivers.find_drivers(raw, SMALL)
    fleet = cars.equip_cars(found, raw.zones, SMALL)
    chains, split = cars.split_cars(found, fleet, 3)
    assert split.groupby("person_id")["share"].sum().to_numpy() == pytest.approx(1)
    stops = split["stop_every"] > 0
    assert stops.any() and not stops.all()
    assert split[stops].groupby("person_id").size().eq(3).all()
    for car in range(len(split)):
        mine = chains.chains[chains.chains["car"] == car]
        source = found.cars.index[found.cars["person_id"] == split["person_id"][car]][0]
        theirs = found.chains[found.chains["car"] == source]
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


def test_command_writes_a_scenario_and_its_facts(raw, tmp_path, capsys):
    folder = write_survey(raw, tmp_path / "raw")
    out = tmp_path / "out"
    assert __main__.main([str(out), "--raw", folder]) == 0
    assert (out / "facts.json").read_text("utf-8") == capsys.readouterr().out
    assert Scenario.read(out / "scenario").validate() is None
