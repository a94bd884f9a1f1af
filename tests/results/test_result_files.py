"""Folders of solutions: an exact round trip, and replacement as a whole."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from result_cases import assert_same, fleet, full_solution

from macjax._errors import SettingsError, SolutionError
from macjax.objectives import EnergyCost, OverloadEnergy
from macjax.results import Solution, check_output, folders
from macjax.scenario.plan import Plan


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


def test_settings_of_any_kind_are_kept_as_json_can(tmp_path):
    given = {"path": Path("x"), "pair": (1, np.int64(2)), "none": None, "inf": np.inf}
    solution = Solution(
        scenario=fleet(1), plan=Plan.empty(), status="solved", settings=given
    )
    kept = {"path": repr(Path("x")), "pair": [1, 2], "none": None, "inf": "inf"}
    assert solution.settings == kept
    assert Solution.read(solution.write(tmp_path / "s")).settings == kept


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
