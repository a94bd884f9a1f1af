"""A small scenario that keeps every rule, for tests to break one rule at a time."""

import numpy as np
import pandas as pd

START = "2026-03-02T00:00:00+01:00"
SLOTS = 24


def at(hour: float) -> pd.Timestamp:
    """The instant some hours after the start."""
    return pd.Timestamp(START).tz_convert("UTC") + pd.Timedelta(hours=hour)


def good(**changes) -> dict:
    """Arguments of `from_frames`: 3 vehicles, 2 feeders, one day by the hour."""
    vehicles = pd.DataFrame(
        {
            "vehicle_id": ["v1", "v2", "v3"],
            "battery_kwh": [60.0, 40.0, 75.0],
            "initial_kwh": [30.0, 20.0, 50.0],
            "reserve_kwh": [6.0, 4.0, 7.5],
            "final_kwh": [30.0, 25.0, 50.0],
            "charge_efficiency": [0.92, 0.9, 1.0],
            "discharge_efficiency": [0.92, 0.9, 1.0],
            "weight": [1.0, 10.0, 2.5],
        }
    )
    stays = pd.DataFrame(
        {
            "vehicle_id": ["v1", "v1", "v2", "v3", "v1"],
            "arrival": [at(-2), at(9), at(0), at(6), at(18)],
            "departure": [at(8), at(17), at(24), at(30), at(24)],
            "feeder_id": ["F1", "F2", "F1", None, "F1"],
            "charger_kw": [7.4, 11.0, 3.7, 7.4, 0.0],
            "discharge_kw": [0.0, 0.0, 0.0, 0.0, 0.0],
            "place": ["home", "work", "home", None, "home"],
        }
    )
    trips = pd.DataFrame(
        {
            "vehicle_id": ["v1", "v1"],
            "departure": [at(8), at(17)],
            "arrival": [at(9), at(18)],
            "energy_kwh": [5.0, 6.5],
            "distance_km": [25.0, np.nan],
        }
    )
    feeders = pd.DataFrame(
        {
            "feeder_id": ["F1", "F2"],
            "upgrade_cost_per_kw": [100.0, 250.0],
            "longitude": [8.5, np.nan],
            "latitude": [47.4, np.nan],
        }
    )
    slots = pd.DatetimeIndex([at(hour) for hour in range(SLOTS)])
    feeder_profile = pd.DataFrame(
        {
            "feeder_id": np.repeat(["F1", "F2"], SLOTS),
            "time": slots.append(slots),
            "capacity_kw": 100.0,
            "base_kw": np.linspace(-20.0, 80.0, 2 * SLOTS),
        }
    )
    arguments = {
        "name": "three cars",
        "start": START,
        "timezone": "Europe/Zurich",
        "slot_minutes": 60,
        "slots": SLOTS,
        "currency": "CHF",
        "vehicles": vehicles,
        "stays": stays,
        "trips": trips,
        "feeders": feeders,
        "feeder_profile": feeder_profile,
    }
    return arguments | changes


def hourly() -> pd.DataFrame:
    """The profile of the two feeders by hour of the local day: base = the hour."""
    hours = np.arange(24)
    return pd.DataFrame(
        {
            "feeder_id": np.repeat(["F1", "F2"], 24),
            "hour": np.tile(hours, 2),
            "capacity_kw": 100.0,
            "base_kw": np.r_[hours, 100.0 + hours],
        }
    )


TABLE_NAMES = ("vehicles", "stays", "trips", "feeders", "feeder_profile")
