"""Random fleets against HiGHS on the same LP: objective, bound, feasibility."""

import pytest
from driver_cases import FEEDERS, SLOTS, assert_right, optimum_of

import macjax
from macjax.synthetic import fleet

# kind, vehicles, slots, minutes, feeders, seed; rows of a block share a size class.
HOURS = [
    ("easy", 100, SLOTS, 60, FEEDERS, 0),
    ("easy", 100, SLOTS, 60, FEEDERS, 1),
    ("hard", 100, SLOTS, 60, FEEDERS, 1),
    ("hard", 100, SLOTS, 60, FEEDERS, 4),
    ("tight", 120, SLOTS, 60, FEEDERS, 0),
    ("tight", 120, SLOTS, 60, FEEDERS, 2),
    ("many_small", 90, SLOTS, 60, FEEDERS, 0),
    ("many_small", 90, SLOTS, 60, FEEDERS, 3),
]
RANDOM = [("random", 60, SLOTS, 60, FEEDERS, seed) for seed in range(5)]
HALF_HOURS = [("random", 100, 48, 30, 7, seed) for seed in (1, 2, 3, 5)]
QUARTERS = [
    ("easy", 100, 96, 15, 7, 0),
    ("hard", 100, 96, 15, 7, 0),
    ("tight", 120, 96, 15, 7, 1),
    ("many_small", 90, 96, 15, 7, 3),
]
WEEKS = [
    ("easy", 600, 168, 60, 7, 0),
    ("hard", 600, 168, 60, 7, 0),
    ("tight", 600, 168, 60, 7, 1),
    ("many_small", 600, 168, 60, 7, 1),
]


def named(row) -> str:
    """A row of the tables above as the id of a test."""
    kind, vehicles, slots, minutes, _, seed = row
    return f"{kind}-{vehicles}-{slots}x{minutes}-{seed}"


def solved(row, gap: float, **settings):
    """Solve a row and hold it against HiGHS."""
    kind, vehicles, slots, minutes, feeders, seed = row
    scenario = fleet(vehicles, slots, minutes, feeders, kind=kind, seed=seed)
    solution = macjax.solve(scenario, gap=gap, **settings)
    assert_right(scenario, solution, optimum_of(scenario), gap)
    return solution


@pytest.mark.parametrize(
    "row", [*HOURS, *RANDOM, *HALF_HOURS, *QUARTERS, *WEEKS[:2]], ids=named
)
def test_against_highs(row):
    """With default settings."""
    solved(row, 1e-3)


@pytest.mark.parametrize(
    "row", [*HOURS, *RANDOM, *HALF_HOURS, *QUARTERS[1:3], WEEKS[1]], ids=named
)
def test_against_highs_closely(row):
    """With a gap of 1e-4."""
    solved(row, 1e-4)


@pytest.mark.parametrize("row", [*HOURS[1:4], RANDOM[0]], ids=named)
def test_against_highs_to_six_digits(row):
    """With a gap of 1e-6, far under what is asked for."""
    solved(row, 1e-6)


@pytest.mark.parametrize("row", [*HOURS, RANDOM[2]], ids=named)
def test_against_highs_in_float32(row):
    """Certified in float64: the plan is projected once more, so 1e-6 kWh holds too."""
    solved(row, 1e-3, dtype="float32")


@pytest.mark.slow
@pytest.mark.parametrize("row", WEEKS[2:], ids=named)
@pytest.mark.parametrize("gap", [1e-3, 1e-4])
def test_weeks_against_highs(row, gap):
    """600 vehicles of the hard kinds over a week."""
    solved(row, gap)
