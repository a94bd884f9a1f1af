"""A population of EVs that answer prices: classes of identical EVs.

One EV of a class chooses its charging u [kW] by

    min_u  Delta sum_t (p_t u_t + g(u_t)) - h(Delta sum_t u_t)
    g(u) = a u^2 + b u + c,   h(omega) = -delta (omega - Gamma)^2,   0 <= u_t <= limit

where g is its battery degradation plus its demand charge. With a > 0, b >= 0 and
delta > 0 the answer is unique, and h'(Gamma) = 0 keeps omega below Gamma wherever
p + g' > 0, so that omega <= Gamma need not be asked for.
"""

import dataclasses
from typing import Any

import numpy as np

from macjax._errors import DataError, Fault
from macjax.coordination.cells import Cells

TABLE = "takers"
# Rule of each number, and the test that breaks it.
RULES = {
    "energy_kwh": ("must be finite and >= 0", lambda x: ~(np.isfinite(x) & (x >= 0))),
    "benefit": ("must be finite and > 0", lambda x: ~(np.isfinite(x) & (x > 0))),
    "quadratic": ("must be finite and >= 0", lambda x: ~(np.isfinite(x) & (x >= 0))),
    "linear": ("must be finite and >= 0", lambda x: ~(np.isfinite(x) & (x >= 0))),
    "constant": ("must be finite", lambda x: ~np.isfinite(x)),
    "count": ("must be finite and > 0", lambda x: ~(np.isfinite(x) & (x > 0))),
    "limit_kw": ("must be >= 0", lambda x: ~(x >= 0)),
    "demand_quadratic": (
        "must be finite and >= 0",
        lambda x: ~(np.isfinite(x) & (x >= 0)),
    ),
    "demand_linear": (
        "must be finite and >= 0",
        lambda x: ~(np.isfinite(x) & (x >= 0)),
    ),
}


@dataclasses.dataclass(frozen=True, eq=False)
class PriceTakers:
    """Classes of identical EVs; every number is a scalar or has one entry a class.

    Arguments:
        energy_kwh: Gamma, the energy that an EV would like to have [kWh].
        benefit: delta > 0, how much it would like it [currency/kWh^2].
        quadratic: a of the battery's degradation [currency/(kW kWh)].
        linear: b of the battery's degradation [currency/kWh].
        constant: c of the battery's degradation, which changes no answer but counts
            in the objective in every slot [currency/h].
        count: how many EVs a class has.
        limit_kw: most power of the charger [kW].
        available: (classes, slots) or (slots,), False where the EV cannot charge.
        demand_quadratic: of the EV's demand charge, added to a [currency/(kW kWh)].
        demand_linear: of the EV's demand charge, added to b [currency/kWh].
        cells: where a, b and c came from, if from cells.

    Raises:
        DataError: numbers that are missing, negative or of different lengths, with how
            many classes and the first of them; a + demand_quadratic = 0, for which the
            answer to a price is not unique.
    """

    energy_kwh: Any
    benefit: Any
    quadratic: Any = 0.0
    linear: Any = 0.0
    constant: Any = 0.0
    count: Any = 1
    limit_kw: Any = np.inf
    available: Any = None
    demand_quadratic: Any = 0.0
    demand_linear: Any = 0.0
    cells: Cells | None = None

    def __post_init__(self):
        arrays = _numbers({name: getattr(self, name) for name in RULES})
        classes = _length(arrays)
        faults = []
        for name, values in arrays.items():
            values = np.broadcast_to(values, classes)
            object.__setattr__(self, name, values)
            rule, breaks = RULES[name]
            _add_fault(faults, name, rule, breaks(values))
        zero = self.quadratic + self.demand_quadratic == 0
        rule = "quadratic + demand_quadratic must be > 0 (zero curvature: the answer "
        _add_fault(faults, "quadratic", rule + "to a price is not unique)", zero)
        if faults:
            raise DataError(faults)
        if self.available is not None:
            windows = _windows(self.available, classes)
            object.__setattr__(self, "available", windows)

    @classmethod
    def from_cells(
        cls,
        energy_kwh,
        benefit,
        *,
        coefficients,
        cell_price,
        cells,
        nominal_voltage,
        **others,
    ) -> "PriceTakers":
        """EVs whose a, b and c are those of the cells of their batteries.

        Arguments:
            energy_kwh, benefit: as above.
            coefficients, cell_price, cells, nominal_voltage: as in `Cells`.
            others: count, limit_kw, available, demand_quadratic, demand_linear.

        Raises:
            DataError: also where the cells give a or b < 0, which is no degradation.
        """
        pack = Cells(coefficients, cell_price, cells, nominal_voltage)
        a, b, c = pack.quadratic_cost()
        taken = {"quadratic", "linear", "constant", "cells"} & others.keys()
        if taken:
            raise DataError(
                [Fault(TABLE, name, "comes from the cells here") for name in taken]
            )
        return cls(
            energy_kwh, benefit, quadratic=a, linear=b, constant=c, cells=pack, **others
        )

    def with_cell_price(self, cell_price) -> "PriceTakers":
        """The same EVs with cells of another price.

        Arguments:
            cell_price: P, scalar or (classes,) [currency/Wh].

        Raises:
            DataError: the EVs were not made by `from_cells`.
        """
        if self.cells is None:
            rule = "these takers have no cells; make them with PriceTakers.from_cells"
            raise DataError([Fault(TABLE, "cells", rule)])
        pack = dataclasses.replace(self.cells, cell_price=cell_price)
        a, b, c = pack.quadratic_cost()
        return dataclasses.replace(self, quadratic=a, linear=b, constant=c, cells=pack)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.energy_kwh)

    @property
    def evs(self) -> float:
        """How many EVs there are in all classes."""
        return float(np.sum(self.count))

    @property
    def curvature(self) -> np.ndarray:
        """a of g with the demand charge, (classes,) [currency/(kW kWh)]."""
        return self.quadratic + self.demand_quadratic

    @property
    def slope(self) -> np.ndarray:
        """b of g with the demand charge, (classes,) [currency/kWh]."""
        return self.linear + self.demand_linear

    def most_kw(self, slot_hours: float) -> np.ndarray:
        """The most that an EV takes in any slot: limit, or Gamma in one slot [kW].

        Arguments:
            slot_hours: Delta, the length of a slot [h].
        """
        return np.minimum(self.limit_kw, self.energy_kwh / slot_hours)


def _add_fault(faults: list, column: str, rule: str, wrong: np.ndarray) -> None:
    """Add a fault that names the classes where `wrong` is true, if there are any."""
    if wrong.any():
        where = np.flatnonzero(wrong)
        ids = tuple(f"class {i}" for i in where[:10])
        faults.append(Fault(TABLE, column, rule, len(where), ids))


def _numbers(given: dict) -> dict[str, np.ndarray]:
    """The arguments as arrays of float64 of at most one dimension."""
    arrays, faults = {}, []
    for name, value in given.items():
        try:
            array = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            rule = (
                f"must be a number or an array of numbers, not {type(value).__name__}"
            )
            faults.append(Fault(TABLE, name, rule))
            continue
        if array.ndim > 1:
            rule = f"must be a scalar or have shape (classes,), not {array.shape}"
            faults.append(Fault(TABLE, name, rule))
        arrays[name] = array
    if faults:
        raise DataError(faults)
    return arrays


def _length(arrays: dict[str, np.ndarray]) -> int:
    """How many classes the arrays have."""
    lengths = {name: len(array) for name, array in arrays.items() if array.ndim}
    longest = max(lengths.values(), default=1)
    rule = "has {} entries where others have {}: one entry a class"
    wrong = [
        Fault(TABLE, name, rule.format(length, longest))
        for name, length in lengths.items()
        if length not in (1, longest)
    ]
    if longest == 0 or 0 in lengths.values():
        wrong.append(Fault(TABLE, ", ".join(lengths), "must have at least one class"))
    if wrong:
        raise DataError(wrong)
    return longest


def _windows(available, classes: int) -> np.ndarray:
    """The availability as booleans of shape (classes, slots)."""
    windows = np.asarray(available)
    if windows.dtype != bool:
        kinds = "true or false (or 0 and 1)"
        if windows.dtype.kind not in "iuf" or not np.isin(windows, (0, 1)).all():
            raise DataError([Fault(TABLE, "available", f"must be {kinds}")])
        windows = windows.astype(bool)
    if windows.ndim == 1:
        windows = np.broadcast_to(windows, (classes, len(windows)))
    if windows.ndim != 2 or len(windows) not in (1, classes):
        rule = f"must have shape (classes, slots) or (slots,), not {windows.shape}"
        raise DataError([Fault(TABLE, "available", rule)])
    return np.broadcast_to(windows, (classes, windows.shape[1]))
