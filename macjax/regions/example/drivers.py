"""Trip chains of a travel survey -> one car per driver with a closed chain.

Keeps the persons whose weekday is a chain of car trips from home to home.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ..survey import PLACES, Survey, closed_chains, order_trips, road_km
from .parameters import Parameters


class Drivers(NamedTuple):
    """Cars and their weekday.

    Arguments:
        cars: one row a car: person_id, household_id, home_zone, income, commuter.
        chains: one row a trip, sorted by car and order: car (row of `cars`), hour,
            origin, destination (zone ids), place (of the destination), km.
        counts: how many persons each rule kept, in order.
    """

    cars: pd.DataFrame
    chains: pd.DataFrame
    counts: dict


def find_drivers(survey: Survey, p: Parameters) -> Drivers:
    """Persons who surely drive a car of their household all day, and their chains.

    Kept: all trips by car, chain closed at home, at least one trip driven alone, old
    enough to drive; in each household the ones with most km, as many as it has cars;
    of more than `most_drivers` a random sample.
    """
    trips = order_trips(survey)
    trips["km"] = road_km(survey.zones, trips["origin"], trips["destination"], p)
    by_person = trips.groupby("person_id")
    people = survey.persons.set_index("person_id").loc[by_person.size().index]
    people["km"] = by_person["km"].sum()
    people["by_car"] = by_person["is_car"].all()
    people["alone"] = by_person["is_alone"].any()
    people["closed"] = closed_chains(trips)
    counts = {"persons with trips": len(people)}
    for label, rule in (
        ("all trips by car", people["by_car"]),
        ("chain closed at home", people["closed"]),
        ("drives alone at least once", people["alone"]),
        (f"aged {p.driving_age} or more", people["age"] >= p.driving_age),
    ):
        people = people[rule.reindex(people.index)]
        counts[label] = len(people)
    people = people.sort_values(["household_id", "km"], ascending=[True, False])
    homes = survey.households.set_index("household_id")
    rank = people.groupby("household_id").cumcount()
    cars = people["household_id"].map(homes["auto_ownership"])
    people = people[rank < cars].sort_index()
    counts["a car of the household each"] = len(people)
    if len(people) > p.most_drivers:
        rng = np.random.default_rng([p.seed, 1])
        rows = rng.choice(len(people), p.most_drivers, replace=False)
        people = people.iloc[np.sort(rows)]
    counts["drivers in the sample"] = len(people)
    return describe_drivers(people, trips, homes, counts)


def describe_drivers(people, trips, households, counts: dict) -> Drivers:
    """The `Drivers` tables of the chosen persons."""
    trips = trips[trips["person_id"].isin(people.index)]
    place = trips["purpose"].map(PLACES).fillna("public")
    chains = pd.DataFrame(
        {
            "car": people.index.get_indexer(trips["person_id"]),
            "hour": trips["depart"].to_numpy(float),
            "origin": trips["origin"].to_numpy(),
            "destination": trips["destination"].to_numpy(),
            "place": place.to_numpy(),
            "purpose": trips["purpose"].to_numpy(),
            "km": trips["km"].to_numpy(),
        }
    )
    commuter = (chains["place"] == "work").groupby(chains["car"]).any()
    home = people["household_id"].map(households["home_zone_id"])
    cars = pd.DataFrame(
        {
            "person_id": people.index.to_numpy(),
            "household_id": people["household_id"].to_numpy(),
            "home_zone": home.to_numpy(),
            "income": people["household_id"].map(households["income"]).to_numpy(),
            "commuter": commuter.to_numpy(),
        }
    )
    return Drivers(cars, chains, counts)
