"""Energies that a fleet can serve, and the load of charging without coordination.

Charging as early and as much as possible keeps SOC (state of charge) at its largest:
    S <- min(battery, S + efficiency * charger_kw * hours)   in a stay,
    S <- S - energy                                          in a trip.
A vehicle is feasible iff this path never falls below its reserve and ends at its
final SOC or more. One pass over the k-th stays of all vehicles applies it and lowers
the trips it cannot serve, so every vehicle is feasible by construction.
"""

import dataclasses

import numpy as np

from macjax.synthetic.chains import Chains, Vehicles

SPARE = 0.97  # share of what is left above the reserve that a trip may take at most
MARGIN_KWH = 1e-3  # what greedy charging keeps above a forced or a tight bound


@dataclasses.dataclass(frozen=True)
class Served:
    """Energies after repair.

    Arguments:
        trip_energy: battery energy of each trip [kWh], (r,).
        reach: largest SOC that the vehicle can end with [kWh], (v,).
        unmanaged: battery energy each stay takes when the vehicle starts full and
            charges at full power on arrival [kWh], (s,).
    """

    trip_energy: np.ndarray
    reach: np.ndarray
    unmanaged: np.ndarray


def stay_room(chains: Chains, vehicles: Vehicles, hours: float) -> np.ndarray:
    """Most battery energy of each stay inside the horizon [kWh], (s,)."""
    inside = np.minimum(chains.stay_depart, hours) - np.maximum(chains.stay_arrive, 0.0)
    efficiency = np.repeat(vehicles.efficiency, chains.count + 1)
    return np.maximum(inside, 0.0) * chains.charger_kw * efficiency


def serve(chains: Chains, vehicles: Vehicles, hours: float) -> Served:
    """Lower the trips that greedy charging cannot serve; see the module's formula."""
    room = stay_room(chains, vehicles, hours)
    energy = chains.energy.copy()
    unmanaged = np.zeros(room.size)
    soc = vehicles.initial.copy()
    full = vehicles.battery.copy()
    opening = chains.first + np.arange(chains.count.size)
    order = np.argsort(-chains.count, kind="stable")
    most_trips = int(chains.count.max(initial=0))
    at_least = np.searchsorted(
        -chains.count[order], -np.arange(most_trips + 1), "right"
    )
    for k in range(most_trips + 1):
        v = order[: at_least[k]]  # vehicles with at least k trips have a stay k
        stay = opening[v] + k
        before, reserve = soc[v], vehicles.reserve[v]
        after = np.minimum(vehicles.battery[v], before + room[stay])
        soc[v] = after
        taken = np.minimum(vehicles.battery[v] - full[v], room[stay])
        unmanaged[stay] = taken
        full[v] += taken
        drives = chains.count[v] > k
        v, before, after, reserve = (x[drives] for x in (v, before, after, reserve))
        trip = chains.first[v] + k
        share = chains.forced[trip]
        forced = before + share * (after - before) - reserve
        most = np.where(share > 0, forced, SPARE * (after - reserve))
        most = np.minimum(most, after - reserve - MARGIN_KWH)
        energy[trip] = np.minimum(energy[trip], np.floor(1e3 * most) / 1e3).clip(0.0)
        soc[v] -= energy[trip]
        full[v] -= energy[trip]
    reach = np.maximum(np.floor(1e3 * (soc - MARGIN_KWH)) / 1e3, 0.0)
    return Served(energy, reach, unmanaged)


def unmanaged_load(
    chains: Chains,
    vehicles: Vehicles,
    taken: np.ndarray,
    feeders: int,
    slots: int,
    slot_hours: float,
) -> np.ndarray:
    """Load of charging on arrival at full power [kW], shape (f, t).

    A stay draws charger_kw from its arrival on, for taken / (efficiency * charger_kw)
    hours; a slot counts the average over its length.
    """
    v = chains.stay_vehicle
    use = (taken > 0) & (chains.feeder >= 0)
    v, feeder, power = v[use], chains.feeder[use], chains.charger_kw[use]
    begin = np.maximum(chains.stay_arrive[use], 0.0)
    end = begin + taken[use] / (power * vehicles.efficiency[v])
    steps = np.zeros(feeders * (slots + 2))
    for time, sign in ((begin, 1.0), (end, -1.0)):
        position = np.minimum(time / slot_hours, slots)
        slot = np.floor(position).astype(np.int64)
        part = position - slot
        cell = feeder * (slots + 2) + slot
        amount = sign * power * vehicles.weight[v]
        steps += np.bincount(cell, amount * (1.0 - part), steps.size)
        steps += np.bincount(cell + 1, amount * part, steps.size)
    return np.cumsum(steps.reshape(feeders, slots + 2), axis=1)[:, :slots]
