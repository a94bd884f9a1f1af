"""Wrong input ends in one clear error before anything is solved."""

import sys

import numpy as np
import pandas as pd
import pytest
from tariff_cases import CONFIGS, TOWN, frame, limits, nodes, town, town_tables

from macjax import DataError, MacjaxError, SettingsError, tariffs


def lines(text: str) -> pd.DataFrame:
    return frame("line_id from_node to_node limit_kw; " + text)


def roads(text: str) -> pd.DataFrame:
    return frame("from_node to_node capacity_ev steps; " + text)


TABLES = town_tables()
WRONG = {
    "loop": (
        {"lines": lines("a sub m -; b m f -; c f g -; d g m -")},
        "closes a loop",
    ),
    "island": ({"lines": lines("a sub m -; b m f -; c h g -")}, "name the substation"),
    "island beside": (
        {"lines": lines("a sub m -; b m f -; c h g -; d g h -")},
        r"not connected to the substation sub \[2 rows\]: h, g",
    ),
    "no way": (
        {"roads": roads("A F 9 1; B G 9 1"), "paths": None},
        "no chain of roads leads",
    ),
    "path without road": (
        {"roads": roads("A F 9 1; F G 9 1; G B 9 1; A B 1 1")},
        r"no road joins .*F-B",
    ),
    "negative time": ({"roads": roads("A F 9 -1; F B 9 1")}, "at least 0; found -1"),
    "no capacity": ({"roads": roads("A F 0 1; F B 9 1")}, "above 0; found 0"),
    "half a step": ({"roads": roads("A F 9 1.5; F B 9 1")}, "must be a whole number"),
    "road twice": (
        {"roads": roads("A F 9 1; F B 9 1; F A 9 1; A G 9 1; G B 9 1")},
        "both rows name the same arc",
    ),
    "too many EVs": (
        {"roads": roads("A F 1 1; F B 1 1; A G 1 2; G B 1 1")},
        r"EVs more depart than the roads let through.*full: ",
    ),
    "too late": (
        {"departures": frame("trip_id step ev; there 0 5; back 12 5")},
        r"too late to arrive by instant 13 \[1 rows?\]: back|too late.*back",
    ),
    "no EVs": ({"departures": frame("trip_id step ev; there 0 5")}, "no EV departs"),
    "unknown trip": (
        {"departures": frame("trip_id step ev; there 0 5; hence 0 5")},
        "not in the table of trips.*hence",
    ),
    "negative EVs": (
        {"departures": frame("trip_id step ev; there 0 -5; back 0 5")},
        "at least 0; found -5",
    ),
    "step outside": (
        {"departures": frame("trip_id step ev; there 0 5; back 99 5")},
        "at most 13; found 99",
    ),
    "hours lack": (
        {"prices": pd.DataFrame({"hour": [0, 1], "price": 0.1})},
        "a row for every step",
    ),
    "price twice": (
        {"prices": pd.DataFrame({"hour": [0, 0], "price": 0.1})},
        "comes twice",
    ),
    "when twice": (
        {"prices": TABLES["prices"].assign(hour=1)},
        "give one of the columns step, hour, time; it has step, hour",
    ),
    "profile of nobody": (
        {"grid_profile": TABLES["grid_profile"].replace("g", "q")},
        "not among the nodes of the grid.*q",
    ),
    "profile with gaps": (
        {"grid_profile": TABLES["grid_profile"].iloc[1:]},
        "a row for every step of the horizon.*f",
    ),
    "station nowhere": (
        {"stations": frame("station_id grid_node; F f; Q g")},
        "no road leads to a node of that name.*Q",
    ),
    "station off the grid": (
        {"stations": frame("station_id grid_node; F f; G q")},
        "not among the nodes of the grid.*q",
    ),
    "chargers of nobody": (
        {"chargers": frame("station_id kw; H 7")},
        "not in the table of stations.*H",
    ),
    "limits crossed": (
        {"grid_nodes": nodes(min_pu=1.0, max_pu=0.9)},
        "min_pu must not be above max_pu",
    ),
    "power factor": ({"grid_nodes": nodes(power_factor=1.1)}, "must be at most 1"),
    "path from elsewhere": (
        {"paths": TABLES["paths"].assign(node=list("FFBAGBBFABGA"))},
        r"must begin at the origin.*1",
    ),
    "path of two trips": (
        {"paths": TABLES["paths"].assign(path_id=[1] * 6 + [2] * 6)},
        "comes twice",
    ),
    "column missing": (
        {"roads": TABLES["roads"].rename(columns={"steps": "hours"})},
        "the column is missing",
    ),
    "text for a number": (
        {"lines": TABLES["lines"].assign(limit_kw="many")},
        "must be a finite number",
    ),
    "unknown table": ({"rodes": TABLES["roads"]}, "did you mean 'roads'"),
    "soc outside": (
        {"trips": TABLES["trips"].assign(soc_initial=0.95)},
        "must lie between soc_min 0.1 and soc_max 0.9",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_tables(name):
    tables, words = WRONG[name]
    with pytest.raises(DataError, match=words) as caught:
        town(**tables)
    assert len(caught.value.faults) >= 1


def test_all_faults_of_all_tables_come_together():
    with pytest.raises(DataError) as caught:
        town(
            roads=TABLES["roads"].assign(steps=-1),
            prices=TABLES["prices"].assign(price="dear"),
            lines=TABLES["lines"].drop(columns="line_id"),
        )
    assert set(caught.value.faults["table"]) == {"roads", "prices", "lines"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fleet.soc_arival": 0.3}, "did you mean 'soc_arrival'"),
        ({"fleet.soc_arrival": 0.95}, "between soc_min and soc_max"),
        ({"fleet.soc_min": 0.9}, "soc_min must be below soc_max"),
        ({"fleet.efficiency": 0}, "must be above 0 and at most 1"),
        ({"fleet.levels_kw": [0]}, "a level other than 0"),
        ({"fleet.levels_kw": [7, 7]}, "a level twice"),
        ({"fleet.battery_kwh": "large"}, "must be a number"),
        ({"costs.power_squared": 0}, "must be above 0"),
        ({"uncertainty.gamma": 1.5}, "at most 1"),
        ({"grid.substation": "nowhere"}, "is not among the nodes"),
        ({"start": "2025-01-01"}, "with an offset"),
        ({"timezone": "Mars"}, "IANA name"),
        ({"steps": 0}, "steps is missing"),
        ({"fleet": 3}, "must be a table"),
    ],
)
def test_wrong_settings(changes, words):
    with pytest.raises((SettingsError, DataError), match=words):
        town(changes)


def test_destination_out_of_range():
    with pytest.raises(DataError, match="out of range on every path"):
        town({"fleet.consumption_per_step": 0.45})


@pytest.mark.parametrize(
    ("gamma", "words"),
    [
        (1.1, "from 0 to 1"),
        (True, "from 0 to 1"),
        ({"lode": 1}, "did you mean 'load'"),
        ({"pv": {"q": 1}}, "no node of the grid: q"),
    ],
)
def test_wrong_gamma(gamma, words):
    with pytest.raises(SettingsError, match=words):
        tariffs.solve_operator(town(), gamma)


def test_limits_that_loads_alone_exceed():
    profile = pd.concat(
        [TABLES["grid_profile"], TABLES["grid_profile"].iloc[:14].assign(node_id="h")]
    )
    more = pd.concat([TABLES["lines"], lines("mh m h 25")]).fillna({"r_ohm": 0.5})
    case = town(lines=more, grid_profile=profile)
    with pytest.raises(
        DataError, match="exceeded by load, PV and wind alone"
    ) as caught:
        tariffs.solve_operator(case, 1.0)
    assert caught.value.faults["ids"][0] == ("mh",)


def test_read_reports_files(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read as TOML"):
        tariffs.Case.read(tmp_path / "none.toml")
    path = tmp_path / "case.toml"
    path.write_text("steps = 4\nstart = '2025-01-01T00:00:00Z'\n")
    with pytest.raises(DataError, match="there is no roads.csv"):
        tariffs.Case.read(path)
    path.write_text("steps = 4\nstart = '2025-01-01T00:00:00Z'\nspeed = 3\n")
    with pytest.raises(SettingsError, match="case.toml: speed: unknown key"):
        tariffs.Case.read(path)


def test_tables_as_parquet_are_the_same(tmp_path):
    text = (CONFIGS / "tariff_case.toml").read_text()
    (tmp_path / "case.toml").write_text(text)
    (tmp_path / "tariff_case").mkdir()
    given = tariffs.Case.read(CONFIGS / "tariff_case.toml")
    for name, table in given.tables_as_given.items():
        table.to_parquet(tmp_path / "tariff_case" / f"{name}.parquet")
    again = tariffs.Case.read(tmp_path / "case.toml")
    for name, table in given.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)
    (tmp_path / "tariff_case" / "roads.csv").write_text("from_node\n")
    with pytest.raises(DataError, match="keep one of them"):
        tariffs.Case.read(tmp_path / "case.toml")


def test_a_case_cannot_be_changed():
    case = town()
    with pytest.raises(AttributeError, match="Case.changed"):
        case.price = np.zeros(3)
    assert (
        case.changed(
            {"steps": 15},
            prices=pd.DataFrame({"hour": np.arange(24), "price": 0.1}),
            grid_profile=None,
        ).settings.steps
        == 15
    )


def test_what_is_missing_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "clarabel", None)
    with pytest.raises(MacjaxError, match=r"macjax\[tariffs\]"):
        tariffs.solve_operator(town())


def test_case_is_required():
    with pytest.raises(SettingsError, match="case must be a Case"):
        tariffs.solve_operator(TOWN)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="did you mean 'direct'"):
        tariffs.solve_operator(town(), method="directly")
    assert limits(sm=3)["limit_kw"].notna().sum() == 1
