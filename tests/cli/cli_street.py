"""A small valid scenario as tables and as a folder of CSV files."""

import json

import numpy as np
import pandas as pd

HOURS = 24
HEADER = {
    "name": "one street",
    "start": "2026-03-02T00:00:00-08:00",
    "timezone": "America/Los_Angeles",
    "slot_minutes": 60,
    "slots": HOURS,
}


def clock(hour, minute=0):
    return f"2026-03-02T{hour:02d}:{minute:02d}:00-08:00"


def tables():
    """Two vehicles that drive out and back and charge at home, on two feeders."""
    ids = ["v1", "v2"]
    stays = [(v, clock(h), clock(e)) for v in ids for h, e in ((0, 8), (18, 23))]
    trips = [(v, clock(h), clock(h + 1)) for v in ids for h in (8, 17)]
    feeders = ["north", "south"]
    hours = np.tile(np.arange(24), 2)
    return {
        "vehicles": pd.DataFrame(
            {
                "vehicle_id": ids,
                "battery_kwh": 40.0,
                "initial_kwh": 20.0,
                "reserve_kwh": 4.0,
                "charge_efficiency": 0.9,
            }
        ),
        "stays": pd.DataFrame(
            stays, columns=["vehicle_id", "arrival", "departure"]
        ).assign(feeder_id=np.repeat(feeders, 2), charger_kw=7.4, discharge_kw=0.0),
        "trips": pd.DataFrame(
            trips, columns=["vehicle_id", "departure", "arrival"]
        ).assign(energy_kwh=4.0),
        "feeders": pd.DataFrame({"feeder_id": feeders, "upgrade_cost_per_kw": 400.0}),
        "feeder_profile": pd.DataFrame(
            {
                "feeder_id": np.repeat(feeders, 24),
                "hour": hours,
                "capacity_kw": 10.0,
                "base_kw": 8.0,
            }
        ),
    }


def write(folder, frames, header=HEADER, **changes):
    """The scenario as CSV, whatever is in it; a change of None drops the key."""
    folder.mkdir(exist_ok=True)
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    keys = {k: v for k, v in (header | changes).items() if v is not None}
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    (folder / "scenario.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder
