"""From a simulated plan to a `Solution`: its value and the vehicles it strands."""

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from macjax._status import Status
from macjax.baselines._fleet import FleetArrays
from macjax.baselines._timeline import first_short_trips, soc_at_end
from macjax.certificate import Certifier
from macjax.results import Solution
from macjax.scenario.plan import Plan

# A shortfall up to this much is rounding [kWh].
SHORT_KWH = 1e-6


class Simulated(NamedTuple):
    """What a simulation hands over.

    Arguments:
        plan: the schedule.
        start_kwh: SOC at the start of the horizon, shape (vehicles,) [kWh].
        charged_kwh: energy charged up to the end of each charging stay, shape (stays,)
            [battery kWh].
        begun: `time.perf_counter()` when the simulation began [s].
    """

    plan: Plan
    start_kwh: np.ndarray
    charged_kwh: np.ndarray
    begun: float


def as_solution(
    scenario,
    fleet: FleetArrays,
    certifier: Certifier,
    simulated: Simulated,
    *,
    method: str,
    objective,
    assumptions: Iterable[str],
    settings: Mapping | None = None,
    infeasible: pd.DataFrame | None = None,
) -> Solution:
    """Value a simulated plan and list the vehicles that it strands.

    Arguments:
        certifier: gives the plan's value and the vehicles that are left out.
        method: name of the baseline.
        objective: what the plan is valued with.
        assumptions: sentences of the baseline.
        settings: more entries of `Solution.settings`.
        infeasible: vehicles that cannot make their trips, for baselines that start
            from `initial_kwh`; a fleet that starts full has no such list.
    """
    dropped = certifier.dropped
    served = ~scenario.vehicles["vehicle_id"].isin(dropped).to_numpy(bool)
    soc = simulated.start_kwh, simulated.charged_kwh
    stranded = stranded_vehicles(scenario, fleet, *soc, served)
    missing = not_recharged(fleet, *soc, served)
    return Solution(
        scenario=scenario,
        plan=simulated.plan,
        status=Status.simulated,
        message=_message(len(stranded), missing),
        objective=certifier.objective(simulated.plan),
        unmanaged_objective=certifier.unmanaged_objective,
        objective_spec=objective,
        method=method,
        on_infeasible=certifier.on_infeasible,
        infeasible=infeasible,
        dropped=dropped,
        stranded=stranded,
        settings=dict(settings or {}) | {"not_recharged_kwh": missing},
        assumptions=assumptions,
        initial_kwh=simulated.start_kwh,
        seconds={"total": time.perf_counter() - simulated.begun},
    )


def stranded_vehicles(
    scenario, fleet: FleetArrays, start_kwh, charged_kwh, served=None
) -> pd.DataFrame:
    """Vehicles that end a trip below their reserve: vehicle_id, trip, missing_kwh.

    `trip` is the row number of the first such trip, `missing_kwh` what is missing
    there [kWh].

    Arguments:
        start_kwh, charged_kwh: as in `Simulated`.
        served: vehicles to look at, shape (vehicles,), default all.
    """
    vehicle, trip, missing = first_short_trips(
        fleet.timeline,
        start_kwh,
        charged_kwh,
        fleet.reserve_kwh,
        SHORT_KWH,
    )
    if served is not None:
        kept = served[vehicle]
        vehicle, trip, missing = vehicle[kept], trip[kept], missing[kept]
    return pd.DataFrame(
        {
            "vehicle_id": scenario.vehicles["vehicle_id"].array.take(vehicle),
            "trip": pd.array(trip, "Int64"),
            "missing_kwh": missing,
        }
    )


def not_recharged(fleet: FleetArrays, start_kwh, charged_kwh, served=None) -> float:
    """Energy used and not put back by the end, sum of w (SOC start - SOC end)_+ [kWh].

    Arguments:
        start_kwh, charged_kwh: as in `Simulated`.
        served: vehicles to count, shape (vehicles,), default all.
    """
    end = soc_at_end(fleet.timeline, start_kwh, charged_kwh)
    lacking = fleet.weight * np.maximum(start_kwh - end, 0.0)
    return float(lacking.sum() if served is None else lacking[served].sum())


def _message(stranded: int, missing: float) -> str:
    trips = (
        f"{stranded} vehicles end a trip below their reserve, see .stranded"
        if stranded
        else "every vehicle makes its trips"
    )
    return f"Simulated, nothing was optimised over feeders; {trips}. " + (
        f"{missing:.6g} kWh used were not recharged by the end."
    )
