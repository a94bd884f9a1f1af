"""Passes over a fleet that is larger than the devices: chunks from the host's memory.

The arrays of such a fleet, and those of its size, are NumPy arrays on the host. A pass
puts some blocks at a time on the devices, the next chunk while the last one is worked
on, adds up their sums in the order of the chunks, and brings the outputs back.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from macjax.fleet.devices import put_blocks
from macjax.fleet.packing import FleetBatch


def over_chunks(
    batch: FleetBatch, program: Callable, tables: Any, items: tuple, old: tuple
) -> tuple[Any, Any]:
    """Do a pass, `batch.chunk` blocks of each device at a time.

    Arguments:
        batch: the fleet, on the host.
        program: (batch, tables, items) -> sums, outputs; for blocks on the devices.
        tables, items, old: as `over_devices`, those of the fleet's size on the host;
            the first outputs are written over `old`.

    Returns:
        the sums of all chunks, and the outputs on the host.
    """
    wanted = (*items, *old)
    sums, outputs, begun = None, None, None
    for at in _chunks_in_use(batch):
        placed = jax.tree.map(lambda x, at=at: _put(x, batch, at), wanted)
        part, results = program(_batch_at(batch, at), tables, placed)
        sums = part if sums is None else jax.tree.map(lambda a, b: a + b, sums, part)
        if outputs is None:
            outputs = _places(batch, results, old)
        if begun is not None:
            _fetch(outputs, batch, *begun)
        begun = at, results
    if begun is not None:
        _fetch(outputs, batch, *begun)
    return sums, outputs


def _chunks_in_use(batch: FleetBatch) -> range:
    """First block, of those of a device, of each chunk that holds vehicles.

    One chunk at least: a pass over no vehicle has a result too.
    """
    return range(0, max(int(np.max(batch.blocks)), 1), batch.chunk)


def _by_device(array: np.ndarray, batch: FleetBatch, at: int) -> np.ndarray:
    """The blocks of a chunk in an array, shape (devices, chunk, ...); a view."""
    devices = 1 if batch.mesh is None else batch.mesh.size
    parts = array.reshape(devices, -1, *array.shape[1:])
    return parts[:, at : at + batch.chunk]


def _put(array, batch: FleetBatch, at: int):
    """The blocks of a chunk, on the devices."""
    part = _by_device(np.asarray(array), batch, at)
    return put_blocks(part.reshape(-1, *part.shape[2:]), batch.mesh)


def _batch_at(batch: FleetBatch, at: int) -> FleetBatch:
    """A chunk as a fleet of its own."""
    blocks = np.clip(batch.blocks - at, 0, batch.chunk)
    placed = jax.tree.map(
        lambda x: _put(x, batch, at) if x.ndim > 1 else put_blocks(blocks, batch.mesh),
        batch,
    )
    return dataclasses.replace(placed, chunk=0)


def _places(batch: FleetBatch, results, old: tuple):
    """Where the outputs of all chunks go on the host."""

    def place(x) -> np.ndarray:
        return np.zeros((batch.base.shape[0], *x.shape[1:]), x.dtype)

    if not old:
        return jax.tree.map(place, results)
    return (*old, *jax.tree.map(place, tuple(results[len(old) :])))


def _fetch(outputs, batch: FleetBatch, at: int, results) -> None:
    """Write the outputs of a chunk to their place."""

    def write(out: np.ndarray, x) -> None:
        part = _by_device(out, batch, at)
        part[...] = np.asarray(x).reshape(part.shape)

    jax.tree.map(write, outputs, results)
