"""Timing and parking against slow loops, and properties of any chain."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from macjax.regions.chains import park, time_trips, travel_minutes
from macjax.regions.parameters import Fleet, Travel
from macjax.regions.soc import choose_soc, reach, within_group

TRAVEL = Travel()


def random_trips(seed: int, cars: int = 20, most: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    car = np.repeat(np.arange(cars), rng.integers(0, most, cars))
    count = len(car)
    return pd.DataFrame(
        {
            "car": car,
            "wanted": np.where(
                rng.random(count) < 0.1, -np.inf, rng.uniform(-50, 3000, count)
            ),
            "km": rng.uniform(0.8, 60, count),
            "least_stay": rng.integers(5, 60, count),
            "zone": rng.integers(0, 9, count),
        }
    )


def test_speed_grows_from_slow_to_fast():
    slow, fast, scale = TRAVEL.speed_kmh
    km = np.array([1e-3, 5.0, 25.0, 500.0])
    minutes = travel_minutes(km, TRAVEL)
    assert minutes[0] == 1
    for k, m in zip(km[1:], minutes[1:], strict=True):
        speed = slow + (fast - slow) * (1 - np.exp(-k / scale))
        assert m - 1 < 60 * k / speed <= m


@settings(max_examples=50)
@given(st.integers(0, 10**6))
def test_departures_are_the_earliest_that_keep_order(seed):
    trips = random_trips(seed)
    timed = time_trips(trips, TRAVEL)
    assert list(timed["car"]) == list(trips["car"])
    for _, chain in timed.groupby("car"):
        free = -np.inf
        for trip in chain.itertuples():
            wanted = round(trip.wanted) if np.isfinite(trip.wanted) else -(10**7)
            assert trip.departure_min == max(wanted, free)
            minutes = travel_minutes([trip.km], TRAVEL)[0]
            assert trip.arrival_min == trip.departure_min + minutes
            free = trip.arrival_min + trip.least_stay


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.integers(500, 4000))
def test_stays_fill_what_trips_leave(seed, end):
    trips = random_trips(seed)
    trips["wanted"] = trips["wanted"].clip(lower=5.0)
    trips = time_trips(trips, TRAVEL)
    home = pd.DataFrame({"zone": np.arange(20) + 100})
    stays = park(trips, home, end)
    expected = []
    for car in range(20):
        mine = trips[trips["car"] == car]
        begin, zone = 0, 100 + car
        for trip in mine.itertuples():
            expected.append((car, begin, min(trip.departure_min, end), zone))
            begin, zone = trip.arrival_min, trip.zone
        expected.append((car, begin, end, zone))
    expected = [row for row in expected if row[1] < end]
    assert list(stays.itertuples(index=False, name=None)) == expected


def test_places_within_groups():
    group = np.array([0, 0, 2, 2, 2, 5])
    assert within_group(group).tolist() == [0, 1, 0, 1, 2, 0]
    assert within_group(np.empty(0, int)).tolist() == []


def test_reach_is_greedy_charging():
    stays = pd.DataFrame(
        {
            "car": [0, 0, 1],
            "arrival_min": [0, 300, 0],
            "departure_min": [120, 360, 1440],
            "charger_kw": [10.0, 50.0, 1.0],
        }
    )
    trips = pd.DataFrame({"car": [0, 0], "energy_kwh": [30.0, 5.0]})
    cars = pd.DataFrame({"battery_kwh": [40.0, 80.0]})
    fleet = Fleet(firm_share=0.5, efficiency=0.8)
    found = reach(stays, trips, cars, [35.0, 10.0], fleet)
    # Car 0: 35 + 8 -> 40 full, - 30 = 10, + 20 = 30, - 5; car 1: 10 + 9.6
    np.testing.assert_allclose(found.least, [10.0, 10.0])
    np.testing.assert_allclose(found.last, [25.0, 19.6])


def test_a_car_drawn_too_low_starts_as_much_higher_as_it_lacks():
    stays = pd.DataFrame(
        {
            "car": [0, 0, 1, 1],
            "arrival_min": [0, 600, 0, 600],
            "departure_min": [540, 1440, 540, 1440],
            "charger_kw": [0.0, 7.0, 0.0, 0.0],
        }
    )
    trips = pd.DataFrame({"car": [0, 1], "energy_kwh": [20.0, 50.0]})
    cars = pd.DataFrame({"battery_kwh": [40.0, 40.0], "reserve_kwh": [8.0, 8.0]})
    fleet = Fleet(firm_share=1.0)
    found = choose_soc(stays, trips, cars, np.array([0.5, 0.5]), fleet)
    assert found["drawn_kwh"].tolist() == [20.0, 20.0]
    assert found["initial_kwh"].tolist() == [28.0, 40.0]
    assert found["final_kwh"].tolist() == [28.0, 8.0]  # 8 + 14 h x 7 kW x 0.92 > 28
    assert found["possible"].tolist() == [True, False]
