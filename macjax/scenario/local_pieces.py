"""Slots cut where the hours of the local clock change.

Loads and capacities are known by the hour of the local day, or by another step of it. A
slot may last longer than a step, lie in two, or have a clock change within. Cut into
equal pieces, each in one step alone, it takes their mean or the least of them.
"""

import math

import numpy as np
import pandas as pd


def local_pieces(
    starts: pd.DatetimeIndex, slot_minutes: int, timezone: str, step: int = 60
) -> tuple[pd.DatetimeIndex, int]:
    """Local times at which the pieces of slots begin.

    Arguments:
        starts: of the slots, with a zone.
        slot_minutes: length of a slot [min].
        timezone: IANA name of the local clock.
        step: what no piece may cross [min]; divides a day.

    Returns:
        the times, slot by slot, shape (slots * pieces,); and pieces of a slot.
    """
    local = starts.tz_convert(timezone)
    minute = np.unique((60 * local.hour + local.minute) % step)
    length = math.gcd(slot_minutes, step, *minute.tolist())
    within = np.arange(0, slot_minutes, length).astype("timedelta64[m]")
    instants = starts.tz_convert("UTC").tz_localize(None).to_numpy()
    times = (instants[:, None] + within).ravel()
    pieces = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(timezone)
    return pieces, len(within)
