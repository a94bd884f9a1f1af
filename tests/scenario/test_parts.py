"""Parts of a scenario folder: together they are the whole, alone they are small."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scenario_tables import good

import macjax
from macjax import Scenario
from macjax.scenario import part as parts
from macjax.synthetic import fleet

PARTED = ("vehicles", "stays", "trips")


@pytest.fixture(scope="module")
def whole():
    """11 vehicles, in no order."""
    scenario = fleet(11, 24, 60, 3, kind="hard", seed=0)
    mixed = {
        name: getattr(scenario, name).sample(frac=1, random_state=0, ignore_index=True)
        for name in PARTED
    }
    return with_tables(scenario, mixed)


def with_tables(scenario, tables: dict) -> Scenario:
    """The scenario with other tables."""
    names = ("name", "start", "timezone", "slot_minutes", "slots", "feeders")
    names += ("feeder_profile", *PARTED)
    given = {name: getattr(scenario, name) for name in names}
    return Scenario.from_frames(**(given | tables))


def named(scenario, name_of) -> Scenario:
    """The scenario with other ids of vehicles."""
    tables = {}
    for name in PARTED:
        frame = getattr(scenario, name)
        ids = [name_of(i) for i in frame["vehicle_id"]]
        tables[name] = frame.assign(vehicle_id=ids)
    return with_tables(scenario, tables)


def rows_of(scenario, name: str) -> set:
    """The rows of a table, whatever their order."""
    frame = getattr(scenario, name)
    return set(map(tuple, frame.astype(str).to_numpy()))


@pytest.mark.parametrize("count", [1, 2, 3, 11, 14])
@pytest.mark.parametrize("name_of", [int, lambda i: f"ü{i:02d}"], ids=["int", "text"])
def test_parts_make_the_whole(whole, tmp_path, monkeypatch, count, name_of):
    """Every row is of exactly one part, and shares differ by one vehicle at most."""
    monkeypatch.setattr(parts, "BATCH_ROWS", 4)
    scenario = named(whole, name_of)
    scenario.write(tmp_path / "scenario")
    read = [Scenario.read(tmp_path / "scenario", part=(i, count)) for i in range(count)]
    sizes = [len(part.vehicles) for part in read]
    assert max(sizes) - min(sizes) <= 1
    for name in PARTED:
        rows = [rows_of(part, name) for part in read]
        assert set.union(*rows) == rows_of(scenario, name)
        assert sum(map(len, rows)) == len(getattr(scenario, name))
    for part in read:
        assert part.feeders.equals(scenario.feeders)
        assert part.feeder_profile.equals(scenario.feeder_profile)
    ids = [sorted(part.vehicles["vehicle_id"]) for part in read]
    assert sum(ids, []) == sorted(scenario.vehicles["vehicle_id"])


def test_row_groups_of_others_are_skipped(whole, tmp_path, monkeypatch):
    """Where rows are sorted, a part reads little more than its own."""
    scenario = named(whole, int)
    scenario.write(tmp_path)
    for name in PARTED:
        table = pq.read_table(tmp_path / f"{name}.parquet").sort_by("vehicle_id")
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=3)
    read = []
    plain = pq.ParquetFile.iter_batches

    def seen(self, size, row_groups, **more):
        read.append((len(row_groups), self.num_row_groups))
        return plain(self, size, row_groups=row_groups, **more)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", seen)
    part = Scenario.read(tmp_path, part=(1, 4))
    assert len(part.vehicles) in (2, 3)
    assert all(some <= 0.5 * of + 1 for some, of in read)


def test_dictionaries_are_ids_too(whole, tmp_path):
    """Columns that a writer has encoded."""
    scenario = named(whole, "v{:02d}".format)
    scenario.write(tmp_path)
    for name in PARTED:
        table = pq.read_table(tmp_path / f"{name}.parquet")
        column = table["vehicle_id"].cast(pa.string()).dictionary_encode()
        table = table.set_column(
            table.schema.get_field_index("vehicle_id"), "vehicle_id", column
        )
        pq.write_table(table, tmp_path / f"{name}.parquet")
    read = [Scenario.read(tmp_path, part=(i, 2)) for i in range(2)]
    assert [len(part.vehicles) for part in read] == [5, 6]


@pytest.mark.parametrize("stray", ["a", "zz", "v2x", None])
def test_a_row_of_nobody_is_found_by_one_part(tmp_path, stray):
    """Wherever its id lies, as in the whole."""
    Scenario.from_frames(**good()).write(tmp_path)
    frame = pd.read_parquet(tmp_path / "trips.parquet")
    frame.loc[1, "vehicle_id"] = stray
    frame.to_parquet(tmp_path / "trips.parquet")
    found = 0
    for i in range(3):
        try:
            Scenario.read(tmp_path, part=(i, 3))
        except macjax.DataError as error:
            found += 1
            assert "vehicle_id" in str(error)
    assert found == 1


def test_the_part_is_told(tmp_path, whole):
    """A report says which part of how many vehicles was read."""
    whole.write(tmp_path)
    part = Scenario.read(tmp_path, part=(0, 2))
    assert any("part 0 of 2: 5 of 11 vehicles are read" in n for n in part.notes)


@pytest.mark.parametrize("part", [(2, 2), (-1, 2), (0, 0), (0,), 1, "01", (0.0, 2)])
def test_what_is_no_part(tmp_path, part):
    """Refused before anything is read."""
    with pytest.raises(macjax.SettingsError, match="part must be"):
        Scenario.read(tmp_path / "nowhere", part=part)


def test_csv_has_no_parts(tmp_path, whole):
    """It would have to be read whole."""
    whole.write(tmp_path, format="csv")
    with pytest.raises(macjax.DataError, match="cannot be read in parts"):
        Scenario.read(tmp_path, part=(0, 2))


def test_numbers_of_a_part_may_be_numpy(tmp_path, whole):
    """As indices often are."""
    whole.write(tmp_path)
    part = (np.int64(1), np.int32(2))
    assert len(Scenario.read(tmp_path, part=part).vehicles) == 6
