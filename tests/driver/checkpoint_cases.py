"""What tests of checkpoints share."""

import shutil
from pathlib import Path

import numpy as np

GAP = 1e-5


def assert_same_end(one, other) -> None:
    """The same to the last bit: status, plan, prices, numbers, history."""
    assert one.status == other.status and one.iterations == other.iterations
    for name in ("objective", "lower_bound", "gap", "unmanaged_objective"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("price_table", "dual_ray"):
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_array_equal(first, second)
    for x, y in zip(one.plan or (), other.plan or (), strict=True):
        np.testing.assert_array_equal(x, y)
    columns = ["iteration", "phase", "objective", "lower_bound", "gap"]
    assert one.history[columns].equals(other.history[columns])


def copy_of(folder: Path, files, place: Path) -> Path:
    """A folder with the tables and some of the checkpoints of another."""
    place.mkdir()
    shutil.copytree(folder / "scenario", place / "scenario")
    shutil.copy(folder / "objective.json", place)
    for path in files:
        shutil.copy(path, place)
    return place
