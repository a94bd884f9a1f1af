"""The operator's problem and the tariffs in its duals.

    min  C_T + sum over m, y, t of dt (c_t p_(m,y,t) + beta p_(m,y,t)^2)

over the traffic of all aggregators m (`traffic`), with the robust limits of the grid
(`limits`). With the duals of those limits, all >= 0 and in currency per kW or p.u. and
step, the tariff of station y is

    R_(y,t) = 1/dt [ sum over l of h_(l,y) (lambda+ - lambda-)_(l,t)
                   + sum over s of X_(s,y) (gamma- - gamma+)_(s,t) ]   [currency/kWh],

its first part called congestion and its second one voltage. R > 0 raises the price.

Departures from the article, and why:
- beta is on the power of each aggregator at each station. The article has (c + beta sum
  over m of p) p, whose marginal cost, 2 beta sum over m, no aggregator sees: with it
  (`coupled=True`) tariffs do not make the aggregators do what the operator plans. One
  beta on the sum over stations would leave the split over stations open.
- gamma- belongs to V >= V_min: load lowers the voltage, so it raises the tariff. The
  article has the opposite sign.
- Exits of roads and places that several aggregators share have duals too, mu and nu,
  and are posted as tolls; the article has none.
"""

import dataclasses
import time
from collections.abc import Mapping

import numpy as np
import pandas as pd

from macjax._errors import SettingsError, SolutionError, nearest
from macjax._status import Status
from macjax.tariffs import first_order
from macjax.tariffs.case import Case, need_case
from macjax.tariffs.first_order import MAX_ITERATIONS, solve_first_order
from macjax.tariffs.frames import long_frame, operator_frames
from macjax.tariffs.limits import (
    line_weights,
    put_limits,
    read_gamma,
    voltage_weights,
)
from macjax.tariffs.program import Draft
from macjax.tariffs.settings import read_count, read_positive
from macjax.tariffs.solved import Solved, finish, solve_accurately
from macjax.tariffs.traffic import Traffic, draft_traffic

METHODS = ("direct", "first_order")
MESSAGES = {
    Status.solved: "solved to the accuracy asked for",
    Status.infeasible: "no plan meets all limits: allow later arrivals (steps), a "
    "lower soc_arrival, a smaller gamma, or more capacity of lines, roads or places",
    Status.iteration_limit: "the solver used up its iterations; the case may be badly "
    "scaled: look for numbers many orders apart",
    Status.time_limit: "the solver used up its time",
    Status.stalled: "the solver stopped short of the accuracy asked for; look for "
    "numbers many orders apart",
}


@dataclasses.dataclass(frozen=True)
class Operator:
    """The operator's plan; frames hold NaN if there is none.

    Arguments:
        status: `solved`, `infeasible`, `iteration_limit`, `time_limit`, `stalled`.
        cost: value of the objective [currency].
        gamma: share of the half-widths planned for, (3, nodes); None without limits.
        tariffs: station, time, tariff, congestion, voltage [currency/kWh].
        powers: aggregator, station, time, kw (grid side, positive charges).
        lines: line, time, kw (nominal load and stations), limit_kw, margin_kw.
        voltages: node, time, pu, min_pu, max_pu, margin_pu.
        tolls: element, kind (`road`, per EV that leaves it; `places`, per EV and step
            in the pool), time, toll [currency]; of what several aggregators share.
        stations: station, time, waiting, charging [EV].
        queues: arc, time, queue, out [EV].
        residuals: largest deviations [kW, kWh, ...], recomputed in original units, by
            `solved`. `power_error` is a bound on the error of every power [kW].
        iterations: how many the solver did.
        seconds: of building (`build`), solving (`solve`) and all (`total`).
    """

    status: Status
    cost: float
    gamma: np.ndarray | None
    tariffs: pd.DataFrame
    powers: pd.DataFrame
    lines: pd.DataFrame
    voltages: pd.DataFrame
    tolls: pd.DataFrame
    stations: pd.DataFrame
    queues: pd.DataFrame
    residuals: Mapping[str, float]
    iterations: int
    seconds: Mapping[str, float]

    @property
    def accuracy_kw(self) -> float:
        """Bound on the error of every power [kW].

        At most 0.05 kW, or 5e-5 of the largest power where that is more, in a plan that
        the direct method calls solved.
        """
        return self.residuals["power_error"]

    @property
    def message(self) -> str:
        """What happened, and what to do."""
        return MESSAGES[self.status]

    def raise_for_status(self) -> None:
        """Return None if solved.

        Raises:
            SolutionError: it is not.
        """
        if self.status != Status.solved:
            raise SolutionError(f"{self.status}: {self.message}")


def need_operator(operator) -> None:
    """Return None if it is an operator's plan and solved.

    Raises:
        SettingsError: it is something else.
        SolutionError: it is not solved.
    """
    if not isinstance(operator, Operator):
        kind = type(operator).__name__
        raise SettingsError(f"operator must be what solve_operator gave, not {kind}")
    operator.raise_for_status()


def solve_operator(
    case: Case,
    gamma=None,
    *,
    limits: bool = True,
    coupled: bool = False,
    method: str = "direct",
    tolerance: float | None = None,
    max_iterations: int = MAX_ITERATIONS,
    progress=None,
) -> Operator:
    """Plan all EVs within the robust limits of the grid, and set the tariffs.

    Arguments:
        case: the case.
        gamma: share of the half-widths planned for: a number from 0 (nominal values)
            to 1 (the whole box); a mapping from `load`, `pv`, `wind` to a number or to
            a mapping from grid node to number; None takes that of the case.
        limits: False leaves out all limits of lines and voltages.
        coupled: the article's objective, with beta on the sum of the aggregators'
            powers at a station; its tariffs do not decentralise the plan.
        method: `direct` (Clarabel), or `first_order` (JAX) for networks too large for
            a factorisation; it is less accurate, and so are its tariffs.
        tolerance: of the method; None is the tightest that Clarabel reaches, or 1e-6
            relative. A looser one may end `stalled`: see `accuracy_kw`.
        max_iterations: most of the first-order method.
        progress: of the first-order method, called with (iterations, largest relative
            residual) now and then.

    Returns:
        An `Operator`, whatever its status.

    Raises:
        DataError: loads and PV alone break a limit.
        SettingsError: gamma, a tolerance or a count is out of range, or the method
            unknown.
    """
    need_case(case)
    if method not in METHODS:
        raise SettingsError(f"unknown method {method!r}; {nearest(method, METHODS)}")
    if tolerance is not None:
        read_positive(tolerance, "tolerance", 1.0)
    read_count(max_iterations, "max_iterations", 1)
    began = time.perf_counter()
    wanted = read_gamma(case, gamma) if limits else None
    draft, traffic = _drafted(case, wanted, coupled)
    if method == "direct":
        solved = solve_accurately(draft, tolerance)
    else:
        program, bound = draft.program(), tolerance or first_order.TOLERANCE
        point = solve_first_order(program, bound, max_iterations, progress)
        solved = finish(draft, program, point, bound, np.inf)
    ended = time.perf_counter()
    made = _made(case, traffic, solved, wanted)
    solving = solved.point.seconds
    seconds = {"build": ended - began - solving, "solve": solving}
    seconds["total"] = time.perf_counter() - began
    return dataclasses.replace(made, seconds=seconds)


def _drafted(case: Case, gamma, coupled: bool) -> tuple[Draft, Traffic]:
    """The operator's problem with the limits that gamma asks for, without if None."""
    draft, traffic = draft_traffic(case)
    draft.cost(draft.columns["power"], case.settings.step_hours * case.price)
    if coupled:
        _couple(draft, case, traffic)
    if gamma is not None:
        put_limits(draft, case, traffic, gamma)
    return draft, traffic


def _couple(draft: Draft, case: Case, traffic: Traffic) -> None:
    """beta on the sum of the powers at a station in place of each of them."""
    stations, number = np.unique(traffic.pair_station, return_inverse=True)
    used = draft.may_be_used("power")
    shape = (len(stations), used.shape[1])
    columns = draft.column("total", np.ones(shape, bool), draft.kw, free=True)
    rows = draft.row("equal", "total", np.zeros(shape), draft.kw)
    draft.equal.put(rows, columns, 1.0)
    draft.equal.put(rows[number], draft.columns["power"], -1.0)
    beta = case.settings.costs.power_squared * case.settings.step_hours
    draft.cost(draft.columns["power"], 0.0, -2.0 * beta)
    draft.cost(columns, 0.0, 2.0 * beta)


def _made(case: Case, traffic: Traffic, solved: Solved, gamma) -> Operator:
    """The plan as frames."""
    frames = operator_frames(case, traffic, solved, gamma)
    return Operator(
        status=solved.status,
        cost=solved.cost,
        gamma=gamma,
        tariffs=_tariffs(case, solved, gamma),
        residuals=solved.residuals,
        iterations=solved.point.iterations,
        seconds={},
        **frames,
    )


def _tariffs(case: Case, solved: Solved, gamma) -> pd.DataFrame:
    """R of every station and step with its two parts."""
    shape = (len(case.stations.names), case.intervals)
    congestion, voltage = np.zeros(shape), np.zeros(shape)
    if gamma is not None:
        hours = case.settings.step_hours
        lines, nodes = line_weights(case).stations, voltage_weights(case).stations
        scale = 1000.0 * case.settings.grid.nominal_kv**2
        duals = solved.duals("line+") - solved.duals("line-")
        congestion = lines.T @ duals / hours
        duals = solved.duals("voltage-") - solved.duals("voltage+")
        voltage = scale * nodes.T @ duals / hours
    parts = {"tariff": congestion + voltage, "congestion": congestion}
    parts["voltage"] = voltage
    return long_frame("station", case.stations.names, case.times[:-1], **parts)
