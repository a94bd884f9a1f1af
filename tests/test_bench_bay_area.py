"""The benchmark of a study records what the command found."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent / "bench"
JOB = """builder = "synthetic"
[arguments]
evs = 30
slots = 24
feeders = 2
slot_minutes = 60
[study]
methods = ["unmanaged", "first_come"]
"""


def test_the_record_has_times_memory_and_numbers(tmp_path):
    job, record = tmp_path / "job.toml", tmp_path / "record.json"
    job.write_text(JOB, encoding="utf-8")
    program = [sys.executable, BENCH / "bay_area.py", "--config", job]
    program += ["--json", record, "--figures", tmp_path / "figures"]
    subprocess.run(program, check=True, timeout=250, capture_output=True)
    found = json.loads(record.read_text("utf-8"))
    methods = [row["method"] for row in found["records"]["methods"]]
    assert methods == ["unmanaged", "first_come"] and found["exit_code"] == 0
    assert 0 < found["records"]["seconds"]["all"] < found["wall_seconds"]
    assert 0 < found["peak_gib"] < 100
    assert (tmp_path / "figures" / "feeders.png").is_file()


def test_the_record_of_a_region_has_rows_phases_and_plans(tmp_path):
    config, record = tmp_path / "napa.toml", tmp_path / "record.json"
    config.write_text('[region]\ncounties = ["napa"]\nsample = 0.01\n', "utf-8")
    program = [sys.executable, BENCH / "region.py", "--config", config]
    subprocess.run(
        [*program, "--json", record], check=True, timeout=250, capture_output=True
    )
    found = json.loads(record.read_text("utf-8"))
    assert found["vehicles"] > 100 and found["trips"] > found["vehicles"]
    assert 0 < found["build_peak_gib"] <= found["pack_peak_gib"] <= found["peak_gib"]
    assert 1.5 < found["plan_float64_gib"] / found["plan_float32_gib"] < 2.5
