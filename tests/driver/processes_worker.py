"""One process of several that solve together; writes what it found to its folder.

    python processes_worker.py PROGRAM

PROGRAM is that of docs/large.md, which reads the folder `region` and writes `result`.
The environment says which process of how many this is.
"""

import json
import os
import runpy
import signal
import sys
from pathlib import Path

import jax
from compared import numbers

import macjax
from macjax import EnergyCost, FeederCapacity, MacjaxError

FOLDER = "region"
FOUND: dict = {}


def told(solution) -> dict:
    """What is compared."""
    return numbers(solution) | {
        "message": solution.message,
        "vehicles": len(solution.scenario.vehicles),
        "scheduled": int(solution.schedule()["vehicle_id"].nunique()),
        "upgrade_cost": float(solution.upgrades()["upgrade_cost"].sum()),
    }


def error_of(work) -> str:
    """The error of a call, as text."""
    try:
        work()
    except (MacjaxError, ZeroDivisionError) as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def cut(first: int, overlap: int = 0) -> macjax.Scenario:
    """Process 0 with the first vehicles of all, process 1 with the others."""
    whole = macjax.Scenario.read(FOLDER)
    ids = whole.vehicles["vehicle_id"]
    own = ids[first - overlap :] if jax.process_index() else ids[:first]
    return whole.subset(vehicles=own)


def too_far(scenario: macjax.Scenario) -> macjax.Scenario:
    """Process 1 has trips that no battery can serve."""
    if jax.process_index() == 0:
        return scenario
    return scenario.with_tables(trips=scenario.trips.assign(energy_kwh=1e3))


def interrupt(record: dict) -> None:
    """What a user at the keyboard does."""
    if record["iteration"] == 20:
        os.kill(os.getpid(), signal.SIGINT)


def fail(record: dict) -> None:
    """An error in a user's own function."""
    raise ZeroDivisionError("of the user")


def main() -> None:
    """All solves after one another, in the same order in all processes."""
    names = runpy.run_path(sys.argv[1])
    part, solution, index = names["part"], names["solution"], jax.process_index()
    FOUND["even"] = told(solution)
    FOUND["warm"] = told(macjax.solve(part, warm_start=solution))
    FOUND["no hold"] = str(macjax.solve(part, FeederCapacity()).status)
    for first in (37, 1, 100):
        FOUND[f"first {first}"] = told(macjax.solve(cut(first)))
    alone = macjax.solve(cut(37), time_limit=0, devices=jax.local_devices())
    FOUND["alone"] = told(alone)
    stopped = macjax.solve(part, gap=1e-11, progress=interrupt)
    FOUND["interrupted"] = told(stopped)
    FOUND["no time"] = told(macjax.solve(part, time_limit=0))
    other = EnergyCost(0.1 * index)
    FOUND["errors"] = {
        "overlap": error_of(lambda: macjax.solve(cut(37, overlap=2))),
        "gap": error_of(lambda: macjax.solve(part, gap=10.0 ** -(3 + index))),
        "wrong gap": error_of(lambda: macjax.solve(part, gap=0 if index else 1e-3)),
        "objective": error_of(lambda: macjax.solve(part, other)),
        "trips": error_of(lambda: macjax.solve(too_far(part))),
        "progress": error_of(lambda: macjax.solve(part, progress=fail)),
        "certify": error_of(lambda: macjax.certify(part, solution)),
        "checkpoint": error_of(lambda: macjax.solve(part, checkpoint="run")),
        "session": error_of(lambda: macjax.baselines.per_session(part)),
        "read": error_of(lambda: macjax.read_part("nowhere" if index else FOLDER)),
    }
    FOUND["after"] = told(macjax.solve(part))
    Path(f"{index}.json").write_text(json.dumps(FOUND), encoding="utf-8")


if __name__ == "__main__":
    main()
