"""Groups of vehicles with their charging stays, tubes and charging opportunities.

With battery energy S_k charged up to the end of stay k, E_k the trip energy used
before stay k and E the total, a vehicle is served when, for every k,

    reserve - initial + E_{k+1} <= S_k <= battery - initial + E_k     (k < K)
    max(reserve, final) - initial + E <= S_K

and reserve - initial + E_1 <= 0 before its first stay. An opportunity is a stay
overlapping a slot; it takes at most charger_kw x overlap x efficiency.

A group holds about 2e5 opportunities, which fit a CPU cache, whatever the size of the
fleet. Memory for the whole fleet is about 200 bytes a charging stay, plus 12 bytes an
opportunity while they are fewer than `KEPT_OPPORTUNITIES`; beyond that they are made
anew at each use.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from macjax.certificate.chains import Chains
from macjax.certificate.tables import HOUR, Tables, Trips

GROUP_OPPORTUNITIES = 200_000
KEPT_OPPORTUNITIES = 30_000_000


class Opportunities(NamedTuple):
    """The opportunities of a group, stay after stay in step order.

    Arguments:
        cell: feeder x slots + slot; F x T where there is no feeder, int32.
        most: most energy into the battery [kWh].
        start: first opportunity of each stay.
        count: opportunities of each stay.
    """

    cell: np.ndarray
    most: np.ndarray
    start: np.ndarray
    count: np.ndarray


class Group(NamedTuple):
    """Vehicles first <= n < last with their stays, arrays of stays in step order.

    Arguments:
        first, last: range of vehicles.
        chains: layout of the stays.
        place: index of each stay in the table of charging stays.
        feeder: index of the feeder, -1 without.
        begin, end: the stay [us since the start of the horizon].
        rate: energy into the battery at full power [kWh/us].
        most: the most a stay can give [kWh].
        used: trip energy before the stay, E_k [kWh].
        total: trip energy of each vehicle, E [kWh].
    """

    first: int
    last: int
    chains: Chains
    place: np.ndarray
    feeder: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    rate: np.ndarray
    most: np.ndarray
    used: np.ndarray
    total: np.ndarray

    @property
    def vehicles(self) -> slice:
        """The group's rows of per-vehicle arrays."""
        return slice(self.first, self.last)

    def of_stay(self, values: np.ndarray) -> np.ndarray:
        """Values per vehicle of the fleet, taken for each stay of the group."""
        return values[self.vehicles][self.chains.row]


def groups(tables: Tables) -> Iterator[Group]:
    """Cut the fleet into groups of about `GROUP_OPPORTUNITIES` opportunities."""
    stays, slot = tables.stays, tables.clock.slot
    vehicles = len(tables.vehicles.ids)
    slots = -(-stays.end // slot) - stays.begin // slot
    before = np.concatenate([[0], np.cumsum(slots)])[stays.offsets]
    parts = before[:-1] // GROUP_OPPORTUNITIES
    cuts = np.flatnonzero(np.diff(parts)) + 1
    for first, last in zip([0, *cuts], [*cuts, vehicles], strict=True):
        if last > first:
            yield _group(tables, int(first), int(last))


def _group(tables: Tables, first: int, last: int) -> Group:
    stays, vehicles = tables.stays, tables.vehicles
    offsets = stays.offsets[first : last + 1]
    chains = Chains(np.diff(offsets))
    place = chains.take + offsets[0]
    begin, end = stays.begin[place], stays.end[place]
    efficiency = vehicles.efficiency[first:last][chains.row]
    rate = stays.kw[place] * efficiency / HOUR
    used, total = trip_energy(tables, first, last)
    return Group(
        first=first,
        last=last,
        chains=chains,
        place=place,
        feeder=stays.feeder[place],
        begin=begin,
        end=end,
        rate=rate,
        most=rate * (end - begin),
        used=used[chains.take],
        total=total,
    )


def trip_energy(tables: Tables, first: int, last: int):
    """Trip energy used before each stay of some vehicles, and by each of them.

    Returns:
        E_k in the order of the stays table, and E per vehicle [kWh].
    """
    trips, stays, horizon = tables.trips, tables.stays, tables.clock.horizon
    window = slice(trips.offsets[first], trips.offsets[last])
    after_each, total = energy_after_each(trips, first, last)
    chosen = slice(stays.offsets[first], stays.offsets[last])
    local = stays.vehicle[chosen].astype(np.int64) - first
    trip_key = (trips.vehicle[window].astype(np.int64) - first) * horizon
    trip_key = trip_key + trips.depart[window]
    before = np.searchsorted(trip_key, local * horizon + stays.begin[chosen])
    # Trips of earlier vehicles come first in the keys, so `before` counts them too.
    some = before > (trips.offsets[first:last] - window.start)[local]
    used = np.zeros(len(local))
    used[some] = after_each[before[some] - 1]
    return used, total


def energy_after_each(trips: Trips, first: int, last: int):
    """Energy used up to the end of each trip of some vehicles, and by each vehicle."""
    window = slice(trips.offsets[first], trips.offsets[last])
    chains = Chains(np.diff(trips.offsets[first : last + 1]))
    stepwise = chains.cumsum(trips.energy[window][chains.take])
    after_each = np.empty(chains.size)
    after_each[chains.take] = stepwise
    total = np.zeros(chains.rows)
    total[chains.last_row] = stepwise[chains.last]
    return after_each, total


def opportunities(group: Group, slot: int, slots: int, feeders: int) -> Opportunities:
    """Cut the stays of a group by the slot grid.

    Arguments:
        group: vehicles and their stays.
        slot: length of a slot [us].
        slots: T.
        feeders: F.

    Returns:
        Cells and energies; every stay has at least one opportunity.
    """
    opening = group.begin // slot
    closing = (group.end - 1) // slot
    count = closing - opening + 1
    start = np.cumsum(count) - count
    base = np.where(group.feeder >= 0, group.feeder * slots + opening, feeders * slots)
    step = np.where(group.feeder >= 0, 1, 0).astype(np.int32)
    size = int(count.sum())
    within = np.arange(size, dtype=np.int32) - np.repeat(start.astype(np.int32), count)
    cell = within * np.repeat(step, count) if (step == 0).any() else within
    cell = cell + np.repeat(base.astype(np.int32), count)
    most = np.repeat(group.rate * slot, count)
    overlap_first = np.minimum(group.end, (opening + 1) * slot) - group.begin
    overlap_last = group.end - np.maximum(group.begin, closing * slot)
    most[start] = group.rate * overlap_first
    most[start + count - 1] = group.rate * overlap_last
    return Opportunities(cell, most, start, count)
