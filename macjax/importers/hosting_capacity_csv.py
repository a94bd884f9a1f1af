"""Hourly hosting capacity of feeders (12 months x 24 hours x two days) -> headroom.

Hosting capacity is what a feeder can still carry: capacity less base load. Where the
load is known it is the base load, and the capacity lies that much above; else the base
load is 0 and the capacity is the hosting capacity itself.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.files import sources
from macjax.importers.findings import Findings
from macjax.importers.horizon import Horizon
from macjax.importers.hosting_values import (
    DAYS,
    HOURS,
    LIMITS,
    MONTHS,
    Wanted,
    as_tables,
    check_section,
    fields,
    hosting_capacity_of,
    is_load_profile,
    load_of,
    note_gaps,
)
from macjax.importers.profiles import check_cost, optional_horizon
from macjax.importers.result import Imported
from macjax.importers.sheet import read_sheets
from macjax.scenario.local_pieces import local_pieces

ENDINGS = (".csv", ".csv.gz", ".zip", ".parquet")
PREFIXES = ("LICA_", "GICA_", "ICA_")
SATURDAY = 5


def hosting_capacity(
    paths,
    *,
    month: int | None = None,
    start=None,
    timezone: str = "America/Los_Angeles",
    slot_minutes: int = 60,
    days: int = 7,
    day: str = "max",
    weekend: str | None = None,
    section="median",
    limit: str = "thermal",
    upgrade_cost_per_kw: float = 1.0,
    name: str = "Hosting capacity",
    on_fault: str = "error",
) -> Imported:
    """Import hosting capacity for load, as PG&E and SCE publish it (ICA), as feeders.

    Arguments:
        paths: CSV files (.gz, .zip), one or more feeders in each, or their folder; a
            feeder without an id column is named by its file. A file of loads
            (FeederID, MonthHour, Light, High) gives the base load.
        month: 1 to 12, for a profile by hour of one day of this month.
        start: instead, the first date of a profile by time; dates take their month.
        timezone: IANA name of the zone of the hours.
        slot_minutes, days: of a profile by time: length of a slot [min], how many days.
        day: `max`, the day of high load (90th percentile), or `min` (10th).
        weekend: type of day of Saturdays and Sundays; None is as on weekdays.
        section: line section that stands for a feeder: `min`, `median`, `max`, or a
            quantile of the sections by their mean.
        limit: `thermal`, `voltage`, or `both`, whichever is less.
        upgrade_cost_per_kw: of all feeders [currency/kW].
        name: of the import.
        on_fault: `error`, or `drop` rows with faults, and feeders with gaps.

    Returns:
        feeders and feeder_profile: in each slot the least hosting capacity of the hours
        that it touches, and the mean of their loads by time.
    """
    weekend, cost = weekend or day, check_cost(upgrade_cost_per_kw)
    _check(month, start, day, weekend, limit)
    horizon = optional_horizon(start, timezone, slot_minutes, days)
    types = tuple(dict.fromkeys((day, weekend) if horizon else (day,)))
    wanted = Wanted(check_section(section), limit, types)
    findings = Findings(f"wrong input for {name}", on_fault)
    values, loads = _read(sources(paths, ENDINGS), wanted, findings)
    feeders = pd.Index(pd.unique(values["feeder"].astype(object)))
    headroom = as_tables(values, feeders, types)
    cells = _cells(horizon, month, types, weekend)
    used = np.zeros(headroom.shape[1:], bool)
    used[cells] = True
    gaps = note_gaps(headroom, used, feeders, findings, name)
    findings.settle()
    feeders, headroom = feeders[~gaps], headroom[~gaps]
    base = _base(loads, feeders, types, used, findings, name)
    profile = _profile(feeders, headroom, base, cells, horizon)
    table = pd.DataFrame({"feeder_id": feeders})
    table = table.assign(upgrade_cost_per_kw=cost)
    report = findings.report()
    return Imported(name, report, horizon, feeders=table, feeder_profile=profile)


def _check(month, start, day: str, weekend: str, limit: str) -> None:
    if (month is None) == (start is None):
        raise SettingsError(
            "give month= for one day by hour, or start= for dates, and not both"
        )
    is_flag = isinstance(month, bool)  # True is in a range that holds 1
    if month is not None and (is_flag or month not in range(1, MONTHS + 1)):
        raise SettingsError(f"month must be from 1 to 12; got {month!r}")
    for word, value in (("day", day), ("weekend", weekend)):
        if value not in DAYS:
            raise SettingsError(f"{word} must be 'max' or 'min'; got {value!r}")
    if limit not in LIMITS:
        raise SettingsError(f"limit must be one of {tuple(LIMITS)}; got {limit!r}")


def _read(files: list, wanted: Wanted, findings: Findings):
    """Hosting capacity of all files, each reduced to its chosen sections; and loads."""
    values, loads = [], []
    for number, source in enumerate(files):
        (sheet,) = read_sheets([source], findings)
        found = fields(sheet)
        if is_load_profile(found):
            loads.append(load_of(sheet, found))
            continue
        stem = _stem(source)
        if "feeder" not in found and stem is None:
            findings.broken(sheet.file, "feeder_id", "no column names the feeder")
        rows = hosting_capacity_of(sheet, found, stem or "", wanted)
        values.append(rows.assign(file=number))
    if not values:
        findings.broken("hosting capacity", "file", "no file has hosting capacity")
    rows = pd.concat(values, ignore_index=True)
    homes = rows.groupby("feeder")["file"].nunique()
    twice = homes.index[homes > 1].tolist()
    if twice:
        rule = "is in more than one file"
        findings.wrong("hosting capacity", "feeder_id", rule, (), len(twice), twice)
        rows = rows[~rows["feeder"].isin(twice)]
    findings.settle()
    if rows.empty:
        findings.stop()
    return rows, pd.concat(loads, ignore_index=True) if loads else None


def _stem(source) -> str | None:
    """`LICA_012011101.csv.gz` -> `012011101`, the id that PG&E's files are named by."""
    if not isinstance(source, Path):
        return None
    stem = source.name.split(".")[0]
    prefix = next((p for p in PREFIXES if stem.upper().startswith(p)), "")
    return stem[len(prefix) :]


def _cells(horizon: Horizon | None, month, types: tuple[str, ...], weekend: str):
    """Type of day, month and hour of each slot, shape (slots, pieces of a slot)."""
    if horizon is None:
        hour = np.arange(HOURS)[:, None]
        return np.zeros_like(hour), np.full_like(hour, month - 1), hour
    local, pieces = local_pieces(
        horizon.slot_starts(), horizon.slot_minutes, horizon.timezone
    )
    free = (local.day_of_week >= SATURDAY).reshape(-1, pieces)
    month_of = local.month.to_numpy().reshape(-1, pieces) - 1
    hour = local.hour.to_numpy().reshape(-1, pieces)
    return np.where(free, types.index(weekend), 0), month_of, hour


def _base(loads, feeders, types, used, findings: Findings, name: str) -> np.ndarray:
    """Load of the feeders, 0 where no file gives it; shape as of the headroom."""
    shape = (len(feeders), len(types), MONTHS, HOURS)
    if loads is None:
        what = "no load profiles: capacity is the hosting capacity, base load 0"
        findings.note(name, "base_kw", what, "assumed", (), len(feeders))
        return np.zeros(shape)
    table = as_tables(loads, feeders, types)
    gaps = (np.isnan(table) & used).any(axis=(1, 2, 3))
    names = feeders[gaps].tolist()
    what = "feeders without a load in every hour: base load 0"
    findings.note(name, "base_kw", what, "assumed", (), len(names), names)
    others = sorted(set(loads["feeder"].astype(str)) - set(feeders.astype(str)))
    what = "feeders with a load and without hosting capacity"
    findings.note(name, "feeder_id", what, "left out", (), len(others), others)
    table[gaps] = 0.0
    return np.where(used, table, 0.0)


def _profile(feeders, headroom, base, cells, horizon: Horizon | None) -> pd.DataFrame:
    """Least headroom and mean load within each slot; their sum is the capacity."""
    kinds, months, hours = cells
    spare = headroom[:, kinds, months, hours].min(axis=2)
    load = base[:, kinds, months, hours].mean(axis=2)
    slots = len(hours)
    frame = pd.DataFrame({"feeder_id": np.repeat(feeders.to_numpy(object), slots)})
    if horizon is None:
        frame["hour"] = np.tile(np.arange(HOURS), len(feeders))
    else:
        starts = horizon.slot_starts()
        frame["time"] = starts[np.tile(np.arange(slots), len(feeders))]
    frame["capacity_kw"] = (spare + load).ravel()
    frame["base_kw"] = load.ravel()
    return frame
