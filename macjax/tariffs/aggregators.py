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
from macjax.tariffs.case import Case, need_case
from macjax.tariffs.frames import (
    power_frame,
    read_table,
    shared_frame,
    shared_limits,
    shared_places,
)
from macjax.tariffs.operator import MESSAGES, Operator, need_operator
from macjax.tariffs.settings import read_positive
from macjax.tariffs.solved import solve_accurately
from macjax.tariffs.traffic import draft_traffic


@dataclasses.dataclass(frozen=True)
class Aggregators:
    """The aggregators' plans under the tariffs of an operator.

    Arguments:
        status: `solved`, or the first other one.
        cost: sum of their costs without tariffs and tolls [currency]. It is the
            operator's where no tolls are posted; with tolls mu it is
                operator's - sum of mu (EVs - limit) over shared roads and places,
            since flows that cost the same may pass limits that prices alone set.
        costs: aggregator, status, cost (without tariffs and tolls), tariffs, tolls
            (paid; negative: received) [currency].
        powers: aggregator, station, time, kw.
        shared: element, kind (`road`, `places`), time, ev (out of the road in a step,
            or in the pool), limit_ev; of what several aggregators share.
        residuals: by aggregator, as of the operator [kW, kWh, ...].
    """

    status: Status
    cost: float
    costs: pd.DataFrame
    powers: pd.DataFrame
    shared: pd.DataFrame
    residuals: Mapping[str, Mapping[str, float]]

    @property
    def accuracy_kw(self) -> float:
        """Bound on the error of every power under these tariffs [kW]."""
        return max(found["power_error"] for found in self.residuals.values())

    def raise_for_status(self) -> None:
        """Return None if all are solved.

        Raises:
            SolutionError: one is not.
        """
        if self.status != Status.solved:
            raise SolutionError(f"{self.status}: {MESSAGES[self.status]}")


def solve_aggregators(
    case: Case,
    operator: Operator,
    *,
    tolls: bool = True,
    tolerance: float | None = None,
) -> Aggregators:
    """Solve each aggregator's own problem under the operator's tariffs and tolls.

    Arguments:
        case: the case.
        operator: whose tariffs and tolls are posted.
        tolls: False leaves out the tolls of shared roads and places.
        tolerance: as in `solve_operator`.

    Raises:
        SolutionError: the operator has no solution.
        DataError: it is that of a case with other stations, times or roads.
        SettingsError: something else is given.
    """
    need_case(case)
    need_operator(operator)
    if tolerance is not None:
        read_positive(tolerance, "tolerance", 1.0)
    posted = _posted(case, operator, tolls)
    names, parts, rows, residuals = case.trips.aggregators, [], [], {}
    shared = []
    for number, name in enumerate(names):
        solved, traffic, paid = _solve_one(case, posted, number, tolerance)
        shared.append(shared_frame(case, traffic, solved))
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
        shared=_shared(case, shared),
        residuals=residuals,
    )


def _posted(case: Case, operator: Operator, tolls: bool) -> dict[str, np.ndarray]:
    """Tariffs by station and tolls by road and station at all instants, (n, T)."""
    steps = case.settings.steps
    names = case.stations.names
    found = {
        "tariff": np.zeros((len(names), steps)),
        "road": np.zeros((len(case.roads.capacity), steps)),
        "places": np.zeros((len(names), steps)),
    }
    axis = "station", names
    found["tariff"][:, :-1] = read_table(
        case, operator.tariffs, "tariffs", axis, "tariff"
    )
    if not tolls:
        return found
    for kind, all_, chosen in (
        ("road", case.roads.limit_names, shared_limits(case)),
        ("places", names, shared_places(case)),
    ):
        rows = operator.tolls[operator.tolls["kind"] == kind]
        axis = "element", all_[chosen]
        found[kind][chosen] = read_table(case, rows, "tolls", axis, "toll", case.times)
    return found


def _shared(case: Case, parts: list[pd.DataFrame]) -> pd.DataFrame:
    """The EVs of all aggregators where they share a limit, and the limit."""
    frame = parts[0].assign(ev=sum(part["ev"].to_numpy() for part in parts))
    of_road = dict(zip(case.roads.limit_names, case.roads.capacity, strict=True))
    of_place = dict(zip(case.stations.names, case.stations.places, strict=True))
    road = (frame["kind"] == "road").to_numpy()
    limit = np.where(
        road, frame["element"].map(of_road), frame["element"].map(of_place)
    )
    return frame.assign(limit_ev=limit.astype(np.float64))


def _solve_one(case: Case, posted: dict, number: int, tolerance: float | None):
    """The solved program of one aggregator, its traffic, and what it pays."""
    draft, traffic = draft_traffic(case, number)
    hours, columns = case.settings.step_hours, draft.columns
    extra = posted["tariff"][traffic.pair_station]
    road = posted["road"][case.roads.limit[traffic.legs.arc]]
    place = posted["places"][traffic.legs.station[traffic.visits]]
    draft.cost(columns["power"], hours * (case.price + extra))
    draft.cost(columns["out"], road)
    draft.cost(columns["pool"], place)
    solved = solve_accurately(draft, tolerance)
    toll = (road * solved.values("out")).sum() + (place * solved.values("pool")).sum()
    tariff = hours * (extra * solved.values("power")).sum()
    return solved, traffic, {"tariffs": float(tariff), "tolls": float(toll)}
