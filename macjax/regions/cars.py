"""A chunk of electric cars from nothing to their week: homes, days, chargers, SOC.

All random numbers belong to a car's id, so the chunks in which cars are built mean
nothing. A car that its chargers do not carry through the week gets fast stops; one that
cannot make it with them either is left out and counted.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from .calendar import Calendar
from .chains import park, time_trips
from .config import RegionConfig
from .donors import Donors
from .draws import Draws
from .equipment import equip_cars, longest_day, place_chargers
from .itinerary import AT_HOME, AT_WORK, Ground, add_work, plan_days, unfold
from .network import Network
from .population import Electric, Pools, make_cars
from .soc import choose_soc
from .stops import due_stops, insert_stops

KEPT = "kept"


class World(NamedTuple):
    """All that is the same for every car of a region."""

    config: RegionConfig
    calendar: Calendar
    ground: Ground
    donors: Donors
    pools: Pools
    network: Network
    electric: Electric
    draws: Draws


class Week(NamedTuple):
    """Cars and what they do, by car and time.

    Arguments:
        cars: one row a car.
        trips: car, departure_min, arrival_min, km, energy_kwh and where they lead.
        stays: car, arrival_min, departure_min, zone, place, charger_kw.
    """

    cars: pd.DataFrame
    trips: pd.DataFrame
    stays: pd.DataFrame


def build_cars(world: World, rows) -> Week:
    """The week of the electric cars `rows`; an impossible one has no trips and stays.

    Columns of the cars, among others: without (no charger at home or work), helped
    (fast stops, since its chargers do not carry it), raised (SOC at the start),
    possible, planned_km (of its trips without fast stops).

    Arguments:
        rows: row numbers of `world.electric`.
    """
    config, draws, zones = world.config, world.draws, world.ground.zones
    cars = make_cars(world.electric, rows, zones, world.donors, world.pools, draws)
    cars = add_work(cars, world.ground, draws, config.population)
    plan = plan_days(
        cars, world.pools, world.calendar, draws, config.population, config.travel
    )
    trips = unfold(
        cars, plan, world.donors, world.ground, world.calendar, draws,
        config.population, config.travel,
    )  # fmt: skip
    days = len(world.calendar.weekday)
    longest = longest_day(trips, len(cars), days)
    planned = np.bincount(trips["car"].to_numpy(), trips["km"], len(cars))
    cars = equip_cars(cars, longest, zones, draws, config.fleet, config.chargers)
    mean, spread = config.fleet.initial_share
    share = mean + spread * draws.normal("initial", cars["key"].to_numpy())
    cars["share"] = share.clip(config.fleet.reserve_share, 1)
    cars["planned_km"] = planned
    without = ((cars["home_kw"] == 0) & (cars["work_kw"] == 0)).to_numpy()
    week = finish(world, cars, trips, without)
    helped = ~week.cars["possible"].to_numpy() & ~without
    if helped.any():
        week = join(leave(week, helped), finish(world, *pick(cars, trips, helped)))
    possible = week.cars["possible"].to_numpy()
    raised = week.cars["initial_kwh"] > week.cars["drawn_kwh"] + 1e-9
    cars = week.cars.assign(without=without, helped=helped, raised=raised)
    return leave(week._replace(cars=cars), ~possible)


def count_rules(cars: pd.DataFrame) -> dict:
    """How many of these cars each rule concerned."""
    possible = cars["possible"].to_numpy()
    rules = {
        KEPT: possible,
        "fast stops, no charger at home or work": possible & cars["without"],
        "fast stops, their chargers do not carry them": possible & cars["helped"],
        "SOC at the start raised": possible & cars["raised"],
        "left out, no charging makes the week possible": ~possible,
    }
    return {label: int(np.count_nonzero(mask)) for label, mask in rules.items()}


def finish(world: World, cars: pd.DataFrame, trips: pd.DataFrame, stops) -> Week:
    """Energies, fast stops of the cars in `stops` (a mask), clock, chargers and SOC."""
    config, draws = world.config, world.draws
    days, end = len(world.calendar.weekday), world.calendar.minutes
    key = cars["key"].to_numpy()
    weather = draws.normal("weather", key[:, None], np.arange(days))
    weather = 1 + config.fleet.energy_spread * weather
    weather = weather.clip(*config.fleet.energy_range)
    rate = cars["kwh_per_km"].to_numpy()[:, None] * weather
    energy = day_energy(trips, rate)
    gone = ((1 - cars["share"]) * cars["battery_kwh"]).to_numpy()
    minutes = due_stops(energy, cars, gone, config.fleet, config.chargers)
    minutes *= np.asarray(stops)[:, None]
    trips = insert_stops(trips, minutes, cars["zone"].to_numpy(), config.chargers)
    car, day = trips["car"].to_numpy(), trips["day"].to_numpy()
    trips["energy_kwh"] = (rate[car, day] * trips["km"].to_numpy()).round(3)
    trips["km"] = trips["km"].round(2)
    trips = time_trips(trips, config.travel)
    home = pd.DataFrame({"zone": cars["zone"].to_numpy(), "place": np.int8(AT_HOME)})
    home = home.assign(habit=0, step=-1)
    stays = park(trips, home, end)
    stays["charger_kw"] = place_chargers(
        stays, cars, world.ground.zones, draws, config.chargers
    )
    trips = trips[trips["departure_min"] < end].reset_index(drop=True)
    soc = choose_soc(stays, trips, cars, cars["share"].to_numpy(), config.fleet)
    cars = cars.assign(**{name: soc[name].to_numpy() for name in soc})
    return Week(cars, trips, stays)


def day_energy(trips: pd.DataFrame, rate: np.ndarray) -> np.ndarray:
    """Battery energy of each car and day [kWh], shape (cars, days).

    Arguments:
        rate: kWh a km of each car and day.
    """
    cell = trips["car"].to_numpy() * rate.shape[1] + trips["day"].to_numpy()
    km = np.bincount(cell, trips["km"], rate.size).reshape(rate.shape)
    return rate * km


def pick(cars, trips, chosen):
    """Cars and trips of the chosen cars alone, and a mask that takes them all."""
    number = np.cumsum(chosen) - 1
    trips = trips[chosen[trips["car"].to_numpy()]].reset_index(drop=True)
    trips["car"] = number[trips["car"].to_numpy()]
    # `owner` remembers where they came from
    cars = cars[chosen].assign(owner=np.flatnonzero(chosen)).reset_index(drop=True)
    return cars, trips, np.ones(len(cars), bool)


def leave(week: Week, out: np.ndarray) -> Week:
    """The week without the cars in `out`; the rows of others keep their car numbers."""
    if not out.any():
        return week
    trips, stays = (
        frame[~out[frame["car"].to_numpy()]] for frame in (week.trips, week.stays)
    )
    return Week(week.cars, trips, stays)


def join(rest: Week, again: Week) -> Week:
    """Put cars that were finished again in their old places."""
    owner = again.cars["owner"].to_numpy()
    cars = rest.cars.copy()
    for name in ("drawn_kwh", "initial_kwh", "final_kwh", "possible"):
        values = cars[name].to_numpy(copy=True)
        values[owner] = again.cars[name].to_numpy()
        cars[name] = values
    frames = []
    for old, new in ((rest.trips, again.trips), (rest.stays, again.stays)):
        both = pd.concat([old, new.assign(car=owner[new["car"].to_numpy()])])
        order = np.argsort(both["car"].to_numpy(), kind="stable")
        frames.append(both.iloc[order].reset_index(drop=True))
    return Week(cars, *frames)


def stay_feeders(stays: pd.DataFrame, cars: pd.DataFrame, world: World) -> np.ndarray:
    """Row of the feeder of each stay: at a place of its zone that stays the same.

    Home and work of a car have one place each; elsewhere it goes with the trip.
    """
    draws, car = world.draws, stays["car"].to_numpy()
    place, key = stays["place"].to_numpy(), cars["key"].to_numpy()
    home, work = (draws.uniform(f"{at} spot", key) for at in ("home", "work"))
    spot = draws.uniform("spot", key[car], stays["habit"], stays["step"])
    spot = np.where(place == AT_HOME, home[car], spot)
    spot = np.where(place == AT_WORK, work[car], spot)
    return world.network.feeder_at(stays["zone"].to_numpy(), spot)
