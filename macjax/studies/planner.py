"""`study`: one scenario from its configuration to report and figures, in one go.

    macjax.study("configs/bay_area_sample.toml", out="out/bay_area")

The folder:

    report.md                        what came of it, and what it rests on
    study.json, result.json          what was asked for; all numbers of the report
    region.toml                      the region's whole configuration, of a region
    solutions/METHOD/                schedules, loads, prices: `macjax.Solution.read`
    tables/*.parquet, *.csv          methods, intervals, feeders, quantiles, places
    figures/*.png

Each solution is on disk as soon as it is there; the same call goes on after an
interruption with those that are missing.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from macjax import planning
from macjax._errors import MacjaxError, SettingsError, SolutionError
from macjax._methods import (
    Request,
    check_methods,
    check_tariff,
    run_method,
)
from macjax._status import Status
from macjax._version import __version__
from macjax.baselines.tariffs import DEFAULT_TARIFF
from macjax.config import Job
from macjax.objectives import PeakOverload
from macjax.regions.left_out import LeftOut
from macjax.regions.provenance import provenance
from macjax.results import Solution, compare
from macjax.results.folders import resolved
from macjax.results.manifest import digest
from macjax.studies.planner_figures import draw
from macjax.studies.planner_report import report_text, write_result
from macjax.studies.running import check_vehicles
from macjax.studies.sources import RegionSource, Source, read_source
from macjax.studies.store import opened
from macjax.studies.sweep import NOT_COMPARED, make_request

STUDIED = ("unmanaged", "time_of_use", "per_session", "mac")
STUDY, SOLUTIONS, TABLES, FIGURES = "study.json", "solutions", "tables", "figures"
REPORT, RESULT, REGION = "report.md", "result.json", "region.toml"
# What is bought where an upgrade comes in standard sizes.
PURCHASE = {
    "transformers": "three_phase",
    "replace": None,
    "power_factor": planning.POWER_FACTOR,
}


class StudyResult(NamedTuple):
    """What a study found.

    Arguments:
        solutions: by method.
        tables: frames by name: methods, intervals, feeders, quantiles; places and
            hours where stays say their kind of place and unmanaged charging is among
            the methods; provenance of a region.
        report: the text of report.md.
        figures: paths of the figures; empty without matplotlib.
        seconds: time by step; of solutions that were there already, what they took.
        out: the folder.
    """

    solutions: dict[str, Solution]
    tables: dict[str, pd.DataFrame]
    report: str
    figures: list[Path]
    seconds: dict[str, float]
    out: Path


def study(
    scenario,
    out: str | os.PathLike,
    methods: Sequence[str] | None = None,
    objective=None,
    tariff: str | None = None,
    transformers: str | None = None,
    replace: str | None = None,
    power_factor: float | None = None,
    progress=None,
    **settings,
) -> StudyResult:
    """Run the methods on a scenario and write tables, figures and a report.

    Arguments:
        scenario: as in `sweep`: a `Scenario`, or the path of a configuration or of a
            scenario's folder, or a `regions.RegionConfig` or its keys.
        out: folder to write, and to go on from.
        methods: of unmanaged, time_of_use, first_come, per_session and mac; None takes
            those of the configuration's [study], or all but first_come.
        objective: as in `macjax.solve`; None takes that of the configuration.
        tariff: for time_of_use: the name or the path of one.
        transformers: what upgrades are bought in, a kind of `planning.unit_costs`; None
            takes the configuration's, or `three_phase` (of the next two likewise).
        replace: column with the ratings [kVA] that are replaced; None adds units.
        power_factor: active over apparent power of what is added; None is 0.95.
        progress: True tells on stderr, False does not, None does on a terminal.
        settings: of `macjax.solve`, before the configuration's.

    Raises:
        SettingsError: something given is wrong, or `out` holds something else.
        DataError, InfeasibleVehicles: as `macjax.solve`.
        KeyboardInterrupt: a run was interrupted; finished solutions are on disk.
    """
    if not (progress is None or isinstance(progress, bool)):
        raise SettingsError(f"progress must be True, False or None, not {progress!r}")
    source, job = read_source(scenario, settings.get("vehicle_to_grid"))
    names = methods or job.study.get("methods") or STUDIED
    if isinstance(names, str):
        raise SettingsError(f"methods must be a list of names, not {names!r}")
    names = check_methods(names)
    tariff = job.study.get("tariff") if tariff is None else tariff
    request = make_request(job, objective, tariff, settings, workers=1)
    prints = sys.stderr.isatty() if progress is None else progress
    given = {
        "transformers": transformers,
        "replace": replace,
        "power_factor": power_factor,
    }
    run = _Run(
        source=source,
        names=names,
        request=request._replace(progress=prints),
        purchase=_purchase(job, given),
        out=resolved(out),
        tell=_tell if prints else lambda text: None,
    )
    with opened(run.out, run.what(), source.text(), STUDY):
        return run()


class _Run:
    """A study at work."""

    def __init__(
        self,
        source: Source,
        names: tuple[str, ...],
        request: Request,
        purchase: dict[str, Any],
        out: Path,
        tell: Callable[[str], None],
    ):
        self.source, self.names, self.request = source, names, request
        self.purchase, self.out, self.tell = purchase, out, tell
        self.region = source.config if isinstance(source, RegionSource) else None
        self.seconds: dict[str, float] = {}
        self.left: LeftOut | None = None

    def __call__(self) -> StudyResult:
        """All steps."""
        with self._step("build", "building the scenario"):
            scenario, self.left = self.source.build({})
        check_vehicles(scenario)
        planning.check_ratings(scenario.feeders, self.purchase["replace"])
        self.tell(str(scenario))
        if "time_of_use" in self.names:
            check_tariff(scenario, self.request.tariff)
        solutions = {name: self._solution(name, scenario) for name in self.names}
        usable = [s for s in solutions.values() if s.plan is not None]
        if not usable:
            stopped = "; ".join(f"{k}: {s.message}" for k, s in solutions.items())
            raise SolutionError(f"no method has a schedule: {stopped}")
        with self._step("tables", "writing tables"):
            tables = study_tables(list(solutions.values()), **self.purchase)
            if self.region is not None:
                tables["provenance"] = provenance(self.region)
            self._write(tables)
        with self._step("figures", "drawing figures"):
            try:
                figures = draw(usable, self.out / FIGURES, self.purchase)
            except MacjaxError as error:
                self.tell(f"no figures: {error}")
                figures = []
        return self._report(solutions, tables, figures)

    def what(self) -> dict:
        """All that decides the results."""
        request = self.request
        settings = {k: v for k, v in request.settings.items() if k not in NOT_COMPARED}
        if "warm_start" in settings:
            settings["warm_start"] = settings["warm_start"].scenario.fingerprint
        objective: Any = request.objective or PeakOverload()
        what = {
            "macjax": __version__,
            "source": self.source.record(),
            "methods": list(self.names),
            "objective": objective.to_dict(),
            "settings": settings,
        }
        if "time_of_use" in self.names:
            tariff = request.tariff or DEFAULT_TARIFF
            is_file = Path(tariff).is_file()
            what["tariff"] = digest(Path(tariff)) if is_file else tariff
        return what

    def _solution(self, name: str, scenario) -> Solution:
        """The solution of a method: read where it is finished, else run and written."""
        folder = self.out / SOLUTIONS / name
        if (there := self._finished(folder, scenario)) is not None:
            self.tell(f"{name}: finished before, {there.status}")
            self.seconds[name] = float(there.summary()["seconds"])
            return there
        with self._step(name, f"running {name}"):
            solution = run_method(name, scenario, self.request)
            if solution.status == Status.interrupted:
                raise KeyboardInterrupt
            solution.write(folder)
        cost = solution.summary()["upgrade_cost"]
        self.tell(f"{name}: {solution.status}, {scenario.currency} {cost:,.0f}")
        return solution

    def _finished(self, folder: Path, scenario) -> Solution | None:
        """What an earlier run left, if it is whole and of this scenario."""
        if not folder.exists():
            return None
        try:
            solution = Solution.read(folder)
        except SolutionError as error:
            self.tell(f"{error}: run again")
            return None
        if solution.scenario.fingerprint != scenario.fingerprint:
            return None
        solution.scenario = scenario  # one copy in memory, with all further columns
        return solution

    def _write(self, tables: dict[str, pd.DataFrame]) -> None:
        """The tables as Parquet and CSV."""
        folder = self.out / TABLES
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in tables.items():
            frame.to_parquet(folder / f"{name}.parquet", index=False)
            frame.to_csv(folder / f"{name}.csv", index=False)

    def _report(self, solutions, tables, figures) -> StudyResult:
        """Report, numbers and configuration, and the result."""
        if self.region is not None:
            text = self.region.to_toml()
            (self.out / REGION).write_text(text, encoding="utf-8")
        shown = [path.relative_to(self.out) for path in figures]
        text = report_text(
            solutions, tables, shown, self.seconds, self.purchase, self.left
        )
        (self.out / REPORT).write_text(text, encoding="utf-8")
        write_result(
            self.out / RESULT, solutions, tables, self.seconds, self.what(), self.left
        )
        return StudyResult(solutions, tables, text, figures, self.seconds, self.out)

    @contextlib.contextmanager
    def _step(self, name: str, text: str) -> Iterator[None]:
        """Tell what begins, and note how long it takes."""
        self.tell(f"{text} ...")
        begin = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begin


def study_tables(
    solutions: Sequence[Solution],
    transformers: str | pd.DataFrame = "three_phase",
    replace: str | None = None,
    power_factor: float = planning.POWER_FACTOR,
) -> dict[str, pd.DataFrame]:
    """The frames of a study by name; see `StudyResult`.

    Arguments:
        solutions: of one scenario; those without a plan are in `methods` alone.
        transformers, replace, power_factor: of `planning.discrete_upgrades`.
    """
    usable = [s for s in solutions if s.plan is not None]
    feeders = planning.feeder_table(usable, transformers, power_factor, replace)
    bought = feeders.groupby("method", sort=False)[
        ["units", "discrete_kva", "discrete_cost_usd"]
    ].sum()
    methods = compare(solutions)
    least = [s.summary()["upgrade_cost_at_least"] for s in solutions]
    methods["upgrade_cost_at_least"] = least
    for column in bought:
        methods[column] = methods["method"].map(bought[column])
    tables = {
        "methods": methods,
        "intervals": planning.certified_intervals(usable),
        "feeders": feeders,
        "quantiles": planning.feeder_quantiles(usable),
    }
    given = {s.method for s in usable}
    if (
        planning.says_place(usable[0].scenario)
        and "unmanaged" in given
        and len(given) > 1
    ):
        tables["places"] = planning.flexibility_by_place(usable)
        tables["hours"] = planning.charging_by_hour(usable)
    return tables


def _purchase(job: Job, given: dict[str, Any]) -> dict[str, Any]:
    """What upgrades are bought in: as given, by the configuration, or by default."""
    own = {k: job.study[k] for k in PURCHASE if k in job.study}
    chosen = PURCHASE | own | {k: v for k, v in given.items() if v is not None}
    planning.check_purchase(chosen["transformers"], chosen["power_factor"])
    return chosen


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
