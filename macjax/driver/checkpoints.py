"""A folder of checkpoints: the tables once, and the last two checkpoints of the run.

    scenario/, objective.json        written before the computation
    checkpoint-000041.macjax         see `checkpoint_file`
    checkpoint-000042.macjax

A checkpoint that cannot be written is told by a warning; the run goes on.
"""

import hashlib
import json
import re
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from macjax._errors import (
    CheckpointError,
    CheckpointWarning,
    MacjaxError,
    SettingsError,
)
from macjax._status import Status
from macjax.driver.checkpoint_file import DamagedError, read_file, write_file
from macjax.driver.clock import Clock
from macjax.objectives import objective_from_dict
from macjax.objectives.compile import FeederTermsData
from macjax.results.folders import flush_tree, probe, resolved
from macjax.results.manifest import plain
from macjax.scenario import Scenario

KEPT = 2
PAUSE = 9.0  # a checkpoint waits for this many times what the last one took to write
NAME = re.compile(r"checkpoint-(\d{6,18})\.macjax")
SCENARIO, OBJECTIVE = "scenario", "objective.json"


def new_folder(given) -> Path:
    """The folder of a new run, made if it is not there.

    Raises SettingsError if it cannot be written, holds checkpoints already or something
    that is not of macjax.
    """
    folder = resolved(given)
    probe(folder)
    if folder.exists() and checkpoint_files(folder):
        raise SettingsError(
            f"'{folder}' holds checkpoints of a run; go on with macjax.resume, or name "
            "another folder"
        )
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    own = {SCENARIO, OBJECTIVE}
    foreign = [n for n in found if n not in own and not n.startswith(".")]
    if foreign:
        raise SettingsError(
            f"'{folder}' is not empty and not a folder of checkpoints ({foreign[0]}); "
            "name another"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_problem(folder: Path, scenario: Scenario, objective) -> None:
    """Write scenario and objective of a run; SettingsError if there is no room."""
    try:
        scenario.write(folder / SCENARIO)
        text = json.dumps(objective.to_dict(), default=plain)
        (folder / OBJECTIVE).write_text(text, encoding="utf-8")
        flush_tree(folder)
    except OSError as error:
        raise SettingsError(
            f"cannot write '{folder}': {error.strerror or error}; choose a folder that "
            "can be written"
        ) from error


def check_space(folder: Path, size: int) -> None:
    """Raise a SettingsError unless the checkpoints will find room on the disk.

    Arguments:
        size: bytes of one checkpoint; a new one is whole before an old one goes.
    """
    needed = (KEPT + 1) * size
    there = sum(path.lstat().st_size for path in checkpoint_files(folder))
    free = shutil.disk_usage(folder).free + there
    if free < needed:
        raise SettingsError(
            f"'{folder}' has {free / 2**20:,.0f} MiB free, checkpoints of this run "
            f"need {needed / 2**20:,.0f} MiB; choose a folder on another disk"
        )


def read_problem(folder: Path, vehicle_to_grid: bool | None):
    """Scenario and objective of a run, as `write_problem` wrote them."""
    path = folder / OBJECTIVE
    try:
        scenario = Scenario.read(folder / SCENARIO, vehicle_to_grid=vehicle_to_grid)
        return scenario, objective_from_dict(json.loads(path.read_text("utf-8")))
    except (MacjaxError, OSError, ValueError) as error:
        raise CheckpointError(f"'{folder}' does not hold: {error}") from error


def checkpoint_files(folder: Path) -> list[Path]:
    """The checkpoints of a folder, the newest last."""
    found = [path for path in folder.iterdir() if NAME.fullmatch(path.name)]
    return sorted(found, key=number_of)


def number_of(path: Path) -> int:
    """The number in the name of a checkpoint."""
    match = NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


def newest(folder: Path) -> tuple[Path, dict, dict[str, np.ndarray]]:
    """The newest checkpoint that holds, its record and its arrays.

    A damaged one is told by a CheckpointWarning and the one before is taken.
    """
    reasons = []
    for path in reversed(checkpoint_files(folder)):
        try:
            found = (path, *read_file(path))
        except DamagedError as error:
            reasons.append(str(error))
            continue
        for reason in reasons:
            warn(f"{reason}; going on from '{path.name}'")
        return found
    raise CheckpointError("; ".join(reasons))


def terms_digest(data: FeederTermsData) -> str:
    """SHA-256 of a compiled objective, in hex."""
    digest = hashlib.sha256()
    for name, value in data._asdict().items():
        array = np.ascontiguousarray(value)
        digest.update(f"\x1e{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def warn(text: str) -> None:
    """A CheckpointWarning."""
    warnings.warn(CheckpointWarning(text), stacklevel=3)


class Checkpoints:
    """When checkpoints are written, and which ones stay.

    A run is written where it stands between two steps. The limit on iterations may cut
    a step short; a run is written before it is, and no more after that, so that what
    is resumed with a higher limit takes the steps that it would have taken.

    Arguments:
        folder: of the checkpoints.
        every: seconds between two of them; 0 is at every step. They wait longer where
            writing takes more than a tenth of the time.
        snapshot: gives record and arrays of a run.
        clock: of the run; the time for writing is lapped as `checkpoint`.
        read: the checkpoint that the run goes on from, or None.
    """

    def __init__(
        self,
        folder: Path,
        every: float,
        snapshot: Callable[..., tuple[Mapping, Mapping]],
        clock: Clock,
        read: Path | None = None,
    ):
        self.folder, self.every, self.snapshot = folder, every, snapshot
        self.clock = clock
        self.kept = [] if read is None else [read]
        self.number = max(map(number_of, checkpoint_files(folder)), default=0)
        for part in folder.glob(".checkpoint-*.part"):  # of a run that was killed
            part.unlink(missing_ok=True)
        self.due = self.clock() + every
        self.frozen = False
        self.run, self.saved = None, None

    def before(self, run, most_iterations: int) -> None:
        """A step begins; `most_iterations` are left for it."""
        if not self.frozen and run.is_cut(most_iterations):
            self._save(run)
            self.frozen = True
        self.leave()

    def after(self, run) -> None:
        """A step is done."""
        self.run = run
        if not self.frozen and self.clock() >= self.due:
            self._save(run)

    def leave(self) -> None:
        """The run does not stand between two steps any more."""
        self.run = None

    def end(self, status: Status) -> None:
        """The run ends here; if it was cut off in a step, nothing is written."""
        if self.run is not None and not self.frozen and status != Status.nonfinite:
            self._save(self.run)

    def _save(self, run) -> None:
        """Write a checkpoint unless the run stands where the last one was written."""
        place = len(run.history), run.iteration, id(run)
        if run.nonfinite or place == self.saved:
            return
        self.clock.lap("solve")
        begin = self.clock()
        path = self.folder / f"checkpoint-{self.number + 1:06d}.macjax"
        try:
            write_file(path, *self.snapshot(run))
        except (OSError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            warn(f"no checkpoint: cannot write '{path}': {reason}; the run goes on")
        else:
            self.number, self.saved = self.number + 1, place
            self.kept = [*self.kept, path][-KEPT:]
            self._remove_old()
        self.clock.lap("checkpoint")
        now = self.clock()
        pause = PAUSE * (now - begin) if self.every else 0.0
        self.due = now + max(self.every, pause)

    def _remove_old(self) -> None:
        """Remove all checkpoints but the last ones that hold."""
        for path in checkpoint_files(self.folder):
            if path not in self.kept:
                try:
                    path.unlink()
                except OSError as error:
                    warn(f"cannot remove '{path}': {error.strerror}")
