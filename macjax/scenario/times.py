"""Reading a column of instants: UTC microseconds, or the reason why not.

Accepted are timezone-aware timestamps of any resolution and text in RFC 3339 with an
offset. A timestamp without an offset is refused, since a local time may not exist or
may exist twice: in the zone of the scenario both readings are then named.
"""

import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from macjax.scenario.arrow import STRING, as_arrow

_CLOCK = r"[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?"
AWARE = rf"^\d{{4}}-\d{{2}}-\d{{2}}{_CLOCK} ?([Zz]|[+-]\d{{2}}(:?\d{{2}})?)$"
NAIVE = rf"^\d{{4}}-\d{{2}}-\d{{2}}({_CLOCK})?$"
MICROSECOND = "datetime64[us]"
# Years 1 to 9999, which RFC 3339 and Python's datetime can write.
_FIRST = np.datetime64("0001-01-02", "us")
_LAST = np.datetime64("9999-12-30", "us")


class Instants(NamedTuple):
    """A parsed column of instants.

    Arguments:
        values: datetime64[us] in UTC, NaT where there is none.
        missing: rows without a value.
        wrong: pairs (rule, rows) of the values that are no instants.
        rounded: how many values were finer than a microsecond (rounded down).
    """

    values: np.ndarray
    missing: np.ndarray
    wrong: list[tuple[str, np.ndarray]]
    rounded: int = 0


def parse_instants(series: pd.Series, zone: str | None) -> Instants:
    """Read a column of timestamps as UTC; `zone` explains local times in reports."""
    missing = series.isna().to_numpy(bool)
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        local = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return _from_numpy(local.to_numpy(), missing)
    if isinstance(series.dtype, np.dtype) and series.dtype.kind == "M":
        wrong = naive_rules(series, ~missing, zone)
        return Instants(_nothing(len(series)), missing, wrong)
    if missing.all():
        return Instants(_nothing(len(series)), missing, [])
    if isinstance(series.dtype, pd.StringDtype) or series.dtype == object:
        return _from_text(_as_text(series, missing), missing, zone)
    example = series[~missing].iloc[0]
    rule = f"must be timestamps with an offset; found {series.dtype}, e.g. {example}"
    return Instants(_nothing(len(series)), missing, [(rule, ~missing)])


def naive_rules(
    local: pd.Series, rows: np.ndarray, zone: str | None
) -> list[tuple[str, np.ndarray]]:
    """Why local times without an offset are refused, clock changes apart."""
    if not rows.any():
        return []
    if zone is None:
        first = pd.Timestamp(local[rows].iloc[0]).isoformat()
        return [(f"has no UTC offset; write one, e.g. {first}+00:00", rows)]
    rules = []
    for word, mask in _clock_changes(local, rows, zone):
        if mask.any():
            first = local[mask].iloc[0].to_pydatetime(warn=False)
            one, other = readings(first, zone)
            found = f"local time {first.isoformat(' ')} {word} in {zone}"
            rules.append((f"has no UTC offset: {found}: write {one} or {other}", mask))
            rows = rows & ~mask
    if rows.any():
        first = local[rows].iloc[0].to_pydatetime(warn=False)
        advice = f"write one, e.g. {readings(first, zone)[0]}"
        pandas_way = f"(pandas: .dt.tz_localize('{zone}'))"
        rules.insert(0, (f"has no UTC offset; {advice} {pandas_way}", rows))
    return rules


def readings(local: datetime.datetime, zone: str) -> tuple[str, str]:
    """The two instants a local time can mean at a clock change, as RFC 3339 text."""
    both = [local.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1)]
    return both[0].isoformat(), both[1].isoformat()


def _clock_changes(local: pd.Series, rows: np.ndarray, zone: str):
    """Rows whose local time the clocks skip, and rows whose local time comes twice."""
    stamps = local.dt
    first = np.ones(len(local), bool)
    skipped = stamps.tz_localize(zone, ambiguous=first, nonexistent="NaT").isna()
    twice = stamps.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward")
    return (
        ("does not exist", rows & skipped.to_numpy(bool)),
        ("comes twice", rows & twice.isna().to_numpy(bool)),
    )


def _nothing(length: int) -> np.ndarray:
    return np.full(length, "NaT", MICROSECOND)


def _from_numpy(stamps: np.ndarray, missing: np.ndarray) -> Instants:
    if np.datetime_data(stamps.dtype)[0] == "ns":
        fine = (stamps.view(np.int64) % 1000 != 0) & ~missing
        rounded = int(np.count_nonzero(fine))
        return Instants(stamps.astype(MICROSECOND), missing, [], rounded)
    stamps, outside = _within_years(stamps)
    return Instants(stamps.astype(MICROSECOND), missing, outside)


def _within_years(stamps: np.ndarray) -> tuple[np.ndarray, list]:
    """NaT in place of instants that RFC 3339 cannot write, and the rule they break."""
    first, last = _FIRST.astype(stamps.dtype), _LAST.astype(stamps.dtype)
    outside = (stamps < first) | (stamps > last)
    if not outside.any():
        return stamps, []
    stamps = np.where(outside, np.datetime64("NaT"), stamps)
    return stamps, [("must lie in the years 1 to 9999", outside)]


def _as_text(series: pd.Series, missing: np.ndarray) -> pa.Array:
    text = as_arrow(series.astype(STRING))
    return pc.if_else(pa.array(missing), pa.scalar(None, text.type), text)


def _from_text(text: pa.Array, missing: np.ndarray, zone: str | None) -> Instants:
    try:
        values, outside = _within_years(_cast(text))
        return Instants(values, missing, outside)
    except pa.ArrowInvalid:
        return _from_odd_text(text, missing, zone)


def _from_odd_text(text: pa.Array, missing: np.ndarray, zone: str | None) -> Instants:
    """The slow road for text in which at least one value is no plain instant."""
    given, text = text, pc.utf8_upper(pc.utf8_trim_whitespace(text))
    aware = _matches(text, AWARE)
    naive = _matches(text, NAIVE)
    junk = ~missing & ~aware & ~naive
    fine = aware & _matches(text, r"[.,]\d{6}\d*[1-9]\d*( ?[Z+-]|$)")
    text = pc.replace_substring_regex(text, r"[.,](\d{1,6})\d*", r".\1")
    instants = pc.if_else(pa.array(aware), text, pa.scalar(None, text.type))
    try:
        values = _cast(instants)
    except pa.ArrowInvalid:
        values = _coerce(instants, utc=True)
        junk |= aware & np.isnat(values)
    values, wrong = _within_years(values)
    if junk.any():
        example = given.filter(pa.array(junk))[0].as_py()
        rule = "must be a timestamp such as 2026-03-29T03:30:00+02:00"
        wrong.append((f"{rule}; found '{example}'", junk))
    if naive.any():
        local = pc.if_else(pa.array(naive), text, pa.scalar(None, text.type))
        stamps = pd.Series(_coerce(local, utc=False))
        known = stamps.notna().to_numpy(bool)
        wrong += naive_rules(stamps, known, zone)
        if (naive & ~known).any():
            wrong.append(("must be a day and a time that exist", naive & ~known))
    return Instants(values, missing, wrong, int(np.count_nonzero(fine)))


def _matches(text: pa.Array, pattern: str) -> np.ndarray:
    found = pc.fill_null(pc.match_substring_regex(text, pattern), False)
    return found.to_numpy(zero_copy_only=False)


def _cast(text: pa.Array) -> np.ndarray:
    """Text with offsets to UTC; raises ArrowInvalid when one value has none."""
    instants = pc.cast(text, pa.timestamp("us", tz="UTC"))
    values = instants.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
    return values.astype(MICROSECOND, copy=False)


def _coerce(text: pa.Array, utc: bool) -> np.ndarray:
    """Text to instants one by one, NaT for days and times that do not exist."""
    values = pd.Series(text.to_numpy(zero_copy_only=False), dtype=object)
    stamps = pd.to_datetime(values, format="ISO8601", errors="coerce", utc=utc)
    if utc:
        stamps = stamps.dt.tz_localize(None)
    return stamps.to_numpy().astype(MICROSECOND)
