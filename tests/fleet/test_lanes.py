"""Lanes are filled without overlap, and nearly to the brim."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from macjax.fleet.lanes import fill_lanes


def check(length, rows):
    """Every vehicle lies in its lane, and no two in the same rows."""
    found = fill_lanes(length, rows)
    has = length > 0
    assert np.all((found.lane >= 0) == has)
    assert np.all(found.first_row[has] + length[has] <= rows)
    used = np.zeros((found.count, rows), int)
    row = np.repeat(found.first_row, length) + np.arange(length.sum())
    row -= np.repeat(np.cumsum(length) - length, length)
    np.add.at(used, (np.repeat(found.lane, length), row), 1)
    assert used.max(initial=0) <= 1
    assert np.all(used.any(axis=1))
    return found


@given(st.lists(st.integers(0, 12), max_size=60), st.integers(12, 40))
def test_no_overlap_and_no_empty_lane(lengths, rows):
    length = np.array(lengths, np.int64)
    found = check(length, rows)
    # First fit of falling sizes needs at most 11/9 of the best, plus one.
    least = -(-length.sum() // rows)
    assert least <= found.count <= max(2 * least, 1)


@pytest.mark.parametrize("rows", [32, 64])
def test_lanes_are_nearly_full(rows):
    rng = np.random.default_rng(0)
    for longest in (rows // 8, rows // 4, rows // 2):
        length = rng.integers(0, longest + 1, 5000)
        found = check(length, rows)
        assert found.count <= 1.03 * length.sum() / rows + 2


def test_the_order_of_vehicles_does_not_matter():
    rng = np.random.default_rng(1)
    length = rng.integers(0, 20, 1000)
    count = fill_lanes(length, 32).count
    assert {fill_lanes(rng.permutation(length), 32).count for _ in range(5)} == {count}


def test_few_and_none():
    assert fill_lanes(np.zeros(0, np.int64), 16).count == 0
    assert fill_lanes(np.zeros(3, np.int64), 16).count == 0
    one = check(np.array([16]), 16)
    assert (one.count, one.lane[0], one.first_row[0]) == (1, 0, 0)
    assert check(np.array([9, 9, 9]), 16).count == 3
    assert check(np.array([8, 8, 9]), 16).count == 2


def test_a_million_vehicles_take_no_loop():
    """Measured: 0.1 s; a loop over vehicles would take many times the limit."""
    length = np.random.default_rng(2).integers(1, 50, 1_000_000)
    began = time.monotonic()
    fill_lanes(length, 64)
    assert time.monotonic() - began < 5
