"""A solve by several processes, each of which holds a part of the vehicles.

All processes hold all feeders and take the same steps; sums over the fleet are taken
over the devices of all of them, decisions are taken together after every step.
"""

import numpy as np
import pandas as pd

from macjax._processes import Processes
from macjax._status import Status
from macjax.driver.warm_start import WarmStart
from macjax.results import Part, tables
from macjax.scenario import Scenario
from macjax.scenario.plan import Plan

STATUSES = list(Status)
NONE_YET = len(STATUSES)


def agree_on_problem(work, warm: WarmStart | None) -> None:
    """Raise in all processes unless their `Work` is of one problem.

    Arguments:
        work: prepared in this process.
        warm: where it starts.
    """
    processes, scenario = work.processes, work.scenario
    if processes.count == 1:
        return
    feeders = scenario.feeders["feeder_id"].tolist()
    clock = scenario.start.isoformat(), scenario.slot_minutes, scenario.slots
    terms = b"".join(np.ascontiguousarray(x, np.float64).tobytes() for x in work.data)
    processes.require_same(
        {
            "horizons": clock,
            "feeders": feeders,
            "capacities, base loads or objectives": terms,
            "settings": (work.tube, sorted(work.settings.record().items(), key=str)),
            "prices to start from": None if warm is None else warm.prices,
        }
    )
    ids = pd.util.hash_array(scenario.vehicles["vehicle_id"].to_numpy(object))
    processes.require_disjoint(ids, "vehicles")


def decided(processes: Processes, status: Status | None) -> Status | None:
    """What the first process says that wants to end; None if none of them does.

    Processes see the same numbers, but not the same clocks and signals.
    """
    if processes.count == 1:
        return status
    own = NONE_YET if status is None else STATUSES.index(status)
    said = processes.gather(np.int64(own))
    ends = said[said < NONE_YET]
    return STATUSES[ends[0]] if len(ends) else None


def part_of(processes: Processes, scenario: Scenario, plan: Plan | None) -> Part | None:
    """What a solution has to know of the other parts; None if there are none.

    Arguments:
        processes: that solved together.
        scenario: part of this process.
        plan: schedule of this process; either all have one or none.
    """
    if processes.count == 1:
        return None
    own = tables.ev_load(scenario, Plan.empty() if plan is None else plan)
    loads = processes.gather(own)
    others = np.delete(loads, processes.index, axis=0).sum(axis=0)
    return Part(processes.index, processes.count, processes.token(), others)
