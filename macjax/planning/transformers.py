"""Upgrades in standard transformers: from kW of each feeder to units and money.

A feeder that needs g kW needs g / (power factor) kVA. Of every standard size s with
unit cost c_s it takes

    n_s = ceil(needed kVA / s),   cost n_s c_s,

and gets the size with the least cost; of equal ones the fewest units. Where the feeder
is a transformer itself, it is replaced: what is needed is then its rating and the
missing kVA together.

The unit costs are those of transformers alone, without lines, land or switchgear:
beside `upgrade_cost_per_kw`, which stands for a whole upgrade, they come out low. A
schedule is made for few kW and not for few units: a small overload buys a whole unit.

Source of the costs: DISCO, generic cost database (BSD-3-Clause), see
macjax/data/transformers/NOTICE.md.
"""

from importlib.resources import files

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, nearest
from macjax.results import tables

BUNDLED = files("macjax") / "data" / "transformers" / "unit_costs.csv"
# Voltages of the bundled costs that a kind stands for: phases, primary kV.
KINDS = {"three_phase": (3, 12.47), "single_phase": (1, 7.2)}
COLUMNS = ("rated_kva", "cost_usd")
POWER_FACTOR = 0.95
# Relative slack of a rating, so that rounding buys no second unit.
SLACK = 1e-9


def unit_costs(kind: str | None = None) -> pd.DataFrame:
    """Standard transformers: phases, primary_kv, secondary_kv, rated_kva, cost_usd.

    Arguments:
        kind: `three_phase` (12.47 kV, 75 kVA to 30 MVA), `single_phase` (7.2 kV, 10 to
            300 kVA), or None for all that are bundled.
    """
    with BUNDLED.open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    if kind is None:
        return table
    if kind not in KINDS:
        raise SettingsError(f"unknown kind '{kind}'; {nearest(kind, KINDS)}")
    phases, primary = KINDS[kind]
    chosen = (table["phases"] == phases) & (table["primary_kv"] == primary)
    return table[chosen].reset_index(drop=True)


def discrete_upgrades(
    solution,
    transformers: str | pd.DataFrame = "three_phase",
    power_factor: float = POWER_FACTOR,
    replace: str | None = None,
) -> pd.DataFrame:
    """Upgrade of every feeder in standard transformers, beside that in kW.

    Arguments:
        solution: a `Solution` with a plan.
        transformers: a kind of `unit_costs`, or a frame with rated_kva [kVA] and
            cost_usd [USD a unit].
        power_factor: active over apparent power of what is added, in (0, 1].
        replace: column of the feeders with the rating [kVA] of the transformer that
            each one is, such as `rated_kva` of imported OpenDSS circuits; None adds
            units beside what is there.

    Returns:
        Every feeder: feeder_id, upgrade_kw, upgrade_cost (continuous, in the currency
        of the scenario), needed_kva (to buy), unit_kva, units, discrete_kva,
        discrete_cost_usd; zeros where there is no overload beyond rounding.

    Raises:
        SettingsError: no plan, an unknown kind or column, or wrong numbers.
    """
    if solution.plan is None:
        raise SettingsError(f"a solution with status '{solution.status}' has no plan")
    sizes = check_purchase(transformers, power_factor)
    frame = solution.upgrades()
    beside_kw = 0.0 if solution.part is None else solution.part.beside_kw
    buys = tables.overloaded(solution.scenario, solution.plan, beside_kw)
    needed = frame["upgrade_kw"].to_numpy(np.float64) / power_factor
    if replace is not None:
        needed = needed + _ratings(solution.scenario.feeders, replace)
    needed = np.where(buys, needed, 0.0)
    size, units = cheapest(needed, sizes["rated_kva"], sizes["cost_usd"])
    rated = np.append(sizes["rated_kva"].to_numpy(np.float64), 0.0)[size]
    cost = np.append(sizes["cost_usd"].to_numpy(np.float64), 0.0)[size]
    return pd.DataFrame(
        {
            "feeder_id": frame["feeder_id"].array,
            "upgrade_kw": frame["upgrade_kw"],
            "upgrade_cost": frame["upgrade_cost"],
            "needed_kva": needed,
            "unit_kva": rated,
            "units": units,
            "discrete_kva": units * rated,
            "discrete_cost_usd": units * cost,
        }
    )


def cheapest(needed_kva, rated_kva, cost) -> tuple[np.ndarray, np.ndarray]:
    """Size and number of equal units that cover a need at the least cost.

    Arguments:
        needed_kva: shape (f,), 0 where nothing is bought.
        rated_kva, cost: of each size, shape (s,).

    Returns:
        index of the size (-1 where nothing is bought) and units, both (f,).
    """
    needed = np.asarray(needed_kva, np.float64)
    rated, cost = np.asarray(rated_kva, np.float64), np.asarray(cost, np.float64)
    share = needed[:, None] / rated
    units = np.maximum(np.ceil(share * (1 - SLACK)), 1.0)
    total = units * cost
    least = total.min(axis=1, keepdims=True)
    fewest = np.where(total <= least * (1 + SLACK), units, np.inf)
    size = fewest.argmin(axis=1)
    count = units[np.arange(len(needed)), size]
    buys = needed > 0
    return np.where(buys, size, -1), np.where(buys, count, 0).astype(np.int64)


def check_purchase(
    transformers: str | pd.DataFrame, power_factor: float
) -> pd.DataFrame:
    """The sizes and their costs; a SettingsError if one of the two is wrong.

    Arguments:
        transformers: a kind of `unit_costs`, or a frame with rated_kva [kVA] and
            cost_usd [USD a unit].
        power_factor: active over apparent power, in (0, 1].
    """
    if not 0 < power_factor <= 1:
        raise SettingsError(f"power_factor must be in (0, 1], not {power_factor!r}")
    return _sizes(transformers)


def check_ratings(feeders: pd.DataFrame, replace: str | None) -> None:
    """Raise a SettingsError unless `replace` is None or a column of ratings [kVA].

    Arguments:
        feeders: table of the feeders.
        replace: of `discrete_upgrades`.
    """
    if replace is not None:
        _ratings(feeders, replace)


def _sizes(given: str | pd.DataFrame) -> pd.DataFrame:
    """The sizes with their costs, checked."""
    if isinstance(given, str):
        return unit_costs(given)
    if not isinstance(given, pd.DataFrame):
        raise SettingsError(
            "transformers must be a kind or a frame with rated_kva and cost_usd, not "
            f"{type(given).__name__}"
        )
    for column in COLUMNS:
        if column not in given.columns:
            raise SettingsError(f"transformers: no column '{column}'")
        values = pd.to_numeric(given[column], errors="coerce").to_numpy(np.float64)
        wrong = ~(np.isfinite(values) & (values > 0))
        if wrong.any() or not len(values):
            raise SettingsError(
                f"transformers.{column} must hold numbers above 0; {int(wrong.sum())} "
                f"of {len(values)} rows do not"
            )
    return given.reset_index(drop=True)


def _ratings(feeders: pd.DataFrame, column: str) -> np.ndarray:
    """Ratings of the feeders [kVA]."""
    if column not in feeders.columns:
        raise SettingsError(
            f"replace: the feeders have no column '{column}'; "
            f"{nearest(column, list(feeders.columns))}"
        )
    values = pd.to_numeric(feeders[column], errors="coerce").to_numpy(np.float64)
    wrong = ~(np.isfinite(values) & (values > 0))
    if wrong.any():
        ids = ", ".join(str(i) for i in feeders["feeder_id"][wrong][:10])
        raise SettingsError(
            f"replace: feeders.{column} must hold ratings above 0 kVA; "
            f"{int(wrong.sum())} do not: {ids}"
        )
    return values
