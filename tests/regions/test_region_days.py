"""Donors, cars and their days on a made-up survey, step by step by slow loops."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_survey import make_survey, with_stops

from macjax._errors import DataError, RegionWarning
from macjax.regions import RegionConfig
from macjax.regions.calendar import make_calendar
from macjax.regions.donors import ANCHOR, HOME, STOP, WORK, find_donors
from macjax.regions.draws import Draws
from macjax.regions.itinerary import (
    AT_HOME,
    OWN,
    add_work,
    lay_ground,
    plan_days,
    unfold,
)
from macjax.regions.parameters import Population, Travel
from macjax.regions.population import (
    NUMBERS,
    cars_per_household,
    electric_cars,
    make_cars,
    make_pools,
)
from macjax.regions.survey import Survey, check_survey
from macjax.regions.zones import make_zones

CONFIG = RegionConfig()
POPULATION, TRAVEL = Population(donors=10), Travel()
DRAWS = Draws(7)


@pytest.fixture(scope="module")
def raw():
    return check_survey(with_stops(make_survey()))


@pytest.fixture(scope="module")
def zones(raw):
    return make_zones(raw.zones, POPULATION, TRAVEL)


@pytest.fixture(scope="module")
def donors(raw, zones):
    return find_donors(raw, zones, DRAWS, POPULATION)


@pytest.fixture(scope="module")
def cars(raw, zones, donors):
    per_zone = zones.households * cars_per_household(raw.households, zones)
    electric = electric_cars(per_zone, zones, DRAWS, 0.3, 0.02)
    pools = make_pools(zones, donors, POPULATION)
    rows = np.arange(len(electric.zone))
    return make_cars(electric, rows, zones, donors, pools, DRAWS), pools


@pytest.fixture(scope="module")
def week(zones, donors, cars):
    frame, pools = cars
    ground = lay_ground(zones, POPULATION, TRAVEL)
    calendar = make_calendar(CONFIG.start, 7, CONFIG.timezone)
    frame = add_work(frame, ground, DRAWS, POPULATION)
    plan = plan_days(frame, pools, calendar, DRAWS, POPULATION, TRAVEL)
    trips = unfold(frame, plan, donors, ground, calendar, DRAWS, POPULATION, TRAVEL)
    return frame, plan, trips


def slow_chains(raw):
    """Closed chains of car trips of persons who may drive, as lists of trips."""
    homes = raw.households.set_index("household_id")["home_zone_id"]
    ages = raw.persons.set_index("person_id")["age"]
    chains = {}
    for person, rows in raw.trips.groupby("person_id"):
        rows = rows[rows["trip_mode"].str.match("DRIVEALONE|SHARED")]
        rows = rows.sort_values(["depart", "trip_id"]).to_dict("records")
        if not rows or ages[person] < 16:
            continue
        home = homes[rows[0]["household_id"]]
        at = [home] + [row["destination"] for row in rows]
        linked = all(row["origin"] == at[k] for k, row in enumerate(rows))
        if linked and at[-1] == home:
            chains[person] = rows
    return chains


def test_donors_are_those_a_slow_search_finds(raw, donors):
    chains = slow_chains(raw)
    cars = raw.households.set_index("household_id")["auto_ownership"]
    expected = 0
    households = pd.Series({p: rows[0]["household_id"] for p, rows in chains.items()})
    for household, people in households.groupby(households):
        expected += min(len(people), cars[household])
    assert set(donors.cars["person_id"]) <= set(chains)
    assert len(donors.cars) == expected == donors.counts["a car of the household each"]
    for donor in donors.cars.itertuples():
        rows = donors.trips.iloc[donor.first : donor.first + donor.count]
        theirs = chains[donor.person_id]
        assert list(rows["hour"]) == [row["depart"] for row in theirs]
        purposes = [row["purpose"] for row in theirs]
        assert [r == HOME for r in rows["role"]] == [p == "Home" for p in purposes]
        assert [r == WORK for r in rows["role"]] == [p == "work" for p in purposes]
        assert donor.is_commuter == ("work" in purposes)


def test_donors_are_those_who_drive_most_in_their_household(raw, zones, donors):
    plenty = raw.households.assign(auto_ownership=9)
    everyone = find_donors(raw._replace(households=plenty), zones, DRAWS, POPULATION)
    household = raw.persons.set_index("person_id")["household_id"]
    cars = raw.households.set_index("household_id")["auto_ownership"]
    km = everyone.cars.set_index("person_id")["day_km"]
    expected = set()
    for name, people in km.groupby(household.reindex(km.index).to_numpy()):
        expected |= set(people.nlargest(cars[name]).index)
    assert set(donors.cars["person_id"]) == expected
    assert len(expected) < len(km)


def test_anchor_is_work_or_the_farthest_place_of_the_tour(donors):
    seen = set()
    for donor in donors.cars.itertuples():
        rows = donors.trips.iloc[donor.first : donor.first + donor.count]
        for _, tour in rows.groupby("tour"):
            away = tour[tour["role"] != HOME]
            places = np.where(
                away["role"] == STOP,
                np.where(away["near_home"], 0, away["anchor"]) + away["offset"],
                away["anchor"],
            )
            (anchor,) = set(away["anchor"])
            if (away["role"] == WORK).any():
                assert away["works"].all()
                assert abs(anchor) == pytest.approx(donor.work_km)
            else:
                assert not away["works"].any()
                assert abs(anchor) == pytest.approx(np.abs(places).max())
            stops = away[away["role"] == STOP]
            near = np.abs(places[(away["role"] == STOP).to_numpy()])
            other = np.abs(places[(away["role"] == STOP).to_numpy()] - anchor)
            assert list(stops["near_home"]) == list(near <= other)
            seen |= set(away["role"])
    assert seen == {WORK, ANCHOR, STOP}


def test_households_own_cars_by_their_group(raw, zones):
    homes = raw.households
    types = raw.zones.set_index("zone_id")["area_type"]
    found = cars_per_household(homes, zones)
    for group, members in enumerate(POPULATION.area_groups):
        alike = homes["home_zone_id"].map(types).isin(members)
        mean = homes["auto_ownership"][alike].mean()
        np.testing.assert_allclose(found[zones.group == group], mean)


def test_more_adoption_adds_cars_and_takes_none_away(zones):
    cars = np.linspace(0, 900, 30)
    few, many = (electric_cars(cars, zones, DRAWS, a, 1.0) for a in (0.3, 0.5))
    count = np.bincount(few.zone, minlength=30)
    assert (np.abs(count - 0.3 * cars) < 1).all()
    names = [set(zip(e.zone, e.number, strict=True)) for e in (few, many)]
    assert names[0] < names[1]
    assert few.electric == len(few.zone) and few.weight == 1
    assert many.electric / cars.sum() == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("sample", [0.05, 0.3, 1.0])
def test_a_sample_takes_even_steps_and_its_weights_add_up(zones, sample):
    cars = np.linspace(100, 900, 30)
    whole = electric_cars(cars, zones, DRAWS, 0.4, 1.0)
    some = electric_cars(cars, zones, DRAWS, 0.4, sample)
    assert abs(len(some.zone) - sample * whole.electric) < 1
    assert some.weight * len(some.zone) == pytest.approx(whole.electric)
    names = [list(zip(e.zone, e.number, strict=True)) for e in (some, whole)]
    assert set(names[0]) <= set(names[1])
    place = {name: k for k, name in enumerate(names[1])}
    steps = np.diff([place[name] for name in names[0]])
    assert steps.min() >= np.floor(1 / sample) and steps.max() <= np.ceil(1 / sample)


def test_cars_follow_the_nearest_drivers_of_their_group(zones, donors, cars):
    home = donors.cars["zone"].to_numpy()
    working = donors.cars["is_commuter"].to_numpy()
    for pool, kind in zip(cars[1], (working | True, working, ~working), strict=True):
        for z in range(len(zones.ids)):
            alike = kind & (zones.group[home] == zones.group[z])
            alike = alike if alike.any() else kind
            away = np.abs(zones.centre[home] - zones.centre[z])
            away = np.sort(np.where(alike, away, np.inf))[: POPULATION.donors]
            mine = pool.driver[z, : pool.count[z]]
            assert alike[mine].all()
            found = np.abs(zones.centre[home[mine]] - zones.centre[z])
            np.testing.assert_allclose(found, away[np.isfinite(away)])


def test_work_is_as_far_as_the_drivers(week, donors):
    frame, _, _ = week
    theirs = donors.cars["work_km"].to_numpy()[frame["driver"]]
    away = np.abs(frame["work"] - frame["home"]).to_numpy()
    spread = POPULATION.distance_spread
    assert (away <= theirs * (1 + spread) + 1e-9).all()
    assert (away >= theirs * (1 - spread) - 1e-9).all()
    assert (away[~frame["is_commuter"]] == 0).all()


def test_who_travels_and_whose_day_it_is(week, donors):
    frame, plan, _ = week
    working = frame["is_commuter"].to_numpy()
    for kind, share in ((working, 0.81), (~working, 0.65)):
        found = plan.travels[kind, :5].mean()
        assert found == pytest.approx(share, abs=0.05)
    assert plan.travels[:, 5].mean() == pytest.approx(0.70, abs=0.05)
    assert plan.travels[:, 6].mean() == pytest.approx(0.60, abs=0.05)
    own = plan.habit == OWN
    assert own[:, :5].mean() == pytest.approx(POPULATION.same_day_share, abs=0.05)
    assert not own[:, 5:].any()
    assert (plan.driver == frame["driver"].to_numpy()[:, None])[own].all()
    works = donors.cars["is_commuter"].to_numpy()[plan.driver]
    assert (works[:, :5] == working[:, None]).all()
    assert not works[:, 5:].any()


def test_days_have_the_trips_of_their_donor(week, donors):
    frame, plan, trips = week
    for (car, day), chain in trips.groupby(["car", "day"]):
        assert plan.travels[car, day]
        donor = donors.cars.iloc[plan.driver[car, day]]
        theirs = donors.trips.iloc[donor["first"] : donor["first"] + donor["count"]]
        assert list(chain["step"]) == list(range(donor["count"]))
        assert list(chain["place"] == AT_HOME) == list(theirs["role"] == HOME)
        assert chain["wanted"].is_monotonic_increasing
        at_home = chain["zone"][chain["place"] == AT_HOME]
        assert (at_home == frame["zone"][car]).all()
    counted = trips.groupby(["car", "day"]).ngroups
    assert counted == plan.travels.sum()


def test_tours_are_moved_without_bending(week, donors):
    """A day to one place and back is as long as the donor's, within the spread."""
    frame, plan, trips = week
    checked = 0
    for (car, day), chain in trips.groupby(["car", "day"]):
        donor = donors.cars.iloc[plan.driver[car, day]]
        theirs = donors.trips.iloc[donor["first"] : donor["first"] + donor["count"]]
        own = plan.habit[car, day] == OWN
        if len(chain) != 2 or (theirs["works"].any() and not own):
            continue
        straight = abs(theirs["anchor"].iloc[0]) * TRAVEL.detour
        low = max(straight * (1 - POPULATION.distance_spread), TRAVEL.shortest_km)
        high = max(straight * (1 + POPULATION.distance_spread), TRAVEL.shortest_km)
        assert low - 1e-9 <= chain["km"].iloc[0] <= high + 1e-9
        assert chain["km"].iloc[1] == pytest.approx(chain["km"].iloc[0])
        checked += 1
    assert checked > 100


def test_repeated_days_go_to_the_same_places_at_shifted_times(week):
    frame, plan, trips = week
    own = trips[trips["habit"] == OWN]
    checked = 0
    for _, days in own.groupby("car"):
        chains = [chain for _, chain in days.groupby("day")]
        for other in chains[1:]:
            np.testing.assert_allclose(other["km"], chains[0]["km"])
            assert list(other["zone"]) == list(chains[0]["zone"])
            apart = other["wanted"].to_numpy() - chains[0]["wanted"].to_numpy()
            np.testing.assert_allclose(apart, apart[0])
            day = 1440 * (other["day"].iloc[0] - chains[0]["day"].iloc[0])
            assert 0 < abs(apart[0] - day) < 8 * TRAVEL.habit_shift_minutes
            checked += 1
    assert checked > 100


def test_copies_of_one_driver_differ(week):
    frame, _, trips = week
    first = trips[trips["habit"] == OWN].drop_duplicates("car")
    first = first.assign(driver=frame["driver"].to_numpy()[first["car"]])
    alike = first.groupby("driver").filter(lambda rows: len(rows) > 1)
    assert len(alike) > 50
    for _, rows in alike.groupby("driver"):
        assert rows["km"].nunique() == len(rows)
        assert rows["wanted"].round(6).nunique() == len(rows)


def test_ids_name_zone_and_number(cars, zones):
    key = cars[0]["key"].to_numpy()
    assert len(np.unique(key)) == len(key)
    np.testing.assert_array_equal(key // NUMBERS, zones.ids[cars[0]["zone"]])


def test_a_survey_without_other_drivers_still_has_weekends(raw, zones):
    only_work = raw.persons["person_id"][raw.persons["person_id"] % 10 == 0]
    trips = raw.trips[raw.trips["person_id"].isin(only_work)]
    donors = find_donors(raw._replace(trips=trips), zones, DRAWS, POPULATION)
    assert donors.cars["is_commuter"].all()
    pools = make_pools(zones, donors, POPULATION)
    assert (pools.other.count > 0).all()


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("trips", lambda f: f.drop(columns="depart"), "trips.depart: the column is"),
        ("trips", lambda f: f.rename(columns={"origin": "origins"}), "'origins'"),
        ("trips", lambda f: f.assign(destination=99), "zones does not have"),
        ("trips", lambda f: f.assign(depart=31.0), "from 0 to 24"),
        ("trips", lambda f: f.assign(person_id=-1), "persons does not have"),
        ("zones", lambda f: f.assign(area_km2=0.0), "zones.area_km2"),
        ("zones", lambda f: f.assign(TOTHH=np.nan), "TOTHH: must be a number"),
        ("zones", lambda f: pd.concat([f, f]), "zones.zone_id: must be unique"),
        ("households", lambda f: f.assign(income="much"), "income: must be a number"),
        ("persons", lambda f: f.iloc[:0], "persons.person_id: the table has no rows"),
        ("zones", lambda f: f.assign(lat=1000.0), "lat: must be from -90 to 90"),
        ("zones", lambda f: f.assign(x_utm10n_m=1e12), "x_utm10n_m: must be from -2e"),
        ("zones", lambda f: f.assign(zone_id=f["zone_id"] + 0.5), "a whole number"),
        ("zones", lambda f: f.assign(zone_id=f["zone_id"] * 10**13), "zone_id: must"),
        ("zones", lambda f: f.assign(zone_id=["1", "01", *f["zone_id"][2:]]), "unique"),
        ("trips", lambda f: f.assign(purpose="foo"), "purposes are Home, work, Work"),
    ],
)
def test_wrong_survey_tables_are_reported(table, change, words):
    survey = make_survey()
    frame = change(getattr(survey, table))
    with pytest.raises(DataError) as report:
        check_survey(survey._replace(**{table: frame}))
    assert words in str(report.value)


def test_numbers_that_are_text_are_those_numbers(raw):
    survey = check_survey(make_survey())
    text = {
        name: frame.astype({c: str for c in frame if c not in ("purpose", "trip_mode")})
        for name, frame in make_survey()._asdict().items()
    }
    again = check_survey(Survey(**text))
    for name, frame in survey._asdict().items():
        pd.testing.assert_frame_equal(getattr(again, name), frame)


def test_unknown_purposes_are_told():
    survey = make_survey()
    survey.trips["purpose"] = survey.trips["purpose"].replace("shopping", "shoping")
    with pytest.warns(RegionWarning, match="found 'shoping' in 60 of 240 rows"):
        check_survey(survey)


def test_all_faults_come_in_one_report():
    survey = make_survey()
    zones = survey.zones.assign(area_km2=-1.0, TOTHH=-5)
    trips = survey.trips.drop(columns=["origin"])
    with pytest.raises(DataError) as report:
        check_survey(survey._replace(zones=zones, trips=trips))
    assert set(report.value.faults["column"]) == {"area_km2", "TOTHH", "origin"}


def test_drivers_too_young_or_with_a_walk_between_are_told_apart(raw, zones):
    old = dataclasses.replace(POPULATION, driving_age=60)
    donors = find_donors(raw, zones, DRAWS, old)
    ages = raw.persons.set_index("person_id")["age"]
    assert (ages[donors.cars["person_id"]] >= 60).all()
    # A walk at noon leaves the car trips of a person a closed chain
    person = donors.cars["person_id"].iloc[0]
    walk = raw.trips[raw.trips["person_id"] == person].iloc[[0]]
    walk = walk.assign(trip_mode="WALK", trip_id=10**9, depart=12.0)
    more = raw._replace(trips=pd.concat([raw.trips, walk], ignore_index=True))
    assert person in set(find_donors(more, zones, DRAWS, old).cars["person_id"])
