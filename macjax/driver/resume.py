"""`resume`: go on with a run from its folder of checkpoints."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from macjax._errors import CheckpointError
from macjax._version import __version__
from macjax.driver.checkpoints import (
    checkpoint_files,
    newest,
    read_problem,
    terms_digest,
    warn,
)
from macjax.driver.clock import Clock
from macjax.driver.lock import locked
from macjax.driver.parts import Left
from macjax.driver.settings import Settings, check_settings
from macjax.driver.work import Work, prepare
from macjax.results import Solution
from macjax.results.folders import resolved
from macjax.results.summary import versions

KEPT_SETTINGS = ("gap", "max_iterations", "time_limit", "on_infeasible", "dtype")
KEPT_SETTINGS += ("vehicle_to_grid", "device_memory", "checkpoint_every")


def resume(
    checkpoint: str | os.PathLike,
    gap: float | None = None,
    max_iterations: int | None = None,
    time_limit: float | None = None,
    progress=None,
    devices: Sequence[Any] | None = None,
    checkpoint_every: float | None = None,
) -> Solution:
    """Go on with a solve from the newest checkpoint in its folder.

    The folder holds the tables and the objective too. The run takes the steps that it
    would have taken without the interruption, on the same machine and devices to the
    last bit, and goes on writing checkpoints. Settings that are None are as they were.

    Arguments:
        checkpoint: the folder that `solve` was given.
        gap: certified relative gap at which the solve is done.
        max_iterations: most iterations, those of all parts of the run together.
        time_limit: most seconds of this part; infinity lifts a limit that was given.
        progress: as in `solve`.
        devices: as in `solve`; of the kind that was used, their number may differ.
        checkpoint_every: seconds between two checkpoints.

    Returns:
        A `Solution`; its seconds and iterations count all parts. A folder that holds no
        checkpoint, damaged ones only, or those of another version, kind of device or
        problem raises `CheckpointError`.
    """
    folder = resolved(checkpoint)
    if not folder.is_dir():
        raise CheckpointError(f"'{folder}' is not a folder; there is nothing to resume")
    if not checkpoint_files(folder):
        raise CheckpointError(
            f"'{folder}' holds no checkpoint; start the run again with macjax.solve"
        )
    given = {
        "gap": gap,
        "max_iterations": max_iterations,
        "time_limit": time_limit,
        "checkpoint_every": checkpoint_every,
    }
    given = {name: value for name, value in given.items() if value is not None}
    check_settings(**given, progress=progress, devices=devices)
    with locked(folder):
        path, record, arrays = newest(folder)
        _check_version(path, record)
        kept = {name: record["settings"][name] for name in KEPT_SETTINGS}
        if kept["time_limit"] is not None:
            kept["time_limit"] = float(kept["time_limit"])  # infinity is text in JSON
        kept |= {"progress": progress, "devices": devices, "checkpoint": folder}
        settings = check_settings(**(kept | given))
        if record["settings"]["warm_start"]:
            settings = dataclasses.replace(settings, warm_start=True)
        work = _prepare(folder, path, record, settings)
        work.keep_checkpoints(folder, read=path)
        return work.solve(left=Left(record, arrays))


def _prepare(folder: Path, path: Path, record: Mapping, settings: Settings) -> Work:
    """The pieces of the run, after a check that the checkpoint is of them."""
    clock = Clock(settings.time_limit, record["clock"])
    scenario, objective = read_problem(folder, record["vehicle_to_grid"])
    if scenario.fingerprint != record["scenario"]:
        raise CheckpointError(
            f"'{path}' belongs to another scenario than '{folder / 'scenario'}'; "
            "without it the checkpoint before is taken"
        )
    work = prepare(scenario, objective, "mobility", settings, clock)
    if terms_digest(work.data) != record["terms"]:
        raise CheckpointError(
            f"'{path}' belongs to another objective than "
            f"'{folder / 'objective.json'}'; without it the checkpoint before is taken"
        )
    if work.device != record["device"]:
        raise CheckpointError(
            f"'{path}' was computed on '{record['device']}', this is '{work.device}': "
            "results would differ; resume on the kind of device that wrote it"
        )
    return work


def _check_version(path: Path, record: Mapping) -> None:
    """Raise for another macjax; tell of another JAX."""
    if record["macjax"] != __version__:
        raise CheckpointError(
            f"'{path}' was written by macjax {record['macjax']}, this is {__version__}"
            ": resume with the macjax that wrote it"
        )
    before, now = record["versions"], versions()
    changed = [name for name in now if before.get(name) != now[name]]
    if changed:
        told = ", ".join(f"{n} {before.get(n)} -> {now[n]}" for n in changed)
        warn(
            f"'{path.name}' was written with other versions ({told}); the result may "
            "differ in its last digits"
        )
