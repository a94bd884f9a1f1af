"""What a sweep with solves says is certified, and the same as without a sweep."""

import json
import math

import numpy as np
import oracles
import pandas as pd
import pytest
from study_cases import same, small

import macjax
from macjax import SettingsError, Solution
from macjax.studies.factors import scaled
from macjax.studies.running import share_stays

OVER = {"charger_power": [1, 1.5], "cost": [2.0, 0.5], "reserve": [0.5]}
GAP = 1e-4


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("sweep") / "out"


@pytest.fixture(scope="module")
def frame(out):
    return macjax.sweep(small(), OVER, out=out, gap=GAP, keep="all")


def records(frame, method):
    return frame[frame["method"] == method].to_dict("records")


def test_rows_are_in_the_order_of_the_product(frame):
    wanted = [
        (power, cost, 0.5, method)
        for power in (1, 1.5)
        for cost in (2.0, 0.5)
        for method in ("unmanaged", "per_session", "mac")
    ]
    names = [*OVER, "method"]
    assert list(frame[names].itertuples(index=False, name=None)) == wanted
    assert list(frame.columns[:3]) == list(OVER)
    assert frame.attrs == {"interrupted": False}


def test_every_optimum_lies_between_the_certified_ends(frame):
    scenario = small()
    for row in records(frame, "mac"):
        case = scaled(scenario, {name: row[name] for name in OVER})
        optimum = oracles.solve_lp(case).optimum
        assert row["status"] == "solved" and row["gap"] <= GAP
        assert row["upgrade_cost_at_least"] <= optimum * (1 + 1e-7)
        assert row["upgrade_cost"] >= optimum * (1 - 1e-7)
        assert row["lower_bound"] == row["upgrade_cost_at_least"]


def test_what_is_avoided_is_measured_against_the_unmanaged_of_the_case(frame):
    scenario = small()
    for row in records(frame, "mac"):
        case = scaled(scenario, {name: row[name] for name in OVER})
        unmanaged = macjax.baselines.unmanaged(case).summary()
        assert row["avoided_kw"] == unmanaged["upgrade_kw"] - row["upgrade_kw"]
        cost = unmanaged["upgrade_cost"]
        assert row["avoided_cost"] == cost - row["upgrade_cost"]
        assert row["avoidable_cost_at_most"] == cost - row["upgrade_cost_at_least"]
        assert row["avoidable_cost_at_most"] >= row["avoided_cost"] > 0


def test_whole_solutions_are_kept_and_certified(frame, out):
    for row in frame.to_dict("records"):
        solution = Solution.read(out / row["folder"] / "solution")
        loads = solution.loads()
        assert row["objective"] == solution.objective
        assert row["iterations"] == solution.iterations
        peaks = loads.assign(kw=loads["base_kw"] + loads["ev_kw"]).groupby("feeder_id")
        assert row["peak_kw"] == pytest.approx(peaks["kw"].max().sum(), rel=1e-12)
        assert row["ev_peak_kw"] == pytest.approx(peaks["ev_kw"].max().sum(), rel=1e-12)
    certificate = macjax.certify(solution.scenario, solution)
    assert certificate.feasible and certificate.gap <= GAP


def test_tables_of_all_cases_are_one(frame, out):
    upgrades = macjax.studies.read_tables(out, "upgrades")
    assert list(upgrades.columns[:5]) == [*OVER, "method", "feeder_id"]
    sums = upgrades.groupby([*OVER, "method"], sort=False)["upgrade_kw"].sum()
    np.testing.assert_allclose(sums, frame["upgrade_kw"], rtol=1e-12)
    prices = macjax.studies.read_tables(out, "prices")
    assert set(prices["method"]) == {"per_session", "mac"}
    assert not len(macjax.studies.read_tables(out, "infeasible"))
    with pytest.raises(SettingsError, match="table must be one of"):
        macjax.studies.read_tables(out, "load")
    with pytest.raises(SettingsError, match="not the folder of a sweep"):
        macjax.studies.read_tables(out / "cases", "loads")


def test_neighbours_start_from_one_another(frame, out):
    """All but the first one; the result is the same within the gap."""
    warm = {}
    for row in frame[frame["method"] != "unmanaged"].to_dict("records"):
        record = json.loads((out / row["folder"] / "case.json").read_text("utf-8"))
        warm[row["folder"]] = record["settings"]["warm_start"]
    first = {"cases/0001/per_session", "cases/0001/mac"}
    assert warm == {folder: folder not in first for folder in warm}
    cold = macjax.solve(Solution.read(out / row["folder"] / "solution").scenario)
    assert row["lower_bound"] <= cold.objective * (1 + 1e-12)
    assert cold.lower_bound <= row["objective"] * (1 + 1e-12)


def test_the_same_call_reads_what_is_there(frame, out, monkeypatch):
    def never(*arguments):
        raise AssertionError("solved again")

    monkeypatch.setattr("macjax.studies.running.run_method", never)
    again = macjax.sweep(small(), OVER, out=out, gap=GAP, keep="all")
    pd.testing.assert_frame_equal(again, frame)
    pd.testing.assert_frame_equal(pd.read_parquet(out / "cases.parquet"), frame)
    assert len(pd.read_csv(out / "cases.csv")) == len(frame)


@pytest.mark.slow  # workers compile for a device of their own
def test_workers_find_the_same_within_the_gap(frame):
    beside = macjax.sweep(small(), OVER, ("unmanaged", "mac"), gap=GAP, workers=2)
    alone = frame[frame["method"] != "per_session"].reset_index(drop=True)
    names = [*OVER, "method", "status", "feeders", "vehicles", "error"]
    pd.testing.assert_frame_equal(beside[names], alone[names])
    both = beside[beside["method"] == "mac"], alone[alone["method"] == "mac"]
    for one, other in (both, both[::-1]):
        assert (one["lower_bound"] <= other["objective"] * (1 + 1e-12)).all()
        assert (one["gap"] <= GAP).all()
    simulated = [
        f[f["method"] == "unmanaged"].drop(columns="folder") for f in (beside, alone)
    ]
    same(*simulated)


def test_vehicles_that_cannot_travel_are_a_row(tmp_path):
    over = {"charger_power": [0, 1], "reserve": [1, 50]}
    frame = macjax.sweep(
        small(), over, ("unmanaged", "mac"), tmp_path / "out", max_iterations=1
    )
    rows = {
        (r["charger_power"], r["reserve"], r["method"]): r
        for r in frame.to_dict("records")
    }
    none = rows[0, 1, "mac"]
    assert none["status"] == "infeasible" and none["infeasible"] > 10
    assert "cannot make its trips" in none["error"] and "\n" not in none["error"]
    assert math.isnan(none["upgrade_kw"]) and math.isnan(none["avoided_kw"])
    assert rows[0, 1, "unmanaged"]["status"] == "simulated"
    for method in ("unmanaged", "mac"):
        assert rows[1, 50, method]["status"] == "error"
        assert "reserve_kwh" in rows[1, 50, method]["error"]
    early = rows[1, 1, "mac"]
    assert early["status"] == "iteration_limit" and "max_iterations" in early["error"]
    assert early["gap"] > 0 and early["upgrade_kw"] > 0
    again = macjax.sweep(
        small(), over, ("unmanaged", "mac"), tmp_path / "out", max_iterations=1
    )
    same(again, frame)


def test_stays_tell_whether_a_start_is_near():
    scenario = small()
    assert share_stays(scaled(scenario, {"battery": 2}), scenario)
    assert not share_stays(small(seed=2), scenario)
    vehicles = scenario.vehicles["vehicle_id"]
    assert share_stays(scenario, scenario.subset(vehicles=vehicles.iloc[:25]))
    assert not share_stays(scenario, scenario.subset(vehicles=vehicles.iloc[:10]))
    assert not share_stays(scenario, scenario.subset(vehicles=[]))
    finer = macjax.synthetic.fleet(40, 48, 30, 3, kind="hard", seed=1)
    assert not share_stays(finer, scenario)
