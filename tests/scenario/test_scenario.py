"""The `Scenario` object: its clock, clipping, notes, subsets, and that it stays put."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenario_tables import START, TABLE_NAMES, at, good, hourly

from macjax._errors import DataError, SettingsError
from macjax.scenario import Scenario, schema_page
from macjax.scenario.validate import check


def test_the_clock_of_the_horizon():
    arguments = good(slot_minutes=15, slots=4, start=START, feeder_profile=hourly())
    scenario = Scenario.from_frames(**arguments)
    assert scenario.slot_hours == 0.25
    assert scenario.start == at(0) and scenario.end == at(1)
    assert str(scenario.start.tz) == "Europe/Zurich"
    quarters = [at(0), at(0.25), at(0.5), at(0.75)]
    assert scenario.slot_starts.tolist() == quarters
    assert scenario.slot_edges.tolist() == [*quarters, at(1)]
    assert str(scenario.slot_edges.tz) == "UTC"
    assert repr(scenario) == (
        "Scenario('three cars': 3 vehicles, 5 stays, 2 trips, 2 feeders, 4 slots of "
        "15 min from 2026-03-02T00:00:00+01:00)"
    )


@pytest.mark.parametrize(
    "start",
    [
        START,
        at(0),
        at(0).tz_convert("Asia/Tokyo").to_pydatetime(),
        "2026-03-01T23:00Z",
        "2026-03-01 23:00:00.000000000+00:00",
    ],
)
def test_start_in_any_form_is_the_same_instant(start):
    scenario = Scenario.from_frames(**good(start=start))
    assert scenario.start == at(0)
    assert scenario.fingerprint == Scenario.from_frames(**good()).fingerprint


def test_case_17_stays_are_clipped_and_counted():
    arguments = good()
    more = [(-5, -3), (-2, 0), (24, 25), (23.5, 24.5), (-1, 0.25)]
    vehicles = pd.concat([arguments["vehicles"][:1]] * 6, ignore_index=True)
    arguments["vehicles"] = vehicles.assign(vehicle_id=[f"w{i}" for i in range(6)])
    arguments["stays"] = pd.DataFrame(
        {
            "vehicle_id": [f"w{i}" for i in range(1, 6)],
            "arrival": [at(begin) for begin, _ in more],
            "departure": [at(end) for _, end in more],
            "charger_kw": [1.0, 2.0, 3.0, 4.0, 5.0],
            "feeder_id": ["F1", "F2", "F1", "F2", None],
        }
    )
    arguments["trips"] = arguments["trips"][:0]
    scenario = Scenario.from_frames(**arguments)
    windows = scenario.stay_windows()
    assert windows.row.tolist() == [3, 4]
    assert windows.vehicle.tolist() == [4, 5]
    assert windows.feeder.tolist() == [1, -1]
    assert windows.begin_h.tolist() == [23.5, 0.0]
    assert windows.end_h.tolist() == [24.0, 0.25]
    assert windows.charger_kw.tolist() == [4.0, 5.0]
    assert [a.dtype for a in windows[:4]] == [np.int64, np.int32, np.int32, float]
    assert len(scenario.stays) == 5
    assert scenario.notes == [
        "stays: 2 rows reach beyond the horizon and are clipped to it",
        "stays: 3 rows lie outside the horizon and are left out",
    ]


def test_case_17_a_trip_counts_iff_it_departs_within_the_horizon():
    arguments = good()
    vehicles = pd.concat([arguments["vehicles"][:1]] * 5, ignore_index=True)
    arguments["vehicles"] = vehicles.assign(vehicle_id=[f"w{i}" for i in range(5)])
    hours = [(-1, 0.5), (0, 1), (23, 26), (24, 25), (-2, -1)]
    arguments["stays"] = arguments["stays"][:0]
    arguments["trips"] = pd.DataFrame(
        {
            "vehicle_id": [f"w{i}" for i in range(5)],
            "departure": [at(depart) for depart, _ in hours],
            "arrival": [at(arrive) for _, arrive in hours],
            "energy_kwh": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    scenario = Scenario.from_frames(**arguments)
    events = scenario.trip_events()
    assert events.row.tolist() == [1, 2] and events.vehicle.tolist() == [1, 2]
    assert events.depart_h.tolist() == [0.0, 23.0]
    assert events.arrive_h.tolist() == [1.0, 24.0]
    assert events.energy_kwh.tolist() == [2.0, 3.0]
    assert scenario.notes == [
        "trips: 3 rows depart outside the horizon and are left out",
        "trips: 1 row arrive after the horizon and count in full",
    ]


@given(st.lists(st.tuples(st.integers(-50, 80), st.integers(1, 40)), max_size=6))
def test_windows_against_an_obvious_loop(pairs):
    arguments = good()
    vehicles = pd.concat([arguments["vehicles"][:1]] * 7, ignore_index=True)
    arguments["vehicles"] = vehicles.assign(vehicle_id=range(7))
    arguments["trips"] = arguments["trips"][:0]
    columns = ["vehicle_id", "arrival", "departure"]
    rows = [
        (k, at(begin / 3), at((begin + length) / 3))
        for k, (begin, length) in enumerate(pairs)
    ]
    arguments["stays"] = pd.DataFrame(rows, columns=columns)
    windows = Scenario.from_frames(**arguments).stay_windows()
    wanted = [
        (k, max(0.0, begin / 3), min(24.0, (begin + length) / 3))
        for k, (begin, length) in enumerate(pairs)
        if begin + length > 0 and begin < 72
    ]
    found = zip(windows.row, windows.begin_h, windows.end_h, strict=True)
    np.testing.assert_allclose(list(found), wanted, atol=1e-9)


def test_rows_of_the_profile_outside_the_horizon_are_counted():
    scenario = Scenario.from_frames(**good(slots=20))
    assert "feeder_profile: 8 rows outside the horizon are not used" in scenario.notes
    assert scenario.capacity_base()[1].shape == (2, 20)


def test_vehicle_to_grid_is_asked_for_or_switched_off():
    arguments = good()
    arguments["stays"].loc[1, "discharge_kw"] = 5.0
    for flag in (None, True):
        with pytest.raises(DataError, match="discharge_kw.*does not serve yet"):
            Scenario.from_frames(**arguments, vehicle_to_grid=flag)
    scenario = Scenario.from_frames(**arguments, vehicle_to_grid=False)
    assert scenario.vehicle_to_grid is False
    assert scenario.notes[-1] == (
        "stays: discharge_kw > 0 in 1 rows is not used (vehicle_to_grid=False)"
    )
    assert scenario.stays["discharge_kw"][1] == 5.0
    assert scenario.validate() is None
    with pytest.raises(DataError) as caught:
        scenario.validate(vehicle_to_grid=True)
    assert caught.value.faults["ids"].tolist() == [("v1",)]
    plain = Scenario.from_frames(**good())
    assert plain.validate() is plain.validate(vehicle_to_grid=True) is None


def test_reading_needs_the_flag_again(tmp_path):
    arguments = good()
    arguments["stays"].loc[1, "discharge_kw"] = 5.0
    Scenario.from_frames(**arguments, vehicle_to_grid=False).write(tmp_path / "s")
    with pytest.raises(DataError, match="discharge_kw"):
        Scenario.read(tmp_path / "s")
    assert Scenario.read(tmp_path / "s", vehicle_to_grid=False).stays.shape == (5, 7)


def test_a_flag_that_is_no_flag():
    with pytest.raises(SettingsError, match="'no'"):
        Scenario.from_frames(**good(), vehicle_to_grid="no")


def test_parents_are_announced_as_ignored(tmp_path):
    arguments = good()
    arguments["feeders"]["parent_id"] = ["F2", None]
    with pytest.warns(UserWarning, match="ignored as limits") as warned:
        scenario = Scenario.from_frames(**arguments)
    assert len(warned) == 1 and warned[0].filename == __file__
    assert sum("ignored as limits" in note for note in scenario.notes) == 1
    scenario.write(tmp_path / "s")
    with pytest.warns(UserWarning, match="ignored as limits"):
        assert Scenario.read(tmp_path / "s").feeders["parent_id"][0] == "F2"


def test_a_long_chain_of_parents_is_no_cycle():
    count = 300
    ids = [f"F{k}" for k in range(1, count + 1)]
    feeders = pd.DataFrame({"feeder_id": ids, "parent_id": [None, *ids[:-1]]})
    profile = hourly()[:24]
    parts = [profile.assign(feeder_id=name) for name in ids]
    arguments = good(feeders=feeders, feeder_profile=pd.concat(parts))
    with pytest.warns(UserWarning):
        assert len(Scenario.from_frames(**arguments).feeders) == count
    arguments["feeders"].loc[0, "parent_id"] = "F300"
    with pytest.raises(DataError, match=r"cycle.* \[300 rows\]"):
        Scenario.from_frames(**arguments)
    arguments["feeders"].loc[0, "parent_id"] = "F3"
    with pytest.raises(DataError) as caught:
        Scenario.from_frames(**arguments)
    assert caught.value.faults["ids"][0] == ("F1", "F2", "F3")


def test_nothing_can_be_changed():
    scenario = Scenario.from_frames(**good())
    mark = Scenario.from_frames(**good()).fingerprint
    with pytest.raises(AttributeError, match="cannot be changed"):
        scenario.slots = 5
    with pytest.raises(AttributeError):
        scenario.stays = scenario.stays[:1]
    with pytest.raises(AttributeError):
        del scenario.slots
    stays = scenario.stays
    stays.loc[0, "charger_kw"] = 99.0
    stays.loc[0, "vehicle_id"] = "v3"
    stays["extra"] = 1
    scenario.notes.append("x")
    assert scenario.stays.columns.tolist() == good()["stays"].columns.tolist()
    assert scenario.notes == Scenario.from_frames(**good()).notes
    assert scenario.fingerprint == mark
    for array in (*scenario.stay_windows(), *scenario.capacity_base()):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    assert scenario.stay_windows() is scenario.stay_windows()
    assert pickle.loads(pickle.dumps(scenario)).fingerprint == mark


def test_other_tables_on_the_same_horizon():
    """What is not given stays, and what is given is checked."""
    scenario = Scenario.from_frames(**good(currency="EUR"))
    assert scenario.with_tables().fingerprint == scenario.fingerprint
    stays = scenario.stays.assign(charger_kw=1.5)
    slower = scenario.with_tables(name="slower", stays=stays)
    assert slower.fingerprint != scenario.fingerprint
    assert (slower.name, slower.currency) == ("slower", "EUR")
    assert (slower.stays["charger_kw"] == 1.5).all()
    pd.testing.assert_frame_equal(slower.vehicles, scenario.vehicles)
    with pytest.raises(DataError, match="charger_kw"):
        scenario.with_tables(stays=stays.assign(charger_kw=-1.0))


def test_the_fingerprint_tells_scenarios_apart():
    marks = {Scenario.from_frames(**good()).fingerprint}
    assert len(next(iter(marks))) == 64
    others = [good(name="x"), good(slots=23), good(currency="EUR")]
    for table, column, row, value in [
        ("vehicles", "weight", 0, 1.5),
        ("stays", "place", 0, "hom"),
        ("stays", "feeder_id", 3, "F2"),
        ("stays", "departure", 4, at(23)),
        ("trips", "distance_km", 1, 0.0),
        ("feeder_profile", "base_kw", 47, 80.5),
    ]:
        arguments = good()
        arguments[table].loc[row, column] = value
        others.append(arguments)
    shifted = good()
    # The same letters cut in another place.
    shifted["stays"]["place"] = ["hom", "ework", "home", None, "home"]
    others.append(shifted)
    marks |= {Scenario.from_frames(**arguments).fingerprint for arguments in others}
    assert len(marks) == 1 + len(others)


def test_extra_columns_do_not_count_in_the_fingerprint():
    arguments = good()
    arguments["stays"]["foo"] = [[1], [2], [3], [4], [5]]
    scenario = Scenario.from_frames(**arguments)
    assert scenario.fingerprint == Scenario.from_frames(**good()).fingerprint


def assert_consistent(scenario: Scenario) -> None:
    """A subset equals the scenario made from its own frames."""
    frames = {name: getattr(scenario, name) for name in TABLE_NAMES}
    again = Scenario.from_frames(**good(**frames))
    assert again.fingerprint == scenario.fingerprint
    for one, other in zip(again.stay_windows(), scenario.stay_windows(), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(again.trip_events(), scenario.trip_events(), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(again.capacity_base(), scenario.capacity_base(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_subset_of_vehicles():
    part = Scenario.from_frames(**good()).subset(vehicles=["v3", "v1", "v1"])
    assert part.vehicles["vehicle_id"].tolist() == ["v1", "v3"]
    assert part.stays["vehicle_id"].tolist() == ["v1", "v1", "v3", "v1"]
    assert part.feeders["feeder_id"].tolist() == ["F1", "F2"]
    assert part.stays["feeder_id"].tolist()[:2] == ["F1", "F2"]
    assert_consistent(part)
    assert part.subset(vehicles="v3").vehicles["vehicle_id"].tolist() == ["v3"]


def test_subset_of_feeders_frees_the_other_chargers_of_their_vehicles():
    whole = Scenario.from_frames(**good())
    part = whole.subset(feeders=["F2"])
    assert part.vehicles["vehicle_id"].tolist() == ["v1"]
    assert part.stays["feeder_id"].isna().tolist() == [True, False, True]
    assert part.stays["charger_kw"].tolist() == [7.4, 11.0, 0.0]
    assert part.trips["vehicle_id"].tolist() == ["v1", "v1"]
    assert part.feeder_profile["feeder_id"].unique().tolist() == ["F2"]
    np.testing.assert_array_equal(part.capacity_base()[1], whole.capacity_base()[1][1:])
    assert "subset: 1 stays charge on feeders that were not kept" in part.notes[-1]
    assert_consistent(part)


def test_subset_counts_only_stays_with_a_charger():
    arguments = good()
    arguments["stays"]["charger_kw"] = [0.0, 11.0, 3.7, 7.4, 0.0]
    part = Scenario.from_frames(**arguments).subset(feeders="F1")
    assert part.vehicles["vehicle_id"].tolist() == ["v2"]


def test_subset_of_both_and_of_hourly_profiles():
    whole = Scenario.from_frames(**good(feeder_profile=hourly()))
    part = whole.subset(feeders=["F1"], vehicles=["v2", "v3"])
    assert part.vehicles["vehicle_id"].tolist() == ["v2"]
    np.testing.assert_array_equal(part.capacity_base()[1][0], np.arange(24.0))
    assert_consistent(part)
    nobody = whole.subset(feeders=["F2"], vehicles=["v2"])
    assert len(nobody.vehicles) == len(nobody.stays) == 0
    assert_consistent(nobody)


@pytest.mark.filterwarnings("ignore:.*parent_id")
def test_subset_of_feeders_drops_parents_that_are_not_kept():
    arguments = good()
    arguments["feeders"]["parent_id"] = ["F2", None]
    whole = Scenario.from_frames(**arguments)
    part = whole.subset(feeders=["F1"])
    assert part.feeders["parent_id"].isna().all()
    assert part.notes[-1] == "subset: 1 feeders lost a parent that was not kept"
    assert whole.subset(feeders=["F1", "F2"]).feeders["parent_id"][0] == "F2"


def test_subset_names_unknown_ids_of_both_kinds():
    scenario = Scenario.from_frames(**good())
    with pytest.raises(DataError) as caught:
        scenario.subset(feeders=["F1", "F9", 3], vehicles=["v1", None, "V1"])
    faults = caught.value.faults
    assert faults["table"].tolist() == ["feeders", "vehicles"]
    assert faults["ids"].tolist() == [("F9", 3), (None, "V1")]
    assert faults["count"].tolist() == [2, 2]
    assert "'v1', 'v2', 'v3'" in str(caught.value)


def test_subset_by_integer_ids():
    arguments = good()
    for table in TABLE_NAMES:
        if "vehicle_id" in arguments[table]:
            ids = arguments[table]["vehicle_id"].str[1:].astype(int)
            arguments[table] = arguments[table].assign(vehicle_id=ids)
    scenario = Scenario.from_frames(**arguments)
    part = scenario.subset(vehicles=np.array([3, 2]))
    assert part.vehicles["vehicle_id"].tolist() == [2, 3]
    with pytest.raises(DataError, match="2"):
        scenario.subset(vehicles=["2"])


def test_the_page_names_every_table_column_and_default():
    page = schema_page()
    for table in TABLE_NAMES:
        assert f"## {table}" in page
        for column in good()[table].columns:
            assert f"| `{column}` |" in page
    assert "| `charge_efficiency` | number | greater than 0 and at most 1 |" in page
    assert "| `final_kwh` |" in page and "| initial_kwh |" in page
    assert "| `currency` | for reports | USD |" in page


@pytest.mark.parametrize(
    ("change", "fault", "said"),
    [
        ({"slots": 10_000_001}, "slots", "1 to 10,000,000"),
        ({"slot_minutes": 7}, "slot_minutes", "a whole number that divides 1440"),
        ({"start": "9999-01-01T00:00Z"}, "start, slots", "the years 2 to 9990"),
        ({"slot_length": 60}, "slot_length", "Other keys are faults"),
        ({"parent_id": ["F1", None]}, "parent_id", "is fed through, never itself"),
        ({"colour": [1, "red"]}, "colour", "or that Parquet cannot hold, is a fault"),
    ],
)
def test_the_page_says_what_else_is_refused(change, fault, said):
    assert said in " ".join(schema_page().split())
    given = good()
    if isinstance(*change.values(), list):
        given["feeders"] = given["feeders"].assign(**change)
        change = {}
    tables = {name: given.pop(name) for name in TABLE_NAMES}
    with pytest.raises(DataError) as raised:
        check(given | change, tables)
    assert raised.value.faults["column"].tolist() == [fault]
