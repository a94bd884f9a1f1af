"""Cars, trips and stays of a region -> the tables of the scenario format.

Chunks of cars keep their columns in small types; `Columns` puts them together column
by column, so that no more than one column is in memory twice.
"""

import numpy as np
import pandas as pd

from ..scenario.arrow import STRING
from .calendar import Calendar
from .config import RegionConfig
from .itinerary import PLACE_WORDS
from .network import Network
from .zones import Zones

# What a chunk hands over, and the type it is kept in
VEHICLES = {
    "key": np.int64,
    "battery_kwh": np.float64,
    "initial_kwh": np.float64,
    "final_kwh": np.float64,
    "home_kw": np.float64,
    "work_kw": np.float64,
    "zone": np.int32,
    "work_zone": np.int32,
    "is_commuter": bool,
}
STAYS = {
    "key": np.int64,
    "arrival_min": np.int32,
    "departure_min": np.int32,
    "feeder": np.int32,
    "charger_kw": np.float64,
    "place": np.int8,
}
TRIPS = {
    "key": np.int64,
    "departure_min": np.int32,
    "arrival_min": np.int32,
    "energy_kwh": np.float64,
    "km": np.float32,
}


class Columns:
    """Columns of a table that grow chunk by chunk."""

    def __init__(self, kinds: dict):
        self.kinds = kinds
        self.parts = {name: [] for name in kinds}

    def add(self, frame: pd.DataFrame) -> None:
        """Take over the columns of one chunk."""
        for name, kind in self.kinds.items():
            self.parts[name].append(frame[name].to_numpy().astype(kind))

    def pop(self, name: str) -> np.ndarray:
        """One whole column; its parts are freed."""
        parts = self.parts.pop(name)
        return np.concatenate(parts) if parts else np.empty(0, self.kinds[name])


def instants(minutes: np.ndarray, calendar: Calendar) -> pd.Series:
    """Minutes since the start as timestamps."""
    start = calendar.start.tz_convert("UTC").tz_localize(None).to_datetime64()
    stamps = start.astype("datetime64[us]") + minutes.astype("timedelta64[m]")
    return pd.Series(stamps, copy=False).dt.tz_localize("UTC")


def words(codes: np.ndarray, names) -> pd.Series:
    """Text by number; -1 is null."""
    names = pd.Series(list(names), dtype=STRING).array
    return pd.Series(names.take(codes, allow_fill=True), copy=False)


def vehicle_table(
    columns: Columns, weight: float, zones: Zones, config: RegionConfig
) -> pd.DataFrame:
    """`vehicles`, with home and work zone and the powers there."""
    battery = columns.pop("battery_kwh")
    return pd.DataFrame(
        {
            "vehicle_id": columns.pop("key"),
            "battery_kwh": battery,
            "initial_kwh": columns.pop("initial_kwh"),
            "reserve_kwh": config.fleet.reserve_share * battery,
            "final_kwh": columns.pop("final_kwh"),
            "charge_efficiency": config.fleet.efficiency,
            "weight": weight,
            "home_zone": zones.ids[columns.pop("zone")],
            "work_zone": _work_zone(columns, zones),
            "home_kw": columns.pop("home_kw"),
            "work_kw": columns.pop("work_kw"),
        },
        copy=False,
    )


def _work_zone(columns: Columns, zones: Zones) -> pd.Series:
    ids = pd.Series(zones.ids[columns.pop("work_zone")], dtype="Int64")
    return ids.mask(~columns.pop("is_commuter"))


def stay_table(columns: Columns, network: Network, calendar: Calendar) -> pd.DataFrame:
    """`stays`; a feeder that is not studied is null."""
    return pd.DataFrame(
        {
            "vehicle_id": columns.pop("key"),
            "arrival": instants(columns.pop("arrival_min"), calendar),
            "departure": instants(columns.pop("departure_min"), calendar),
            "feeder_id": words(columns.pop("feeder"), network.feeders["feeder_id"]),
            "charger_kw": columns.pop("charger_kw"),
            "place": words(columns.pop("place"), PLACE_WORDS),
        },
        copy=False,
    )


def trip_table(columns: Columns, calendar: Calendar) -> pd.DataFrame:
    """`trips`."""
    return pd.DataFrame(
        {
            "vehicle_id": columns.pop("key"),
            "departure": instants(columns.pop("departure_min"), calendar),
            "arrival": instants(columns.pop("arrival_min"), calendar),
            "energy_kwh": columns.pop("energy_kwh"),
            "distance_km": columns.pop("km").astype(np.float64).round(2),
        },
        copy=False,
    )
