"""Sums over many numbers, in the widest float that is switched on.

`solve` switches float64 on for itself, so that a float32 run adds up a million vehicles
without loss: the terms are float32, the sums are not.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def wide_float():
    """The widest float dtype that is switched on."""
    return jnp.result_type(float)


def wide_sum(values: Float[Array, "..."]) -> Float[Array, ""]:
    """Sum of all values in the widest float."""
    return jnp.sum(values, dtype=wide_float())
