"""Scenarios and plans for the tests of results, and the frames by slow loops.

Stays and trips do not keep to the slot grid, several stays share a slot, some stays
and trips reach beyond the horizon, some chargers have no feeder, rows are shuffled.
"""

import numpy as np
import pandas as pd

from macjax.objectives import PeakOverload, Smoothing
from macjax.results import Solution
from macjax.scenario.plan import Plan
from macjax.scenario.scenario import Scenario

START = pd.Timestamp("2026-03-28T18:00:00+01:00")  # the clocks change 8 hours later
ZONE = "Europe/Zurich"
NO_STAYS = ["vehicle_id", "arrival", "departure", "feeder_id", "charger_kw"]
NO_TRIPS = ["vehicle_id", "departure", "arrival", "energy_kwh"]


def hours(number) -> pd.Timestamp:
    """The instant so many hours after the start, to the second."""
    return START + pd.Timedelta(seconds=round(float(number) * 3600))


def profile(feeders, slots, minutes, rng) -> pd.DataFrame:
    """Capacity and base load, also negative base load and base over capacity."""
    return pd.DataFrame(
        {
            "feeder_id": np.repeat(np.asarray(feeders, object), slots),
            "time": [hours(t * minutes / 60) for t in range(slots)] * len(feeders),
            "capacity_kw": rng.uniform(5, 20, slots * len(feeders)).round(3),
            "base_kw": rng.uniform(-5, 15, slots * len(feeders)).round(3),
        }
    ).infer_objects()


def fleet(seed, vehicles=6, feeders=3, slots=14, minutes=60, whole_numbers=False):
    """A random scenario; ids are text, or integers beyond 2^53 and negative ones."""
    rng = np.random.default_rng(seed)
    end = slots * minutes / 60
    names = [f"{v:03d} ä" for v in rng.permutation(vehicles)]
    feeder_ids = [f"F{f}" for f in rng.permutation(feeders)]
    if whole_numbers:
        names = [2**60 + 7 * int(v) for v in rng.permutation(vehicles)]
        feeder_ids = [-int(f) - 1 for f in rng.permutation(feeders)]
    stays, trips = [], []
    for name in names:
        edges = np.sort(rng.uniform(-1, end + 1, 2 * int(rng.integers(0, 8)) + 1))
        for k in range(0, len(edges) - 1, 2):
            feeder = feeder_ids[rng.integers(feeders)] if rng.random() < 0.7 else None
            if edges[k + 1] - edges[k] > 0.01:
                stays.append((name, hours(edges[k]), hours(edges[k + 1]), feeder, 11.0))
            if edges[k + 2] - edges[k + 1] > 0.01:
                kwh = rng.uniform(0, 9)
                trips.append((name, hours(edges[k + 1]), hours(edges[k + 2]), kwh))
    stays = pd.DataFrame(stays, columns=NO_STAYS).sample(frac=1, random_state=seed)
    trips = pd.DataFrame(trips, columns=NO_TRIPS).sample(frac=1, random_state=seed)
    if whole_numbers:
        stays["feeder_id"] = stays["feeder_id"].astype("Int64")
    return Scenario.from_frames(
        name=f"fleet {seed}",
        start=START,
        timezone=ZONE,
        slot_minutes=minutes,
        slots=slots,
        currency="CHF",
        vehicles=pd.DataFrame(
            {
                "vehicle_id": names,
                "battery_kwh": 90.0,
                "initial_kwh": rng.uniform(40, 80, vehicles),
                "charge_efficiency": rng.uniform(0.8, 1.0, vehicles),
                "weight": rng.choice([1.0, 0.5, 37.25], vehicles),
            }
        ),
        stays=stays,
        trips=trips,
        feeders=pd.DataFrame(
            {
                "feeder_id": feeder_ids,
                "upgrade_cost_per_kw": rng.uniform(1, 9, feeders).round(2),
            }
        ),
        feeder_profile=profile(feeder_ids, slots, minutes, rng),
    )


def random_plan(scenario, seed=0) -> Plan:
    """Random power in most slots that a stay touches, as much as fits."""
    rng = np.random.default_rng(seed)
    dt, rows = scenario.slot_hours, []
    for row, stay in scenario.stays.iterrows():
        for slot in range(scenario.slots):
            begin, end = START + slot * dt * HOUR, START + (slot + 1) * dt * HOUR
            overlap = min(end, stay["departure"]) - max(begin, stay["arrival"])
            if overlap > pd.Timedelta(0) and rng.random() < 0.8:
                most = stay["charger_kw"] * (overlap / HOUR) / dt
                rows.append((row, slot, most * rng.random()))
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    return Plan.of(*columns)


HOUR = pd.Timedelta(hours=1)


def slow_soc(scenario, plan, initial=None) -> dict:
    """SOC at the slot edges by vehicle, one event after the other."""
    dt, count = scenario.slot_hours, scenario.slots + 1
    end = START + scenario.slots * dt * HOUR
    levels = {}
    stays = scenario.stays
    for v, vehicle in scenario.vehicles.astype(object).iterrows():
        name = vehicle["vehicle_id"]
        first = vehicle["initial_kwh"] if initial is None else initial[v]
        level = [first] * count
        for row, slot, kw in zip(*plan, strict=True):
            if stays["vehicle_id"][row] == name:
                for e in range(slot + 1, count):
                    level[e] += kw * dt * vehicle["charge_efficiency"]
        for _, trip in scenario.trips.iterrows():
            depart, arrive = trip["departure"], min(trip["arrival"], end)
            if trip["vehicle_id"] != name or not START <= depart < end:
                continue
            for e in range(count):
                passed = (START + e * dt * HOUR - depart) / (arrive - depart)
                level[e] -= trip["energy_kwh"] * min(max(passed, 0.0), 1.0)
        levels[name] = level
    return levels


def slow_load(scenario, plan) -> dict:
    """Weighted load by feeder and slot, entry by entry [kW]."""
    ids = scenario.feeders["feeder_id"]
    load = {(f, t): 0.0 for f in ids for t in range(scenario.slots)}
    stays = scenario.stays
    weight = dict(scenario.vehicles[["vehicle_id", "weight"]].itertuples(index=False))
    for row, slot, kw in zip(*plan, strict=True):
        feeder = stays["feeder_id"][row]
        if not pd.isna(feeder):
            load[feeder, slot] += weight[stays["vehicle_id"][row]] * kw
    return load


def full_solution(seed=1, **case) -> Solution:
    """A solution in which everything is there."""
    scenario = fleet(seed, **case)
    rng = np.random.default_rng(seed)
    shape = len(scenario.feeders), scenario.slots
    names = scenario.vehicles["vehicle_id"]
    failing = pd.DataFrame(
        {
            "vehicle_id": names[:2],
            "trip": pd.array([3, None], "Int64"),
            "departure": [scenario.start.tz_convert("UTC"), pd.NaT],
            "missing_kwh": [0.1, 2.0],
        }
    )
    return Solution(
        scenario=scenario,
        plan=random_plan(scenario, seed),
        status="time_limit",
        message="The time was up; give it more.",
        objective=0.1 + 0.2,
        lower_bound=-np.inf,
        gap=np.inf,
        unmanaged_objective=1 / 3,
        iterations=12,
        history=pd.DataFrame(
            {
                "iteration": [1, 2],
                "phase": ["admm", "newton"],
                "gap": [np.nan, np.inf],
            }
        ),
        seconds={"pack": 0.1, "solve": 1e-7},
        prices=rng.normal(size=shape),
        objective_spec=PeakOverload() + Smoothing(0.1),
        on_infeasible="drop",
        infeasible=failing,
        stranded=failing.drop(columns="departure"),
        dropped=names[:2].tolist(),
        settings={"gap": np.float64(1e-3), "time_limit": None, "most": np.inf, "a": 1},
        dual_ray=rng.normal(size=shape),
        initial_kwh=rng.uniform(10, 50, len(names)),
    )


def assert_same(one: Solution, two: Solution) -> None:
    """Every attribute and every frame is equal to the last bit."""
    words = ("status", "message", "method", "tube", "on_infeasible", "objective_spec")
    more = ("iterations", "seconds", "dropped", "settings", "assumptions", "versions")
    for name in words + more:
        assert getattr(one, name) == getattr(two, name), name
    for name in ("objective", "lower_bound", "gap", "unmanaged_objective"):
        np.testing.assert_equal(getattr(one, name), getattr(two, name))
    for name in ("price_table", "dual_ray", "initial_kwh"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert (one.plan is None) == (two.plan is None)
    for ours, theirs in zip(one.plan or (), two.plan or (), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    for name in ("infeasible", "stranded", "history"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))
    for name in ("schedule", "soc", "loads", "upgrades", "ray"):
        ours, theirs = getattr(one, name)(), getattr(two, name)()
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert one.scenario.fingerprint == two.scenario.fingerprint
    pd.testing.assert_series_equal(one.summary(), two.summary())
