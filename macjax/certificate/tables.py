"""The raw tables of a scenario as float64 columns, read by the certificate itself.

Instants become whole microseconds since the start of the horizon. Stays are clipped
to the horizon and kept where there is a charger; a trip counts in full if it departs
within [start, end), else not at all. Both are sorted by vehicle and time.
"""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault

HOUR = 3_600_000_000
DEFAULT_EFFICIENCY = 0.92
_OFFSET = re.compile(r"(?:Z|z|[+-]\d{2}:?\d{2})\s*$")


class Clock(NamedTuple):
    """The slot grid in whole microseconds.

    Arguments:
        start: start of slot 0 [us since 1970 UTC].
        slot: length of a slot [us].
        slots: T, how many slots.
    """

    start: int
    slot: int
    slots: int

    @property
    def horizon(self) -> int:
        """Length of the horizon [us]."""
        return self.slot * self.slots

    @property
    def hours(self) -> float:
        """Length of a slot [h]."""
        return self.slot / HOUR

    def times(self) -> pd.DatetimeIndex:
        """Slot starts in UTC."""
        stamps = self.start + self.slot * np.arange(self.slots)
        return pd.DatetimeIndex(stamps.astype("datetime64[us]")).tz_localize("UTC")


class Vehicles(NamedTuple):
    """Columns of the vehicles table, shape (vehicles,), energies [kWh]."""

    ids: pd.Index
    battery: np.ndarray
    initial: np.ndarray
    reserve: np.ndarray
    final: np.ndarray
    efficiency: np.ndarray
    weight: np.ndarray


class Stays(NamedTuple):
    """Stays with a charger within the horizon, sorted by vehicle and time.

    `owner` and `place` have one entry per row of the stays table, the others one per
    charging stay.

    Arguments:
        row: row number in the stays table.
        vehicle: index into the vehicles table.
        feeder: index into the feeders table, -1 without a feeder.
        begin, end: clipped to the horizon [us since its start].
        kw: charger power [kW of grid power].
        offsets: where each vehicle's stays begin, shape (vehicles + 1,).
        owner: vehicle of each row of the table.
        place: charging stay of each row of the table, -1 where it is none.
    """

    row: np.ndarray
    vehicle: np.ndarray
    feeder: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    kw: np.ndarray
    offsets: np.ndarray
    owner: np.ndarray
    place: np.ndarray


class Trips(NamedTuple):
    """Trips that count, sorted by vehicle and departure.

    Arguments:
        row: row number in the trips table.
        vehicle: index into the vehicles table.
        depart: departure [us since the start of the horizon].
        energy: taken from the battery [kWh].
        offsets: where each vehicle's trips begin, shape (vehicles + 1,).
    """

    row: np.ndarray
    vehicle: np.ndarray
    depart: np.ndarray
    energy: np.ndarray
    offsets: np.ndarray


class Tables(NamedTuple):
    """A scenario as arrays; capacity and base have shape (F, T) [kW]."""

    clock: Clock
    vehicles: Vehicles
    stays: Stays
    trips: Trips
    feeders: pd.Index
    capacity: np.ndarray
    base: np.ndarray


def read_tables(scenario, initial_kwh: np.ndarray | None = None) -> Tables:
    """Read the frames and scalars of a scenario, without its accessors.

    Arguments:
        scenario: has `start`, `timezone`, `slot_minutes`, `slots` and the frames
            `vehicles`, `stays`, `trips`, `feeders`, `feeder_profile`.
        initial_kwh: SOC at the start instead of the vehicles table's, shape
            (vehicles,); what is asked at the end stays that of the table.

    Returns:
        The arrays from which everything in the certificate is computed.
    """
    start = instants(pd.Series([scenario.start]), "scenario.toml", "start")[0]
    slot = round(float(scenario.slot_minutes) * 60_000_000)
    clock = Clock(int(start), slot, int(scenario.slots))
    vehicles = _vehicles(scenario.vehicles)
    if initial_kwh is not None:
        vehicles = vehicles._replace(initial=np.array(initial_kwh, np.float64))
    feeders = pd.Index(scenario.feeders["feeder_id"])
    capacity, base = _profile(scenario, clock, feeders)
    return Tables(
        clock=clock,
        vehicles=vehicles,
        stays=_stays(scenario.stays, clock, vehicles.ids, feeders),
        trips=_trips(scenario.trips, clock, vehicles.ids),
        feeders=feeders,
        capacity=capacity,
        base=base,
    )


def instants(values: pd.Series, table: str, column: str) -> np.ndarray:
    """Timestamps with offset to microseconds since 1970 UTC, int64.

    Raises DataError where a timestamp is missing, cannot be read or has no offset.
    """
    values = pd.Series(values).reset_index(drop=True)
    if not isinstance(values.dtype, pd.DatetimeTZDtype):
        texts = values.astype("string")
        bare = ~texts.str.contains(_OFFSET, na=True)
        wrong = bare.to_numpy(bool)
        try:
            read = pd.to_datetime(texts, utc=True, format="ISO8601")
        except (ValueError, TypeError) as error:
            raise DataError([Fault(table, column, f"timestamps: {error}")]) from error
        if wrong.any():
            rule = "timestamps need an offset from UTC"
            raise DataError([_fault(table, column, rule, wrong, texts)])
        values = read
    missing = values.isna().to_numpy()
    if missing.any():
        raise DataError([_fault(table, column, "timestamps are required", missing)])
    index = pd.DatetimeIndex(values).tz_convert("UTC")
    return index.as_unit("us").asi8


def members(
    ids: pd.Index, values: pd.Series, table: str, column: str, nullable: bool = False
) -> np.ndarray:
    """Index of each id in `ids`, int32; -1 for a null one where that is allowed."""
    values = pd.Series(values).reset_index(drop=True)
    null = values.isna().to_numpy()
    at = np.full(len(values), -1, np.int32)
    if not null.all():
        at[~null] = ids.get_indexer(pd.Index(values[~null]))
    wrong = (at < 0) if not nullable else (at < 0) & ~null
    if wrong.any():
        rule = f"unknown {column}"
        raise DataError([_fault(table, column, rule, wrong, values)])
    return at


def numbers(frame: pd.DataFrame, column: str, default=None) -> np.ndarray:
    """A column as float64; nulls, or a missing column, become `default`."""
    if column not in frame.columns:
        return np.full(len(frame), np.nan if default is None else default, np.float64)
    values = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
    if default is None:
        return values
    return np.where(np.isnan(values), default, values)


def _fault(table, column, rule, wrong, shown=None) -> Fault:
    rows = np.flatnonzero(wrong)
    ids = rows if shown is None else shown.iloc[rows[:10]].tolist()
    return Fault(table, column, rule, len(rows), tuple(ids)[:10])


def _vehicles(frame: pd.DataFrame) -> Vehicles:
    initial = numbers(frame, "initial_kwh")
    return Vehicles(
        ids=pd.Index(frame["vehicle_id"]),
        battery=numbers(frame, "battery_kwh"),
        initial=initial,
        reserve=numbers(frame, "reserve_kwh", 0.0),
        final=numbers(frame, "final_kwh", initial),
        efficiency=numbers(frame, "charge_efficiency", DEFAULT_EFFICIENCY),
        weight=numbers(frame, "weight", 1.0),
    )


def _stays(frame: pd.DataFrame, clock: Clock, ids, feeders) -> Stays:
    kw = numbers(frame, "charger_kw", 0.0)
    begin = instants(frame["arrival"], "stays", "arrival") - clock.start
    end = instants(frame["departure"], "stays", "departure") - clock.start
    begin = np.maximum(begin, 0)
    end = np.minimum(end, clock.horizon)
    row = np.flatnonzero((end > begin) & (kw > 0))
    owner = members(ids, frame["vehicle_id"], "stays", "vehicle_id")
    vehicle = owner[row]
    if "feeder_id" in frame.columns:
        feeder = members(feeders, frame["feeder_id"], "stays", "feeder_id", True)[row]
    else:
        feeder = np.full(len(row), -1, np.int32)
    begin, end, kw = begin[row], end[row], kw[row]
    order = np.lexsort((begin, vehicle))
    place = np.full(len(frame), -1, np.int32)
    place[row[order]] = np.arange(len(row), dtype=np.int32)
    return Stays(
        row=row[order],
        vehicle=vehicle[order],
        feeder=feeder[order],
        begin=begin[order],
        end=end[order],
        kw=kw[order],
        offsets=_offsets(vehicle, len(ids)),
        owner=owner,
        place=place,
    )


def _trips(frame: pd.DataFrame, clock: Clock, ids) -> Trips:
    depart = instants(frame["departure"], "trips", "departure") - clock.start
    row = np.flatnonzero((depart >= 0) & (depart < clock.horizon))
    vehicle = members(ids, frame["vehicle_id"], "trips", "vehicle_id")[row]
    energy, depart = numbers(frame, "energy_kwh")[row], depart[row]
    order = np.lexsort((depart, vehicle))
    return Trips(
        row=row[order],
        vehicle=vehicle[order],
        depart=depart[order],
        energy=energy[order],
        offsets=_offsets(vehicle, len(ids)),
    )


def _offsets(owner: np.ndarray, owners: int) -> np.ndarray:
    counts = np.bincount(owner, minlength=owners)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _profile(scenario, clock: Clock, feeders: pd.Index):
    """Capacity and base load of each feeder and slot, shape (F, T) each [kW]."""
    frame = scenario.feeder_profile
    at = members(feeders, frame["feeder_id"], "feeder_profile", "feeder_id")
    if "time" in frame.columns and not frame["time"].isna().all():
        since = instants(frame["time"], "feeder_profile", "time") - clock.start
        column, columns = since // clock.slot, clock.slots
        kept = (since % clock.slot == 0) & (column >= 0) & (column < columns)
        expand = np.arange(clock.slots)
    else:
        column, columns = numbers(frame, "hour").astype(np.int64), 24
        kept = (column >= 0) & (column < columns)
        expand = clock.times().tz_convert(str(scenario.timezone)).hour.to_numpy()
    tables = []
    for name in ("capacity_kw", "base_kw"):
        table = np.full((len(feeders), columns), np.nan)
        table[at[kept], column[kept]] = numbers(frame, name)[kept]
        table = table[:, expand]
        missing = np.isnan(table).any(axis=1)
        if missing.any():
            rule = "every feeder needs a value for every slot"
            faults = [
                _fault("feeder_profile", name, rule, missing, feeders.to_series())
            ]
            raise DataError(faults)
        tables.append(table)
    return tables[0], tables[1]
