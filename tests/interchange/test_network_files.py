"""OpenDSS, pandapower and CSV: what is written reads back as the loads it came from."""

import json
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from interchange_cases import slow_load, solution

import macjax
from macjax import importers, interchange
from macjax.interchange.feeder_power import element_names


@pytest.fixture(scope="module")
def given():
    return solution()


def loads_of(given, column="ev_kw") -> np.ndarray:
    """Load by feeder and slot, shape (F, T) [kW]."""
    shape = len(given.scenario.feeders), given.scenario.slots
    return given.loads()[column].to_numpy().reshape(shape)


def circuit(folder, given, export="Redirect dss/Main.dss\n") -> None:
    """A circuit with a transformer for each feeder, and the exported loads in it."""
    ids = given.scenario.feeders["feeder_id"]
    lines = [
        f"New Transformer.T{k} buses=(mv lv{k}) kvs=(12 0.4) kvas=(900 900)"
        for k in range(len(ids))
    ]
    (folder / "Master.dss").write_text("\n".join(lines) + "\n" + export)


@pytest.mark.parametrize(
    ("minutes", "power", "power_factor"),
    [(60, "ev", 1.0), (15, "total", 0.9), (60, "base", 1.0)],
)
def test_opendss_reads_back_through_our_importer(
    tmp_path, minutes, power, power_factor
):
    given = solution(slots=48 * 60 // minutes, slot_minutes=minutes)
    ids = given.scenario.feeders["feeder_id"]
    buses = {feeder: f"lv{k}.1.2.3" for k, feeder in enumerate(ids)}
    folder = interchange.to_opendss(
        given,
        tmp_path / "dss",
        power=power,
        buses=buses,
        kv=0.4,
        power_factor=power_factor,
    )
    circuit(tmp_path, given)
    start = given.scenario.start
    got = importers.opendss(
        tmp_path / "Master.dss",
        start=start.isoformat(),
        timezone=given.scenario.timezone,
        slot_minutes=minutes,
        days=2,
        base_day=1,
    )
    columns = {"ev": ["ev_kw"], "base": ["base_kw"], "total": ["ev_kw", "base_kw"]}
    wanted = sum(loads_of(given, column) for column in columns[power])
    profile = got.feeder_profile
    for k, row in enumerate(wanted):
        found = profile[profile["feeder_id"] == f"t{k}"]
        np.testing.assert_allclose(found["base_kw"], row, atol=1e-9)
    table = pd.read_csv(folder / "loads.csv")
    assert table["feeder_id"].tolist() == ids.tolist()
    hours = minutes / 60
    np.testing.assert_allclose(table["energy_kwh"], wanted.sum(axis=1) * hours)
    reactive = sorted((folder / "profiles").glob("*_kvar.csv"))
    assert len(reactive) == (len(ids) if power_factor < 1 else 0)
    for path, row in zip(reactive, wanted, strict=False):
        kvar = np.loadtxt(path)
        apparent = np.hypot(kvar, row)
        np.testing.assert_allclose(row, 0.9 * apparent, atol=1e-9)


def test_opendss_load_shapes_alone_and_some_buses(tmp_path, given):
    ids = given.scenario.feeders["feeder_id"]
    folder = interchange.to_opendss(given, tmp_path / "a")
    assert not (folder / "Loads.dss").exists()
    shapes = (folder / "LoadShapes.dss").read_text().splitlines()
    assert len(shapes) == len(ids)
    assert all("minterval=60 useactual=yes" in line for line in shapes)
    frame = pd.DataFrame({"feeder_id": ids[1:2], "bus": "b", "kv": 7.2, "phases": 1})
    interchange.to_opendss(given, tmp_path / "a", buses=frame)  # replaces its own
    (line,) = (folder / "Loads.dss").read_text().splitlines()
    assert "bus1=b phases=1 kv=7.2 " in line
    peak = loads_of(given)[1].max()
    assert float(line.split(" kw=")[1].split()[0]) == pytest.approx(peak)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("x")
    with pytest.raises(macjax.SettingsError, match="holds no export to opendss"):
        interchange.to_opendss(given, tmp_path / "b")
    assert [p.name for p in (tmp_path / "b").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"buses": {"F?": "b"}, "kv": 1}, "no feeder F"),
        ({"buses": "b", "kv": 1}, "must be a mapping"),
        ({"buses": pd.DataFrame({"feeder_id": []})}, "no column 'bus'"),
        ({"power": "evs"}, "must be one of ev, base, total"),
        ({"power_factor": 0}, "power_factor must be"),
        ({"power_factor": float("nan")}, "power_factor must be"),
    ],
)
def test_wrong_settings_are_told(tmp_path, given, settings, words):
    with pytest.raises(macjax.SettingsError, match=words):
        interchange.to_opendss(given, tmp_path / "a", **settings)
    assert not (tmp_path / "a").exists()


def test_buses_that_are_numbers_stay_whole_where_one_is_missing(tmp_path, given):
    """`12.0` would be node 0 of bus 12 to OpenDSS: the ground."""
    ids = given.scenario.feeders["feeder_id"]
    buses = pd.DataFrame({"feeder_id": ids, "bus": [12.0, np.nan, 3.0]})
    folder = interchange.to_opendss(given, tmp_path / "a", buses=buses, kv=12)
    lines = (folder / "Loads.dss").read_text().splitlines()
    assert [line.split()[2] for line in lines] == ["bus1=12", "bus1=3"]
    loads = interchange.to_pandapower(given, buses=buses).loads
    assert loads["bus"].tolist() == [12, 3]


def test_wrong_places_are_told(tmp_path, given):
    feeder = given.scenario.feeders["feeder_id"][0]
    for settings, words in (
        ({"buses": {feeder: "b"}}, "kv: must be a voltage in kV .* 1 of"),
        ({"buses": {feeder: "b"}, "kv": -1}, "kv: must be a voltage in kV .* 1 of"),
        ({"buses": {feeder: "b"}, "kv": 1, "phases": 4}, "phases: must be 1, 2 or 3"),
        ({"buses": {feeder: "b\nClear"}, "kv": 1}, "cannot be the name of a bus"),
        ({"buses": {feeder: "b kw=9"}, "kv": 1}, "cannot be the name of a bus"),
        ({"buses": {feeder: "b,3"}, "kv": 1}, "cannot be the name of a bus"),
    ):
        with pytest.raises(macjax.SettingsError, match=words):
            interchange.to_opendss(given, tmp_path / "a", **settings)
    twice = pd.DataFrame({"feeder_id": [feeder] * 2, "bus": "b", "kv": 1})
    with pytest.raises(macjax.SettingsError, match="come twice"):
        interchange.to_opendss(given, tmp_path / "a", buses=twice)


def test_names_are_plain_and_unique():
    ids = pd.Series(["a b", "a.b", "A_b", "a_b_2", "ä/../x", "y" * 300, "y" * 301])
    names = element_names(ids, "ev")
    assert len({name.lower() for name in names}) == len(ids)
    assert all(
        name.isascii() and name.replace("-", "_").isidentifier() for name in names
    )
    assert names[0] == "ev_a_b" and names[3] == "ev_a_b_2"
    assert max(len(f"{name}_kvar.csv") for name in names) < 255


def test_pandapower_profiles(tmp_path, given):
    ids = given.scenario.feeders["feeder_id"]
    got = interchange.to_pandapower(given, buses={ids[2]: 4, ids[0]: 7})
    assert got.loads["feeder_id"].tolist() == [ids[0], ids[2]]
    assert got.loads["bus"].tolist() == [7, 4]
    np.testing.assert_allclose(got.p_mw.T * 1000, loads_of(given)[[0, 2]])
    assert (got.q_mvar == 0).all(axis=None)
    assert got.p_mw.index.tolist() == list(range(given.scenario.slots))
    assert got.p_mw.columns.tolist() == [0, 1]
    p, q = got.controls([31, 32])
    assert p["element_index"] == [31, 32] and p["profile_name"] == [0, 1]
    assert (p["variable"], q["variable"]) == ("p_mw", "q_mvar")
    with pytest.raises(macjax.SettingsError, match="1 given for 2 loads"):
        got.controls([31])
    folder = got.write(tmp_path / "pp")
    back = pd.read_csv(folder / "p_mw.csv", index_col="step")
    np.testing.assert_allclose(back, got.p_mw)
    # As DFData(back, multi=True) of pandapower does it, which EXPORT.txt tells.
    assert "DFData(frame, multi=True)" in (folder / "EXPORT.txt").read_text()
    assert back.loc[3, "1"] == back.rename(columns=int).loc[3, p["profile_name"]][1]
    times = pd.to_datetime(pd.read_csv(folder / "times.csv")["time"], utc=True)
    assert (times == given.scenario.slot_starts).all()
    assert json.loads((folder / "controls.json").read_text()) == got.controls()
    everything = interchange.to_pandapower(given, power_factor=0.8)
    assert len(everything.loads) == len(ids) and everything.loads["bus"].isna().all()
    np.testing.assert_allclose(everything.q_mvar, 0.75 * everything.p_mw)


@pytest.mark.skipif(find_spec("pandapower") is None, reason="needs pandapower")
@pytest.mark.filterwarnings("ignore")  # of pandapower and its packages
def test_pandapower_runs_them():
    import pandapower
    from pandapower.timeseries import OutputWriter, run_timeseries

    given = solution(slots=6, evs=20)
    ids = given.scenario.feeders["feeder_id"]
    net = pandapower.create_empty_network()
    buses = [pandapower.create_bus(net, 20.0) for _ in range(4)]
    pandapower.create_ext_grid(net, buses[0])
    for bus in buses[1:]:
        pandapower.create_line(net, buses[0], bus, 0.1, "NA2XS2Y 1x240 RM/25 12/20 kV")
    loads = interchange.to_pandapower(
        given, buses=dict(zip(ids, buses[1:], strict=True)), power_factor=0.95
    )
    index = loads.add_to(net)
    writer = OutputWriter(net, time_steps=loads.p_mw.index)
    writer.log_variable("res_load", "p_mw")
    writer.log_variable("res_load", "q_mvar")
    run_timeseries(net, time_steps=loads.p_mw.index, verbose=False)
    found = writer.output["res_load.p_mw"][index].to_numpy(float)
    np.testing.assert_allclose(found, loads.p_mw, atol=1e-12)
    found = writer.output["res_load.q_mvar"][index].to_numpy(float)
    np.testing.assert_allclose(found, loads.q_mvar, atol=1e-12)
    with pytest.raises(macjax.SettingsError, match="have no bus of the net"):
        interchange.to_pandapower(given).add_to(net)


def test_csv_tables_and_the_tariff(tmp_path, given):
    folder = interchange.to_csv(given, tmp_path / "csv")
    loads = pd.read_csv(folder / "loads.csv")
    np.testing.assert_array_equal(loads["ev_kw"], given.loads()["ev_kw"])
    times = pd.to_datetime(loads["time"], utc=True)
    assert (
        times.to_numpy() == given.loads()["time"].dt.tz_convert("UTC").to_numpy()
    ).all()
    by_hand = slow_load(given)
    total = loads["ev_kw"].sum()
    assert total == pytest.approx(sum(by_hand.values()))
    schedule = pd.read_csv(folder / "schedule.csv")
    np.testing.assert_array_equal(schedule["kw"], given.schedule()["kw"])
    tariff = pd.read_csv(folder / "tariff.csv")
    hours = given.scenario.slot_hours
    np.testing.assert_allclose(tariff["price"], given.prices()["price"] / hours)
    posted = macjax.baselines.tariff_prices(given.scenario, tariff)
    np.testing.assert_allclose(posted.feeders * hours, given.price_table)
    upgrades = pd.read_csv(folder / "upgrades.csv")
    assert upgrades["peak_time"].isna().sum() == (upgrades["upgrade_kw"] == 0).sum()
    text = (folder / "EXPORT.txt").read_text()
    assert all(f"{p.name}\n" in text for p in folder.glob("*.csv"))
