"""What the simulated baselines share: how they begin, and their `Solution`.

A simulated plan is valued with the objective, and the vehicles that it strands and the
energy that it does not put back are told.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from macjax._errors import InfeasibleVehicles
from macjax._status import Status
from macjax.certificate import Certifier
from macjax.fleet.opportunities import FEASIBLE_KWH, Chains, trips_below_reserve
from macjax.objectives import PeakOverload
from macjax.results import Solution
from macjax.scenario.plan import Plan


class Simulation(NamedTuple):
    """A simulation under way.

    Arguments:
        scenario: the checked tables.
        objective: what the plan is valued with.
        certifier: gives the plan's value and the vehicles that are left out.
        served: vehicles that are not left out, bool, shape (vehicles,).
        infeasible: frame of the vehicles that cannot make their trips from
            `initial_kwh` on: vehicle_id, trip, departure, missing_kwh.
        begun: `time.perf_counter()` when the simulation began [s].
    """

    scenario: Any
    objective: Any
    certifier: Certifier
    served: np.ndarray
    infeasible: pd.DataFrame
    begun: float

    @classmethod
    def begin(cls, scenario, objective, on_infeasible: str = "relax") -> "Simulation":
        """Check the scenario and prepare what values a plan.

        Arguments:
            objective: None is `PeakOverload()`.
            on_infeasible: what becomes of vehicles that cannot make their trips:
                "relax", "drop" or "error", which raises `InfeasibleVehicles`.
        """
        begun = time.perf_counter()
        scenario.validate()
        objective = PeakOverload() if objective is None else objective
        certifier = Certifier(scenario, objective, on_infeasible)
        infeasible = certifier.infeasible
        if on_infeasible == "error" and len(infeasible):
            raise InfeasibleVehicles(infeasible)
        out = scenario.vehicles["vehicle_id"].isin(certifier.dropped).to_numpy(bool)
        return cls(scenario, objective, certifier, ~out, infeasible, begun)

    def of_served(self, chains: Chains, energy_kwh) -> np.ndarray:
        """Energies of charging stays, 0 for vehicles that are left out, (stays,)."""
        return np.where(self.served[chains.vehicle], energy_kwh, 0.0)

    def solution(
        self,
        chains: Chains,
        plan: Plan,
        charged_kwh,
        *,
        start: str,
        method: str,
        assumptions: Iterable[str],
        settings: Mapping | None = None,
    ) -> Solution:
        """Value a simulated plan and list the vehicles that it strands.

        Arguments:
            chains: the charging stays.
            plan: the schedule.
            charged_kwh: energy charged up to the end of each charging stay, shape
                (stays,) [battery kWh].
            start: column of the vehicles table with the SOC at the start.
            method: name of the baseline.
            assumptions: sentences of the baseline.
            settings: more entries of `Solution.settings`.
        """
        scenario, certifier = self.scenario, self.certifier
        # Those left out stay where the table has them, so that any judge finds them.
        own = scenario.vehicles[start].where(
            self.served, scenario.vehicles["initial_kwh"]
        )
        start_kwh = own.to_numpy(np.float64)
        stranded = stranded_vehicles(
            scenario, chains, start_kwh, charged_kwh, self.served
        )
        missing = not_recharged(scenario, chains, charged_kwh, self.served)
        # A fleet that starts full is short only of what `.stranded` lists, unless
        # vehicles were left out.
        lists = start == "initial_kwh" or certifier.on_infeasible == "drop"
        return Solution(
            scenario=scenario,
            plan=plan,
            status=Status.simulated,
            message=_message(len(stranded), missing),
            objective=certifier.objective(plan),
            unmanaged_objective=certifier.unmanaged_objective,
            objective_spec=self.objective,
            method=method,
            on_infeasible=certifier.on_infeasible,
            infeasible=self.infeasible if lists else None,
            dropped=certifier.dropped,
            stranded=stranded,
            settings=dict(settings or {}) | {"not_recharged_kwh": missing},
            assumptions=assumptions,
            initial_kwh=start_kwh,
            seconds={"total": time.perf_counter() - self.begun},
        )


def stranded_vehicles(
    scenario, chains: Chains, start_kwh, charged_kwh, served=None
) -> pd.DataFrame:
    """Vehicles that end a trip below their reserve: vehicle_id, trip, missing_kwh.

    `trip` is the row number of the first such trip, `missing_kwh` what is missing
    there [kWh].

    Arguments:
        start_kwh: SOC at the start of the horizon, shape (vehicles,) [kWh].
        charged_kwh: energy charged up to the end of each charging stay, shape (stays,)
            [battery kWh].
        served: vehicles to look at, shape (vehicles,), default all.
    """
    short = trips_below_reserve(scenario, chains, start_kwh, charged_kwh)
    kept = slice(None) if served is None else served[short.vehicle]
    return pd.DataFrame(
        {
            "vehicle_id": scenario.vehicles["vehicle_id"].array.take(
                short.vehicle[kept]
            ),
            "trip": pd.array(short.trip[kept], "Int64"),
            "missing_kwh": short.missing_kwh[kept],
        }
    )


def not_recharged(scenario, chains: Chains, charged_kwh, served=None) -> float:
    """Energy used and not put back by the end, sum of w (SOC start - SOC end)_+ [kWh].

    A vehicle that lacks `FEASIBLE_KWH` or less counts as recharged.

    Arguments:
        charged_kwh: as in `stranded_vehicles`.
        served: vehicles to count, shape (vehicles,), default all.
    """
    trips, vehicles = scenario.trip_events(), len(scenario.vehicles)
    charged = np.zeros(vehicles)
    last = (chains.first + chains.count - 1)[chains.count > 0]
    charged[chains.vehicle[last]] = charged_kwh[last]
    lacking = np.bincount(trips.vehicle, trips.energy_kwh, vehicles) - charged
    weight = scenario.vehicles["weight"].to_numpy(np.float64)
    lacking = weight * np.where(lacking > FEASIBLE_KWH, lacking, 0.0)
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
