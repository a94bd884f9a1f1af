"""Which day each car drives on each date, moved to its own home and places.

A tour of a driver is moved without bending: home on home, and its anchor, at the same
distance, turned towards a zone that is drawn by attraction among those at that
distance (`RingDraw`). Stops keep their offset from home or anchor, turned alike. The
work place of a car is drawn once; of a repeated own day all is drawn once.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from .calendar import Calendar
from .donors import HOME, STOP, Donors
from .draws import Draws
from .parameters import Population, Travel
from .population import Pools
from .zones import NearestZone, RingDraw, Zones

# Places as numbers; `tables` gives their words
AT_HOME, AT_WORK, AT_PUBLIC, AT_FAST = 0, 1, 2, 3
PLACE_WORDS = ("home", "work", "public", "fast")
OWN = 0  # the habit that all repeated own days share; others have one a day
_MINUTES = 10**6  # more than any minute of a day


class Ground(NamedTuple):
    """Where cars can go: zones, searches for work and other places, nearest zones."""

    zones: Zones
    to_work: RingDraw
    to_others: RingDraw
    nearest: NearestZone


class Plan(NamedTuple):
    """What each car does on each date, arrays (cars, days).

    Arguments:
        travels: it leaves home.
        driver: row of the donor whose day it drives.
        habit: OWN on repeated own days, else the number of the date from 1 on.
    """

    travels: np.ndarray
    driver: np.ndarray
    habit: np.ndarray


def lay_ground(zones: Zones, population: Population, travel: Travel) -> Ground:
    """Search tables of a region; work by jobs, other places by jobs and households."""
    jobs = zones.jobs / max(zones.jobs.sum(), 1e-300)
    homes = zones.households / max(zones.households.sum(), 1e-300)
    other = (1 - population.leisure_households) * jobs
    other = other + population.leisure_households * homes
    return Ground(
        zones,
        RingDraw.of(zones, jobs, population, travel),
        RingDraw.of(zones, other, population, travel),
        NearestZone.of(zones),
    )


def plan_days(
    cars: pd.DataFrame,
    pools: Pools,
    calendar: Calendar,
    draws: Draws,
    population: Population,
    travel: Travel,
) -> Plan:
    """Who travels on which date, and whose day it is."""
    key, zone = cars["key"].to_numpy()[:, None], cars["zone"].to_numpy()
    working = cars["is_commuter"].to_numpy()
    date = np.arange(len(calendar.weekday))[None]
    stays = np.where(working, travel.commuter_at_home, travel.other_at_home)
    goes = np.tile(1 - stays[:, None], date.shape)
    weekend = calendar.is_weekend
    goes[:, weekend] = np.array(travel.weekend_travel)[calendar.weekday[weekend] - 5]
    travels = draws.uniform("travels", key, date) < goes
    own = draws.uniform("own day", key, date) < population.same_day_share
    own &= ~weekend[None]
    u = draws.uniform("other driver", key, date)
    zones = np.broadcast_to(zone[:, None], u.shape)
    follows_working = working[:, None] & ~weekend[None]
    other = np.where(
        follows_working, pools.working.pick(zones, u), pools.other.pick(zones, u)
    )
    driver = np.where(own, cars["driver"].to_numpy()[:, None], other)
    return Plan(travels, driver, np.where(own, OWN, date + 1))


def turn(target: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """The unit complex number that turns `vector` into the direction of `target`."""
    turned = target * np.conj(vector)
    length = np.abs(turned)
    return np.where(length > 0, turned / np.where(length > 0, length, 1), 1)


def send(home, zone, radius, draw_zone: RingDraw, zones: Zones, draws, what, *keys):
    """A zone about `radius` from home, and the point at that distance towards it."""
    found = draw_zone(zone, radius, draws.uniform(what, *keys))
    u, v = draws.uniform(what + " x", *keys), draws.uniform(what + " y", *keys)
    direction = turn(zones.scatter(found, u, v) - home, np.ones(len(found)))
    return found, home + radius * direction


def stretched(radius, spread: float, draws: Draws, what: str, *keys) -> np.ndarray:
    """Distances times a factor uniform within 1 +- spread."""
    return radius * (1 + spread * (2 * draws.uniform(what, *keys) - 1))


def add_work(cars: pd.DataFrame, ground: Ground, draws: Draws, p: Population):
    """Cars with the columns work (point) and work_zone; home where there is none."""
    key, zone = cars["key"].to_numpy(), cars["zone"].to_numpy()
    home = cars["home"].to_numpy()
    radius = cars["work_km"].to_numpy()
    radius = stretched(radius, p.distance_spread, draws, "work km", key)
    found, point = send(
        home, zone, radius, ground.to_work, ground.zones, draws, "work", key
    )
    working = cars["is_commuter"].to_numpy()
    return cars.assign(
        work=np.where(working, point, home), work_zone=np.where(working, found, zone)
    )


def unfold(
    cars: pd.DataFrame,
    plan: Plan,
    donors: Donors,
    ground: Ground,
    calendar: Calendar,
    draws: Draws,
    population: Population,
    travel: Travel,
) -> pd.DataFrame:
    """All trips of the cars, by car and order.

    Columns: car (row of `cars`), day, habit, step (number in the day), wanted
    departure [min], km, zone and place of the destination, least_stay [min].

    Arguments:
        cars: with work places.
    """
    car, day = np.nonzero(plan.travels)
    driver, habit = plan.driver[car, day], plan.habit[car, day]
    length = donors.cars["count"].to_numpy()[driver]
    chain = np.repeat(np.arange(len(car)), length)
    step = np.arange(len(chain)) - np.repeat(np.cumsum(length) - length, length)
    rows = donors.cars["first"].to_numpy()[driver][chain] + step
    theirs = {name: donors.trips[name].to_numpy()[rows] for name in donors.trips}
    key = cars["key"].to_numpy()[car]
    point, zone = find_places(
        cars.iloc[car], habit, chain, theirs, ground, draws, population
    )
    home = cars["home"].to_numpy()[car][chain]
    before = np.where(step == 0, home, np.append(0, point[:-1]))
    km = np.maximum(travel.detour * np.abs(point - before), travel.shortest_km)
    minute = 60 * (
        theirs["hour"] + draws.uniform("minute", key[chain], habit[chain], step)
    )
    # Within a chain the minutes of one hour go up: hours do so already
    wanted = np.sort(minute + chain * _MINUTES) - chain * _MINUTES
    shift = travel.habit_shift_minutes * draws.normal("shift", key, day)
    place = np.array((AT_HOME, AT_WORK, AT_PUBLIC, AT_PUBLIC), np.int8)[theirs["role"]]
    return pd.DataFrame(
        {
            "car": car[chain],
            "day": day[chain],
            "habit": habit[chain],
            "step": step,
            "wanted": wanted + (shift + calendar.midnight[day])[chain],
            "km": km,
            "zone": zone,
            "place": place,
            "least_stay": travel.shortest_stay_minutes,
        }
    )


def find_places(of_chain, habit, chain, theirs, ground: Ground, draws: Draws, p):
    """Point and zone of each destination.

    Arguments:
        of_chain: the car of each chain, a frame with one row a chain.
        habit: of each chain.
        chain: of each trip.
        theirs: arrays of the donors' trips, one entry a trip.

    Returns:
        points [km, complex] and zone rows, (trips,).
    """
    tour = (
        np.cumsum(
            (np.diff(chain, prepend=-1) != 0)
            | (np.diff(theirs["tour"], prepend=-1) != 0)
        )
        - 1
    )
    first = np.flatnonzero(np.diff(tour, prepend=-1))
    its = chain[first]  # the chain of each tour
    home, zone = (of_chain[c].to_numpy()[its] for c in ("home", "zone"))
    vector, works = theirs["anchor"][first], theirs["works"][first]
    keys = of_chain["key"].to_numpy()[its], habit[its], theirs["tour"][first]
    radius = stretched(np.abs(vector), p.distance_spread, draws, "tour km", *keys)
    found, anchor = send(
        home, zone, radius, ground.to_others, ground.zones, draws, "anchor", *keys
    )
    anchor = np.where(works, of_chain["work"].to_numpy()[its], anchor)
    found = np.where(works, of_chain["work_zone"].to_numpy()[its], found)
    turned = turn(anchor - home, vector)
    role, near_home = theirs["role"], theirs["near_home"]
    base = np.where(
        (role == STOP) & near_home | (role == HOME), home[tour], anchor[tour]
    )
    point = base + np.where(role == STOP, theirs["offset"] * turned[tour], 0)
    zone = np.where(role == HOME, zone[tour], found[tour])
    stops = role == STOP
    zone[stops] = ground.nearest(point[stops])
    return point, zone
