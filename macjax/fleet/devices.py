"""Arrays of a fleet on the devices of a mesh, of this process and of others.

The axis of blocks is split over the devices. A process holds the blocks of its own
devices, which lie side by side in the mesh; tables are whole on every device.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from macjax._processes import Processes

FLEET_AXIS = "fleet"  # of a mesh of devices


def own_devices(devices: Sequence[Any]) -> list[Any]:
    """The devices of this process among them."""
    return [d for d in devices if d.process_index == jax.process_index()]


def first_device(devices: Sequence[Any] | None) -> Any:
    """The first device of this process; None is where JAX puts arrays."""
    if devices:
        return own_devices(devices)[0]
    return next(iter(jnp.zeros(()).devices()))


def fleet_mesh(devices: Sequence[Any], used: int, processes: Processes) -> Mesh:
    """A mesh of the first devices of each process.

    Arguments:
        devices: of all processes.
        used: how many of its own this process uses.
        processes: that make the mesh.
    """
    if processes.count == 1:
        return Mesh(np.array(devices[:used]), (FLEET_AXIS,))
    chosen = []
    for process, count in enumerate(processes.gather(np.int64(used))):
        of_process = [d for d in devices if d.process_index == process]
        chosen += of_process[: int(count)]
    return Mesh(np.array(chosen), (FLEET_AXIS,))


def split(mesh: Mesh) -> NamedSharding:
    """Where arrays with a leading axis of blocks lie.

    On one device JAX calls what a program gives back whole, so they are from the start.
    """
    spec = PartitionSpec(FLEET_AXIS) if mesh.size > 1 else PartitionSpec()
    return NamedSharding(mesh, spec)


def whole(mesh: Mesh) -> NamedSharding:
    """Where arrays lie that all devices have whole."""
    return NamedSharding(mesh, PartitionSpec())


def put_blocks(array: np.ndarray, mesh: Mesh | None) -> Array:
    """An array with a leading axis of blocks, on the devices that hold them.

    Arguments:
        array: the blocks of the devices of this process.
        mesh: of the fleet.
    """
    if mesh is None:
        return jnp.asarray(array)
    sharding = split(mesh)
    if not mesh.is_multi_process:
        return jax.device_put(array, sharding)
    own = [i for i, d in enumerate(mesh.devices.flat) if d in set(mesh.local_devices)]
    each = len(array) // len(own)
    first = own[0] * each

    def part(at):
        return array[at[0].start - first : at[0].stop - first]

    shape = (each * mesh.size, *array.shape[1:])
    return jax.make_array_from_callback(shape, sharding, part)


def put_whole(array: np.ndarray, mesh: Mesh | None) -> Array:
    """An array that all devices have whole; the same one in all processes."""
    if mesh is None:
        return jnp.asarray(array)
    sharding = whole(mesh)
    if not mesh.is_multi_process:
        return jax.device_put(array, sharding)
    array = np.asarray(array)
    return jax.make_array_from_callback(array.shape, sharding, lambda at: array)


def own_blocks(array) -> np.ndarray:
    """The blocks of this process, of an array that `put_blocks` might have made."""
    if not isinstance(array, jax.Array) or array.is_fully_addressable:
        return np.asarray(array)
    parts = {
        shard.index[0].start or 0: shard.data for shard in array.addressable_shards
    }
    return np.concatenate([np.asarray(parts[start]) for start in sorted(parts)])
