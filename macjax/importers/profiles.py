"""Capacity and base load of feeders -> the `feeder_profile` table.

Base load comes in steps: of one day that repeats, or of many days in a row. A slot
takes the mean of the steps within it, or the step that it lies in. Without a horizon
the table has a row for each hour of the local day, which fits any horizon.
"""

import math

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.horizon import Horizon, check_count, make_horizon
from macjax.scenario.local_pieces import local_pieces
from macjax.scenario.schema import DAY_MINUTES

HOURS = 24


def check_share(word: str, value) -> float:
    """A number above 0 and at most 1, for limits; SettingsError otherwise."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= 1:
        raise SettingsError(f"{word} must be above 0 and at most 1; got {value!r}")
    return float(value)


def check_cost(value) -> float:
    """A finite number of at least 0, for costs; SettingsError otherwise."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 <= float(value) < math.inf:
        raise SettingsError(
            f"upgrade_cost_per_kw must be a number of at least 0; got {value!r}"
        )
    return float(value)


def optional_horizon(start, timezone: str, slot_minutes: int, days: int):
    """The horizon, or None where no start is given."""
    if start is not None:
        return make_horizon(start, timezone, slot_minutes, days)
    check_count("days", days)
    return None


def placed_profile(
    ids, capacity, base, step_minutes: int, horizon: Horizon | None
) -> pd.DataFrame:
    """The profile of base load of one day, which repeats, or of a series of days.

    Arguments:
        ids, capacity, base: as in `day_profile`, base of one day or of more.
        step_minutes: length of a step [min].
        horizon: None needs one day.
    """
    if horizon is None or base.shape[1] * step_minutes <= DAY_MINUTES:
        return day_profile(ids, capacity, base, horizon)
    return series_profile(ids, capacity, base, step_minutes, horizon)


def day_profile(ids, capacity, base, horizon: Horizon | None) -> pd.DataFrame:
    """The profile of a day that repeats.

    Arguments:
        ids: feeder ids, shape (feeders,).
        capacity: limit [kW], shape (feeders,) or (feeders, steps).
        base: load without EVs [kW], shape (feeders, steps), the steps dividing a day.
        horizon: None gives a table by hour.

    Raises:
        SettingsError: slots and steps do not fit each other.
    """
    steps = base.shape[1]
    minutes = DAY_MINUTES // steps
    if horizon is None:
        width = 60
        begin = np.arange(HOURS) * 60
    else:
        width = horizon.slot_minutes
        _check_fit(width, minutes)
        local, pieces = local_pieces(
            horizon.slot_starts(), width, horizon.timezone, minutes
        )
        begin = (local.hour * 60 + local.minute).to_numpy().reshape(-1, pieces)
        return _table(ids, capacity, base, begin // minutes, horizon)
    cells = _cells(begin, width, minutes)
    return _table(ids, capacity, base, cells, horizon)


def series_profile(
    ids, capacity, base, step_minutes: int, horizon: Horizon
) -> pd.DataFrame:
    """The profile of a series that begins with the horizon.

    Arguments:
        ids, capacity: as in `day_profile`.
        base: load without EVs [kW], shape (feeders, steps), steps of `step_minutes`.
        step_minutes: length of a step [min].
        horizon: what the series must cover.

    Raises:
        SettingsError: the series is shorter, or slots and steps do not fit.
    """
    begin = horizon.slot_minutes * np.arange(horizon.slots)
    cells = _cells(begin, horizon.slot_minutes, step_minutes)
    if cells.max() >= base.shape[1]:
        have = base.shape[1] * step_minutes / DAY_MINUTES
        want = horizon.slots * horizon.slot_minutes / DAY_MINUTES
        raise SettingsError(
            f"the base load has {have:g} days from its first one on, the horizon "
            f"{want:g}; begin earlier or take fewer days"
        )
    return _table(ids, capacity, base, cells, horizon)


def _cells(begin: np.ndarray, width: int, minutes: int) -> np.ndarray:
    """The steps in each slot, shape (slots, steps in a slot)."""
    _check_fit(width, minutes)
    within = np.arange(max(width // minutes, 1)) * minutes
    return (begin[:, None] + within[None, :]) // minutes


def _check_fit(width: int, minutes: int) -> None:
    if width % minutes and minutes % width:
        raise SettingsError(
            f"slots of {width} minutes and base load in steps of {minutes} minutes do "
            "not fit each other"
        )


def _table(ids, capacity, base, cells, horizon: Horizon | None) -> pd.DataFrame:
    slots = len(cells)
    load = base[:, cells].mean(axis=2)
    capacity = np.asarray(capacity, np.float64)
    # The least capacity within a slot is the one that binds.
    limit = capacity[:, cells].min(axis=2) if capacity.ndim == 2 else capacity[:, None]
    frame = pd.DataFrame({"feeder_id": np.repeat(np.asarray(ids, object), slots)})
    if horizon is None:
        frame["hour"] = np.tile(np.arange(HOURS), len(load))
    else:
        starts = horizon.slot_starts()
        frame["time"] = starts[np.tile(np.arange(slots), len(load))]
    frame["capacity_kw"] = np.broadcast_to(limit, load.shape).ravel()
    frame["base_kw"] = load.ravel()
    return frame
