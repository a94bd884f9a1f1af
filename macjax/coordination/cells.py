"""Degradation of a battery pack as a quadratic in its charging power.

A LiFePO4 cell loses capacity at the rate

    loss(I, V) = beta_1 + beta_2 I + beta_3 V + beta_4 I^2 + beta_5 V^2 + beta_6 I V
                 + beta_7 V^3                                       [A h / s]

at current I [A] and voltage V. A pack of M cells at V near V_nom that charges with u kW
has I = 1000 u / (M V_nom) in each, and with cells that cost P [currency/Wh] an hour of
it costs M P 3600 V_nom loss(I, V_nom) = a u^2 + b u + c, with

    a = 10^6 P 3600 beta_4 / (M V_nom)
    b = 10^3 P 3600 (beta_2 + beta_6 V_nom)
    c = M P 3600 V_nom (beta_1 + beta_3 V_nom + beta_5 V_nom^2 + beta_7 V_nom^3) .

The slides of the source print P dT V loss; that holds with dT in seconds, 3600 for an
hour, which is what stands here whatever the length of a slot: a, b and c are per hour.
Reference: Zou, Ma, Hiskens, Automatica 69 (2016) 35-47.
"""

import dataclasses

import numpy as np

from macjax._errors import DataError, Fault

SECONDS_PER_HOUR = 3600.0
COEFFICIENTS = 7


@dataclasses.dataclass(frozen=True)
class Cells:
    """Cells of the packs of all classes.

    Arguments:
        coefficients: beta_1 to beta_7, shape (7,), or (classes, 7).
        cell_price: P [currency/Wh], scalar or (classes,).
        cells: M, how many cells a pack has, scalar or (classes,).
        nominal_voltage: V_nom of a cell [V], scalar or (classes,).
    """

    coefficients: np.ndarray
    cell_price: np.ndarray
    cells: np.ndarray
    nominal_voltage: np.ndarray

    def __post_init__(self):
        faults = []
        for field in dataclasses.fields(self):
            try:
                value = np.asarray(getattr(self, field.name), np.float64)
            except (TypeError, ValueError):
                rule = f"must be numbers, not {getattr(self, field.name)!r}"
                faults.append(Fault("cells", field.name, rule))
                continue
            object.__setattr__(self, field.name, value)
            wrong = ~np.isfinite(value)
            rule = "must be finite"
            if field.name != "coefficients":
                wrong |= value <= 0
                rule = "must be finite and > 0"
            if wrong.any():
                where = tuple(np.flatnonzero(wrong).tolist())
                faults.append(Fault("cells", field.name, rule, len(where), where))
        if faults:
            raise DataError(faults)
        if self.coefficients.ndim not in (1, 2) or (
            self.coefficients.shape[-1] != COEFFICIENTS
        ):
            rule = (
                f"must have shape (7,) or (classes, 7), not {self.coefficients.shape}"
            )
            raise DataError([Fault("cells", "coefficients", rule)])

    def quadratic_cost(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """a [currency/(kW kWh)], b [currency/kWh] and c [currency/h] of a pack."""
        beta = np.moveaxis(self.coefficients, -1, 0)
        price, volt = self.cell_price * SECONDS_PER_HOUR, self.nominal_voltage
        a = 1e6 * price * beta[3] / (self.cells * volt)
        b = 1e3 * price * (beta[1] + beta[5] * volt)
        idle = beta[0] + volt * (beta[2] + volt * (beta[4] + volt * beta[6]))
        return a, b, self.cells * price * volt * idle
