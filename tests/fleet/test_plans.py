"""Plans and packed energies: each gives the other back."""

import numpy as np
import pytest
from problems import frames, vehicle

from macjax.fleet.packing import pack
from macjax.fleet.unpack import LEAST_KWH, energies_of, plan_of
from macjax.scenario import Scenario
from macjax.scenario.plan import Plan
from macjax.synthetic import fleet


def random_energies(packed, seed):
    """Energies between 0 and the limit, some of each, zero on padding."""
    rng = np.random.default_rng(seed)
    limit = np.asarray(packed.batch.limit())
    share = rng.random(limit.shape) * rng.choice([0, 1, 2], limit.shape)
    return limit * np.minimum(share, 1)


def same(plan: Plan, other: Plan, rtol=1e-14):
    np.testing.assert_array_equal(plan.stay, other.stay)
    np.testing.assert_array_equal(plan.slot, other.slot)
    np.testing.assert_allclose(plan.kw, other.kw, rtol=rtol)


RANDOM = [(evs, seed) for seed in range(8) for evs in (1, 9, 150)]


@pytest.mark.parametrize(("evs", "seed"), RANDOM)
def test_energies_come_back(evs, seed):
    scenario = fleet(evs, kind="random", seed=seed)
    packed = pack(scenario)
    energies = random_energies(packed, seed)
    back = energies_of(scenario, packed, plan_of(scenario, packed, energies))
    energies = np.where(energies > LEAST_KWH, energies, 0)
    np.testing.assert_allclose(back, energies, rtol=1e-14, atol=0)
    assert back.shape == packed.batch.limit().shape == packed.batch.shape


@pytest.mark.parametrize("slots", [1, 2, 3, 5])
def test_energies_come_back_on_short_horizons(slots):
    """Pieces are longer than the horizon: their tails are not the next stay."""
    for seed in range(6):
        scenario = fleet(20, slots=slots, kind="random", seed=seed)
        packed = pack(scenario)
        energies = random_energies(packed, seed)
        back = energies_of(scenario, packed, plan_of(scenario, packed, energies))
        energies = np.where(energies > LEAST_KWH, energies, 0)
        np.testing.assert_allclose(back, energies, rtol=1e-14, atol=0)


@pytest.mark.parametrize(("evs", "seed"), RANDOM[::3])
def test_plans_come_back(evs, seed):
    scenario = fleet(evs, kind="random", seed=seed)
    packed = pack(scenario)
    plan = plan_of(scenario, packed, random_energies(packed, seed))
    same(plan_of(scenario, packed, energies_of(scenario, packed, plan)), plan)


def test_stays_that_follow_each_other_by_hand():
    """Three slots; the first stay ends with the horizon, the second begins with it."""
    stays = [("a", 1, 3, "f", 9), ("b", 0, 2, "f", 9)]
    cars = [vehicle("a", final=0, charge_efficiency=0.5), vehicle("b", final=0)]
    scenario = Scenario.from_frames(**frames(cars, stays, slots=3))
    packed = pack(scenario)
    plan = Plan.of([0, 0, 1, 1], [1, 2, 0, 1], [1.0, 2.0, 4.0, 8.0])
    energies = energies_of(scenario, packed, plan)
    assert energies.sum() == 0.5 * 3 + 12
    assert np.all(energies[np.asarray(packed.batch.limit()) == 0] == 0)
    same(plan_of(scenario, packed, energies), plan)


def test_plan_of_weekly_fleet_keeps_power_and_energy():
    """kw is on the grid side and of one vehicle: weights and padding do not enter."""
    scenario = fleet(200, kind="hard", seed=0)
    packed = pack(scenario)
    limits = np.asarray(packed.batch.limit())
    plan = plan_of(scenario, packed, limits)
    most = scenario.stays["charger_kw"].to_numpy()[plan.stay]
    assert np.all(plan.kw <= most * (1 + 1e-12))
    owner = dict(zip(scenario.vehicles["vehicle_id"],
                     scenario.vehicles["charge_efficiency"], strict=True))  # fmt: skip
    efficiency = scenario.stays["vehicle_id"].map(owner).to_numpy()[plan.stay]
    battery = (plan.kw * efficiency).sum() * scenario.slot_hours
    np.testing.assert_allclose(battery, limits.sum(), rtol=1e-12)


def test_nobody_charges():
    for evs in (0, 5):
        scenario = fleet(evs, kind="random", seed=1)
        packed = pack(scenario)
        zeros = np.zeros(packed.batch.shape)
        plan = plan_of(scenario, packed, zeros)
        assert len(plan.stay) == len(plan.slot) == len(plan.kw) == 0
        assert np.all(energies_of(scenario, packed, Plan.empty()) == 0)
