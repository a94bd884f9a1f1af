"""Synthetic fleets are valid, feasible, reproducible and of the size asked for."""

import numpy as np
import oracles
import pytest

from macjax._errors import SettingsError
from macjax.scenario import Scenario
from macjax.synthetic import KINDS, fleet, fleet_frames
from macjax.synthetic.chains import BATTERIES_KWH
from macjax.synthetic.headroom import water_level

TABLES = ("vehicles", "stays", "trips", "feeders", "feeder_profile")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("evs", [0, 1, 60])
def test_every_kind_is_valid_and_feasible(kind, evs):
    scenario = fleet(evs, kind=kind, seed=3)
    assert scenario.validate() is None
    assert len(scenario.vehicles) == evs
    assert oracles.greedy_feasible(scenario).all()


@pytest.mark.parametrize("seed", range(40))
def test_random_fleets_are_valid_and_feasible(seed):
    scenario = fleet(1 + 37 * (seed % 3), kind="random", seed=seed)
    assert scenario.validate() is None
    assert oracles.greedy_feasible(scenario).all()


@pytest.mark.parametrize(
    ("slots", "minutes"), [(1, 60), (12, 60), (24, 60), (336, 60), (96, 15), (20, 120)]
)
def test_any_horizon_is_served(slots, minutes):
    scenario = fleet(40, slots, minutes, kind="hard")
    assert (scenario.slots, scenario.slot_minutes) == (slots, minutes)
    assert oracles.greedy_feasible(scenario).all()


@pytest.mark.parametrize(("slots", "minutes"), [(56, 720), (28, 1440)])
def test_long_slots_keep_days_apart(slots, minutes):
    """Road trips do not begin before the evening of the day before has ended."""
    scenario = fleet(2000, slots, minutes, kind="hard", road_trips=1.0)
    assert oracles.greedy_feasible(scenario).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_everything(kind):
    first, again = (fleet(50, kind=kind, seed=8) for _ in range(2))
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != fleet(50, kind=kind, seed=9).fingerprint


def test_blocks_of_vehicles_make_one_valid_fleet(monkeypatch):
    monkeypatch.setattr("macjax.synthetic.generate.BLOCK", 16)
    scenario = fleet(70, kind="hard")
    assert len(scenario.vehicles) == 70
    assert oracles.greedy_feasible(scenario).all()


def test_feeders_and_their_costs_are_those_of_the_kind():
    easy, hard = fleet(500, kind="easy"), fleet(500, kind="hard")
    assert (len(easy.feeders), len(hard.feeders)) == (10, 2)
    assert len(fleet(500, kind="hard", feeders=7).feeders) == 7
    assert easy.feeders["upgrade_cost_per_kw"].nunique() == 1
    cost = fleet(5000, kind="hard").feeders["upgrade_cost_per_kw"]
    assert cost.nunique() > 10 and 2 < cost.max() / cost.min() <= 10.01


def test_vehicles_and_days_look_as_documented():
    frames = fleet_frames(4000, kind="easy")
    vehicles, stays, trips = (frames[t] for t in TABLES[:3])
    assert set(vehicles["battery_kwh"]) == set(BATTERIES_KWH)
    assert (vehicles["reserve_kwh"] < vehicles["initial_kwh"]).all()
    home = stays[stays["place"] == "home"].groupby("vehicle_id")["charger_kw"].max()
    shares = home.value_counts(normalize=True)
    assert shares[7.2] == pytest.approx(0.55, abs=0.04)
    assert shares[3.6] == pytest.approx(0.30, abs=0.04)
    assert shares[0.0] == pytest.approx(0.15, abs=0.04)
    at_work = stays[stays["place"] == "work"]["arrival"]
    assert (at_work.dt.tz_convert(frames["timezone"]).dt.day_of_week < 5).all()
    used = trips.groupby("vehicle_id")["energy_kwh"].sum().mean() / 7
    assert 5 < used < 15
    minute = trips["departure"].dt.minute
    assert (minute == 0).mean() < 0.1


def test_stays_and_trips_of_a_vehicle_follow_each_other():
    """Each trip starts when a stay ends and ends when the next one starts."""
    frames = fleet_frames(300, kind="hard")
    stays, trips = frames["stays"], frames["trips"]
    last = ~stays["vehicle_id"].duplicated(keep="last")
    first = ~stays["vehicle_id"].duplicated(keep="first")
    for mask, stay, trip in (
        (last, "departure", "departure"),
        (first, "arrival", "arrival"),
    ):
        met = stays.loc[~mask, ["vehicle_id", stay]].to_numpy()
        assert (met == trips[["vehicle_id", trip]].to_numpy()).all()


def test_easy_fleet_needs_much_unmanaged_and_little_coordinated():
    scenario = fleet(200, kind="easy")
    unmanaged = oracles.objective_of(scenario, oracles.unmanaged_loads(scenario))
    optimum = oracles.solve_lp(scenario).optimum
    assert 0 < optimum < 0.1 * unmanaged


@pytest.mark.parametrize(("slots", "minutes"), [(168, 60), (192, 15)])
def test_hard_fleet_has_a_peak_forced_in_one_slot(slots, minutes):
    """One more kW in that slot costs most of an upgrade kW, on some feeder."""
    scenario = fleet(400, slots, minutes, feeders=4, kind="hard")
    answer = oracles.solve_lp(scenario)
    share = answer.prices.max(axis=1) / scenario.feeders["upgrade_cost_per_kw"]
    assert answer.optimum > 0
    assert (share > 0.5).any()


def test_headroom_follows_the_fleet_at_any_size():
    """Unmanaged upgrade per vehicle stays in the same range from 50 to 2,000 EVs."""
    for evs in (50, 400, 2000):
        scenario = fleet(evs, kind="easy")
        over = oracles.unmanaged_loads(scenario) - oracles.convert(scenario).headroom
        assert 0.5 < over.max(axis=1).clip(0).sum() / evs < 4.0


def test_water_level_holds_the_energy():
    rng = np.random.default_rng(0)
    base = rng.normal(5.0, 2.0, (30, 24))
    energy = rng.uniform(0.0, 100.0, 30)
    level = water_level(base, energy, 0.5)
    held = np.maximum(level[:, None] - base, 0.0).sum(axis=1) * 0.5
    np.testing.assert_allclose(held, energy, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "esay"},
        {"evs": -1},
        {"slot_minutes": 7},
        {"slots": 0},
        {"feeders": 0},
        {"road_trip": 0.1},
        {"kind": "random", "cost": (1.0, 2.0)},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(SettingsError):
        fleet(**({"evs": 5} | wrong))


def test_frames_make_the_same_scenario_by_way_of_files(tmp_path):
    scenario = fleet(30, kind="random", seed=4)
    scenario.write(tmp_path / "fleet")
    assert Scenario.read(tmp_path / "fleet").fingerprint == scenario.fingerprint
