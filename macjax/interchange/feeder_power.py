"""What network tools need of a solution: power by feeder and slot, places, names.

P_ft = EV load, base load, or both [kW];  Q_ft = P_ft tan(acos(power factor)) [kvar]
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import FIRST_IDS, SettingsError, SolutionError

KINDS = ("ev", "base", "total")
LONGEST_NAME = 100


class FeederPower(NamedTuple):
    """Power of feeders, one row of arrays each.

    Arguments:
        feeder_id: ids, in the order of the feeders table.
        kw: active power, shape (F, T) [kW].
        kvar: reactive power, shape (F, T) [kvar].
        names: `ev_F1`, ...: unique, of letters, digits, `_` and `-` alone.
        times: starts of the slots, in the scenario's timezone.
        minutes: length of a slot [min].
    """

    feeder_id: pd.Series
    kw: np.ndarray
    kvar: np.ndarray
    names: list[str]
    times: pd.DatetimeIndex
    minutes: int


def require_schedule(solution) -> None:
    """Raise a SolutionError unless the solution has a schedule to export."""
    if solution.plan is None:
        raise SolutionError(
            f"the solution has status '{solution.status}' and no schedule to export"
        )


def feeder_power(solution, kind: str, power_factor: float) -> FeederPower:
    """Power of all feeders in all slots.

    Arguments:
        solution: a `Solution` with a schedule.
        kind: `ev`, `base` or `total`.
        power_factor: active over apparent power of that load, in (0, 1]; reactive power
            is drawn from the grid.
    """
    if kind not in KINDS:
        raise SettingsError(f"power must be one of {', '.join(KINDS)}, not {kind!r}")
    is_number = isinstance(power_factor, int | float) and power_factor is not True
    if not is_number or not 0 < power_factor <= 1:
        raise SettingsError(
            f"power_factor must be more than 0 and at most 1, not {power_factor!r}"
        )
    require_schedule(solution)
    scenario, loads = solution.scenario, solution.loads()
    shape = len(scenario.feeders), scenario.slots
    columns = {"ev": ["ev_kw"], "base": ["base_kw"], "total": ["base_kw", "ev_kw"]}
    kw = loads[columns[kind]].sum(axis=1).to_numpy(np.float64).reshape(shape)
    ids = scenario.feeders["feeder_id"]
    return FeederPower(
        feeder_id=ids,
        kw=kw,
        kvar=kw * np.tan(np.arccos(power_factor)),
        names=element_names(ids, kind),
        times=scenario.slot_starts.tz_convert(scenario.timezone),
        minutes=scenario.slot_minutes,
    )


def element_names(ids: pd.Series, prefix: str) -> list[str]:
    """`prefix_id` with what network tools do not take in names replaced by `_`.

    Long ids are cut, since names of files have at most 255 letters. Two ids that become
    one name, letters of any case, are told apart by a number.
    """
    plain = ids.astype(str).str.replace(r"[^0-9A-Za-z_-]", "_", regex=True)
    plain = plain.str.slice(0, LONGEST_NAME)
    names = (prefix + "_" + plain).astype(object)
    taken = set(names.str.lower())
    again = names.groupby(names.str.lower()).cumcount().to_numpy()
    found = names.tolist()
    for at in np.flatnonzero(again):
        number = int(again[at]) + 1
        while (name := f"{found[at]}_{number}").lower() in taken:
            number += 1
        taken.add(name.lower())
        found[at] = name
    return found


def places_of(ids: pd.Series, buses, columns: tuple[str, ...] = ()) -> pd.DataFrame:
    """The bus of each feeder, and further columns: a row a feeder, null for none.

    Arguments:
        ids: ids of the feeders.
        buses: a mapping or Series from feeder_id to bus, or a frame with feeder_id, bus
            and perhaps `columns`; None is no bus for any.
        columns: further columns that a frame may have.
    """
    if buses is None:
        frame = pd.DataFrame({"feeder_id": [], "bus": []}, dtype=object)
    elif isinstance(buses, pd.DataFrame):
        frame = buses
        if missing := [c for c in ("feeder_id", "bus") if c not in buses.columns]:
            raise SettingsError(f"buses: the frame has no column '{missing[0]}'")
    elif isinstance(buses, Mapping | pd.Series):
        pairs = dict(buses.items())
        frame = pd.DataFrame({"feeder_id": list(pairs), "bus": list(pairs.values())})
    else:
        raise SettingsError(
            "buses must be a mapping, a Series or a frame with feeder_id and bus, not "
            f"{type(buses).__name__}"
        )
    keys = pd.Index(frame["feeder_id"])
    if keys.has_duplicates:
        raise SettingsError(f"buses: {_shown(keys[keys.duplicated()])} come twice")
    unknown = keys[~keys.isin(ids)]
    if len(unknown):
        raise SettingsError(f"buses: no feeder {_shown(unknown)} in the solution")
    at = keys.get_indexer(pd.Index(ids))
    wanted = ["bus", *(c for c in columns if c in frame.columns)]
    found = {}
    for name in wanted:
        values = [*map(_whole, frame[name].tolist()), None]  # -1, the last one: none
        found[name] = pd.Series([values[i] for i in at], dtype=object)
    return pd.DataFrame(found, index=pd.RangeIndex(len(ids)))


def _whole(value):
    """A whole number as an int: pandas makes 12.0 of 12 where another bus is missing,
    and that is node 0 of bus 12, the ground, to OpenDSS.
    """
    is_whole = isinstance(value, float) and value.is_integer()
    return int(value) if is_whole else value


def _shown(ids) -> str:
    more = ", ..." if len(ids) > FIRST_IDS else ""
    return ", ".join(str(i) for i in ids[:FIRST_IDS]) + more
