"""The notebooks run from top to bottom, as plain Python, and show what they say."""

import ast
import re
import runpy
from pathlib import Path

import pytest

NOTEBOOKS = {
    path.stem: path
    for path in sorted((Path(__file__).parent.parent / "notebooks").glob("*.py"))
}


def run(name: str, monkeypatch, folder: Path) -> dict:
    """The names that a notebook leaves behind, which runs in any folder."""
    from matplotlib import pyplot

    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(folder)
    names = runpy.run_path(str(NOTEBOOKS[name]))
    pyplot.close("all")
    assert not list(folder.iterdir()), "a notebook leaves files where it runs"
    return names


def cells(path: Path) -> list[str]:
    return [cell for cell in path.read_text("utf-8").split("# %%") if cell.strip()]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_figures_are_shown_once(name):
    """Jupyter shows what a cell drew, and once more what its last line gives."""
    for cell in cells(NOTEBOOKS[name]):
        lines = ast.parse(cell if cell[0] == "\n" else "").body
        last = lines[-1] if lines else None
        shown = ast.unparse(last.value) if isinstance(last, ast.Expr) else ""
        assert shown.split(".")[-1] not in ("figure", "fig"), shown


def quickstart(names: dict) -> None:
    sweep = names["upgrade_kw"]
    assert all(sweep[name].is_monotonic_increasing for name in sweep)
    assert (sweep["MAC"] < 0.2 * sweep["unmanaged"]).all()
    assert names["case"].status == "solved"


def calibration(names: dict) -> None:
    assert len(names["table"]) > 100
    assert max(names["largest"].values()) < 0.06
    shares = [column["share of feeders"] for column in names["overloaded"].values()]
    assert shares == sorted(shares, reverse=True) and 0.2 < shares[-1] < 0.6


def own_data(names: dict) -> None:
    found = set(zip(names["faults"]["table"], names["faults"]["column"], strict=True))
    assert {("vehicles", "battery_kwh"), ("vehicles", "charge_efficiency")} <= found
    assert ("stays", "vehicle_id") in found and len(found) >= 4
    assert {"energy_kwh", "departure"} <= set(names["in_files"]["column"])
    assert any("colour" in note for note in names["scenario"].notes)
    assert names["mac"].status == "solved"
    assert names["again"].fingerprint == names["scenario"].fingerprint
    assert names["imported"].stays["feeder_id"].notna().sum() == 2
    assert len(names["sessions"].vehicles) == 1


def scale(names: dict) -> None:
    small, solved = names["small"], names["in_chunks"]
    assert (small["gap"] <= 1e-3).all() and (small["warm_s"] < small["first_s"]).all()
    assert solved.status == "solved" and solved.settings["in_chunks"]
    assert len(names["records"]) >= 5 and 0.8 < names["exponent"] < 1.5
    assert len(names["peers"]) >= 3


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
    clearing = [found.to_list() for found in names["clearing"].values()]
    assert clearing[-1][0] < 0.1 * clearing[0][0]
    assert all(load <= bound for load, bound in clearing)
    gaps = [run.solution.gap for run in names["runs"]]
    assert min(gaps) == gaps[0] < 0.01


CHECKS = {
    "01_quickstart": quickstart,
    "02_your_own_data": own_data,
    "03_bay_area": bay_area,
    "03a_calibration": calibration,
    "04_prices_and_equilibrium": prices,
    "05_price_coordination": price_coordination,
    "06_robust_tariffs": robust_tariffs,
    "07_scale": scale,
}


# They run for long: with the slow tests.
LONG = {"03_bay_area", "04_prices_and_equilibrium", "07_scale"}


@pytest.mark.timeout(1200)  # one takes two minutes, longer where machines are busy
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in NOTEBOOKS],
)
def test_notebook_runs(name, monkeypatch, tmp_path):
    names = run(name, monkeypatch, tmp_path)
    if name in CHECKS:
        CHECKS[name](names)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_in_percent_format(name):
    """jupytext makes cells of it as they are meant: text is comments, code is whole."""
    text = NOTEBOOKS[name].read_text("utf-8")
    head, *cells = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)
    kinds, bodies = cells[::2], cells[1::2]
    assert head == "" and kinds[0] == " [markdown]" and bodies[0].startswith("# # ")
    for kind, body in zip(kinds, bodies, strict=True):
        assert kind in ("", " [markdown]") and body.strip()
        if kind:
            assert all(line.startswith("#") for line in body.strip().splitlines())
        else:
            ast.parse(body)


def test_checks_are_of_notebooks():
    assert CHECKS.keys() <= NOTEBOOKS.keys()
