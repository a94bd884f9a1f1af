"""What is said where the memory of the devices is too small for a solve."""

import contextlib
from collections.abc import Iterator

import jax
import numpy as np

from macjax._errors import MemoryShortError
from macjax.fleet.budget import chunk_bytes, needed_bytes
from macjax.fleet.packing import Fleet

SIGNS = ("RESOURCE_EXHAUSTED", "out of memory", "unable to allocate")


def bytes_on_devices(fleet: Fleet, dtype) -> int:
    """Bytes that a solve takes at its largest, on all devices together, about."""
    batch = fleet.batch
    blocks, rows, slots, lanes = batch.shape
    devices = 1 if batch.mesh is None else batch.mesh.size
    block_bytes = rows * slots * lanes * np.dtype(dtype).itemsize
    if not batch.in_chunks:
        return int(devices * needed_bytes(blocks // devices, block_bytes))
    return int(devices * chunk_bytes(batch.chunk, block_bytes))


def size_text(size: float) -> str:
    """Bytes as people read them."""
    if size < 2**30:
        return f"{size / 2**20:,.2f} MiB"
    return f"{size / 2**30:,.1f} GiB"


@contextlib.contextmanager
def told_if_short(fleet: Fleet | None, dtype) -> Iterator[None]:
    """Tell a failed allocation as a `MemoryShortError` that says what to do.

    Arguments:
        fleet: what is solved, or None as long as it is not packed.
        dtype: of the solve.
    """
    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        text = str(error)
        known = isinstance(error, MemoryError)
        if not known and not any(sign.lower() in text.lower() for sign in SIGNS):
            raise
        raise MemoryShortError(_advice(fleet, dtype, text)) from error


def _advice(fleet: Fleet | None, dtype, text: str) -> str:
    """How much is needed and where it could come from."""
    reason = text.partition("\n")[0]
    if fleet is None:
        return f"the fleet does not fit into memory while it is packed ({reason})"
    batch, name = fleet.batch, np.dtype(dtype).name
    count = 1 if batch.mesh is None else batch.mesh.size
    needed = size_text(bytes_on_devices(fleet, dtype))
    what = "the solve" if not batch.in_chunks else "the solve, in chunks,"
    advice = "more devices (devices=), or fewer feeders at a time (Scenario.subset)"
    if name == "float64":
        advice = f"dtype='float32' (half of it), {advice}"
    return (
        f"out of memory: {what} needs about {needed} in {name} on {count} "
        f"device{'s' * (count > 1)} and found less; {advice} may do ({reason})"
    )
