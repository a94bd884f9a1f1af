"""Who gives the flexibility: charging by kind of place, with and without coordination.

With e_pft the weighted grid energy [kWh] that stays of the place p (home, work, ...)
take on feeder f in slot t, unmanaged e^0 and coordinated e:

    moved away  = sum_ft (e^0 - e)_+      moved there = sum_ft (e - e^0)_+
    relief      = sum over peak cells of (e^0 - e)

Peak cells are the feeders and slots that unmanaged charging overloads. What moves
within a place and cell from one vehicle to another does not count.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.planning.intervals import by_method
from macjax.results import tables

BASELINE, UNKNOWN, TOTAL = "unmanaged", "not said", "all"
# Order in which kinds of place are shown; others come after these.
FIRST = ("home", "work", "public", "fast")


def flexibility_by_place(solutions: Iterable, by: str = "place") -> pd.DataFrame:
    """Energy by kind of place of each solution beside unmanaged charging.

    Arguments:
        solutions: `Solution`s of one scenario, that of unmanaged charging among them.
        by: column of the stays that says the kind of place.

    Returns:
        A row for each other method and place, and one for all places: method, place;
        unmanaged_kwh and energy_kwh over the horizon; moved_away_kwh, moved_there_kwh;
        in the cells that unmanaged charging overloads peak_unmanaged_kwh, peak_kwh,
        relief_kwh and relief_share (of all places); worst_slot_relief_kw, in the slot
        of each feeder's largest overload; and what still charges in the worst slot of
        the feeders that the method itself overloads, left_kw. Energy is grid energy,
        weights counted; chargers on no feeder count except in the peak.

    Raises:
        SettingsError: no such column, no unmanaged charging, different scenarios.
    """
    found = _checked(solutions)
    baseline = found.pop(BASELINE)
    scenario = baseline.scenario
    code, names = _kinds(scenario, by)
    before = _energy(baseline, code, len(names))
    capacity, base = scenario.capacity_base()
    hours = scenario.slot_hours
    peak, worst = _peaks(before[:, :-1].sum(axis=0) / hours, base, capacity)
    rows = []
    for method, solution in found.items():
        after = _energy(solution, code, len(names))
        own = _peaks(after[:, :-1].sum(axis=0) / hours, base, capacity)[1]
        left = (after[:, :-1] * own).sum(axis=(1, 2)) / hours
        rows += _rows(method, names, before, after, peak, worst, left, hours)
    return pd.DataFrame(rows)


def charging_by_hour(solutions: Iterable, by: str = "place") -> pd.DataFrame:
    """Mean power of all chargers by hour of the local day and kind of place [kW].

    Arguments:
        solutions: of one scenario.
        by: column of the stays that says the kind of place.

    Returns:
        method, place, hour (0 to 23, local), kw: mean over the days of the horizon.
    """
    frames = []
    for method, solution in by_method(solutions).items():
        scenario = solution.scenario
        code, names = _kinds(scenario, by)
        by_slot = _energy(solution, code, len(names)).sum(axis=1)
        hour = tables.local_times(scenario, scenario.slot_starts).hour.to_numpy()
        hours = np.bincount(hour, minlength=24) * scenario.slot_hours
        total = np.stack([np.bincount(hour, row, 24) for row in by_slot])
        mean = total / np.where(hours > 0, hours, np.nan)
        frames.append(
            pd.DataFrame(
                {
                    "method": method,
                    "place": np.repeat(np.asarray(names, object), 24),
                    "hour": np.tile(np.arange(24), len(names)),
                    "kw": mean.reshape(-1),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _peaks(load, base, capacity) -> tuple[np.ndarray, np.ndarray]:
    """Cells with an overload, and the worst one of each feeder, bool (F, T)."""
    over = base + load - capacity
    peak = over > tables.OVERLOAD_COUNTS * np.maximum(1.0, capacity)
    worst = np.zeros_like(peak)
    worst[np.arange(len(over)), over.argmax(axis=1)] = True
    return peak, worst & peak


def _rows(method, names, before, after, peak, worst, left, hours) -> list[dict]:
    """A row for each place, and one for all."""
    away = np.maximum(before - after, 0.0).sum(axis=(1, 2))
    there = np.maximum(after - before, 0.0).sum(axis=(1, 2))
    at_peak = [(e[:, :-1] * peak).sum(axis=(1, 2)) for e in (before, after)]
    at_worst = ((before - after)[:, :-1] * worst).sum(axis=(1, 2)) / hours
    columns = {
        "unmanaged_kwh": before.sum(axis=(1, 2)),
        "energy_kwh": after.sum(axis=(1, 2)),
        "moved_away_kwh": away,
        "moved_there_kwh": there,
        "peak_unmanaged_kwh": at_peak[0],
        "peak_kwh": at_peak[1],
        "relief_kwh": at_peak[0] - at_peak[1],
        "worst_slot_relief_kw": at_worst,
        "left_kw": left,
    }
    table = pd.DataFrame(columns, index=list(names))
    table.loc[TOTAL] = table.sum()
    relief = table.loc[TOTAL, "relief_kwh"]
    share = table["relief_kwh"] / (relief if relief else np.nan)
    table.insert(7, "relief_share", share)
    table.insert(0, "place", table.index)
    table.insert(0, "method", method)
    return table.to_dict("records")


def _energy(solution, code: np.ndarray, kinds: int) -> np.ndarray:
    """Grid energy by place, feeder (the last one: none) and slot, (p, F + 1, T) [kWh].

    Arguments:
        code: kind of place of each stay, shape (stays,).
    """
    scenario, plan = solution.scenario, solution.plan
    windows = scenario.stay_windows()
    feeders, slots = len(scenario.feeders), scenario.slots
    where = np.full(len(code), feeders)  # feeder of each stay
    vehicle = np.zeros(len(code), np.int64)
    where[windows.row] = np.where(windows.feeder < 0, feeders, windows.feeder)
    vehicle[windows.row] = windows.vehicle
    weight = scenario.vehicles["weight"].to_numpy(np.float64)
    row = code[plan.stay].astype(np.int64) * (feeders + 1) + where[plan.stay]
    energy = weight[vehicle[plan.stay]] * plan.kw * scenario.slot_hours
    cells = kinds * (feeders + 1) * slots
    total = np.bincount(row * slots + plan.slot, energy, cells)
    return total.astype(np.float64, copy=False).reshape(kinds, feeders + 1, slots)


def _kinds(scenario, by: str) -> tuple[np.ndarray, list[str]]:
    """Kind of place of each stay as a number, and the names of the kinds."""
    stays = scenario.stays
    if not says_place(scenario, by):
        words = ", ".join(str(c) for c in stays.columns)
        raise SettingsError(
            f"by: the stays have no column '{by}' that says the kind of place, or "
            f"nothing in it; they have {words}"
        )
    charges = (stays["charger_kw"] > 0).to_numpy(bool)
    codes, names = pd.factorize(stays[by].where(charges).astype(object))
    words = [str(name) for name in names]
    order = sorted(range(len(words)), key=lambda k: (_rank(words[k]), words[k]))
    place = np.append(np.argsort(order), len(words)).astype(np.int64)
    words = [words[k] for k in order]
    if (codes[charges] < 0).any() or not words:
        words.append(UNKNOWN)
    return np.minimum(place[codes], len(words) - 1), words


def says_place(scenario, by: str = "place") -> bool:
    """Whether the stays say their kind of place in a column.

    Arguments:
        scenario: a `Scenario`.
        by: the column.
    """
    stays = scenario.stays
    return by in stays.columns and bool(stays[by].notna().any())


def _rank(word: str) -> int:
    return FIRST.index(word) if word in FIRST else len(FIRST)


def _checked(solutions: Iterable) -> dict:
    """Solutions with a plan by method, unmanaged charging among them."""
    found = by_method(solutions)
    if BASELINE not in found or len(found) < 2:
        raise SettingsError(
            "flexibility_by_place takes unmanaged charging and at least one other "
            f"solution; got {', '.join(found) or 'none'}"
        )
    if len({s.scenario.fingerprint for s in found.values()}) > 1:
        raise SettingsError("flexibility_by_place takes solutions of one scenario")
    empty = [name for name, s in found.items() if s.plan is None]
    if empty:
        raise SettingsError(f"the solution of {empty[0]} has no plan")
    return found
