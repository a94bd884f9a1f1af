"""The problem of price coordination: EVs, other demand, cost of generation.

    min_u  J(u) = Delta sum_t { c(d_t + sum_n u_nt) + sum_n g_n(u_nt) }
                  - sum_n h_n(Delta sum_t u_nt)

over all EVs; p_t = c'(d_t + sum_n u_nt) makes each EV choose its part of the optimum.
"""

import dataclasses
import math
import numbers
from typing import Any

import jax
import numpy as np

from macjax._errors import DataError, Fault, SettingsError
from macjax.coordination.contraction import Contraction
from macjax.coordination.cost import GenerationCost
from macjax.coordination.takers import PriceTakers


@dataclasses.dataclass(frozen=True, eq=False)
class PriceProblem:
    """EVs that answer prices, other demand, and what generation costs.

    Arguments:
        takers: the EVs.
        base_demand_kw: d, inelastic demand of every slot [kW].
        cost: c; a function of one number is taken as `GenerationCost.function`.
        slot_hours: Delta, the length of a slot [h].

    Raises:
        DataError: demand that is not finite, availability of other slots, a cost that
            is not increasing and strictly convex on the demands that can occur.
    """

    takers: PriceTakers
    base_demand_kw: Any
    cost: Any
    slot_hours: float = 1.0

    def __post_init__(self):
        if not isinstance(self.takers, PriceTakers):
            rule = f"must be PriceTakers, not {type(self.takers).__name__}"
            raise DataError([Fault("problem", "takers", rule)])
        object.__setattr__(self, "base_demand_kw", _demand(self.base_demand_kw))
        hours = self.slot_hours
        if not _is_number(hours) or not 0 < hours < math.inf:
            rule = f"must be hours > 0, not {hours!r}"
            raise DataError([Fault("problem", "slot_hours", rule)])
        object.__setattr__(self, "slot_hours", float(hours))
        windows = self.takers.available
        if windows is not None and windows.shape[1] != self.slots:
            rule = f"has {windows.shape[1]} slots, base_demand_kw has {self.slots}"
            raise DataError([Fault("takers", "available", rule)])
        cost = self.cost
        if not isinstance(cost, GenerationCost):
            object.__setattr__(self, "cost", GenerationCost.function(cost))
        curvature = self.cost.curvature_range(*self.demand_range)
        object.__setattr__(self, "_curvature", curvature)

    @property
    def slots(self) -> int:
        """T, how many slots there are."""
        return len(self.base_demand_kw)

    @property
    def most_ev_kw(self) -> np.ndarray:
        """The most that all EVs can take in each slot [kW]."""
        most = self.takers.count * self.takers.most_kw(self.slot_hours)
        if self.takers.available is None:
            return np.full(self.slots, most.sum())
        return most @ self.takers.available

    @property
    def demand_range(self) -> tuple[float, float]:
        """Least and largest demand that can occur in any slot [kW]."""
        top = self.base_demand_kw + self.most_ev_kw
        return float(self.base_demand_kw.min()), float(top.max())

    def marginal_cost(self, demand_kw) -> np.ndarray:
        """c' at demands, in float64 [currency/kWh].

        Arguments:
            demand_kw: total demands, of any shape [kW].
        """
        with jax.enable_x64(True):
            return np.asarray(self.cost.marginal(np.asarray(demand_kw, np.float64)))

    def generation_cost(self, demand_kw) -> np.ndarray:
        """c at demands, in float64 [currency/h].

        Arguments:
            demand_kw: total demands, of any shape [kW].
        """
        with jax.enable_x64(True):
            return np.asarray(self.cost.value(np.asarray(demand_kw, np.float64)))

    def charging_at(self, price: np.ndarray, multiplier: np.ndarray) -> np.ndarray:
        """u_nt = clip((A_n - b_n - p_t) / (2 a_n), 0, limit_nt), (classes, T) [kW].

        Arguments:
            price: p, shape (T,) [currency/kWh].
            multiplier: A, shape (classes,) [currency/kWh]; its dtype is the result's.
        """
        takers, dtype = self.takers, multiplier.dtype
        gain = (0.5 / takers.curvature).astype(dtype)[:, None]
        spare = multiplier - takers.slope.astype(dtype)
        power = spare[:, None] - price.astype(dtype)
        power *= gain
        np.clip(power, 0, takers.limit_kw.astype(dtype)[:, None], out=power)
        if takers.available is not None:
            power *= takers.available
        return power

    def social_cost(self, charging: np.ndarray) -> float:
        """J of charging of one EV of each class, (classes, T) [kW], in float64."""
        takers, hours = self.takers, self.slot_hours
        count, u = takers.count, np.asarray(charging, np.float64)
        generation = self.generation_cost(self.base_demand_kw + count @ u)
        a, b = takers.curvature[:, None], takers.slope[:, None]
        own = np.sum(u * (a * u + b), axis=1) + self.slots * takers.constant
        missing = hours * u.sum(axis=1) - takers.energy_kwh
        each = hours * own + takers.benefit * missing**2
        return float(hours * generation.sum() + count @ each)

    def first_price(self, initial_price=None) -> np.ndarray:
        """The price of iteration 0, (T,) [currency/kWh].

        Arguments:
            initial_price: a number, or one for each slot [currency/kWh]; None is the
                marginal cost of d.

        Raises:
            SettingsError: another shape, or numbers that are not finite.
        """
        if initial_price is None:
            return self.marginal_cost(self.base_demand_kw)
        try:
            price = np.broadcast_to(
                np.asarray(initial_price, np.float64), self.base_demand_kw.shape
            )
        except (TypeError, ValueError):
            raise SettingsError(
                f"initial_price must be a number or {self.slots} numbers"
            ) from None
        wrong = np.flatnonzero(~np.isfinite(price))
        if len(wrong):
            raise SettingsError(
                f"initial_price must be finite [{len(wrong)} slots]: "
                + ", ".join(map(str, wrong[:10].tolist()))
            )
        return price.copy()

    def contraction(
        self, step: float | None = None, initial_price=None, tolerance: float = 1e-6
    ) -> Contraction:
        """What is known of the iteration before it runs.

        Arguments:
            step: eta in (0, 2) [1]; None is the step of the fastest guaranteed rate.
            initial_price: as in `coordinate`.
            tolerance: epsilon, the distance to p** that is asked for [currency/kWh].
        """
        check_step(step)
        price = self.first_price(initial_price)
        # p** lies between the marginal costs of no charging and of most charging.
        low = self.marginal_cost(self.base_demand_kw)
        high = self.marginal_cost(self.base_demand_kw + self.most_ev_kw)
        far = np.maximum(np.abs(price - low), np.abs(high - price))
        least, largest = self._curvature  # type: ignore[attr-defined]
        nu = self.takers.count * (0.5 / self.takers.curvature)
        found = Contraction(
            cost_lipschitz=largest,
            cost_curvature=least,
            answer_lipschitz=float(np.sum(nu)),
            step=math.nan if step is None else float(step),
            tolerance=tolerance,
            distance=float(far.sum()),
            slot_distance=float(far.max()),
            slots=self.slots,
        )
        if step is None:
            found = dataclasses.replace(found, step=found.best_step)
        return found


def check_step(step) -> None:
    """Raise unless eta is a number in (0, 2), or None."""
    if step is not None and (not _is_number(step) or not 0 < step < 2):
        raise SettingsError(
            f"step must be a number in (0, 2), or None (automatic), not {step!r}"
        )


def _is_number(value) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _demand(given) -> np.ndarray:
    """Base demand as finite numbers, one a slot."""
    try:
        demand = np.array(given, np.float64)
    except (TypeError, ValueError):
        rule = f"must be numbers, one a slot, not {type(given).__name__}"
        raise DataError([Fault("problem", "base_demand_kw", rule)]) from None
    if demand.ndim != 1 or not len(demand):
        rule = f"must have shape (slots,), not {demand.shape}"
        raise DataError([Fault("problem", "base_demand_kw", rule)])
    wrong = np.flatnonzero(~np.isfinite(demand))
    if len(wrong):
        ids = tuple(f"slot {i}" for i in wrong[:10])
        rule = "must be finite"
        raise DataError([Fault("problem", "base_demand_kw", rule, len(wrong), ids)])
    return demand
