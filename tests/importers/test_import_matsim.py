"""MATSim's plans: times, places, chains against a slow reader, and hostile files."""

import tracemalloc
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_samples import (
    DOCTYPE,
    HEAD,
    activity,
    clock,
    commuter,
    leg,
    person,
    plan,
    population,
    write,
)

from macjax import DataError, SettingsError, importers
from macjax.importers import matsim_xml

MIDNIGHT = pd.Timestamp("2026-03-02", tz="UTC")


def load(tmp_path, *persons, name="plans.xml", **keywords):
    path = write(tmp_path / name, population(*persons))
    return importers.matsim(path, **keywords)


def hours(times) -> list[float]:
    return ((times - MIDNIGHT).dt.total_seconds() / 3600).round(6).tolist()


def found(imported, words: str) -> int:
    rows = imported.report[imported.report["what"].str.contains(words, regex=False)]
    return int(rows["count"].sum())


@pytest.mark.parametrize("name", ["plans.xml", "plans.xml.gz"])
def test_a_day_by_hand(tmp_path, name):
    got = load(tmp_path, commuter(), name=name)
    assert hours(got.trips["departure"]) == [7, 16]
    assert hours(got.trips["arrival"]) == pytest.approx([7.5, 16 + 2 / 3])
    assert got.trips["distance_km"].tolist() == [20, 20]
    assert got.trips["energy_kwh"].tolist() == pytest.approx([3.6, 3.6])
    # The last activity is open: the car stands there until the end of the horizon.
    assert (
        hours(got.stays["arrival"])[0] == 0 and hours(got.stays["departure"])[2] == 24
    )
    assert got.stays["place"].tolist() == ["home", "work", "home"]
    assert got.stays["x"].tolist() == [0, 15_000, 0]
    assert got.scenario().slots == 24


def test_times_past_midnight_lengthen_the_horizon(tmp_path):
    late = person(
        "bob",
        plan(
            activity("h", end_time="23:30:00"),
            leg(metres=9000, trav_time="00:45:00"),
            activity("bar", 9, end_time="26:10:00"),
            leg(metres=9000, trav_time="00:20:00"),
            activity("h"),
        ),
    )
    got = load(tmp_path, late)
    assert got.horizon.slots == 48 and hours(got.trips["departure"])[0] == 23.5
    assert hours(got.trips["arrival"]) == [24.25, 26.5]
    assert got.stays["place"].tolist() == ["home", "bar", "home"]
    one = load(tmp_path, late, days=1)
    assert len(one.trips) == 1 and found(one, "depart after the horizon") == 1


def test_only_the_selected_plan_counts(tmp_path):
    other = plan(activity("home", end_time="01:00:00"), leg(metres=1), activity("x"))
    other = other.replace('"yes"', '"no"')
    anna = commuter().replace("</person>", other + "</person>")
    bert = person("bert", other, commuter().split("\n", 1)[1].replace("</person>", ""))
    got = load(tmp_path, anna, bert)
    assert hours(got.trips["departure"]) == [7, 16, 7, 16]
    none = person("cleo", other, other)
    got = load(tmp_path, none)
    assert (
        hours(got.trips["departure"]) == [1] and found(got, "no plan is selected") == 1
    )


def test_who_goes_by_other_modes(tmp_path):
    walker = commuter("walker").replace('"car"', '"walk"')
    nobody = person("nobody")
    # By car to work, on foot to lunch and back: the car stays at work all the while.
    mixed = person(
        "mixed",
        plan(
            activity("home", end_time="07:00:00"),
            leg(metres=20_000, trav_time="00:30:00"),
            activity("work", 15_000, end_time="12:00:00"),
            leg("walk", trav_time="00:10:00"),
            activity("lunch", 15_300, max_dur="00:30:00"),
            leg("walk"),
            activity("work", 15_000, end_time="16:00:00"),
            leg(metres=20_000, trav_time="00:30:00"),
            activity("home"),
        ),
    )
    got = load(tmp_path, walker, nobody, mixed)
    assert got.vehicles["vehicle_id"].tolist() == ["mixed"]
    assert got.stays["place"].tolist() == ["home", "work", "home"]
    assert found(got, "without a car leg") == 1 and found(got, "without a plan") == 1
    assert found(got, "by another mode: takes none") == 1
    both = load(tmp_path, walker, mixed, modes="car,walk")
    assert both.vehicles["vehicle_id"].tolist() == ["walker", "mixed"]


def test_interactions_are_steps_on_the_way(tmp_path):
    """Walk to the car, drive, walk from the car, as MATSim writes routed plans."""

    def stop(x):
        return activity("car interaction", x, max_dur="00:00:00")

    routed = person(
        "anna",
        plan(
            activity("home_86400.0", end_time="07:00:00"),
            leg("walk", trav_time="00:05:00"),
            stop(100),
            leg(metres=20_000, trav_time="00:30:00"),
            stop(15_000),
            leg("walk", trav_time="00:05:00"),
            activity("Work", 15_100, end_time="16:00:00"),
            leg("walk", trav_time="00:05:00"),
            stop(15_000),
            leg(metres=20_000, trav_time="00:30:00"),
            stop(100),
            leg("walk", trav_time="00:05:00"),
            activity("home_86400.0"),
        ),
    )
    got = load(tmp_path, routed)
    assert got.stays["place"].tolist() == ["home", "work", "home"]
    assert got.stays["x"].tolist() == [100, 15_000, 100]
    assert hours(got.trips["departure"]) == pytest.approx([7 + 1 / 12, 16 + 1 / 12])


def test_what_is_missing_is_assumed_and_reported(tmp_path):
    bare = person(
        "anna",
        plan(
            activity("home", 0, 0),
            leg(dep_time="07:00:00"),
            activity("work", 3000, 4000, max_dur="08:00:00"),
            leg(),
            activity("shop", 3000, 4000, end_time="15:10:00"),
            leg(),
            activity("home", 50_000, 0),
        ),
    )
    got = load(tmp_path, bare, detour=1.5)
    # 1.5 x 5 km; 20 + 60 (1 - exp(-7.5 / 25)) = 35.55 km/h: 13 whole minutes
    assert got.trips["distance_km"][0] == 7.5
    assert hours(got.trips["arrival"])[0] == pytest.approx(7 + 13 / 60)
    # 8 h of work end at 15:13, later than the shop's end: it ends on arrival
    assert hours(got.trips["departure"])[1] == pytest.approx(15 + 13 / 60)
    assert found(got, "no route distance: 1.5 x straight line") == 3
    assert found(got, "no travel time: by the distance") == 3
    assert found(got, "car legs of no distance") == 1
    assert found(got, "ends when the person arrives") == 1
    assert found(got, "ends elsewhere than it began") == 1
    assert found(got, "no date in the file") == 1
    dated = load(tmp_path, bare, start="2026-05-04T00:00:00+02:00")
    assert found(dated, "no date in the file") == 0


def test_a_car_that_moves_without_a_leg_is_reported(tmp_path):
    jump = commuter().replace(
        '<leg mode="car" trav_time="00:40:00">',
        '<leg mode="pt" trav_time="00:40:00"/>'
        + activity("gym", 30_000, max_dur="01:00:00")
        + '<leg mode="car" trav_time="00:40:00">',
    )
    got = load(tmp_path, jump)
    assert len(got.trips) == 2 and found(got, "begins more than 500 m from") == 1


def test_plans_of_version_4(tmp_path):
    """`act`, `dur`, HH:MM, and no word on which plan is selected."""
    text = population(
        '<person id="1"><plan><act type="h" x="-25000" y="0" end_time="06:00"/>'
        '<leg mode="car"><route>2 7 12</route></leg>'
        '<act type="w" x="10000" y="0" dur="03:30"/>'
        '<leg mode="car"><route dist="35000">13</route></leg>'
        '<act type="h" x="-25000" y="0"/></plan></person>',
        doctype='<!DOCTYPE plans SYSTEM "http://www.matsim.org/files/dtd/plans_v4.dtd">\n',
    ).replace("population", "plans")
    got = importers.matsim(write(tmp_path / "plans.xml", text))
    assert got.trips["distance_km"].tolist() == [45.5, 35]
    assert got.stays["place"].tolist() == ["home", "work", "home"]
    assert hours(got.trips["departure"])[0] == 6


def test_several_files_are_one_population(tmp_path):
    paths = [
        write(tmp_path / f"{k}.xml", population(commuter(name)))
        for k, name in enumerate(("7", "12"))
    ]
    got = importers.matsim(paths)
    assert got.vehicles["vehicle_id"].tolist() == [7, 12]
    assert importers.matsim(tmp_path).vehicles["vehicle_id"].tolist() == [7, 12]
    with pytest.raises(DataError, match="person comes more than once"):
        importers.matsim([paths[0], paths[0]])


def test_parts_make_no_difference(tmp_path, monkeypatch):
    persons = [commuter(f"p{k}") for k in range(7)]
    whole = load(tmp_path, *persons)
    monkeypatch.setattr(matsim_xml, "PART", 2)
    monkeypatch.setattr(matsim_xml, "CHUNK", 100)
    parts = load(tmp_path, *persons)
    for name in ("vehicles", "stays", "trips", "report"):
        pd.testing.assert_frame_equal(getattr(whole, name), getattr(parts, name))


def slow_trips(text: str) -> list[tuple]:
    """Car trips of plans by an ordinary loop: person, departure, arrival, km."""
    trips = []
    for one in ElementTree.fromstring(text.split("?>", 1)[1].split(">", 1)[1]):
        now, previous = 0.0, None
        for element in one.find("plan"):
            if element.tag == "activity":
                given = element.get("end_time")
                if given is not None:
                    h, m, s = given.split(":")
                    now = max(now, 3600 * int(h) + 60 * int(m) + int(s))
                elif element.get("max_dur") is not None:
                    h, m, s = element.get("max_dur").split(":")
                    now += 3600 * int(h) + 60 * int(m) + int(s)
            else:
                h, m, s = element.get("trav_time").split(":")
                begin, now = now, now + 3600 * int(h) + 60 * int(m) + int(s)
                if element.get("mode") == "car":
                    km = float(element.find("route").get("distance")) / 1e3
                    trips.append((one.get("id"), begin, now, km))
        del previous
    return trips


@st.composite
def populations(draw):
    persons = []
    for number in range(draw(st.integers(1, 4))):
        elements, last = (
            [activity("home", end_time=clock(draw(st.integers(1, 9999))))],
            0,
        )
        for _ in range(draw(st.integers(1, 5))):
            mode = draw(st.sampled_from(["car", "car", "walk"]))
            travel = draw(st.integers(60, 5000))
            metres = draw(st.integers(100, 90_000))
            elements.append(leg(mode, metres=metres, trav_time=clock(travel)))
            last += draw(st.integers(0, 30_000))
            times = draw(
                st.sampled_from(
                    [{"end_time": clock(10_000 + last)}, {"max_dur": clock(last // 4)}]
                )
            )
            elements.append(activity(draw(st.sampled_from(["work", "shop"])), **times))
        elements += [leg(metres=500, trav_time="00:02:00"), activity("home")]
        persons.append(person(f"p{number}", plan(*elements)))
    return population(*persons)


@given(populations())
@settings(max_examples=40)
def test_trips_are_those_of_a_slow_reader(tmp_path_factory, text):
    path = write(tmp_path_factory.mktemp("plans") / "plans.xml", text)
    got = importers.matsim(path).trips
    want = pd.DataFrame(slow_trips(text), columns=["id", "begin", "end", "km"])
    assert got["vehicle_id"].tolist() == want["id"].tolist()
    seconds = (got["departure"] - MIDNIGHT).dt.total_seconds()
    np.testing.assert_allclose(seconds, want["begin"])
    seconds = (got["arrival"] - MIDNIGHT).dt.total_seconds()
    np.testing.assert_allclose(seconds, want["end"])
    np.testing.assert_allclose(got["distance_km"], want["km"])
    importers.matsim(path).scenario()  # no overlaps, and all else that is checked


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '"07:00:00"',
            '"25 past"',
            r"end_time: must be a time HH:MM:SS; found '25 past'",
        ),
        ('"16:00:00"', '"05:00:00"', r"time goes backwards.*\(line 8\).*anna"),
        (' end_time="16:00:00"', "", r"neither end_time nor max_dur.*\(line 8\)"),
        ('distance="20000"', 'distance="-1"', "distance: must be at least 0"),
        ('x="15000"', 'x="east"', r"x: must be numbers; found text, e.g. 'east'"),
        ("</leg>", "</leg><leg mode='car'/>", "activities and legs must alternate"),
        ('<person id="anna">', "<person>", "must have an id"),
    ],
)
def test_wrong_elements_are_named_by_line_and_person(tmp_path, old, new, said):
    text = population(commuter(), commuter("bert"))
    assert old in text
    path = write(tmp_path / "plans.xml", text.replace(old, new, 1))
    with pytest.raises(DataError, match=said):
        importers.matsim(path)
    got = importers.matsim(path, on_fault="drop")
    assert got.vehicles["vehicle_id"].tolist() == ["bert"]


def test_a_car_leg_without_any_distance_is_a_fault(tmp_path):
    text = population(commuter(), commuter("bert")).replace(' x="15000" y="0"', "", 1)
    text = text.replace('<route type="links" distance="20000"/>', "", 1)
    path = write(tmp_path / "plans.xml", text)
    with pytest.raises(DataError, match="no route distance, nor coordinates"):
        importers.matsim(path)


BOMB = "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 20))
HOSTILE = {
    "entity expansion": f'<!DOCTYPE p [<!ENTITY a0 "ha">{BOMB}]>\n',
    "external entity": '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n',
    "parameter entity": '<!DOCTYPE p [<!ENTITY % x SYSTEM "file:///no"> %x;]>\n',
}


@pytest.mark.parametrize("doctype", HOSTILE.values(), ids=HOSTILE.keys())
def test_entities_are_refused(tmp_path, doctype):
    text = population(commuter(), doctype=doctype).replace("anna", "&a19;&x;")
    tracemalloc.start()
    with pytest.raises(DataError, match="entit"):
        importers.matsim(write(tmp_path / "plans.xml", text))
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_an_entity_of_the_remote_dtd_is_not_looked_up(tmp_path):
    text = population(commuter()).replace("anna", "&anna;")
    with pytest.raises(DataError, match="undefined entity in line 4"):
        importers.matsim(write(tmp_path / "plans.xml", text))


def test_a_long_comment_may_stand_before_the_doctype(tmp_path):
    text = population(commuter())
    comment = "<!-- <!DOCTYPE no> " + "x" * 200_000 + " -->\n"
    text = text.replace("<!DOCTYPE", comment + "<!DOCTYPE", 1)
    got = importers.matsim(write(tmp_path / "plans.xml", text))
    assert got.trips.equals(load(tmp_path, commuter()).trips)
    wrong = text.replace("anna", "&anna;")
    with pytest.raises(DataError, match="undefined entity in line 5"):
        importers.matsim(write(tmp_path / "plans.xml", wrong))


def test_a_gigantic_attribute_is_refused(tmp_path):
    text = population(commuter("a" * 40_000_000))
    with pytest.raises(DataError, match="an element of more than 16 MiB"):
        importers.matsim(write(tmp_path / "plans.xml", text))


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("<a>" * 1000, "nested too deeply in line 6"),
        (activity("x", end_time="07:00:00") * 10_002, "more than 10,000 activities"),
    ],
)
@pytest.mark.parametrize("selected", ["yes", "no"])
def test_plans_without_end_are_refused(tmp_path, inside, said, selected):
    first = commuter().replace("</person>", "")
    text = population(first.split("\n", 1)[0], plan(inside, selected=selected))
    with pytest.raises(DataError, match=said):
        importers.matsim(write(tmp_path / "plans.xml", text))


def test_memory_does_not_grow_with_what_is_not_kept(tmp_path):
    """Routes and attributes of 30 MB pass through; what stays is the trips."""
    route = '<route type="links" distance="20000">' + "12345 " * 5000 + "</route>"
    persons = [
        commuter(f"p{k}").replace('<route type="links" distance="20000"/>', route)
        for k in range(500)
    ]
    path = write(tmp_path / "plans.xml", population(*persons))
    assert path.stat().st_size > 3e7
    tracemalloc.start()
    got = importers.matsim(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(got.trips) == 1000 and peak < 1.2e7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (population(commuter())[:-40], "is not well-formed XML: .* in line"),
        ("plans", "is not well-formed XML: syntax error in line 1"),
        (HEAD + "<network/>", "its first element is <network>"),
        (HEAD + DOCTYPE + "<population/>", "holds no car trip"),
        (population(commuter().replace("car", "bike")), "holds no car trip"),
        (population(commuter()).encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        (HEAD + "<population/>", r"plans.xml: holds no car trip"),
    ],
)
def test_files_that_hold_no_plans(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        importers.matsim(write(tmp_path / "plans.xml", text))


def test_wrong_settings(tmp_path):
    path = write(tmp_path / "plans.xml", population(commuter()))
    for wrong in ({"detour": -1}, {"repeat": 1.5}, {"start": "noon"}):
        with pytest.raises(SettingsError):
            importers.matsim(path, **wrong)
    with pytest.raises(SettingsError, match="not from frames"):
        importers.matsim(pd.DataFrame({"a": [1]}))


def test_progress_is_told_when_asked(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(matsim_xml, "REPORT_EVERY", 0.0)
    load(tmp_path, commuter())
    assert capsys.readouterr().err == ""
    load(tmp_path, commuter(), progress=True)
    assert "MiB" in capsys.readouterr().err
