"""`macjax sweep`: from options to the library, and from its frame to the exit code."""

import json

import pandas as pd
import pytest
from cli_runs import run

from macjax import Status, cli
from macjax.studies import running

JOB = """builder = "synthetic"
objective = "peak:3 + overload_energy"
[arguments]
evs = 3
slots = 24
feeders = 1
[solve]
max_iterations = 7
[sweep]
over.seed = [1, 2]
methods = ["unmanaged"]
"""


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(JOB, encoding="utf-8")
    return path


def test_a_sweep_of_a_configuration(job, tmp_path, capsys):
    code, shown = run(capsys, "sweep", job, "--out", tmp_path / "out")
    assert code == 0
    assert "seed" in shown.out and "written to" in shown.out
    assert shown.err.count(" of 2: seed ") == 2
    frame = pd.read_parquet(tmp_path / "out" / "cases.parquet")
    assert list(frame["seed"]) == [1, 2]
    what = json.loads((tmp_path / "out" / "sweep.json").read_text("utf-8"))["what"]
    assert what["settings"] == {"max_iterations": 7}
    assert [term["type"] for term in what["objective"]["parts"]] == [
        "PeakOverload",
        "OverloadEnergy",
    ]
    assert what["source"]["arguments"] == {"evs": 3, "slots": 24, "feeders": 1}
    code, shown = run(
        capsys, "sweep", job, "--out", tmp_path / "out", "--json", "--quiet"
    )
    record = json.loads(shown.out)
    assert code == 0 and not shown.err
    assert [row["seed"] for row in record["cases"]] == [1, 2]
    assert record["cases"][0]["gap"] is None
    assert record["cases"][0]["upgrade_kw"] == frame["upgrade_kw"][0]


def test_options_go_before_the_configuration(job, capsys):
    options = ["--over", "kind=easy,hard", "--over", "arguments.fill=[0.8, 1],[2, 3]"]
    options += ["--over", "charger_power=1", "--methods", "unmanaged, time_of_use"]
    code, shown = run(capsys, "sweep", job, *options, "--tariff", "pge_a10", "--json")
    assert code == 0
    rows = json.loads(shown.out)["cases"]
    found = [(r["kind"], r["arguments.fill"], r["method"]) for r in rows]
    fills, methods = ("[0.8, 1]", "[2, 3]"), ("unmanaged", "time_of_use")
    assert found == [
        (k, f, m) for k in ("easy", "hard") for f in fills for m in methods
    ]
    assert {row["charger_power"] for row in rows} == {1}


def test_exit_codes_are_those_of_the_gravest_case(job, capsys, monkeypatch):
    simulate = running.run_method

    def early(name, scenario, request):
        solution = simulate("unmanaged", scenario, request)
        solution.status = Status.iteration_limit if name == "mac" else solution.status
        return solution

    code, shown = run(capsys, "sweep", job, "--over", "reserve=50", "--quiet")
    assert code == 1 and "reserve_kwh" in shown.out
    both = ("--methods", "unmanaged,mac", "--gap", "1e-9", "--quiet")
    code, shown = run(capsys, "sweep", job, "--over", "charger_power=0", *both)
    assert code == 3 and "cannot make its trips" in shown.out
    monkeypatch.setattr(running, "run_method", early)
    code, shown = run(capsys, "sweep", job, "--over", "charger_power=1", *both)
    assert code == 1 and "iteration_limit" in shown.out


def test_an_interruption_ends_with_130_and_what_there_is(
    job, tmp_path, capsys, monkeypatch
):
    simulate = running.run_method

    def interrupted(name, scenario, request):
        if "seed 2" in scenario.name:
            raise KeyboardInterrupt
        return simulate(name, scenario, request)

    monkeypatch.setattr(running, "run_method", interrupted)
    code, shown = run(capsys, "sweep", job, "--out", tmp_path / "out")
    assert code == 130
    assert "simulated" in shown.out and "goes on from here" in shown.err
    assert len(pd.read_parquet(tmp_path / "out" / "cases.parquet")) == 1
    monkeypatch.undo()
    assert run(capsys, "sweep", job, "--out", tmp_path / "out")[0] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--over", "sede=1"], "did you mean 'seed'"),
        (["--over", "adoption=0.3"], "[region]"),
        (["--over", "seed"], "KEY=VALUE"),
        (["--over", "seed="], "KEY=VALUE"),
        (["--over", "=1"], "KEY=VALUE"),
        (["--over", "seed=1", "--over", "seed=2"], "once"),
        (["--over", "seed=1,1"], "more than once"),
        (["--methods", "unmanged"], "did you mean 'unmanaged'"),
        (["--gap", "1e-3"], "--gap: without meaning"),
        (["--tariff", "pge_a10"], "--tariff: without meaning"),
        (["--workers", "0"], "whole number >= 1"),
        (["--keep", "all"], "with out"),
        (["--keep", "some"], "invalid choice"),
    ],
)
def test_wrong_usage_ends_with_2(job, capsys, options, said):
    try:
        code = cli.main(["sweep", str(job), *options])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert said in capsys.readouterr().err


def test_a_configuration_without_a_sweep_needs_options(tmp_path, capsys):
    path = tmp_path / "job.toml"
    path.write_text('builder = "example"\n', encoding="utf-8")
    code, shown = run(capsys, "sweep", path)
    assert code == 2 and "over must name" in shown.err
