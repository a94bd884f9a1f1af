"""A folder with wrong input ends with a report and exit code 2: no traceback, nothing
written, nothing lost. The numbers are those of the table of bad inputs that the design
notes list; cases of the tables alone are tested with the scenario."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from cli_street import clock, tables, write

from macjax import cli


def fingerprint(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def cell(table, column, value, row=0):
    """Put a value into one cell, whatever the type of the column."""

    def change(frames):
        frames[table][column] = frames[table][column].astype(object)
        frames[table].loc[row, column] = value

    return change


def renamed(table, column, name):
    return lambda frames: frames.update(
        {table: frames[table].rename(columns={column: name})}
    )


def emptied(table, column):
    return lambda frames: frames.update({table: frames[table].assign(**{column: None})})


def doubled(table):
    return lambda frames: frames.update(
        {table: pd.concat([frames[table], frames[table].head(1)])}
    )


def dropped(table, row):
    return lambda frames: frames.update({table: frames[table].drop(index=row)})


# number of the case, change of the tables, keys of the header, words of the report
CASES = [
    (1, renamed("stays", "arrival", "arival"), {}, ["stays", "arrival", "arival"]),
    (1, renamed("vehicles", "battery_kwh", "batery_kwh"), {}, ["batery_kwh"]),
    (3, cell("vehicles", "battery_kwh", "7,4"), {}, ["battery_kwh", "7,4"]),
    (4, cell("trips", "energy_kwh", np.nan), {}, ["trips", "energy_kwh"]),
    (4, cell("trips", "energy_kwh", np.inf), {}, ["trips", "energy_kwh"]),
    (4, cell("feeder_profile", "base_kw", -np.inf), {}, ["base_kw"]),
    (5, emptied("vehicles", "battery_kwh"), {}, ["vehicles", "battery_kwh"]),
    (8, doubled("vehicles"), {}, ["vehicles", "vehicle_id", "v1"]),
    (9, doubled("feeders"), {}, ["feeders", "feeder_id", "north"]),
    (9, doubled("feeder_profile"), {}, ["feeder_profile"]),
    (10, cell("stays", "feeder_id", "nowhere"), {}, ["nowhere", "north"]),
    (10, cell("trips", "vehicle_id", "v9"), {}, ["v9", "v1"]),
    (12, cell("feeders", "feeder_id", None), {}, ["feeders", "feeder_id"]),
    (14, cell("stays", "departure", clock(0)), {}, ["departure", "v1"]),
    (14, cell("trips", "arrival", clock(8)), {}, ["trips", "arrival"]),
    (15, cell("stays", "departure", clock(19)), {}, ["stays", "v1"]),
    (15, cell("trips", "departure", clock(7)), {}, ["v1"]),
    (20, cell("vehicles", "initial_kwh", 41.0), {}, ["initial_kwh", "v1"]),
    (21, cell("stays", "charger_kw", 7400.0), {}, ["charger_kw"]),
    (21, cell("vehicles", "battery_kwh", 40000.0), {}, ["battery_kwh"]),
    (22, cell("vehicles", "charge_efficiency", 1.2), {}, ["charge_efficiency"]),
    (22, cell("vehicles", "charge_efficiency", 0.0), {}, ["charge_efficiency"]),
    (23, cell("stays", "charger_kw", -1.0), {}, ["charger_kw"]),
    (23, cell("feeders", "upgrade_cost_per_kw", -1.0), {}, ["upgrade_cost_per_kw"]),
    (26, cell("stays", "arrival", "2026-03-02T00:00:00"), {}, ["stays", "arrival"]),
    (26, lambda f: None, {"start": "2026-03-02T00:00:00"}, ["start"]),
    (27, cell("trips", "departure", "2026-03-29 02:30 Europe/Zurich"), {}, ["trips"]),
    (27, lambda f: None, {"timezone": "America/Los_Angles"}, ["timezone"]),
    (29, lambda f: None, {"slot_minutes": 17}, ["slot_minutes"]),
    (29, dropped("feeder_profile", 3), {}, ["feeder_profile"]),
    (29, lambda f: None, {"slots": 0}, ["slots"]),
    (29, lambda f: None, {"slots": None}, ["slots"]),
    (0, cell("stays", "discharge_kw", 5.0), {}, ["discharge_kw", "vehicle_to_grid"]),
]


@pytest.mark.parametrize(
    ("change", "header", "words"),
    [c[1:] for c in CASES],
    ids=[f"case {c[0]} no {i}" for i, c in enumerate(CASES)],
)
def test_wrong_tables_end_with_2_and_a_report(tmp_path, capsys, change, header, words):
    frames = tables()
    change(frames)
    folder = write(tmp_path / "street", frames, **header)
    before = fingerprint(tmp_path)
    for command in (["validate"], ["solve", "--out", str(tmp_path / "out")]):
        assert cli.main([command[0], str(folder), *command[1:]]) == 2
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        assert "fault" in shown.err
        for word in words:
            assert word in shown.err
        assert shown.out == ""
    assert fingerprint(tmp_path) == before


def test_several_faults_of_several_tables_are_one_report(tmp_path, capsys):
    frames = tables()
    for change in (
        cell("vehicles", "battery_kwh", -1.0),
        cell("stays", "charger_kw", "seven"),
        cell("feeders", "upgrade_cost_per_kw", np.nan),
    ):
        change(frames)
    folder = write(tmp_path / "street", frames, slot_minutes=7)
    assert cli.main(["validate", str(folder), "--json"]) == 2
    shown = capsys.readouterr()
    faults = json.loads(shown.out)["error"]["faults"]
    found = {(fault["table"], fault["column"]) for fault in faults}
    assert {
        ("vehicles", "battery_kwh"),
        ("stays", "charger_kw"),
        ("scenario.toml", "slot_minutes"),
    } <= found


def test_vehicle_to_grid_columns_pass_only_when_told_so(tmp_path):
    frames = tables()
    cell("stays", "discharge_kw", 5.0)(frames)
    folder = str(write(tmp_path / "street", frames))
    assert cli.main(["validate", folder]) == 2
    assert cli.main(["validate", folder, "--no-vehicle-to-grid"]) == 0


def test_extra_columns_and_empty_tables_are_right(tmp_path, capsys):
    frames = tables()
    frames["stays"]["colour"] = "red"
    folder = str(write(tmp_path / "street", frames))
    assert cli.main(["validate", folder]) == 0
    assert "colour" in capsys.readouterr().err
    empty = {k: frames[k].head(0) for k in ("vehicles", "stays", "trips")}
    folder = str(write(tmp_path / "empty", frames | empty))
    assert cli.main(["validate", folder]) == 0


@pytest.mark.parametrize("damage", ["no folder", "no table", "cut", "both formats"])
def test_damaged_folders_end_with_2(tmp_path, capsys, damage):
    folder = write(tmp_path / "street", tables())
    if damage == "no folder":
        folder = tmp_path / "nowhere"
    elif damage == "no table":
        (folder / "stays.csv").unlink()
    elif damage == "cut":
        (folder / "stays.csv").unlink()
        tables()["stays"].to_parquet(folder / "stays.parquet")
        whole = (folder / "stays.parquet").read_bytes()
        (folder / "stays.parquet").write_bytes(whole[:-50])
    else:
        tables()["stays"].to_parquet(folder / "stays.parquet")
    assert cli.main(["validate", str(folder)]) == 2
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert ("stays" in shown) == (damage != "no folder")


def test_the_module_is_the_command(tmp_path):
    """`python -m macjax` on a wrong folder, as a process of its own."""
    frames = tables()
    cell("vehicles", "initial_kwh", 41.0)(frames)
    folder = write(tmp_path / "street", frames)
    command = [sys.executable, "-m", "macjax", "solve", str(folder), "--out", "out"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 2
    assert "initial_kwh" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert [p.name for p in tmp_path.iterdir()] == ["street"]
