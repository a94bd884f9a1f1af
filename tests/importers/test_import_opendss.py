"""OpenDSS text and tables as feeders: syntax, files, loads, and what is wrong."""

import numpy as np
import pandas as pd
import pytest
from import_samples import DATA, DSS, write_dss

from macjax import DataError, SettingsError, importers
from macjax.importers.findings import Findings
from macjax.importers.opendss_script import read_script

TABLES = [
    DATA / f"smartds_{name}.csv"
    for name in ("transformers", "loads", "load_profiles_15min")
]


def found(imported, words: str) -> int:
    rows = imported.report[imported.report["what"].str.contains(words, regex=False)]
    return int(rows["count"].sum())


def of_feeder(imported, name: str, column: str) -> np.ndarray:
    profile = imported.feeder_profile
    return profile[profile["feeder_id"] == name][column].to_numpy()


def test_a_circuit_by_hand(tmp_path):
    got = importers.opendss(write_dss(tmp_path / "a"))
    assert got.feeders["feeder_id"].tolist() == ["t1", "t2+t3"]
    assert got.feeders[["x", "y"]].to_numpy().tolist() == [[100, 200], [300, 400]]
    assert of_feeder(got, "t1", "capacity_kw")[0] == pytest.approx(0.95 * 25)
    assert of_feeder(got, "t2+t3", "capacity_kw")[0] == pytest.approx(0.95 * 125)
    np.testing.assert_allclose(of_feeder(got, "t1", "base_kw"), 5)
    evening = 18 * np.repeat([0.5, 0.5, 0.5, 1], 6) + 2
    np.testing.assert_allclose(of_feeder(got, "t2+t3", "base_kw"), evening)
    assert found(got, "a regulator, no feeder") == 1
    assert found(got, "behind no transformer") == 1
    assert found(got, "without a load shape") == 2
    assert found(got, "feed one island") == 1
    assert importers.opendss(tmp_path / "a").feeders.equals(got.feeders)


@pytest.mark.parametrize(
    ("rating", "one", "other"), [("normal", 27.5, 137.5), ("emergency", 37.5, 187.5)]
)
def test_other_ratings(tmp_path, rating, one, other):
    got = importers.opendss(write_dss(tmp_path / "a"), rating=rating, power_factor=1)
    assert of_feeder(got, "t1", "capacity_kw")[0] == pytest.approx(one)
    assert of_feeder(got, "t2+t3", "capacity_kw")[0] == pytest.approx(other)
    assert found(got, f"no {rating} rating") == 1


def test_a_profile_by_time(tmp_path):
    got = importers.opendss(
        write_dss(tmp_path / "a"), start="2026-03-02", days=2, slot_minutes=120
    )
    assert got.horizon.slots == 24
    evening = np.tile(18 * np.repeat([0.5, 0.5, 0.5, 1], 3) + 2, 2)
    np.testing.assert_allclose(of_feeder(got, "t2+t3", "base_kw"), evening)


def test_longer_shapes_give_the_day_with_most_load(tmp_path):
    two = "New Loadshape.flat npts=48 interval=1 mult=(file=flat.csv)\n"
    shapes = DSS["LoadShapes.dss"].split("\n", 1)[1]
    folder = write_dss(
        tmp_path / "a",
        LoadShapes_dss=two + shapes,
        flat_csv="\n".join(["0.5"] * 24 + ["0.8"] * 24),
    ).parent
    got = importers.opendss(folder)
    np.testing.assert_allclose(of_feeder(got, "t1", "base_kw"), 8)
    assert found(got, "base load of day 2 of 2") == 1
    got = importers.opendss(folder, base_day=1)
    np.testing.assert_allclose(of_feeder(got, "t1", "base_kw"), 5)
    got = importers.opendss(folder, base_day=1, start="2026-03-02", days=2)
    np.testing.assert_allclose(of_feeder(got, "t1", "base_kw"), [5] * 24 + [8] * 24)
    with pytest.raises(SettingsError, match="have 1 days from day 2 on"):
        importers.opendss(folder, base_day=2, start="2026-03-02", days=2)
    with pytest.raises(SettingsError, match="base_day must be from 1 to 2"):
        importers.opendss(folder, base_day=3)


@pytest.mark.parametrize(
    ("shape", "kw"),
    [
        ("npts=3 sinterval=28800 mult=[1 2 3]", np.repeat([10, 20, 30], 8)),
        ("npts=24 mult=(" + "2 " * 24 + ") useactual=yes", np.full(24, 2)),
        ("npts=24 csvfile=table.csv", np.full(24, 5)),
        ("mult=(file=table.csv, column=2, header=yes)", np.arange(24) * 10),
    ],
)
def test_spellings_of_load_shapes(tmp_path, shape, kw):
    table = "\n".join(["0.5,h"] + [f"0.5,{hour}" for hour in range(24)])
    if "csvfile" in shape:
        table = "\n".join(["0.5"] * 30)
    shapes = f"New Loadshape.flat {shape}\n" + DSS["LoadShapes.dss"].split("\n", 1)[1]
    path = write_dss(tmp_path / "a", LoadShapes_dss=shapes, table_csv=table)
    got = importers.opendss(path)
    np.testing.assert_allclose(of_feeder(got, "t1", "base_kw"), kw)


def test_statements_comments_and_quotes(tmp_path):
    script = read_script(
        write_dss(tmp_path / "a"), tmp_path / "a", Findings("x", "error")
    )
    elements = script.elements
    names = elements["name"][elements["kind"] == "transformer"].tolist()
    assert names == ["t1", "t2", "t3", "t3", "reg1"]
    assert "never" not in elements["name"].tolist()
    first = int(np.flatnonzero(elements["name"] == "t1")[0])
    pairs = script.properties[script.properties["element"] == first]
    assert pairs["name"].tolist().count("wdg") == 3
    assert pairs["value"].tolist()[-1] == "2.4"
    assert (
        elements["line"][first] == 1 and elements["file"][first] == "Transformers.dss"
    )
    quoted = script.properties["value"][script.properties["name"] == "kvas"]
    assert quoted.tolist()[0] == "50 50"


def test_xfmrcodes_bring_their_ratings(tmp_path):
    text = (
        "New XfmrCode.pole phases=1 windings=2 kvs=(7.2 0.24) kvas=(15 15)\n"
        "New Transformer.T1 xfmrcode=pole buses=(a.1 a-lv.1)\n"
    )
    got = importers.opendss(write_dss(tmp_path / "a", Transformers_dss=text))
    assert of_feeder(got, "t1", "capacity_kw")[0] == pytest.approx(0.95 * 15)


def test_feeders_below_feeders_have_a_parent(tmp_path):
    text = DSS["Transformers.dss"] + (
        "New Transformer.sub buses=(source sub) kvs=(110 12.47) kvas=(9000 9000)\n"
    )
    got = importers.opendss(write_dss(tmp_path / "a", Transformers_dss=text))
    parents = dict(zip(got.feeders["feeder_id"], got.feeders["parent_id"], strict=True))
    assert parents["t1"] == parents["t2+t3"] == "sub"
    # 100 kW on the primary, and what is behind the transformers
    assert of_feeder(got, "sub", "base_kw").max() == pytest.approx(100 + 5 + 20)


def test_only_the_folder_is_read(tmp_path):
    (tmp_path / "secret.dss").write_text("New Load.s bus1=b-lv.1 kW=1\n")
    (tmp_path / "far.csv").write_text("0.5\n" * 24)
    path = write_dss(
        tmp_path / "a", Master_dss=DSS["Master.dss"] + "Redirect ../secret.dss\n"
    )
    with pytest.raises(DataError, match=r"leads out of the folder 'a'.*\(line 9\)"):
        importers.opendss(path)
    got = importers.opendss(path, root=tmp_path)
    assert of_feeder(got, "t2+t3", "base_kw")[0] == pytest.approx(12)
    shapes = DSS["LoadShapes.dss"].replace("flat.csv", "../far.csv")
    path = write_dss(tmp_path / "b", LoadShapes_dss=shapes)
    with pytest.raises(DataError, match="leads out of the folder 'b'"):
        importers.opendss(path)
    assert len(importers.opendss(path, root=tmp_path).feeders) == 2
    with pytest.raises(SettingsError, match="is not in the folder"):
        importers.opendss(path, root=tmp_path / "a")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "Master.dss",
            "Loads.dss",
            "Nothing.dss",
            r"there is no file 'Nothing.dss'.*6",
        ),
        (
            "Master.dss",
            "Redirect Lines.dss",
            "Redirect Master.dss",
            "redirects to itself",
        ),
        ("Transformers.dss", "kva=25.0", "kva=many", r"kva: must be numbers.*line 1"),
        ("Transformers.dss", "kva=25.0", "kva=-5", "kva: must be at least 0"),
        ("Transformers.dss", "like=T2", "like=T9", "'transformer.t9' is not there"),
        (
            "Transformers.dss",
            "Edit Transformer.T3",
            "Edit Transformer.T4",
            "never made",
        ),
        ("Transformers.dss", "Edit ", "New ", r"is made twice.*\(lines 5, 6\)"),
        ("Transformers.dss", "wdg=1 conn", "3 conn", r"has a value without a name.*1"),
        ("Transformers.dss", "buses=[b.1 b-lv.1] ", "", "does not name two buses"),
        ("Loads.dss", "kW=10", "kW=ten", r"kw: must be numbers.*\(line 1\).*load.h1"),
        ("Loads.dss", "kva=20 pf=0.9", "kva=20", r"load has no kw.*\(line 2\)"),
        ("Loads.dss", "bus1=house1.1.2", "", "load has no bus1"),
        ("Loads.dss", "yearly=flat", "yearly=round", "'round' is not there"),
        ("Loads.dss", "New Load.h1", "New h1", "must name an element as Class.name"),
        ("LoadShapes.dss", "npts=24", "npts=25", "has 24 values, not npts=25"),
        ("LoadShapes.dss", "minterval=360", "minterval=7", "interval of 420 seconds"),
        ("LoadShapes.dss", "minterval=360", "interval=1", "is 4 hours long"),
        ("LoadShapes.dss", "[0.5 0.5, 0.5 1]", "[a b c d]", "must be numbers"),
        ("flat.csv", "0.5\n", "x\n", "has no number in its line 1"),
    ],
)
def test_wrong_text_is_named_by_file_and_line(tmp_path, file, old, new, said):
    assert old in DSS[file]
    text = DSS[file].replace(old, new, 1)
    with pytest.raises(DataError, match=said):
        importers.opendss(write_dss(tmp_path / "a", **{file.replace(".", "_"): text}))


def test_commands_that_are_not_read_are_reported(tmp_path):
    more = "Set loadmult=1.2\nBatchEdit Load..* kw=1\nLoad.h1.kw=3\nSolve\n"
    path = write_dss(tmp_path / "a", Master_dss=DSS["Master.dss"] + more)
    got = importers.opendss(path)
    unread = got.report[got.report["action"] == "not read"]["what"].tolist()
    assert sorted(unread) == sorted(
        ["command 'set loadmult'", "command 'batchedit'", "command 'Class.x.y='"]
    )


def test_circuits_without_transformers(tmp_path):
    path = write_dss(tmp_path / "a", Transformers_dss="! none\n")
    with pytest.raises(DataError, match="the circuit has no transformer"):
        importers.opendss(path)
    with pytest.raises(DataError, match="not UTF-8"):
        (path.parent / "Loads.dss").write_bytes(b"New Load.\xe9 kw=1\n")
        importers.opendss(path)


def test_the_tables_of_the_real_sample():
    got = importers.opendss(TABLES)
    loads, trafos = pd.read_csv(TABLES[1]), pd.read_csv(TABLES[0])
    curves = pd.read_csv(TABLES[2], index_col=0)
    assert got.feeders["feeder_id"].tolist() == trafos["transformer_id"].tolist()
    assert got.feeders["circuit"].nunique() == 1
    for trafo in trafos.itertuples():
        own = loads[loads["transformer_id"] == trafo.transformer_id]
        steps = sum(row.p_nominal_kw * curves[row.profile] for row in own.itertuples())
        hours = np.asarray(steps).reshape(24, 4).mean(axis=1)
        base = of_feeder(got, trafo.transformer_id, "base_kw")
        np.testing.assert_allclose(base, hours)
        capacity = of_feeder(got, trafo.transformer_id, "capacity_kw")
        np.testing.assert_allclose(capacity, 0.95 * trafo.rated_kva)
    quarter = importers.opendss(TABLES, start="2026-03-02", slot_minutes=15)
    first = of_feeder(quarter, trafos["transformer_id"][0], "base_kw")
    assert len(first) == 96 and first.mean() == pytest.approx(
        of_feeder(got, trafos["transformer_id"][0], "base_kw").mean()
    )
    normal = importers.opendss(TABLES, rating="normal", power_factor=1, loading=0.8)
    name = trafos["transformer_id"][0]
    want = 0.8 * trafos["normal_kva"][0]
    assert of_feeder(normal, name, "capacity_kw")[0] == pytest.approx(want)


@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        (0, {"rated_kva": [25, "x", 50]}, r"rated_kva: must be numbers.*\(line 2\)"),
        (0, {"rated_kva": [25, -1, 50]}, "rated_kva: must be at least"),
        (0, {"transformer_id": ["a", "a", "b"]}, "transformer_id: must be unique"),
        (1, {"p_nominal_kw": -1.0}, "p_nominal_kw: must be at least 0"),
        (1, {"transformer_id": "nowhere"}, "'nowhere' is not in frame"),
        (1, {"profile": "nothing"}, "'nothing' is no column of"),
        (1, {"load_id": "one"}, "load_id: must be unique"),
    ],
)
def test_wrong_tables_are_named(table, change, said):
    frames = [pd.read_csv(path) for path in TABLES]
    frames[table] = frames[table].assign(**change)
    with pytest.raises(DataError, match=said):
        importers.opendss(frames)


def test_tables_that_are_missing_or_others():
    frames = [pd.read_csv(path) for path in TABLES]
    got = importers.opendss(frames[0])
    assert (got.feeder_profile["base_kw"] == 0).all()
    assert found(got, "no table of loads") == 1
    assert found(importers.opendss(frames[:2]), "no profile: constant") == 6
    with pytest.raises(DataError, match="no table of transformers"):
        importers.opendss(frames[1:])
    with pytest.raises(DataError, match="is none of the tables"):
        importers.opendss([*frames, pd.DataFrame({"a": [1]})])
    with pytest.raises(DataError, match="95 rows, 1 are missing: 23:45"):
        importers.opendss([*frames[:2], frames[2].iloc[:95]])
    for wrong in ({"rating": "top"}, {"loading": 0}, {"days": 0}, {"slot_minutes": 7}):
        with pytest.raises(SettingsError):
            importers.opendss(frames, **({"start": "2026-03-02"} | wrong))


def test_elements_that_are_not_mapped_are_told(tmp_path):
    more = """\
New PVSystem.roof bus1=house1.1.2 kv=0.208 kva=9 pmpp=8
New PVSystem.barn bus1=b-lv.1 kva=5
New Storage.cellar bus1=b-lv.1 kwrated=5
New Monitor.m1 element=line.l1
"""
    got = importers.opendss(
        write_dss(tmp_path / "a", Loads_dss=DSS["Loads.dss"] + more)
    )
    rows = got.report[got.report["what"].str.contains("neither load nor limit")]
    assert rows["column"].tolist() == ["pvsystem", "storage"]
    assert rows["count"].tolist() == [2, 1] and rows["lines"].tolist()[1] == (7,)


def test_the_last_enabled_counts(tmp_path):
    off = DSS["Loads.dss"] + "Edit Load.h1 enabled=no\n"
    got = importers.opendss(write_dss(tmp_path / "a", Loads_dss=off))
    np.testing.assert_allclose(of_feeder(got, "t1", "base_kw"), 0)
    again = off + "Edit Load.h1 enabled=yes\n"
    got = importers.opendss(write_dss(tmp_path / "b", Loads_dss=again))
    np.testing.assert_allclose(of_feeder(got, "t1", "base_kw"), 5)


def day_tables(clock, curve=None) -> list[pd.DataFrame]:
    """One transformer with one load whose profile has such clocks."""
    curve = np.arange(len(clock)) / 24 if curve is None else curve
    return [
        pd.DataFrame({"transformer_id": ["t"], "rated_kva": [50.0]}),
        pd.DataFrame({"load_id": ["l"], "transformer_id": ["t"], "p_nominal_kw": [24.0]}
                     | {"profile": ["c"]}),
        pd.DataFrame({"hour": clock, "c": curve}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "clock",
    [
        [str(h) for h in range(24)],
        [f"{h}:00" for h in range(24)],
        [f"2018-07-02T{h:02d}:00:00-07:00" for h in range(24)],
        pd.date_range("2018-07-02", periods=24, freq="h"),
        range(1, 25),
    ],
    ids=["hours", "times", "stamps", "dates", "from 1"],
)
def test_clocks_order_the_rows_of_a_profile(clock):
    tables = day_tables(clock)
    tables[2] = tables[2].sample(frac=1, random_state=1)
    got = importers.opendss(tables)
    np.testing.assert_allclose(of_feeder(got, "t", "base_kw"), np.arange(24.0))


@pytest.mark.parametrize(
    ("clock", "match"),
    [
        ([str(h) for h in range(8, 20)], "12 rows, 12 are missing: 0:00, 1:00, .*"),
        ([*range(23), 22], r"hour: must come once; 22:00 comes again.*\[2 rows\]"),
        ([f"x{h}" for h in range(24)], "such as 9:00, or a timestamp; found 'x0'.*24"),
        ([*range(23), "23:00"], "of one kind; found a number of hours and a time"),
        ([*range(23), 24], "must be before 24:00; found '24'"),
        ([*range(23), None], "hour: must have a value"),
        ([0, 7], "steps that divide a day; found one of 420 minutes"),
        ([0, 0.5, 1.1], "on steps of 30 minutes from 0:00 on; found 1:06"),
        ([f"0:{m:02d}" for m in (7, 22, 37)], "on steps of 15 minutes from 0:00"),
        (pd.date_range("2018-07-02 12:00", periods=24, freq="h"), "of one day"),
    ],
)
def test_clocks_of_a_profile_cover_one_day(clock, match):
    with pytest.raises(DataError, match=match):
        importers.opendss(day_tables(list(clock)))


def test_which_file_is_the_main_one(tmp_path):
    path = write_dss(tmp_path / "a")
    with pytest.raises(SettingsError, match="name the main .dss file alone"):
        importers.opendss([path, path.parent / "Loads.dss"])
    path.rename(path.parent / "main.dss")
    with pytest.raises(SettingsError, match="has no Master.dss"):
        importers.opendss(tmp_path / "a")
    assert len(importers.opendss(tmp_path / "a" / "main.dss").feeders) == 2
