"""Raw survey tables -> the bundled scenario and its facts.

The same raw tables and `Parameters` give the same scenario.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ...scenario.scenario import Scenario
from ..soc import choose_soc
from ..survey import Survey
from .cars import equip_cars, place_chargers, split_cars
from .drivers import find_drivers
from .facts import measure
from .feeders import build_network
from .parameters import Parameters
from .week import build_week


class Built(NamedTuple):
    """The scenario and what is to be known about its making, for `facts.json`."""

    scenario: Scenario
    facts: dict


def build(survey: Survey, p: Parameters | None = None) -> Built:
    """Raw tables -> scenario: areas, drivers, cars, their week, first and last SOC."""
    p = p or Parameters()
    network = build_network(survey.zones, p)
    drivers = find_drivers(survey, p)
    cars = equip_cars(drivers, survey.zones, p)
    drivers, cars = split_cars(drivers, cars, p.fast_copies)
    trips, stays = build_week(drivers, cars, survey.zones, network.zone_feeder, p)
    stays["charger_kw"] = place_chargers(stays, cars, p)
    share = np.random.default_rng([p.seed, 5]).normal(*p.initial_share, len(cars))
    cars = cars.join(choose_soc(stays, trips, cars, share, p))
    # All electric cars of the area, spread evenly over the sampled ones
    owned = survey.households["auto_ownership"].mean() * survey.zones["TOTHH"].sum()
    kept = cars["possible"].to_numpy()
    share = cars["share"] / cars["share"][kept].sum()
    cars["weight"] = (share * p.adoption * owned / network.scale).round(4)
    frames = tables(cars, trips, stays, network, p)
    scenario = Scenario.from_frames(
        name=p.name,
        start=p.start,
        timezone=p.timezone,
        slot_minutes=p.slot_minutes,
        slots=p.slots,
        currency="USD",
        **frames,
    )
    counts = drivers.counts | {
        "rows after splitting": len(cars),
        "rows whose week is possible": int(kept.sum()),
    }
    return Built(scenario, measure(scenario, cars[kept], counts, network.scale))


def tables(cars, trips, stays, network, p: Parameters) -> dict:
    """The five tables of the scenario format, without the cars that cannot travel."""
    kept = cars["possible"].to_numpy()
    ids = "ev" + cars["person_id"].astype(str) + "-" + (cars["copy"] + 1).astype(str)
    ids = ids.to_numpy(object)
    trips = trips[kept[trips["car"].to_numpy()]]
    stays = stays[kept[stays["car"].to_numpy()]]
    start = pd.Timestamp(p.start).tz_convert("UTC")

    def instant(minutes):
        return start + pd.to_timedelta(minutes.to_numpy(), unit="min")

    vehicles = pd.DataFrame({"vehicle_id": ids})
    columns = ["battery_kwh", "initial_kwh", "reserve_kwh", "final_kwh", "weight"]
    vehicles[columns] = cars[columns]
    vehicles["charge_efficiency"] = p.efficiency
    vehicles["home_feeder"] = network.zone_feeder.reindex(cars["home_zone"]).to_numpy()
    vehicles["home_kw"] = cars["home_kw"]
    stay_rows = {
        "vehicle_id": ids[stays["car"].to_numpy()],
        "arrival": instant(stays["arrival_min"]),
        "departure": instant(stays["departure_min"]),
        "feeder_id": network.zone_feeder.reindex(stays["zone"]).to_numpy(),
        "charger_kw": stays["charger_kw"].to_numpy(),
        "place": stays["place"].to_numpy(object),
        "zone": stays["zone"].to_numpy(),
    }
    trip_rows = {
        "vehicle_id": ids[trips["car"].to_numpy()],
        "departure": instant(trips["departure_min"]),
        "arrival": instant(trips["arrival_min"]),
        "energy_kwh": trips["energy_kwh"].to_numpy(),
        "distance_km": trips["km"].to_numpy(),
    }
    return {
        "vehicles": vehicles[kept].reset_index(drop=True),
        "stays": pd.DataFrame(stay_rows),
        "trips": pd.DataFrame(trip_rows),
        "feeders": network.feeders,
        "feeder_profile": network.profile,
    }
