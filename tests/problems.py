"""Small problems with answers known in closed form, by name.

Times are hours after the start, energies kWh, powers kW. A problem holds the keyword
arguments of `Scenario.from_frames`, the coefficients of the objective and what is
known of the answer: the optimum (inf if there is no feasible schedule) and, where
unique, the EV loads (f, t) and the prices (f, t).
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd

INF = float("inf")
START = "2026-05-04T00:00:00+00:00"


@dataclasses.dataclass(frozen=True)
class SmallProblem:
    """One problem and its answer.

    Arguments:
        frames: keyword arguments of `Scenario.from_frames`.
        optimum: least objective [currency], inf if infeasible.
        coefficients: of `oracles.solve_lp`: peak, overload, energy, hard.
        loads: EV loads [kW], (f, t), if unique.
        prices: duals of the feeder rows [currency/kW], (f, t), if unique.
        missing: of each infeasible vehicle, the first trip (row of the trips table,
            None for the final SOC) and the missing energy [kWh].
        unmanaged: objective of charging on arrival from full, if stated.
    """

    frames: dict
    optimum: float
    coefficients: dict = dataclasses.field(default_factory=dict)
    loads: object = None
    prices: object = None
    missing: dict = dataclasses.field(default_factory=dict)
    unmanaged: float | None = None


PROBLEMS: dict[str, Callable[[], SmallProblem]] = {}


def problem(build):
    """Enter a builder into the table under its name."""
    PROBLEMS[build.__name__] = build
    return build


def at(hours) -> pd.DatetimeIndex:
    """Instants at hours after the start."""
    seconds = pd.to_timedelta(np.round(np.asarray(hours, float) * 3600), unit="s")
    return pd.DatetimeIndex(pd.Timestamp(START) + seconds)


def vehicle(name, battery=50.0, initial=10.0, final=None, **more) -> dict:
    """A row of vehicles; efficiency 1, reserve 0 and weight 1 unless given."""
    row = dict(
        vehicle_id=name,
        battery_kwh=battery,
        initial_kwh=initial,
        reserve_kwh=0.0,
        final_kwh=initial if final is None else final,
        charge_efficiency=1.0,
        weight=1.0,
    )
    return row | more


def frames(
    vehicles=(),
    stays=(),
    trips=(),
    headroom=None,
    cost=None,
    slots=1,
    slot_minutes=60,
    hourly=False,
    **keys,
) -> dict:
    """Keyword arguments of `Scenario.from_frames`.

    Arguments:
        vehicles: rows made by `vehicle`.
        stays: tuples (vehicle, arrival h, departure h, feeder, charger kW).
        trips: tuples (vehicle, departure h, arrival h, kWh).
        headroom: by feeder, a number or one per slot (hour if `hourly`) [kW]; the
            capacity is 100 kW, the base load 100 kW minus this.
        cost: by feeder [currency/kW], 1 where not given.
    """
    headroom = {"f": 0.0} if headroom is None else headroom
    cost = cost or {}
    columns = 24 if hourly else slots
    profile = []
    for name, room in headroom.items():
        column = np.arange(24) if hourly else at(np.arange(slots) * slot_minutes / 60)
        spare = np.broadcast_to(np.asarray(room, float), columns)
        profile.append(
            pd.DataFrame(
                {
                    "feeder_id": name,
                    "hour" if hourly else "time": column,
                    "capacity_kw": 100.0,
                    "base_kw": 100.0 - spare,
                }
            )
        )
    when = "hour" if hourly else "time"
    no_profile = pd.DataFrame(
        {
            "feeder_id": pd.Series([], dtype=object),
            when: [] if hourly else at([]),
            "capacity_kw": pd.Series([], dtype=float),
            "base_kw": pd.Series([], dtype=float),
        }
    )
    car, arrive, leave, feeder, power = zip(*stays, strict=True) if stays else [()] * 5
    driver, depart, end, energy = zip(*trips, strict=True) if trips else [()] * 4
    columns_of_vehicles = list(vehicle("x"))
    return (
        dict(
            name="small problem",
            start=START,
            timezone="UTC",
            slot_minutes=slot_minutes,
            slots=slots,
            currency="USD",
            vehicles=pd.DataFrame(list(vehicles), columns=columns_of_vehicles).astype(
                {c: float for c in columns_of_vehicles if c != "vehicle_id"}
            ),
            stays=pd.DataFrame(
                {
                    "vehicle_id": pd.Series(car, dtype=object),
                    "arrival": at(arrive),
                    "departure": at(leave),
                    "feeder_id": pd.Series(feeder, dtype=object),
                    "charger_kw": np.asarray(power, float),
                }
            ),
            trips=pd.DataFrame(
                {
                    "vehicle_id": pd.Series(driver, dtype=object),
                    "departure": at(depart),
                    "arrival": at(end),
                    "energy_kwh": np.asarray(energy, float),
                }
            ),
            feeders=pd.DataFrame(
                {
                    "feeder_id": pd.Series(list(headroom), dtype=object),
                    "upgrade_cost_per_kw": [float(cost.get(f, 1.0)) for f in headroom],
                }
            ).astype({"upgrade_cost_per_kw": float}),
            feeder_profile=pd.concat(profile, ignore_index=True)
            if profile
            else no_profile,
        )
        | keys
    )


@problem
def one_ev_one_slot():
    """6 kWh in one hour against 2 kW of headroom at 3 a kW."""
    data = frames(
        [vehicle("a", final=16)], [("a", 0, 1, "f", 10)], headroom={"f": 2},
        cost={"f": 3},
    )  # fmt: skip
    return SmallProblem(data, 12.0, loads=[[6.0]], prices=[[3.0]])


@problem
def one_ev_flat():
    """8 kWh over four equal hours: 2 kW each, the cost split equally."""
    data = frames([vehicle("a", final=18)], [("a", 0, 4, "f", 10)], slots=4)
    return SmallProblem(data, 2.0, loads=[[2.0] * 4], prices=[[0.25] * 4])


@problem
def efficiency_and_weight():
    """4 battery kWh at efficiency 0.8, five such vehicles, in one half hour: 50 kW."""
    car = vehicle("a", final=14, charge_efficiency=0.8, weight=5.0)
    data = frames([car], [("a", 0, 0.5, "f", 10)], headroom={"f": 10}, slot_minutes=30)
    return SmallProblem(data, 40.0, loads=[[50.0]], prices=[[1.0]])


@problem
def two_evs_share():
    """Hours 0-1 and 1-3, 6 kWh each: 12 kWh over three hours is 4 kW."""
    data = frames(
        [vehicle("a", final=16), vehicle("b", final=16)],
        [("a", 0, 2, "f", 10), ("b", 1, 3, "f", 10)],
        slots=3,
    )
    return SmallProblem(data, 4.0, loads=[[4.0] * 3], prices=[[1 / 3] * 3])


@problem
def valleys_filled():
    """8 kWh into headroom 4, 1, 0 kW: everything and 1 kW more everywhere."""
    data = frames(
        [vehicle("a", final=18)], [("a", 0, 3, "f", 10)], slots=3,
        headroom={"f": [4, 1, 0]}, cost={"f": 2},
    )  # fmt: skip
    return SmallProblem(data, 2.0, loads=[[5, 2, 1]], prices=[[2 / 3] * 3])


@problem
def trip_forces_a_peak():
    """Almost empty before a trip of 8 kWh: one hour must carry 7 kWh, headroom 3."""
    data = frames(
        [vehicle("a", initial=1, final=1)],
        [("a", 0, 1, "f", 50), ("a", 2, 6, "f", 50)],
        [("a", 1, 2, 8)],
        slots=6, headroom={"f": 3},
    )  # fmt: skip
    return SmallProblem(data, 4.0, prices=[[1, 0, 0, 0, 0, 0]])


@problem
def battery_forces_a_peak():
    """Full before the trip, so all 9 kWh have to come in the last hour."""
    data = frames(
        [vehicle("a", battery=20, initial=20)],
        [("a", 0, 3, "f", 50), ("a", 4, 5, "f", 50)],
        [("a", 3, 4, 9)],
        slots=5, headroom={"f": 1},
    )  # fmt: skip
    return SmallProblem(
        data, 8.0, loads=[[0, 0, 0, 0, 9]], prices=[[0] * 4 + [1]], unmanaged=8.0
    )


@problem
def reserve_counts():
    """With a reserve of 5 kWh the trip of 8 kWh needs 3 kWh more before it."""
    data = frames(
        [vehicle("a", initial=10, final=0, reserve_kwh=5.0)],
        [("a", 0, 1, "f", 10), ("a", 2, 3, "f", 10)],
        [("a", 1, 2, 8)],
        slots=3,
    )
    return SmallProblem(data, 3.0, loads=[[3, 0, 0]], prices=[[1, 0, 0]])


@problem
def partial_slots():
    """Half an hour and a quarter at 8 kW carry 4 and 2 kWh, and 6 are needed."""
    data = frames(
        [vehicle("a", final=16)], [("a", 0.5, 1.25, "f", 8)], slots=2,
        headroom={"f": 1},
    )  # fmt: skip
    return SmallProblem(data, 3.0, loads=[[4, 2]])


@problem
def two_stays_in_one_slot():
    """Two stays of a quarter hour in one hour, on feeders that cost 1 and 5."""
    data = frames(
        [vehicle("a", final=13)],
        [("a", 0, 0.25, "cheap", 8), ("a", 0.5, 0.75, "dear", 8)],
        headroom={"cheap": 0, "dear": 0}, cost={"cheap": 1, "dear": 5},
    )  # fmt: skip
    return SmallProblem(data, 7.0, loads=[[2], [1]], prices=[[1], [5]])


@problem
def cheap_feeder_first():
    """Either feeder serves all 6 kWh; the one that costs 1 takes them in two hours."""
    data = frames(
        [vehicle("a", final=16)],
        [("a", 0, 2, "home", 5), ("a", 2, 4, "work", 5)],
        slots=4, headroom={"home": 0, "work": 0}, cost={"home": 1, "work": 3},
    )  # fmt: skip
    return SmallProblem(data, 3.0, loads=[[3, 3, 0, 0], [0, 0, 0, 0]])


@problem
def charger_without_feeder_is_free():
    """All energy comes from a charger that is on no feeder."""
    data = frames(
        [vehicle("a", final=16)],
        [("a", 0, 1, "f", 10), ("a", 1, 2, None, 10)],
        slots=2,
    )
    return SmallProblem(data, 0.0, loads=[[0, 0]])


@problem
def trip_over_the_end_counts():
    """Departure inside the horizon, arrival after it: 9 kWh needed before it."""
    data = frames(
        [vehicle("a", initial=10, final=10)],
        [("a", -5, 2, "f", 10), ("a", 9, 20, "f", 10)],
        [("a", 2.5, 8, 9)],
        slots=3,
    )
    return SmallProblem(data, 4.5, loads=[[4.5, 4.5, 0]])


@problem
def trips_outside_do_not_count():
    """A trip that began before the start, and one that departs at the end."""
    data = frames(
        [vehicle("a", initial=10, final=14)],
        [("a", 0.5, 2, "f", 10)],
        [("a", -1, 0.5, 30), ("a", 2, 4, 30)],
        slots=2,
    )
    return SmallProblem(data, 2.0, loads=[[2, 2]])


@problem
def overload_without_vehicles():
    """Base load is 5 kW over the capacity in one hour, and nobody charges."""
    data = frames(slots=2, headroom={"f": [-5, 1]}, cost={"f": 3})
    return SmallProblem(data, 15.0, loads=[[0, 0]], prices=[[3, 0]])


@problem
def overload_in_an_empty_slot():
    """The floor of 2 kW where nobody charges leaves 2 kW free where somebody does."""
    data = frames(
        [vehicle("a", final=15)], [("a", 0, 1, "f", 10)], slots=2,
        headroom={"f": [3, -2]},
    )  # fmt: skip
    return SmallProblem(data, 2.0, loads=[[5, 0]])


@problem
def no_vehicles():
    """Tables without rows, one feeder."""
    return SmallProblem(frames(slots=3), 0.0, loads=[[0, 0, 0]], unmanaged=0.0)


@problem
def no_feeders():
    """A vehicle and no feeder at all."""
    data = frames(
        [vehicle("a", final=15)], [("a", 0, 1, None, 10)], headroom={}, slots=1
    )
    return SmallProblem(data, 0.0, unmanaged=0.0)


@problem
def nothing_to_choose():
    """A vehicle that is and stays full."""
    data = frames(
        [vehicle("a", battery=10, initial=10)], [("a", 0, 2, "f", 10)], slots=2,
        headroom={"f": 1},
    )  # fmt: skip
    return SmallProblem(data, 0.0, loads=[[0, 0]], unmanaged=0.0)


@problem
def daily_profile():
    """Headroom by hour of the day, two days; 2 kW fit at hour 1 of both days only."""
    room = np.zeros(24)
    room[1] = 2.0
    data = frames(
        [vehicle("a", final=14)], [("a", 0, 48, "f", 10)], slots=48, hourly=True,
        headroom={"f": room},
    )  # fmt: skip
    loads = np.zeros((1, 48))
    loads[0, [1, 25]] = 2.0
    return SmallProblem(data, 0.0, loads=loads)


@problem
def overload_energy():
    """6 kWh in two half hours, 4 kW of headroom: 2 kWh of overload at 2 a kWh."""
    data = frames(
        [vehicle("a", final=16)], [("a", 0, 1, "f", 20)], slots=2, slot_minutes=30,
        headroom={"f": 4},
    )  # fmt: skip
    return SmallProblem(data, 4.0, {"peak": 0.0, "overload": 2.0}, prices=[[1, 1]])


@problem
def energy_prices():
    """8 kWh where the cheap hour takes 5 at 1 and the dear one 3 at 4 a kWh."""
    data = frames([vehicle("a", final=18)], [("a", 0, 2, "f", 5)], slots=2)
    coefficients = {"peak": 0.0, "energy": [[4.0, 1.0]]}
    return SmallProblem(data, 17.0, coefficients, loads=[[3, 5]], prices=[[4, 1]])


@problem
def hard_capacity_holds():
    """Prices 1 and 4 a kWh, but only 2 kW fit in the cheap hour."""
    data = frames(
        [vehicle("a", final=15)], [("a", 0, 2, "f", 10)], slots=2,
        headroom={"f": [2, 9]},
    )  # fmt: skip
    coefficients = {"peak": 0.0, "energy": [[1.0, 4.0]], "hard": True}
    return SmallProblem(data, 14.0, coefficients, loads=[[2, 3]], prices=[[4, 4]])


@problem
def hard_capacity_fails():
    """9 kWh and room for 8: no schedule."""
    data = frames(
        [vehicle("a", final=19)], [("a", 0, 2, "f", 10)], slots=2, headroom={"f": 4}
    )
    return SmallProblem(data, INF, {"peak": 0.0, "hard": True})


@problem
def trip_out_of_reach():
    """2 kW for an hour and 10 kWh in the battery, against a trip of 15 kWh."""
    data = frames(
        [vehicle("a"), vehicle("b", final=11)],
        [("a", 0, 1, "f", 2), ("a", 2, 3, "f", 50), ("b", 0, 3, "f", 5)],
        [("a", 1, 2, 15)],
        slots=3,
    )
    return SmallProblem(data, INF, missing={"a": (0, 3.0)})


@problem
def trip_before_any_stay_out_of_reach():
    """The first trip starts below what it needs: 12 kWh of 10, with a reserve of 1."""
    data = frames(
        [vehicle("a", reserve_kwh=1.0)],
        [("a", 1, 3, "f", 50)],
        [("a", 0, 1, 12)],
        slots=3,
    )
    return SmallProblem(data, INF, missing={"a": (0, 3.0)})


@problem
def final_out_of_reach():
    """Nothing to charge from and a trip of 4 kWh: 4 kWh short of the final SOC."""
    data = frames([vehicle("a")], [], [("a", 0, 1, 4)], slots=1)
    return SmallProblem(data, INF, missing={"a": (None, 4.0)})
