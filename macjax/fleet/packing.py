"""Pack charging chains into padded arrays: blocks of lanes, vehicle axis last.

A charging stay is cut into pieces of at most S slots, and the pieces of a vehicle lie
behind one another in a lane of K rows, together with other vehicles that fill the lane
up; `last` marks where each ends. A block holds V lanes, and arrays have the shape
(b, k, v) for blocks, rows and lanes; an opportunity is (b, k, s, v), its cell
`base + s` in a flat table over feeders and slots. Only what cannot be computed is
stored: where the stay begins and ends, its power.

K is a power of two, the number of blocks and of feeders are rounded up to size classes,
and blocks are worked off up to a count that is data: a scenario of similar size runs
the program that is compiled already, and padding costs memory, but hardly time.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int

from macjax._processes import Processes
from macjax.fleet.devices import (
    first_device,
    fleet_mesh,
    own_devices,
    put_blocks,
)
from macjax.fleet.kernel_choice import XLA, choose_projection
from macjax.fleet.lanes import Lanes, fill_lanes
from macjax.fleet.opportunities import Chains, charging_chains
from macjax.scenario.scenario import Scenario

PIECE_SLOTS = (2, 4, 8, 16, 32)
LEAST_ROWS = 16
BLOCK_STEP = 0.5  # size classes 1, 2, 3, 4, 6, 8, 12, ... of blocks


@dataclasses.dataclass(frozen=True)
class BlockShape:
    """What suits a kind of device.

    Arguments:
        lanes: most lanes of a block.
        fill: vehicles of usual length that a lane shall hold.
    """

    lanes: int
    fill: float


# A CPU: whole vectors, and few enough to stay in cache; scans over rows are cheap. An
# accelerator works off one block at a time: short scans, and as many lanes as its
# memory allows, as each step of a scan costs a launch (bench/TRIED.md has the figures).
CPU, ACCELERATOR = BlockShape(64, 2.0), BlockShape(2**21, 1.0)
LEAST_LANES = 64
GRAIN = 2**12  # blocks on accelerators are whole multiples of this, if larger
BLOCK_ARRAYS = 10  # of the size of a block, while a pass works on it
BLOCK_SHARE = 1 / 6  # most of a device's memory that these take


class FleetBatch(eqx.Module):
    """The vehicles of a scenario, padded; all energies are on the battery side.

    Arguments:
        base: cell of the first slot of each piece in the flat table.
        begin, end: the stay within the piece [slots from the piece's first slot].
        slot_kwh: most energy into the battery in a full slot [kWh].
        lower, upper: tube on the running sum behind each piece [kWh].
        last: whether the piece is the last of its vehicle.
        scale: feeder power per battery energy, a = weight / (efficiency slot_hours)
            [kW/kWh]; 0 for padding.
        weight: vehicles that a row of the vehicles table stands for.
        blocks: how many blocks hold vehicles on each device; those behind are padding.
        slots: S, opportunities of a piece (static).
        mesh: devices over which the axis of blocks is spread; None is one (static).
        projection: the program of the shadow prices (static), see `kernel_choice`.
    """

    base: Int[Array, "b k v"]
    begin: Float[Array, "b k v"]
    end: Float[Array, "b k v"]
    slot_kwh: Float[Array, "b k v"]
    lower: Float[Array, "b k v"]
    upper: Float[Array, "b k v"]
    last: Bool[Array, "b k v"]
    scale: Float[Array, "b k v"]
    weight: Float[Array, "b k v"]
    blocks: Int[Array, " d"]
    slots: int = eqx.field(static=True)
    mesh: Mesh | None = eqx.field(static=True, default=None)
    projection: str = eqx.field(static=True, default=XLA)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(b, k, s, v), the shape of all opportunities."""
        blocks, rows, lanes = self.base.shape
        return blocks, rows, self.slots, lanes

    def on_one_device(self) -> "FleetBatch":
        """The same as a fleet of its own, inside of a pass on each device."""
        return dataclasses.replace(self, mesh=None)

    def limit(self) -> Float[Array, "*b k s v"]:
        """Most energy into the battery at each opportunity, slot_kwh x overlap."""
        slot = self._slot(self.begin.dtype)
        begin, end = self.begin[..., None, :], self.end[..., None, :]
        overlap = jnp.minimum(end, slot + 1) - jnp.maximum(begin, slot)
        return self.slot_kwh[..., None, :] * jnp.clip(overlap, 0, 1)

    def cell(self) -> Int[Array, "*b k s v"]:
        """Cell of each opportunity in the flat table."""
        return self.base[..., None, :] + self._slot(self.base.dtype)

    def _slot(self, dtype) -> Array:
        """0 .. S - 1 along the axis of opportunities."""
        shape = (1,) * (self.base.ndim - 1) + (self.slots, 1)
        return jnp.arange(self.slots, dtype=dtype).reshape(shape)


@dataclasses.dataclass(frozen=True)
class PackIndex:
    """Where the pieces come from; stays on the host.

    Arguments:
        vehicle: index into the vehicles table, -1 for padding, shape (b, k, v).
        stay: row number of the stays table, -1 for padding, shape (b, k, v).
        slot: slot of the horizon in which the piece begins, shape (b, k, v).
    """

    vehicle: np.ndarray
    stay: np.ndarray
    slot: np.ndarray


@dataclasses.dataclass(frozen=True)
class Fleet:
    """A packed scenario.

    Arguments:
        batch: the packed arrays.
        index: origin of the pieces.
        chains: the charging stays that were packed.
        feeders, slots: shape (f, t) of the cells that are real.
        table_feeders: feeders after padding.
        waste: share of the opportunities worked on that is padding.
    """

    batch: FleetBatch
    index: PackIndex
    chains: Chains
    feeders: int
    slots: int
    table_feeders: int
    waste: float

    @property
    def own_shape(self) -> tuple[int, int, int, int]:
        """(b, k, s, v) of the blocks of this process."""
        blocks, rows, lanes = self.index.vehicle.shape
        return blocks, rows, self.batch.slots, lanes

    @property
    def cells(self) -> int:
        """Length of the flat table: the cells, then S that stand for no feeder."""
        return self.table_feeders * self.slots + self.batch.slots


def size_class(n: int, step: float = 0.25, least: int = 1) -> int:
    """The smallest of 1, 2, ..., 8, 10, 12, 14, 16, 20, ... that is at least n."""
    size = least
    while size < n:
        power = 2 ** int(np.floor(np.log2(size)))
        size += max(1, int(power * step))
    return size


def pack(
    scenario: Scenario,
    chains: Chains | None = None,
    dtype=np.float64,
    devices: Sequence[Any] | None = None,
) -> Fleet:
    """Pack the charging chains of a scenario.

    Arguments:
        scenario: validated tables.
        chains: its charging stays and tubes; None takes `charging_chains(scenario)`.
        dtype: of the packed arrays.
        devices: over which blocks are dealt out, as far as there are blocks; None is
            the default device. With devices of several processes each packs its own
            vehicles onto its own devices, in arrays of one shape.

    Returns:
        A `Fleet`; tubes of vehicles that cannot make their trips are relaxed.
    """
    chains = charging_chains(scenario) if chains is None else chains
    processes = Processes.of(devices)
    pieces = _Pieces.of(chains, processes)
    table_feeders = size_class(max(len(scenario.feeders), 1))
    kind = devices[0].platform if devices else jax.default_backend()
    shape = CPU if kind == "cpu" else ACCELERATOR
    rows = _rows(pieces.per_vehicle, shape, processes)
    if shape is ACCELERATOR:
        lane_bytes = rows * pieces.slots * np.dtype(dtype).itemsize
        shape = _within_memory(shape, lane_bytes, devices, processes)
    places = fill_lanes(pieces.per_vehicle, rows)
    grid = _Grid.of(places, shape, devices, processes)
    batch, index = _scatter(scenario, pieces, places, grid, table_feeders, dtype)
    kind = choose_projection(devices, processes, dtype, rows, pieces.slots)
    batch = dataclasses.replace(batch, projection=kind)
    needed = float(_slots_touched(chains).sum())
    worked = grid.blocks.sum() * places.rows * grid.shape[2] * pieces.slots
    return Fleet(
        batch=batch,
        index=index,
        chains=chains,
        feeders=len(scenario.feeders),
        slots=scenario.slots,
        table_feeders=table_feeders,
        waste=float(1 - needed / worked) if worked else 0.0,
    )


def _choose_piece_slots(length: np.ndarray, processes: Processes) -> int:
    """The piece length with least work: padded opportunities plus pieces to scan."""
    sizes, counts = np.unique(length, return_counts=True)
    # One piece costs about as much in the scans as two opportunities in the sums.
    work = [(-(-sizes // s) * (s + 2) * counts).sum() for s in PIECE_SLOTS]
    return PIECE_SLOTS[int(np.argmin(processes.total(work)))]


def _rows(per_vehicle: np.ndarray, shape: BlockShape, processes: Processes) -> int:
    """K, a power of two: holds the longest vehicle, and several of usual length."""
    charging = per_vehicle[per_vehicle > 0]
    total, count = processes.total([charging.sum(), len(charging)])
    longest = processes.most(charging.max(initial=0))
    usual = shape.fill * total / max(count, 1)
    return 2 ** int(np.ceil(np.log2(max(longest, usual, LEAST_ROWS))))


def _within_memory(
    shape: BlockShape, lane_bytes: int, devices, processes: Processes
) -> BlockShape:
    """The shape with no more lanes than a share of the memory of a device allows."""
    limit = (first_device(devices).memory_stats() or {}).get("bytes_limit", np.inf)
    lanes = BLOCK_SHARE * limit / (BLOCK_ARRAYS * lane_bytes)
    lanes = -processes.most(-min(lanes, shape.lanes))  # the least of all processes
    lanes = max(int(lanes) // GRAIN, 1) * GRAIN
    return dataclasses.replace(shape, lanes=lanes)


def _lanes(needed: int, most: int) -> int:
    """Lanes of a block: those of a size class, or even blocks if one is too few."""
    if needed <= most:
        return min(most, size_class(needed, least=LEAST_LANES))
    blocks = size_class(-(-needed // most), BLOCK_STEP)
    grain = min(most, GRAIN)
    return -(-needed // (blocks * grain)) * grain


@dataclasses.dataclass(frozen=True)
class _Pieces:
    """All pieces of all vehicles, ragged: vehicle after vehicle, in time order.

    Arguments:
        chains: the charging stays.
        slots: S.
        stay: charging stay of each piece.
        slot: slot in which it begins.
        nth: which piece of its vehicle it is.
        ends_stay: whether it is the last of its stay.
        per_vehicle: pieces of each vehicle.
    """

    chains: Chains
    slots: int
    stay: np.ndarray
    slot: np.ndarray
    nth: np.ndarray
    ends_stay: np.ndarray
    per_vehicle: np.ndarray

    @classmethod
    def of(cls, chains: Chains, processes: Processes) -> "_Pieces":
        """Cut the charging stays of all vehicles."""
        first_slot = np.floor(chains.begin).astype(np.int64)
        length = _slots_touched(chains)
        slots = _choose_piece_slots(length, processes)
        pieces = -(-length // slots)
        stay = np.repeat(np.arange(len(pieces)), pieces)
        nth_of_stay = np.arange(len(stay)) - (np.cumsum(pieces) - pieces)[stay]
        per_vehicle = np.bincount(chains.vehicle, pieces, len(chains.count))
        per_vehicle = per_vehicle.astype(np.int64)
        first = np.cumsum(per_vehicle) - per_vehicle
        return cls(
            chains=chains,
            slots=slots,
            stay=stay,
            slot=first_slot[stay] + nth_of_stay * slots,
            nth=np.arange(len(stay)) - first[chains.vehicle[stay]],
            ends_stay=nth_of_stay == pieces[stay] - 1,
            per_vehicle=per_vehicle,
        )


def _slots_touched(chains: Chains) -> np.ndarray:
    """Slots that each charging stay touches, at least one."""
    first, end = np.floor(chains.begin), np.ceil(chains.end)
    return np.maximum((end - first).astype(np.int64), 1)


@dataclasses.dataclass(frozen=True)
class _Grid:
    """Blocks of lanes, dealt out to the devices of this process one by one.

    Arguments:
        shape: (b, k, v), the same number of blocks on each device.
        blocks: blocks in use on each device.
        mesh: the devices of all processes; None is one.
    """

    shape: tuple[int, int, int]
    blocks: np.ndarray
    mesh: Mesh | None

    @classmethod
    def of(cls, places: Lanes, shape: "BlockShape", devices, processes) -> "_Grid":
        """A grid that holds the lanes in use."""
        most = len(own_devices(devices)) if devices else 1
        each = processes.most(max(-(-places.count // most), 1))
        lanes = _lanes(int(each), shape.lanes)
        real = -(-places.count // lanes)
        used = min(most, max(real, 1))
        blocks = real // used + (np.arange(used) < real % used)
        mesh = fleet_mesh(devices, used, processes) if devices else None
        each = size_class(int(processes.most(max(blocks[0], 1))), BLOCK_STEP)
        return cls((each * used, places.rows, lanes), blocks.astype(np.int32), mesh)

    def place(self, lane: np.ndarray, row: np.ndarray) -> np.ndarray:
        """Index into the flattened arrays."""
        lanes, devices = self.shape[2], len(self.blocks)
        nth, each = lane // lanes, self.shape[0] // devices
        block = nth % devices * each + nth // devices
        return np.ravel_multi_index((block, row, lane % lanes), self.shape)


def _scatter(scenario, pieces, places: Lanes, grid: _Grid, table_feeders, dtype):
    """Scatter the pieces of all vehicles into padded (b, k, v) arrays."""
    stay, slot = pieces.stay, pieces.slot
    vehicle = pieces.chains.vehicle[stay]
    lane, row = places.lane[vehicle], places.first_row[vehicle] + pieces.nth
    at = grid.place(lane, row)

    def scatter(values, fill, kind=dtype):
        out = np.full(np.prod(grid.shape), fill, kind)
        out[at] = values
        return out.reshape(grid.shape)

    def on_device(values, fill, kind=dtype):
        return put_blocks(scatter(values, fill, kind), grid.mesh)

    chains, ends_stay = pieces.chains, pieces.ends_stay
    weight = scenario.vehicles["weight"].to_numpy(np.float64)
    efficiency = scenario.vehicles["charge_efficiency"].to_numpy(np.float64)
    scale = weight / (efficiency * scenario.slot_hours)
    feeder = chains.feeder[stay]
    nowhere = table_feeders * scenario.slots
    base = np.where(feeder >= 0, feeder * scenario.slots + slot, nowhere)
    last = scatter(pieces.nth == pieces.per_vehicle[vehicle] - 1, True, bool)
    batch = FleetBatch(
        base=on_device(base, nowhere, np.int32),
        begin=on_device(np.maximum(chains.begin[stay] - slot, 0), 0),
        end=on_device(chains.end[stay] - slot, 0),
        slot_kwh=on_device(chains.slot_kwh[stay], 0),
        lower=on_device(np.where(ends_stay, chains.lower[stay], -np.inf), -np.inf),
        upper=on_device(np.where(ends_stay, chains.upper[stay], np.inf), np.inf),
        last=put_blocks(last, grid.mesh),
        scale=on_device(scale[vehicle], 0),
        weight=on_device(weight[vehicle], 0),
        blocks=put_blocks(grid.blocks, grid.mesh),
        slots=pieces.slots,
        mesh=grid.mesh,
    )
    index = PackIndex(
        vehicle=scatter(vehicle, -1, np.int64),
        stay=scatter(chains.row[stay], -1, np.int64),
        slot=scatter(slot, 0, np.int32),
    )
    return batch, index
