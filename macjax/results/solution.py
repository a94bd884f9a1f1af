"""`Solution`: a schedule, how good it is proved to be, and what it rests on."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from macjax._errors import SolutionError
from macjax._status import Status
from macjax.results import files, tables
from macjax.results import parts as pieces
from macjax.results import summary as numbers
from macjax.results.manifest import plain
from macjax.results.parts import Part
from macjax.scenario.arrow import as_arrow, column_to_pandas
from macjax.scenario.plan import Plan

NAN = float("nan")
GOOD = (Status.solved, Status.simulated)
INFEASIBLE = ("vehicle_id", "trip", "departure", "missing_kwh")
STRANDED = ("vehicle_id", "trip", "missing_kwh")


class Solution:
    """The result of a solve or of a baseline on one scenario.

    Arguments (keyword only):
        scenario: the `Scenario` that was solved.
        plan: the charging plan; None if there is none (numbers are NaN, frames empty).
        status: how the run ended.
        message: what happened, and what to do.
        objective: value of the plan, recomputed from the tables [currency].
        lower_bound: no plan of the method's set is cheaper [currency].
        gap: relative: (objective - lower_bound) / (|objective| + 0.01
            |unmanaged_objective|).
        unmanaged_objective: value of unmanaged charging [currency].
        iterations: how many the solver did.
        history: frame, one row for each check of the run.
        seconds: time by phase [s]; a phase `total`, if given, is the whole.
        prices: cost of one more kW in a slot, shape (F, T) [currency/kW]; None if the
            method has none.
        objective_spec: the objective, one of `macjax.objectives`.
        method: `mac`, `per_session`, `unmanaged`, ...
        tube: the set of plans: `mobility` or `per_session`.
        on_infeasible: what was done with vehicles that cannot make their trips.
        infeasible: those vehicles: vehicle_id, trip (row of the trips table, the first
            that fails), departure, missing_kwh.
        dropped: ids of vehicles that were left out of the problem.
        stranded: vehicles that the method does not serve: vehicle_id, trip,
            missing_kwh.
        settings: settings of the run, `dtype` and `device` among them.
        assumptions: sentences of the method itself; those on foresight, what is fixed,
            data, settings and versions are added.
        dual_ray: proof that hard capacities cannot hold, shape (F, T).
        initial_kwh: SOC at the start if not that of the vehicles table, shape (V,).
        versions: versions that made the result, default those of this process.
        part: of a solve by several processes, whose scenario holds its own vehicles;
            None is the whole.
    """

    def __init__(
        self,
        *,
        scenario,
        plan: Plan | None,
        status: Status | str,
        message: str = "",
        objective: float = NAN,
        lower_bound: float = NAN,
        gap: float = NAN,
        unmanaged_objective: float = NAN,
        iterations: int = 0,
        history: pd.DataFrame | None = None,
        seconds: Mapping[str, float] | None = None,
        prices=None,
        objective_spec=None,
        method: str = "mac",
        tube: str = "mobility",
        on_infeasible: str = "error",
        infeasible: pd.DataFrame | None = None,
        dropped: Iterable = (),
        stranded: pd.DataFrame | None = None,
        settings: Mapping | None = None,
        assumptions: Iterable[str] = (),
        dual_ray=None,
        initial_kwh=None,
        versions: Mapping[str, str] | None = None,
        part: Part | None = None,
    ):
        self.scenario = scenario
        self.status, self.message = Status(status), str(message)
        self.method, self.tube = str(method), str(tube)
        self.on_infeasible, self.objective_spec = str(on_infeasible), objective_spec
        self.plan = None if plan is None else _own_plan(scenario, plan)
        self.objective = NAN if plan is None else float(objective)
        self.gap = NAN if plan is None else float(gap)
        self.lower_bound = float(lower_bound)
        self.unmanaged_objective = float(unmanaged_objective)
        self.iterations = int(iterations)
        self.history = _frame(history)
        self.seconds = {str(k): float(v) for k, v in (seconds or {}).items()}
        cells = len(scenario.feeders), scenario.slots
        self.price_table = _array(prices, cells, "prices")
        self.dual_ray = _array(dual_ray, cells, "dual_ray")
        self.part = part
        if part is not None:
            beside = _array(part.beside_kw, cells, "beside_kw")
            self.part = part._replace(beside_kw=beside)
        vehicles = (len(scenario.vehicles),)
        self.initial_kwh = _array(initial_kwh, vehicles, "initial_kwh")
        self.infeasible = _vehicle_frame(scenario, infeasible, INFEASIBLE)
        self.stranded = _vehicle_frame(scenario, stranded, STRANDED)
        self.dropped = pd.Series(list(dropped), dtype=object).tolist()
        self.settings: dict = plain(settings or {})
        self.versions = dict(numbers.versions() if versions is None else versions)
        self.assumptions = self._assumptions(assumptions)

    def _assumptions(self, own: Iterable[str]) -> list[str]:
        """The sentences of the method and all that is to be said beside them."""
        return numbers.assumptions(
            self.scenario,
            method=self.method,
            tube=self.tube,
            on_infeasible=self.on_infeasible,
            dropped=len(self.dropped),
            relaxed=len(self.infeasible),
            settings=self.settings,
            own=own or (),
            used_versions=self.versions,
        )

    @property
    def has_prices(self) -> bool:
        """Whether the method gives prices."""
        return self.price_table is not None

    def schedule(self) -> pd.DataFrame:
        """Rows with power: vehicle_id, stay, time, feeder_id, kw.

        `stay` is the row number of the stays table as given, `time` the start of the
        slot in the scenario's timezone, `kw` the average grid power over the slot of
        one such vehicle, its weight not counted [kW].
        """
        return tables.schedule(self.scenario, self._plan_or_empty())

    def soc(self, vehicles=None) -> pd.DataFrame:
        """State of charge at each slot edge: vehicle_id, time, soc_kwh.

        slots + 1 rows a vehicle. Trip energy leaves linearly between departure and
        arrival. A trip that arrives after the horizon counts in full, as it does in the
        limits: all its energy leaves between departure and the end of the horizon.

        Arguments:
            vehicles: one id or several; None for all that were not dropped. A dropped
                vehicle that is named is shown without charging.
        """
        selected = tables.select_vehicles(self.scenario, vehicles)
        if self.plan is None:
            selected = selected[:0]
        elif vehicles is None and self.dropped:
            left_out = tables.select_vehicles(self.scenario, self.dropped)
            selected = np.setdiff1d(selected, left_out)
        initial = self.initial_kwh
        if initial is None:
            initial = self.scenario.vehicles["initial_kwh"].to_numpy(np.float64)
        plan = self._plan_or_empty()
        return tables.soc(self.scenario, plan, selected, initial)

    def loads(self) -> pd.DataFrame:
        """Every feeder and slot: feeder_id, time, base_kw, ev_kw, capacity_kw,
        overload_kw [kW, average over the slot, weights counted]."""
        plan, beside_kw = self._plan_or_empty(), self._beside_kw()
        return self._or_nothing(tables.loads(self.scenario, plan, beside_kw))

    def prices(self) -> pd.DataFrame:
        """Every feeder and slot: feeder_id, time, price.

        `price` is the cost of one more kW in that slot [currency/kW]; one grid kWh
        there costs price / slot hours. These are the prices of `lower_bound`.
        """
        if self.price_table is None:
            raise SolutionError(
                f"a solution of method '{self.method}' with status '{self.status}' "
                "has no prices"
            )
        return tables.cell_prices(self.scenario, self.price_table)

    def upgrades(self) -> pd.DataFrame:
        """Every feeder: feeder_id, upgrade_kw, upgrade_cost, peak_time, base_only_kw.

        The upgrade is the largest overload [kW], `peak_time` its slot (NaT without
        overload), `base_only_kw` what the base load alone needs [kW].
        """
        plan, beside_kw = self._plan_or_empty(), self._beside_kw()
        return self._or_nothing(tables.upgrades(self.scenario, plan, beside_kw))

    def ray(self) -> pd.DataFrame:
        """The dual ray where it is not zero: feeder_id, time, ray.

        Its feeders are those whose hard capacity cannot hold; without a ray the frame
        is empty.
        """
        shape = len(self.scenario.feeders), self.scenario.slots
        given = np.zeros(shape) if self.dual_ray is None else self.dual_ray
        frame = tables.cell_prices(self.scenario, given, "ray")
        return frame[frame["ray"] != 0].reset_index(drop=True)

    def summary(self) -> pd.Series:
        """The planner's numbers; NaN where there is no plan.

        method, status, scenario, currency; feeders, feeders_overloaded; upgrade_kw;
        upgrade_cost, base_only_kw (what the base load alone needs);
        upgrade_cost_at_least (the certified bound, where the objective is
        `PeakOverload()`) [currency]; energy_kwh from the grid; vehicles (rows),
        vehicles_weighted; stranded, infeasible, dropped (rows of vehicles); objective,
        lower_bound, unmanaged_objective [currency], gap; iterations, seconds [s]. In a
        part of a solution by several processes, energy and vehicles are its own.
        """
        return numbers.summary(self)

    def report(self) -> str:
        """The summary, the message and the assumptions, as text."""
        lines = [self.summary().to_string(), ""]
        lines += [self.message, ""] if self.message else []
        return "\n".join(
            [*lines, "Assumptions:", *(f"- {a}" for a in self.assumptions)]
        )

    def raise_for_status(self) -> None:
        """Raise a SolutionError unless the status is `solved` or `simulated`."""
        if self.status not in GOOD:
            raise SolutionError(f"{self.status}: {self.message}".rstrip(": "))

    def write(self, folder: str | os.PathLike) -> Path:
        """Write everything, the scenario too, into a folder; returns its path.

        Parquet and JSON. The folder is written whole or not at all; a solution that is
        there is replaced, anything else that is not empty is refused. After a solve by
        several processes each writes its part below the folder, and `read` joins them.
        """
        return files.write_solution(self, folder)

    @classmethod
    def read(cls, folder: str | os.PathLike) -> "Solution":
        """Read what `write` wrote; SolutionError if any file is not as written.

        A folder of parts gives the solution of the whole fleet, if all parts are there;
        the folder of one part gives that part.
        """
        if places := pieces.part_folders(folder):
            return cls(**pieces.joined([cls.read(place) for place in places]))
        given = files.read_solution(folder)
        stored = given.pop("assumptions")
        solution = cls(**given)
        solution.assumptions = list(stored)
        return solution

    def _plan_or_empty(self) -> Plan:
        return Plan.empty() if self.plan is None else self.plan

    def _beside_kw(self) -> float | np.ndarray:
        """EV load of the vehicles of other parts [kW]."""
        return 0.0 if self.part is None else self.part.beside_kw

    def _or_nothing(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame, without rows if there is no plan."""
        return frame.iloc[:0] if self.plan is None else frame

    def __repr__(self) -> str:
        scenario = self.scenario
        return (
            f"Solution({self.method}, {self.status}: objective {self.objective:.6g}, "
            f"lower bound {self.lower_bound:.6g}, gap {self.gap:.2g}; "
            f"{len(scenario.vehicles)} vehicles, {len(scenario.feeders)} feeders, "
            f"{scenario.slots} slots)"
        )


def _own_plan(scenario, plan: Plan) -> Plan:
    """A plan in its types that nobody else can change, checked for its form."""
    own = Plan(
        np.array(plan[0], np.int64),
        np.array(plan[1], np.int32),
        np.array(plan[2], np.float64),
    )
    if fault := tables.check_plan(scenario, own):
        raise SolutionError(f"the plan is wrong: {fault}")
    for column in own:
        column.setflags(write=False)
    return own


def _array(values, shape: tuple[int, ...], name: str) -> np.ndarray | None:
    """A float64 copy that nobody can change, or None."""
    if values is None:
        return None
    array = np.array(values, np.float64)
    if array.shape != shape:
        raise SolutionError(f"{name} has shape {array.shape}, not {shape}")
    array.setflags(write=False)
    return array


def _frame(given: pd.DataFrame | None) -> pd.DataFrame:
    """A copy with rows numbered from 0 and text in one form; empty for None.

    The columns go through Arrow, so that files give back the same dtypes on every
    version of pandas.
    """
    if given is None:
        return pd.DataFrame()
    columns = {str(c): column_to_pandas(as_arrow(given[c])) for c in given.columns}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(given)))


def _vehicle_frame(scenario, given, columns: tuple[str, ...]) -> pd.DataFrame:
    """Vehicles and their first failing trip, with the columns that are promised."""
    if given is None:
        ids = scenario.vehicles["vehicle_id"].array
        empty = {
            "vehicle_id": ids.take(np.empty(0, np.int64)),
            "trip": pd.array([], "Int64"),
            "departure": tables.local_times(scenario, scenario.slot_starts[:0]),
            "missing_kwh": np.empty(0),
        }
        return pd.DataFrame({name: empty[name] for name in columns})
    frame = _frame(given)
    if missing := [name for name in columns if name not in frame.columns]:
        raise SolutionError(f"a frame of vehicles has no column '{missing[0]}'")
    frame["trip"] = frame["trip"].astype("Int64")
    return frame
