"""The oracle agrees with closed forms, with itself, and with a plain replay."""

import numpy as np
import oracles
import pytest
from problems import PROBLEMS

from macjax.synthetic import fleet_frames

NAMES = sorted(PROBLEMS)


@pytest.mark.parametrize("name", NAMES)
def test_optimum_is_the_closed_form(name):
    problem = PROBLEMS[name]()
    for method in ("simplex", "ipm"):
        answer = oracles.solve_lp(problem.frames, **problem.coefficients, method=method)
        assert answer.optimum == pytest.approx(problem.optimum, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_unique_loads_and_prices_are_the_closed_form(name):
    problem = PROBLEMS[name]()
    answer = oracles.solve_lp(problem.frames, **problem.coefficients)
    if problem.loads is not None:
        np.testing.assert_allclose(answer.loads, problem.loads, atol=1e-6)
    if problem.prices is not None:
        np.testing.assert_allclose(answer.prices, problem.prices, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_vehicles_out_of_reach_are_the_ones_named(name):
    problem = PROBLEMS[name]()
    good = oracles.greedy_feasible(problem.frames)
    cars = problem.frames["vehicles"]["vehicle_id"]
    assert set(cars[~good]) == set(problem.missing)


@pytest.mark.parametrize(
    "name", [n for n in NAMES if PROBLEMS[n]().unmanaged is not None]
)
def test_unmanaged_objective_is_the_closed_form(name):
    problem = PROBLEMS[name]()
    loads = oracles.unmanaged_loads(problem.frames)
    found = oracles.objective_of(problem.frames, loads)
    assert found == pytest.approx(problem.unmanaged, abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_plan_drives_and_prices_prove_it(seed):
    """Primal: the plan is feasible and its loads give the optimum. Dual: the prices
    sum to at most the cost, and the bound they give is the optimum."""
    frames = fleet_frames(25, kind="random", seed=seed)
    answer = oracles.solve_lp(frames)
    assert max(oracles.replay(frames, answer.plan).values()) < 1e-6
    scale = 1.0 + abs(answer.optimum)
    objective = oracles.objective_of(frames, answer.loads)
    assert abs(objective - answer.optimum) < 1e-7 * scale
    assert abs(oracles.bound_lp(frames, answer.prices) - answer.optimum) < 1e-7 * scale


@pytest.mark.parametrize("seed", range(4))
def test_replay_sees_what_is_taken_away(seed):
    """Half of the energy of an optimal plan is not enough for somebody."""
    frames = fleet_frames(40, slots=48, kind="hard", seed=seed)
    plan = oracles.solve_lp(frames).plan
    plan["kw"] *= 0.5
    assert max(oracles.replay(frames, plan).values()) > 0.1


def test_objective_is_homogeneous_in_cost():
    frames = fleet_frames(30, kind="random", seed=5)
    cost = frames["feeders"]["upgrade_cost_per_kw"].to_numpy()
    first, second = (oracles.solve_lp(frames, peak=k * cost) for k in (1.0, 1e3))
    assert second.optimum == pytest.approx(1e3 * first.optimum, rel=1e-9)
