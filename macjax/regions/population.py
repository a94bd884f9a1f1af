"""Electric cars of the region: how many live in each zone, and whose days they drive.

Zone z owns N_z = households x cars per household of its group of area types; the first
floor(adoption N_z + o_z) of them are electric, with o_z uniform on [0, 1) by zone. A
sample takes cars at equal steps through the list of all, sorted by zone. So a car of a
smaller adoption is also one of a larger, and each keeps its number and its week.

A car draws its own day from the survey drivers of its group who live nearest. On some
days it follows another one: by distance again, of those with work or without.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from .donors import Donors
from .draws import Draws
from .parameters import Population
from .zones import Zones

# vehicle_id = zone_id x this + number of the car in its zone
NUMBERS = 1_000_000


class Electric(NamedTuple):
    """Electric cars before anything is known of them.

    Arguments:
        zone: row of the home zone, by zone, (cars,).
        number: number of the car in its zone, (cars,).
        weight: electric cars that each row stands for.
        cars: all cars of the region.
        electric: all electric cars of the region.
    """

    zone: np.ndarray
    number: np.ndarray
    weight: float
    cars: float
    electric: int


class Pool(NamedTuple):
    """For each zone the drivers whose days its cars follow, the nearest first.

    Arguments:
        driver: rows of donors, shape (zones, most).
        count: how many of them are meant, shape (zones,).
    """

    driver: np.ndarray
    count: np.ndarray

    def pick(self, zone: np.ndarray, u: np.ndarray) -> np.ndarray:
        """A driver for each row, all equally likely; `u` uniform on [0, 1)."""
        return self.driver[zone, (u * self.count[zone]).astype(int)]


class Pools(NamedTuple):
    """Pools of all drivers, of those who work, and of those who do not."""

    all: Pool
    working: Pool
    other: Pool


def cars_per_household(households: pd.DataFrame, zones: Zones) -> np.ndarray:
    """Mean cars of the survey's households of each zone's group, shape (zones,).

    A group without households in the survey has the mean of all.
    """
    group = zones.group[zones.rows(households["home_zone_id"].to_numpy())]
    cars = households["auto_ownership"].to_numpy(float)
    groups = int(zones.group.max(initial=0)) + 1
    count = np.bincount(group, minlength=groups)
    total = np.bincount(group, cars, groups)
    mean = np.where(count > 0, total / np.maximum(count, 1), cars.mean())
    return mean[zones.group]


def electric_cars(
    cars: np.ndarray, zones: Zones, draws: Draws, adoption: float, sample: float
) -> Electric:
    """The electric cars of all zones, or a sample of them with weights.

    Arguments:
        cars: cars of each zone, shape (zones,).
        adoption, sample: shares in (0, 1].
    """
    rounding = draws.uniform("electric", zones.ids)
    count = np.floor(adoption * cars + rounding).astype(np.int64)
    total = int(count.sum())
    start = float(draws.uniform("sample")[0])
    steps = np.floor(np.arange(total + 1) * sample + start)
    taken = np.flatnonzero(np.diff(steps) > 0) if sample < 1 else np.arange(total)
    first = np.cumsum(count) - count
    zone = np.repeat(np.arange(len(count)), count)[taken]
    return Electric(
        zone=zone,
        number=taken - first[zone],
        weight=total / max(len(taken), 1),
        cars=float(cars.sum()),
        electric=total,
    )


def nearest_drivers(zones: Zones, drivers: pd.DataFrame, rows, most: int) -> Pool:
    """Of the drivers `rows`, the nearest to each zone that live in a zone of its group.

    A group without drivers takes the nearest of all.
    """
    rows = np.asarray(rows)
    home = drivers["zone"].to_numpy()[rows]
    away = np.abs(zones.centre[:, None] - zones.centre[home][None])
    alike = zones.group[:, None] == zones.group[home][None]
    alike |= ~alike.any(1, keepdims=True)
    away[~alike] = np.inf
    count = np.minimum(alike.sum(1), most)
    order = np.argsort(away, axis=1, kind="stable")[:, : max(int(count.max()), 1)]
    return Pool(rows[order], count)


def make_pools(zones: Zones, donors: Donors, p: Population) -> Pools:
    """The drivers that the cars of each zone follow; see the module's text."""
    working = donors.cars["is_commuter"].to_numpy()
    everyone = np.arange(len(working))
    # Without drivers of one kind no car is of that kind either, but weekends need some
    kinds = (everyone, everyone[working], everyone[~working])
    return Pools(
        *(
            nearest_drivers(
                zones, donors.cars, rows if len(rows) else everyone, p.donors
            )
            for rows in kinds
        )
    )


def make_cars(electric: Electric, rows, zones, donors: Donors, pools: Pools, draws):
    """The electric cars `rows` (a slice) with home and own driver, one row a car.

    Columns: key (vehicle_id), zone, driver, is_commuter, income, work_km, home (point).
    """
    zone, number = electric.zone[rows], electric.number[rows]
    key = zones.ids[zone] * NUMBERS + number
    driver = pools.all.pick(zone, draws.uniform("driver", key))
    theirs = donors.cars.iloc[driver]
    u, v = draws.uniform("home x", key), draws.uniform("home y", key)
    return pd.DataFrame(
        {
            "key": key,
            "zone": zone,
            "driver": driver,
            "is_commuter": theirs["is_commuter"].to_numpy(),
            "income": theirs["income"].to_numpy(),
            "work_km": theirs["work_km"].to_numpy(),
            "home": zones.scatter(zone, u, v),
        }
    )
