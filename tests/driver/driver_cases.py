"""The fleets that the tests of `solve` share, and what every solution has to keep.

The first solve of a shape compiles for some seconds, all others take milliseconds. So
the tests draw many instances on a few timetables: `varied` changes all numbers and who
charges where, but not when.
"""

import numpy as np
import oracles

import macjax
from macjax import Scenario
from macjax.synthetic.generate import fleet_frames

SLOTS, FEEDERS = 24, 9


def street_frames(seed: int | None = None, **changes) -> dict:
    """Keyword arguments of `Scenario.from_frames`: 100 vehicles of the hard kind, a day
    by the hour, nine feeders; other numbers on the same timetable for each seed."""
    frames = fleet_frames(100, SLOTS, 60, FEEDERS, kind="hard", seed=0)
    frames = frames if seed is None else varied(frames, seed)
    return frames | changes


def roomy(frames: dict, except_for=()) -> dict:
    """The frames with capacities that are never short, but for some feeders."""
    profile = frames["feeder_profile"].copy()
    large = ~profile["feeder_id"].isin(except_for)
    profile.loc[large, "capacity_kw"] += 1e4
    return frames | {"feeder_profile": profile}


def varied(frames: dict, seed: int) -> dict:
    """Other costs, weights, trip energies, headroom and feeders of each charger.

    Trips only get shorter, so that what could be served still can be.
    """
    rng = np.random.default_rng(seed)
    feeders, stays = frames["feeders"].copy(), frames["stays"].copy()
    vehicles, trips = frames["vehicles"].copy(), frames["trips"].copy()
    profile = frames["feeder_profile"].copy()
    count = len(feeders)
    feeders["upgrade_cost_per_kw"] = np.exp(rng.normal(4.0, 1.0, count))
    vehicles["weight"] = np.exp(rng.normal(0.0, 0.7, len(vehicles)))
    trips["energy_kwh"] *= rng.uniform(0.3, 1.0, len(trips))
    headroom = profile["capacity_kw"] - profile["base_kw"]
    room = dict(zip(feeders["feeder_id"], rng.uniform(0.3, 2.5, count), strict=True))
    profile["capacity_kw"] = profile["base_kw"] + headroom * profile["feeder_id"].map(
        room
    )
    moved = rng.random(len(stays)) < 0.2
    moved &= stays["feeder_id"].notna().to_numpy()
    ids = feeders["feeder_id"].to_numpy()
    stays.loc[moved, "feeder_id"] = rng.choice(ids, int(moved.sum()))
    stays.loc[rng.random(len(stays)) < 0.05, "feeder_id"] = None
    changed = dict(feeders=feeders, vehicles=vehicles, trips=trips, stays=stays)
    return frames | changed | {"feeder_profile": profile}


def street(seed: int | None = None) -> Scenario:
    """`street_frames` as a scenario."""
    return Scenario.from_frames(**street_frames(seed))


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
