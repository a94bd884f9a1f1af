"""Cases that fail are rows, wrong settings end the sweep, workers may die."""

import dataclasses
import datetime
import multiprocessing
import subprocess
import sys
import time

import numpy as np
import pytest
from study_cases import QUICK, failing, same, small

import macjax
from macjax import (
    DataError,
    MemoryShortError,
    ProcessError,
    RegionWarning,
    SettingsError,
)
from macjax.studies import running, sources
from macjax.studies import sweep as sweep_function


@pytest.fixture
def study(monkeypatch):
    """`sweep` on a source of our own."""

    def run(source, **arguments):
        job = sources.read_source(small(), None)[1]
        monkeypatch.setattr(
            "macjax.studies.sources.source_of", lambda job: source, raising=True
        )
        return sweep_function(job, **arguments)

    return run


def test_a_case_without_memory_is_a_row_that_is_tried_again(tmp_path, monkeypatch):
    run, short = running.run_method, [True]

    def fail(name, scenario, request):
        if short[0] and name == "first_come":
            raise MemoryShortError("needs 999 GiB")
        return run(name, scenario, request)

    monkeypatch.setattr(running, "run_method", fail)
    frame = macjax.sweep(small(), {"cost": [1, 2]}, QUICK, tmp_path / "out")
    assert list(frame["status"]) == ["simulated", "memory_short"] * 2
    assert list(frame["error"]) == ["", "needs 999 GiB"] * 2
    short[0] = False
    again = macjax.sweep(small(), {"cost": [1, 2]}, QUICK, tmp_path / "out")
    assert set(again["status"]) == {"simulated"} and set(again["error"]) == {""}


def test_a_scenario_that_cannot_be_built_is_a_row_for_each_method(study):
    frame = study(failing("memory"), over={"seed": [1, 2, 3]}, methods=QUICK)
    status = frame.groupby("seed")["status"].unique().map(list).to_dict()
    assert status == {1: ["simulated"], 2: ["memory_short"], 3: ["simulated"]}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bug_of_one_case_is_a_row_that_is_tried_again(study, workers, tmp_path):
    asked = {"over": {"seed": [1, 2]}, "methods": QUICK, "out": tmp_path / "out"}
    frame = study(failing("bug"), workers=workers, **asked)
    assert list(frame["status"]) == ["simulated"] * 2 + ["error"] * 2
    assert frame["error"][3].startswith("RuntimeError: a slip of the pen (study_cases")
    mended = dataclasses.replace(failing("bug"), seeds=())
    assert set(study(mended, **asked)["status"]) == {"simulated"}


def test_a_bug_in_a_method_is_a_row(monkeypatch):
    def slip(solution):
        if solution.method == "first_come":
            raise ZeroDivisionError("slip")
        return running_row(solution)

    running_row = running.row_of
    monkeypatch.setattr(running, "row_of", slip)
    frame = macjax.sweep(small(), {"cost": [1, 2]}, QUICK)
    assert list(frame["status"]) == ["simulated", "error"] * 2


def test_regions_that_cannot_be_built_are_rows():
    config = {"counties": ["napa"], "days": 1, "sample": 1e-4}
    over = {"sample": [1e-12, 1e-4]}
    frame = macjax.sweep(config, over, ("unmanaged",))
    assert list(frame["status"]) == ["error", "simulated"]
    assert "raise sample or adoption" in frame["error"][0]
    assert np.isnan(frame["left_out_percent"][0]) and frame["left_out_percent"][1] >= 0
    over = {"start": [datetime.date(2011, 12, 29), datetime.date(2012, 1, 2)]}
    config |= {"timezone": "Pacific/Apia", "days": 2}
    frame = macjax.sweep(config, over, ("unmanaged",))
    assert list(frame["status"]) == ["error", "simulated"]
    assert "calendar of Pacific/Apia" in frame["error"][0]


def test_cars_left_out_are_columns():
    config = {"counties": ["napa"], "days": 2, "sample": 0.002}
    over = {"battery_kwh": [[40, 82], [8, 16]]}
    with pytest.warns(RegionWarning):
        frame = macjax.sweep(config, over, ("unmanaged",))
    out, km = frame["left_out_percent"], frame["left_out_km_percent"]
    assert out[1] > out[0] and km[1] > out[1] > 1
    assert frame["vehicles"][1] < frame["vehicles"][0]


def test_no_vehicles_are_a_row(study):
    source = dataclasses.replace(failing("bug"), seeds=())
    frame = study(source, over={"evs": [0, 3]}, methods=QUICK)
    assert list(frame["status"]) == ["error"] * 2 + ["simulated"] * 2
    assert "there is no vehicle" in frame["error"][0]


ORPHAN = """
import multiprocessing, os, signal, time
from macjax.studies.workers import end_with_parent

def work():
    end_with_parent()
    print(os.getpid(), flush=True)
    time.sleep(100)

if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=work, daemon=True).start()
    input()
"""


def test_workers_end_when_their_parent_is_killed(tmp_path):
    path = tmp_path / "orphan.py"
    path.write_text(ORPHAN)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, path], text=True, **pipes) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) != parent.pid
        parent.kill()
        # The worker holds the other end of the pipe, which closes when it ends.
        begin = time.monotonic()
        assert parent.stdout.read() == ""
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"gap": -1}, "gap must be"),
        ({"gpa": 1}, "did you mean 'gap'"),
        ({"on_infeasible": "ignore"}, "on_infeasible must be"),
        ({"methods": ("unmanaged", "mca")}, "did you mean 'mac'"),
        ({"methods": "mac"}, "methods must be a list"),
        ({"methods": ("mac", "mac")}, "once each"),
        ({"workers": 0}, "workers must be"),
        ({"workers": 1.0}, "workers must be"),
        ({"workers": 2, "gap": -1}, "gap must be"),
        ({"workers": 2, "devices": []}, "devices: not with"),
        ({"keep": "all"}, "keep must be"),
        ({"keep": "some", "out": "there"}, "keep must be"),
        ({"progress": 1}, "progress must be"),
        ({"checkpoint": "there"}, "checkpoint: not for a sweep"),
        ({"tariff": 0.3}, "tariff must be"),
        ({"warm_start": 3}, "warm_start must be"),
        ({"objective": "peak"}, "objective must be one of"),
    ],
)
def test_wrong_settings_end_it_before_anything_is_built(
    wrong, said, monkeypatch, tmp_path
):
    def never(*arguments):
        raise AssertionError("run")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running.Runner, "run", never)
    with pytest.raises(SettingsError, match=said):
        macjax.sweep(small(), **({"over": {"cost": [1]}} | wrong))
    assert not list(tmp_path.iterdir())


def test_an_unknown_tariff_ends_it(tmp_path):
    with pytest.raises(SettingsError, match="tariff"):
        macjax.sweep(small(), {"cost": [1]}, ("time_of_use",), tariff="pge_a11")


def test_a_wrong_folder_is_reported_as_ever(tmp_path):
    small().write(tmp_path / "fleet")
    (tmp_path / "fleet" / "stays.parquet").write_bytes(b"")
    with pytest.raises(DataError, match="stays"):
        macjax.sweep(tmp_path / "fleet", {"cost": [1]}, QUICK)


def test_a_folder_is_the_scenario_in_it(tmp_path):
    small().write(tmp_path / "fleet")
    read = macjax.sweep(tmp_path / "fleet", {"cost": [1, 2]}, QUICK)
    same(read, macjax.sweep(small(), {"cost": [1, 2]}, QUICK))


def test_workers_do_what_one_process_does(tmp_path):
    """Simulated methods have no gap: every number is the same."""
    path = tmp_path / "job.toml"
    path.write_text(
        'builder = "synthetic"\n[arguments]\nevs = 30\nslots = 24\nfeeders = 2\n'
        'kind = "hard"\n[sweep]\nover.seed = [1, 2, 3]\nover.battery = [1, 2]\n'
        'methods = ["unmanaged", "first_come"]\n',
        encoding="utf-8",
    )
    lines, out = [], tmp_path / "out"

    def stop(record):
        lines.append(record["done"])
        raise KeyboardInterrupt

    part = macjax.sweep(path, out=out, workers=2, progress=stop)
    assert part.attrs["interrupted"] and lines == [1] and len(part) < 12
    assert not multiprocessing.active_children()
    beside = macjax.sweep(path, out=out, workers=3)
    assert not beside.attrs["interrupted"]
    same(beside, macjax.sweep(path, out=tmp_path / "alone"))
    same(macjax.sweep(path, out=out, workers=2), beside)


def test_a_worker_that_is_killed_costs_its_own_case_alone(study):
    frame = study(
        failing("kill"), over={"seed": [1, 2, 3, 4]}, methods=QUICK, workers=2
    )
    killed = frame[frame["seed"] == 2]
    assert set(killed["status"]) == {"memory_short"}
    assert killed["error"].str.contains("memory").all()
    assert set(frame[frame["seed"] != 2]["status"]) == {"simulated"}


def test_workers_that_do_not_start_end_it(study, capfd):
    """As without the guard of the main module, which each of them runs."""
    with pytest.raises(ProcessError, match="did not start .* below `if __name__"):
        study(failing("start"), over={"seed": [1, 2]}, methods=QUICK, workers=2)
    assert "not in this process" in capfd.readouterr().err


def test_wrong_settings_in_a_worker_end_it():
    with pytest.raises(SettingsError, match="gap must be a number of at least"):
        macjax.sweep(small(), {"cost": [1, 2]}, ("mac",), gap=1e-20, workers=2)
