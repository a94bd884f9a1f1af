"""Charging stays and tubes against a loop over the rows of each vehicle."""

import fleet_oracle
import numpy as np
import pytest
from problems import frames, vehicle

from macjax.fleet.opportunities import charging_chains
from macjax.scenario import Scenario
from macjax.synthetic import fleet

RANDOM = [(evs, seed) for seed in range(12) for evs in (1, 7, 40)]


def scenario_of(*args, **kwargs) -> Scenario:
    return Scenario.from_frames(**frames(*args, **kwargs))


def reloaded(scenario: Scenario, **changes) -> Scenario:
    """The scenario with other tables."""
    keys = ("name", "start", "timezone", "slot_minutes", "slots", "currency")
    tables = ("vehicles", "stays", "trips", "feeders", "feeder_profile")
    parts = {name: getattr(scenario, name) for name in keys + tables}
    return Scenario.from_frames(**(parts | changes))


def check_chains(scenario, tube="mobility"):
    """All of `Chains` against the loop; returns the chains."""
    chains = charging_chains(scenario, tube)
    minutes = 60_000_000 * scenario.slot_minutes
    cars = fleet_oracle.vehicles(scenario, tube)
    rows = [stay for car in cars for stay in car.stays]
    owners = [n for n, car in enumerate(cars) for _ in car.stays]
    np.testing.assert_array_equal(chains.count, [len(car.stays) for car in cars])
    np.testing.assert_array_equal(chains.vehicle, owners)
    np.testing.assert_array_equal(chains.row, [stay[0] for stay in rows])
    np.testing.assert_array_equal(chains.feeder, [stay[1] for stay in rows])
    # Whole slots come out whole: no stay reaches a hair into the next slot.
    np.testing.assert_array_equal(chains.begin, [stay[2] / minutes for stay in rows])
    np.testing.assert_array_equal(chains.end, [stay[3] / minutes for stay in rows])
    efficiency = scenario.vehicles["charge_efficiency"].to_numpy()[chains.vehicle]
    full = np.array([stay[4] for stay in rows]) * scenario.slot_minutes / 60
    np.testing.assert_allclose(chains.slot_kwh, full * efficiency, rtol=1e-14)
    for name in ("lower", "upper"):
        expected = [bound for car in cars for bound in getattr(car, name)]
        np.testing.assert_allclose(
            getattr(chains, name), expected, rtol=0, atol=1e-11, err_msg=name
        )
    check_shortfall(chains, cars)
    return chains


def check_shortfall(chains, cars):
    """Vehicles, first trips and missing energy against the loop."""
    short = chains.shortfall
    expected = [
        n for n, car in enumerate(cars) if car.failed is not None or car.missing > 1e-6
    ]
    np.testing.assert_array_equal(short.vehicle, expected)
    failed = [-1 if cars[n].failed is None else cars[n].failed for n in expected]
    np.testing.assert_array_equal(short.trip, failed)
    missing = [cars[n].missing for n in expected]
    np.testing.assert_allclose(short.missing_kwh, missing, rtol=0, atol=1e-9)


def check_feasible(chains):
    """Greedy charging along the upper bounds reaches every lower bound."""
    room = chains.slot_kwh * (chains.end - chains.begin)
    for start, count in zip(chains.first, chains.count, strict=True):
        reached = 0.0
        for at_stay in range(start, start + count):
            assert chains.lower[at_stay] <= chains.upper[at_stay]
            reached = min(reached + room[at_stay], chains.upper[at_stay])
            assert reached >= chains.lower[at_stay] - 1e-9
        lower = chains.lower[start : start + count]
        assert np.all(np.diff(lower) >= 0) and np.all(lower >= 0)


@pytest.mark.parametrize(("evs", "seed"), RANDOM)
def test_random_fleets_match_the_loop(evs, seed):
    scenario = fleet(evs, kind="random", seed=seed)
    chains = check_chains(scenario)
    assert len(chains.shortfall.vehicle) == 0
    check_feasible(chains)


@pytest.mark.parametrize(("evs", "seed"), RANDOM[::4])
def test_per_session_sets_match_the_loop(evs, seed):
    scenario = fleet(evs, kind="random", seed=seed)
    chains = check_chains(scenario, "per_session")
    np.testing.assert_array_equal(chains.lower, chains.upper)
    check_feasible(chains)


@pytest.mark.parametrize("seed", range(12))
def test_short_vehicles_match_the_loop(seed):
    """Longer trips, higher reserves and finals than can be served."""
    scenario = fleet(40, kind="random", seed=seed)
    rng = np.random.default_rng(seed)
    trips, cars = scenario.trips.copy(), scenario.vehicles.copy()
    trips["energy_kwh"] *= rng.choice([1.0, 1.0, 1.2, 3.0], len(trips))
    lift = rng.choice([0.0, 0.0, 0.3], len(cars))
    cars["final_kwh"] += lift * (cars["battery_kwh"] - cars["final_kwh"])
    chains = check_chains(reloaded(scenario, trips=trips, vehicles=cars))
    assert len(chains.shortfall.vehicle) > 0
    check_feasible(chains)


@pytest.mark.parametrize("minutes", [5, 9, 10, 12, 20, 36, 60, 72, 160])
def test_stays_on_slot_edges_fill_whole_slots(minutes):
    """Slot lengths that are no binary fraction of an hour."""
    slots, hours = 40, minutes / 60
    pairs = [(a, b) for a in range(0, slots, 3) for b in (a + 1, a + 5) if b <= slots]
    pairs += [(0, slots)]
    stays = [
        (n, a * hours, b * hours, "f", 3.0) for n, (a, b) in enumerate(pairs)
    ]  # fmt: skip
    cars = [vehicle(n, final=0) for n in range(len(pairs))]
    scenario = scenario_of(cars, stays, slots=slots, slot_minutes=minutes)
    chains = check_chains(scenario)
    np.testing.assert_array_equal(chains.begin, [a for a, _ in pairs])
    np.testing.assert_array_equal(chains.end, [b for _, b in pairs])


def test_stays_are_clipped_to_the_horizon():
    stays = [
        ("a", -5, 1.5, "f", 4), ("a", 2, 2.25, None, 8), ("a", 3.5, 9, "g", 2),
        ("b", -3, -1, "f", 4), ("b", 4, 6, "f", 4), ("b", 6, 7, "f", 4),
        ("c", -1, 8, "g", 0), ("d", 1, 2, "g", 4),
    ]  # fmt: skip
    cars = [vehicle(n, final=0) for n in "abcd"]
    chains = check_chains(
        scenario_of(cars, stays, slots=4, headroom={"f": 1.0, "g": 1.0})
    )
    np.testing.assert_array_equal(chains.row, [0, 1, 2, 7])
    np.testing.assert_array_equal(chains.begin, [0, 2, 3.5, 1])
    np.testing.assert_array_equal(chains.end, [1.5, 2.25, 4, 2])
    np.testing.assert_array_equal(chains.feeder, [0, -1, 1, 1])
    np.testing.assert_array_equal(chains.count, [3, 0, 0, 1])


def test_reserve_final_and_battery_by_hand():
    """Trips of 6 and 5 kWh, stays before, between and behind them."""
    stays = [("a", 0, 1, "f", 20), ("a", 2, 3, "f", 20), ("a", 4, 6, "f", 20)]
    trips = [("a", 1, 2, 6), ("a", 3, 4, 5)]
    car = vehicle("a", battery=14, initial=5, final=9, reserve_kwh=2.0)
    scenario = scenario_of([car], stays, trips, slots=6)
    chains = check_chains(scenario)
    np.testing.assert_allclose(chains.lower, [2 - 5 + 6, 2 - 5 + 11, 9 - 5 + 11])
    np.testing.assert_allclose(chains.upper, [14 - 5, 14 - 5 + 6, 14 - 5 + 11])
    chains = check_chains(scenario, "per_session")
    np.testing.assert_allclose(chains.lower, [0, 6, 11])


@pytest.mark.parametrize("tube", ["mobility", "per_session"])
@pytest.mark.parametrize(
    "parts",
    [
        {"vehicles": [], "stays": [], "trips": []},
        {"trips": []},
        {"stays": [], "trips": []},
        {"stays": [("a", 0, 1, "f", 0)], "trips": []},
        {"headroom": {}, "stays": [("a", 0, 1, None, 5)], "trips": []},
    ],
)
def test_empty_tables_match_the_loop(parts, tube):
    base = {"vehicles": [vehicle("a", final=0)], "stays": [("a", 0, 1, "f", 5)]}
    check_chains(scenario_of(**(base | parts)), tube)


def test_unknown_tube_is_refused():
    with pytest.raises(ValueError, match="tube must be one of"):
        charging_chains(scenario_of([vehicle("a")]), "daily")
