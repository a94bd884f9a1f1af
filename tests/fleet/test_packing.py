"""Packing against the plain list of opportunities of each vehicle."""

import dataclasses

import fleet_oracle
import jax
import numpy as np
import pytest
from problems import frames, vehicle

from macjax._processes import Processes
from macjax.driver.shortfall import apply_policy
from macjax.fleet import grid, packing
from macjax.fleet.budget import device_memory
from macjax.fleet.grid import (
    ACCELERATOR,
    BLOCK_STEP,
    CPU,
    BlockShape,
    size_class,
)
from macjax.fleet.opportunities import Shortfall, charging_chains
from macjax.fleet.packing import Fleet, pack
from macjax.scenario import Scenario
from macjax.synthetic import fleet

RANDOM = [(evs, seed) for seed in range(8) for evs in (1, 9, 150)]


def unpacked(packed: Fleet) -> dict[str, np.ndarray]:
    """All opportunities of a packed fleet as columns, padding left out."""
    batch, index = packed.batch, packed.index
    limit, shape = np.asarray(batch.limit()), batch.shape

    def by_piece(values):
        return np.broadcast_to(np.asarray(values)[:, :, None], shape)

    parts = {
        "vehicle": by_piece(index.vehicle),
        "stay": by_piece(index.stay),
        "slot": index.slot[:, :, None] + np.arange(batch.slots)[:, None],
        "cell": np.asarray(batch.cell()),
        "limit": limit,
        "scale": by_piece(batch.scale),
    }
    real = limit > 0
    assert np.all(parts["stay"][real] >= 0)
    return {name: part[real] for name, part in parts.items()}


def check_opportunities(scenario, packed, cars):
    """Each opportunity once, with its vehicle, cell and limit."""
    found = unpacked(packed)
    expected = fleet_oracle.opportunities(scenario, cars)
    keys = list(zip(found["stay"].tolist(), found["slot"].tolist(), strict=True))
    assert len(keys) == len(set(keys))
    assert set(keys) == set(expected)
    rows = [expected[key] for key in keys]
    np.testing.assert_array_equal(found["vehicle"], [row[0] for row in rows])
    limit = np.array([row[2] for row in rows])
    np.testing.assert_allclose(found["limit"], limit, rtol=1e-11, atol=1e-12)
    feeder = np.array([row[1] for row in rows], int)
    at_feeder = feeder >= 0
    cells = packed.table_feeders * packed.slots
    cell = feeder * packed.slots + found["slot"]
    np.testing.assert_array_equal(found["cell"][at_feeder], cell[at_feeder])
    nowhere = found["cell"][~at_feeder]
    assert np.all((nowhere >= cells) & (nowhere < packed.cells))
    table = scenario.vehicles.iloc[found["vehicle"]]
    grid = table["charge_efficiency"].to_numpy() * scenario.slot_hours
    scale = table["weight"].to_numpy() / grid
    np.testing.assert_allclose(found["scale"], scale, rtol=1e-14)
    return found


def check_bounds(packed, cars):
    """A vehicle's pieces lie behind one another in one lane, in order of time, up to
    the one that is marked as its last; bounds of a stay stand behind its last piece.
    """
    index = packed.index
    arrays = {n: np.asarray(getattr(packed.batch, n)) for n in ("lower", "upper")}
    last_of = np.asarray(packed.batch.last)
    seen = np.unique(index.vehicle[index.vehicle >= 0])
    assert seen.tolist() == [n for n, car in enumerate(cars) if car.stays]
    for number in seen:
        block, row, lane = np.nonzero(index.vehicle == number)
        assert len(set(zip(block, lane, strict=True))) == 1
        assert np.all(np.diff(row) == 1)
        at = block, row, lane
        assert last_of[at].tolist() == [False] * (len(row) - 1) + [True]
        car = cars[number]
        order = [stay[0] for stay in car.stays]
        positions = [order.index(stay) for stay in index.stay[at]]
        assert positions == sorted(positions)
        ends = np.append(np.diff(positions) > 0, True)
        for name, missing in (("lower", -np.inf), ("upper", np.inf)):
            bound, expected = arrays[name][at], getattr(car, name)
            assert np.all(bound[~ends] == missing)
            np.testing.assert_allclose(bound[ends], expected, rtol=0, atol=1e-11)


def check_padding(packed, found):
    """Padding is empty and free, shapes are size classes, waste is what it says."""
    batch, index = packed.batch, packed.index
    padding = index.stay < 0
    np.testing.assert_array_equal(padding, index.vehicle < 0)
    for name, value in (("slot_kwh", 0), ("scale", 0), ("weight", 0), ("last", True),
                        ("lower", -np.inf), ("upper", np.inf)):  # fmt: skip
        assert np.all(np.asarray(getattr(batch, name))[padding] == value)
    nowhere = packed.table_feeders * packed.slots
    assert np.all(np.asarray(batch.base)[padding] == nowhere)
    blocks, pieces, lanes = batch.base.shape
    assert blocks == size_class(blocks, BLOCK_STEP)
    assert pieces == 2 ** round(np.log2(pieces))
    used = int(batch.blocks[0])
    assert np.all(padding[used:]) and (used == 0 or not np.all(padding[used - 1]))
    places = used * pieces * lanes * batch.slots
    cell = np.asarray(batch.cell())
    assert cell.min() >= 0 and cell.max() < packed.cells
    assert packed.table_feeders == size_class(max(packed.feeders, 1))
    real = len(found["limit"])
    assert packed.waste == pytest.approx(1 - real / places if places else 0, abs=1e-12)


@pytest.mark.parametrize("tube", ["mobility", "per_session"])
@pytest.mark.parametrize(("evs", "seed"), RANDOM)
def test_random_fleets_match_the_loop(evs, seed, tube):
    scenario = fleet(evs, kind="random", seed=seed)
    packed = pack(scenario, charging_chains(scenario, tube))
    cars = fleet_oracle.vehicles(scenario, tube)
    found = check_opportunities(scenario, packed, cars)
    check_bounds(packed, cars)
    check_padding(packed, found)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("easy", CPU), ("hard", BlockShape(128, 1.0)), ("easy", ACCELERATOR)],
)
def test_weekly_fleets_match_the_loop(kind, shape, monkeypatch):
    monkeypatch.setattr(packing, "CPU", shape)
    scenario = fleet(300, kind=kind, seed=1, slots=168)
    packed = pack(scenario)
    cars = fleet_oracle.vehicles(scenario)
    found = check_opportunities(scenario, packed, cars)
    check_bounds(packed, cars)
    check_padding(packed, found)
    room = sum(fleet_oracle.room(scenario.vehicles.iloc[n], stay)
               for n, car in enumerate(cars) for stay in car.stays)  # fmt: skip
    np.testing.assert_allclose(found["limit"].sum(), room, rtol=1e-12)


def test_two_stays_in_one_slot_by_hand():
    """2 h slots: 4 kW for half an hour, then 10 kW for an hour, at 80 %."""
    stays = [("a", 0.25, 0.75, "f", 4), ("a", 1, 2, "f", 10), ("a", 2, 5, "g", 5)]
    cars = [vehicle("a", final=0, charge_efficiency=0.8, weight=3.0)]
    rooms = {"f": 1.0, "g": 1.0}
    scenario = Scenario.from_frames(
        **frames(cars, stays, headroom=rooms, slots=3, slot_minutes=120)
    )
    found = unpacked(pack(scenario))
    order = np.lexsort((found["slot"], found["stay"]))
    np.testing.assert_array_equal(found["stay"][order], [0, 1, 2, 2])
    np.testing.assert_array_equal(found["slot"][order], [0, 0, 1, 2])
    np.testing.assert_array_equal(found["cell"][order], [0, 0, 4, 5])
    np.testing.assert_allclose(found["limit"][order], [1.6, 8, 8, 4])
    np.testing.assert_allclose(found["scale"], 3 / (0.8 * 2))


@pytest.mark.parametrize("minutes", [5, 10, 12, 20, 36, 60, 160])
def test_stays_on_slot_edges_touch_no_other_cell(minutes):
    """The last slot ends with the horizon: one more would be another feeder's."""
    slots, hours = 40, minutes / 60
    pairs = [(a, b) for a in range(0, slots, 3) for b in (a + 1, a + 5) if b <= slots]
    pairs += [(0, slots)]
    stays = [(n, a * hours, b * hours, "f", 3.0) for n, (a, b) in enumerate(pairs)]
    cars = [vehicle(n, final=0) for n in range(len(pairs))]
    rooms = {"f": 1.0, "g": 1.0}
    scenario = Scenario.from_frames(
        **frames(cars, stays, slots=slots, slot_minutes=minutes, headroom=rooms)
    )
    packed = pack(scenario)
    found = unpacked(packed)
    assert len(found["limit"]) == sum(b - a for a, b in pairs)
    assert found["cell"].max() == slots - 1
    np.testing.assert_allclose(found["limit"], 3 * hours, rtol=1e-12)
    check_padding(packed, found)


@pytest.mark.parametrize(
    "parts",
    [
        {"vehicles": [], "stays": [], "trips": []},
        {"trips": []},
        {"stays": []},
        {"stays": [("a", 0, 1, "f", 0)]},
        {"headroom": {}, "stays": [("a", 0, 1, None, 5)]},
        {"vehicles": [], "stays": [], "headroom": {}},
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_empty_tables_pack(parts, dtype):
    base = {"vehicles": [vehicle("a", final=0)], "stays": [("a", 0, 1, "f", 5)]}
    scenario = Scenario.from_frames(**frames(**(base | parts)))
    packed = pack(scenario, dtype=dtype)
    cars = fleet_oracle.vehicles(scenario)
    found = check_opportunities(scenario, packed, cars)
    check_bounds(packed, cars)
    check_padding(packed, found)
    assert packed.batch.lower.dtype == dtype


@pytest.mark.parametrize("seed", range(3))
def test_order_of_rows_does_not_matter(seed):
    scenario = fleet(60, kind="random", seed=seed)
    rng = np.random.default_rng(seed)
    orders = {
        name: rng.permutation(len(getattr(scenario, name)))
        for name in ("vehicles", "stays", "trips", "feeders")
    }
    tables = {
        name: getattr(scenario, name).iloc[order].reset_index(drop=True)
        for name, order in orders.items()
    }
    keys = ("name", "start", "timezone", "slot_minutes", "slots", "currency")
    parts = {key: getattr(scenario, key) for key in keys}
    moved = Scenario.from_frames(
        **parts, **tables, feeder_profile=scenario.feeder_profile
    )
    before, after = unpacked(pack(scenario)), unpacked(pack(moved))
    cells = scenario.slots * np.append(orders["feeders"], 0)
    feeder, slot = np.divmod(after["cell"], scenario.slots)
    known = feeder < len(scenario.feeders)
    feeder = np.where(known, feeder, -1)
    after["vehicle"] = orders["vehicles"][after["vehicle"]]
    after["stay"] = orders["stays"][after["stay"]]
    after["cell"] = np.where(known, cells[feeder] + slot, -1)
    known = before["cell"] < len(scenario.feeders) * scenario.slots
    before["cell"] = np.where(known, before["cell"], -1)
    columns = [
        np.stack([part[name] for name in before])[
            :, np.lexsort((part["slot"], part["stay"]))
        ]
        for part in (before, after)
    ]
    np.testing.assert_allclose(columns[0], columns[1], rtol=1e-14, atol=1e-14)


def test_dropped_vehicles_are_not_packed():
    scenario = fleet(50, kind="random", seed=2)
    chains = charging_chains(scenario)
    short = np.flatnonzero(chains.count)[::3]
    empty = np.zeros(len(short))
    chains = dataclasses.replace(
        chains, shortfall=Shortfall(short, empty.astype(int), empty)
    )
    kept, _ = apply_policy(scenario, chains, "drop")
    found, whole = unpacked(pack(scenario, kept)), unpacked(pack(scenario))
    stays = ~np.isin(whole["vehicle"], short)
    assert set(found["vehicle"]) == set(whole["vehicle"][stays])
    np.testing.assert_allclose(found["limit"].sum(), whole["limit"][stays].sum())


def test_fleets_of_similar_size_have_the_same_shapes():
    """So that they run one compiled program: few shapes over a wide range of sizes."""
    shapes = {}
    for vehicles in range(2000, 2600, 25):
        packed = pack(*fleet_oracle.even_chains(vehicles, 8, 4))
        key = [leaf.shape for leaf in jax.tree.leaves(packed.batch)]
        shapes[str(key)] = shapes.get(str(key), 0) + 1
        assert packed.waste < 0.15
    assert len(shapes) <= 4


def test_lanes_keep_the_waste_small():
    """Vehicles with one and with twenty stays are not padded to the same length."""
    scenario = fleet(3000, kind="easy", seed=0)
    packed = pack(scenario)
    assert packed.waste < 0.3


def test_size_classes():
    sizes = [size_class(n) for n in range(1, 5000)]
    assert sizes[:16] == [1, 2, 3, 4, 5, 6, 7, 8, 10, 10, 12, 12, 14, 14, 16, 16]
    for step in (0.125, 0.25, 0.5):
        sizes = np.array([size_class(n, step) for n in range(1, 5000)])
        numbers = np.arange(1, 5000)
        assert np.all(sizes >= numbers)
        assert np.all(sizes <= np.maximum(numbers * (1 + step), numbers + 1))
        assert np.all(np.diff(sizes) >= 0)
        assert all(size_class(int(n), step) == n for n in np.unique(sizes))
    assert size_class(3, least=16) == 16
    assert size_class(0) == 1


class Card:
    """A device with memory [GiB]."""

    def __init__(self, gib):
        self.gib = gib

    def memory_stats(self):
        return None if self.gib is None else {"bytes_limit": int(self.gib * 2**30)}


@pytest.mark.parametrize(
    ("gib", "budget", "rows", "slots", "lanes"),
    [
        (None, None, 32, 8, 2**21),  # nobody says what there is
        (104, None, 32, 8, 1_572_864),  # three quarters of 139 GiB
        (104, 10, 32, 8, 163_840),
        (6, None, 32, 8, 98_304),  # of 8 GiB
        (6, 5.4, 32, 8, 81_920),
        (6, None, 64, 32, 12_288),
        (0.001, None, 64, 32, 4096),
    ],
)
def test_a_block_takes_a_share_of_the_memory(gib, budget, rows, slots, lanes):
    """Ten float32 arrays of a block are at most a sixth of what a solve may take."""
    memory = device_memory(Card(gib), budget and budget * 2**30)
    size = rows * slots * 4
    shape = ACCELERATOR.within(memory, size, Processes())
    assert shape == BlockShape(lanes, ACCELERATOR.fill)
    assert lanes == grid.GRAIN or 60 * lanes * size <= memory


@pytest.mark.parametrize("most", [16, 64, 128, 102_400, 2**21])
@pytest.mark.parametrize("needed", [1, 63, 64, 65, 999, 70_000, 1_814_529, 10_000_000])
def test_lanes_of_a_block_are_even_and_no_more_than_needed(needed, most):
    lanes = grid.lanes_of(needed, most)
    blocks = size_class(-(-needed // lanes), BLOCK_STEP)
    assert lanes <= most
    if needed <= most:
        assert blocks == 1 and lanes < max(1.25 * needed + 1, 65)
    elif most > grid.GRAIN:  # even blocks, hardly any padding
        assert blocks * (lanes - grid.GRAIN) < needed <= blocks * lanes
    else:
        assert lanes == most


def test_fleets_on_an_accelerator_fill_even_blocks(monkeypatch):
    """A fleet of more lanes than a block may have, with blocks as on a card."""
    monkeypatch.setattr(packing, "CPU", BlockShape(128, 1.0))
    monkeypatch.setattr(grid, "GRAIN", 16)
    scenario = fleet(700, kind="hard", seed=1, slots=48)
    packed = pack(scenario)
    blocks, _, _, lanes = packed.batch.shape
    assert lanes < 128 and lanes % 16 == 0
    assert int(packed.batch.blocks[0]) == blocks > 1
    check_padding(packed, unpacked(packed))
