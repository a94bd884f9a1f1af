"""The vehicles spread over 1, 2, 3 and 8 devices of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

WORKER = Path(__file__).resolve().parent / "devices_worker.py"
COUNTS = (1, 3)
FURTHER = (2, 8)
ALL = [*COUNTS, *(pytest.param(n, marks=pytest.mark.slow) for n in FURTHER)]
# Sums come in another order, and the bends of the cost make more of it than rounding;
# what is asked for is far above.
SAME, GAP = 1e-8, 1e-4
LONGEST = 240  # seconds, where machines are busy


def in_a_process(part: str, folder) -> dict:
    """What a process with 8 CPU devices found."""
    given = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "8"}
    done = subprocess.run(
        [sys.executable, "-W", "error", WORKER, part],
        capture_output=True,
        text=True,
        env=given,
        cwd=folder,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Solutions by number of devices, each part when it is asked for."""
    found = {}

    def of(count: int) -> dict:
        part = "counts" if count in COUNTS else "further"
        if part not in found:
            found[part] = in_a_process(part, tmp_path_factory.mktemp("devices"))
        return found[part][str(count)]

    return of


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Solutions of other kinds."""
    return in_a_process("others", tmp_path_factory.mktemp("devices"))


@pytest.mark.parametrize("count", ALL)
def test_devices_agree(told, count):
    """Objective, bound, prices, loads and iterations are those of one device."""
    one, several = told(1), told(count)
    assert several["status"] == "solved" and several["gap"] <= GAP
    assert several["devices"] == count
    assert several["iterations"] == one["iterations"]
    for name in ("objective", "lower_bound"):
        assert several[name] == pytest.approx(one[name], rel=SAME), name
    for name in ("prices", "loads"):
        wanted = np.array(one[name])
        np.testing.assert_allclose(
            several[name], wanted, rtol=0, atol=1e-5 * np.abs(wanted).max()
        )


@pytest.mark.parametrize("count", ALL)
def test_nothing_is_compiled_twice(told, count):
    """One compilation of each program for some devices, none in a second solve."""
    assert told(count)["twice"] == []
    assert told(count)["again"] == []


@pytest.mark.parametrize("count", ALL)
def test_blocks_are_dealt_out_evenly(told, count):
    """Also where they are no multiple of the devices, as with three."""
    blocks = told(count)["blocks"]
    assert len(blocks) == count and max(blocks) - min(blocks) <= 1
    assert count != 3 or len(set(blocks)) == 2


@pytest.mark.slow
def test_hard_limits_on_eight_devices(others):
    """They are met, or are proved not to hold."""
    hard = others["hard"]
    assert hard["status"] == "solved" and hard["devices"] == 8
    assert hard["feasible"] and hard["certified_gap"] <= 1e-3
    assert np.isfinite(hard["objective"])
    assert others["none"] == "infeasible"


@pytest.mark.slow
def test_per_session_on_eight_devices(others):
    """The sessions' own problem goes the same way."""
    one, several = others["session 1"], others["session 8"]
    assert several["devices"] == 8
    assert several["objective"] == pytest.approx(one["objective"], rel=SAME)
    assert several["lower_bound"] == pytest.approx(one["lower_bound"], rel=SAME)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
def test_a_solution_starts_a_solve_on_fewer_devices(others, count):
    """A schedule does not know where it was found."""
    warm = others[f"warm {count}"]
    assert warm["status"] == "solved" and warm["iterations"] == 0
    assert warm["devices"] == count


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
def test_chunks_on_devices_agree(others, count):
    """A fleet that goes through the devices in chunks has the same result."""
    one, chunks = others["eight"], others[f"chunks {count}"]
    assert chunks["in_chunks"] and chunks["devices"] == count
    assert chunks["status"] == "solved" and chunks["feasible"]
    assert chunks["certified_gap"] <= GAP
    for name in ("objective", "lower_bound"):
        assert chunks[name] == pytest.approx(one[name], rel=GAP), name


@pytest.mark.slow
def test_float32_and_smoothing_on_three_devices(others):
    """As certified from the tables in float64."""
    told = others["smooth float32"]
    assert told["status"] == "solved" and told["devices"] == 3
    assert told["feasible"] and told["certified_gap"] <= 1e-3


@pytest.mark.slow
def test_one_vehicle_and_eight_devices(others):
    """Devices without a vehicle are left out."""
    told = others["one vehicle"]
    assert told["status"] == "solved" and told["devices"] == 1
    assert told["feasible"]
