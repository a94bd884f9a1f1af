"""Types of cars and who can charge where, by the shares of `Fleet` and `Chargers`."""

import numpy as np
import pandas as pd

from .draws import Draws
from .itinerary import AT_FAST, AT_HOME, AT_PUBLIC, AT_WORK
from .parameters import Chargers, Fleet
from .zones import Zones


def home_share(dwellings, income, p: Chargers) -> np.ndarray:
    """Probability of a charger at home, by dwellings per acre and income."""
    return by_density(dwellings, p.home_shares, p) * income_factor(income, p)


def by_density(dwellings, shares, p: Chargers) -> np.ndarray:
    """The share of suburb, town or dense town, by dwellings per residential acre."""
    return np.array(shares)[np.searchsorted(p.density_edges, dwellings)]


def income_factor(income, p: Chargers) -> np.ndarray:
    """`low_income_factor` below `low_income_usd`, 1 above."""
    return np.where(np.asarray(income) < p.low_income_usd, p.low_income_factor, 1.0)


def longest_day(trips: pd.DataFrame, cars: int, days: int) -> np.ndarray:
    """Most km that each car drives on one day, shape (cars,)."""
    cell = trips["car"].to_numpy() * days + trips["day"].to_numpy()
    return np.bincount(cell, trips["km"], cars * days).reshape(cars, days).max(1)


def choose_type(longest_km: np.ndarray, u: np.ndarray, p: Fleet) -> np.ndarray:
    """Type of each car: drawn by shares, raised where its longest day asks for more.

    A type serves days that take at most `large_battery_above` of its usable energy; a
    longer day takes the first later type that serves it, else the last type.

    Arguments:
        longest_km: shape (cars,).
        u: uniform on [0, 1), shape (cars,).
    """
    shares = np.cumsum(p.type_shares) / np.sum(p.type_shares)
    drawn = np.searchsorted(shares, u, "right").clip(max=len(shares) - 1)
    usable = np.array(p.battery_kwh) * (1 - p.reserve_share)
    reach = p.large_battery_above * usable / np.array(p.kwh_per_km)
    serves = (longest_km[:, None] <= reach) & (np.arange(len(shares)) >= drawn[:, None])
    return np.where(serves.any(1), serves.argmax(1), len(shares) - 1)


def equip_cars(
    cars: pd.DataFrame,
    longest_km: np.ndarray,
    zones: Zones,
    draws: Draws,
    fleet: Fleet,
    chargers: Chargers,
) -> pd.DataFrame:
    """Cars with battery_kwh, reserve_kwh, kwh_per_km, home_kw and work_kw (0: none)."""
    key = cars["key"].to_numpy()
    kind = choose_type(longest_km, draws.uniform("type", key), fleet)
    battery = np.array(fleet.battery_kwh)[kind]
    kwh_per_km = np.array(fleet.kwh_per_km)[kind]
    dwellings = zones.dwellings[cars["zone"].to_numpy()]
    share = home_share(dwellings, cars["income"], chargers)
    has_home = draws.uniform("home charger", key) < share
    socket_kwh = chargers.slow_kw * fleet.efficiency * chargers.socket_hours
    fast_home = draws.uniform("240 V", key) < chargers.home_240v_share
    fast_home |= kwh_per_km * longest_km > socket_kwh
    home_kw = np.where(fast_home, np.array(chargers.home_kw)[kind], chargers.slow_kw)
    share = chargers.work_share * income_factor(cars["income"], chargers)
    has_work = cars["is_commuter"] & (draws.uniform("work charger", key) < share)
    return cars.assign(
        battery_kwh=battery,
        reserve_kwh=fleet.reserve_share * battery,
        kwh_per_km=kwh_per_km,
        home_kw=home_kw * has_home,
        work_kw=chargers.work_kw * has_work,
    )


def place_chargers(stays, cars, zones: Zones, draws: Draws, p: Chargers) -> np.ndarray:
    """Charger power of each stay [kW], by its place and the car's equipment.

    Arguments:
        stays: car, zone, place, and habit and step of the trip that led there.
    """
    car, place = stays["car"].to_numpy(), stays["place"].to_numpy()
    keys = cars["key"].to_numpy()[car], stays["habit"], stays["step"]
    share = by_density(zones.dwellings[stays["zone"].to_numpy()], p.public_shares, p)
    has_public = draws.uniform("public charger", *keys) < share
    power = np.zeros(len(stays))
    for code, kw in (
        (AT_HOME, cars["home_kw"].to_numpy()[car]),
        (AT_WORK, cars["work_kw"].to_numpy()[car]),
        (AT_PUBLIC, p.public_kw * has_public),
        (AT_FAST, np.full(len(stays), p.fast_kw)),
    ):
        power = np.where(place == code, kw, power)
    return power
