"""The result of a price coordination."""

import dataclasses
from functools import cached_property

import numpy as np
import pandas as pd

from macjax.coordination.agreement import Agreement
from macjax.coordination.contraction import Contraction
from macjax.coordination.problem import PriceProblem


@dataclasses.dataclass(frozen=True, eq=False)
class PriceRun:
    """Prices, and how the EVs answer them.

    Arguments:
        problem: what was coordinated.
        price: the last price, (T,) [currency/kWh].
        multiplier: A of an EV of each class at that price, (classes,) [currency/kWh].
        objective: J of the EVs' answer to that price [currency].
        lower_bound: what J cannot fall below, whatever the EVs do [currency].
        iterations: how many times the price moved.
        converged: whether ||p+ - p||_1 / step fell to the tolerance.
        fixed_point: p**, where the iteration ends if it converges, (T,)
            [currency/kWh].
        fixed_point_residual: ||P(p**) - p**||_1, what rounding leaves of it
            [currency/kWh].
        prices: of all iterations from the initial one, (iterations + 1, T)
            [currency/kWh].
        demands: of the EVs at these prices, (iterations + 1, T) [kW].
        history: a row for each of them: iteration, step, price_change
            (||p - p_before||_1), residual (that over the step), distance
            (||p - p**||_1), objective, ev_kwh (energy of all EVs), peak_kw (largest
            total demand).
        contraction: what was known before the run.
        messages: rounds, messages and bytes that the exchange takes.
        dtype: of the EVs in the computation.
        agreement: of a consensus run, what each node ended with; None else. Charging,
            energy and multiplier are means over the nodes of a class then, and history
            has the columns spread, spread_bound, error_bound and marginal_gap too.
    """

    problem: PriceProblem
    price: np.ndarray
    multiplier: np.ndarray
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
    messages: dict
    dtype: str
    agreement: Agreement | None = None

    @cached_property
    def charging(self) -> np.ndarray:
        """u of one EV of each class, (classes, T) [kW]."""
        if self.agreement is not None:
            nodes, classes = self.agreement, self.problem.takers.classes
            return nodes.by_class(nodes.charging, classes)
        return charging_at(self.problem, self.price, self.multiplier)

    @cached_property
    def energy_kwh(self) -> np.ndarray:
        """omega of one EV of each class, (classes,) [kWh]."""
        return self.problem.slot_hours * self.charging.sum(axis=1, dtype=np.float64)

    @property
    def ev_kw(self) -> np.ndarray:
        """Demand of all EVs, (T,) [kW]."""
        return self.demands[-1]

    @property
    def demand_kw(self) -> np.ndarray:
        """Demand of all EVs and base demand, (T,) [kW]."""
        return self.problem.base_demand_kw + self.ev_kw

    @property
    def gap(self) -> float:
        """(objective - lower bound) / |objective|."""
        return (self.objective - self.lower_bound) / abs(self.objective)

    @property
    def message(self) -> str:
        """How it ended, and what to do about it."""
        if self.converged:
            return f"the price stood still after {self.iterations} iterations"
        if not np.isfinite(self.price).all():
            return f"prices were not finite any more at iteration {self.iterations}"
        known = self.contraction
        advice = "allow more iterations"
        if not known.guaranteed:
            advice = f"take a step below {known.guaranteed_step:.4g}, or step=None"
        return f"no standstill after {self.iterations} iterations: {advice}"

    def summary(self) -> pd.Series:
        """The run in a column."""
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


def charging_at(
    problem: PriceProblem, price: np.ndarray, multiplier: np.ndarray
) -> np.ndarray:
    """u_nt = clip((A_n - b_n - p_t) / (2 a_n), 0, limit_nt), (classes, T) [kW]."""
    takers = problem.takers
    dtype = multiplier.dtype
    gain = (0.5 / takers.curvature).astype(dtype)[:, None]
    spare = multiplier - takers.slope.astype(dtype)
    power = spare[:, None] - price.astype(dtype)
    power *= gain
    np.clip(power, 0, takers.limit_kw.astype(dtype)[:, None], out=power)
    if takers.available is not None:
        power *= takers.available
    return power


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
