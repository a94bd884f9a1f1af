"""One ADMM iteration: its fixed points, its prices, and its penalties."""

import re

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from solver_cases import (
    SEEDS,
    no_shadow,
    packed,
    padded,
    random_energy,
    random_price,
    scenario_of,
)

from macjax import EnergyCost, OverloadEnergy, PeakOverload, synthetic
from macjax.fleet.unpack import energies_of
from macjax.scenario.plan import Plan
from macjax.solvers import admm
from macjax.solvers.mac import admm_chunk, feasible_start, fleet_load


@eqx.filter_jit
def step(problem, state):
    """An iteration that gives its schedule too."""
    return admm.step(problem, state, jnp.zeros_like(state.relaxed))


begin = eqx.filter_jit(admm.begin)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stretch", [0.1, 1.0, 30.0])
def test_an_optimum_is_a_fixed_point(seed, stretch):
    """Schedule and duals of HiGHS stay where they are, whatever the penalties."""
    scenario = scenario_of(seed)
    whole, problem = packed(scenario, PeakOverload())
    best = oracles.solve_lp(scenario)
    plan = Plan.of(*(best.plan[name].to_numpy() for name in ("stay", "slot", "kw")))
    energy = jnp.asarray(energies_of(scenario, whole, plan))
    rng = np.random.default_rng(seed)
    noise = np.exp(rng.normal(size=problem.mass.shape))
    rho = stretch * admm.start_rho(problem) * noise
    price = jnp.where(problem.active, padded(whole, best.prices), 0)
    load = fleet_load(problem, energy)
    zero = jnp.zeros((), jnp.int32)
    state = admm.AdmmState(energy, no_shadow(problem), load, price / rho, rho, zero)
    for _ in range(3):
        state, found, found_load = step(problem, state)
        for ours, given in zip(found, energy, strict=True):
            np.testing.assert_allclose(ours, given, atol=1e-6)
        np.testing.assert_allclose(state.price, price, atol=1e-6 * price.max())
        np.testing.assert_allclose(found_load, load, atol=1e-6 * load.max())
    assert int(state.iteration) == 3


@pytest.mark.parametrize("seed", SEEDS)
def test_iterates_serve_every_trip_and_load_is_theirs(seed):
    """u is feasible in each iteration: the projection leaves it where it is."""
    _, problem = packed(scenario_of(seed), PeakOverload())
    state = begin(problem, random_energy(problem, seed), random_price(problem, seed))
    for _ in range(4):
        state, energy, load = step(problem, state)
        np.testing.assert_allclose(load, fleet_load(problem, energy), atol=1e-9)
        again = feasible_start(problem, energy)
        for ours, projected in zip(energy, again, strict=True):
            np.testing.assert_allclose(ours, projected, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "objective",
    [
        PeakOverload(),
        OverloadEnergy(2.0),
        PeakOverload() + OverloadEnergy(1.0) + EnergyCost(0.2),
        EnergyCost(-0.2),
    ],
)
def test_prices_are_in_the_dual_domain(seed, objective):
    """Not below the energy price; what is above it fits kappa and the slope."""
    _, problem = packed(scenario_of(seed), objective)
    terms, active = problem.terms, np.asarray(problem.active)
    state = begin(problem, random_energy(problem, seed), random_price(problem, seed))
    for _ in range(6):
        state, _, _ = step(problem, state)
        margin = np.where(active, state.price - terms.energy, 0.0)
        size = 1e-9 * (np.abs(terms.energy).max() + terms.kappa.max() + 1)
        assert margin.min() >= -size
        over = np.maximum(margin - np.asarray(terms.linear)[:, None], 0.0)
        assert (over.sum(axis=1) <= np.asarray(terms.kappa) + size).all()


def test_converges_on_its_own():
    """200 plain iterations bring the loads of two starts together."""
    scenario = scenario_of(0)
    _, problem = packed(scenario, PeakOverload())
    best = oracles.solve_lp(scenario).optimum
    for seed in (1, 2):
        energy, price = random_energy(problem, seed), random_price(problem, seed)
        state = begin(problem, energy, price)
        for _ in range(200):
            state, energy, load = step(problem, state)
        peak = jnp.maximum(load - problem.terms.headroom, 0).max(axis=1)
        assert float((problem.terms.kappa * peak).sum()) <= 1.02 * best


@pytest.mark.parametrize(("costs", "power"), [(1000.0, 1.0), (1.0, 7.0), (3.0, 1e-2)])
def test_penalties_have_the_unit_of_the_data(costs, power):
    """rho is currency per kW and kWh: it scales with both units."""
    scenario = scenario_of(0)
    _, problem = packed(scenario, PeakOverload())
    _, dearer = packed(scenario, PeakOverload(costs_times(scenario, costs)))
    scaled = eqx.tree_at(lambda p: p.mean_limit, dearer, dearer.mean_limit * power)
    active = np.asarray(problem.active)
    ratio = np.asarray(admm.start_rho(scaled) / admm.start_rho(problem))
    np.testing.assert_allclose(ratio[active], costs / power, rtol=1e-12)


def costs_times(scenario, factor: float) -> dict:
    """The upgrade costs times a factor, by feeder."""
    feeders = scenario.feeders
    costs = feeders["upgrade_cost_per_kw"].to_numpy(float) * factor
    return dict(zip(feeders["feeder_id"].tolist(), costs.tolist(), strict=True))


def test_adapting_keeps_the_prices():
    """Penalties follow the prices and do not change them."""
    _, problem = packed(scenario_of(1), PeakOverload())
    state = begin(problem, random_energy(problem, 0), random_price(problem, 0))
    least = admm.start_rho(problem)
    adapted = admm.adapt(problem, state)
    np.testing.assert_allclose(adapted.price, state.price, rtol=1e-12)
    assert (adapted.rho >= admm.LEAST_SHARE * least * (1 - 1e-12)).all()


def test_an_iteration_is_the_same_without_its_schedule():
    """Leaving u out changes nothing else."""
    _, problem = packed(scenario_of(1), PeakOverload())
    state = begin(problem, random_energy(problem, 0), random_price(problem, 0))
    one, _, load = step(problem, state)
    other, none, same = eqx.filter_jit(admm.step)(problem, state)
    assert none is None
    np.testing.assert_allclose(same, load, rtol=1e-12)
    np.testing.assert_allclose(other.relaxed, one.relaxed, atol=1e-12)
    np.testing.assert_allclose(other.dual, one.dual, rtol=1e-12)


def test_no_block_costs_a_copy_of_the_fleet():
    """What a pass over blocks reads it does not write, or XLA copies it for each."""
    scenario = synthetic.fleet(400, 96, kind="hard", seed=0)
    _, problem = packed(scenario, PeakOverload())
    shape = problem.fleet.shape
    assert shape[0] > 1
    energy = jnp.zeros(shape)
    state = begin(problem, energy, jnp.zeros_like(problem.mass))
    program = admm_chunk.lower(problem, state, jnp.asarray(2, jnp.int32)).compile()
    whole = f"f64[{','.join(map(str, shape))}]"
    parts = re.split(r"^}$", program.as_text(), flags=re.MULTILINE)
    loops = [p for p in parts if "scatter" in p and f"{whole}{{3,2,1,0}} fusion(" in p]
    assert loops
    for loop in loops:
        copies = re.findall(rf"= {re.escape(whole)}\S* copy\(.*", loop)
        assert not copies
