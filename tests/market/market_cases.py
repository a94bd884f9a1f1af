"""Scenarios and prices for the tests of vehicles that pay prices."""

import functools

import numpy as np
import pandas as pd
import problems

from macjax.results.tables import cell_prices
from macjax.scenario import Scenario
from macjax.synthetic import fleet_frames

SEEDS = range(6)


@functools.cache
def nasty(seed: int) -> Scenario:
    """40 vehicles of the nasty kind on slots that are the same for all seeds."""
    frames = fleet_frames(40, 24, 60, 5, kind="random", seed=seed)
    return Scenario.from_frames(**frames)


def prices_of(scenario, kind: str, seed: int = 0) -> np.ndarray:
    """A table of prices, shape (f, t) [currency/kW]."""
    rng = np.random.default_rng([seed, 3])
    shape = len(scenario.feeders), scenario.slots
    noise = rng.exponential(1.0, shape)
    return {
        "zero": np.zeros(shape),
        "random": noise,
        "ties": np.round(3 * rng.random(shape)),
        "sparse": np.where(rng.random(shape) < 0.1, 10 * noise, 0.0),
        "signs": rng.normal(size=shape),
        "signed ties": np.round(rng.normal(size=shape)),
        "negative": -noise,
    }[kind]


KINDS = ("zero", "random", "ties", "sparse", "signs", "signed ties", "negative")


def frame_of(scenario, table) -> pd.DataFrame:
    """A table of prices as `Solution.prices()` gives it."""
    return cell_prices(scenario, table)


def same_schedule(one: pd.DataFrame, other: pd.DataFrame, least_kw: float = 1e-7):
    """The largest difference of power in any stay and slot [kW]."""
    keys = ["stay", "time"]
    both = one[[*keys, "kw"]].merge(other[[*keys, "kw"]], "outer", on=keys)
    return float(both[["kw_x", "kw_y"]].fillna(0.0).diff(axis=1)["kw_y"].abs().max())


VARIED = (
    ("trips", "energy_kwh"),
    ("feeders", "upgrade_cost_per_kw"),
    ("feeder_profile", "capacity_kw"),
)


@functools.cache
def varied(seed: int) -> Scenario:
    """30 vehicles of the nasty kind on one timetable, so that little is compiled."""
    frames = fleet_frames(30, 24, 60, 5, kind="random", seed=0)
    rng = np.random.default_rng(seed)
    for table, column in VARIED:
        # Trips only get shorter, so that they can still be made.
        factor = rng.uniform(0.4, 1.0, len(frames[table]))
        frames[table] = frames[table].assign(**{column: frames[table][column] * factor})
    return Scenario.from_frames(**frames)


def small(name: str) -> Scenario:
    """One of the small problems with known answers."""
    return Scenario.from_frames(**problems.PROBLEMS[name]().frames)
