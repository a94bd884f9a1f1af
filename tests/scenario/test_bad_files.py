"""Files that are missing, cut, foreign, hostile, or in the way."""

import os
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scenario_tables import TABLE_NAMES, good

from macjax._errors import DataError, SettingsError
from macjax.scenario import Scenario, files


@pytest.fixture
def folder(tmp_path):
    Scenario.from_frames(**good()).write(tmp_path / "s")
    return tmp_path / "s"


def faults_of(folder) -> pd.DataFrame:
    with pytest.raises(DataError) as caught:
        Scenario.read(folder)
    assert str(folder) in str(caught.value)
    return caught.value.faults


def test_no_folder(tmp_path):
    faults = faults_of(tmp_path / "nowhere")
    assert faults["table"].tolist() == ["scenario"]
    assert "does not exist" in faults["rule"][0]
    faults = faults_of(__file__)
    assert "is a file" in faults["rule"][0]


def test_an_empty_folder_names_every_file_that_is_missing(tmp_path):
    faults = faults_of(tmp_path)
    assert faults["table"].tolist() == ["scenario.toml", *TABLE_NAMES]
    assert faults["rule"].str.contains("missing").all()


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_one_missing_table_and_the_faults_of_the_others(folder, name):
    (folder / f"{name}.parquet").unlink()
    (folder / "scenario.toml").write_text("slots = 0\n")
    faults = faults_of(folder)
    assert (name, "file") in set(zip(faults["table"], faults["column"], strict=True))
    assert "slot_minutes" in faults["column"].tolist()


def damage(path, how: str) -> None:
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[:-50])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("vehicle_id,arrival\n1,2\n")
    elif how == "folder":
        path.unlink()
        path.mkdir()
    elif how == "pickle":
        path.write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    elif how == "header only":
        path.write_bytes(content[:4])
    elif how == "magic at both ends":
        path.write_bytes(b"PAR1" + bytes(100) + b"PAR1")


@pytest.mark.parametrize("name", TABLE_NAMES)
@pytest.mark.parametrize(
    "how",
    ["cut", "empty", "text", "folder", "pickle", "header only", "magic at both ends"],
)
def test_case_35_a_damaged_table(folder, name, how, monkeypatch):
    monkeypatch.chdir(folder.parent)
    damage(folder / f"{name}.parquet", how)
    faults = faults_of(folder)
    assert faults[["table", "column"]].values.tolist() == [[name, "file"]]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["s"]


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_case_35_a_flipped_byte_in_any_page_is_found(folder, name):
    """Outside the pages a flip may be harmless, but never changes the scenario."""
    path = folder / f"{name}.parquet"
    content = bytearray(path.read_bytes())
    whole = Scenario.read(folder).fingerprint
    pages = []
    meta = pq.ParquetFile(path).metadata
    for k in range(meta.num_columns):
        chunk = meta.row_group(0).column(k)
        starts = [chunk.data_page_offset, chunk.dictionary_page_offset]
        begin = min(start for start in starts if start)
        pages += range(begin, begin + chunk.total_compressed_size)
    harmless = 0
    for place in pages[:: max(1, len(pages) // 60)]:
        flipped = content.copy()
        flipped[place] ^= 0x10
        path.write_bytes(flipped)
        try:
            assert Scenario.read(folder).fingerprint == whole, place
            harmless += 1
        except DataError as error:
            assert error.faults["table"].tolist() == [name]
    assert harmless < 20


def test_case_35_a_file_that_claims_more_rows_than_memory(folder):
    frame = pa.table({"vehicle_id": pa.array(np.zeros(10, np.int64))})
    pq.write_table(frame, folder / "trips.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sysconf", lambda name: 1)
        rules = faults_of(folder)["rule"]
    assert rules.str.contains("more than the memory").all()


def test_foreign_parquet_gives_the_missing_columns(folder):
    pd.DataFrame({"a": [1]}).to_parquet(folder / "stays.parquet")
    faults = faults_of(folder)
    assert set(faults["column"]) == {"vehicle_id", "arrival", "departure"}


def test_parquet_with_two_columns_of_one_name(folder):
    table = pq.read_table(folder / "trips.parquet")
    pq.write_table(table.append_column("arrival", table["arrival"]), folder / "t")
    (folder / "t").rename(folder / "trips.parquet")
    assert "one name" in faults_of(folder)["rule"][0]


def test_frames_written_with_an_index(folder):
    arguments = good()
    arguments["vehicles"].set_index("vehicle_id").to_parquet(
        folder / "vehicles.parquet"
    )
    stays = arguments["stays"].iloc[[4, 0, 1, 2, 3]]
    stays.to_parquet(folder / "stays.parquet")
    scenario = Scenario.read(folder)
    assert scenario.vehicles["vehicle_id"].tolist() == ["v1", "v2", "v3"]
    assert scenario.stays.columns.tolist() == stays.columns.tolist()


def test_parquet_and_csv_of_one_table(folder):
    good()["trips"].to_csv(folder / "trips.csv", index=False)
    assert "both there" in faults_of(folder)["rule"][0]
    (folder / "trips.parquet").unlink()
    assert len(Scenario.read(folder).trips) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n", "missing|read as CSV"),
        (b"vehicle_id,departure,arrival,energy_kwh\n1,2\n", "read as CSV"),
        (b"\xff\xfe\x00vehicle", "UTF-8|read as CSV"),
        (b"vehicle_id,departure,arrival,energy_kwh\n\xff,a,b,c\n", "UTF|read as CSV"),
        (b"vehicle_id,vehicle_id\n1,2\n", "one name"),
        (b"PAR1" + bytes(range(256)), "UTF-8|read as CSV"),
        (b"vehicle_id\tdeparture\n1\t2\n", "parted by tabs"),
    ],
)
def test_bad_csv(folder, content, words):
    (folder / "trips.parquet").unlink()
    (folder / "trips.csv").write_bytes(content)
    faults = faults_of(folder)
    assert set(faults["table"]) == {"trips"}
    assert faults["rule"].str.contains(words).all()


def test_case_6_csv_with_a_header_alone(folder):
    for name in ("stays", "trips", "vehicles"):
        (folder / f"{name}.parquet").unlink()
        good()[name][:0].to_csv(folder / f"{name}.csv", index=False)
    assert len(Scenario.read(folder).stays) == 0


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_case_6_csv_with_a_header_alone_however_it_ends(folder, start, end):
    (folder / "trips.parquet").unlink()
    text = f'{start}vehicle_id,departure,"arrival",energy_kwh{end}'
    (folder / "trips.csv").write_bytes(text.encode())
    trips = Scenario.read(folder).trips
    assert len(trips) == 0
    assert trips["energy_kwh"].dtype == "float64"


@pytest.mark.parametrize("given", [None, 5, b"folder", ["folder"], "a\0b"])
def test_folders_that_are_no_paths(given):
    with pytest.raises(SettingsError, match="folder must be text or a path"):
        Scenario.read(given)
    with pytest.raises(SettingsError, match="folder must be text or a path"):
        Scenario.from_frames(**good()).write(given)


def test_extra_columns_that_csv_cannot_hold(folder, tmp_path):
    arguments = good()
    arguments["feeders"]["phases"] = [["a"], ["b", "c"]]
    scenario = Scenario.from_frames(**arguments)
    with pytest.raises(SettingsError, match=r"feeders.phases cannot be.*Parquet"):
        scenario.write(tmp_path / "new", format="csv")
    assert not (tmp_path / "new").exists()
    scenario.write(tmp_path / "new")
    assert len(Scenario.read(tmp_path / "new").feeders["phases"][1]) == 2


GOOD_KEYS = (
    'name = "x"\nstart = 2026-03-02T00:00:00+01:00\ntimezone = "Europe/Zurich"\n'
    "slot_minutes = 60\nslots = 24\n"
)


def test_start_as_a_toml_date_time_and_the_default_currency(folder):
    (folder / "scenario.toml").write_text(GOOD_KEYS)
    scenario = Scenario.read(folder)
    assert scenario.start == pd.Timestamp("2026-03-02T00:00:00+01:00")
    assert scenario.currency == "USD"


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        (GOOD_KEYS + "slot_minuts = 60\n", "slot_minuts", "mean 'slot_minutes'"),
        (GOOD_KEYS + "[solver]\nx = 1\n", "solver", "no key of a scenario"),
        (GOOD_KEYS.replace("slots", "slotz"), "slots", "'slotz' is the nearest"),
        (GOOD_KEYS.replace("+01:00", ""), "start", "no UTC offset"),
        (GOOD_KEYS.replace("T00:00:00+01:00", ""), "start", "no UTC offset"),
        (GOOD_KEYS + "slots = 3\n", "file", "cannot be read"),
        ("name = \n", "file", "cannot be read"),
        ("a = " + "[" * 100_000, "file", "cannot be read"),
        ("#" * 1_000_001, "file", "1000000 bytes"),
        (b"name = \xff", "file", "cannot be read"),
    ],
)
def test_bad_keys(folder, text, column, words):
    path = folder / "scenario.toml"
    path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text)
    faults = faults_of(folder)
    assert set(faults["table"]) == {"scenario.toml"}
    mine = faults[faults["column"] == column]
    assert mine["rule"].str.contains(words).any(), faults["rule"].tolist()


def test_case_37_a_path_with_dots_reads_that_folder_and_no_other(folder):
    twisted = folder / ".." / folder.name
    assert Scenario.read(twisted).fingerprint == Scenario.read(folder).fingerprint


def test_writing_replaces_a_scenario_as_a_whole(folder):
    other = Scenario.from_frames(**good(name="second"))
    other.write(folder, format="csv")
    assert not (folder / "stays.parquet").exists()
    assert Scenario.read(folder).name == "second"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["s"]


def test_writing_makes_parents_and_takes_an_empty_folder(tmp_path):
    scenario = Scenario.from_frames(**good())
    scenario.write(tmp_path / "a" / "b")
    (tmp_path / "c").mkdir()
    scenario.write(tmp_path / "c")
    assert Scenario.read(tmp_path / "a" / "b").fingerprint == scenario.fingerprint
    assert Scenario.read(tmp_path / "c").fingerprint == scenario.fingerprint


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "vehicles.parquet"])
def test_writing_refuses_a_folder_that_is_something_else(tmp_path, name):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / name).write_text("mine")
    with pytest.raises(SettingsError, match=f"holds '{name}'"):
        Scenario.from_frames(**good()).write(tmp_path / "s")
    assert (tmp_path / "s" / name).read_text() == "mine"


def test_writing_keeps_other_files_beside_a_scenario(folder):
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match=r"holds 'notes.txt'"):
        Scenario.from_frames(**good()).write(folder)
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "scenario.toml").exists()


def test_writing_where_nothing_can_be_written(tmp_path):
    scenario = Scenario.from_frames(**good())
    (tmp_path / "file").write_text("mine")
    for target in (tmp_path / "file", tmp_path / "file" / "s"):
        with pytest.raises(SettingsError, match="file"):
            scenario.write(target)
    with pytest.raises(SettingsError, match="format must be one of parquet, csv"):
        scenario.write(tmp_path / "s", format="feather")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_crash_while_writing_leaves_the_old_scenario(folder, monkeypatch):
    old = Scenario.read(folder).fingerprint
    calls = []

    def full_disk(table, path, **options):
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        shutil.copy(folder / path.name, path)

    monkeypatch.setattr(files.pq, "write_table", full_disk)
    with pytest.raises(SettingsError, match="No space left"):
        Scenario.from_frames(**good(name="second")).write(folder)
    assert Scenario.read(folder).fingerprint == old
    assert sorted(path.name for path in folder.parent.iterdir()) == ["s"]


def test_a_crash_between_the_two_renames_restores_the_old_scenario(folder, monkeypatch):
    old = Scenario.read(folder).fingerprint
    rename = files.Path.rename

    def fail(path, target):
        if path.name.endswith(".new"):
            raise OSError("interrupted")
        return rename(path, target)

    monkeypatch.setattr(files.Path, "rename", fail)
    with pytest.raises(SettingsError, match="interrupted"):
        Scenario.from_frames(**good(name="second")).write(folder)
    assert Scenario.read(folder).fingerprint == old
