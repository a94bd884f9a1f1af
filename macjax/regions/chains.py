"""Trips in the order they are wanted -> trips and stays, minute by minute.

Times are whole minutes since the start. A trip departs no earlier than the one before
it ended plus the shortest stay:

    depart_k = c_k + max over i <= k of (wanted_i - c_i),
    c_k = sum over i < k of (duration_i + shortest stay after i).
"""

import numpy as np
import pandas as pd

from .parameters import Travel

# Further apart than any two minutes of a horizon
_APART = 10**9
# A trip wanted at this minute departs as soon as the one before it lets it
AT_ONCE = -(10**7)


def travel_minutes(km, p: Travel) -> np.ndarray:
    """Duration [min], speed = slow + (fast - slow)(1 - exp(-km / scale)) [km/h]."""
    slow, fast, scale = p.speed_kmh
    speed = slow + (fast - slow) * (1 - np.exp(-np.asarray(km) / scale))
    return np.ceil(60 * np.asarray(km) / speed).astype(int)


def time_trips(trips: pd.DataFrame, p: Travel) -> pd.DataFrame:
    """Departure and arrival of each trip [min], in order and without overlap.

    Arguments:
        trips: sorted by car and order: car, wanted [min], km, least_stay [min].
    """
    car = trips["car"].to_numpy(np.int64)
    duration = travel_minutes(trips["km"], p)
    block = duration + trips["least_stay"].to_numpy(np.int64)
    start = np.cumsum(block) - block
    is_first = np.diff(car, prepend=-1) != 0
    start -= start[is_first][np.cumsum(is_first) - 1] if len(car) else 0
    wanted = trips["wanted"].to_numpy(float).round().clip(AT_ONCE).astype(np.int64)
    # One running maximum for all cars: those of a later car are far above
    slack = np.maximum.accumulate(wanted - start + car * _APART) - car * _APART
    depart = start + slack
    return trips.assign(departure_min=depart, arrival_min=depart + duration)


def park(trips: pd.DataFrame, home: pd.DataFrame, end: int) -> pd.DataFrame:
    """Stays between the trips: at home at first, then where each trip ended.

    Arguments:
        trips: timed trips, sorted by car and time, with the columns of `home`.
        home: one row a car, what a stay carries along, e.g. zone and place.
        end: end of the horizon [min]; stays are cut there.

    Returns:
        car, arrival_min, departure_min and the columns of `home`, by car and time.
    """
    count = len(home)
    car = trips["car"].to_numpy(np.int64)
    behind = np.arange(len(car)) + car + 1  # its row among all stays
    first = np.cumsum(np.append(0, np.bincount(car, minlength=count)[:-1] + 1))[:count]
    owner = np.empty(len(car) + count, np.int64)
    owner[first], owner[behind] = np.arange(count), car
    arrival, departure = np.zeros(len(owner), np.int64), np.full(len(owner), end)
    arrival[behind] = trips["arrival_min"]
    departure[behind - 1] = trips["departure_min"]
    stays = {
        "car": owner,
        "arrival_min": arrival,
        "departure_min": departure.clip(max=end),
    }
    for name in home.columns:
        at_home = home[name].to_numpy()
        values = np.empty(len(owner), at_home.dtype)
        values[first], values[behind] = at_home, trips[name].to_numpy()
        stays[name] = values
    stays = pd.DataFrame(stays)
    return stays[stays["arrival_min"] < end].reset_index(drop=True)
