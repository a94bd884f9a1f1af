"""The frames of a solution against slow loops and conservation."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from result_cases import HOUR, START, ZONE, fleet, random_plan, slow_load, slow_soc

from macjax._errors import SettingsError, SolutionError
from macjax.results import Solution, tables
from macjax.scenario.plan import Plan

CASES = [
    dict(seed=1),
    dict(seed=2, minutes=15, slots=40),
    dict(seed=3, minutes=30, whole_numbers=True),
    dict(seed=4, vehicles=1, feeders=1, slots=1),
    dict(seed=5, minutes=720, slots=3, vehicles=4),
]


def solution_of(scenario, plan, **given):
    return Solution(scenario=scenario, plan=plan, status="solved", **given)


@pytest.fixture(params=CASES, ids=lambda case: f"seed{case['seed']}")
def solution(request):
    scenario = fleet(**request.param)
    return solution_of(scenario, random_plan(scenario))


def test_schedule_says_where_and_when_each_vehicle_charges(solution):
    frame, plan = solution.schedule(), solution.plan
    assert list(frame) == ["vehicle_id", "stay", "time", "feeder_id", "kw"]
    assert len(frame) == len(plan.stay) and (frame["kw"] > 0).all()
    assert str(frame["time"].dt.tz) == ZONE
    stays, dt = solution.scenario.stays, solution.scenario.slot_hours
    for n, row in frame.iterrows():
        stay = stays.loc[plan.stay[n]]
        assert row["stay"] == plan.stay[n]
        assert row["vehicle_id"] == stay["vehicle_id"]
        assert row["time"] == START + plan.slot[n] * dt * HOUR
        assert row["kw"] == plan.kw[n]
        nulls = pd.isna(row["feeder_id"]), pd.isna(stay["feeder_id"])
        assert nulls == (True, True) or row["feeder_id"] == stay["feeder_id"]
    assert frame["vehicle_id"].dtype == stays["vehicle_id"].dtype
    assert frame["feeder_id"].dtype == stays["feeder_id"].dtype


def test_soc_follows_every_vehicle(solution):
    frame, slots = solution.soc(), solution.scenario.slots
    expected = slow_soc(solution.scenario, solution.plan)
    assert list(frame) == ["vehicle_id", "time", "soc_kwh"]
    assert len(frame) == (slots + 1) * len(expected)
    names = solution.scenario.vehicles["vehicle_id"].tolist()
    assert frame["vehicle_id"].tolist() == list(np.repeat(np.array(names), slots + 1))
    assert frame["time"][0] == solution.scenario.start
    assert frame["time"][slots] == solution.scenario.end
    got = frame["soc_kwh"].to_numpy().reshape(-1, slots + 1)
    want = np.array([expected[name] for name in names])
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-10)


def test_soc_of_some_vehicles_is_that_of_all(solution):
    every = solution.soc()
    names = solution.scenario.vehicles["vehicle_id"].tolist()[::-2]
    some = solution.soc(vehicles=[*names, names[0]])
    parts = [every[every["vehicle_id"] == name] for name in names]
    pd.testing.assert_frame_equal(some, pd.concat(parts, ignore_index=True))
    one = solution.soc(vehicles=names[0])
    pd.testing.assert_frame_equal(one, parts[0].reset_index(drop=True))


def test_soc_starts_where_the_method_starts():
    scenario = fleet(7)
    full = scenario.vehicles["battery_kwh"].to_numpy()
    plan = random_plan(scenario)
    frame = solution_of(scenario, plan, initial_kwh=full).soc()
    expected = slow_soc(scenario, plan, initial=full)
    got = frame["soc_kwh"].to_numpy().reshape(len(full), -1)
    np.testing.assert_allclose(got, list(expected.values()), rtol=0, atol=1e-10)
    assert (got[:, 0] == full).all()


def test_loads_count_weights_and_leave_out_chargers_without_feeder(solution):
    frame, slots = solution.loads(), solution.scenario.slots
    columns = ["feeder_id", "time", "base_kw", "ev_kw", "capacity_kw", "overload_kw"]
    assert list(frame) == columns
    expected = slow_load(solution.scenario, solution.plan)
    assert frame["feeder_id"].tolist() == [f for f, _ in expected]
    times = frame["time"].to_numpy().reshape(-1, slots)
    assert (times == times[0]).all() and len(times) == len(solution.scenario.feeders)
    np.testing.assert_allclose(frame["ev_kw"], list(expected.values()), atol=1e-12)
    over = frame["base_kw"] + frame["ev_kw"] - frame["capacity_kw"]
    np.testing.assert_array_equal(frame["overload_kw"], over.clip(lower=0.0))
    capacity, base = solution.scenario.capacity_base()
    np.testing.assert_array_equal(frame["capacity_kw"], capacity.ravel())
    np.testing.assert_array_equal(frame["base_kw"], base.ravel())


def test_energy_is_conserved_between_schedule_loads_and_soc(solution):
    scenario, dt = solution.scenario, solution.scenario.slot_hours
    schedule = solution.schedule().merge(
        scenario.vehicles, on="vehicle_id", validate="m:1"
    )
    grid = schedule["kw"] * schedule["weight"] * dt
    on_feeder = schedule["feeder_id"].notna()
    served = solution.loads()["ev_kw"].sum() * dt
    assert served == pytest.approx(grid[on_feeder].sum(), abs=1e-9)
    assert solution.summary()["energy_kwh"] == pytest.approx(grid.sum(), abs=1e-9)
    soc = solution.soc().groupby("vehicle_id", sort=False)["soc_kwh"]
    gained = (schedule["kw"] * schedule["charge_efficiency"] * dt).sum()
    used = scenario.trip_events().energy_kwh.sum()
    change = (soc.last() - soc.first()).sum()
    assert change == pytest.approx(gained - used, abs=1e-9)


def test_upgrades_are_the_largest_overload(solution):
    frame, loads = solution.upgrades(), solution.loads()
    columns = ["feeder_id", "upgrade_kw", "upgrade_cost", "peak_time", "base_only_kw"]
    assert list(frame) == columns
    cost = solution.scenario.feeders.set_index("feeder_id")["upgrade_cost_per_kw"]
    for _, row in frame.iterrows():
        own = loads[loads["feeder_id"] == row["feeder_id"]]
        most = own["overload_kw"].max()
        assert row["upgrade_kw"] == pytest.approx(most, abs=1e-12)
        assert row["upgrade_cost"] == row["upgrade_kw"] * cost[row["feeder_id"]]
        base_only = (own["base_kw"] - own["capacity_kw"]).max()
        assert row["base_only_kw"] == pytest.approx(max(base_only, 0.0), abs=1e-12)
        if most > 0:
            at = own.loc[own["time"] == row["peak_time"], "overload_kw"]
            assert at.item() == pytest.approx(most, abs=1e-12)
        else:
            assert row["peak_time"] is pd.NaT


def test_a_feeder_without_overload_has_no_peak_time_and_counts_as_fine():
    scenario = fleet(8, feeders=1, slots=2)
    capacity, base = scenario.capacity_base()
    profile = scenario.feeder_profile.assign(capacity_kw=1e4)
    roomy = same_but(scenario, feeder_profile=profile)
    solution = solution_of(roomy, random_plan(roomy))
    upgrade = solution.upgrades()
    assert upgrade["peak_time"].isna().all() and (upgrade["upgrade_kw"] == 0).all()
    assert str(upgrade["peak_time"].dt.tz) == ZONE
    assert solution.summary()["feeders_overloaded"] == 0
    assert capacity.shape == base.shape == (1, 2)


@pytest.mark.parametrize(("excess", "counts"), [(0.9e-4, 0), (1.1e-4, 1)])
def test_an_overload_counts_beyond_a_millionth_of_capacity(excess, counts):
    scenario = fleet(8, feeders=1, slots=2)
    profile = scenario.feeder_profile.assign(capacity_kw=100.0, base_kw=100.0 + excess)
    tight = same_but(scenario, feeder_profile=profile)
    summary = solution_of(tight, Plan.empty()).summary()
    assert summary["feeders_overloaded"] == counts
    assert summary["base_only_kw"] == pytest.approx(excess)


def same_but(scenario, **tables):
    names = ("vehicles", "stays", "trips", "feeders", "feeder_profile")
    keys = ("name", "start", "timezone", "slot_minutes", "slots", "currency")
    given = {name: getattr(scenario, name) for name in names + keys}
    return type(scenario).from_frames(**(given | tables))


def test_prices_name_every_feeder_and_slot(solution):
    shape = len(solution.scenario.feeders), solution.scenario.slots
    table = np.arange(shape[0] * shape[1], dtype=float).reshape(shape)
    priced = solution_of(solution.scenario, solution.plan, prices=table)
    frame = priced.prices()
    assert list(frame) == ["feeder_id", "time", "price"]
    pd.testing.assert_frame_equal(
        frame[["feeder_id", "time"]], priced.loads()[["feeder_id", "time"]]
    )
    np.testing.assert_array_equal(frame["price"], table.ravel())
    assert priced.has_prices and not solution.has_prices


def test_a_method_without_prices_says_so():
    scenario = fleet(1)
    simulated = Solution(
        scenario=scenario, plan=Plan.empty(), status="simulated", method="first_come"
    )
    with pytest.raises(SolutionError, match="'first_come'.*no prices"):
        simulated.prices()


def test_two_stays_of_a_vehicle_in_one_slot_are_two_rows_and_one_load():
    scenario = fleet(5, minutes=720, slots=3, vehicles=4)
    plan = random_plan(scenario)
    owner = scenario.stays["vehicle_id"].to_numpy()[plan.stay]
    pairs = pd.DataFrame({"v": owner, "slot": plan.slot})
    assert pairs.duplicated().any()
    solution = solution_of(scenario, plan)
    expected = list(slow_load(scenario, plan).values())
    np.testing.assert_allclose(solution.loads()["ev_kw"], expected, atol=1e-12)


@pytest.mark.parametrize("whole_numbers", [False, True])
@pytest.mark.parametrize("vehicles", [0, 3])
def test_nothing_to_charge_gives_frames_with_the_same_columns(vehicles, whole_numbers):
    scenario = fleet(9, vehicles=vehicles, whole_numbers=whole_numbers)
    idle, busy = solution_of(scenario, Plan.empty()), fleet(1)
    busy = solution_of(busy, random_plan(busy))
    for name in ("schedule", "soc", "loads", "upgrades"):
        frame = getattr(idle, name)()
        assert list(frame) == list(getattr(busy, name)())
        assert str(frame.filter(like="time").iloc[:, 0].dt.tz) == ZONE
    assert len(idle.schedule()) == 0 and (idle.loads()["ev_kw"] == 0).all()
    assert len(idle.soc()) == vehicles * (scenario.slots + 1)
    assert idle.summary()["energy_kwh"] == 0.0


def test_no_feeders():
    scenario = same_but(
        fleet(1),
        stays=fleet(1).stays.assign(feeder_id=None),
        feeders=fleet(1).feeders.iloc[:0],
        feeder_profile=fleet(1).feeder_profile.iloc[:0],
    )
    solution = solution_of(scenario, random_plan(scenario), prices=np.empty((0, 14)))
    assert len(solution.loads()) == len(solution.upgrades()) == 0
    assert len(solution.prices()) == 0
    assert solution.schedule()["feeder_id"].isna().all()
    assert solution.summary()["energy_kwh"] > 0
    assert solution.summary()["feeders_overloaded"] == 0


def test_dropped_vehicles_have_no_soc_unless_named():
    scenario = fleet(1)
    names = scenario.vehicles["vehicle_id"].tolist()
    solution = solution_of(
        scenario, Plan.empty(), dropped=names[:2], on_infeasible="drop"
    )
    assert solution.soc()["vehicle_id"].unique().tolist() == names[2:]
    assert solution.soc(names[0])["vehicle_id"].unique().tolist() == names[:1]
    assert solution.dropped == names[:2]


def test_unknown_vehicles_are_named():
    scenario = fleet(1)
    name = scenario.vehicles["vehicle_id"][0]
    solution = solution_of(scenario, Plan.empty())
    with pytest.raises(SettingsError, match=r"1 not in the vehicles table: 7.*text"):
        solution.soc(vehicles=[name, 7])
    whole = fleet(3, whole_numbers=True)
    with pytest.raises(SettingsError, match=r"2 not in.*a, b.*integers"):
        solution_of(whole, Plan.empty()).soc(vehicles=pd.Series(["a", "b"]))
    assert len(solution.soc(vehicles=[])) == 0


@pytest.mark.parametrize("wrong", [object(), 3.5, [["a"]]])
def test_vehicles_that_are_no_ids(wrong):
    scenario = fleet(1)
    with pytest.raises(SettingsError, match="vehicles must be an id or a list"):
        solution_of(scenario, Plan.empty()).soc(vehicles=wrong)
    with pytest.raises(SettingsError, match="vehicles must be an id or a list"):
        scenario.subset(vehicles=wrong)


def test_a_trip_beyond_the_horizon_leaves_all_its_energy_within():
    scenario = fleet(1, vehicles=1)
    name, slots = scenario.vehicles["vehicle_id"][0], scenario.slots
    late = {"departure": START + (slots - 2) * HOUR, "arrival": START + 99 * HOUR}
    trip = pd.DataFrame([{"vehicle_id": name, **late, "energy_kwh": 8.0}])
    late = same_but(scenario, stays=scenario.stays[:0], trips=trip)
    level = solution_of(late, Plan.empty()).soc()["soc_kwh"].to_numpy()
    np.testing.assert_allclose(level[-3:] - level[0], [0.0, -4.0, -8.0], atol=1e-12)


@pytest.mark.parametrize("minutes", [1, 9, 20, 36, 60])
def test_trips_between_slot_edges_touch_their_slots_alone(minutes):
    slots = 60_000
    edges = np.arange(slots + 1) * minutes * 60_000_000 / 3_600_000_000
    clock = SimpleNamespace(slot_minutes=minutes, slot_hours=minutes / 60, slots=slots)
    first = np.arange(0, slots - 3)
    last = first + 1 + first % 3
    trip, slot, share = tables._trip_shares(edges[first], edges[last], clock)
    np.testing.assert_array_equal(np.bincount(trip), last - first)
    np.testing.assert_array_equal(slot[np.searchsorted(trip, first)], first)
    np.testing.assert_allclose(share, 1 / (last - first)[trip], rtol=1e-9)


def test_soc_of_too_many_rows_asks_for_a_choice(monkeypatch):
    scenario = fleet(1)
    solution = solution_of(scenario, Plan.empty())
    monkeypatch.setattr(tables, "MOST_SOC_ROWS", 30)
    with pytest.raises(SettingsError, match=r"90 rows.*vehicles=\[\.\.\.\]"):
        solution.soc()
    assert len(solution.soc(vehicles=scenario.vehicles["vehicle_id"][:2])) == 30


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda s, t, p: (s + 10**6, t, p), "a stay that is not in the horizon"),
        (lambda s, t, p: (s - 10**6, t, p), "a stay that is not in the horizon"),
        (lambda s, t, p: (s, t + 99, p), "a slot outside 0 to 13"),
        (lambda s, t, p: (s, t - 99, p), "a slot outside 0 to 13"),
        (lambda s, t, p: (s, t, p * np.nan), "not a finite number"),
        (lambda s, t, p: (s[::-1], t[::-1], p), "not sorted"),
        (lambda s, t, p: (s.repeat(2), t.repeat(2), p.repeat(2)), "repeat"),
        (lambda s, t, p: (s, t, p[1:]), "powers"),
    ],
)
def test_a_plan_of_wrong_form_is_refused(change, what):
    scenario = fleet(1)
    with pytest.raises(SolutionError, match=what):
        solution_of(scenario, Plan(*change(*random_plan(scenario))))


def test_a_stay_outside_the_horizon_cannot_be_in_a_plan():
    late = {"arrival": START + 30 * HOUR, "departure": START + 31 * HOUR}
    one = fleet(1).stays.iloc[:1]
    stays = pd.concat([fleet(1).stays, one.assign(**late)], ignore_index=True)
    scenario = same_but(fleet(1), stays=stays)
    with pytest.raises(SolutionError, match="not in the horizon"):
        solution_of(scenario, Plan.of([len(stays) - 1], [0], [1.0]))
