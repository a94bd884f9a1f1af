"""Unmanaged charging and per-session recovery, against slow simulations."""

import numpy as np
import pandas as pd
import pytest
from certificate_cases import START, Program, profile_tables, random_scenario, terms_of

from macjax.certificate import Certifier
from macjax.objectives import FeederCapacity, PeakOverload, Smoothing
from macjax.scenario.plan import Plan


def simulate(scenario):
    """(stay row, begin, end, kW, kWh) of every unmanaged charge, and per-stay sums.

    The deficit of a car that starts full is what it charges at each stay, as far as
    its time goes: the same sums are the targets of per-session recovery.
    """
    charges, targets = [], {}
    hour = pd.Timedelta(hours=1)
    for car in scenario.vehicles.itertuples():
        events = []
        for row, stay in scenario.stays.iterrows():
            if stay["vehicle_id"] == car.vehicle_id:
                begin = max(stay["arrival"], START)
                end = min(stay["departure"], scenario.end)
                if begin < end and stay["charger_kw"] > 0:
                    events.append((begin, row, end, stay["charger_kw"]))
        for trip in scenario.trips.itertuples():
            inside = START <= trip.departure < scenario.end
            if trip.vehicle_id == car.vehicle_id and inside:
                events.append((trip.departure, None, None, trip.energy_kwh))
        deficit = charged = 0.0
        for at, row, end, amount in sorted(events, key=lambda e: e[0]):
            if row is None:
                deficit += amount
                continue
            speed = amount * car.charge_efficiency
            give = min(deficit, speed * ((end - at) / hour))
            deficit, charged = deficit - give, charged + give
            targets[row] = charged
            charges.append((row, at, at + give / speed * hour, amount, give))
    return charges, targets


@pytest.mark.parametrize("minutes, seed", [(60, 0), (60, 1), (15, 2), (180, 3)])
def test_unmanaged_load(minutes, seed):
    slots = 24 * 60 // minutes
    scenario = random_scenario(seed, vehicles=10, slots=slots, minutes=minutes)
    charges, _ = simulate(scenario)
    weight = scenario.vehicles.set_index("vehicle_id")["weight"]
    eta = scenario.vehicles.set_index("vehicle_id")["charge_efficiency"]
    feeders = scenario.feeders["feeder_id"].tolist()
    loads = np.zeros((len(feeders), slots))
    squares = 0.0
    slot = pd.Timedelta(minutes=minutes)
    for row, begin, end, kw, _ in charges:
        stay = scenario.stays.iloc[row]
        car = stay["vehicle_id"]
        for t in range(slots):
            opens, closes = START + t * slot, START + (t + 1) * slot
            share = max(0.0, (min(end, closes) - max(begin, opens)) / slot)
            squares += weight[car] * (kw * share * minutes / 60 * eta[car]) ** 2
            if pd.notna(stay["feeder_id"]):
                at = feeders.index(stay["feeder_id"])
                loads[at, t] += weight[car] * kw * share
    certifier = Certifier(scenario, PeakOverload() + Smoothing(0.01))
    np.testing.assert_allclose(certifier.unmanaged_loads, loads, atol=1e-6)
    capacity, base = profile_tables(scenario)
    over = np.maximum(base + loads - capacity, 0).max(axis=1)
    costs = scenario.feeders["upgrade_cost_per_kw"].to_numpy()
    expected = (costs * over).sum() + 0.005 * squares
    assert certifier.unmanaged_objective == pytest.approx(expected, rel=1e-6)


def test_hard_limits_count_zero_in_unmanaged_charging():
    scenario = random_scenario(0, base=1.2)
    assert Certifier(scenario, FeederCapacity()).unmanaged_objective == 0
    both = Certifier(scenario, PeakOverload() + FeederCapacity())
    alone = Certifier(scenario, PeakOverload())
    assert both.unmanaged_objective == 0 < alone.unmanaged_objective


@pytest.mark.parametrize("seed", range(5))
def test_per_session_recovery(seed):
    scenario = random_scenario(seed, base=1.2, short=seed % 2 == 1)
    _, targets = simulate(scenario)
    terms = terms_of(scenario)
    optimum, prices, plan = Program(scenario, terms, targets).solve()
    certifier = Certifier(scenario, PeakOverload(), tube="per_session")
    tolerance = 1e-8 * (1 + optimum)
    assert abs(certifier.bound(prices) - optimum) <= tolerance
    assert abs(certifier.objective(plan) - optimum) <= tolerance
    assert certifier.check(plan).max_violation_kwh <= 1e-7
    # Who cannot make the trips does not depend on the tube.
    pd.testing.assert_frame_equal(certifier.infeasible, Certifier(scenario).infeasible)
    nothing = certifier.check(Plan.empty())
    owner = scenario.stays["vehicle_id"]
    lacking = {owner[row] for row, goal in targets.items() if goal > 1e-6}
    assert set(nothing.violations["vehicle_id"]) == lacking
    assert set(nothing.violations["rule"]) <= {"session"}
    assert nothing.max_violation_kwh == pytest.approx(max(targets.values(), default=0))
