"""Between packed energies and charging plans.

kw = u / (efficiency slot_hours)        u in battery kWh, kw on the grid side
"""

import numpy as np

from macjax.fleet.packing import Fleet
from macjax.scenario.plan import Plan
from macjax.scenario.scenario import Scenario

LEAST_KWH = 1e-10  # less than this at an opportunity is rounding


def plan_of(scenario: Scenario, fleet: Fleet, energies) -> Plan:
    """The charging plan of packed energies.

    Arguments:
        scenario: the scenario that was packed.
        fleet: its packing.
        energies: u of each bucket, shape (b, k, s, v) [kWh].

    Returns:
        `Plan` with average grid power over the slot of one vehicle [kW].
    """
    stays, slots, powers = [], [], []
    efficiency = scenario.vehicles["charge_efficiency"].to_numpy(np.float64)
    for index, energy in zip(fleet.index, energies, strict=True):
        energy = np.asarray(energy, np.float64)
        block, piece, slot, lane = np.nonzero(energy > LEAST_KWH)
        vehicle = index.vehicle[block, lane]
        hours = efficiency[vehicle] * scenario.slot_hours
        stays.append(index.stay[block, piece, lane])
        slots.append(index.slot[block, piece, lane] + slot)
        powers.append(energy[block, piece, slot, lane] / hours)
    return Plan.of(*(np.concatenate(part) for part in (stays, slots, powers)))


def energies_of(scenario: Scenario, fleet: Fleet, plan: Plan) -> tuple:
    """Packed energies of a plan on the same tables, shape (b, k, s, v) [kWh]."""
    keys = plan.stay * scenario.slots + plan.slot
    power = np.append(plan.kw, 0.0)
    efficiency = scenario.vehicles["charge_efficiency"].to_numpy(np.float64)
    energies = []
    for batch, index in zip(fleet.batches, fleet.index, strict=True):
        slot = index.slot[:, :, None, :] + np.arange(batch.slots)[:, None]
        stay = np.broadcast_to(index.stay[:, :, None, :], slot.shape)
        wanted = stay * scenario.slots + slot
        at = np.searchsorted(keys, wanted)
        # The tail of a piece may reach behind the horizon: that is not the next stay.
        known = (stay >= 0) & (slot < scenario.slots)
        found = known & (np.append(keys, -1)[at] == wanted)
        kw = np.where(found, power[at], 0.0)
        vehicle = index.vehicle[:, None, None, :]
        hours = np.append(efficiency, 0.0)[vehicle] * scenario.slot_hours
        energies.append(kw * hours)
    return tuple(energies)
