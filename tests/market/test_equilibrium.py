"""MAC's solution is an equilibrium up to its gap, and bills are what they say."""

import functools

import numpy as np
import oracles
import pandas as pd
import pytest
from market_cases import nasty, small, varied
from response_oracle import Program

import macjax
from macjax import (
    EnergyCost,
    FeederCapacity,
    OverloadEnergy,
    PeakOverload,
    SettingsError,
    Smoothing,
    SolutionError,
    SquaredOverload,
)
from macjax.market.complementarity import complementarity
from macjax.objectives.compile import feeder_terms

SEEDS = (0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2)))
OBJECTIVES = {
    "peak": PeakOverload(),
    "overload": OverloadEnergy(2.0),
    "squared": SquaredOverload(0.1),
    "energy": PeakOverload() + EnergyCost(-0.1),
    "smoothing": PeakOverload() + EnergyCost(0.2) + Smoothing(0.05),
    "everything": PeakOverload() + OverloadEnergy(1.0) + SquaredOverload(0.2),
}
EXACT = 1e-9


@functools.cache
def solved(name: str, seed: int, gap: float = 1e-3):
    scenario = varied(seed)
    solution = macjax.solve(scenario, OBJECTIVES[name], gap=gap)
    assert solution.status == "solved"
    return scenario, solution, macjax.equilibrium(scenario, solution)


def size_of(solution) -> float:
    """Size of the money that is added up."""
    prices = np.abs(solution.price_table)
    capacity, base = solution.scenario.capacity_base()
    return abs(solution.objective) + float((prices * np.abs(capacity - base)).sum())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_regret_and_slackness_are_the_certified_gap(name, seed):
    _, solution, found = solved(name, seed)
    size = size_of(solution)
    residual = found.complementarity["residual"]
    assert found.objective == solution.objective
    gap = solution.objective - solution.lower_bound
    assert abs(found.total_regret + residual.sum() - gap) <= EXACT * size
    assert (found.regret["regret"] >= -EXACT * size).all()
    assert (residual >= -EXACT * size).all()
    assert found.total_regret <= gap + EXACT * size
    parts = found.complementarity[["unused_cost", "slack_cost"]]
    assert (parts >= -EXACT * size).all(axis=None)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ("peak", "energy", "smoothing"))
def test_costs_of_each_vehicle_are_those_of_an_outside_solver(name, seed):
    scenario, solution, found = solved(name, seed)
    epsilon = feeder_terms(OBJECTIVES[name], scenario).epsilon
    program = Program(scenario, solution.price_table, smoothing=epsilon)
    u = program.by_interior_points() if epsilon else program.by_simplex()
    best, frame = program.costs(u), found.regret
    size = np.abs(best).max() + 1
    assert frame["vehicle_id"].equals(scenario.vehicles["vehicle_id"])
    np.testing.assert_allclose(frame["best_cost"], best, rtol=0, atol=2e-6 * size)
    own = program.costs(program.energies(solution.schedule(), scenario))
    np.testing.assert_allclose(frame["cost"], own, rtol=0, atol=EXACT * size)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_two_parts_of_a_peak_are_complementary_slackness(seed):
    """m (kappa - sum pi) and sum pi (m - x), in numbers of the solution's frames."""
    scenario, solution, found = solved("peak", seed)
    loads, prices = solution.loads(), solution.prices()
    over = loads["base_kw"] + loads["ev_kw"] - loads["capacity_kw"]
    shape = len(scenario.feeders), scenario.slots
    over, pi = (np.reshape(a.to_numpy(), shape) for a in (over, prices["price"]))
    upgrade = np.maximum(over, 0).max(axis=1)
    kappa = scenario.feeders["upgrade_cost_per_kw"].to_numpy()
    frame = found.complementarity
    atol = EXACT * size_of(solution)
    np.testing.assert_allclose(frame["price_sum"], pi.sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(
        frame["unused_cost"], upgrade * (kappa - pi.sum(axis=1)), rtol=0, atol=atol
    )
    slack = (pi * (upgrade[:, None] - over)).sum(axis=1)
    np.testing.assert_allclose(frame["slack_cost"], slack, rtol=0, atol=atol)
    np.testing.assert_allclose(frame["upgrade_kw"], upgrade, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_with_smoothing_the_responses_are_the_schedule(seed):
    """epsilon / 2 sum w |u - u*|^2 <= total regret <= gap, the cost being convex."""
    scenario, solution, found = solved("smoothing", seed, gap=1e-9)
    program = Program(scenario, solution.price_table)
    u = program.energies(solution.schedule(), scenario)
    best = program.energies(found.schedule, scenario)
    apart = (program.weight[program.owner] * (u - best) ** 2).sum()
    gap = solution.objective - solution.lower_bound
    assert 0.05 / 2 * apart <= gap + EXACT * size_of(solution)
    most = solution.loads()["ev_kw"].max()
    assert found.complementarity["clearing_kw"].max() <= 1e-3 * most


@pytest.mark.parametrize("gap", [1e-3, 1e-5])
@pytest.mark.parametrize("seed", SEEDS)
def test_with_smoothing_the_gap_bounds_the_loads_of_the_responses(seed, gap):
    """sqrt(2 gap / modulus), the modulus by a plain loop over stays and slots."""
    scenario, solution, found = solved("smoothing", seed, gap=gap)
    program = Program(scenario, solution.price_table)
    cells = np.zeros(len(scenario.feeders) * scenario.slots)
    weight = scenario.vehicles["weight"].to_numpy()
    efficiency = scenario.vehicles["charge_efficiency"].to_numpy()
    problem = oracles.convert(scenario)
    for vehicle, cell in zip(program.owner, problem.cell, strict=True):
        if cell >= 0:
            each = 1 / (efficiency[vehicle] * scenario.slot_hours)
            cells[cell] += weight[vehicle] * each**2
    most = cells.reshape(-1, scenario.slots).max(axis=1)
    cost = found.objective - found.lower_bound
    bound = found.complementarity["clearing_bound_kw"].to_numpy()
    np.testing.assert_allclose(bound, np.sqrt(2 * cost / 0.05 * most), rtol=1e-9)
    assert (found.complementarity["clearing_kw"] <= bound + 1e-9).all()
    assert found.summary()["clearing_bound_kw"] == bound.max() > 0
    plain = solved("peak", seed)[2]
    assert plain.complementarity["clearing_bound_kw"].isna().all()


@pytest.mark.parametrize("seed", SEEDS)
def test_hard_capacities(seed):
    scenario = macjax.synthetic.fleet(60, 24, kind="slack", seed=seed)
    solution = macjax.solve(scenario, FeederCapacity() + EnergyCost(0.1))
    found = macjax.equilibrium(scenario, solution)
    size = size_of(solution)
    residual = found.complementarity["residual"]
    gap = solution.objective - solution.lower_bound
    assert (residual >= -EXACT * size).all() and len(residual)
    assert abs(found.total_regret + residual.sum() - gap) <= EXACT * size


def test_bills_by_hand():
    """Five vehicles at 10 kW each for half an hour, price 1 per kW: 10 each, 2 a kWh;
    50 collected, of which 40 pay the upgrade and 10 are the worth of the headroom."""
    scenario = small("efficiency_and_weight")
    found = macjax.equilibrium(scenario, macjax.solve(scenario, gap=1e-9))
    bill, rent = found.bills.iloc[0], found.revenue.iloc[0]
    assert bill["payment"] == pytest.approx(10)
    assert bill["energy_kwh"] == pytest.approx(5)
    assert found.flat_price == pytest.approx(2)
    assert bill["flat_payment"] == pytest.approx(10)
    assert rent["collected"] == rent["congestion_rent"] == pytest.approx(50)
    assert rent["upgrade_cost"] == pytest.approx(40)
    assert rent["rest_of_rent"] == pytest.approx(10)
    summary = found.summary()
    assert summary["collected"] == pytest.approx(50)
    assert summary["vehicles_gaining"] == summary["vehicles_losing"] == 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ("peak", "smoothing"))
def test_the_flat_tariff_has_the_same_revenue(name, seed):
    scenario, solution, found = solved(name, seed)
    bills, revenue = found.bills, found.revenue
    weight = bills["weight"]
    paid = float((weight * bills["payment"]).sum())
    assert paid == pytest.approx(revenue["collected"].sum())
    assert paid == pytest.approx(float((weight * bills["flat_payment"]).sum()))
    summary = found.summary()
    assert summary["gained"] == pytest.approx(summary["lost"])
    dt = scenario.slot_hours
    energy = solution.loads().groupby("feeder_id", sort=False)["ev_kw"].sum() * dt
    np.testing.assert_allclose(revenue["energy_kwh"], energy, atol=1e-9)
    table = solution.price_table
    if name == "smoothing":  # energy at 0.2 per kWh is not congestion
        table = table - 0.2 * dt
        energy_cost = 0.2 * revenue["energy_kwh"]
        np.testing.assert_allclose(revenue["energy_cost"], energy_cost, atol=1e-9)
    load = solution.loads()["ev_kw"].to_numpy().reshape(table.shape)
    rent = (table * load).sum(axis=1)
    atol = EXACT * size_of(solution)
    np.testing.assert_allclose(revenue["congestion_rent"], rent, atol=atol)


def split(scenario):
    """Every vehicle as two rows of half the weight."""
    frames = {}
    for name in ("vehicles", "stays", "trips"):
        table = getattr(scenario, name)
        ids = table["vehicle_id"].astype(str)
        twins = [table.assign(vehicle_id=ids + tail) for tail in (" a", " b")]
        frames[name] = pd.concat(twins, ignore_index=True)
    vehicles = frames["vehicles"]
    frames["vehicles"] = vehicles.assign(weight=vehicles["weight"] / 2)
    return scenario.with_tables(**frames)


def test_weights_are_vehicles():
    """Two rows of half the weight that do the same: the same regret, bill by bill."""
    scenario, solution, found = solved("smoothing", 1)
    twins = split(scenario)
    plan = solution.plan
    count = len(scenario.stays)
    both = type(plan).of(
        np.concatenate([plan.stay, plan.stay + count]),
        np.concatenate([plan.slot, plan.slot]),
        np.concatenate([plan.kw, plan.kw]),
    )
    same = macjax.Solution(
        scenario=twins,
        plan=both,
        status="solved",
        prices=solution.price_table,
        objective_spec=solution.objective_spec,
    )
    again = macjax.equilibrium(twins, same)
    assert again.total_regret == pytest.approx(found.total_regret, abs=1e-9)
    assert again.objective == pytest.approx(found.objective)
    assert again.lower_bound == pytest.approx(found.lower_bound)
    half = len(scenario.vehicles)
    for frame, column in (("regret", "best_cost"), ("bills", "gain")):
        one = getattr(found, frame)[column].to_numpy()
        two = getattr(again, frame)[column].to_numpy()
        np.testing.assert_allclose(two[:half], one, atol=1e-9)
        np.testing.assert_allclose(two[half:], one, atol=1e-9)


@pytest.mark.parametrize("policy", ("drop", "relax"))
def test_vehicles_that_cannot_make_their_trips(policy):
    scenario = small("trip_out_of_reach")
    solution = macjax.solve(scenario, on_infeasible=policy)
    found = macjax.equilibrium(scenario, solution)
    kept = ["b"] if policy == "drop" else ["a", "b"]
    assert found.regret["vehicle_id"].tolist() == kept
    assert found.bills["vehicle_id"].tolist() == kept
    assert found.regret["regret"].min() >= -EXACT
    gap = solution.objective - solution.lower_bound
    assert found.total_regret <= gap + EXACT
    responses = macjax.best_response(scenario, solution.prices(), on_infeasible=policy)
    assert responses.equals(found.schedule)


def test_per_session_is_an_equilibrium_of_its_own_set():
    scenario = varied(0)
    solution = macjax.baselines.per_session(scenario)
    found = macjax.equilibrium(scenario, solution)
    size = size_of(solution)
    gap = solution.objective - solution.lower_bound
    total = found.total_regret + found.complementarity["residual"].sum()
    assert abs(total - gap) <= EXACT * size


def test_written_and_read_again(tmp_path):
    scenario, solution, found = solved("peak", 0)
    solution.write(tmp_path / "out")
    again = macjax.Solution.read(tmp_path / "out")
    again = macjax.equilibrium(again.scenario, again)
    pd.testing.assert_frame_equal(again.regret, found.regret)
    pd.testing.assert_series_equal(again.summary(), found.summary())
    assert "total_regret" in str(found)


def test_nothing_to_pay():
    """No vehicles, or no feeders: all is 0."""
    for name in ("no_vehicles", "no_feeders"):
        scenario = small(name)
        solution = macjax.solve(scenario)
        found = macjax.equilibrium(scenario, solution)
        assert found.total_regret == pytest.approx(0, abs=1e-12)
        assert found.summary()["collected"] == pytest.approx(0, abs=1e-12)


def test_a_price_that_is_wrong_shows():
    """Prices of nothing: the vehicles regret nothing, the feeders the whole cost."""
    scenario, solution, _ = solved("peak", 0)
    data = feeder_terms(PeakOverload(), scenario)
    load = solution.loads()["ev_kw"].to_numpy().reshape(solution.price_table.shape)
    frame = complementarity(scenario, data, load, np.zeros_like(load))
    assert frame["residual"].sum() == pytest.approx(solution.objective)
    assert frame["unused_cost"].sum() == pytest.approx(solution.objective)


def test_solutions_that_do_not_fit_are_refused():
    scenario, solution, _ = solved("peak", 0)
    with pytest.raises(SettingsError, match="of another scenario"):
        macjax.equilibrium(varied(1), solution)
    with pytest.raises(SettingsError, match="must be a macjax.Solution"):
        macjax.equilibrium(scenario, solution.schedule())
    with pytest.raises(SettingsError, match="must be a macjax.Scenario"):
        macjax.equilibrium("here", solution)
    with pytest.raises(SolutionError, match="has no prices"):
        macjax.equilibrium(scenario, macjax.baselines.unmanaged(scenario))
    failed = small("hard_capacity_fails")
    nothing = macjax.solve(failed, FeederCapacity())
    with pytest.raises(SolutionError, match="'infeasible' has no schedule"):
        macjax.equilibrium(failed, nothing)


def test_the_figure():
    from matplotlib import pyplot

    _, _, found = solved("peak", 0)
    left, right = found.plot()
    assert "flat tariff" in left.get_title("left")
    assert "rent" in right.get_title("left")
    _, axes = pyplot.subplots(1, 2)
    assert list(found.plot(axes)) == list(axes)
    with pytest.raises(SettingsError, match="two matplotlib axes"):
        found.plot(axes[0])
    pyplot.close("all")


def test_a_nasty_fleet_in_one_go():
    """Feeders without cost or vehicles, chargers without a feeder, weights."""
    scenario = nasty(2)
    solution = macjax.solve(scenario)
    found = macjax.equilibrium(scenario, solution)
    gap = solution.objective - solution.lower_bound
    total = found.total_regret + found.complementarity["residual"].sum()
    assert abs(total - gap) <= EXACT * size_of(solution)
