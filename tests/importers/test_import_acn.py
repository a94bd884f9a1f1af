"""ACN sessions: exact energies, CSV and JSON agree, wrong rows are named."""

import json

import numpy as np
import pandas as pd
import pytest
from import_samples import DATA, write

import macjax
from macjax import DataError, SettingsError, importers

REAL = DATA / "acn_sessions.csv"
ROWS = pd.read_csv(REAL)


def found(imported, words: str) -> int:
    rows = imported.report[imported.report["what"].str.contains(words, regex=False)]
    return int(rows["count"].sum())


def http(text: str) -> str:
    return pd.Timestamp(text).tz_convert("UTC").strftime("%a, %d %b %Y %H:%M:%S GMT")


def as_json(rows: pd.DataFrame) -> dict:
    """The same sessions as ACN-Data's web interface gives them."""
    items = []
    for row in rows.itertuples(index=False):
        asked = {
            "kWhRequested": row[3],
            "modifiedAt": http(row.arrival),
            "requestedDeparture": http(row.estimated_departure),
        }
        early = asked | {"kWhRequested": 1.0}
        early["modifiedAt"] = http(str(pd.Timestamp(row.arrival) - pd.Timedelta("1h")))
        items.append(
            {
                "_id": "x",
                "connectionTime": http(row.arrival),
                "disconnectTime": http(row.departure),
                "doneChargingTime": None,
                "kWhDelivered": row[4],
                "sessionID": row.session_id,
                "siteID": row.site,
                "stationID": row.station_id,
                "timezone": "America/Los_Angeles",
                "userID": None,
                "userInputs": [asked, early],
            }
        )
    return {"_meta": {"site": "caltech"}, "_items": items}


def test_the_real_sample():
    got = importers.acn(REAL)
    assert (
        got.vehicles["battery_kwh"].tolist() == ROWS["delivered_energy (kWh)"].tolist()
    )
    assert (got.vehicles["final_kwh"] == got.vehicles["battery_kwh"]).all()
    assert (got.vehicles["initial_kwh"] == got.vehicles["battery_kwh"]).all()
    assert got.trips["energy_kwh"].tolist() == got.vehicles["battery_kwh"].tolist()
    assert got.stays["site"].unique().tolist() == ["caltech", "jpl"]
    assert got.horizon.start.isoformat() == "2019-05-01T00:00:00-07:00"
    assert got.scenario().slots == 24
    assert found(got, "need more than") == 0


def test_every_session_gets_exactly_its_energy():
    scenario = importers.acn(REAL, site_kw=20.0, slot_minutes=15).scenario()
    solution = macjax.baselines.unmanaged(scenario)
    schedule = solution.schedule()
    energy = schedule.groupby("vehicle_id")["kw"].sum() / 4
    wanted = scenario.vehicles.set_index("vehicle_id")["battery_kwh"]
    pd.testing.assert_series_equal(
        energy.sort_index(), wanted.sort_index(), check_names=False, rtol=1e-9
    )
    assert solution.stranded.empty
    columns = ["vehicle_id", "time", "kw"]
    assert macjax.certify(scenario, schedule[columns]).feasible
    for factor in (0.99, 1.01):
        other = schedule[columns].assign(kw=factor * schedule["kw"])
        assert not macjax.certify(scenario, other).feasible


def test_json_is_the_same_as_csv(tmp_path):
    path = write(tmp_path / "sessions.json", json.dumps(as_json(ROWS)))
    for keywords in (
        {},
        {"energy": "requested"},
        {"departure": "estimated", "days": 3, "site_kw": 150.0},
    ):
        one = importers.acn(REAL, **keywords)
        other = importers.acn(path, **keywords)
        for name, frame in one.frames.items():
            pd.testing.assert_frame_equal(frame, getattr(other, name))
    zipped = write(tmp_path / "sessions.json.gz", path.read_bytes())
    assert len(importers.acn(zipped).vehicles) == len(ROWS)
    bare = write(tmp_path / "list.json", json.dumps(as_json(ROWS)["_items"]))
    assert len(importers.acn(bare).vehicles) == len(ROWS)


def test_what_drivers_asked_for_and_what_they_did_not(tmp_path):
    data = as_json(ROWS)
    data["_items"][0]["userInputs"] = None
    path = write(tmp_path / "sessions.json", json.dumps(data))
    got = importers.acn(path, energy="requested")
    assert len(got.vehicles) == 7 and found(got, "without requested energy") == 1
    asked = ROWS["requested_energy (kWh)"].tolist()[1:]
    assert got.vehicles["battery_kwh"].tolist() == asked
    # 150 kWh in 6.7 hours are more than the station gives.
    assert found(got, "need more than 6.656 kW") == 1
    got = importers.acn(path, departure="estimated")
    assert found(got, "no estimate") == 1
    assert got.stays["departure"][0] == pd.Timestamp(ROWS["departure"][0])


def test_only_whole_sessions_are_within_a_horizon():
    got = importers.acn(REAL, start="2019-05-01T06:00:00-07:00", days=1)
    assert len(got.vehicles) == 4 and found(got, "not wholly within the horizon") == 4
    with pytest.raises(DataError, match="no session lies between"):
        importers.acn(REAL, start="2020-01-01", days=1)


def test_sites_as_feeders():
    got = importers.acn([REAL], site_kw=150.0)
    assert got.feeders["feeder_id"].tolist() == ["caltech", "jpl"]
    assert got.stays["feeder_id"].tolist() == ROWS["site"].tolist()
    assert (got.scenario().capacity_base()[0] == 150).all()


def test_stations_with_two_cars_are_reported():
    twice = ROWS.assign(station_id="one")
    assert found(importers.acn(twice), "another car is at the station") == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arrival": "2019-05-01 05:00:00"}, "arrival: has no UTC offset"),
        ({"arrival": "yesterday"}, r"arrival: must be a timestamp.*\(line 2\)"),
        ({"departure": "2019-05-01 01:00:00-07:00"}, "departure: must be later"),
        ({"delivered_energy (kWh)": -3.0}, "delivered: must be at least 0"),
        ({"delivered_energy (kWh)": 44_069.0}, "at most 1500; found 44069"),
        ({"delivered_energy (kWh)": np.nan}, "delivered: must have a value"),
        ({"session_id": ROWS["session_id"][1]}, r"must be unique.*\(lines 2, 3\)"),
        ({"station_id": None}, "station_id: must have a value"),
    ],
)
def test_wrong_rows_are_named_and_can_be_dropped(tmp_path, change, said):
    rows = ROWS.astype(object)
    for column, value in change.items():
        rows.loc[0, column] = value
    path = tmp_path / "sessions.csv"
    rows.to_csv(path, index=False)
    with pytest.raises(DataError, match=said):
        importers.acn(path)
    got = importers.acn(path, on_fault="drop")
    assert len(got.vehicles) == (6 if "session_id" in change else 7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ('{"items": []}', "has no list '_items'"),
        ('{"_items": [3]}', "has no list '_items'"),
        ('{"_items": []}', "has no sessions"),
        ("[" * 100_000, "not JSON|nested too deeply"),
        ('{"_items": [{"sessionID": "a"}]}', "stationID: the column is missing"),
    ],
)
def test_files_that_are_no_sessions(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        importers.acn(write(tmp_path / "sessions.json", text))


def test_json_times_and_ids_are_checked_too(tmp_path):
    data = as_json(ROWS)
    data["_items"][2]["connectionTime"] = "2019-05-01"
    path = write(tmp_path / "sessions.json", json.dumps(data))
    with pytest.raises(DataError, match=r"arrival: must be a time such.*\(line 3\)"):
        importers.acn(path)
    with pytest.raises(DataError, match="must be unique"):
        importers.acn([REAL, REAL])
    with pytest.raises(DataError, match="departure: the column is missing"):
        importers.acn(ROWS.drop(columns="departure"))
    with pytest.raises(DataError, match="no session has delivered energy"):
        importers.acn(ROWS.assign(**{"delivered_energy (kWh)": 0.0}))


def test_wrong_settings():
    for wrong in (
        {"energy": "wanted"},
        {"departure": "early"},
        {"charger_kw": 0},
        {"site_kw": "big"},
        {"days": 0},
        {"start": "May"},
    ):
        with pytest.raises(SettingsError):
            importers.acn(REAL, **wrong)
