"""The profile of each feeder: complete on the slot grid, by time or by local hour.

A table with `time` has one row per feeder and slot; a table with `hour` has one row
per feeder and hour 0 to 23 of the local day and repeats: a slot takes the row of the
local hour in which it starts, so a day of 23 or 25 hours needs no special case.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, Fault
from macjax.scenario.columns import CleanTable
from macjax.scenario.header import Header
from macjax.scenario.ids import Ids, repeated
from macjax.scenario.report import plain_ids

HOURS = 24
# Beyond this many cells missing rows are counted and not named one by one.
CELL_LIMIT = 200_000_000


class ProfileCells(NamedTuple):
    """Where each row of the profile belongs.

    Arguments:
        by_hour: the cells are hours of the local day and not slots.
        feeder: row number of the feeder, int32.
        cell: slot or hour, int64, -1 outside the horizon.
    """

    by_hour: bool
    feeder: np.ndarray
    cell: np.ndarray


def profile_cells(
    clean: CleanTable, feeder: np.ndarray, header: Header | None
) -> tuple[ProfileCells | None, list[Fault], list[str]]:
    """Place every row of the profile; returns cells, faults and notes."""
    time, hour = clean.columns.get("time"), clean.columns.get("hour")
    faults = _one_kind(clean, time, hour)
    if faults:
        return None, faults, []
    if hour is not None and (time is None or not clean.nulls["hour"].all()):
        whole = (hour >= 0) & (hour < HOURS) & (hour == np.floor(hour))
        cell = np.where(whole, hour, -1).astype(np.int64)
        return ProfileCells(True, feeder, cell), [], []
    if time is None or header is None:
        return None, [], []
    return _slot_cells(clean, feeder, time, header)


def _slot_cells(
    clean: CleanTable, feeder: np.ndarray, time: np.ndarray, header: Header
) -> tuple[ProfileCells, list[Fault], list[str]]:
    """The slot that starts at each time; rows outside the horizon are counted."""
    since = time.astype(np.int64) - header.start_us
    known = ~np.isnat(time)
    off_grid = known & (since % header.slot_us != 0)
    rule = (
        f"must be the start of a slot: {header.start.isoformat()} plus a multiple "
        f"of {header.slot_minutes} min"
    )
    if off_grid.any():
        example = pd.Timestamp(time[off_grid][0], tz="UTC").tz_convert(header.timezone)
        rule = f"{rule}; found {example.isoformat()}"
    faults = clean.names.fault("time", rule, off_grid)
    cell = since // header.slot_us
    inside = known & ~off_grid & (cell >= 0) & (cell < header.slots)
    outside = int(np.count_nonzero(known & ~off_grid & ~inside))
    notes = []
    if outside:
        notes.append(f"feeder_profile: {outside} rows outside the horizon are not used")
    return ProfileCells(False, feeder, np.where(inside, cell, -1)), faults, notes


def _one_kind(clean: CleanTable, time, hour) -> list[Fault]:
    """Exactly one of `time` and `hour`, and every row has it."""
    names = clean.names
    if time is None and hour is None:
        there = ", ".join(str(name) for name in clean.given)
        rule = f"one of these two columns is needed; the table has {there}"
        return [Fault("feeder_profile", "time, hour", rule, max(clean.rows, 1))]
    null = {name: clean.nulls[name] for name in ("time", "hour") if name in clean.nulls}
    given = [name for name, mask in null.items() if not mask.all()]
    if len(given) == 2:
        rule = "one table is all time or all hour; keep one of the two columns"
        return names.fault("time, hour", rule, ~(null["time"] & null["hour"]))
    column = given[0] if given else next(iter(null))
    rule = "must have a value; found null"
    return names.fault(column, rule, null[column])


def check_complete(
    cells: ProfileCells, clean: CleanTable, feeders: Ids, header: Header | None
) -> list[Fault]:
    """Every feeder has exactly one row for every slot, or for every hour.

    Feeders without an id, and all but the first of one id, are faults of their own and
    need no rows here.
    """
    width, feeder_ids = HOURS, feeders.values
    if header is not None and not cells.by_hour:
        width = header.slots
    needed = len(feeder_ids) * width
    if needed > max(clean.rows, CELL_LIMIT):
        rule = f"{len(feeder_ids)} feeders need {needed} rows; found {clean.rows}"
        return [Fault("feeder_profile", "feeder_id", rule, needed - clean.rows)]
    rows = np.flatnonzero((cells.feeder >= 0) & (cells.cell >= 0))
    place = cells.feeder[rows].astype(np.int64) * width + cells.cell[rows]
    counts = np.bincount(place, minlength=needed)
    column = "hour" if cells.by_hour else "time"
    faults = []
    if (counts > 1).any():
        twice = np.zeros(clean.rows, bool)
        twice[rows[counts[place] > 1]] = True
        rule = f"has more than one row for a feeder and {_noun(column)}"
        faults += clean.names.fault(f"feeder_id, {column}", rule, twice)
    nameless = feeders.missing | repeated(feeder_ids, keep_first=True)
    missing = np.flatnonzero((counts == 0) & ~np.repeat(nameless, width))
    if len(missing):
        faults.append(_missing_fault(missing, width, column, feeder_ids, header))
    return faults


def _noun(column: str) -> str:
    return "hour" if column == "hour" else "slot"


def _missing_fault(missing, width: int, column: str, feeder_ids, header) -> Fault:
    short = np.unique(missing // width)
    names = plain_ids(feeder_ids, short[:FIRST_IDS])
    words = []
    for feeder, name in zip(short[:3].tolist(), names, strict=False):
        cells = missing[missing // width == feeder] % width
        if header is None or column == "hour":
            shown = ", ".join(str(hour) for hour in cells[:5].tolist())
        else:
            starts = header.edges()[cells[:3]].tz_convert(header.timezone)
            shown = ", ".join(start.isoformat() for start in starts)
        more = ", ..." if len(cells) > (5 if column == "hour" else 3) else ""
        words.append(f"'{name}' lacks {len(cells)} of {width}: {shown}{more}")
    more = "; ..." if len(short) > 3 else ""
    rule = (
        f"every feeder needs a row for every {_noun(column)}, {len(missing)} in all "
        f"are missing; {'; '.join(words)}{more}"
    )
    return Fault("feeder_profile", column, rule, len(short), tuple(names))


def expand_profile(
    cells: ProfileCells, values: np.ndarray, feeders: int, header: Header
) -> np.ndarray:
    """One column of the profile as a table, float64, shape (feeders, slots)."""
    width = HOURS if cells.by_hour else header.slots
    table = np.full((feeders, width), np.nan)
    rows = cells.cell >= 0
    table[cells.feeder[rows], cells.cell[rows]] = values[rows]
    if not cells.by_hour:
        return table
    local = header.edges()[:-1].tz_convert(header.timezone)
    return np.ascontiguousarray(table[:, local.hour.to_numpy()])
