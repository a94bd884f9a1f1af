"""What must not matter: row order, ids, units, splitting vehicles, group size."""

import numpy as np
import pandas as pd
import pytest
from certificate_cases import (
    Program,
    random_prices,
    random_scenario,
    scenario_of,
    terms_of,
)

import macjax.certificate.certifier as certifier_module
import macjax.certificate.opportunities as opportunities_module
from macjax.certificate import Certifier
from macjax.objectives import PeakOverload, Smoothing
from macjax.scenario.plan import Plan

OBJECTIVES = {"linear": PeakOverload(), "smooth": PeakOverload() + Smoothing(0.01)}


@pytest.fixture(params=OBJECTIVES)
def objective(request):
    return OBJECTIVES[request.param]


def rebuilt(scenario, **frames):
    """The scenario with other frames."""
    own = {n: getattr(scenario, n) for n in ("vehicles", "stays", "trips", "feeders")}
    own |= {"feeder_profile": scenario.feeder_profile} | frames
    profile = own.pop("feeder_profile")
    return scenario_of(
        **own, profile=profile, slots=scenario.slots, minutes=scenario.slot_minutes
    )


def prices_for(scenario, seed=0):
    return random_prices(np.random.default_rng(seed), terms_of(scenario))


def test_order_of_the_rows(objective):
    scenario = random_scenario(5, vehicles=12, base=1.2)
    shuffled = {
        name: getattr(scenario, name).sample(frac=1, random_state=1)
        for name in ("vehicles", "stays", "trips", "feeder_profile")
    }
    frames = {k: v.reset_index(drop=True) for k, v in shuffled.items()}
    prices = prices_for(scenario)
    one, two = (
        Certifier(s, objective) for s in (scenario, rebuilt(scenario, **frames))
    )
    assert two.bound(prices) == pytest.approx(one.bound(prices), rel=1e-12)
    assert two.unmanaged_objective == pytest.approx(one.unmanaged_objective)
    # A plan moves with its stays.
    _, _, plan = Program(scenario, terms_of(scenario)).solve()
    new_row = np.argsort(shuffled["stays"].index.to_numpy())
    moved = Plan(new_row[plan.stay], plan.slot, plan.kw)
    assert two.objective(moved) == pytest.approx(one.objective(plan))
    assert two.check(moved).feasible == one.check(plan).feasible


def test_a_row_of_weight_two_is_two_vehicles(objective):
    scenario = random_scenario(6, vehicles=6, base=1.2)
    vehicles = scenario.vehicles.assign(weight=2.0)
    twin = {"vehicle_id": lambda frame: frame["vehicle_id"] + " twin"}
    doubled = {
        name: pd.concat([frame, frame.assign(**twin)], ignore_index=True)
        for name, frame in (
            ("vehicles", vehicles.assign(weight=1.0)),
            ("stays", scenario.stays),
            ("trips", scenario.trips),
        )
    }
    one = Certifier(rebuilt(scenario, vehicles=vehicles), objective)
    two = Certifier(rebuilt(scenario, **doubled), objective)
    for seed in range(5):
        prices = prices_for(scenario, seed)
        assert two.bound(prices) == pytest.approx(one.bound(prices), rel=1e-12)
    assert two.unmanaged_objective == pytest.approx(one.unmanaged_objective)


def test_cost_in_other_units():
    scenario = random_scenario(7, base=1.2)
    costs = scenario.feeders["upgrade_cost_per_kw"] * 1024
    dear = rebuilt(scenario, feeders=scenario.feeders.assign(upgrade_cost_per_kw=costs))
    prices = prices_for(scenario)
    one, two = (Certifier(s, PeakOverload()) for s in (scenario, dear))
    assert two.bound(1024 * prices) == pytest.approx(
        1024 * one.bound(prices), rel=1e-12
    )


@pytest.mark.parametrize("kept", [0, 10**9])
def test_size_of_the_groups(objective, monkeypatch, kept):
    scenario = random_scenario(8, vehicles=30, base=1.2, short=True)
    prices = prices_for(scenario)
    whole = Certifier(scenario, objective, "relax")
    monkeypatch.setattr(opportunities_module, "GROUP_OPPORTUNITIES", 40)
    monkeypatch.setattr(certifier_module, "KEPT_OPPORTUNITIES", kept)
    parts = Certifier(scenario, objective, "relax")
    assert len(parts._members) > 8
    assert parts.bound(prices) == pytest.approx(whole.bound(prices), rel=1e-12)
    assert parts.bound(prices) == parts.bound(prices)
    pd.testing.assert_frame_equal(parts.infeasible, whole.infeasible)
    np.testing.assert_allclose(parts.unmanaged_loads, whole.unmanaged_loads)


def test_dropping_the_profile_to_hours_and_back():
    scenario = random_scenario(9, slots=30, base=1.2)
    start = scenario.start.tz_convert(scenario.timezone)
    hours = pd.DataFrame(
        {
            "feeder_id": np.repeat(scenario.feeders["feeder_id"].tolist(), 24),
            "hour": list(range(24)) * len(scenario.feeders),
            "capacity_kw": 10.0,
        }
    )
    hours["base_kw"] = np.random.default_rng(0).uniform(0, 12, len(hours))
    times = pd.DataFrame({"time": [start + pd.Timedelta(hours=t) for t in range(30)]})
    times["hour"] = times["time"].dt.hour
    timed = times.merge(hours, on="hour").drop(columns="hour")
    one, two = (
        Certifier(rebuilt(scenario, feeder_profile=p), PeakOverload())
        for p in (hours, timed)
    )
    np.testing.assert_array_equal(one.terms.headroom, two.terms.headroom)


def test_no_vehicles_and_no_feeders():
    scenario = random_scenario(0, base=1.5)
    empty = {n: getattr(scenario, n).iloc[:0] for n in ("vehicles", "stays", "trips")}
    certifier = Certifier(rebuilt(scenario, **empty), PeakOverload())
    over = np.maximum(-certifier.terms.headroom, 0).max(axis=1)
    least = (over * scenario.feeders["upgrade_cost_per_kw"]).sum()
    assert certifier.objective(Plan.empty()) == pytest.approx(least)
    assert certifier.bound(prices_for(scenario)) == pytest.approx(least, rel=1e-12)
    assert certifier.check(Plan.empty()).feasible
    nowhere = rebuilt(
        scenario,
        stays=scenario.stays.assign(feeder_id=None),
        feeders=scenario.feeders.iloc[:0],
        feeder_profile=scenario.feeder_profile.iloc[:0],
    )
    certifier = Certifier(nowhere, PeakOverload())
    assert certifier.bound(np.zeros((0, 24))) == 0
    assert certifier.unmanaged_objective == 0
