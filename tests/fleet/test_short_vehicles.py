"""Vehicles that cannot make their trips: which, where, by how much; the policies."""

import numpy as np
import pandas as pd
import pytest
from problems import frames, vehicle

import macjax
from macjax._errors import InfeasibleVehicles
from macjax.driver.shortfall import apply_policy, infeasible_frame
from macjax.fleet.opportunities import charging_chains
from macjax.scenario import Scenario
from macjax.synthetic import fleet


def shortfall(cars, stays, trips, slots=6):
    """(vehicle id, first trip, missing kWh) of the short vehicles."""
    scenario = Scenario.from_frames(**frames(cars, stays, trips, slots=slots))
    short = charging_chains(scenario).shortfall
    table = infeasible_frame(scenario, short)
    trip = [None if pd.isna(t) else int(t) for t in table["trip"]]
    departs = scenario.trips["departure"]
    for row, when in zip(trip, table["departure"], strict=True):
        assert pd.isna(when) if row is None else when == departs[row]
    missing = [round(kwh, 9) for kwh in table["missing_kwh"]]
    return list(zip(table["vehicle_id"], trip, missing, strict=True))


def test_trip_before_the_first_stay():
    """10 kWh at the start, a trip of 9, a reserve of 3: 2 kWh are missing."""
    cars = [vehicle("a", reserve_kwh=3.0), vehicle("b", reserve_kwh=1.0)]
    stays = [("a", 2, 6, "f", 50), ("b", 2, 6, "f", 50)]
    trips = [("b", 0, 1, 9), ("a", 0, 1, 9)]
    assert shortfall(cars, stays, trips) == [("a", 1, 2.0)]


def test_first_of_several_failing_trips():
    """2 kW for one hour before each trip of 8 kWh: the second one fails by 2 kWh."""
    stays = [("a", h, h + 1, "f", 2) for h in (0, 2, 4)]
    trips = [("a", 5, 6, 8), ("a", 3, 4, 8), ("a", 1, 2, 8)]
    assert shortfall([vehicle("a", initial=10)], stays, trips) == [("a", 1, 2.0)]


def test_battery_too_small_for_a_trip():
    """A full battery of 12 kWh above a reserve of 2, against 15 kWh: 5 are missing."""
    car = vehicle("a", battery=12, initial=12, final=0, reserve_kwh=2.0)
    stays, trips = [("a", 0, 2, "f", 50), ("a", 4, 6, "f", 50)], [("a", 2, 3, 15)]
    assert shortfall([car], stays, trips) == [("a", 0, 5.0)]


def test_charging_before_a_trip_is_wasted_when_the_battery_is_full():
    """What does not fit before the first trip cannot serve the second one."""
    car = vehicle("a", battery=20, initial=10, final=0)
    stays, trips = [("a", 0, 2, "f", 50)], [("a", 2, 3, 15), ("a", 4, 5, 10)]
    assert shortfall([car], stays, trips) == [("a", 1, 5.0)]


def test_final_soc_out_of_reach():
    """No trip fails, but 3 of the 20 kWh at the end are missing."""
    cars = [vehicle("a", final=20), vehicle("b", final=17)]
    stays = [("a", 0, 1, "f", 7), ("b", 0, 1, "f", 7)]
    assert shortfall(cars, stays, []) == [("a", None, 3.0)]


def test_final_soc_without_any_stay():
    cars = [vehicle("a", final=12), vehicle("b", final=4), vehicle("c")]
    trips = [("a", 0, 1, 1), ("b", 0, 1, 6), ("c", 1, 2, 1)]
    assert shortfall(cars, [], trips) == [("a", None, 3.0), ("c", None, 1.0)]


def test_reserve_at_the_end_counts_where_the_final_is_lower():
    car = vehicle("a", final=0, reserve_kwh=6.0)
    assert shortfall([car], [], [("a", 0, 1, 5)]) == [("a", 0, 1.0)]


def test_start_below_the_reserve():
    """Charging cannot repair it: the SOC is below the reserve at the start."""
    car = vehicle("a", reserve_kwh=12.0)
    assert shortfall([car], [("a", 0, 2, "f", 9)], []) == [("a", None, 2.0)]
    stays, trips = [("a", 0, 2, "f", 1)], [("a", 3, 4, 5)]
    assert shortfall([car], stays, trips) == [("a", 0, 5.0)]


def test_a_rounding_is_not_missing():
    stays = [("a", 0, 1, "f", 0.1), ("a", 1, 2, "f", 0.2)]
    car = vehicle("a", initial=0.3, final=0.6)
    assert shortfall([car], stays, []) == []
    assert shortfall([vehicle("a", final=10 + 2e-6)], [], []) == [("a", None, 2e-6)]


# -- what the caller chooses ---------------------------------------------------------


def short_fleet(seed):
    scenario = fleet(30, kind="random", seed=seed)
    keys = ("name", "start", "timezone", "slot_minutes", "slots", "currency")
    tables = ("vehicles", "stays", "feeders", "feeder_profile")
    trips = scenario.trips.copy()
    trips["energy_kwh"] *= np.random.default_rng(seed).choice([1, 3], len(trips))
    parts = {name: getattr(scenario, name) for name in keys + tables}
    return Scenario.from_frames(**parts, trips=trips)


@pytest.mark.parametrize("seed", range(4))
def test_error_lists_them_all(seed):
    scenario = short_fleet(seed)
    chains = charging_chains(scenario)
    with pytest.raises(InfeasibleVehicles) as caught:
        apply_policy(scenario, chains, "error")
    table = caught.value.infeasible
    short = chains.shortfall
    ids = scenario.vehicles["vehicle_id"].iloc[short.vehicle]
    assert table["vehicle_id"].tolist() == ids.tolist()
    assert isinstance(caught.value, macjax.DataError)
    assert str(ids.iloc[0]) in str(caught.value)
    assert caught.value.faults["count"].tolist() == [len(ids)]


@pytest.mark.parametrize("seed", range(4))
def test_drop_leaves_the_others_as_they_are(seed):
    scenario = short_fleet(seed)
    chains = charging_chains(scenario)
    kept, dropped = apply_policy(scenario, chains, "drop")
    ids = scenario.vehicles["vehicle_id"]
    assert dropped == ids.iloc[chains.shortfall.vehicle].tolist()
    stays = ~np.isin(chains.vehicle, chains.shortfall.vehicle)
    for name in ("row", "vehicle", "feeder", "begin", "end", "slot_kwh", "lower"):
        expected = getattr(chains, name)[stays]
        np.testing.assert_array_equal(getattr(kept, name), expected)
    assert np.all(kept.count[chains.shortfall.vehicle] == 0)
    np.testing.assert_array_equal(
        np.repeat(np.arange(len(ids)), kept.count), kept.vehicle
    )
    for number in np.flatnonzero(kept.count):
        assert kept.vehicle[kept.first[number]] == number


@pytest.mark.parametrize("seed", range(4))
def test_relax_keeps_all_and_makes_them_feasible(seed):
    scenario = short_fleet(seed)
    chains = charging_chains(scenario)
    relaxed, dropped = apply_policy(scenario, chains, "relax")
    assert relaxed is chains and dropped == []
    room = chains.slot_kwh * (chains.end - chains.begin)
    for start, count in zip(chains.first, chains.count, strict=True):
        reached = 0.0
        for k in range(start, start + count):
            reached = min(reached + room[k], chains.upper[k])
            assert chains.lower[k] <= reached + 1e-9


@pytest.mark.parametrize("policy", ["error", "drop", "relax"])
def test_policies_leave_feasible_fleets_alone(policy):
    scenario = fleet(20, kind="random", seed=9)
    chains = charging_chains(scenario)
    assert apply_policy(scenario, chains, policy) == (chains, [])
