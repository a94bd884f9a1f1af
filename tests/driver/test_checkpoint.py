"""Checkpoint files and folders: what is damaged, foreign or in use is refused."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from checkpoint_cases import GAP, assert_same_end
from driver_cases import street

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

NEVER = 1e-12


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
