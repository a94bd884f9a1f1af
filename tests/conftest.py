"""Settings of the whole test run.

Rank promotion raises and dtype promotion is strict, so that a shape or a dtype that
JAX would quietly widen fails a test. Float64 stays off here as it is by default: code
that needs it must ask for it itself.
"""

import os
import signal

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# A shell ignores SIGINT in what it starts in the background; tests and the programs
# that they start shall see it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine may be slow for a moment.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")
