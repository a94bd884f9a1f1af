"""Whether a plan keeps every vehicle's limits, recomputed in float64.

Rules, each with its violation in kWh of battery energy:

    finite    power is a number
    stay      no charging outside a stay with a charger
    power     0 <= u <= charger_kw x overlap x efficiency in every slot of a stay
    reserve   SOC >= reserve_kwh at every instant
    battery   SOC <= battery_kwh at every instant
    final     SOC >= final_kwh at the end of the horizon
    session   (per_session only) each stay ends at its target
    dropped   (on_infeasible="drop" only) dropped vehicles do not charge

SOC falls between stays and rises within them, so the reserve is checked at the start
of each charging stay and at the end, the battery at the end of each charging stay.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax.certificate.opportunities import Group
from macjax.certificate.tables import HOUR, Tables
from macjax.certificate.tubes import Tube

RULES = (
    "finite",
    "stay",
    "power",
    "reserve",
    "battery",
    "final",
    "session",
    "dropped",
)


class Feasibility(NamedTuple):
    """How far a plan keeps the limits of the vehicles.

    Arguments:
        feasible: whether no violation exceeds the tolerance.
        max_violation_kwh: the largest violation [kWh].
        worst_vehicle: the vehicle_id of it, None without any violation.
        violations: frame with vehicle_id, rule, kwh: violations over the tolerance,
            largest first.
    """

    feasible: bool
    max_violation_kwh: float
    worst_vehicle: object
    violations: pd.DataFrame


class Charging(NamedTuple):
    """A plan as battery energy: one entry per (stay, slot), sorted, none repeated.

    Arguments:
        row: row number in the stays table.
        slot: slot.
        kw: average grid power of one vehicle [kW].
        kwh: energy into the battery [kWh].
    """

    row: np.ndarray
    slot: np.ndarray
    kw: np.ndarray
    kwh: np.ndarray


def charging(tables: Tables, plan) -> Charging:
    """A plan's entries sorted, repeated ones added up."""
    slots = tables.clock.slots
    row, slot = np.asarray(plan.stay, np.int64), np.asarray(plan.slot, np.int64)
    kw = np.asarray(plan.kw, np.float64)
    key = row * slots + slot
    if (np.diff(key) <= 0).any():
        key, kw = _sorted_sums(key, kw)
        row, slot = key // slots, key % slots
    efficiency = tables.vehicles.efficiency[tables.stays.owner[row]]
    return Charging(row, slot, kw, kw * tables.clock.hours * efficiency)


def _sorted_sums(key: np.ndarray, kw: np.ndarray):
    order = np.argsort(key, kind="stable")
    key, kw = key[order], kw[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    return key[first], np.add.reduceat(kw, first)


class Violations:
    """The largest violation of each rule by each vehicle, shape (rules, vehicles)."""

    def __init__(self, vehicles: int):
        self.kwh = np.zeros((len(RULES), vehicles))

    def add(self, rule: str, vehicle: np.ndarray, kwh: np.ndarray) -> None:
        """Record violations; nonpositive ones are none."""
        bad = kwh > 0
        np.maximum.at(self.kwh[RULES.index(rule)], vehicle[bad], kwh[bad])

    def verdict(self, ids: pd.Index, tolerance: float) -> Feasibility:
        """The whole as frame and numbers."""
        rule, vehicle = np.nonzero(self.kwh > tolerance)
        kwh = self.kwh[rule, vehicle]
        order = np.lexsort((vehicle, -kwh))
        rule, vehicle, kwh = rule[order], vehicle[order], kwh[order]
        frame = pd.DataFrame(
            {
                "vehicle_id": ids[vehicle],
                "rule": [RULES[r] for r in rule],
                "kwh": kwh,
            }
        )
        worst = float(self.kwh.max(initial=0.0))
        name = None
        if worst > 0:
            name = ids[int(self.kwh.max(axis=0).argmax())]
        return Feasibility(bool(worst <= tolerance), worst, name, frame)


def check_slots(tables: Tables, entries: Charging, dropped, found: Violations):
    """Check every entry alone; return the energy of each charging stay [kWh]."""
    stays, slot = tables.stays, tables.clock.slot
    owner, place = stays.owner[entries.row], stays.place[entries.row]
    wrong = ~np.isfinite(entries.kwh)
    found.add("finite", owner[wrong], np.full(wrong.sum(), np.inf))
    kwh = np.where(wrong, 0.0, entries.kwh)
    if dropped.any():
        out = dropped[owner]
        found.add("dropped", owner[out], np.abs(kwh[out]))
    most = np.zeros(len(kwh))
    has = place >= 0
    at = place[has]
    closes = np.minimum(stays.end[at], (entries.slot[has] + 1) * slot)
    opens = np.maximum(stays.begin[at], entries.slot[has] * slot)
    rate = stays.kw[at] * tables.vehicles.efficiency[owner[has]] / HOUR
    most[has] = rate * np.maximum(closes - opens, 0)
    outside = most == 0
    found.add("stay", owner[outside], np.abs(kwh[outside]))
    inside = ~outside
    excess = np.maximum(kwh - most, -kwh)[inside]
    found.add("power", owner[inside], excess)
    return np.bincount(at, kwh[has], len(stays.row))


def check_tube(
    tables: Tables, group: Group, tube: Tube, kept, charged, found: Violations
) -> None:
    """Check the SOC of a group's vehicles.

    Arguments:
        tables, group: the vehicles.
        tube: needs as they are demanded, i.e. lowered where policy relaxes them.
        kept: which vehicles of the group count, shape (vehicles,).
        charged: energy of each charging stay [kWh].
        found: takes the violations.
    """
    chains, first = group.chains, group.first
    total = chains.cumsum(charged[group.place])
    at_end = chains.row_totals(charged[group.place])
    stays = np.flatnonzero(kept[chains.row])
    vehicle = chains.row[stays] + first
    found.add("reserve", vehicle, (tube.needed - total)[stays])
    found.add("battery", vehicle, (total - tube.upper)[stays])
    rows = np.flatnonzero(kept)
    found.add("reserve", rows + first, tube.initial[rows])
    found.add("final", rows + first, (tube.final - at_end)[rows])


def check_sessions(group: Group, tube: Tube, kept, charged, found: Violations) -> None:
    """Check the target at the end of each stay of a group."""
    chains = group.chains
    total = chains.cumsum(charged[group.place])
    stays = np.flatnonzero(kept[chains.row])
    miss = np.abs(total - tube.lower)[stays]
    found.add("session", chains.row[stays] + group.first, miss)
