"""Build the Bay Area scenario from the raw survey tables.

    python -m macjax.regions.bay_area RAW_FOLDER OUT_FOLDER

RAW_FOLDER holds `mtc_bayarea_{households,persons,trips,zones}.csv`; written are
OUT_FOLDER/scenario and OUT_FOLDER/facts.json, older ones are replaced. The same raw
tables and `Parameters` give the same scenario.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..scenario.scenario import Scenario
from .cars import choose_soc, equip_cars, place_chargers, split_cars
from .facts import measure
from .feeders import build_network
from .parameters import Parameters
from .survey import Survey, find_drivers, read_survey
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
    cars = cars.join(choose_soc(stays, trips, cars, p))
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


def main(arguments: list[str] | None = None) -> int:
    """Command line: read the raw folder, write the scenario and its facts."""
    parser = argparse.ArgumentParser(
        prog="python -m macjax.regions.bay_area", description=__doc__
    )
    parser.add_argument("raw_folder", type=Path)
    parser.add_argument("out_folder", type=Path)
    given = parser.parse_args(arguments)
    built = build(read_survey(given.raw_folder))
    given.out_folder.mkdir(parents=True, exist_ok=True)
    built.scenario.write(given.out_folder / "scenario")
    text = json.dumps(built.facts, indent=2) + "\n"
    (given.out_folder / "facts.json").write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
