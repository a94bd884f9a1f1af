"""`Solution`: its numbers, its words, and what happens without a plan."""

import math

import numpy as np
import pandas as pd
import pytest
from result_cases import fleet, random_plan

from macjax._errors import SettingsError, SolutionError
from macjax._status import Status
from macjax.objectives import OverloadEnergy, PeakOverload
from macjax.results import Solution, compare
from macjax.scenario.plan import Plan

SHAPE = (3, 14)


def solution_of(seed=1, plan=None, **given):
    scenario = fleet(seed)
    given = {"status": "solved"} | given
    plan = random_plan(scenario) if plan is None else plan
    return Solution(scenario=scenario, plan=plan, **given)


def test_the_summary_adds_up_the_tables():
    solution = solution_of(
        objective=5.0,
        lower_bound=4.5,
        gap=0.1,
        unmanaged_objective=9.0,
        iterations=7,
        seconds={"pack": 1.0, "solve": 2.0},
        objective_spec=PeakOverload(),
    )
    summary, upgrades = solution.summary(), solution.upgrades()
    assert summary["upgrade_kw"] == pytest.approx(upgrades["upgrade_kw"].sum())
    assert summary["upgrade_cost"] == pytest.approx(upgrades["upgrade_cost"].sum())
    assert summary["base_only_kw"] == pytest.approx(upgrades["base_only_kw"].sum())
    assert summary["feeders_overloaded"] == (upgrades["upgrade_kw"] > 1e-4).sum()
    assert summary["vehicles"] == 6 and summary["feeders"] == 3
    weights = solution.scenario.vehicles["weight"].sum()
    assert summary["vehicles_weighted"] == weights
    assert summary["seconds"] == 3.0 and summary["iterations"] == 7
    assert summary["status"] == "solved" and summary["currency"] == "CHF"
    assert summary["upgrade_cost_at_least"] == 4.5


def test_the_phase_total_is_the_time_of_the_run():
    solution = solution_of(seconds={"solve": 2.0, "certificate": 1.0, "total": 2.5})
    assert solution.summary()["seconds"] == 2.5


@pytest.mark.parametrize("spec", [None, OverloadEnergy(2.0), PeakOverload(cost=3.0)])
def test_only_the_upgrade_cost_itself_bounds_the_upgrade_cost(spec):
    summary = solution_of(lower_bound=4.5, objective_spec=spec).summary()
    assert math.isnan(summary["upgrade_cost_at_least"])
    assert summary["lower_bound"] == 4.5


@pytest.mark.parametrize("status", list(Status))
def test_only_good_ends_pass_silently(status):
    solution = solution_of(status=status, message="It happened; do this.")
    assert solution.status == status and isinstance(solution.status, Status)
    if status in ("solved", "simulated"):
        solution.raise_for_status()
    else:
        with pytest.raises(SolutionError, match=f"{status}: It happened; do this."):
            solution.raise_for_status()


def test_without_a_plan_numbers_are_nan_and_frames_empty():
    solution = Solution(
        scenario=fleet(1),
        plan=None,
        status="infeasible",
        objective=3.0,
        gap=0.5,
        dual_ray=np.eye(*SHAPE),
    )
    full = solution_of()
    for name in ("schedule", "soc", "loads", "upgrades"):
        frame, like = getattr(solution, name)(), getattr(full, name)()
        assert len(frame) == 0
        assert (frame.dtypes == like.dtypes).all() and list(frame) == list(like)
    summary = solution.summary()
    numbers = ["objective", "gap", "upgrade_kw", "upgrade_cost", "energy_kwh"]
    assert summary[[*numbers, "feeders_overloaded", "base_only_kw"]].isna().all()
    ray = solution.ray()
    assert ray["feeder_id"].tolist() == solution.scenario.feeders["feeder_id"].tolist()
    assert (ray["ray"] == 1.0).all()
    assert len(full.ray()) == 0 and list(full.ray()) == ["feeder_id", "time", "ray"]


def test_vehicles_that_fail_are_frames_with_the_promised_columns():
    solution = solution_of()
    columns = ["vehicle_id", "trip", "departure", "missing_kwh"]
    assert list(solution.infeasible) == columns and len(solution.infeasible) == 0
    assert list(solution.stranded) == ["vehicle_id", "trip", "missing_kwh"]
    short = pd.DataFrame(
        {"vehicle_id": ["000 ä"], "trip": [None], "missing_kwh": [2.5]}, index=[9]
    )
    stranded = solution_of(stranded=short).stranded
    assert stranded.index.tolist() == [0] and stranded["trip"].dtype == "Int64"
    assert solution_of(stranded=short).summary()["stranded"] == 1
    with pytest.raises(SolutionError, match="departure"):
        solution_of(infeasible=short)


def test_arrays_are_copied_checked_and_kept_from_change():
    table = np.ones(SHAPE)
    solution = solution_of(prices=table)
    table[:] = 2.0
    assert (solution.price_table == 1.0).all()
    for array in (solution.price_table, solution.plan.kw, solution.plan.stay):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
    with pytest.raises(SolutionError, match=r"prices has shape \(14, 3\)"):
        solution_of(prices=table.T)
    with pytest.raises(SolutionError, match="initial_kwh has shape"):
        solution_of(initial_kwh=[1.0])


def test_assumptions_stand_beside_the_result():
    solution = solution_of(settings={"gap": 1e-3, "dtype": "float64", "device": "cpu"})
    text = "\n".join(solution.assumptions)
    assert "Perfect foresight" in text
    assert "Settings: device=cpu, dtype=float64, gap=0.001." in text
    for word in ("macjax 0", "jax ", "numpy ", "pandas ", "python "):
        assert word in text
    for note in solution.scenario.notes:
        assert note in text
    assert solution.scenario.notes and "stands for `weight` vehicles" in text
    assert solution.scenario.fingerprint[:12] in text and "one way" in text
    assert text.replace("\n", "\n- ") in solution.report()
    assert len(set(solution.assumptions)) == len(solution.assumptions)


def test_sentences_of_a_method_stand_beside_what_it_foresees():
    own = ["It rains.", "It pours."]
    lines = solution_of(method="unmanaged", assumptions=own).assumptions
    assert lines[0].startswith("No foresight") and lines[1:3] == own
    lines = solution_of(method="time_of_use").assumptions
    assert "own trips" in lines[0]
    lines = solution_of(method="per_session", tube="per_session").assumptions
    assert lines[0].startswith("Perfect foresight")
    assert "gives back what was used" in lines[1]


def test_left_out_and_relaxed_vehicles_are_said():
    name = fleet(1).vehicles["vehicle_id"].tolist()[0]
    dropped = solution_of(on_infeasible="drop", dropped=[name])
    assert any("1 vehicles" in a and "left out" in a for a in dropped.assumptions)
    frame = pd.DataFrame(
        {
            "vehicle_id": [name],
            "trip": [0],
            "departure": [pd.NaT],
            "missing_kwh": [1.0],
        }
    )
    relaxed = solution_of(on_infeasible="relax", infeasible=frame)
    assert any("as far as possible" in a for a in relaxed.assumptions)


def test_repr_is_one_short_line():
    text = repr(solution_of(objective=265.04, lower_bound=264.9, gap=5e-4))
    assert text == (
        "Solution(mac, solved: objective 265.04, lower bound 264.9, gap 0.0005; "
        "6 vehicles, 3 feeders, 14 slots)"
    )


COMPARED = [
    "method",
    "status",
    "feeders",
    "feeders_overloaded",
    "upgrade_kw",
    "upgrade_cost",
    "avoided_kw",
    "avoided_percent",
    "energy_kwh",
    "stranded",
    "infeasible",
    "dropped",
    "objective",
    "lower_bound",
    "gap",
    "seconds",
    "avoidable_cost_at_most",
]


def test_compare_measures_against_unmanaged():
    unmanaged = solution_of(method="unmanaged", status="simulated")
    mac = solution_of(
        plan=Plan.empty(), objective_spec=PeakOverload(), lower_bound=2.0, gap=0.1
    )
    frame = compare([mac, unmanaged])
    assert list(frame) == COMPARED
    assert frame["method"].tolist() == ["mac", "unmanaged"]
    assert frame["status"].tolist() == ["solved", "simulated"]
    needed = unmanaged.upgrades()["upgrade_kw"].sum()
    less = needed - mac.upgrades()["upgrade_kw"].sum()
    assert frame["avoided_kw"].tolist() == pytest.approx([less, 0.0])
    assert frame["avoided_percent"].tolist() == pytest.approx([100 * less / needed, 0])
    at_most = unmanaged.upgrades()["upgrade_cost"].sum() - 2.0
    assert frame["avoidable_cost_at_most"][0] == pytest.approx(at_most)
    assert math.isnan(frame["avoidable_cost_at_most"][1])


@pytest.mark.parametrize("baseline", [None, "unmanaged", "per_session"])
def test_without_the_baseline_nothing_is_avoided(baseline):
    frame = compare([solution_of()], baseline=baseline)
    assert frame[["avoided_kw", "avoided_percent"]].isna().all(axis=None)


def test_compare_of_nothing_has_the_columns():
    assert list(compare([])) == COMPARED and len(compare([])) == 0


@pytest.mark.parametrize("given", [None, 5, "ab", [1], [None]])
def test_only_solutions_are_compared(given):
    with pytest.raises(SettingsError, match="compare takes a list of Solutions"):
        compare(given)
    with pytest.raises(SettingsError, match="got Solution$"):
        compare(solution_of())


def test_other_scenarios_are_not_compared_unless_asked():
    here = solution_of(1), solution_of(1, method="unmanaged")
    other = solution_of(2)
    with pytest.raises(SettingsError, match="'fleet 1'.*'fleet 2'.*allow_different"):
        compare([*here, other])
    frame = compare([*here, other], allow_different=True)
    assert frame["avoided_kw"].isna().tolist() == [False, False, True]


def test_nothing_needed_means_no_percentage():
    scenario = fleet(1)
    keys = ("name", "start", "timezone", "slot_minutes", "slots", "vehicles")
    given = {k: getattr(scenario, k) for k in (*keys, "stays", "trips", "feeders")}
    profile = scenario.feeder_profile.assign(capacity_kw=1e6)
    roomy = type(scenario).from_frames(**given, feeder_profile=profile)
    calm = Solution(
        scenario=roomy, plan=Plan.empty(), status="simulated", method="unmanaged"
    )
    frame = compare([calm])
    assert frame["avoided_kw"][0] == 0.0 and math.isnan(frame["avoided_percent"][0])
