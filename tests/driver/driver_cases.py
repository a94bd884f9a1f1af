"""The fleets that the tests of `solve` share, and what every solution has to keep.

Instances are chosen so that most fall into one size class: the first solve of a class
compiles for some seconds, all others take some milliseconds.
"""

import numpy as np
import oracles

import macjax
from macjax import Scenario
from macjax.synthetic import fleet
from macjax.synthetic.generate import fleet_frames

SLOTS, FEEDERS = 24, 9


def street_frames(kind: str = "hard", evs: int = 100, seed: int = 0) -> dict:
    """Keyword arguments of `Scenario.from_frames`: a day by the hour, nine feeders."""
    return fleet_frames(evs, SLOTS, 60, FEEDERS, kind=kind, seed=seed)


def street(kind: str = "hard", evs: int = 100, seed: int = 0) -> Scenario:
    """The same as a scenario."""
    return fleet(evs, SLOTS, 60, FEEDERS, kind=kind, seed=seed)


def with_frames(frames: dict, **changed) -> Scenario:
    """A scenario of frames, some of them replaced."""
    return Scenario.from_frames(**(frames | changed))


def optimum_of(scenario, **coefficients) -> float:
    """The optimum by HiGHS, with its tolerances far under those of the tests."""
    exact = {"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9}
    return oracles.solve_lp(scenario, **coefficients, **exact).optimum


def scale_of(solution) -> float:
    """What a gap is relative to [currency]."""
    return abs(solution.objective) + 0.01 * abs(solution.unmanaged_objective)


def assert_certified(scenario, solution) -> None:
    """What is reported is what the certificate finds in the tables."""
    certificate = macjax.certify(scenario, solution)
    assert certificate.feasible, certificate
    assert certificate.max_violation_kwh <= 1e-6
    for name in ("objective", "lower_bound", "unmanaged_objective"):
        reported, found = getattr(solution, name), getattr(certificate, name)
        assert abs(reported - found) <= 1e-10 * abs(found), name
    # The gap is a difference: it is as exact as what it is the difference of.
    assert abs(solution.gap - certificate.gap) <= 1e-10


def assert_right(scenario, solution, optimum: float, gap: float, exact=1e-9) -> None:
    """Solved: certified to `gap`, and on both sides of an optimum from outside.

    Arguments:
        optimum: least cost, known to `exact` relative [currency].
    """
    assert solution.status == "solved", solution.message
    assert solution.gap <= gap
    assert_certified(scenario, solution)
    rounding = exact * max(abs(optimum), abs(solution.objective))
    assert solution.lower_bound <= optimum + rounding
    assert solution.objective >= optimum - rounding
    assert solution.objective <= optimum + gap * scale_of(solution) + rounding


def assert_valid_so_far(scenario, solution, optimum: float) -> None:
    """Ended early: the schedule serves everybody and the bound is one."""
    assert_certified(scenario, solution)
    assert solution.lower_bound <= optimum * (1 + 1e-9)
    assert solution.objective >= optimum * (1 - 1e-9)
    assert np.isfinite(solution.price_table).all()
