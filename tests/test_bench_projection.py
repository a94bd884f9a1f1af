"""The bench of the projection: a smoke run, and the rows of the kernel."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from macjax.fleet import kernel_choice
from macjax.fleet.packing import pack
from macjax.synthetic import fleet

BENCH = Path(__file__).resolve().parent.parent / "bench"
pytestmark = pytest.mark.skipif(not BENCH.exists(), reason="no bench folder here")
GUESSES = ["again", "first", "alone"]


@pytest.fixture
def bench(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(BENCH))
    import projection

    yield projection
    for name in [n for n in sys.modules if n.split(".")[0] in ("_scale", "projection")]:
        del sys.modules[name]


def test_a_smoke_run_measures_the_program_without_the_kernel(tmp_path):
    out = tmp_path / "projection.json"
    command = [sys.executable, str(BENCH / "projection.py"), "--evs", "60"]
    command += ["--slots", "24", "--repeats", "2", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (size,) = json.loads(out.read_text())["sizes"]
    assert size["copy_gb_per_s"] > 0.1 and size["chosen"] == "xla"
    assert [row["program"] for row in size["rows"]] == ["xla"] * 3
    assert [row["guess"] for row in size["rows"]] == GUESSES
    for row in size["rows"]:
        moved = 24 * 60 * 24 / row["seconds"]
        share = moved / (size["copy_gb_per_s"] * 1e9)
        assert row["copy_share_24"] == pytest.approx(share)
    assert "24 B share" in done.stdout


class Tried:
    """What `fault_of_kernel` says of a kernel, one strip after another."""

    def __init__(self, *faults):
        self.faults = list(faults)

    def __call__(self, *_):
        return self.faults.pop(0)

    def cache_clear(self) -> None:
        """Nothing is kept."""


def test_rows_of_the_kernel_agree_and_a_fault_is_told(bench, monkeypatch):
    """As on a GPU, but run as plain JAX."""
    monkeypatch.setattr(kernel_choice, "PALLAS", kernel_choice.INTERPRET)
    monkeypatch.setattr(kernel_choice, "fault_of_kernel", Tried(None, "too wide"))
    with jax.enable_x64(True):
        packed = pack(fleet(40, 24, kind="hard", seed=1), dtype=np.float32)
        rows = bench.timings(packed, [32, 1024], 1)
    assert rows.pop()["status"] == "too wide"
    assert [row["guess"] for row in rows] == GUESSES * 2
    assert all(row["apart_kwh"] < 1e-3 for row in rows)
    assert any(row["apart_kwh"] > 0 for row in rows[3:])
