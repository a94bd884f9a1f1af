"""Folders of solutions: an exact round trip, and every way they can be damaged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from result_cases import fleet, random_plan

from macjax._errors import SettingsError, SolutionError
from macjax.objectives import EnergyCost, OverloadEnergy, PeakOverload, Smoothing
from macjax.results import Solution, check_output, folders, manifest
from macjax.results.files import read_solution
from macjax.scenario.plan import Plan


def full_solution(seed=1, **case) -> Solution:
    """A solution in which everything is there."""
    scenario = fleet(seed, **case)
    rng = np.random.default_rng(seed)
    shape = len(scenario.feeders), scenario.slots
    names = scenario.vehicles["vehicle_id"]
    failing = pd.DataFrame(
        {
            "vehicle_id": names[:2],
            "trip": pd.array([3, None], "Int64"),
            "departure": [scenario.start.tz_convert("UTC"), pd.NaT],
            "missing_kwh": [0.1, 2.0],
        }
    )
    return Solution(
        scenario=scenario,
        plan=random_plan(scenario, seed),
        status="time_limit",
        message="The time was up; give it more.",
        objective=0.1 + 0.2,
        lower_bound=-np.inf,
        gap=np.inf,
        unmanaged_objective=1 / 3,
        iterations=12,
        history=pd.DataFrame(
            {
                "iteration": [1, 2],
                "phase": ["admm", "newton"],
                "gap": [np.nan, np.inf],
            }
        ),
        seconds={"pack": 0.1, "solve": 1e-7},
        prices=rng.normal(size=shape),
        objective_spec=PeakOverload() + Smoothing(0.1),
        on_infeasible="drop",
        infeasible=failing,
        stranded=failing.drop(columns="departure"),
        dropped=names[:2].tolist(),
        settings={"gap": np.float64(1e-3), "time_limit": None, "most": np.inf, "a": 1},
        dual_ray=rng.normal(size=shape),
        initial_kwh=rng.uniform(10, 50, len(names)),
    )


def assert_same(one: Solution, two: Solution) -> None:
    """Every attribute and every frame is equal to the last bit."""
    words = ("status", "message", "method", "tube", "on_infeasible", "objective_spec")
    more = ("iterations", "seconds", "dropped", "settings", "assumptions", "versions")
    for name in words + more:
        assert getattr(one, name) == getattr(two, name), name
    for name in ("objective", "lower_bound", "gap", "unmanaged_objective"):
        np.testing.assert_equal(getattr(one, name), getattr(two, name))
    for name in ("price_table", "dual_ray", "initial_kwh"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert (one.plan is None) == (two.plan is None)
    for ours, theirs in zip(one.plan or (), two.plan or (), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    for name in ("infeasible", "stranded", "history"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))
    for name in ("schedule", "soc", "loads", "upgrades", "ray"):
        ours, theirs = getattr(one, name)(), getattr(two, name)()
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert one.scenario.fingerprint == two.scenario.fingerprint
    pd.testing.assert_series_equal(one.summary(), two.summary())


@pytest.mark.parametrize(
    "case",
    [
        dict(seed=1),
        dict(seed=2, minutes=15, slots=40),
        dict(seed=3, whole_numbers=True, minutes=30),
        dict(seed=5, minutes=720, slots=3, vehicles=4),
    ],
    ids=lambda case: f"seed{case['seed']}",
)
def test_round_trip_is_exact(tmp_path, case):
    solution = full_solution(**case)
    folder = solution.write(tmp_path / "out" / "a b ü")
    assert folder == tmp_path / "out" / "a b ü"
    back = Solution.read(folder)
    assert_same(solution, back)
    pd.testing.assert_frame_equal(solution.prices(), back.prices(), check_exact=True)
    assert_same(solution, Solution.read(back.write(tmp_path / "again")))
    assert sorted(p.name for p in folder.parent.iterdir()) == ["a b ü"]


@pytest.mark.parametrize("plan", [None, Plan.empty()])
@pytest.mark.parametrize("vehicles", [0, 3])
def test_round_trip_of_little(tmp_path, plan, vehicles):
    solution = Solution(
        scenario=fleet(1, vehicles=vehicles), plan=plan, status="infeasible"
    )
    back = Solution.read(solution.write(tmp_path / "s"))
    assert_same(solution, back)
    assert back.price_table is None and back.objective_spec is None
    with pytest.raises(SolutionError, match="no prices"):
        back.prices()


def test_objectives_come_back(tmp_path):
    scenario = fleet(1)
    ids = scenario.feeders["feeder_id"].tolist()
    frame = pd.DataFrame(
        {"feeder_id": np.repeat(ids, 24), "hour": [*range(24)] * 3, "price": 0.1}
    )
    spec = OverloadEnergy({i: 0.1 + n for n, i in enumerate(ids)}) + EnergyCost(frame)
    solution = Solution(
        scenario=scenario, plan=Plan.empty(), status="solved", objective_spec=spec
    )
    back = Solution.read(solution.write(tmp_path / "s"))
    assert back.objective_spec == spec


def test_versions_and_assumptions_are_those_of_the_run(tmp_path):
    solution = full_solution()
    solution.assumptions.append("A sentence of an older macjax.")
    solution.versions["numpy"] = "1.0"
    back = Solution.read(solution.write(tmp_path / "s"))
    assert back.assumptions == solution.assumptions
    assert back.versions["numpy"] == "1.0"


def test_a_folder_explains_itself_without_macjax(tmp_path):
    folder = full_solution().write(tmp_path / "s")
    record = json.loads((folder / "solution.json").read_text("utf-8"))
    for path in folder.glob("*.parquet"):
        described = record["tables"][path.name]["columns"]
        named = pq.read_schema(path).names
        assert path.stem == "history" or list(described) == named
        about = json.loads(pq.read_schema(path).metadata[b"macjax"])
        assert about["columns"] == described
        assert record["files"][path.name]["rows"] == pq.read_metadata(path).num_rows
    text = (folder / "README.txt").read_text("utf-8")
    for word in ("upgrade_kw", "Perfect foresight", "schedule.parquet", "[kW]"):
        assert word in text
    assert "NaN" not in (folder / "solution.json").read_text("utf-8")
    frame = pd.read_parquet(folder / "schedule.parquet")
    assert frame["kw"].tolist() == full_solution().schedule()["kw"].tolist()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return full_solution().write(tmp_path_factory.mktemp("written") / "s")


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "s")


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


def test_the_readme_may_be_edited(folder):
    (folder / "README.txt").write_text("mine")
    assert_same(full_solution(), Solution.read(folder))


def tree(folder: Path) -> dict:
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_solution_is_replaced_as_a_whole(folder):
    other = full_solution(seed=2)
    other.price_table = None
    other.write(folder)
    back = Solution.read(folder)
    assert_same(other, back)
    assert not (folder / "prices.parquet").exists()
    assert [p.name for p in folder.parent.iterdir()] == ["s"]


def test_what_else_lies_in_the_folder_stays(folder):
    (folder / "figures").mkdir()
    (folder / "figures" / "load.png").write_bytes(b"png")
    (folder / "notes.txt").write_text("mine")
    full_solution(seed=2).write(folder)
    assert (folder / "figures" / "load.png").read_bytes() == b"png"
    assert (folder / "notes.txt").read_text() == "mine"
    full_solution(seed=3).write(folder)
    assert (folder / "notes.txt").read_text() == "mine"
    assert_same(full_solution(seed=3), Solution.read(folder))


@pytest.mark.parametrize("content", ["file", "other", "damaged", "in scenario"])
def test_what_is_not_a_solution_is_never_replaced(folder, tmp_path, content):
    place = tmp_path / "mine"
    if content == "file":
        place.write_text("mine")
    elif content == "other":
        place.mkdir()
        (place / "thesis.tex").write_text("mine")
    else:
        place = folder
        if content == "damaged":
            (folder / "solution.json").write_text("{")
        else:
            (folder / "scenario" / "notes.txt").write_text("mine")
    before = tree(tmp_path)
    for attempt in (check_output, full_solution(seed=2).write):
        with pytest.raises(SettingsError, match=str(place)):
            attempt(place)
    assert tree(tmp_path) == before


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "s").mkdir()
    assert check_output(tmp_path / "s") == tmp_path / "s"
    assert not list((tmp_path / "s").iterdir())
    Solution.read(full_solution().write(tmp_path / "s"))


def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="cannot write"):
        check_output(tmp_path / "file" / "s")
    with pytest.raises(SettingsError, match="cannot be the folder"):
        check_output("/")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_read_only_folder_is_said_before_the_work(tmp_path, monkeypatch):
    def refuse(self, *args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(SettingsError, match="cannot write.*Permission denied"):
        check_output(tmp_path / "deep" / "s")


def test_links_are_followed(tmp_path, folder):
    (tmp_path / "link").symlink_to(folder)
    assert full_solution(seed=2).write(tmp_path / "link") == folder
    assert (tmp_path / "link").is_symlink()
    assert_same(full_solution(seed=2), Solution.read(tmp_path / "link"))


class Killed(BaseException):
    """The process ends here."""


def fail_at(monkeypatch, call: int, error: BaseException):
    """Have the n-th rename of a write fail."""
    renames, rename = [], Path.rename

    def counted(self, target):
        renames.append(self)
        if len(renames) == call:
            raise error
        return rename(self, target)

    original = folders._swap

    def swap(part, folder):
        monkeypatch.setattr(Path, "rename", counted)
        original(part, folder)

    monkeypatch.setattr(folders, "_swap", swap)


@pytest.mark.parametrize("call", [1, 2])
def test_a_full_disk_leaves_the_old_solution(folder, monkeypatch, call):
    before = tree(folder)
    fail_at(monkeypatch, call, OSError(28, "No space left on device"))
    with pytest.raises(SettingsError, match="cannot write.*No space left on device"):
        full_solution(seed=2).write(folder)
    monkeypatch.undo()
    assert tree(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == ["s"]


@pytest.mark.parametrize("call", [1, 2])
def test_a_kill_at_any_rename_leaves_a_solution(folder, monkeypatch, call):
    fail_at(monkeypatch, call, Killed())
    with pytest.raises(Killed):
        full_solution(seed=2).write(folder)
    monkeypatch.undo()
    assert_same(full_solution(), Solution.read(folder))
    full_solution(seed=3).write(folder)
    assert_same(full_solution(seed=3), Solution.read(folder))
    assert [p.name for p in folder.parent.iterdir()] == ["s"]


def test_a_failure_while_writing_leaves_the_old_solution(folder, monkeypatch):
    before = tree(folder)
    monkeypatch.setattr(
        pq, "write_table", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt())
    )
    with pytest.raises(KeyboardInterrupt):
        full_solution(seed=2).write(folder)
    assert tree(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == ["s"]


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


def test_settings_of_any_kind_are_kept_as_json_can(tmp_path):
    given = {"path": Path("x"), "pair": (1, np.int64(2)), "none": None, "inf": np.inf}
    solution = Solution(
        scenario=fleet(1), plan=Plan.empty(), status="solved", settings=given
    )
    kept = {"path": repr(Path("x")), "pair": [1, 2], "none": None, "inf": "inf"}
    assert solution.settings == kept
    assert Solution.read(solution.write(tmp_path / "s")).settings == kept


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
