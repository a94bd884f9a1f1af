"""The fleet as plain Python lists, straight from the rows of the tables."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd

from macjax.fleet.opportunities import Chains, Shortfall
from macjax.scenario import Scenario

MICROSECOND = pd.Timedelta(microseconds=1)
HOUR = 3_600_000_000


@dataclasses.dataclass
class Vehicle:
    """One vehicle: charging stays in order of time, tube behind each, what is missing.

    stays: (row, feeder or -1, begin, end [us], charger_kw), clipped to the horizon.
    failed: row of the first trip that ends below the reserve at full power, or None.
    missing: energy that is missing there, or at the end, or at the start [kWh].
    """

    stays: list
    lower: list
    upper: list
    failed: int | None
    missing: float


def instant(scenario: Scenario, stamp) -> int:
    """Microseconds since the start of the horizon."""
    return round((stamp - scenario.start) / MICROSECOND)


def vehicles(scenario: Scenario, tube: str = "mobility") -> list[Vehicle]:
    """All vehicles of a scenario, one after another."""
    feeders = list(scenario.feeders["feeder_id"])
    horizon = scenario.slots * scenario.slot_minutes * 60_000_000
    stays: dict = {key: [] for key in scenario.vehicles["vehicle_id"]}
    trips: dict = {key: [] for key in scenario.vehicles["vehicle_id"]}
    for row, stay in enumerate(scenario.stays.itertuples()):
        begin = max(instant(scenario, stay.arrival), 0)
        end = min(instant(scenario, stay.departure), horizon)
        if end > begin and stay.charger_kw > 0:
            known = not pd.isna(stay.feeder_id)
            feeder = feeders.index(stay.feeder_id) if known else -1
            stays[stay.vehicle_id].append((row, feeder, begin, end, stay.charger_kw))
    for row, trip in enumerate(scenario.trips.itertuples()):
        depart = instant(scenario, trip.departure)
        if 0 <= depart < horizon:
            trips[trip.vehicle_id].append((depart, row, trip.energy_kwh))
    chain = mobility if tube == "mobility" else per_session
    return [
        chain(car, sorted(stays[car.vehicle_id], key=lambda s: s[2]), trips)
        for car in scenario.vehicles.itertuples()
    ]


def mobility(car, stays, trips) -> Vehicle:
    """SOC sufficiency of one vehicle."""
    trips = sorted(trips[car.vehicle_id])
    lower, upper = [], []
    for k, (_, _, begin, _, _) in enumerate(stays):
        behind = stays[k + 1][2] if k + 1 < len(stays) else np.inf
        used = sum(energy for depart, _, energy in trips if depart < begin)
        later = sum(energy for depart, _, energy in trips if depart < behind)
        least = car.reserve_kwh - car.initial_kwh + later
        if k + 1 == len(stays):
            least = max(least, car.final_kwh - car.initial_kwh + later)
        lower.append(max([0.0, least, *lower[-1:]]))
        upper.append(car.battery_kwh - car.initial_kwh + used)
    reached = greedy(car, stays, upper)
    lower = [min(pair) for pair in zip(lower, reached, strict=True)]
    failed, missing = shortage(car, stays, trips)
    return Vehicle(stays, lower, upper, failed, missing)


def room(car, stay) -> float:
    """Most energy into the battery during a stay [kWh]."""
    return stay[4] * (stay[3] - stay[2]) / HOUR * car.charge_efficiency


def greedy(car, stays, upper) -> list:
    """Energy charged behind each stay at full power [kWh]."""
    reached = [0.0]
    for stay, most in zip(stays, upper, strict=True):
        reached.append(min(reached[-1] + room(car, stay), most))
    return reached[1:]


def shortage(car, stays, trips):
    """The first trip that fails at full power, and the missing energy [kWh]."""
    events = [(stay[2], 1, stay) for stay in stays]
    events += [(depart, 0, (row, energy)) for depart, row, energy in trips]
    soc = car.initial_kwh
    for _, is_stay, event in sorted(events, key=lambda e: e[:2]):
        if is_stay:
            soc = min(soc + room(car, event), car.battery_kwh)
            continue
        row, energy = event
        soc -= energy
        if soc < car.reserve_kwh - 1e-6:
            return row, car.reserve_kwh - soc
    at_end = max(car.final_kwh, car.reserve_kwh) - soc
    return None, max(at_end, car.reserve_kwh - car.initial_kwh, 0.0)


def per_session(car, stays, trips) -> Vehicle:
    """Each stay gives back what was used since the last one, as far as it can."""
    target = [0.0]
    for stay in stays:
        used = sum(energy for depart, _, energy in trips[car.vehicle_id]
                   if depart < stay[2])  # fmt: skip
        target.append(min(used, target[-1] + room(car, stay)))
    return Vehicle(stays, target[1:], target[1:], None, 0.0)


def opportunities(scenario: Scenario, fleet_vehicles) -> dict:
    """(stay row, slot) -> (vehicle, feeder, most energy into the battery [kWh])."""
    slot_us = scenario.slot_minutes * 60_000_000
    efficiency = list(scenario.vehicles["charge_efficiency"])
    found = {}
    for number, vehicle in enumerate(fleet_vehicles):
        for row, feeder, begin, end, power in vehicle.stays:
            for slot in range(begin // slot_us, -(-end // slot_us)):
                overlap = min(end, (slot + 1) * slot_us) - max(begin, slot * slot_us)
                energy = power * overlap / HOUR * efficiency[number]
                found[row, slot] = (number, feeder, energy)
    return found


def even_chains(vehicles: int, stays: int, slots: int, slot_kwh=1.0):
    """Vehicles with equal stays of some slots at one feeder, one behind the other.

    Returns the part of a scenario that packing reads, and the chains.
    """
    m = vehicles * stays
    begin = np.tile(np.arange(stays) * slots, vehicles).astype(float)
    columns = {"weight": np.ones(vehicles), "charge_efficiency": np.ones(vehicles)}
    scenario = SimpleNamespace(
        vehicles=pd.DataFrame(columns),
        feeders=pd.DataFrame({"feeder_id": ["f"]}),
        slots=stays * slots,
        slot_hours=1.0,
    )
    chains = Chains(
        row=np.arange(m),
        vehicle=np.repeat(np.arange(vehicles), stays),
        feeder=np.zeros(m, np.int32),
        begin=begin,
        end=begin + slots,
        slot_kwh=np.broadcast_to(np.asarray(slot_kwh, float), m),
        lower=np.zeros(m),
        upper=np.full(m, np.inf),
        count=np.full(vehicles, stays),
        first=np.arange(vehicles) * stays,
        shortfall=Shortfall(np.empty(0, int), np.empty(0, int), np.empty(0)),
    )
    return scenario, chains
