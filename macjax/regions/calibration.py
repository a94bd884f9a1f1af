"""What a built region shows, beside what is known of the real one.

Known are the survey's trips (modelled by the regional travel model, all car trips and
not only those of the drivers that cars follow), measured charging sessions at work
places (ACN-Data), and published quantiles of feeders. The table hides nothing: where
the synthesis is off, the difference says how far.
"""

import numpy as np
import pandas as pd

from .._errors import SettingsError
from ..scenario.scenario import Scenario
from .facts import place_shares
from .known import (
    HEADROOM_QUANTILES,
    measured_sessions,
    share_by_hour,
    spread_arrivals,
    survey_at_home,
    survey_car_trips,
    weighted_quantile,
)
from .parameters import CUSTOMERS, LEVELS, MEAN_SHAPE_KW, PEAK_KW, Travel
from .survey import (
    Survey,
    check_survey,
    read_survey,
    road_km,
)

WEEKDAYS, WEEKEND = (0, 1, 2, 3, 4), (5, 6)
SHOWN = (0.1, 0.25, 0.5, 0.75, 0.9)
SURVEY = "survey (travel model)"
SESSIONS = "27,407 measured sessions (ACN-Data)"
PGE = "259 feeders of PG&E (Elmallah et al. 2022)"
DIARY = "one-week diaries in Ghent (Raux, Ma, Cornelis 2016)"
CALIFORNIA = "California 2035 to 2045 (Li and Jenn 2024)"
COLUMNS = ["group", "quantity", "unit", "known", "synthetic", "source"]


def calibrate(
    scenario: Scenario, survey: Survey | None = None, unmanaged=None
) -> pd.DataFrame:
    """The table of what is known and what the scenario has instead.

    Arguments:
        scenario: made by `macjax.regions.build`, best a whole region and a whole week.
        survey: the tables it was built from; None is those of the package.
        unmanaged: a solution of `macjax.baselines.unmanaged`; None computes it.

    Returns:
        group, quantity, unit, known, synthetic, difference (synthetic - known),
        relative (difference / known), source.

    Raises:
        SettingsError: the scenario was not made by `macjax.regions.build`, or has no
            car or no weekday.
    """
    _check_made(scenario)
    if unmanaged is None:
        from ..baselines import unmanaged as charge_unmanaged

        unmanaged = charge_unmanaged(scenario)
    survey = check_survey(read_survey() if survey is None else survey)
    rows = [
        *travel_rows(scenario, survey),
        *hour_rows(scenario, survey),
        *work_rows(scenario, survey),
        *session_rows(scenario, unmanaged),
        *feeder_rows(scenario, unmanaged),
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.insert(5, "difference", table["synthetic"] - table["known"])
    known = table["known"].where(table["known"] != 0)
    table.insert(6, "relative", table["difference"] / known)
    return table


def _check_made(scenario) -> None:
    """Raise unless the scenario has what is compared."""
    if not isinstance(scenario, Scenario):
        kind = type(scenario).__name__
        raise SettingsError(f"calibrate takes a Scenario, not {kind}")
    needed = {"vehicles": "work_zone", "feeders": "customers"}
    for table, column in needed.items():
        if column not in getattr(scenario, table).columns:
            raise SettingsError(
                f"the scenario has no {table}.{column}: calibrate compares what "
                "macjax.regions.build makes"
            )
    if not len(scenario.vehicles):
        raise SettingsError("calibrate compares what cars do; the scenario has none")
    if not local_days(scenario, WEEKDAYS):
        raise SettingsError(
            f"calibrate compares weekdays; the horizon of {scenario.slots} slots from "
            f"{scenario.start:%A, %Y-%m-%d} has none"
        )


def weekday_trips(scenario: Scenario, days=WEEKDAYS) -> pd.DataFrame:
    """Trips that depart on such days: weight, hour (local clock), km, car, day.

    Arguments:
        days: of the week, 0 Monday to 6 Sunday.
    """
    events = scenario.trip_events()
    trips = scenario.trips.iloc[events.row]
    local = trips["departure"].dt.tz_convert(scenario.timezone).dt
    since = (local.tz_localize(None) - local.tz_localize(None).dt.normalize()).dt
    weight = scenario.vehicles["weight"].to_numpy()[events.vehicle]
    frame = pd.DataFrame(
        {
            "weight": weight,
            "hour": since.total_seconds().to_numpy() / 3600,
            "hours": events.arrive_h - events.depart_h,
            "km": trips["distance_km"].to_numpy(),
            "car": events.vehicle,
            "day": local.tz_localize(None).dt.normalize().to_numpy(),
        }
    )
    return frame[np.isin(local.day_of_week.to_numpy(), days)]


def quantile_rows(group, what, unit, known, synthetic, weights, source):
    """Rows of the quantiles `SHOWN`.

    Arguments:
        known: the five quantiles.
        synthetic: values, with `weights`.
    """
    found = weighted_quantile(synthetic, weights, SHOWN)
    for level, k, s in zip(SHOWN, known, found, strict=True):
        yield group, f"{what}, p{round(100 * level)}", unit, k, s, source


def travel_rows(scenario: Scenario, survey: Survey):
    """Trips and km a car and weekday, and a travelled day; lengths of trips."""
    group, trips = "travel on weekdays", survey_car_trips(survey)
    cars = float(survey.households["auto_ownership"].sum())
    ours = weekday_trips(scenario)
    vehicles = scenario.vehicles["weight"].to_numpy()
    days = local_days(scenario, WEEKDAYS)
    car_days = max(float(vehicles.sum()) * days, 1e-9)
    used = max(float(ours.drop_duplicates(["car", "day"])["weight"].sum()), 1e-9)
    drivers = trips[trips["is_driver"]]
    people = drivers["person_id"].nunique()
    count, km = ours["weight"].sum(), (ours["weight"] * ours["km"]).sum()
    known_km = (trips["cars"] * trips["km"]).sum()
    for what, unit, known, found in (
        ("trips a car and day", "1", trips["cars"].sum() / cars, count / car_days),
        ("km a car and day", "km", known_km / cars, km / car_days),
        ("trips of a driver's day", "1", len(drivers) / people, count / used),
        ("km of a driver's day", "km", drivers["km"].sum() / people, km / used),
    ):
        yield group, what, unit, known, found, SURVEY
    known = weighted_quantile(trips["km"], trips["cars"], SHOWN)
    yield from quantile_rows(
        group, "km of a trip", "km", known, ours["km"], ours["weight"], SURVEY
    )
    what = "variance of trips a day that is within cars (known: half or more)"
    yield group, what, "share", 0.5, share_within(ours, vehicles, days), DIARY


def share_within(trips: pd.DataFrame, weights: np.ndarray, days: int) -> float:
    """Variance of trips a weekday between the days of a car, over that of all.

    Arguments:
        trips: of `weekday_trips`.
        weights: of all cars, (cars,).
        days: weekdays of the horizon.
    """
    dates = np.unique(trips["day"], return_inverse=True)[1]
    count = np.zeros((len(weights), max(days, 1)))
    np.add.at(count, (trips["car"].to_numpy(), np.minimum(dates, days - 1)), 1)
    mean = np.average(count, axis=0, weights=weights).mean()
    total = np.average((count - mean) ** 2, axis=0, weights=weights).mean()
    within = np.average(count.var(1, ddof=int(days > 1)), weights=weights)
    return float(within / max(total, 1e-9))


def local_days(scenario: Scenario, days) -> int:
    """How many such days of the week the horizon has."""
    dates = scenario.slot_starts.tz_convert(scenario.timezone).tz_localize(None)
    return int(np.isin(dates.normalize().unique().day_of_week, days).sum())


def hour_rows(scenario: Scenario, survey: Survey):
    """Departures, arrivals at home, cars on the road and cars at home, by hour."""
    trips, ours = survey_car_trips(survey), weekday_trips(scenario)
    hour = trips["depart"].to_numpy(float)
    at_home = (trips["purpose"] == "Home").to_numpy()
    known = {
        "departures": share_by_hour(hour, trips["cars"]),
        # A departure is anywhere in its hour; its arrival so many minutes later
        "arrivals at home": spread_arrivals(trips[at_home]),
    }
    home = homecomings(scenario)
    found = {
        "departures": share_by_hour(ours["hour"], ours["weight"]),
        "arrivals at home": share_by_hour(home["hour"], home["weight"]),
    }
    for name, values in known.items():
        for h in range(24):
            yield name, f"{h:02d} h", "share", values[h], found[name][h], SURVEY
    travelled = ours.drop_duplicates(["car", "day"])["weight"].sum()
    days = max(scenario.vehicles["weight"].sum() * local_days(scenario, WEEKDAYS), 1e-9)
    parked = place_shares(scenario, "home", WEEKDAYS)
    share = travelled / days
    # Cars that do not travel are at home: of those that do, the rest
    parked = (parked - (1 - share)) / max(share, 1e-9)
    for h, value in enumerate(survey_at_home(trips)):
        row = ("at home, of cars that travel", f"{h:02d}:30", "share", value, parked[h])
        yield *row, SURVEY


def homecomings(scenario: Scenario) -> pd.DataFrame:
    """Local hour and weight of each arrival at home on a weekday."""
    windows = scenario.stay_windows()
    stays = scenario.stays.iloc[windows.row]
    local = stays["arrival"].dt.tz_convert(scenario.timezone).dt
    kept = (stays["place"] == "home").to_numpy(bool) & (windows.begin_h > 0)
    kept &= np.isin(local.day_of_week.to_numpy(), WEEKDAYS)
    hour = (local.hour + local.minute / 60).to_numpy()
    weight = scenario.vehicles["weight"].to_numpy()[windows.vehicle]
    return pd.DataFrame({"hour": hour[kept], "weight": weight[kept]})


def work_rows(scenario: Scenario, survey: Survey):
    """How far, and how often within their county, people drive to work."""
    group, trips = "work places", survey_car_trips(survey)
    way = trips[(trips["purpose"] == "work") & trips["origin"].eq(trips["home_zone"])]
    way = way.drop_duplicates("person_id")
    zones = survey.zones.set_index("zone_id")
    county = zones["county_id"]
    known = (
        county.reindex(way["origin"]).to_numpy()
        == county.reindex(way["destination"]).to_numpy()
    ).mean()
    vehicles = scenario.vehicles
    works = vehicles["work_zone"].notna().to_numpy(bool)
    home, work = vehicles["home_zone"][works], vehicles["work_zone"][works]
    weight = vehicles["weight"].to_numpy()[works]
    same = (
        county.reindex(home).to_numpy() == county.reindex(work.astype(int)).to_numpy()
    )
    share = float((weight * same).sum() / max(weight.sum(), 1e-9))
    yield group, "work in the county of home", "share", known, share, SURVEY
    km = road_km(survey.zones, home.to_numpy(), work.to_numpy(int), Travel())
    yield from quantile_rows(
        group, "km from home to work (between zones)", "km",
        np.quantile(way["km"], SHOWN), km, weight, SURVEY,
    )  # fmt: skip


def work_sessions(scenario: Scenario, unmanaged) -> pd.DataFrame:
    """Weekday stays at work that take energy: hours, kwh (from the grid), hour,
    weight, home_kw.

    Arguments:
        unmanaged: solution whose schedule says what each stay takes.
    """
    schedule = unmanaged.schedule()
    kwh = (schedule["kw"] * scenario.slot_hours).groupby(schedule["stay"]).sum()
    stays = scenario.stays.loc[kwh.index]
    local = stays["arrival"].dt.tz_convert(scenario.timezone).dt
    hours = (stays["departure"] - stays["arrival"]).dt.total_seconds() / 3600
    vehicles = scenario.vehicles.set_index("vehicle_id")
    frame = pd.DataFrame(
        {
            "hours": hours,
            "kwh": kwh,
            "hour": local.hour + local.minute / 60,
            "weight": vehicles["weight"].reindex(stays["vehicle_id"]).to_numpy(),
            "home_kw": vehicles["home_kw"].reindex(stays["vehicle_id"]).to_numpy(),
        }
    )
    kept = (stays["place"] == "work") & local.day_of_week.isin(WEEKDAYS)
    return frame[kept.to_numpy(bool) & (frame["kwh"] > 0).to_numpy()]


def session_rows(scenario: Scenario, unmanaged):
    """Stays with a charger at work on weekdays: length, arrival, energy."""
    measured = measured_sessions()
    known, levels = measured["weekday_sessions"]["all"], measured["levels"]
    ours = work_sessions(scenario, unmanaged)
    without = ours[ours["home_kw"] == 0]
    for name, column, what, unit, frame in (
        ("stay_hours", "hours", "length of a stay", "h", ours),
        ("arrival_hour", "hour", "arrival", "hour of the day", ours),
        ("energy_kwh", "kwh", "energy, unmanaged", "kWh", ours),
        ("energy_kwh", "kwh", "energy, cars without a charger at home", "kWh", without),
    ):
        table = np.interp(SHOWN, levels, known[name])
        yield from quantile_rows(
            "charging at work", what, unit, table, frame[column], frame["weight"],
            SESSIONS,
        )  # fmt: skip


def feeder_rows(scenario: Scenario, unmanaged):
    """Feeders: customers, peak, headroom, shape of the day, and who is overloaded."""
    group, feeders = "feeders", scenario.feeders
    capacity, base = scenario.capacity_base()
    least, ones = (capacity - base).min(1), np.ones(len(feeders))
    for what, unit, table, values in (
        ("customers", "1", np.interp(SHOWN, LEVELS, CUSTOMERS), feeders["customers"]),
        ("annual peak", "kW", np.interp(SHOWN, LEVELS, PEAK_KW), base.max(1)),
        ("least headroom, median section", "kW", HEADROOM_QUANTILES, least),
    ):
        yield from quantile_rows(group, what, unit, table, values, ones, PGE)
    # 4 to 7 %
    yield (
        group,
        "without headroom at some hour",
        "share",
        0.055,
        (least < 0).mean(),
        PGE,
    )
    starts = scenario.slot_starts.tz_convert(scenario.timezone)
    weekday = starts.day_of_week < 5
    total = base.sum(0)
    mean = np.bincount(starts.hour[weekday], total[weekday], 24)
    mean /= np.maximum(np.bincount(starts.hour[weekday], minlength=24), 1)
    shape = np.array(MEAN_SHAPE_KW) / max(MEAN_SHAPE_KW)
    for h in range(24):
        known, ours = shape[h], mean[h] / max(mean.max(), 1e-9)
        yield (
            "mean base load on weekdays",
            f"{h:02d} h",
            "of the highest",
            known,
            ours,
            PGE,
        )
    over = (unmanaged.upgrades()["upgrade_kw"] > 0).mean()
    what = "overloaded, unmanaged (known: 50 % in 2035, 67 % in 2045)"
    yield group, what, "share", 0.5, over, CALIFORNIA
