"""`solve`: from a scenario to a certified schedule, prices and upgrades.

The solver iterates on the device; what is reported is recomputed by the certificate
from the raw tables in float64. `solved` is the certificate's word.
"""

import os
from collections.abc import Sequence
from typing import Any

from macjax._errors import SettingsError
from macjax._processes import Processes
from macjax.driver.checkpoints import (
    new_folder,
    write_problem,
)
from macjax.driver.clock import Clock
from macjax.driver.lock import locked
from macjax.driver.settings import Settings, check_devices, check_settings
from macjax.driver.warm_start import warm_tables
from macjax.driver.work import prepare
from macjax.objectives import PeakOverload
from macjax.results import Solution
from macjax.scenario import Scenario


def solve(
    scenario: Scenario,
    objective=None,
    gap: float = 1e-3,
    max_iterations: int = 20_000,
    time_limit: float | None = None,
    warm_start: Solution | None = None,
    on_infeasible: str = "error",
    dtype=None,
    progress=None,
    vehicle_to_grid: bool | None = None,
    devices: Sequence[Any] | None = None,
    device_memory: float | None = None,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: float = 60.0,
) -> Solution:
    """Least feeder upgrades over all schedules that serve every trip, with a proof.

        min_u sum_f g_f(P_f(u))   over   u_n in U_n, the SOC-sufficient schedules

    Arguments:
        scenario: the tables.
        objective: one of `macjax.objectives` or a sum of them; None: `PeakOverload()`.
        gap: certified relative gap at which the solve is done: objective - lower_bound
            <= gap (|objective| + 0.01 |objective of unmanaged charging|).
        max_iterations: most iterations (ADMM iterations and Newton steps).
        time_limit: most seconds, compiling included; checked between steps.
        warm_start: a `Solution` with prices, of this or of a similar scenario.
        on_infeasible: vehicles that cannot make their trips at full power raise
            `InfeasibleVehicles` ("error"), are left out ("drop") or do their best
            ("relax").
        dtype: "float64" or "float32"; None is float64 on a CPU and float32 on a GPU.
        progress: True prints lines to stderr, False does not, None does on a
            terminal; a callable is called with a dict at each check (by process 0).
        vehicle_to_grid: False leaves `discharge_kw` out of account.
        devices: JAX devices over which the vehicles are spread; None takes all of the
            default kind, those of all processes of a `jax.distributed` run too: they
            solve together, each with its part of the vehicles and the same feeders.
        device_memory: GiB that the fleet may take on each device; one that needs more
            stays in the memory of the host and goes through the devices in chunks.
            None takes what a GPU has free, and sets no limit on a CPU.
        checkpoint: a new folder for checkpoints, from which `resume` goes on; one is
            also written at the end. None writes nothing.
        checkpoint_every: seconds between two checkpoints; 0 is after every step.

    Returns:
        A `Solution`; `.status` says how it ended and `.message` what to do. Wrong data
        raise `DataError`, wrong settings `SettingsError`. Of several processes each has
        its own vehicles in it, and objective, bound, prices and loads of all.
    """
    return solve_tube(**locals())


def solve_tube(scenario, objective=None, *, tube="mobility", **given) -> Solution:
    """`solve` over the schedules of a tube: "mobility" or "per_session"."""
    processes = Processes.of(check_devices(given.get("devices")))
    with processes.together():
        with processes.agreed("to prepare its part"):
            settings = check_settings(**given)
            work, warm = _prepared(scenario, objective, tube, settings)
        if settings.checkpoint is None:
            return work.solve(warm)
        folder = new_folder(settings.checkpoint)
        with locked(folder):
            write_problem(folder, scenario, work.objective)
            work.keep_checkpoints(folder)
            return work.solve(warm)


def _prepared(scenario, objective, tube: str, settings: Settings):
    """The work of a solve, and where it starts."""
    if not isinstance(scenario, Scenario):
        raise SettingsError(
            f"scenario must be a macjax.Scenario, not {type(scenario).__name__}; "
            "Scenario.read(folder) gives one"
        )
    if tube != "mobility":
        if settings.checkpoint is not None:
            raise SettingsError(f"checkpoint: not for the method '{tube}'")
        if Processes.of(settings.devices).count > 1:
            raise SettingsError(f"several processes: not for the method '{tube}'")
    clock = Clock(settings.time_limit)
    scenario.validate(vehicle_to_grid=settings.vehicle_to_grid)
    objective = PeakOverload() if objective is None else objective
    warm = None
    if settings.warm_start is not None:
        warm = warm_tables(scenario, settings.warm_start)
    return prepare(scenario, objective, tube, settings, clock), warm
