"""Between packed energies and charging plans.

kw = u / (efficiency slot_hours)        u in battery kWh, kw on the grid side
"""

import numpy as np

from macjax.fleet.devices import own_blocks
from macjax.fleet.packing import Fleet
from macjax.scenario.plan import Plan
from macjax.scenario.scenario import Scenario

LEAST_KWH = 1e-10  # less than this at an opportunity is rounding


def plan_of(scenario: Scenario, fleet: Fleet, energies) -> Plan:
    """The charging plan of packed energies.

    Arguments:
        scenario: the scenario that was packed.
        fleet: its packing.
        energies: u, shape (b, k, s, v), of all processes or of this one [kWh].

    Returns:
        `Plan` with average grid power over the slot of one vehicle [kW].
    """
    efficiency = scenario.vehicles["charge_efficiency"].to_numpy(np.float64)
    energy, index = own_blocks(energies).astype(np.float64, copy=False), fleet.index
    block, piece, slot, lane = np.nonzero(energy > LEAST_KWH)
    at = block, piece, lane
    hours = efficiency[index.vehicle[at]] * scenario.slot_hours
    kw = energy[block, piece, slot, lane] / hours
    return Plan.of(index.stay[at], index.slot[at] + slot, kw)


def energies_of(scenario: Scenario, fleet: Fleet, plan: Plan) -> np.ndarray:
    """Packed energies of a plan, those of this process, shape (b, k, s, v) [kWh]."""
    keys = plan.stay * scenario.slots + plan.slot
    power = np.append(plan.kw, 0.0)
    efficiency = scenario.vehicles["charge_efficiency"].to_numpy(np.float64)
    index, batch = fleet.index, fleet.batch
    slot = index.slot[:, :, None, :] + np.arange(batch.slots)[:, None]
    stay = np.broadcast_to(index.stay[:, :, None, :], slot.shape)
    wanted = stay * scenario.slots + slot
    at = np.searchsorted(keys, wanted)
    # The tail of a piece may reach behind the horizon: that is not the next stay.
    known = (stay >= 0) & (slot < scenario.slots)
    found = known & (np.append(keys, -1)[at] == wanted)
    kw = np.where(found, power[at], 0.0)
    hours = np.append(efficiency, 0.0)[index.vehicle] * scenario.slot_hours
    return kw * hours[:, :, None, :]
