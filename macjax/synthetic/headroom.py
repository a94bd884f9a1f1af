"""Base load, capacity and upgrade cost of feeders, fitted to the fleet they serve.

The base load is a daily shape with noise; the capacity C_f is where water filling ends,
    sum_t (C_f - base_ft)_+ * dt = fill_f * (energy the EVs take unmanaged),
so that an instance is interesting at any size: with fill near 1 the fleet only just
fits if it uses every valley, and fill far above 1 leaves nothing to do.
"""

import numpy as np

from macjax.synthetic.recipes import COMMERCIAL_SHAPE, RESIDENTIAL_SHAPE, Recipe


def base_load(
    rng: np.random.Generator,
    peak: np.ndarray,
    local_hours: np.ndarray,
    hot_days: float,
) -> np.ndarray:
    """Base load [kW], (f, t): a mix of two daily shapes, weekends lower, noise 3 %.

    Arguments:
        peak: largest base load of each feeder, about [kW], (f,).
        local_hours: middle of each slot, hours after a Monday 0:00 [h], (t,).
    """
    hour = local_hours % 24.0
    grid = np.arange(25)
    shapes = (RESIDENTIAL_SHAPE, COMMERCIAL_SHAPE)
    homes, offices = (np.interp(hour, grid, s + s[:1]) for s in shapes)
    share = rng.uniform(0.0, 0.3, (peak.size, 1))
    weekend = local_hours % 168.0 >= 120.0
    shape = (1 - share) * homes * np.where(weekend, 1.02, 1.0)
    shape += share * offices * np.where(weekend, 0.6, 1.0)
    day = (local_hours // 24.0).astype(int)
    shape *= rng.normal(1.0, hot_days, day.max(initial=0) + 1).clip(0.8, 1.25)[day]
    noise = rng.normal(1.0, 0.03, shape.shape).clip(0.9, 1.1)
    return np.round(peak[:, None] * shape * noise, 3)


def water_level(base: np.ndarray, energy: np.ndarray, slot_hours: float) -> np.ndarray:
    """Level C [kW] with sum_t (C - base_t)_+ dt = energy [kWh]; (f, t), (f,) -> (f,).

    Exact: with the base sorted, the level over the lowest k slots is
    (energy/dt + sum of those k) / k for the first k where it stays below slot k + 1.
    """
    ordered = np.sort(base, axis=1)
    k = np.arange(1, base.shape[1] + 1)
    level = (energy[:, None] / slot_hours + np.cumsum(ordered, axis=1)) / k
    above = np.concatenate((ordered[:, 1:], np.full((base.shape[0], 1), np.inf)), 1)
    last = np.argmax(level <= above, axis=1)
    return level[np.arange(base.shape[0]), last]


def feeder_numbers(
    rng: np.random.Generator,
    recipe: Recipe,
    unmanaged: np.ndarray,
    evs: np.ndarray,
    slot_hours: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Base load (f, t) [kW], capacity (f,) [kW] and upgrade cost (f,) [currency/kW].

    Arguments:
        unmanaged: load of unmanaged charging, (f, t) [kW].
        evs: vehicles that live on each feeder, (f,).
    """
    feeders, slots = unmanaged.shape
    local_hours = (np.arange(slots) + 0.5) * slot_hours
    size = np.maximum(evs, 1.0) * rng.uniform(0.8, 1.3, feeders)
    base = base_load(rng, recipe.base_per_ev * size, local_hours, recipe.hot_days)
    fill = rng.uniform(*recipe.fill, feeders)
    daily = fill * unmanaged.mean(axis=1) * min(24.0, slots * slot_hours)
    per_day = max(1, round(24.0 / slot_hours))
    starts = range(0, max(1, slots - per_day + 1), per_day)
    days = [base[:, i : i + per_day] for i in starts]
    level = np.max([water_level(d, daily, slot_hours) for d in days], axis=0)
    capacity = np.round(np.maximum(level, base.max(axis=1) * 1.005), 2)
    low, high = np.log(recipe.cost)
    cost = np.exp(rng.uniform(low, high, feeders))
    return base, capacity, np.round(cost, 2)
