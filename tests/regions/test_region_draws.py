"""Draws that belong to ids: SplitMix64 by slow whole numbers, moments, independence."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from macjax.regions.draws import Draws

WORD = 2**64


def splitmix(state: int) -> int:
    """Finaliser of SplitMix64, by whole numbers."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) % WORD
    return state ^ (state >> 31)


def slow_bits(seed: int, what: str, *keys: int) -> int:
    state = seed % WORD
    for key in (zlib.crc32(what.encode()), *keys):
        state = splitmix((state + (key % WORD + 1) * 0x9E3779B97F4A7C15) % WORD)
    return state


def test_splitmix_gives_the_published_numbers():
    # First outputs of the reference program seeded with 1234567
    state, golden = 1234567, 0x9E3779B97F4A7C15
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    found = [splitmix((state + (k + 1) * golden) % WORD) for k in range(3)]
    assert found == expected


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3),
)
def test_bits_are_those_of_slow_whole_numbers(seed, keys):
    found = Draws(seed).bits("home", *keys)
    assert found.tolist() == [slow_bits(seed, "home", *keys)]


def test_a_draw_does_not_depend_on_its_neighbours():
    draws, ids = Draws(5), np.arange(1000)
    together = draws.uniform("x", ids)
    order = np.random.default_rng(0).permutation(1000)
    np.testing.assert_array_equal(draws.uniform("x", ids[order]), together[order])
    assert draws.uniform("x", 7)[0] == together[7]
    table = draws.uniform("x", ids[:, None], np.arange(3))
    np.testing.assert_array_equal(table[:, 2], draws.uniform("x", ids, 2))


@pytest.mark.parametrize("names", [("a", "b"), ("home x", "home y")])
def test_names_and_seeds_give_independent_numbers(names):
    ids = np.arange(20_000)
    columns = [Draws(1).uniform(n, ids) for n in names] + [Draws(2).uniform("a", ids)]
    for column in columns:
        assert 0 <= column.min() and column.max() < 1
        assert column.mean() == pytest.approx(0.5, abs=0.01)
        assert column.std() == pytest.approx(12**-0.5, abs=0.01)
    correlation = np.corrcoef(columns) - np.eye(3)
    assert np.abs(correlation).max() < 0.03


def test_normal_numbers_have_the_moments_and_tails_of_one():
    x = Draws(3).normal("z", np.arange(50_000))
    assert np.isfinite(x).all()
    assert x.mean() == pytest.approx(0, abs=0.02)
    assert x.std() == pytest.approx(1, abs=0.02)
    assert np.mean(np.abs(x) > 1.96) == pytest.approx(0.05, abs=0.005)
