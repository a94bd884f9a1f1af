"""Passes over the blocks of a fleet: one after another on a device, devices at once.

The axis of blocks may lie across the devices of a mesh. A pass runs on each device over
its own blocks; what it sums is added up over the devices, so that cells, prices and
decisions are the same on all of them.
"""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from macjax.fleet.chunks import over_chunks
from macjax.fleet.devices import FLEET_AXIS, split, whole
from macjax.fleet.packing import FleetBatch


def over_devices(
    batch: FleetBatch,
    work: Callable[..., tuple[Any, Any]],
    tables: Any,
    *items: Any,
    old: tuple[Any, ...] = (),
) -> tuple[Any, Any]:
    """Do a pass over the fleet on every device that holds a part of it.

    Arguments:
        batch: the fleet.
        work: (batch, tables, *items, *old) -> sums over the vehicles, outputs with a
            leading axis of blocks; on each device it sees the blocks that lie there.
            For a fleet in chunks it must be a function of a module: it is compiled
            once.
        tables: arrays that all devices have whole.
        items: trees of arrays with a leading axis of blocks.
        old: arrays of which the first outputs take the place; not to be used any more.

    Returns:
        the sums over all devices, and the outputs.
    """
    if batch.in_chunks:
        return over_chunks(batch, functools.partial(_pass, work), tables, items, old)
    items = (*items, *old)
    if batch.mesh is None:
        return work(batch, tables, *items)

    def local(batch, tables, items):
        sums, outputs = work(batch.on_one_device(), tables, *items)
        return jax.lax.psum(sums, FLEET_AXIS), outputs

    by_block, everywhere = PartitionSpec(FLEET_AXIS), PartitionSpec()
    return jax.shard_map(
        local,
        mesh=batch.mesh,
        in_specs=(by_block, everywhere, by_block),
        out_specs=(everywhere, by_block),
        check_vma=False,
    )(batch, tables, items)


@functools.partial(jax.jit, static_argnums=0)
def _pass(work, batch: FleetBatch, tables, items):
    """A pass over a chunk, which is whole on the devices."""
    return over_devices(batch, work, tables, *items)


def settled(batch: FleetBatch, state: Any) -> Any:
    """A state as it lies when it is new: blocks split, tables whole.

    A program whose state came back in another order over the devices would be compiled
    once more for it.
    """
    mesh = batch.mesh
    if mesh is None or batch.in_chunks:
        return state

    def settle(x: Array) -> Array:
        return jax.lax.with_sharding_constraint(x, _place(mesh, x.ndim))

    return jax.tree.map(settle, state)


def like_settled(batch: FleetBatch, shapes: Any) -> Any:
    """Shapes and dtypes of a state, with the places that `settled` gives it."""
    mesh = batch.mesh
    if mesh is None:
        return shapes

    def place(x: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        return x.update(sharding=_place(mesh, x.ndim))

    return jax.tree.map(place, shapes)


def _place(mesh: Mesh, ndim: int) -> NamedSharding:
    """Blocks have at least three axes, tables and numbers fewer."""
    return split(mesh) if ndim > 2 else whole(mesh)


def over_blocks(
    batch: FleetBatch,
    work: Callable[..., tuple[Any, Any]],
    total: Any,
    *items: Any,
    into: tuple[Array, ...] = (),
) -> tuple[Any, Any]:
    """Work off the blocks of a fleet, one after another.

    Arguments:
        batch: the fleet.
        work: (total, block, *items of the block) -> total, outputs of the block.
        total: what is summed over the blocks.
        items: arrays or trees of arrays with a leading axis of blocks.
        into: arrays that the last outputs are written over. They must not be among
            the items: XLA copies an array that a loop reads and writes, whole, for
            each block.

    Returns:
        the last total, and the outputs with a leading axis of blocks; blocks that hold
        no vehicle are left 0, or as they were in `into`.
    """
    arrays, static = eqx.partition(
        (batch, items), lambda x: eqx.is_array(x) and x.ndim > 1
    )

    def at(n, arrays):
        return jax.tree.map(
            lambda x: jax.lax.dynamic_index_in_dim(x, n, keepdims=False), arrays
        )

    def one(total, n):
        block, items = eqx.combine(at(n, arrays), static)
        return work(total, block, *items)

    def empty(shape):
        return jnp.zeros((batch.shape[0], *shape.shape), shape.dtype)

    _, outputs = jax.eval_shape(one, total, jnp.zeros((), jnp.int32))
    if into:
        outputs = (*jax.tree.map(empty, outputs[: -len(into)]), *into)
    else:
        outputs = jax.tree.map(empty, outputs)

    def body(n, carry):
        total, outputs = carry
        total, new = one(total, n)
        outputs = jax.tree.map(
            lambda out, x: jax.lax.dynamic_update_index_in_dim(out, x, n, 0),
            outputs,
            new,
        )
        return total, outputs

    return jax.lax.fori_loop(0, batch.blocks[0], body, (total, outputs))
