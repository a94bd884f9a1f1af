"""Wrong input ends in one clear error before anything is solved."""

import sys
from typing import Any

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
        r"must be a finite number; found many",
    ),
    "steps beyond any horizon": (
        {"roads": TABLES["roads"].assign(steps=1e19)},
        "at least 0 and at most 100000; found 1e[+]19",
    ),
    "steps beyond any number": (
        {"roads": TABLES["roads"].assign(steps=1e30)},
        "at most 100000",
    ),
    "position beyond any number": (
        {"paths": TABLES["paths"].assign(position=1e30)},
        "position: must be at least",
    ),
    "column twice": (
        {"roads": pd.concat([TABLES["roads"], TABLES["roads"][["steps"]]], axis=1)},
        "roads.steps: comes more than once",
    ),
    "optional column twice": (
        {"lines": pd.concat([TABLES["lines"], TABLES["lines"][["r_ohm"]]], axis=1)},
        "lines.r_ohm: comes more than once",
    ),
    "hours twice": (
        {"prices": pd.concat([TABLES["prices"], TABLES["prices"][["step"]]], axis=1)},
        "prices.step: comes more than once",
    ),
    "optional column in capitals": (
        {"lines": TABLES["lines"].rename(columns={"limit_kw": "limit_kW"})},
        "limit_kW: is no column of lines, 'limit_kw' is",
    ),
    "optional column with words in another order": (
        {"grid_profile": TABLES["grid_profile"].assign(half_pv_kw=1.0)},
        "half_pv_kw: is no column of grid_profile, 'pv_half_kw' is",
    ),
    "optional column nearly right": (
        {"stations": TABLES["stations"].assign(place=3)},
        "place: is no column of stations, 'places' is",
    ),
    "one way in one word": (
        {"roads": TABLES["roads"].assign(oneway=True)},
        "oneway: is no column of roads, 'one_way' is",
    ),
    "resistance missing": (
        {"lines": TABLES["lines"].assign(r_ohm=[0.5, np.nan, 0.5])},
        r"lines.r_ohm: must not be missing; without the column it is 0.*mf",
    ),
    "reactance missing": (
        {"lines": TABLES["lines"].assign(x_ohm=[0.5, np.nan, 0.5])},
        "lines.x_ohm: must not be missing",
    ),
    "PV missing": (
        {"grid_profile": TABLES["grid_profile"].assign(pv_kw=np.nan)},
        "grid_profile.pv_kw: must not be missing",
    ),
    "wind missing": (
        {"grid_profile": TABLES["grid_profile"].assign(wind_kw=np.nan)},
        "grid_profile.wind_kw: must not be missing",
    ),
    "times without an offset": (
        {
            "prices": TABLES["prices"]
            .drop(columns="step")
            .assign(time=pd.date_range("2025-06-02", periods=14, freq="h"))
        },
        "prices.time: has no UTC offset",
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
        ({"fleet.levels_kw": [7, np.inf]}, "must hold finite numbers"),
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
    more = pd.concat([TABLES["lines"], lines("mh m h 25")]).fillna(
        {"r_ohm": 0.5, "x_ohm": 0.4}
    )
    case = town(lines=more, grid_profile=profile)
    with pytest.raises(
        DataError, match="exceeded by load, PV and wind alone"
    ) as caught:
        tariffs.solve_operator(case, 1.0)
    assert caught.value.faults["ids"][0] == ("mh",)


def test_a_hint_names_no_column_that_has_another_meaning():
    with pytest.raises(DataError) as caught:
        town(roads=TABLES["roads"].drop(columns="from_node"))
    (rule,) = caught.value.faults["rule"]
    assert "missing; it has to_node, capacity_ev, steps" in rule
    with pytest.raises(DataError, match="the nearest there is 'from_nod'"):
        town(roads=TABLES["roads"].rename(columns={"from_node": "from_nod"}))


def test_columns_that_nothing_reads_are_named():
    case = town(lines=TABLES["lines"].assign(owner="me", year=2020))
    assert case.notes == ["lines: columns not used: owner, year"]
    assert town().notes == []


def test_loads_that_sum_up_to_a_limit_keep_it():
    """0.1 + 0.2 is a little more than 0.3 in binary numbers."""
    more = pd.concat([TABLES["lines"], lines("mh m h 0.3; hi h i -")])
    more = more.fillna({"r_ohm": 0.5, "x_ohm": 0.4})
    extra = TABLES["grid_profile"].iloc[:14].assign(pv_kw=0.0, wind_kw=0.0)
    parts = [extra.assign(node_id=n, load_kw=kw) for n, kw in (("h", 0.1), ("i", 0.2))]
    profile = pd.concat([TABLES["grid_profile"], *parts])
    case = town(lines=more, grid_profile=profile)
    assert tariffs.solve_operator(case, 0.0).status == "solved"
    wrong = case.changed(grid_profile=profile.replace({"load_kw": {0.2: 0.2001}}))
    with pytest.raises(DataError, match="by up to 0.0001 kW"):
        tariffs.solve_operator(wrong, 0.0)


def test_names_of_arcs_that_would_be_alike():
    """A-B to F and A to B-F are two roads, also where their capacities are shared."""

    def renamed(frame):
        return frame.replace({"A": "A-B", "B": "F", "F": "A", "G": "B-F"})

    names = ("roads", "trips", "paths", "stations")
    tables = {n: renamed(TABLES[n].astype(object)) for n in names}
    case = town({"transport.directions_share_capacity": True}, **tables)
    assert len(set(case.roads.names)) == len(case.roads.names)
    plan = tariffs.solve_operator(case)
    answer = tariffs.solve_aggregators(case, plan)
    assert plan.status == answer.status == "solved"
    plain = town({"transport.directions_share_capacity": True})
    assert plan.cost == pytest.approx(tariffs.solve_operator(plain).cost, rel=1e-9)
    assert list(town().roads.names[:2]) == ["A-F", "F-B"]


def test_a_grid_of_one_node():
    alone = frame("line_id from_node to_node; a b c").iloc[:0]
    case = town(
        {"grid.substation": "sub"},
        lines=alone,
        grid_nodes=pd.DataFrame({"node_id": ["sub"]}),
        grid_profile=None,
        stations=frame("station_id grid_node; F sub; G sub"),
    )
    assert tariffs.solve_operator(case).status == "solved"


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


@pytest.fixture(scope="module")
def plan():
    return tariffs.solve_operator(town())


def odd(value) -> Any:
    """A value of a kind that a type checker would not let through."""
    return value


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: town().changed(odd(5)), "changes must be values by key, not 5"),
        (lambda p: tariffs.Case.read(odd(5)), "path must be that of a TOML file"),
        (
            lambda p: tariffs.Case.from_frames(odd("a")),
            "must be values by key, not 'a'",
        ),
        (lambda p: tariffs.solve_aggregators(odd("x"), p), "case must be a Case"),
        (
            lambda p: tariffs.solve_aggregators(town(), odd(None)),
            "operator must be what",
        ),
        (
            lambda p: tariffs.equivalence(town(), p, odd(None)),
            "aggregators must be what",
        ),
        (
            lambda p: tariffs.equivalence(town(), odd(None), odd(None)),
            "operator must be what",
        ),
        (lambda p: tariffs.sample_violations(town(), "x"), "plan must be an Operator"),
        (lambda p: tariffs.evaluate(town(), p, odd([1])), "scenarios must be a pandas"),
        (
            lambda p: tariffs.posted_prices(town(), p, odd(None), {}),
            "scenario must be a macjax.Scenario",
        ),
    ],
)
def test_wrong_kinds(plan, call, words):
    with pytest.raises(SettingsError, match=words):
        call(plan)


@pytest.mark.parametrize("seed", ["a", None, 1.5, 2**70, -1, True])
def test_wrong_seed(plan, seed):
    with pytest.raises(SettingsError, match="seed must be a whole number"):
        tariffs.sample_violations(town(), plan, 10, seed)
    with pytest.raises(SettingsError, match="seed must be a whole number"):
        tariffs.evaluate(town(), plan, pd.DataFrame({"gamma": [0]}), seed)


POWERS = {
    "station": (lambda f: f.assign(station="Q"), r"powers.station.*no station.*Q"),
    "step": (
        lambda f: f.assign(time=f["time"] + pd.Timedelta("1min")),
        r"powers.time: must be the start of a step",
    ),
    "last": (
        lambda f: f.assign(time=f["time"] + pd.Timedelta("1h")),
        r"must be the start of a step.*\[4 rows\]: 2025-06-02 13",
    ),
    "naive": (
        lambda f: f.assign(time=f["time"].dt.tz_localize(None)),
        "powers.time: has no UTC offset",
    ),
    "missing": (lambda f: f.drop(columns="kw"), "powers.kw: the column is missing"),
    "text": (lambda f: f.assign(kw="much"), "powers.kw: must be finite numbers.*much"),
    "nothing": (lambda f: f.assign(kw=np.nan), "powers.kw: must be finite numbers"),
    "twice": (
        lambda f: pd.concat([f, f[["kw"]]], axis=1),
        "powers.kw: comes more than once",
    ),
}


@pytest.mark.parametrize("name", POWERS)
def test_wrong_powers(plan, name):
    change, words = POWERS[name]
    frame = change(plan.powers)
    with pytest.raises(DataError, match=words):
        tariffs.sample_violations(town(), frame, 10)
    with pytest.raises(DataError, match=words):
        tariffs.evaluate(town(), frame, pd.DataFrame({"gamma": [0]}))


OTHERS = {
    "longer": lambda: town(
        {"steps": 20},
        prices=pd.DataFrame({"hour": np.arange(24), "price": 0.1}),
        grid_profile=None,
    ),
    "other day": lambda: town({"start": "2025-06-03T00:00:00+02:00"}),
    "one station": lambda: town(
        stations=TABLES["stations"].iloc[:1],
        roads=roads("A F 9 1; F B 9 1"),
        paths=TABLES["paths"].query("path_id in (1, 3)"),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_plans_of_another_case(plan, name):
    other = OTHERS[name]()
    theirs = tariffs.solve_operator(other)
    answer = tariffs.solve_aggregators(other, theirs)
    for case, given in ((town(), theirs), (other, plan)):
        with pytest.raises(DataError, match="the plan does not fit the case"):
            tariffs.solve_aggregators(case, given)
        if name == "one station" and case is not other:
            continue  # powers at some of the stations fit
        with pytest.raises(DataError, match="the plan does not fit the case"):
            tariffs.sample_violations(case, given, 10)
    with pytest.raises(DataError, match="the plan does not fit the case"):
        tariffs.equivalence(town(), plan, answer)


def test_case_is_required():
    with pytest.raises(SettingsError, match="case must be a Case"):
        tariffs.solve_operator(TOWN)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="did you mean 'direct'"):
        tariffs.solve_operator(town(), method="directly")
    assert limits(sm=3)["limit_kw"].notna().sum() == 1
