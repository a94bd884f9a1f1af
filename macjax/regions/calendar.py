"""Days of the horizon in local time: where midnight lies, which are weekend."""

import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd

from .._errors import SettingsError

NOON = 720


class Calendar(NamedTuple):
    """Local days from midnight to midnight.

    Arguments:
        start: the first local midnight.
        minutes: length of the horizon [min]; a day of a clock change has 23 or 25 h.
        midnight: where 0:00 by the clock of each day's noon lies [min since start],
            shape (days,); clocks change before the first trips of a day.
        weekday: 0 Monday to 6 Sunday, shape (days,).
    """

    start: pd.Timestamp
    minutes: int
    midnight: np.ndarray
    weekday: np.ndarray

    @property
    def is_weekend(self) -> np.ndarray:
        """Saturdays and Sundays, shape (days,)."""
        return self.weekday >= 5


def make_calendar(
    start: datetime.date, days: int, timezone: str, slot_minutes: int = 60
) -> Calendar:
    """The calendar of `days` local days from the date `start` on, in whole slots.

    Raises:
        SettingsError: the calendar of the zone lacks one of these days.
    """
    try:
        dates = pd.date_range(start, periods=days + 1, freq="D")
        first = np.ones(len(dates), bool)  # of two midnights of one day
        edges = dates.tz_localize(
            timezone, nonexistent="shift_forward", ambiguous=first
        )
        noon = (dates + pd.Timedelta(minutes=NOON)).tz_localize(timezone)
    except (ValueError, OverflowError, NotImplementedError) as error:
        raise SettingsError(
            f"region.start, days: {days} days from {start} on are not all in the "
            f"calendar of {timezone}: {error}"
        ) from error
    minute = pd.Timedelta(minutes=1)
    total = int((edges[-1] - edges[0]) // minute)
    return Calendar(
        start=edges[0],
        minutes=total - total % slot_minutes,
        midnight=np.asarray((noon[:-1] - edges[0]) // minute, np.int64) - NOON,
        weekday=np.asarray(dates[:-1].day_of_week, np.int64),
    )
