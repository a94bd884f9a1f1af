"""`OwnCost`: what a vehicle minds beside the prices that it pays.

One vehicle that puts u_j kWh into its battery at opportunity j, at kw_j from the grid
(average over the slot), and S = sum_j u_j over the horizon, has the cost

    sum_j [ (quadratic + smoothing / 2) u_j^2 + linear u_j + demand kw_j^2 ]
    + benefit (energy_kwh - S)^2

quadratic u^2 + linear u is battery degradation as in Zou, Ma and Hiskens (2016), demand
a charge on power, - benefit (energy_kwh - S)^2 their benefit of energy, smoothing that
of `macjax.Smoothing`.
"""

import dataclasses
from collections.abc import Hashable, Mapping

import jax
import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.fleet.packing import Fleet
from macjax.objectives.costs import counted, nonnegative
from macjax.responses import NO_COST, PackedCost

Amount = float | Mapping[Hashable, float] | pd.Series


@dataclasses.dataclass(frozen=True, eq=False)
class OwnCost:
    """Own costs of vehicles; each is one number for all, or a Series by vehicle_id.

    All are at least 0. Arguments (see the formula at the top of the module):
        quadratic: a of the degradation a u^2 + b u [currency/kWh^2].
        linear: b of it [currency/kWh].
        smoothing: epsilon of `macjax.Smoothing` [currency/kWh^2].
        demand: cost of the squared power in a slot [currency/kW^2].
        benefit: of the squared lack of energy [currency/kWh^2].
        energy_kwh: energy into the battery that a vehicle wants over the horizon; what
            trips and limits ask for comes first [kWh]. Needed with `benefit`.
    """

    quadratic: Amount = 0.0
    linear: Amount = 0.0
    smoothing: Amount = 0.0
    demand: Amount = 0.0
    benefit: Amount = 0.0
    energy_kwh: Amount | None = None

    def __post_init__(self):
        for field in dataclasses.fields(self):
            name, given = field.name, getattr(self, field.name)
            if name == "energy_kwh" and given is None:
                if not isinstance(self.benefit, float | int) or self.benefit > 0:
                    raise SettingsError(
                        "OwnCost.benefit needs energy_kwh, the energy that is wanted"
                    )
                continue
            object.__setattr__(self, name, _checked(given, f"OwnCost.{name}"))

    def of_vehicles(self, scenario, name: str) -> np.ndarray:
        """One of the amounts for every vehicle, shape (vehicles,).

        Arguments:
            scenario: a `Scenario`.
            name: of the amount, a field of this record.
        """
        given = getattr(self, name)
        ids = pd.Index(scenario.vehicles["vehicle_id"])
        if given is None:
            return np.zeros(len(ids))
        if isinstance(given, float):
            return np.full(len(ids), given)
        at = given.index.get_indexer(ids)
        faults = []
        if (at < 0).any():
            faults.append(f"no value for {counted(ids[at < 0], 'vehicle')}")
        unknown = given.index[ids.get_indexer(given.index) < 0]
        if len(unknown):
            faults.append(f"{counted(unknown, 'vehicle')} not in the vehicles table")
        if faults:
            raise SettingsError(f"OwnCost.{name}: " + "; ".join(faults))
        return given.to_numpy(np.float64)[at]

    def packed(self, scenario, fleet: Fleet) -> PackedCost:
        """The own costs of a packed fleet in the unit of the prices of cells.

        With e = efficiency x slot hours, a price of 1 per kW is 1 / e per battery kWh.

        Arguments:
            scenario: that was packed.
            fleet: its packing.
        """
        efficiency = scenario.vehicles["charge_efficiency"].to_numpy(np.float64)
        e = efficiency * scenario.slot_hours
        each = {
            field.name: self.of_vehicles(scenario, field.name)
            for field in dataclasses.fields(self)
        }
        curve = 2 * each["quadratic"] + each["smoothing"]
        curve = e * curve + 2 * each["demand"] / e
        slope, worth = e * each["linear"], e * each["benefit"]
        if not (curve.any() or slope.any() or worth.any()):
            return NO_COST

        def put(values, needed: bool):
            if not needed:
                return None
            packed = np.append(values, 0.0)[fleet.index.vehicle]
            return fleet.batch.put(packed.astype(np.float64))

        charging = fleet.chains.count > 0
        with jax.enable_x64(True):
            return PackedCost(
                curve=put(curve, bool(curve.any())),
                slope=put(slope, bool(slope.any())),
                worth=put(worth, bool(worth.any())),
                wanted=put(each["energy_kwh"], bool(worth.any())),
                some_straight=bool(curve.any() and (curve[charging] == 0).any()),
            )


def _checked(given, owner: str):
    """A number >= 0 as a float, or a Series of such numbers with distinct labels."""
    if isinstance(given, Mapping):
        given = pd.Series(dict(given))
    if not isinstance(given, pd.Series):
        return nonnegative(given, owner)
    if given.index.has_duplicates:
        raise SettingsError(f"{owner}: a vehicle_id occurs twice")
    kind = given.dtype
    if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind):
        raise SettingsError(f"{owner} must be numbers by vehicle_id, not {kind}")
    values = given.to_numpy(np.float64, na_value=np.nan)
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        raise SettingsError(
            f"{owner} must be finite and not negative, not in "
            + counted(given.index[wrong], "vehicle")
        )
    return pd.Series(values, index=given.index)
