"""Studies over gamma, the level of uncertainty and the keys of a case; figures."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from tariff_cases import CONFIGS, bundled, limits, town

from macjax import SettingsError, tariffs

PUBLISHED = pd.read_csv(CONFIGS / "tariff_case" / "published_tariffs.csv")


def test_study_of_gamma_and_level():
    told = []
    study = tariffs.gamma_study(
        town(lines=limits(sm=100, mf=95)),
        gammas=(0, 0.5, 1),
        levels=(0.05, 0.2),
        draws=200,
        progress=told.append,
    )
    rows = study.rows.set_index(["level", "gamma"])
    assert len(told) == 6 and (rows["status"] == "solved").all()
    table = rows["cost"].unstack("gamma")
    assert (table.diff(axis=1).iloc[:, 1:] > 0).all().all()
    assert table[0].nunique() == 1 or np.allclose(table[0], table[0].iloc[0])
    assert (table[1].diff().dropna() > 0).all()
    shares = rows["share"].unstack("gamma")
    assert (shares[1] == 0).all() and (shares[0] > shares[0.5]).any()
    assert (shares.diff(axis=1).iloc[:, 1:] <= 0).all().all()
    assert set(study.tariffs.columns[:2]) == {"level", "gamma"}
    axes = tariffs.cost_of_gamma(study)
    assert len(axes.lines) == 2


def test_search_sorts_by_distance():
    case = bundled()
    told = []
    found = tariffs.search(
        case,
        {"fleet.soc_arrival": [0.2, 0.3], "uncertainty": [0.1]},
        costs=(4537.4, 5846.2),
        tariffs=PUBLISHED,
        progress=told.append,
    )
    assert len(found.runs) == len(told) == 2
    assert found.runs["distance"].is_monotonic_increasing
    assert found.nearest["fleet.soc_arrival"] in (0.2, 0.3)
    run = found.runs.set_index("fleet.soc_arrival").loc[0.2]
    assert run["deterministic_cost"] == pytest.approx(4430.494, abs=1e-3)
    plan = tariffs.solve_operator(case, 1.0)
    own = tariffs.published_hours(plan, PUBLISHED)
    parts = [abs(run["deterministic_cost"] / 4537.4 - 1)]
    parts.append(abs(run["robust_cost"] / 5846.2 - 1))
    deterministic = tariffs.published_hours(
        tariffs.solve_operator(case, 0.0), PUBLISHED
    )
    for word, mine in (("deterministic", deterministic), ("robust", own)):
        gap = np.abs(mine - PUBLISHED[word]).mean() / PUBLISHED[word].mean()
        parts.append(gap)
    assert run["distance"] == pytest.approx(np.mean(parts), rel=1e-6)
    with pytest.raises(SettingsError, match="over must name keys"):
        tariffs.search(case, {}, costs=(1, 1))


def test_published_tariffs_shift_by_a_constant():
    """What the article's tables say; one cell is off, most likely a misprint."""
    shift = PUBLISHED["robust"] - PUBLISHED["deterministic"]
    f2, f3 = shift[PUBLISHED["station"] == "F2"], shift[PUBLISHED["station"] == "F3"]
    assert np.allclose(f3, 0.3114, atol=2e-4)
    assert np.allclose(f2[:-1], 0.3765, atol=2e-4)
    assert f2.iloc[-1] == pytest.approx(0.3965, abs=1e-4)
    assert (PUBLISHED.groupby("station")["deterministic"].diff().dropna() < 0).all()


def test_scarce_tariffs_have_the_shape_of_the_published_ones():
    """Used hours have one full marginal cost: robust minus deterministic is flat."""
    case = bundled().changed(
        {"fleet.soc_arrival": 0.3, "fleet.consumption_per_step": 0.03}
    )
    plans = [tariffs.solve_operator(case, g) for g in (0.0, 1.0)]
    own = [tariffs.published_hours(p, PUBLISHED) for p in plans]
    shift = own[1] - own[0]
    for station in ("F2", "F3"):
        mine = shift[PUBLISHED["station"] == station]
        assert (mine > 0.01).all()
        assert mine.std() < 0.1 * mine.mean()


def test_figures_show_the_plan():
    from matplotlib import pyplot

    case = bundled()
    plan = tariffs.solve_operator(case, 1.0)
    assert len(tariffs.road_map(case, plan).lines) == len(case.roads.names)
    grid = tariffs.grid_map(case, plan)
    red = [line for line in grid.lines if line.get_color() == "#D55E00"]
    assert len(red) == 2
    assert len(tariffs.queues(plan, arcs=3).lines) == 3
    loads = tariffs.line_loads(case, {"robust": plan}, "L2")
    shown = loads.lines[0].get_ydata()
    assert np.allclose(shown, plan.lines.query("line == 'L2'")["kw"])
    curves = tariffs.tariff_curves({"robust": plan}, ["F2", "F4"])
    assert len(curves.lines) == 2
    pyplot.close("all")
    with pytest.raises(SettingsError, match="x and y"):
        tariffs.road_map(town())
    with pytest.raises(SettingsError, match="no line"):
        tariffs.line_loads(case, {"robust": plan}, "L99")
    with pytest.raises(SettingsError, match="no station F99 in a plan; it has F1"):
        tariffs.tariff_curves({"robust": plan}, ["F2", "F99"])
    for wrong, got in (([plan], "list"), ({}, "none")):
        with pytest.raises(SettingsError, match=f"label to plan; got {got}"):
            tariffs.tariff_curves(wrong, "F2")
        with pytest.raises(SettingsError, match=f"label to plan; got {got}"):
            tariffs.line_loads(case, wrong, "L2")
    assert not pyplot.get_fignums()


def test_figures_of_tariffs_have_units_and_tell_stations_apart():
    case = bundled()
    plan = tariffs.solve_operator(case, 1.0)
    stations = case.stations.names
    ax = Figure(layout="constrained").add_subplot()
    curves = tariffs.tariff_curves({"a $\\foo$": plan}, stations, ax)
    curves.figure.canvas.draw()
    assert len({line.get_color() for line in curves.lines}) == len(stations) == 8
    legend = curves.get_legend().get_window_extent()
    assert legend.y1 < curves.get_window_extent().y0
    assert "[currency/kWh]" in curves.get_ylabel() and "[h]" in curves.get_xlabel()
    other = Figure().add_subplot()
    tariffs.line_loads(case, {"$\\foo$": plan}, "L2", other)
    other.figure.canvas.draw()
    assert "[kW]" in other.get_ylabel()
    assert "[EVs]" in tariffs.queues(plan, ax=Figure().add_subplot()).get_ylabel()
