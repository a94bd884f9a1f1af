"""`certify`: frames in, numbers and reports out."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from certificate_cases import START, Program, random_scenario, terms_of
from test_feasibility import GOOD, day

from macjax._errors import DataError, SettingsError
from macjax.certificate import Certificate, Certifier, certify, relative_gap
from macjax.objectives import FeederCapacity, OverloadEnergy, PeakOverload


def frames(scenario, plan, prices):
    """A plan and prices as the frames that users see."""
    stays = scenario.stays
    times = scenario.slot_starts
    schedule = pd.DataFrame(
        {
            "vehicle_id": stays["vehicle_id"].to_numpy()[plan.stay],
            "stay": plan.stay,
            "time": times[plan.slot],
            "feeder_id": stays["feeder_id"].to_numpy()[plan.stay],
            "kw": plan.kw,
        }
    )
    feeders, slots = prices.shape
    table = pd.DataFrame(
        {
            "feeder_id": np.repeat(scenario.feeders["feeder_id"].tolist(), slots),
            "time": times.tolist() * feeders,
            "price": prices.ravel(),
        }
    )
    return schedule, table


@pytest.fixture(scope="module")
def solved():
    scenario = random_scenario(4, base=1.3)
    optimum, prices, plan = Program(scenario, terms_of(scenario)).solve()
    return scenario, optimum, *frames(scenario, plan, prices)


def test_a_solution_from_elsewhere(solved):
    scenario, optimum, schedule, prices = solved
    certificate = certify(scenario, schedule=schedule, prices=prices)
    assert certificate.feasible
    assert certificate.objective == pytest.approx(optimum, rel=1e-9)
    assert certificate.lower_bound == pytest.approx(optimum, rel=1e-9)
    assert abs(certificate.gap) < 1e-8
    loads = certificate.loads
    expected = Certifier(scenario, PeakOverload())
    over = (loads["base_kw"] + loads["ev_kw"] - loads["capacity_kw"]).clip(lower=0)
    np.testing.assert_allclose(loads["overload_kw"], over)
    assert len(loads) == expected.active.size
    peak = loads.groupby("feeder_id")["overload_kw"].max()
    cost = scenario.feeders.set_index("feeder_id")["upgrade_cost_per_kw"]
    assert (peak * cost).sum() == pytest.approx(certificate.objective)
    # Row order, and the second positional argument.
    shuffled = schedule.sample(frac=1, random_state=0)
    again = certify(scenario, shuffled, prices=prices.sample(frac=1, random_state=0))
    assert again.objective == pytest.approx(certificate.objective, rel=1e-12)
    assert again.lower_bound == certificate.lower_bound


def test_a_solution_object(solved):
    scenario, optimum, schedule, prices = solved
    solution = SimpleNamespace(
        schedule=lambda: schedule,
        prices=lambda: prices,
        objective_spec=PeakOverload(),
        on_infeasible="relax",
        dropped=[],
        tube="mobility",
    )
    certificate = certify(scenario, solution)
    assert certificate.objective == pytest.approx(optimum, rel=1e-9)
    other = certify(scenario, solution, objective=OverloadEnergy(2.0))
    assert other.objective != certificate.objective
    solution.prices = lambda: None
    none = certify(scenario, solution)
    assert none.lower_bound <= certificate.lower_bound + 1e-9
    solution.tube = "per_session"
    assert not certify(scenario, solution).feasible


def test_text_and_numbers(solved):
    scenario, optimum, schedule, prices = solved
    certificate = certify(scenario, schedule=schedule, prices=prices)
    assert "feasible" in str(certificate)
    assert f"{optimum:,.6g}" in str(certificate)
    numbers = json.loads(json.dumps(certificate.to_dict(), allow_nan=False))
    assert numbers["objective"] == certificate.objective
    wrong = schedule.assign(kw=schedule["kw"] * 3)
    text = str(certify(scenario, wrong))
    assert "NOT feasible" in text
    assert str(certify(scenario, wrong).worst_vehicle) in text
    broken = certify(scenario, schedule.assign(kw=np.nan))
    assert not broken.feasible
    assert np.isnan(broken.objective)
    assert np.isnan(broken.gap)
    assert json.loads(json.dumps(broken.to_dict(), allow_nan=False))["gap"] is None


def test_prices_alone_give_a_bound(solved):
    scenario, optimum, _, prices = solved
    certificate = certify(scenario, prices=prices)
    assert isinstance(certificate, Certificate)
    assert certificate.lower_bound == pytest.approx(optimum, rel=1e-9)
    assert np.isnan(certificate.objective)
    assert not certificate.feasible
    assert "no schedule" in str(certificate)


def test_missing_price_cells_are_zero(solved):
    scenario, _, schedule, prices = solved
    some = prices[prices["price"] > 0]
    assert 0 < len(some) < len(prices)
    a, b = (certify(scenario, schedule, prices=p) for p in (some, prices))
    assert a.lower_bound == pytest.approx(b.lower_bound, rel=1e-12)


def test_hard_capacity_with_its_tolerance():
    scenario = day()
    schedule = good_schedule(scenario)

    def cost(kw):
        schedule.loc[0, "kw"] = kw
        return certify(scenario, schedule, objective=FeederCapacity()).objective

    # Slot 5 of feeder A: headroom 4, capacity 5 kW, tolerance 5 W.
    assert cost(4.0) == 0
    assert cost(4.0049) == 0
    assert cost(4.0051) == np.inf


def good_schedule(scenario):
    stay, slot, kw = map(np.array, zip(*GOOD, strict=True))
    plan = SimpleNamespace(stay=stay, slot=slot, kw=kw)
    return frames(scenario, plan, np.zeros((2, 30)))[0]


def test_stays_are_found_where_they_are_unique():
    scenario = day()
    schedule = good_schedule(scenario)
    named = certify(scenario, schedule)
    found = certify(scenario, schedule.drop(columns=["stay", "feeder_id"]))
    assert found.feasible
    assert found.objective == named.objective
    pd.testing.assert_frame_equal(found.loads, named.loads)
    # Car 9 has no charger in slot 3.
    stray = pd.DataFrame({"vehicle_id": [9], "time": [scenario.start], "kw": [1.0]})
    with pytest.raises(DataError, match="no charging stay"):
        certify(scenario, stray)
    # Two stays in one slot need the column.
    scenario = random_scenario(0)
    rows = [r for r in overlapping_rows(scenario)]
    assert rows
    twice = pd.DataFrame(rows, columns=["vehicle_id", "time"]).assign(kw=0.1)
    with pytest.raises(DataError, match="several stays"):
        certify(scenario, twice)


def overlapping_rows(scenario):
    """Vehicles and slots with more than one charging stay."""
    hour = pd.Timedelta(hours=1)
    charging = scenario.stays[scenario.stays["charger_kw"] > 0]
    for name, stays in charging.groupby("vehicle_id"):
        for t in range(scenario.slots):
            opens = START + t * hour
            inside = (stays["arrival"] < opens + hour) & (stays["departure"] > opens)
            if inside.sum() > 1:
                yield name, opens


@pytest.mark.parametrize(
    "change, column",
    [
        (lambda s: s.drop(columns="kw"), "kw"),
        (lambda s: s.drop(columns="time"), "time"),
        (lambda s: s.assign(vehicle_id=8), "vehicle_id"),
        (lambda s: s.assign(vehicle_id="7"), "vehicle_id"),
        (lambda s: s.assign(stay=5), "stay"),
        (lambda s: s.assign(stay=0.5), "stay"),
        (lambda s: s.assign(stay=3), "stay,vehicle_id"),
        (lambda s: s.assign(feeder_id="B"), "stay,feeder_id"),
        (lambda s: s.assign(kw="7,4"), "kw"),
        (lambda s: s.assign(time=s["time"] + pd.Timedelta(minutes=1)), "time"),
        (lambda s: s.assign(time=s["time"] + pd.Timedelta(days=9)), "time"),
        (lambda s: s.assign(time=s["time"].dt.tz_localize(None)), "time"),
        (lambda s: s.assign(time="yesterday"), "time"),
        (lambda s: s.assign(time=pd.NaT), "time"),
    ],
)
def test_wrong_schedules(change, column):
    scenario = day()
    with pytest.raises(DataError) as caught:
        certify(scenario, change(good_schedule(scenario)))
    (fault,) = caught.value.fault_list
    assert (fault.table, fault.column) == ("schedule", column)
    assert fault.count >= 1


@pytest.mark.parametrize(
    "change, column",
    [
        (lambda p: p.assign(feeder_id="C"), "feeder_id"),
        (lambda p: p.assign(feeder_id=None), "feeder_id"),
        (lambda p: p.rename(columns={"price": "prise"}), "price"),
        (lambda p: pd.concat([p, p]), "feeder_id,time"),
        (lambda p: p.assign(price="0.1"), "price"),
        (lambda p: p.assign(time=START + pd.Timedelta(days=3)), "time"),
        (lambda p: "prices.csv", "feeder_id,time,price"),
    ],
)
def test_wrong_prices(change, column):
    scenario = day()
    prices = frames(
        scenario, SimpleNamespace(stay=[], slot=[], kw=[]), np.ones((2, 30))
    )
    with pytest.raises(DataError) as caught:
        certify(scenario, prices=change(prices[1]))
    (fault,) = caught.value.fault_list
    assert (fault.table, fault.column) == ("prices", column)


def test_times_of_any_offset_and_as_text():
    scenario = day()
    schedule = good_schedule(scenario)
    expected = certify(scenario, schedule).objective
    local = schedule["time"].dt.tz_convert("Asia/Kathmandu")
    for times in (local, local.map(lambda t: t.isoformat()), local.astype(object)):
        given = certify(scenario, schedule.assign(time=times))
        assert given.objective == expected


def test_two_schedules_are_one_too_many():
    with pytest.raises(SettingsError, match="two"):
        certify(day(), pd.DataFrame(), schedule=pd.DataFrame())


def test_discharging_is_refused_unless_switched_off():
    frames = {
        n: getattr(day(), n)
        for n in ("vehicles", "stays", "trips", "feeders", "feeder_profile")
    }
    frames["stays"] = frames["stays"].assign(discharge_kw=5.0)
    scenario = SimpleNamespace(
        start=START,
        timezone="America/Los_Angeles",
        slot_minutes=60,
        slots=30,
        capacity_base=day().capacity_base,
        **frames,
    )
    with pytest.raises(DataError, match="discharge_kw"):
        certify(scenario)
    assert certify(scenario, vehicle_to_grid=False).lower_bound == 0


def test_relative_gap():
    assert relative_gap(0.0, 0.0, 0.0) == 0
    assert relative_gap(0.0, 0.0, 7.0) == 0
    assert relative_gap(10.0, 9.0, 100.0) == pytest.approx(1 / 11)
    assert relative_gap(-10.0, -11.0, -100.0) == pytest.approx(1 / 11)
    assert relative_gap(0.0, -1.0, 50.0) == pytest.approx(2.0)
    assert relative_gap(0.0, -1.0, 0.0) == np.inf
    assert relative_gap(np.inf, 1.0, 5.0) == np.inf
    assert np.isnan(relative_gap(np.nan, 1.0, 5.0))
