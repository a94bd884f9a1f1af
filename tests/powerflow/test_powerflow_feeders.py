"""Feeders of a net are found by what is in service; wrong nets are told."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from power_cases import RATING, tables

from macjax._errors import DataError, SettingsError
from macjax.powerflow.feeders import find_feeders, mv_feeders
from macjax.powerflow.nets import read_net


def with_trafos(trafos: list[dict], grid=90) -> dict:
    """The net behind transformers from bus 90; the busbar's other section is bus 11."""
    net = tables()
    more = pd.DataFrame({"vn_kv": [110.0, 20.0]}, index=[90, 11])
    net["bus"] = pd.concat([net["bus"], more])
    net["ext_grid"]["bus"] = grid
    net["trafo"] = pd.DataFrame(trafos)
    return net


def test_feeders_are_what_hangs_on_the_lines_of_the_busbar():
    frame = mv_feeders(tables())
    assert frame["mv_feeder"].tolist() == ["A", "B"]
    np.testing.assert_allclose(frame["rating_mva"], [RATING["A"], RATING["B"]])
    np.testing.assert_allclose(frame["nominal_mw"], [1.2, 0.5])
    assert frame["head_lines"].tolist() == [[7], [5]]
    assert frame["buses"].tolist() == [[20, 30], [40]]
    assert frame["loads"].tolist() == [[2, 4], [6]]
    notes = find_feeders(tables()).notes
    assert notes[0].startswith("1 parts of the net have head lines and no load")
    assert notes[1].startswith("1 loads of the net are on no feeder")


def test_a_closed_ring_is_one_feeder_of_both_heads():
    net = tables()
    net["switch"]["closed"] = True
    frame = mv_feeders(net)
    assert frame["mv_feeder"].tolist() == ["A + B"]
    assert frame["rating_mva"][0] == pytest.approx(RATING["A"] + RATING["B"])
    assert frame["loads"][0] == [2, 4, 6]


@pytest.mark.parametrize(
    ("table", "number", "left"),
    [("line", 3, [[2], [6]]), ("load", 4, [[2], [6]]), ("bus", 30, [[2], [6]])],
)
def test_what_is_out_of_service_does_not_count(table, number, left):
    net = tables()
    net[table]["in_service"] = True
    net[table].loc[number, "in_service"] = False
    assert mv_feeders(net)["loads"].tolist() == left


def test_rating_counts_parallel_lines_derating_and_limit():
    net = tables()
    net["line"] = net["line"].assign(parallel=2, df=0.9, max_loading_percent=80.0)
    net["line"].loc[5, "max_loading_percent"] = np.nan
    ratings = mv_feeders(net)["rating_mva"]
    expected = [RATING["A"] * 2 * 0.9 * 0.8, RATING["B"] * 2 * 0.9]
    np.testing.assert_allclose(ratings, expected)


def test_a_rating_that_is_none_is_noted():
    assert not any("rated above" in note for note in find_feeders(tables()).notes)
    net = tables()
    net["line"].loc[5, "max_i_ka"] = 99999.0
    assert find_feeders(net).notes[0].endswith("without a real rating: B.")


def test_lines_without_names_of_their_own_are_numbered():
    net = tables()
    net["line"]["name"] = "line"
    assert mv_feeders(net)["mv_feeder"].tolist() == ["line 7", "line 5"]


def test_the_transformer_above_a_feeder_is_the_one_of_its_section():
    net = with_trafos([{"hv_bus": 90, "lv_bus": 10}, {"hv_bus": 90, "lv_bus": 11}])
    net["line"].loc[5, "from_bus"] = 11  # feeder B hangs on the other section
    found = find_feeders(net)
    assert [rows.tolist() for rows in found.trafos] == [[0], [1]]
    assert found.above.tolist() == [0, 1]
    coupler = pd.DataFrame({"bus": [10], "element": [11], "et": "b", "closed": [True]})
    net["switch"] = pd.concat([net["switch"], coupler], ignore_index=True)
    assert [rows.tolist() for rows in find_feeders(net).trafos] == [[0, 1], [0, 1]]


def test_a_transformer_within_a_feeder_is_not_above_the_busbar():
    net = with_trafos([{"hv_bus": 90, "lv_bus": 10}, {"hv_bus": 30, "lv_bus": 50}])
    net["bus"].loc[50] = 0.4
    net["load"].loc[4, "bus"] = 50
    found = find_feeders(net)
    assert [rows.tolist() for rows in found.trafos] == [[0, 1], [0]]
    assert found.above.tolist() == [0]
    assert mv_feeders(net)["loads"].tolist() == [[2, 4], [6]]


def test_an_open_switch_takes_a_transformer_out():
    net = with_trafos([{"hv_bus": 90, "lv_bus": 10}, {"hv_bus": 90, "lv_bus": 10}])
    opened = pd.DataFrame({"bus": [90], "element": [1], "et": "t", "closed": [False]})
    net["switch"] = pd.concat([net["switch"], opened], ignore_index=True)
    assert [rows.tolist() for rows in find_feeders(net).trafos] == [[0], [0]]


def test_three_windings_and_impedances_connect():
    net = with_trafos([])
    net["trafo3w"] = pd.DataFrame({"hv_bus": [90], "mv_bus": [10], "lv_bus": [11]})
    net["line"] = net["line"].drop(index=3)
    net["impedance"] = pd.DataFrame({"from_bus": [20], "to_bus": [30]})
    found = find_feeders(net)
    assert [rows.tolist() for rows in found.trafos3w] == [[0], [0]]
    assert mv_feeders(net)["loads"].tolist() == [[2, 4], [6]]


@pytest.mark.parametrize(
    ("table", "column", "value", "message"),
    [
        ("load", "p_mw", 0.0, "no load in service with p_mw above 0"),
        ("load", "in_service", False, "no load in service"),
        ("ext_grid", "in_service", False, "net.ext_grid.bus: .* no external grid"),
        ("line", "max_i_ka", 0.0, "need a rating above 0 .2 rows.: 7, 5"),
        ("line", "max_i_ka", np.nan, "net.line.max_i_ka: .* need a rating"),
        ("line", "to_bus", 77, "net.line.to_bus: names a bus that the net does not"),
        ("load", "bus", 77, "net.load.bus: names a bus .* .4 rows.: 2, 4, 6, 1"),
        ("load", "bus", 10, "no line leaves the busbar towards a load"),
    ],
)
def test_wrong_nets_are_told(table, column, value, message):
    net = tables()
    net[table][column] = value
    with pytest.raises(DataError, match=message):
        mv_feeders(net)


def test_missing_tables_and_columns_are_told_together():
    net = tables()
    del net["line"]
    net["bus"] = net["bus"].drop(columns="vn_kv")
    with pytest.raises(DataError, match="2 faults") as told:
        mv_feeders(net)
    assert "net.bus.vn_kv: the column is missing" in str(told.value)
    assert "net.line.table: the net has no such table" in str(told.value)


def test_repeated_numbers_are_told():
    net = tables()
    net["load"].index = [1, 1, 2, 3]
    with pytest.raises(DataError, match="element numbers repeat .1 row.: 1"):
        read_net(net)


@pytest.mark.parametrize("wrong", [None, 3, {"line": 1}])
def test_something_else_than_a_net_is_told(wrong):
    with pytest.raises(SettingsError, match="must be a pandapower net or the code"):
        read_net(wrong)


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("pandapower", "powerflow.nets.require_pandapower()"),
        ("simbench", "powerflow.nets.read_net('1-MV-urban--0-sw')"),
    ],
)
def test_a_missing_package_names_the_extra(package, call):
    code = (
        f"import sys; sys.modules['{package}'] = None\n"
        "from macjax import powerflow, MacjaxError\n"
        f"try:\n    {call}\nexcept MacjaxError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"needs {package}" in done.stdout, done.stderr
    assert "pip install 'macjax[powerflow]'" in done.stdout


def test_import_loads_no_pandapower():
    code = (
        "import sys, macjax.powerflow; print([m for m in "
        "('pandapower', 'simbench', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
