"""Loads of the cells against a bincount of all opportunities, and their accuracy."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from fleet_oracle import even_chains

from macjax.fleet.operators import cell_sums, flat, loads, unflat
from macjax.fleet.packing import pack
from macjax.synthetic import fleet

RANDOM = [(0, 0), (3, 0), (3, 1), (150, 0), (150, 1), (150, 2)]


def random_energies(packed, seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    limit = np.asarray(packed.batch.limit())
    return (limit * rng.random(limit.shape)).astype(dtype)


def counted(packed, energies):
    """sum of a_n u of each cell by bincount, shape (f, t) [kW]."""
    scale = np.asarray(packed.batch.scale, np.float64)[:, :, None]
    power = (scale * np.asarray(energies, np.float64)).ravel()
    row = np.bincount(np.asarray(packed.batch.cell()).ravel(), power, packed.cells)
    shape = packed.table_feeders, packed.slots
    return row[: shape[0] * shape[1]].reshape(shape)


def table_of(packed, dtype=np.float64):
    return jnp.zeros((packed.table_feeders, packed.slots), dtype)


@pytest.mark.parametrize(("evs", "seed"), RANDOM)
def test_loads_equal_a_bincount(evs, seed):
    packed = pack(fleet(evs, kind="random", seed=seed))
    energies = random_energies(packed, seed)
    found = loads(packed.batch, energies, table_of(packed))
    expected = counted(packed, energies)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert np.all(np.asarray(found)[packed.feeders :] == 0)


@pytest.mark.parametrize("kind", ["easy", "hard", "many_small"])
def test_loads_of_weekly_fleets(kind):
    packed = pack(fleet(400, kind=kind, seed=0))
    energies = random_energies(packed, 0)
    found = eqx.filter_jit(loads)(packed.batch, energies, table_of(packed))
    expected = counted(packed, energies)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("evs", "seed"), RANDOM)
def test_cell_sums(evs, seed):
    """M adds up a_n where something can be charged; the mean limit is weighted so."""
    packed = pack(fleet(evs, kind="random", seed=seed))
    mass, mean = cell_sums(packed.batch, table_of(packed))
    limits = np.asarray(packed.batch.limit())
    ones = (limits > 0).astype(float)
    expected = counted(packed, ones)
    np.testing.assert_allclose(mass, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(np.asarray(mass) > 0, expected > 0)
    weighted = np.asarray(mean) * expected
    np.testing.assert_allclose(weighted, counted(packed, limits), rtol=1e-12)
    assert np.all(np.asarray(mean)[expected == 0] == 0)


@pytest.mark.parametrize("spread", ["equal", "random", "mixed"])
def test_float32_adds_up_two_hundred_thousand_vehicles(spread):
    """Measured: 5e-8, the rounding of one number; a float32 sum loses 1e-3 here."""
    n = 200_000
    rng = np.random.default_rng(0)
    slot_kwh = {
        "equal": np.full(n, 7.2),
        "random": rng.uniform(1, 7, n),
        "mixed": 10 ** rng.uniform(-3, 2, n),
    }[spread]
    packed = pack(*even_chains(n, 1, 1, slot_kwh), np.float32)
    energies = packed.batch.limit()
    found = loads(packed.batch, energies, table_of(packed, np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, counted(packed, energies), rtol=1e-7)
    np.testing.assert_allclose(found[0, 0], slot_kwh.sum(), rtol=1e-6)


def test_not_a_number_stays_in_its_window():
    """A vehicle whose energy is no number spoils no cell but those of its pieces."""
    packed = pack(fleet(40, kind="random", seed=3))
    energies = random_energies(packed, 0)
    expected = counted(packed, energies)
    broken = energies.copy()
    block, piece, slot, lane = np.argwhere(energies > 0)[0]
    broken[block, piece, slot, lane] = np.nan
    found = np.asarray(loads(packed.batch, broken, table_of(packed)))
    cell = int(packed.batch.cell()[block, piece, slot, lane])
    same = np.arange(expected.size) != cell
    np.testing.assert_allclose(
        found.ravel()[same], expected.ravel()[same], rtol=1e-12, atol=1e-12
    )


def test_flat_and_back():
    packed = pack(fleet(10, kind="random", seed=1))
    batch = packed.batch
    table = jnp.arange(12.0).reshape(3, 4)
    row = flat(table, batch, 7.0)
    np.testing.assert_array_equal(row[:12], np.arange(12))
    np.testing.assert_array_equal(row[12:], np.full(batch.slots, 7))
    np.testing.assert_array_equal(unflat(row, table), table)
