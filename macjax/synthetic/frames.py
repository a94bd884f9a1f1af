"""Arrays of a synthetic fleet as the five tables of a scenario."""

import numpy as np
import pandas as pd

from macjax.synthetic.chains import PLACES, Chains, Vehicles

START = "2026-05-04T00:00:00-07:00"  # a Monday
TIMEZONE = "America/Los_Angeles"


def feeder_names(feeders: int) -> pd.Index:
    """Names f0000, f0001, ... of the feeders."""
    width = max(4, len(str(feeders - 1)))
    return pd.Index([f"f{i:0{width}d}" for i in range(feeders)])


def instants(hours: np.ndarray, start: str = START) -> pd.DatetimeIndex:
    """Timestamps at the given hours after `start`, rounded to a second, in UTC."""
    seconds = np.round(np.asarray(hours) * 3600.0).astype(np.int64)
    origin = pd.Timestamp(start).tz_convert("UTC").tz_localize(None)
    values = origin.to_datetime64().astype("datetime64[us]")
    values = values + (seconds * 1_000_000).astype("timedelta64[us]")
    return pd.DatetimeIndex(values).tz_localize("UTC")


def vehicle_frames(
    ids: pd.Index,
    names: pd.Index,
    vehicles: Vehicles,
    chains: Chains,
    final: np.ndarray,
    start: str = START,
) -> dict[str, pd.DataFrame]:
    """Tables vehicles, stays and trips.

    Arguments:
        ids: vehicle ids, (v,).
        names: feeder ids, (f,).
        final: SOC at the end at least [kWh], (v,).
    """
    feeder = names.take(np.maximum(chains.feeder, 0)).to_series(index=None)
    feeder = feeder.reset_index(drop=True)
    if (chains.feeder < 0).any():
        feeder = feeder.astype("Int64" if names.dtype.kind == "i" else object)
        feeder = feeder.mask(chains.feeder < 0, None)
    return {
        "vehicles": pd.DataFrame(
            {
                "vehicle_id": ids,
                "battery_kwh": vehicles.battery,
                "initial_kwh": vehicles.initial,
                "reserve_kwh": vehicles.reserve,
                "final_kwh": final,
                "charge_efficiency": vehicles.efficiency,
                "weight": vehicles.weight,
            }
        ),
        "stays": pd.DataFrame(
            {
                "vehicle_id": ids.take(chains.stay_vehicle),
                "arrival": instants(chains.stay_arrive, start),
                "departure": instants(chains.stay_depart, start),
                "feeder_id": feeder,
                "charger_kw": chains.charger_kw,
                "place": pd.Index(PLACES).take(chains.place),
            }
        ),
        "trips": pd.DataFrame(
            {
                "vehicle_id": ids.take(chains.trip_vehicle),
                "departure": instants(chains.trip_depart, start),
                "arrival": instants(chains.trip_arrive, start),
                "energy_kwh": chains.energy,
                "distance_km": np.round(chains.distance, 2),
            }
        ),
    }


def feeder_frames(
    names: pd.Index,
    base: np.ndarray,
    capacity: np.ndarray,
    cost: np.ndarray,
    slot_hours: float,
    start: str = START,
    daily: bool = False,
) -> dict[str, pd.DataFrame]:
    """Tables feeders and feeder_profile.

    Arguments:
        names: feeder ids, (f,).
        base, capacity: base load and limit [kW], (f, t), or (f, 24) with `daily`.
        cost: upgrade cost [currency/kW], (f,).
        daily: the profile is by local hour and not by time.
    """
    feeders, columns = base.shape
    number = np.tile(np.arange(columns), feeders)
    if daily:
        when = {"hour": number}
    else:
        when = {"time": instants(np.arange(columns) * slot_hours, start)[number]}
    return {
        "feeders": pd.DataFrame({"feeder_id": names, "upgrade_cost_per_kw": cost}),
        "feeder_profile": pd.DataFrame(
            {
                "feeder_id": names.repeat(columns),
                **when,
                "capacity_kw": capacity.reshape(-1),
                "base_kw": base.reshape(-1),
            }
        ),
    }
