"""Settings of the whole test run.

Rank promotion raises and dtype promotion is strict, so that a shape or a dtype that
JAX would quietly widen fails a test. Float64 stays off here as it is by default: code
that needs it must ask for it itself.
"""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
