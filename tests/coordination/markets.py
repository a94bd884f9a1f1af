"""Problems of price coordination with known answers."""

import numpy as np

import macjax

# Demand of a household by the hour from noon, Southern California Edison [kW].
HOUSEHOLD = np.array(
    [1.651, 1.887, 2.090, 2.278, 2.392, 2.457, 2.462, 2.377, 2.275, 2.179, 2.001, 1.745]
    + [1.505, 1.303, 1.151, 1.036, 0.955, 0.888, 0.867, 0.963, 1.127, 1.348, 1.599]
    + [1.829]
)
BASE = 25_000 * HOUSEHOLD
COST = macjax.GenerationCost.polynomial([0.0, 0.06, 2.9e-7])


def reference(energy_kwh=20.0, benefit=0.03, **changes) -> macjax.PriceProblem:
    """5,000 identical EVs: calibrated to the source, not published there."""
    numbers = {"quadratic": 0.003, "linear": 0.11, "count": 5000} | changes
    takers = macjax.PriceTakers(energy_kwh=energy_kwh, benefit=benefit, **numbers)
    return macjax.PriceProblem(takers, base_demand_kw=BASE, cost=COST, slot_hours=1.0)


def heterogeneous(classes=200, count=25, seed=0, cost=COST, base=BASE, **changes):
    """Classes that differ in everything."""
    rng = np.random.default_rng(seed)
    numbers = {
        "energy_kwh": rng.uniform(8, 30, classes),
        "benefit": rng.uniform(0.02, 0.06, classes),
        "quadratic": rng.uniform(0.002, 0.006, classes),
        "linear": rng.uniform(0.05, 0.12, classes),
        "count": count,
    }
    takers = macjax.PriceTakers(**numbers | changes)
    return macjax.PriceProblem(takers, base_demand_kw=base, cost=cost)


def windows(classes: int, seed: int = 0) -> np.ndarray:
    """Availability from an evening hour to a morning hour."""
    rng = np.random.default_rng(seed)
    begin, length = rng.integers(3, 10, classes), rng.integers(4, 14, classes)
    slot = np.arange(24)
    return (slot >= begin[:, None]) & (slot < (begin + length)[:, None])


def objective(problem: macjax.PriceProblem, charging: np.ndarray) -> float:
    """J of charging, (classes, T), term by term in NumPy; polynomial costs only."""
    takers, hours = problem.takers, problem.slot_hours
    total = problem.base_demand_kw + takers.count @ charging
    coefficients = problem.cost.coefficients
    value = hours * np.polynomial.polynomial.polyval(total, coefficients).sum()
    for n in range(takers.classes):
        u = charging[n]
        own = takers.curvature[n] * u**2 + takers.slope[n] * u + takers.constant[n]
        missing = hours * u.sum() - takers.energy_kwh[n]
        each = hours * own.sum() + takers.benefit[n] * missing**2
        value += takers.count[n] * each
    return value
