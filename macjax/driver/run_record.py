"""A run between two steps, as plain values and arrays, and back.

Arrays of the size of the fleet are kept piece by piece, in the order of stays and
slots and without padding, so that a record does not depend on how vehicles lie in
blocks and on devices. An array that stands in several places is kept once.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from macjax._errors import CheckpointError
from macjax.fleet.devices import put_whole
from macjax.fleet.packing import Fleet
from macjax.solvers.admm import AdmmState
from macjax.solvers.mac import Look, Run
from macjax.solvers.newton import ProximalState
from macjax.solvers.problem import Problem

# Fields of a Run that are not of its state.
GIVEN = ("problem", "unmanaged", "clock", "ahead")
STATES: dict[str, type[eqx.Module]] = {
    kind.__name__: kind for kind in (AdmmState, ProximalState)
}
Makers = dict[str, Callable[[], np.ndarray]]


class Layout:
    """Where the pieces of a fleet lie in its packed arrays."""

    def __init__(self, fleet: Fleet):
        self.batch = fleet.batch
        self.pieces, self.energies = fleet.batch.base.shape, fleet.batch.shape
        stay, slot = fleet.index.stay.reshape(-1), fleet.index.slot.reshape(-1)
        at = np.flatnonzero(stay >= 0)
        self.at = at[np.lexsort((slot[at], stay[at]))]

    def to_host(self, array) -> np.ndarray:
        """An array of the run, its pieces in order if it is of the fleet."""
        host = np.asarray(array)
        if host.shape == self.energies:
            host = np.ascontiguousarray(host.swapaxes(2, 3))
            return host.reshape(-1, host.shape[3])[self.at]
        return host.reshape(-1)[self.at] if host.shape == self.pieces else host

    def to_device(self, values: np.ndarray):
        """The inverse of `to_host`; padding is 0."""
        blocks, rows, slots, lanes = self.energies
        if values.shape == (len(self.at), slots):
            host = np.zeros((blocks * rows * lanes, slots), values.dtype)
            host[self.at] = values
            host = host.reshape(blocks, rows, lanes, slots).swapaxes(2, 3)
            return self.batch.put(np.ascontiguousarray(host))
        if values.shape == (len(self.at),):
            host = np.zeros(blocks * rows * lanes, values.dtype)
            host[self.at] = values
            return self.batch.put(host.reshape(self.pieces))
        return put_whole(values, self.batch.mesh)

    def bytes_of(self, dtype) -> int:
        """Bytes that the arrays of the fleet take in a record, about."""
        slots = self.energies[2]
        return len(self.at) * (3 * slots + 1) * np.dtype(dtype).itemsize


def run_to_record(run: Run, layout: Layout) -> tuple[dict, Makers]:
    """What a run is between two steps: plain values, and what makes each array."""
    record, made = {}, {}
    names: dict[int, str] = {}

    def keep(name: str, value) -> dict:
        known = names.setdefault(id(value), name)
        if known == name:
            made[name] = lambda: layout.to_host(value)
        return {"array": known}

    for field in _fields(run):
        value = getattr(run, field.name)
        if isinstance(value, eqx.Module):
            parts = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            whole = {k: keep(f"{field.name}.{k}", v) for k, v in parts.items()}
            record[field.name] = {"state": type(value).__name__, "fields": whole}
        elif isinstance(value, jax.Array | np.ndarray):
            record[field.name] = keep(field.name, value)
        elif field.name == "history":
            record[field.name] = looks_to_record(value)
        elif value is None or isinstance(value, bool | int | float | str):
            record[field.name] = value
        else:
            raise TypeError(f"{field.name}: a {type(value).__name__} is not kept")
    return record, made


def run_from_record(
    record: Mapping,
    arrays: Mapping[str, np.ndarray],
    layout: Layout,
    problem: Problem,
    unmanaged: float,
    clock: Callable[[], float],
) -> Run:
    """The run of which `run_to_record` made the record.

    Raises CheckpointError for arrays that do not fit the problem.
    """
    run = Run(problem, unmanaged, clock)
    placed: dict[str, Any] = {}

    def find(entry):
        name = entry["array"]
        if name not in placed:
            placed[name] = layout.to_device(arrays[name])
            _check_shape(name, placed[name], layout, run)
        return placed[name]

    for field in _fields(run):
        value = record[field.name]
        if field.name == "history":
            value = looks_from_record(value)
        elif isinstance(value, Mapping) and "state" in value:
            parts = {k: find(entry) for k, entry in value["fields"].items()}
            value = STATES[value["state"]](**parts)
        elif isinstance(value, Mapping):
            value = find(value)
        elif isinstance(field.type, type) and value is not None:
            value = field.type(value)  # "inf" is a number again
        setattr(run, field.name, value)
    return run


def looks_to_record(looks: list[Look]) -> list[list]:
    """Looks as rows of plain values."""
    return [list(dataclasses.astuple(look)) for look in looks]


def looks_from_record(rows: list[list]) -> list[Look]:
    """The inverse of `looks_to_record`."""
    kinds: list[Any] = [field.type for field in dataclasses.fields(Look)]
    return [
        Look(*(kind(value) for kind, value in zip(kinds, row, strict=True)))
        for row in rows
    ]


def _fields(run: Run) -> list[dataclasses.Field]:
    return [field for field in dataclasses.fields(run) if field.name not in GIVEN]


def _check_shape(name: str, array, layout: Layout, run: Run) -> None:
    """Raise unless an array has a shape that arrays of this problem have."""
    known = {layout.energies, layout.pieces, run.problem.mass.shape, ()}
    if array.shape not in known:
        raise CheckpointError(
            f"the checkpoint's '{name}' has shape {array.shape}; it is of another "
            "problem"
        )
