"""`certify` of solutions: what a baseline, an ended run and a proof are worth."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from certificate_cases import START, scenario_of
from test_feasibility import day

import macjax
from macjax._errors import DataError, SettingsError
from macjax.certificate import Certifier, certify
from macjax.objectives import FeederCapacity, PeakOverload
from macjax.results import Solution
from macjax.scenario.plan import Plan


def tighter(scenario, capacity_kw: float):
    """The day with other capacities."""
    profile = scenario.feeder_profile.assign(capacity_kw=capacity_kw)
    tables = (scenario.vehicles, scenario.stays, scenario.trips, scenario.feeders)
    return scenario_of(*tables, profile, 30)


def ended(scenario, status, **given):
    """A solution without a schedule."""
    return Solution(scenario=scenario, plan=None, status=status, **given)


def test_a_baseline_is_judged_from_the_soc_it_starts_from():
    # From 12 kWh the first trip would end at 2, below the reserve; it starts full.
    scenario = day(initial_kwh=12.0)
    unmanaged = macjax.baselines.unmanaged(scenario)
    assert len(unmanaged.stranded) == 0
    found = certify(scenario, unmanaged)
    assert found.feasible
    assert found.objective == unmanaged.objective
    assert "starts the horizon at SOC of its own" in found.message
    assert "proves no bound" in found.message
    # The same schedule, given as a frame, starts from the vehicles table.
    frame = certify(scenario, unmanaged.schedule())
    assert not frame.feasible
    assert "its own" not in frame.message
    assert certify(scenario, unmanaged, schedule=unmanaged.schedule()).feasible is False


def test_a_baseline_that_starts_as_the_vehicles_table_says():
    scenario = day()
    prices = pd.DataFrame({"hour": range(24), "price": np.arange(24.0)})
    found = certify(scenario, macjax.baselines.time_of_use(scenario, prices))
    assert found.feasible
    assert "start:" not in found.message


def test_a_baseline_that_strands_vehicles_says_which_rule_is_broken_and_why():
    # No room on the feeders, and the free charger at night is too late for the trips.
    scenario = tighter(day(reserve_kwh=30.0, initial_kwh=35.0, final_kwh=40.0), 1.0)
    first_come = macjax.baselines.first_come(scenario)
    assert first_come.stranded["missing_kwh"].tolist() == pytest.approx([6.0])
    found = certify(scenario, first_come, on_infeasible="error")
    assert not found.feasible
    text = str(found)
    assert "NOT feasible: largest violation 6 kWh (vehicle 7), 1 vehicle in" in text
    assert "reserve: SOC below reserve_kwh; 1 vehicle, most 6 kWh (vehicle 7)" in text
    assert "'first_come' is simulated" in text
    assert "`.stranded` of the solution lists 1 vehicle" in text
    numbers = found.to_dict()
    assert numbers["violated_rules"] == {"reserve": 1}
    assert numbers["message"] == found.message


def test_each_broken_rule_has_a_line():
    scenario = day()
    entries = [(0, 8, 5.0), (1, 0, 1.0), (3, 20, 1.0)]
    stay, slot, kw = map(np.array, zip(*entries, strict=True))
    solution = Solution(scenario=scenario, plan=Plan(stay, slot, kw), status="solved")
    lines = certify(scenario, solution).message.splitlines()
    rules = [line.split(":")[0].strip() for line in lines[1:]]
    expected = Certifier(scenario).check(solution.plan).violations
    assert rules == list(dict.fromkeys(expected["rule"]))
    assert set(rules) == {"final", "power", "stay"}


def test_a_start_above_the_battery_is_no_start():
    scenario = day()
    start = np.array([41.0, np.nan])
    solution = Solution(
        scenario=scenario, plan=Plan.empty(), status="simulated", initial_kwh=start
    )
    with pytest.raises(DataError, match=r"solution.initial_kwh.*2 rows.*7, 9"):
        certify(scenario, solution)


def test_the_start_of_a_solution_follows_the_vehicle():
    scenario = day(initial_kwh=12.0)
    unmanaged = macjax.baselines.unmanaged(scenario)
    turned = scenario_of(
        scenario.vehicles.iloc[::-1],
        scenario.stays,
        scenario.trips,
        scenario.feeders,
        scenario.feeder_profile,
        30,
    )
    assert certify(turned, unmanaged).feasible


@pytest.mark.parametrize("status", ["time_limit", "nonfinite", "interrupted"])
def test_a_run_that_ended_without_a_schedule(status):
    scenario = day()
    found = certify(scenario, ended(scenario, status))
    assert not found.feasible
    assert not found.has_schedule
    assert f"no schedule: the solution has none, it ended with status '{status}'" in (
        found.message
    )
    assert "proves" not in found.message
    assert math.isnan(found.ray_excess_kw)
    numbers = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert numbers["has_schedule"] is False
    assert numbers["ray_excess_kw"] is None


def test_nothing_to_judge_is_said():
    assert "no schedule: none was given" in str(certify(day()))


def crowded():
    """24 kWh are needed from A by 6 o'clock, which has 3 kW of room until then.

    20 kWh for the first trip, and 4 of the 12 for the second, 8 of which B can give.
    """
    scenario = tighter(day(initial_kwh=5.0), 4.0)
    ray = np.zeros((2, 30))
    ray[0, :6] = 7.0
    return scenario, ray


def test_the_ray_of_an_infeasible_solution_is_checked_again():
    scenario, ray = crowded()
    given = {"objective_spec": FeederCapacity(), "dual_ray": ray}
    found = certify(scenario, ended(scenario, "infeasible", **given))
    # The tolerance of 4 W counts as room.
    excess = (24 - 6 * 3.004) / 6
    assert found.ray_excess_kw == pytest.approx(excess, rel=1e-9)
    assert "no schedule: the solution has status 'infeasible'" in found.message
    assert (
        f"its dual ray proves it: recomputed from the tables, weighted by the ray, "
        f"every schedule passes the hard limits by {excess:.4g} kW" in found.message
    )
    assert found.to_dict()["ray_excess_kw"] == found.ray_excess_kw


@pytest.mark.parametrize(
    "change, excess",
    [
        (lambda ray: np.flip(ray, 0), -3.004),  # nobody must charge at B by then
        (lambda ray: -ray, 0.0),
        (lambda ray: ray * np.nan, 0.0),
    ],
)
def test_a_ray_that_proves_nothing_is_told(change, excess):
    scenario, ray = crowded()
    given = {"objective_spec": FeederCapacity(), "dual_ray": change(ray)}
    found = certify(scenario, ended(scenario, "infeasible", **given))
    assert found.ray_excess_kw == pytest.approx(excess, abs=1e-9)
    assert "its dual ray does NOT prove it" in found.message


def test_a_ray_without_hard_limits_and_no_ray_at_all():
    scenario, ray = crowded()
    soft = ended(scenario, "infeasible", objective_spec=PeakOverload(), dual_ray=ray)
    assert "does NOT prove it" in certify(scenario, soft).message
    bare = ended(scenario, "infeasible", objective_spec=FeederCapacity())
    assert "but no dual ray, so nothing proves it" in certify(scenario, bare).message


def test_the_ray_that_solve_gives_is_a_proof():
    scenario, _ = crowded()
    solution = macjax.solve(scenario, FeederCapacity(), progress=False)
    assert solution.status == "infeasible"
    found = certify(scenario, solution)
    assert 0 < found.ray_excess_kw < 1
    assert "its dual ray proves it" in found.message


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_prices_that_are_no_numbers_are_refused(wrong):
    scenario = day()
    times = scenario.slot_starts
    prices = pd.DataFrame({"feeder_id": "A", "time": times, "price": 1.0})
    prices.loc[[3, 5], "price"] = wrong
    with pytest.raises(DataError, match="prices.price: must be finite") as caught:
        certify(scenario, prices=prices)
    assert caught.value.fault_list[0].count == 2


@pytest.mark.parametrize("wrong", [-1e-9, np.nan, np.inf, "1", None, True, [1.0]])
def test_tolerances_that_are_none(wrong):
    with pytest.raises(SettingsError, match="tolerance_kwh must be a finite number"):
        certify(day(), tolerance_kwh=wrong)
    assert certify(day(), tolerance_kwh=0).tolerance_kwh == 0.0


@pytest.mark.parametrize("wrong", [None, 5, "folder", pd.DataFrame()])
def test_scenarios_that_are_none(wrong):
    with pytest.raises(SettingsError, match="must be a macjax.Scenario, not"):
        certify(wrong, pd.DataFrame())


@pytest.mark.parametrize("wrong", [5, "folder", [1], {}])
def test_solutions_that_are_none(wrong):
    with pytest.raises(SettingsError, match="must be a macjax.Solution or a schedule"):
        certify(day(), wrong)


def test_vehicle_to_grid_is_a_flag():
    with pytest.raises(SettingsError, match="vehicle_to_grid must be"):
        certify(day(), vehicle_to_grid="no")


@pytest.mark.parametrize("minutes", [7, 9, 20, 36])
def test_instants_on_slot_edges_stay_on_them_far_from_the_start(minutes):
    """One car for every 100 slots: a trip of one slot, then three slots to recharge."""
    slots, cars = 20_000, np.arange(0, 20_000, 100)

    def instant(slot):
        return START + pd.to_timedelta(slot * minutes, unit="min")

    names = [f"car {n}" for n in cars]
    need = 6.0 * minutes / 60  # two slots at 3 kW
    scenario = SimpleNamespace(
        start=START,
        timezone="UTC",
        slot_minutes=minutes,
        slots=slots,
        vehicles=pd.DataFrame(
            {
                "vehicle_id": names,
                "battery_kwh": 50.0,
                "initial_kwh": 50.0,
                "charge_efficiency": 1.0,
            }
        ),
        trips=pd.DataFrame(
            {
                "vehicle_id": names,
                "departure": instant(cars),
                "arrival": instant(cars + 1),
                "energy_kwh": need,
            }
        ),
        stays=pd.DataFrame(
            {
                "vehicle_id": names,
                "arrival": instant(cars + 1),
                "departure": instant(cars + 4),
                "feeder_id": "A",
                "charger_kw": 3.0,
            }
        ),
        feeders=pd.DataFrame({"feeder_id": ["A"], "upgrade_cost_per_kw": 1.0}),
        feeder_profile=pd.DataFrame(
            {
                "feeder_id": "A",
                "hour": range(24),
                "capacity_kw": 9.0,
                "base_kw": 0.0,
            }
        ),
    )
    shape = (1, slots)
    scenario.capacity_base = lambda: (np.full(shape, 9.0), np.zeros(shape))
    certifier = Certifier(scenario, PeakOverload())
    np.testing.assert_array_equal(
        np.flatnonzero(certifier.active[0]), (cars[:, None] + [1, 2, 3]).ravel()
    )
    expected = np.zeros(slots)
    expected[(cars[:, None] + [1, 2]).ravel()] = 3.0
    np.testing.assert_allclose(certifier.unmanaged_loads[0], expected, atol=1e-8)
    stay = np.repeat(np.arange(len(cars)), 2)
    slot = (cars[:, None] + [1, 2]).ravel()
    assert certifier.check(Plan(stay, slot, np.full(len(stay), 3.0))).feasible
    late = certifier.check(Plan(stay, slot + 2, np.full(len(stay), 3.0))).violations
    assert set(late["rule"]) >= {"stay"}
    assert (late["kwh"] > 2.9 * minutes / 60).all()
