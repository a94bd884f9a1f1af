"""Fast stops of cars that no charger at home or work carries through the week.

A stop is made on the last way home of a day of travel, near home, when more than
`stop_share` of the usable energy would be gone by the end of the next day of travel.
It fills the battery as far as its minutes allow.
"""

import numpy as np
import pandas as pd

from .itinerary import AT_FAST
from .parameters import Chargers, Fleet


def due_stops(energy, cars: pd.DataFrame, gone, fleet: Fleet, p: Chargers):
    """On which days each car makes a stop, and for how long.

    Arguments:
        energy: battery energy of each car and day [kWh], shape (cars, days).
        cars: battery_kwh, reserve_kwh.
        gone: energy that the battery lacks at the start [kWh], shape (cars,).

    Returns:
        minutes at the charger, 0 without a stop, int, shape (cars, days).
    """
    energy = np.asarray(energy, float)
    days = energy.shape[1]
    after = np.zeros(energy.shape)  # energy of the next day of travel
    for d in range(days - 2, -1, -1):
        after[:, d] = np.where(energy[:, d + 1] > 0, energy[:, d + 1], after[:, d + 1])
    usable = (cars["battery_kwh"] - cars["reserve_kwh"]).to_numpy()
    minutes, gone = np.zeros(energy.shape, np.int64), np.array(gone, float)
    rate = p.fast_kw * fleet.efficiency / 60  # kWh a minute into the battery
    for d in range(days):
        gone = gone + energy[:, d]
        due = (energy[:, d] > 0) & (gone + after[:, d] > p.stop_share * usable)
        wanted = np.ceil(p.stop_slack * gone / rate).clip(*p.stop_minutes)
        minutes[:, d] = np.where(due, wanted, 0)
        gone = np.where(due, np.maximum(gone - rate * wanted, 0), gone)
    return minutes


def insert_stops(trips: pd.DataFrame, minutes: np.ndarray, home_zone, p: Chargers):
    """Trips with the stops: the last way home leads to the charger, then home.

    Arguments:
        trips: by car, day and order, as `unfold` gives them.
        minutes: of `due_stops`, shape (cars, days).
        home_zone: row of each car's home zone, shape (cars,).
    """
    car, day = trips["car"].to_numpy(), trips["day"].to_numpy()
    cell = car * minutes.shape[1] + day
    is_last = np.diff(cell, append=-1) != 0
    stays = minutes[car, day]
    due = is_last & (stays > 0)
    row = np.repeat(np.arange(len(trips)), 1 + due)
    is_onward = np.append(False, row[1:] == row[:-1])
    is_stop = due[row] & ~is_onward
    trips = trips.iloc[row].reset_index(drop=True)
    trips["least_stay"] = np.where(is_stop, stays[row], trips["least_stay"])
    trips["zone"] = np.where(is_stop, home_zone[car[row]], trips["zone"])
    trips["place"] = np.where(is_stop, AT_FAST, trips["place"]).astype(np.int8)
    trips["km"] = np.where(is_onward, p.stop_to_home_km, trips["km"])
    trips["wanted"] = np.where(is_onward, -np.inf, trips["wanted"])
    trips["step"] = trips["step"] + is_onward
    return trips
