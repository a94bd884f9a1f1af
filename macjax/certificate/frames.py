"""Schedules and prices that come as frames, matched to a scenario.

A schedule has vehicle_id, time (slot start), kw (average grid power over the slot of
one such vehicle), and may have stay (row number of the stays table) and feeder_id.
Prices have feeder_id, time (slot start) and price [currency/kW].
"""

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault, nearest
from macjax.certificate.tables import Tables, instants, members, numbers
from macjax.scenario.plan import Plan


def plan_of_schedule(tables: Tables, frame: pd.DataFrame) -> Plan:
    """The entries of a schedule frame, in its row order.

    Without a `stay` column a row belongs to the vehicle's charging stay that overlaps
    the slot, which must be the only one.

    Raises DataError for missing columns, unknown vehicles, stays or times, repeated
    rows, and rows whose stay, vehicle and feeder do not belong together. NaN powers
    are kept: they make the plan infeasible.
    """
    require_columns(frame, "schedule", ("vehicle_id", "time", "kw"))
    frame = frame.reset_index(drop=True)
    vehicle = members(
        tables.vehicles.ids, frame["vehicle_id"], "schedule", "vehicle_id"
    )
    slot = slots_of(tables, frame["time"], "schedule")
    kw = checked_numbers(frame, "kw", "schedule")
    if "stay" in frame.columns:
        stay = _given_stays(tables, frame, vehicle)
    else:
        stay = _matching_stays(tables, vehicle, slot, frame)
    if "feeder_id" in frame.columns:
        _require_feeder(tables, frame, stay)
    entry = stay.astype(np.int64) * tables.clock.slots + slot
    repeated = pd.Series(entry).duplicated().to_numpy()
    if repeated.any():
        rule = "a stay must not have two rows in one slot"
        raise _fault("schedule", "stay,time", rule, repeated)
    return Plan(stay, slot.astype(np.int32), kw)


def price_table(tables: Tables, frame: pd.DataFrame) -> np.ndarray:
    """A price frame as a table, shape (F, T); cells without a row have price 0.

    Raises DataError for missing columns, unknown feeders or times, repeated cells,
    and prices that are not finite.
    """
    require_columns(frame, "prices", ("feeder_id", "time", "price"))
    frame = frame.reset_index(drop=True)
    feeder = members(tables.feeders, frame["feeder_id"], "prices", "feeder_id")
    slot = slots_of(tables, frame["time"], "prices")
    price = checked_numbers(frame, "price", "prices")
    if (wrong := ~np.isfinite(price)).any():
        rule = f"must be finite numbers; found {price[wrong][0]:g}"
        raise _fault("prices", "price", rule, wrong, frame["feeder_id"])
    slots = tables.clock.slots
    cell = feeder.astype(np.int64) * slots + slot
    repeated = pd.Series(cell).duplicated().to_numpy()
    if repeated.any():
        raise _fault("prices", "feeder_id,time", "cells must not repeat", repeated)
    table = np.zeros(len(tables.feeders) * slots)
    table[cell] = price
    return table.reshape(len(tables.feeders), slots)


def require_columns(frame, table: str, names: tuple[str, ...]) -> None:
    """Raise DataError unless `frame` is a frame with these columns."""
    if not isinstance(frame, pd.DataFrame):
        rule = f"a frame is required, not {type(frame).__name__}"
        raise DataError([Fault(table, ",".join(names), rule)])
    columns = [str(c) for c in frame.columns]
    faults = []
    for name in names:
        if name not in columns:
            hint = nearest(name, columns) if columns else "the frame has no columns"
            faults.append(Fault(table, name, f"column is missing; {hint}"))
    if faults:
        raise DataError(faults)


def checked_numbers(frame: pd.DataFrame, column: str, table: str) -> np.ndarray:
    """A numeric column as float64; text raises DataError, NaN stays."""
    kind = frame[column].dtype
    if not pd.api.types.is_numeric_dtype(kind) and len(frame):
        example = frame[column].iloc[0]
        rule = f"numbers are required, not {kind}, e.g. {example!r}"
        raise DataError([Fault(table, column, rule, len(frame))])
    return numbers(frame, column)


def slots_of(tables: Tables, times: pd.Series, table: str) -> np.ndarray:
    """The slot of each slot start, int64."""
    clock = tables.clock
    since = instants(times, table, "time") - clock.start
    wrong = (since < 0) | (since >= clock.horizon) | (since % clock.slot != 0)
    if wrong.any():
        rule = f"must be one of the {clock.slots} slot starts from {clock.times()[0]}"
        raise _fault(table, "time", rule, wrong, times)
    return since // clock.slot


def _given_stays(tables: Tables, frame: pd.DataFrame, vehicle) -> np.ndarray:
    number = checked_numbers(frame, "stay", "schedule")
    rows = len(tables.stays.owner)
    wrong = ~((number >= 0) & (number < rows) & (number == np.floor(number)))
    if wrong.any():
        rule = f"must be a row number of the stays table, 0 to {rows - 1}"
        raise _fault("schedule", "stay", rule, wrong, frame["stay"])
    stay = number.astype(np.int64)
    foreign = tables.stays.owner[stay] != vehicle
    if foreign.any():
        rule = "the stay belongs to another vehicle"
        raise _fault("schedule", "stay,vehicle_id", rule, foreign, frame["stay"])
    return stay


def _matching_stays(tables: Tables, vehicle, slot, frame) -> np.ndarray:
    stays, slots = tables.stays, tables.clock.slots
    base = stays.vehicle.astype(np.int64) * slots
    opening = base + stays.begin // tables.clock.slot
    closing = base + (stays.end - 1) // tables.clock.slot
    key = vehicle.astype(np.int64) * slots + slot
    first = np.searchsorted(closing, key, side="left")
    count = np.searchsorted(opening, key, side="right") - first
    faults = []
    for wrong, rule in (
        (count < 1, "no charging stay of the vehicle overlaps the slot"),
        (count > 1, "several stays overlap the slot: give the column `stay`"),
    ):
        if wrong.any():
            shown = frame["vehicle_id"].iloc[np.flatnonzero(wrong)[:10]].tolist()
            count_wrong = int(wrong.sum())
            faults.append(
                Fault("schedule", "vehicle_id,time", rule, count_wrong, shown)
            )
    if faults:
        raise DataError(faults)
    return stays.row[first]


def _require_feeder(tables: Tables, frame: pd.DataFrame, stay) -> None:
    """Raise DataError where a charging stay is at another feeder."""
    column = frame["feeder_id"]
    given = members(tables.feeders, column, "schedule", "feeder_id", nullable=True)
    place = tables.stays.place[stay]
    foreign = (place >= 0) & (given != tables.stays.feeder[place])
    if foreign.any():
        rule = "the stay is at another feeder"
        raise _fault("schedule", "stay,feeder_id", rule, foreign, column)


def _fault(table, column, rule, wrong, shown=None) -> DataError:
    rows = np.flatnonzero(wrong)
    ids = rows[:10] if shown is None else pd.Series(shown).iloc[rows[:10]]
    return DataError([Fault(table, column, rule, len(rows), tuple(ids.tolist()))])
