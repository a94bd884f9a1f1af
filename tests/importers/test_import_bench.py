"""The benchmark of the importers runs at a smoke size and measures what it says."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_importers_at_a_smoke_size(tmp_path):
    out = tmp_path / "importers.json"
    command = [sys.executable, str(ROOT / "bench" / "importers.py"), "--persons", "100"]
    run = subprocess.run(
        [*command, "--json", str(out)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    record = json.loads(out.read_text())
    assert record["matsim"]["vehicles"] == 100 and record["matsim"]["trips"] == 300
    assert record["activitysim"]["trips"] == 1000
    assert record["simbev"]["vehicles"] == 2 and record["simbev"]["trips"] == 112
    for name in ("matsim", "activitysim", "simbev"):
        assert record[name]["import_s"] > 0 and record[name]["peak_gib"] > 0.01
        assert name in run.stdout
