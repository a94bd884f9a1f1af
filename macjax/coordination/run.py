"""The result of a price coordination."""

import dataclasses
from functools import cached_property

import numpy as np
import pandas as pd

from macjax.coordination.agreement import Agreement
from macjax.coordination.contraction import Contraction
from macjax.coordination.problem import PriceProblem

STALLED = 20  # iterations over which a residual that rounding holds up does not halve
UNITS = 2  # in the last place, by which an answer may be off


@dataclasses.dataclass(frozen=True, eq=False)
class PriceRun:
    """Prices, and how the EVs answer them.

    Arguments:
        problem: what was coordinated.
        price: of the result, (T,) [currency/kWh]: p** if the run has converged, from
            where the last price of the iteration is about the tolerance away; the last
            price else, and of a consensus run.
        multiplier: A of an EV of each class at that price, (classes,) [currency/kWh].
        ev_kw: demand of all EVs at that price, (T,) [kW].
        objective: J of the EVs' answer to that price [currency].
        lower_bound: what J cannot fall below, whatever the EVs do [currency].
        iterations: how many times the price moved.
        converged: whether ||p+ - p||_1 / step fell to the tolerance.
        fixed_point: p**, where the iteration ends if it converges, (T,)
            [currency/kWh].
        fixed_point_residual: ||P(p**) - p**||_1, what rounding leaves of it
            [currency/kWh]; a `FixedPointWarning` tells where it is more than that.
        prices: of all iterations from the initial one, (iterations + 1, T)
            [currency/kWh].
        demands: of the EVs at these prices, (iterations + 1, T) [kW].
        history: a row for each of them: iteration, step, price_change
            (||p - p_before||_1), residual (that over the step), distance
            (||p - p**||_1), objective, ev_kwh (energy of all EVs), peak_kw (largest
            total demand).
        contraction: what was known before the run.
        automatic: whether the step was left to the run.
        messages: rounds, messages and bytes that the exchange takes.
        dtype: of the EVs in the iterations; objective, bound and p** are float64.
        agreement: of a consensus run, what each node ended with; None else. Charging,
            energy and multiplier are means over the nodes of a class then, and history
            has the columns spread, spread_bound, error_bound and marginal_gap too.
    """

    problem: PriceProblem
    price: np.ndarray
    multiplier: np.ndarray
    ev_kw: np.ndarray
    objective: float
    lower_bound: float
    iterations: int
    converged: bool
    fixed_point: np.ndarray
    fixed_point_residual: float
    prices: np.ndarray
    demands: np.ndarray
    history: pd.DataFrame
    contraction: Contraction
    automatic: bool
    messages: dict
    dtype: str
    agreement: Agreement | None = None

    @cached_property
    def charging(self) -> np.ndarray:
        """u of one EV of each class, (classes, T) [kW]."""
        if self.agreement is not None:
            nodes, classes = self.agreement, self.problem.takers.classes
            return nodes.by_class(nodes.charging, classes)
        return self.problem.charging_at(self.price, self.multiplier)

    @cached_property
    def energy_kwh(self) -> np.ndarray:
        """omega of one EV of each class, (classes,) [kWh]."""
        return self.problem.slot_hours * self.charging.sum(axis=1, dtype=np.float64)

    @property
    def demand_kw(self) -> np.ndarray:
        """Demand of all EVs and base demand, (T,) [kW]."""
        return self.problem.base_demand_kw + self.ev_kw

    @property
    def gap(self) -> float:
        """(objective - lower bound) / |objective|, a share."""
        return (self.objective - self.lower_bound) / abs(self.objective)

    @property
    def message(self) -> str:
        """How it ended, and what to do about it."""
        if self.converged:
            return f"the price stood still after {self.iterations} iterations"
        if not np.isfinite(self.price).all():
            return f"prices were not finite any more at iteration {self.iterations}"
        return (
            f"no standstill after {self.iterations} iterations, the residual is "
            f"{self.history['residual'].iloc[-1]:.2g}: {self._advice()}"
        )

    def _advice(self) -> str:
        """What to do where the price did not stand still."""
        known, residual = self.contraction, self.history["residual"].iloc[-1]
        # What falls still is not at its floor.
        before = self.history["residual"].iloc[-min(STALLED, self.iterations)]
        if 0.5 * before <= residual <= self.rounding:
            other = "dtype='float64' or " if self.dtype == "float32" else ""
            return (
                f"that is what rounding in {self.dtype} can leave; take {other}"
                "a larger tolerance"
            )
        if self.automatic or known.guaranteed:
            return "allow more iterations (max_iterations)"
        if known.guaranteed_step > 0:
            return f"take a step below {known.guaranteed_step:.4g}, or step=None"
        return "no step is guaranteed for this cost, take step=None (safeguarded)"

    @property
    def rounding(self) -> float:
        """What rounding can leave of ||P(p) - p||_1 in the iterations [currency/kWh].

        An answer u = (A - b - p) / (2 a) is off by the rounding of A, b and p over 2 a,
        some units in the last place, and marginal costs by L times that in each slot,
        if all errors have one sign.
        """
        scale = np.abs(self.prices[-1]).max() + self.problem.takers.slope.max()
        unit = float(np.finfo(self.dtype).eps) * scale * self.problem.slots
        return UNITS * (1 + self.contraction.coupling) * unit

    def summary(self) -> pd.Series:
        """The run in a column.

        converged, iterations, step; objective, lower_bound [currency]; price_min,
        price_max [currency/kWh]; ev_kwh of all EVs, and share_of_energy, that of the
        energy they have room for; largest_kw of one EV, peak_kw of the whole demand;
        without a coordinator what `messages` has.
        """
        count, energy = self.problem.takers.count, self.energy_kwh
        wanted = float(count @ self.problem.takers.energy_kwh)
        return pd.Series(
            {
                "converged": self.converged,
                "iterations": self.iterations,
                "step": float(self.history["step"].iloc[-1]),
                "objective": self.objective,
                "lower_bound": self.lower_bound,
                "price_min": float(self.price.min()),
                "price_max": float(self.price.max()),
                "ev_kwh": float(count @ energy),
                "share_of_energy": float(count @ energy) / wanted if wanted else 1.0,
                "largest_kw": float(self.charging.max()),
                "peak_kw": float(self.demand_kw.max()),
                **self.messages,
            },
            name="price coordination",
        )


def history_of(
    problem: PriceProblem, trace: dict[str, np.ndarray], target: np.ndarray
) -> pd.DataFrame:
    """The frame of the iterations.

    Arguments:
        problem: what was coordinated.
        trace: price, demand, objective, change, step; one row an iteration.
        target: p**.
    """
    rows = len(trace["price"])
    demand = trace["demand"]
    return pd.DataFrame(
        {
            "iteration": np.arange(rows),
            "step": trace["step"],
            "price_change": trace["change"],
            "residual": trace["change"] / trace["step"],
            "distance": np.abs(trace["price"] - target).sum(axis=1),
            "objective": trace["objective"],
            "ev_kwh": problem.slot_hours * demand.sum(axis=1),
            "peak_kw": (problem.base_demand_kw + demand).max(axis=1),
        }
    )
