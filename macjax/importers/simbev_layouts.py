"""The two layouts of SimBEV's car files as one table of events.

`events` (since 2022): timestamp, event_start, event_time [steps], location, soc_start,
soc_end, energy [kWh, negative when driving], station_charging_capacity [kW].
`standing times` (2021): location, SoC_start, SoC_end, chargingdemand, consumption
[kWh], netto_charging_capacity [kW at the battery], park_start, park_end, drive_start,
drive_end [steps counted from 1, the last one included], bat_cap [kWh].
"""

import re

import numpy as np
import pandas as pd

from macjax.importers.sheet import Sheet

EVENTS = ("event_start", "event_time", "location", "soc_start", "soc_end")
EVENTS += ("station_charging_capacity",)
STANDING = ("location", "SoC_start", "SoC_end", "chargingdemand", "consumption")
STANDING += ("netto_charging_capacity", "park_start", "park_end")
STANDING += ("drive_start", "drive_end")
DRIVING = "driving"
HIGHEST_SOC = 1.0001  # a full battery, rounded
_NAME = re.compile(r"(?:_(?:events|standing_times))?(?:\.csv)?(?:\.gz)?$")
_BATTERY = re.compile(r"_(\d+(?:\.\d+)?)kWh$")
_NUMBERED = re.compile(r"^\d+_")  # "6_home" of the older layout


def vehicle_name(file: str) -> str:
    """`bev_mini_00001_50kWh_events.csv` -> `bev_mini_00001_50kWh`."""
    return _NAME.sub("", file)


def battery_in_name(vehicle: str) -> float:
    """The capacity that a file's name says [kWh], NaN if it says none."""
    found = _BATTERY.search(vehicle)
    return float(found[1]) if found else np.nan


def is_standing(sheet: Sheet) -> bool:
    """The older layout."""
    return sheet.has("park_start") or sheet.has("netto_charging_capacity")


def read_events(sheet: Sheet) -> pd.DataFrame:
    """Events of a sheet of the layout `events`, one a row of the file.

    Returns:
        begin, steps (first step, counted from 0, and how many), driving, place,
        soc_start, soc_end (shares of the battery), energy (into the battery [kWh]),
        charger_kw.
    """
    sheet.require(*EVENTS)
    energy_column = sheet.first_of("energy", "energy_battery") or "energy"
    sheet.require(energy_column)
    location = sheet.text("location")
    driving = (location == DRIVING).fillna(False).to_numpy(bool)
    energy = sheet.number(energy_column)
    rule = "must not be positive when driving"
    sheet.wrong(energy_column, rule, driving & (energy > 0))
    rule = "is negative while parked; only driving takes energy"
    sheet.wrong(energy_column, rule, ~driving & (energy < 0))
    charger = sheet.number("station_charging_capacity", low=0)
    return pd.DataFrame(
        {
            "begin": sheet.whole("event_start", low=0),
            "steps": sheet.whole("event_time", low=1),
            "driving": driving,
            "place": _places(location),
            "soc_start": sheet.number("soc_start", 0, HIGHEST_SOC),
            "soc_end": sheet.number("soc_end", 0, HIGHEST_SOC),
            "energy": energy,
            "charger_kw": np.where(driving, 0, charger),
        }
    )


def read_standing(sheet: Sheet, efficiency: float) -> pd.DataFrame:
    """Events of a sheet of the layout `standing times`, as `read_events` gives them.

    Arguments:
        sheet: the rows.
        efficiency: the charger draws its net capacity / efficiency.
    """
    sheet.require(*STANDING)
    location = sheet.text("location")
    driving = (location == DRIVING).fillna(False).to_numpy(bool)
    first, last = (
        np.where(driving, sheet.whole(f"drive_{w}"), sheet.whole(f"park_{w}"))
        for w in ("start", "end")
    )
    begin = np.maximum(first - 1, 0)
    sheet.wrong("park_start, park_end", "ends before it begins", last < first)
    used = sheet.number("consumption", low=0)
    charged = sheet.number("chargingdemand", low=0)
    sheet.wrong("chargingdemand", "is charged while driving", driving & (charged > 0))
    net = sheet.number("netto_charging_capacity", low=0)
    return pd.DataFrame(
        {
            "begin": begin,
            "steps": last - begin,
            "driving": driving,
            "place": _places(location),
            "soc_start": sheet.number("SoC_start", 0, HIGHEST_SOC),
            "soc_end": sheet.number("SoC_end", 0, HIGHEST_SOC),
            "energy": np.where(driving, -used, charged),
            "charger_kw": np.where(driving, 0, net / efficiency),
        }
    )


def _places(location: pd.Series) -> np.ndarray:
    return location.str.replace(_NUMBERED, "", regex=True).to_numpy(object)
