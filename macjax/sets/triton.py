"""All that names Triton, the backend of Pallas that compiles our kernel.

JAX 0.11 deprecates it in favour of Mosaic GPU; another backend takes the place of this
module if it has these three functions.
"""

import warnings
from typing import Any

import jax
from jax.experimental.pallas import triton

WARP = 32
DEPRECATION = "The Pallas Triton backend is deprecated"


def parameters(lanes: int) -> Any:
    """How a program of so many lanes is compiled: one lane to a thread.

    With as many threads as lanes Triton has but one way to lay out a row over them, so
    that a lane is the same thread's in every load and store. What a program writes and
    reads again therefore needs no barrier. One stage only: rows must not be read ahead
    of what is still to be written to them.
    """
    if lanes % WARP:
        raise ValueError(f"lanes of a program must be a multiple of {WARP}: {lanes}")
    # JAX says it whenever a program is lowered, and nobody who solves can change it.
    warnings.filterwarnings("ignore", DEPRECATION, DeprecationWarning)
    return triton.CompilerParams(num_warps=lanes // WARP, num_stages=1)


def load(ref: Any, mask: jax.Array) -> jax.Array:
    """A row; anything where the mask is false, and nothing is read there."""
    return triton.load(ref, mask=mask)


def store(ref: Any, row: jax.Array, mask: jax.Array) -> None:
    """Write a row where the mask is true."""
    triton.store(ref, row, mask=mask)
