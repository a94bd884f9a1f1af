"""One case after another: build or reuse the scenario, run the methods, keep the rows.

A solve starts from the solution of the case before, where both are about much the same
stays: prices and schedule are then near. Where other vehicles were drawn, a start of
theirs is worse than none.
"""

import dataclasses
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from macjax._errors import (
    DataError,
    Fault,
    InfeasibleVehicles,
    MacjaxError,
    MemoryShortError,
    ProcessError,
    SettingsError,
)
from macjax._methods import OPTIMISED, Request, run_method
from macjax._output import json_value
from macjax._status import Status
from macjax.regions.left_out import LeftOut
from macjax.results.comparison import comparison_row
from macjax.results.solution import GOOD
from macjax.results.tables import ev_load
from macjax.scenario.scenario import Scenario
from macjax.studies.cases import Case
from macjax.studies.factors import scaled
from macjax.studies.sources import Made, Source
from macjax.studies.store import keep_case

# What a row says of a method that has no solution.
ERROR, MEMORY_SHORT = "error", "memory_short"
# Key of a row that is to be run again, and its value for wrong settings.
AGAIN, SETTINGS = "again", "settings"
SHARED = 0.5  # of the stays, for a start from another scenario


@dataclasses.dataclass(frozen=True)
class Study:
    """What is run on every case, and where it is kept.

    Arguments:
        source: makes the scenarios.
        methods: names of the methods, in order.
        request: what the methods are asked for.
        keep: "tables" or "all".
        out: folder of the sweep, or None.
    """

    source: Source
    methods: tuple[str, ...]
    request: Request
    keep: str
    out: Path | None


# Called with a case, a method and the row of its result.
Tell = Callable[[Case, str, dict], None]


class Runner:
    """Runs cases one after another and remembers what the next one can use.

    Arguments:
        study: what is run.
        tell: called with each row when it is known and written.
    """

    def __init__(self, study: Study, tell: Tell):
        self.study, self.tell = study, tell
        self._built: tuple[dict, Made] | None = None
        self._last: dict[str, Any] = {}

    def run(self, case: Case, methods: Sequence[str]) -> None:
        """Run methods on a case; what fails there becomes a row.

        Raises:
            ProcessError: another process of a solve by several failed.
            SettingsError: the folder cannot be written.
            KeyboardInterrupt: a solve was interrupted; it has no row.
        """
        try:
            made = self._made(case.build)
            scenario = scaled(made.scenario, case.factors)
            check_vehicles(scenario)
        except Exception as error:
            row = failed_row(error)
            for method in methods:
                self._keep(case, method, row, None)
            return
        left = left_columns(made.left)
        for method in methods:
            solution, row = self._solve(case, method, scenario)
            self._keep(case, method, row | left, solution)

    def _made(self, build: dict) -> Made:
        """The scenario of a case without factors; kept until another one is built."""
        if self._built is None or self._built[0] != build:
            self._built = None  # its memory is needed
            self._built = build, self.study.source.build(build)
        return self._built[1]

    def _solve(self, case: Case, method: str, scenario: Scenario):
        """The solution of one method, or None, and its row."""
        request = self.study.request
        if method in OPTIMISED:
            settings = request.settings
            if start := self._start(case, method, scenario):
                settings = settings | {"warm_start": start}
            request = request._replace(settings=settings)
        try:
            solution = run_method(method, scenario, request)
            if solution.status == Status.interrupted:
                raise KeyboardInterrupt
            row = row_of(solution)
        except Exception as error:
            return None, failed_row(error)
        if method in OPTIMISED and can_start(solution):
            self._last[method] = case.build, solution
        return solution, row

    def _start(self, case: Case, method: str, scenario: Scenario):
        """The solution of a neighbour to start from, or None."""
        build, last = self._last.get(method, (None, None))
        if last is None:
            return None
        same = build == case.build
        return last if same or share_stays(scenario, last.scenario) else None

    def _keep(self, case: Case, method: str, row: dict, solution) -> None:
        study = self.study
        if study.out is not None and not row.get(AGAIN):
            row = keep_case(study.out, case, method, row, solution, study.keep)
        self.tell(case, method, row)


def can_start(solution) -> bool:
    """Whether a solve can start from a solution: it has a schedule and prices."""
    prices = solution.price_table
    return (
        solution.plan is not None
        and prices is not None
        and bool(np.isfinite(prices).all())
    )


def share_stays(scenario: Scenario, other: Scenario) -> bool:
    """Whether half of the stays are the other scenario's too, in the same slots."""
    if scenario.slot_minutes != other.slot_minutes:
        return False
    keys = ["vehicle_id", "arrival"]
    mine, theirs = scenario.stays[keys], other.stays[keys]
    vehicles = mine["vehicle_id"].isin(theirs["vehicle_id"].unique())
    if not len(mine) or vehicles.mean() < SHARED:
        return False
    shared = pd.MultiIndex.from_frame(mine).isin(pd.MultiIndex.from_frame(theirs))
    return bool(shared.mean() >= SHARED)


def row_of(solution) -> dict:
    """The numbers of a solution in types of JSON; None where there is none.

    Beside those of `macjax.compare`, the sums over the feeders of each one's largest
    load: with the base load, `peak_kw`, and of the vehicles alone, `ev_peak_kw` [kW].
    """
    row = comparison_row(solution)
    if solution.plan is not None:
        load = ev_load(solution.scenario, solution.plan)
        _, base = solution.scenario.capacity_base()
        row["peak_kw"] = float((base + load).max(axis=1).sum())
        row["ev_peak_kw"] = float(load.max(axis=1).sum())
    row["error"] = "" if solution.status in GOOD else solution.message
    return {name: json_value(value) for name, value in row.items()}


def check_vehicles(scenario: Scenario) -> None:
    """Raise a DataError where there is nobody to charge."""
    if not len(scenario.vehicles):
        rule = "there is no vehicle; of a region, raise sample or adoption"
        raise DataError([Fault("vehicles", "vehicle_id", rule)], "empty scenario")


def left_columns(left: LeftOut | None) -> dict:
    """What a row says of cars that its scenario leaves out."""
    if left is None:
        return {}
    share, km_share = 100 * left.share, 100 * left.km_share
    return {"left_out_percent": share, "left_out_km_percent": km_share}


def failed_row(error: Exception) -> dict:
    """The row of a method that raised.

    Another machine may have the memory, and a slip of the program or a wrong setting
    may be mended: such rows are not finished, they have the key `AGAIN`.

    Raises:
        ProcessError: the processes of a solve have lost one another.
    """
    if isinstance(error, ProcessError):
        raise error
    text = str(error) or type(error).__name__
    if isinstance(error, InfeasibleVehicles):
        found = {"status": str(Status.infeasible), "infeasible": len(error.infeasible)}
    elif isinstance(error, MemoryShortError | MemoryError):
        found = {"status": MEMORY_SHORT, AGAIN: MEMORY_SHORT}
    elif isinstance(error, SettingsError):
        found = {"status": ERROR, AGAIN: SETTINGS}
    elif not isinstance(error, MacjaxError):
        *_, last = traceback.extract_tb(error.__traceback__)
        where = f"{Path(last.filename).name}, line {last.lineno}"
        text = f"{type(error).__name__}: {error} ({where})"
        found = {"status": ERROR, AGAIN: ERROR}
    else:
        found = {"status": ERROR}
    if isinstance(error, DataError):
        text = "; ".join(str(fault) for fault in error.fault_list)
    return found | {"error": text}
