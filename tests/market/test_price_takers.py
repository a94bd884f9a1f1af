"""Best responses are optimal, feasible, and take ties earliest."""

import numpy as np
import pandas as pd
import pytest
from market_cases import KINDS, SEEDS, frame_of, nasty, prices_of, same_schedule
from response_oracle import Program

import macjax
from macjax.certificate import Certifier
from macjax.objectives.compile import FeederTermsData

EXACT = 1e-9


def own_costs(scenario, seed: int, **scales) -> dict:
    """A random amount for every vehicle, 0 for a few of them."""
    rng = np.random.default_rng([seed, 5])
    count = len(scenario.vehicles)
    return {
        name: scale * rng.exponential(1.0, count) * (rng.random(count) < 0.8)
        for name, scale in scales.items()
    }


def by_vehicle(scenario, values) -> pd.Series:
    return pd.Series(values, index=scenario.vehicles["vehicle_id"].to_numpy())


def respond(scenario, table, **own):
    cost = None
    if own:
        named = {k: by_vehicle(scenario, v) for k, v in own.items()}
        cost = macjax.OwnCost(**named)
    return macjax.best_response(scenario, frame_of(scenario, table), cost)


def assert_feasible(scenario, schedule) -> None:
    found = macjax.certify(scenario, schedule)
    assert found.max_violation_kwh <= 1e-8, found.message


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_schedule_is_cheaper(kind, seed):
    """By HiGHS, vehicle by vehicle."""
    scenario = nasty(seed)
    program = Program(scenario, prices_of(scenario, kind, seed))
    schedule = respond(scenario, prices_of(scenario, kind, seed))
    assert_feasible(scenario, schedule)
    ours = program.costs(program.energies(schedule, scenario))
    best = program.costs(program.by_simplex())
    size = np.abs(best).max(initial=0.0) + 1
    np.testing.assert_allclose(ours, best, rtol=0, atol=1e-7 * size)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_ties_are_taken_earliest(kind, seed):
    """The same schedule as the baseline's, which ranks each vehicle's hours."""
    scenario = nasty(seed)
    prices = frame_of(scenario, prices_of(scenario, kind, seed))
    expected = macjax.baselines.time_of_use(scenario, prices).schedule()
    schedule = macjax.best_response(scenario, prices)
    assert same_schedule(schedule, expected) <= 1e-7


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ("random", "ties", "signs"))
def test_costs_of_energy_move_the_price(kind, seed):
    scenario = nasty(seed)
    table = prices_of(scenario, kind, seed)
    own = own_costs(scenario, seed, linear=0.5)
    program = Program(scenario, table, **own)
    schedule = respond(scenario, table, **own)
    assert_feasible(scenario, schedule)
    ours = program.costs(program.energies(schedule, scenario))
    best = program.costs(program.by_simplex())
    np.testing.assert_allclose(ours, best, rtol=0, atol=1e-7 * np.abs(best).max())


CURVED = {
    "degradation": dict(quadratic=0.05, linear=0.3),
    "demand": dict(demand=0.02),
    "smoothing": dict(smoothing=0.1),
    "a little": dict(quadratic=1e-4),
    "benefit": dict(benefit=0.05, energy_kwh=40.0),
    "benefit, cost of energy": dict(benefit=0.3, energy_kwh=20.0, linear=0.5),
    "all": dict(quadratic=0.05, linear=0.3, demand=0.02, benefit=0.1, energy_kwh=30.0),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ("random", "signed ties"))
@pytest.mark.parametrize("name", CURVED)
def test_own_costs_count(name, kind, seed):
    """By clarabel, vehicle by vehicle; some vehicles have none of a cost."""
    scenario = nasty(seed)
    table = prices_of(scenario, kind, seed)
    own = own_costs(scenario, seed, **CURVED[name])
    program = Program(scenario, table, **own)
    schedule = respond(scenario, table, **own)
    assert_feasible(scenario, schedule)
    ours = program.costs(program.energies(schedule, scenario))
    best = program.costs(program.by_interior_points())
    # clarabel's points may leave their bounds by a little, and be cheaper by it.
    size = np.abs(best).max() + 1
    np.testing.assert_allclose(ours, best, rtol=0, atol=2e-6 * size)
    assert (ours <= best + 2e-7 * size).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("epsilon", (0.0, 0.02))
def test_costs_are_those_of_the_certificate(seed, epsilon):
    """Its dual bound, from the raw tables by other code, is their sum."""
    scenario = nasty(seed)
    table = prices_of(scenario, "random", seed)
    feeders, slots = table.shape
    terms = FeederTermsData(
        kappa=np.zeros(feeders),
        linear=np.zeros(feeders),
        quadratic=np.zeros(feeders),
        hard=np.ones(feeders, bool),  # any price will do
        energy=np.full(table.shape, -1e-300),  # no objective is known to be >= 0
        headroom=np.zeros(table.shape),
        tolerance=np.zeros(table.shape),
        epsilon=epsilon,
    )
    certifier = Certifier(scenario, terms=terms)
    used = np.where(certifier.active, table, 0.0)
    room = certifier.prices(used) * certifier.terms.bound_headroom
    bound = certifier.bound(used) + float(room.sum())
    own = macjax.OwnCost(smoothing=epsilon)
    schedule = macjax.best_response(scenario, frame_of(scenario, used), own)
    program = Program(scenario, used, smoothing=epsilon)
    cost = program.costs(program.energies(schedule, scenario)) @ program.weight
    assert abs(cost - bound) <= 1e-9 * (1 + abs(cost))
