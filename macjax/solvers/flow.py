"""Loops and choices of the solver: of the device, or of Python for a fleet in chunks.

A fleet that is whole on the devices is iterated by one program. One in chunks is
fetched from the host in each pass, so the host runs the loops.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from macjax.fleet.packing import FleetBatch


def call(program: Callable, problem: Any, *args: Any) -> Any:
    """Call a `jax.jit` program of a problem; in chunks the function behind it."""
    if problem.fleet.in_chunks:
        program = program.__wrapped__
    return program(problem, *args)


def while_loop(fleet: FleetBatch, goes_on: Callable, step: Callable, carry: Any) -> Any:
    """`step(carry)` as long as `goes_on(carry)`."""
    if not fleet.in_chunks:
        return jax.lax.while_loop(goes_on, step, carry)
    while goes_on(carry):
        carry = step(carry)
    return carry


def choose(fleet: FleetBatch, flag, yes: Callable[[], Any], no: Callable[[], Any]):
    """`yes()` or `no()`, only one of which is computed."""
    if not fleet.in_chunks:
        return jax.lax.cond(flag, yes, no)
    return yes() if flag else no()


def select(fleet: FleetBatch, flag, yes: Any, no: Any) -> Any:
    """The arrays of one tree or of the other."""
    if not fleet.in_chunks:
        return jax.tree.map(lambda y, n: jnp.where(flag, y, n), yes, no)
    return yes if flag else no
