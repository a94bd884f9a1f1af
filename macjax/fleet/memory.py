"""Memory that a solve takes on the devices, and what is said where it is too small.

Of a fleet with N opportunities, padding included, a solve holds at its largest about
ten arrays of that size: one for what is packed, one each for the iterate, the best
schedule and the state that goes in, two that come out, and the rest for trial points of
the Newton phase (`bench/README.md` has the measurement). Tables of cells are small
beside them.
"""

import contextlib
from collections.abc import Iterator

import jax
import numpy as np

from macjax._errors import MemoryShortError
from macjax.fleet.packing import Fleet

ARRAYS = 10  # of the size of all opportunities, at the largest
SIGNS = ("RESOURCE_EXHAUSTED", "out of memory", "unable to allocate")


def bytes_on_devices(fleet: Fleet, dtype) -> int:
    """Bytes that a solve takes at its largest, on all devices together, about."""
    return ARRAYS * int(np.prod(fleet.batch.shape)) * np.dtype(dtype).itemsize


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
    name, mesh = np.dtype(dtype).name, fleet.batch.mesh
    count = 1 if mesh is None else mesh.size
    needed = bytes_on_devices(fleet, dtype) / 2**30
    advice = "more devices (devices=), or fewer feeders at a time (Scenario.subset)"
    if name == "float64":
        advice = f"dtype='float32' (half of it), {advice}"
    return (
        f"out of memory: the solve needs about {needed:,.1f} GiB in {name} on {count} "
        f"device{'s' * (count > 1)} and found less; {advice} would do ({reason})"
    )
