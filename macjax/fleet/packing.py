"""Pack charging chains into padded arrays: blocks of vehicles, vehicle axis last.

A charging stay is cut into pieces of at most S slots. A block holds `lanes` vehicles
with K pieces each, and arrays of shape (b, k, v) for blocks, pieces and vehicles; an
opportunity is (b, k, s, v), its cell `base + s` in a flat table over feeders and slots.
Only what cannot be computed is stored: where the stay begins and ends, its power.

Vehicles are sorted by their number of pieces and split into a few buckets, K differs
between buckets; K, the number of blocks and of feeders are rounded up to size classes,
so that a scenario of similar size runs the program that is compiled already.
"""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from macjax.fleet.opportunities import Chains, charging_chains
from macjax.scenario.scenario import Scenario

PIECE_SLOTS = (2, 4, 8, 16, 32)
BUCKET_SIZES = (256, 2048, 32768)  # fleets beyond each get one more bucket
# Vehicles in a block. On a CPU: whole vectors, and few enough to stay in cache. On an
# accelerator, which works off one block at a time: enough to fill it.
CPU_LANES, ACCELERATOR_LANES = 64, 32768


class FleetBatch(eqx.Module):
    """One bucket of vehicles, padded; all energies are on the battery side.

    Arguments:
        base: cell of the first slot of each piece in the flat table.
        begin, end: the stay within the piece [slots from the piece's first slot].
        slot_kwh: most energy into the battery in a full slot [kWh].
        lower, upper: tube on the running sum behind each piece [kWh].
        scale: feeder power per battery energy, a = weight / (efficiency slot_hours)
            [kW/kWh]; 0 for padding.
        weight: vehicles that a row stands for.
        slots: S, opportunities of a piece (static).
    """

    base: Int[Array, "b k v"]
    begin: Float[Array, "b k v"]
    end: Float[Array, "b k v"]
    slot_kwh: Float[Array, "b k v"]
    lower: Float[Array, "b k v"]
    upper: Float[Array, "b k v"]
    scale: Float[Array, "b v"]
    weight: Float[Array, "b v"]
    slots: int = eqx.field(static=True)

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
    """Where the entries of a bucket come from; stays on the host.

    Arguments:
        vehicle: index into the vehicles table, -1 for padding, shape (b, v).
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
        batches: buckets with more and more pieces.
        index: origin of the entries, one for each bucket.
        chains: the charging stays that were packed.
        feeders, slots: shape (f, t) of the cells that are real.
        table_feeders: feeders after padding.
        waste: share of the packed opportunities that is padding.
    """

    batches: tuple[FleetBatch, ...]
    index: tuple[PackIndex, ...]
    chains: Chains
    feeders: int
    slots: int
    table_feeders: int
    waste: float

    @property
    def piece_slots(self) -> int:
        """S, the opportunities of a piece."""
        return self.batches[0].slots

    @property
    def cells(self) -> int:
        """Length of the flat table: the cells, then S that stand for no feeder."""
        return self.table_feeders * self.slots + self.piece_slots


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
    lanes: int = CPU_LANES,
) -> Fleet:
    """Pack the charging chains of a scenario.

    Arguments:
        scenario: validated tables.
        chains: its charging stays and tubes; None takes `charging_chains(scenario)`.
        dtype: of the packed arrays.
        lanes: vehicles in a block.

    Returns:
        A `Fleet`; tubes of vehicles that cannot make their trips are relaxed.
    """
    chains = charging_chains(scenario) if chains is None else chains
    vehicles = scenario.vehicles
    weight = vehicles["weight"].to_numpy(np.float64)
    efficiency = vehicles["charge_efficiency"].to_numpy(np.float64)
    scale = weight / (efficiency * scenario.slot_hours)
    feeders, slots = len(scenario.feeders), scenario.slots
    first_slot = np.floor(chains.begin).astype(np.int64)
    length = np.maximum(np.ceil(chains.end).astype(np.int64) - first_slot, 1)
    piece_slots = _choose_piece_slots(length)
    pieces = -(-length // piece_slots)
    vehicles = len(chains.count)
    per_vehicle = np.bincount(chains.vehicle, pieces, vehicles).astype(np.int64)
    charging = np.flatnonzero(per_vehicle)
    order = charging[np.argsort(per_vehicle[charging], kind="stable")]
    table_feeders = size_class(max(feeders, 1))
    lanes = min(lanes, size_class(max(len(order), 1), least=CPU_LANES))
    source = _Pieces(chains, first_slot, pieces, piece_slots, per_vehicle)
    batches, index, packed = [], [], 0
    for members in _buckets(order, per_vehicle, lanes):
        batch, origin = _pack_bucket(
            source, members, lanes, slots, table_feeders, scale, weight, dtype
        )
        batches.append(batch)
        index.append(origin)
        packed += batch.base.size * piece_slots
    real = float(length.sum())
    return Fleet(
        batches=tuple(batches),
        index=tuple(index),
        chains=chains,
        feeders=feeders,
        slots=slots,
        table_feeders=table_feeders,
        waste=1 - real / packed if packed else 0.0,
    )


def _choose_piece_slots(length: np.ndarray) -> int:
    """The piece length with least work: padded opportunities plus pieces to scan."""
    if len(length) == 0:
        return PIECE_SLOTS[0]
    sizes, counts = np.unique(length, return_counts=True)
    # One piece costs about as much in the scans as two opportunities in the sums.
    work = [(-(-sizes // s) * (s + 2) * counts).sum() for s in PIECE_SLOTS]
    return PIECE_SLOTS[int(np.argmin(work))]


def _buckets(order, per_vehicle, lanes) -> list[np.ndarray]:
    """Split the sorted vehicles where the number of pieces jumps most."""
    if len(order) == 0:
        return [order]
    limit = 1 + sum(len(order) > size for size in BUCKET_SIZES)
    sizes, starts = np.unique(per_vehicle[order], return_index=True)
    sizes = np.array([size_class(int(n), 0.125) for n in sizes])
    ends = np.append(starts[1:], len(order))
    cost = np.full((limit + 1, len(sizes) + 1), np.inf)
    cut = np.zeros((limit + 1, len(sizes) + 1), int)
    cost[:, 0] = 0.0
    for buckets in range(1, limit + 1):
        for i in range(len(sizes)):
            width = -(-(ends[i] - starts[: i + 1]) // lanes) * lanes
            total = cost[buckets - 1, : i + 1] + width * sizes[i]
            cut[buckets, i + 1] = int(np.argmin(total))
            cost[buckets, i + 1] = total.min()
    parts, i = [], len(sizes)
    for buckets in range(limit, 0, -1):
        if i == 0:
            break
        j = cut[buckets, i]
        parts.append(order[starts[j] : ends[i - 1]])
        i = j
    return parts[::-1]


@dataclasses.dataclass(frozen=True)
class _Pieces:
    """All pieces of all vehicles, ragged: vehicle after vehicle, in time order."""

    chains: Chains
    first_slot: np.ndarray
    pieces: np.ndarray
    piece_slots: int
    per_vehicle: np.ndarray

    def __post_init__(self):
        stay = np.repeat(np.arange(len(self.pieces)), self.pieces)
        start = np.cumsum(self.pieces) - self.pieces
        nth = np.arange(len(stay)) - start[stay]
        object.__setattr__(self, "stay", stay)
        object.__setattr__(self, "is_last", nth == self.pieces[stay] - 1)
        object.__setattr__(self, "slot", self.first_slot[stay] + nth * self.piece_slots)
        first = np.cumsum(self.per_vehicle) - self.per_vehicle
        object.__setattr__(self, "first", first)


def _pack_bucket(source, members, lanes, slots, table_feeders, scale, weight, dtype):
    """Scatter the pieces of some vehicles into padded (b, k, v) arrays."""
    count = source.per_vehicle[members]
    longest = size_class(int(count.max()) if len(count) else 1, 0.125)
    blocks = size_class(max(-(-len(members) // lanes), 1), 0.125)
    lane = np.repeat(np.arange(len(members)), count)
    start = np.cumsum(count) - count
    nth = np.arange(len(lane)) - start[lane]
    piece = source.first[members][lane] + nth
    at = (lane // lanes, nth, lane % lanes)
    shape = (blocks, longest, lanes)

    def scatter(values, fill, kind=dtype):
        out = np.full(shape, fill, kind)
        out[at] = values
        return out

    chains, stay = source.chains, source.stay[piece]
    slot, is_last = source.slot[piece], source.is_last[piece]
    feeder = chains.feeder[stay]
    nowhere = table_feeders * slots
    base = np.where(feeder >= 0, feeder * slots + slot, nowhere)
    per_lane = np.full(blocks * lanes, -1, np.int64)
    per_lane[: len(members)] = members
    real = per_lane >= 0

    def by_lane(values):
        out = np.where(real, values[np.maximum(per_lane, 0)] if len(values) else 0, 0)
        return jnp.asarray(out.reshape(blocks, lanes).astype(dtype))

    batch = FleetBatch(
        base=jnp.asarray(scatter(base, nowhere, np.int32)),
        begin=jnp.asarray(scatter(np.maximum(chains.begin[stay] - slot, 0), 0)),
        end=jnp.asarray(scatter(chains.end[stay] - slot, 0)),
        slot_kwh=jnp.asarray(scatter(chains.slot_kwh[stay], 0)),
        lower=jnp.asarray(
            scatter(np.where(is_last, chains.lower[stay], -np.inf), -np.inf)
        ),
        upper=jnp.asarray(
            scatter(np.where(is_last, chains.upper[stay], np.inf), np.inf)
        ),
        scale=by_lane(scale),
        weight=by_lane(weight),
        slots=source.piece_slots,
    )
    index = PackIndex(
        vehicle=per_lane.reshape(blocks, lanes),
        stay=scatter(chains.row[stay], -1, np.int64),
        slot=scatter(slot, 0, np.int32),
    )
    return batch, index
