"""ActivitySim's trips -> a vehicle for every driver, on the simulated day.

ActivitySim says in which time bin a trip departs, by which mode, and from zone to zone.
Minutes within the bin are drawn from a seed; distances come from a column, from a skim
or from zone centroids times a detour factor; durations follow from the distance. Trips
are taken as they are: who drives, and how the day goes on, is not simulated here.
"""

import re

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.activitysim_drivers import (
    check_rule,
    choose_drivers,
    home_zones,
    household_of,
)
from macjax.importers.activitysim_order import chain_order, draw_seconds
from macjax.importers.activitysim_tables import Tables, sort_tables
from macjax.importers.cars import Cars
from macjax.importers.chains import Chains
from macjax.importers.files import sources
from macjax.importers.findings import Findings
from macjax.importers.horizon import check_count
from macjax.importers.plans import Setting, finish
from macjax.importers.result import Imported
from macjax.importers.sheet import TABLE_ENDINGS, Sheet, plain_ids, read_sheets
from macjax.importers.travel import Skim, Zones, check_length, trip_seconds
from macjax.regions.survey import ELSEWHERE, PLACES

NEEDED = ("person_id", "origin", "destination", "depart", "trip_mode")
ALONE = "DRIVEALONE"
# What is taken of a folder, such as ActivitySim's output: final_trips.csv, ...
WORDS = ("trips", "households", "persons", "zones", "land_use", "skim")
IN_FOLDER = tuple(word + ending for word in WORDS for ending in TABLE_ENDINGS)
LATEST_MINUTE = 30 * 60
PLACE_OF = {purpose.lower(): place for purpose, place in PLACES.items()}


def activitysim(
    paths,
    *,
    start=None,
    timezone: str = "UTC",
    slot_minutes: int = 60,
    days: int | None = None,
    repeat: int = 1,
    cars: Cars | None = None,
    modes: str = "DRIVEALONE|SHARED",
    drivers: str = "alone",
    detour: float = 1.3,
    distance_column: str | None = None,
    km_per_unit: float = 1.0,
    bin_minutes: int = 60,
    bin_zero_minutes: int = 0,
    seed: int = 0,
    name: str = "ActivitySim trips",
    on_fault: str = "error",
) -> Imported:
    """Import ActivitySim's trips: one vehicle for every person who drives.

    Arguments:
        paths: CSV (.gz) or Parquet in any order, or their folder: trips, zones with
            centroids, and if there are households, persons, a skim; told by columns.
        start, timezone: date of the simulated day (None is 2026-03-02, a Monday), and
            the IANA zone of its clock.
        slot_minutes: length of a slot [min].
        days: length of the horizon; None is as long as the trips last.
        repeat: on how many days in a row the same trips are made.
        cars: what is assumed of the cars; None is `Cars()`.
        modes: regular expression of the beginning of trip modes that are car trips.
        drivers: `alone`, who drives alone at least once, or `all` who go by car; aged
            16 or more and not more than the household has cars, where that is given.
        detour: ratio of road to straight line between centroids.
        distance_column: column of the trips with their distance.
        km_per_unit: of that column or of the skim; 1.609344 for miles.
        bin_minutes, bin_zero_minutes: length of a bin of `depart`, start of bin 0.
        seed: of the minutes within the bins.
        name: of the scenario.
        on_fault: `error`, or `drop` the persons with wrong rows.

    Returns:
        vehicles, trips, and stays with zone and x, y of its centroid.
    """
    setting = Setting(start, timezone, slot_minutes, days, repeat, cars, name).check()
    findings = Findings(f"wrong input for {name}", on_fault)
    check_rule(drivers)
    bins = _check_bins(bin_minutes, bin_zero_minutes)
    tables = sort_tables(read_sheets(sources(paths, IN_FOLDER), findings), findings)
    measure = _Measure(tables, findings, distance_column, km_per_unit, detour)
    trips = _car_trips(tables, _pattern(modes), bins, measure)
    trips = _of_drivers(trips, tables, drivers)
    chains = _chains(trips, tables, measure, bin_minutes, seed)
    return finish(chains, setting, findings, tables.trips.file)


def _pattern(modes: str) -> str:
    try:
        re.compile(modes)
    except (re.error, TypeError) as error:
        raise SettingsError(f"modes must be a regular expression: {error}") from error
    return f"(?:{modes})"


def _check_bins(minutes: int, zero: int) -> tuple[int, int]:
    check_count("bin_minutes", minutes)
    if not isinstance(zero, int) or isinstance(zero, bool):
        raise SettingsError(f"bin_zero_minutes must be a whole number; got {zero!r}")
    return minutes, zero


class _Measure:
    """Distance of trips: from a column, else the skim, else the centroids of zones."""

    def __init__(self, tables: Tables, findings, column, km_per_unit, detour):
        for name, value in (("km_per_unit", km_per_unit), ("detour", detour)):
            if not isinstance(value, int | float) or not 0 < value < np.inf:
                raise SettingsError(f"{name} must be a number above 0; got {value!r}")
        self.column, self.km_per_unit = column, km_per_unit
        self.zones = Zones(tables.zones, findings, detour) if tables.zones else None
        self.skim = Skim(tables.skim, km_per_unit) if tables.skim else None
        if column is not None:
            tables.trips.require(column)
        elif self.zones is None and self.skim is None:
            rule = (
                "gives no distances: add a table of zones with centroids, a skim, or "
                "name the column of the trips that has them (distance_column)"
            )
            findings.broken(tables.trips.file, "distance", rule)

    def km(self, sheet: Sheet, origin, destination, rows: np.ndarray) -> np.ndarray:
        """Distance of each row [km]; faults for rows of the mask that have none."""
        if self.column is not None:
            values = sheet.number(self.column, low=0, null=True) * self.km_per_unit
            sheet.wrong(self.column, "must have a distance", rows & np.isnan(values))
            return values
        if self.skim is not None:
            values = self.skim.km(origin, destination)
            rule = f"pair of zones is not in {self.skim.file}"
            sheet.wrong("origin, destination", rule, rows & np.isnan(values))
            return values
        assert self.zones is not None  # __init__ has seen to it
        for column, zone in (("origin", origin), ("destination", destination)):
            missing = rows & ~self.zones.has(zone) & zone.notna().to_numpy(bool)
            if missing.any():
                rule = f"zone '{zone[missing].iloc[0]}' is not in {self.zones.file}"
                sheet.wrong(column, rule, missing)
        return self.zones.km(origin, destination)


def _car_trips(tables: Tables, modes: str, bins, measure: _Measure) -> pd.DataFrame:
    """The trips by car, one row each under their row number in the file.

    Columns: person, household, origin, destination, bin (its start [s]), place (of
    the destination), km, alone, tie (orders the trips of one bin).
    """
    sheet = tables.trips
    sheet.require(*NEEDED)
    sheet.key = sheet.first_of("trip_id", "person_id")
    if sheet.has("trip_id"):
        sheet.unique("trip_id")
    mode = sheet.text("trip_mode")
    car = mode.str.match(modes).fillna(False).to_numpy(bool)
    columns = {"person": "person_id", "origin": "origin", "destination": "destination"}
    frame = pd.DataFrame({k: sheet.label(v) for k, v in columns.items()})
    frame["household"] = household_of(tables, frame["person"])
    frame["bin"] = 60 * (bins[0] * sheet.whole("depart", low=0) + bins[1])
    outside = (frame["bin"] < 0) | (frame["bin"] >= 60 * LATEST_MINUTE)
    rule = "is no time of the day; what are bin_minutes and bin_zero_minutes?"
    sheet.wrong("depart", rule, outside.to_numpy(bool))
    frame["place"] = _places(sheet, car)
    frame["km"] = measure.km(sheet, frame["origin"], frame["destination"], car)
    distance = measure.column or "origin, destination"
    check_length(sheet, distance, frame["km"].to_numpy(np.float64), car)
    frame["alone"] = mode.str.startswith(ALONE).fillna(False).to_numpy(bool)
    frame["tie"] = _rank(sheet.frame["trip_id"]) if sheet.has("trip_id") else 0
    other = mode[~car].value_counts()
    if len(other):
        modes_text = ", ".join(f"{k} {v}" for k, v in other.head(5).items())
        more = ", ..." if len(other) > 5 else ""
        sheet.note("trip_mode", f"not by car: {modes_text}{more}", "left out", ~car)
    return frame[car]


def _places(sheet: Sheet, car: np.ndarray) -> pd.Series:
    """Place of each destination; `public` unless the purpose is home or work."""
    if not sheet.has("purpose"):
        what = "no column of purposes: every place is public"
        sheet.note("purpose", what, "assumed", car)
        return pd.Series("public", index=sheet.frame.index, dtype=object)
    purpose = sheet.text("purpose", null=True).str.lower()
    unknown = car & ~purpose.isin([*PLACE_OF, *ELSEWHERE]).to_numpy(bool)
    if unknown.any():
        counts = purpose[unknown].astype(object).fillna("none").value_counts()
        words = ", ".join(f"{k} {v}" for k, v in counts.head(5).items())
        more = ", ..." if len(counts) > 5 else ""
        what = f"unknown purposes are public places: {words}{more}"
        sheet.note("purpose", what, "assumed", unknown)
    place = purpose.map(PLACE_OF).astype(object)
    return place.where(place.notna(), "public")


def _rank(values: pd.Series) -> np.ndarray:
    """Order of values, by number where all are numbers."""
    numbers = pd.to_numeric(values, errors="coerce")
    keys = numbers if numbers.notna().all() else values.astype(str)
    return pd.factorize(keys, sort=True)[0]


def _of_drivers(trips: pd.DataFrame, tables: Tables, drivers: str) -> pd.DataFrame:
    """The trips of persons who drive and whose rows are all in order."""
    sheet = tables.trips
    chosen = choose_drivers(trips, tables, drivers)
    sheet.findings.settle()
    broken = sheet.label("person_id", null=True)[sheet.bad]
    wrong = trips["person"].isin(broken).to_numpy(bool)
    rows = np.zeros(len(sheet), bool)
    rows[trips.index[wrong]] = True
    what = "further trips of persons with wrong rows"
    sheet.note("person_id", what, "left out", rows & ~sheet.bad)
    return trips[trips["person"].isin(chosen).to_numpy(bool) & ~wrong]


def _chains(
    trips: pd.DataFrame, tables: Tables, measure: _Measure, bin_minutes: int, seed: int
) -> Chains:
    """The trips of each person in order, with drawn departures."""
    home = trips["household"].map(home_zones(tables))
    zones = [trips[c].astype(object) for c in ("origin", "destination")] + [home]
    codes = np.split(pd.factorize(pd.concat(zones))[0], 3)
    person = pd.factorize(_rank(trips["person"]), sort=True)[0]
    begin = trips["bin"].to_numpy(np.int64)
    order = chain_order(person, begin, trips["tie"].to_numpy(), *codes)
    trips, person, begin = trips.iloc[order], person[order], begin[order]
    home = home.to_numpy(object)[order]
    wanted = draw_seconds(person, begin, 60 * bin_minutes, seed)
    latest = begin + 60 * bin_minutes - 1
    legs = pd.DataFrame({"car": person, "wanted": wanted, "latest": latest})
    legs["duration"] = trip_seconds(trips["km"])
    legs["km"] = trips["km"].to_numpy()
    legs["place"] = trips["place"].to_numpy(object)
    legs["zone"] = trips["destination"].to_numpy(object)
    new = np.ones(len(person), bool)
    new[1:] = person[1:] != person[:-1]
    start = trips["origin"].to_numpy(object)
    jumps = ~new & (start != np.roll(legs["zone"].to_numpy(object), 1))
    _note_jumps(tables.trips, trips, jumps)
    origins = pd.DataFrame({"zone": start[new]})
    origins["place"] = _first_place(legs, start[new], home[new])
    where: tuple[str, ...] = ("zone",)
    if measure.zones is not None:
        where = ("zone", "x", "y")
        for frame in (legs, origins):
            frame[["x", "y"]] = measure.zones.xy(frame["zone"])
    ids = plain_ids(trips["person"][new].reset_index(drop=True))
    return Chains(ids, legs, origins, where)


def _first_place(legs: pd.DataFrame, start: np.ndarray, home: np.ndarray) -> np.ndarray:
    """Where each car stands at first: at home if that is known, else not known.

    Home is the home zone of the household; without households, the zone where a later
    trip home ends.
    """
    back = legs[legs["place"] == "home"].drop_duplicates("car").set_index("car")["zone"]
    back = back.reindex(range(len(start))).to_numpy(object)
    known = pd.notna(home)
    at_home = start == np.where(known, home, back)
    away = np.where(known, "public", np.array(None, object))
    return np.where(at_home, "home", away)


def _note_jumps(sheet: Sheet, trips: pd.DataFrame, jumps: np.ndarray) -> None:
    rows = np.zeros(len(sheet), bool)
    rows[trips.index[jumps]] = True
    what = "begins in another zone than where the car stood; the way is not driven"
    sheet.note("origin", what, "assumed", rows)
