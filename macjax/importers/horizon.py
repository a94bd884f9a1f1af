"""When an imported scenario starts, how long it is, and how it is cut into slots.

Plans and profiles count time from midnight of their first day. That midnight is put on
a date of a time zone; from there on days have 24 hours each, as slots are equally long.
"""

import datetime
import re
import zoneinfo
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from macjax._errors import SettingsError
from macjax.scenario.schema import DAY_MINUTES
from macjax.scenario.times import AWARE, NAIVE
from macjax.scenario.zones import find_zone

# A Monday in March, for files that name no date.
START = "2026-03-02"
DAY_SECONDS = 86_400
_CLOCK = r"^(?P<h>\d{1,4}):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d(?:\.\d+)?))?$"
_NO_TIME = pa.array(["", "undefined", "-undefined-"], pa.large_string())


class Horizon(NamedTuple):
    """Start, zone and slots, under the names that `Scenario.from_frames` takes.

    Arguments:
        start: start of slot 0, in the zone.
        timezone: IANA name.
        slot_minutes: length of one slot [min].
        slots: number of slots.
    """

    start: pd.Timestamp
    timezone: str
    slot_minutes: int
    slots: int

    @property
    def seconds(self) -> int:
        """Length of the horizon [s]."""
        return self.slots * self.slot_minutes * 60

    def instants(self, seconds) -> pd.DatetimeIndex:
        """Seconds since the start as UTC instants, of microseconds."""
        start = self.start.tz_convert("UTC").tz_localize(None)
        since = np.rint(np.asarray(seconds, np.float64) * 1e6).astype("timedelta64[us]")
        stamps = start.to_datetime64().astype("datetime64[us]") + since
        return pd.DatetimeIndex(stamps).tz_localize("UTC")

    def slot_starts(self) -> pd.DatetimeIndex:
        """The start of each slot, UTC."""
        return self.instants(60.0 * self.slot_minutes * np.arange(self.slots))


def make_horizon(start, timezone: str, slot_minutes: int, days: int) -> Horizon:
    """The horizon of so many days from the start.

    Arguments:
        start: a date, a local time without an offset, or a time with one.
        timezone: IANA name of the zone of a start without an offset.
        slot_minutes: length of one slot [min]; divides 1440.
        days: number of days of 24 hours.

    Raises:
        SettingsError: one of them is not what it should be.
    """
    whole = isinstance(slot_minutes, int) and not isinstance(slot_minutes, bool)
    if not whole or slot_minutes < 1 or DAY_MINUTES % slot_minutes:
        raise SettingsError(
            f"slot_minutes must be a whole number that divides 1440; got {slot_minutes}"
        )
    check_count("days", days)
    slots = days * DAY_MINUTES // slot_minutes
    return Horizon(instant(start, timezone), timezone, slot_minutes, slots)


def check_count(name: str, value) -> None:
    """Raise unless a setting is a whole number of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SettingsError(
            f"{name} must be a whole number of at least 1; got {value!r}"
        )


def instant(value, timezone: str) -> pd.Timestamp:
    """A date or time in the zone; SettingsError for what is none or exists not."""
    zone = _zone(timezone)
    try:
        text = isinstance(value, str)
        if not text and not isinstance(value, datetime.date | np.datetime64):
            raise ValueError("not a time")
        if text and not re.match(f"{AWARE}|{NAIVE}", value):
            raise ValueError("not a time")
        stamp = pd.Timestamp(value).as_unit("us")
        if stamp is pd.NaT:
            raise ValueError("not a time")
    except ValueError as error:
        raise SettingsError(
            f"start must be a date such as {START} or a time; got {value!r}"
        ) from error
    if stamp.tzinfo is not None:
        return stamp.tz_convert(zone)
    local = stamp.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    if local is pd.NaT:
        raise SettingsError(
            f"start {value} does not exist or comes twice in {timezone}; write its "
            "UTC offset"
        )
    return local


def _zone(timezone: str) -> zoneinfo.ZoneInfo:
    zone = find_zone(timezone)
    if zone is None:
        raise SettingsError(
            f"timezone must be an IANA name such as Europe/Berlin; got {timezone!r}"
        )
    return zone


def parse_clock(text: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Clock times `HH:MM:SS` or `HH:MM` as seconds; the hours may exceed 24.

    Returns:
        seconds, NaN where there is none; and the rows that hold something else.
        Empty text and `undefined` are none.
    """
    given = pc.utf8_trim_whitespace(pa.array(text, pa.large_string(), from_pandas=True))
    parts = pc.extract_regex(given, pattern=_CLOCK)
    hours, minutes, seconds = (_floats(pc.struct_field(parts, k)) for k in "hms")
    found = 3600 * hours + 60 * minutes + np.nan_to_num(seconds)
    blank = pc.fill_null(pc.is_in(given, value_set=_NO_TIME), True)
    blank = pc.or_(blank, pc.is_null(given)).to_numpy(zero_copy_only=False)
    return found, (np.isnan(found) & ~blank)


def _floats(text: pa.Array) -> np.ndarray:
    """Text of digits as numbers, NaN where there is none."""
    known = pc.if_else(pc.equal(text, ""), pa.scalar(None, text.type), text)
    return pc.cast(known, pa.float64()).to_numpy(zero_copy_only=False)
