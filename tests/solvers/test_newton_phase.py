"""The merit of the Newton phase: its gradient, its Hessian, and a step uphill."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from solver_cases import (
    SEEDS,
    evaluate,
    no_shadow,
    packed,
    padded,
    proximal_state,
    random_price,
    scenario_of,
)

from macjax import PeakOverload, Smoothing, SquaredOverload
from macjax.fleet.unpack import energies_of
from macjax.objectives.feeder import value
from macjax.objectives.sensitivity import apply_prox_derivative
from macjax.scenario.plan import Plan
from macjax.solvers import admm, newton
from macjax.solvers.mac import fleet_load

OBJECTIVES = {
    "peak": PeakOverload(),
    "peak, squared": PeakOverload() + SquaredOverload(0.1),
    "peak, smoothing": PeakOverload() + Smoothing(0.05),
}
proximal_step = eqx.filter_jit(newton.proximal_step)


@eqx.filter_jit
def hessian_product(problem, state, at, direction):
    """A J A' p and D p apart."""
    curves, _ = newton.curvature(problem, state, at)
    tau = jnp.where(problem.active, problem.mass, 1) * state.gain
    fleet = newton.apply_curvature(problem, curves, direction)
    return fleet, apply_prox_derivative(at.derivative, tau * direction)


@pytest.fixture(scope="module", params=[(n, s) for n in OBJECTIVES for s in SEEDS[:2]])
def point(request):
    """A problem, a proximal point, and the evaluation at random prices."""
    name, seed = request.param
    with jax.enable_x64(True):
        _, problem = packed(scenario_of(seed), OBJECTIVES[name])
        state = proximal_state(problem, seed)
        at = evaluate(problem, state, state.price, state.shadow)
    return problem, state, at


def merit(problem, state, price) -> float:
    """psi at a price table."""
    return float(evaluate(problem, state, price, no_shadow(problem)).merit)


def test_gradient_by_differences(point):
    """Central differences in random directions of the active cells."""
    problem, state, at = point
    rng = np.random.default_rng(5)
    size = float(jnp.abs(state.price).max())
    for _ in range(5):
        direction = rng.normal(size=state.price.shape) * np.asarray(problem.active)
        h = 1e-6 * size
        up = merit(problem, state, state.price + h * direction)
        down = merit(problem, state, state.price - h * direction)
        slope = float((at.gradient * direction).sum())
        scale = float(jnp.abs(at.gradient * direction).sum())
        assert abs((up - down) / (2 * h) - slope) <= 1e-4 * scale


def test_merit_is_concave(point):
    """Halfway between two price tables it is at least the mean."""
    problem, state, _ = point
    for seed in range(4):
        one, two = (random_price(problem, 2 * seed + k) for k in (0, 1))
        middle = merit(problem, state, 0.5 * (one + two))
        mean = 0.5 * (merit(problem, state, one) + merit(problem, state, two))
        assert middle >= mean - 1e-9 * (abs(middle) + abs(mean))


def test_hessian_by_differences(point):
    """The load falls by A J A' and the copies rise by D: all columns, densely."""
    problem, state, at = point
    cells = np.flatnonzero(np.asarray(problem.active).ravel())
    h = 1e-7 * float(jnp.abs(state.price).max())
    ours, found = [], []
    for cell in cells:
        direction = jnp.zeros(state.price.size).at[cell].set(1.0)
        direction = direction.reshape(state.price.shape)
        fleet, copies = hessian_product(problem, state, at, direction)
        ours.append(np.asarray(fleet + copies).ravel()[cells])
        ends = [
            evaluate(problem, state, state.price + sign * h * direction, at.shadow)
            for sign in (1, -1)
        ]
        change = (ends[1].gradient - ends[0].gradient) / (2 * h)
        found.append(np.asarray(change).ravel()[cells])
    ours, found = np.array(ours), np.array(found)
    size = np.abs(found).max()
    assert size > 0
    # Where a limit or a bound of the tube lies within h the difference is of a kink.
    far = np.abs(ours - found).max(axis=1) > 1e-4 * size
    assert far.mean() <= 0.02
    np.testing.assert_allclose(ours, ours.T, atol=1e-9 * size)
    assert np.linalg.eigvalsh(0.5 * (ours + ours.T)).min() >= -1e-9 * size


def test_fleet_part_is_positive_semidefinite(point):
    """Of A J A' alone, and its diagonal is what preconditions CG."""
    problem, state, at = point
    cells = np.flatnonzero(np.asarray(problem.active).ravel())
    columns = []
    for cell in cells:
        direction = jnp.zeros(state.price.size).at[cell].set(1.0)
        fleet, _ = hessian_product(
            problem, state, at, direction.reshape(state.price.shape)
        )
        columns.append(np.asarray(fleet).ravel()[cells])
    matrix = np.array(columns)
    size = np.abs(matrix).max()
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-10 * size)
    assert np.linalg.eigvalsh(matrix).min() >= -1e-10 * size
    _, diagonal = newton.curvature(problem, state, at)
    # A vehicle with two opportunities of one run in a cell makes the true one smaller.
    ours = np.asarray(diagonal).ravel()[cells]
    assert (ours >= np.diag(matrix) - 1e-9 * size).all()


def test_a_step_goes_uphill(point):
    """The merit does not fall, or the gradient does; the load is the schedule's."""
    problem, state, at = point
    new, report = proximal_step(problem, state)
    end = evaluate(problem, state, new.price, new.shadow)
    kept = float(end.merit) >= float(at.merit) - 1e-12 * abs(float(at.merit))
    assert kept or float(end.norm) <= 0.9 * float(at.norm)
    assert float(end.norm) == pytest.approx(float(report.last_norm), rel=1e-9)
    assert float(report.first_norm) == pytest.approx(float(at.norm), rel=1e-9)
    assert 1 <= int(report.newton) <= newton.NEWTON_STEPS
    np.testing.assert_allclose(new.load, fleet_load(problem, new.energy), atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_converge(seed):
    """From a random schedule and prices of zero, with parameters that grow."""
    scenario = scenario_of(seed)
    _, problem = packed(scenario, PeakOverload())
    best = oracles.solve_lp(scenario).optimum
    state = proximal_state(problem, seed)
    state = dataclasses.replace(state, price=jnp.zeros_like(state.price))
    for _ in range(40):
        state, report = proximal_step(problem, state)
        solved = report.last_norm <= newton.INNER_DROP * report.first_norm
        gain = state.gain * jnp.where(solved, 1.5, 0.7)
        state = dataclasses.replace(state, gain=gain, damping=jnp.asarray(1e-2))
    cost = float(value(problem.terms, state.load).sum())
    assert best * (1 - 1e-9) <= cost <= best * (1 + 1e-3)


@pytest.mark.parametrize("most", [0, 1, 2])
def test_most_steps(point, most):
    """No more Newton steps than allowed."""
    problem, state, _ = point
    _, report = proximal_step(problem, state, jnp.asarray(most, jnp.int32))
    assert int(report.newton) <= most


@pytest.mark.parametrize("seed", SEEDS)
def test_stays_at_an_optimum(seed):
    """At the schedule and duals of HiGHS the gradient is 0, whatever the gains."""
    scenario = scenario_of(seed)
    whole, problem = packed(scenario, PeakOverload())
    best = oracles.solve_lp(scenario)
    plan = Plan.of(*(best.plan[name].to_numpy() for name in ("stay", "slot", "kw")))
    energy = jnp.asarray(energies_of(scenario, whole, plan))
    load = fleet_load(problem, energy)
    np.testing.assert_allclose(load[: whole.feeders], best.loads, atol=1e-6)
    for stretch in (0.5, 5.0, 50.0):
        state = newton.ProximalState(
            energy,
            no_shadow(problem),
            load,
            padded(whole, best.prices),
            stretch / admm.start_rho(problem),
            jnp.asarray(1e-2),
        )
        at = evaluate(problem, state, state.price, state.shadow)
        assert float(jnp.abs(at.gradient).max()) <= 1e-6 * float(load.max())
        found = newton.schedule(problem, state, at)
        for ours, given in zip(found, energy, strict=True):
            np.testing.assert_allclose(ours, given, atol=1e-6)
