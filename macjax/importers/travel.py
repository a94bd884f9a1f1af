"""Distances between zones and durations of trips, as the region builder has them."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from macjax.importers.findings import Findings
from macjax.importers.sheet import Sheet
from macjax.regions.survey import road_km

KM2_PER_ACRE = 0.00404685642
EARTH_KM = 6371.0
ZONE_IDS = ("zone_id", "TAZ", "taz", "MAZ", "maz", "ZONE")
METRES = (("x_utm10n_m", "y_utm10n_m"), ("x_m", "y_m"), ("x", "y"), ("X", "Y"))
DEGREES = (("lon", "lat"), ("longitude", "latitude"))
SKIM_KM = ("distance_km", "km", "distance", "DIST")
# a, b [km/h], c [km] of speed = a + (b - a) (1 - exp(-km / c)) [assumed, as regions do]
SPEED_KMH = (20.0, 80.0, 25.0)
LONGEST_KM = 40_000.0  # around the Earth; more is an error of units


class Roads(NamedTuple):
    """What `road_km` assumes; the defaults are those of the region builder.

    Arguments:
        detour: road over straight line.
        intrazonal: mean distance of two points in a square of side 1.
        longest_intrazonal_km: of trips within a zone, however large it is.
        shortest_km: of any trip.
    """

    detour: float = 1.3
    intrazonal: float = 0.52
    longest_intrazonal_km: float = 5.0
    shortest_km: float = 0.8


def check_length(sheet: Sheet, column: str, km: np.ndarray, rows: np.ndarray) -> None:
    """A fault for rows whose distance no car drives."""
    with np.errstate(invalid="ignore"):
        far = rows & (km > LONGEST_KM)
    if far.any():
        rule = f"must be at most {LONGEST_KM:,.0f} km; found {km[far][0]:g} km"
        sheet.wrong(column, rule, far)


def trip_seconds(km) -> np.ndarray:
    """Duration of a car trip of so many kilometres [s], in whole minutes."""
    km = np.minimum(np.asarray(km, np.float64), LONGEST_KM)
    slow, fast, scale = SPEED_KMH
    speed = slow + (fast - slow) * (1 - np.exp(-km / scale))
    return 60 * np.ceil(60 * km / speed).astype(np.int64)


def coordinates(sheet: Sheet) -> tuple[str, str] | None:
    """The columns of a table of zones that hold their centroids."""
    pairs = (*METRES, *DEGREES)
    return next((pair for pair in pairs if sheet.has(*pair)), None)


class Zones:
    """Centroids and areas of zones, and road distances between them.

    x, y are metres in a plane; longitude and latitude are laid flat around their mean.

    Arguments:
        sheet: a table with `zone_id` (or TAZ, MAZ) and coordinates, and with
            `area_km2` or `TOTACRE` for distances within a zone.
    """

    def __init__(self, sheet: Sheet, findings: Findings, detour: float):
        id_column = sheet.first_of(*ZONE_IDS)
        pair = coordinates(sheet)
        if id_column is None or pair is None:
            raise ValueError("zones need ids and coordinates")  # roles see to it
        sheet.key = id_column
        ids = sheet.label(id_column)
        sheet.unique(id_column)
        x, y = (sheet.number(column) for column in pair)
        if pair in DEGREES:
            x, y = _flat(x, y)
        self.file = sheet.file
        self._roads: Any = Roads(detour)
        self._table = pd.DataFrame(
            {"zone_id": ids, "x_utm10n_m": x, "y_utm10n_m": y, "area_km2": _area(sheet)}
        )
        # A zone without a centroid is a fault, and counts as one that is not there.
        known = ["zone_id", "x_utm10n_m", "y_utm10n_m"]
        self._table = self._table.drop_duplicates("zone_id").dropna(subset=known)
        if self._table["area_km2"].isna().any():
            what = "no area: trips within the zone have the shortest distance"
            sheet.note("area_km2", what, "assumed", np.isnan(_area(sheet)))
        self._points = self._table.set_index("zone_id")[["x_utm10n_m", "y_utm10n_m"]]

    def has(self, zone: pd.Series) -> np.ndarray:
        """Whether each zone is in the table."""
        return zone.isin(self._points.index).to_numpy(bool)

    def km(self, origin: pd.Series, destination: pd.Series) -> np.ndarray:
        """Road distance of trips [km], NaN where a zone is unknown."""
        origin, destination = (s.astype(object) for s in (origin, destination))
        table = self._table.assign(zone_id=self._table["zone_id"].astype(object))
        km = road_km(table, origin, destination, self._roads)
        known = self.has(origin) & self.has(destination)
        km = np.where(np.isnan(km), self._roads.shortest_km, km)
        return np.where(known, km, np.nan)

    def xy(self, zone: pd.Series) -> np.ndarray:
        """Centroids [m], shape (trips, 2), NaN where a zone is unknown."""
        return self._points.reindex(zone).to_numpy(np.float64)


def _flat(longitude: np.ndarray, latitude: np.ndarray):
    """Degrees as metres east and north of the mean point (equirectangular)."""
    middle = np.radians(np.nanmean(latitude))
    per_degree = 1e3 * EARTH_KM * np.pi / 180
    east = (longitude - np.nanmean(longitude)) * per_degree * np.cos(middle)
    return east, (latitude - np.nanmean(latitude)) * per_degree


def _area(sheet: Sheet) -> np.ndarray:
    if sheet.has("area_km2"):
        return sheet.number("area_km2", low=0, null=True)
    if sheet.has("TOTACRE"):
        return KM2_PER_ACRE * sheet.number("TOTACRE", low=0, null=True)
    return np.full(len(sheet), np.nan)


class Skim:
    """Distances by pair of zones, from a table of origin, destination and distance."""

    def __init__(self, sheet: Sheet, km_per_unit: float):
        column = sheet.first_of(*SKIM_KM) or SKIM_KM[0]
        sheet.require("origin", "destination", column)
        origin, destination = sheet.label("origin"), sheet.label("destination")
        key = origin.astype(object) + ">" + destination.astype(object)
        again = key.duplicated(keep=False).to_numpy(bool) & key.notna().to_numpy(bool)
        sheet.wrong("origin, destination", "has several rows for one pair", again)
        distance = sheet.number(column, low=0) * km_per_unit
        self.file = sheet.file
        self._km = pd.Series(distance, index=key)
        self._km = self._km[~self._km.index.duplicated()]

    def km(self, origin: pd.Series, destination: pd.Series) -> np.ndarray:
        """Distance of trips [km], NaN where the pair is not in the table."""
        key = origin.astype(object) + ">" + destination.astype(object)
        return self._km.reindex(key).to_numpy(np.float64)
