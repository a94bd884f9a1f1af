"""Which program searches shadow prices: XLA's, or our kernel where it works.

Chosen when a fleet is packed. On a GPU the kernel is first tried on a small random
fleet, beside what XLA makes of `soc_tube`; if it fails or disagrees, a `KernelWarning`
says so once and solves go on without it. `MACJAX_PALLAS` in the environment overrides:
`0` never takes the kernel, `1` takes it or raises a `SettingsError`, and `interpret`
runs it as plain JAX on any device, which is slow and for tests.
"""

import functools
import os
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from macjax._errors import KernelWarning, SettingsError
from macjax._processes import Processes
from macjax.fleet.devices import first_device
from macjax.sets.clipped_lines import brackets_of, response_of
from macjax.sets.soc_tube import SocTube, shadow_prices

SWITCH = "MACJAX_PALLAS"
XLA, PALLAS, INTERPRET = "xla", "pallas", "interpret"
FORCED = {"0": XLA, "1": PALLAS, "interpret": INTERPRET}
PLATFORMS = ("gpu",)  # where the kernel is tried
TRIED_LANES = 80  # two programs of the kernel and a part of one
# Both answers meet the tube to 16 roundings of its bounds, and to those of the sums.
AGREEMENT = 64  # roundings


def choose_projection(
    devices: Sequence[Any] | None,
    processes: Processes,
    dtype: Any,
    rows: int,
    slots: int,
) -> str:
    """The program of the shadow prices of a fleet: "xla", "pallas" or "interpret".

    Arguments:
        devices: of the fleet; None is where JAX puts arrays.
        processes: that solve together; they all choose the same.
        dtype: of the fleet.
        rows, slots: K and S of its blocks.
    """
    asked = os.environ.get(SWITCH, "")
    if asked and asked not in FORCED:
        raise SettingsError(
            f"{SWITCH} must be one of {', '.join(FORCED)}, or not set, not '{asked}'"
        )
    device = first_device(devices)
    wanted = FORCED.get(asked, PALLAS if device.platform in PLATFORMS else XLA)
    if wanted != PALLAS:
        return wanted
    fault = fault_of_kernel(device, np.dtype(dtype).name, rows, slots)
    if processes.most(fault is not None):
        fault = fault or "it fails in another process"
        if asked:
            raise SettingsError(f"{SWITCH}=1, but the kernel does not work: {fault}")
        _warn(fault)
        return XLA
    return PALLAS


@functools.cache
def _warn(fault: str) -> None:
    warnings.warn(
        f"the GPU kernel of the projection is not used: {fault}; solves are right "
        f"without it, but slower ({SWITCH}=0 says nothing of it)",
        KernelWarning,
        stacklevel=2,
    )


@functools.cache
def fault_of_kernel(device: Any, dtype: str, rows: int, slots: int) -> str | None:
    """What is wrong with the kernel on a device, None if nothing is.

    Arguments:
        device: one of this process.
        dtype: name of the float type.
        rows, slots: K and S.
    """
    with jax.enable_x64(True), jax.default_device(device):
        try:
            lines, tube, guess = _instance(dtype, rows, slots)
            prices = _both(lines, tube, guess)
        # Whatever a compiler or a driver says, a solve can do without the kernel.
        except Exception as error:
            return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    center, gain, limit = (np.asarray(part, np.float64) for part in lines)
    energies = [
        np.clip(center + np.asarray(price, np.float64)[:, None] * gain, 0, limit)
        for price in prices
    ]
    apart = np.abs(energies[0] - energies[1]).max((0, 1))
    size = np.abs(center).max((0, 1)) + limit.sum((0, 1))
    roundings = np.max(apart / (np.finfo(dtype).eps * size))
    # Written so that a NaN is a fault.
    if roundings <= AGREEMENT:
        return None
    return f"its energies differ from those without it by {roundings:.3g} roundings"


def _both(lines, tube: SocTube, guess):
    """Shadow prices with the kernel and without it."""
    # Imported late: a JAX without this backend of Pallas can do without the kernel too.
    from macjax.sets.soc_tube_kernel import kernel_shadow_prices

    def by_xla(lines, tube, guess):
        response, brackets = response_of(*lines), brackets_of(*lines)
        return shadow_prices(response, tube, *brackets, guess)[0]

    found = jax.jit(kernel_shadow_prices)(lines, tube, guess)
    return found, jax.jit(by_xla)(lines, tube, guess)


def _instance(dtype, rows: int, slots: int):
    """Random vehicles in lanes, and guesses from right to nonsense.

    A tube around a random path: half of its bounds bind, a third are missing.
    """
    rng = np.random.default_rng(0)
    shape = (rows, slots, TRIED_LANES)
    limit = rng.choice([0.0, 1.2, 7.2, 11.0], shape)
    center = limit * rng.normal(0.4, 1.0, shape)
    gain = 10 ** rng.uniform(-1, 1, shape)
    last = rng.random((rows, TRIED_LANES)) < 0.3
    last[-1] = True
    path = np.zeros_like(last, float)
    ran = np.zeros(TRIED_LANES)
    used = (limit * rng.random(shape) * rng.random(TRIED_LANES)).sum(1)
    for k in range(rows):
        path[k] = ran = ran + used[k]
        ran = np.where(last[k], 0, ran)
    slack = rng.exponential(3.0, (2, *path.shape))
    slack = np.where(rng.random(slack.shape) < 0.5, 0, slack)
    slack = np.where(rng.random(slack.shape) < 0.3, np.inf, slack)
    spread = 10 ** rng.uniform(-2, 1, TRIED_LANES)
    guess = spread * np.repeat(rng.normal(0, 1, (rows // 4, TRIED_LANES)), 4, axis=0)
    lines = tuple(jnp.asarray(part, dtype) for part in (center, gain, limit))
    lower, upper = (path - slack[0]).astype(dtype), (path + slack[1]).astype(dtype)
    tube = SocTube(jnp.asarray(lower), jnp.asarray(upper), jnp.asarray(last))
    return lines, tube, jnp.asarray(guess, dtype)
