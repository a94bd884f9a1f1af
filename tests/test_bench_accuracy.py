"""The accuracy table counts a result as right only if every claim of it holds."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "bench" / "accuracy.py"
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="no bench folder here")

GOOD = {
    "status": "solved",
    "objective": 1000.5,
    "lower_bound": 999.9,
    "unmanaged": 5000.0,
    "violation_kwh": 1e-9,
    "reported": [1000.5, 999.9],
}
OPTIMUM = 1000.0


@pytest.fixture(scope="module")
def accuracy():
    spec = importlib.util.spec_from_file_location("bench_accuracy", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(SCRIPT.parent))
    spec.loader.exec_module(module)
    sys.path.remove(str(SCRIPT.parent))
    yield module
    del sys.modules[spec.name]


def test_a_right_result_has_no_fault(accuracy):
    case = accuracy.Case("a", "easy")
    assert accuracy.faults(case, GOOD, OPTIMUM) == []
    assert accuracy.faults(case, GOOD, None) == []


@pytest.mark.parametrize(
    ("change", "optimum"),
    [
        ({"status": "iteration_limit"}, OPTIMUM),
        ({"lower_bound": 998.0, "reported": [1000.5, 998.0]}, OPTIMUM),
        ({"violation_kwh": 1e-5}, OPTIMUM),
        ({"violation_kwh": float("nan")}, OPTIMUM),
        ({"lower_bound": float("nan")}, None),
        ({"reported": [1000.4, 999.9]}, OPTIMUM),
        ({}, 999.0),  # bound above, objective not within the gap
        ({}, 1001.0),  # objective below the optimum
        ({"lower_bound": 1000.4, "reported": [1000.5, 1000.4]}, OPTIMUM),
    ],
)
def test_each_broken_claim_is_a_fault(accuracy, change, optimum):
    assert accuracy.faults(accuracy.Case("a", "easy"), GOOD | change, optimum)


def test_float32_may_miss_by_a_watt_hour(accuracy):
    row = GOOD | {"violation_kwh": 5e-4}
    assert accuracy.faults(accuracy.Case("a", "easy"), row, OPTIMUM)
    single = accuracy.Case("a", "easy", dtype="float32")
    assert not accuracy.faults(single, row, OPTIMUM)


def test_cases_cover_what_the_table_must_show(accuracy):
    cases = accuracy.random_cases()
    assert len(cases) >= 20
    assert min(c.evs for c in cases) == 100 and max(c.evs for c in cases) == 3000
    assert min(c.slots for c in cases) == 24 and max(c.slots for c in cases) == 336
    keys = [c.key for c in accuracy.all_cases()]
    assert len(set(keys)) == len(keys)
    hard = [c for c in accuracy.all_cases() if c.name == "hard_3000x168"]
    assert {c.gap for c in hard} == {1e-3, 1e-4}
