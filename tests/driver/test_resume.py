"""Resuming: whatever stops a run, `resume` ends where the run would have ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoint_cases import GAP, assert_same_end, copy_of
from driver_cases import roomy, street, street_frames, with_frames

import macjax
from macjax import EnergyCost
from macjax.driver import checkpoints
from macjax.driver.checkpoints import checkpoint_files
from macjax.driver.lock import locked
from macjax.solvers.hard_limits import EASES, Ease


@pytest.fixture
def keep_all(monkeypatch):
    """Old checkpoints stay."""
    monkeypatch.setattr(checkpoints, "KEPT", 10**6)


def limits_that_hold(share=1.0005):
    """The street whose one short feeder got a share of the upgrade that it needs."""
    scenario = with_frames(roomy(street_frames(), except_for=["f0003"]))
    needed = macjax.solve(scenario).upgrades().set_index("feeder_id")["upgrade_kw"]
    profile = scenario.feeder_profile.copy()
    profile["capacity_kw"] += share * profile["feeder_id"].map(needed)
    return with_frames(street_frames() | {"feeder_profile": profile})


CASES = {
    "peak": lambda: (street(), None, {}),
    "float32": lambda: (street(3), None, {"dtype": "float32", "gap": 1e-4}),
    "limits": lambda: (
        limits_that_hold(),
        macjax.FeederCapacity() + EnergyCost(0.1) + macjax.SquaredOverload(1.0),
        {"warm_start": macjax.solve(street())},
    ),
    "no schedule": lambda: (
        with_frames(roomy(street_frames(), except_for=["f0003"])),
        macjax.FeederCapacity(),
        {},
    ),
}


SLOW = {"float32": pytest.mark.slow}  # programs of its own are compiled


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=SLOW.get(case, ())) for case in CASES]
)
def test_resume_from_every_step(case, tmp_path, keep_all, monkeypatch):
    """ADMM, Newton and each ease of the search for hard limits."""
    hopeless = Ease(0.5, -1.0, 0.05)  # its search ends, but is never accepted
    module = sys.modules["macjax.driver.work"]  # the package names its function
    monkeypatch.setattr(module, "EASES", (hopeless, *EASES))
    scenario, objective, settings = CASES[case]()
    settings = {"gap": GAP} | settings
    whole = macjax.solve(scenario, objective, **settings)
    folder = tmp_path / "run"
    told = macjax.solve(
        scenario, objective, checkpoint=folder, checkpoint_every=0, **settings
    )
    assert_same_end(whole, told)
    files = checkpoint_files(folder)
    assert len(files) >= len(whole.history) - 1
    if case != "no schedule":
        assert set(whole.history["phase"]) == {"start", "admm", "newton"}
    for n, path in enumerate(files):
        place = copy_of(folder, [path], tmp_path / str(n))
        found = macjax.resume(place, checkpoint_every=1e6)
        assert_same_end(whole, found)
        assert found.settings["resumed"] == 1
        assert found.settings["dtype"] == whole.settings["dtype"]
        assert found.settings["warm_start"] == whole.settings["warm_start"]
        assert found.objective_spec == whole.objective_spec


def test_resume_after_every_limit_on_iterations(hard_street, whole, tmp_path):
    """The limit cuts steps short; with a higher one they are taken whole."""
    for most in range(1, whole.iterations, 9):
        folder = tmp_path / str(most)
        part = macjax.solve(
            hard_street, gap=GAP, max_iterations=most, checkpoint=folder
        )
        assert part.status == "iteration_limit" and part.iterations <= most
        assert_same_end(part, macjax.resume(folder))
        assert_same_end(whole, macjax.resume(folder, max_iterations=20_000))


def test_resume_after_a_signal_at_every_look(hard_street, whole, tmp_path):
    """Interrupted again and again: every part goes one step further."""
    folder, looks = tmp_path / "run", []

    def stop(record):
        looks.append(record["iteration"])
        if len(looks) == 1:  # one more step is taken, then it is obeyed
            os.kill(os.getpid(), signal.SIGINT)

    part = macjax.solve(hard_street, gap=GAP, checkpoint=folder, progress=stop)
    parts = 1
    while part.status != "solved":
        assert part.status == "interrupted" and "macjax.resume" in part.message
        before, parts = part, parts + 1
        looks.clear()
        part = macjax.resume(folder, progress=stop)
        assert part.seconds["total"] > before.seconds["total"]
    assert parts == len(whole.history) - 1
    assert part.settings["resumed"] == parts - 1
    assert_same_end(whole, part)
    assert part.history["seconds"].is_monotonic_increasing


def test_resume_after_time_limits(hard_street, whole, tmp_path):
    """Each part has the time limit for itself; infinity lifts it."""
    folder = tmp_path / "run"
    part = macjax.solve(hard_street, gap=GAP, checkpoint=folder, time_limit=0)
    assert part.status == "time_limit" and part.iterations == 0
    again = macjax.resume(folder)
    assert again.status == "time_limit" and again.iterations == 0
    assert_same_end(whole, macjax.resume(folder, time_limit=float("inf")))
    assert_same_end(whole, macjax.resume(folder))  # the limit stays lifted


def test_resume_to_another_gap(hard_street, tmp_path):
    """A solved run goes on from its end to a smaller gap."""
    folder = tmp_path / "run"
    rough = macjax.solve(hard_street, checkpoint=folder)
    assert rough.status == "solved"
    fine = macjax.resume(folder, gap=1e-7)
    assert fine.status == "solved" and fine.gap <= 1e-7 < rough.gap
    assert fine.iterations > rough.iterations
    assert fine.history["iteration"].tolist() == sorted(fine.history["iteration"])
    assert_same_end(fine, macjax.resume(folder))


KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[2:]
import macjax
from driver_cases import street
from macjax.driver import checkpoint_file

replace, calls = os.replace, []

def killed(part, path):
    calls.append(path)
    if len(calls) == 4:  # written, but without its name yet
        os.kill(os.getpid(), signal.SIGKILL)
    replace(part, path)

checkpoint_file.os.replace = killed
macjax.solve(street(), gap=1e-5, checkpoint=sys.argv[1], checkpoint_every=0)
"""


def test_resume_after_kill(whole, tmp_path):
    """Killed while it writes a checkpoint: the one before is whole."""
    folder, here = tmp_path / "run", Path(__file__).parent
    paths = [str(here), str(here.parent)]
    package = str(Path(macjax.__file__).parent.parent)
    child = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), *paths],
        env=os.environ | {"PYTHONPATH": package},
        timeout=120,
    )
    assert child.returncode == -signal.SIGKILL
    assert [p.name[-9:-7] for p in checkpoint_files(folder)]
    assert len(list(folder.glob(".checkpoint-*.part"))) == 1
    with locked(folder):  # the lock went with the process
        pass
    found = macjax.resume(folder)
    assert_same_end(whole, found)
    assert found.settings["resumed"] == 1
    assert not list(folder.glob(".checkpoint-*.part"))
    assert found.settings["checkpoint_every"] == 0


DEVICES = """
import sys, warnings
import jax, numpy as np, macjax
from macjax.synthetic import fleet

folder, scenario = sys.argv[1], fleet(600, 24, 60, 9, kind="hard", seed=0)
whole = macjax.solve(scenario, gap=1e-5)
assert whole.settings["devices"] == 2
settings = {"checkpoint": folder, "checkpoint_every": 0}
macjax.solve(scenario, gap=1e-5, max_iterations=70, **settings)
found = macjax.resume(folder, max_iterations=20_000)
assert found.iterations == whole.iterations and found.status == "solved"
assert found.objective == whole.objective and found.lower_bound == whole.lower_bound
for x, y in zip(found.plan, whole.plan):
    np.testing.assert_array_equal(x, y)
macjax.solve(scenario, gap=1e-5, max_iterations=70, checkpoint=folder + "2")
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    one = macjax.resume(folder + "2", max_iterations=20_000, devices=jax.devices()[:1])
assert "2 devices" in str(told[0].message) and one.settings["devices"] == 1
assert one.status == "solved"
assert abs(one.objective - whole.objective) <= 2e-5 * abs(whole.objective)
"""


@pytest.mark.slow
def test_resume_on_several_devices(tmp_path):
    """On as many to the last bit; on another number of them, to the gap."""
    package = str(Path(macjax.__file__).parent.parent)
    subprocess.run(
        [sys.executable, "-c", DEVICES, str(tmp_path / "run")],
        env=os.environ | {"PYTHONPATH": package, "JAX_NUM_CPU_DEVICES": "2"},
        timeout=250,
        check=True,
    )
