"""One weekday's chain of trips -> a week of trips and stays, minute by minute.

Monday to Friday repeat the chain with the car's habitual minutes within the survey's
whole hours and a shift of the day; some days are spent at home. On Saturday and Sunday
some cars make one outing. Times are whole minutes since the start.
"""

import numpy as np
import pandas as pd

from ..chains import park, time_trips
from ..survey import DISCRETIONARY, road_km
from .drivers import Drivers
from .parameters import Parameters

DAY = 1440
COLUMNS = ["car", "day", "order", "wanted", "zone", "place", "km", "least_stay"]


def weekday_trips(drivers: Drivers, p: Parameters) -> pd.DataFrame:
    """The chain on each weekday that the car travels, with wanted departures [min]."""
    rng = np.random.default_rng([p.seed, 6])
    chains, days = drivers.chains, min(p.days, 5)
    minute = rng.uniform(0, 60, len(chains))
    count = len(drivers.cars)
    shift = rng.normal(0, p.habit_shift_minutes, (count, days))
    commuter = drivers.cars["commuter"].to_numpy()
    at_home = np.where(commuter, p.commuter_at_home, p.other_at_home)
    travels = rng.random((count, days)) >= at_home[:, None]
    row, day = np.divmod(np.arange(len(chains) * days), days)
    row = row[keep := travels[chains["car"].to_numpy()[row], day]]
    day = day[keep]
    car = chains["car"].to_numpy()[row]
    wanted = day * DAY + 60 * chains["hour"].to_numpy()[row] + minute[row]
    return pd.DataFrame(
        {
            "car": car,
            "day": day,
            "order": 2 * row,
            "wanted": wanted + shift[car, day],
            "zone": chains["destination"].to_numpy()[row],
            "place": chains["place"].to_numpy(object)[row],
            "km": chains["km"].to_numpy()[row],
            "least_stay": p.shortest_stay_minutes,
        }
    )


def draw_destinations(drivers: Drivers, area_of_zone, areas, rng) -> np.ndarray:
    """A destination zone for each car, from discretionary trips that start in its area.

    An area without such trips takes them from the whole region.
    """
    pool = drivers.chains[drivers.chains["purpose"].isin(DISCRETIONARY)]
    start = area_of_zone.reindex(pool["origin"]).to_numpy(object)
    order = np.argsort(start, kind="stable")
    zone, start = pool["destination"].to_numpy()[order], start[order]
    low = np.searchsorted(start, areas, "left")
    high = np.searchsorted(start, areas, "right")
    empty = low == high
    low, high = np.where(empty, 0, low), np.where(empty, len(zone), high)
    return zone[low + (rng.random(len(areas)) * (high - low)).astype(int)]


def weekend_trips(drivers, zones, area_of_zone, p: Parameters) -> pd.DataFrame:
    """One round trip to a discretionary destination on some Saturdays and Sundays."""
    home = drivers.cars["home_zone"].to_numpy()
    areas = area_of_zone.reindex(home).to_numpy(object)
    parts = []
    for day, share in zip(range(5, min(p.days, 7)), p.weekend_outing, strict=False):
        rng = np.random.default_rng([p.seed, 7, day])
        zone = draw_destinations(drivers, area_of_zone, areas, rng)
        leave = day * DAY + 60 * rng.uniform(*p.outing_hours, len(home))
        dwell = np.round(60 * rng.uniform(*p.outing_dwell_hours, len(home)))
        goes = np.flatnonzero(rng.random(len(home)) < share)
        km = road_km(zones, home, zone, p)
        out = pd.DataFrame({"car": goes, "day": day, "order": 0, "wanted": leave[goes]})
        out["zone"], out["place"], out["km"] = zone[goes], "public", km[goes]
        back = out.assign(order=2, wanted=-np.inf, zone=home[goes], place="home")
        out["least_stay"] = dwell[goes].astype(int)
        back["least_stay"] = p.shortest_stay_minutes
        parts += [out, back]
    return pd.concat(parts)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def insert_stops(trips: pd.DataFrame, cars: pd.DataFrame, p: Parameters):
    """Fast stops near home on the last way home of every `stop_every`-th travel day."""
    last = ~trips.duplicated(["car", "day"], keep="last")
    car = trips["car"].to_numpy()
    every = cars["stop_every"].to_numpy()[car]
    travelled = last.groupby(trips["car"]).cumsum().to_numpy()
    phase = cars["stop_phase"].to_numpy()[car]
    due = last & (every > 0) & ((travelled + phase) % np.maximum(every, 1) == 0)
    onward = trips[due].assign(
        order=trips["order"][due] + 1,
        wanted=-np.inf,
        km=p.stop_to_home_km,
        least_stay=p.shortest_stay_minutes,
    )
    trips = trips.assign(
        place=trips["place"].where(~due, "fast"),
        least_stay=trips["least_stay"].where(
            ~due, cars["stop_minutes"].to_numpy()[car]
        ),
    )
    trips = pd.concat([trips, onward])
    return trips.sort_values(["car", "day", "order"], ignore_index=True)


def build_week(drivers, cars, zones, area_of_zone, p: Parameters):
    """Trips and stays of all cars over the horizon, sorted by car and time.

    Trips: car, departure_min, arrival_min, km, energy_kwh. Stays: car, arrival_min,
    departure_min, zone, place. Rows that begin at the end or later are cut.
    """
    parts = [weekday_trips(drivers, p)]
    parts.append(weekend_trips(drivers, zones, area_of_zone, p))
    trips = pd.concat([part for part in parts if len(part)])
    trips = trips.sort_values(["car", "day", "order"], ignore_index=True)
    trips = time_trips(insert_stops(trips, cars, p), p)
    rng = np.random.default_rng([p.seed, 8])
    weather = rng.normal(1.0, p.energy_spread, (len(cars), p.days)).clip(
        *p.energy_range
    )
    use = cars["kwh_per_km"].to_numpy()[trips["car"]] * trips["km"]
    trips["energy_kwh"] = (use * weather[trips["car"], trips["day"]]).round(3)
    trips["km"] = trips["km"].round(2)
    home = pd.DataFrame({"zone": cars["home_zone"].to_numpy(), "place": "home"})
    stays = park(trips, home, p.days * DAY)
    keep = ["car", "departure_min", "arrival_min", "km", "energy_kwh"]
    trips = trips.loc[trips["departure_min"] < p.days * DAY, keep]
    return trips.reset_index(drop=True), stays
