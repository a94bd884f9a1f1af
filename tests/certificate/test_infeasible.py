"""Vehicles that cannot make their trips: who, which trip, how much, and what then."""

import numpy as np
import pandas as pd
import pytest
from certificate_cases import (
    Program,
    greedy,
    hour,
    random_scenario,
    scenario_of,
    terms_of,
)
from test_feasibility import STAY, TRIP, day

from macjax.certificate import Certifier
from macjax.objectives import PeakOverload
from macjax.scenario.plan import Plan


def listed(scenario, **options) -> list:
    frame = Certifier(scenario, PeakOverload(), **options).infeasible
    assert list(frame.columns) == ["vehicle_id", "trip", "departure", "missing_kwh"]
    return [frame.loc[i] for i in frame.index]


def test_nobody():
    assert listed(day()) == []


def test_first_trip_that_fails():
    # At full power 20 + 5.5 h x 4 = 40 (full), 30, 34 at work, 28 at noon.
    (row,) = listed(day(reserve_kwh=30.0, initial_kwh=40.0, final_kwh=0.0))
    assert (row["vehicle_id"], row["trip"], row["departure"]) == (7, 0, hour(10))
    assert row["missing_kwh"] == pytest.approx(2.0)
    (row,) = listed(day(reserve_kwh=31.0, initial_kwh=40.0, final_kwh=0.0))
    assert (row["trip"], row["missing_kwh"]) == (1, pytest.approx(1.0))


def test_final_and_initial_requirements_have_no_trip():
    # From 28 at noon on, 18 hours at 4 kWh an hour are far more than 40.
    assert listed(day(final_kwh=40.0)) == []
    scenario = day(final_kwh=40.0)
    shorter = scenario.stays
    shorter.loc[2, "departure"] = hour(13)
    cut = scenario_of(
        scenario.vehicles,
        shorter,
        scenario.trips,
        scenario.feeders,
        scenario.feeder_profile,
        30,
    )
    (row,) = listed(cut)
    assert row["trip"] is pd.NA
    assert row["departure"] is pd.NaT
    assert row["missing_kwh"] == pytest.approx(40 - 32)


def test_vehicles_without_a_charger():
    scenario = day()
    scenario = scenario_of(
        scenario.vehicles.assign(initial_kwh=[30.0, 10.0], final_kwh=[0.0, 12.0]),
        scenario.stays.assign(charger_kw=0.0),
        scenario.trips,
        scenario.feeders,
        scenario.feeder_profile,
        30,
    )
    (row,) = listed(scenario)
    assert (row["vehicle_id"], row["missing_kwh"]) == (9, pytest.approx(2.0))
    assert row["trip"] is pd.NA
    relaxed = Certifier(scenario, PeakOverload(), "relax").check(Plan.empty())
    assert relaxed.feasible
    strict = Certifier(scenario, PeakOverload()).check(Plan.empty())
    assert strict.violations.values.tolist() == [[9, "final", 2.0]]


def test_a_shortfall_within_the_tolerance_counts_as_none():
    assert listed(day(reserve_kwh=28.0 + 9e-7, initial_kwh=40.0, final_kwh=0.0)) == []
    assert len(listed(day(reserve_kwh=28.0 + 2e-6, initial_kwh=40.0, final_kwh=0.0)))


@pytest.mark.parametrize("seed", range(8))
def test_the_listed_vehicles_are_those_without_a_plan(seed):
    scenario = random_scenario(seed, vehicles=8, short=True)
    certifier = Certifier(scenario, PeakOverload())
    names = set(certifier.infeasible["vehicle_id"])
    for car in scenario.vehicles.to_dict("records"):
        name = car["vehicle_id"]
        stays = scenario.stays.query("vehicle_id == @name")[STAY].values.tolist()
        trips = scenario.trips.query("vehicle_id == @name")[TRIP].values.tolist()
        _, short = greedy(car, stays, trips, 24)
        assert (short > 1e-6) == (name in names)
    feasible = Program(scenario, terms_of(scenario)).solve()[0] is not None
    assert feasible == (not names)


def short_fleet():
    """A fleet in which some can, and some cannot make their trips."""
    scenario = random_scenario(1, vehicles=8, short=True, base=1.2)
    names = Certifier(scenario, PeakOverload()).infeasible["vehicle_id"]
    assert 0 < len(names) < 8
    return scenario, list(names)


def test_drop_is_the_fleet_without_them():
    scenario, names = short_fleet()
    certifier = Certifier(scenario, PeakOverload(), "drop")
    assert certifier.dropped == names
    keep = [n for n in scenario.vehicles["vehicle_id"] if n not in names]
    smaller = scenario.subset(vehicles=keep)
    terms = terms_of(smaller)
    optimum, prices, _ = Program(smaller, terms).solve()
    assert certifier.bound(prices) == pytest.approx(optimum, rel=1e-8)
    alone = Certifier(smaller, PeakOverload())
    assert certifier.bound(prices) == pytest.approx(alone.bound(prices), rel=1e-13)
    assert certifier.unmanaged_objective == pytest.approx(alone.unmanaged_objective)
    np.testing.assert_array_equal(certifier.active, alone.active)
    # A dropped vehicle that charges all the same is a violation.
    row = np.flatnonzero(
        scenario.stays["vehicle_id"].isin(names) & (scenario.stays["charger_kw"] > 0)
    )[:1]
    assert len(row)
    slot = int((scenario.stays["arrival"][row[0]] - scenario.start).total_seconds())
    slot = max(0, slot // 3600)
    rules = certifier.check(Plan(row, np.array([slot]), np.array([0.1]))).violations
    assert "dropped" in set(rules["rule"])
    assert set(certifier.check(Plan.empty()).violations["vehicle_id"]).isdisjoint(names)


def test_relax_asks_what_full_power_reaches():
    scenario, names = short_fleet()
    strict, relaxed = (
        Certifier(scenario, PeakOverload(), policy) for policy in ("error", "relax")
    )
    # Full power until full is in the relaxed set, and in no other.
    plan = greedy_plan(scenario)
    verdict = relaxed.check(plan)
    assert verdict.max_violation_kwh <= 1e-9
    assert set(strict.check(plan).violations["vehicle_id"]) == set(names)
    assert set(relaxed.infeasible["vehicle_id"]) == set(names)
    # A kWh less where the first trip failed is noticed.
    prices = np.zeros(relaxed.active.shape)
    assert relaxed.bound(prices) <= relaxed.objective(plan)
    assert relaxed.bound(prices) == strict.bound(prices)


def greedy_plan(scenario) -> Plan:
    """Full power from the initial SOC until full, one vehicle after the other."""
    entries = []
    end = scenario.end
    for car in scenario.vehicles.itertuples():
        events = []
        for row, stay in scenario.stays.iterrows():
            begin, until = (
                max(stay["arrival"], scenario.start),
                min(stay["departure"], end),
            )
            if stay["vehicle_id"] == car.vehicle_id and begin < until:
                events.append((begin, row, until, stay["charger_kw"]))
        for trip in scenario.trips.itertuples():
            inside = scenario.start <= trip.departure < end
            if trip.vehicle_id == car.vehicle_id and inside:
                events.append((trip.departure, None, None, trip.energy_kwh))
        soc = car.initial_kwh
        for at, row, until, amount in sorted(events, key=lambda e: e[0]):
            if row is None:
                soc -= amount
                continue
            while at < until and amount > 0:
                slot = int((at - scenario.start).total_seconds() // 3600)
                next_edge = scenario.start + pd.Timedelta(hours=slot + 1)
                hours = (min(until, next_edge) - at).total_seconds() / 3600
                give = min(
                    amount * hours * car.charge_efficiency, car.battery_kwh - soc
                )
                entries.append((row, slot, give / car.charge_efficiency))
                soc, at = soc + give, next_edge
    return Plan.of(*zip(*entries, strict=True))
