"""The scale bench: its LP is the problem, its judge is fair, a smoke run certifies."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import oracles
import pytest
from scipy.optimize import linprog

from macjax.certificate import certify
from macjax.synthetic import fleet

BENCH = Path(__file__).resolve().parent.parent / "bench"
pytestmark = pytest.mark.skipif(not BENCH.exists(), reason="no bench folder here")
FLEETS = [
    ("hard", 60, 48, 60),
    ("easy", 40, 24, 60),
    ("slack", 20, 24, 60),
    ("tight", 40, 96, 15),
    ("random", 30, None, None),
]


@pytest.fixture(scope="module")
def bench():
    """The modules of the bench, as the scripts import them."""
    sys.path.insert(0, str(BENCH))
    from _scale import duel, lp, peers, report

    yield type("Bench", (), dict(duel=duel, lp=lp, peers=peers, report=report))
    sys.path.remove(str(BENCH))
    for name in [n for n in sys.modules if n.split(".")[0] == "_scale"]:
        del sys.modules[name]


def optimum(problem):
    """Columns and prices of an LP by SciPy."""
    rows = problem.matrix.tocsr()
    n = problem.equations
    answer = linprog(
        problem.cost,
        A_ub=rows[n:] if n < rows.shape[0] else None,
        b_ub=problem.right[n:] if n < rows.shape[0] else None,
        A_eq=rows[:n],
        b_eq=problem.right[:n],
        bounds=np.stack((problem.lower, problem.upper), axis=1),
        method="highs",
    )
    assert answer.status == 0
    return answer.x, -answer.ineqlin.marginals, answer.fun


@pytest.mark.parametrize(("kind", "evs", "slots", "minutes"), FLEETS)
def test_the_lp_has_the_optimum_of_the_problem(bench, kind, evs, slots, minutes):
    scenario = fleet(evs, slots, minutes, kind=kind, seed=4)
    problem = bench.lp.build(scenario)
    x, price, value = optimum(problem)
    known = oracles.solve_lp(scenario, method="simplex").optimum
    assert value == pytest.approx(known, rel=1e-7, abs=1e-7)
    worth = bench.lp.judge(scenario, problem, x, price)
    assert worth["feasible"]
    assert worth["objective"] == pytest.approx(known, rel=1e-6, abs=1e-6)
    assert worth["lower_bound"] == pytest.approx(known, rel=1e-6, abs=1e-6)
    assert worth["moved_kwh"] < 1e-6


@pytest.mark.parametrize("kind", ["hard", "random"])
def test_any_answer_is_brought_into_the_limits(bench, kind):
    scenario = fleet(50, 48, 60, kind=kind, seed=5)
    problem = bench.lp.build(scenario)
    rng = np.random.default_rng(0)
    size = len(problem.cost)
    finite = np.where(np.isfinite(problem.upper), problem.upper, 0.0)
    nan = np.full(size, np.nan)
    for x in (np.zeros(size), finite, nan, rng.normal(0, 5, size)):
        schedule, moved = bench.lp.schedule_of(problem, x)
        assert certify(scenario, schedule=schedule).feasible
        assert moved >= 0


def test_repair_leaves_a_feasible_answer_alone(bench):
    scenario = fleet(50, 48, 60, kind="hard", seed=6)
    problem = bench.lp.build(scenario)
    x, _, _ = optimum(problem)
    for piece in problem.pieces:
        u = x[piece.u : piece.u + len(piece.cut.cell)]
        np.testing.assert_allclose(bench.lp.repaired(piece, u), u, atol=1e-9)


def test_a_peer_is_run_again_until_its_answer_certifies(bench, tmp_path, monkeypatch):
    scenario = fleet(40, 24, 60, kind="hard", seed=7)
    scenario.write(tmp_path / "fleet")
    x, price, _ = optimum(bench.lp.build(scenario))
    answers = [(0 * x, 0 * price), (x, 0 * price), (x, price), (x, price)]

    def peer(script, part, options, limit):
        energy, prices = answers.pop(0)
        np.savez(options["answer"], x=energy, price=prices)
        return {"status": "optimal", "seconds": 4.0 - len(answers)}

    monkeypatch.setattr(bench.duel, "run_part", peer)
    monkeypatch.setattr(bench.peers, "is_installed", lambda name: name == "mpax")
    options = {
        "folder": str(tmp_path / "fleet"),
        "peers": ["mpax", "pdlp"],
        "gap": 1e-3,
        "device": "cpu",
        "peer_time_limit": 10.0,
        "label": "test",
    }
    ran, missing = bench.duel.duel("script", options)
    assert [a["certified"] for a in ran["attempts"]] == [False, False, True]
    assert (ran["certified"], ran["seconds"]) == (True, 3.0)
    assert missing["status"] == "not installed"


def test_peers_are_named_alone_or_by_family(bench):
    names = ["highs-simplex", "highs-ipx", "highs-hipdlp", "pdlp"]
    assert bench.peers.expand("highs,pdlp,highs-ipx") == names
    with pytest.raises(argparse.ArgumentTypeError, match="gurobi"):
        bench.peers.expand("gurobi")


@pytest.mark.parametrize(
    ("script", "wrong", "told"),
    [
        ("scale", ["--peers", "gurobi"], "unknown peers gurobi"),
        ("scale", ["--evs", "0,1"], "above 0"),
        ("scale", ["--evs", ""], "at least one"),
        ("scale", ["--evs", "10.5"], "whole"),
        ("scale", ["--peer-time-limit", "0"], "above 0"),
        ("scale", ["--out", "/proc/nothing/here.json"], "cannot be written"),
        ("suite", ["--only", "nothing"], "fits no instance"),
        ("suite", ["--gaps", "small"], "gaps"),
        ("suite", ["--out", "/proc/nothing/here.json"], "cannot be written"),
    ],
)
def test_wrong_options_are_told_before_anything_is_measured(script, wrong, told):
    command = [sys.executable, str(BENCH / f"{script}.py"), *wrong]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert told in done.stderr and "Traceback" not in done.stderr
    assert "EVs:" not in done.stderr and "gap 0" not in done.stderr


def test_the_exponent_is_the_slope_of_the_logarithms(bench):
    points = [(n, 3e-4 * n**1.25) for n in (10, 100, 5000)]
    assert bench.report.exponent(points) == pytest.approx(1.25)
    assert bench.report.exponent(points[:1]) is None


def test_a_smoke_run_certifies_and_agrees_with_highs(tmp_path):
    out = tmp_path / "scale.json"
    command = [sys.executable, str(BENCH / "scale.py"), "--evs", "60", "--slots", "24"]
    command += ["--peers", "highs-simplex", "--peer-time-limit", "30"]
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    record = json.loads(out.read_text())
    (size,) = record["sizes"]
    (peer,) = size["peers"]
    own = size["macjax"]
    assert own["certificate"]["gap"] <= 1e-3 and own["certificate"]["feasible"]
    assert own["warm"]["seconds"]["compile"] == 0
    assert peer["certified"] and abs(peer["gap"]) < 1e-6
    rounding = 1e-9 * own["certificate"]["unmanaged_objective"]
    assert own["certificate"]["lower_bound"] <= peer["objective"] + rounding
    assert own["certificate"]["objective"] >= peer["lower_bound"] - rounding
    assert 0 < own["copy_share_24"] and own["copy_gb_per_s"] > 0.1
    assert out.with_suffix(".png").stat().st_size > 1000
    assert "highs-simplex" in done.stdout
