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


def prices(names: dict) -> None:
    gap = names["mac"].objective - names["mac"].lower_bound
    assert (
        abs(names["regret"] + names["residual"] - gap) < 1e-6 * names["mac"].objective
    )
    assert names["judged"].feasible
    assert names["judged"].objective > 2 * names["mac"].objective
    clearing = list(names["clearing"].values())
    assert clearing[-1] < 0.1 * clearing[0]
    gaps = [run.solution.gap for run in names["runs"]]
    assert min(gaps) == gaps[0] < 0.01


CHECKS = {
    "01_quickstart": quickstart,
    "03a_calibration": calibration,
    "04_prices_and_equilibrium": prices,
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs(name, monkeypatch):
    names = run(name, monkeypatch)
    if name in CHECKS:
        CHECKS[name](names)


def test_checks_are_of_notebooks():
    assert CHECKS.keys() <= NOTEBOOKS.keys()
