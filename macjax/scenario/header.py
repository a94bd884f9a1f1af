"""The keys of scenario.toml: what the horizon is, where and in which currency."""

import datetime
import re
import zoneinfo
from collections.abc import Mapping
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import Fault, nearest
from macjax.scenario.schema import DAY_MINUTES, KEYS, SLOT_LIMIT
from macjax.scenario.times import AWARE, NAIVE, naive_rules
from macjax.scenario.zones import find_zone

FILE = "scenario.toml"
YEARS = 2, 9990
MINUTE = 60_000_000


class Header(NamedTuple):
    """The checked keys of a scenario.

    Arguments:
        name: free text.
        start: start of slot 0, in the zone of the scenario.
        timezone: IANA name.
        slot_minutes: length of one slot [min].
        slots: number of slots.
        currency: for reports.
    """

    name: str
    start: pd.Timestamp
    timezone: str
    slot_minutes: int
    slots: int
    currency: str

    @property
    def slot_us(self) -> int:
        """Length of one slot [microseconds]."""
        return self.slot_minutes * MINUTE

    @property
    def start_us(self) -> int:
        """Start of the horizon, microseconds since 1970 UTC."""
        return int(self.start.asm8.astype("datetime64[us]").astype(np.int64))

    @property
    def end_us(self) -> int:
        """End of the horizon, microseconds since 1970 UTC."""
        return self.start_us + self.slots * self.slot_us

    def edges(self) -> pd.DatetimeIndex:
        """The slots + 1 edges of the slots, UTC."""
        edges = self.start_us + self.slot_us * np.arange(self.slots + 1, dtype=np.int64)
        return pd.DatetimeIndex(edges.view("datetime64[us]")).tz_localize("UTC")


def check_header(given: Mapping) -> tuple[Header | None, str | None, list[Fault]]:
    """Check all keys; returns the header if they hold, the zone if it does, faults."""
    faults = []
    accepted = [key.name for key in KEYS]
    for name in given:
        if name not in accepted:
            rule = f"is no key of a scenario; {nearest(name, accepted)}"
            faults.append(Fault(FILE, str(name), rule))
    values = {key.name: given.get(key.name, key.default) for key in KEYS}
    for name in accepted:
        if values[name] is None:
            faults.append(Fault(FILE, name, _missing(name, given, accepted)))
    zone = _zone(values["timezone"], faults)
    start = _start(values["start"], zone, faults)
    minutes = _whole(values["slot_minutes"], "slot_minutes", DAY_MINUTES, faults)
    if minutes is not None and DAY_MINUTES % minutes:
        rule = f"must divide 1440, the minutes of a day; found {minutes}"
        faults.append(Fault(FILE, "slot_minutes", rule))
    slots = _whole(values["slots"], "slots", SLOT_LIMIT, faults)
    for name in ("name", "currency"):
        value = values[name]
        broken = isinstance(value, str) and not _is_unicode(value)
        if broken or not isinstance(value, str | None):
            rule = f"must be text; found {value!r}"
            faults.append(Fault(FILE, name, rule))
    if faults or start is None or minutes is None or slots is None or zone is None:
        return None, zone, faults
    years = slots * minutes / (365 * DAY_MINUTES)
    if start.year < YEARS[0] or start.year + years > YEARS[1]:
        rule = f"the horizon must lie in the years {YEARS[0]} to {YEARS[1]}"
        faults.append(Fault(FILE, "start, slots", rule))
        return None, zone, faults
    text = values["name"], values["currency"]
    return Header(text[0], start, zone, minutes, slots, text[1]), zone, faults


def _is_unicode(text: str) -> bool:
    """Text that UTF-8 can hold, i.e. without half of a surrogate pair."""
    return text == text.encode("utf-8", "ignore").decode("utf-8")


def _missing(name: str, given: Mapping, accepted: list[str]) -> str:
    others = [str(key) for key in given if key not in accepted]
    close = get_close_matches(name, others, n=1)
    return "is missing" + (f"; '{close[0]}' is the nearest key there" if close else "")


def _zone(value, faults: list[Fault]) -> str | None:
    if value is None:
        return None
    if find_zone(value) is not None:
        return str(value)
    known = sorted(zoneinfo.available_timezones())
    close = get_close_matches(str(value), known, n=1, cutoff=0.5)
    advice = f"did you mean '{close[0]}'?" if close else "e.g. America/Los_Angeles"
    rule = f"must be an IANA time zone; found {value!r}; {advice}"
    faults.append(Fault(FILE, "timezone", rule))
    return None


def _start(value, zone: str | None, faults: list[Fault]) -> pd.Timestamp | None:
    """The start as a timestamp in the zone of the scenario, or a fault."""
    if value is None:
        return None
    wrong = f"must be a timestamp such as 2026-03-29T00:00:00+01:00; found {value!r}"
    text = isinstance(value, str)
    instants = datetime.date | np.datetime64
    if text and not re.match(f"{AWARE}|{NAIVE}", value.strip()):
        faults.append(Fault(FILE, "start", wrong))
        return None
    if not text and not isinstance(value, instants):
        faults.append(Fault(FILE, "start", wrong))
        return None
    try:
        start = pd.Timestamp(value.strip().upper() if text else value)
        if start.tzinfo is not None:
            return start.as_unit("us").tz_convert(zone or "UTC")
    except (ValueError, OverflowError, pd.errors.OutOfBoundsDatetime):
        start = pd.NaT
    if start is pd.NaT:
        faults.append(Fault(FILE, "start", wrong))
        return None
    rules = naive_rules(pd.Series([start]), np.array([True]), zone)
    faults.extend(Fault(FILE, "start", rule) for rule, _ in rules)
    return None


def _whole(value, name: str, most: int, faults: list[Fault]) -> int | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float | np.integer | np.floating)
    if not is_number or isinstance(value, bool) or not 1 <= value <= most:
        whole = False
    else:
        whole = float(value).is_integer()
    if not whole:
        rule = f"must be a whole number from 1 to {most}; found {value!r}"
        faults.append(Fault(FILE, name, rule))
        return None
    return int(value)
