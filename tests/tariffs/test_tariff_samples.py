"""Uncertainty: draws from the boxes, and scenarios in one call."""

import numpy as np
import pandas as pd
import pytest
from tariff_cases import bundled, limits, nodes, town

from macjax import SettingsError, tariffs


@pytest.fixture(scope="module")
def plans():
    return {g: tariffs.solve_operator(bundled(), g) for g in (0.0, 0.5, 1.0)}


def test_ten_thousand_draws(plans):
    found = {
        g: tariffs.sample_violations(bundled(), plan, draws=10_000, seed=0)
        for g, plan in plans.items()
    }
    robust = found[1.0]
    assert (robust["share"] == 0).all() and (robust["worst"] == 0).all()
    nominal = found[0.0].set_index("element")
    assert nominal.index[nominal["share"] > 0].tolist() == ["L2", "L4"]
    assert found[0.0].attrs["share"] == 1.0
    assert found[0.5].attrs["share"] == pytest.approx(0.9965, abs=0.003)
    # At the limit in 10 and 11 hours, and beyond it in half of the draws of each
    assert nominal["steps"]["L2"] == pytest.approx(5.0, abs=0.1)
    assert nominal["steps"]["L4"] == pytest.approx(5.5, abs=0.1)
    assert nominal["worst"].max() == pytest.approx(4, abs=0.3)


def test_draws_are_those_of_the_seed(plans):
    one, same, other = (
        tariffs.sample_violations(bundled(), plans[0.5], 300, seed)
        for seed in (3, 3, 4)
    )
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


def test_samples_agree_with_a_loop_in_numpy():
    """Shares of a plan of the town, by another program with other random numbers."""
    case = town(lines=limits(sm=76, mf=76), grid_nodes=nodes(min_pu=0.5, max_pu=1.1))
    plan = tariffs.solve_operator(case, 0.3)
    found = tariffs.sample_violations(case, plan, 4000, 1).set_index("element")
    grid, loads, rng = case.grid, case.injections, np.random.default_rng(0)
    power = plan.powers.groupby(["station", "time"])["kw"].sum().unstack("time")
    over = {"sm": 0, "mf": 0}
    for _ in range(2000):
        error = rng.uniform(-1, 1, loads.half_kw.shape)
        load, pv, wind = (loads.nominal_kw + loads.half_kw * error)[:, :, :-1]
        net = load - pv - wind
        net[case.stations.grid_node] += power.loc[case.stations.names].to_numpy()
        flow = grid.down @ net
        for name in over:
            row = list(grid.lines).index(name)
            over[name] += (np.abs(flow[row]) > grid.limit_kw[row] + 1e-4).any()
    for name, count in over.items():
        assert 0.05 < count / 2000
        assert found["share"][name] == pytest.approx(count / 2000, abs=0.05)


def test_scenarios_in_one_call(plans):
    rows = pd.DataFrame(
        {
            "gamma": [0, 0.5, 1, 0, 0, 0, 1],
            "error": ["none", "none", "none", "high", "low", "random", "none"],
            "demand_factor": [1, 1, 1, 1, 1, 1, 1.1],
            "load_factor": 1.0,
        }
    )
    found = tariffs.evaluate(bundled(), plans[1.0], rows)
    assert found[rows.columns.tolist()].equals(rows)
    excess = found["line_kw"].to_numpy()
    # gamma = 1 leaves nothing to spare, which is what the highest net load uses up
    assert excess[2] == pytest.approx(0, abs=1e-3)
    assert excess[3] == pytest.approx(excess[2], abs=1e-6)
    assert excess[0] < excess[1] < excess[2] and excess[4] < excess[0]
    assert excess[4] < excess[5] < excess[3] and excess[6] > 10
    assert found["broken"].tolist()[:6] == [0] * 6 and found["broken"][6] > 0
    assert (found["node_pu"] < 0).all()


def test_evaluation_is_that_of_the_plan_itself(plans):
    found = tariffs.evaluate(bundled(), plans[0.0], pd.DataFrame({"load_factor": [1]}))
    lines = plans[0.0].lines
    spare = (lines["kw"].abs() - lines["limit_kw"]).max()
    assert found["line_kw"][0] == pytest.approx(spare, abs=1e-9)
    volts = plans[0.0].voltages
    low = (volts["min_pu"] - volts["pu"]).max()
    assert found["node_pu"][0] == pytest.approx(max(low, -0.1), abs=1e-9)


def test_no_limits_no_columns():
    found = tariffs.evaluate(
        town(), tariffs.solve_operator(town()), pd.DataFrame({"gamma": [1]})
    )
    assert found["line_kw"].isna().all() and (found["broken"] == 0).all()
    assert (
        len(tariffs.sample_violations(town(), tariffs.solve_operator(town()), 10)) == 0
    )


@pytest.mark.parametrize("draws", [0, -1, 2.5, True])
def test_draws_must_be_a_number(plans, draws):
    with pytest.raises(SettingsError, match="draws"):
        tariffs.sample_violations(bundled(), plans[1.0], draws)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"gama": [1]}, "did you mean 'gamma'"),
        ({"error": ["highest"]}, "did you mean 'high'"),
        ({"gamma": [np.nan]}, "finite"),
    ],
)
def test_wrong_scenarios(plans, rows, words):
    with pytest.raises(SettingsError, match=words):
        tariffs.evaluate(bundled(), plans[1.0], pd.DataFrame(rows))
