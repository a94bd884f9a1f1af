"""Each way in which tables can be wrong: one row, one fault that says what to mend.

The numbers are those of the list of bad inputs in the reliability contract.
"""

import re

import numpy as np
import pandas as pd
import pytest
from bad_tables import CASES, cell, rows, stay
from scenario_tables import SLOTS, TABLE_NAMES, at, good

from macjax._errors import DataError
from macjax.scenario import Scenario
from macjax.scenario.schema import TABLES


def report(arguments: dict) -> DataError:
    with pytest.raises(DataError) as caught:
        Scenario.from_frames(**arguments)
    return caught.value


@pytest.mark.parametrize(
    ("change", "fault"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_one_fault_says_what_to_mend(change, fault):
    arguments = good()
    change(arguments)
    error = report(arguments)
    table, columns, words, count, ids = fault
    found = error.faults
    mine = found[(found["table"] == table) & (found["column"] == columns)]
    mine = mine[[bool(re.search(words, rule)) for rule in mine["rule"]]]
    assert len(mine) == 1, str(error)
    row = mine.iloc[0]
    assert row["count"] == count
    if ids is not None:
        assert tuple(row["ids"]) == ids
    assert f"{table}.{columns}: " in str(error)


ALONE = {"1 index", "29 17 minutes", "12 null feeder"}


@pytest.mark.parametrize(
    "change",
    [c[1] for c in CASES if c[0] not in ALONE],
    ids=[c[0] for c in CASES if c[0] not in ALONE],
)
def test_a_single_mistake_gives_few_faults(change):
    """A report that buries the mistake under its consequences helps nobody."""
    arguments = good()
    change(arguments)
    assert len(report(arguments).faults) <= 2


REQUIRED = [
    (table.name, c.name)
    for table in TABLES.values()
    for c in table.columns
    if c.required
]


@pytest.mark.parametrize(("table", "name"), REQUIRED)
def test_case_1_each_required_column_missing(table, name):
    arguments = good()
    arguments[table] = arguments[table].drop(columns=name)
    faults = report(arguments).faults
    mine = faults[(faults["table"] == table) & (faults["column"] == name)]
    assert len(mine) == 1
    assert "missing" in mine.iloc[0]["rule"]


NUMBERS = [
    (table.name, c)
    for table in TABLES.values()
    for c in table.columns
    if c.kind == "number"
]
SPOILED = [np.nan, None, np.inf, -np.inf]


@pytest.mark.parametrize("value", SPOILED, ids=["nan", "null", "inf", "-inf"])
@pytest.mark.parametrize(
    ("table", "schema"), NUMBERS, ids=[f"{t}.{c.name}" for t, c in NUMBERS]
)
def test_case_4_each_number_spoiled(table, schema, value):
    arguments = good()
    frame = arguments[table]
    values = pd.Series(frame[schema.name].tolist(), dtype=object)
    values[1] = value
    arguments[table] = frame.assign(**{schema.name: values})
    missing = value is None or np.isnan(value)
    if missing and (schema.null or schema.null_is_default):
        kept = getattr(Scenario.from_frames(**arguments), table)[schema.name][1]
        assert np.isnan(kept) if schema.null else kept == schema.default
        return
    faults = report(arguments).faults
    assert faults[["table", "column"]].values.tolist() == [[table, schema.name]]
    named = frame.iloc[1, 0]
    assert faults["ids"][0] == (named,)
    assert faults["count"][0] == 1


NOT_NEGATIVE = [
    (table, c)
    for table, c in NUMBERS
    if c.low == 0 and not (c.low_open or c.default == 0.92)
]


@pytest.mark.parametrize(
    ("table", "schema"), NOT_NEGATIVE, ids=lambda x: getattr(x, "name", x)
)
def test_case_23_negative(table, schema):
    arguments = good()
    frame = arguments[table]
    values = frame[schema.name].tolist()
    values[1] = -0.5
    arguments[table] = frame.assign(**{schema.name: values})
    faults = report(arguments).faults
    assert faults[["table", "column"]].values.tolist() == [[table, schema.name]]
    assert "at least 0" in faults["rule"][0] and "-0.5" in faults["rule"][0]


@pytest.mark.parametrize("name", ["base_kw", "capacity_kw"])
def test_case_23_negative_profiles_are_right(name):
    arguments = good()
    arguments["feeder_profile"][name] = -7.0
    scenario = Scenario.from_frames(**arguments)
    assert scenario.capacity_base()[name == "base_kw"].max() == -7.0


def test_all_faults_of_all_tables_in_one_report():
    arguments = good(slot_minutes=17, timezone="Mars/Base")
    for table, name, row, value in [
        ("vehicles", "battery_kwh", 0, -1.0),
        ("vehicles", "weight", 1, np.nan),
        ("stays", "charger_kw", 2, -3.0),
        ("stays", "vehicle_id", 4, "nobody"),
        ("trips", "energy_kwh", 0, np.inf),
        ("feeders", "upgrade_cost_per_kw", 0, -1.0),
        ("feeder_profile", "base_kw", 7, np.nan),
    ]:
        cell(table, name, row, value)(arguments)
    error = report(arguments)
    pairs = set(zip(error.faults["table"], error.faults["column"], strict=True))
    assert pairs >= {
        ("scenario.toml", "slot_minutes"),
        ("scenario.toml", "timezone"),
        ("vehicles", "battery_kwh"),
        ("vehicles", "weight"),
        ("stays", "charger_kw"),
        ("stays", "vehicle_id"),
        ("trips", "energy_kwh"),
        ("feeders", "upgrade_cost_per_kw"),
        ("feeder_profile", "base_kw"),
    }
    assert list(error.faults.columns) == ["table", "column", "rule", "count", "ids"]
    assert all(f"{table}.{column}" in str(error) for table, column in pairs)


def test_overlaps_are_found_among_stays_of_unknown_vehicles():
    arguments = good()
    arguments["stays"]["vehicle_id"] = ["x", "x", "x", "y", "x"]
    rules = report(arguments).faults["rule"].tolist()
    assert any("overlap" in rule and "'x'" in rule for rule in rules)


def test_only_the_first_ten_ids_are_listed_and_all_are_counted():
    arguments = good()
    count = 25
    frame = pd.concat([arguments["vehicles"][:1]] * count, ignore_index=True)
    frame["vehicle_id"] = [f"v{i}" for i in range(count)]
    frame["battery_kwh"] = -1.0
    faults = report(good(vehicles=frame)).faults
    row = faults[faults["column"] == "battery_kwh"].iloc[0]
    assert row["count"] == count
    assert row["ids"] == tuple(f"v{i}" for i in range(10))


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_case_2_extra_columns_are_kept_and_named_once(table):
    arguments = good()
    arguments[table]["foo"] = range(len(arguments[table]))
    scenario = Scenario.from_frames(**arguments)
    kept = getattr(scenario, table)["foo"]
    assert kept.tolist() == arguments[table]["foo"].tolist()
    assert [n for n in scenario.notes if "foo" in n] == [
        f"{table}: columns kept, not used: foo"
    ]


def test_case_9_a_feeder_twice_is_one_fault_and_lacks_no_profile():
    arguments = good()
    rows("feeders", [0, 1, 0])(arguments)
    (fault,) = report(arguments).fault_list
    assert (fault.table, fault.column, fault.count) == ("feeders", "feeder_id", 2)


UNSTORABLE = {
    "mixed": pd.Series([1, "a", 2.0], dtype=object),
    "objects": pd.Series([object()] * 3),
    "complex": pd.Series([1j, 2j, 3j]),
    "structs without fields": pd.Series([{}] * 3),
    "half a surrogate pair": pd.Series(["\ud800", "b", "c"], dtype=object),
    "too large": pd.Series([2**70, 1, 2], dtype=object),
}


@pytest.mark.parametrize("values", UNSTORABLE.values(), ids=UNSTORABLE.keys())
def test_case_2_extra_columns_that_parquet_cannot_hold(values):
    arguments = good()
    arguments["vehicles"]["foo"] = values
    (fault,) = report(arguments).fault_list
    assert (fault.table, fault.column, fault.count) == ("vehicles", "foo", 3)
    assert "Parquet cannot hold it" in fault.rule


def test_case_2_columns_that_files_cannot_tell_apart():
    arguments = good()
    arguments["trips"] = arguments["trips"].assign(**{"5": 1}).assign(foo=2)
    arguments["trips"].columns = [*arguments["trips"].columns[:-1], 5]
    (fault,) = report(arguments).fault_list
    assert (fault.table, fault.column) == ("trips", "5")
    assert "more than once" in fault.rule


@pytest.mark.parametrize("frame", [None, 5, "trips.csv", [1, 2]])
def test_tables_that_are_no_frames(frame):
    (fault,) = report(good(trips=frame)).fault_list
    assert (fault.table, fault.column) == ("trips", "table")
    assert f"must be a pandas DataFrame; got {type(frame).__name__}".replace(
        "NoneType", "None"
    ) == str(fault.rule)


def test_case_2_a_misspelled_optional_column_is_pointed_out():
    arguments = good()
    arguments["vehicles"] = arguments["vehicles"].rename(columns={"weight": "wieght"})
    assert "is weight meant?" in Scenario.from_frames(**arguments).notes[0]


@pytest.mark.parametrize("name", ["Weight", " weight", "WEIGHT"])
def test_case_1_an_optional_column_in_another_spelling_is_a_fault(name):
    """It would be left out of account, and every vehicle count once."""
    arguments = good()
    arguments["vehicles"] = arguments["vehicles"].rename(columns={"weight": name})
    (fault,) = report(arguments).fault_list
    assert (fault.table, fault.column) == ("vehicles", name)
    assert "'weight' is: rename it" in fault.rule


def test_a_column_of_ones_own_beside_the_known_one_is_kept():
    """Nothing is left out of account, so any name will do."""
    arguments = good()
    arguments["vehicles"]["Weight"] = 7.0
    assert "Weight" in Scenario.from_frames(**arguments).vehicles


@pytest.mark.parametrize("dtype", [None, object])
def test_case_6_tables_without_rows(dtype):
    arguments = good()
    for table in ("vehicles", "stays", "trips"):
        arguments[table] = arguments[table][:0].astype(dtype or object)
    if dtype is None:
        arguments["trips"] = good()["trips"][:0]
    scenario = Scenario.from_frames(**arguments)
    assert len(scenario.stay_windows().row) == len(scenario.trip_events().row) == 0
    assert scenario.capacity_base()[0].shape == (2, SLOTS)


def test_case_6_no_row_in_any_table():
    arguments = good()
    for table in TABLE_NAMES:
        arguments[table] = pd.DataFrame(columns=arguments[table].columns)
    scenario = Scenario.from_frames(**arguments)
    assert scenario.capacity_base()[0].shape == (0, SLOTS)
    assert scenario.stays["arrival"].dtype == "datetime64[us, UTC]"


def test_case_11_a_feeder_without_stays_is_right():
    arguments = good()
    arguments["stays"]["feeder_id"] = "F1"
    assert len(Scenario.from_frames(**arguments).feeders) == 2


def test_case_15_touching_ends_are_right():
    arguments = good()
    stay(vehicle_id="v2", arrival=at(24), departure=at(25))(arguments)
    assert len(Scenario.from_frames(**arguments).stays) == 6


def test_case_24_no_charger_and_no_energy_are_right():
    arguments = good()
    arguments["stays"]["charger_kw"] = [0.0, None, 0.0, None, 0.0]
    arguments["trips"]["energy_kwh"] = 0.0
    scenario = Scenario.from_frames(**arguments)
    assert scenario.stays["charger_kw"].tolist() == [0.0] * 5


def test_case_21_limits_themselves_are_right():
    arguments = good()
    arguments["stays"].loc[0, "charger_kw"] = 1500.0
    arguments["vehicles"].loc[0, "battery_kwh"] = 1500.0
    Scenario.from_frames(**arguments)


def test_case_21_batteries_in_mwh_are_pointed_out():
    arguments = good()
    for name in ("battery_kwh", "initial_kwh", "reserve_kwh", "final_kwh"):
        arguments["vehicles"][name] /= 1000
    assert any("MWh" in note for note in Scenario.from_frames(**arguments).notes)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_case_34_feeders_of_any_size_are_right(factor):
    arguments = good()
    arguments["feeder_profile"][["capacity_kw", "base_kw"]] *= factor
    arguments["feeders"]["upgrade_cost_per_kw"] = 1e9
    capacity, _ = Scenario.from_frames(**arguments).capacity_base()
    assert capacity.max() == 100.0 * factor


def test_case_29_a_shuffled_profile_is_the_same_profile():
    shuffled = good()["feeder_profile"].sample(frac=1.0, random_state=3)
    ordered = Scenario.from_frames(**good())
    other = Scenario.from_frames(**good(feeder_profile=shuffled))
    np.testing.assert_array_equal(ordered.capacity_base(), other.capacity_base())
