"""Factors on what the tables of any scenario carry.

    charger_power   stays.charger_kw
    battery         vehicles.battery_kwh, and with it initial_kwh, final_kwh and
                    reserve_kwh, so that every SOC keeps its share of the battery
    reserve         vehicles.reserve_kwh
    cost            feeders.upgrade_cost_per_kw

A factor of 1 changes nothing. Nothing is cut off: a reserve that no longer fits into
its battery is wrong input, and a vehicle that can no longer make its trips is told by
the solve.
"""

import math
import numbers
from collections.abc import Mapping

import pandas as pd

from macjax._errors import SettingsError
from macjax.scenario.scenario import Scenario

# Table and columns that each factor multiplies.
FACTORS = {
    "charger_power": ("stays", ("charger_kw",)),
    "battery": (
        "vehicles",
        ("battery_kwh", "initial_kwh", "final_kwh", "reserve_kwh"),
    ),
    "reserve": ("vehicles", ("reserve_kwh",)),
    "cost": ("feeders", ("upgrade_cost_per_kw",)),
}


def check_factor(name: str, value) -> None:
    """Raise a SettingsError unless it is a finite number >= 0, for a battery > 0."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    lowest = "greater than 0" if name == "battery" else "of at least 0"
    if (
        not is_number
        or not math.isfinite(value)
        or value < 0
        or (name == "battery" and value == 0)
    ):
        raise SettingsError(
            f"over: {name} is a factor, a finite number {lowest}, not {value!r}"
        )


def scaled(scenario: Scenario, factors: Mapping[str, float]) -> Scenario:
    """A scenario with columns multiplied by factors, checked anew.

    Arguments:
        factors: numbers by name in `FACTORS`.

    Raises:
        DataError: the changed tables are wrong, e.g. a reserve above its battery.
    """
    factors = {name: value for name, value in factors.items() if value != 1}
    if not factors:
        return scenario
    frames: dict[str, pd.DataFrame] = {}
    for name, factor in factors.items():
        table, columns = FACTORS[name]
        frame = frames.get(table, getattr(scenario, table))
        changed = {c: frame[c] * factor for c in columns}
        frames[table] = frame.assign(**changed)
    return scenario.with_tables(**frames)
