"""A street of two feeders and three cars, small enough to know every number.

Feeder A carries 10 kW beside 8 kW of base load, B 100 kW without any. Two cars come
home to A at 18:00 with 4 kWh to charge at 4 kW, one is at work on B at noon. Weight 2.
"""

import numpy as np
import pandas as pd

import macjax
from macjax.results import Solution
from macjax.scenario.plan import Plan

DAY = pd.Timestamp("2026-03-02T00:00:00Z")
WEIGHT = 2.0


def at(hour: float) -> pd.Timestamp:
    return DAY + pd.Timedelta(hours=hour)


def street(place: bool = True, **columns):
    """The scenario; further columns of the feeders by name."""
    vehicles = pd.DataFrame(
        {
            "vehicle_id": ["a", "b", "c"],
            "battery_kwh": 40.0,
            "initial_kwh": 30.0,
            "reserve_kwh": 0.0,
            "final_kwh": 30.0,
            "charge_efficiency": 1.0,
            "weight": WEIGHT,
        }
    )
    stays = pd.DataFrame(
        {
            "vehicle_id": ["a", "b", "c", "c"],
            "arrival": [at(18), at(18), at(12), at(18)],
            "departure": [at(24), at(24), at(16), at(24)],
            "feeder_id": ["A", "A", "B", None],
            "charger_kw": 4.0,
            "place": ["home", "home", "work", "club"],
        }
    )
    trips = pd.DataFrame(
        {
            "vehicle_id": ["a", "b", "c"],
            "departure": [at(8), at(8), at(8)],
            "arrival": [at(9), at(9), at(9)],
            "energy_kwh": 4.0,
        }
    )
    feeders = pd.DataFrame(
        {"feeder_id": ["A", "B"], "upgrade_cost_per_kw": [100.0, 300.0], **columns}
    )
    profile = pd.DataFrame(
        {
            "feeder_id": np.repeat(["A", "B"], 24),
            "hour": np.tile(np.arange(24), 2),
            "capacity_kw": np.repeat([10.0, 100.0], 24),
            "base_kw": np.repeat([8.0, 0.0], 24),
        }
    )
    return macjax.Scenario.from_frames(
        name="street",
        start=DAY,
        timezone="UTC",
        slot_minutes=60,
        slots=24,
        vehicles=vehicles,
        stays=stays if place else stays.drop(columns="place"),
        trips=trips,
        feeders=feeders,
        feeder_profile=profile,
    )


def solved(scenario, entries, method="mac", lower_bound=float("nan"), **given):
    """A solution with the plan of (stay, slot, kw)."""
    stay, slot, kw = zip(*entries, strict=True)
    solution = Solution(
        scenario=scenario,
        plan=Plan.of(stay, slot, kw),
        status="simulated" if method == "unmanaged" else "solved",
        objective=0.0,
        lower_bound=lower_bound,
        gap=0.0,
        method=method,
        objective_spec=macjax.PeakOverload(),
        **given,
    )
    return solution


# Both cars of A in the same hour: 8 + 2 * (4 + 4) = 24 kW, 14 above; c at work.
TOGETHER = [(0, 18, 4.0), (1, 18, 4.0), (2, 12, 4.0)]
# One after the other at 1 kW: 10 kW at most; c charges at the club, on no feeder.
APART = [(0, t, 1.0) for t in range(18, 22)] + [(1, t, 0.5) for t in (22, 23)]
APART += [(3, 20, 4.0)]
