"""`certify`: what a schedule and its prices are worth, from the raw tables alone."""

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault, SettingsError
from macjax.certificate.certifier import TOLERANCE_KWH, Certifier, relative_gap
from macjax.certificate.frames import plan_of_schedule, price_table


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
        gap: (objective - lower_bound) / (|objective| + 0.01 |unmanaged_objective|).
        unmanaged_objective: cost of unmanaged charging, hard limits counted 0.
        loads: frame with feeder_id, time, base_kw, ev_kw, capacity_kw, overload_kw.
        infeasible: vehicles that cannot make their trips even at full power:
            vehicle_id, trip, departure, missing_kwh.
        tolerance_kwh: violations up to this count as none.
        currency: of the money above.
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
            "tolerance_kwh": self.tolerance_kwh,
            "objective": _finite(self.objective),
            "lower_bound": _finite(self.lower_bound),
            "gap": _finite(self.gap),
            "unmanaged_objective": _finite(self.unmanaged_objective),
            "infeasible_vehicles": len(self.infeasible),
            "currency": self.currency,
        }

    def __str__(self) -> str:
        lines = [self._feasibility()]
        if len(self.infeasible):
            first = self.infeasible.iloc[0]
            lines.append(
                f"{len(self.infeasible)} vehicles cannot make their trips at full "
                f"power; first {first['vehicle_id']}, "
                f"{first['missing_kwh']:.4g} kWh missing"
            )
        money = {
            "objective": self.objective,
            "lower bound": self.lower_bound,
            "unmanaged": self.unmanaged_objective,
        }
        lines += [f"{k:<12}{v:>18,.6g} {self.currency}" for k, v in money.items()]
        lines.append(f"{'gap':<12}{self.gap:>18.3g}")
        return "\n".join(lines)

    def _feasibility(self) -> str:
        if math.isnan(self.objective) and not len(self.violations):
            return "no schedule"
        word = "feasible" if self.feasible else "NOT feasible"
        worst = f"largest violation {self.max_violation_kwh:.3g} kWh"
        if self.worst_vehicle is not None:
            worst += f" (vehicle {self.worst_vehicle})"
        count = self.violations["vehicle_id"].nunique()
        more = f", {count} vehicles in violation" if count else ""
        return f"{word}: {worst}{more}"


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
        solution: a `Solution`, or a schedule frame.
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
        tolerance_kwh: violations up to this count as none.

    Returns:
        A `Certificate`. Raises DataError for frames that do not fit the scenario.
    """
    if isinstance(solution, pd.DataFrame):
        if schedule is not None:
            raise SettingsError("give one schedule: two frames were given")
        solution, schedule = None, solution
    _require_charging_only(scenario, vehicle_to_grid)
    certifier = Certifier(
        scenario,
        _first(objective, getattr(solution, "objective_spec", None)),
        _first(on_infeasible, getattr(solution, "on_infeasible", None), "error"),
        _first(tube, getattr(solution, "tube", None), "mobility"),
        tolerance_kwh=tolerance_kwh,
    )
    if solution is not None:
        # Baselines have no prices; a proof of infeasibility has no schedule.
        if schedule is None and getattr(solution, "plan", solution) is not None:
            schedule = solution.schedule()
        if prices is None and getattr(solution, "has_prices", True):
            prices = solution.prices()
    tables = certifier.tables
    table = certifier.terms.energy if prices is None else price_table(tables, prices)
    if schedule is None:
        return certificate_of(certifier, None, table, _currency(scenario))
    plan = plan_of_schedule(tables, schedule)
    return certificate_of(certifier, plan, table, _currency(scenario))


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


def _require_charging_only(scenario, vehicle_to_grid: bool | None) -> None:
    """Discharging changes the set of schedules: refuse what is not served."""
    flag = _first(vehicle_to_grid, getattr(scenario, "vehicle_to_grid", None))
    stays = scenario.stays
    if flag is False or "discharge_kw" not in stays.columns:
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
