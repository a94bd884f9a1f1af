"""What goes in comes out: files, ids, resolutions, frames that stay untouched."""

import numpy as np
import pandas as pd
import pytest
from scenario_tables import TABLE_NAMES, at, good, hourly

from macjax._errors import DataError, SettingsError
from macjax.scenario import Scenario


def renamed(vehicles: list, feeders: list, dtype=None) -> dict:
    """The small scenario with other ids."""
    arguments = good()
    new = dict(zip(["v1", "v2", "v3"], vehicles, strict=True))
    new |= dict(zip(["F1", "F2"], feeders, strict=True))
    for table in TABLE_NAMES:
        for name in ("vehicle_id", "feeder_id"):
            frame = arguments[table]
            if name in frame:
                ids = [None if pd.isna(i) else new[i] for i in frame[name]]
                arguments[table] = frame.assign(**{name: pd.Series(ids, dtype=dtype)})
    return arguments


def assert_same(one: Scenario, other: Scenario) -> None:
    for table in TABLE_NAMES:
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table))
    for key in ("name", "start", "timezone", "slot_minutes", "slots", "currency"):
        assert getattr(one, key) == getattr(other, key)
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize("profile", ["time", "hour"])
def test_files_give_the_same_scenario_back(tmp_path, form, profile):
    arguments = good(name='Zürich "West" \\ 1\n\x7f')
    if profile == "hour":
        arguments["feeder_profile"] = hourly()
    scenario = Scenario.from_frames(**arguments)
    scenario.write(tmp_path / "s", format=form)
    assert_same(scenario, Scenario.read(tmp_path / "s"))


IDS = {
    "leading zeros": (["007", "07", "7"], ["0", "00"]),
    "unicode": (["Zürich", "東京", "👍🏽"], ["é", "e\u0301"]),
    "quotes": (['a"b', "a,b", "a\nb"], ["it's", " padded "]),
    "above 2^31": ([2**31, 2**31 + 1, 1], [3 * 10**9, 5]),
    "above 2^53": ([2**53, 2**53 + 1, 2**53 + 2], [2**63 - 1, -(2**63)]),
    "negative": ([-1, 0, 1], [-5, 5]),
    "text and number look": (["1", "2", "x"], ["1.0", "2"]),
    "exponents": (["1e5", "0x10", "nan"], ["None", "NULL"]),
}


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize("vehicles,feeders", IDS.values(), ids=IDS)
def test_case_13_ids_are_kept_exactly(tmp_path, form, vehicles, feeders):
    dtype = "Int64" if isinstance(vehicles[0], int) else None
    arguments = renamed(vehicles, feeders, dtype)
    scenario = Scenario.from_frames(**arguments)
    scenario.write(tmp_path / "s", format=form)
    for one in (scenario, Scenario.read(tmp_path / "s")):
        assert one.vehicles["vehicle_id"].tolist() == vehicles
        assert one.feeders["feeder_id"].tolist() == feeders
        stays = [vehicles[i] for i in (0, 0, 1, 2, 0)]
        assert one.stays["vehicle_id"].tolist() == stays
        assert one.stays["feeder_id"].isna().tolist() == [False] * 3 + [True, False]
        assert one.stays["feeder_id"].dropna().tolist() == [
            feeders[i] for i in (0, 1, 0, 0)
        ]
        assert one.stay_windows().vehicle.tolist() == [0, 0, 1, 2, 0]
        assert one.stay_windows().feeder.tolist() == [0, 1, 0, -1, 0]
    assert_same(scenario, Scenario.read(tmp_path / "s"))


def test_text_ids_that_csv_would_turn_into_numbers_are_not_written_as_csv(tmp_path):
    scenario = Scenario.from_frames(**renamed(["1", "2", "3"], ["a", "b"]))
    with pytest.raises(SettingsError, match="'1'.*write Parquet"):
        scenario.write(tmp_path / "s", format="csv")
    assert list(tmp_path.iterdir()) == []
    scenario.write(tmp_path / "s")
    assert Scenario.read(tmp_path / "s").vehicles["vehicle_id"][0] == "1"


def write_csv(folder, arguments: dict) -> None:
    """The files a user would write with pandas."""
    folder.mkdir()
    keys = ("name", "start", "timezone", "currency")
    text = "".join(f'{key} = "{arguments[key]}"\n' for key in keys)
    numbers = ("slot_minutes", "slots")
    text += "".join(f"{key} = {arguments[key]}\n" for key in numbers)
    (folder / "scenario.toml").write_text(text)
    for table in TABLE_NAMES:
        arguments[table].to_csv(folder / f"{table}.csv", index=False)


def test_csv_ids_follow_the_table_that_owns_them(tmp_path):
    """stays names only 1 and 2, which look like numbers; vehicles also has x."""
    arguments = renamed(["1", "2", "x"], ["7", "8"])
    arguments["stays"] = arguments["stays"][arguments["stays"]["vehicle_id"] != "x"]
    write_csv(tmp_path / "s", arguments)
    scenario = Scenario.read(tmp_path / "s")
    assert scenario.stays["vehicle_id"].tolist() == ["1", "1", "2", "1"]
    assert scenario.feeders["feeder_id"].tolist() == [7, 8]
    assert scenario.stays["feeder_id"].dropna().tolist() == [7, 8, 7, 7]
    assert scenario.feeders["feeder_id"].dtype == "int64"
    assert scenario.stays["feeder_id"].dtype == "Int64"


def test_csv_leading_zero_in_stays_names_no_vehicle_7(tmp_path):
    arguments = renamed(["7", "8", "9"], ["a", "b"])
    arguments["stays"]["vehicle_id"] = ["007", "7", "8", "9", "7"]
    write_csv(tmp_path / "s", arguments)
    with pytest.raises(DataError, match=r"stays.vehicle_id: .*'007'.*'7', '8', '9'"):
        Scenario.read(tmp_path / "s")


def test_csv_of_pandas_floats_for_integers_with_gaps(tmp_path):
    arguments = renamed([1, 2, 3], [7, 8])
    arguments["stays"]["feeder_id"] = [7.0, 8.0, 7.0, np.nan, 7.0]
    write_csv(tmp_path / "s", arguments)
    assert "7.0" in (tmp_path / "s" / "stays.csv").read_text()
    scenario = Scenario.read(tmp_path / "s")
    assert scenario.stays["feeder_id"].dropna().tolist() == [7, 8, 7, 7]


def test_csv_with_a_byte_order_mark_and_spaces_around_numbers(tmp_path):
    arguments = renamed(["a", "b", "c"], ["x", "y"])
    write_csv(tmp_path / "s", arguments)
    path = tmp_path / "s" / "trips.csv"
    text = path.read_text().replace(",5.0,", ", +5.0 ,")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert Scenario.read(tmp_path / "s").trips["energy_kwh"].tolist() == [5.0, 6.5]


def test_csv_decimal_comma_and_semicolons(tmp_path):
    arguments = good()
    write_csv(tmp_path / "s", arguments)
    arguments["trips"].to_csv(
        tmp_path / "s" / "trips.csv", index=False, sep=";", decimal=","
    )
    stays = arguments["stays"].assign(charger_kw=["7,4", "11", "3,7", "7,4", ""])
    stays.to_csv(tmp_path / "s" / "stays.csv", index=False)
    with pytest.raises(DataError) as caught:
        Scenario.read(tmp_path / "s")
    faults = caught.value.faults.set_index("column")
    assert faults.loc["file", "table"] == "trips"
    assert "parted by ';'" in faults.loc["file", "rule"]
    assert "write 7.4" in faults.loc["charger_kw", "rule"]
    assert faults.loc["charger_kw", "count"] == 3


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Zurich", "Asia/Kolkata"])
def test_timestamps_of_any_resolution_and_zone_are_the_same_instants(unit, zone):
    arguments = good()
    for table, names in (
        ("stays", ("arrival", "departure")),
        ("trips", ("arrival", "departure")),
        ("feeder_profile", ("time",)),
    ):
        for name in names:
            stamps = arguments[table][name].dt.tz_convert(zone).dt.as_unit(unit)
            arguments[table] = arguments[table].assign(**{name: stamps})
    assert_same(Scenario.from_frames(**arguments), Scenario.from_frames(**good()))


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-03-02T17:00:00+01:00",
        "2026-03-02 17:00:00+0100",
        "2026-03-02T16:00Z",
        "2026-03-02t16:00:00z",
        " 2026-03-02T16:00:00.000000000Z ",
        "2026-03-02T09:00:00-07:00",
    ],
)
def test_timestamps_as_text_with_any_offset(stamp):
    arguments = good()
    arguments["trips"] = arguments["trips"].assign(
        departure=["2026-03-02T08:00:00+01:00", stamp]
    )
    scenario = Scenario.from_frames(**arguments)
    assert scenario.trips["departure"][1] == at(17)


def test_python_datetimes_of_several_offsets_in_one_column():
    arguments = good()
    mixed = [at(8).tz_convert("Asia/Tokyo"), at(17).tz_convert("Europe/Zurich")]
    mixed = pd.Series([stamp.to_pydatetime() for stamp in mixed], dtype=object)
    arguments["trips"] = arguments["trips"].assign(departure=mixed)
    scenario = Scenario.from_frames(**arguments)
    assert scenario.trips["departure"].tolist() == [at(8), at(17)]


def test_a_departure_in_the_year_9999_is_the_end_of_the_horizon():
    arguments = good()
    stays = arguments["stays"]
    text = stays["departure"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
    text[2] = "9999-12-30T00:00:00Z"
    arguments["stays"] = stays.assign(departure=text)
    scenario = Scenario.from_frames(**arguments)
    assert scenario.stay_windows().end_h[2] == 24.0
    far = stays["departure"].dt.as_unit("s").tolist()
    far[2] = pd.Timestamp("9999-12-30T00:00:00Z").as_unit("s")
    arguments["stays"] = stays.assign(departure=pd.Series(far, dtype=object))
    assert Scenario.from_frames(**arguments).fingerprint == scenario.fingerprint


def test_nanoseconds_are_rounded_down_and_that_is_said():
    arguments = good()
    fine = arguments["trips"]["departure"].dt.as_unit("ns") + pd.Timedelta("1ns")
    arguments["trips"] = arguments["trips"].assign(departure=fine)
    scenario = Scenario.from_frames(**arguments)
    assert scenario.trips["departure"][0] == at(8)
    assert any("trips.departure: 2 timestamps finer" in n for n in scenario.notes)


@pytest.mark.parametrize(
    "dtype", ["object", "string", "string[pyarrow]", "category", "str"]
)
def test_text_ids_of_any_pandas_dtype(dtype):
    arguments = good()
    for table in TABLE_NAMES:
        for name in ("vehicle_id", "feeder_id", "place"):
            if name in arguments[table]:
                values = arguments[table][name].astype(object).astype(dtype)
                if dtype == "str":
                    values = values.where(arguments[table][name].notna())
                arguments[table] = arguments[table].assign(**{name: values})
    assert_same(Scenario.from_frames(**arguments), Scenario.from_frames(**good()))


@pytest.mark.parametrize("dtype", ["int32", "Int64", "float64", "object", "category"])
def test_integer_ids_of_any_pandas_dtype(dtype):
    arguments = renamed([1, 2, 3], [7, 8], "Int64")
    for table in TABLE_NAMES:
        for name in ("vehicle_id", "feeder_id"):
            if name in arguments[table]:
                values = arguments[table][name]
                kind = "Int32" if dtype == "int32" and values.hasnans else dtype
                arguments[table] = arguments[table].assign(
                    **{name: values.astype(kind)}
                )
    scenario = Scenario.from_frames(**arguments)
    assert_same(scenario, Scenario.from_frames(**renamed([1, 2, 3], [7, 8], "Int64")))


def test_arrow_backed_frames_are_read_like_any_other():
    arguments = good()
    for table in TABLE_NAMES:
        arguments[table] = arguments[table].convert_dtypes(dtype_backend="pyarrow")
    assert_same(Scenario.from_frames(**arguments), Scenario.from_frames(**good()))


def test_all_null_nullable_columns_are_right():
    arguments = good()
    nothing = pd.Series([None] * 5, dtype=object)
    arguments["stays"] = arguments["stays"].assign(
        feeder_id=nothing, place=nothing, charger_kw=nothing
    )
    scenario = Scenario.from_frames(**arguments)
    assert scenario.stays["feeder_id"].isna().all()
    assert scenario.stay_windows().feeder.tolist() == [-1] * 5
    assert scenario.stays["charger_kw"].tolist() == [0.0] * 5


def test_absent_optional_columns_take_their_defaults():
    arguments = good()
    wanted = {
        "vehicles": ["vehicle_id", "battery_kwh", "initial_kwh"],
        "stays": ["vehicle_id", "arrival", "departure"],
        "trips": ["vehicle_id", "departure", "arrival", "energy_kwh"],
        "feeders": ["feeder_id"],
    }
    for table, names in wanted.items():
        arguments[table] = arguments[table][names]
    scenario = Scenario.from_frames(**arguments)
    vehicles = scenario.vehicles
    assert vehicles["final_kwh"].tolist() == vehicles["initial_kwh"].tolist()
    assert vehicles["reserve_kwh"].tolist() == [0.0] * 3
    assert vehicles["charge_efficiency"].tolist() == [0.92] * 3
    assert vehicles["discharge_efficiency"].tolist() == [0.92] * 3
    assert vehicles["weight"].tolist() == [1.0] * 3
    assert scenario.stays["charger_kw"].tolist() == [0.0] * 5
    assert scenario.stays["discharge_kw"].tolist() == [0.0] * 5
    assert scenario.stays[["feeder_id", "place"]].isna().all(axis=None)
    assert scenario.feeders["upgrade_cost_per_kw"].tolist() == [1.0] * 2
    assert scenario.feeders["parent_id"].isna().all()
    assert scenario.trips["distance_km"].isna().all()


def test_the_users_frames_are_neither_changed_nor_shared():
    arguments = good()
    before = good()
    for tables in (arguments, before):
        tables["trips"]["extra"] = [1.0, 2.0]
    scenario = Scenario.from_frames(**arguments)
    for name in TABLE_NAMES:
        pd.testing.assert_frame_equal(arguments[name], before[name])
    arguments["stays"].loc[0, "charger_kw"] = 999.0
    arguments["stays"].loc[0, "vehicle_id"] = "other"
    arguments["stays"].loc[0, "departure"] = at(3)
    arguments["vehicles"]["weight"] *= 7
    arguments["trips"].loc[0, "extra"] = 99.0
    arguments["feeder_profile"].loc[3, "base_kw"] = 999.0
    assert_same(scenario, Scenario.from_frames(**before))


def test_rows_keep_their_order_and_get_a_plain_index():
    arguments = good()
    arguments["stays"] = arguments["stays"].sample(frac=1, random_state=1)
    scenario = Scenario.from_frames(**arguments)
    assert list(scenario.stays.index) == [0, 1, 2, 3, 4]
    assert scenario.stays["arrival"].tolist() == arguments["stays"]["arrival"].tolist()
