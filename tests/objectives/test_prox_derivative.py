"""The generalised Jacobian of the prox: finite differences, symmetry, bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feeder_cases import KINDS, Case, random_case

from macjax import objectives

prox, prox_derivative, apply_prox_derivative = (
    jax.jit(f)
    for f in (
        objectives.prox,
        objectives.prox_derivative,
        objectives.apply_prox_derivative,
    )
)


def derivative_of(case: Case):
    arrays = case.arrays()
    return prox_derivative(*arrays, prox(*arrays)[1])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", KINDS)
def test_finite_differences(kind, seed):
    rng = np.random.default_rng(seed)
    case = random_case(kind, seed, feeders=20)
    terms, target, weight, active = case.arrays()
    derivative = derivative_of(case)
    for _ in range(5):
        p = jnp.asarray(rng.normal(0, 1, target.shape))
        h = 1e-6
        after = prox(terms, target + h * p, weight, active)[0]
        before = prox(terms, target - h * p, weight, active)[0]
        np.testing.assert_allclose(
            apply_prox_derivative(derivative, p), (after - before) / (2 * h), atol=1e-6
        )


@pytest.mark.parametrize("kind", KINDS)
def test_symmetric_and_between_zero_and_one_in_the_weighted_norm(kind):
    rng = np.random.default_rng(0)
    case = random_case(kind, 1, feeders=30)
    derivative = derivative_of(case)
    p, q = (jnp.asarray(rng.normal(0, 1, case.target.shape)) for _ in range(2))
    dp, dq = (apply_prox_derivative(derivative, d) for d in (p, q))
    w = case.weight
    np.testing.assert_allclose(
        np.sum(w * q * dp, axis=1), np.sum(w * p * dq, axis=1), rtol=1e-9, atol=1e-9
    )
    energy = np.sum(w * p * dp, axis=1)
    assert np.all(energy >= np.sum(w * dp**2, axis=1) - 1e-12)


def test_diagonal_is_diagonal_plus_common():
    case = random_case("all", 2, feeders=3, slots=6)
    derivative = derivative_of(case)
    found = derivative.diagonal + derivative.common
    for t in range(6):
        unit = jnp.zeros((3, 6)).at[:, t].set(1)
        column = apply_prox_derivative(derivative, unit)
        np.testing.assert_allclose(column[:, t], found[:, t], rtol=1e-15)


def test_peak_by_hand():
    """Weights 1 and 2 on the clipped set move together by (p_1 + 2 p_2) / 3."""
    case = random_case("peak", 0, feeders=1, slots=3)
    data = case.data._replace(kappa=np.array([3.0]), headroom=np.full((1, 3), 10.0))
    target, weight = np.array([[13.0, 13.0, 4.0]]), np.array([[1.0, 2.0, 5.0]])
    derivative = derivative_of(Case(data, target, weight, np.ones((1, 3), bool)))
    moved = apply_prox_derivative(derivative, jnp.array([[3.0, 6.0, 7.0]]))
    np.testing.assert_allclose(moved, [[5.0, 5.0, 7.0]], rtol=1e-15)


def test_at_the_floor_the_clipped_set_stands_still():
    case = random_case("peak", 0, feeders=1, slots=2)
    data = case.data._replace(kappa=np.array([9.0]), headroom=np.full((1, 2), 10.0))
    target = np.array([[11.0, 4.0]])
    derivative = derivative_of(
        Case(data, target, np.ones((1, 2)), np.ones((1, 2), bool))
    )
    assert derivative.clipped.tolist() == [[True, False]]
    moved = apply_prox_derivative(derivative, jnp.array([[3.0, 7.0]]))
    np.testing.assert_array_equal(moved, [[0.0, 7.0]])


@pytest.mark.parametrize("kind", KINDS)
def test_float32_and_inactive_cells(kind):
    case = random_case(kind, 4)
    arrays = case.arrays(jnp.float32)
    derivative = prox_derivative(*arrays, prox(*arrays)[1])
    moved = apply_prox_derivative(derivative, jnp.ones_like(arrays[1]))
    assert moved.dtype == jnp.float32
    assert np.isfinite(moved).all()
    assert not np.asarray(moved)[~case.active].any()
