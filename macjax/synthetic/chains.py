"""Weekly chains of trips and stays: home, work and other stops of many vehicles.

A day has at most five legs: home to the day's place, to a stop on the way, to home,
out in the evening, and back. Legs are drawn for all vehicles and days at once as
arrays (v, d, 5) with a mask, then flattened in time order; the stays are the gaps
between them, so a vehicle with c trips has c + 1 stays and stay k comes before trip
k. Times are hours after the start of the horizon, rounded to whole minutes.
"""

import dataclasses

import numpy as np

from macjax.synthetic.recipes import Recipe

HOME, WORK, PUBLIC = 0, 1, 2
PLACES = ("home", "work", "public")
BATTERIES_KWH = (40.0, 52.0, 60.0, 75.0, 82.0)
BATTERY_SHARES = (0.20, 0.15, 0.20, 0.20, 0.25)
LEGS = 5
MINUTE = 1.0 / 60.0


@dataclasses.dataclass(frozen=True)
class Vehicles:
    """Vehicles, arrays of shape (v,): energies [kWh], powers [kW], ratios [1].

    `consumption` is battery energy per distance [kWh/km]; `home` and `work` are
    feeder numbers, -1 for none; `home_kw` and `work_kw` are charger powers.
    """

    battery: np.ndarray
    initial: np.ndarray
    reserve: np.ndarray
    efficiency: np.ndarray
    consumption: np.ndarray
    home: np.ndarray
    work: np.ndarray
    home_kw: np.ndarray
    work_kw: np.ndarray
    weight: np.ndarray


@dataclasses.dataclass(frozen=True)
class Chains:
    """Trips, arrays (r,), and stays, arrays (s,), both sorted by vehicle and time.

    `first` (v,) is the row of a vehicle's first trip and `count` (v,) how many it
    has; its stays are the `count + 1` rows from `first + v` on. Times [h], `energy`
    [kWh], `distance` [km]. `forced` is 0, or the share of the stay before the trip
    that the trip cannot do without. `feeder` is -1 for none.
    """

    first: np.ndarray
    count: np.ndarray
    trip_depart: np.ndarray
    trip_arrive: np.ndarray
    distance: np.ndarray
    energy: np.ndarray
    forced: np.ndarray
    stay_arrive: np.ndarray
    stay_depart: np.ndarray
    place: np.ndarray
    feeder: np.ndarray
    charger_kw: np.ndarray

    @property
    def trip_vehicle(self) -> np.ndarray:
        """Vehicle number of each trip, (r,)."""
        return np.repeat(np.arange(self.count.size), self.count)

    @property
    def stay_vehicle(self) -> np.ndarray:
        """Vehicle number of each stay, (s,)."""
        return np.repeat(np.arange(self.count.size), self.count + 1)


def draw_vehicles(
    rng: np.random.Generator, recipe: Recipe, home: np.ndarray, feeders: int
) -> Vehicles:
    """Vehicles with their home on the given feeders (v,), work on a random one."""
    n = home.size
    battery = rng.choice(BATTERIES_KWH, n, p=BATTERY_SHARES)
    home_kw = rng.choice((7.2, 3.6, 0.0), n, p=recipe.home_chargers)
    has_work = rng.random(n) < np.where(home_kw > 0, recipe.work_charger, 0.8)
    nearby = rng.random(n) < 0.3
    work = np.where(nearby, home, rng.integers(0, feeders, n))
    reserve = np.round(battery * rng.uniform(*recipe.reserve, n), 3)
    return Vehicles(
        battery=battery,
        initial=np.round(reserve + (battery - reserve) * rng.uniform(0.4, 0.95, n), 3),
        reserve=reserve,
        efficiency=np.round(rng.uniform(*recipe.efficiency, n), 4),
        consumption=rng.uniform(0.15, 0.23, n),
        home=home,
        work=work,
        home_kw=home_kw,
        work_kw=np.where(has_work, 6.6, 0.0),
        weight=np.ones(n),
    )


def _day_legs(rng, worker, commute_km, days, first_weekday):
    """Mask, departure, arrival [h], place and distance [km], each (v, d, 5)."""
    n = worker.size
    shape = (n, days)
    weekday = (np.arange(days) + first_weekday) % 7 < 5
    at_work = worker[:, None] & weekday & (rng.random(shape) < 0.85)
    out = at_work | (rng.random(shape) < np.where(weekday, 0.45, 0.75))
    stop = out & (rng.random(shape) < 0.25)
    evening = rng.random(shape) < 0.15

    other_km = rng.lognormal(np.log(13.0), 0.8, (n, days, 3)).clip(1.0, 90.0)
    to_place = np.where(at_work, commute_km[:, None], other_km[..., 0])
    distance = np.stack(
        (
            to_place,
            other_km[..., 1].clip(None, 30.0),
            np.where(stop, to_place * 0.9 + 2.0, to_place),
            other_km[..., 2].clip(None, 30.0),
            other_km[..., 2].clip(None, 30.0),
        ),
        axis=-1,
    )
    travel = (distance / 40.0 + 0.08).clip(None, 1.6)
    leave = np.where(
        at_work,
        rng.normal(7.8, 1.0, shape).clip(5.0, 11.0),
        rng.uniform(8.5, 15.0, shape),
    )
    stay = np.where(
        at_work,
        rng.normal(8.5, 1.0, shape).clip(4.0, 10.5),
        rng.uniform(0.5, 4.0, shape),
    )
    depart = np.empty((n, days, LEGS))
    depart[..., 0] = leave
    depart[..., 1] = leave + travel[..., 0] + stay
    visit = np.where(stop, travel[..., 1] + rng.uniform(0.3, 1.5, shape), 0.0)
    depart[..., 2] = depart[..., 1] + visit
    back = np.where(out, depart[..., 2] + travel[..., 2], 17.0)
    depart[..., 3] = np.maximum(back + 0.4, rng.uniform(18.0, 20.5, shape))
    depart[..., 4] = depart[..., 3] + travel[..., 3] + rng.uniform(0.5, 2.0, shape)
    evening &= depart[..., 4] + travel[..., 4] < 27.5
    mask = np.stack((out, stop, out, evening, evening), axis=-1)
    place = np.empty((n, days, LEGS), np.int8)
    place[...] = (PUBLIC, PUBLIC, HOME, PUBLIC, HOME)
    place[..., 0] = np.where(at_work, WORK, PUBLIC)
    depart += 24.0 * np.arange(days)[:, None]
    return mask, depart, depart + travel, place, distance


def _add_road_trips(rng, recipe, vehicles, legs, forced, slot_hours, event_hours):
    """Put a long trip with one indispensable 50 kW stop in the days of some vehicles.

    The stop lies inside one slot; some of them meet in the event slot of a feeder.
    Returns the feeder of each stop, (v,), -1 where the vehicle makes none.
    """
    mask, depart, arrive, place, distance = legs
    n, days = mask.shape[:2]
    busy = np.flatnonzero(~np.isnan(event_hours))  # feeders beside a motorway
    stop_feeder = np.full(n, -1)
    chosen = np.flatnonzero(rng.random(n) < recipe.road_trips)
    if chosen.size == 0 or busy.size == 0:
        return stop_feeder
    m = chosen.size
    feeder = rng.choice(busy, m)
    event = event_hours[feeder]
    meet = rng.random(m) < recipe.rendezvous
    day = np.where(meet, event // 24.0, rng.integers(0, days, m)).astype(int)
    hour = np.where(meet, event % 24.0, rng.uniform(8.0, 19.0, m))
    slot = np.floor((24.0 * day + hour) / slot_hours + 1e-9)
    length = np.minimum(slot_hours * rng.uniform(0.6, 0.95, m), 0.8)
    # In slots of half a day and longer not at night: that is for the day before.
    late = np.clip(24.0 * day + 8.0 - slot * slot_hours, 0.0, slot_hours - length)
    room = slot_hours - length - late
    begin = slot * slot_hours + late + rng.uniform(0.0, 1.0, m) * room
    before, after = rng.uniform(1.0, 2.0, m), rng.uniform(1.0, 2.5, m)
    rest = rng.uniform(0.5, 1.5, m)
    mask[chosen, day] = (True, False, True, False, False)
    place[chosen, day] = (PUBLIC, PUBLIC, HOME, PUBLIC, HOME)
    arrive[chosen, day, 0] = begin
    depart[chosen, day, 0] = begin - before
    depart[chosen, day, 2] = begin + length
    arrive[chosen, day, 2] = begin + length + after + rest
    reach = vehicles.battery[chosen] / vehicles.consumption[chosen]
    distance[chosen, day, 0] = reach * rng.uniform(0.35, 0.6, m)
    distance[chosen, day, 2] = reach * 0.9
    forced[chosen, day, 2] = rng.uniform(0.6, 0.98, m)
    stop_feeder[chosen] = feeder
    return stop_feeder


def draw_chains(
    rng: np.random.Generator,
    recipe: Recipe,
    vehicles: Vehicles,
    hours: float,
    slot_hours: float,
    event_hours: np.ndarray,
) -> Chains:
    """Chains over `hours` [h] from a Monday 0:00 on, before energies are checked.

    Arguments:
        event_hours: when fast charging peaks on each feeder [h], shape (f,); NaN for
            a feeder that serves no road trips.
    """
    n = vehicles.battery.size
    days = int(np.ceil(hours / 24.0 - 1e-9))
    worker = rng.random(n) < 0.75
    commute = rng.lognormal(np.log(24.0), 0.6, n).clip(2.0, 70.0)
    legs = _day_legs(rng, worker, commute, days, first_weekday=0)
    forced = np.zeros(legs[0].shape)
    stop_feeder = _add_road_trips(
        rng, recipe, vehicles, legs, forced, slot_hours, event_hours
    )
    mask, depart, arrive, place, distance = legs
    mask &= (depart > 0.0) & (depart < hours)
    count = mask.sum(axis=(1, 2))
    first = np.cumsum(count) - count
    flat = mask.reshape(-1)
    rows = [x.reshape(-1)[flat] for x in (depart, arrive, place, distance, forced)]
    depart, arrive, place, distance, forced = rows
    owner = np.repeat(np.arange(n), count)
    depart, arrive = np.round(depart / MINUTE) * MINUTE, np.round(arrive / MINUTE)
    arrive = arrive * MINUTE
    chain = _stays_between(rng, hours, n, first, count, depart, arrive, place)
    stay_arrive, stay_depart, place, forced_row = chain
    stay_forced = np.zeros(place.size)
    stay_forced[forced_row] = forced
    feeder, charger = _chargers(
        rng, recipe, vehicles, np.repeat(np.arange(n), count + 1), place,
        stay_forced > 0, stop_feeder, event_hours.size,
    )  # fmt: skip
    return Chains(
        first=first,
        count=count,
        trip_depart=depart,
        trip_arrive=arrive,
        distance=distance,
        energy=distance * vehicles.consumption[owner],
        forced=forced,
        stay_arrive=stay_arrive,
        stay_depart=stay_depart,
        place=place,
        feeder=feeder,
        charger_kw=charger,
    )


def _stays_between(rng, hours, n, first, count, depart, arrive, place):
    """The gaps between trips: arrival, departure, place (s,), row before each trip."""
    total = depart.size + n
    owner = np.repeat(np.arange(n), count)
    before_trip = np.arange(depart.size) + owner
    after_trip = before_trip + 1
    stay_arrive = np.empty(total)
    stay_depart = np.empty(total)
    stay_place = np.full(total, HOME, np.int8)
    opening = first + np.arange(n)
    closing = opening + count
    stay_arrive[after_trip] = arrive
    stay_place[after_trip] = place
    stay_arrive[opening] = -np.round(rng.uniform(30, 600, n)) * MINUTE
    stay_depart[before_trip] = depart
    late = np.maximum(hours, stay_arrive[closing])
    stay_depart[closing] = late + np.round(rng.uniform(10, 600, n)) * MINUTE
    return stay_arrive, stay_depart, stay_place, before_trip


def _chargers(
    rng, recipe, vehicles, owner, place, is_forced, stop_feeder, feeders
) -> tuple[np.ndarray, np.ndarray]:
    """Feeder number and charger power [kW] of each stay, (s,)."""
    public = (place == PUBLIC) & (rng.random(place.size) < recipe.public_charger)
    anywhere = rng.integers(0, feeders, place.size)
    feeder = np.where(
        place == HOME,
        vehicles.home[owner],
        np.where(place == WORK, vehicles.work[owner], anywhere),
    )
    feeder = np.where(is_forced, stop_feeder[owner], feeder)
    power = np.where(
        place == HOME,
        vehicles.home_kw[owner],
        np.where(place == WORK, vehicles.work_kw[owner], np.where(public, 50.0, 0.0)),
    )
    return feeder, np.where(is_forced, 50.0, power)
