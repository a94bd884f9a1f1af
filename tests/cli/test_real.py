"""The commands on a small real scenario: what is solved, written, read and certified.

North and south have 2 kW to spare at all hours; each car needs 8 kWh of trips back,
8 / 0.9 kWh from the grid in 13 hours at home, so an upgrade of 0 is the optimum.
"""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from cli_runs import run
from cli_street import tables, write

import macjax
from macjax import cli


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    return write(tmp_path_factory.mktemp("real") / "street", tables())


@pytest.fixture(scope="module")
def solved(street):
    out = street.parent / "mac"
    assert cli.main(["solve", str(street), "--out", str(out), "--quiet"]) == 0
    return out


def test_a_solution_on_disk_is_the_solution(solved, street, capsys):
    read = macjax.Solution.read(solved)
    assert read.status == "solved"
    assert read.scenario.fingerprint == macjax.Scenario.read(street).fingerprint
    code, shown = run(capsys, "certify", solved, "--json", "--gap", "1e-3")
    record = json.loads(shown.out)
    assert code == 0
    assert record["feasible"] is True
    assert record["objective"] == pytest.approx(read.objective, abs=1e-9)
    assert record["lower_bound"] <= record["objective"] + 1e-9


def test_the_schedule_is_certified_from_its_table_too(solved, street, capsys):
    options = ("--schedule", solved / "schedule.parquet")
    options += ("--prices", solved / "prices.parquet")
    code, shown = run(capsys, "certify", street, *options, "--json")
    record = json.loads(shown.out)
    assert code == 0
    assert record["objective"] == macjax.Solution.read(solved).objective


def test_a_schedule_that_strands_a_vehicle_is_not_certified(solved, street, capsys):
    schedule = pd.read_parquet(solved / "schedule.parquet")
    path = street.parent / "half.csv"
    schedule.assign(kw=schedule["kw"] / 2).to_csv(path, index=False)
    code, shown = run(capsys, "certify", street, "--schedule", path)
    assert code == 3
    assert "NOT feasible" in shown.out


def test_compare_plot_and_warm_start_take_what_solve_wrote(
    solved, street, tmp_path, capsys
):
    base = tmp_path / "unmanaged"
    assert run(capsys, "baseline", street, "--out", base)[0] == 0
    code, shown = run(capsys, "compare", base, solved, "--json")
    rows = {row["method"]: row for row in json.loads(shown.out)["methods"]}
    assert code == 0
    expected = rows["unmanaged"]["upgrade_kw"] - rows["mac"]["upgrade_kw"]
    assert rows["mac"]["avoided_kw"] == pytest.approx(expected)
    assert run(capsys, "plot", base, solved, "--out", tmp_path / "figures")[0] == 0
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert drawn >= {"feeder_load", "load_duration", "convergence"}
    assert run(capsys, "solve", street, "--warm-start", solved)[0] == 0


def test_a_wrong_run_leaves_the_solution_on_disk_as_it_was(solved, tmp_path, capsys):
    before = {p: p.read_bytes() for p in solved.rglob("*") if p.is_file()}
    frames = tables()
    frames["vehicles"]["initial_kwh"] = 99.0
    wrong = write(tmp_path / "wrong", frames)
    assert run(capsys, "solve", wrong, "--out", solved)[0] == 2
    assert {p: p.read_bytes() for p in solved.rglob("*") if p.is_file()} == before


def test_vehicles_that_cannot_travel_are_listed_with_what_is_missing(tmp_path, capsys):
    frames = tables()
    frames["trips"].loc[0, "energy_kwh"] = 39.0
    folder = write(tmp_path / "far", frames)
    code, shown = run(capsys, "solve", folder, "--out", tmp_path / "out")
    assert code == 3
    assert "v1" in shown.err
    assert not (tmp_path / "out").exists()
    for policy in ("drop", "relax"):
        assert run(capsys, "solve", folder, "--on-infeasible", policy)[0] == 0


def test_hard_capacity_that_cannot_hold_ends_with_3(tmp_path, capsys):
    frames = tables()
    frames["feeder_profile"].loc[3, "base_kw"] = 11.0
    folder = write(tmp_path / "full", frames)
    code, shown = run(capsys, "solve", folder, "--objective", "capacity", "--json")
    record = json.loads(shown.out)
    assert code == 3
    assert record["status"] == "infeasible"
    assert "north" in record["message"]


HARD = """builder = "synthetic"
[arguments]
evs = 60
slots = 48
kind = "hard"
[solve]
gap = 1e-9
"""


def test_limits_end_with_1_and_write_what_there_is(tmp_path, capsys):
    (tmp_path / "hard.toml").write_text(HARD, encoding="utf-8")
    options = ("solve", tmp_path / "hard.toml", "--out", tmp_path / "out")
    code, shown = run(capsys, *options, "--time-limit", 0)
    assert code == 1
    assert "Raise time_limit" in shown.out
    read = macjax.Solution.read(tmp_path / "out")
    assert read.status == "time_limit"
    assert macjax.certify(read.scenario, read).feasible


def test_a_run_goes_on_from_its_checkpoints(tmp_path, capsys):
    """A part without time, then twenty iterations: as without the break."""
    (tmp_path / "hard.toml").write_text(HARD, encoding="utf-8")
    some, place = ("--max-iterations", 20, "--quiet"), tmp_path / "run"
    solve = ("solve", tmp_path / "hard.toml", *some)
    keep = ("--checkpoint", place, "--time-limit", 0)
    code, shown = run(capsys, *solve, *keep)
    assert code == 1 and "go on with macjax.resume" in shown.out
    code, shown = run(capsys, *solve, *keep)
    assert code == 2 and "holds checkpoints of a run" in shown.err
    for options in (solve, ("resume", place, "--time-limit", "inf", "--quiet")):
        code, _ = run(capsys, *options, "--out", tmp_path / options[0])
        assert code == 1
    whole, found = (macjax.Solution.read(tmp_path / n) for n in ("solve", "resume"))
    assert found.status == "iteration_limit" and found.iterations == 20
    assert found.objective == whole.objective and found.plan is not None
    assert found.lower_bound == whole.lower_bound


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_the_solve_with_the_best_so_far(tmp_path, number, code):
    """The signal comes at the first line of progress, within the iterations."""
    (tmp_path / "hard.toml").write_text(HARD, encoding="utf-8")
    command = [sys.executable, "-m", "macjax", "solve", "hard.toml", "--out", "out"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    with process:
        for line in process.stderr:
            if line.strip().startswith("0 "):
                process.send_signal(number)
                break
        rest = process.stderr.read()
    assert process.returncode == code, rest
    assert "Traceback" not in rest
    read = macjax.Solution.read(tmp_path / "out")
    assert read.status == "interrupted"
    assert macjax.certify(read.scenario, read).feasible


@pytest.mark.parametrize(
    "option", [("--gap", "-1"), ("--gap", "nan"), ("--max-iterations", "0")]
)
def test_settings_out_of_range_end_with_2(street, capsys, option):
    with pytest.raises(SystemExit) as stop:
        run(capsys, "solve", street, *option)
    assert stop.value.code == 2
    shown = capsys.readouterr().err
    assert f"argument {option[0]}: must be" in shown and option[1] in shown


def test_energy_is_cheapest_in_the_hour_that_a_table_says(street, tmp_path, capsys):
    """One cheap hour with both cars at home: each takes its full power there."""
    prices = pd.DataFrame(
        {"hour": range(24), "price": np.where(np.arange(24) == 3, 0, 1)}
    )
    prices.to_csv(tmp_path / "prices.csv", index=False)
    text = f'scenario = "{street}"\nobjective = "energy:prices.csv"\n'
    (tmp_path / "job.toml").write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    assert run(capsys, "solve", tmp_path / "job.toml", "--out", out)[0] == 0
    schedule = macjax.Solution.read(out).schedule()
    cheap = schedule[schedule["time"].dt.hour == 3]
    assert cheap["kw"].tolist() == pytest.approx([7.4, 7.4], abs=1e-6)


def test_configurations_of_the_repository_are_right():
    from pathlib import Path

    from macjax.config import read_job

    configs = Path(__file__).parents[2] / "configs"
    case = configs / "tariff_case.toml"
    assert len(macjax.tariffs.Case.read(case).trips.names) == 2
    jobs = sorted(set(configs.glob("*.toml")) - {case})
    assert len(jobs) >= 2
    for path in jobs:
        assert read_job(path).with_settings().build_objective() is not None
