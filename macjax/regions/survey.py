"""Tables of a travel survey: households, persons, trips of one weekday, and zones.

The columns are those of the MTC travel model's example survey (ActivitySim), which
comes with the package. `check_survey` finds all faults and sorts the tables, so that
the order of their rows means nothing.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from .._errors import DataError, Fault, SettingsError
from .parameters import Travel

CAR_MODES = "DRIVEALONE|SHARED"
PLACES = {"Home": "home", "work": "work", "Work": "work"}
DISCRETIONARY = ("shopping", "othmaint", "othdiscr", "eatout", "social")
# Columns that are read of each table, the id first; t: text.
COLUMNS = {
    "households": ("household_id", "home_zone_id", "income", "auto_ownership"),
    "persons": ("person_id", "household_id", "age"),
    "trips": (
        *("trip_id", "person_id", "household_id", "purpose", "destination"),
        *("origin", "depart", "trip_mode"),
    ),
    "zones": (
        *("zone_id", "x_utm10n_m", "y_utm10n_m", "lon", "lat", "area_km2"),
        *("county_id", "area_type", "TOTHH", "TOTEMP", "RESACRE"),
    ),
}
TEXTS = ("purpose", "trip_mode")
REFERENCES = (
    ("households", "home_zone_id", "zones"),
    ("persons", "household_id", "households"),
    ("trips", "person_id", "persons"),
    ("trips", "household_id", "households"),
    ("trips", "origin", "zones"),
    ("trips", "destination", "zones"),
)
# Least and largest value of what must not be negative or has a range of its own.
RANGES = {
    ("households", "auto_ownership"): (0, 50),
    ("trips", "depart"): (0, 24),
    ("zones", "TOTHH"): (0, np.inf),
    ("zones", "TOTEMP"): (0, np.inf),
    ("zones", "RESACRE"): (0, np.inf),
    ("zones", "area_km2"): (1e-6, np.inf),
}


class Survey(NamedTuple):
    """Raw tables: households, persons, trips [one weekday] and zones, as frames."""

    households: pd.DataFrame
    persons: pd.DataFrame
    trips: pd.DataFrame
    zones: pd.DataFrame


def read_survey(folder: str | Path | None = None) -> Survey:
    """Read the four tables of a folder, or those that come with the package.

    A table is the file `<table>.parquet`, `<table>.csv` or `mtc_bayarea_<table>.csv`.

    Raises:
        SettingsError: a file is missing or cannot be read.
    """
    if folder is None:
        with as_file(files("macjax") / "data" / "mtc_survey") as bundled:
            return read_survey(bundled)
    return Survey(*(_read_table(Path(folder), name) for name in Survey._fields))


def _read_table(folder: Path, name: str) -> pd.DataFrame:
    names = (f"{name}.parquet", f"{name}.csv", f"mtc_bayarea_{name}.csv")
    path = next((folder / n for n in names if (folder / n).is_file()), None)
    if path is None:
        raise SettingsError(
            f"survey tables: '{folder}' has none of {', '.join(names)}; name the "
            "folder that holds households, persons, trips and zones"
        )
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise SettingsError(f"'{path}' cannot be read: {error}") from error


def check_survey(survey: Survey) -> Survey:
    """The tables with the columns that are read, sorted by id.

    Raises:
        DataError: with all faults of all tables.
    """
    faults = [f for name, frame in survey._asdict().items() for f in _look(name, frame)]
    if not faults:
        faults += [f for link in REFERENCES for f in _orphans(survey, *link)]
    if faults:
        raise DataError(faults, title="wrong survey tables")
    return Survey(
        *(
            frame[list(COLUMNS[name])].sort_values(COLUMNS[name][0], ignore_index=True)
            for name, frame in survey._asdict().items()
        )
    )


def _look(name: str, frame: pd.DataFrame) -> Iterable[Fault]:
    """Faults of one table: missing columns, missing or wrong values, repeated ids."""
    key = COLUMNS[name][0]
    missing = [c for c in COLUMNS[name] if c not in frame.columns]
    for column in missing:
        there = [str(c) for c in frame.columns]
        close = get_close_matches(column, there, n=1)
        near = f"the nearest is '{close[0]}'" if close else f"found {', '.join(there)}"
        yield Fault(name, column, f"the column is missing; {near}", max(len(frame), 1))
    if missing:
        return
    if not len(frame):
        yield Fault(name, key, "the table has no rows")
    ids = frame[key]
    for column in COLUMNS[name]:
        values = frame[column]
        if column in TEXTS:
            yield from _fault(name, column, "must be text", ids, values.isna())
            continue
        numbers = pd.to_numeric(values, errors="coerce")
        wrong = ~np.isfinite(numbers.to_numpy(float))
        yield from _fault(name, column, "must be a number", ids, wrong)
        low, high = RANGES.get((name, column), (-np.inf, np.inf))
        rule = f"must be from {low:g} to {high:g}"
        outside = (numbers < low) | (numbers > high)
        yield from _fault(name, column, rule, ids, outside)
    yield from _fault(name, key, "must be unique", ids, ids.duplicated())


def _orphans(survey: Survey, name: str, column: str, owner: str) -> Iterable[Fault]:
    frame, known = getattr(survey, name), getattr(survey, owner)[COLUMNS[owner][0]]
    unknown = ~frame[column].isin(known)
    rule = f"names a row that {owner} does not have"
    return _fault(name, column, rule, frame[COLUMNS[name][0]], unknown)


def _fault(name, column, rule, ids, wrong) -> list[Fault]:
    wrong = np.asarray(wrong, bool)
    if not wrong.any():
        return []
    return [Fault(name, column, rule, int(wrong.sum()), tuple(ids[wrong].head(10)))]


def road_km(zones: pd.DataFrame, origin, destination, p: Travel) -> np.ndarray:
    """Road distance between zones [km], detour x centroid distance.

    Within a zone: detour x 0.52 sqrt(area), the mean distance of two points of a
    square, at most `longest_intrazonal_km`.
    """
    table = zones.set_index("zone_id")
    x, y = table["x_utm10n_m"] / 1e3, table["y_utm10n_m"] / 1e3
    a, b = pd.Index(origin), pd.Index(destination)
    dx = x.reindex(a).to_numpy() - x.reindex(b).to_numpy()
    dy = y.reindex(a).to_numpy() - y.reindex(b).to_numpy()
    area = table["area_km2"].reindex(a).to_numpy()
    within = np.minimum(p.intrazonal * np.sqrt(area), p.longest_intrazonal_km)
    straight = np.where(np.asarray(a) == np.asarray(b), within, np.hypot(dx, dy))
    return np.maximum(p.detour * straight, p.shortest_km)


def dwellings_per_acre(zones: pd.DataFrame) -> pd.Series:
    """Households per residential acre by zone_id; less than an acre counts as one."""
    density = zones["TOTHH"] / zones["RESACRE"].clip(lower=1.0)
    return pd.Series(density.to_numpy(), index=zones["zone_id"].to_numpy())


def order_trips(survey: Survey) -> pd.DataFrame:
    """Trips by person in time order, with the home zone of the household."""
    trips = survey.trips.sort_values(
        ["person_id", "depart", "trip_id"], kind="stable"
    ).reset_index(drop=True)
    homes = survey.households.set_index("household_id")["home_zone_id"]
    trips["home_zone"] = trips["household_id"].map(homes)
    trips["is_car"] = trips["trip_mode"].str.match(CAR_MODES)
    trips["is_alone"] = trips["trip_mode"].str.startswith("DRIVEALONE")
    return trips


def closed_chains(trips: pd.DataFrame) -> pd.Series:
    """Whether each person's chain is contiguous and starts and ends at home."""
    first = ~trips["person_id"].duplicated(keep="first")
    last = ~trips["person_id"].duplicated(keep="last")
    broken = trips["destination"].shift().ne(trips["origin"]) & ~first
    broken |= first & trips["origin"].ne(trips["home_zone"])
    broken |= last & trips["destination"].ne(trips["home_zone"])
    return ~broken.groupby(trips["person_id"]).any()
