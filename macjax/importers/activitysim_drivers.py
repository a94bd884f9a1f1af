"""Who of the persons that travel by car drives one, and where these live."""

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.activitysim_tables import Tables
from macjax.importers.sheet import Sheet

DRIVERS = ("alone", "all")
DRIVING_AGE = 16
HOME_ZONES = ("home_zone_id", "TAZ", "home_taz")


def check_rule(drivers: str) -> None:
    """Raise unless it is one of `DRIVERS`."""
    if drivers not in DRIVERS:
        raise SettingsError(f"drivers must be 'alone' or 'all'; got {drivers!r}")


def choose_drivers(trips: pd.DataFrame, tables: Tables, drivers: str) -> pd.Index:
    """Persons of whom each drives a car of the household; others are noted.

    Arguments:
        trips: the car trips: person, household (missing where not known), km, alone.
        tables: persons (age) and households (auto_ownership), where given.
        drivers: `alone`: who drives alone at least once; `all`: who goes by car.
    """
    people = trips.groupby("person", sort=True).agg(
        km=("km", "sum"), alone=("alone", "any"), household=("household", "first")
    )
    sheet = tables.trips

    def keep(mask: np.ndarray, what: str) -> None:
        nonlocal people
        out = people.index[~mask].tolist()
        sheet.findings.note(
            sheet.file, "person_id", what, "left out", (), len(out), out
        )
        people = people[mask]

    if drivers == "alone":
        keep(people["alone"].to_numpy(bool), "persons who never drive alone")
    if tables.persons is not None and tables.persons.has("age"):
        ages = _column(tables.persons, "person_id", "age")
        old = ages.reindex(people.index)
        _unknown(sheet, "person_id", trips["person"], ages, tables.persons)
        keep(~(old < DRIVING_AGE).to_numpy(bool), f"drivers under {DRIVING_AGE}")
    owned = tables.households
    if owned is not None and owned.has("auto_ownership"):
        cars = _column(owned, "household_id", "auto_ownership")
        _unknown(sheet, "household_id", trips["household"], cars, owned)
        people = people.sort_values("km", ascending=False, kind="stable")
        rank = people.groupby("household").cumcount()
        allowed = people["household"].map(cars)
        keep((rank < allowed).to_numpy(bool), "drivers beyond the household's cars")
    return people.index


def home_zones(tables: Tables) -> pd.Series:
    """Home zone of each household; empty where the table does not say."""
    sheet = tables.households
    column = None if sheet is None else sheet.first_of(*HOME_ZONES)
    if sheet is None or column is None:
        return pd.Series(dtype=object)
    homes = pd.Series(
        sheet.label(column, null=True).to_numpy(object),
        index=sheet.label("household_id"),
    )
    return homes[~homes.index.duplicated()]


def household_of(tables: Tables, person: pd.Series) -> pd.Series:
    """The household of each trip's person, by the trips or else by the persons."""
    if tables.trips.has("household_id"):
        return tables.trips.label("household_id").astype(object)
    sheet = tables.persons
    if sheet is None or not sheet.has("household_id"):
        return pd.Series(None, index=person.index, dtype=object)
    table = pd.Series(
        sheet.label("household_id").to_numpy(object), index=sheet.label("person_id")
    )
    return person.astype(object).map(table[~table.index.duplicated()])


def _column(sheet: Sheet, key: str, name: str) -> pd.Series:
    """A column of numbers by the id of the row."""
    sheet.key = key
    sheet.unique(key)
    values = pd.Series(sheet.number(name, low=0), index=sheet.label(key))
    return values[~values.index.duplicated()]


def _unknown(sheet: Sheet, column: str, ids: pd.Series, known, other: Sheet) -> None:
    """A fault for the rows of trips whose id another table does not have."""
    missing = np.zeros(len(sheet), bool)
    rows = ids.index.to_numpy()[ids.notna() & ~ids.isin(known.index)]
    missing[rows] = True
    if missing.any():
        rule = f"'{ids.loc[rows[0]]}' is not in {other.file}"
        sheet.wrong(column, rule, missing)
