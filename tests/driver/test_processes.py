"""Several processes solve together, each with a part of the vehicles."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from doc_pages import DOCS, blocks
from driver_cases import assert_right

import macjax

HERE = Path(__file__).resolve().parent
COUNT = 2
LONGEST = 200.0  # seconds, where machines are busy
SAME = 1e-9  # relative; sums over processes come in another order


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    output: str


def free_port() -> int:
    """A port below those that systems give to connections by themselves."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def run_together(program: list, folder: Path) -> list[Ended]:
    """Run a program in all processes at once as Slurm does, each in the folder."""
    given = os.environ | {
        "SLURM_JOB_ID": "1",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": str(COUNT),
        "JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{free_port()}",
        "JAX_NUM_CPU_DEVICES": "1",
        "JAX_PLATFORMS": "cpu",
    }
    outputs = [folder / f"{index}.txt" for index in range(COUNT)]
    children = []
    until = time.monotonic() + LONGEST
    try:
        for index, path in enumerate(outputs):
            with path.open("w", encoding="utf-8") as output:
                child = subprocess.Popen(
                    [sys.executable, "-W", "error", *map(str, program)],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    env=given
                    | {"SLURM_PROCID": str(index), "SLURM_LOCALID": str(index)},
                )
            children.append(child)
        codes = [child.wait(max(until - time.monotonic(), 0.1)) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    texts = [path.read_text("utf-8", errors="replace") for path in outputs]
    return [Ended(*pair) for pair in zip(codes, texts, strict=True)]


def assert_well(ended: list[Ended]) -> None:
    """No process failed."""
    outputs = "\n\n".join(each.output[-3000:] for each in ended)
    assert [each.code for each in ended] == [0] * COUNT, outputs


@pytest.fixture(scope="module")
def out(hard_street, tmp_path_factory):
    """The folder in which the processes work, with the street as `region`."""
    folder = tmp_path_factory.mktemp("processes")
    hard_street.write(folder / "region")
    return folder


@pytest.fixture(scope="module")
def found(out):
    """What each process found; the program of docs/large.md comes first."""
    (code,) = [b.code for b in blocks(DOCS / "large.md") if b.run == "processes"]
    (out / "program.py").write_text(code, encoding="utf-8")
    ended = run_together([HERE / "processes_worker.py", "program.py"], out)
    assert_well(ended)
    texts = [(out / f"{index}.json").read_text("utf-8") for index in range(COUNT)]
    return [json.loads(text) for text in texts]


@pytest.mark.parametrize("case", ["even", "first 37", "first 1", "first 100", "after"])
def test_processes_agree_with_one(found, solved, case):
    """However the vehicles are cut; `first 100` leaves nothing to process 1."""
    loads = solved.loads()["ev_kw"].to_numpy()
    for process in found:
        told = process[case]
        assert told["status"] == "solved", told["message"]
        assert told["processes"] == COUNT
        assert told["iterations"] == solved.iterations
        for name in ("objective", "lower_bound"):
            wanted = getattr(solved, name)
            assert told[name] == pytest.approx(wanted, rel=SAME), name
        assert told["upgrade_cost"] == pytest.approx(told["objective"], rel=SAME)
        largest = np.abs(solved.price_table).max()
        np.testing.assert_allclose(
            told["prices"], solved.price_table.ravel(), rtol=0, atol=1e-6 * largest
        )
        np.testing.assert_allclose(told["loads"], loads, atol=1e-6 * loads.max())


@pytest.mark.parametrize("case", ["even", "first 37", "interrupted", "no time"])
def test_processes_tell_the_same(found, case):
    """All numbers of the whole fleet, to the last bit; vehicles are their own."""
    one, other = (process[case] for process in found)
    assert one["vehicles"] + other["vehicles"] == 100
    for name in ("status", "objective", "lower_bound", "iterations", "prices"):
        assert one[name] == other[name], name
    np.testing.assert_allclose(one["loads"], other["loads"], rtol=1e-12, atol=1e-9)


def test_parts_are_as_asked(found):
    """`read_part` halves the fleet; any other cut is taken as it is."""
    shares = {"even": (50, 50), "first 37": (37, 63), "first 1": (1, 99)}
    shares["first 100"] = (100, 0)
    for case, wanted in shares.items():
        assert tuple(process[case]["vehicles"] for process in found) == wanted
        for process, share in zip(found, wanted, strict=True):
            assert process[case]["scheduled"] <= share


def test_a_process_can_solve_alone(found):
    """With its own devices; two processes then have problems of their own."""
    told = [process["alone"] for process in found]
    assert [each["processes"] for each in told] == [1, 1]
    assert told[0]["objective"] != told[1]["objective"]


def test_a_solution_is_a_warm_start(found):
    """Each process gives its own part."""
    for process in found:
        assert process["warm"]["iterations"] == 0
        assert process["warm"]["objective"] == process["even"]["objective"]


def test_limits_that_cannot_hold(found):
    """The proof is of the whole fleet."""
    assert [process["no hold"] for process in found] == ["infeasible"] * COUNT


def test_a_signal_to_one_stops_all(found):
    """Process 0 is interrupted at iteration 20; both end well after the next step."""
    for process in found:
        assert process["interrupted"]["status"] == "interrupted"
        assert process["interrupted"]["iterations"] == 40


def test_errors_are_told_to_all(found):
    """The one that fails has its own error, the other quotes it; then both go on."""
    zero, one = (process["errors"] for process in found)
    both = {
        "overlap": "processes 0 and 1 of 2 hold the same vehicles, 2 in all",
        "gap": "processes 0 and 1 of 2 were given different settings",
        "objective": "were given different capacities, base loads or objectives",
        "certify": "the solution holds a part of the vehicles",
        "checkpoint": "checkpoint: a run of several processes has none",
        "session": "several processes: not for the method 'per_session'",
    }
    for name, wanted in both.items():
        for told in (zero, one):
            assert told[name].startswith("SettingsError: ")
            assert wanted in told[name]
    of_one = {
        "wrong gap": "SettingsError: gap must be",
        "trips": "InfeasibleVehicles: infeasible vehicles",
        "read": "DataError: wrong input",
    }
    for name, wanted in of_one.items():
        assert one[name].startswith(wanted)
        assert re.match("ProcessError: process 1 of 2 failed to ", zero[name])
        assert wanted in zero[name]
    assert zero["progress"] == "ZeroDivisionError: of the user"
    assert one["progress"].endswith(
        "failed to report its progress: " + zero["progress"]
    )


@pytest.mark.usefixtures("found")
def test_parts_make_one_solution(out, hard_street, street_optimum):
    """Written by both processes, read and certified as one."""
    solution = macjax.Solution.read(out / "result")
    assert sorted(e.name for e in (out / "result").iterdir()) == [
        "part-00000-of-00002",
        "part-00001-of-00002",
    ]
    names = ["vehicles", "stays", "trips"]
    for name in names:
        of_parts, of_all = getattr(solution.scenario, name), getattr(hard_street, name)
        assert len(of_parts) == len(of_all)
        assert set(of_parts["vehicle_id"]) == set(of_all["vehicle_id"])
    assert_right(solution.scenario, solution, street_optimum, gap=1e-3)
    part = macjax.Solution.read(out / "result" / "part-00001-of-00002")
    assert len(part.scenario.vehicles) == 50
    for name in ("loads", "upgrades"):
        one, whole = getattr(part, name)(), getattr(solution, name)()
        for column in one.select_dtypes("number"):
            np.testing.assert_allclose(one[column], whole[column], atol=1e-9)


@pytest.mark.usefixtures("found")
def test_parts_that_do_not_fit_are_refused(out, tmp_path):
    """One that is of another solve, and one that is missing."""
    folder = tmp_path / "solution"
    shutil.copytree(out / "result", folder)
    name = "part-00001-of-00002"
    part = macjax.Solution.read(folder / name)
    assert part.part is not None
    part.part = part.part._replace(run="another")
    part.write(folder)
    with pytest.raises(macjax.SolutionError, match="parts are of different solves"):
        macjax.Solution.read(folder)
    shutil.rmtree(folder / name)
    with pytest.raises(macjax.SolutionError, match=f"'{name}' is missing"):
        macjax.Solution.read(folder)
    with pytest.raises(macjax.SettingsError, match="not of a solution by 2 processes"):
        part.write(out)


@pytest.mark.parametrize("how", ["killed", "interrupted twice", "failed"])
def test_no_process_waits_for_one_that_is_lost(out, how):
    """Both end, soon and with an error, though process 0 waits for process 1."""
    begin = time.monotonic()
    zero, one = run_together([HERE / "lost_worker.py", "region", how], out)
    seconds = time.monotonic() - begin
    assert zero.code != 0 and one.code != 0
    assert "process 0 of 2 can no longer reach the others" in zero.output
    if how == "failed":
        assert "RuntimeError: of one process alone" in one.output
    assert seconds < 90
