"""Unmanaged and first-come charging against loops over vehicles."""

import numpy as np
import pytest
from baseline_fleets import (
    Case,
    as_dict,
    assert_same_plan,
    events,
    first_come_loop,
    random_case,
    unmanaged_loop,
)

from macjax.baselines._fleet import fleet_arrays
from macjax.baselines.first_come import serve_in_order, trip_energy_before
from macjax.baselines.unmanaged import on_arrival_plan
from macjax.fleet.opportunities import trips_below_reserve

GRIDS = [(24, 1.0), (96, 0.25), (144, 1 / 6), (12, 2.0)]


def car(stays, trips, **numbers):
    defaults = dict(
        battery=40.0, initial=40.0, reserve=4.0, final=40.0, eta=0.8, weight=1.0
    )
    return defaults | numbers | dict(stays=stays, trips=trips)


def stay(row, begin, end, kw=10.0, feeder=0):
    return dict(row=row, begin=begin, end=end, kw=kw, feeder=feeder)


def trip(row, depart, arrive, kwh):
    return dict(row=row, depart=depart, arrive=arrive, kwh=kwh)


def run_unmanaged(case):
    fleet = fleet_arrays(case.scenario(), "per_session")
    charged = fleet.chains.lower
    return fleet, charged, on_arrival_plan(fleet, charged)


def run_first_come(case, headroom=None):
    scenario = case.scenario()
    fleet = fleet_arrays(scenario)
    used = trip_energy_before(scenario, fleet.chains)
    headroom = case.headroom if headroom is None else headroom
    charged, plan = serve_in_order(fleet, used, headroom)
    return fleet, charged, plan


def charged_by_stay(fleet, charged):
    """{stay row: energy} from the running sums of all vehicles [battery kWh]."""
    chains = fleet.chains
    own = np.diff(charged, prepend=0.0)
    starts = chains.first[chains.count > 0]
    own[starts] = charged[starts]
    return dict(zip(chains.row.tolist(), own.tolist(), strict=True))


def soc_after_trips(case, own):
    """{trip row: SOC} of cars that start full and charge `own` by stay [kWh]."""
    after = {}
    for car in case.vehicles:
        soc = car["battery"]
        for kind, _, e in events(car):
            soc += own[e["row"]] if kind == "stay" else -e["kwh"]
            if kind == "trip":
                after[e["row"]] = soc
    return after


def battery_kwh_by_stay(case, plan):
    gained = {}
    eta = {s["row"]: case.vehicles[s["v"]]["eta"] for s in case.stays}
    for (row, _), kw in as_dict(plan).items():
        gained[row] = gained.get(row, 0.0) + kw * case.dt * eta[row]
    return gained


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("seed", range(12))
def test_unmanaged_equals_the_loop(seed, grid):
    case = random_case(seed, slots=grid[0], dt=grid[1])
    fleet, charged, plan = run_unmanaged(case)
    expected, soc = unmanaged_loop(case)
    assert_same_plan(plan, expected)
    found = soc_after_trips(case, charged_by_stay(fleet, charged))
    assert found.keys() == soc.keys()
    for row, value in found.items():
        assert value == pytest.approx(soc[row], abs=1e-9)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("seed", range(12))
def test_first_come_equals_the_loop(seed, grid):
    case = random_case(seed, vehicles=12, slots=grid[0], dt=grid[1])
    _, _, plan = run_first_come(case)
    assert_same_plan(plan, first_come_loop(case))


@pytest.mark.parametrize("seed", range(12))
def test_first_come_keeps_the_limit_and_the_energy(seed):
    case = random_case(seed, vehicles=30)
    fleet, charged, plan = run_first_come(case)
    load = np.zeros_like(case.headroom)
    by_row = {s["row"]: s for s in case.stays}
    for (row, slot), kw in as_dict(plan).items():
        s = by_row[row]
        if s["feeder"] >= 0:
            load[s["feeder"], slot] += kw * case.vehicles[s["v"]]["weight"]
    assert (load <= np.maximum(case.headroom, 0.0) + 1e-9).all()
    gained = battery_kwh_by_stay(case, plan)
    for row, kwh in charged_by_stay(fleet, charged).items():
        assert gained.get(row, 0.0) == pytest.approx(kwh, abs=1e-8)


@pytest.mark.parametrize("seed", range(12))
def test_first_come_without_limits_is_unmanaged(seed):
    case = random_case(seed, slots=96, dt=0.25)
    _, charged, plan = run_first_come(case, np.full_like(case.headroom, np.inf))
    _, expected_charged, expected = run_unmanaged(case)
    assert_same_plan(plan, as_dict(expected))
    assert charged == pytest.approx(expected_charged, abs=1e-8)


@pytest.mark.parametrize("run", [run_unmanaged, run_first_come])
def test_the_order_of_vehicles_changes_nothing(run):
    case = random_case(7, vehicles=20)
    turned = Case(case.vehicles[::-1], case.headroom, case.dt, case.slots)
    assert_same_plan(run(turned)[2], as_dict(run(case)[2]), 1e-9)


def test_one_car_by_hand():
    """10 kWh used, 0.8 efficient: 12.5 kWh from the grid, 1.25 h from 2.5 h on."""
    cars = [car([stay(0, 0, 1), stay(1, 2.5, 9)], [trip(0, 1, 2, 10.0)])]
    case = Case(cars, np.full((1, 12), 100.0), 1.0, 12)
    for run in (run_unmanaged, run_first_come):
        plan = as_dict(run(case)[2])
        assert plan == pytest.approx({(1, 2): 5.0, (1, 3): 7.5})


def test_equal_arrivals_share_pro_rata_and_earlier_ones_come_first():
    """12 kW: the first takes 10; 2 are left for two that could take 10 and 5."""
    used = [trip(0, 0.5, 0.9, 30.0)]
    cars = [
        car([stay(0, 3, 9)], used),
        car([stay(1, 2, 9)], used),
        car([stay(2, 3, 9, kw=5.0)], used),
    ]
    case = Case(cars, np.full((1, 4), 12.0), 1.0, 4)
    plan = as_dict(run_first_come(case)[2])
    assert plan[1, 2] == pytest.approx(10.0)
    assert plan[1, 3] == pytest.approx(10.0)
    assert plan[0, 3] == pytest.approx(2.0 * 10 / 15)
    assert plan[2, 3] == pytest.approx(2.0 * 5 / 15)


def test_nobody_charges_where_the_base_is_over():
    cars = [car([stay(0, 2, 9)], [trip(0, 0.5, 1.5, 30.0)])]
    headroom = np.array([[5.0, 5.0, -1.0, 0.0, 3.0, 5.0]])
    plan = as_dict(run_first_come(Case(cars, headroom, 1.0, 6))[2])
    assert plan == pytest.approx({(0, 4): 3.0, (0, 5): 5.0})


def test_a_second_stay_in_the_slot_knows_what_the_first_was_given():
    """Two short stays in one slot; another car comes between them and is served."""
    back_and_forth = car(
        [stay(0, 1.0, 1.2, kw=20.0), stay(1, 1.5, 2.0, kw=20.0)],
        [trip(0, 0.5, 0.9, 6.0)],
        eta=1.0,
    )
    between = car([stay(2, 1.3, 2.0, kw=10.0)], [trip(1, 0.5, 0.9, 30.0)], eta=1.0)
    case = Case([back_and_forth, between], np.full((1, 3), 10.0), 1.0, 3)
    plan = as_dict(run_first_come(case)[2])
    assert plan == pytest.approx({(0, 1): 4.0, (2, 1): 6.0})
    case = Case([back_and_forth, between], np.full((1, 3), 100.0), 1.0, 3)
    plan = as_dict(run_first_come(case)[2])
    assert plan == pytest.approx({(0, 1): 4.0, (2, 1): 7.0, (1, 1): 2.0})


def test_stranded_is_the_first_trip_below_the_reserve():
    trips = [trip(3, 1, 2, 30.0), trip(5, 3, 4, 10.0), trip(6, 5, 6, 10.0)]
    # Rows of the trips table that come before and between.
    others = [trip(row, row, row + 0.5, 0.0) for row in (0, 1, 2, 4)]
    cars = [
        car([stay(0, 2, 2.5)], trips),
        car([], [trip(7, 1, 2, 1.0)]),
        car([], others),
    ]
    case = Case(cars, np.full((1, 8), 100.0), 1.0, 8)
    fleet, charged, _ = run_unmanaged(case)
    # 40 - 30 = 10; half an hour at 10 kW brings 4; 14 - 10 = 4; 4 - 10 = -6 < 4.
    full = np.full(len(cars), 40.0)
    short = trips_below_reserve(case.scenario(), fleet.chains, full, charged)
    assert (short.vehicle.tolist(), short.trip.tolist()) == ([0], [6])
    assert short.missing_kwh == pytest.approx([10.0])
