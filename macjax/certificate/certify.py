"""`certify`: what a schedule and its prices are worth, from the raw tables alone."""

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault, SettingsError
from macjax.certificate.certifier import TOLERANCE_KWH, Certifier, relative_gap
from macjax.certificate.explain import (
    infeasible_line,
    no_schedule_lines,
    origin_lines,
    rule_counts,
    verdict_line,
    violation_lines,
)
from macjax.certificate.frames import plan_of_schedule, price_table
from macjax.certificate.tables import numbers

SCENARIO = (
    "start",
    "timezone",
    "slot_minutes",
    "slots",
    "vehicles",
    "stays",
    "trips",
    "feeders",
    "feeder_profile",
)


@dataclasses.dataclass(frozen=True, eq=False)
class Certificate:
    """What was recomputed of a schedule, and the bound that its prices prove.

    Arguments:
        feasible: whether every vehicle's limits hold to `tolerance_kwh`; False
            without a schedule.
        max_violation_kwh: the largest violation [kWh of battery energy].
        worst_vehicle: the vehicle_id of it, None if there is none.
        violations: frame with vehicle_id, rule, kwh; violations over the tolerance.
        objective: cost of the schedule [currency]; inf where a hard capacity breaks,
            NaN without a schedule.
        lower_bound: no feasible schedule costs less [currency].
        gap: relative: (objective - lower_bound) / (|objective| + 0.01
            |unmanaged_objective|).
        unmanaged_objective: cost of unmanaged charging, hard limits counted 0
            [currency].
        loads: frame with feeder_id, time, base_kw, ev_kw, capacity_kw, overload_kw.
        infeasible: vehicles that cannot make their trips even at full power:
            vehicle_id, trip, departure, missing_kwh.
        tolerance_kwh: violations up to this count as none.
        currency: of the money above.
        message: what holds, what is violated by how many, and why; lines of text.
        ray_excess_kw: where the solution is `infeasible`, what its dual ray is worth
            over the raw tables: weighted by the ray, every schedule passes the hard
            limits by this much [kW] on average. Positive is a proof; NaN without a ray.
    """

    feasible: bool
    max_violation_kwh: float
    worst_vehicle: object
    violations: pd.DataFrame
    objective: float
    lower_bound: float
    gap: float
    unmanaged_objective: float
    loads: pd.DataFrame
    infeasible: pd.DataFrame
    tolerance_kwh: float = TOLERANCE_KWH
    currency: str = "USD"
    message: str = ""
    ray_excess_kw: float = math.nan

    @property
    def has_schedule(self) -> bool:
        """Whether there was a schedule to judge."""
        return not math.isnan(self.max_violation_kwh)

    def to_dict(self) -> dict:
        """The numbers as plain values for JSON; those that are not finite are None."""
        worst = self.worst_vehicle
        if isinstance(worst, np.generic):
            worst = worst.item()
        return {
            "feasible": self.feasible,
            "max_violation_kwh": _finite(self.max_violation_kwh),
            "worst_vehicle": worst,
            "vehicles_in_violation": int(self.violations["vehicle_id"].nunique()),
            "violated_rules": rule_counts(self.violations),
            "tolerance_kwh": self.tolerance_kwh,
            "objective": _finite(self.objective),
            "lower_bound": _finite(self.lower_bound),
            "gap": _finite(self.gap),
            "unmanaged_objective": _finite(self.unmanaged_objective),
            "infeasible_vehicles": len(self.infeasible),
            "currency": self.currency,
            "has_schedule": self.has_schedule,
            "ray_excess_kw": _finite(self.ray_excess_kw),
            "message": self.message,
        }

    def __str__(self) -> str:
        money = {
            "objective": self.objective,
            "lower bound": self.lower_bound,
            "unmanaged": self.unmanaged_objective,
        }
        lines = [self.message]
        lines += [f"{k:<12}{v:>18,.6g} {self.currency}" for k, v in money.items()]
        lines.append(f"{'gap':<12}{self.gap:>18.3g}")
        return "\n".join(lines)


def certify(
    scenario,
    solution=None,
    *,
    schedule: pd.DataFrame | None = None,
    prices: pd.DataFrame | None = None,
    objective=None,
    on_infeasible: str | None = None,
    vehicle_to_grid: bool | None = None,
    tube: str | None = None,
    tolerance_kwh: float = TOLERANCE_KWH,
) -> Certificate:
    """Recompute feasibility, loads, objective and lower bound from the raw tables.

    Arguments:
        scenario: the tables.
        solution: a `Solution`, or a schedule frame. A baseline that starts from SOC
            of its own (`Solution.initial_kwh`) is judged from there, and the message
            says so.
        schedule: frame with vehicle_id, time, kw [kW of grid power, average over the
            slot, one such vehicle], optionally stay (row number of the stays table)
            and feeder_id; instead of the solution's.
        prices: frame with feeder_id, time, price [currency per kW of slot average],
            missing cells 0; instead of the solution's. Without any, the bound is
            that of the lowest prices.
        objective: None is the solution's, else `PeakOverload()`.
        on_infeasible: 'error', 'drop' or 'relax'; None is the solution's, else
            'error'.
        vehicle_to_grid: False to leave `discharge_kw` out of account.
        tube: 'mobility' or 'per_session'; None is the solution's, else 'mobility'.
        tolerance_kwh: violations up to this count as none, at least 0.

    Returns:
        A `Certificate`; its `message` says what is violated and why. Raises DataError
        for frames that do not fit the scenario and for prices that are not finite,
        SettingsError for anything else that is wrong.
    """
    _require_scenario(scenario)
    solution, schedule = _solution_and_schedule(solution, schedule)
    _require_charging_only(scenario, vehicle_to_grid)
    own_plan = schedule is None
    start = own_start(scenario, solution) if own_plan else None
    certifier = Certifier(
        scenario,
        _first(objective, getattr(solution, "objective_spec", None)),
        _first(on_infeasible, getattr(solution, "on_infeasible", None), "error"),
        _first(tube, getattr(solution, "tube", None), "mobility"),
        tolerance_kwh=tolerance_kwh,
        initial_kwh=start,
    )
    if solution is not None:
        # Baselines have no prices; a proof of infeasibility has no schedule.
        if own_plan and getattr(solution, "plan", solution) is not None:
            schedule = solution.schedule()
        if prices is None and getattr(solution, "has_prices", True):
            prices = solution.prices()
    found = _judged(certifier, schedule, prices, _currency(scenario))
    source = solution if own_plan else None
    return _explained(found, certifier, source, start is not None, prices is not None)


def _judged(certifier: Certifier, schedule, prices, currency: str) -> Certificate:
    """The numbers of a schedule frame and a price frame; either may be None."""
    tables = certifier.tables
    table = certifier.terms.energy if prices is None else price_table(tables, prices)
    plan = None if schedule is None else plan_of_schedule(tables, schedule)
    return certificate_of(certifier, plan, table, currency)


def _explained(
    found: Certificate, certifier: Certifier, solution, own_start: bool, priced: bool
) -> Certificate:
    """The certificate with its message, and with what a dual ray is worth.

    Arguments:
        found: the numbers.
        certifier: that found them.
        solution: whose schedule it is, None for a frame.
        own_start: whether it starts from SOC of its own.
        priced: whether there are prices.
    """
    excess = math.nan
    if found.has_schedule:
        lines = [verdict_line(found), *violation_lines(found.violations)]
        if solution is not None:
            lines += origin_lines(solution, found.feasible, own_start, priced)
    else:
        excess = _ray_excess(certifier, getattr(solution, "dual_ray", None))
        lines = no_schedule_lines(solution, excess)
    if len(found.infeasible):
        lines.append(infeasible_line(found.infeasible, certifier.on_infeasible))
    message = "\n".join(lines)
    return dataclasses.replace(found, message=message, ray_excess_kw=excess)


def own_start(scenario, solution) -> np.ndarray | None:
    """SOC from which a solution starts, shape (vehicles,) [kWh].

    None where it starts from the `initial_kwh` of the vehicles table. Raises DataError
    for numbers that are not finite or above `battery_kwh`.
    """
    given = getattr(solution, "initial_kwh", None)
    if given is None:
        return None
    given = np.asarray(given, np.float64)
    ids = pd.Index(scenario.vehicles["vehicle_id"])
    theirs = pd.Index(getattr(solution, "scenario", scenario).vehicles["vehicle_id"])
    battery = numbers(scenario.vehicles, "battery_kwh")
    initial = numbers(scenario.vehicles, "initial_kwh")
    at = theirs.get_indexer(ids)
    start = np.where(at >= 0, given[at], initial) if len(given) else initial
    wrong = ~np.isfinite(start) | (start > battery)
    if wrong.any():
        rule = "SOC at the start must be finite and at most battery_kwh"
        some = tuple(ids[wrong][:10].tolist())
        raise DataError(
            [Fault("solution", "initial_kwh", rule, int(wrong.sum()), some)]
        )
    return None if np.array_equal(start, initial) else start


def _ray_excess(certifier: Certifier, ray) -> float:
    """Least average excess over the hard limits, weighted by a ray [kW]; NaN if none.

    A ray without weight on a hard feeder proves nothing: 0.
    """
    if ray is None:
        return math.nan
    value = certifier.ray_bound(ray)
    weights = np.where(certifier.terms.hard[:, None], ray, 0.0)
    total = float(weights[np.isfinite(weights) & (weights > 0)].sum())
    return value / total if total > 0 else 0.0


def certificate_of(
    certifier: Certifier, plan, prices: np.ndarray, currency: str = "USD"
) -> Certificate:
    """The certificate of a plan and a price table, shape (F, T) [currency/kW]."""
    lower_bound, unmanaged = certifier.bound(prices), certifier.unmanaged_objective
    if plan is None:
        feasible, violation, worst = False, math.nan, None
        violations = pd.DataFrame({"vehicle_id": [], "rule": [], "kwh": []})
        objective, loads = math.nan, np.full(certifier.active.shape, math.nan)
    else:
        feasible, violation, worst, violations = certifier.check(plan)
        objective, loads = certifier.objective(plan), certifier.loads(plan)
    return Certificate(
        feasible=feasible,
        max_violation_kwh=violation,
        worst_vehicle=worst,
        violations=violations,
        objective=objective,
        lower_bound=lower_bound,
        gap=relative_gap(objective, lower_bound, unmanaged),
        unmanaged_objective=unmanaged,
        loads=_loads_frame(certifier, loads),
        infeasible=certifier.infeasible,
        tolerance_kwh=certifier.tolerance_kwh,
        currency=currency,
    )


def _loads_frame(certifier: Certifier, loads: np.ndarray) -> pd.DataFrame:
    tables = certifier.tables
    feeders, slots = loads.shape
    over = np.maximum(tables.base + loads - tables.capacity, 0.0)
    times = tables.clock.times()
    return pd.DataFrame(
        {
            "feeder_id": tables.feeders.repeat(slots),
            "time": times.take(np.tile(np.arange(slots), feeders)),
            "base_kw": tables.base.ravel(),
            "ev_kw": loads.ravel(),
            "capacity_kw": tables.capacity.ravel(),
            "overload_kw": over.ravel(),
        }
    )


def _require_scenario(scenario) -> None:
    if any(not hasattr(scenario, name) for name in SCENARIO):
        raise SettingsError(
            f"scenario must be a macjax.Scenario, not {type(scenario).__name__}; "
            "Scenario.read(folder) gives one"
        )


def _solution_and_schedule(solution, schedule):
    """A frame in the place of the solution is the schedule."""
    if isinstance(solution, pd.DataFrame):
        if schedule is not None:
            raise SettingsError("give one schedule: two frames were given")
        return None, solution
    if solution is not None and not callable(getattr(solution, "schedule", None)):
        raise SettingsError(
            "solution must be a macjax.Solution or a schedule frame, not "
            f"{type(solution).__name__}"
        )
    if getattr(solution, "part", None) is not None:
        raise SettingsError(
            "the solution holds a part of the vehicles; let every process write its "
            "part into one folder and certify Solution.read(folder), which joins them"
        )
    return solution, schedule


def _require_charging_only(scenario, vehicle_to_grid: bool | None) -> None:
    """Discharging changes the set of schedules: refuse what is not served."""
    if not isinstance(vehicle_to_grid, bool | np.bool_ | None):
        raise SettingsError(
            f"vehicle_to_grid must be True, False or None, not {vehicle_to_grid!r}"
        )
    flag = _first(vehicle_to_grid, getattr(scenario, "vehicle_to_grid", None))
    stays = scenario.stays
    if (flag is not None and not flag) or "discharge_kw" not in stays.columns:
        return
    wrong = np.flatnonzero((stays["discharge_kw"].fillna(0) > 0).to_numpy(bool))
    if len(wrong):
        rule = "vehicle-to-grid is not served; vehicle_to_grid=False leaves it out"
        ids = tuple(wrong[:10].tolist())
        raise DataError([Fault("stays", "discharge_kw", rule, len(wrong), ids)])


def _currency(scenario) -> str:
    return str(getattr(scenario, "currency", "USD"))


def _first(*values) -> Any:
    """The first value that is not None, else None."""
    return next((v for v in values if v is not None), None)


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
