"""What is known of travel, charging at work and feeders, to set beside a region.

The survey's figures count all its car trips, not only those of the drivers that cars
follow. Sessions are quantiles of measured ones at two work places (ACN-Data), which
come with the package; feeders are published quantiles.
"""

import json
from importlib.resources import files

import numpy as np
import pandas as pd

from .chains import travel_minutes
from .donors import HOME, describe_places
from .parameters import Population, Travel
from .survey import Survey, closed_chains, order_trips, road_km

# People in the car; three or more are 3.5 on average [assumed, as in the travel model]
OCCUPANTS = {"DRIVEALONE": 1.0, "SHARED2": 2.0, "SHARED3": 3.5}
# Annual least thermal headroom of the median line section, 10 to 90 % [kW]
HEADROOM_QUANTILES = (226, 540, 850, 1310, 1860)


def survey_car_trips(survey: Survey) -> pd.DataFrame:
    """All car trips of the survey with km, minutes, cars (of each trip), is_driver.

    A driver is a person old enough who drives alone at least once that day.
    """
    travel = Travel()
    trips = order_trips(survey)
    trips = trips[trips["is_car"]].reset_index(drop=True)
    trips["km"] = road_km(survey.zones, trips["origin"], trips["destination"], travel)
    trips["minutes"] = travel_minutes(trips["km"], travel)
    mode = trips["trip_mode"].str.extract("(" + "|".join(OCCUPANTS) + ")")[0]
    trips["cars"] = 1 / mode.map(OCCUPANTS)
    ages = survey.persons.set_index("person_id")["age"]
    alone = trips.groupby("person_id")["is_alone"].any()
    drives = alone & (ages.reindex(alone.index) >= Population().driving_age)
    return trips.assign(is_driver=trips["person_id"].map(drives).to_numpy(bool))


def spread_arrivals(trips: pd.DataFrame, steps: int = 12) -> np.ndarray:
    """Shares of arrivals by hour when departures spread evenly over their hours."""
    total = np.zeros(24)
    for step in range(steps):
        at = trips["depart"] + (step + 0.5) / steps + trips["minutes"] / 60
        total += share_by_hour(at, trips["cars"])
    return total / steps


def survey_at_home(trips: pd.DataFrame) -> np.ndarray:
    """Share at home at half past each hour, of drivers whose car chain is closed.

    A departure counts half an hour after its whole hour, the middle of where it may be.
    """
    closed = closed_chains(trips)
    closed = trips["person_id"].map(closed).to_numpy(bool)
    trips = trips[closed & trips["is_driver"].to_numpy()]
    trips = describe_places(trips.reset_index(drop=True))
    trips = trips[~trips["idle"]]
    comes = trips["kind"] == HOME
    leaves = ~trips.duplicated(["person_id", "tour"])
    at = np.arange(24)[:, None] + 0.5
    depart = (trips["depart"] + 0.5).to_numpy()
    arrive = depart + trips["minutes"].to_numpy() / 60
    gone = (leaves.to_numpy() * half_step(at - depart)).sum(1)
    back = (comes.to_numpy() * half_step(at - arrive)).sum(1)
    return 1 - (gone - back) / max(trips["person_id"].nunique(), 1)


def half_step(after: np.ndarray) -> np.ndarray:
    """Chance that an event within half an hour around 0 lies before `after` [h]."""
    return np.clip(after + 0.5, 0, 1)


def weighted_quantile(values, weights, levels) -> np.ndarray:
    """Quantiles of values that count by weight, between the middles of the steps."""
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    if not len(values):
        return np.full(len(levels), np.nan)
    order = np.argsort(values, kind="stable")
    middle = np.cumsum(weights[order]) - weights[order] / 2
    return np.interp(np.array(levels) * weights.sum(), middle, values[order])


def share_by_hour(hour, weight) -> np.ndarray:
    """Share of each hour of the day, (24,)."""
    at = np.asarray(hour, float).astype(int) % 24
    count = np.bincount(at, np.asarray(weight, float), 24)
    return count / max(count.sum(), 1e-9)


def measured_sessions() -> dict:
    """Bundled quantiles of measured sessions at work places."""
    path = files("macjax") / "data" / "acn" / "session_quantiles.json"
    return json.loads(path.read_text(encoding="utf-8"))
