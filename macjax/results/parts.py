"""Solutions of several processes: each writes its part, reading joins them.

    folder/part-00000-of-00002/     the solution of process 0: a folder like any other
    folder/part-00001-of-00002/     with its own vehicles, and objective, bound, prices
                                    and loads of all

Joined, they are one solution of the whole fleet that the certificate judges like any
other. Vehicles, stays and trips follow one another in the order of the parts.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, SolutionError
from macjax.results import folders
from macjax.scenario.plan import Plan
from macjax.scenario.scenario import Scenario

NAME = "part-{:05d}-of-{:05d}"
_NAME = re.compile(r"part-(\d{5})-of-(\d{5})")


class Part(NamedTuple):
    """Which part of a fleet a solution holds.

    Arguments:
        index: number of the process.
        count: how many processes solved together.
        run: word that tells this solve from others.
        beside_kw: EV load of the vehicles of the other parts, shape (F, T) [kW].
    """

    index: int
    count: int
    run: str
    beside_kw: np.ndarray


def part_folder(folder: str | os.PathLike, part: Part) -> Path:
    """Where a part is written; SettingsError if the folder is of something else."""
    path = folders.resolved(folder)
    if path.is_dir():
        own = {NAME.format(i, part.count) for i in range(part.count)}
        # Other processes are writing beside, under hidden names.
        there = [e.name for e in path.iterdir() if not e.name.startswith(".")]
        if foreign := sorted(set(there) - own):
            raise SettingsError(
                f"'{path}' holds '{foreign[0]}', which is not of a solution by "
                f"{part.count} processes; name another folder"
            )
    return path / NAME.format(part.index, part.count)


def part_folders(folder: str | os.PathLike) -> list[Path]:
    """The folders of all parts in their order; none if it is not a folder of parts."""
    path = folders.resolved(folder)
    names = sorted(e.name for e in path.iterdir()) if path.is_dir() else []
    found = [match for name in names if (match := _NAME.fullmatch(name))]
    if not found or (path / "solution.json").exists():
        return []
    count = int(found[0][2])
    wanted = [NAME.format(i, count) for i in range(count)]
    if [match[0] for match in found] != wanted:
        there = {match[0] for match in found}
        missing = [name for name in wanted if name not in there]
        what = f"'{missing[0]}' is missing" if missing else "of several solves"
        raise SolutionError(f"'{path}' does not hold all parts of a solution: {what}")
    return [path / name for name in wanted]


def joined(parts: Sequence[Any]) -> dict:
    """The keyword arguments of the `Solution` that the parts make together."""
    first = parts[0]
    for part in parts:
        if part.part is None or part.part.run != first.part.run:
            raise SolutionError(
                "the parts are of different solves; let all processes write again"
            )
    stays = _offsets(parts, "stays")
    plan = None
    if first.plan is not None:
        rows = [part.plan.stay + at for part, at in zip(parts, stays, strict=True)]
        slots, powers = ([part.plan[k] for part in parts] for k in (1, 2))
        plan = Plan(*(np.concatenate(column) for column in (rows, slots, powers)))
    return {
        "scenario": _whole_scenario([part.scenario for part in parts]),
        "plan": plan,
        "status": first.status,
        "message": first.message,
        "objective": first.objective,
        "lower_bound": first.lower_bound,
        "gap": first.gap,
        "unmanaged_objective": first.unmanaged_objective,
        "iterations": first.iterations,
        "history": first.history,
        "seconds": first.seconds,
        "prices": first.price_table,
        "dual_ray": first.dual_ray,
        "objective_spec": first.objective_spec,
        "method": first.method,
        "tube": first.tube,
        "on_infeasible": first.on_infeasible,
        "infeasible": _vehicles(parts, "infeasible"),
        "stranded": _vehicles(parts, "stranded"),
        "dropped": [vehicle for part in parts for vehicle in part.dropped],
        "settings": first.settings,
        "versions": first.versions,
    }


def _offsets(parts, table: str) -> np.ndarray:
    """How many rows of a table lie before each part."""
    rows = [len(getattr(part.scenario, table)) for part in parts]
    return np.cumsum([0, *rows[:-1]])


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames below one another; those without rows only where all are."""
    kept = [frame for frame in frames if len(frame)] or list(frames[:1])
    return pd.concat(kept, ignore_index=True)


def _vehicles(parts, name: str) -> pd.DataFrame:
    """A frame of vehicles with the trips of the joined table."""
    frames = []
    for part, at in zip(parts, _offsets(parts, "trips"), strict=True):
        frame = getattr(part, name)
        frames.append(frame.assign(trip=frame["trip"] + int(at)))
    return _together(frames)


def _whole_scenario(scenarios: Sequence[Scenario]) -> Scenario:
    """All vehicles with their stays and trips on the feeders of the first."""
    rows = {
        name: _together([getattr(each, name) for each in scenarios])
        for name in ("vehicles", "stays", "trips")
    }
    return scenarios[0].with_tables(**rows)
