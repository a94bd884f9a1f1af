"""The bound on the device is the certificate's, and never above the optimum."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from solver_cases import SEEDS, packed, padded, scenario_of

from macjax import (
    EnergyCost,
    FeederCapacity,
    OverloadEnergy,
    PeakOverload,
    Smoothing,
    SquaredOverload,
)
from macjax.certificate import Certifier
from macjax.solvers.bound import dual_bound

bound_of = eqx.filter_jit(dual_bound)

LINEAR = {
    "peak": PeakOverload(),
    "overload": OverloadEnergy(2.0),
    "squared": SquaredOverload(0.1),
    "energy": PeakOverload() + EnergyCost(-0.1),
    "everything": PeakOverload() + OverloadEnergy(1.0) + SquaredOverload(0.2),
}
SMOOTH = {
    "smoothing": Smoothing(0.3),
    "peak, smoothing": PeakOverload() + Smoothing(0.01),
    "energy, smoothing": EnergyCost(0.2) + Smoothing(0.05),
}


def tables(terms, seed: int) -> list[np.ndarray]:
    """Prices of all sorts: none, random, tied, sparse, negative, far too large, and
    at last some that are no numbers."""
    rng = np.random.default_rng(seed)
    shape = terms.energy.shape
    size = (terms.kappa + terms.linear + 0.1)[:, None] / shape[1]
    noise = size * rng.exponential(1.0, shape)
    out = [
        np.zeros(shape),
        noise,
        np.round(4 * rng.random(shape)) * size,
        np.where(rng.random(shape) < 0.1, 10 * noise, 0.0),
        size * rng.normal(size=shape),
        1e6 * noise,
    ]
    wrong = noise.copy()
    wrong[0, :3] = np.nan, np.inf, -np.inf
    return [table + terms.energy for table in [*out, wrong]]


def assert_same_bound(scenario, objective, seed: int) -> None:
    """For each price table, at the prices that the device makes of it."""
    whole, problem = packed(scenario, objective)
    certifier = Certifier(scenario, objective)
    for table in tables(certifier.terms, seed)[:-1]:
        bound, prices = bound_of(problem, padded(whole, table))
        used = np.asarray(prices)[: whole.feeders]
        headroom = np.abs(certifier.terms.headroom)
        size = abs(float(bound)) + (np.abs(used) * headroom).sum()
        expected = certifier.bound(used)
        ours = float(bound)
        if certifier.terms.nonnegative:
            ours = max(ours, 0.0)
        assert abs(ours - expected) <= 1e-9 * size
        # The certificate takes these prices as they are.
        np.testing.assert_allclose(
            certifier.prices(used), used, rtol=1e-9, atol=1e-9 * np.abs(used).max()
        )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LINEAR)
def test_equals_the_certificate(name, seed):
    """To 1e-9 of the size of the numbers that are added up."""
    assert_same_bound(scenario_of(seed), LINEAR[name], seed)


@pytest.mark.parametrize("seed", SEEDS[:2])
@pytest.mark.parametrize("name", SMOOTH)
def test_equals_the_certificate_with_smoothing(name, seed):
    """The shadow prices are real numbers then."""
    assert_same_bound(scenario_of(seed), SMOOTH[name], seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LINEAR)
def test_prices_that_are_no_numbers(name, seed):
    """They cost bound and no validity: the bound is a number, and one of the
    certificate for the prices that it comes with."""
    scenario, objective = scenario_of(seed), LINEAR[name]
    whole, problem = packed(scenario, objective)
    certifier = Certifier(scenario, objective)
    table = tables(certifier.terms, seed)[-1]
    bound, prices = bound_of(problem, padded(whole, table))
    assert jnp.isfinite(prices).all()
    best = certifier.bound(np.asarray(prices)[: whole.feeders])
    assert float(bound) <= best + 1e-9 * abs(best)


def test_some_cells_are_over_their_capacity_with_nobody_there():
    """The cases above include the floor under the peak."""
    floors = []
    for seed in SEEDS:
        _, problem = packed(scenario_of(seed), PeakOverload())
        floors.append(bool(((problem.terms.headroom < 0) & ~problem.active).any()))
    assert any(floors)


@pytest.mark.parametrize("seed", SEEDS)
def test_never_above_the_optimum(seed):
    """Of HiGHS, for any prices; and at its own duals the bound is the optimum."""
    scenario = scenario_of(seed)
    whole, problem = packed(scenario, PeakOverload())
    best = oracles.solve_lp(scenario)
    certifier = Certifier(scenario, PeakOverload())
    for table in [*tables(certifier.terms, seed), best.prices]:
        bound, _ = bound_of(problem, padded(whole, table))
        assert float(bound) <= best.optimum * (1 + 1e-9)
    assert float(bound) == pytest.approx(best.optimum, rel=1e-7)


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_hard_limits(seed):
    """Any positive price is in the domain: the bound is finite, and the certificate's
    is not above it by more than rounding."""
    scenario = scenario_of(seed)
    objective = FeederCapacity() + EnergyCost(0.1)
    whole, problem = packed(scenario, objective)
    certifier = Certifier(scenario, objective)
    for table in tables(certifier.terms, seed):
        bound, prices = bound_of(problem, padded(whole, table))
        assert jnp.isfinite(bound) and (prices >= problem.terms.energy).all()


def test_float32_is_near(seed=0):
    """Steering needs some digits: 1e-4 of the size of the numbers."""
    scenario = scenario_of(seed)
    _, wide = packed(scenario, PeakOverload())
    whole, narrow = packed(scenario, PeakOverload(), np.float32)
    certifier = Certifier(scenario, PeakOverload())
    for table in tables(certifier.terms, seed)[:5]:
        price = padded(whole, table)
        exact, used = bound_of(wide, price)
        near, _ = bound_of(narrow, price.astype(np.float32))
        size = abs(float(exact)) + float(jnp.abs(used * wide.terms.headroom).sum())
        assert abs(float(near) - float(exact)) <= 1e-4 * size
