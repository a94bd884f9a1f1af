"""First come, first served under hard feeder limits.

In every slot the vehicles on a feeder are served in the order of their arrival. With
headroom H = (capacity - base)_+ [kW], d_i what vehicle i could take in the slot [kWh]
and w_i its weight, arrivals at the same instant form a group g and share pro rata:

    e_i = d_i clip((H dt - sum of w d over earlier groups) / sum_{j in g} w_j d_j, 0, 1)

Every vehicle starts full. Chargers without a feeder have no limit.
"""

from typing import NamedTuple

import numpy as np

from macjax.baselines._fleet import (
    NOTHING_KWH,
    FleetArrays,
    fleet_arrays,
    running_sums,
    touched_slots,
)
from macjax.baselines._outcome import Simulation
from macjax.fleet.opportunities import Chains
from macjax.scenario.plan import Plan

# Limits are kept to this share, so that rounding leaves no overload to count.
BELOW = 1.0 - 1e-12

ASSUMPTIONS = (
    "First come, first served: every vehicle starts the horizon full "
    "(SOC = battery_kwh) and asks for full power from its arrival until it is full.",
    "Feeder limits are hard on the average power of each slot; vehicles are served in "
    "the order of arrival, arrivals at the same instant share pro rata, and nobody "
    "charges where the base load leaves no room.",
    "SOC may fall below reserve_kwh and below zero; such vehicles are listed as "
    "stranded.",
)


def first_come(scenario, objective=None, on_infeasible: str = "relax"):
    """Schedule in which hard feeder limits are shared out by time of arrival.

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
    fleet = fleet_arrays(scenario)
    used_kwh = trip_energy_before(scenario, fleet.chains)
    used_kwh = simulation.of_served(fleet.chains, used_kwh)
    capacity_kw, base_kw = scenario.capacity_base()
    charged, plan = serve_in_order(fleet, used_kwh, capacity_kw - base_kw)
    return simulation.solution(
        fleet.chains,
        plan,
        charged,
        start="battery_kwh",
        method="first_come",
        assumptions=ASSUMPTIONS,
    )


def trip_energy_before(scenario, chains: Chains) -> np.ndarray:
    """E = upper - (battery - initial), used before each charging stay, (stays,) [kWh].

    Arguments:
        chains: with the tube of SOC sufficiency.
    """
    battery, initial = (
        scenario.vehicles[name].to_numpy(np.float64)
        for name in ("battery_kwh", "initial_kwh")
    )
    return chains.upper - (battery - initial)[chains.vehicle]


def serve_in_order(
    fleet: FleetArrays, used_kwh, headroom_kw
) -> tuple[np.ndarray, Plan]:
    """Run the horizon slot by slot under the limits.

    Arguments:
        used_kwh: trip energy before each charging stay, shape (stays,) [kWh].
        headroom_kw: capacity - base, shape (feeders, slots) [kW].

    Returns:
        S, energy charged up to the end of each stay, shape (stays,) [battery kWh], and
        the plan.
    """
    chains, dt = fleet.chains, fleet.dt
    # By feeder and arrival once, so that each slot only has to pick from the queue.
    queue = np.lexsort((chains.row, chains.begin, chains.feeder))
    begin, end = chains.begin[queue], chains.end[queue]
    from_slot, to_slot = touched_slots(begin, end, fleet.slots)
    to_slot = np.maximum(to_slot, from_slot + 1)
    limit_kwh = np.maximum(headroom_kw, 0.0) * (dt * BELOW)

    charged = np.zeros(len(chains.count))
    taken = np.zeros(len(queue))
    stays, times, powers = [queue[:0]], [queue[:0]], [taken[:0]]
    for t in range(fleet.slots):
        here = np.flatnonzero((from_slot <= t) & (t < to_slot))
        stay = queue[here]
        vehicle, eta = chains.vehicle[stay], fleet.efficiency[stay]
        overlap = np.minimum(end[here], t + 1) - np.maximum(begin[here], t)
        asking = Asking(
            feeder=chains.feeder[stay],
            arrival=chains.begin[stay],
            weight=fleet.weight[stay],
            efficiency=eta,
            most_kwh=fleet.kw[stay] * dt * np.maximum(overlap, 0.0),
            room_kwh=used_kwh[stay] - charged[vehicle],
        )
        served = serve_slot(asking, limit_kwh[:, t], same_vehicle(stay, vehicle))
        some = served > 0
        stay, served, gained = stay[some], served[some], (eta * served)[some]
        np.add.at(charged, vehicle[some], gained)
        taken[stay] += gained
        stays.append(stay)
        times.append(np.full(len(stay), t))
        powers.append(served / dt)
    plan = Plan.of(
        chains.row[np.concatenate(stays)],
        np.concatenate(times),
        np.concatenate(powers),
    )
    return running_sums(taken, chains.count, chains.first), plan


class Asking(NamedTuple):
    """What the stays of one slot ask for, sorted by feeder and arrival, (asking,) each.

    Arguments:
        feeder: feeder index, -1 for none.
        arrival: instant of arrival [slots].
        weight: vehicles per row.
        efficiency: battery kWh per grid kWh.
        most_kwh: full power over the time in the slot [grid kWh].
        room_kwh: room in the battery as the slot begins, trips before the stay
            included [battery kWh].
    """

    feeder: np.ndarray
    arrival: np.ndarray
    weight: np.ndarray
    efficiency: np.ndarray
    most_kwh: np.ndarray
    room_kwh: np.ndarray


def same_vehicle(stay, vehicle) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Positions of the stays whose vehicle has several in the slot, in time order.

    Returns:
        positions, and size and start of each group; None where there are none.
    """
    order = np.argsort(stay)
    alike = np.flatnonzero(vehicle[order][1:] == vehicle[order][:-1])
    if not len(alike):
        return None
    at = order[np.union1d(alike, alike + 1)]
    _, first, count = np.unique(vehicle[at], return_index=True, return_counts=True)
    return at, count, first


def serve_slot(asking: Asking, limit_kwh, several=None) -> np.ndarray:
    """Grid energy of each stay in one slot [kWh], shape (asking,).

    A second stay of a vehicle asks for what the first has left over, and that depends
    on who came before. Each stay depends on earlier arrivals alone, so repeating the
    round settles at least one more of them every time and ends at the exact answer.

    Arguments:
        limit_kwh: headroom of the slot, shape (feeders,) [kWh].
        several: what `same_vehicle` gives.
    """
    served = _share_out(asking, asking.room_kwh, limit_kwh)
    if several is None:
        return served
    at, count, first = several
    for _ in range(len(at)):
        gained = asking.efficiency[at] * served[at]
        room = asking.room_kwh.copy()
        room[at] -= running_sums(gained, count, first) - gained
        again = _share_out(asking, room, limit_kwh)
        change = np.abs(again - served).max()
        served = again
        if change <= NOTHING_KWH:
            break
    return served


def _share_out(asking: Asking, room_kwh, limit_kwh) -> np.ndarray:
    """One pass over the queues: what each stay takes with this room in its battery."""
    room = np.where(room_kwh > NOTHING_KWH, room_kwh, 0.0)
    want = np.minimum(asking.most_kwh, room / asking.efficiency)
    feeder, arrival = asking.feeder, asking.arrival
    if not len(feeder):
        return want
    new_feeder = np.append(True, feeder[1:] != feeder[:-1])
    new_group = new_feeder | np.append(True, arrival[1:] != arrival[:-1])
    start = np.flatnonzero(new_group)
    asked = np.add.reduceat(asking.weight * want, start)
    ahead = np.cumsum(asked) - asked
    queue = np.cumsum(new_feeder[start]) - 1
    ahead = ahead - ahead[new_feeder[start]][queue]
    limit = np.where(feeder[start] < 0, np.inf, np.append(limit_kwh, 0)[feeder[start]])
    left = np.maximum(limit - ahead, 0.0)
    part = np.where(asked > left, left / np.where(asked > 0, asked, 1.0), 1.0)
    return want * part[np.cumsum(new_group) - 1]
