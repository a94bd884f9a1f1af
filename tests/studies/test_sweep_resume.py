"""A sweep that was stopped goes on; what is damaged is redone; nothing is mixed up."""

import json
import os

import pandas as pd
import pytest
from study_cases import QUICK, files_of, same, small

import macjax
from macjax import SettingsError
from macjax.driver.lock import locked
from macjax.studies import running

OVER = {"charger_power": [0.5, 1, 2], "cost": [1, 2]}


@pytest.fixture
def runs(monkeypatch):
    """Methods that were run."""
    found, run = [], running.run_method

    def count(name, scenario, request):
        found.append(name)
        return run(name, scenario, request)

    monkeypatch.setattr(running, "run_method", count)
    return found


@pytest.fixture(scope="module")
def whole():
    """The frame of an uninterrupted sweep in memory."""
    return macjax.sweep(small(), OVER, QUICK)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Its folder; tests leave it as whole as it was."""
    out = tmp_path_factory.mktemp("sweep") / "out"
    sweep(out)
    return out


def sweep(out, over=OVER, methods=QUICK, **settings):
    return macjax.sweep(small(), over, methods, out, **settings)


def same_but_folder(frame, whole):
    same(frame.drop(columns="folder"), whole.drop(columns="folder"))
    assert (frame["folder"] != "").all() and (whole["folder"] == "").all()


def test_an_interrupted_sweep_goes_on(tmp_path, runs, whole):
    out, seen = tmp_path / "out", []

    def stop(record):
        seen.append(record)
        if record["done"] == 2:
            raise KeyboardInterrupt

    part = sweep(out, progress=stop)
    assert part.attrs["interrupted"] and len(part) == 4 and len(runs) == 4
    assert len(pd.read_parquet(out / "cases.parquet")) == 4
    frame = sweep(out, progress=seen.append)
    assert not frame.attrs["interrupted"] and len(runs) == 12
    same_but_folder(frame, whole)
    assert [record["done"] for record in seen] == [1, 2, 3, 4, 5, 6]
    assert sorted(record["case"] for record in seen) == [1, 2, 3, 4, 5, 6]
    assert seen[-1]["seconds_left"] == 0 and set(seen[0]["rows"]) == set(QUICK)


def test_an_interrupted_solve_has_no_row_and_is_done_again(tmp_path, monkeypatch):
    """`macjax.solve` ends with the schedule so far: that is not the result wanted."""
    run = running.run_method

    def interrupted(name, scenario, request):
        solution = run(name, scenario, request)
        if name == "first_come":
            solution.status = macjax.Status.interrupted
        return solution

    monkeypatch.setattr(running, "run_method", interrupted)
    part = sweep(tmp_path / "out")
    assert part.attrs["interrupted"] and list(part["method"]) == ["unmanaged"]
    monkeypatch.undo()
    assert len(sweep(tmp_path / "out")) == 12


def test_a_failure_of_the_program_keeps_what_was_finished(tmp_path, monkeypatch, whole):
    run, left = running.run_method, iter(range(5))

    def fail(name, scenario, request):
        if next(left, None) is None:
            raise RuntimeError("a slip of the pen")
        return run(name, scenario, request)

    monkeypatch.setattr(running, "run_method", fail)
    sweep(tmp_path / "out")
    frame = pd.read_parquet(tmp_path / "out" / "cases.parquet")
    assert (frame["status"] == "error").sum() == 7 and len(frame) == 12
    monkeypatch.undo()
    same_but_folder(sweep(tmp_path / "out"), whole)


def cut_file(path):
    path.write_bytes(path.read_bytes()[:-50])


def flip_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def other_number(path):
    record = json.loads(path.read_text("utf-8"))
    record["row"]["upgrade_kw"] = 0.0
    path.write_text(json.dumps(record), "utf-8")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("loads.parquet", flip_byte),
        ("loads.parquet", cut_file),
        ("upgrades.parquet", os.remove),
        ("case.json", os.remove),
        ("case.json", cut_file),
        ("case.json", other_number),
    ],
)
def test_a_damaged_result_is_told_and_done_again(
    finished, runs, whole, capsys, name, damage
):
    damage(finished / "cases" / "0003" / "unmanaged" / name)
    same_but_folder(sweep(finished, progress=True), whole)
    assert runs == ["unmanaged"]
    assert f"0003/unmanaged/{name}" in capsys.readouterr().err.replace("\\", "/")
    sweep(finished)
    assert runs == ["unmanaged"]


def test_results_that_changed_places_are_done_again(finished, runs, whole):
    one, other = finished / "cases" / "0001", finished / "cases" / "0002"
    one.rename(finished / "aside")
    other.rename(one)
    (finished / "aside").rename(other)
    same_but_folder(sweep(finished), whole)
    assert len(runs) == 4


def test_what_a_killed_run_leaves_is_cleared_away(finished, runs, whole):
    """Killed while it wrote one result, and between the two renames of another."""
    out, cases = finished, finished / "cases"
    (cases / "0001" / ".unmanaged.0011aabb.part").mkdir()
    (cases / "0002" / "unmanaged").rename(cases / "0002" / ".unmanaged.previous")
    (out / "cases.parquet").write_bytes(b"half")
    same_but_folder(sweep(out), whole)
    assert not runs and not list(cases.glob("*/.*.part"))
    assert len(pd.read_parquet(out / "cases.parquet")) == 12


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"over": OVER | {"cost": [1, 3]}},
            r"over.cost is \[1, 2\] there and \[1, 3\]",
        ),
        ({"over": {"cost": [1, 2]}}, "over.charger_power is .* there and not given"),
        ({"methods": ("unmanaged",)}, "methods is"),
        ({"gap": 1e-2}, "settings.gap is not given there and 0.01 here"),
        ({"keep": "all"}, "keep is"),
        ({"objective": macjax.OverloadEnergy(1.0)}, "objective.type is"),
    ],
)
def test_another_sweep_is_refused_with_what_differs(finished, changed, said):
    before = files_of(finished)
    with pytest.raises(SettingsError, match=said):
        sweep(finished, **changed)
    assert files_of(finished) == before


def test_another_scenario_is_refused(finished):
    with pytest.raises(SettingsError, match="source.fingerprint"):
        macjax.sweep(small(seed=2), OVER, QUICK, finished)


def test_places_that_cannot_be_written_are_refused(tmp_path, runs):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    sweep(tmp_path / "broken", {"cost": [1]})
    (tmp_path / "broken" / "sweep.json").write_text("{}")
    sweep(tmp_path / "busy", {"cost": [1]})
    runs.clear()
    for name, said in {
        "file": "is a file",
        "full": "not the folder of a sweep",
        "broken": "damaged",
    }.items():
        with pytest.raises(SettingsError, match=said):
            sweep(tmp_path / name, {"cost": [1]})
    with locked(tmp_path / "busy"), pytest.raises(SettingsError, match="another sweep"):
        sweep(tmp_path / "busy", {"cost": [1]})
    assert not runs and (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_sweep_json_holds_what_is_needed_to_repeat_it(tmp_path):
    """Also for a region: its whole configuration as a file that builds it."""
    config = {"counties": ["napa"], "sample": 0.001, "days": 1}
    out = tmp_path / "out"
    frame = macjax.sweep(config, {"adoption": [0.3]}, ("unmanaged",), out, gap=1e-2)
    record = json.loads((out / "sweep.json").read_text("utf-8"))
    assert {"macjax", "jax", "numpy"} <= record["versions"].keys()
    assert record["what"]["settings"] == {"gap": 0.01}
    path = tmp_path / "again.toml"
    path.write_text(record["text"], encoding="utf-8")
    again = macjax.sweep(path, record["what"]["over"], record["what"]["methods"])
    same(again.drop(columns="folder"), frame.drop(columns="folder"))
