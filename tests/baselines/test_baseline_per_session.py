"""Per-session recovery: its prescribed sums, and whether they lie in MAC's set."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from baseline_fleets import events, overlap, random_case

from macjax import baselines
from macjax.baselines.per_session import outside_mac_set
from macjax.certificate import Certifier
from macjax.fleet.opportunities import charging_chains
from macjax.results import Solution
from macjax.scenario.plan import Plan


def session_loop(car):
    """[(stay row, energy given back)] of a car, in order of time [battery kWh]."""
    owed, given = 0.0, []
    for kind, _, e in events(car):
        if kind == "trip":
            owed += e["kwh"]
        else:
            most = e["kw"] * (e["end"] - e["begin"]) * car["eta"]
            given.append((e, min(owed, most)))
            owed -= given[-1][1]
    return given


def spread_plan(case):
    """The energy of each stay at constant power over the whole stay."""
    rows = []
    for car in case.vehicles:
        for stay, kwh in session_loop(car):
            power = kwh / car["eta"] / (stay["end"] - stay["begin"])
            for t in range(case.slots):
                hours = overlap(stay["begin"], stay["end"], t, case.dt)
                rows.append((stay["row"], t, power * hours / case.dt))
    return Plan.of(*zip(*rows, strict=True)) if rows else Plan.empty()


@pytest.mark.parametrize("seed", range(20))
def test_every_stay_gives_back_what_was_used(seed):
    case = random_case(seed, vehicles=15)
    charged = charging_chains(case.scenario(), "per_session").lower
    expected = [
        total
        for car in case.vehicles
        for total in np.cumsum([kwh for _, kwh in session_loop(car)])
    ]
    assert charged == pytest.approx(np.array(expected), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_outside_macs_set_is_what_the_certificate_finds(seed):
    case = random_case(seed, vehicles=1)
    scenario = case.scenario()
    charged = charging_chains(scenario, "per_session").lower
    found = Certifier(scenario, None, "relax").check(spread_plan(case))
    outside = outside_mac_set(charging_chains(scenario), charged)
    assert outside.any() == (not found.feasible)


def test_some_lie_inside_and_some_outside():
    outside = []
    for seed in range(20):
        scenario = random_case(seed, vehicles=1).scenario()
        charged = charging_chains(scenario, "per_session").lower
        outside.append(outside_mac_set(charging_chains(scenario), charged).any())
    assert True in outside and False in outside


@pytest.mark.parametrize("seed", range(6))
def test_what_is_added_to_the_solvers_result(seed, monkeypatch):
    """The solver gets the keywords; who is stranded is told from its schedule."""
    case = random_case(seed, vehicles=12)
    scenario = case.scenario()
    asked = {}

    def solve_tube(scenario, objective, **settings):
        asked.update(settings)
        return Solution(scenario=scenario, plan=spread_plan(case), status="solved")

    driver = SimpleNamespace(solve_tube=solve_tube)
    monkeypatch.setitem(sys.modules, "macjax.driver", driver)
    solution = baselines.per_session(scenario, gap=1e-2)
    assert asked == {"tube": "per_session", "gap": 1e-2}
    verdict = Certifier(scenario, None, "relax").check(solution.plan)
    assert solution.settings["inside_mac_set"] == verdict.feasible
    outside = solution.settings["vehicles_outside_mac_set"]
    assert outside == verdict.violations["vehicle_id"].nunique()
    short = {}
    for v, car in enumerate(case.vehicles):
        soc, given = car["initial"], dict((s["row"], k) for s, k in session_loop(car))
        for kind, _, e in events(car):
            soc += given[e["row"]] if kind == "stay" else -e["kwh"]
            if kind == "trip" and soc < car["reserve"] - 1e-6:
                short.setdefault(f"car{v}", (e["row"], car["reserve"] - soc))
    assert solution.stranded["vehicle_id"].tolist() == list(short)
    assert solution.stranded["trip"].tolist() == [row for row, _ in short.values()]
    missing = [kwh for _, kwh in short.values()]
    assert solution.stranded["missing_kwh"].tolist() == pytest.approx(missing)
