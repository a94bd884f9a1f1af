"""Figures show the numbers of the solutions, with units, and draw in the axes given."""

import dataclasses
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from fake_solutions import MAC, UNMANAGED, FakeScenario, FakeSolution
from figure_cases import ax as ax
from figure_cases import line
from matplotlib import dates
from matplotlib.figure import Figure

from macjax import plots
from macjax._errors import SolutionError

PNG = b"\x89PNG\r\n\x1a\n"


def test_feeder_load_draws_base_plus_ev_power_of_the_worst_feeder(ax):
    assert plots.feeder_load([UNMANAGED, MAC], ax=ax) is ax
    assert ax.get_title(loc="left") == "Feeder A: load against capacity"
    for solution, label in ((UNMANAGED, "unmanaged"), (MAC, "MAC")):
        rows = solution.loads().query("feeder_id == 'A'")
        expected = rows["base_kw"] + rows["ev_kw"]
        drawn = line(ax, label).get_ydata()
        np.testing.assert_array_equal(drawn[:-1], expected)
        assert drawn[-1] == drawn[-2]
        upgrade = rows["overload_kw"].max()
        assert f"upgrade {upgrade:,.0f} kW" in line(ax, label).get_label()
    assert set(line(ax, "capacity").get_ydata()) == {100.0}
    assert ax.get_ylabel() == "feeder load [kW]"


def test_times_are_local_and_end_with_the_last_slot(ax):
    """A change of clocks lies in the horizon: the axis stays in instants."""
    scenario = FakeScenario(slots=96)
    plots.feeder_load(dataclasses.replace(MAC, scenario=scenario), "B", ax)
    drawn = line(ax, "MAC").get_xdata()
    first = pd.Timestamp(drawn[0], tz="UTC").tz_convert(scenario.timezone)
    assert first == scenario.times[0]
    assert (np.diff(drawn) == np.timedelta64(3600, "s")).all()
    assert "America/Los_Angeles" in ax.get_xlabel()
    formatter = ax.xaxis.get_major_formatter()
    assert isinstance(formatter, dates.ConciseDateFormatter)
    assert str(formatter._tz) == "America/Los_Angeles"


def test_worst_feeder_without_any_overload_is_the_fullest():
    rows = pd.DataFrame(
        {
            "feeder_id": ["A", "B"],
            "load_kw": [50.0, 30.0],
            "capacity_kw": [100.0, 40.0],
            "overload_kw": [0.0, 0.0],
        }
    )
    assert plots.worst_feeder({"x": rows}) == "B"
    with pytest.raises(SolutionError, match="no feeder"):
        plots.worst_feeder({"x": rows.head(0)})


def falling(loads) -> np.ndarray:
    """Load over capacity, the largest first [%]."""
    percent = 100 * (loads["base_kw"] + loads["ev_kw"]) / loads["capacity_kw"]
    return np.sort(percent)[::-1]


def test_load_duration_of_a_feeder_is_its_load_in_falling_order(ax):
    assert plots.load_duration([UNMANAGED, MAC], "A", ax) is ax
    for solution, label in ((UNMANAGED, "unmanaged"), (MAC, "MAC")):
        expected = falling(solution.loads().query("feeder_id == 'A'"))
        drawn = line(ax, label)
        np.testing.assert_array_equal(drawn.get_ydata()[:-1], expected)
        np.testing.assert_array_equal(drawn.get_xdata(), np.arange(97.0))
        assert f"at most {expected[0]:,.0f} %" in drawn.get_label()
    assert ax.get_ylabel() == "load / capacity [%]"
    assert ax.get_xlabel() == "hours of the horizon [h]"
    with pytest.raises(SolutionError, match="no feeder Z"):
        plots.load_duration(MAC, "Z", ax)


def test_load_duration_of_all_feeders_keeps_the_fullest_slots(ax):
    ids = tuple(f"F{i:03d}" for i in range(60))
    solution = dataclasses.replace(MAC, scenario=FakeScenario(feeder_ids=ids))
    plots.load_duration(solution, ax=ax)
    x, y = line(ax, "MAC").get_data()
    expected = falling(solution.loads())
    assert (x[0], y[0]) == (50.0 / len(expected), expected[0])
    x, y = x[1:], y[1:]
    assert len(x) < 1000 < len(expected)
    np.testing.assert_array_equal(y[:20], expected[:20])
    at = np.rint(x * len(expected) / 100).astype(int) - 1
    np.testing.assert_array_equal(y, expected[at])
    assert (x[-1], y[-1]) == (100.0, expected[-1])
    assert ax.get_xscale() == "log" and "all feeders" in ax.get_title(loc="left")


def test_load_duration_leaves_out_slots_without_capacity(ax):
    class Closed(FakeSolution):
        def loads(self):
            frame = super().loads()
            shut = np.arange(len(frame)) % 4 == 0
            return frame.assign(capacity_kw=frame["capacity_kw"].where(~shut, 0.0))

    plots.load_duration(Closed(), "A", ax)
    assert len(line(ax, "MAC").get_xdata()) == 1 + 72
    assert np.isfinite(line(ax, "MAC").get_ydata()).all()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain", "plain"),
        ("$x_1$ and $y", r"\$x_1\$ and \$y"),
        ("_hidden", " _hidden"),
        ("a\nb\x00", "a\ufffdb\ufffd"),
        ("x" * 50, "x" * 39 + "\u2026"),
        (2**60, str(2**60)),
    ],
)
def test_names_are_shown_as_text(name, shown):
    assert plots.shown_name(name) == shown


def test_names_with_signs_of_formulas_are_drawn_as_they_are():
    scenario = FakeScenario(feeder_ids=("$A$", r"\frac{$"))
    solution = dataclasses.replace(MAC, scenario=scenario)
    svg = plots.as_svg(
        lambda ax: plots.feeder_load({"$\\alpha$ <&>": solution}, "$A$", ax), (6, 3)
    )
    text = "".join(ElementTree.fromstring(svg).itertext())
    assert "Feeder $A$: load" in text and "$\\alpha$ <&>: upgrade" in text


def test_an_svg_is_the_same_each_time_and_keeps_foreign_letters():
    def draw(ax):
        ax.set_title("日本")
        plots.upgrades([UNMANAGED, MAC], ax)

    def title(ax):
        ax.set_title("日本")

    assert plots.as_svg(draw, (6, 3)) == plots.as_svg(draw, (6, 3))
    assert "日本" in plots.as_svg(title, (6, 3))


def test_unknown_feeder_is_named():
    with pytest.raises(SolutionError, match="no feeder Z in the solution; it has A, B"):
        plots.feeder_load(MAC, "Z", Figure().add_subplot())


def test_convergence_draws_finite_values_and_marks_phases(ax):
    plots.convergence(MAC, ax)
    history = MAC.history
    upper, lower = line(ax, "objective"), line(ax, "lower bound")
    np.testing.assert_array_equal(upper.get_ydata(), history["objective"])
    finite = history[np.isfinite(history["lower_bound"])]
    np.testing.assert_array_equal(lower.get_ydata(), finite["lower_bound"])
    assert [t.get_text() for t in ax.texts] == ["admm", "newton"]
    assert ax.get_ylabel() == "objective [USD]"
    assert "5.0e-04" in ax.get_title(loc="left")
    with pytest.raises(SolutionError, match="no history"):
        plots.convergence(UNMANAGED, ax)


def test_price_heatmap_orders_feeders_by_price_and_keeps_the_numbers(ax):
    solution = dataclasses.replace(MAC, scenario=FakeScenario(feeder_ids=(2, 1, 3)))
    plots.price_heatmap(solution, ax=ax)
    (mesh,) = ax.collections
    table = solution.prices().pivot(index="feeder_id", columns="time", values="price")
    order = [int(t.get_text()) for t in ax.get_yticklabels()]
    assert order == table.sum(axis=1).sort_values(ascending=False).index.tolist()
    np.testing.assert_array_equal(mesh.get_array(), table.loc[order])
    labels = [a.get_ylabel() for a in ax.figure.axes]
    assert "price [USD/kW]" in labels
    with pytest.raises(SolutionError, match="no prices"):
        plots.price_heatmap(UNMANAGED, ax=ax)


def test_price_heatmap_of_chosen_feeders_and_negative_prices(ax):
    class Negative(FakeSolution):
        def prices(self):
            return super().prices().assign(price=-0.25)

    plots.price_heatmap(Negative(), feeders=["B"], ax=ax)
    (mesh,) = ax.collections
    assert (mesh.norm.vmin, mesh.norm.vmax) == (-0.25, 0.25)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["B"]


def test_upgrades_shows_the_largest_and_counts_all(ax):
    ids = tuple(f"F{i:02d}" for i in range(30))
    scenario = FakeScenario(feeder_ids=ids)
    shown = [dataclasses.replace(s, scenario=scenario) for s in (UNMANAGED, MAC)]
    plots.upgrades(shown, ax)
    assert len(ax.patches) == 2 * plots.MOST_FEEDERS
    heights = [p.get_height() for p in ax.patches[: plots.MOST_FEEDERS]]
    expected = shown[0].upgrades()["upgrade_kw"].nlargest(plots.MOST_FEEDERS)
    np.testing.assert_array_equal(heights, expected)
    total = shown[0].upgrades()["upgrade_kw"].sum()
    texts = [t.get_text() for t in ax.get_legend().get_texts()]
    assert any(f"unmanaged: {total:,.0f} kW, USD" in text for text in texts)


def test_labels_of_a_dict_are_used_and_repeated_ones_numbered(ax):
    plots.upgrades([MAC, MAC], ax)
    texts = [t.get_text() for t in ax.get_legend().get_texts()]
    assert texts[1].startswith("MAC (coordinated) 2:")
    ax = Figure().add_subplot()
    plots.upgrades({"today": UNMANAGED}, ax)
    assert ax.get_legend().get_texts()[0].get_text().startswith("today:")


def test_styles_differ_in_colour_line_and_hatch():
    styles = [*plots.STYLES.values(), *plots.SPARE_STYLES]
    for part in zip(*styles, strict=True):
        assert len(set(part)) == len(styles)


def test_save_all_writes_what_there_is(tmp_path):
    names = {"feeder_load.png", "load_duration.png", "upgrades.png"}
    paths = plots.save_all(UNMANAGED, tmp_path / "one")
    assert {p.name for p in paths} == names
    paths = plots.save_all([UNMANAGED, MAC], tmp_path / "two", feeder_id="B")
    assert {p.name for p in paths} == names | {"convergence.png", "prices.png"}
    assert all(p.read_bytes().startswith(PNG) for p in paths)
    assert plots.save_all([UNMANAGED, MAC], tmp_path / "two") == paths


def test_a_new_figure_is_made_without_axes():
    from matplotlib import pyplot

    ax = plots.upgrades(MAC)
    assert ax.figure.number in pyplot.get_fignums()
    pyplot.close(ax.figure)


def test_missing_matplotlib_names_the_extra():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from macjax import plots\n"
        "from macjax._errors import MacjaxError\n"
        "try:\n    plots.save_all([], 'unused')\n"
        "except MacjaxError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'macjax[plots]'" in done.stdout
