"""The aggregators' own problems under the tariffs, and whether prices are enough.

Aggregator m plans its own EVs alone:

    min  C_T^m + sum over y, t of dt ((c_t + R_(y,t)) p_(y,t) + beta p_(y,t)^2)
         + sum of mu_(a,t) (EVs out of shared arcs)
         + sum of nu_(y,t) (EVs in shared pools)

It knows no line and no voltage. Its powers are unique, beta being above 0, and the
operator's powers of m solve it (the Lagrangian of the operator's problem falls apart
into these); so they agree. Flows may differ where several are as good, so limits of
shared roads are met by the operator's flows and not by any others that cost the same.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from macjax._errors import SolutionError
from macjax._status import Status
from macjax.tariffs.case import Case
from macjax.tariffs.direct import solve_direct
from macjax.tariffs.frames import power_frame
from macjax.tariffs.operator import MESSAGES, Operator
from macjax.tariffs.solved import finish
from macjax.tariffs.traffic import draft_traffic


@dataclasses.dataclass(frozen=True)
class Aggregators:
    """The aggregators' plans under the tariffs of an operator.

    Arguments:
        status: `solved`, or the first other one.
        cost: sum of their costs without tariffs and tolls, which the operator's is to
            be compared with [currency].
        costs: aggregator, status, cost (without tariffs and tolls), tariffs, tolls
            (paid; negative: received) [currency].
        powers: aggregator, station, time, kw.
        residuals: by aggregator, as of the operator.
    """

    status: Status
    cost: float
    costs: pd.DataFrame
    powers: pd.DataFrame
    residuals: Mapping[str, Mapping[str, float]]

    def raise_for_status(self) -> None:
        """Return None if all are solved.

        Raises:
            SolutionError: one is not.
        """
        if self.status != Status.solved:
            raise SolutionError(f"{self.status}: {MESSAGES[self.status]}")


def solve_aggregators(
    case: Case, operator: Operator, *, tolls: bool = True
) -> Aggregators:
    """Solve each aggregator's own problem under the operator's tariffs and tolls.

    Arguments:
        case: the case.
        operator: whose tariffs and tolls are posted.
        tolls: False leaves out the tolls of shared roads and places.

    Raises:
        SolutionError: the operator has no solution.
    """
    operator.raise_for_status()
    names, parts, rows, residuals = case.trips.aggregators, [], [], {}
    for number, name in enumerate(names):
        solved, traffic, paid = _solve_one(case, operator, number, tolls)
        power = solved.values("power")
        parts.append(power_frame(case, traffic, power))
        own = solved.cost - paid["tariffs"] - paid["tolls"]
        rows.append({"aggregator": name, "status": solved.status, "cost": own, **paid})
        residuals[str(name)] = solved.residuals
    costs = pd.DataFrame(rows)
    failed = [row["status"] for row in rows if row["status"] != Status.solved]
    return Aggregators(
        status=failed[0] if failed else Status.solved,
        cost=float(costs["cost"].sum(skipna=False)),
        costs=costs,
        powers=pd.concat(parts, ignore_index=True),
        residuals=residuals,
    )


def _solve_one(case: Case, operator: Operator, number: int, tolls: bool):
    """The solved program of one aggregator, its traffic, and what it pays."""
    draft, traffic = draft_traffic(case, number)
    hours, columns = case.settings.step_hours, draft.columns
    extra = _table(operator.tariffs, "station", case.stations.names, "tariff", case)
    extra = extra[traffic.pair_station]
    draft.cost(columns["power"], hours * (case.price + extra))
    road = place = np.zeros(())
    if tolls and len(operator.tolls):
        posted = dict(list(operator.tolls.groupby("kind")))
        if "road" in posted:
            names = case.roads.limit_names
            road = _table(posted["road"], "element", names, "toll", case)
            road = road[case.roads.limit[traffic.legs.arc]]
            draft.cost(columns["out"], road)
        if "places" in posted:
            names = case.stations.names
            place = _table(posted["places"], "element", names, "toll", case)
            place = place[traffic.legs.station[traffic.visits]]
            draft.cost(columns["pool"], place)
    program = draft.program()
    solved = finish(draft, program, solve_direct(program))
    toll = (road * solved.values("out")).sum() + (place * solved.values("pool")).sum()
    tariff = hours * (extra * solved.values("power")).sum()
    return solved, traffic, {"tariffs": float(tariff), "tolls": float(toll)}


def _table(frame: pd.DataFrame, column: str, names, value: str, case: Case):
    """Values of a long frame by name and instant, 0 where there is none, (names, T)."""
    table = np.zeros((len(names), case.settings.steps))
    row = pd.Index(names).get_indexer(pd.Index(frame[column]))
    step = case.times.get_indexer(pd.DatetimeIndex(frame["time"]))
    table[row, step] = frame[value].to_numpy(np.float64)
    return table
