"""The social optimum, computed by one optimiser that knows everything.

    min_u  Delta sum_t { c(d_t + sum_n w_n u_nt) + sum_n w_n g_n(u_nt) }
           + sum_n w_n delta_n (Delta sum_t u_nt - Gamma_n)^2,   0 <= u_nt <= limit_nt

by SciPy's L-BFGS-B, in float64, with variables scaled by the square root of the
curvature of g. It shares no code with the price iteration but the formulas of the cost
of generation, so that the two can be compared.
"""

import dataclasses

import jax
import numpy as np
from scipy.optimize import Bounds, minimize

from macjax._errors import SettingsError
from macjax.coordination.problem import PriceProblem

MOST_VARIABLES = 2_000_000
MEMORY = 30  # pairs of vectors that the optimiser keeps
RESTARTS = 6
ENOUGH = 1e-15  # relative fall of the objective between restarts that ends it


@dataclasses.dataclass(frozen=True, eq=False)
class Optimum:
    """Charging of the least cost.

    Arguments:
        charging: u of one EV of each class, (classes, T) [kW].
        objective: J [currency].
        energy_kwh: omega of one EV of each class, (classes,).
        demand_kw: base demand and all EVs, (T,).
        marginal_cost: c' at that demand, (T,) [currency/kWh].
        gradient: largest change of the objective that a kW of one EV would still make
            where it is free to change [currency/kW].
    """

    charging: np.ndarray
    objective: float
    energy_kwh: np.ndarray
    demand_kw: np.ndarray
    marginal_cost: np.ndarray
    gradient: float


def centralised(problem: PriceProblem) -> Optimum:
    """The social optimum of a problem.

    Raises:
        SettingsError: more than two million classes x slots; the iteration on prices
            has no such limit, and its lower bound says how good its result is.
    """
    takers, hours = problem.takers, problem.slot_hours
    shape = (takers.classes, problem.slots)
    if shape[0] * shape[1] > MOST_VARIABLES:
        raise SettingsError(
            f"centralised is for at most {MOST_VARIABLES:,} classes x slots, not "
            f"{shape[0]:,} x {shape[1]:,}; see lower_bound of the run instead"
        )
    most = np.broadcast_to(takers.most_kw(hours)[:, None], shape).copy()
    if takers.available is not None:
        most *= takers.available
    scale = 1 / np.sqrt(2 * hours * takers.count * takers.curvature)[:, None]
    evaluate = _objective(problem, scale)
    bounds, x = Bounds(0.0, (most / scale).ravel()), np.zeros(shape[0] * shape[1])
    before, options = np.inf, {"maxcor": MEMORY, "ftol": 0.0, "gtol": 0.0}
    options |= {"maxiter": 20_000, "maxfun": 40_000, "maxls": 50}
    for _ in range(RESTARTS):
        found = minimize(
            evaluate, x, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        x = found.x
        if before - found.fun <= ENOUGH * abs(found.fun):
            break
        before = found.fun
    value, slope = evaluate(x)
    charging = x.reshape(shape) * scale
    slope = slope.reshape(shape) / scale / takers.count[:, None]
    free = np.where(charging <= 0, np.minimum(slope, 0), slope)
    free = np.where(charging >= most, np.maximum(free, 0), free)
    free = np.where(most > 0, free, 0)
    demand = problem.base_demand_kw + takers.count @ charging
    return Optimum(
        charging=charging,
        objective=float(value),
        energy_kwh=hours * charging.sum(axis=1),
        demand_kw=demand,
        marginal_cost=problem.marginal_cost(demand),
        gradient=float(np.abs(free).max()),
    )


def _objective(problem: PriceProblem, scale: np.ndarray):
    """J and its gradient in u / scale."""
    takers, hours = problem.takers, problem.slot_hours
    count = takers.count[:, None]
    a, b = takers.curvature[:, None], takers.slope[:, None]
    idle = hours * problem.slots * float(np.sum(takers.count * takers.constant))

    @jax.jit
    def generation(cost, demand):
        return cost.value(demand), cost.marginal(demand)

    def evaluate(x):
        u = x.reshape(len(a), -1) * scale
        demand = problem.base_demand_kw + takers.count @ u
        with jax.enable_x64(True):
            value, price = map(np.asarray, generation(problem.cost, demand))
        missing = hours * u.sum(axis=1) - takers.energy_kwh
        own = np.sum(count * u * (a * u + b))
        unserved = np.sum(takers.count * takers.benefit * missing**2)
        total = hours * (value.sum() + own) + unserved + idle
        pull = (2 * takers.benefit * missing)[:, None]
        slope = hours * count * (price + 2 * a * u + b + pull)
        return float(total), (slope * scale).ravel()

    return evaluate
