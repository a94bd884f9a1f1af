"""Vehicles that cannot make their trips at full power: error, drop or relax."""

import dataclasses

import numpy as np
import pandas as pd

from macjax._errors import DataError, Fault
from macjax.fleet.opportunities import Chains, Shortfall
from macjax.scenario.scenario import Scenario

POLICIES = ("error", "drop", "relax")
SHOWN = 10


class InfeasibleVehicles(DataError):
    """Some vehicles cannot make their trips even at full power.

    `infeasible` is the frame of them: vehicle_id, trip (row number of the first trip
    that fails, missing where only the final SOC is short), departure, missing_kwh.
    """

    def __init__(self, infeasible: pd.DataFrame):
        self.infeasible = infeasible
        rule = (
            "cannot make its trips even at full power; on_infeasible='drop' leaves "
            "such vehicles out, 'relax' lets them do their best"
        )
        ids = tuple(infeasible["vehicle_id"].head(SHOWN))
        fault = Fault("vehicles", "vehicle_id", rule, len(infeasible), ids)
        super().__init__([fault], title="infeasible vehicles")

    def __str__(self) -> str:
        table = self.infeasible.head(SHOWN).to_string(index=False)
        return f"{super().__str__()}\n{table}"


def infeasible_frame(scenario: Scenario, short: Shortfall) -> pd.DataFrame:
    """The frame of short vehicles: vehicle_id, trip, departure, missing_kwh [kWh]."""
    trip = pd.array(short.trip, dtype="Int64")
    trip[short.trip < 0] = pd.NA
    departures = scenario.trips["departure"]
    departure = departures.reindex(short.trip).reset_index(drop=True)
    ids = scenario.vehicles["vehicle_id"].iloc[short.vehicle].reset_index(drop=True)
    return pd.DataFrame(
        {
            "vehicle_id": ids,
            "trip": trip,
            "departure": departure,
            "missing_kwh": short.missing_kwh,
        }
    )


def apply_policy(scenario: Scenario, chains: Chains, policy: str):
    """Chains after the policy, and the ids of the vehicles that were dropped."""
    short = chains.shortfall
    if len(short.vehicle) == 0 or policy == "relax":
        return chains, []
    if policy == "error":
        raise InfeasibleVehicles(infeasible_frame(scenario, short))
    out = np.zeros(len(chains.count), bool)
    out[short.vehicle] = True
    keep = ~out[chains.vehicle]
    count = np.where(out, 0, chains.count)
    names = ["row", "vehicle", "feeder", "begin", "end", "slot_kwh", "lower", "upper"]
    chains = dataclasses.replace(
        chains,
        **{name: getattr(chains, name)[keep] for name in names},
        count=count,
        first=np.cumsum(count) - count,
    )
    return chains, scenario.vehicles["vehicle_id"].iloc[short.vehicle].tolist()
