"""Base load at the buses of a pandapower net, by profiles where it has any.

    load of a bus [kW] = 1000 sum over its loads of p_mw x scaling x profile(step),

less the generators, if asked for. Profiles are per unit of p_mw, as SimBench has them:
columns `<profile>_pload` of `net.profiles["load"]` and `<profile>` of `renewables`,
with a column `time`. Days are counted in steps from the first one, for local clocks
repeat an hour.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.importers.horizon import Horizon
from macjax.importers.pandapower_tables import Net
from macjax.importers.pandapower_wires import in_service
from macjax.importers.sheet import Sheet
from macjax.scenario.schema import DAY_MINUTES

TIMES = ("%d.%m.%Y %H:%M", "ISO8601")


class Load(NamedTuple):
    """Load of each bus.

    Arguments:
        kw: shape (buses, steps).
        step_minutes: length of a step [min].
    """

    kw: np.ndarray
    step_minutes: int


class _Days(NamedTuple):
    """The days of profiles: the first date, steps of a day, and how many days."""

    first: pd.Timestamp
    steps: int
    count: int


def base_load(
    net: Net,
    bus_of: Callable[[Sheet, str], np.ndarray],
    generation: bool,
    base_day: str | None,
    horizon: Horizon | None,
) -> Load:
    """Load of all buses over the day, or over the days of the horizon."""
    kinds = [("load", "load", "_pload", 1.0)]
    kinds += [("sgen", "renewables", "", -1.0)] if generation else []
    if not generation:
        sgen = net["sgen"]
        feeds = in_service(sgen) & (np.nan_to_num(sgen.number("p_mw", null=True)) != 0)
        what = "static generators: base load is without them (generation=False)"
        sgen.note("p_mw", what, "not read", feeds)
    buses = len(net["bus"])
    days = _days(net)
    if days is None:
        if base_day is not None:
            raise SettingsError("base_day has no meaning for a net without profiles")
        parts = [_flat(net[kind[0]], bus_of, buses, kind[3]) for kind in kinds]
        if len(net["load"]):
            what = "no profiles: the loads of the table, all day"
            net["load"].findings.note(net["load"].file, "p_mw", what, "assumed")
        flat = np.sum(parts, axis=0)
        return Load(np.repeat(flat[:, None], 24, axis=1), 60)
    shares, curves = [], []
    for table, profiles, ending, sign in kinds:
        found = net.profiles.get(profiles, pd.DataFrame())
        share, names = _shares(net[table], bus_of, buses, sign, found, ending)
        shares.append(share)
        steps = days.steps * days.count
        curves += [_curve(net, profiles, found[name], steps) for name in names]
        curves.append(np.ones(steps))
    share, curve = np.concatenate(shares, axis=1), np.stack(curves)
    first = _first_day(net, share, curve, days, base_day)
    wanted = 1
    if horizon is not None:
        wanted = -(-horizon.slots * horizon.slot_minutes // DAY_MINUTES)
    begin = first * days.steps
    end = begin + wanted * days.steps
    if end > curve.shape[1]:
        raise SettingsError(
            f"the profiles have {days.count - first} days from {_date(days, first)} "
            f"on, the horizon {wanted}; take another base_day"
        )
    kw = 1e3 * share @ curve[:, begin:end]
    return Load(kw, DAY_MINUTES // days.steps)


def _curve(net: Net, kind: str, column: pd.Series, steps: int) -> np.ndarray:
    """One profile; a fault if it holds anything but finite numbers."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong) or len(values) < steps:
        rule = f"must have a finite number in each of {steps} rows"
        where = f"profiles.{kind}.{column.name}"
        net["load"].findings.broken(net.name, where, rule, wrong + 1)
    return values[:steps]


def _flat(sheet: Sheet, bus_of, buses: int, sign: float) -> np.ndarray:
    """The operating point of the table [kW], shape (buses,)."""
    bus, power = _powers(sheet, bus_of)
    return sign * 1e3 * np.bincount(bus, power, minlength=buses)


def _powers(sheet: Sheet, bus_of) -> tuple[np.ndarray, np.ndarray]:
    """Bus and p_mw x scaling of each element, 0 where it is out of service."""
    bus = bus_of(sheet, "bus")
    power = np.nan_to_num(sheet.number("p_mw"))
    if sheet.has("scaling"):
        scaling = sheet.number("scaling", null=True)
        power = power * np.where(np.isnan(scaling), 1.0, scaling)
    return np.maximum(bus, 0), np.where(in_service(sheet) & (bus >= 0), power, 0.0)


def _shares(sheet: Sheet, bus_of, buses: int, sign: float, profiles, ending: str):
    """MW of each bus by profile, shape (buses, profiles + 1), and their columns.

    The last column is for elements without a profile, which are constant.
    """
    bus, power = _powers(sheet, bus_of)
    known = [str(c) for c in profiles.columns if str(c) != "time"]
    wanted = pd.Series(None, index=sheet.frame.index, dtype=object)
    if sheet.has("profile"):
        wanted = sheet.frame["profile"].astype(object)
    column = wanted.map(lambda word: f"{word}{ending}", na_action="ignore")
    code = pd.Index(known).get_indexer(column)
    missing = (code < 0) & column.notna().to_numpy(bool)
    if missing.any():
        rule = f"profile '{wanted[missing].iloc[0]}' is not in the net's profiles"
        sheet.wrong("profile", rule, missing)
    none = column.isna().to_numpy(bool) & (power != 0)
    sheet.note("profile", "no profile: constant", "assumed", none)
    code = np.where(code < 0, len(known), code)
    share = np.zeros((buses, len(known) + 1))
    np.add.at(share, (bus, code), sign * power)
    return share, known


def _days(net: Net) -> _Days | None:
    """The days of the profiles, or None where the net has none."""
    profiles = net.profiles.get("load")
    if profiles is None:
        return None
    findings = net["load"].findings
    if "time" not in profiles.columns:
        findings.broken(net.name, "profiles", "the load profiles have no column 'time'")
    time = _parse_time(profiles["time"])
    if time is None or len(time) < 2:
        found = profiles["time"].iloc[0]
        rule = f"must be times such as 01.01.2016 00:00; found '{found}'"
        findings.broken(net.name, "profiles.time", rule)
        return None
    step = time.diff().median()
    minutes = step.total_seconds() / 60
    if minutes < 1 or DAY_MINUTES % minutes:
        findings.broken(net.name, "profiles.time", f"steps of {minutes:g} min")
    steps = int(DAY_MINUTES // minutes)
    if time.iloc[0] != time.iloc[0].normalize() or len(time) < steps:
        rule = "must begin at midnight and have a whole day"
        findings.broken(net.name, "profiles.time", rule)
    return _Days(time.iloc[0], steps, len(time) // steps)


def _parse_time(column: pd.Series) -> pd.Series | None:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.dt.tz_localize(None)
    text = column.map(str)
    if not text.str.match(r"\d{1,4}[.-]\d{1,2}[.-]\d").all():
        return None
    for form in TIMES:
        try:
            return pd.to_datetime(text, format=form)
        except ValueError:
            continue
    return None


def _first_day(net: Net, share, curve, days: _Days, base_day: str | None) -> int:
    """Number of the day that was asked for, or of the one with the largest load."""
    if base_day is None:
        total = share.sum(axis=0) @ curve
        number = int(total.reshape(days.count, days.steps).max(axis=1).argmax())
        what = f"base load of {_date(days, number)}, the day of the largest load"
        net["load"].findings.note(net.name, "profiles", what, "assumed")
        return number
    try:
        number = (pd.Timestamp(base_day) - days.first).days
    except (ValueError, TypeError) as error:
        raise SettingsError(f"base_day must be a date; got {base_day!r}") from error
    if not 0 <= number < days.count:
        last = _date(days, days.count - 1)
        raise SettingsError(
            f"base_day {base_day} is not in the profiles, which run from "
            f"{_date(days, 0)} to {last}"
        )
    return number


def _date(days: _Days, number: int) -> str:
    return (days.first + pd.Timedelta(days=number)).date().isoformat()
