"""Small solutions with schedule and prices, and feeder loads by a slow loop."""

import numpy as np
import pandas as pd

import macjax


def solution(slots=48, slot_minutes=60, evs=40, ids=None) -> macjax.Solution:
    """Unmanaged charging of a few vehicles on three feeders, with prices made up.

    Arguments:
        ids: a function from the feeder ids to those to use instead.
    """
    frames = macjax.synthetic.fleet_frames(evs, slots, slot_minutes, 3, kind="hard")
    if ids is not None:
        for table in ("stays", "feeders", "feeder_profile"):
            frames[table] = frames[table].assign(
                feeder_id=ids(frames[table]["feeder_id"])
            )
    scenario = macjax.Scenario.from_frames(**frames)
    simulated = macjax.baselines.unmanaged(scenario)
    rng = np.random.default_rng(0)
    prices = rng.uniform(0, 5, (len(scenario.feeders), scenario.slots))
    return macjax.Solution(
        scenario=scenario,
        plan=simulated.plan,
        status="simulated",
        method="unmanaged",
        objective=simulated.objective,
        prices=prices,
        initial_kwh=simulated.initial_kwh,
    )


def slow_load(given) -> dict:
    """EV load by feeder and start of the slot, entry by entry [kW]."""
    weight = dict(
        given.scenario.vehicles[["vehicle_id", "weight"]].itertuples(index=False)
    )
    load = {}
    for row in given.schedule().itertuples():
        if not pd.isna(row.feeder_id):
            key = row.feeder_id, row.time.tz_convert("UTC")
            load[key] = load.get(key, 0.0) + weight[row.vehicle_id] * row.kw
    return load
