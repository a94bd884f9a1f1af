"""The lower bound: below every optimum for any prices, equal to it at the best ones."""

import numpy as np
import pandas as pd
import pytest
from certificate_cases import (
    Program,
    hour,
    random_prices,
    random_scenario,
    scenario_of,
    terms_of,
)

from macjax._errors import DataError
from macjax.certificate import Certifier
from macjax.objectives import FeederCapacity, PeakOverload, Smoothing
from macjax.scenario.plan import Plan

KINDS = {
    "peak": {},
    "energy": {"linear": 1.5, "kappa": 0.0},
    "peak and energy": {"linear": 0.7},
    "prices": {"energy": 0.2},
    "negative prices": {"energy": -0.3, "linear": 0.1},
    "some feeders hard": {"hard": [False, True, False], "linear": 0.2},
}
SQUARES = {
    "squared": {"quadratic": 0.4, "kappa": 0.0},
    "peak, squared": {"quadratic": 0.3},
    "all": {"quadratic": 0.2, "linear": 0.3, "energy": -0.1},
}


def require_bounds(certifier, terms, optimum, prices, tolerance, seed):
    """Tight at the dual prices, and never above the optimum."""
    assert abs(certifier.bound(prices) - optimum) <= tolerance
    rng = np.random.default_rng(seed)
    for _ in range(20):
        tried = random_prices(rng, terms, rng.choice([0.1, 1, 30]))
        assert certifier.bound(tried) <= optimum + tolerance


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_bound_at_the_dual_prices_is_the_optimum(seed, kind):
    hard = "hard" in kind
    scenario = random_scenario(seed, base=0.8 if hard else 1.4)
    terms = terms_of(scenario, **KINDS[kind])
    optimum, prices, plan = Program(scenario, terms).solve()
    certifier = Certifier(scenario, terms=terms)
    if optimum is None:
        assert hard
        return
    tolerance = 1e-8 * (1 + abs(optimum))
    require_bounds(certifier, terms, optimum, prices, tolerance, seed)
    assert abs(certifier.objective(plan) - optimum) <= tolerance
    assert certifier.check(plan).max_violation_kwh <= 1e-7
    assert certifier.bound(certifier.prices(prices)) == certifier.bound(prices)


@pytest.mark.parametrize("minutes, slots", [(15, 60), (180, 6)])
def test_other_slot_lengths(minutes, slots):
    scenario = random_scenario(11, slots=slots, minutes=minutes, base=1.2)
    terms = terms_of(scenario)
    optimum, prices, plan = Program(scenario, terms).solve()
    certifier = Certifier(scenario, PeakOverload())
    require_bounds(certifier, terms, optimum, prices, 1e-8 * (1 + optimum), 0)
    assert certifier.objective(plan) == pytest.approx(optimum, rel=1e-8)
    terms = terms._replace(epsilon=0.1)
    optimum, prices, plan = Program(scenario, terms).solve_square()
    certifier = Certifier(scenario, PeakOverload() + Smoothing(0.1))
    require_bounds(certifier, terms, optimum, prices, 1e-7 * (1 + optimum), 0)
    assert certifier.objective(plan) == pytest.approx(optimum, rel=1e-7)


@pytest.mark.parametrize("kind", [*KINDS, *SQUARES])
@pytest.mark.parametrize("seed, epsilon", [(0, 1e-4), (1, 1e-2), (2, 0.3)])
def test_smoothing_and_squares_against_clarabel(seed, epsilon, kind):
    scenario = random_scenario(seed, base=0.3 if "hard" in kind else 1.3)
    terms = terms_of(scenario, **(KINDS | SQUARES)[kind])._replace(epsilon=epsilon)
    optimum, prices, plan = Program(scenario, terms).solve_square()
    certifier = Certifier(scenario, terms=terms)
    tolerance = 1e-7 * (1 + abs(optimum))
    require_bounds(certifier, terms, optimum, prices, tolerance, seed)
    assert certifier.objective(plan) == pytest.approx(optimum, abs=tolerance)


@pytest.mark.parametrize("kind", SQUARES)
def test_squares_without_smoothing(kind):
    scenario = random_scenario(3, base=1.3)
    terms = terms_of(scenario, **SQUARES[kind])
    optimum, prices, _ = Program(scenario, terms).solve_square()
    certifier = Certifier(scenario, terms=terms)
    require_bounds(certifier, terms, optimum, prices, 1e-6 * (1 + abs(optimum)), 3)


def one_car(capacity, base, **columns):
    """One car at home on feeder A for four hours, and feeder B without vehicles."""
    car = {
        "vehicle_id": "car",
        "battery_kwh": 40.0,
        "initial_kwh": 20.0,
        "final_kwh": 28.0,
        "charge_efficiency": 0.8,
    }
    stay = ["car", hour(0), hour(4), "A", 10.0]
    profile = pd.DataFrame(
        {
            "feeder_id": np.repeat(["A", "B"], 6),
            "time": [hour(t) for t in range(6)] * 2,
            "capacity_kw": np.repeat(capacity, 6),
            "base_kw": np.ravel(base).astype(float),
        }
    )
    return scenario_of(
        pd.DataFrame([car | columns]),
        pd.DataFrame(
            [stay],
            columns=["vehicle_id", "arrival", "departure", "feeder_id", "charger_kw"],
        ),
        pd.DataFrame(
            {
                "vehicle_id": pd.Series([], dtype=object),
                "departure": pd.DatetimeIndex([], tz="UTC"),
                "arrival": pd.DatetimeIndex([], tz="UTC"),
                "energy_kwh": np.empty(0),
            }
        ),
        pd.DataFrame({"feeder_id": ["A", "B"], "upgrade_cost_per_kw": [3.0, 7.0]}),
        profile,
        6,
    )


def test_base_load_alone_is_in_the_bound():
    # The car needs 10 kWh of grid energy in four hours with headroom 1, 1, 1, -3; an
    # overload of 3 kW is there anyway, and leaves room for 12 kWh. In the fifth hour,
    # when nobody can charge, base load is 4 kW over: that decides.
    base = [[1, 1, 1, 5, 6, 0], [2, 2, 9, 2, 2, 2]]
    certifier = Certifier(one_car([2.0, 4.0], base), PeakOverload())
    assert certifier.bound(np.zeros((2, 6))) == pytest.approx(3 * 4 + 7 * 5, rel=1e-12)
    # Without the fifth hour the prices of the car's hours decide.
    base[0][4] = 0
    certifier = Certifier(one_car([2.0, 4.0], base), PeakOverload())
    even = np.zeros((2, 6))
    even[0, :4] = 3 / 4
    assert certifier.bound(even) < 3 * 3 + 35
    peak = np.zeros((2, 6))
    peak[0, 3] = 3.0
    assert certifier.bound(peak) == pytest.approx(3 * 3 + 7 * 5, rel=1e-12)


def test_prices_that_are_no_prices():
    scenario = random_scenario(1, base=1.4)
    certifier = Certifier(scenario, PeakOverload())
    none = certifier.bound(np.zeros(certifier.active.shape))
    for wrong in (np.nan, -np.inf, np.inf, -5.0):
        assert certifier.bound(np.full(certifier.active.shape, wrong)) == none
    huge = certifier.bound(np.full(certifier.active.shape, 1e308))
    assert huge <= Program(scenario, terms_of(scenario)).solve()[0]
    with pytest.raises(DataError, match="shape"):
        certifier.bound(np.zeros(3))


def test_bound_of_nonnegative_costs_is_never_negative():
    scenario = random_scenario(2, base=0.1)
    certifier = Certifier(scenario, PeakOverload() + Smoothing(1e-3))
    rng = np.random.default_rng(0)
    for _ in range(10):
        assert certifier.bound(rng.random(certifier.active.shape)) >= 0


def test_rounding_margin_keeps_the_bound_below_a_known_optimum():
    # 8 kWh in four hours without headroom: 2 kW over.
    scenario = one_car([0.0, 0.0], np.zeros((2, 6)), charge_efficiency=1.0)
    certifier = Certifier(scenario, PeakOverload())
    prices = np.zeros((2, 6))
    prices[0, :4] = 3 / 4
    bound = certifier.bound(prices)
    assert bound < 3 * 2
    assert bound == pytest.approx(6, rel=1e-12)


@pytest.mark.parametrize("hour_over", [3, 4])
def test_base_load_over_a_hard_limit(hour_over):
    # In the car's last hour, and in one in which nobody can charge.
    base = np.zeros((2, 6))
    base[0, hour_over] = 20.0 + 0.01
    scenario = one_car([20.0, 1.0], base)
    certifier = Certifier(scenario, FeederCapacity() + PeakOverload())
    charge = Plan(np.array([0]), np.array([0]), np.array([10.0]))
    assert certifier.objective(charge) == 0.0
    prices = np.zeros((2, 6))
    prices[0, hour_over] = 1e6
    assert certifier.bound(prices) == 0.0
    base[0, hour_over] = 20.03
    certifier = Certifier(one_car([20.0, 1.0], base), FeederCapacity())
    assert certifier.objective(charge) == np.inf
    ray = np.zeros((2, 6))
    ray[0, hour_over] = 1.0
    assert certifier.ray_bound(ray) == pytest.approx(0.01)


@pytest.mark.parametrize("seed", range(4))
def test_ray_bound_proves_that_hard_capacities_cannot_hold(seed):
    scenario = random_scenario(seed, base=0.9)
    certifier = Certifier(scenario, FeederCapacity())
    program = Program(scenario, terms_of(scenario, kappa=0.0, hard=True))
    # The largest overload that cannot be avoided, and the prices that prove it.
    least, prices, _ = Program(scenario, terms_of(scenario, kappa=1.0)).solve()
    proof = certifier.ray_bound(prices)
    expected = least - (prices * certifier.terms.tolerance).sum()
    assert proof == pytest.approx(expected, abs=1e-7)
    if program.solve()[0] is not None:
        assert proof <= 0
    elif least > 3 * certifier.terms.tolerance.max():
        assert proof > 0
    rng = np.random.default_rng(seed)
    feasible = program.solve()[0] is not None
    for _ in range(20):
        ray = random_prices(rng, terms_of(scenario))
        assert certifier.ray_bound(ray) <= 0 or not feasible
