"""Cars: batteries, and chargers by documented shares."""

import numpy as np
import pandas as pd

from ..equipment import home_share
from ..survey import dwellings_per_acre
from .drivers import Drivers
from .parameters import Parameters


def equip_cars(drivers: Drivers, zones: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """One row a car: battery, consumption, chargers at home and work, fast stops.

    Columns: battery_kwh, reserve_kwh, kwh_per_km, home_kw, work_kw (0: none),
    stop_every (a fast stop on every so many days of travel, 0: none), stop_minutes.
    """
    rng = np.random.default_rng([p.seed, 4])
    count = len(drivers.cars)
    draw = rng.random((5, count))
    day_km = np.bincount(drivers.chains["car"], drivers.chains["km"], count)
    large = choose_battery(day_km, draw[0], p)
    battery = np.where(large, p.battery_kwh[1], p.battery_kwh[0])
    kwh_per_km = np.where(large, p.kwh_per_km[1], p.kwh_per_km[0])
    day_kwh = kwh_per_km * day_km
    density = dwellings_per_acre(zones).reindex(drivers.cars["home_zone"])
    share = home_share(density.to_numpy(), drivers.cars["income"].to_numpy(), p)
    has_home = draw[1] < share
    socket_kwh = p.slow_kw * p.efficiency * p.socket_hours
    fast_home = (draw[2] < p.home_240v_share) | (day_kwh > socket_kwh)
    home_kw = np.where(large, p.home_kw[1], p.home_kw[0])
    home_kw = np.where(fast_home, home_kw, p.slow_kw) * has_home
    commuter = drivers.cars["commuter"].to_numpy()
    work_kw = p.work_kw * (commuter & (draw[3] < p.work_share))
    needs_stop = (home_kw == 0) & (work_kw == 0)
    usable = battery * (1 - p.reserve_share)
    every = np.clip(p.stop_share * usable // day_kwh, 1, p.stop_days)
    minutes = every * day_kwh / (p.fast_kw * p.efficiency) * 60 * p.stop_slack
    return drivers.cars.assign(
        battery_kwh=battery,
        reserve_kwh=p.reserve_share * battery,
        kwh_per_km=kwh_per_km,
        home_kw=home_kw,
        work_kw=work_kw,
        stop_every=np.where(needs_stop, every, 0).astype(int),
        stop_phase=(draw[4] * np.maximum(every, 1)).astype(int),
        stop_minutes=np.clip(np.ceil(minutes), *p.stop_minutes).astype(int),
    )


def split_cars(drivers: Drivers, cars: pd.DataFrame, copies: int):
    """Cars with fast stops in `copies` rows, `share` = 1 / copies of the weight each.

    Returns the drivers and the cars with the rows repeated, the copies with stops on
    days of their own.
    """
    times = np.where(cars["stop_every"] > 0, copies, 1)
    row = np.repeat(np.arange(len(cars)), times)
    copy = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
    cars = cars.iloc[row].reset_index(drop=True)
    cars = cars.assign(
        copy=copy, share=1 / times[row], stop_phase=cars["stop_phase"] + copy
    )
    # Trip rows of each car are contiguous: repeat the blocks
    size = np.bincount(drivers.chains["car"], minlength=len(times))
    first = (np.cumsum(size) - size)[row]
    length = size[row]
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    chains = drivers.chains.iloc[np.repeat(first, length) + within]
    chains = chains.assign(car=np.repeat(np.arange(len(row)), length))
    columns = drivers.cars.columns
    return Drivers(cars[columns], chains.reset_index(drop=True), drivers.counts), cars


def choose_battery(day_km, draw, p: Parameters) -> np.ndarray:
    """True for a long-range car; the overall share is kept where days allow it."""
    usable = p.battery_kwh[0] * (1 - p.reserve_share)
    may_be_small = p.kwh_per_km[0] * day_km <= p.large_battery_above * usable
    share = min(1.0, p.type_shares[0] / max(may_be_small.mean(), 1e-9))
    return ~(may_be_small & (draw < share))


def place_chargers(stays: pd.DataFrame, cars: pd.DataFrame, p: Parameters):
    """Charger power of each stay [kW], by its place and the car's equipment."""
    car, place = stays["car"].to_numpy(), stays["place"].to_numpy(object)
    power = np.where(place == "home", cars["home_kw"].to_numpy()[car], 0.0)
    power = np.where(place == "work", cars["work_kw"].to_numpy()[car], power)
    return np.where(place == "fast", p.fast_kw, power)
