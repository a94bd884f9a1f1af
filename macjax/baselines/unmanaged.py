"""Unmanaged charging: full power on arrival until full, the horizon run once.

Every vehicle starts full. With E_k the trip energy before stay k and m_k the most that
the stay can give, it has charged by the end of the stay

    S_k = min(E_k, S_{k-1} + m_k)

which is the per-session tube. It takes S_k - S_{k-1} at full power from its arrival on.
"""

import numpy as np

from macjax.baselines._fleet import (
    NOTHING_KWH,
    FleetArrays,
    fleet_arrays,
    slot_overlaps,
)
from macjax.baselines._outcome import Simulation
from macjax.scenario.plan import Plan

ASSUMPTIONS = (
    "Unmanaged: every vehicle starts the horizon full (SOC = battery_kwh) and charges "
    "at full power from its arrival until it is full or leaves.",
    "SOC may fall below reserve_kwh and below zero; such vehicles are listed as "
    "stranded, and their energy is still recharged.",
)


def unmanaged(scenario, objective=None, on_infeasible: str = "relax"):
    """Schedule in which every vehicle charges at full power on arrival until full.

    Arguments:
        scenario: a `Scenario`.
        objective: what the schedule is valued with, default `PeakOverload()`.
        on_infeasible: what becomes of vehicles that cannot make their trips even at
            full power: "relax" (they charge like all others), "drop" (left out, as
            `macjax.solve` does with "drop") or "error".

    Returns:
        `Solution` with status `simulated`, no bound and no prices.
    """
    simulation = Simulation.begin(scenario, objective, on_infeasible)
    fleet = fleet_arrays(scenario, "per_session")
    charged = simulation.of_served(fleet.chains, fleet.chains.lower)
    return simulation.solution(
        fleet.chains,
        on_arrival_plan(fleet, charged),
        charged,
        start="battery_kwh",
        method="unmanaged",
        assumptions=ASSUMPTIONS,
    )


def on_arrival_plan(fleet: FleetArrays, charged_kwh) -> Plan:
    """Average power per slot when each stay takes its energy from its arrival on.

    Arguments:
        charged_kwh: S, energy charged up to the end of each stay, shape (stays,)
            [battery kWh].
    """
    chains = fleet.chains
    before = np.append(0.0, charged_kwh)[:-1]
    before[chains.first[chains.count > 0]] = 0.0
    taken = np.where(charged_kwh - before > NOTHING_KWH, charged_kwh - before, 0.0)
    until = np.minimum(chains.begin + taken / chains.slot_kwh, chains.end)
    stay, slot, overlap = slot_overlaps(chains.begin, until, fleet.slots)
    return Plan.of(chains.row[stay], slot, fleet.kw[stay] * overlap)
