"""Load and cost of unmanaged charging: full power on arrival until full.

Every vehicle starts full. With D_k the deficit at the start of charging stay k,

    charged_k = min(D_k, most_k),   D_{k+1} = D_k - charged_k + (E_{k+1} - E_k),

D_1 = E_1, drawn at full power from the start of the stay. The SOC may fall below the
reserve. A slot's load is the average over the slot.
"""

import numpy as np

from macjax.certificate.opportunities import Group


def unmanaged_charge(group: Group) -> np.ndarray:
    """Energy into the battery at each stay, shape (stays,) [kWh]."""
    chains = group.chains
    # Charged so far never passes what the trips have used so far.
    total = chains.fill(group.most, group.used)
    charged = total.copy()
    charged[chains.second] -= total[chains.first]
    return charged


def unmanaged_load(
    group: Group, kw: np.ndarray, slot: int, table: np.ndarray
) -> np.ndarray:
    """Add a group's load to a table, and return its squared energies.

    Arguments:
        group: vehicles and their stays.
        kw: grid power of each stay, times the vehicle's weight [kW].
        slot: length of a slot [us].
        table: average load, shape (F + 1, T), its last row for stays without a
            feeder; changed in place [kW].

    Returns:
        sum_j u_j^2 of each stay, u the energy into the battery in a slot, shape
        (stays,) [kWh^2].
    """
    charged = unmanaged_charge(group)
    begin = group.begin.astype(np.float64)
    active = np.flatnonzero(charged > 0)
    span = charged[active] / group.rate[active]
    begin, rate, kw = begin[active], group.rate[active], kw[active]
    end = np.minimum(begin + span, group.end[active])
    opening = group.begin[active] // slot
    closing = np.maximum(np.ceil(end / slot).astype(np.int64) - 1, opening)
    overlap_first = np.minimum(end, (opening + 1.0) * slot) - begin
    overlap_last = np.where(closing > opening, end - closing * float(slot), 0.0)
    full = np.maximum(closing - opening - 1, 0)

    feeders, slots = table.shape
    base = np.where(group.feeder[active] >= 0, group.feeder[active], feeders - 1)
    cell = base.astype(np.int64) * slots
    cells = feeders * slots
    edges = np.bincount(cell + opening, kw * overlap_first / slot, cells)
    edges += np.bincount(cell + closing, kw * overlap_last / slot, cells)
    # Full slots as steps up and down; a step down never passes the last slot's cell.
    ramp = np.bincount(cell[full > 0] + opening[full > 0] + 1, kw[full > 0], cells)
    ramp -= np.bincount(cell[full > 0] + closing[full > 0], kw[full > 0], cells)
    table += edges.reshape(table.shape)
    table += np.cumsum(ramp.reshape(table.shape), axis=1)
    squares = np.zeros(len(charged))
    squares[active] = rate**2 * (overlap_first**2 + overlap_last**2)
    squares[active] += rate**2 * full * float(slot) ** 2
    return squares
