"""The cheapest charging in a tube against HiGHS, and its order among equal prices."""

import numpy as np
import pytest
from scipy.optimize import linprog

from macjax.baselines._least_rank import least_rank_charge


def random_tube(rng, stays, most_stay):
    """Bounds that full power can meet, with stays that are tight, loose or fixed."""
    high = np.cumsum(rng.uniform(0, 1.2, stays) * most_stay)
    reach, total = np.zeros(stays), 0.0
    for k in range(stays):
        total = min(total + most_stay[k], high[k])
        reach[k] = total
    share = rng.choice([0.0, 0.5, 1.0, rng.uniform()])
    low = reach * share * rng.choice([0.0, 1.0], stays, p=[0.3, 0.7])
    low = np.maximum.accumulate(low) if share < 1 else reach.copy()
    if share == 1 and rng.random() < 0.5:
        high = low.copy()
    return low, high


def random_fleet(seed, vehicles=6):
    """most, price, stay, first, low, high of a few vehicles; ties are common."""
    rng = np.random.default_rng(seed)
    most, price, stay, first, low, high = [], [], [], [0], [], []
    levels = rng.choice([1, 2, 3, 50])
    shift = rng.choice([0.0, 0.0, 1.0, 2.0])
    for _ in range(vehicles):
        stays = rng.integers(0, 7)
        rooms = []
        for _ in range(stays):
            count = rng.integers(1, 6)
            amount = rng.choice([0.0, 1.0, 2.5, 7.0], count)
            most += amount.tolist()
            price += (rng.integers(0, levels, count) - shift).tolist()
            stay += [first[-1] + len(rooms)] * count
            rooms.append(amount.sum())
        one_low, one_high = random_tube(rng, stays, np.array(rooms))
        low += one_low.tolist()
        high += one_high.tolist()
        first.append(first[-1] + stays)
    floats = [np.array(a, float) for a in (most, price, low, high)]
    return (
        floats[0],
        floats[1],
        np.array(stay, np.int64),
        np.array(first, np.int64),
        floats[2],
        floats[3],
    )


def vehicle_parts(fleet):
    """The opportunities of each vehicle: indices and stays counted from its first."""
    most, price, stay, first, low, high = fleet
    for v in range(len(first) - 1):
        at = np.flatnonzero((stay >= first[v]) & (stay < first[v + 1]))
        bounds = slice(first[v], first[v + 1])
        yield at, stay[at] - first[v], low[bounds], high[bounds]


def lp(cost, most, stay, low, high):
    prefix = (stay[None, :] <= np.arange(len(low))[:, None]).astype(float)
    found = linprog(
        cost,
        A_ub=np.vstack([prefix, -prefix]),
        b_ub=np.concatenate([high + 1e-11, -low + 1e-11]),
        bounds=list(zip(np.zeros(len(most)), most, strict=True)),
    )
    assert found.status == 0
    return found


@pytest.mark.parametrize("seed", range(60))
def test_meets_the_tube_at_the_cost_of_the_linear_programme(seed):
    fleet = random_fleet(seed)
    most, price = fleet[:2]
    u = least_rank_charge(*fleet)
    assert (u >= 0).all() and (u <= most).all()
    for at, stay, low, high in vehicle_parts(fleet):
        if not len(low):
            continue
        running = np.cumsum(np.bincount(stay, u[at], len(low)))
        assert (running >= low - 1e-9).all() and (running <= high + 1e-9).all()
        best = lp(price[at], most[at], stay, low, high)
        assert price[at] @ u[at] == pytest.approx(best.fun, abs=1e-7)


@pytest.mark.parametrize("seed", range(40))
def test_equal_prices_are_taken_in_time_order(seed):
    """The plan is the optimum of the programme whose costs are the strict ranks."""
    fleet = random_fleet(seed)
    most, price = fleet[:2]
    u = least_rank_charge(*fleet)
    for at, stay, low, high in vehicle_parts(fleet):
        if not len(low):
            continue
        order = sorted(range(len(at)), key=lambda j, at=at: (price[at[j]], j))
        free = sum(price[at] < 0)
        cost = np.empty(len(at))
        # Half a rank away from zero: below 0 charging pays, at 0 it does not.
        cost[order] = np.arange(len(at)) - free + 0.5
        best = lp(cost, most[at], stay, low, high)
        assert u[at] == pytest.approx(best.x, abs=1e-7)


def test_takes_nothing_beyond_what_is_needed_at_price_zero():
    most = np.full(4, 2.0)
    stay, first = np.zeros(4, np.int64), np.array([0, 1])
    u = least_rank_charge(
        most, np.zeros(4), stay, first, np.array([3.0]), np.array([8.0])
    )
    assert u.tolist() == [2.0, 1.0, 0.0, 0.0]


def test_takes_all_it_may_below_zero():
    most = np.full(4, 2.0)
    price = np.array([-1.0, 1.0, -2.0, -1.0])
    stay, first = np.array([0, 0, 1, 1]), np.array([0, 2])
    low, high = np.array([0.0, 0.0]), np.array([5.0, 5.0])
    u = least_rank_charge(most, price, stay, first, low, high)
    assert u.tolist() == [2.0, 0.0, 2.0, 1.0]


def test_the_order_of_vehicles_changes_nothing():
    fleet = random_fleet(5, vehicles=9)
    most, price, stay, first, low, high = fleet
    together = least_rank_charge(*fleet)
    for v, (at, own, one_low, one_high) in enumerate(vehicle_parts(fleet)):
        alone = least_rank_charge(
            most[at], price[at], own, first[v : v + 2] - first[v], one_low, one_high
        )
        assert (together[at] == alone).all()


def test_no_vehicles_and_no_stays():
    nothing, whole = np.empty(0), np.empty(0, np.int64)
    for first in (np.zeros(1, np.int64), np.zeros(4, np.int64)):
        u = least_rank_charge(nothing, nothing, whole, first, nothing, nothing)
        assert u.shape == (0,)
