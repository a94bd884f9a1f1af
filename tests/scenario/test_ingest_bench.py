"""The ingest benchmark runs at a smoke size and measures what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("options", [[], ["--shuffle", "--format", "csv"]])
def test_ingest_at_a_smoke_size(tmp_path, options):
    out = tmp_path / "ingest.json"
    command = [sys.executable, str(ROOT / "bench" / "ingest.py"), "--vehicles", "400"]
    run = subprocess.run(
        [*command, "--json", str(out), *options],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    record = json.loads(out.read_text())
    assert record["vehicles"] == 400 and record["stays"] == 4000
    assert record["trips"] == 3600
    assert record["validate_s"] > 0 and record["peak_gib"] > 0.01
    assert {"pandas", "numpy", "pyarrow", "macjax"} <= record["versions"].keys()
    assert "s_per_million_vehicles" in run.stdout
