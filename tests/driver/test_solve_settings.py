"""Wrong settings end in a SettingsError that names what is accepted."""

import dataclasses

import numpy as np
import pytest

import macjax
from macjax import EnergyCost, PeakOverload, SettingsError
from macjax.driver.settings import LEAST_GAP, Settings, check_settings
from macjax.driver.solve import solve_tube

WRONG = [
    ("gap", 0, "at least 1e-12"),
    ("gap", -1e-3, "at least 1e-12"),
    ("gap", float("nan"), "not nan"),
    ("gap", float("inf"), "not inf"),
    ("gap", 1e-13, "at least 1e-12 in float64"),
    ("gap", "1e-3", "must be a number"),
    ("gap", True, "not True"),
    ("gap", None, "not None"),
    ("max_iterations", 0, "whole number of at least 1"),
    ("max_iterations", -3, "whole number of at least 1"),
    ("max_iterations", 1.5, "not 1.5"),
    ("max_iterations", True, "not True"),
    ("max_iterations", None, "not None"),
    ("time_limit", -1, "at least 0"),
    ("time_limit", float("nan"), "not nan"),
    ("time_limit", "60", "seconds"),
    ("time_limit", True, "not True"),
    ("on_infeasible", "ignore", "error, drop, relax"),
    ("on_infeasible", None, "error, drop, relax"),
    ("dtype", "float16", "float32, float64"),
    ("dtype", "double precision", "float32, float64"),
    ("dtype", int, "float32, float64"),
    ("progress", "yes", "True, False, None or a callable"),
    ("progress", 1, "True, False, None or a callable"),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_wrong_values(hard_street, name, value, words):
    """The setting, the value and what would be right are in the message."""
    with pytest.raises(SettingsError) as raised:
        macjax.solve(hard_street, **{name: value})
    assert name in str(raised.value) and words in str(raised.value)


def test_gap_under_the_floor_of_float32(hard_street):
    """The message says which dtype would do."""
    with pytest.raises(SettingsError, match="use dtype='float64'") as raised:
        macjax.solve(hard_street, gap=1e-8, dtype="float32")
    assert "at least 1e-06 in float32" in str(raised.value)
    assert LEAST_GAP["float32"] > np.finfo(np.float32).eps


def test_unknown_settings(hard_street):
    """A misspelt setting is answered with the right spelling."""
    with pytest.raises(TypeError, match="tolerance"):
        macjax.solve(hard_street, tolerance=1e-3)
    with pytest.raises(SettingsError, match="did you mean 'max_iterations'"):
        solve_tube(hard_street, max_iteration=3)
    with pytest.raises(SettingsError, match="accepted: gap, max_iterations"):
        solve_tube(hard_street, zzz=3)


WRONG_OBJECTIVES = [
    (PeakOverload, "the class PeakOverload; give an object of it"),
    (EnergyCost, "the class EnergyCost; give an object of it"),
    ("peak", "one of macjax.objectives, not 'peak'"),
    (3.0, "one of macjax.objectives, not 3.0"),
    ([PeakOverload()], "one of macjax.objectives"),
]


@pytest.mark.parametrize(("objective", "words"), WRONG_OBJECTIVES)
def test_wrong_objectives(hard_street, objective, words):
    """Classes, names and numbers are no objectives."""
    with pytest.raises(SettingsError) as raised:
        macjax.solve(hard_street, objective)
    assert words in str(raised.value)


def test_costs_of_other_feeders(hard_street):
    """An objective that names other feeders is refused before anything runs."""
    with pytest.raises(SettingsError, match="not in the feeders table"):
        macjax.solve(hard_street, PeakOverload({"nowhere": 1.0}))


RIGHT = [
    ("gap", 1),
    ("gap", np.float32(0.5)),
    ("gap", 1e-12),
    ("max_iterations", np.int64(7)),
    ("time_limit", 0),
    ("time_limit", float("inf")),
    ("progress", print),
]


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_right_values(name, value):
    """NumPy numbers are numbers."""
    assert getattr(check_settings(**{name: value}), name) == value


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_dtypes_in_all_spellings(name):
    """A name, a NumPy type, a dtype; the CPU's own is float64."""
    for spelling in (name, getattr(np, name), np.dtype(name)):
        assert np.dtype(check_settings(dtype=spelling).dtype).name == name
    assert check_settings().dtype is np.float64


def test_record_is_plain(solved):
    """All settings but the callables travel with the result, as plain values."""
    fields = {field.name for field in dataclasses.fields(Settings)}
    record = check_settings(dtype="float32", progress=print).record()
    assert set(record) == fields - {"progress"}
    kinds = (bool, int, float, str, type(None))
    assert all(isinstance(value, kinds) for value in record.values())
    assert set(record) <= set(solved.settings)
    assert solved.settings["dtype"] == "float64" and solved.settings["gap"] == 1e-3
