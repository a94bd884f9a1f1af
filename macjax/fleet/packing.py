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
from macjax.fleet.budget import device_memory
from macjax.fleet.devices import first_device, put_blocks
from macjax.fleet.grid import ACCELERATOR, CPU, BlockShape, Grid, size_class
from macjax.fleet.kernel_choice import XLA, choose_projection
from macjax.fleet.lanes import Lanes, fill_lanes
from macjax.fleet.opportunities import Chains, charging_chains
from macjax.scenario.scenario import Scenario

PIECE_SLOTS = (2, 4, 8, 16, 32)
LEAST_ROWS = 16


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
        chunk: 0 if the arrays lie on the devices; else they lie on the host, and so
            many blocks of each device are on it at a time (static).
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
    chunk: int = eqx.field(static=True, default=0)
    projection: str = eqx.field(static=True, default=XLA)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(b, k, s, v), the shape of all opportunities."""
        blocks, rows, lanes = self.base.shape
        return blocks, rows, self.slots, lanes

    @property
    def in_chunks(self) -> bool:
        """Whether the arrays lie on the host and go through the devices in chunks."""
        return self.chunk > 0

    def on_one_device(self) -> "FleetBatch":
        """The same as a fleet of its own, inside of a pass on each device."""
        return dataclasses.replace(self, mesh=None)

    def put(self, array: np.ndarray) -> Any:
        """An array with a leading axis of blocks, of this process, where it belongs."""
        return array if self.in_chunks else put_blocks(array, self.mesh)

    def no_shadow(self) -> Any:
        """Shadow prices of 0."""
        like = np.zeros_like if self.in_chunks else jnp.zeros_like
        return like(self.lower)

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
        grid: how blocks are dealt out.
        chains: the charging stays that were packed.
        feeders, slots: shape (f, t) of the cells that are real.
        table_feeders: feeders after padding.
        unit_scale: largest a_n / w_n [kW/kWh], the power of one vehicle's energy.
        waste: share of the opportunities worked on that is padding.
    """

    batch: FleetBatch
    index: PackIndex
    grid: Grid
    chains: Chains
    feeders: int
    slots: int
    table_feeders: int
    unit_scale: float
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


def pack(
    scenario: Scenario,
    chains: Chains | None = None,
    dtype=np.float64,
    devices: Sequence[Any] | None = None,
    budget: float | None = None,
    like: "Fleet | None" = None,
) -> Fleet:
    """Pack the charging chains of a scenario.

    Arguments:
        scenario: validated tables.
        chains: its charging stays and tubes; None takes `charging_chains(scenario)`.
        dtype: of the packed arrays.
        devices: over which blocks are dealt out, as far as there are blocks; None is
            the default device. With devices of several processes each packs its own
            vehicles onto its own devices, in arrays of one shape.
        budget: bytes that a solve may take on each device; a fleet that needs more
            stays on the host and goes through the devices in chunks. None is no limit.
        like: the same fleet in another dtype, whose shape is taken over.

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
    places = fill_lanes(pieces.per_vehicle, rows)
    size = pieces.slots * np.dtype(dtype).itemsize
    if like is not None:
        grid = like.grid.again_within(budget, size)
    else:
        if shape is ACCELERATOR:
            memory = device_memory(first_device(devices), budget)
            shape = shape.within(memory, rows * size, processes)
        grid = Grid.of(places, shape, devices, processes)
        grid = grid.within(budget, size, places, devices, processes)
    batch, index = _scatter(scenario, pieces, places, grid, table_feeders, dtype)
    kind = choose_projection(devices, processes, dtype, rows, pieces.slots)
    batch = dataclasses.replace(batch, projection=kind)
    needed = float(_slots_touched(chains).sum())
    worked = grid.blocks.sum() * places.rows * grid.shape[2] * pieces.slots
    return Fleet(
        batch=batch,
        index=index,
        grid=grid,
        chains=chains,
        feeders=len(scenario.feeders),
        slots=scenario.slots,
        table_feeders=table_feeders,
        unit_scale=_unit_scale(scenario, chains, processes),
        waste=float(1 - needed / worked) if worked else 0.0,
    )


def _unit_scale(scenario: Scenario, chains: Chains, processes: Processes) -> float:
    """Largest 1 / (efficiency slot_hours) of the vehicles that charge [kW/kWh]."""
    efficiency = scenario.vehicles["charge_efficiency"].to_numpy(np.float64)
    unit = 1 / (efficiency[chains.vehicle] * scenario.slot_hours)
    return float(processes.most(unit.max(initial=0.0))) or 1.0


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


def _scatter(scenario, pieces, places: Lanes, grid: Grid, table_feeders, dtype):
    """Scatter the pieces of all vehicles into padded (b, k, v) arrays."""
    stay, slot = pieces.stay, pieces.slot
    vehicle = pieces.chains.vehicle[stay]
    lane, row = places.lane[vehicle], places.first_row[vehicle] + pieces.nth
    at = grid.place(lane, row)

    def scatter(values, fill, kind=dtype):
        out = np.full(np.prod(grid.shape), fill, kind)
        out[at] = values
        return out.reshape(grid.shape)

    def placed(array) -> Any:
        return array if grid.chunk else put_blocks(array, grid.mesh)

    def on_device(values, fill, kind=dtype):
        return placed(scatter(values, fill, kind))

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
        last=placed(last),
        scale=on_device(scale[vehicle], 0),
        weight=on_device(weight[vehicle], 0),
        blocks=placed(grid.blocks),
        slots=pieces.slots,
        mesh=grid.mesh,
        chunk=grid.chunk,
    )
    index = PackIndex(
        vehicle=scatter(vehicle, -1, np.int64),
        stay=scatter(chains.row[stay], -1, np.int64),
        slot=scatter(slot, 0, np.int32),
    )
    return batch, index
