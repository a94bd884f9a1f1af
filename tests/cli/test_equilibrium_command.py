"""`macjax equilibrium`: tables of a saved solution, as text, JSON and files."""

import json

import cli_street
import pandas as pd
import pytest
from cli_runs import run

import macjax


@pytest.fixture(scope="module")
def solution(tmp_path_factory):
    """A solution on disk whose feeders are full without EVs: prices are not 0."""
    frames = cli_street.tables()
    profile = frames["feeder_profile"]
    frames["feeder_profile"] = profile.assign(base_kw=profile["capacity_kw"])
    place = tmp_path_factory.mktemp("street")
    scenario = macjax.Scenario.read(cli_street.write(place / "in", frames))
    return macjax.solve(scenario).write(place / "mac")


def test_text_and_files(solution, tmp_path, capsys):
    code, shown = run(capsys, "equilibrium", solution, "--out", tmp_path / "out")
    assert code == 0
    assert "total_regret" in shown.out and "Vehicles that pay most" in shown.out
    assert "written to" in shown.out
    found = macjax.Solution.read(solution)
    found = macjax.equilibrium(found.scenario, found)
    vehicles = pd.read_csv(tmp_path / "out" / "vehicles.csv")
    assert list(vehicles["vehicle_id"]) == ["v1", "v2"]
    assert vehicles["payment"].sum() == pytest.approx(found.summary()["collected"])
    assert vehicles["payment"].min() > 0
    feeders = pd.read_csv(tmp_path / "out" / "feeders.csv")
    assert feeders["upgrade_cost"].sum() > 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert summary["total_regret"] == pytest.approx(found.total_regret)
    assert (tmp_path / "out" / "equilibrium.png").stat().st_size > 1000
    # The same call replaces its own files.
    assert run(capsys, "equilibrium", solution, "--out", tmp_path / "out")[0] == 0


def test_json(solution, capsys):
    code, shown = run(capsys, "equilibrium", solution, "--json")
    record = json.loads(shown.out)
    assert code == 0 and not shown.err
    assert record["summary"]["currency"] == "USD"
    assert [row["feeder_id"] for row in record["feeders"]] == ["north", "south"]


def test_what_is_no_solution_is_refused(solution, tmp_path, capsys):
    code, shown = run(capsys, "equilibrium", tmp_path)
    assert code == 2 and "is not a solution" in shown.err
    scenario = macjax.Solution.read(solution).scenario
    macjax.baselines.unmanaged(scenario).write(tmp_path / "unmanaged")
    code, shown = run(capsys, "equilibrium", tmp_path / "unmanaged")
    assert code == 2 and "has no prices" in shown.err
    (tmp_path / "busy" / "feeders.csv").mkdir(parents=True)
    code, shown = run(capsys, "equilibrium", solution, "--out", tmp_path / "busy")
    assert code == 2 and "cannot be replaced" in shown.err
