"""Hosting capacity for load of each feeder, by type of day, month and hour.

Utilities publish it line section by line section. Of each feeder one section stands for
all: sections are ranked by their mean over the year, and the one at the quantile that
was asked for is taken with its own hourly values (Elmallah, Brockway, Callaway 2022,
doi 10.1088/2634-4505/ac949c).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.findings import Findings
from macjax.importers.sheet import Sheet

MONTHS, HOURS = 12, 24
# Spellings of columns, without case, spaces and marks: of PG&E's ICA files
# (LineSectionID, LoadOrGen, Month, Hour, Loading_Scenario, IC_Thermal_kW,
# IC_Voltage_kW), of SCE's (Circuit Name, Node ID, Load Profile Type, Thermal Load
# (kW), SSV Load (kW)), and of a plain table (feeder_id, day_type, month, hour,
# hosting_capacity_kw).
FIELDS = {
    "feeder": ("feederid", "circuitid", "circuitname", "feeder", "circuit"),
    "section": ("linesectionid", "csvlinesection", "linesection", "sectionid")
    + ("nodeid",),
    "kind": ("loadorgen",),
    "month": ("month",),
    "hour": ("hour",),
    "day": ("loadingscenario", "loadprofiletype", "daytype"),
    "thermal": ("icthermalkw", "thermalloadkw", "hostingcapacitykw"),
    "voltage": ("icvoltagekw", "ssvloadkw"),
    "monthhour": ("monthhour",),
    "light": ("light", "low"),
    "high": ("high",),
}
DAYS = {"max": ("90", "90.0", "max", "maximum", "high", "peak")}
DAYS |= {"min": ("10", "10.0", "min", "minimum", "light", "low")}
LIMITS = {"thermal": ("thermal",), "voltage": ("voltage",)}
LIMITS |= {"both": ("thermal", "voltage")}
SECTIONS = {"min": 0.0, "median": 0.5, "max": 1.0}
LOAD = ("l", "load")


class Wanted(NamedTuple):
    """What is to be taken of the files.

    Arguments:
        quantile: of the sections of a feeder, 0 the least, 1 the best.
        limit: which of `LIMITS`.
        days: types of day, `max`, `min` or both.
    """

    quantile: float
    limit: str
    days: tuple[str, ...]


def check_section(section) -> float:
    """The quantile that a word or a number means."""
    if section in SECTIONS:
        return SECTIONS[section]
    number = isinstance(section, int | float) and not isinstance(section, bool)
    if not number or not 0 <= section <= 1:
        raise SettingsError(
            "section must be 'min', 'median', 'max' or a quantile from 0 to 1; got "
            f"{section!r}"
        )
    return float(section)


def fields(sheet: Sheet) -> dict[str, str]:
    """Which column of a sheet holds each of `FIELDS`."""
    spelt = {}
    for column in sheet.frame.columns:
        plain = "".join(c for c in str(column).lower() if c.isalnum())
        spelt.setdefault(plain, str(column))
    found = {}
    for field, words in FIELDS.items():
        column = next((spelt[word] for word in words if word in spelt), None)
        if column is not None:
            found[field] = column
    return found


def is_load_profile(found: dict[str, str]) -> bool:
    """PG&E's load by feeder: FeederID, MonthHour, Light, High."""
    return {"monthhour", "light", "high"} <= found.keys()


def hosting_capacity_of(
    sheet: Sheet, found: dict[str, str], feeder: str, wanted: Wanted
) -> pd.DataFrame:
    """Hosting capacity [kW] of the feeders of a file: feeder, day, month, hour, kw.

    Arguments:
        sheet: the rows.
        found: its columns, of `fields`.
        feeder: id of all rows where no column says it.
        wanted: section, limit and days; a file without types of day counts as each.
    """
    for field in ("month", "hour", *LIMITS[wanted.limit]):
        if field not in found:
            words = FIELDS[field]
            has = ", ".join(str(c) for c in sheet.frame.columns[:12])
            rule = f"no such column ({', '.join(words)} in any spelling); it has {has}"
            sheet.findings.wrong(sheet.file, field, rule)
    sheet.findings.stop()
    rows = pd.DataFrame({"feeder": feeder}, index=sheet.frame.index)
    if "feeder" in found:
        rows["feeder"] = sheet.label(found["feeder"]).to_numpy(object)
    rows["section"] = ""
    if "section" in found:
        rows["section"] = sheet.label(found["section"]).to_numpy(object)
    rows["month"] = sheet.whole(found["month"], 1, MONTHS)
    rows["hour"] = _hours(sheet, found["hour"])
    rows["day"] = _days(sheet, found)
    of_load = np.ones(len(sheet), bool)
    if "kind" in found:
        kind = sheet.text(found["kind"]).str.lower().str.strip()
        of_load = kind.isin(LOAD).to_numpy(bool)
        what = "hosting capacity for generation"
        sheet.note(found["kind"], what, "left out", ~of_load)
    values = [_values(sheet, found[field], of_load) for field in LIMITS[wanted.limit]]
    rows["kw"] = np.minimum.reduce(values)
    kept = of_load & ~sheet.bad & rows["kw"].notna().to_numpy(bool)
    kept &= (rows["day"] == "").to_numpy(bool) | rows["day"].isin(wanted.days)
    rows = rows[kept]
    if rows.empty:
        days = " or ".join(wanted.days)
        rule = f"has no row of hosting capacity for load on {days} days"
        sheet.findings.wrong(sheet.file, "rows", rule)
        return rows.drop(columns="section")
    rows = _least(sheet, rows)
    return _chosen(rows, wanted.quantile)


def _values(sheet: Sheet, column: str, rows: np.ndarray) -> np.ndarray:
    """Hosting capacity of rows for load; those of generation do not count."""
    before = sheet.bad.copy()
    values = sheet.number(column, low=0, null=True)
    missing = rows & np.isnan(values) & ~(sheet.bad & ~before)
    sheet.note(column, "no value: the row is not used", "left out", missing)
    return values


def _hours(sheet: Sheet, column: str) -> np.ndarray:
    """Hours 0 to 23; a file that counts them 1 to 24 is shifted, which is noted."""
    hours = sheet.whole(column, 0, HOURS)
    if (hours == HOURS).any() and not (hours == 0).any():
        what = "hours count from 1 to 24: hour 1 is 0:00 to 1:00"
        sheet.note(column, what, "changed", np.ones(len(sheet), bool))
        return hours - 1
    sheet.wrong(column, "must be from 0 to 23, or all from 1 to 24", hours == HOURS)
    return hours


def _days(sheet: Sheet, found: dict[str, str]) -> np.ndarray:
    """`max` or `min`, empty where the file has no types of day."""
    if "day" not in found:
        what = "no minimum and maximum days: one kind of day"
        sheet.note("day_type", what, "assumed", np.ones(len(sheet), bool))
        return np.full(len(sheet), "", object)
    words = sheet.text(found["day"]).str.lower().str.strip()
    meaning = {word: day for day, all_words in DAYS.items() for word in all_words}
    days = words.map(meaning)
    unknown = (days.isna() & words.notna()).to_numpy(bool)
    if unknown.any():
        rule = f"must be 90 or max, 10 or min; found '{words[unknown].iloc[0]}'"
        sheet.wrong(found["day"], rule, unknown)
    return days.astype(object).where(days.notna(), "").to_numpy(object)


def _least(sheet: Sheet, rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each section, day, month and hour: the least of several."""
    key = ["feeder", "section", "day", "month", "hour"]
    least = rows.groupby(key, sort=True)["kw"].transform("min")
    again = np.zeros(len(sheet), bool)
    again[rows.index[(least != rows["kw"]).to_numpy(bool)]] = True
    what = "several values for one hour of a section: the least one"
    sheet.note("rows", what, "changed", again)
    return rows.sort_values([*key, "kw"]).drop_duplicates(key)


def _chosen(rows: pd.DataFrame, quantile: float) -> pd.DataFrame:
    """The rows of the section of each feeder at the quantile of their means."""
    means = rows.groupby(["feeder", "section"], sort=True)["kw"].mean().reset_index()
    means = means.sort_values(["feeder", "kw", "section"], kind="stable")
    rank = means.groupby("feeder").cumcount()
    count = means.groupby("feeder")["kw"].transform("size")
    taken = means[rank == np.rint(quantile * (count - 1))]
    return rows.merge(taken[["feeder", "section"]], on=["feeder", "section"]).drop(
        columns="section"
    )


def load_of(sheet: Sheet, found: dict[str, str]) -> pd.DataFrame:
    """Load of feeders [kW] by day, month and hour, of PG&E's load profiles."""
    if "feeder" not in found:
        sheet.findings.broken(sheet.file, "FeederID", "the column is missing")
    text = sheet.text(found["monthhour"])
    parts = text.str.extract(r"^\s*(\d{1,2})[_\-: ](\d{1,2})\s*$")
    month, hour = (pd.to_numeric(parts[k]).to_numpy(np.float64) for k in (0, 1))
    with np.errstate(invalid="ignore"):
        fits = (month >= 1) & (month <= MONTHS) & (hour <= HOURS - 1)
    wrong = text.notna().to_numpy(bool) & ~fits
    sheet.wrong(found["monthhour"], "must be month_hour as 01_00 to 12_23", wrong)
    base = {"feeder": sheet.label(found["feeder"]).to_numpy(object)}
    base |= {"month": month, "hour": hour}
    frames = []
    for day, field in (("max", "high"), ("min", "light")):
        kw = sheet.number(found[field])
        frames.append(pd.DataFrame({**base, "day": day, "kw": kw})[~sheet.bad])
    rows = pd.concat(frames, ignore_index=True)
    key = ["feeder", "day", "month", "hour"]
    again = rows.duplicated(key, keep=False)
    if again.any():
        names = rows["feeder"][again].unique().tolist()
        rule = "has several rows for one hour of these feeders"
        sheet.findings.wrong(sheet.file, "MonthHour", rule, (), len(names), names)
    return rows.drop_duplicates(key)


def as_tables(rows: pd.DataFrame, feeders: pd.Index, days: tuple[str, ...]):
    """Values as an array, NaN where there are none, shape (feeders, days, 12, 24)."""
    table = np.full((len(feeders), len(days), MONTHS, HOURS), np.nan)
    at = feeders.get_indexer(rows["feeder"])
    month = rows["month"].to_numpy(np.int64) - 1
    hour = rows["hour"].to_numpy(np.int64)
    for number, day in enumerate(days):
        mask = (rows["day"].isin([day, ""]) & (at >= 0)).to_numpy(bool)
        table[at[mask], number, month[mask], hour[mask]] = rows["kw"].to_numpy()[mask]
    return table


def note_gaps(
    table: np.ndarray, used: np.ndarray, feeders: pd.Index, findings: Findings, file
) -> np.ndarray:
    """A fault for feeders without a value in an hour that is used; returns them."""
    gaps = np.asarray((np.isnan(table) & used).any(axis=(1, 2, 3)))
    if gaps.any():
        names = feeders[gaps].tolist()
        rows = np.argwhere(np.isnan(table[gaps][0]) & used)
        _, month, hour = rows[0]
        rule = f"lacks hours; '{names[0]}' first hour {hour} of month {month + 1}"
        findings.wrong(file, "month, hour", rule, (), len(names), names)
    return gaps
