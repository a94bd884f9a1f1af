"""Random fleets against HiGHS on the same LP: objective, bound, feasibility."""

import pytest
from driver_cases import assert_right, optimum_of, street_frames, varied, with_frames

import macjax
from macjax.synthetic.generate import fleet_frames

# Timetables: kind, vehicles, slots, minutes, feeders.
TIMETABLES = {
    "day": ("hard", 100, 24, 60, 9),
    "half hours": ("random", 100, 48, 30, 7),
    "quarters": ("tight", 90, 96, 15, 7),
    "week": ("hard", 600, 168, 60, 12),
}
SEEDS = {"day": range(7), "half hours": (None, *range(1, 5)), "week": (None, 1)}
SEEDS["quarters"] = (None, 1, 2, 3)
# The first of each timetable; all of them are a slow test.
FLEETS = [
    pytest.param(name, seed, marks=[pytest.mark.slow] if nth else [])
    for name, seeds in SEEDS.items()
    for nth, seed in enumerate(seeds)
]


def solved(name: str, seed: int | None, gap: float, **settings):
    """Solve a fleet and hold it against HiGHS."""
    kind, vehicles, slots, minutes, feeders = TIMETABLES[name]
    frames = fleet_frames(vehicles, slots, minutes, feeders, kind=kind, seed=0)
    scenario = with_frames(frames if seed is None else varied(frames, seed))
    solution = macjax.solve(scenario, gap=gap, **settings)
    assert_right(scenario, solution, optimum_of(scenario), gap)
    return solution


def test_the_day_is_the_street():
    """The first timetable is the one of the other tests: nothing compiles twice."""
    kind, vehicles, slots, minutes, feeders = TIMETABLES["day"]
    frames = fleet_frames(vehicles, slots, minutes, feeders, kind=kind, seed=0)
    assert frames["stays"].equals(street_frames()["stays"])


@pytest.mark.parametrize(("name", "seed"), FLEETS)
def test_against_highs(name, seed):
    """With default settings: 18 fleets, eight of them without the slow ones."""
    solved(name, seed, 1e-3)


@pytest.mark.parametrize(("name", "seed"), FLEETS)
def test_against_highs_closely(name, seed):
    """With a gap of 1e-4."""
    solved(name, seed, 1e-4)


@pytest.mark.parametrize(("name", "seed"), FLEETS[::2])
def test_against_highs_to_six_digits(name, seed):
    """With a gap of 1e-6, far under what is asked for."""
    solved(name, seed, 1e-6)


@pytest.mark.parametrize(("name", "seed"), FLEETS[:3])
def test_against_highs_in_float32(name, seed):
    """Certified in float64: the plan is projected once more, so 1e-6 kWh holds too."""
    solved(name, seed, 1e-3, dtype="float32")
