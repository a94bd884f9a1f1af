"""What must not matter: units, row order, names, padding, and how rows are split."""

import numpy as np
import pandas as pd
import pytest
from driver_cases import (
    assert_certified,
    assert_right,
    optimum_of,
    street_frames,
    with_frames,
)

import macjax
from macjax.fleet.packing import pack

GAP = 1e-3
KWH = ("battery_kwh", "initial_kwh", "reserve_kwh", "final_kwh", "energy_kwh")
KW = ("charger_kw", "capacity_kw", "base_kw")


@pytest.fixture(scope="module")
def frames():
    """The frames that all tests change."""
    return street_frames(2)


@pytest.fixture(scope="module")
def plain(frames):
    """Their solution."""
    return macjax.solve(with_frames(frames))


def assert_same(plain, solution, factor: float = 1.0) -> None:
    """Two certified intervals of one optimum, in units that differ by a factor."""
    for one in (plain, solution):
        assert one.status == "solved" and one.gap <= GAP
        assert_certified(one.scenario, one)
    assert solution.lower_bound <= factor * plain.objective * (1 + 1e-9)
    assert factor * plain.lower_bound <= solution.objective * (1 + 1e-9)
    expected = factor * plain.unmanaged_objective
    assert solution.unmanaged_objective == pytest.approx(expected, rel=1e-9)


def assert_as_quick(plain, solution) -> None:
    """About the same number of iterations."""
    assert abs(solution.iterations - plain.iterations) <= 0.25 * plain.iterations


def times(frames: dict, factor: float, columns) -> dict:
    """Frames with some columns multiplied."""
    out = dict(frames)
    for name, frame in frames.items():
        if isinstance(frame, pd.DataFrame):
            there = [c for c in columns if c in frame]
            out[name] = frame.assign(**{c: frame[c] * factor for c in there})
    return out


@pytest.mark.parametrize("factor", [1000.0, 1e-3])
def test_costs_in_other_units(frames, plain, factor):
    """Costs times 1000: prices too, with the same iterations."""
    scenario = with_frames(times(frames, factor, ["upgrade_cost_per_kw"]))
    solution = macjax.solve(scenario)
    assert_same(plain, solution, factor)
    assert_as_quick(plain, solution)


@pytest.mark.parametrize("factor", [1e-2, 7.0])
def test_energies_and_powers_in_other_units(frames, plain, factor):
    """Powers and energies times a factor: the same iterations."""
    solution = macjax.solve(with_frames(times(frames, factor, KWH + KW)))
    assert_same(plain, solution, factor)
    assert_as_quick(plain, solution)


@pytest.mark.parametrize("factor", [100.0, 0.03])
def test_weights_in_other_units(frames, plain, factor):
    """A fleet, its headroom and its weights times a factor."""
    scaled = times(frames, factor, ["weight", "capacity_kw", "base_kw"])
    solution = macjax.solve(with_frames(scaled))
    assert_same(plain, solution, factor)
    assert_as_quick(plain, solution)


@pytest.mark.parametrize("seed", [0, 1])
def test_row_order_of_every_table(frames, plain, seed):
    """Rows in any order: the same interval, and as quick."""
    rng = np.random.default_rng(seed)
    shuffled = {
        name: frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
        for name, frame in frames.items()
        if isinstance(frame, pd.DataFrame)
    }
    solution = macjax.solve(with_frames(frames, **shuffled))
    assert_same(plain, solution)
    assert_as_quick(plain, solution)


def test_other_names(frames, plain):
    """Vehicles and feeders under other names, of another type: the same numbers."""
    cars = {v: f"wagen {v}" for v in frames["vehicles"]["vehicle_id"]}
    feeders = {f: 1000 - i for i, f in enumerate(frames["feeders"]["feeder_id"])}
    renamed = {}
    for name, frame in frames.items():
        if not isinstance(frame, pd.DataFrame):
            continue
        frame = frame.copy()
        if "vehicle_id" in frame:
            frame["vehicle_id"] = frame["vehicle_id"].map(cars)
        if "feeder_id" in frame:
            frame["feeder_id"] = frame["feeder_id"].map(feeders).astype("Int64")
        renamed[name] = frame
    solution = macjax.solve(with_frames(frames, **renamed))
    assert solution.objective == pytest.approx(plain.objective, rel=1e-12)
    assert solution.lower_bound == pytest.approx(plain.lower_bound, rel=1e-12)
    assert solution.iterations == plain.iterations
    assert solution.upgrades()["feeder_id"].tolist() == list(feeders.values())


def copied(frames: dict, vehicle, name, **changes) -> dict:
    """Frames with a copy of one vehicle under another name."""
    out = dict(frames)
    for table in ("vehicles", "stays", "trips"):
        frame = frames[table]
        rows = frame[frame["vehicle_id"] == vehicle].assign(vehicle_id=name)
        if table == "vehicles":
            rows = rows.assign(**changes)
        out[table] = pd.concat([frame, rows], ignore_index=True)
    return out


def test_a_vehicle_in_two_halves(frames, plain):
    """A row of weight w is two rows of half of it."""
    vehicle = frames["stays"]["vehicle_id"].iloc[0]
    vehicles = frames["vehicles"].copy()
    own = vehicles["vehicle_id"] == vehicle
    half = float(vehicles.loc[own, "weight"].iloc[0]) / 2
    vehicles.loc[own, "weight"] = half
    split = copied(frames | {"vehicles": vehicles}, vehicle, 5000)
    scenario = with_frames(split)
    solution = macjax.solve(scenario)
    assert_same(plain, solution)
    assert_right(scenario, solution, optimum_of(with_frames(frames)), GAP)


def test_a_feeder_without_vehicles(frames, plain):
    """It adds what its base load alone needs, and nothing else changes."""
    profile = frames["feeder_profile"]
    extra = profile[profile["feeder_id"] == "f0000"].assign(
        feeder_id="empty", capacity_kw=50.0, base_kw=np.linspace(20, 60, 24)
    )
    added = {
        "feeder_profile": pd.concat([profile, extra], ignore_index=True),
        "feeders": pd.concat(
            [
                frames["feeders"],
                pd.DataFrame({"feeder_id": ["empty"], "upgrade_cost_per_kw": [3.0]}),
            ],
            ignore_index=True,
        ),
    }
    solution = macjax.solve(with_frames(frames, **added))
    assert solution.status == "solved"
    assert_certified(solution.scenario, solution)
    assert solution.objective == pytest.approx(plain.objective + 30, rel=2 * GAP)
    last = solution.upgrades().iloc[-1]
    assert last["upgrade_kw"] == pytest.approx(10) == last["base_only_kw"]


@pytest.mark.parametrize("extra", [1, 3])
def test_vehicles_that_do_nothing(frames, plain, extra):
    """Vehicles that never move nor charge fill up the padding and change nothing."""
    idle = frames["vehicles"].head(extra)
    ids = 7000 + np.arange(extra)
    idle = idle.assign(vehicle_id=ids, initial_kwh=idle["battery_kwh"])
    idle = idle.assign(final_kwh=idle["battery_kwh"])
    vehicles = pd.concat([frames["vehicles"], idle], ignore_index=True)
    solution = macjax.solve(with_frames(frames, vehicles=vehicles))
    assert_same(plain, solution)
    assert solution.iterations == plain.iterations
    assert solution.objective == pytest.approx(plain.objective, rel=1e-12)


def test_padding_to_the_next_size_class(frames, plain):
    """400 vehicles more, on no feeder: larger arrays, and the same answer."""
    stays = frames["stays"]
    vehicle = stays.loc[stays["charger_kw"] > 0, "vehicle_id"].mode().iloc[0]
    grown = frames
    for copy in range(400):
        grown = copied(grown, vehicle, 6000 + copy)
    stays = grown["stays"].copy()
    stays["feeder_id"] = stays["feeder_id"].mask(stays["vehicle_id"] >= 6000, None)
    scenario = with_frames(grown, stays=stays)
    shapes = [pack(one).batch.shape for one in (plain.scenario, scenario)]
    assert shapes[0] != shapes[1]
    solution = macjax.solve(scenario)
    assert_same(plain, solution)
    assert_as_quick(plain, solution)
