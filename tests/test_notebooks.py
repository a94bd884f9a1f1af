"""The notebooks run from top to bottom, as plain Python, and show what they say."""

import runpy
from pathlib import Path

import pytest

NOTEBOOKS = {
    path.stem: path
    for path in sorted((Path(__file__).parent.parent / "notebooks").glob("*.py"))
}


def run(name: str, monkeypatch) -> dict:
    """The names that a notebook leaves behind."""
    from matplotlib import pyplot

    monkeypatch.setenv("MPLBACKEND", "Agg")
    names = runpy.run_path(str(NOTEBOOKS[name]))
    pyplot.close("all")
    return names


def quickstart(names: dict) -> None:
    sweep = list(names["upgrade_kw"].values())
    assert sweep == sorted(sweep) and sweep[0] < sweep[-1]
    assert names["case"].status == "solved"


def calibration(names: dict) -> None:
    assert len(names["table"]) > 100
    assert max(names["largest"].values()) < 0.06
    shares = [column["share of feeders"] for column in names["overloaded"].values()]
    assert shares == sorted(shares, reverse=True) and 0.2 < shares[-1] < 0.6


def robust_tariffs(names: dict) -> None:
    costs = list(names["costs"].values())
    assert costs == sorted(costs) and costs[0] < costs[-1]
    assert all(plan.status == "solved" for plan in names["plans"].values())
    separable, coupled = names["gaps"].values()
    assert separable < 0.05 and coupled > 200
    shares = {name: frame["share"].max() for name, frame in names["sampled"].items()}
    assert shares["robust"] == 0 and shares["deterministic"] > 0.9
    rows = names["study"].rows
    for _, level in rows.groupby("level"):
        assert level.sort_values("gamma")["cost"].is_monotonic_increasing
    assert (names["shape"]["scarce shift"] > 0).all()


CHECKS = {
    "01_quickstart": quickstart,
    "03a_calibration": calibration,
    "06_robust_tariffs": robust_tariffs,
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs(name, monkeypatch):
    names = run(name, monkeypatch)
    if name in CHECKS:
        CHECKS[name](names)


def test_checks_are_of_notebooks():
    assert CHECKS.keys() <= NOTEBOOKS.keys()
