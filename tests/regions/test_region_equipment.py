"""Types of cars, chargers and fast stops against slow loops and stated shares."""

import numpy as np
import pandas as pd
import pytest
from made_survey import make_zones

from macjax.regions.draws import Draws
from macjax.regions.equipment import (
    choose_type,
    equip_cars,
    home_share,
    longest_day,
    place_chargers,
)
from macjax.regions.itinerary import AT_FAST, AT_HOME, AT_PUBLIC, AT_WORK
from macjax.regions.parameters import Chargers, Fleet, Population, Travel
from macjax.regions.stops import due_stops, insert_stops
from macjax.regions.zones import make_zones as zones_of

FLEET, CHARGERS = Fleet(), Chargers()
THREE = Fleet(
    battery_kwh=(30.0, 60.0, 90.0),
    type_shares=(0.5, 0.3, 0.2),
    kwh_per_km=(0.15, 0.16, 0.2),
)


@pytest.fixture(scope="module")
def zones():
    return zones_of(make_zones(), Population(), Travel())


def make_fleet(count: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "key": np.arange(count),
            "zone": rng.integers(0, 30, count),
            "income": rng.choice([20_000.0, 90_000.0], count),
            "is_commuter": rng.random(count) < 0.6,
        }
    )


@pytest.mark.parametrize("fleet", [FLEET, THREE])
def test_types_serve_the_longest_day(fleet):
    rng = np.random.default_rng(1)
    km, u = rng.uniform(0, 400, 500), rng.random(500)
    found = choose_type(km, u, fleet)
    for longest, draw, kind in zip(km, u, found, strict=True):
        drawn = int(np.searchsorted(np.cumsum(fleet.type_shares), draw, "right"))
        expected = len(fleet.battery_kwh) - 1
        for candidate in range(drawn, len(fleet.battery_kwh)):
            usable = fleet.battery_kwh[candidate] * (1 - fleet.reserve_share)
            needs = fleet.kwh_per_km[candidate] * longest
            if needs <= fleet.large_battery_above * usable:
                expected = candidate
                break
        assert kind == expected


def test_types_come_by_their_shares_where_days_are_short():
    found = choose_type(np.full(20_000, 5.0), (np.arange(20_000) + 0.5) / 20_000, THREE)
    np.testing.assert_allclose(np.bincount(found) / 20_000, THREE.type_shares)


def test_longest_day():
    trips = pd.DataFrame({"car": [0, 0, 0, 2], "day": [1, 1, 0, 2], "km": [3, 4, 5, 1]})
    assert longest_day(trips, 3, 7).tolist() == [7, 0, 1]


def test_home_chargers_by_density_and_income():
    share = home_share(
        np.array([3.0, 12.0, 50.0, 3.0]), np.array([9e4, 9e4, 9e4, 1e4]), CHARGERS
    )
    np.testing.assert_allclose(share, [0.90, 0.70, 0.45, 0.85 * 0.90])


def test_chargers_come_by_their_shares(zones):
    cars = make_fleet(40_000)
    short = np.full(len(cars), 10.0)
    found = equip_cars(cars, short, zones, Draws(1), FLEET, CHARGERS)
    has_home, has_work = found["home_kw"] > 0, found["work_kw"] > 0
    for z in (0, 5, 11):
        for income in (20_000.0, 90_000.0):
            kind = (cars["zone"] == z) & (cars["income"] == income)
            wanted = home_share(zones.dwellings[[z]], np.array([income]), CHARGERS)[0]
            assert has_home[kind].mean() == pytest.approx(wanted, abs=0.06)
    rich = cars["is_commuter"] & (cars["income"] > 50_000)
    poor = cars["is_commuter"] & (cars["income"] < 50_000)
    assert has_work[rich].mean() == pytest.approx(0.40, abs=0.015)
    assert has_work[poor].mean() == pytest.approx(0.34, abs=0.015)
    assert not has_work[~cars["is_commuter"]].any()
    fast = found["home_kw"] > CHARGERS.slow_kw
    assert fast[has_home].mean() == pytest.approx(0.60, abs=0.01)
    assert set(found["battery_kwh"]) == {40.0, 82.0}
    at_240 = found[fast].groupby("battery_kwh")["home_kw"].unique()
    assert at_240[40.0].tolist() == [6.6] and at_240[82.0].tolist() == [7.2]
    # A day that no socket refills overnight asks for 240 V
    far = equip_cars(cars, np.full(len(cars), 90.0), zones, Draws(1), FLEET, CHARGERS)
    assert (far["home_kw"][far["home_kw"] > 0] > CHARGERS.slow_kw).all()
    np.testing.assert_array_equal(far["home_kw"] > 0, has_home)


def test_each_place_has_its_power(zones):
    cars = pd.DataFrame({"key": [1], "home_kw": [7.2], "work_kw": [0.0]})
    count = 30_000
    stays = pd.DataFrame(
        {
            "car": 0,
            "zone": np.arange(count) % 30,
            "place": np.array([AT_HOME, AT_WORK, AT_FAST, AT_PUBLIC])[
                np.arange(count) // 30 % 4
            ],
            "habit": 0,
            "step": np.arange(count),
        }
    )
    power = place_chargers(stays, cars, zones, Draws(0), CHARGERS)
    place = stays["place"].to_numpy()
    assert set(power[place == AT_HOME]) == {7.2}
    assert set(power[place == AT_WORK]) == {0.0}
    assert set(power[place == AT_FAST]) == {50.0}
    public = place == AT_PUBLIC
    assert set(power[public]) == {0.0, 6.6}
    density = zones.dwellings[stays["zone"].to_numpy()]
    for low, high, share in ((0, 8, 0.03), (8, 20, 0.05), (20, 1e9, 0.08)):
        kind = public & (density > low) & (density <= high)
        if kind.any():
            found = (power[kind] > 0).mean()
            assert found == pytest.approx(share, abs=4 * (share / kind.sum()) ** 0.5)


def slow_stops(energy, battery, reserve, gone):
    """`due_stops` for one car, day by day."""
    rate, minutes = CHARGERS.fast_kw * FLEET.efficiency / 60, []
    for day, used in enumerate(energy):
        gone += used
        following = next((e for e in energy[day + 1 :] if e > 0), 0.0)
        if used > 0 and gone + following > CHARGERS.stop_share * (battery - reserve):
            wanted = np.ceil(CHARGERS.stop_slack * gone / rate)
            low, high = CHARGERS.stop_minutes
            minutes.append(int(min(max(wanted, low), high)))
            gone = max(gone - rate * minutes[-1], 0)
        else:
            minutes.append(0)
    return minutes


def test_stops_are_made_before_the_energy_is_gone():
    rng = np.random.default_rng(5)
    energy = rng.uniform(0, 18, (300, 7)) * (rng.random((300, 7)) < 0.7)
    battery = rng.choice([40.0, 82.0], 300)
    cars = pd.DataFrame({"battery_kwh": battery, "reserve_kwh": 0.2 * battery})
    gone = rng.uniform(0, 0.8, 300) * battery
    found = due_stops(energy, cars, gone, FLEET, CHARGERS)
    for row in range(300):
        expected = slow_stops(energy[row], battery[row], 0.2 * battery[row], gone[row])
        assert found[row].tolist() == expected
    assert (found > 0).any() and not (found[energy == 0] > 0).any()


def test_a_stop_comes_on_the_last_way_home():
    trips = pd.DataFrame(
        {
            "car": [0, 0, 0, 1, 1],
            "day": [0, 0, 2, 0, 0],
            "step": [0, 1, 0, 0, 1],
            "wanted": [1.0, 2.0, 3.0, 4.0, 5.0],
            "km": [10.0, 20.0, 30.0, 40.0, 50.0],
            "zone": [5, 1, 1, 6, 2],
            "place": np.array([AT_WORK, AT_HOME, AT_HOME, AT_PUBLIC, AT_HOME], np.int8),
            "least_stay": 10,
        }
    )
    minutes = np.zeros((2, 3), int)
    minutes[0, 0], minutes[1, 0], minutes[1, 1] = 25, 40, 30
    found = insert_stops(trips, minutes, np.array([1, 2]), CHARGERS)
    expected = [
        (0, 0, 0, 1.0, 10.0, 5, AT_WORK, 10),
        (0, 0, 1, 2.0, 20.0, 1, AT_FAST, 25),
        (0, 0, 2, -np.inf, CHARGERS.stop_to_home_km, 1, AT_HOME, 10),
        (0, 2, 0, 3.0, 30.0, 1, AT_HOME, 10),
        (1, 0, 0, 4.0, 40.0, 6, AT_PUBLIC, 10),
        (1, 0, 1, 5.0, 50.0, 2, AT_FAST, 40),
        (1, 0, 2, -np.inf, CHARGERS.stop_to_home_km, 2, AT_HOME, 10),
    ]
    assert list(found.itertuples(index=False, name=None)) == expected
