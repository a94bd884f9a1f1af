"""`sweep`: methods on all combinations of what varies, as one frame."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from macjax._errors import SettingsError
from macjax._methods import COMPARED, Request, check_methods
from macjax._version import __version__
from macjax.baselines.tariffs import DEFAULT_TARIFF
from macjax.config import Job, check_solve_settings
from macjax.driver.settings import check_settings
from macjax.objectives import PeakOverload
from macjax.objectives.specs import Objective
from macjax.results import Solution
from macjax.results.folders import resolved
from macjax.results.manifest import digest
from macjax.studies.cases import Axis, Case, cut, make_axes, make_cases, running_order
from macjax.studies.frame import COLUMNS, frame_of
from macjax.studies.progress import Progress
from macjax.studies.running import AGAIN, SETTINGS, Runner, Study
from macjax.studies.sources import read_source
from macjax.studies.store import KEEP, opened, read_case, write_frame
from macjax.studies.workers import run_beside

# Settings of `macjax.solve` that a sweep has no use for, and why.
NOT_HERE = {
    "checkpoint": "a sweep writes each result to `out` and goes on from there",
    "checkpoint_every": "a sweep writes each result to `out` and goes on from there",
}
# Settings of which the results do not depend by more than the gap.
NOT_COMPARED = ("devices", "device_memory")


def sweep(
    study,
    over: Mapping[str, Sequence] | None = None,
    methods: Sequence[str] | None = None,
    out: str | os.PathLike | None = None,
    objective=None,
    tariff: str | None = None,
    keep: str = "tables",
    workers: int = 1,
    progress=None,
    **settings,
) -> pd.DataFrame:
    """Run methods on every combination of values, and compare; see the package.

    Arguments:
        study: a `Scenario`; or the path of a configuration or of a scenario's folder;
            or a `regions.RegionConfig`, or the keys of its table as a mapping.
        over: lists of values by key; None takes `[sweep]` of the configuration.
        methods: of unmanaged, time_of_use, first_come, per_session and mac; None takes
            those of the configuration, or unmanaged, per_session and mac.
        out: folder to write and to go on from; None keeps the frame alone, in memory.
        objective: as in `macjax.solve`; None takes that of the configuration.
        tariff: for time_of_use: the name or the path of one.
        keep: what is written of each result: "tables" (loads, upgrades, prices,
            numbers), or "all", the whole solution with schedule and scenario.
        workers: processes side by side. One solve uses a whole GPU, or all cores after
            `macjax.use_all_cores()`, and 1 is best then. A program that gives more must
            call `sweep` below `if __name__ == "__main__":`.
        progress: True prints a line a case to stderr, False does not, None does on a
            terminal; a callable is called with a dict after each case.
        settings: of `macjax.solve`, for each solve, before the configuration's.

    Returns:
        One row for each case and method: what varies, the columns of `macjax.compare`
        and those that docs/sweeps.md lists.
        `attrs["interrupted"]` says whether rows are missing.

    Raises:
        SettingsError: a key, a value or a setting is wrong (in every case, where it
            shows in the solves alone), or `out` holds another sweep.
        ProcessError: a worker failed.
    """
    source, job = read_source(study, settings.get("vehicle_to_grid"))
    axes = make_axes(source, job.sweep.get("over") if over is None else over, COLUMNS)
    names = methods or job.sweep.get("methods") or COMPARED
    if isinstance(names, str):
        raise SettingsError(f"methods must be a list of names, not {names!r}")
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise SettingsError(f"workers must be a whole number >= 1, not {workers!r}")
    if keep not in KEEP or (keep == "all" and out is None):
        raise SettingsError(f"keep must be 'tables', or 'all' with out, not {keep!r}")
    request = make_request(job, objective, tariff, settings, workers)
    plan = Study(
        source=source,
        methods=check_methods(names),
        request=request,
        keep=keep,
        out=None if out is None else resolved(out),
    )
    return _Sweep(plan, axes, workers).run(progress)


class _Sweep:
    """The cases of a study, and what is known of them."""

    def __init__(self, study: Study, axes: Sequence[Axis], workers: int):
        self.study, self.axes, self.workers = study, axes, workers
        self.cases = make_cases(axes)
        self.rows: dict[tuple[int, str], dict] = {}
        self.damaged: list[str] = []
        self.tell = Progress(False, 0, 0)

    def run(self, progress) -> pd.DataFrame:
        """Read what is finished, run the rest, and give the frame."""
        Progress(progress, 1, 1)  # a wrong one is refused before the work
        study, interrupted = self.study, False
        with opened(study.out, self._what(), study.source.text()):
            self._read()
            todo = [
                self.cases[k]
                for k in running_order(self.axes)
                if self._missing(self.cases[k])
            ]
            self.tell = Progress(progress, len(self.cases), len(todo))
            for text in self.damaged:
                self.tell.note(f"{text}: run again")
            try:
                self._run(todo)
                self._check()
            except KeyboardInterrupt:
                interrupted = True
                self.tell.note("interrupted; the same call goes on from here")
            finally:
                frame = self._write()
        frame.attrs["interrupted"] = interrupted
        return frame

    def _run(self, todo: list[Case]) -> None:
        """Run the cases that are not finished."""
        pieces = cut(todo, self.workers)
        missing = {case.number: self._missing(case) for case in todo}
        if self.workers > 1 and len(pieces) > 1:
            run_beside(self.study, pieces, missing, self.workers, self._take)
            return
        runner = Runner(self.study, self._take)
        for case in todo:
            runner.run(case, missing[case.number])

    def _check(self) -> None:
        """Raise a SettingsError that every result has: it is no matter of the cases."""
        rows = list(self.rows.values())
        errors = {row["error"] for row in rows if row.get(AGAIN) == SETTINGS}
        if len(errors) == 1 and all(row.get(AGAIN) == SETTINGS for row in rows):
            raise SettingsError(errors.pop())

    def _take(self, case: Case, method: str, row: dict) -> None:
        """A result that is there; the frame is written when its case is complete."""
        self.rows[case.number, method] = row
        if not self._missing(case):
            rows = {m: self.rows[case.number, m] for m in self.study.methods}
            self.tell(case, rows)
            self._write()

    def _missing(self, case: Case) -> tuple[str, ...]:
        """Methods of a case that have no result yet."""
        return tuple(m for m in self.study.methods if (case.number, m) not in self.rows)

    def _read(self) -> None:
        """Take over the results that an earlier run left."""
        if self.study.out is None:
            return
        for case in self.cases:
            for method in self.study.methods:
                try:
                    row = read_case(self.study.out, case, method)
                except SettingsError as error:
                    self.damaged.append(str(error))
                    continue
                if row is not None:
                    self.rows[case.number, method] = row

    def _write(self) -> pd.DataFrame:
        frame = frame_of(self.cases, self.study.methods, self.rows)
        if self.study.out is not None:
            write_frame(frame, self.study.out)
        return frame

    def _what(self) -> dict:
        """All that decides the results."""
        study, request = self.study, self.study.request
        settings = {k: v for k, v in request.settings.items() if k not in NOT_COMPARED}
        if "warm_start" in settings:
            settings["warm_start"] = settings["warm_start"].scenario.fingerprint
        objective: Any = request.objective or PeakOverload()
        tariff = DEFAULT_TARIFF if request.tariff is None else request.tariff
        what = {
            "macjax": __version__,
            "source": study.source.record(),
            "over": {axis.name: list(axis.values) for axis in self.axes},
            "methods": list(study.methods),
            "objective": objective.to_dict(),
            "settings": settings,
            "keep": study.keep,
        }
        if "time_of_use" in study.methods:
            is_file = Path(tariff).is_file()
            what["tariff"] = digest(Path(tariff)) if is_file else tariff
        return what


def make_request(job: Job, objective, tariff, settings: dict, workers: int) -> Request:
    """What the methods are asked for, checked before anything is built."""
    for name, reason in NOT_HERE.items():
        if name in settings:
            raise SettingsError(f"{name}: not for a sweep: {reason}")
    if tariff is not None and not isinstance(tariff, str | os.PathLike):
        raise SettingsError(f"tariff must be a name or a path, not {tariff!r}")
    own = check_solve_settings(job.solve, str(job.source))
    settings = {**own, **{k: v for k, v in settings.items() if v is not None}}
    start = settings.get("warm_start")
    if isinstance(start, str | os.PathLike):
        settings["warm_start"] = Solution.read(start)
    elif start is not None and not isinstance(start, Solution):
        raise SettingsError(f"warm_start must be a Solution or a path, not {start!r}")
    if workers == 1:
        check_settings(**settings)
    else:
        # Nothing starts a device here, of which workers would then lack the memory.
        if "devices" in settings:
            raise SettingsError("devices: not with several workers, which share them")
        check_solve_settings(
            {k: v for k, v in settings.items() if k != "warm_start"}, "sweep"
        )
    objective = job.build_objective() if objective is None else objective
    if objective is not None and not isinstance(objective, Objective):
        raise SettingsError(
            "objective must be one of macjax.objectives, such as PeakOverload(), not "
            f"{objective!r}"
        )
    tariff = None if tariff is None else os.fspath(tariff)
    return Request(objective, settings, tariff, False)
