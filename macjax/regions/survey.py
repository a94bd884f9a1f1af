"""Tables of a travel survey: households, persons, trips of one weekday, and zones.

The columns are those of the MTC travel model's example survey (ActivitySim), which
comes with the package. `check_survey` finds all faults, makes numbers of what is text,
and sorts the tables, so that the order of their rows means nothing.
"""

import warnings
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from .._errors import DataError, Fault, RegionWarning, SettingsError
from .parameters import Travel

CAR_MODES = "DRIVEALONE|SHARED"
PLACES = {"Home": "home", "work": "work", "Work": "work"}
DISCRETIONARY = ("shopping", "othmaint", "othdiscr", "eatout", "social")
ELSEWHERE = (*DISCRETIONARY, "escort", "school", "univ", "atwork")
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
WHOLE = ("trip_id", "person_id", "household_id", "home_zone_id", "destination")
WHOLE += ("origin", "zone_id", "county_id", "area_type")
# Ids stay exact as float64; those of vehicles are a million times a zone's (int64).
LARGEST_ID = 2**53
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
    ("zones", "zone_id"): (-9e12, 9e12),
    ("zones", "x_utm10n_m"): (-2e7, 2e7),  # half way round the Earth
    ("zones", "y_utm10n_m"): (-2e7, 2e7),
    ("zones", "lon"): (-180, 180),
    ("zones", "lat"): (-90, 90),
    ("zones", "TOTHH"): (0, np.inf),
    ("zones", "TOTEMP"): (0, np.inf),
    ("zones", "RESACRE"): (0, np.inf),
    ("zones", "area_km2"): (1e-6, np.inf),
}


class Survey(NamedTuple):
    """The raw tables, as frames; their columns are those of ActivitySim.

    Arguments:
        households: household_id, home_zone_id, income [USD a year], auto_ownership
            (number of cars).
        persons: person_id, household_id, age [years].
        trips: of one weekday: trip_id, person_id, household_id, purpose, origin and
            destination (zones), depart (hour, 0 to 24), trip_mode.
        zones: zone_id, x_utm10n_m, y_utm10n_m [m], lon, lat [degrees], area_km2,
            county_id, area_type (0 core to 5 rural), TOTHH (households), TOTEMP
            (jobs), RESACRE (residential acres).
    """

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
    """The tables with the columns that are read, as numbers and text, sorted by id.

    Raises:
        DataError: with all faults of all tables.

    Warns:
        RegionWarning: some purposes of trips are unknown, which lead elsewhere then.
    """
    faults = [f for name, frame in survey._asdict().items() for f in _look(name, frame)]
    if not faults:
        survey = Survey(*(_typed(name, t) for name, t in survey._asdict().items()))
        faults += [f for link in REFERENCES for f in _orphans(survey, *link)]
        faults += _purposes(survey.trips)
    if faults:
        raise DataError(faults, title="wrong survey tables")
    return survey


def _typed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns that are read, numbers that a file has as text as numbers."""
    columns = {}
    for column in COLUMNS[name]:
        values = frame[column]
        if column not in TEXTS:
            values = pd.to_numeric(values)
            is_whole = column in WHOLE or values.dtype.kind in "iu"
            values = values.astype(np.int64 if is_whole else np.float64)
        columns[column] = values
    key = COLUMNS[name][0]
    return pd.DataFrame(columns).sort_values(key, ignore_index=True)


def _purposes(trips: pd.DataFrame) -> list[Fault]:
    """A fault if no purpose is known, a warning if some are not."""
    purpose = trips["purpose"].astype(str)
    unknown = ~purpose.isin([*PLACES, *ELSEWHERE])
    if not unknown.any():
        return []
    words = ", ".join(repr(w) for w in purpose[unknown].unique()[:5])
    known = ", ".join((*PLACES, *ELSEWHERE))
    rule = f"known purposes are {known}; found {words}"
    if unknown.all():
        return _fault("trips", "purpose", rule, trips["trip_id"], unknown)
    count = int(unknown.sum())
    text = f"trips.purpose: {rule} in {count:,} of {len(trips):,} rows"
    warnings.warn(f"{text}: they lead elsewhere", RegionWarning, stacklevel=2)
    return []


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
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(
            float, na_value=np.nan
        )
        wrong = ~np.isfinite(numbers)
        yield from _fault(name, column, "must be a number", ids, wrong)
        if column in WHOLE:
            broken = ~wrong & (np.floor(numbers) != numbers)
            yield from _fault(name, column, "must be a whole number", ids, broken)
        most = LARGEST_ID if column in WHOLE else np.inf
        low, high = RANGES.get((name, column), (-most, most))
        rule = f"must be from {low:g} to {high:g}"
        outside = (numbers < low) | (numbers > high)
        yield from _fault(name, column, rule, ids, outside & ~wrong)
    again = pd.to_numeric(ids, errors="coerce").duplicated() & ids.notna()
    yield from _fault(name, key, "must be unique", ids, again)


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
