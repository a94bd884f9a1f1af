"""Random and nasty feeder terms, and slow obvious references for them in NumPy.

A case is the data of `FeederTermsData` with a target, a weight and an active mask.
"""

from typing import NamedTuple

import clarabel
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy import sparse

from macjax.objectives import FeederTerms, FeederTermsData


class FakeScenario:
    """The part of a scenario that objectives read."""

    def __init__(self, ids, slots=24, slot_minutes=60, timezone="UTC", seed=0):
        rng = np.random.default_rng(seed)
        self.feeders = pd.DataFrame(
            {
                "feeder_id": ids,
                "upgrade_cost_per_kw": np.arange(1.0, len(ids) + 1) * 100,
            }
        )
        self.slots = slots
        self.slot_hours = slot_minutes / 60
        self.timezone = timezone
        self.slot_starts = pd.date_range(
            "2026-03-02T06:00Z", periods=slots, freq=f"{slot_minutes}min"
        )
        self._capacity = rng.uniform(0.2, 200, (len(ids), slots))
        self._base = rng.uniform(-20, 150, (len(ids), slots))

    def capacity_base(self):
        return self._capacity, self._base


class Case(NamedTuple):
    data: FeederTermsData
    target: np.ndarray
    weight: np.ndarray
    active: np.ndarray

    def terms(self, dtype=jnp.float64) -> FeederTerms:
        return FeederTerms.from_data(self.data, dtype)

    def arrays(self, dtype=jnp.float64):
        """What prox takes: terms, target, weight, active."""
        target, weight = (jnp.asarray(a, dtype) for a in (self.target, self.weight))
        return self.terms(dtype), target, weight, jnp.asarray(self.active)


KINDS = ("peak", "energy", "linear", "square", "hard", "hard_energy", "all", "zero")


def random_case(kind: str, seed: int, feeders=5, slots=12) -> Case:
    """A case whose cells fall in every regime: below, at and above the headroom."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    shape = (feeders, slots)
    zero = np.zeros(feeders)
    kappa = rng.uniform(0.1, 20, feeders) if kind in ("peak", "all") else zero
    linear = rng.uniform(0.1, 2, feeders) if kind in ("linear", "all") else zero
    square = rng.uniform(0.01, 1, feeders) if kind in ("square", "all") else zero
    hard = np.full(feeders, kind.startswith("hard"))
    if kind == "all":
        kappa = np.where(rng.uniform(size=feeders) < 0.2, 0, kappa)
        linear = np.where(rng.uniform(size=feeders) < 0.2, 0, linear)
        square = np.where(rng.uniform(size=feeders) < 0.4, 0, square)
    energy = np.zeros(shape)
    if kind in ("energy", "hard_energy", "all"):
        energy = rng.uniform(-0.3, 1, shape)
    headroom = rng.uniform(-5, 30, shape)
    active = rng.uniform(size=shape) < 0.8
    tolerance = np.full(shape, 1e-3)
    data = FeederTermsData(
        kappa, linear, square, hard, energy, headroom, tolerance, 0.0
    )
    target = headroom + rng.normal(2, 10, shape)
    return Case(data, target, 10 ** rng.uniform(-2, 1, shape), active)


def value_of(data: FeederTermsData, f: int, load: np.ndarray) -> float:
    """g_f of a load, slot by slot from the formula (hard: exact limit)."""
    cost, peak = 0.0, 0.0
    for t, p in enumerate(load):
        x = p - data.headroom[f, t]
        plus = max(x, 0.0)
        peak = max(peak, plus)
        cost += data.energy[f, t] * p + data.linear[f] * plus
        cost += data.quadratic[f] / 2 * plus**2
        if data.hard[f] and x > 1e-9 * (1 + abs(data.headroom[f, t])):
            return np.inf
    return cost + data.kappa[f] * peak


def quadratic_program(quadratic, linear, rows, bounds) -> np.ndarray:
    """argmin 1/2 x'Qx + q'x subject to rows x <= bounds, by clarabel."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-12
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(np.diag(quadratic)),
        np.asarray(linear, float),
        sparse.csc_matrix(rows),
        np.asarray(bounds, float),
        [clarabel.NonnegativeConeT(len(bounds))],
        settings,
    )
    return np.array(solver.solve().x)


def prox_by_program(case: Case, f: int) -> np.ndarray:
    """The prox of one feeder as a quadratic program in (Z, overload, peak)."""
    data, slots = case.data, case.target.shape[1]
    w, a, headroom = case.weight[f], case.target[f], data.headroom[f]
    on = case.active[f]
    eye, none = np.eye(slots), np.zeros((slots, slots))
    one, nil = np.ones((slots, 1)), np.zeros((slots, 1))
    rows = [
        np.hstack([eye, -eye, nil]),  # Z - over <= H
        np.hstack([none, -eye, nil]),  # over >= 0
        np.hstack([none, eye, -one]),  # over <= peak
        np.hstack([eye, none, nil])[~on],  # Z = 0 where inactive
        np.hstack([-eye, none, nil])[~on],
    ]
    off = np.zeros((~on).sum())
    bounds = [headroom, np.zeros(slots), np.zeros(slots), off, off]
    if data.hard[f]:
        rows.append(np.hstack([eye, none, nil])[on])
        bounds.append(headroom[on])
    quadratic = np.concatenate([w, np.full(slots, data.quadratic[f]), [0.0]])
    linear = np.concatenate(
        [data.energy[f] - w * a, np.full(slots, data.linear[f]), [data.kappa[f]]]
    )
    x = quadratic_program(quadratic, linear, np.vstack(rows), np.concatenate(bounds))
    return x[:slots]


def conjugate_by_program(data: FeederTermsData, f: int, price, reach=1e4) -> float:
    """max price.P - g_f(P) over |P - H| <= reach, by clarabel and the formula."""
    slots = len(price)
    headroom = data.headroom[f]
    eye, none = np.eye(slots), np.zeros((slots, slots))
    one, nil = np.ones((slots, 1)), np.zeros((slots, 1))
    rows = np.vstack(
        [
            np.hstack([eye, -eye, nil]),
            np.hstack([none, -eye, nil]),
            np.hstack([none, eye, -one]),
            np.hstack([eye, none, nil]),
            np.hstack([-eye, none, nil]),
        ]
    )
    highest = headroom + (0 if data.hard[f] else reach)
    bounds = np.concatenate([headroom, np.zeros(2 * slots), highest, reach - headroom])
    quadratic = np.concatenate([nil[:, 0], np.full(slots, data.quadratic[f]), [0.0]])
    linear = np.concatenate(
        [data.energy[f] - price, np.full(slots, data.linear[f]), [data.kappa[f]]]
    )
    load = quadratic_program(quadratic, linear, rows, bounds)[:slots]
    return float(price @ load - value_of(data, f, load))
