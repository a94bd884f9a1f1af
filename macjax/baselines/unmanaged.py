"""Unmanaged charging: full power on arrival until full, the horizon run once.

Every vehicle starts full. With d the room in the battery, stay k begins with
d = d after the last stay + trip energy since, and takes min(d, kw x hours x efficiency)
at full power from its arrival on.
"""

import time

import numpy as np

from macjax.baselines._fleet import FleetArrays, fleet_arrays
from macjax.baselines._outcome import Simulated, as_solution
from macjax.baselines._timeline import Timeline, slot_overlaps, steps
from macjax.certificate import Certifier
from macjax.objectives import PeakOverload
from macjax.scenario.plan import Plan

ASSUMPTIONS = (
    "Unmanaged: every vehicle starts the horizon full (SOC = battery_kwh) and charges "
    "at full power from its arrival until it is full or leaves.",
    "SOC may fall below reserve_kwh and below zero; such vehicles are listed as "
    "stranded, and their energy is still recharged.",
)


def unmanaged(scenario, objective=None):
    """Schedule in which every vehicle charges at full power on arrival until full.

    Arguments:
        scenario: a `Scenario`.
        objective: what the schedule is valued with, default `PeakOverload()`.

    Returns:
        `Solution` with status `simulated`, no bound and no prices.
    """
    begun = time.perf_counter()
    scenario.validate()
    objective = PeakOverload() if objective is None else objective
    certifier = Certifier(scenario, objective, "relax")
    fleet = fleet_arrays(scenario)
    charged, grid_kwh = charge_on_arrival(fleet.timeline, fleet.efficiency)
    plan = on_arrival_plan(fleet, grid_kwh)
    return as_solution(
        scenario,
        fleet,
        certifier,
        Simulated(plan, fleet.battery_kwh, charged, begun),
        method="unmanaged",
        objective=objective,
        assumptions=ASSUMPTIONS,
    )


def charge_on_arrival(timeline: Timeline, efficiency) -> tuple[np.ndarray, np.ndarray]:
    """Energy of every charging stay if each vehicle fills up as far as it can.

    Arguments:
        efficiency: battery kWh per grid kWh, shape (vehicles,).

    Returns:
        S, energy charged up to the end of each stay, shape (stays,) [battery kWh];
        grid energy of each stay, shape (stays,) [kWh].
    """
    eta = np.asarray(efficiency)[timeline.vehicle]
    most = timeline.kw * (timeline.end_h - timeline.begin_h) * eta
    taken = np.zeros(len(most))
    charged = np.zeros(len(most))
    for k, at in enumerate(steps(timeline.first)):
        before = charged[at - 1] if k else 0.0
        taken[at] = np.minimum(timeline.used_kwh[at] - before, most[at])
        charged[at] = before + taken[at]
    return charged, taken / eta


def on_arrival_plan(fleet: FleetArrays, grid_kwh) -> Plan:
    """Average power per slot when each stay takes its energy from its arrival on."""
    line = fleet.timeline
    until = np.minimum(line.begin_h + grid_kwh / line.kw, line.end_h)
    stay, slot, hours = slot_overlaps(line.begin_h, until, fleet.dt, fleet.slots)
    return Plan.of(line.row[stay], slot, line.kw[stay] * hours / fleet.dt)
