"""A yearly schedule of energy prices by season, kind of day and time of day.

The JSON form is that of acnportal: name and schedule, a list of entries with id,
effective_start and effective_end (MM-DD, both inclusive, over new year if the end is
the earlier one), dow_mask (WEEKDAYS, WEEKENDS, ALL), times (hours of the local day,
from 0 on) and tariffs (price per kWh from that time on).

Where several entries hold on one day, one with WEEKDAYS or WEEKENDS comes before one
with ALL, and among equals the one whose id names that kind of day; anything else is an
error. Public holidays count as the day of the week they fall on.
"""

import datetime
import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault

MASKS = {
    "WEEKDAYS": (True,) * 5 + (False,) * 2,
    "WEEKENDS": (False,) * 5 + (True,) * 2,
    "ALL": (True,) * 7,
}
KEYS = ("effective_start", "effective_end", "dow_mask", "times", "tariffs")


class Entry(NamedTuple):
    """One entry: from `start` to `end` (month, day), prices from `times` [h] on."""

    id: str
    start: tuple[int, int]
    end: tuple[int, int]
    mask: str
    times: np.ndarray
    prices: np.ndarray

    def holds(self, day: datetime.date) -> bool:
        """Whether the entry claims a date."""
        date = (day.month, day.day)
        if self.start <= self.end:
            season = self.start <= date <= self.end
        else:
            season = date >= self.start or date <= self.end
        return season and MASKS[self.mask][day.weekday()]

    def precedence(self, day: datetime.date) -> tuple[bool, bool]:
        """How closely the entry speaks of the kind of day; the greater comes first."""
        kind = "weekend" if day.weekday() >= 5 else "weekday"
        return self.mask != "ALL", kind in self.id.lower()


class RateSchedule(NamedTuple):
    """A tariff for every instant of the year."""

    name: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]

    def entry(self, day: datetime.date) -> Entry:
        """The entry that holds on a local date."""
        holding = [entry for entry in self.entries if entry.holds(day)]
        if not holding:
            raise _wrong("schedule", "no entry holds on this date", (day.isoformat(),))
        best = max(entry.precedence(day) for entry in holding)
        first = [entry for entry in holding if entry.precedence(day) == best]
        if len(first) > 1:
            ids = (day.isoformat(), *(entry.id for entry in first))
            raise _wrong("schedule", "several entries hold on the same date", ids)
        return first[0]

    def at(self, local: pd.DatetimeIndex) -> np.ndarray:
        """Price at instants in local time, shape (instants,) [currency/kWh]."""
        day = local.normalize().tz_localize(None)
        midnight = local.tz_localize(None) - day
        hour = midnight.total_seconds().to_numpy() / 3600
        price = np.empty(len(local))
        codes, days = pd.factorize(day)
        for i, date in enumerate(days):
            entry = self.entry(date.date())
            here = codes == i
            at = np.searchsorted(entry.times, hour[here], side="right") - 1
            price[here] = entry.prices[at]
        return price

    def slot_prices(self, scenario) -> np.ndarray:
        """Mean price over each slot of a scenario, shape (slots,) [currency/kWh]."""
        starts = scenario.slot_starts.tz_convert(scenario.timezone)
        seconds = int(round(scenario.slot_hours * 3600))
        piece = self._piece_seconds(starts[:1], seconds)
        pieces = seconds // piece
        within = pd.to_timedelta(np.arange(pieces) * piece, unit="s")
        instants = starts.repeat(pieces) + np.tile(within.to_numpy(), len(starts))
        price = self.at(instants).reshape(len(starts), pieces)
        same = (price == price[:, :1]).all(axis=1)
        # Rounded, so that slots with the same mixture have equal prices, a tie.
        return np.where(same, price[:, 0], np.round(price.mean(axis=1), 12))

    def _piece_seconds(self, start: pd.DatetimeIndex, slot_seconds: int) -> int:
        """Length of pieces of a slot within which the price does not change [s]."""
        local = start[0]
        into_day = local.hour * 3600 + local.minute * 60 + local.second
        edges = [round(t * 3600) for entry in self.entries for t in entry.times]
        # Half an hour is the smallest shift of a daylight saving time in use.
        return math.gcd(slot_seconds, into_day, 1800, *edges)


def read_schedule(content) -> RateSchedule:
    """Check and read a tariff from its JSON content; all faults in one report."""
    if not isinstance(content, dict) or not isinstance(content.get("schedule"), list):
        raise _wrong("schedule", "a list of entries is needed", ())
    faults: list[Fault] = []
    entries = []
    for i, item in enumerate(content["schedule"]):
        label = str(item.get("id", i)) if isinstance(item, dict) else str(i)
        try:
            entries.append(_read_entry(item, label))
        except _EntryError as error:
            faults.append(Fault("tariff", error.key, error.rule, 1, (label,)))
    if faults:
        raise DataError(faults, "wrong tariff")
    name = str(content.get("name", "tariff"))
    effective = content.get("effective")
    notes = (
        f"Tariff {name}"
        + (f", effective {effective}" if effective else "")
        + ": energy prices of the tariff book, in local time.",
    )
    return RateSchedule(name, tuple(entries), notes)


class _EntryError(Exception):
    def __init__(self, key: str, rule: str):
        self.key, self.rule = key, rule


def _wrong(column: str, rule: str, ids: tuple) -> DataError:
    return DataError([Fault("tariff", column, rule, 1, ids)], "wrong tariff")


def _read_entry(item, label: str) -> Entry:
    if not isinstance(item, dict):
        raise _EntryError("schedule", "an entry must be an object")
    for key in KEYS:
        if key not in item:
            raise _EntryError(key, "is missing")
    if item["dow_mask"] not in MASKS:
        raise _EntryError(
            "dow_mask", f"is {item['dow_mask']!r}; accepted: {', '.join(MASKS)}"
        )
    times, prices = _numbers(item, "times"), _numbers(item, "tariffs")
    if len(times) != len(prices):
        raise _EntryError("tariffs", f"has {len(prices)} values for {len(times)} times")
    rises = bool((np.diff(times) > 0).all())
    if not len(times) or times[0] != 0 or not rises or times[-1] >= 24:
        raise _EntryError("times", "must begin with 0 and rise, all below 24")
    start, end = (_month_day(item, key) for key in KEYS[:2])
    return Entry(label, start, end, item["dow_mask"], times, prices)


def _numbers(item: dict, key: str) -> np.ndarray:
    try:
        values = np.array(item[key], np.float64)
    except (TypeError, ValueError) as error:
        raise _EntryError(key, "must be a list of numbers") from error
    if values.ndim != 1 or not np.isfinite(values).all():
        raise _EntryError(key, "must be a list of finite numbers")
    return values


def _month_day(item: dict, key: str) -> tuple[int, int]:
    try:
        month, day = (int(part) for part in str(item[key]).split("-"))
        # A leap year, so that 02-29 is a date.
        datetime.date(2020, month, day)
    except ValueError as error:
        raise _EntryError(key, f"is {item[key]!r}, not a date MM-DD") from error
    return month, day
