"""Every objective alone and in sums, against a QP from outside."""

import numpy as np
import pandas as pd
import pytest
import quadratic_oracle
from driver_cases import assert_certified, assert_right, scale_of, street_frames
from driver_cases import with_frames as scenario_of

import macjax
from macjax import (
    EnergyCost,
    FeederCapacity,
    OverloadEnergy,
    PeakOverload,
    Smoothing,
    SquaredOverload,
)
from macjax.certificate import Certifier

GAP = 1e-4
EXACT = 1e-7  # relative, of the outside optimum


@pytest.fixture(scope="module", params=[0, 5])
def scenario(request):
    """Two streets on the timetable of the other tests."""
    return scenario_of(street_frames(request.param))


def tariff(scenario, low: float, high: float) -> tuple[np.ndarray, EnergyCost]:
    """Random prices per cell [currency/kWh], (f, t), and the objective of them."""
    rng = np.random.default_rng(11)
    shape = len(scenario.feeders), scenario.slots
    table = rng.uniform(low, high, shape)
    frame = scenario.feeders[["feeder_id"]].merge(
        pd.DataFrame({"time": scenario.slot_starts}), how="cross"
    )
    return table, EnergyCost(frame.assign(price=table.ravel()))


def costs_by_feeder(scenario) -> dict:
    """A cost of its own for each feeder, some of them nothing."""
    ids = scenario.feeders["feeder_id"].tolist()
    return {name: float(i % 3) for i, name in enumerate(ids)}


def cases(scenario) -> dict:
    """Objectives by name, and the coefficients of the same QP."""
    cost = scenario.feeders["upgrade_cost_per_kw"].to_numpy(float)
    own = costs_by_feeder(scenario)
    each = np.array(list(own.values()))
    prices, energy = tariff(scenario, 0.1, 0.4)
    mixed, signed = tariff(scenario, -0.3, 0.3)
    every = PeakOverload() + OverloadEnergy(0.5) + SquaredOverload(0.02)
    return {
        "peak": (PeakOverload(), dict(peak=cost)),
        "peak by feeder": (PeakOverload(own), dict(peak=each)),
        "overload": (OverloadEnergy(2.0), dict(overload=2.0)),
        "overload by feeder": (OverloadEnergy(own), dict(overload=each)),
        "squared": (SquaredOverload(0.3), dict(squared=0.3)),
        "energy": (energy, dict(energy=prices)),
        "negative energy": (signed, dict(energy=mixed)),
        "all negative": (EnergyCost(-0.2), dict(energy=-0.2)),
        "smoothing": (Smoothing(0.1), dict(epsilon=0.1)),
        "peak, energy": (PeakOverload() + energy, dict(peak=cost, energy=prices)),
        "peak, negative": (PeakOverload() + signed, dict(peak=cost, energy=mixed)),
        "peak, smoothing": (
            PeakOverload() + Smoothing(0.01),
            dict(peak=cost, epsilon=0.01),
        ),
        "peak, overload": (
            PeakOverload() + OverloadEnergy(2),
            dict(peak=cost, overload=2.0),
        ),
        "squared, negative": (
            SquaredOverload(0.2) + signed,
            dict(squared=0.2, energy=mixed),
        ),
        "overload, squared": (
            OverloadEnergy(own) + SquaredOverload(0.2),
            dict(overload=each, squared=0.2),
        ),
        "all": (
            every + energy + Smoothing(0.05),
            dict(peak=cost, overload=0.5, squared=0.02, energy=prices, epsilon=0.05),
        ),
    }


NAMES = tuple(cases(scenario_of(street_frames())))


@pytest.mark.parametrize("name", NAMES)
def test_against_the_qp(scenario, name):
    """To a certified gap of 1e-4 of what clarabel finds."""
    objective, coefficients = cases(scenario)[name]
    solution = macjax.solve(scenario, objective, gap=GAP)
    optimum = quadratic_oracle.optimum(scenario, **coefficients)
    assert_right(scenario, solution, optimum, GAP, exact=EXACT)


@pytest.mark.parametrize("objective", [PeakOverload(0.0), EnergyCost(0.0)])
def test_nothing_costs_anything(scenario, objective):
    """Zero is certified at once, with prices of zero."""
    solution = macjax.solve(scenario, objective)
    assert solution.status == "solved" and solution.iterations == 0
    assert solution.objective == solution.lower_bound == solution.gap == 0
    assert not solution.price_table.any()
    assert_certified(scenario, solution)


def test_one_price_for_all_leaves_only_the_energy(scenario):
    """With one positive price only what has to be charged on feeders is."""
    solution = macjax.solve(scenario, EnergyCost(0.2), gap=1e-6)
    optimum = quadratic_oracle.optimum(scenario, energy=0.2)
    assert_right(scenario, solution, optimum, 1e-6, exact=EXACT)
    energy = solution.loads()["ev_kw"].sum() * scenario.slot_hours
    assert solution.objective == pytest.approx(0.2 * energy, rel=1e-12)


def enlarged(share: float):
    """A street whose capacities have this share of the upgrade that it needs."""
    frames = street_frames(5)
    needed = macjax.solve(scenario_of(frames), gap=1e-6).upgrades()
    needed = needed.set_index("feeder_id")["upgrade_kw"]
    profile = frames["feeder_profile"].copy()
    profile["capacity_kw"] += share * profile["feeder_id"].map(needed)
    return scenario_of(frames | {"feeder_profile": profile})


def hard_cases(scenario) -> dict:
    """Hard limits alone and with what is left to choose under them.

    An overload within the tolerance counts nothing, so that the peak has no say.
    """
    prices, energy = tariff(scenario, 0.1, 0.4)
    mixed, signed = tariff(scenario, -0.3, 0.3)
    hard = FeederCapacity()
    return {
        "hard": (hard, {}),
        "hard, energy": (hard + energy, dict(energy=prices)),
        "hard, negative": (hard + signed, dict(energy=mixed)),
        "hard, smoothing": (hard + Smoothing(0.1), dict(epsilon=0.1)),
        "hard, peak": (hard + PeakOverload(), {}),
    }


HARD = tuple(hard_cases(scenario_of(street_frames())))


def hard_optimum(scenario, coefficients: dict) -> float:
    """The QP with loads up to capacity and tolerance, 1e-3 of what is larger of it
    and 1 kW."""
    capacity, _ = scenario.capacity_base()
    slack = 1e-3 * np.maximum(1.0, capacity)
    return quadratic_oracle.optimum(scenario, hard=True, slack=slack, **coefficients)


@pytest.mark.parametrize("share", [0.9985, 1.0, 1.1, 2.0])
@pytest.mark.parametrize("name", HARD)
def test_hard_limits_against_the_qp(name, share):
    """Limits that hold by nothing but their tolerance, exactly, and easily."""
    scenario = enlarged(share)
    objective, coefficients = hard_cases(scenario)[name]
    solution = macjax.solve(scenario, objective, gap=GAP)
    optimum = hard_optimum(scenario, coefficients)
    assert_right(scenario, solution, optimum, GAP, exact=EXACT)
    loads = solution.loads()
    tolerance = 1e-3 * np.maximum(1.0, loads["capacity_kw"])
    assert (loads["overload_kw"] <= tolerance * (1 + 1e-5)).all()


@pytest.mark.parametrize("name", HARD)
def test_hard_limits_that_cannot_hold(scenario, name):
    """No QP solution, and a ray whatever else the objective counts."""
    objective, coefficients = hard_cases(scenario)[name]
    assert hard_optimum(scenario, coefficients) == np.inf
    solution = macjax.solve(scenario, objective)
    assert solution.status == "infeasible"
    certifier = Certifier(scenario, objective)
    assert certifier.ray_bound(solution.dual_ray) > 0


def test_smoothed_schedule_is_unique():
    """With smoothing two starts end at the same loads, to what the gap allows."""
    scenario = scenario_of(street_frames(5))
    objective = PeakOverload() + Smoothing(0.5)
    first = macjax.solve(scenario, objective, gap=1e-7)
    other = macjax.solve(scenario, objective, gap=1e-3)
    second = macjax.solve(scenario, objective, gap=1e-7, warm_start=other)
    # epsilon / 2 |u - u'|^2 is at most the difference in cost.
    energy = np.sqrt(2 * (first.gap + second.gap) * scale_of(first) / 0.5)
    loads = [s.loads()["ev_kw"].to_numpy() for s in (first, second)]
    vehicles = scenario.vehicles["weight"].sum()
    assert np.abs(loads[0] - loads[1]).max() <= 2 * np.sqrt(vehicles) * energy
