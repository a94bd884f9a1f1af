"""Small random fleets as plain lists, and baselines as slow loops over vehicles.

Instants are hours since the start. A vehicle is a dict of numbers with its stays
(begin, end, kw, feeder, row) and trips (depart, arrive, kwh, row) in order of time.
"""

import dataclasses

import numpy as np
import pandas as pd

from macjax.scenario import Scenario


@dataclasses.dataclass
class Case:
    """A fleet: vehicles as dicts, feeder headroom (F, T) [kW], slot length [h]."""

    vehicles: list[dict]
    headroom: np.ndarray
    dt: float
    slots: int

    @property
    def stays(self):
        return [
            s | {"v": v} for v, car in enumerate(self.vehicles) for s in car["stays"]
        ]

    @property
    def trips(self):
        return [
            t | {"v": v} for v, car in enumerate(self.vehicles) for t in car["trips"]
        ]

    def scenario(self, turn=False, **keys) -> Scenario:
        """The same as tables; `turn` reverses the rows of all of them."""
        start = pd.Timestamp(keys.pop("start", "2026-03-06T00:00:00-08:00"))
        cars, stays, trips = self.vehicles, self.stays, self.trips
        stays, trips = (sorted(rows, key=lambda r: r["row"]) for rows in (stays, trips))
        ids = [f"car{v}" for v in range(len(cars))]
        feeders = [f"f{f}" for f in range(len(self.headroom))]

        def instant(hours):
            return start + pd.to_timedelta(np.round(hours * 3600), unit="s")

        def at(rows, key):
            return instant(np.array([r[key] for r in rows], float))

        frames = {
            "vehicles": pd.DataFrame(
                {
                    "vehicle_id": pd.array(ids, "string"),
                    "battery_kwh": [float(c["battery"]) for c in cars],
                    "initial_kwh": [float(c["initial"]) for c in cars],
                    "reserve_kwh": [float(c["reserve"]) for c in cars],
                    "final_kwh": [float(c["final"]) for c in cars],
                    "charge_efficiency": [float(c["eta"]) for c in cars],
                    "weight": [float(c["weight"]) for c in cars],
                }
            ),
            "stays": pd.DataFrame(
                {
                    "vehicle_id": pd.array([ids[s["v"]] for s in stays], "string"),
                    "arrival": at(stays, "begin"),
                    "departure": at(stays, "end"),
                    "feeder_id": pd.array(
                        [
                            None if s["feeder"] < 0 else feeders[s["feeder"]]
                            for s in stays
                        ],
                        "string",
                    ),
                    "charger_kw": np.array([s["kw"] for s in stays], float),
                }
            ),
            "trips": pd.DataFrame(
                {
                    "vehicle_id": pd.array([ids[t["v"]] for t in trips], "string"),
                    "departure": at(trips, "depart"),
                    "arrival": at(trips, "arrive"),
                    "energy_kwh": np.array([t["kwh"] for t in trips], float),
                }
            ),
            "feeders": pd.DataFrame(
                {
                    "feeder_id": pd.array(feeders, "string"),
                    "upgrade_cost_per_kw": np.linspace(1.0, 2.0, len(feeders)),
                }
            ),
            "feeder_profile": pd.DataFrame(
                {
                    "feeder_id": pd.array(np.repeat(feeders, self.slots), "string"),
                    "time": np.tile(
                        instant(np.arange(self.slots) * self.dt), len(feeders)
                    ),
                    "capacity_kw": 20.0,
                    "base_kw": 20.0 - self.headroom.ravel(),
                }
            ),
        }
        if turn:
            frames = {k: f.iloc[::-1].reset_index(drop=True) for k, f in frames.items()}
        header = dict(
            name="random",
            start=start,
            timezone="America/Los_Angeles",
            slot_minutes=int(round(60 * self.dt)),
            slots=self.slots,
        )
        return Scenario.from_frames(**(header | keys), **frames)


def random_case(seed: int, vehicles=8, feeders=2, slots=24, dt=1.0) -> Case:
    """Cars with partial slots, short stays, missing chargers and far trips."""
    rng = np.random.default_rng(seed)
    horizon = slots * dt
    grid = rng.choice([0.05, 0.25, 1.0])
    cars, stay_row, trip_row = [], 0, 0
    for _ in range(vehicles):
        count = rng.integers(0, 9)
        edges = rng.choice(np.arange(1, int(horizon / grid)), 2 * count + 2, False)
        edges = np.sort(edges) * grid
        if rng.random() < 0.5:
            edges[0] = 0.0
        stays, trips = [], []
        for k in range(count):
            begin, end, leave = edges[2 * k : 2 * k + 3]
            kw = rng.choice([0.0, 3.7, 7.4, 11.0, 50.0])
            feeder = rng.integers(-1, feeders)
            stays.append(dict(begin=begin, end=end, kw=kw, feeder=feeder, row=stay_row))
            stay_row += 1
            if rng.random() < 0.9:
                kwh = rng.choice([0.0, rng.uniform(0, 12), rng.uniform(0, 40)])
                trips.append(dict(depart=end, arrive=leave, kwh=kwh, row=trip_row))
                trip_row += 1
        battery = rng.choice([24.0, 40.0, 82.0])
        reserve = rng.choice([0.0, 0.1, 0.2]) * battery
        initial = rng.uniform(reserve, battery)
        final = rng.choice([initial, reserve, battery])
        cars.append(
            dict(
                battery=battery,
                initial=initial,
                reserve=reserve,
                final=final,
                eta=rng.choice([1.0, 0.92]),
                weight=rng.choice([1.0, 1.0, 2.5]),
                stays=stays,
                trips=trips,
            )
        )
    headroom = rng.uniform(-5, 25, (feeders, slots))
    return Case(cars, headroom, dt, slots)


def events(car) -> list[tuple]:
    """Stays with a charger and trips of a car in order of time."""
    charging = [("stay", s["begin"], s) for s in car["stays"] if s["kw"] > 0]
    driving = [("trip", t["depart"], t) for t in car["trips"]]
    return sorted(charging + driving, key=lambda e: (e[1], e[0]))


def overlap(begin, end, slot, dt) -> float:
    return max(0.0, min(end, (slot + 1) * dt) - max(begin, slot * dt))


def unmanaged_loop(case: Case):
    """{(stay row, slot): kw} and SOC after every trip {trip row: kWh}, from full."""
    plan, soc_after = {}, {}
    for car in case.vehicles:
        soc = car["battery"]
        for kind, _, e in events(car):
            if kind == "trip":
                soc -= e["kwh"]
                soc_after[e["row"]] = soc
                continue
            power = e["kw"]
            needed = (car["battery"] - soc) / car["eta"] / power
            until = min(e["end"], e["begin"] + needed)
            soc += (until - e["begin"]) * power * car["eta"]
            for t in range(case.slots):
                hours = overlap(e["begin"], until, t, case.dt)
                if hours > 0:
                    plan[e["row"], t] = power * hours / case.dt
    return plan, soc_after


def first_come_loop(case: Case):
    """{(stay row, slot): kw}: one queue for each slot, served one by one."""
    plan = {}
    charged = [0.0] * len(case.vehicles)
    used_before = {}
    for car in case.vehicles:
        used = 0.0
        for kind, _, e in events(car):
            if kind == "trip":
                used += e["kwh"]
            else:
                used_before[e["row"]] = used
    stays = [s for s in case.stays if s["kw"] > 0]
    for t in range(case.slots):
        left = [max(h, 0.0) * case.dt for h in case.headroom[:, t]]
        here = [s for s in stays if overlap(s["begin"], s["end"], t, case.dt) > 0]
        for arrival in sorted({s["begin"] for s in here}):
            for f in range(-1, len(left)):
                group = [s for s in here if (s["begin"], s["feeder"]) == (arrival, f)]
                wants = []
                for s in group:
                    car = case.vehicles[s["v"]]
                    room = (used_before[s["row"]] - charged[s["v"]]) / car["eta"]
                    hours = overlap(s["begin"], s["end"], t, case.dt)
                    wants.append(max(min(room, s["kw"] * hours), 0.0))
                weights = [case.vehicles[s["v"]]["weight"] for s in group]
                asked = sum(w * x for w, x in zip(weights, wants, strict=True))
                part = 1.0 if f < 0 or asked <= left[f] else left[f] / asked
                for s, w, want in zip(group, weights, wants, strict=True):
                    charged[s["v"]] += part * want * case.vehicles[s["v"]]["eta"]
                    if f >= 0:
                        left[f] = max(left[f] - w * part * want, 0.0)
                    if part * want > 0:
                        plan[s["row"], t] = part * want / case.dt
    return plan


def as_dict(plan) -> dict:
    return {(int(s), int(t)): float(k) for s, t, k in zip(*plan, strict=True)}


def assert_same_plan(plan, expected: dict, tolerance=1e-7):
    found = as_dict(plan)
    for key in found.keys() | expected.keys():
        assert abs(found.get(key, 0.0) - expected.get(key, 0.0)) < tolerance, key
