"""The baselines as users call them: solutions, their frames and their numbers."""

import numpy as np
import pandas as pd
import pytest
from baseline_fleets import (
    as_dict,
    assert_same_plan,
    events,
    first_come_loop,
    overlap,
    random_case,
    unmanaged_loop,
)
from scipy.optimize import linprog

from macjax import baselines
from macjax._errors import DataError
from macjax.baselines._fleet import fleet_arrays
from macjax.baselines.time_of_use import cheapest_charging
from macjax.certificate import Certifier
from macjax.objectives import OverloadEnergy
from macjax.results import compare

PRICES = np.array(
    [3, 3, 1, 1, 2, 2, 1, 3, 5, 5, 1, 1, 2, 2, 2, 1, 1, 4, 4, 4, 3, 3, 1, 1]
)
HOURLY = pd.DataFrame({"hour": range(24), "price": PRICES.astype(float)})


def by_time_of_use(scenario, **settings):
    return baselines.time_of_use(scenario, HOURLY, **settings)


SIMULATED = [baselines.unmanaged, baselines.first_come, by_time_of_use]


def cheapest_loop(car, case, price):
    """Least cost of one car by HiGHS over its own tube; None if it is too short."""
    most, cost, stay = [], [], []
    low, high, used, chargers = [], [], 0.0, 0
    for kind, _, e in events(car):
        if kind == "trip":
            used += e["kwh"]
            if low:
                low[-1] = max(low[-1], car["reserve"] - car["initial"] + used)
            elif car["initial"] - used < car["reserve"] - 1e-6:
                return None
            continue
        high.append(car["battery"] - car["initial"] + used)
        low.append(0.0)
        for t in range(case.slots):
            hours = overlap(e["begin"], e["end"], t, case.dt)
            if hours > 0:
                most.append(e["kw"] * hours * car["eta"])
                cost.append(price[t] / car["eta"])
                stay.append(chargers)
        chargers += 1
    need = max(car["final"], car["reserve"]) - car["initial"] + used
    if not low:
        return None if need > 1e-6 else 0.0
    low[-1] = max(low[-1], need)
    prefix = (np.array(stay)[None, :] <= np.arange(chargers)[:, None]).astype(float)
    found = linprog(
        cost,
        A_ub=np.vstack([prefix, -prefix]),
        b_ub=np.concatenate([high, -np.array(low)]),
        bounds=[(0.0, m) for m in most],
    )
    return None if found.status == 2 else found.fun


@pytest.mark.parametrize("run", SIMULATED)
@pytest.mark.parametrize("seed", range(4))
def test_numbers_of_a_simulated_solution(run, seed):
    case = random_case(seed, vehicles=25)
    scenario = case.scenario()
    solution = run(scenario)
    assert solution.status == "simulated"
    assert np.isnan(solution.lower_bound) and np.isnan(solution.gap)
    assert not solution.has_prices
    cost = scenario.feeders["upgrade_cost_per_kw"]
    assert solution.objective == pytest.approx(
        float((solution.upgrades()["upgrade_kw"] * cost).sum())
    )
    soc = solution.soc()["soc_kwh"].to_numpy().reshape(25, -1)
    battery = scenario.vehicles["battery_kwh"].to_numpy()
    assert (soc <= battery[:, None] + 1e-6).all()
    lacking = np.maximum(soc[:, 0] - soc[:, -1], 0.0)
    weight = scenario.vehicles["weight"].to_numpy()
    assert solution.settings["not_recharged_kwh"] == pytest.approx(weight @ lacking)


@pytest.mark.parametrize("seed", range(6))
def test_unmanaged(seed):
    case = random_case(seed, vehicles=25, slots=96, dt=0.25)
    solution = baselines.unmanaged(case.scenario())
    plan, soc = unmanaged_loop(case)
    assert_same_plan(solution.plan, plan)
    assert solution.objective == pytest.approx(solution.unmanaged_objective)
    expected = {}
    for v, car in enumerate(case.vehicles):
        for t in car["trips"]:
            missing = car["reserve"] - soc[t["row"]]
            if missing > 1e-6 and f"car{v}" not in expected:
                expected[f"car{v}"] = (t["row"], missing)
    stranded = solution.stranded
    assert stranded["vehicle_id"].tolist() == list(expected)
    assert stranded["trip"].tolist() == [row for row, _ in expected.values()]
    assert stranded["missing_kwh"].tolist() == pytest.approx(
        [missing for _, missing in expected.values()]
    )


@pytest.mark.parametrize("seed", range(6))
def test_first_come(seed):
    case = random_case(seed, vehicles=25)
    solution = baselines.first_come(case.scenario())
    assert_same_plan(solution.plan, first_come_loop(case))
    loads = solution.loads()
    limit = np.maximum(loads["capacity_kw"] - loads["base_kw"], 0.0)
    assert (loads["ev_kw"] <= limit + 1e-9).all()


@pytest.mark.parametrize("seed", range(8))
def test_time_of_use_is_feasible_and_cheapest(seed):
    case = random_case(seed, vehicles=15)
    scenario = case.scenario()
    solution = by_time_of_use(scenario)
    assert Certifier(scenario, None, "relax").check(solution.plan).feasible
    local = scenario.slot_starts.tz_convert("America/Los_Angeles").hour
    price = PRICES[local]
    schedule = solution.schedule()
    paid = schedule["kw"] * price[np.asarray(solution.plan.slot)]
    by_car = paid.groupby(schedule["vehicle_id"]).sum()
    short = []
    for v, car in enumerate(case.vehicles):
        least = cheapest_loop(car, case, price)
        if least is None:
            short.append(f"car{v}")
        else:
            assert by_car.get(f"car{v}", 0.0) == pytest.approx(least, abs=1e-6)
    assert solution.infeasible["vehicle_id"].tolist() == short
    weight = scenario.vehicles.set_index("vehicle_id")["weight"]
    total = (by_car * weight.loc[by_car.index]).sum()
    assert solution.settings["energy_cost"] == pytest.approx(total)


def test_time_of_use_by_hand():
    """A small battery: as much as fits before the trip, the rest after it."""
    case = random_case(0, vehicles=1)
    case.vehicles[0] |= dict(
        battery=12.0, initial=4.0, reserve=0.0, final=4.0, eta=0.8, weight=1.0
    )
    case.vehicles[0]["stays"] = [
        dict(begin=1.5, end=11.0, kw=4.0, feeder=0, row=0),
        dict(begin=13.0, end=23.0, kw=4.0, feeder=0, row=1),
    ]
    case.vehicles[0]["trips"] = [
        dict(depart=11.0, arrive=12.0, kwh=8.0, row=0),
        dict(depart=23.0, arrive=23.5, kwh=4.0, row=1),
    ]
    # 12 kWh are used: 15 from the grid, 10 of which fit before the trip. Hours 2, 3, 6
    # and 10 have price 1 there, hours 15, 16 and 22 after it.
    expected = {(0, 2): 4.0, (0, 3): 4.0, (0, 6): 2.0, (1, 15): 4.0, (1, 16): 1.0}
    assert_same_plan(by_time_of_use(case.scenario()).plan, expected, 1e-9)


@pytest.mark.parametrize("policy", ["relax", "drop", "error"])
def test_time_of_use_and_vehicles_that_cannot_make_their_trips(policy):
    case = random_case(1, vehicles=12)
    scenario = case.scenario()
    short = Certifier(scenario, None, "relax").infeasible["vehicle_id"].tolist()
    assert short
    if policy == "error":
        with pytest.raises(DataError, match=short[0]):
            by_time_of_use(scenario, on_infeasible=policy)
        return
    solution = by_time_of_use(scenario, on_infeasible=policy)
    served = set(solution.schedule()["vehicle_id"])
    if policy == "drop":
        assert solution.dropped == short
        assert served.isdisjoint(short) and solution.stranded.empty
    else:
        assert solution.dropped == []
        assert served & set(short)
        assert set(solution.stranded["vehicle_id"]) <= set(short)


def test_below_zero_as_much_as_the_battery_holds():
    """Below zero everyone fills up on arrival, as unmanaged charging does."""
    case = random_case(3, vehicles=12)
    for car in case.vehicles:
        car["initial"] = car["battery"]
    scenario = case.scenario()
    paid = baselines.time_of_use(scenario, HOURLY.assign(price=-1.0))
    greedy = baselines.unmanaged(scenario)
    assert_same_plan(paid.plan, as_dict(greedy.plan))


def test_a_free_charger_is_used_as_needed_and_no_more():
    scenario = random_case(3, vehicles=12).scenario()
    free = baselines.time_of_use(scenario, HOURLY.assign(price=0.0)).soc()
    needed = baselines.time_of_use(scenario, HOURLY).soc()
    last = np.arange(24, len(free), 25)
    assert free["soc_kwh"][last].tolist() == pytest.approx(needed["soc_kwh"][last])


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_blocks_change_nothing(block):
    fleet = fleet_arrays(random_case(4, vehicles=20).scenario())
    price = np.vstack([PRICES, PRICES, 2.0 * PRICES])
    whole = cheapest_charging(fleet, price)
    parts = cheapest_charging(fleet, price, block)
    assert (whole[0] == parts[0]).all()
    assert all((a == b).all() for a, b in zip(whole[1], parts[1], strict=True))


@pytest.mark.parametrize("run", SIMULATED)
def test_the_order_of_rows_changes_nothing(run):
    case = random_case(5, vehicles=20)
    one, other = run(case.scenario()), run(case.scenario(turn=True))
    assert other.objective == pytest.approx(one.objective)
    keys = ["feeder_id", "time"]
    loads = [s.loads().sort_values(keys)["ev_kw"].to_numpy() for s in (one, other)]
    assert loads[1] == pytest.approx(loads[0], abs=1e-9)
    ids = [sorted(s.stranded["vehicle_id"]) for s in (one, other)]
    assert ids[0] == ids[1]


@pytest.mark.parametrize("run", SIMULATED)
@pytest.mark.parametrize("vehicles, feeders", [(0, 2), (3, 0), (0, 0)])
def test_nothing_to_charge(run, vehicles, feeders):
    case = random_case(2, vehicles=vehicles, feeders=max(feeders, 1))
    for car in case.vehicles:
        car["stays"], car["trips"] = [], []
    case.headroom = case.headroom[:feeders].clip(0.0)
    solution = run(case.scenario())
    assert len(solution.plan.kw) == 0
    assert solution.objective == 0.0


@pytest.mark.parametrize("run", SIMULATED)
def test_another_objective_values_the_plan(run):
    scenario = random_case(6, vehicles=20).scenario()
    solution = run(scenario, objective=OverloadEnergy(cost=2.0))
    expected = 2.0 * solution.loads()["overload_kw"].sum()
    assert solution.objective == pytest.approx(expected)


def test_the_planners_table():
    scenario = random_case(8, vehicles=30).scenario()
    table = compare([run(scenario) for run in SIMULATED])
    assert table["method"].tolist() == ["unmanaged", "first_come", "time_of_use"]
    # Under hard limits nothing is over but what the base alone is over by.
    base = baselines.first_come(scenario).upgrades()["base_only_kw"].sum()
    assert table["upgrade_kw"][1] == pytest.approx(base)
