"""The tables of a case: their columns, how they are read, and the rules of one row.

A table is CSV or Parquet, or a pandas frame. Units are in the column names; ids are
text. `departures`, `grid_profile` and `prices` say when a row holds by one of the
columns

    step   number of an instant, 0 to T - 1,
    hour   hour of the local day, 0 to 23: the row holds on every day,
    time   timestamp with an offset, the start of a step.
"""

import math
import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault, nearest
from macjax.scenario.times import parse_instants
from macjax.tariffs.settings import MAX_STEPS, Settings

WHEN = ("step", "hour", "time")


class Column(NamedTuple):
    """One column of a table and the rules on its single values.

    Arguments:
        name: the unit is its ending.
        kind: `id`, `number`, `whole` or `flag`.
        required: the column must be there.
        null: single values may be missing; they take the default, or stay so.
        default: value where the column is missing.
        low, high: least and largest value accepted.
        above: `low` itself is not accepted.
    """

    name: str
    kind: str = "number"
    required: bool = True
    null: bool = False
    default: object = None
    low: float = -math.inf
    high: float = math.inf
    above: bool = False


class Table(NamedTuple):
    """One table.

    Arguments:
        columns: in order.
        keys: columns that together name a row, `when` for the one of `WHEN`.
        required: the table must be there.
    """

    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    required: bool = True


def _id(name: str) -> Column:
    return Column(name, "id")


def _half(name: str) -> Column:
    return Column(name, required=False, null=True, low=0)


def _share(name: str) -> Column:
    return Column(name, required=False, null=True, low=0, high=1)


_POSITION = (
    Column("x", required=False, null=True),
    Column("y", required=False, null=True),
)
# Whole numbers that a float holds exactly
_POSITION_ON_PATH = Column("position", "whole", low=-(2.0**53), high=2.0**53)
TABLES = {
    "roads": Table(
        (
            _id("from_node"),
            _id("to_node"),
            Column("capacity_ev", low=0, above=True),
            Column("steps", "whole", low=0, high=MAX_STEPS),
            Column("consumption", required=False, null=True, low=0, high=1),
            Column("one_way", "flag", required=False, null=True, default=False),
        ),
        ("from_node", "to_node"),
    ),
    "road_nodes": Table((_id("node_id"), *_POSITION), ("node_id",), False),
    "stations": Table(
        (
            _id("station_id"),
            _id("grid_node"),
            Column("places", required=False, null=True, low=0),
        ),
        ("station_id",),
    ),
    "chargers": Table((_id("station_id"), Column("kw")), ("station_id", "kw"), False),
    "trips": Table(
        (
            _id("trip_id"),
            _id("origin"),
            _id("destination"),
            _id("aggregator"),
            Column("soc_initial", required=False, null=True, low=0, high=1),
        ),
        ("trip_id",),
    ),
    "departures": Table((_id("trip_id"), Column("ev", low=0)), ("trip_id", "when")),
    "paths": Table(
        (_id("path_id"), _id("trip_id"), _POSITION_ON_PATH, _id("node")),
        ("path_id", "position"),
        False,
    ),
    "lines": Table(
        (
            _id("line_id"),
            _id("from_node"),
            _id("to_node"),
            Column("r_ohm", required=False, default=0.0, low=0),
            Column("x_ohm", required=False, default=0.0, low=0),
            Column("limit_kw", required=False, null=True, low=0),
        ),
        ("line_id",),
    ),
    "grid_nodes": Table(
        (
            _id("node_id"),
            *_POSITION,
            Column("min_pu", required=False, null=True, low=0, high=2),
            Column("max_pu", required=False, null=True, low=0, high=2),
            # Of the load; lagging, so that it draws reactive power
            Column("power_factor", "number", False, True, 1.0, low=0, above=True),
            _share("gamma_load"),
            _share("gamma_pv"),
            _share("gamma_wind"),
        ),
        ("node_id",),
        False,
    ),
    "grid_profile": Table(
        (
            _id("node_id"),
            Column("load_kw", low=0),
            Column("pv_kw", required=False, default=0.0, low=0),
            Column("wind_kw", required=False, default=0.0, low=0),
            _half("load_half_kw"),
            _half("pv_half_kw"),
            _half("wind_half_kw"),
        ),
        ("node_id", "when"),
        False,
    ),
    "prices": Table((Column("price"),), ("when",)),
}


def read_tables(folder: str | os.PathLike) -> dict[str, pd.DataFrame]:
    """The tables in a folder, as they are.

    Raises:
        DataError: a table is missing, there twice, or cannot be read.
    """
    folder, frames, faults = Path(folder), {}, []
    for name, table in TABLES.items():
        files = [folder / f"{name}{ending}" for ending in (".csv", ".parquet")]
        found = [path for path in files if path.is_file()]
        if len(found) > 1:
            rule = f"there are {found[0].name} and {found[1].name}; keep one of them"
            faults.append(Fault(name, "file", rule))
        elif not found and table.required:
            rule = f"there is no {files[0].name} and no {files[1].name} in '{folder}'"
            faults.append(Fault(name, "file", rule))
        elif found:
            try:
                frames[name] = _read(found[0], table)
            except (OSError, ValueError, pd.errors.ParserError) as error:
                faults.append(Fault(name, "file", f"cannot be read: {error}"))
    if faults:
        raise DataError(faults, title=f"wrong input in {folder}")
    return frames


def _read(path: Path, table: Table) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    ids = {column.name: str for column in table.columns if column.kind == "id"}
    return pd.read_csv(path, dtype=ids)


def clean_tables(
    frames: Mapping[str, pd.DataFrame], settings: Settings
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The tables and notes on columns that nothing reads.

    The tables come with the columns of `TABLES` in their types, rows as given.

    Absent optional columns hold their defaults, absent optional tables have no rows.
    The column of `WHEN` becomes the column `cell`, number of an instant or, of a table
    by hour, of an hour; the attribute `by_hour` of the frame says which.

    Raises:
        DataError: with all faults of all tables.
    """
    faults, cleaned, notes = [], {}, []
    for name in frames:
        if name not in TABLES:
            faults.append(Fault(name, "table", f"is none; {nearest(name, TABLES)}"))
    for name, table in TABLES.items():
        frame = frames.get(name)
        if frame is None and table.required:
            faults.append(Fault(name, "table", "is missing"))
        elif frame is not None and not isinstance(frame, pd.DataFrame):
            faults.append(Fault(name, "table", "must be a pandas DataFrame"))
        else:
            cleaned[name] = _clean(name, table, frame, settings, faults)
            if frame is not None:
                found, note = _extra(name, table, list(map(str, frame.columns)))
                faults += found
                notes += note
    if faults:
        raise DataError(faults)
    return cleaned, notes


def _extra(name: str, table: Table, given: list[str]) -> tuple[list[Fault], list[str]]:
    """Faults of columns in another spelling, and a note on others beyond the table.

    A column is in another spelling where it has the letters, or nearly those, of an
    optional one that is not there, which nobody would miss.
    """
    known = [column.name for column in table.columns]
    usable = [*known, *(WHEN if "when" in table.keys else ())]
    optional = [column.name for column in table.columns if not column.required]
    absent = [column for column in optional if column not in given]
    spelt = {_letters(column): column for column in absent}
    faults, strange = [], []
    for column in given:
        if column in usable:
            continue
        close = get_close_matches(column.lower(), absent, n=1, cutoff=0.8)
        meant = spelt.get(_letters(column)) or (close[0] if close else None)
        if meant:
            rule = f"is no column of {name}, '{meant}' is: rename it or leave it out"
            faults.append(Fault(name, column, rule))
        else:
            strange.append(column)
    notes = [f"{name}: columns not used: {', '.join(strange)}"] if strange else []
    return faults, notes


def _letters(column: str) -> str:
    """The letters of a name, whatever its case, underscores and order of words."""
    return "".join(sorted(letter for letter in column.lower() if letter.isalnum()))


def column_faults(name: str, frame: pd.DataFrame, needed: Iterable[str]) -> list[Fault]:
    """Faults of columns that are missing or come more than once.

    Arguments:
        name: of the table.
        frame: the table.
        needed: columns that must be there.
    """
    given = [str(column) for column in frame.columns]
    needed = list(needed)
    faults = []
    for column in dict.fromkeys(c for c in given if given.count(c) > 1):
        rule = "comes more than once; give each column its own name"
        faults.append(Fault(name, column, rule))
    free = [column for column in given if column not in needed]
    for column in needed:
        if column not in given:
            close = get_close_matches(column, free, n=1, cutoff=0.5)
            there = f"it has {', '.join(given[:12]) or 'none'}"
            advice = f"the nearest there is '{close[0]}'" if close else there
            rule = f"the column is missing; {advice}"
            faults.append(Fault(name, column, rule))
    return faults


def _clean(name: str, table: Table, frame, settings, faults: list) -> pd.DataFrame:
    if frame is None:
        names = [column.name for column in table.columns]
        empty = pd.DataFrame({n: np.zeros(0, object) for n in [*names, "cell"]})
        return empty.assign(cell=np.zeros(0, np.int64))
    before = len(faults)
    columns = {}
    needed = [column.name for column in table.columns if column.required]
    faults += column_faults(name, frame, needed)
    frame = frame.loc[:, ~frame.columns.astype(str).duplicated(keep=False)]
    for column in table.columns:
        if column.name in frame.columns:
            given = frame[column.name].reset_index(drop=True)
            columns[column.name] = _values(name, column, given, frame, faults)
        else:
            default = np.nan if column.default is None else column.default
            columns[column.name] = np.full(len(frame), default)
    found, by_hour, keys = pd.DataFrame(columns), False, list(table.keys)
    if "when" in keys:
        keys[keys.index("when")] = "cell"
        found["cell"], by_hour = _cells(name, frame, settings, faults)
    if len(faults) == before:
        twice = found.duplicated(keys).to_numpy()
        if twice.any():
            rule = "the same row comes twice"
            faults.append(_fault(name, ", ".join(table.keys), rule, twice, frame))
    found.attrs["by_hour"] = by_hour
    return found


def _fault(name: str, column: str, rule: str, rows: np.ndarray, frame) -> Fault:
    """A fault that names rows: by their first column, or by their number."""
    numbers = np.flatnonzero(rows)
    ids = [f"row {n + 1} ({frame.iloc[n, 0]})" for n in numbers[:10]]
    return Fault(name, column, rule, len(numbers), tuple(ids))


def _values(name: str, column: Column, given: pd.Series, frame, faults: list):
    """The values of a column in its type, faults added to the list."""
    missing = given.isna().to_numpy()
    if not column.null and missing.any():
        rule = "must not be missing"
        if not column.required:
            rule += f"; without the column it is {column.default:g} in all rows"
        faults.append(_fault(name, column.name, rule, missing, frame))
    if column.kind == "id":
        return given.astype(str).where(~missing).to_numpy(object)
    if column.kind == "flag":
        words = given.astype(str).str.lower().where(~missing, str(column.default))
        known = words.isin(("true", "false", "1", "0")).to_numpy()
        if not known.all():
            rule = "must be true or false"
            faults.append(_fault(name, column.name, rule, ~known, frame))
        return words.isin(("true", "1")).to_numpy()
    numbers = pd.to_numeric(given, errors="coerce").to_numpy(np.float64)
    wrong = ~missing & ~np.isfinite(numbers)
    rule = "must be a finite number"
    if column.kind == "whole":
        wrong |= ~missing & (numbers != np.floor(numbers))
        rule = "must be a whole number"
    if wrong.any():
        rule += f"; found {given[wrong].iloc[0]}"
        faults.append(_fault(name, column.name, rule, wrong, frame))
    low = numbers <= column.low if column.above else numbers < column.low
    outside = (low | (numbers > column.high)) & ~missing & ~wrong
    if outside.any():
        least = f"above {column.low:g}" if column.above else f"at least {column.low:g}"
        example = numbers[np.argmax(outside)]
        most = f" and at most {column.high:g}" if example > column.high else ""
        rule = f"must be {least}{most}; found {example:g}"
        faults.append(_fault(name, column.name, rule, outside, frame))
    if column.default is not None:
        numbers = np.where(missing, float(column.default), numbers)  # type: ignore
    if column.kind == "whole":
        return np.where(missing | wrong | outside, -1, numbers).astype(np.int64)
    return numbers


def _cells(name: str, frame, settings: Settings, faults: list):
    """Number of the instant or of the hour of each row, and whether it is an hour."""
    given = [column for column in WHEN if column in frame.columns]
    if len(given) != 1:
        found = ", ".join(given) or "none"
        rule = f"give one of the columns {', '.join(WHEN)}; it has {found}"
        faults.append(Fault(name, "when", rule))
        return np.zeros(len(frame), np.int64), False
    (column,) = given
    if column == "time":
        return _instants(name, frame, settings, faults), False
    end = 24 if column == "hour" else settings.steps
    rule = Column(column, "whole", low=0, high=end - 1)
    series = frame[column].reset_index(drop=True)
    return _values(name, rule, series, frame, faults), column == "hour"


def _instants(name: str, frame, settings: Settings, faults: list) -> np.ndarray:
    """Number of the instant of each timestamp."""
    given = frame["time"].reset_index(drop=True)
    cell, wrong = number_instants(given, settings.times(), settings.timezone)
    for rule, rows in wrong:
        faults.append(_fault(name, "time", rule, rows, frame))
    return cell


def number_instants(
    given: pd.Series, times: pd.DatetimeIndex, zone: str
) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    """Number of each timestamp among instants, and pairs (rule, rows) of wrong ones.

    Arguments:
        given: timestamps with an offset, as such or as text.
        times: the instants accepted.
        zone: explains local times in the rules.
    """
    try:
        found = parse_instants(given, zone)
    except (ValueError, TypeError, ArithmeticError) as error:
        rule = f"must be timestamps with an offset: {error}"
        return np.zeros(len(given), np.int64), [(rule, np.ones(len(given), bool))]
    instants = pd.DatetimeIndex(times.tz_convert("UTC")).tz_localize(None).as_unit("us")
    cell = instants.get_indexer(pd.DatetimeIndex(found.values))
    wrong = list(found.wrong)
    if found.missing.any():
        wrong.append(("must not be missing", found.missing))
    lost = (cell < 0) & ~np.isnat(found.values)
    if lost.any():
        rule = f"must be the start of a step, {times[0]} to {times[-1]}"
        wrong.append((rule, lost))
    return cell.astype(np.int64), wrong


def spread(
    frame: pd.DataFrame, column: str, row: np.ndarray, count: int, settings: Settings
) -> np.ndarray:
    """Values of a column by row and instant, shape (count, T), NaN where none is given.

    Arguments:
        frame: a cleaned table with a column `cell`.
        column: whose values are taken.
        row: row number of the result for each row of the table.
        count: number of rows of the result.
        settings: of the case.
    """
    cells = 24 if frame.attrs["by_hour"] else settings.steps
    table = np.full((count, cells), np.nan)
    table[row, frame["cell"].to_numpy(np.int64)] = frame[column].to_numpy(np.float64)
    if not frame.attrs["by_hour"]:
        return table
    return table[:, settings.times().hour.to_numpy()]
