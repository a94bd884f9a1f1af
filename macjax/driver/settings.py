"""The settings of a solve, checked before anything is computed."""

import dataclasses
import math
import numbers
import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from macjax._errors import SettingsError, nearest
from macjax.driver.shortfall import POLICIES

DTYPES = {"float32": np.float32, "float64": np.float64}
LEAST_GAP = {"float32": 1e-6, "float64": 1e-12}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What `macjax.solve` was asked for; see there.

    Arguments:
        gap: certified relative gap that is wanted.
        max_iterations: most iterations.
        time_limit: most seconds, or None.
        warm_start: a solution, or None.
        on_infeasible: "error", "drop" or "relax".
        dtype: NumPy dtype of the iteration.
        progress: True, False, None or a callable.
        vehicle_to_grid: False leaves `discharge_kw` out of account.
        devices: JAX devices over which vehicles are spread; None is the default one.
        device_memory: GiB that the fleet may take on each device; None asks it.
        checkpoint: folder of the checkpoints, or None.
        checkpoint_every: seconds between two checkpoints.
    """

    gap: float
    max_iterations: int
    time_limit: float | None
    warm_start: Any
    on_infeasible: str
    dtype: Any
    progress: Any
    vehicle_to_grid: bool | None
    devices: tuple[Any, ...] | None
    device_memory: float | None
    checkpoint: str | os.PathLike | None
    checkpoint_every: float

    def record(self) -> dict:
        """The settings as plain values, to travel with the result."""
        every = self.checkpoint_every
        return {
            "gap": self.gap,
            "max_iterations": self.max_iterations,
            "time_limit": self.time_limit,
            "warm_start": self.warm_start is not None,
            "on_infeasible": self.on_infeasible,
            "dtype": np.dtype(self.dtype).name,
            "vehicle_to_grid": self.vehicle_to_grid,
            "devices": len(self.devices or [None]),
            "device_memory": self.device_memory,
            "checkpoint": self.checkpoint is not None,
            "checkpoint_every": None if self.checkpoint is None else every,
        }


def check_settings(
    gap=1e-3,
    max_iterations=20_000,
    time_limit=None,
    warm_start=None,
    on_infeasible="error",
    dtype=None,
    progress=None,
    vehicle_to_grid=None,
    devices=None,
    device_memory=None,
    checkpoint=None,
    checkpoint_every=60.0,
    **unknown,
) -> Settings:
    """`Settings`, or a SettingsError that says what is accepted."""
    for name in unknown:
        known = [field.name for field in dataclasses.fields(Settings)]
        raise SettingsError(f"unknown setting '{name}': {nearest(name, known)}")
    devices = check_devices(devices)
    dtype = _dtype(dtype, devices)
    name = np.dtype(dtype).name
    if not _is_number(gap) or not math.isfinite(gap) or gap < LEAST_GAP[name]:
        raise SettingsError(
            f"gap must be a number of at least {LEAST_GAP[name]:g} in {name}, not "
            f"{gap!r}" + ("; use dtype='float64'" if name == "float32" else "")
        )
    _check_limits(max_iterations, time_limit)
    if on_infeasible not in POLICIES:
        raise SettingsError(
            f"on_infeasible must be one of {', '.join(POLICIES)}, not {on_infeasible!r}"
        )
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise SettingsError(
            f"progress must be True, False, None or a callable, not {progress!r}"
        )
    _check_device_memory(device_memory)
    _check_checkpoint(checkpoint, checkpoint_every)
    return Settings(
        gap=float(gap),
        max_iterations=int(max_iterations),
        time_limit=None if time_limit is None else float(time_limit),
        warm_start=warm_start,
        on_infeasible=on_infeasible,
        dtype=dtype,
        progress=progress,
        vehicle_to_grid=vehicle_to_grid,
        devices=devices,
        device_memory=None if device_memory is None else float(device_memory),
        checkpoint=checkpoint,
        checkpoint_every=float(checkpoint_every),
    )


def _check_limits(max_iterations, time_limit) -> None:
    """Raise unless both are numbers that end a run."""
    whole = isinstance(max_iterations, numbers.Integral)
    if not whole or isinstance(max_iterations, bool) or max_iterations < 1:
        raise SettingsError(
            "max_iterations must be a whole number of at least 1, "
            f"not {max_iterations!r}"
        )
    if time_limit is not None and (not _is_number(time_limit) or not time_limit >= 0):
        raise SettingsError(
            f"time_limit must be seconds of at least 0, or None, not {time_limit!r}"
        )


def _check_device_memory(given) -> None:
    """Raise unless it is GiB of one process, or None."""
    if given is None:
        return
    if not _is_number(given) or not 0 < given < math.inf:
        raise SettingsError(
            f"device_memory must be GiB of more than 0, or None, not {given!r}"
        )
    if jax.process_count() > 1:
        raise SettingsError("device_memory: a run of several processes has none yet")


def _check_checkpoint(folder, every) -> None:
    """Raise unless checkpoints have a place and a time."""
    if folder is not None and (
        not isinstance(folder, str | os.PathLike) or not os.fspath(folder)
    ):
        raise SettingsError(f"checkpoint must be a folder or None, not {folder!r}")
    if not _is_number(every) or not 0 <= every < math.inf:
        raise SettingsError(
            f"checkpoint_every must be seconds of at least 0, not {every!r}"
        )
    if folder is not None and jax.process_count() > 1:
        raise SettingsError("checkpoint: a run of several processes has none yet")


def check_devices(devices) -> tuple[Any, ...] | None:
    """The devices to use; None where that is the default one alone."""
    if devices is None:
        found = tuple(jax.devices())
        return found if len(found) > 1 else None
    if isinstance(devices, jax.Device):
        devices = [devices]
    if not isinstance(devices, Sequence) or not devices:
        raise SettingsError(f"devices must be a list of JAX devices, not {devices!r}")
    wrong = [d for d in devices if not isinstance(d, jax.Device)]
    if wrong or len(set(devices)) < len(devices):
        raise SettingsError(
            f"devices must be different JAX devices, as jax.devices() lists them, not "
            f"{devices!r}"
        )
    return tuple(devices)


def _dtype(dtype, devices):
    if dtype is None:
        kind = devices[0].platform if devices else jax.default_backend()
        return np.float64 if kind == "cpu" else np.float32
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    if name not in DTYPES:
        raise SettingsError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    return DTYPES[name]


def _is_number(value) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
