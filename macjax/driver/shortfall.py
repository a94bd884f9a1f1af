"""Vehicles that cannot make their trips at full power: error, drop or relax."""

import dataclasses

import numpy as np
import pandas as pd

from macjax._errors import InfeasibleVehicles
from macjax.fleet.opportunities import Chains, Shortfall
from macjax.scenario.scenario import Scenario

POLICIES = ("error", "drop", "relax")


def infeasible_frame(scenario: Scenario, short: Shortfall) -> pd.DataFrame:
    """The frame of short vehicles: vehicle_id, trip, departure, missing_kwh [kWh]."""
    trip = pd.array(short.trip, dtype="Int64")
    trip[short.trip < 0] = pd.NA
    departures = scenario.trips["departure"].dt.tz_convert(scenario.timezone)
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
