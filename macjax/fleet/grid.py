"""Blocks of lanes and how they are dealt out to devices.

The number of blocks is rounded up to size classes, so that a scenario of similar size
runs the programs that are compiled already.
"""

import dataclasses

import numpy as np
from jax.sharding import Mesh

from macjax._processes import Processes
from macjax.fleet.budget import (
    BLOCK_ARRAYS,
    BLOCK_SHARE,
    chunk_blocks,
    needed_bytes,
)
from macjax.fleet.devices import fleet_mesh, own_devices
from macjax.fleet.lanes import Lanes

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

    def within(
        self, memory: float, lane_bytes: int, processes: Processes
    ) -> "BlockShape":
        """The same with no more lanes than a share of the memory allows.

        Arguments:
            memory: bytes of the device.
            lane_bytes: bytes of one number for each opportunity of a lane.
            processes: that solve together; their blocks have one shape.
        """
        lanes = BLOCK_SHARE * memory / (BLOCK_ARRAYS * lane_bytes)
        lanes = int(-processes.most(-min(lanes, self.lanes)))
        # Rounded down coarsely: memory that is free differs a little each time.
        step = max(2 ** max(lanes.bit_length() - 3, 0), min(self.lanes, GRAIN))
        return dataclasses.replace(self, lanes=max(lanes // step, 1) * step)


# A CPU: whole vectors, and few enough to stay in cache; scans over rows are cheap. An
# accelerator works off one block at a time: short scans, and as many lanes as its
# memory allows, as each step of a scan costs a launch (bench/TRIED.md has the figures).
CPU, ACCELERATOR = BlockShape(64, 2.0), BlockShape(2**21, 1.0)
LEAST_LANES = 64
GRAIN = 2**12  # blocks on accelerators are whole multiples of this, if larger


def size_class(n: int, step: float = 0.25, least: int = 1) -> int:
    """The smallest of 1, 2, ..., 8, 10, 12, 14, 16, 20, ... that is at least n."""
    size = least
    while size < n:
        power = 2 ** int(np.floor(np.log2(size)))
        size += max(1, int(power * step))
    return size


def lanes_of(needed: int, most: int) -> int:
    """Lanes of a block: those of a size class, or even blocks if one is too few."""
    if needed <= most:
        return min(most, size_class(needed, least=LEAST_LANES))
    blocks = size_class(-(-needed // most), BLOCK_STEP)
    grain = min(most, GRAIN)
    return -(-needed // (blocks * grain)) * grain


@dataclasses.dataclass(frozen=True)
class Grid:
    """Blocks of lanes, dealt out to the devices of this process one by one.

    Arguments:
        shape: (b, k, v), the same number of blocks on each device.
        blocks: blocks in use on each device.
        mesh: the devices of all processes; None is one.
        chunk: blocks of each device that are on it at a time; 0 is all.
    """

    shape: tuple[int, int, int]
    blocks: np.ndarray
    mesh: Mesh | None
    chunk: int = 0

    @classmethod
    def of(cls, places: Lanes, shape: BlockShape, devices, processes) -> "Grid":
        """A grid that holds the lanes in use."""
        most = len(own_devices(devices)) if devices else 1
        each = processes.most(max(-(-places.count // most), 1))
        lanes = lanes_of(int(each), shape.lanes)
        real = -(-places.count // lanes)
        used = min(most, max(real, 1))
        blocks = real // used + (np.arange(used) < real % used)
        mesh = fleet_mesh(devices, used, processes) if devices else None
        each = size_class(int(processes.most(max(blocks[0], 1))), BLOCK_STEP)
        return cls((each * used, places.rows, lanes), blocks.astype(np.int32), mesh)

    @property
    def each(self) -> int:
        """Blocks on each device."""
        return self.shape[0] // len(self.blocks)

    def block_bytes(self, size: int) -> int:
        """Bytes of one array over a block, `size` for each piece."""
        return self.shape[1] * self.shape[2] * size

    def needed(self, size: int) -> float:
        """Bytes that a solve takes on each device."""
        return needed_bytes(self.each, self.block_bytes(size))

    def within(
        self, budget: float | None, size: int, places: Lanes, devices, processes
    ) -> "Grid":
        """This grid, or if a solve would not fit one of chunks that do.

        Blocks are narrower then if need be.

        Arguments:
            budget: bytes of each device; None is no limit.
            size: bytes of a number for each opportunity of a piece.
            places, devices, processes: as for `of`.
        """
        if budget is None or self.needed(size) <= budget:
            return self
        grid = self
        chunk = chunk_blocks(budget, grid.block_bytes(size))
        while chunk < 1 and grid.shape[2] > CPU.lanes:
            narrower = BlockShape(max(grid.shape[2] // 2, CPU.lanes), 0)
            grid = Grid.of(places, narrower, devices, processes)
            chunk = chunk_blocks(budget, grid.block_bytes(size))
        chunk = min(max(chunk, 1), grid.each)
        each = -(-grid.each // chunk) * chunk
        shape = (each * len(grid.blocks), *grid.shape[1:])
        return dataclasses.replace(grid, shape=shape, chunk=chunk)

    def again_within(self, budget: float | None, size: int) -> "Grid":
        """A grid of the same shape, in chunks that fit into a budget if need be."""
        if budget is None or self.needed(size) <= budget:
            return dataclasses.replace(self, chunk=0)
        most = max(chunk_blocks(budget, self.block_bytes(size)), 1)
        fitting = [n for n in range(1, self.each + 1) if self.each % n == 0]
        return dataclasses.replace(self, chunk=max(n for n in fitting if n <= most))

    def place(self, lane: np.ndarray, row: np.ndarray) -> np.ndarray:
        """Index into the flattened arrays."""
        lanes, devices = self.shape[2], len(self.blocks)
        nth = lane // lanes
        block = nth % devices * self.each + nth // devices
        return np.ravel_multi_index((block, row, lane % lanes), self.shape)
