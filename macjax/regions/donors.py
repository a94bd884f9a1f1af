"""Drivers of the survey and the weekday of each, as the pattern that cars follow.

A day is a chain of tours from home to home. Each tour has an anchor: the work place, or
else its farthest place. Other stops are kept as an offset from home or anchor,
whichever is nearer, so that a tour can be moved to another home and another anchor.
Places are points within their zones; vectors are complex numbers [km].
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from .draws import Draws
from .parameters import Population
from .survey import PLACES, Survey, closed_chains, order_trips
from .zones import Zones

HOME, WORK, ANCHOR, STOP = 0, 1, 2, 3


class Donors(NamedTuple):
    """Drivers and their days.

    Arguments:
        cars: one row a driver: person_id, zone (row of zones), income, is_commuter,
            work_km (straight line from home, 0 without work), first and count (rows of
            `trips`), day_km (straight line).
        trips: one row a trip, by driver and order: hour, role (of the destination:
            HOME, WORK, ANCHOR, STOP), tour (number in the day), anchor (vector from
            home), works (the anchor is the work place), offset (vector of a stop),
            near_home (the offset is from home and not from the anchor).
        counts: how many persons each rule kept, in order.
    """

    cars: pd.DataFrame
    trips: pd.DataFrame
    counts: dict


def find_donors(survey: Survey, zones: Zones, draws: Draws, p: Population) -> Donors:
    """Persons who surely drive a car of their household, and their car trips.

    Kept: car trips that are contiguous and closed at home (others, as a walk at noon,
    are left out), at least one driven alone, old enough to drive, at least one trip
    away from home; in each household those with most km, as many as it has cars.

    Arguments:
        survey: checked tables.
    """
    trips = order_trips(survey)
    counts = {"persons with trips": int(trips["person_id"].nunique())}
    trips = trips[trips["is_car"]].reset_index(drop=True)
    counts["with trips by car"] = int(trips["person_id"].nunique())
    kept = trips.groupby("person_id")["is_alone"].any().to_frame("alone")
    kept["closed"] = closed_chains(trips)
    people = survey.persons.set_index("person_id")
    kept["old"] = people["age"].reindex(kept.index) >= p.driving_age
    trips = describe_places(trips)
    kept["away"] = ~trips["idle"].groupby(trips["person_id"]).all()
    for label, rule in (
        ("chain of car trips closed at home", "closed"),
        ("drives alone at least once", "alone"),
        (f"aged {p.driving_age} or more", "old"),
        ("leaves home", "away"),
    ):
        kept = kept[kept[rule]]
        counts[label] = len(kept)
    trips = trips[trips["person_id"].isin(kept.index)]
    counts["trips from home to home left out"] = int(trips["idle"].sum())
    trips = locate(trips[~trips["idle"]].reset_index(drop=True), zones, draws)
    homes = survey.households.set_index("household_id")
    km = trips.groupby("person_id")["leg_km"].sum()
    household = people["household_id"].reindex(km.index)
    order = np.lexsort((km.index, -km.to_numpy(), household.to_numpy()))
    rank = household.iloc[order].groupby(household.iloc[order]).cumcount()
    has_car = rank < homes["auto_ownership"].reindex(household.iloc[order]).to_numpy()
    chosen = rank.index[has_car].sort_values()
    counts["a car of the household each"] = len(chosen)
    trips = trips[trips["person_id"].isin(chosen)].reset_index(drop=True)
    return Donors(*_tables(trips, chosen, people, homes, zones), counts)


def describe_places(trips: pd.DataFrame) -> pd.DataFrame:
    """Place of each destination: kind, tour, and whether the trip leads nowhere.

    Columns added: kind (HOME, WORK, STOP), tour, idle (from home to home). Work at a
    second zone counts as another stop, and the last trip of a day ends at home.
    """
    person = trips["person_id"]
    kind = trips["purpose"].map(PLACES).map({"home": HOME, "work": WORK})
    kind = kind.fillna(STOP).astype(int).to_numpy()
    at_work = trips["destination"].where(kind == WORK)
    workplace = at_work.groupby(person).transform("first")
    kind = np.where((kind == WORK) & trips["destination"].ne(workplace), STOP, kind)
    kind = np.where(~person.duplicated(keep="last"), HOME, kind)
    is_first = ~person.duplicated()
    from_home = is_first.to_numpy() | (np.append(HOME, kind[:-1]) == HOME)
    trips = trips.assign(kind=kind, idle=from_home & (kind == HOME))
    begins = pd.Series(from_home & (kind != HOME), trips.index)
    trips["tour"] = begins.groupby(person).cumsum() - 1
    return trips


def locate(trips: pd.DataFrame, zones: Zones, draws: Draws) -> pd.DataFrame:
    """Points of all places, anchors and offsets; see `Donors.trips`.

    A place is a person, a zone and a kind, wherever it comes in the day.
    """
    person, kind = trips["person_id"].to_numpy(), trips["kind"].to_numpy()

    def point(zone_ids, what):
        keys = person, zone_ids, what
        zone = zones.rows(zone_ids)
        u, v = draws.uniform("survey x", *keys), draws.uniform("survey y", *keys)
        return zones.scatter(zone, u, v)

    home = point(trips["home_zone"].to_numpy(), HOME)
    there = point(trips["destination"].to_numpy(), kind)
    there = np.where(kind == HOME, home, there)
    is_first = np.diff(person, prepend=-1) != 0
    before = np.where(is_first, home, np.append(0, there[:-1]))
    trips = trips.assign(vector=there - home, leg_km=np.abs(there - before))
    # The anchor of a tour: its work place if it has one, else its farthest place
    away = np.abs(trips["vector"].to_numpy())
    tour = [trips["person_id"], trips["tour"]]
    works = pd.Series(kind == WORK).groupby(tour).transform("any").to_numpy()
    rank = pd.Series(np.where(kind == WORK, np.inf, np.where(kind == HOME, -1, away)))
    top = rank.groupby(tour).transform("idxmax").to_numpy()
    anchor = trips["vector"].to_numpy()[top]
    vector = trips["vector"].to_numpy()
    role = np.where((kind == STOP) & (vector == anchor), ANCHOR, kind)
    near_home = np.abs(vector) <= np.abs(vector - anchor)
    offset = np.where(near_home, vector, vector - anchor)
    return trips.assign(
        role=role, anchor=anchor, works=works, near_home=near_home, offset=offset
    )


def _tables(trips, chosen, people, homes, zones: Zones):
    """The frames `cars` and `trips` of `Donors`."""
    car = chosen.get_indexer(trips["person_id"])
    count = np.bincount(car, minlength=len(chosen))
    household = people["household_id"].reindex(chosen)
    at_work = trips["role"].to_numpy() == WORK
    work_km = np.zeros(len(chosen))
    work_km[car[at_work]] = np.abs(trips["vector"].to_numpy()[at_work])
    cars = pd.DataFrame(
        {
            "person_id": chosen.to_numpy(),
            "zone": zones.rows(homes["home_zone_id"].reindex(household).to_numpy()),
            "income": homes["income"].reindex(household).to_numpy(float),
            "is_commuter": np.bincount(car, at_work, len(chosen)) > 0,
            "work_km": work_km,
            "first": np.cumsum(count) - count,
            "count": count,
            "day_km": np.bincount(car, trips["leg_km"], len(chosen)),
        }
    )
    columns = ["role", "tour", "anchor", "works", "near_home", "offset"]
    rows = trips[columns].assign(hour=trips["depart"].to_numpy(float))
    return cars, rows
