"""One process of several that solve together; writes JSON to a folder.

python processes_worker.py INDEX COUNT PORT SCENARIO OUT
"""

import json
import os
import signal
import sys
from pathlib import Path

import jax

import macjax
from macjax import FeederCapacity, MacjaxError

INDEX, COUNT = int(sys.argv[1]), int(sys.argv[2])
FOLDER, OUT = sys.argv[4], Path(sys.argv[5])
FOUND: dict = {}


def told(solution) -> dict:
    """What both processes have to say alike."""
    return {
        "status": str(solution.status),
        "objective": solution.objective,
        "lower_bound": solution.lower_bound,
        "iterations": solution.iterations,
        "vehicles": len(solution.scenario.vehicles),
        "scheduled": int(solution.schedule()["vehicle_id"].nunique()),
        "prices": solution.price_table.ravel().tolist(),
        "loads": solution.loads()["ev_kw"].tolist(),
        "upgrade_cost": float(solution.upgrades()["upgrade_cost"].sum()),
        "processes": solution.settings["processes"],
    }


def error_of(work) -> str:
    """The error of a call, as text."""
    try:
        work()
    except (MacjaxError, ZeroDivisionError) as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def uneven(first: int) -> macjax.Scenario:
    """Process 0 with the first vehicles of all, process 1 with the others."""
    whole = macjax.Scenario.read(FOLDER)
    ids = whole.vehicles["vehicle_id"]
    return whole.subset(vehicles=ids[:first] if INDEX == 0 else ids[first:])


def too_far(scenario: macjax.Scenario) -> macjax.Scenario:
    """Process 1 has a trip that no battery can serve."""
    if INDEX == 0:
        return scenario
    names = ("name", "start", "timezone", "slot_minutes", "slots", "vehicles")
    names += ("stays", "trips", "feeders", "feeder_profile")
    given = {name: getattr(scenario, name) for name in names}
    given["trips"] = given["trips"].assign(energy_kwh=1e3)
    return macjax.Scenario.from_frames(**given)


def interrupt(record: dict) -> None:
    """What a user at the keyboard does."""
    if record["iteration"] == 20:
        os.kill(os.getpid(), signal.SIGINT)


def fail(record: dict) -> None:
    """An error in a user's own function."""
    raise ZeroDivisionError("of the user")


def main() -> None:
    """All solves after one another, in the same order in all processes."""
    jax.distributed.initialize(
        f"localhost:{sys.argv[3]}", num_processes=COUNT, process_id=INDEX
    )
    part = macjax.read_part(FOLDER)
    solution = macjax.solve(part)
    FOUND["even"] = told(solution)
    solution.write(OUT / "solution")
    FOUND["warm"] = told(macjax.solve(part, warm_start=solution))
    FOUND["no hold"] = str(macjax.solve(part, FeederCapacity()).status)
    for first in (97, 100):
        FOUND[f"first {first}"] = told(macjax.solve(uneven(first)))
    stopped = macjax.solve(part, gap=1e-11, progress=interrupt)
    FOUND["interrupted"] = told(stopped)
    FOUND["no time"] = told(macjax.solve(part, time_limit=0))
    whole = macjax.Scenario.read(FOLDER)
    FOUND["errors"] = {
        "same": error_of(lambda: macjax.solve(whole)),
        "settings": error_of(lambda: macjax.solve(part, gap=10.0 ** -(3 + INDEX))),
        "trips": error_of(lambda: macjax.solve(too_far(part))),
        "progress": error_of(lambda: macjax.solve(part, progress=fail)),
        "certify": error_of(lambda: macjax.certify(part, solution)),
        "read": error_of(lambda: macjax.read_part(OUT if INDEX else FOLDER)),
    }
    FOUND["after"] = told(macjax.solve(part))
    (OUT / f"{INDEX}.json").write_text(json.dumps(FOUND), encoding="utf-8")


if __name__ == "__main__":
    main()
