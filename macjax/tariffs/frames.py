"""Frames of plans: one row for each element and step."""

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault
from macjax.tariffs.case import Case
from macjax.tariffs.faults import fault
from macjax.tariffs.limits import (
    line_weights,
    margin,
    nominal,
    voltage_weights,
)
from macjax.tariffs.roads import lookup
from macjax.tariffs.solved import Solved
from macjax.tariffs.tables import column_faults, number_instants
from macjax.tariffs.traffic import Traffic

OTHER_CASE = "the plan does not fit the case"


def long_frame(name: str, ids, times: pd.DatetimeIndex, **values) -> pd.DataFrame:
    """A frame with a row for each id and time, id by id.

    Arguments:
        name: of the column of ids.
        ids: shape (n,).
        times: shape (t,).
        values: arrays of shape (n, t) by column.
    """
    rows, steps = len(ids), len(times)
    columns = {name: np.repeat(np.asarray(ids, object), steps)}
    columns["time"] = times[np.tile(np.arange(steps), rows)]
    return pd.DataFrame(columns | {k: np.ravel(v) for k, v in values.items()})


def power_frame(case: Case, traffic: Traffic, power: np.ndarray) -> pd.DataFrame:
    """aggregator, station, time, kw of all pairs; shape of `power` (pairs, T)."""
    owner = case.trips.aggregators[traffic.pair_aggregator]
    frame = long_frame(
        "station",
        case.stations.names[traffic.pair_station],
        case.times[:-1],
        kw=power[:, :-1],
    )
    frame.insert(0, "aggregator", np.repeat(owner, case.intervals))
    return frame


def power_table(case: Case, powers: pd.DataFrame) -> np.ndarray:
    """Sum of the aggregators' powers by station and step [kW], (stations, T - 1).

    Arguments:
        case: the case.
        powers: station, time, kw; steps without a row have no power.

    Raises:
        DataError: a column is missing, or a station, time or power is wrong.
    """
    names, times = case.stations.names, case.times[:-1]
    table = np.zeros((len(names), case.intervals))
    axis = "station", names
    row, step, kw = _read_long(case, powers, "powers", axis, "kw", times)
    np.add.at(table, (row, step), kw)
    return table


def read_table(
    case: Case, frame: pd.DataFrame, table: str, axis: tuple, value: str, times=None
) -> np.ndarray:
    """Values of a frame of a plan by element and time, (elements, times).

    Arguments:
        case: the case.
        frame: a row for each element and time.
        table: name of the frame in messages.
        axis: column of the elements, and their names.
        value: column of the values.
        times: None for those of the T - 1 steps.

    Raises:
        DataError: rows are missing, come twice, or belong to nothing of the case, such
            as those of the plan of another case.
    """
    times = case.times[:-1] if times is None else times
    row, step, found = _read_long(case, frame, table, axis, value, times)
    cells = np.full((len(axis[1]), len(times)), np.nan)
    cells[row, step] = found
    if len(row) != cells.size or np.isnan(cells).any():
        rule = (
            f"must have one row for each of {len(axis[1])} elements and {len(times)} "
            f"times of the case; it has {len(row)}"
        )
        raise DataError([Fault(table, f"{axis[0]}, time", rule)], title=OTHER_CASE)
    return cells


def _read_long(case: Case, frame, table: str, axis: tuple, value: str, times):
    """Number of element and time of each row, and its value."""
    if not isinstance(frame, pd.DataFrame):
        rule = f"must be a pandas DataFrame, not {type(frame).__name__}"
        raise DataError([Fault(table, "table", rule)])
    column, names = axis
    faults = column_faults(table, frame, (column, "time", value))
    if faults:
        raise DataError(faults)
    given = frame[column].to_numpy(object)
    row = lookup(given, names)
    if (row < 0).any():
        rule = f"no {column} of the case"
        faults.append(fault(table, column, rule, pd.unique(given[row < 0])))
    series = frame["time"].reset_index(drop=True)
    step, wrong = number_instants(series, times, case.settings.timezone)
    for rule, rows in wrong:
        lost = pd.unique(series[rows].astype(str))
        faults.append(Fault(table, "time", rule, int(rows.sum()), tuple(lost)))
    numbers = pd.to_numeric(frame[value], errors="coerce").to_numpy(np.float64)
    bad = ~np.isfinite(numbers)
    if bad.any():
        lost = tuple(frame[value][bad].astype(str))
        rule = "must be finite numbers"
        faults.append(Fault(table, value, rule, int(bad.sum()), lost))
    if faults:
        raise DataError(faults, title=OTHER_CASE)
    return row, step, numbers


def operator_frames(case: Case, traffic: Traffic, solved: Solved, gamma) -> dict:
    """The frames of an `Operator` but the tariffs, by name."""
    power = solved.values("power")
    total = np.zeros((len(case.stations.names), case.intervals))
    np.add.at(total, traffic.pair_station, power[:, :-1])
    return {
        "powers": power_frame(case, traffic, power),
        "lines": line_frame(case, total, gamma),
        "voltages": voltage_frame(case, total, gamma),
        "tolls": toll_frame(case, traffic, solved),
        "stations": _station_frame(case, traffic, solved),
        "queues": _queue_frame(case, traffic, solved),
    }


def line_frame(case: Case, total: np.ndarray, gamma) -> pd.DataFrame:
    """line, time, kw, limit_kw, margin_kw of all lines.

    Arguments:
        case: the case.
        total: power of the stations [kW], (stations, T - 1).
        gamma: as `read_gamma` gives it, None for no margin.
    """
    grid, times = case.grid, case.times[:-1]
    own = line_weights(case)
    sums = case.injections.nominal_kw[:, :, :-1]
    net = sums[0] - sums[1] - sums[2]
    np.add.at(net, case.stations.grid_node, total)
    spare = np.zeros((len(grid.lines), len(times)))
    if gamma is not None:
        spare[own.rows] = margin(case, own, gamma)
    limit = np.repeat(grid.limit_kw[:, None], len(times), axis=1)
    return long_frame(
        "line", grid.lines, times, kw=grid.down @ net, limit_kw=limit, margin_kw=spare
    )


def voltage_frame(case: Case, total: np.ndarray, gamma) -> pd.DataFrame:
    """node, time, pu, min_pu, max_pu, margin_pu of the nodes with a voltage limit."""
    grid, times = case.grid, case.times[:-1]
    own = voltage_weights(case)
    drop = nominal(case, own) + own.stations @ total
    spare = np.zeros(drop.shape) if gamma is None else margin(case, own, gamma)
    bounds = {
        name: np.repeat(getattr(grid, name)[own.rows, None], len(times), axis=1)
        for name in ("min_pu", "max_pu")
    }
    pu = case.settings.grid.substation_pu - drop
    names = grid.nodes[own.rows]
    return long_frame("node", names, times, pu=pu, **bounds, margin_pu=spare)


def shared_limits(case: Case) -> np.ndarray:
    """Which capacities of roads bound legs of several aggregators, (limits,)."""
    owner = case.trips.aggregator[case.legs.path_trip][case.legs.path]
    limit = case.roads.limit[case.legs.arc]
    return _several(limit, owner, len(case.roads.capacity))


def shared_places(case: Case) -> np.ndarray:
    """Which stations have a limit of places and several aggregators, (stations,)."""
    at = np.flatnonzero(case.legs.station >= 0)
    owner = case.trips.aggregator[case.legs.path_trip][case.legs.path[at]]
    several = _several(case.legs.station[at], owner, len(case.stations.names))
    return several & np.isfinite(case.stations.places)


def _several(element: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    pairs = np.unique(np.stack([element, owner]), axis=1)
    return np.bincount(pairs[0], minlength=count) > 1


def toll_frame(case: Case, traffic: Traffic, solved: Solved) -> pd.DataFrame:
    """element, kind, time, toll of the roads and places that aggregators share."""
    used = np.unique(case.roads.limit[traffic.legs.arc])
    road = shared_limits(case)[used]
    limited = np.flatnonzero(np.isfinite(case.stations.places))
    place = shared_places(case)[limited]
    parts = []
    for kind, block, names, chosen in (
        ("road", "exits", case.roads.limit_names[used], road),
        ("places", "places", case.stations.names[limited], place),
    ):
        toll = solved.duals(block)[chosen]
        frame = long_frame("element", names[chosen], case.times, toll=toll)
        frame.insert(1, "kind", kind)
        parts.append(frame)
    return pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)


def shared_frame(case: Case, traffic: Traffic, solved: Solved) -> pd.DataFrame:
    """element, kind, time, ev: EVs of a plan where aggregators share a limit.

    Those out of a road in a step, or in the pool of a station after an instant.
    """
    road = np.zeros((len(case.roads.capacity), case.settings.steps))
    limit = case.roads.limit[traffic.legs.arc]
    np.add.at(road, limit, solved.values("out").sum(axis=0))
    place = np.zeros((len(case.stations.names), case.settings.steps))
    at = traffic.legs.station[traffic.visits]
    np.add.at(place, at, solved.values("pool").sum(axis=0))
    parts = []
    for kind, names, ev, chosen in (
        ("road", case.roads.limit_names, road, shared_limits(case)),
        ("places", case.stations.names, place, shared_places(case)),
    ):
        frame = long_frame("element", names[chosen], case.times, ev=ev[chosen])
        frame.insert(1, "kind", kind)
        parts.append(frame)
    return pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)


def _station_frame(case: Case, traffic: Traffic, solved: Solved) -> pd.DataFrame:
    """station, time, waiting, charging [EV]; idling in the pool counts as charging."""
    at = traffic.legs.station[traffic.visits]
    shape = (len(case.stations.names), case.settings.steps)
    waiting, charging = np.zeros(shape), np.zeros(shape)
    np.add.at(charging, at, solved.values("pool").sum(axis=0))
    np.add.at(waiting, at[traffic.queued], solved.values("wait").sum(axis=0))
    names = case.stations.names
    return long_frame("station", names, case.times, waiting=waiting, charging=charging)


def _queue_frame(case: Case, traffic: Traffic, solved: Solved) -> pd.DataFrame:
    """arc, time, queue, out [EV] of the arcs that paths use."""
    used, number = np.unique(traffic.legs.arc, return_inverse=True)
    found = {}
    for name in ("queue", "out"):
        found[name] = np.zeros((len(used), case.settings.steps))
        np.add.at(found[name], number, solved.values(name).sum(axis=0))
    return long_frame("arc", case.roads.names[used], case.times, **found)
