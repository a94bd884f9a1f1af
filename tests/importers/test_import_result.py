"""Imports joined with feeders, made a scenario, written, and on the command line."""

import json

import numpy as np
import pandas as pd
import pytest
from import_samples import DATA, commuter, ica, population, write, write_dss

import macjax
from macjax import DataError, SettingsError, cli, importers
from macjax.importers.banks import find_banks, on_cycle, with_descendants
from macjax.importers.profiles import day_profile, placed_profile, series_profile

TRIPS = DATA / "mtc_trips.csv"
ZONES = DATA / "mtc_zones.csv"
HOUR = np.arange(24)


@pytest.fixture
def plans(tmp_path):
    return importers.matsim(write(tmp_path / "plans.xml", population(commuter())))


def network(*ids, x=0.0, y=0.0, capacity=100.0):
    feeders = pd.DataFrame({"feeder_id": list(ids), "x": x, "y": y})
    profile = pd.DataFrame(
        {"feeder_id": np.repeat(list(ids), 24), "hour": np.tile(HOUR, len(ids))}
    )
    return feeders, profile.assign(capacity_kw=capacity, base_kw=50.0)


def test_vehicles_alone_are_a_scenario_without_feeders(plans):
    scenario = plans.scenario(name="alone", currency="EUR")
    assert (scenario.name, scenario.currency) == ("alone", "EUR")
    assert len(scenario.feeders) == 0 and scenario.stays["feeder_id"].isna().all()
    assert "Imported('MATSim plans': 1 vehicles" in repr(plans)


def test_frames_go_into_from_frames(plans):
    """What docs/importers.md says: tables of two imports in one call."""
    feeders, profile = network("f")
    keys = plans.horizon._asdict() | {"name": "both"}
    frames = {**plans.frames, "feeders": feeders, "feeder_profile": profile}
    scenario = macjax.Scenario.from_frames(**keys, **frames)
    assert len(scenario.vehicles) == 1 and len(scenario.feeders) == 1


def test_the_nearest_feeder(plans):
    joined = plans.with_feeders(network("home", "work", x=[100, 14_000], y=[0, 0]))
    assert joined.stays["feeder_id"].tolist() == ["home", "work", "home"]
    words = joined.report["what"].tolist()
    assert "nearest feeder by x and y; median distance 100, largest 1,000" in words
    assert joined.scenario().notes == [
        "stays: columns kept, not used: x, y",
        "feeders: columns kept, not used: x, y",
    ]
    assert plans.stays.columns.tolist()[-1] == "y"  # the import itself is as it was
    with pytest.raises(SettingsError, match="not in one coordinate system"):
        plans.with_feeders(network("a", "b", x=[11.1, 11.2], y=[4.1e6, 4.2e6]))
    with pytest.raises(SettingsError, match="feeders have no columns x and y"):
        feeders, profile = network("a")
        plans.with_feeders((feeders[["feeder_id"]], profile))
    with pytest.raises(SettingsError, match="no feeder or no stay has coordinates"):
        plans.with_feeders(network("a", x=np.nan))


@pytest.mark.parametrize(
    "link",
    [
        {"home": 1, "gym": 2},
        pd.Series({"home": 1, "gym": 2}),
        pd.DataFrame({"place": ["home", "gym"], "feeder_id": ["1", "2"]}),
    ],
)
def test_links_by_a_column(plans, link):
    joined = plans.with_feeders(network(1, 2), link, by="place")
    assert joined.stays["feeder_id"].astype(object).where(
        joined.stays["feeder_id"].notna(), None
    ).tolist() == [1, None, 1]
    assert joined.scenario().feeders["feeder_id"].tolist() == [1, 2]


def test_one_feeder_for_all_and_stays_without(plans):
    joined = plans.with_feeders(network("f"), "f")
    assert joined.stays["feeder_id"].tolist() == ["f"] * 3
    cut = plans.with_feeders(network("f"), {"work": "f"}, by="place")
    free = cut.report[cut.report["what"].str.contains("have no feeder")]
    assert free["count"].tolist() == [2]  # the two stays at the home charger


def test_wrong_links(plans):
    both = network("a", "b")
    for link, by, said in (
        ({"home": "a"}, None, "by must name a column of the stays: vehicle_id"),
        ({"home": "a"}, "zone", "by must name a column of the stays"),
        ({"home": "c"}, "place", "names 1 feeders that are not there: 'c'"),
        ("c", None, "not there: 'c'; there are 'a', 'b'"),
        (None, "place", "give link too"),
        (pd.DataFrame({"place": ["home"]}), "place", "has two columns"),
        (pd.Series(["a", "b"], ["home", "home"]), "place", "several feeders to one"),
    ):
        with pytest.raises(SettingsError, match=said):
            plans.with_feeders(both, link, by)
    with pytest.raises(SettingsError, match="network must be an import with feeders"):
        plans.with_feeders("feeders")
    with pytest.raises(SettingsError, match="has no feeders"):
        plans.with_feeders(plans)
    alone = importers.hosting_capacity(ica().assign(feeder_id="f"), month=1)
    with pytest.raises(SettingsError, match="has no stays to put on feeders"):
        alone.with_feeders(both)
    with pytest.raises(SettingsError, match="holds feeders and no vehicles"):
        alone.scenario()


def test_the_result_is_solved(tmp_path):
    """Real trips on real transformers: unmanaged charging overloads some of them."""
    tables = [DATA / f"smartds_{n}.csv" for n in ("transformers", "loads")]
    tables.append(DATA / "smartds_load_profiles_15min.csv")
    grid = importers.opendss(tables)
    names = grid.feeders["feeder_id"].tolist()
    fleet = importers.activitysim([TRIPS, ZONES], drivers="all")
    zones = fleet.stays["zone"].unique()
    link = {zone: names[k % len(names)] for k, zone in enumerate(zones)}
    scenario = fleet.with_feeders(grid, link, by="zone").scenario()
    solution = macjax.baselines.unmanaged(scenario)
    loads = solution.loads()
    assert loads["ev_kw"].sum() > 0 and set(loads["feeder_id"]) == set(names)


def test_written_and_read_again(plans, tmp_path):
    plans.write(tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "report.csv",
        "scenario",
    ]
    again = macjax.Scenario.read(tmp_path / "out" / "scenario")
    assert again.fingerprint == plans.scenario().fingerprint
    report = pd.read_csv(tmp_path / "out" / "report.csv")
    assert report["what"].tolist() == plans.report["what"].tolist()
    plans.write(tmp_path / "out")  # replaces its own
    grid = importers.hosting_capacity(ica().assign(feeder_id="f"), month=1)
    grid.write(tmp_path / "grid")
    names = sorted(p.name for p in (tmp_path / "grid").iterdir())
    assert names == ["feeder_profile.parquet", "feeders.parquet", "report.csv"]
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot write"):
        grid.write(tmp_path / "file")


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_import_on_the_command_line(tmp_path, capsys):
    main = write_dss(tmp_path / "circuit")
    assert run("import", "opendss", main, "--out", tmp_path / "grid") == 0
    assert "a regulator, no feeder [1]: reg1" in capsys.readouterr().out
    trips = ["import", "activitysim", TRIPS, ZONES, "--out", tmp_path / "fleet"]
    options = ["--days", 2, "--battery-kwh", 40, "--charger-kw", "home=11,work=3.7"]
    link = pd.DataFrame({"zone": pd.read_csv(ZONES)["zone_id"], "feeder_id": "t1"})
    link.to_csv(tmp_path / "link.csv", index=False)
    feeders = ["--feeders", tmp_path / "grid", "--link", tmp_path / "link.csv"]
    assert run(*trips, *options, *feeders, "--by", "zone") == 0
    assert "written to" in capsys.readouterr().out
    scenario = macjax.Scenario.read(tmp_path / "fleet" / "scenario")
    assert scenario.slots == 48 and (scenario.vehicles["battery_kwh"] == 40).all()
    assert scenario.stays["feeder_id"].notna().all()
    assert set(scenario.stays["charger_kw"]) <= {0, 3.7, 11}
    # The scenario of an import serves as a network as well.
    feeders = ["--feeders", tmp_path / "fleet" / "scenario", *feeders[2:]]
    assert run(*trips, *feeders, "--by", "zone", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["format"] == "activitysim" and record["vehicles"] == 3
    assert record["report"][0].keys() >= {"file", "column", "what", "count"}


def test_exit_codes_of_import(tmp_path, capsys):
    wrong = tmp_path / "trips.csv"
    pd.read_csv(TRIPS).assign(depart="early").to_csv(wrong, index=False)
    out = tmp_path / "out"
    assert run("import", "activitysim", wrong, ZONES, "--out", out) == 2
    said = capsys.readouterr().err
    assert "trips.csv.depart: must be numbers" in said and "(lines 2, 3, 4," in said
    assert not out.exists()
    assert run("import", "matsim", tmp_path / "no.xml", "--out", out) == 2
    assert run("import", "matsim", wrong, "--out", out, "--detour", "-1") == 2
    options = ["import", "activitysim", TRIPS, ZONES, "--out", out]
    assert run(*options, "--by", "zone") == 2
    assert run(*options, "--feeders", tmp_path) == 2
    assert run(*options, "--battery-kwh", "0") == 2
    out.mkdir()
    (out / "thesis.tex").write_text("")
    assert run(*options) == 2 and "thesis.tex" in capsys.readouterr().err
    for arguments in (["import"], ["import", "excel"], options[:-2], [*options, "--x"]):
        with pytest.raises(SystemExit) as stop:
            run(*arguments)
        assert stop.value.code == 2


@pytest.mark.parametrize("name", importers.FORMATS)
def test_every_keyword_of_an_importer_is_an_option(name, capsys):
    import inspect

    with pytest.raises(SystemExit):
        run("import", name, "--help")
    shown = " ".join(capsys.readouterr().out.split())
    for parameter in inspect.signature(importers.FORMATS[name]).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in (
            "cars",
            "progress",
        ):
            assert f"--{parameter.name.replace('_', '-')}" in shown


def test_flags_and_words_reach_the_importer(tmp_path, capsys):
    path = tmp_path / "0120.csv"
    ica().to_csv(path, index=False)
    options = ["--month", 3, "--section", "0", "--limit", "both", "--day", "min"]
    out = tmp_path / "out"
    assert run("import", "hosting-capacity", path, "--out", out, *options) == 0
    want = importers.hosting_capacity(
        path, month=3, section=0.0, limit="both", day="min"
    )
    got = pd.read_parquet(out / "feeder_profile.parquet")
    pd.testing.assert_frame_equal(got, want.feeder_profile, check_dtype=False)
    events = write(tmp_path / "x_events.csv", "a,b\n1,2\n")
    assert run("import", "simbev", events, "--out", tmp_path / "no", "--quiet") == 2
    assert "event_start: the column is missing" in capsys.readouterr().err


def test_banks_of_transformers():
    """A substation above two banks, one of them of two transformers."""
    island = np.array([0, 1, 2, 3])
    banks = find_banks(island, np.array([0, 1, 1, 1, 2]), np.array([1, 2, 2, 3, 2]))
    assert banks.of.tolist() == [0, 1, 1, 2, -1]
    assert banks.parent.tolist() == [-1, 0, 0]
    own = np.array([[1.0], [2], [4]])
    assert with_descendants(own, banks.parent).ravel().tolist() == [7, 2, 4]
    assert on_cycle(np.array([1, 0, 0, -1])).tolist() == [True, True, False, False]


def test_profiles_fit_slots_or_say_so():
    base, horizon = np.arange(24.0)[None, :], importers.matsim
    horizon = importers.horizon.make_horizon("2026-03-28", "Europe/Berlin", 180, 2)
    profile = day_profile(["f"], np.array([9.0]), base, horizon)
    hours = profile["time"].dt.tz_convert("Europe/Berlin").dt.hour
    # On the second day the clocks go forward: slots begin an hour later.
    assert hours.tolist() == [0, 3, 6, 9, 12, 15, 18, 21, 0, 4, 7, 10, 13, 16, 19, 22]
    want = [(h + (h + 1) % 24 + (h + 2) % 24) / 3 for h in hours]
    want[8] = (0 + 1 + 3) / 3  # there is no 2:00
    np.testing.assert_allclose(profile["base_kw"], want)
    odd = horizon._replace(slot_minutes=45, slots=32)
    with pytest.raises(SettingsError, match="do not fit each other"):
        day_profile(["f"], np.array([9.0]), base, odd)
    with pytest.raises(SettingsError, match="has 1 days from its first one on"):
        series_profile(["f"], np.array([9.0]), base, 60, horizon)
    two = np.concatenate([base, base + 1], axis=1)
    series = placed_profile(["f"], np.array([9.0]), two, 60, horizon)
    np.testing.assert_allclose(series["base_kw"].to_numpy()[[0, 8]], [1, 2])


def test_a_wrong_scenario_is_reported_by_the_scenario(plans):
    import dataclasses

    vehicles = plans.vehicles.assign(initial_kwh=99.0)
    with pytest.raises(DataError, match="initial_kwh: must be at most battery_kwh"):
        dataclasses.replace(plans, vehicles=vehicles).scenario()
