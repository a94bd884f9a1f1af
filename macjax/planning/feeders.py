"""Feeders one by one, and how overload and upgrade are spread over them.

use_f = max_t (base_ft + P_ft) / capacity_ft is what a feeder's largest load takes of
its capacity, 1 at the limit.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.planning.intervals import BASE, by_method
from macjax.planning.transformers import POWER_FACTOR, discrete_upgrades
from macjax.results import tables

LEVELS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
# Further columns of the feeders that say where and what they are.
PLACED = ("county", "longitude", "latitude", "x", "y", "customers", "households")


def feeder_table(
    solutions: Iterable,
    transformers: str | pd.DataFrame = "three_phase",
    power_factor: float = POWER_FACTOR,
    replace: str | None = None,
) -> pd.DataFrame:
    """A row for each method and feeder.

    Arguments:
        solutions: `Solution`s with a plan.
        transformers, power_factor, replace: of `discrete_upgrades`.

    Returns:
        method, feeder_id; where the feeder is, if its table says so (county, longitude,
        latitude, x, y, customers, households); capacity_kw (the least of the horizon),
        load_kw (the largest), use (1 at the limit), base_use (without vehicles),
        overload_kwh (sum over the slots), peak_time, base_only_kw, and the columns of
        `discrete_upgrades`.
    """
    frames = []
    for method, solution in by_method(solutions).items():
        bought = discrete_upgrades(solution, transformers, power_factor, replace)
        scenario = solution.scenario
        capacity, base = scenario.capacity_base()
        beside = 0.0 if solution.part is None else solution.part.beside_kw
        load = base + tables.ev_load(scenario, solution.plan) + beside
        feeders = scenario.feeders
        upgrades = solution.upgrades()
        over = np.maximum(load - capacity, 0.0)
        front = {"method": method, "feeder_id": bought.pop("feeder_id")}
        where = {c: feeders[c].array for c in PLACED if c in feeders.columns}
        numbers = {
            "capacity_kw": capacity.min(axis=1),
            "load_kw": load.max(axis=1),
            "use": _use(load, capacity),
            "base_use": _use(base, capacity),
            "overload_kwh": over.sum(axis=1) * scenario.slot_hours,
            "peak_time": upgrades["peak_time"],
            "base_only_kw": upgrades["base_only_kw"],
        }
        columns = front | where | numbers | {c: bought[c] for c in bought}
        frames.append(pd.DataFrame(columns))
    if not frames:
        raise SettingsError("feeder_table takes at least one solution")
    return pd.concat(frames, ignore_index=True)


def feeder_quantiles(
    solutions: Iterable, levels: Iterable[float] = LEVELS
) -> pd.DataFrame:
    """Quantiles over the feeders, and how concentrated the upgrade is.

    Arguments:
        solutions: `Solution`s with a plan.
        levels: of the quantiles, in [0, 1].

    Returns:
        A row for each method and quantity, quantiles as columns p0 to p100: use
        (largest load / capacity), upgrade_kw of all feeders, upgrade_kw of those that
        need one; with count (feeders that the quantiles are of), total, and top_tenth
        (share of the total that the tenth of them with the largest values has).
        "base load alone" is the first method.
    """
    levels = [float(level) for level in levels]
    if not levels or not all(0 <= level <= 1 for level in levels):
        raise SettingsError(f"levels must be from 0 to 1, not {levels}")
    table = feeder_table(solutions)
    first = next(iter(table.groupby("method", sort=False)))[1]
    rows = [_quantiles(BASE, "use", first["base_use"], levels)]
    for method, frame in table.groupby("method", sort=False):
        needs = frame.loc[frame["units"] > 0, "upgrade_kw"]
        rows.append(_quantiles(method, "use", frame["use"], levels))
        rows.append(_quantiles(method, "upgrade_kw", frame["upgrade_kw"], levels))
        rows.append(_quantiles(method, "upgrade_kw where needed", needs, levels))
    return pd.DataFrame(rows)


def _quantiles(method, quantity: str, values: pd.Series, levels) -> dict:
    """One row of `feeder_quantiles`."""
    numbers = np.sort(values.to_numpy(np.float64))[::-1]
    count, total = len(numbers), float(numbers.sum())
    found = np.quantile(numbers, levels) if count else np.full(len(levels), np.nan)
    top = float(numbers[: -(-count // 10)].sum())
    is_sum = quantity != "use" and total > 0
    return {
        "method": method,
        "quantity": quantity,
        "count": count,
        "total": total if quantity != "use" else np.nan,
        "top_tenth": top / total if is_sum else np.nan,
        **{f"p{100 * v:g}": float(q) for v, q in zip(levels, found, strict=True)},
    }


def _use(load: np.ndarray, capacity: np.ndarray) -> np.ndarray:
    """Largest load over capacity of each feeder; inf where there is no capacity."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(capacity > 0, load / capacity, np.where(load > 0, np.inf, 0.0))
    return share.max(axis=1)
