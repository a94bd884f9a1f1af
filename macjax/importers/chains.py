"""Car trips in order -> trips that do not overlap, and the stays between them.

A trip departs when its plan says so, or when the trip before it has ended:

    depart_k = max(wanted_k, depart_{k-1} + duration_{k-1})
             = c_k + max over i <= k of (wanted_i - c_i),  c_k = sum_{i<k} duration_i.

Times are whole seconds since the start of the horizon. A car stands where its last trip
ended; before the first one it stands where that one starts, after the last one until
the end of the horizon.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax.importers.cars import Cars
from macjax.importers.horizon import DAY_SECONDS, Horizon

PLACE = ("place",)
# Nearer than this two ends of trips are one place [m].
APART_M = 500.0


class Chains(NamedTuple):
    """The car trips of all vehicles.

    Arguments:
        ids: id of each vehicle, shape (cars,).
        legs: one row a trip, sorted by car and order: car (row of `ids`), wanted,
            duration [s], km, and where it ends: place and the columns of `where`;
            `latest`, if there, is until when a departure is still as planned [s].
        origins: where each car stands at first: place and the columns of `where`,
            shape (cars,).
        where: columns that tell the location for links to feeders: zone, or x and y
            [m], or both.
    """

    ids: pd.Series
    legs: pd.DataFrame
    origins: pd.DataFrame
    where: tuple[str, ...]


def depart_times(car: np.ndarray, wanted: np.ndarray, duration: np.ndarray):
    """Departure of each trip [s] by the formula above; rows sorted by car, order."""
    frame = pd.DataFrame({"car": car, "duration": duration})
    ahead = frame.groupby("car")["duration"].cumsum().to_numpy() - duration
    slack = pd.Series(wanted - ahead).groupby(car).cummax().to_numpy()
    return ahead + slack


def repeat_days(chains: Chains, repeat: int) -> Chains:
    """The same trips on so many days, each 24 hours after the day before."""
    if repeat == 1:
        return chains
    legs = chains.legs
    day = np.repeat(np.arange(repeat), len(legs))
    many = pd.concat([legs] * repeat, ignore_index=True)
    for column in {"wanted", "latest"} & set(many.columns):
        many[column] += day * DAY_SECONDS
    row = np.tile(np.arange(len(legs)), repeat)
    order = np.lexsort((row, day, many["car"].to_numpy()))
    return chains._replace(legs=many.iloc[order].reset_index(drop=True))


def moved_ends(chains: Chains) -> np.ndarray:
    """Cars whose last trip ends elsewhere than where the first one starts.

    Elsewhere is another zone; without zones, more than `APART_M` off by x and y.
    """
    last = chains.legs.drop_duplicates("car", keep="last").set_index("car")
    last = last.reindex(chains.origins.index)
    if "zone" in chains.where:
        return (last["zone"] != chains.origins["zone"]).to_numpy(bool)
    gap = np.hypot(*(last[c] - chains.origins[c] for c in ("x", "y")))
    return (gap > APART_M).to_numpy(bool)


def chain_tables(chains: Chains, horizon: Horizon, cars: Cars):
    """The tables of a fleet: vehicles, stays, trips.

    Stays that begin at the end of the horizon or later and trips that depart then are
    left out; a stay of no length is none.

    Returns:
        vehicles, stays, trips as frames, and the mask of legs that depart later than
        planned.
    """
    legs = chains.legs
    car = legs["car"].to_numpy()
    wanted = legs["wanted"].to_numpy(np.int64)
    duration = np.maximum(legs["duration"].to_numpy(np.int64), 1)
    depart = depart_times(car, wanted, duration)
    arrive = depart + duration
    ids = chains.ids.reset_index(drop=True)
    trips = pd.DataFrame(
        {
            "vehicle_id": ids.iloc[car].to_numpy(),
            "departure": horizon.instants(depart),
            "arrival": horizon.instants(arrive),
            "energy_kwh": legs["km"].to_numpy() * cars.kwh_per_km,
            "distance_km": legs["km"].to_numpy(),
        }
    )
    stays = _stays(chains, depart, arrive, horizon.seconds)
    stays["charger_kw"] = cars.chargers(stays["place"])
    stays["vehicle_id"] = ids.iloc[stays.pop("car").to_numpy()].to_numpy()
    for column, seconds in (("arrival", "begin"), ("departure", "end")):
        stays[column] = horizon.instants(stays.pop(seconds).to_numpy())
    first = ["vehicle_id", "arrival", "departure", "charger_kw", "place"]
    stays = stays[[*first, *chains.where]]
    kept = depart < horizon.seconds
    tables = cars.vehicles(ids), stays, trips[kept].reset_index(drop=True)
    latest = legs["latest"].to_numpy(np.int64) if "latest" in legs else wanted
    return *tables, depart > latest


def _stays(chains: Chains, depart: np.ndarray, arrive: np.ndarray, end: int):
    """car, begin, end [s] and the location of each stay, sorted by car and time."""
    columns = [*PLACE, *chains.where]
    car = chains.legs["car"].to_numpy()
    first = chains.origins[columns].reset_index(drop=True)
    first["car"], first["begin"] = np.arange(len(first)), 0
    leaves = pd.Series(depart).groupby(car).first()
    first["end"] = leaves.reindex(first["car"], fill_value=end).to_numpy()
    after = chains.legs[columns].reset_index(drop=True)
    after["car"], after["begin"] = car, arrive
    leaves = pd.Series(depart).groupby(car).shift(-1)
    after["end"] = leaves.fillna(end).to_numpy().astype(np.int64)
    stays = pd.concat([first, after], ignore_index=True)
    stays["end"] = stays["end"].clip(upper=end)
    stays = stays[stays["end"] > stays["begin"]]
    order = np.lexsort((stays["begin"].to_numpy(), stays["car"].to_numpy()))
    return stays.iloc[order].reset_index(drop=True)
