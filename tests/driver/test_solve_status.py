"""Every way in which a solve can end, and that it leaves something of use behind."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import oracles
import pytest
from driver_cases import (
    assert_certified,
    assert_right,
    assert_valid_so_far,
    optimum_of,
    roomy,
    scale_of,
    street,
    street_frames,
    with_frames,
)

import macjax
from macjax import FeederCapacity, PeakOverload, Status
from macjax.certificate import Certifier
from macjax.fleet.packing import pack
from macjax.solvers import mac

NEVER = 1e-12  # a gap that is not reached in the time of these tests


def test_solved(hard_street, solved, street_optimum):
    """The gap is certified; the message says which one."""
    assert_right(hard_street, solved, street_optimum, 1e-3)
    assert solved.status == Status.solved and isinstance(solved.status, Status)
    assert f"{solved.gap:.2g}" in solved.message
    solved.raise_for_status()


def one_feeder_too_small():
    """Nine feeders, of which one cannot hold and the others have all they need."""
    return with_frames(roomy(street_frames(), except_for=["f0003"]))


def test_infeasible_names_the_feeder_and_proves_it():
    """The ray is positive by the certificate, and by an LP over all schedules."""
    scenario = one_feeder_too_small()
    solution = macjax.solve(scenario, FeederCapacity())
    assert solution.status == "infeasible"
    assert "f0003" in solution.message and "f0002" not in solution.message
    assert "capacities" in solution.message and "PeakOverload()" in solution.message
    ray = solution.dual_ray
    certifier = Certifier(scenario, FeederCapacity())
    assert certifier.ray_bound(ray) > 0
    room = certifier.terms.headroom + certifier.terms.tolerance
    assert (ray >= 0).all() and set(np.flatnonzero(ray.sum(axis=1))) == {3}
    cheapest = oracles.solve_lp(scenario, peak=0.0, energy=ray / scenario.slot_hours)
    assert cheapest.optimum > (ray * room).sum()
    assert solution.ray()["feeder_id"].unique().tolist() == ["f0003"]


def test_infeasible_has_no_numbers():
    """No schedule, so no numbers: NaN and empty frames with their columns."""
    solution = macjax.solve(one_feeder_too_small(), FeederCapacity())
    assert np.isnan([solution.objective, solution.gap]).all()
    assert solution.schedule().empty and "kw" in solution.schedule()
    assert solution.upgrades().empty
    with pytest.raises(macjax.SolutionError, match="infeasible"):
        solution.raise_for_status()


def test_infeasible_ends_where_the_upgrade_is_built():
    """With the upgrade of the peak objective, and 1 % more, the limits hold."""
    scenario = one_feeder_too_small()
    upgrades = macjax.solve(scenario, PeakOverload()).upgrades()
    needed = upgrades.set_index("feeder_id")["upgrade_kw"]
    for share, status in ((0.97, "infeasible"), (1.01, "solved")):
        profile = scenario.feeder_profile.copy()
        profile["capacity_kw"] += share * profile["feeder_id"].map(needed)
        frames = street_frames() | {"feeder_profile": profile}
        solution = macjax.solve(with_frames(frames), FeederCapacity())
        assert solution.status == status, share
    assert solution.objective == 0 and solution.gap == 0


@pytest.mark.parametrize("most", [1, 20, 61, 83, 101])
def test_iteration_limit(hard_street, street_optimum, most):
    """No more iterations than allowed, in either phase."""
    solution = macjax.solve(hard_street, gap=NEVER, max_iterations=most)
    assert solution.status == "iteration_limit"
    assert solution.iterations <= most
    assert_valid_so_far(hard_street, solution, street_optimum)
    assert f"The {most} iterations are used up" in solution.message
    assert "max_iterations" in solution.message and "warm_start" in solution.message
    with pytest.raises(macjax.SolutionError, match="iteration_limit"):
        solution.raise_for_status()


@pytest.mark.parametrize("limit", [0, 1e-3])
def test_time_limit(hard_street, solved, street_optimum, limit):
    """The time is over before the first step: a schedule and a bound come back."""
    solution = macjax.solve(hard_street, gap=NEVER, time_limit=limit)
    assert solution.status == "time_limit"
    assert_valid_so_far(hard_street, solution, street_optimum)
    assert f"The time limit of {limit:g} s is over" in solution.message
    assert "Raise time_limit" in solution.message
    assert solution.seconds["total"] < 2.0


def test_time_limit_between_steps(hard_street, street_optimum):
    """A second passes in the run: it stops at the next look."""
    seconds = []

    def slow(record):
        seconds.append(record["seconds"])
        time.sleep(0.3)

    solution = macjax.solve(hard_street, gap=NEVER, time_limit=1, progress=slow)
    assert solution.status == "time_limit"
    assert 3 <= len(seconds) <= 6 and solution.iterations > 0
    assert_valid_so_far(hard_street, solution, street_optimum)


@pytest.mark.parametrize("limit", [0, 1e-3])
def test_time_limit_before_hard_limits_hold(limit):
    """The first phase is cut short: every vehicle is served, no limit is claimed."""
    scenario = one_feeder_too_small()
    solution = macjax.solve(scenario, FeederCapacity(), time_limit=limit)
    assert solution.status == "time_limit"
    assert solution.objective == np.inf and solution.gap == np.inf
    assert macjax.certify(scenario, solution).feasible
    with pytest.raises(macjax.SolutionError, match="time_limit"):
        solution.raise_for_status()


def nan_after(monkeypatch, chunk: int, lane: int, row: int = 0):
    """Make the energies of one piece NaN in the results of the n-th ADMM chunk."""
    original, calls = mac.admm_chunk, []

    def without(energy):
        return energy.at[0, row, :, lane].set(np.nan)

    def broken(problem, state, iterations):
        state, energy, load = original(problem, state, iterations)
        calls.append(iterations)
        if len(calls) == chunk:
            energy = without(energy)
            load = mac.fleet_load(problem, energy)
            state = dataclasses.replace(state, relaxed=without(state.relaxed))
        return state, energy, load

    broken.lower = original.lower  # what is compiled ahead
    monkeypatch.setattr(mac, "admm_chunk", broken)


@pytest.mark.parametrize("chunk", [1, 3])
def test_nonfinite_keeps_the_best_before(
    hard_street, street_optimum, monkeypatch, chunk
):
    """A NaN in one vehicle ends the run at once and does not spread."""
    looks = []
    macjax.solve(hard_street, gap=NEVER, max_iterations=60, progress=looks.append)
    before = looks[chunk - 1]
    nan_after(monkeypatch, chunk, lane=17)
    solution = macjax.solve(hard_street, gap=NEVER)
    assert solution.status == "nonfinite"
    assert solution.iterations == 20 * chunk
    assert_valid_so_far(hard_street, solution, street_optimum)
    assert solution.objective == pytest.approx(before["objective"], rel=1e-12)
    assert solution.lower_bound >= before["lower_bound"] * (1 - 1e-12)
    row = pack(hard_street).index.vehicle[0, 0, 17]
    name = hard_street.vehicles["vehicle_id"].iloc[row]
    assert f"for vehicle {name} at" in solution.message
    assert "magnitudes" in solution.message and "float64" in solution.message


def test_nonfinite_is_seen_where_no_feeder_is(monkeypatch):
    """A NaN that reaches no feeder load is found all the same."""
    frames = street_frames()
    stays = frames["stays"].copy()
    stays["feeder_id"] = stays["feeder_id"].where(stays["vehicle_id"] != 7, None)
    scenario = with_frames(frames, stays=stays)
    vehicle = pack(scenario).index.vehicle[0]
    row, lane = np.argwhere(vehicle == 7)[0]
    nan_after(monkeypatch, 2, lane=int(lane), row=int(row))
    solution = macjax.solve(scenario, gap=NEVER)
    assert solution.status == "nonfinite" and "vehicle 7 at" in solution.message
    assert_valid_so_far(scenario, solution, optimum_of(scenario))


def test_nonfinite_by_absurd_costs():
    """Costs beyond float32 overflow there; float64 takes them."""
    frames = street_frames()
    feeders = frames["feeders"].assign(upgrade_cost_per_kw=1e39)
    profile = frames["feeder_profile"].assign(capacity_kw=0.0)
    scenario = with_frames(frames, feeders=feeders, feeder_profile=profile)
    wide = macjax.solve(scenario)
    assert_right(scenario, wide, 1e39 * optimum_of(scenario, peak=1.0), 1e-3)
    narrow = macjax.solve(scenario, dtype="float32")
    assert narrow.status == "nonfinite"
    assert "magnitudes" in narrow.message


def test_stalled_at_the_floor_of_float32(hard_street, street_optimum):
    """float32 cannot certify 1e-6: schedule and bound are valid, the advice helps."""
    solution = macjax.solve(hard_street, gap=1e-6, dtype="float32")
    assert solution.status == "stalled"
    assert_valid_so_far(hard_street, solution, street_optimum)
    assert solution.gap < 1e-4
    assert "dtype='float64'" in solution.message
    assert macjax.solve(hard_street, gap=1e-6, dtype="float64").status == "solved"


@pytest.mark.parametrize("seed", range(6))
def test_no_endless_run_in_float32(seed):
    """Where the run rounds its own gap to 0 and the certificate does not, it ends."""
    scenario = street(seed)
    solution = macjax.solve(scenario, gap=1e-6, dtype="float32", time_limit=60)
    assert solution.status in ("stalled", "solved")
    assert_certified(scenario, solution)


def test_stalled_when_the_run_sees_no_gap_and_the_certificate_does(
    hard_street, monkeypatch
):
    """The run's own gap is 0 and the certified one is not: it ends, and says so."""
    monkeypatch.setattr(mac.Run, "relative", lambda self, difference: 0.0)
    solution = macjax.solve(hard_street)
    assert solution.status == "stalled" and solution.gap > 1e-3
    assert_certified(hard_street, solution)


def test_stalled_when_patience_is_over(hard_street, street_optimum, monkeypatch):
    """No progress counts, so patience runs out."""
    monkeypatch.setattr(mac, "PATIENCE", 1)
    monkeypatch.setattr(mac, "PROGRESS", 0.0)
    solution = macjax.solve(hard_street, gap=1e-12)
    assert solution.status == "stalled"
    assert_valid_so_far(hard_street, solution, street_optimum)
    assert "The gap no longer falls" in solution.message


@pytest.mark.parametrize("look", [1, 2, 5])
def test_interrupted(hard_street, street_optimum, look):
    """Ctrl-C at any look: what is there is returned."""
    looks = []

    def interrupt(record):
        looks.append(record)
        if len(looks) == look:
            raise KeyboardInterrupt

    solution = macjax.solve(hard_street, gap=NEVER, progress=interrupt)
    assert solution.status == "interrupted"
    assert_valid_so_far(hard_street, solution, street_optimum)
    assert solution.iterations == looks[-1]["iteration"]
    assert "interrupted" in solution.message and "warm_start" in solution.message


def test_interrupted_and_gone_on(hard_street, street_optimum):
    """`warm_start` goes on from what an interrupt left."""

    def interrupt(record):
        if record["iteration"] >= 40:
            raise KeyboardInterrupt

    first = macjax.solve(hard_street, gap=1e-4, progress=interrupt)
    assert first.status == "interrupted"
    second = macjax.solve(hard_street, gap=1e-4, warm_start=first)
    assert_right(hard_street, second, street_optimum, 1e-4)
    assert second.objective <= first.objective * (1 + 1e-12)


def test_an_error_of_the_progress_callable_is_not_swallowed(hard_street):
    """Only an interrupt is a way to end."""

    def wrong(record):
        raise ZeroDivisionError("in the callable")

    with pytest.raises(ZeroDivisionError, match="in the callable"):
        macjax.solve(hard_street, progress=wrong)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_by_a_handler(hard_street, street_optimum, number):
    """A handler in force is called at once, the run ends at the next look."""
    called, looks = [], []

    def tell(record):
        looks.append(record["iteration"])
        if len(looks) == 3:
            signal.raise_signal(number)
            assert called == [number]

    before = signal.signal(number, lambda number, frame: called.append(number))
    try:
        own = signal.getsignal(number)
        solution = macjax.solve(hard_street, gap=NEVER, progress=tell)
        assert signal.getsignal(number) is own
    finally:
        signal.signal(number, before)
    assert solution.status == "interrupted" and len(looks) == 4
    assert_valid_so_far(hard_street, solution, street_optimum)


def test_interrupted_in_the_search_for_limits_that_hold():
    """Before a schedule under hard limits is found."""
    scenario = one_feeder_too_small()

    def interrupt(record):
        raise KeyboardInterrupt

    solution = macjax.solve(scenario, FeederCapacity(), progress=interrupt)
    assert solution.status == "interrupted"
    assert macjax.certify(scenario, solution).feasible


PROGRAM = """
import time
import macjax
from macjax.synthetic import fleet

def tell(record):
    print("look", record["iteration"], flush=True)
    time.sleep(0.2)

scenario = fleet(20, 12, feeders=2, kind="tight", seed=1)
solution = macjax.solve(scenario, gap=1e-12, progress=tell)
print(solution.status, solution.message, flush=True)
assert macjax.certify(scenario, solution).feasible
"""


def test_interrupted_by_a_signal():
    """A real SIGINT in a process of its own ends with a certified solution."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        lines = [process.stdout.readline()]
        process.send_signal(signal.SIGINT)
        lines += process.communicate(timeout=60)[0].splitlines()
    finally:
        process.kill()
    assert lines[0].startswith("look") and process.returncode == 0
    assert lines[-1].startswith("interrupted The run was interrupted")


def test_scale_of_the_gap(solved):
    """The reported gap is the difference over |objective| + 0.01 |unmanaged|."""
    difference = solved.objective - solved.lower_bound
    assert solved.gap == pytest.approx(difference / scale_of(solved), rel=1e-12)


def test_easy_street_is_certified_at_zero():
    """An optimum of zero is proved too, and with nothing to pay the gap is 0."""
    scenario = with_frames(roomy(street_frames()))
    solution = macjax.solve(scenario)
    assert solution.status == "solved" and solution.objective == 0
    assert solution.lower_bound == 0 and solution.gap == 0
    assert_certified(scenario, solution)
