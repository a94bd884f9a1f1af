"""Checkpoints: whatever stops a run, `resume` ends where the run would have ended."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from driver_cases import roomy, street, street_frames, with_frames

import macjax
from macjax import CheckpointError, CheckpointWarning, EnergyCost, SettingsError
from macjax.driver import checkpoint_file, checkpoints
from macjax.driver.checkpoint_file import DamagedError, read_file, write_file
from macjax.driver.checkpoints import Checkpoints, checkpoint_files
from macjax.driver.clock import Clock
from macjax.driver.lock import locked
from macjax.driver.run_record import Layout
from macjax.fleet import packing
from macjax.fleet.packing import pack
from macjax.fleet.unpack import plan_of
from macjax.solvers.hard_limits import EASES, Ease

GAP = 1e-5
NEVER = 1e-12


def assert_same_end(one, other) -> None:
    """The same to the last bit: status, plan, prices, numbers, history."""
    assert one.status == other.status and one.iterations == other.iterations
    for name in ("objective", "lower_bound", "gap", "unmanaged_objective"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("price_table", "dual_ray"):
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_array_equal(first, second)
    for x, y in zip(one.plan or (), other.plan or (), strict=True):
        np.testing.assert_array_equal(x, y)
    columns = ["iteration", "phase", "objective", "lower_bound", "gap"]
    assert one.history[columns].equals(other.history[columns])


def copy_of(folder: Path, files, place: Path) -> Path:
    """A folder with the tables and some of the checkpoints of another."""
    place.mkdir()
    shutil.copytree(folder / "scenario", place / "scenario")
    shutil.copy(folder / "objective.json", place)
    for path in files:
        shutil.copy(path, place)
    return place


@pytest.fixture
def keep_all(monkeypatch):
    """Old checkpoints stay."""
    monkeypatch.setattr(checkpoints, "KEPT", 10**6)


@pytest.fixture(scope="module")
def whole(hard_street):
    """The run that nothing stops."""
    return macjax.solve(hard_street, gap=GAP)


@pytest.fixture(scope="module")
def left(hard_street, tmp_path_factory):
    """A folder as a run leaves it that ended by its limit in the Newton phase."""
    folder = tmp_path_factory.mktemp("left") / "run"
    solution = macjax.solve(
        hard_street, gap=GAP, max_iterations=75, checkpoint=folder, checkpoint_every=0
    )
    assert solution.status == "iteration_limit"
    assert f"go on with macjax.resume({str(folder)!r})" in solution.message
    return folder


@pytest.fixture
def folder(left, tmp_path):
    """A copy of it."""
    return copy_of(left, checkpoint_files(left), tmp_path / "run")


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


def test_the_last_two_are_kept(left):
    """Numbers go up, older ones are gone, and nothing half-written is there."""
    first, second = checkpoint_files(left)
    assert checkpoints.number_of(second) == checkpoints.number_of(first) + 1 > 3
    names = {path.name for path in left.iterdir()}
    assert names == {first.name, second.name, "scenario", "objective.json", ".lock"}


def test_every_flipped_byte_and_every_cut_is_noticed(left, tmp_path):
    """The digest covers all of the file."""
    data = checkpoint_files(left)[-1].read_bytes()
    path = tmp_path / "checkpoint-000001.macjax"
    for at in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        with pytest.raises(CheckpointError, match="damaged|version"):
            read_file(path)
    for end in [*range(0, len(data), 997), len(data) - 1]:
        path.write_bytes(data[:end])
        with pytest.raises(DamagedError):
            read_file(path)
    path.write_bytes(data + b"\n")
    with pytest.raises(DamagedError):
        read_file(path)


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_damaged_newest_one_falls_back(folder, whole):
    """To the one before, with a warning; it does not count as one of the two."""
    first, second = checkpoint_files(folder)
    damage(second)
    with pytest.warns(CheckpointWarning, match=f"{second.name}.*{first.name}"):
        found = macjax.resume(folder, max_iterations=20_000, checkpoint_every=1e6)
    assert_same_end(whole, found)
    kept = checkpoint_files(folder)
    assert kept[0] == first and kept[1].name > second.name
    damage(kept[0])
    damage(kept[1])
    with pytest.raises(CheckpointError, match="damaged.*damaged"):
        macjax.resume(folder)


def test_a_link_to_nothing_counts_as_damaged(folder, whole):
    first, second = checkpoint_files(folder)
    second.unlink()
    second.symlink_to(folder / "nothing")
    with pytest.warns(CheckpointWarning, match=f"{second.name}.*{first.name}"):
        found = macjax.resume(folder, max_iterations=20_000, checkpoint_every=1e6)
    assert_same_end(whole, found)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def test_a_pickle_is_refused(folder, tmp_path, monkeypatch):
    """An array of objects under a right digest is not even looked at."""
    monkeypatch.chdir(tmp_path)
    original = np.lib.format.read_array

    def write(out, array):
        np.lib.format.write_array(out, array, allow_pickle=True)

    path = checkpoint_files(folder)[-1]
    record, _ = read_file(path)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_file, "_write_array", write)
        write_file(path, record, {"evil": lambda: np.array([Evil()])})
    with open(path, "rb") as file:  # it would have worked
        file.seek(len(checkpoint_file.HEAD))
        original(file)
        original(file, allow_pickle=True)
    os.rmdir("evil")
    with pytest.raises(DamagedError, match="pickle"):
        read_file(path)
    assert not Path("evil").exists()


def rewritten(folder: Path, **changes) -> None:
    """Both checkpoints with other values in their records, under right digests."""
    for path in checkpoint_files(folder):
        record, arrays = read_file(path)
        makers = {name: (lambda a=array: a) for name, array in arrays.items()}
        write_file(path, record | changes, makers)


REFUSED = {
    "macjax": ("0.0.9", "macjax 0.0.9, this is"),
    "scenario": ("0" * 64, "another scenario"),
    "terms": ("0" * 64, "another objective"),
    "device": ("Abacus", "'Abacus', this is"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(folder, name):
    """Another version, scenario, objective or kind of device."""
    value, words = REFUSED[name]
    rewritten(folder, **{name: value})
    with pytest.raises(CheckpointError, match=words):
        macjax.resume(folder)


def test_rewriting_alone_harms_nothing(folder, whole):
    """Other versions of the packages are told."""
    record, _ = read_file(checkpoint_files(folder)[0])
    rewritten(folder, versions=record["versions"] | {"jax": "0.1"})
    with pytest.warns(CheckpointWarning, match="jax 0.1 -> "):
        assert_same_end(whole, macjax.resume(folder, max_iterations=20_000))


def test_another_format_is_refused(folder, monkeypatch):
    """The message names both versions; there is no falling back."""
    path = checkpoint_files(folder)[-1]
    data = path.read_bytes()
    path.write_bytes(data.replace(b"checkpoint 1\n", b"checkpoint 2\n", 1))
    with pytest.raises(CheckpointError, match="version 2; this macjax reads 1"):
        macjax.resume(folder)


def test_tables_of_another_run_are_refused(folder, tmp_path):
    """Scenario or objective were exchanged, or are gone."""
    street(5).write(tmp_path / "other")
    shutil.move(folder / "scenario", tmp_path / "own")
    with pytest.raises(CheckpointError, match="does not hold.*scenario"):
        macjax.resume(folder)
    shutil.copytree(tmp_path / "other", folder / "scenario")
    with pytest.raises(CheckpointError, match="another scenario"):
        macjax.resume(folder)
    shutil.rmtree(folder / "scenario")
    shutil.move(tmp_path / "own", folder / "scenario")
    (folder / "objective.json").write_text(json.dumps(EnergyCost(0.1).to_dict()))
    with pytest.raises(CheckpointError, match="another objective"):
        macjax.resume(folder)


def test_nothing_to_resume(tmp_path):
    """No folder, an empty one, wrong settings."""
    with pytest.raises(CheckpointError, match="not a folder"):
        macjax.resume(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="no checkpoint.*start the run again"):
        macjax.resume(tmp_path)
    assert not list(tmp_path.iterdir())


def test_wrong_settings(hard_street, folder, tmp_path):
    """They are refused before anything is read or written."""
    for name, value in (("gap", 0), ("max_iterations", 1.5), ("checkpoint_every", -1)):
        with pytest.raises(SettingsError, match=name):
            macjax.resume(folder, **{name: value})
    for value in ("", 3, b""):
        with pytest.raises(SettingsError, match="checkpoint"):
            macjax.solve(hard_street, checkpoint=value)
    with pytest.raises(SettingsError, match="not for the method 'per_session'"):
        macjax.baselines.per_session(hard_street, checkpoint=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_folders_that_cannot_be_used(hard_street, folder, tmp_path):
    """A run's own folder, a file, somebody's files."""
    with pytest.raises(SettingsError, match="go on with macjax.resume"):
        macjax.solve(hard_street, checkpoint=folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="is a file"):
        macjax.solve(hard_street, checkpoint=tmp_path / "file")
    with pytest.raises(SettingsError, match="not a folder of checkpoints"):
        macjax.solve(hard_street, checkpoint=tmp_path)


def test_a_folder_has_one_run_at_a_time(folder):
    """Another one is refused while the first is at work."""
    with locked(folder), pytest.raises(CheckpointError, match="another run"):
        macjax.resume(folder)


def test_a_small_disk_is_told_before_the_computation(
    hard_street, tmp_path, monkeypatch
):
    """Three checkpoints have to find room."""
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(SettingsError, match="MiB free"):
        macjax.solve(hard_street, checkpoint=tmp_path / "run")


def test_a_full_disk_does_not_end_the_run(hard_street, whole, tmp_path, monkeypatch):
    """It is told, the run goes on, and what was written stays whole."""
    write, written = checkpoint_file._Digesting.write, []

    def full(out, data):
        written.append(len(data))
        if sum(written) > 150_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(out, data)

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_file._Digesting, "write", full)
        with pytest.warns(CheckpointWarning, match="No space left.*the run goes on"):
            found = macjax.solve(
                hard_street, gap=GAP, checkpoint=folder, checkpoint_every=0
            )
    assert_same_end(whole, found)
    assert not list(folder.glob(".checkpoint-*"))
    assert checkpoint_files(folder)
    assert_same_end(whole, macjax.resume(folder))


def test_a_failing_callable_leaves_a_checkpoint(hard_street, whole, tmp_path):
    """An exception of the caller's is passed on; the folder can be resumed."""
    folder = tmp_path / "run"

    def wrong(record):
        if record["iteration"] > 20:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        macjax.solve(
            hard_street, gap=GAP, checkpoint=folder, checkpoint_every=0, progress=wrong
        )
    assert_same_end(whole, macjax.resume(folder))


class FakeRun:
    """What `Checkpoints` looks at."""

    nonfinite, iteration = False, 0

    def __init__(self):
        self.history = []

    def is_cut(self, most):
        return most < 20


class FakeClock(Clock):
    now = 0.0

    def __call__(self):
        return self.now


def test_checkpoints_are_written_when_due(tmp_path):
    """After the time given, and after nine times what the last one took to write."""
    clock, run, written = FakeClock(None), FakeRun(), []

    def snapshot(run):
        written.append(clock.now)
        clock.now += 20.0
        return {}, {}

    keeper = Checkpoints(tmp_path, 60.0, snapshot, clock)
    for _ in range(100):
        clock.now += 10.0
        run.history.append(None)
        keeper.before(run, 100)
        keeper.after(run)
    assert written == [60.0, 260.0, 460.0, 660.0, 860.0, 1060.0]
    keeper.before(run, 19)
    keeper.after(run)
    keeper.end(macjax.Status.iteration_limit)
    assert len(written) == 7


def test_time_of_all_parts_is_added():
    """Phases, compilation and total; the limit is of the part alone."""
    earlier = {"laps": {"solve": 5.0, "read": 1.0}, "compile": 2.0, "total": 7.0}
    clock = Clock(3.0, earlier)
    clock.lap("read")
    seconds = clock.seconds()
    assert 7.0 <= seconds["total"] < 8.0 and 1.0 <= seconds["read"] < 2.0
    assert seconds["compile"] == pytest.approx(2.0)
    assert seconds["solve"] == pytest.approx(3.0)
    assert 10.0 <= clock.limit < 11.0 and not clock.is_over
    assert clock.record()["laps"] == clock.laps


def test_records_do_not_depend_on_how_vehicles_lie(hard_street, monkeypatch):
    """Energies go from one layout to another: the same plan."""
    one = pack(hard_street)
    shape = packing.BlockShape(lanes=16, fill=1.0)
    monkeypatch.setattr(packing, "CPU", shape)
    other = pack(hard_street)
    assert one.batch.shape != other.batch.shape
    rng = np.random.default_rng(0)
    limit = np.asarray(one.batch.limit())
    energy = rng.uniform(0.1, 1.0, one.batch.shape) * limit
    values = Layout(one).to_host(energy)
    assert np.count_nonzero(values) == np.count_nonzero(energy)
    moved = np.asarray(Layout(other).to_device(values))
    plans = plan_of(hard_street, one, energy), plan_of(hard_street, other, moved)
    for x, y in zip(*plans, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6)
    shadow = rng.uniform(size=len(Layout(one).at))
    back = Layout(other).to_host(Layout(other).to_device(shadow))
    np.testing.assert_allclose(back, shadow, rtol=1e-6)
