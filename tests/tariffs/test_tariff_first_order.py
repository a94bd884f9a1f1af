"""The first-order method in JAX against the direct solver, on the same programs."""

import numpy as np
import pytest
from tariff_cases import bundled, limits, nodes, town

from macjax import tariffs


def compared(case, gamma, kw: float, price: float, **settings):
    """Both plans, with cost, powers and tariffs compared."""
    exact = tariffs.solve_operator(case, gamma)
    plan = tariffs.solve_operator(case, gamma, method="first_order", **settings)
    assert exact.status == plan.status == "solved"
    assert plan.cost == pytest.approx(exact.cost, rel=1e-4)
    assert (plan.powers["kw"] - exact.powers["kw"]).abs().max() < kw
    gap = (plan.tariffs["tariff"] - exact.tariffs["tariff"]).abs()
    assert gap.max() < price
    return exact, plan


def test_small_cases():
    compared(town(lines=limits(sm=76, mf=80)), 0.5, kw=0.5, price=2e-3)
    low = nodes(min_pu=[np.nan, np.nan, 0.87, 0.88], max_pu=1.1)
    compared(town(grid_nodes=low), 0.5, kw=0.5, price=5e-3)


@pytest.mark.slow
def test_case_study():
    steps = []
    _, plan = compared(
        bundled(), 1.0, kw=5.0, price=1e-3, progress=lambda *now: steps.append(now)
    )
    assert steps[-1][0] == plan.iterations and steps[-1][1] <= 1e-6
    assert [n for n, _ in steps] == sorted(n for n, _ in steps)


def test_tighter_tolerance_is_nearer():
    case = town(lines=limits(sm=80))
    exact = tariffs.solve_operator(case, 1.0)
    gaps = []
    for tolerance in (1e-3, 1e-7):
        plan = tariffs.solve_operator(
            case, 1.0, method="first_order", tolerance=tolerance
        )
        gaps.append((plan.powers["kw"] - exact.powers["kw"]).abs().max())
    assert gaps[1] < 0.1 < gaps[0] or gaps[1] < 0.2 * gaps[0]


def test_iterations_run_out():
    plan = tariffs.solve_operator(town(), method="first_order", max_iterations=50)
    assert plan.status == "iteration_limit" and np.isnan(plan.cost)
    assert plan.iterations >= 50
