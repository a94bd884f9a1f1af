"""SimBEV's car files: both layouts, their energies, and wrong rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_samples import EVENTS, STANDING, write

from macjax import DataError, SettingsError, importers

NAME = "bev_mini_00001_50kWh_events.csv"


def found(imported, words: str) -> int:
    rows = imported.report[imported.report["what"].str.contains(words, regex=False)]
    return int(rows["count"].sum())


def local(times) -> list[str]:
    return times.dt.tz_convert("Europe/Berlin").dt.strftime("%d. %H:%M").tolist()


@pytest.mark.parametrize("name", [NAME, NAME + ".gz"])
def test_events_by_hand(tmp_path, name):
    got = importers.simbev(write(tmp_path / name, EVENTS))
    car = got.vehicles.iloc[0]
    assert car["vehicle_id"] == "bev_mini_00001_50kWh" and car["battery_kwh"] == 50
    assert car["initial_kwh"] == 40 and car["final_kwh"] == 40
    assert car["charge_efficiency"] == 1 and car["reserve_kwh"] == 0
    assert got.stays["charger_kw"].tolist() == [11, 0, 0]
    assert got.stays["place"].tolist() == ["home", "work", "home"]
    assert local(got.stays["departure"]) == ["17. 08:00", "17. 17:30", "18. 00:00"]
    assert local(got.trips["departure"]) == ["17. 08:00", "17. 17:30"]
    assert got.trips["energy_kwh"].tolist() == [5, 5]
    scenario = got.scenario()
    assert scenario.slots == 96 and scenario.slot_minutes == 15
    assert scenario.start.isoformat() == "2021-09-17T00:00:00+02:00"


def test_own_chargers_serve_whenever_the_car_stands_there(tmp_path):
    got = importers.simbev(write(tmp_path / NAME, EVENTS), chargers="place")
    assert got.stays["charger_kw"].tolist() == [11, 0, 11]


def test_the_older_layout(tmp_path):
    path = write(tmp_path / "BEV_mini_00003_standing_times.csv", STANDING)
    cars = importers.Cars(charge_efficiency=0.9, reserve_share=0.0)
    got = importers.simbev(path, cars=cars, start="2021-01-01")
    assert got.vehicles["vehicle_id"].tolist() == ["BEV_mini_00003"]
    assert got.vehicles["battery_kwh"].tolist() == [40]
    assert got.stays["place"].tolist() == ["home", "work", "home"]
    # Net powers are those at the battery.
    np.testing.assert_allclose(got.stays["charger_kw"], [10, 4, 10])
    assert local(got.trips["departure"]) == ["01. 08:00", "01. 18:30"]
    assert local(got.trips["arrival"]) == ["01. 08:30", "01. 19:00"]
    np.testing.assert_allclose(got.vehicles["final_kwh"], 21)
    assert found(importers.simbev(path), "no date in the file") == 1


def test_energies_that_are_not_the_change_of_soc_are_told(tmp_path):
    what = "the change of SOC is not the event's energy"
    assert found(importers.simbev(write(tmp_path / NAME, EVENTS)), what) == 0
    more = EVENTS.replace("0.8,1.0,10.0,11.0", "0.8,1.0,14.0,11.0")
    got = importers.simbev(write(tmp_path / NAME, more))
    assert found(got, what) == 1
    rows = got.report[got.report["what"].str.contains(what)]
    assert rows["lines"].item() == (2,)


def test_many_files_are_one_fleet(tmp_path):
    for number in range(3):
        write(tmp_path / NAME.replace("00001", f"0000{number}"), EVENTS)
    write(tmp_path / "bev_large_events.csv", EVENTS)
    (tmp_path / "other.csv").write_text("a\n1\n")
    got = importers.simbev(tmp_path)
    assert len(got.vehicles) == 4 and len(got.trips) == 8
    assert got.vehicles["battery_kwh"].tolist() == [60, 50, 50, 50]
    assert found(got, "no battery in the name of the file: 60 kWh") == 1
    with pytest.raises(DataError, match="is not the only one of car"):
        importers.simbev([tmp_path / NAME, tmp_path / NAME])


def test_the_start_may_be_moved_and_the_horizon_be_cut(tmp_path):
    path = write(tmp_path / NAME, EVENTS)
    got = importers.simbev(path, start="2026-03-02", slot_minutes=60)
    assert got.horizon.slots == 24 and found(got, "the timestamps begin at") == 1
    assert local(got.trips["departure"])[0] == "02. 08:00"
    assert importers.simbev(path, days=2).horizon.slots == 192


@st.composite
def weeks(draw):
    """A consistent car: parked, driving, parked, ... with energies as SimBEV has."""
    rows, step, soc, battery = [], 0, 0.9, 50.0
    for _ in range(draw(st.integers(1, 6))):
        steps, power = draw(st.integers(1, 40)), draw(st.sampled_from([0.0, 3.7, 11.0]))
        room = min((1 - soc) * battery, power * steps / 4)
        charged = round(room * draw(st.floats(0, 1)), 4)
        after = soc + charged / battery
        rows.append((step, steps, "home", soc, after, charged, power))
        step, soc = step + steps, after
        used = round(min(draw(st.floats(0.5, 20)), 0.9 * soc * battery), 4)
        steps = draw(st.integers(1, 8))
        rows.append((step, steps, "driving", soc, soc - used / battery, -used, 0.0))
        step, soc = step + steps, soc - used / battery
    names = ["event_start", "event_time", "location", "soc_start", "soc_end", "energy"]
    frame = pd.DataFrame(rows, columns=[*names, "station_charging_capacity"])
    return frame.round({"soc_start": 4, "soc_end": 4})


@given(weeks(), st.randoms())
@settings(max_examples=25)
def test_simbevs_own_charging_is_feasible_and_rows_may_be_in_any_order(frame, random):
    """What SimBEV charged keeps SOC within the battery and reaches the final SOC."""
    got = importers.simbev(frame)
    car = got.vehicles.iloc[0]
    soc = car["initial_kwh"] + frame["energy"].cumsum()
    assert soc.min() >= -0.02 and soc.max() <= car["battery_kwh"] + 0.02
    assert soc.iloc[-1] >= car["final_kwh"] - 1e-6
    stays = got.stays
    hours = (stays["departure"] - stays["arrival"]).dt.total_seconds() / 3600
    charged = frame.loc[frame["location"] == "home", "energy"].to_numpy()
    assert (charged <= stays["charger_kw"] * hours + 1e-4).all()
    order = list(range(len(frame)))
    random.shuffle(order)
    other = importers.simbev(frame.iloc[order].reset_index(drop=True))
    for name in ("vehicles", "stays", "trips"):
        pd.testing.assert_frame_equal(getattr(got, name), getattr(other, name))
    got.scenario()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("driving,,1.0,0.9,-5.0", "driving,,1.0,0.9,5.0", "positive when driving"),
        ("work,work,0.9,0.9,0.0", "work,work,0.9,0.9,-1.0", "negative while parked"),
        (",0.9,0.8,-5.0", ",0.9,80,-5.0", r"soc_end: must be at least 0 and at most 1"),
        ("34,36,work", "34,39,work", r"lasts longer than until the next.*\(line 4\)"),
        ("32,2,driving", "32,0,driving", "event_time: must be at least 1"),
        ("08:30:00,34", "08:45:00,34", r"does not fit event_start.*\(line 4\)"),
        ("2021-09-17 08:30:00", "noon", "timestamp: must be a time"),
        ("72,24,home,home", "72,24,,home", "location: must have a value"),
        ("0.8,1.0,10.0,11.0", "0.8,1.0,ten,11.0", "energy: must be numbers"),
        ("0.8,1.0,10.0,11.0", "0.8,1.0,10.0,-11", "at least 0; found -11"),
    ],
)
def test_wrong_rows_are_named_and_their_car_can_be_dropped(tmp_path, old, new, said):
    assert old in EVENTS
    write(tmp_path / NAME, EVENTS.replace(old, new))
    with pytest.raises(DataError, match=said):
        importers.simbev(tmp_path / NAME)
    write(tmp_path / NAME.replace("00001", "00002"), EVENTS)
    got = importers.simbev(tmp_path, on_fault="drop")
    assert got.vehicles["vehicle_id"].tolist() == ["bev_mini_00002_50kWh"]


def test_gaps_and_jumps_of_soc_are_reported(tmp_path):
    text = EVENTS.replace("34,36,work", "34,30,work").replace(
        "0.9,0.9,0.0", "0.9,0.7,0.0"
    )
    got = importers.simbev(write(tmp_path / NAME, text))
    assert found(got, "is followed by a gap") == 1
    assert found(got, "is not the SOC at which the next event begins") == 1


def test_steps_counted_twice_in_the_older_layout_are_cut(tmp_path):
    text = STANDING.replace(",32,1,32,", ",32,1,33,")
    path = write(tmp_path / "x_standing_times.csv", text)
    got = importers.simbev(path)
    assert found(got, "ends a step after the next begins") == 1
    assert local(got.stays["departure"])[0] == "02. 08:00"


def test_wrong_files_and_settings(tmp_path):
    path = write(tmp_path / NAME, EVENTS)
    with pytest.raises(DataError, match="event_time: the column is missing"):
        importers.simbev(pd.read_csv(path).drop(columns="event_time"))
    other = write(tmp_path / "x_standing_times.csv", STANDING)
    with pytest.raises(DataError, match="two layouts"):
        importers.simbev([path, other])
    for wrong in ({"chargers": "all"}, {"step_minutes": 0}, {"slot_minutes": 7}):
        with pytest.raises(SettingsError):
            importers.simbev(path, **wrong)
