"""Charging stays and the SOC-sufficiency tube of every vehicle, from the tables.

With initial SOC e0, reserve r, final SOC f, battery b, and E(t) the trip energy used up
to t, the energy S_k charged up to the end of the k-th charging stay has to satisfy

    lower_k = max(r - e0 + E(next charging stay), 0)    (last: max(r, f) - e0 + E(end))
    upper_k = b - e0 + E(this charging stay)

and `lower` is nondecreasing in k. Greedy charging G_k = min(G_{k-1} + room_k, upper_k)
reaches all that can be reached: a vehicle can make its trips iff G_k >= lower_k for all
k and the trips before its first charging stay leave the reserve.

The per-session set wants every stay to give back what was used since the last one, as
far as time and power allow: lower_k = upper_k = min(D_k, lower_{k-1} + room_k), D_k the
trip energy before stay k.

Everything is NumPy on whole columns; loops run over "the k-th charging stay".
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from macjax.scenario.scenario import Scenario

FEASIBLE_KWH = 1e-6
TUBES = ("mobility", "per_session")


@dataclasses.dataclass(frozen=True)
class Shortfall:
    """Vehicles that cannot make their trips even at full power.

    Arguments:
        vehicle: index into the vehicles table, int64, shape (vehicles,).
        trip: row number of the first trip that fails, -1 where none does but the SOC
            at the end, or at the start, is short.
        missing_kwh: energy missing at the end of that trip, or at the end [kWh].
    """

    vehicle: np.ndarray
    trip: np.ndarray
    missing_kwh: np.ndarray


@dataclasses.dataclass(frozen=True)
class Chains:
    """Charging stays sorted by vehicle and time, with the tube at the end of each.

    Arguments:
        row: row number of the stays table, shape (m,).
        vehicle: index into the vehicles table, nondecreasing, shape (m,).
        feeder: index into the feeders table, -1 for none, shape (m,).
        begin, end: the stay within the horizon [slots since start], shape (m,).
        slot_kwh: most energy into the battery in one full slot [kWh], shape (m,).
        lower, upper: tube on the running sum at the end of the stay [kWh].
        count: charging stays of each vehicle, shape (vehicles,).
        first: position of the first charging stay of each vehicle, shape (vehicles,).
        shortfall: vehicles that cannot make their trips, whatever the tube (that of
            SOC sufficiency is relaxed for them).
    """

    row: np.ndarray
    vehicle: np.ndarray
    feeder: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    slot_kwh: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    count: np.ndarray
    first: np.ndarray
    shortfall: Shortfall


def kth_stays(count: np.ndarray, first: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of the 1st, 2nd, ... charging stay of all vehicles that have one."""
    order = np.argsort(-count, kind="stable")
    count, first = count[order], first[order]
    for k in range(int(count[0]) if len(count) else 0):
        yield first[: np.searchsorted(-count, -k, side="left")] + k


def _vehicle_columns(scenario: Scenario) -> dict[str, np.ndarray]:
    names = ["battery_kwh", "initial_kwh", "reserve_kwh", "final_kwh"]
    names += ["charge_efficiency", "weight"]
    return {n: scenario.vehicles[n].to_numpy(np.float64) for n in names}


def sorted_order(vehicle: np.ndarray, hours: np.ndarray, horizon: float) -> np.ndarray:
    """Order by vehicle, then by instant; quick where the table is sorted already."""
    keys = instant_keys(vehicle, hours, horizon)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    if np.any(keys[1:] == keys[:-1]):
        return np.lexsort((hours, vehicle))
    return order


def instant_keys(vehicle: np.ndarray, hours: np.ndarray, horizon: float) -> np.ndarray:
    """One integer that sorts by vehicle, then by instant.

    Instants are whole microseconds, as a scenario keeps them, or milliseconds where
    vehicles x microseconds pass 63 bits (a million vehicles over a year).
    """
    vehicle = np.asarray(vehicle, np.int64)
    fits = (int(vehicle.max(initial=0)) + 1) * horizon * 3.6e9 < 9e18
    ticks = 3.6e9 if fits else 3.6e6
    instants = np.rint(np.asarray(hours) * ticks).astype(np.int64)
    return vehicle * (int(round(horizon * ticks)) + 2) + instants


class _TripEnergy:
    """E(t): trip energy of a vehicle before an instant, by one sorted search.

    Energies are added up vehicle by vehicle, so that the rounding of a vehicle's needs
    does not grow with the fleet.
    """

    def __init__(self, scenario: Scenario):
        self.row, vehicle, depart_h, _, energy = scenario.trip_events()
        self.horizon = scenario.slots * scenario.slot_hours
        order = sorted_order(vehicle, depart_h, self.horizon)
        self.row = np.asarray(self.row)[order]
        self.vehicle = np.asarray(vehicle, np.int64)[order]
        self.depart_h = np.asarray(depart_h)[order]
        self._keys = self.key(self.vehicle, self.depart_h)
        vehicles = len(scenario.vehicles)
        count = np.bincount(self.vehicle, minlength=vehicles)
        self.first = np.cumsum(count) - count
        # Energy used by the end of each trip, that trip included [kWh].
        self.used = np.asarray(energy, np.float64)[order]
        for k, at in enumerate(kth_stays(count, self.first)):
            if k > 0:
                self.used[at] += self.used[at - 1]
        self.total = np.zeros(vehicles)
        some = count > 0
        self.total[some] = self.used[(self.first + count - 1)[some]]

    def key(self, vehicle: np.ndarray, hours: np.ndarray) -> np.ndarray:
        """Keys of instants that compare with those of the trips."""
        return instant_keys(vehicle, hours, self.horizon)

    def before(self, vehicle: np.ndarray, hours: np.ndarray) -> np.ndarray:
        """Energy of the trips of `vehicle` that departed before `hours` [kWh]."""
        at = np.searchsorted(self._keys, self.key(vehicle, hours), side="left")
        used = np.append(self.used, 0.0)[at - 1]
        return np.where(at > self.first[vehicle], used, 0.0)


def _in_slots(hours: np.ndarray, slot_minutes: int) -> np.ndarray:
    """Hours as slots; whole slots come out whole, which hours / slot_hours misses."""
    return np.rint(hours * 3.6e9) / (slot_minutes * 6e7)


def charging_chains(scenario: Scenario, tube: str = "mobility") -> Chains:
    """Charging stays and tubes of all vehicles; tubes of the short ones are relaxed.

    Arguments:
        scenario: validated tables.
        tube: "mobility" (SOC sufficiency) or "per_session" (each stay recharges).

    Returns:
        `Chains`, in which every vehicle has a feasible tube.
    """
    if tube not in TUBES:
        raise ValueError(f"tube must be one of {TUBES}, not {tube!r}")
    row, vehicle, feeder, begin_h, end_h, charger_kw = scenario.stay_windows()
    has_charger = charger_kw > 0
    row, vehicle, feeder = row[has_charger], vehicle[has_charger], feeder[has_charger]
    begin_h, end_h = begin_h[has_charger], end_h[has_charger]
    charger_kw = charger_kw[has_charger]
    horizon = scenario.slots * scenario.slot_hours
    order = sorted_order(vehicle, begin_h, horizon)
    row, vehicle, feeder = row[order], vehicle[order].astype(np.int64), feeder[order]
    begin_h, end_h, charger_kw = begin_h[order], end_h[order], charger_kw[order]

    columns = _vehicle_columns(scenario)
    vehicles = len(scenario.vehicles)
    count = np.bincount(vehicle, minlength=vehicles)
    first = np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64)[:vehicles]
    efficiency = columns["charge_efficiency"][vehicle]
    room = charger_kw * (end_h - begin_h) * efficiency
    trips = _TripEnergy(scenario)
    before = trips.before(vehicle, begin_h)
    lower, upper, shortfall = _mobility_tube(
        columns, trips, vehicle, before, room, count, first, begin_h
    )
    if tube == "per_session":
        lower = upper = _session_tube(before, room, count, first)
    hours = scenario.slot_hours
    return Chains(
        row=row,
        vehicle=vehicle,
        feeder=feeder,
        begin=_in_slots(begin_h, scenario.slot_minutes),
        end=_in_slots(end_h, scenario.slot_minutes),
        slot_kwh=charger_kw * hours * efficiency,
        lower=lower,
        upper=upper,
        count=count,
        first=first,
        shortfall=shortfall,
    )


def trips_below_reserve(
    scenario: Scenario, chains: Chains, start_kwh: np.ndarray, charged_kwh: np.ndarray
) -> Shortfall:
    """The first trip of each vehicle that ends below its reserve.

        missing = reserve - (start + S_k - E),   k the last stay that begins before the
                                                 trip, E with the trip itself

    Arguments:
        scenario: validated tables.
        chains: charging stays of the same scenario.
        start_kwh: SOC at the start of the horizon, shape (vehicles,) [kWh].
        charged_kwh: S, energy charged up to the end of each charging stay, shape (m,)
            [battery kWh].

    Returns:
        `Shortfall` of the vehicles with such a trip; `missing_kwh` is that trip's.
    """
    columns = _vehicle_columns(scenario) | {"initial_kwh": start_kwh}
    begin_h = chains.begin * scenario.slot_hours
    short = _shortfall(
        columns,
        _TripEnergy(scenario),
        chains.vehicle,
        charged_kwh,
        chains.count,
        chains.first,
        begin_h,
    )
    at = short.trip >= 0
    return Shortfall(short.vehicle[at], short.trip[at], short.missing_kwh[at])


def _mobility_tube(columns, trips, vehicle, before, room, count, first, begin_h):
    initial, reserve = columns["initial_kwh"], columns["reserve_kwh"]
    final = np.maximum(columns["final_kwh"], reserve)
    last = first + count - 1
    some = count > 0
    upper = (columns["battery_kwh"] - initial)[vehicle] + before
    lower = np.empty_like(upper)
    lower[:-1] = (reserve - initial)[vehicle[:-1]] + before[1:]
    lower[last[some]] = (final - initial + trips.total)[some]
    # The trips behind the last stay must keep the reserve too; `final` covers it.
    lower = np.maximum(lower, 0.0)
    reached = np.empty_like(upper)
    previous: np.ndarray | None = None
    for at in kth_stays(count, first):
        if previous is None:
            reached[at] = np.minimum(room[at], upper[at])
        else:
            lower[at] = np.maximum(lower[at], lower[at - 1])
            reached[at] = np.minimum(reached[at - 1] + room[at], upper[at])
        previous = at
    shortfall = _shortfall(columns, trips, vehicle, reached, count, first, begin_h)
    return np.minimum(lower, reached), upper, shortfall


def _session_tube(before, room, count, first):
    target = np.empty_like(before)
    started = False
    for at in kth_stays(count, first):
        already = target[at - 1] if started else 0.0
        target[at] = np.minimum(before[at], already + room[at])
        started = True
    return target


def _shortfall(columns, trips, vehicle, reached, count, first, begin_h) -> Shortfall:
    """First trip of each vehicle that even greedy charging cannot serve."""
    vehicles = len(count)
    initial, reserve = columns["initial_kwh"], columns["reserve_kwh"]
    # Greedy energy charged before each trip: of the last stay that begins before it.
    stay_keys = trips.key(vehicle, begin_h)
    trip_keys = trips.key(trips.vehicle, trips.depart_h)
    position = np.searchsorted(stay_keys, trip_keys, side="right") - 1
    safe = np.maximum(position, 0)
    charged = np.where(
        (position >= 0) & (vehicle[safe] == trips.vehicle if len(vehicle) else False),
        reached[safe] if len(reached) else 0.0,
        0.0,
    )
    soc = initial[trips.vehicle] + charged - trips.used
    missing = reserve[trips.vehicle] - soc
    fails = np.flatnonzero(missing > FEASIBLE_KWH)
    failing, at = np.unique(trips.vehicle[fails], return_index=True)
    trip = np.full(vehicles, -1)
    worst = np.zeros(vehicles)
    trip[failing] = trips.row[fails[at]]
    worst[failing] = missing[fails[at]]
    # What is short at the start already is missing before every trip.
    worst = np.maximum(worst, reserve - initial)

    all_charged = np.zeros(vehicles)
    some = count > 0
    all_charged[some] = reached[(first + count - 1)[some]]
    end = initial + all_charged - trips.total
    short = np.maximum(columns["final_kwh"], reserve) - end
    short = np.maximum(short, reserve - initial)
    only_end = (trip < 0) & (short > FEASIBLE_KWH)
    worst[only_end] = short[only_end]
    listed = np.flatnonzero((trip >= 0) | only_end)
    return Shortfall(listed, trip[listed], worst[listed])
