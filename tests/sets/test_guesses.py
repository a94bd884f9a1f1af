"""A guess of the shadow prices never changes the answer; a good one saves passes."""

import numpy as np
import pytest
from tube_oracle import KINDS, SHAPES, random_chain, residuals
from tube_solve import answer, guesses

from macjax.sets.soc_tube import MAX_PASSES

# A wrong guess costs at most a few passes more than none; measured 35.
FEW_PASSES = 60


@pytest.mark.parametrize("shape", [(1, 1), (5, 4), (12, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_optimality_conditions_hold_from_any_guess(kind, shape):
    chain, _ = random_chain(kind, 20, *shape)
    right, u, _ = answer(chain, guess=np.zeros((shape[0], 64)))
    for name, guess in guesses(chain, right, 0).items():
        shadow, found, passes = answer(chain, guess=guess)
        assert residuals(chain, found, shadow).worst(chain.rounding()) < 4e-15, name
        error = np.abs(found - u).max((0, 1))
        assert np.all(error <= 8e-15 * chain.rounding()), name
        assert passes < FEW_PASSES, name


@pytest.mark.parametrize("kind", ["plain", "spread_gain", "tight"])
def test_optimality_conditions_hold_on_seven_hundred_opportunities(kind):
    for shape in ((700, 1), (44, 16)):
        chain, _ = random_chain(kind, 21, *shape)
        right, _, _ = answer(chain, guess=np.zeros((shape[0], 64)))
        for name, guess in guesses(chain, right, 1).items():
            shadow, u, passes = answer(chain, guess=guess)
            found = residuals(chain, u, shadow)
            assert found.worst(chain.rounding()) < 4e-15, name
            assert found.worst(1.0) < 1e-9, name
            assert passes < MAX_PASSES, name


@pytest.mark.parametrize("kind", ["plain", "same_gain", "lower_only", "no_room"])
def test_the_answer_as_a_guess_takes_few_passes(kind):
    for shape in SHAPES:
        chain, _ = random_chain(kind, 22, *shape)
        right, _, _ = answer(chain, guess=np.zeros((shape[0], 64)))
        _, _, passes = answer(chain, guess=right)
        assert passes <= 3


def test_a_guess_from_the_iteration_before_saves_passes():
    chain, _ = random_chain("plain", 23, 12, 4)
    rng = np.random.default_rng(0)
    zero = np.zeros((12, 64))
    shadow, _, cold = answer(chain, guess=zero)
    warm = []
    for _ in range(10):
        moved = chain.center + 1e-3 * rng.normal(0, 1, chain.center.shape)
        chain = chain._replace(center=moved)
        _, u, cold = answer(chain, guess=zero)
        shadow, found, passes = answer(chain, guess=shadow)
        np.testing.assert_allclose(found, u, rtol=0, atol=1e-11)
        warm.append(passes - cold)
    assert np.mean(warm) < -2


def test_a_bad_guess_stays_with_its_vehicle():
    chain, _ = random_chain("plain", 24, 5, 4)
    right, alone, _ = answer(chain, guess=np.zeros((5, 64)))
    others = np.arange(64) != 9
    for value in (np.nan, np.inf, -1e300):
        guess = right.copy()
        _, with_right, _ = answer(chain, guess=right)
        guess[2, 9] = value
        _, u, _ = answer(chain, guess=guess)
        np.testing.assert_array_equal(u[..., others], with_right[..., others])
    np.testing.assert_allclose(with_right, alone, rtol=0, atol=1e-12)


def test_empty_tubes_with_a_guess_harm_nobody():
    chain, _ = random_chain("plain", 25, 5, 4)
    right, _, _ = answer(chain, guess=np.zeros((5, 64)))
    lower, upper = chain.lower.copy(), chain.upper.copy()
    lower[2, 0], upper[:, 0] = 1e6, np.inf
    lower[:, 1], upper[:, 1] = -np.inf, -2.0
    lower[3, 2], upper[3, 2] = 9.0, 1.0
    broken = chain._replace(lower=lower, upper=upper)
    for guess in guesses(chain, right, 2).values():
        _, alone, _ = answer(chain, guess=guess)
        shadow, u, passes = answer(broken, guess=guess)
        assert np.all(np.isfinite(shadow))
        np.testing.assert_allclose(
            u[:3, :, 0], chain.most[:3, :, 0], rtol=0, atol=1e-13
        )
        np.testing.assert_allclose(u[..., 1], 0, rtol=0, atol=1e-14)
        np.testing.assert_allclose(u[..., 3:], alone[..., 3:], rtol=0, atol=1e-12)
        assert passes < MAX_PASSES


@pytest.mark.parametrize("kind", ["plain", "tight", "equal"])
def test_float32_from_any_guess(kind):
    chain, _ = random_chain(kind, 26, 12, 2)
    chain = chain.astype(np.float32).astype(np.float64)
    zero = np.zeros((12, 64))
    right, u, _ = answer(chain, guess=zero)
    path = np.cumsum(u.sum(1), axis=0)
    for name, guess in guesses(chain, right, 3).items():
        _, narrow, passes = answer(chain, np.float32, guess)
        reached = np.cumsum(narrow.astype(np.float64).sum(1), axis=0)
        error = np.abs(reached - path).max(0)
        assert np.all(error <= 64 * 2.0**-23 * chain.rounding()), name
        assert passes < FEW_PASSES, name
