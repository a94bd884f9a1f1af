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


def bay_area(names: dict) -> None:
    """The county here behaves as the recorded runs, and as theory says."""
    methods = names["study"].tables["methods"].set_index("method")
    assert (methods.loc[["per_session", "mac"], "gap"] <= 1e-3).all()
    assert methods.loc["mac", "avoided_percent"] > 80
    unmanaged = names["frame"].query("method == 'unmanaged'")
    by_adoption = unmanaged.groupby("adoption")["upgrade_kw"].mean()
    assert by_adoption.is_monotonic_increasing
    finer = names["finer"].query("method == 'unmanaged'").set_index("slot_minutes")
    assert finer.loc[30, "upgrade_kw"] > finer.loc[60, "upgrade_kw"]
    service = names["service"].set_index("method")["upgrade_kw"]
    assert service["mac"] <= service["unmanaged"]
    recorded = names["region"]["records"]["methods"]
    assert recorded[-1]["method"] == "mac" and recorded[-1]["gap"] <= 1e-3
    assert len(names["draws"]) > 0


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
    "03_bay_area": bay_area,
    "03a_calibration": calibration,
    "04_prices_and_equilibrium": prices,
    "06_robust_tariffs": robust_tariffs,
}


LONG = {"03_bay_area", "04_prices_and_equilibrium"}  # over 30 seconds


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in NOTEBOOKS],
)
def test_notebook_runs(name, monkeypatch):
    names = run(name, monkeypatch)
    if name in CHECKS:
        CHECKS[name](names)


def test_checks_are_of_notebooks():
    assert CHECKS.keys() <= NOTEBOOKS.keys()
