"""Tables and figures of feeders say what the loads say."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from planning_cases import APART, TOGETHER, solved, street

import macjax
from macjax import SettingsError, SolutionError, planning


@pytest.fixture
def ax():
    return Figure(layout="constrained").add_subplot()


@pytest.fixture(scope="module")
def pair():
    scenario = street(longitude=[-122.1, -122.3], latitude=[37.5, 37.6])
    return [solved(scenario, TOGETHER, "unmanaged"), solved(scenario, APART)]


def test_a_row_for_each_method_and_feeder(pair):
    table = planning.feeder_table(pair).set_index(["method", "feeder_id"])
    a = table.loc[("unmanaged", "A")]
    assert (a["capacity_kw"], a["load_kw"], a["base_use"]) == (10, 24, 0.8)
    assert a["use"] == 2.4 and a["overload_kwh"] == 14 and a["longitude"] == -122.1
    assert a["peak_time"].hour == 18
    b = table.loc[("unmanaged", "B")]
    assert b["use"] == 0.08 and b["upgrade_kw"] == 0 and b["units"] == 0
    assert table.loc[("mac", "A"), "use"] == 1.0


def test_quantiles_are_over_the_feeders(pair):
    table = planning.feeder_quantiles(pair, [0, 0.5, 1])
    row = table.query("method == 'unmanaged' and quantity == 'upgrade_kw'").iloc[0]
    assert row[["p0", "p50", "p100"]].tolist() == [0, 7, 14]
    assert (row["total"], row["top_tenth"], row["count"]) == (14, 1, 2)
    use = table.query("method == 'mac' and quantity == 'use'").iloc[0]
    assert use[["p0", "p50", "p100"]].tolist() == pytest.approx([0, 0.5, 1.0])
    none = table.query("method == 'mac' and quantity.str.contains('needed')").iloc[0]
    assert none["count"] == 0 and np.isnan(none["p50"])
    with pytest.raises(SettingsError, match="levels"):
        planning.feeder_quantiles(pair, [2])


def test_the_map_has_a_dot_for_every_feeder_to_one_scale(pair, ax):
    assert planning.feeder_map(pair[0], 28.0, ax) is ax
    grey, coloured = ax.collections[:2]
    assert grey.get_offsets().tolist() == [[-122.3, 37.6]]
    assert coloured.get_offsets().tolist() == [[-122.1, 37.5]]
    half = coloured.get_sizes()[0]
    other = Figure().add_subplot()
    planning.feeder_map(pair[0], ax=other)
    whole = other.collections[1].get_sizes()[0]
    assert half - 16 == pytest.approx((whole - 16) / 2)
    assert [text.get_text() for text in ax.texts] == ["A"]
    assert "1 of 2 feeders need 14 kW" in ax.get_title(loc="left")
    with pytest.raises(SolutionError, match="longitude"):
        planning.feeder_map(solved(street(), APART))


def test_the_distribution_ends_at_all_feeders(pair, ax):
    planning.feeder_distribution(pair, ax)
    lines = {line.get_label(): line for line in ax.get_lines()}
    (label,) = [k for k in lines if k.startswith("unmanaged")]
    assert "1 of 2 feeders over" in label
    assert lines[label].get_xdata().tolist() == pytest.approx([8, 240])
    assert lines[label].get_ydata().tolist() == [50, 100]
    assert "[%]" in ax.get_xlabel() and "[%]" in ax.get_ylabel()


def test_bars_of_cost_and_energy(pair, ax):
    planning.cost_intervals(pair, ax)
    heights = [p.get_height() for p in ax.patches]
    assert heights[:2] == pytest.approx([1.4, 13.6])
    assert "thousand USD" in ax.get_ylabel()
    for cells, tops in (("peak", [16, 2]), ("all", [24, 18])):
        stack = planning.flexibility(pair, cells, ax=Figure().add_subplot())
        for place, top in enumerate(tops):
            mine = [p for p in stack.patches if round(p.get_x() + 0.3) == place]
            assert sum(p.get_height() for p in mine) == pytest.approx(top / 1e3)
        assert "[MWh]" in stack.get_ylabel()
    with pytest.raises(SettingsError, match="'peak' or 'all'"):
        planning.flexibility(pair, "some")


def test_one_axis_of_money_has_one_currency(ax):
    """Transformers cost USD: they have no bar beside costs in EUR."""
    dollars = street()
    keys = ("name", "start", "timezone", "slot_minutes", "slots")
    tables = ("vehicles", "stays", "trips", "feeders", "feeder_profile")
    given = {name: getattr(dollars, name) for name in keys + tables}
    euros = macjax.Scenario.from_frames(**given, currency="EUR")
    planning.cost_intervals(solved(euros, TOGETHER), ax)
    assert max(p.get_height() for p in ax.patches) == 1400
    assert ax.get_ylabel() == "upgrade cost [EUR]"
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert not any("USD" in text for text in texts)


def test_the_profile_stacks_places(pair, ax):
    planning.charging_profile(pair[0], ax=ax)
    assert ax.get_legend_handles_labels()[1] == ["home", "work"]
    assert "[MW]" in ax.get_ylabel()
    top = max(c.get_datalim(ax.transData).ymax for c in ax.collections)
    assert top == pytest.approx(16 / 1e3)
