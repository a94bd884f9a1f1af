"""Bytes that a solve takes on a device, and the chunks that fit into a budget.

Of a fleet with N opportunities, padding included, a solve holds at its largest about
`ARRAYS` arrays of that size: what is packed, the iterate, the best schedule, and what
an ADMM iteration or a Newton step writes. A pass needs `BLOCK_ARRAYS` more of the size
of one block while it works on it. A fleet in chunks holds two chunks at a time, each
with what is packed, what goes in and what comes out. Tables of cells are small.
"""

import math
from typing import Any

ARRAYS = 7
CHUNK_ARRAYS = 12
BLOCK_ARRAYS = 10
BLOCK_SHARE = 1 / 6  # most of the memory that a block's arrays take on accelerators
SHARE = 0.9  # of what is free; the rest is for tables and gaps


def needed_bytes(blocks: int, block_bytes: float) -> float:
    """Bytes of a solve with all blocks on the device.

    Arguments:
        blocks: on each device.
        block_bytes: of one number for each opportunity of a block.
    """
    return (ARRAYS * blocks + BLOCK_ARRAYS) * block_bytes


def chunk_blocks(budget: float, block_bytes: float) -> int:
    """Most blocks of a chunk; 0 if not even one fits.

    Arguments:
        budget: bytes of each device.
        block_bytes: as in `needed_bytes`.
    """
    return int((budget / block_bytes - BLOCK_ARRAYS) // CHUNK_ARRAYS)


def chunk_bytes(blocks: int, block_bytes: float) -> float:
    """Bytes of a solve in chunks of so many blocks; the inverse of `chunk_blocks`."""
    return (CHUNK_ARRAYS * blocks + BLOCK_ARRAYS) * block_bytes


def device_memory(device: Any, budget: float | None) -> float:
    """Bytes of a device, or of what a solve may take of it; inf if nobody says."""
    limit = (device.memory_stats() or {}).get("bytes_limit", math.inf)
    return min(limit, math.inf if budget is None else budget)


def free_bytes(device: Any) -> float | None:
    """Bytes that a device has for a solve; None where it does not say (a CPU)."""
    stats = device.memory_stats() or {}
    if "bytes_limit" not in stats:
        return None
    return SHARE * (stats["bytes_limit"] - stats.get("bytes_in_use", 0))
