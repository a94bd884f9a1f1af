"""The program against the model as it is written down, and its duals as derivatives."""

import numpy as np
import pandas as pd
import pytest
from literal_model import literal_cost
from tariff_cases import TOWN, limits, nodes, town, town_tables

from macjax import tariffs

CHARGERS = pd.DataFrame({"station_id": ["F", "F", "G"], "kw": [3.5, 11.0, 7.0]})
PLACES = town_tables()["stations"].assign(places=[6.0, np.nan])
NARROW = nodes(
    min_pu=[np.nan, np.nan, 0.87, 0.88],
    max_pu=1.1,
    power_factor=[1.0, 1.0, 0.9, 0.95],
)
SELLERS = {"fleet.soc_initial": 0.9, "fleet.soc_arrival": 0.1}
# Prices high enough to sell what is in the batteries
DEAR = town_tables()["prices"].assign(price=0.8)
CASES = {
    "plain": town(),
    "lines with several stations behind": town(lines=limits(sm=76, mf=80)),
    "places": town(stations=PLACES),
    "chargers that never idle": town(chargers=CHARGERS),
    "places and such chargers": town(stations=PLACES, chargers=CHARGERS),
    "shared roads": town({"transport.directions_share_capacity": True}),
    "voltage": town(grid_nodes=NARROW),
    "selling": town(SELLERS, lines=limits(mf=60), prices=DEAR),
    "half hours": town({"step_minutes": 30}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("gamma", [0.0, 0.7])
def test_cost_is_that_of_the_literal_model(name, gamma):
    case = CASES[name]
    found = tariffs.solve_operator(case, gamma)
    assert found.status == "solved"
    assert found.cost == pytest.approx(literal_cost(case, gamma), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_prices_and_tolls_decentralise_the_plan(name, gamma):
    case = CASES[name]
    plan = tariffs.solve_operator(case, gamma)
    answer = tariffs.solve_aggregators(case, plan)
    found = tariffs.equivalence(case, plan, answer, draws=20)
    assert found.max_power_difference_kw < 0.05
    mine = found.violations.query(
        "plan != 'deterministic' and uncertainty == 'sampled'"
    )
    if gamma == 1.0:
        assert (mine["worst"] < 0.01).all()


def used(plan, stations, part: str = "congestion") -> pd.DataFrame:
    table = plan.tariffs.pivot(index="time", columns="station", values=part)
    return table[list(stations)]


def test_stations_behind_one_line_have_one_tariff():
    plan = tariffs.solve_operator(CASES["lines with several stations behind"], 1.0)
    table = used(plan, "FG")
    assert (table > 1e-3).any().all()
    assert np.allclose(table["F"], table["G"], atol=1e-6)
    lines = plan.lines[plan.lines["line"] == "sm"]
    full = lines["kw"] + lines["margin_kw"] > lines["limit_kw"] - 1e-3
    assert full.any()


def test_line_that_limits_feeding_back():
    plan = tariffs.solve_operator(CASES["selling"], 1.0)
    lines = plan.lines[plan.lines["line"] == "mf"]
    full = lines["kw"] - lines["margin_kw"] < -lines["limit_kw"] + 1e-3
    table = used(plan, "FG")
    assert full.any() and (table.min() < -1e-3).all() and table.max().max() < 1e-6
    found = tariffs.sample_violations(CASES["selling"], plan, draws=500)
    assert found["share"].max() == 0
    plan = tariffs.solve_operator(CASES["selling"], 0.0)
    found = tariffs.sample_violations(CASES["selling"], plan, draws=500)
    assert found.set_index("element")["share"]["mf"] > 0.9


def test_voltage_limit_raises_the_tariff_more_at_the_far_end():
    case = CASES["voltage"]
    plan = tariffs.solve_operator(case, 1.0)
    volts = plan.voltages
    low = volts["pu"] - volts["margin_pu"] - volts["min_pu"]
    assert low.min() == pytest.approx(0, abs=1e-6)
    table = used(plan, "FG", "voltage")
    assert (table > 1e-3).any().all() and (table > -1e-7).all().all()
    # Of what the limit at g asks for, f shares two of three lines
    bound = volts[low < 1e-6].groupby("node").size()
    assert bound.index.tolist() == ["g"]
    assert np.allclose(table["F"], 2 / 3 * table["G"], atol=1e-5)
    assert used(plan, "FG").abs().max().max() < 1e-9
    assert tariffs.sample_violations(case, plan, draws=500)["share"].max() == 0
    nominal = tariffs.solve_operator(case, 0.0)
    assert tariffs.sample_violations(case, nominal, draws=500)["share"].max() > 0.5


def test_upper_voltage_limit_lowers_the_tariff():
    high = nodes(min_pu=np.nan, max_pu=[np.nan, np.nan, np.nan, 1.04])
    profile = town_tables()["grid_profile"].assign(load_kw=0.0, pv_kw=8.0)
    case = town(SELLERS, grid_nodes=high, grid_profile=profile, prices=DEAR)
    plan = tariffs.solve_operator(case, 0.5)
    assert plan.status == "solved"
    assert used(plan, "G", "voltage").min().item() < -1e-3
    assert used(plan, "FG", "voltage").max().max() < 1e-7


@pytest.mark.parametrize("name", ["lines with several stations behind", "selling"])
def test_duals_are_derivatives_of_the_cost(name):
    """d cost / d limit of all steps = - dt times the sum of |tariff| of one line."""
    case, step = CASES[name], 1e-2
    line = "sm" if name.startswith("lines") else "mf"
    lines = case.tables_as_given["lines"]
    costs = []
    for sign in (-1, 1):
        moved = lines.assign(
            limit_kw=lines["limit_kw"] + sign * step * (lines["line_id"] == line)
        )
        only = moved["line_id"] == line
        moved["limit_kw"] = moved["limit_kw"].where(only)
        costs.append(tariffs.solve_operator(case.changed(lines=moved), 0.5).cost)
    alone = case.changed(lines=lines.assign(limit_kw=lines["limit_kw"].where(only)))
    plan = tariffs.solve_operator(alone, 0.5)
    total = used(plan, "F").abs().sum().item() * case.settings.step_hours
    assert total > 0.01
    assert (costs[0] - costs[1]) / (2 * step) == pytest.approx(total, rel=1e-3)


def test_gamma_by_parameter_and_node():
    case = CASES["lines with several stations behind"]
    names = ("load", "pv", "wind")
    all_, none = tariffs.solve_operator(case, 1.0), tariffs.solve_operator(case, 0.0)
    same = tariffs.solve_operator(case, dict.fromkeys(names, 1.0))
    assert same.cost == pytest.approx(all_.cost, rel=1e-9)
    part = tariffs.solve_operator(
        case, {"load": {"g": 1.0, "f": 0.0}, "pv": 0, "wind": 0}
    )
    assert none.cost < part.cost < all_.cost
    margin = part.lines.set_index(["line", "time"])["margin_kw"].unstack("time")
    loads = 15 + 0.5 * np.arange(TOWN["steps"] - 1)
    for line in ("sm", "mf"):
        assert np.allclose(margin.loc[line], 0.1 * loads)


def test_half_widths_in_kw_and_gamma_of_the_table():
    profile = town_tables()["grid_profile"].assign(load_half_kw=3.0, pv_half_kw=1.0)
    extra = nodes(gamma_load=[np.nan, np.nan, 0.5, 1.0], gamma_pv=0.0, gamma_wind=0.0)
    case = town(lines=limits(sm=80), grid_profile=profile, grid_nodes=extra)
    plan = tariffs.solve_operator(case)
    margin = plan.lines.loc[plan.lines["line"] == "sm", "margin_kw"]
    assert np.allclose(margin, 0.5 * 3 + 1.0 * 3)


def test_prices_by_hour_and_by_time_are_the_same():
    case = town()
    hours = case.times.hour
    price = 0.1 + 0.01 * np.arange(24)
    by_hour = pd.DataFrame({"hour": np.arange(24), "price": price})
    by_time = pd.DataFrame({"time": case.times, "price": price[hours]})
    costs = [tariffs.solve_operator(town(prices=p)).cost for p in (by_hour, by_time)]
    assert costs[0] == costs[1]


def test_infeasible_case_says_so():
    case = town(lines=limits(mf=50))
    plan = tariffs.solve_operator(case, 0.0)
    assert plan.status == "infeasible" and np.isnan(plan.cost)
    assert plan.powers["kw"].isna().all() and plan.tariffs["tariff"].isna().all()
    with pytest.raises(tariffs_error(), match="no plan meets all limits"):
        tariffs.solve_aggregators(case, plan)


def tariffs_error():
    from macjax import SolutionError

    return SolutionError
