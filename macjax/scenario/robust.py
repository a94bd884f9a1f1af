"""`robust_headroom`: capacities that leave room for uncertain base load, PV and wind.

    capacity'_ft = capacity_ft - Xi_ft,   Xi_ft = sum over i of gamma_i xi_ift

for i among load, PV and wind with half-widths xi [kW]: whatever they do within gamma_i
of their boxes, a load within capacity' is within capacity. Upgrades of the new scenario
are those that the uncertainty asks for as well. The lower side needs no margin: there
is no limit on feeding back.
"""

from collections.abc import Mapping
from difflib import get_close_matches

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault, SettingsError, nearest
from macjax.scenario.profile import HOURS, ProfileCells
from macjax.scenario.scenario import Scenario
from macjax.scenario.times import parse_instants

TABLE = "uncertainty"
PARAMETERS = {"load": "load_kw", "pv": "pv_kw", "wind": "wind_kw"}
COLUMNS = ("feeder_id", "time", "hour", *PARAMETERS.values())


def robust_headroom(scenario: Scenario, uncertainty: pd.DataFrame, gamma) -> Scenario:
    """The scenario with capacities lowered by the margin of uncertain base loads.

    Arguments:
        scenario: the scenario; it is not changed.
        uncertainty: half-widths: feeder_id, `time` (slot start) or `hour` (local), and
            any of load_kw, pv_kw and wind_kw, all >= 0, a row for every feeder and slot
            or hour. A parent's row is about the total there. Times have an offset.
        gamma: share of the half-widths to plan for, a number from 0 to 1, or a mapping
            from `load`, `pv` and `wind` to numbers; what is not named counts in full.

    Returns:
        A scenario whose profile is by time if the profile or the uncertainty is.

    Raises:
        DataError: with the faults of the frame.
        SettingsError: something else is given, or gamma is out of range.
    """
    if not isinstance(scenario, Scenario):
        kind = type(scenario).__name__
        raise SettingsError(f"scenario must be a macjax.Scenario, not {kind}")
    if not isinstance(uncertainty, pd.DataFrame):
        kind = type(uncertainty).__name__
        raise SettingsError(f"uncertainty must be a frame of half-widths, not {kind}")
    share = _shares(gamma)
    checked = scenario._checked
    by_hour, spare = _margin(uncertainty, scenario, share)
    own, table = checked.links.profile, checked.tables["feeder_profile"]
    if own.by_hour and by_hour:
        lower = table["capacity_kw"] - spare[own.feeder, own.cell]
        rows, links = table.assign(capacity_kw=lower), checked.links
    else:
        if by_hour:
            local = scenario.slot_starts.tz_convert(scenario.timezone)
            spare = spare[:, local.hour.to_numpy()]
        rows, place = _by_time(scenario, spare)
        links = checked.links._replace(profile=place)
    note = (
        f"robust_headroom: capacities are lowered by {spare.mean():.4g} kW on average "
        f"and by {spare.max():.4g} kW at most"
    )
    new = checked._replace(
        tables={**checked.tables, "feeder_profile": rows},
        links=links,
        notes=[*checked.notes, *_unread(uncertainty), note],
    )
    return Scenario(new, scenario.vehicle_to_grid)


def _by_time(
    scenario: Scenario, spare: np.ndarray
) -> tuple[pd.DataFrame, ProfileCells]:
    """The profile by time with lower capacities, and the place of its rows."""
    feeders, slots = spare.shape
    capacity, base = scenario.capacity_base()
    feeder = np.repeat(np.arange(feeders, dtype=np.int32), slots)
    slot = np.tile(np.arange(slots), feeders)
    ids = scenario.feeders["feeder_id"]
    rows = pd.DataFrame(
        {
            "feeder_id": ids.take(feeder).reset_index(drop=True),
            "time": scenario.slot_starts.take(slot),
            "capacity_kw": (capacity - spare).ravel(),
            "base_kw": base.ravel(),
        }
    )
    return rows, ProfileCells(False, feeder, slot)


def _shares(gamma) -> dict[str, float]:
    """gamma of each parameter."""
    given = gamma if isinstance(gamma, Mapping) else dict.fromkeys(PARAMETERS, gamma)
    share = dict.fromkeys(PARAMETERS, 1.0)
    for name, value in given.items():
        if name not in share:
            raise SettingsError(f"gamma: unknown '{name}'; {nearest(name, PARAMETERS)}")
        number = isinstance(value, int | float | np.number)
        if not number or isinstance(value, bool) or not 0 <= value <= 1:
            raise SettingsError(f"gamma must be a number from 0 to 1, not {value!r}")
        share[name] = float(value)
    return share


def _margin(frame: pd.DataFrame, scenario: Scenario, share: Mapping):
    """Whether the frame is by hour, and Xi by feeder and slot or hour, (f, cells)."""
    given = [column for column in PARAMETERS.values() if column in frame.columns]
    faults = _column_faults(frame)
    if not given:
        rule = "one of these columns is needed"
        faults.append(Fault(TABLE, ", ".join(PARAMETERS.values()), rule))
    if "feeder_id" not in frame.columns:
        rule = f"the column is missing; it has {', '.join(map(str, frame.columns))}"
        faults.append(Fault(TABLE, "feeder_id", rule))
    if ("time" in frame.columns) == ("hour" in frame.columns):
        rule = "give one of these two columns"
        faults.append(Fault(TABLE, "time, hour", rule))
    _stop(faults)
    ids = frame["feeder_id"].reset_index(drop=True).astype(object)
    if pd.api.types.infer_dtype(ids, skipna=False) not in ("string", "empty"):
        wrong = ~ids.map(lambda value: isinstance(value, str)).to_numpy(bool)
        some = tuple(ids[wrong].astype(str))
        faults.append(Fault(TABLE, "feeder_id", "must be text", len(some), some))
        ids = ids.mask(wrong, "")
    known = pd.Index(scenario.feeders["feeder_id"], dtype=object)
    feeder = known.get_indexer(pd.Index(ids, dtype=object))
    if (feeder < 0).any():
        unknown = ids[feeder < 0].drop_duplicates().tolist()
        rule = "not in the feeders table"
        faults.append(Fault(TABLE, "feeder_id", rule, len(unknown), tuple(unknown)))
    cell, count = _cells(frame, scenario, faults)
    values = np.zeros(len(frame))
    for name, column in PARAMETERS.items():
        if column not in given:
            continue
        half = _numbers(frame[column])
        wrong = ~np.isfinite(half) | (half < 0)
        if wrong.any():
            rule = "must be a finite number of at least 0"
            some = tuple((np.flatnonzero(wrong) + 1).tolist())
            faults.append(Fault(TABLE, column, rule, int(wrong.sum()), some))
        values += share[name] * half
    _stop(faults)
    feeders = len(scenario.feeders)
    counts = np.bincount(feeder * count + cell, minlength=feeders * count)
    counts = counts.reshape(feeders, count)
    names = scenario.feeders["feeder_id"].to_numpy(object)
    for wrong, rule in (
        ((counts > 1).any(axis=1), "has several rows for one slot or hour"),
        (
            (counts == 0).any(axis=1),
            "needs a row for every slot or hour; 0 is no margin",
        ),
    ):
        if wrong.any():
            lost = tuple(names[wrong])
            faults.append(Fault(TABLE, "feeder_id", rule, len(lost), lost))
    _stop(faults)
    table = np.zeros((feeders, count))
    table[feeder, cell] = values
    return "hour" in frame.columns, table


def _cells(frame: pd.DataFrame, scenario: Scenario, faults: list) -> tuple:
    """Slot or hour of each row, and how many there are of a feeder."""
    if "hour" in frame.columns:
        hour = _numbers(frame["hour"])
        wrong = ~np.isin(hour, np.arange(HOURS))
        rule, count = "must be a whole number from 0 to 23", HOURS
        cell = np.where(wrong, 0, hour).astype(np.int64)
    else:
        starts = scenario.slot_starts.tz_convert("UTC").tz_localize(None)
        given = frame["time"].reset_index(drop=True)
        times = parse_instants(given, scenario.timezone)
        for words, rows in times.wrong:
            some = tuple(given[rows].astype(str))
            faults.append(Fault(TABLE, "time", words, int(rows.sum()), some))
        read = ~np.isnat(times.values) | times.missing
        cell = starts.as_unit("us").get_indexer(pd.DatetimeIndex(times.values))
        wrong, cell = (cell < 0) & read, np.maximum(cell, 0)
        rule, count = "must be the start of a slot of the scenario", scenario.slots
    if wrong.any():
        column = "hour" if "hour" in frame.columns else "time"
        some = tuple(frame.loc[np.asarray(wrong), column].astype(str).tolist())
        faults.append(Fault(TABLE, column, rule, int(wrong.sum()), some))
    return cell, count


def _numbers(series: pd.Series) -> np.ndarray:
    """Numbers, NaN where a value is none."""
    return pd.to_numeric(series, errors="coerce").to_numpy(np.float64, na_value=np.nan)


def _unread(frame: pd.DataFrame) -> list[str]:
    """A note on columns that nothing reads."""
    extra = [str(column) for column in frame.columns if column not in COLUMNS]
    return [f"{TABLE}: columns not used: {', '.join(extra)}"] if extra else []


def _column_faults(frame: pd.DataFrame) -> list[Fault]:
    """Columns that come twice, and optional ones in another spelling."""
    given, faults = [str(column) for column in frame.columns], []
    absent = [column for column in COLUMNS if column not in given]
    for column in dict.fromkeys(given):
        letters = "".join(c for c in column.lower() if c.isalnum())
        close = get_close_matches(letters, [c.replace("_", "") for c in absent], 1, 0.8)
        if given.count(column) > 1:
            rule = "comes more than once; give each column its own name"
            faults.append(Fault(TABLE, column, rule))
        elif column not in COLUMNS and close:
            meant = next(c for c in absent if c.replace("_", "") == close[0])
            rule = f"is no column of half-widths, '{meant}' is: rename it"
            faults.append(Fault(TABLE, column, rule))
    return faults


def _stop(faults: list) -> None:
    if faults:
        raise DataError(faults, title="wrong uncertainty")
