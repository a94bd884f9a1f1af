"""Powers are as accurate as `solved` says, whatever the numbers and their units."""

import numpy as np
import pandas as pd
import pytest
from tariff_cases import SHARED, bundled, limits, town

from macjax import SettingsError, tariffs
from macjax.tariffs.program import Draft
from macjax.tariffs.solved import ACCURACY_KW, solve_accurately

TABLES = bundled().tables_as_given


def scaled(**factors) -> dict:
    """Tables of the case study with columns multiplied: `lines__limit_kw=3`."""
    frames = {}
    for key, factor in factors.items():
        name, column = key.split("__")
        frame = frames.get(name, TABLES[name])
        frames[name] = frame.assign(**{column: frame[column] * factor})
    return frames


VALUES = {
    "time at 5": ({"costs.time_per_ev_hour": 5.0}, {}),
    "time at 20": ({"costs.time_per_ev_hour": 20.0}, {}),
    "time at 50": ({"costs.time_per_ev_hour": 50.0}, {}),
    "small beta": ({"costs.power_squared": 1e-8}, {}),
    "fast chargers": (
        {
            "costs.time_per_ev_hour": 20.0,
            "fleet.levels_kw": [22.0, 11.0, 0.0],
            "fleet.battery_kwh": 60.0,
        },
        scaled(lines__limit_kw=3, grid_profile__load_kw=3, grid_profile__pv_kw=3)
        | {"departures": TABLES["departures"].assign(ev=208.0)},
    ),
    "shared roads": (SHARED | {"costs.time_per_ev_hour": 20.0}, {}),
}


@pytest.mark.parametrize("name", VALUES)
def test_powers_agree_whatever_time_costs(name):
    changes, tables = VALUES[name]
    case = bundled().changed(changes, **tables)
    plan = tariffs.solve_operator(case, gamma=1.0)
    answer = tariffs.solve_aggregators(case, plan)
    assert plan.status == answer.status == "solved"
    both = plan.powers.merge(answer.powers, on=["aggregator", "station", "time"])
    assert (both["kw_x"] - both["kw_y"]).abs().max() < 0.01
    assert max(plan.accuracy_kw, answer.accuracy_kw) <= ACCURACY_KW


def kilowatts(factor: float):
    """The case study with all kW and kWh multiplied, at the same costs."""
    case = bundled()
    columns = ("load_kw", "pv_kw", "wind_kw")
    powers = {f"grid_profile__{name}": factor for name in columns}
    tables = scaled(
        lines__limit_kw=factor,
        lines__r_ohm=1 / factor,
        lines__x_ohm=1 / factor,
        prices__price=1 / factor,
        **powers,
    )
    changes = {
        "fleet.battery_kwh": 24.0 * factor,
        "fleet.levels_kw": [7 * factor, 0, -7 * factor],
        "costs.power_squared": 5e-5 / factor**2,
    }
    return case.changed(changes, **tables), factor, 1.0


def money(factor: float):
    """The case study in another currency."""
    changes = {
        "costs.time_per_ev_hour": 0.02 * factor,
        "costs.power_squared": 5e-5 * factor,
    }
    case = bundled().changed(changes, **scaled(prices__price=factor))
    return case, 1.0, factor


UNITS = {
    "kW x 100": lambda: kilowatts(100.0),
    "kW x 1000": lambda: kilowatts(1000.0),
    "money x 1e-6": lambda: money(1e-6),
    "money x 1e6": lambda: money(1e6),
}


@pytest.fixture(scope="module")
def plan():
    return tariffs.solve_operator(bundled(), gamma=1.0)


@pytest.mark.parametrize("name", UNITS)
def test_units_do_not_matter(plan, name):
    case, kw, cost = UNITS[name]()
    other = tariffs.solve_operator(case, gamma=1.0)
    assert other.status == "solved"
    assert other.cost == pytest.approx(cost * plan.cost, rel=1e-9)
    assert np.allclose(other.powers["kw"] / kw, plan.powers["kw"], rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "tables"),
    [
        ({}, {"lines": TABLES["lines"].fillna({"limit_kw": 1e9})}),
        ({"transport.places": 1e12}, {}),
    ],
)
def test_limits_that_stand_for_none_change_nothing(plan, changes, tables):
    case = bundled().changed(changes, **tables)
    other = tariffs.solve_operator(case, gamma=1.0)
    assert other.status == "solved"
    assert other.cost == pytest.approx(plan.cost, rel=1e-9)
    gap = (other.powers["kw"] - plan.powers["kw"]).abs().max()
    assert gap < 1e-3
    assert len(other.tolls) == 0


def test_roads_without_a_limit():
    case = bundled().changed(roads=TABLES["roads"].assign(capacity_ev=1e12))
    wide = bundled().changed(roads=TABLES["roads"].assign(capacity_ev=6000.0))
    one, two = (tariffs.solve_operator(c, gamma=1.0) for c in (case, wide))
    assert one.status == two.status == "solved"
    assert one.cost == pytest.approx(two.cost, rel=1e-9)


def test_more_evs_than_any_absolute_floor():
    tables = scaled(
        departures__ev=1000,
        roads__capacity_ev=1000,
        lines__limit_kw=1000,
        lines__r_ohm=1e-3,
        lines__x_ohm=1e-3,
        grid_profile__load_kw=1000,
        grid_profile__pv_kw=1000,
    )
    case = bundled().changed(**tables)
    plan = tariffs.solve_operator(case, gamma=1.0)
    answer = tariffs.solve_aggregators(case, plan)
    assert plan.status == answer.status == "solved"
    both = plan.powers.merge(answer.powers, on=["aggregator", "station", "time"])
    assert (both["kw_x"] - both["kw_y"]).abs().max() < 0.05


def test_time_costs_what_the_stocks_say():
    """The cost of time against EV hours counted in the frames of the plan."""
    changes = {"costs.time_per_ev_hour": 1.0, "costs.power_squared": 1e-9}
    tables = town().tables_as_given
    free = town(
        changes,
        prices=tables["prices"].assign(price=0.0),
        roads=tables["roads"].assign(capacity_ev=4.0),
    )
    plan = tariffs.solve_operator(free, limits=False)
    queued = plan.queues["queue"].sum()
    staying = plan.stations[["waiting", "charging"]].to_numpy().sum()
    steps = dict(zip(free.roads.names, free.roads.steps, strict=True))
    moving = (plan.queues["out"] * plan.queues["arc"].map(steps)).sum()
    assert queued > 0.1
    assert plan.cost == pytest.approx(queued + staying + moving, rel=1e-6)


def test_loose_tolerance_is_no_solution():
    """What the solver calls solved is not where the powers are not accurate."""
    plan = tariffs.solve_operator(bundled(), gamma=1.0, tolerance=1e-4)
    assert plan.status == "stalled" and np.isnan(plan.cost)
    assert plan.accuracy_kw > 0.05
    tight = tariffs.solve_operator(bundled(), gamma=1.0)
    answer = tariffs.solve_aggregators(bundled(), tight, tolerance=1e-4)
    assert answer.status == "stalled"
    assert tariffs.solve_aggregators(bundled(), tight, tolerance=1e-12).status == (
        "solved"
    )


def test_the_bound_is_one():
    """min -p + 1/2 h p^2, 0 <= p <= 1: the error of the powers and its bound."""
    for tolerance in (1e-3, 1e-6, 1e-9):
        draft = Draft()
        power = draft.column("power", np.ones(3, bool), 1.0)
        draft.cost(power, np.array([-0.3, -0.7, -5.0]), 1.0)
        rows = draft.row("most", "limit", np.ones(3), 1.0)
        draft.most.put(rows, power, 1.0)
        found = solve_accurately(draft, tolerance)
        error = np.abs(found.point.columns - [0.3, 0.7, 1.0]).max()
        assert error <= found.residuals["power_error"] < 1.0


def test_what_the_solver_leaves_is_no_violation():
    case = town(lines=limits(sm=76))
    plan = tariffs.solve_operator(case, 0.0)
    answer = tariffs.solve_aggregators(case, plan)
    found = tariffs.equivalence(case, plan, answer, draws=20)
    kept = found.violations.query("uncertainty == 'nominal'")
    assert (kept["share"] == 0).all()
    # 0.02 kW too much at each station counts if the powers are known that well
    rough = plan.powers.assign(kw=plan.powers["kw"] + 0.02)
    row = pd.DataFrame({"gamma": [0.0]})
    counts = {None: 1, 1e-3: 1, 0.1: 0}
    for counts_kw, broken in counts.items():
        one = tariffs.evaluate(case, rough, row, counts_kw=counts_kw)
        assert one["broken"][0] == broken
        again = tariffs.sample_violations(
            case.changed({f"uncertainty.{n}": 0.0 for n in ("load", "pv", "wind")}),
            rough,
            10,
            counts_kw=counts_kw,
        )
        assert again["share"].max() == broken


def test_cost_of_aggregators_and_what_they_share():
    case = bundled().changed(SHARED)
    plan = tariffs.solve_operator(case, gamma=1.0)
    answer = tariffs.solve_aggregators(case, plan)
    both = answer.shared.merge(plan.tolls, on=["element", "kind", "time"])
    over = (both["toll"] * (both["ev"] - both["limit_ev"])).sum()
    assert answer.cost == pytest.approx(plan.cost - over, rel=1e-7)
    shared = tariffs.equivalence(case, plan, answer, draws=10).shared
    assert set(shared["element"]) == set(plan.tolls["element"])
    excess = (answer.shared["ev"] - answer.shared["limit_ev"]).max()
    assert shared["worst"].max() == pytest.approx(max(excess, 0.0), abs=1e-3)
    silent = tariffs.solve_aggregators(case, plan, tolls=False)
    found = tariffs.equivalence(case, plan, silent, draws=10).shared
    assert found["worst"].max() > 1.0 and found["steps"].max() >= 1


@pytest.mark.parametrize("tolerance", ["a", 0, -1, float("nan"), 1.0, True])
def test_wrong_tolerance(plan, tolerance):
    with pytest.raises(SettingsError, match="tolerance must be a number above 0"):
        tariffs.solve_operator(town(), tolerance=tolerance)
    with pytest.raises(SettingsError, match="tolerance must be a number above 0"):
        tariffs.solve_aggregators(bundled(), plan, tolerance=tolerance)


@pytest.mark.parametrize("count", ["a", 0, -1, 1.5])
def test_wrong_number_of_iterations(count):
    with pytest.raises(SettingsError, match="max_iterations must be a whole number"):
        tariffs.solve_operator(town(), method="first_order", max_iterations=count)
