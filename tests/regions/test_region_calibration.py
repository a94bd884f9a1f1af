"""The synthetic week of the Bay Area beside what is known, within stated tolerances."""

import numpy as np
import pandas as pd
import pytest

import macjax
from macjax import regions
from macjax._errors import SettingsError
from macjax.regions.known import measured_sessions, weighted_quantile
from macjax.regions.survey import check_survey, read_survey

SHARES = ("departures", "arrivals at home", "at home, of cars that travel")


@pytest.fixture(scope="module")
def scenario():
    return regions.build(sample=0.01)


@pytest.fixture(scope="module")
def table(scenario):
    return regions.calibrate(scenario)


def rows(table, group: str, words: str = "") -> pd.DataFrame:
    return table[(table["group"] == group) & table["quantity"].str.contains(words)]


def test_travel_is_that_of_the_survey(table):
    travel = rows(table, "travel on weekdays")
    relative = travel.set_index("quantity")["relative"]
    assert abs(relative["trips a car and day"]) < 0.03
    assert abs(relative["km a car and day"]) < 0.10
    assert abs(relative["trips of a driver's day"]) < 0.05
    assert abs(relative["km of a driver's day"]) < 0.08
    assert (
        relative[[f"km of a trip, p{q}" for q in (10, 25, 50, 75, 90)]].abs().max()
        < 0.13
    )
    within = rows(table, "travel on weekdays", "variance")["synthetic"].item()
    assert 0.5 < within < 0.9


def test_hours_are_those_of_the_survey(table):
    for group, most in zip(SHARES, (0.015, 0.025, 0.06), strict=True):
        curve = rows(table, group)
        assert len(curve) == 24
        assert curve["difference"].abs().max() < most
    for group in SHARES[:2]:
        np.testing.assert_allclose(rows(table, group)[["known", "synthetic"]].sum(), 1)


def test_work_places_are_as_far_and_as_near(table):
    work = rows(table, "work places")
    assert work["relative"].abs().max() < 0.15


def test_stays_at_work_are_as_long_as_measured(table):
    stays = rows(table, "charging at work", "length")
    assert stays["relative"][1:].abs().max() < 0.15
    assert stays["difference"].abs().max() < 1.0
    arrivals = rows(table, "charging at work", "arrival")
    assert arrivals["difference"].abs().max() < 2.0


def test_energy_at_work_is_known_to_be_too_low(table):
    """Cars here plug in at every stay; measured drivers do so when it is worth it."""
    energy = rows(table, "charging at work", "energy, unmanaged")
    assert (energy["relative"] < -0.4).all() and (energy["relative"] > -0.85).all()


def test_feeders_follow_the_published_quantiles(table):
    feeders = rows(table, "feeders")
    for words, most in (("annual peak", 0.02), ("headroom, median", 0.02)):
        assert rows(feeders, "feeders", words)["relative"].abs().max() < most
    base = rows(table, "mean base load on weekdays")
    assert base["difference"].abs().max() < 0.02
    overloaded = rows(table, "feeders", "overloaded")["synthetic"].item()
    assert 0.3 < overloaded < 0.7


def test_differences_are_what_they_say(table):
    np.testing.assert_allclose(
        table["difference"], table["synthetic"] - table["known"], atol=1e-12
    )
    known = table["known"] != 0
    np.testing.assert_allclose(
        table["relative"][known], (table["synthetic"] / table["known"] - 1)[known]
    )
    assert table["relative"][~known].isna().all()
    assert table["source"].notna().all()


def test_synthetic_figures_by_slow_loops(scenario, table):
    """Trips, km and homecomings of a part of the cars, one by one."""
    few = scenario.subset(vehicles=scenario.vehicles["vehicle_id"][::40])
    part = {
        (row.group, row.quantity): row.synthetic
        for row in regions.calibrate(few).itertuples()
    }
    trips, km, travelled, home = 0, 0.0, set(), np.zeros(24)
    for trip in few.trips.itertuples():
        at = trip.departure.tz_convert(few.timezone)
        if at.weekday() < 5:
            trips, km = trips + 1, km + trip.distance_km
            travelled.add((trip.vehicle_id, at.date()))
    for stay in few.stays.itertuples():
        at = stay.arrival.tz_convert(few.timezone)
        if stay.place == "home" and at > few.start and at.weekday() < 5:
            home[at.hour] += 1
    group = "travel on weekdays"
    days = 5 * len(few.vehicles)
    assert part[group, "trips a car and day"] == pytest.approx(trips / days)
    assert part[group, "km a car and day"] == pytest.approx(km / days)
    assert part[group, "km of a driver's day"] == pytest.approx(km / len(travelled))
    found = [part["arrivals at home", f"{h:02d} h"] for h in range(24)]
    np.testing.assert_allclose(found, home / home.sum())


def test_survey_figures_by_slow_loops(table):
    survey = check_survey(read_survey())
    cars = survey.households["auto_ownership"].sum()
    people = {"D": 1.0, "2": 2.0, "3": 3.5}
    count, hours = 0.0, np.zeros(24)
    for trip in survey.trips.itertuples():
        mode = trip.trip_mode
        if mode.startswith("DRIVEALONE"):
            share = 1 / people["D"]
        elif mode.startswith("SHARED"):
            share = 1 / people[mode[len("SHARED")]]
        else:
            continue
        count += share
        hours[int(trip.depart)] += share
    known = table.set_index(["group", "quantity"])["known"]
    assert known["travel on weekdays", "trips a car and day"] == pytest.approx(
        count / cars
    )
    np.testing.assert_allclose(known["departures"].to_numpy(), hours / hours.sum())


def test_measured_sessions_are_quantiles_that_go_up():
    measured = measured_sessions()
    assert measured["sessions"] == 27_407
    everyone = measured["weekday_sessions"]["all"]
    for name in ("stay_hours", "energy_kwh", "arrival_hour"):
        assert len(everyone[name]) == len(measured["levels"])
        assert (np.diff(everyone[name]) > 0).all()
    sites = (measured["weekday_sessions"][site]["count"] for site in ("caltech", "jpl"))
    assert sum(sites) == everyone["count"]


def test_weighted_quantiles_are_those_of_repeated_values():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=500), rng.integers(1, 6, 500)
    levels = (0.1, 0.5, 0.9)
    found = weighted_quantile(values, weights, levels)
    np.testing.assert_allclose(
        found, np.quantile(np.repeat(values, weights), levels), atol=0.02
    )
    assert np.isnan(weighted_quantile([], [], levels)).all()


def test_other_scenarios_are_refused():
    with pytest.raises(SettingsError, match="no vehicles.work_zone"):
        regions.calibrate(macjax.example())


def test_what_cannot_be_compared_is_named():
    with pytest.raises(SettingsError, match="takes a Scenario, not int"):
        regions.calibrate(5)  # type: ignore[arg-type]
    weekend = regions.build({"start": "2026-09-19", "days": 2}, sample=0.0002)
    with pytest.raises(SettingsError, match="48 slots from Saturday, .* has none"):
        regions.calibrate(weekend)
    keys = ("name", "start", "timezone", "slot_minutes", "slots", "currency")
    tables = {n: getattr(weekend, n).iloc[:0] for n in ("vehicles", "stays", "trips")}
    tables |= {n: getattr(weekend, n) for n in ("feeders", "feeder_profile")}
    empty = macjax.Scenario.from_frames(
        **{key: getattr(weekend, key) for key in keys}, **tables
    )
    with pytest.raises(SettingsError, match="what cars do; the scenario has none"):
        regions.calibrate(empty)
