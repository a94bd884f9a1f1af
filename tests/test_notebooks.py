"""The notebooks run from top to bottom, as plain Python."""

import runpy
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, monkeypatch):
    from matplotlib import pyplot

    monkeypatch.setenv("MPLBACKEND", "Agg")
    names = runpy.run_path(str(path))
    pyplot.close("all")
    sweep = list(names["upgrade_kw"].values())
    assert sweep == sorted(sweep) and sweep[0] < sweep[-1]
    assert names["case"].status == "solved"
