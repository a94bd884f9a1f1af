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


def price_coordination(names: dict) -> None:
    counts = names["counts"].to_dict()
    known = {0.5: 22, 0.75: 11, 1.0: 15, 1.017: 16, 1.2: 43, 1.3: 142}
    assert all(abs(counts[step] - count) <= 1 for step, count in known.items())
    assert 1.4 not in counts
    values = list(names["comparison"].values())
    assert max(values) - min(values) < 1e-6
    assert (names["by_cells"].frame["largest_kw"].diff().iloc[1:] < 0).all()
    assert (names["by_benefit"].frame["share_of_energy"].diff().iloc[1:] > 0).all()
    agreement = names["agreement"]
    assert (agreement["distance"] <= agreement["error_bound"] + 1e-9).all()
    assert (agreement["objective"] > -1e-9).all()


CHECKS = {
    "01_quickstart": quickstart,
    "03a_calibration": calibration,
    "05_price_coordination": price_coordination,
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs(name, monkeypatch):
    names = run(name, monkeypatch)
    if name in CHECKS:
        CHECKS[name](names)


def test_checks_are_of_notebooks():
    assert CHECKS.keys() <= NOTEBOOKS.keys()
