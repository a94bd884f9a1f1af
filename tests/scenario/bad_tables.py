"""Each way in which tables can be wrong, and the fault that says what to mend.

The numbers are those of the list of bad inputs in the reliability contract.
"""

import numpy as np
import pandas as pd
from scenario_tables import SLOTS, at, hourly


def cell(table: str, column: str, row: int, value):
    """A change of one cell."""

    def change(arguments: dict) -> None:
        frame = arguments[table]
        values = list(frame[column])
        values[row] = value
        dtype = object if isinstance(value, str) else None
        arguments[table] = frame.assign(**{column: pd.Series(values, dtype=dtype)})

    return change


def column(table: str, name: str, values):
    """A change of a whole column."""
    return lambda a: a.update({table: a[table].assign(**{name: values})})


def rename(table: str, old: str, new: str):
    return lambda a: a.update({table: a[table].rename(columns={old: new})})


def rows(table: str, keep):
    return lambda a: a.update({table: a[table].iloc[keep].reset_index(drop=True)})


def key(name: str, value):
    return lambda a: a.update({name: value})


def profile(frame):
    return lambda a: a.update(feeder_profile=frame)


def stay(**values):
    """One more stay."""
    new = {"vehicle_id": "v1", "feeder_id": "F1", "charger_kw": 7.4}
    new |= {"discharge_kw": 0.0, "place": None} | values

    def change(a: dict) -> None:
        a["stays"] = pd.concat([a["stays"], pd.DataFrame([new])], ignore_index=True)

    return change


def trip(**values):
    """One more trip."""
    new = {"vehicle_id": "v1", "energy_kwh": 1.0, "distance_km": 1.0} | values

    def change(a: dict) -> None:
        a["trips"] = pd.concat([a["trips"], pd.DataFrame([new])], ignore_index=True)

    return change


NAIVE = pd.Series([at(h).tz_localize(None) for h in (-2, 9, 0, 6, 18)])
LOCAL_GAP = pd.Timestamp("2026-03-29T02:30")
LOCAL_TWICE = pd.Timestamp("2026-10-25T02:30")
FULL = list(range(2 * SLOTS))

# (case, change, table, columns, words of the rule, count, ids)
CASES = [
    (
        "1 renamed",
        rename("vehicles", "battery_kwh", "Battery_kWh"),
        ("vehicles", "battery_kwh", "nearest column there is 'Battery_kWh'", 3, ()),
    ),
    (
        "1 index",
        lambda a: a.update(vehicles=a["vehicles"].set_index("vehicle_id")),
        ("vehicles", "vehicle_id", r"index of the frame.*reset_index", 3, ()),
    ),
    (
        "3 decimal comma",
        cell("stays", "charger_kw", 1, "7,4"),
        ("stays", "charger_kw", r"'7,4' \(a decimal comma: write 7.4\)", 1, ("v1",)),
    ),
    (
        "3 one number as text in the first row",
        column("vehicles", "battery_kwh", ["60.0", 40.0, 75]),
        ("vehicles", "battery_kwh", "text, e.g. '60.0'", 1, ("v1",)),
    ),
    (
        "3 a list among numbers",
        column("vehicles", "battery_kwh", [60.0, 40.0, [75.0]]),
        ("vehicles", "battery_kwh", r"found list, e.g. '\[75.0\]'", 1, ("v3",)),
    ),
    (
        "3 true among numbers",
        column("vehicles", "battery_kwh", pd.Series([60.0, True, 75], dtype=object)),
        ("vehicles", "battery_kwh", "found bool, e.g. 'True'", 1, ("v2",)),
    ),
    (
        "3 a number among texts",
        column("stays", "place", ["home", 5, None, "home", None]),
        ("stays", "place", "must be text or null; found.*e.g. 5", 1, ("v1",)),
    ),
    (
        "3 numbers as text",
        column("trips", "energy_kwh", ["5.0", "6.5"]),
        ("trips", "energy_kwh", r"'5.0'.*to_numeric", 2, ("v1", "v1")),
    ),
    (
        "3 true and false",
        column("stays", "charger_kw", [True, False, True, True, False]),
        ("stays", "charger_kw", "true or false", 5, None),
    ),
    (
        "3 numbers for timestamps",
        column("trips", "departure", [1772000000, 1772030000]),
        ("trips", "departure", "found int64", 2, None),
    ),
    (
        "3 text that is no timestamp",
        column("trips", "departure", ["2026-03-02T08:00:00+01:00", "8 o'clock"]),
        ("trips", "departure", "such as 2026-.*8 o'clock", 1, ("v1",)),
    ),
    (
        "3 a day that does not exist",
        column(
            "trips", "departure", ["2026-03-02T08:00:00+01:00", "2026-02-30T08:00Z"]
        ),
        ("trips", "departure", "2026-02-30", 1, ("v1",)),
    ),
    (
        "3 numbers for places",
        column("stays", "place", [1, 2, 3, 4, 5]),
        ("stays", "place", "must be text", 5, None),
    ),
    (
        "5 all null in a required column",
        column("vehicles", "battery_kwh", pd.Series([None] * 3, dtype=object)),
        ("vehicles", "battery_kwh", "null", 3, ("v1", "v2", "v3")),
    ),
    (
        "5 all null times",
        column("stays", "arrival", pd.Series([None] * 5, dtype=object)),
        ("stays", "arrival", "null", 5, None),
    ),
    (
        "8 vehicle twice",
        rows("vehicles", [0, 1, 2, 1]),
        ("vehicles", "vehicle_id", "must be unique", 2, ("v2", "v2")),
    ),
    (
        "9 feeder twice",
        rows("feeders", [0, 1, 0]),
        ("feeders", "feeder_id", "must be unique", 2, ("F1", "F1")),
    ),
    (
        "9 profile row twice",
        rows("feeder_profile", [*FULL, 3]),
        ("feeder_profile", "feeder_id, time", "more than one row", 2, ("F1", "F1")),
    ),
    (
        "10 stay of an unknown vehicle",
        cell("stays", "vehicle_id", 3, "v33"),
        ("stays", "vehicle_id", r"'v33'.*has 'v1', 'v2', 'v3' \(row 3\)", 1, ("v33",)),
    ),
    (
        "10 trip of an unknown vehicle",
        cell("trips", "vehicle_id", 1, "V1"),
        ("trips", "vehicle_id", "'V1'.*'v1', 'v2', 'v3'", 1, ("V1",)),
    ),
    (
        "10 stay at an unknown feeder",
        cell("stays", "feeder_id", 2, "F7"),
        ("stays", "feeder_id", "'F7'.*has 'F1', 'F2'", 1, ("v2",)),
    ),
    (
        "10 profile of an unknown feeder",
        lambda a: a.update(
            feeder_profile=pd.concat(
                [a["feeder_profile"], a["feeder_profile"][:1].assign(feeder_id="F7")]
            )
        ),
        ("feeder_profile", "feeder_id", "'F7'.*has 'F1', 'F2'", 1, ("F7",)),
    ),
    (
        "10 unknown parent",
        column("feeders", "parent_id", ["F2", "bank"]),
        ("feeders", "parent_id", "'bank'.*has 'F1', 'F2'", 1, ("F2",)),
    ),
    (
        "10 ids of two kinds",
        column("stays", "feeder_id", [1, 1, 1, 1, 1]),
        ("stays", "feeder_id", "whole numbers here, text there", 5, None),
    ),
    (
        "12 null feeder",
        cell("feeders", "feeder_id", 1, None),
        ("feeders", "feeder_id", "null", 1, ("row 1",)),
    ),
    (
        "12 null vehicle in stays",
        cell("stays", "vehicle_id", 0, None),
        ("stays", "vehicle_id", "null", 1, ("row 0",)),
    ),
    (
        "12 null feeder in the profile",
        cell("feeder_profile", "feeder_id", 5, None),
        ("feeder_profile", "feeder_id", "null", 1, ("row 5",)),
    ),
    (
        "12 empty text",
        cell("vehicles", "vehicle_id", 2, ""),
        ("vehicles", "vehicle_id", "empty text", 1, ("",)),
    ),
    (
        "13 mixed ids",
        column("vehicles", "vehicle_id", pd.Series([1, "v2", "v3"], dtype=object)),
        ("vehicles", "vehicle_id", "mix of 'int', 'str'", 3, None),
    ),
    (
        "13 a list among ids",
        column("vehicles", "vehicle_id", pd.Series([1, [2], 3], dtype=object)),
        ("vehicles", "vehicle_id", r"whole numbers; found list, e.g. '\[2\]'", 1, None),
    ),
    (
        "13 fractions as ids",
        column("vehicles", "vehicle_id", [1.0, 2.5, 3.0]),
        ("vehicles", "vehicle_id", "whole numbers; found 2.5", 1, ("row 1",)),
    ),
    (
        "13 floats beyond exactness",
        column("vehicles", "vehicle_id", [1.0, 2.0, 2.0**53]),
        ("vehicles", "vehicle_id", "no longer the exact id", 1, ("row 2",)),
    ),
    (
        "13 ids of 64 bits without sign",
        column("vehicles", "vehicle_id", np.array([1, 2, 2**63], np.uint64)),
        ("vehicles", "vehicle_id", "64 bits", 1, ("row 2",)),
    ),
    (
        "13 objects of 64 bits without sign",
        column("vehicles", "vehicle_id", pd.Series([1, 2**63, 3], dtype=object)),
        ("vehicles", "vehicle_id", "64 bits", 1, ("row 1",)),
    ),
    (
        "14 departure equals arrival",
        cell("stays", "departure", 1, at(9)),
        ("stays", "departure", r"later than arrival \(row 1\)", 1, ("v1",)),
    ),
    (
        "14 trip reversed",
        cell("trips", "arrival", 1, at(16)),
        ("trips", "arrival", "later than departure", 1, ("v1",)),
    ),
    (
        "15 stays overlap",
        stay(arrival=at(7), departure=at(7.5)),
        ("stays", "arrival, departure", "stays row 5 .* and stays row 0", 1, ("v1",)),
    ),
    (
        "15 equal stays",
        rows("stays", [0, 1, 2, 2, 3]),
        ("stays", "arrival, departure", "stays row 3 .* and stays row 2", 1, ("v2",)),
    ),
    (
        "15 trip overlaps a stay",
        trip(departure=at(16.9), arrival=at(17)),
        ("trips", "departure, arrival", "trips row 2 .* and stays row 1", 1, ("v1",)),
    ),
    (
        "15 stay overlaps a trip",
        cell("stays", "arrival", 4, at(17.5)),
        ("stays", "arrival, departure", "stays row 4 .* and trips row 1", 1, ("v1",)),
    ),
    (
        "15 trips overlap",
        lambda a: (
            rows("stays", [0, 2, 3])(a),
            trip(departure=at(17.5), arrival=at(19))(a),
        ),
        ("trips", "departure, arrival", "trips row 2 .* and trips row 1", 1, ("v1",)),
    ),
    (
        "15 outside the horizon",
        stay(vehicle_id="v3", arrival=at(29), departure=at(31)),
        ("stays", "arrival, departure", "row 5 .* row 3", 1, ("v3",)),
    ),
    (
        "20 initial over battery",
        cell("vehicles", "initial_kwh", 1, 40.5),
        (
            "vehicles",
            "initial_kwh",
            "at most battery_kwh; found 40.5 over 40",
            1,
            ("v2",),
        ),
    ),
    (
        "20 reserve over battery",
        cell("vehicles", "reserve_kwh", 0, 61.0),
        ("vehicles", "reserve_kwh", "at most battery_kwh", 1, ("v1",)),
    ),
    (
        "20 final over battery",
        cell("vehicles", "final_kwh", 0, 61.0),
        ("vehicles", "final_kwh", "at most battery_kwh", 1, ("v1",)),
    ),
    (
        "21 Wh",
        column("vehicles", "battery_kwh", [60e3, 40e3, 75e3]),
        (
            "vehicles",
            "battery_kwh",
            "at most 1500; found up to 75000 .looks like Wh",
            3,
            None,
        ),
    ),
    (
        "21 W",
        cell("stays", "charger_kw", 0, 7400.0),
        (
            "stays",
            "charger_kw",
            "at most 1500; found up to 7400 .looks like W:",
            1,
            ("v1",),
        ),
    ),
    (
        "21 percent",
        cell("vehicles", "charge_efficiency", 0, 92.0),
        ("vehicles", "charge_efficiency", "looks like percent", 1, ("v1",)),
    ),
    (
        "22 efficiency 0",
        cell("vehicles", "charge_efficiency", 0, 0.0),
        ("vehicles", "charge_efficiency", "greater than 0 and at most 1", 1, ("v1",)),
    ),
    (
        "22 efficiency 1.2",
        cell("vehicles", "discharge_efficiency", 2, 1.2),
        ("vehicles", "discharge_efficiency", "at most 1; found", 1, ("v3",)),
    ),
    (
        "22 efficiency -0.9",
        cell("vehicles", "charge_efficiency", 0, -0.9),
        ("vehicles", "charge_efficiency", "found -0.9", 1, ("v1",)),
    ),
    (
        "23 weight 0",
        cell("vehicles", "weight", 0, 0.0),
        ("vehicles", "weight", "greater than 0; found 0", 1, ("v1",)),
    ),
    (
        "23 battery 0",
        cell("vehicles", "battery_kwh", 0, 0.0),
        ("vehicles", "battery_kwh", "greater than 0", 1, ("v1",)),
    ),
    (
        "26 naive",
        column("stays", "arrival", NAIVE),
        ("stays", "arrival", r"no UTC offset.*2026-03-01T21:00:00\+01:00", 5, None),
    ),
    (
        "26 naive text among others",
        column("trips", "departure", ["2026-03-02T08:00:00+01:00", "2026-03-02T17:00"]),
        ("trips", "departure", "no UTC offset", 1, ("v1",)),
    ),
    (
        "26 dates alone",
        column("trips", "departure", pd.Series([at(8).date(), at(17).date()])),
        ("trips", "departure", "no UTC offset; write one, e.g. 2026-03-02T", 2, None),
    ),
    (
        "26 naive start",
        key("start", "2026-03-02T00:00:00"),
        ("scenario.toml", "start", r"no UTC offset.*2026-03-02T00:00:00\+01:00", 1, ()),
    ),
    (
        "27 skipped local time",
        column("trips", "departure", pd.Series([LOCAL_GAP, at(17).tz_localize(None)])),
        (
            "trips",
            "departure",
            r"does not exist in Europe/Zurich: write 2026-03-29T02:30:00\+01:00 or "
            r"2026-03-29T02:30:00\+02:00",
            1,
            ("v1",),
        ),
    ),
    (
        "27 repeated local time",
        column(
            "trips", "departure", ["2026-10-25T02:30:00", "2026-03-02T17:00:00+01:00"]
        ),
        (
            "trips",
            "departure",
            r"comes twice in Europe/Zurich: write 2026-10-25T02:30:00\+02:00 or "
            r"2026-10-25T02:30:00\+01:00",
            1,
            ("v1",),
        ),
    ),
    (
        "27 skipped start",
        key("start", LOCAL_GAP),
        ("scenario.toml", "start", "does not exist", 1, ()),
    ),
    (
        "29 17 minutes",
        key("slot_minutes", 17),
        ("scenario.toml", "slot_minutes", "must divide 1440.*17", 1, ()),
    ),
    (
        "29 slot missing",
        rows("feeder_profile", FULL[:5] + FULL[6:]),
        (
            "feeder_profile",
            "time",
            r"'F1' lacks 1 of 24: 2026-03-02T05:00:00\+01",
            1,
            ("F1",),
        ),
    ),
    (
        "29 feeder missing",
        rows("feeder_profile", FULL[:24]),
        ("feeder_profile", "time", "24 in all .*'F2' lacks 24 of 24", 1, ("F2",)),
    ),
    (
        "29 hour missing",
        profile(hourly().drop(index=[3, 30])),
        (
            "feeder_profile",
            "hour",
            "'F1' lacks 1 of 24: 3; 'F2' lacks 1 of 24: 6",
            2,
            None,
        ),
    ),
    (
        "29 hour twice",
        profile(hourly().iloc[[*range(48), 7]]),
        ("feeder_profile", "feeder_id, hour", "more than one row", 2, ("F1", "F1")),
    ),
    (
        "29 off the grid",
        cell("feeder_profile", "time", 4, at(4.25)),
        ("feeder_profile", "time", "start of a slot.*04:15:00", 1, ("F1",)),
    ),
    (
        "29 hour 24",
        profile(hourly().assign(hour=np.tile(np.arange(1, 25), 2))),
        ("feeder_profile", "hour", "0 to 23; found 24", 2, ("F1", "F2")),
    ),
    (
        "29 half hours",
        profile(hourly().assign(hour=np.tile(np.arange(24) + 0.5, 2))),
        ("feeder_profile", "hour", "0 to 23; found 0.5", 48, None),
    ),
    (
        "29 hour and time",
        column("feeder_profile", "hour", np.tile(np.arange(24), 2)),
        ("feeder_profile", "time, hour", "all time or all hour", 48, None),
    ),
    (
        "29 neither hour nor time",
        lambda a: a.update(feeder_profile=a["feeder_profile"].drop(columns="time")),
        ("feeder_profile", "time, hour", "one of these two", 48, ()),
    ),
    (
        "29 null time",
        cell("feeder_profile", "time", 2, pd.NaT),
        ("feeder_profile", "time", "must have a value", 1, ("F1",)),
    ),
    (
        "30 profile shorter than the horizon",
        key("slots", 30),
        ("feeder_profile", "time", "12 in all .*'F1' lacks 6 of 30", 2, ("F1", "F2")),
    ),
    (
        "31 own parent",
        column("feeders", "parent_id", ["F1", None]),
        ("feeders", "parent_id", "cycle", 1, ("F1",)),
    ),
    (
        "31 parents in a circle",
        column("feeders", "parent_id", ["F2", "F1"]),
        ("feeders", "parent_id", "cycle", 2, ("F1", "F2")),
    ),
    (
        "vehicle-to-grid",
        cell("stays", "discharge_kw", 0, 7.0),
        ("stays", "discharge_kw", "vehicle_to_grid=False", 1, ("v1",)),
    ),
    (
        "column twice",
        lambda a: a.update(trips=a["trips"].iloc[:, [0, 1, 2, 3, 3]]),
        ("trips", "energy_kwh", "more than once", 1, ()),
    ),
    ("no frame", key("trips", None), ("trips", "table", "got None", 1, ())),
    ("slots 0", key("slots", 0), ("scenario.toml", "slots", "from 1", 1, ())),
    ("slots 2.5", key("slots", 2.5), ("scenario.toml", "slots", "found 2.5", 1, ())),
    ("slots true", key("slots", True), ("scenario.toml", "slots", "True", 1, ())),
    ("slots NaN", key("slots", float("nan")), ("scenario.toml", "slots", "nan", 1, ())),
    ("slots text", key("slots", "24"), ("scenario.toml", "slots", "'24'", 1, ())),
    ("slots huge", key("slots", 10**8), ("scenario.toml", "slots", "10000000", 1, ())),
    (
        "unknown zone",
        key("timezone", "Europe/Zürich"),
        ("scenario.toml", "timezone", "'Europe/Zurich'", 1, ()),
    ),
    (
        "zone with a path",
        key("timezone", "../../etc/passwd"),
        ("scenario.toml", "timezone", "IANA", 1, ()),
    ),
    (
        "start is text",
        key("start", "soon"),
        ("scenario.toml", "start", "'soon'", 1, ()),
    ),
    (
        "start is a number",
        key("start", 5),
        ("scenario.toml", "start", "found 5", 1, ()),
    ),
    ("start is NaT", key("start", pd.NaT), ("scenario.toml", "start", "NaT", 1, ())),
    ("name is None", key("name", None), ("scenario.toml", "name", "missing", 1, ())),
    ("currency 5", key("currency", 5), ("scenario.toml", "currency", "text", 1, ())),
]
