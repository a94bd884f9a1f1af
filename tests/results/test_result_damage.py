"""Solution folders that were damaged, mixed or forged are refused by name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from result_cases import assert_same, fleet, full_solution

from macjax._errors import SolutionError
from macjax.results import Solution, manifest
from macjax.results.files import read_solution


def names_of(folder: Path) -> list[str]:
    paths = [p for p in folder.rglob("*") if p.is_file() and p.name != "README.txt"]
    return sorted(p.relative_to(folder).as_posix() for p in paths)


def flip(at):
    def change(data: bytes) -> bytes:
        place = int(at * (len(data) - 1))
        return data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :]

    return change


DAMAGES = {
    "cut": lambda data: data[:-50],
    "emptied": lambda data: b"",
    "replaced by text": lambda data: b"hello, this is no table\n",
    "longer": lambda data: data + b"\0" * 8,
    "flipped at the start": flip(0.0),
    "flipped early": flip(0.2),
    "flipped in the middle": flip(0.5),
    "flipped late": flip(0.8),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damaged_file_is_noticed_and_named(folder, damage):
    names = names_of(folder)
    assert {"solution.json", "schedule.parquet", "scenario/scenario.toml"} <= {*names}
    for name in names:
        path, before = folder / name, (folder / name).read_bytes()
        after = DAMAGES[damage](before)
        if json_equal(before, after):
            continue
        path.write_bytes(after)
        with pytest.raises(SolutionError, match=path.name):
            Solution.read(folder)
        path.write_bytes(before)
    Solution.read(folder)


def json_equal(one: bytes, two: bytes) -> bool:
    """Whether two texts are the same JSON: then nothing was damaged."""
    try:
        return json.loads(one) == json.loads(two)
    except ValueError:
        return False


def test_every_missing_file_is_named(folder):
    for name in names_of(folder):
        path = folder / name
        path.rename(folder.parent / "aside")
        with pytest.raises(SolutionError, match=path.name):
            Solution.read(folder)
        (folder.parent / "aside").rename(path)


def test_files_of_another_solution_are_noticed(folder, tmp_path):
    other = full_solution(seed=2).write(tmp_path / "other")
    for name in names_of(folder):
        path, before = folder / name, (folder / name).read_bytes()
        shutil.copy2(other / name, path)
        if path.read_bytes() != before:
            with pytest.raises(SolutionError):
                Solution.read(folder)
        path.write_bytes(before)


def resealed(folder: Path, change=lambda record: None) -> None:
    """Make the manifest fit the files again, as one who mixes folders by hand would."""
    path = folder / "solution.json"
    record = json.loads(path.read_text("utf-8"))
    for name, entry in record["files"].items():
        if (folder / name).is_file():
            entry["sha256"] = manifest.digest(folder / name)
            entry["bytes"] = (folder / name).stat().st_size
    change(record)
    record[manifest.SEAL] = manifest.seal(record)
    path.write_text(json.dumps(record), "utf-8")


@pytest.mark.parametrize(
    "name", ["schedule", "prices", "initial", "stranded", "dual_ray"]
)
def test_a_table_of_another_scenario_is_refused_even_with_its_own_hash(
    folder, tmp_path, name
):
    other = full_solution(seed=2).write(tmp_path / "other")
    shutil.copy2(other / f"{name}.parquet", folder / f"{name}.parquet")
    rows = pq.read_metadata(folder / f"{name}.parquet").num_rows

    def change(record):
        record["files"][f"{name}.parquet"]["rows"] = rows

    resealed(folder, change)
    with pytest.raises(SolutionError, match=rf"{name}\.parquet.*of another scenario"):
        Solution.read(folder)


def test_another_scenario_is_refused_even_with_its_own_hash(folder, tmp_path):
    other = full_solution(seed=2).write(tmp_path / "other")
    shutil.rmtree(folder / "scenario")
    shutil.copytree(other / "scenario", folder / "scenario")
    resealed(folder)
    with pytest.raises(SolutionError, match="scenario' is not the scenario of this"):
        Solution.read(folder)


def rewritten(folder: Path, name: str, change) -> None:
    """Change the columns of a table and make the manifest fit."""
    path = folder / f"{name}.parquet"
    table = pq.read_table(path)
    changed = change(table).replace_schema_metadata(table.schema.metadata)
    pq.write_table(changed, path)

    def rows(record):
        record["files"][path.name]["rows"] = changed.num_rows

    resealed(folder, rows)


def with_column(name, function):
    def change(table):
        values = pd.Series(table.column(name).to_pandas())
        frame = table.to_pandas()
        frame[name] = function(values)
        return type(table).from_pandas(frame, preserve_index=False)

    return change


@pytest.mark.parametrize(
    ("table", "change", "what"),
    [
        ("schedule", with_column("stay", lambda c: c + 10**6), "not in the horizon"),
        ("schedule", with_column("stay", lambda c: c[::-1].to_numpy()), "not sorted"),
        ("schedule", with_column("kw", lambda c: c * np.nan), "finite"),
        (
            "schedule",
            with_column("time", lambda c: c + pd.Timedelta("1s")),
            "slot outside",
        ),
        ("schedule", with_column("vehicle_id", lambda c: c + "x"), "'vehicle_id' is"),
        ("schedule", with_column("feeder_id", lambda c: "F0"), "'feeder_id' is"),
        ("schedule", lambda t: t.drop_columns("kw"), "no column 'kw'"),
        ("schedule", lambda t: t.replace_schema_metadata(None), None),
        ("prices", lambda t: t.slice(1), "41 rows, not 42"),
        ("prices", with_column("feeder_id", lambda c: c[::-1].to_numpy()), "feeder_id"),
        ("prices", with_column("price", lambda c: "high"), "does not hold"),
        ("initial", with_column("vehicle_id", lambda c: c[::-1].to_numpy()), "as in"),
    ],
)
def test_tables_that_do_not_follow_from_the_scenario_are_refused(
    folder, table, change, what
):
    rewritten(folder, table, change)
    if what is None:
        return assert_same(full_solution(), Solution.read(folder))
    with pytest.raises(SolutionError, match=what):
        Solution.read(folder)


def test_a_table_that_claims_too_many_rows_is_not_loaded(folder):
    rewritten(folder, "dropped", lambda t: t.take([0] * 1000))
    with pytest.raises(SolutionError, match="dropped.*1000 rows"):
        Solution.read(folder)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda r: r.update(format="other"), "is not of macjax"),
        (lambda r: r.update(schema_version=2), "schema version 2; this macjax reads 1"),
        (lambda r: r.update(schema_version="1"), "schema version '1'"),
        (lambda r: r.pop("schema_version"), "schema version None"),
        (lambda r: r.update(status="great"), "great"),
        (lambda r: r.update(objective="much"), "much"),
        (lambda r: r.pop("seconds"), "seconds"),
        (lambda r: r.update(files=[]), "lists no files"),
        (lambda r: r["files"].pop("schedule.parquet"), "schedule.parquet"),
        (lambda r: r["files"].update({"../x": {}}), "lists a file outside"),
        (lambda r: r["files"].update({"/etc/hosts": {}}), "lists a file outside"),
        (lambda r: r["files"].update({"README.txt": []}), "cannot be verified"),
        (lambda r: r.update(scenario=None), "does not hold"),
    ],
)
def test_a_wrong_manifest_is_refused(folder, change, what):
    resealed(folder, change)
    with pytest.raises(SolutionError, match=what):
        Solution.read(folder)


def test_an_edited_number_is_noticed(folder):
    path = folder / "solution.json"
    text = path.read_text("utf-8")
    assert '"iterations": 12' in text
    path.write_text(text.replace('"iterations": 12', '"iterations": 13'), "utf-8")
    with pytest.raises(SolutionError, match=r"solution\.json' was changed"):
        Solution.read(folder)


@pytest.mark.parametrize("text", ["[" * 10**5, "{", "[]", "null", "\udcff", "NaN"])
def test_json_of_any_kind_is_refused_with_a_name(folder, text):
    (folder / "solution.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SolutionError, match="solution.json"):
        Solution.read(folder)


def test_a_table_that_would_confuse_the_scenario_is_noticed(folder):
    (folder / "scenario" / "trips.csv").write_text("vehicle_id\n")
    with pytest.raises(SolutionError, match=r"trips\.csv' is not of the solution"):
        Solution.read(folder)


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "scenario"])
def test_what_is_no_solution_is_said_to_be_none(tmp_path, kind):
    place = tmp_path / "x"
    if kind == "file":
        place.write_text("x")
    if kind == "empty":
        place.mkdir()
    if kind == "scenario":
        fleet(1).write(place)
    with pytest.raises(SolutionError, match=f"'{place}' is not"):
        Solution.read(place)


def test_page_checksums_catch_what_a_new_hash_hides(folder):
    path = folder / "schedule.parquet"
    data = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(4)
    start = column.dictionary_page_offset or column.data_page_offset
    data[start + column.total_compressed_size // 2] ^= 0x01
    path.write_bytes(bytes(data))
    resealed(folder)
    with pytest.raises(SolutionError, match=r"schedule\.parquet"):
        Solution.read(folder)


def test_random_flips_anywhere_never_pass(written, tmp_path):
    """Bytes flipped at random: a SolutionError, never another result or error."""
    rng = np.random.default_rng(0)
    folder = shutil.copytree(written, tmp_path / "s")
    names = names_of(folder)
    for _ in range(60):
        path = folder / names[rng.integers(len(names))]
        before = path.read_bytes()
        after = bytearray(before)
        after[rng.integers(len(before))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(after))
        if path.suffix == ".json" and json_equal(before, bytes(after)):
            read_solution(folder)
        else:
            with pytest.raises(SolutionError):
                read_solution(folder)
        path.write_bytes(before)
