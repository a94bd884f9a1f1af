"""All small problems with known answers, solved to them."""

import dataclasses

import numpy as np
import pytest
from driver_cases import assert_certified, assert_right
from problems import INF, PROBLEMS

import macjax
from macjax import EnergyCost, FeederCapacity, OverloadEnergy, PeakOverload, Scenario
from macjax._errors import InfeasibleVehicles
from macjax.certificate import Certifier

GAP = 1e-9


def objective_of(scenario, coefficients: dict):
    """The coefficients of a small problem as an objective."""
    given = dict(coefficients)
    peak = given.pop("peak", None)
    terms = [PeakOverload(peak)]
    if "overload" in given:
        terms.append(OverloadEnergy(given.pop("overload")))
    if "energy" in given:
        table = np.asarray(given.pop("energy"), float)
        frame = scenario.feeders[["feeder_id"]].merge(
            scenario.slot_starts.to_frame(name="time"), how="cross"
        )
        terms.append(EnergyCost(frame.assign(price=table.ravel())))
    if given.pop("hard", False):
        terms.append(FeederCapacity())
    assert not given
    return sum(terms[1:], terms[0])


def solved(name: str, **settings):
    """A small problem, its scenario and its solution."""
    small = PROBLEMS[name]()
    scenario = Scenario.from_frames(**small.frames)
    objective = objective_of(scenario, small.coefficients)
    return small, scenario, macjax.solve(scenario, objective, gap=GAP, **settings)


FEASIBLE = sorted(n for n, p in PROBLEMS.items() if np.isfinite(p().optimum))
SHORT = sorted(n for n, p in PROBLEMS.items() if p().missing)


def test_all_problems_are_here():
    """Every problem of the table is in one of the tests of this module."""
    assert len(PROBLEMS) == 27
    assert set(PROBLEMS) == {*FEASIBLE, *SHORT, "hard_capacity_fails"}


@pytest.mark.parametrize("name", FEASIBLE)
def test_the_known_answer(name):
    """Optimum, and loads and prices where they are unique."""
    small, scenario, solution = solved(name)
    if name == "hard_capacity_holds":
        # To its tolerance of 0.1 kW: so much more is bought at 1 instead of at 4.
        small = dataclasses.replace(small, optimum=14 - 0.3, loads=[[2.1, 2.9]])
    assert_right(scenario, solution, small.optimum, GAP, exact=1e-7)
    if small.loads is not None:
        loads = solution.loads()["ev_kw"].to_numpy().reshape(np.shape(small.loads))
        np.testing.assert_allclose(loads, small.loads, atol=1e-5)
    if small.prices is not None:
        table = np.reshape(small.prices, solution.price_table.shape)
        np.testing.assert_allclose(solution.price_table, table, atol=1e-6)
    if small.unmanaged is not None:
        assert solution.unmanaged_objective == pytest.approx(small.unmanaged)


def test_hard_capacity_that_fails():
    """9 kWh and room for 8: a ray over the only feeder proves it."""
    small, scenario, solution = solved("hard_capacity_fails")
    assert small.optimum == INF and solution.status == "infeasible"
    assert "feeder f;" in solution.message
    certifier = Certifier(scenario, FeederCapacity())
    assert certifier.ray_bound(solution.dual_ray) > 0


@pytest.mark.parametrize("name", SHORT)
def test_vehicles_out_of_reach(name):
    """They are named with the trip and the missing energy; both policies go on."""
    with pytest.raises(InfeasibleVehicles) as raised:
        solved(name)
    for policy in ("drop", "relax"):
        small, scenario, solution = solved(name, on_infeasible=policy)
        assert solution.status == "solved"
        assert_certified(scenario, solution)
        listed = solution.infeasible.set_index("vehicle_id")
        assert listed.equals(raised.value.infeasible.set_index("vehicle_id"))
        assert set(listed.index) == set(small.missing)
        for vehicle, (trip, missing) in small.missing.items():
            row = listed.loc[vehicle]
            assert row["missing_kwh"] == pytest.approx(missing)
            assert (row["trip"] == trip) if trip is not None else row.isna()["trip"]
        assert solution.dropped == (list(small.missing) if policy == "drop" else [])
