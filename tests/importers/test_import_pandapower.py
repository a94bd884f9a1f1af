"""Feeders of a pandapower net: from tables, from JSON, and with the real library."""

import json
import types

import numpy as np
import pandas as pd
import pytest
from import_samples import net_profiles, net_tables, write

from macjax import DataError, SettingsError, importers


def found(imported, words: str) -> int:
    rows = imported.report[imported.report["what"].str.contains(words, regex=False)]
    return int(rows["count"].sum())


def net(profiles: int = 0, **changes) -> dict:
    tables = net_tables() | changes
    return tables | ({"profiles": net_profiles(profiles)} if profiles else {})


def of_feeder(imported, name: str, column: str) -> np.ndarray:
    profile = imported.feeder_profile
    return profile[profile["feeder_id"] == name][column].to_numpy()


def as_json(tables: dict) -> str:
    """As `pandapower.to_json` writes it."""

    def frame(table: pd.DataFrame) -> dict:
        held = table.to_json(orient="split", default_handler=str)
        head = {"_module": "pandas.core.frame", "_class": "DataFrame"}
        return {**head, "_object": held, "orient": "split"}

    held = {k: frame(v) for k, v in tables.items() if k != "profiles"}
    if "profiles" in tables:
        held["profiles"] = {k: frame(v) for k, v in tables["profiles"].items()}
    held["version"] = "3.5"
    head = {"_module": "pandapower.auxiliary", "_class": "pandapowerNet"}
    return json.dumps({**head, "_object": held})


def test_transformers_as_feeders():
    got = importers.pandapower(net())
    feeders = got.feeders.set_index("feeder_id")
    assert feeders.index.tolist() == ["big 1+big 2", "village"]
    assert feeders["parent_id"].where(feeders["parent_id"].notna(), None).tolist() == [
        None,
        "big 1+big 2",
    ]
    np.testing.assert_allclose(feeders["longitude"], [8.1, 8.5])
    assert (of_feeder(got, "big 1+big 2", "capacity_kw") == 0.95 * 50_000).all()
    assert (of_feeder(got, "village", "capacity_kw") == 0.95 * 400).all()
    # One load of the village is out of service; the big ones carry everything.
    np.testing.assert_allclose(of_feeder(got, "village", "base_kw"), 100)
    np.testing.assert_allclose(of_feeder(got, "big 1+big 2", "base_kw"), 2100)
    assert found(got, "feed one island") == 1 and found(got, "no profiles") == 1
    assert found(got, "out of service or switched off") == 1


def test_lines_that_leave_the_busbar_as_feeders():
    got = importers.pandapower(net(), level="line", power_factor=1, loading=0.5)
    assert got.feeders["feeder_id"].tolist() == ["north", "south"]
    kw = 0.5 * np.sqrt(3) * 20e3
    np.testing.assert_allclose(of_feeder(got, "north", "capacity_kw"), kw * 0.2)
    np.testing.assert_allclose(of_feeder(got, "south", "capacity_kw"), kw * 0.3)
    np.testing.assert_allclose(of_feeder(got, "north", "base_kw"), 2000)
    np.testing.assert_allclose(of_feeder(got, "south", "base_kw"), 100)


def test_a_closed_ring_is_one_feeder():
    closed = net_tables()["switch"].assign(closed=True)
    got = importers.pandapower(net(switch=closed), level="line")
    assert got.feeders["feeder_id"].tolist() == ["north+south"]
    np.testing.assert_allclose(
        of_feeder(got, "north+south", "capacity_kw"), 0.95 * np.sqrt(3) * 20e3 * 0.5
    )
    assert found(got, "feed one island") == 1


def test_a_busbar_at_the_external_grid():
    """Without a transformer above it the busbar is where the grid is."""
    tables = net(
        trafo=net_tables()["trafo"].iloc[2:], ext_grid=pd.DataFrame({"bus": [11]})
    )
    got = importers.pandapower(tables, level="line")
    assert got.feeders["feeder_id"].tolist() == ["north", "south"]


def test_ratings_count_parallel_derating_and_limit():
    trafo = net_tables()["trafo"].assign(df=0.9, max_loading_percent=[60, 60, np.nan])
    trafo["parallel"] = [1, 1, 2]
    got = importers.pandapower(net(trafo=trafo), power_factor=1.0)
    assert of_feeder(got, "village", "capacity_kw")[0] == pytest.approx(400 * 2 * 0.9)
    want = 50_000 * 0.9 * 0.6
    assert of_feeder(got, "big 1+big 2", "capacity_kw")[0] == pytest.approx(want)


def test_three_winding_transformers_are_two():
    three = pd.DataFrame(
        {"name": ["t"], "hv_bus": [10], "mv_bus": [11], "lv_bus": [15]}
    ).assign(sn_mv_mva=40.0, sn_lv_mva=1.0)
    empty = net_tables()["trafo"].iloc[:0]
    got = importers.pandapower(net(trafo=empty, trafo3w=three))
    assert got.feeders["feeder_id"].tolist() == ["t mv", "t lv"]
    assert of_feeder(got, "t lv", "base_kw")[0] == pytest.approx(100)
    assert found(got, "behind no feeder") == 0


def test_profiles_take_the_day_with_most_load():
    got = importers.pandapower(net(2))
    assert found(got, "base load of 2016-01-02") == 1
    hour = np.arange(24)
    np.testing.assert_allclose(of_feeder(got, "village", "base_kw"), 100 * 0.2)
    want = 1000 * 0.2 + 1000 * 0.02 * hour + 20
    np.testing.assert_allclose(of_feeder(got, "big 1+big 2", "base_kw"), want)
    first = importers.pandapower(net(2), base_day="2016-01-01")
    np.testing.assert_allclose(of_feeder(first, "village", "base_kw"), 10)


def test_profiles_by_time_run_on_from_their_first_day():
    got = importers.pandapower(
        net(3),
        start="2026-03-02",
        timezone="Europe/Berlin",
        days=2,
        slot_minutes=30,
        base_day="2016-01-02",
    )
    assert got.horizon.slots == 96
    village = of_feeder(got, "village", "base_kw")
    np.testing.assert_allclose(village, np.repeat([20.0, 30.0], 48))
    with pytest.raises(SettingsError, match="the profiles have 1 days from 2016-01-03"):
        importers.pandapower(net(3), start="2026-03-02", days=2, base_day="2016-01-03")
    for wrong in ("2017-01-01", "soon"):
        with pytest.raises(SettingsError, match="base_day"):
            importers.pandapower(net(3), base_day=wrong)
    with pytest.raises(SettingsError, match="no meaning for a net without profiles"):
        importers.pandapower(net(), base_day="2016-01-01")


def test_generators_lower_the_load_if_asked():
    sgen = pd.DataFrame({"bus": [15], "p_mw": [0.05]})
    assert (
        of_feeder(importers.pandapower(net(sgen=sgen)), "village", "base_kw")[0] == 100
    )
    assert found(importers.pandapower(net(sgen=sgen)), "static generators") == 1
    got = importers.pandapower(net(sgen=sgen), generation=True)
    assert of_feeder(got, "village", "base_kw")[0] == pytest.approx(50)
    got = importers.pandapower(net(2, sgen=sgen), generation=True)
    assert of_feeder(got, "village", "base_kw")[0] == pytest.approx(20 - 50)


def test_objects_mappings_and_json_are_the_same(tmp_path):
    tables = net(2)
    one = importers.pandapower(tables, name="net")
    path = write(tmp_path / "net.json", as_json(tables))
    for other in (types.SimpleNamespace(**tables), path, str(path)):
        got = importers.pandapower(other, name="net")
        for name in ("feeders", "feeder_profile"):
            pd.testing.assert_frame_equal(getattr(one, name), getattr(got, name))


def test_a_scenario_of_it_holds():
    got = importers.pandapower(net())
    events = {
        "event_start": [0, 1],
        "event_time": [1, 1],
        "location": ["home", "driving"],
        "soc_start": [0.5, 0.5],
        "soc_end": [0.5, 0.5],
        "energy": [0.0, 0.0],
        "station_charging_capacity": [11.0, 0.0],
    }
    fleet = importers.simbev(pd.DataFrame(events)).with_feeders(got, "village")
    with pytest.warns(UserWarning, match="parent_id"):
        scenario = fleet.scenario()
    assert scenario.stays["feeder_id"].tolist() == ["village"]
    assert scenario.capacity_base()[0].shape == (2, 96)


@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        ("load", {"bus": [12, 13, 15, 99]}, r"net.load.bus: bus 99 is not.*\(line 4\)"),
        ("load", {"p_mw": [1, "x", 1, 1]}, "net.load.p_mw: must be numbers"),
        ("trafo", {"sn_mva": [25, -25, 1]}, "sn_mva: must be at least 0"),
        ("line", {"max_i_ka": [0.2, None, 0.3, 0.2]}, "max_i_ka: must have a value"),
        ("switch", {"et": ["b"], "element": [77], "closed": [True]}, "is no bus"),
    ],
)
def test_wrong_elements_are_named(table, change, said):
    frame = net_tables()[table].assign(**change)
    with pytest.raises(DataError, match=said):
        importers.pandapower(net(**{table: frame}))


def test_wrong_nets_are_named(tmp_path):
    with pytest.raises(DataError, match="net.bus.vn_kv: the column is missing"):
        importers.pandapower({"bus": pd.DataFrame({"name": ["a"]})})
    with pytest.raises(DataError, match="the net has no buses"):
        importers.pandapower({})
    with pytest.raises(DataError, match="load: must be a table; found list"):
        importers.pandapower(net(load=[1, 2]))
    with pytest.raises(DataError, match="must be unique"):
        bus = net_tables()["bus"]
        importers.pandapower(net(bus=pd.concat([bus, bus])))
    with pytest.raises(DataError, match="the net has no transformer"):
        importers.pandapower(net(trafo=net_tables()["trafo"].iloc[:0]))
    with pytest.raises(DataError, match="the net has no external grid"):
        importers.pandapower(net(ext_grid=pd.DataFrame({"bus": []})), level="line")
    wrong = net(2)
    wrong["load"] = wrong["load"].assign(profile=["A", "C", "A", "B"])
    with pytest.raises(DataError, match="profile 'C' is not in the net's profiles"):
        importers.pandapower(wrong)
    wrong = net(2)
    wrong["profiles"]["load"]["time"] = "now"
    with pytest.raises(DataError, match="must be times such as"):
        importers.pandapower(wrong)
    for text, said in (
        ("{", "cannot be read as JSON"),
        ("[]", "no pandapower net"),
        ('{"_object": {"bus": {"_class": "DataFrame"}}}', "cannot be read as JSON"),
    ):
        with pytest.raises(DataError, match=said):
            importers.pandapower(write(tmp_path / "net.json", text))
    for wrong in ({"level": "bus"}, {"power_factor": 0}, {"loading": 2}, {"days": 0}):
        with pytest.raises(SettingsError):
            importers.pandapower(net(), **wrong)


def test_reading_json_runs_no_code(tmp_path):
    """A file may name any class; only tables are made of it."""
    held = json.loads(as_json(net()))
    held["_object"]["user"] = {"_module": "os", "_class": "system", "_object": "x"}
    path = write(tmp_path / "net.json", json.dumps(held))
    assert len(importers.pandapower(path).feeders) == 2


def test_simbench_needs_its_extra():
    try:
        import simbench  # noqa: F401
    except ImportError:
        with pytest.raises(SettingsError, match=r"macjax\[pandapower\]"):
            importers.pandapower("simbench:1-LV-rural1--0-sw")
    else:
        with pytest.raises(SettingsError, match="has no network"):
            importers.pandapower("simbench:nothing")


@pytest.mark.filterwarnings("ignore")
def test_with_the_real_library(tmp_path):
    """A net that pandapower made, and what it wrote, give the same feeders."""
    pandapower = pytest.importorskip("pandapower")
    networks = pytest.importorskip("pandapower.networks")
    real = networks.create_kerber_landnetz_freileitung_1()
    pandapower.to_json(real, str(tmp_path / "net.json"))
    for level in ("trafo", "line"):
        one = importers.pandapower(real, level=level, name="net")
        other = importers.pandapower(tmp_path / "net.json", level=level, name="net")
        pd.testing.assert_frame_equal(one.feeder_profile, other.feeder_profile)
        assert len(one.feeders) == 1
        base = one.feeder_profile.groupby("hour")["base_kw"].sum()
        np.testing.assert_allclose(base, 1e3 * real.load["p_mw"].sum())


@pytest.mark.filterwarnings("ignore")
def test_with_real_simbench():
    """Eight lines leave the busbar of MV1.101; ratings of its known head lines."""
    pytest.importorskip("simbench")
    got = importers.pandapower(
        "simbench:1-MV-rural--0-sw", level="line", power_factor=1.0
    )
    assert len(got.feeders) == 8
    ratings = got.feeder_profile.groupby("feeder_id")["capacity_kw"].max() / 1e3
    assert {7.621, 9.8034} <= {round(mva, 4) for mva in ratings}
