"""Power at the loads of a net that loads its feeders as the scenario's are loaded.

A feeder f of the scenario with capacity C, base load b and EV load e [kW] stands on a
feeder m of the net with rating R_m. Its head lines carry

    R_m planning_share power_factor (b + e) / C          [MW],

the same share of their rating as the scenario's load is of its capacity, but for losses
and voltage. Load l takes the share w_l of it; reactive power is tan(acos(power factor))
times active power, inductive.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError

SPREADS = ("nominal", "equal")


class Uses(NamedTuple):
    """Load over capacity, shape (feeders, slots); NaN where capacity is not above 0.

    Arguments:
        base: of the load without EVs.
        ev: of the EV load.
    """

    base: np.ndarray
    ev: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Base and EV load over capacity."""
        return self.base + self.ev


def uses(base_kw, ev_kw, capacity_kw) -> Uses:
    """Base and EV load over capacity; arrays of shape (feeders, slots) [kW]."""
    capacity = np.where(np.asarray(capacity_kw) > 0, capacity_kw, np.nan)
    return Uses(base_kw / capacity, ev_kw / capacity)


def spread_weights(spread, nominal_mw: np.ndarray, numbers: pd.Index) -> np.ndarray:
    """Weight of each load of the net, shape (loads,).

    Arguments:
        spread: `nominal`, in proportion to the net's own load; `equal`; or weights by
            number of the load, a dict or a Series, 0 for loads that it does not name.
        nominal_mw: load of the net [MW], shape (loads,).
        numbers: element numbers of the loads.
    """
    if isinstance(spread, str) and spread in SPREADS:
        return nominal_mw.copy() if spread == "nominal" else np.ones(len(nominal_mw))
    if not isinstance(spread, Mapping | pd.Series):
        raise SettingsError(
            f"ev_spread must be 'nominal', 'equal' or weights by load; got {spread!r}"
        )
    given = pd.Series(spread, dtype=np.float64)
    unknown = given.index.difference(numbers)
    if len(unknown):
        raise SettingsError(f"ev_spread: the net has no load {unknown[0]}")
    if not (np.isfinite(given) & (given >= 0)).all():
        raise SettingsError("ev_spread: weights must be 0 or more")
    return given.reindex(numbers, fill_value=0.0).to_numpy(np.float64)


def shares_of(weights: np.ndarray, loads: list[np.ndarray], names) -> np.ndarray:
    """Share of its feeder that each load takes, 0 for loads of none, shape (loads,).

    Arguments:
        weights: of all loads, shape (loads,).
        loads: rows of the loads of each feeder; no load is on two.
        names: of the feeders, for the error where all weights are 0.
    """
    shares = np.zeros(len(weights))
    for rows, name in zip(loads, names, strict=True):
        total = weights[rows].sum()
        if not total > 0:
            raise SettingsError(f"ev_spread: no weight above 0 at a load of '{name}'")
        shares[rows] = weights[rows] / total
    return shares


def reactive(power_factor: float) -> float:
    """Reactive over active power of a power factor, tan(acos(power_factor))."""
    return float(np.tan(np.arccos(power_factor)))


def injections(feeder, base_share, ev_share, base_mw, ev_mw, factors):
    """Active and reactive power of the loads, two arrays (loads, slots) [MW, Mvar].

    Arguments:
        feeder: feeder of each load, -1 for none, shape (loads,).
        base_share, ev_share: share of its feeder that each load takes, shape (loads,).
        base_mw, ev_mw: load of each feeder, shape (feeders, slots).
        factors: power factors of base and EV load.
    """
    on = feeder >= 0
    base = np.where(on, base_share, 0.0)[:, None] * base_mw[feeder]
    ev = np.where(on, ev_share, 0.0)[:, None] * ev_mw[feeder]
    return base + ev, reactive(factors[0]) * base + reactive(factors[1]) * ev
