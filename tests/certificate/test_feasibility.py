"""Feasibility: every rule, with vehicle and kWh, on a day checked by hand."""

import numpy as np
import pandas as pd
import pytest
from certificate_cases import (
    Program,
    hour,
    random_scenario,
    scenario_of,
    terms_of,
)

from macjax._errors import DataError, SettingsError
from macjax.certificate import Certifier
from macjax.objectives import PeakOverload
from macjax.scenario.plan import Plan

STAY = ["vehicle_id", "arrival", "departure", "feeder_id", "charger_kw"]
TRIP = ["vehicle_id", "departure", "arrival", "energy_kwh"]


def day(**columns):
    """Car 7: home 0-6 (8 kW, to 5:30), 10 kWh trip, work 8-10 (4 kW), 6 kWh, home 12-.

    40 kWh battery, 20 at first, reserve 5, final 18, efficiency 0.5; a second car
    that stays at home. Row 3 of the stays has no charger.
    """
    car = {
        "vehicle_id": 7,
        "battery_kwh": 40.0,
        "initial_kwh": 20.0,
        "reserve_kwh": 5.0,
        "final_kwh": 18.0,
        "charge_efficiency": 0.5,
        "weight": 1.0,
    }
    other = {
        "vehicle_id": 9,
        "battery_kwh": 40.0,
        "initial_kwh": 39.0,
        "reserve_kwh": 0.0,
        "final_kwh": 0.0,
        "charge_efficiency": 0.5,
        "weight": 1.0,
    }
    stays = [
        [7, hour(8), hour(10), "B", 4.0],
        [7, hour(0), hour(5.5), "A", 8.0],
        [7, hour(12), hour(30), None, 8.0],
        [9, hour(0), hour(24), "A", 0.0],
        [9, hour(24), hour(48), "A", 8.0],
    ]
    trips = [[7, hour(10), hour(12), 6.0], [7, hour(6), hour(8), 10.0]]
    profile = pd.DataFrame(
        {
            "feeder_id": np.repeat(["A", "B"], 24),
            "hour": list(range(24)) * 2,
            "capacity_kw": 5.0,
            "base_kw": 1.0,
        }
    )
    return scenario_of(
        pd.DataFrame([car | columns, other]),
        pd.DataFrame(stays, columns=STAY),
        pd.DataFrame(trips, columns=TRIP),
        pd.DataFrame({"feeder_id": ["A", "B"]}),
        profile,
        30,
    )


GOOD = [(1, 5, 4.0), (0, 8, 3.0), (2, 12, 8.0), (2, 13, 8.0), (2, 29, 8.0)]


def check(entries, scenario=None, **options):
    """The verdict on (stay, slot, kw) entries."""
    stay, slot, kw = zip(*entries, strict=True) if entries else ((), (), ())
    certifier = Certifier(scenario or day(), PeakOverload(), **options)
    return certifier.check(Plan(np.array(stay, int), np.array(slot, int), np.array(kw)))


def test_a_good_plan():
    verdict = check(GOOD)
    assert verdict.feasible
    assert verdict.max_violation_kwh == 0
    assert verdict.worst_vehicle is None
    assert list(verdict.violations.columns) == ["vehicle_id", "rule", "kwh"]
    assert len(verdict.violations) == 0


@pytest.mark.parametrize(
    "entries, rule, kwh",
    [
        # 20 - 10 - 6 = 4 kWh, 1 below the reserve, made good later.
        ([(2, 12, 8.0), (2, 13, 8.0), (2, 14, 8.0), (2, 15, 8.0)], "reserve", 1.0),
        # 20 - 10 + 1.5 - 6 = 5.5 at noon and 9.5 at the end.
        ([(0, 8, 3.0), (2, 29, 8.0)], "final", 8.5),
        # 20 - 16 + 4 x 10 at the last home.
        (
            [(0, 8, 3.0), *((2, t, 8.0) for t in range(12, 22))],
            "battery",
            5.5 + 40 - 40,
        ),
        # Half an hour of slot 5 at 8 kW is 4 kWh from the grid, 2 in the battery.
        ([*GOOD[1:], (1, 5, 4.5)], "power", 0.25),
        ([*GOOD, (1, 3, -1.0)], "power", 0.5),
        # Twice the same entry adds up.
        ([*GOOD, (1, 5, 4.0)], "power", 2.0),
        ([*GOOD, (1, 6, 2.0)], "stay", 1.0),
        ([*GOOD, (0, 5, 2.0)], "stay", 1.0),
        ([*GOOD, (0, 10, 2.0)], "stay", 1.0),
    ],
)
def test_each_rule(entries, rule, kwh):
    verdict = check(entries)
    assert not verdict.feasible
    assert verdict.worst_vehicle == 7
    assert verdict.max_violation_kwh == pytest.approx(kwh, abs=1e-12)
    worst = verdict.violations.iloc[0]
    assert (worst["vehicle_id"], worst["rule"]) == (7, rule)
    assert worst["kwh"] == pytest.approx(kwh, abs=1e-12)


def test_stay_without_a_charger_and_full_battery_of_another_vehicle():
    verdict = check([*GOOD, (3, 2, 6.0)])
    assert verdict.violations.values.tolist() == [[9, "stay", 3.0]]
    verdict = check([*GOOD, *((4, t, 8.0) for t in range(24, 27))])
    assert verdict.violations.values.tolist() == [[9, "battery", 11.0]]


@pytest.mark.parametrize("power", [np.nan, np.inf, -np.inf])
def test_powers_that_are_no_numbers(power):
    verdict = check([*GOOD, (3, 2, power)])
    assert not verdict.feasible
    assert verdict.max_violation_kwh == np.inf
    assert verdict.violations.values.tolist() == [[9, "finite", np.inf]]


def test_tolerance():
    slight = [*GOOD[1:], (1, 5, 4.0 + 2e-6)]
    assert check(slight).max_violation_kwh == pytest.approx(1e-6, rel=1e-6)
    assert check([*GOOD[1:], (1, 5, 4.0 + 1.9e-6)]).feasible
    assert not check([*GOOD[1:], (1, 5, 4.0 + 2.1e-6)]).feasible
    assert check([*GOOD[1:], (1, 5, 4.0 + 1e-3)], tolerance_kwh=1e-3).feasible


def test_needs_before_the_first_stay_and_of_vehicles_without_stays():
    # Nothing helps a start below the reserve, or a car that never finds a charger.
    enough = [*((1, t, 8.0) for t in range(5)), *((2, t, 8.0) for t in (12, 13, 14))]
    verdict = check(enough, day(initial_kwh=4.0))
    assert verdict.violations.values.tolist() == [[7, "reserve", 1.0]]
    scenario = random_scenario(0)
    alone = scenario_of(
        scenario.vehicles.assign(final_kwh=lambda v: v["initial_kwh"]),
        scenario.stays.assign(charger_kw=0.0),
        scenario.trips,
        scenario.feeders,
        scenario.feeder_profile,
        scenario.slots,
    )
    certifier = Certifier(alone, PeakOverload())
    verdict = certifier.check(Plan.empty())
    final = verdict.violations.query("rule == 'final'").set_index("vehicle_id")["kwh"]
    start, end = scenario.start, scenario.end
    counted = scenario.trips[scenario.trips["departure"].between(start, end, "left")]
    used = counted.groupby("vehicle_id")["energy_kwh"].sum()
    pd.testing.assert_series_equal(
        final.sort_index(), used.sort_index(), check_names=False, check_index_type=False
    )


@pytest.mark.parametrize("seed", range(5))
def test_plans_of_the_program_hold_and_disturbed_ones_do_not(seed):
    scenario = random_scenario(seed)
    terms = terms_of(scenario)
    optimum, _, plan = Program(scenario, terms).solve()
    certifier = Certifier(scenario, terms=terms)
    assert certifier.check(plan).max_violation_kwh <= 1e-8
    assert certifier.objective(plan) >= optimum * (1 - 1e-9)
    vehicle = scenario.stays["vehicle_id"].to_numpy()[plan.stay]
    used = vehicle[plan.kw > 0.1]
    for name in pd.unique(used)[:3]:
        less = Plan(plan.stay, plan.slot, np.where(vehicle == name, 0.0, plan.kw))
        more = Plan(plan.stay, plan.slot, np.where(vehicle == name, 200.0, plan.kw))
        for wrong in (less, more):
            verdict = certifier.check(wrong)
            listed = set(verdict.violations["vehicle_id"])
            assert listed <= {name}
        assert not verdict.feasible


def test_entries_out_of_the_tables():
    with pytest.raises(DataError, match="plan.stay"):
        check([(5, 0, 1.0)])
    with pytest.raises(DataError, match="plan.slot"):
        check([(0, 30, 1.0), (0, -1, 1.0)])
    with pytest.raises(SettingsError, match="on_infeasible"):
        check([], on_infeasible="skip")
    with pytest.raises(SettingsError, match="tube"):
        check([], tube="session")


def test_loads_and_objective_by_hand():
    certifier = Certifier(day(weight=3.0), PeakOverload(2.0))
    plan = Plan(*map(np.array, zip(*GOOD, strict=True)))
    expected = np.zeros((2, 30))
    expected[0, 5], expected[1, 8] = 12.0, 9.0
    np.testing.assert_allclose(certifier.loads(plan), expected)
    # 12 kW over a headroom of 4, and 9 over 4.
    assert certifier.objective(plan) == pytest.approx(2 * 8 + 2 * 5)
    assert np.isnan(certifier.objective(Plan(plan.stay, plan.slot, plan.kw * np.nan)))
