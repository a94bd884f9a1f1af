"""What plans do not say of the cars that drive them: batteries, use, chargers, SOC.

SOC = state of charge. One set of assumptions holds for all vehicles of an import; who
knows more replaces columns of the tables before making the scenario.
"""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from macjax._errors import SettingsError
from macjax.scenario.arrow import STRING
from macjax.scenario.schema import BATTERY_LIMIT, POWER_LIMIT


@dataclasses.dataclass(frozen=True)
class Cars:
    """Assumptions on the electric cars of plans.

    Arguments:
        battery_kwh: usable capacity [kWh]. 60: between short and long range cars.
        kwh_per_km: out of the battery [kWh/km]; 0.18 is near the labels of such cars.
        initial_share: SOC at the start, as a share of the battery.
        reserve_share: share of the battery that is never used.
        final_share: least SOC at the end, as a share; None is the initial one.
        charge_efficiency: battery kWh per grid kWh, in (0, 1].
        charger_kw: power of the charger at each place [kW], by name of the place;
            places that are not named have none.
    """

    battery_kwh: float = 60.0
    kwh_per_km: float = 0.18
    initial_share: float = 0.8
    reserve_share: float = 0.1
    final_share: float | None = None
    charge_efficiency: float = 0.92
    charger_kw: Mapping[str, float] = dataclasses.field(
        default_factory=lambda: {"home": 7.2}
    )

    def __post_init__(self):
        _check("battery_kwh", self.battery_kwh, 0, BATTERY_LIMIT, open_low=True)
        _check("kwh_per_km", self.kwh_per_km, 0, 10)
        _check("charge_efficiency", self.charge_efficiency, 0, 1, open_low=True)
        _check("reserve_share", self.reserve_share, 0, 1)
        _check("initial_share", self.initial_share, self.reserve_share, 1)
        if self.final_share is not None:
            _check("final_share", self.final_share, self.reserve_share, 1)
        if not isinstance(self.charger_kw, Mapping):
            raise SettingsError(
                "charger_kw must give a power for each place, such as "
                f"{{'home': 7.2}}; got {self.charger_kw!r}"
            )
        for place, power in self.charger_kw.items():
            _check(f"charger_kw of '{place}'", power, 0, POWER_LIMIT)

    def vehicles(self, ids) -> pd.DataFrame:
        """The vehicles table for these ids."""
        frame = pd.DataFrame({"vehicle_id": ids})
        frame["battery_kwh"] = float(self.battery_kwh)
        frame["initial_kwh"] = self.initial_share * self.battery_kwh
        frame["reserve_kwh"] = self.reserve_share * self.battery_kwh
        final = self.initial_share if self.final_share is None else self.final_share
        frame["final_kwh"] = final * self.battery_kwh
        frame["charge_efficiency"] = float(self.charge_efficiency)
        return frame

    def chargers(self, place: pd.Series) -> np.ndarray:
        """Charger power of stays at these places [kW].

        Arguments:
            place: name of the place of each stay; upper and lower case are the same.
        """
        powers = {str(k).lower(): float(v) for k, v in self.charger_kw.items()}
        words = place.astype(STRING).str.lower().astype(object)
        return words.map(powers).astype(np.float64).fillna(0.0).to_numpy()


def _check(name: str, value, low: float, high: float, open_low: bool = False) -> None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    inside = number and not math.isnan(value) and low <= value <= high
    if not inside or (open_low and value <= low):
        least = "greater than" if open_low else "at least"
        raise SettingsError(
            f"{name} must be a number of {least} {low:g} and at most {high:g}; "
            f"got {value!r}"
        )
