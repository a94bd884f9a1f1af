"""Starts from another solution: of this scenario, of a neighbour, and wrong ones."""

import numpy as np
import pandas as pd
import pytest
from driver_cases import assert_right, optimum_of, street_frames, with_frames

import macjax
from macjax import FeederCapacity, SettingsError, Solution

GAP = 1e-4


@pytest.fixture(scope="module")
def frames():
    """The frames that the neighbours change."""
    return street_frames(4)


@pytest.fixture(scope="module")
def first(frames):
    """Their solution."""
    return macjax.solve(with_frames(frames), gap=GAP)


def test_from_its_own_solution(first):
    """Nothing is left to do: no iterations, the same numbers."""
    again = macjax.solve(first.scenario, gap=GAP, warm_start=first)
    assert again.status == "solved" and again.iterations == 0
    assert again.objective == pytest.approx(first.objective, rel=1e-9)
    assert again.lower_bound == pytest.approx(first.lower_bound, rel=1e-9)
    assert again.settings["warm_start"] and not first.settings["warm_start"]


def test_from_its_own_solution_in_float32(first):
    """The start is rounded to float32, which its default gap allows for."""
    again = macjax.solve(first.scenario, warm_start=first, dtype="float32")
    assert again.status == "solved" and again.iterations == 0


def test_to_a_smaller_gap(first, frames):
    """Going on is quicker than starting over."""
    cold = macjax.solve(first.scenario, gap=1e-6)
    warm = macjax.solve(first.scenario, gap=1e-6, warm_start=first)
    assert_right(first.scenario, warm, optimum_of(first.scenario), 1e-6)
    assert warm.iterations <= cold.iterations


def test_from_a_file(first, tmp_path):
    """A solution that was written and read starts like the one in memory."""
    first.write(tmp_path / "solution")
    read = Solution.read(tmp_path / "solution")
    again = macjax.solve(first.scenario, gap=GAP, warm_start=read)
    assert again.status == "solved" and again.iterations == 0


def more_capacity(frames):
    """Capacity +2 %."""
    profile = frames["feeder_profile"].copy()
    profile["capacity_kw"] *= 1.02
    return frames | {"feeder_profile": profile}


def one_vehicle_more(frames):
    """A vehicle more, at the top of its table, so that all rows move."""
    stays = frames["stays"]
    vehicle = stays["vehicle_id"].iloc[3]
    changed = {}
    for table in ("vehicles", "stays", "trips"):
        frame = frames[table]
        rows = frame[frame["vehicle_id"] == vehicle].assign(vehicle_id=9000)
        changed[table] = pd.concat([rows, frame], ignore_index=True)
    return frames | changed


def other_costs(frames):
    """Costs that moved by up to 5 %."""
    feeders = frames["feeders"].copy()
    noise = np.random.default_rng(1).uniform(0.95, 1.05, len(feeders))
    feeders["upgrade_cost_per_kw"] *= noise
    return frames | {"feeders": feeders}


def shuffled(frames):
    """The same rows in another order."""
    tables = {
        name: frame.sample(frac=1, random_state=3).reset_index(drop=True)
        for name, frame in frames.items()
        if isinstance(frame, pd.DataFrame)
    }
    return frames | tables


def a_feeder_less(frames):
    """One feeder is gone, its chargers are on none."""
    gone = "f0004"
    stays = frames["stays"].copy()
    stays["feeder_id"] = stays["feeder_id"].mask(stays["feeder_id"] == gone, None)
    return frames | {
        "stays": stays,
        "feeders": frames["feeders"].query("feeder_id != @gone"),
        "feeder_profile": frames["feeder_profile"].query("feeder_id != @gone"),
    }


NEIGHBOURS = (
    more_capacity,
    one_vehicle_more,
    other_costs,
    shuffled,
    pytest.param(a_feeder_less, marks=pytest.mark.slow),  # compiles for a table less
)


@pytest.mark.parametrize("change", NEIGHBOURS)
def test_from_a_neighbour(change):
    """Right, and over six streets in fewer iterations than from nothing.

    One street may be unlucky: a cold start can end at the first look of Newton.
    """
    cold, warm = [], []
    for seed in range(6):
        frames = street_frames(seed)
        start = macjax.solve(with_frames(frames), gap=GAP)
        scenario = with_frames(change(frames))
        cold.append(macjax.solve(scenario, gap=GAP).iterations)
        solution = macjax.solve(scenario, gap=GAP, warm_start=start)
        assert_right(scenario, solution, optimum_of(scenario), GAP)
        warm.append(solution.iterations)
    assert sum(warm) <= (0 if change is shuffled else 0.9 * sum(cold))


@pytest.mark.slow
def test_from_another_horizon(frames, first):
    """Of 24 hours the first 20: instants are matched, the rest is left out."""
    scenario = with_frames(frames, slots=20)
    settings = dict(gap=GAP, on_infeasible="relax")
    cold = macjax.solve(scenario, **settings)
    warm = macjax.solve(scenario, warm_start=first, **settings)
    assert cold.status == warm.status == "solved"
    assert warm.lower_bound <= cold.objective * (1 + 1e-9)
    assert cold.lower_bound <= warm.objective * (1 + 1e-9)
    back = macjax.solve(first.scenario, gap=GAP, warm_start=warm)
    assert_right(first.scenario, back, optimum_of(first.scenario), GAP)


def with_prices(solution, prices) -> Solution:
    """A solution with another price table."""
    return Solution(
        scenario=solution.scenario,
        plan=solution.plan,
        status=solution.status,
        prices=prices,
        objective_spec=solution.objective_spec,
    )


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_from_prices_out_of_any_domain(first, scale):
    """Any finite prices may be given: what they are worth is found out."""
    rng = np.random.default_rng(0)
    table = first.price_table.max() * scale * rng.normal(size=first.price_table.shape)
    warm = macjax.solve(first.scenario, gap=GAP, warm_start=with_prices(first, table))
    assert_right(first.scenario, warm, optimum_of(first.scenario), GAP)


def test_from_another_objective(first):
    """A solution of another objective is a start like any other."""
    other = macjax.solve(first.scenario, macjax.OverloadEnergy(3.0))
    warm = macjax.solve(first.scenario, gap=GAP, warm_start=other)
    assert_right(first.scenario, warm, optimum_of(first.scenario), GAP)


def test_under_hard_limits(frames):
    """The first phase starts from the schedule: limits that hold are seen at once."""
    profile = frames["feeder_profile"].copy()
    profile["capacity_kw"] += 2000.0
    scenario = with_frames(frames, feeder_profile=profile)
    first = macjax.solve(scenario, FeederCapacity())
    again = macjax.solve(scenario, FeederCapacity(), warm_start=first)
    assert again.status == "solved" and again.iterations == 0


def wrong_starts(first) -> dict:
    """What is no warm start, and words that the error has to hold."""
    scenario = first.scenario
    hopeless = macjax.solve(with_frames(street_frames()), FeederCapacity())
    assert hopeless.status == "infeasible"
    bad = first.price_table.copy()
    bad[2, 3] = np.nan
    return {
        "a frame": (first.schedule(), "macjax.Solution, not DataFrame"),
        "a folder": ("runs/first", "macjax.Solution, not str"),
        "a number": (1, "macjax.Solution, not int"),
        "unmanaged": (macjax.baselines.unmanaged(scenario), "'unmanaged'"),
        "no schedule": (hopeless, "'infeasible'"),
        "no prices": (with_prices(first, None), "needs a schedule and prices"),
        "NaN": (with_prices(first, bad), "not finite"),
        "infinite": (with_prices(first, np.full(bad.shape, np.inf)), "not finite"),
    }


KINDS = ("a frame", "a folder", "a number", "unmanaged", "no schedule", "no prices")


@pytest.mark.parametrize("kind", (*KINDS, "NaN", "infinite"))
def test_wrong_starts_are_refused(first, kind):
    """A SettingsError that says what is missing."""
    start, words = wrong_starts(first)[kind]
    with pytest.raises(SettingsError, match="warm_start") as raised:
        macjax.solve(first.scenario, warm_start=start)
    assert words in str(raised.value)
