"""Zones of a region as arrays, and the choice of a zone at a distance from another.

Points are complex numbers x + iy [km]. A zone is a square of its area around its
centroid, no larger than lets trips within it be `longest_intrazonal_km` on average.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd

from .._errors import DataError, Fault
from .parameters import Population, Travel
from .survey import dwellings_per_acre

# Candidates for the nearest centroid of a point, and the cells they are kept for
CANDIDATES = 12
CELL_KM = 1.0
MOST_CELLS = 200_000


class Zones(NamedTuple):
    """Zones by their row number, sorted by id; arrays of shape (zones,).

    Arguments:
        ids, county: zone_id, county_id.
        centre: centroids, complex [km].
        side: side of the square [km].
        households, jobs: how many.
        dwellings: households per residential acre.
        group: number of its group of area types.
        area: [km2].
        longitude, latitude: of the centroid.
    """

    ids: np.ndarray
    county: np.ndarray
    centre: np.ndarray
    side: np.ndarray
    households: np.ndarray
    jobs: np.ndarray
    dwellings: np.ndarray
    group: np.ndarray
    area: np.ndarray
    longitude: np.ndarray
    latitude: np.ndarray

    def rows(self, zone_ids) -> np.ndarray:
        """Row numbers of zone ids."""
        return np.searchsorted(self.ids, zone_ids)

    def scatter(self, zone: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """A point of each zone's square from two uniform numbers, complex [km]."""
        return self.centre[zone] + self.side[zone] * ((u - 0.5) + 1j * (v - 0.5))


def make_zones(frame: pd.DataFrame, population: Population, travel: Travel) -> Zones:
    """Zones from the checked table, sorted by id.

    Raises:
        DataError: an area type is in none of the groups.
    """
    group_of = {t: g for g, types in enumerate(population.area_groups) for t in types}
    group = frame["area_type"].map(group_of)
    if group.isna().any():
        found = sorted(frame["area_type"][group.isna()].unique().tolist())
        rule = f"area types {found} are in none of population.area_groups"
        ids = tuple(frame["zone_id"][group.isna()].head(10))
        raise DataError(
            [Fault("zones", "area_type", rule, int(group.isna().sum()), ids)]
        )
    area = frame["area_km2"].to_numpy(float)
    largest = travel.longest_intrazonal_km / max(travel.intrazonal, 1e-9)
    return Zones(
        ids=frame["zone_id"].to_numpy(np.int64),
        county=frame["county_id"].to_numpy(np.int64),
        centre=(frame["x_utm10n_m"] + 1j * frame["y_utm10n_m"]).to_numpy() / 1e3,
        side=np.minimum(np.sqrt(area), largest),
        households=frame["TOTHH"].to_numpy(float),
        jobs=frame["TOTEMP"].to_numpy(float),
        dwellings=dwellings_per_acre(frame).to_numpy(),
        group=group.to_numpy(int),
        area=area,
        longitude=frame["lon"].to_numpy(float),
        latitude=frame["lat"].to_numpy(float),
    )


@dataclasses.dataclass(frozen=True)
class RingDraw:
    """Draws zones at a distance from a zone, by attraction.

    Row z holds all zones in the order of their distance from zone z; rows are put
    behind one another with `apart` between them, so that one search serves all.

    Arguments:
        order: zones by distance, shape (zones * zones,).
        distance: z * apart + distance [km], ascending.
        total: attraction summed up in this order over all rows, from 0, (zones^2 + 1,).
    """

    order: np.ndarray
    distance: np.ndarray
    total: np.ndarray
    within: np.ndarray
    apart: float
    width: float
    least: int

    @classmethod
    def of(cls, zones: Zones, attraction, population: Population, travel: Travel):
        """The search tables for one kind of attraction, an array (zones,)."""
        count = len(zones.ids)
        away = np.abs(zones.centre[:, None] - zones.centre[None])
        order = np.argsort(away, axis=1, kind="stable")
        away = np.take_along_axis(away, order, axis=1)
        apart = 2 * float(away.max(initial=0.0)) + 1.0
        mass = np.asarray(attraction, float)
        mass = mass / max(mass.sum(), 1e-300) + 1e-12  # no ring is without any
        return cls(
            order=order.astype(np.int32).ravel(),
            distance=(away + apart * np.arange(count)[:, None]).ravel(),
            total=np.append(0.0, np.cumsum(mass[order].ravel())),
            within=travel.intrazonal * zones.side,
            apart=apart,
            width=population.ring_width,
            least=min(population.ring_zones, count),
        )

    def __call__(self, zone, radius, u) -> np.ndarray:
        """A zone for each row, among those about `radius` [km] from `zone`.

        The ring is (1 +- width) radius wide and has at least `least` zones; the own
        zone serves distances up to the mean one of two of its points.

        Arguments:
            zone: row numbers, (n,).
            radius: [km], (n,).
            u: uniform on [0, 1), (n,).
        """
        count = len(self.within)
        low, high = self.ring(zone, radius)
        begin, end = self.total[low], self.total[high]
        place = np.searchsorted(self.total, begin + u * (end - begin), "right") - 1
        found = self.order[np.clip(place, low, np.maximum(high - 1, low))]
        return np.where(radius <= self.within[zone], zone, found) % count

    def ring(self, zone, radius) -> tuple[np.ndarray, np.ndarray]:
        """First place of each ring in `order` and the one behind its last."""
        count = len(self.within)
        base = zone * self.apart
        farthest = 0.5 * self.apart  # rings do not reach into the next row
        near = base + np.minimum((1 - self.width) * radius, farthest)
        far = base + np.minimum((1 + self.width) * radius, farthest)
        low = np.searchsorted(self.distance, near, "left")
        high = np.searchsorted(self.distance, far, "right")
        lacking = np.maximum(self.least - (high - low), 0)
        low = np.maximum(low - (lacking + 1) // 2, zone * count)
        high = np.minimum(np.maximum(high, low + self.least), (zone + 1) * count)
        low = np.maximum(np.minimum(low, high - self.least), zone * count)
        return low, high


@dataclasses.dataclass(frozen=True)
class NearestZone:
    """The zone whose centroid is nearest to a point.

    Points are looked up in cells of a grid; each cell keeps the centroids nearest to
    its middle, among which the nearest to the point is taken.
    """

    corner: complex
    cell: float
    shape: tuple[int, int]
    candidates: np.ndarray
    centre: np.ndarray

    @classmethod
    def of(cls, zones: Zones):
        """The grid over all centroids."""
        x, y = np.real(zones.centre), np.imag(zones.centre)
        corner = complex(x.min(), y.min()) - CELL_KM * (0.5 + 0.5j)
        wide, high = x.max() - x.min() + CELL_KM, y.max() - y.min() + CELL_KM
        cell = max(CELL_KM, float(np.sqrt(wide * high / MOST_CELLS)))
        shape = int(wide / cell) + 1, int(high / cell) + 1
        keep = min(CANDIDATES, len(zones.ids))
        middle = corner.real + cell * (np.arange(shape[0]) + 0.5)
        rows = []
        for j in range(shape[1]):  # one row of cells after the other, for the memory
            points = middle + 1j * (corner.imag + cell * (j + 0.5))
            away = np.abs(points[:, None] - zones.centre[None])
            rows.append(np.argpartition(away, keep - 1, axis=1)[:, :keep])
        candidates = np.concatenate(rows).astype(np.int32)
        return cls(corner, cell, shape, candidates, zones.centre)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Row number of the nearest zone of each point, (n,)."""
        away = (points - self.corner) / self.cell
        i = np.clip(away.real.astype(int), 0, self.shape[0] - 1)
        j = np.clip(away.imag.astype(int), 0, self.shape[1] - 1)
        candidates = self.candidates[j * self.shape[0] + i]
        away = np.abs(self.centre[candidates] - points[:, None])
        return candidates[np.arange(len(points)), away.argmin(1)]
